"""What do the typed events of an OpenAI stream say: responses, images, speech, transcripts?

Every frame names its type. Only those that say something about the answer's names, its end, its
usage or an error are decoded; all pass. Source: OpenAI's streaming events reference.
"""

import re
from collections import Counter
from collections.abc import Mapping
from typing import Any

import msgspec

from tollbridge.core.evidence import AttemptEvidence
from tollbridge.providers.dialects.openai_stream import (
    COMMENTS_BYTES_MAX,
    USAGE_BYTES_MAX,
    StreamFailedError,
    with_tier,
)
from tollbridge.providers.frames import data_of, split_frames
from tollbridge.providers.request import label_of
from tollbridge.providers.wire import StreamReader, UsageMerge

# The keys as JSON writes them: inside a string their quotes would be escaped.
_SAYS_SOMETHING = re.compile(
    rb'"type"\s*:\s*"(?:error|response\.(?:created|completed|incomplete|failed)'
    rb'|image_(?:generation|edit)\.completed|speech\.audio\.done|transcript\.text\.done)"'
)
_DELTA = re.compile(rb'"type"\s*:\s*"[a-z_.]+\.delta"')
_TYPED = re.compile(rb'"type"\s*:\s*"(?:response\.|error")')
_CHOICES = re.compile(rb'"choices"\s*:')
_DONE = b"[DONE]"
ENDS = frozenset(
    {
        "response.completed",
        "response.incomplete",
        "image_generation.completed",
        "image_edit.completed",
        "speech.audio.done",
        "transcript.text.done",
    }
)
TOOL_UNITS: Mapping[str, str] = {
    "web_search_call": "web_search",
    "file_search_call": "storage_search",
}
"""Calls of tools that are billed apart → the unit that they are counted in."""


class _Item(msgspec.Struct):
    type: Any = None


class ResponseObject(msgspec.Struct):
    """What is taken from a response, whole or as an event carries it."""

    id: Any = None
    model: Any = None
    status: Any = None
    usage: dict[str, Any] | None = None
    service_tier: Any = None
    error: Any = None
    output: list[_Item] | None = None
    provider: Any = None

    @property
    def tiered_usage(self) -> dict[str, Any] | None:
        """The usage, with the tier that really served."""
        return None if self.usage is None else with_tier(self.usage, self.service_tier)

    @property
    def tool_counts(self) -> dict[str, int]:
        """The calls of tools that are billed apart, by unit."""
        kinds = [item.type for item in self.output or () if isinstance(item.type, str)]
        return dict(Counter(TOOL_UNITS[kind] for kind in kinds if kind in TOOL_UNITS))


class _Event(msgspec.Struct):
    type: Any = None
    response: ResponseObject | None = None
    usage: dict[str, Any] | None = None
    error: Any = None
    message: Any = None
    code: Any = None
    size: Any = None
    quality: Any = None


