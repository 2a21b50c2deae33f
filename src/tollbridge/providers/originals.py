"""What is a provider told whose wire format is not the one that the caller spoke?

The translation of the caller's words, where it says all of them to that provider. A request that
came in the format of its body has no original, and is told as it is.
"""

import msgspec

from tollbridge.providers.request import Request
from tollbridge.providers.wire import UntranslatableError


def told_to(request: Request, dialect: str) -> Request:
    """Return a request as an endpoint of a wire format is told it.

    Raises UntranslatableError for what would lose something on the way. One that speaks as the
    caller did decides for itself: its wire has the caller's own words.
    """
    own = request.original
    if own is None or dialect == own.face or not own.loss:
        return request
    body = own.bodies.get(dialect)
    if body is None:
        raise UntranslatableError(own.loss)
    return msgspec.structs.replace(request, body=body)


def answered_in(request: Request) -> str:
    """Return the wire format that the caller is answered in."""
    return request.dialect if request.original is None else request.original.face
