"""What do the frames of an OpenAI stream say, and which of them does the caller get?

Most frames only pass: one search finds those that say something about usage, an end or an error,
and only these are decoded. Source: OpenAI's streaming reference; the deviations of vLLM (usage in
every frame), Groq (`x_groq.usage`), Azure (a first frame without choices) and OpenRouter (usage
beside choices, comments) are carried too.
"""

import re
from typing import Any, cast

import msgspec

from tollbridge.core.evidence import AttemptEvidence
from tollbridge.providers.frames import data_of, split_frames
from tollbridge.providers.redact import redact, redact_frame
from tollbridge.providers.request import label_of
from tollbridge.providers.wire import UsageMerge

# The keys as JSON writes them: inside a string their quotes would be escaped.
_SAYS_SOMETHING = re.compile(rb'"(?:usage"\s*:\s*\{|finish_reason"\s*:\s*"|error"\s*:\s*[{"])')
_FINISH_REASON = re.compile(rb'"finish_reason"\s*:\s*"')
_DONE = b"[DONE]"
# What a usage object may take in our records; no known one comes near.
USAGE_BYTES_MAX = 64 * 1024
TIER_LENGTH_MAX = 100
CHARGE_FIELDS_MAX = 20
# Comments before the first data frame are kept up to this.
COMMENTS_BYTES_MAX = 64 * 1024


class _Group(msgspec.Struct):
    usage: dict[str, Any] | None = None


class _Frame(msgspec.Struct):
    id: Any = None
    model: Any = None
    choices: list[msgspec.Raw] | None = None
    usage: dict[str, Any] | None = None
    x_groq: _Group | None = None
    service_tier: Any = None
    error: Any = None
    provider: Any = None
    meta: Any = None


class StreamFailedError(Exception):
    """The provider says in the stream that it failed. `frame` is None where it is too long."""

    def __init__(self, frame: bytes, data: bytes, error: Any) -> None:
        super().__init__(redact(str(error)))
        self.frame = redact_frame(frame)
        self.data = data


def with_tier(usage: dict[str, Any], tier: object) -> dict[str, Any]:
    """Return a usage object with the service tier that is stated beside it: prices differ by it."""
    if not isinstance(tier, str) or not 0 < len(tier) <= TIER_LENGTH_MAX:
        return usage
    return {**usage, "service_tier": tier}


def usage_fits(usage: dict[str, Any], holder_bytes: int) -> bool:
    """Return whether a usage object may be kept, of a frame or body of so many bytes.

    A picture may stand beside it: what counts is the size of the object itself.
    """
    return holder_bytes <= USAGE_BYTES_MAX or len(msgspec.json.encode(usage)) <= USAGE_BYTES_MAX


def with_charge(usage: dict[str, Any] | None, meta: object) -> dict[str, Any] | None:
    """Return a usage object with what AIMLAPI says in `meta.usage` that it charged."""
    found = cast("dict[str, Any]", meta).get("usage") if isinstance(meta, dict) else None
    said = cast("dict[str, Any]", found) if isinstance(found, dict) else {}
    if not 0 < len(said) <= CHARGE_FIELDS_MAX:
        return usage
    return {**(usage or {}), **said}


