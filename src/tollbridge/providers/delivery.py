"""How does what was made get from where it lies to a caller who wants it itself?

Sound is always given itself, pictures where the caller asked for them so. What a provider only
names by an address is fetched: from its own door with its key, from elsewhere with care.
"""

from collections.abc import Awaitable, Callable
from typing import Protocol
from urllib.parse import urlsplit

import msgspec

from tollbridge.core.call import AttemptOutcome, ErrorClass, Operation
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.plan import Endpoint
from tollbridge.providers.dialects.media.face import IMAGES
from tollbridge.providers.dialects.media.images import wants_data
from tollbridge.providers.failed import AttemptFailedError
from tollbridge.providers.failures import TransportError
from tollbridge.providers.fetch import Fetched, FetchFailedError
from tollbridge.providers.passage import Passage
from tollbridge.providers.request import Request
from tollbridge.providers.tasks import Ask
from tollbridge.providers.wire import Given, Outgoing, Output


class Fetch(Protocol):
    """Fetches addresses that others gave, guarded."""

    def fetch(
        self, url: str, parameter: str = "url", *, bytes_max: int | None = None
    ) -> Awaitable[Fetched]:
        """Return what lies at an address.

        Raises InvalidRequestError for what may not be fetched, FetchFailedError for what cannot.
        """
        ...


Deliver = Callable[[Passage, Endpoint, Request, Given], Awaitable[Given]]


class Delivery:
    """Brings what was made."""

    def __init__(self, ask: Ask, fetcher: Fetch) -> None:
        self._ask = ask
        self._fetcher = fetcher

    async def __call__(
        self, passage: Passage, endpoint: Endpoint, request: Request, given: Given
    ) -> Given:
        """Return what was made with the things themselves where the caller wants them.

        What came in the caller's own format and cannot be fetched is left as it came. Else raises
        AttemptFailedError with the outcome BROKE: it was made, and will be billed.
        """
        if not _wants_things(request):
            return given
        try:
            outputs = [await self._brought(passage, endpoint, one) for one in given.outputs]
        except (FetchFailedError, InvalidRequestError, TransportError, ValueError) as error:
            if given.body:
                return given
            raise AttemptFailedError(
                ErrorClass.UPSTREAM_ERROR,
                AttemptOutcome.BROKE,
                f"what was made could not be fetched: {error}",
            ) from error
        return msgspec.structs.replace(given, body=b"", outputs=tuple(outputs))

    async def _brought(self, passage: Passage, endpoint: Endpoint, output: Output) -> Output:
        url = output.url
        if output.data is not None or url is None:
            return output
        own = _at_own_door(url, endpoint)
        if own is None:
            fetched = await self._fetcher.fetch(url)
            kind = output.content_type or fetched.content_type
            return msgspec.structs.replace(output, data=fetched.data, content_type=kind)
        # It lies with the account that made it.
        made_by = (one.key for one in reversed(passage.attempts) if one.endpoint == endpoint.name)
        key = next(made_by, None)
        reaction = await self._ask(endpoint, own, passage.call_id, passage.deadline_s, key)
        if reaction.status != 200:
            raise FetchFailedError(f"HTTP {reaction.status}")
        kind = output.content_type or reaction.headers.get(b"content-type", b"").decode("latin-1")
        return msgspec.structs.replace(output, data=reaction.body, content_type=kind)


def _wants_things(request: Request) -> bool:
    if request.operation is Operation.AUDIO_SPEECH:
        return True
    # Whoever spoke a format without links gets the pictures themselves.
    return request.operation in IMAGES and (request.original is not None or wants_data(request))


def _at_own_door(url: str, endpoint: Endpoint) -> Outgoing | None:
    """Return how something is asked of the endpoint itself, None for what lies elsewhere."""
    if url.startswith("/"):
        return Outgoing(url, method=b"GET", passes_bytes=True)
    there, door = urlsplit(url), urlsplit(endpoint.base_url)
    if (there.scheme, there.netloc) != (door.scheme, door.netloc):
        return None
    target = there.path + (f"?{there.query}" if there.query else "")
    above = door.path.rstrip("/").count("/")
    return Outgoing(target or "/", method=b"GET", above=above, passes_bytes=True)
