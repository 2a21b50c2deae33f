"""How does a provider sound: its events, its stream's end, its refusals and its headers?"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any, Final, NamedTuple

import msgspec

from tollbridge.sandbox.refusals import RefusedError

encode = msgspec.json.Encoder().encode

Headers = list[tuple[bytes, bytes]]

ROLE: Final = 0
CONTENT: Final = 1
FINISH: Final = 2
USAGE: Final = 3
EXTRA: Final = 4


class Frame(NamedTuple):
    """The JSON of one event, what it is, and how many completion tokens it carries."""

    kind: int
    payload: bytes
    tokens: int = 0
    usage_object: dict[str, Any] | None = None
    event: str | None = None


class Style(NamedTuple):
    """How a dialect writes a stream."""

    content_type: bytes = b"text/event-stream; charset=utf-8"
    done: bytes | None = b"data: [DONE]"
    """The line after the last event."""
    is_array: bool = False
    """One JSON array instead of events."""


OPENAI_STREAM: Final = Style()
EVENTS: Final = Style(done=None)
ARRAY: Final = Style(b"application/json; charset=UTF-8", None, is_array=True)


class Trouble(NamedTuple):
    """A refusal as it is about to be told."""

    error: RefusedError
    status: int
    request_id: str
    retry_after_s: float | None
    in_stream: bool = False
    path: str = ""

    @property
    def message(self) -> str:
        """The sentence."""
        return str(self.error)

    def wait(self, otherwise: float) -> str:
        """Return how long to wait as sentences have it: 7.66s."""
        return f"{otherwise if self.retry_after_s is None else self.retry_after_s:g}s"


def openai_error(trouble: Trouble) -> Any:
    """Return an error document as OpenAI words it."""
    return {"error": trouble.error.error}


class Voice(NamedTuple):
    """What all answers of one provider have in common."""

    headers: Callable[[str, int], Headers]
    """(request id, milliseconds so far) → the headers of every answer but its content type."""
    refuse: Callable[[Trouble], Any] = openai_error
    statuses: Mapping[str, int] = MappingProxyType({})
    """Kind of refusal → HTTP status, where it differs from OpenAI's."""
    error_event: str | None = None
    """The name of an event that carries an error inside a stream."""
    retry_header: bool = True
    """Whether a refusal says in a header how long to wait."""
    refusal_headers: Callable[[Trouble], Headers] = lambda _: []


def latin(text: str) -> bytes:
    """Return header bytes; what a header cannot hold becomes a question mark."""
    return text.encode("latin-1", "replace").replace(b"\r", b"?").replace(b"\n", b"?")