class EventStream:
    """Reads one stream of typed events and keeps what it says in the attempt's evidence."""

    def __init__(self, attempt: AttemptEvidence, merge_usage: UsageMerge) -> None:
        self._attempt = attempt
        self._merge_usage = merge_usage
        self._comments = b""
        self.failure: Exception | None = None
        self.finished = False

    def first(self, whole: bytes) -> bytes:
        """Read the first frames; return what the caller gets of them, b"" where nothing yet.

        Raises StreamFailedError where the stream begins with an error, ValueError where it is no
        stream of typed events.
        """
        for frame in split_frames(whole):
            data = data_of(frame)
            if not data:
                continue
            if data == _DONE:
                raise ValueError("the stream ended before its first frame")
            if not label_of(_read(data).type):
                raise ValueError("a frame does not say its type")
            break
        else:
            self._comments = (self._comments + whole)[-COMMENTS_BYTES_MAX:]
            return b""
        comments, self._comments = self._comments, b""
        out = self.pass_on(comments + whole)
        # Nothing of it has gone out: what fails at once may still be done by another.
        self.raise_failure()
        return out

    def pass_on(self, whole: bytes) -> bytes:
        """Read whole frames and return those that the caller gets."""
        self._attempt.chunks += len(_DELTA.findall(whole))
        if _DONE not in whole and _SAYS_SOMETHING.search(whole) is None:
            return whole
        out = bytearray()
        try:
            for frame in split_frames(whole):
                self._look(frame)
                out += frame
        except (StreamFailedError, ValueError) as error:
            self.failure = error
        return bytes(out)

    def last(self, frame: bytes) -> bytes:
        """Read what stood after the last frame's end: a whole frame, or nothing."""
        return self.pass_on(frame) if frame else b""

    def raise_failure(self) -> None:
        """Raise StreamFailedError or ValueError where the stream went wrong."""
        if self.failure is not None:
            raise self.failure

    def _look(self, frame: bytes) -> None:
        data = data_of(frame)
        if data == _DONE:
            self.finished = True
        if _SAYS_SOMETHING.search(data) is None:
            return
        said = _read(data)
        response = said.response or ResponseObject(usage=said.usage)
        if said.type == "error":
            error = said.error or {"message": said.message, "code": said.code}
            raise StreamFailedError(frame, _encode({"error": error}), error)
        if said.type == "response.failed":
            self._note(response)
            raise StreamFailedError(frame, _encode({"error": response.error}), response.error)
        if said.type == "response.created" or said.type in ENDS:
            self._note(response)
            self._attempt.facts.update(_facts_of(said))
            self.finished = said.type in ENDS

    def _note(self, response: ResponseObject) -> None:
        attempt = self._attempt
        attempt.served_model = label_of(response.model) or attempt.served_model
        attempt.response_id = label_of(response.id) or attempt.response_id
        attempt.aggregator_provider = label_of(response.provider) or attempt.aggregator_provider
        attempt.counts.update(response.tool_counts)
        usage = response.tiered_usage
        if usage is not None and len(_encode(usage)) <= USAGE_BYTES_MAX:
            attempt.usage = self._merge_usage(attempt.usage, usage)


class EitherStream:
    """Reads a stream of typed events, or the chat stream of a provider that has none.

    Which of the two it is, its first frame says.
    """

    def __init__(self, events: EventStream, translated: StreamReader) -> None:
        self._events = events
        self._reader: StreamReader = translated
        self._is_known = False

    @property
    def failure(self) -> Exception | None:
        """How the stream went wrong, once it has."""
        return self._reader.failure

    @property
    def finished(self) -> bool:
        """Whether a frame said that the answer is whole."""
        return self._reader.finished

    def first(self, whole: bytes) -> bytes:
        """Read the first frames; return what the caller gets of them, b"" where nothing yet."""
        if not self._is_known and (b"data:" in whole):
            self._is_known = True
            if _TYPED.search(whole) is not None and _CHOICES.search(whole) is None:
                self._reader = self._events
        return self._reader.first(whole)

    def pass_on(self, whole: bytes) -> bytes:
        """Read whole frames and return what the caller gets of them."""
        return self._reader.pass_on(whole)

    def last(self, frame: bytes) -> bytes:
        """Read what stood after the last frame's end, and return what ends the stream."""
        return self._reader.last(frame)

    def raise_failure(self) -> None:
        """Raise StreamFailedError or ValueError where the stream went wrong."""
        self._reader.raise_failure()


def _facts_of(said: _Event) -> dict[str, str]:
    """Return what an image's price depends on, as it was made: "auto" is resolved here."""
    told = {"size": label_of(said.size), "quality": label_of(said.quality)}
    return {name: value.lower() for name, value in told.items() if value is not None}


def _read(data: bytes) -> _Event:
    try:
        return _decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"a frame is not the dialect's JSON: {error}") from error


_decode = msgspec.json.Decoder(_Event).decode
_encode = msgspec.json.Encoder().encode
