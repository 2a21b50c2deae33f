"""What of a caller's request must be understood to carry it?"""

from collections.abc import Mapping
from typing import Any

import msgspec

from tollbridge.core.call import ErrorClass, Operation
from tollbridge.core.demand import NO_DEMAND, Demand

LABEL_CHARACTERS_MAX = 200
UNNAMED = ""
"""The model of a request that names none: the category's default."""


class Original(msgspec.Struct, frozen=True):
    """What a caller said in a wire format of its own, where `Request.body` is what that means."""

    face: str
    """The wire format that the caller spoke, and is answered in."""
    method: str
    """What the address asked for: `predict`, `embedContent` …"""
    body: bytes
    loss: str = ""
    """What no other wire format has a word for; "" where the translation says all of it."""
    bodies: Mapping[str, bytes] = {}
    """Wire format → the translation that says even that, for those that do have a word."""


class Request(msgspec.Struct, frozen=True):
    """A checked request: the body as it came, and the few fields that are acted on."""

    operation: Operation
    body: bytes
    model: str
    stream: bool = False
    asks_usage: bool = False
    """Whether the caller wants the stream's usage frame."""
    output_tokens_max: int | None = None
    choices: int = 1
    customer: str | None = None
    attachments: int = 0
    """Images and sounds in the request, at least: each may bill more than its bytes say."""
    has_files: bool = False
    """Whether files are attached, in whatever way: their pages bill as text and as images."""
    dialect: str = "openai"
    """The wire format of the body: the caller's own, who is answered in it, but for `original`."""
    content_type: bytes = b"application/json"
    """Of the body: media come as forms too."""
    demand: Demand = NO_DEMAND
    """What of media is asked for."""
    addresses: tuple[str, ...] = ()
    """Images that the caller named by an address instead of sending them: to be checked first."""
    headers: tuple[tuple[bytes, bytes], ...] = ()
    """The caller's headers that mean something to a provider of the same wire format."""
    state_id: str | None = None
    """What the provider keeps and the request goes on from: a previous response."""
    endpoint: str | None = None
    """The only endpoint that can serve it: it has what `state_id` names."""
    endpoint_key: str | None = None
    """Of that endpoint's several keys the one whose account has it."""
    variant: str = ""
    """What is asked for beside the operation: `count_tokens`, `pictures`; "" as usual."""
    received_at_us: int = 0
    """When it came, where its answer must say so because the provider's does not; 0 is unknown."""
    original: Original | None = None
    """What the caller said, where `body` is a translation of it; None where it is the same."""


class Refusal(msgspec.Struct, frozen=True):
    """A provider's error answer, understood."""

    error_class: ErrorClass
    message: str
    """The provider's words, cut at 500 characters."""
    retry_after_s: float | None = None
    code: str | None = None
    parameter: str | None = None


class Answer(msgspec.Struct, frozen=True):
    """What is taken from a whole answer: names and the raw usage object."""

    usage: dict[str, Any] | None
    served_model: str | None
    response_id: str | None
    aggregator_provider: str | None = None


class MalformedAnswerError(ValueError):
    """A 200 that is not what the dialect answers with."""


def label_of(value: object) -> str | None:
    """Return a name that somebody else gave as one that can be stored, None where it is no text.

    At most 200 characters; what cannot be printed (NUL, line ends, half a surrogate pair) becomes
    a question mark.
    """
    if type(value) is not str:
        return None
    if len(value) <= LABEL_CHARACTERS_MAX and value.isprintable():
        return value or None
    return "".join(
        character if character.isprintable() else "?" for character in value[:LABEL_CHARACTERS_MAX]
    )