class OpenAIStream:
    """Reads one stream and keeps what it says in the attempt's evidence."""

    def __init__(
        self, attempt: AttemptEvidence, *, shows_usage: bool, merge_usage: UsageMerge
    ) -> None:
        self._attempt = attempt
        self._shows_usage = shows_usage
        self._merge_usage = merge_usage
        self._comments = b""
        self.failure: Exception | None = None
        """How the stream went wrong, once it has."""
        self.finished = False
        """A frame said that the answer is whole: a finish reason, usage, or the end mark."""

    def first(self, whole: bytes) -> bytes:
        """Read the first frames; return what the caller gets of them, b"" where nothing yet.

        Raises StreamFailedError where the stream begins with an error, ValueError where it is no
        stream of this dialect.
        """
        for frame in split_frames(whole):
            data = data_of(frame)
            if not data:
                continue
            if data == _DONE:
                raise ValueError("the stream ended before its first frame")
            first = _read(frame, data)
            self._attempt.served_model = label_of(first.model)
            self._attempt.response_id = label_of(first.id)
            self._attempt.aggregator_provider = label_of(first.provider)
            break
        else:
            # They commit us to nothing yet, but belong to the stream if there is to be one.
            self._comments = (self._comments + whole)[-COMMENTS_BYTES_MAX:]
            return b""
        comments, self._comments = self._comments, b""
        out = self.pass_on(comments + whole)
        if not out:
            self.raise_failure()
        return out

    def pass_on(self, whole: bytes) -> bytes:
        """Read whole frames and return those that the caller gets.

        Of a piece that goes wrong, what stands before is returned; `raise_failure` then raises.
        """
        if _SAYS_SOMETHING.search(whole) is not None:
            return self._sift(whole)
        if whole.startswith(b"data: {") and whole.find(b"\n") == len(whole) - 2:
            self._attempt.chunks += 1  # one frame of one line: what a read of a stream usually is
            return whole
        if _DONE not in whole and _is_plain(whole):
            self._attempt.chunks += whole.count(b"\n\n") + whole.count(b"\n\r\n")
            return whole
        return self._sift(whole)

    def _sift(self, whole: bytes) -> bytes:
        """Look at each frame."""
        out = bytearray()
        try:
            for frame in split_frames(whole):
                if self._look(frame):
                    out += frame
                elif frame[0] in b"\r\n":  # surplus line ends belong to the frame before
                    out += frame[: -len(frame.lstrip(b"\r\n"))]
        except (StreamFailedError, ValueError) as error:
            self.failure = error
        return bytes(out)

    def last(self, frame: bytes) -> bytes:
        """Read what stood after the last frame's end: a whole frame, or nothing."""
        data = data_of(frame)
        if data and data != _DONE and not _is_json(data):
            return b""
        return self.pass_on(frame) if frame else b""

    def raise_failure(self) -> None:
        """Raise StreamFailedError or ValueError where the stream went wrong."""
        if self.failure is not None:
            raise self.failure

    def _look(self, frame: bytes) -> bool:
        """Note what one frame says; return whether the caller gets it."""
        data = data_of(frame)
        if not data:
            return True  # a comment or an event name alone
        if data == _DONE:
            self.finished = True
            return True
        if _SAYS_SOMETHING.search(data) is None:
            self._attempt.chunks += 1
            return True
        said = _read(frame, data)
        if said.choices:
            self._attempt.chunks += 1
        if _FINISH_REASON.search(data) is not None:
            self.finished = True
        if self._attempt.served_model is None:  # Azure's first frame names none
            self._attempt.served_model = label_of(said.model)
            self._attempt.response_id = label_of(said.id)
        usage = said.usage or (said.x_groq.usage if said.x_groq is not None else None)
        if said.meta is not None:
            usage = with_charge(usage, said.meta)
        if usage is None or not usage_fits(usage, len(data)):
            return True
        usage = with_tier(usage, said.service_tier)
        self._attempt.usage = self._merge_usage(self._attempt.usage, usage)
        if said.choices:
            return True
        self.finished = True
        return self._shows_usage


def _read(frame: bytes, data: bytes) -> _Frame:
    try:
        said = _DECODE(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError) as error:
        raise ValueError(f"a frame is not the dialect's JSON: {error}") from error
    if said.error:  # OpenRouter says it beside a choice that ends with it
        raise StreamFailedError(frame, data, said.error)
    return said


def _is_plain(whole: bytes) -> bool:
    """Return whether every frame begins with its one data line: no comments, no event names."""
    ends = whole.count(b"\n\n") + whole.count(b"\n\r\n")
    following = whole.count(b"\ndata:")
    return (
        following == ends - 1
        and whole.startswith(b"data:")
        and (not following or whole.count(b"\n\ndata:") + whole.count(b"\n\r\ndata:") == following)
    )


def _is_json(data: bytes) -> bool:
    try:
        msgspec.json.decode(data)
    except (msgspec.DecodeError, UnicodeDecodeError, RecursionError):
        return False
    return True


_DECODE = msgspec.json.Decoder(_Frame).decode
