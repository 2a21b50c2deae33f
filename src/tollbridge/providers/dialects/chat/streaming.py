"""How does a provider's stream of a chat reach its caller: as it is, or in another format?

Both kinds of reader note what the stream says in the attempt, frame by frame: the cuts in which its
bytes arrive change nothing.
"""

from abc import ABC, abstractmethod
from collections.abc import Callable
from typing import Any

import msgspec

from tollbridge.core.evidence import AttemptEvidence
from tollbridge.providers.dialects.chat.codec import Decoder, Encoder
from tollbridge.providers.dialects.chat.neutral import (
    Began,
    Called,
    Counted,
    Event,
    Over,
    Stopped,
    StopReason,
    Tokens,
)
from tollbridge.providers.dialects.chat.reading import UNREADABLE
from tollbridge.providers.dialects.openai_stream import (
    COMMENTS_BYTES_MAX,
    StreamFailedError,
    usage_fits,
)
from tollbridge.providers.frames import data_of, split_frames
from tollbridge.providers.wire import UsageMerge


class ChatStream(ABC):
    """What readers of streams share: where it went wrong, and whether it is whole."""

    def __init__(self, attempt: AttemptEvidence, merge_usage: UsageMerge) -> None:
        self._attempt = attempt
        self._merge_usage = merge_usage
        self.failure: Exception | None = None
        """How the stream went wrong, once it has."""
        self.finished = False
        """Whether a frame said that the answer is whole."""

    def pass_on(self, whole: bytes) -> bytes:
        """Read whole frames and return what the caller gets of them.

        Of a piece that goes wrong, what stands before is returned; `raise_failure` then raises.
        """
        out = bytearray()
        try:
            for frame in split_frames(whole):
                data = data_of(frame)
                out += self._take(frame, data) if data else self._comment(frame)
        except (StreamFailedError, ValueError) as error:
            self.failure = error
        return bytes(out)

    def raise_failure(self) -> None:
        """Raise StreamFailedError or ValueError where the stream went wrong."""
        if self.failure is not None:
            raise self.failure

    @abstractmethod
    def _take(self, frame: bytes, data: bytes) -> bytes:
        """Note what a frame says, return what the caller gets of it."""

    @abstractmethod
    def _comment(self, frame: bytes) -> bytes:
        """Return what the caller gets of a frame without data: surplus line ends and comments."""

    def _note_names(self, began: Began) -> None:
        self._attempt.served_model = began.model
        self._attempt.response_id = began.id
        self._attempt.aggregator_provider = began.aggregator_provider

    def _note_late(self, began: Began) -> None:
        """Note names that the first frame did not have: Azure's has none."""
        attempt = self._attempt
        attempt.served_model = attempt.served_model or began.model
        attempt.response_id = attempt.response_id or began.id

    def _note_usage(self, usage: dict[str, Any], frame_bytes: int) -> None:
        if usage_fits(usage, frame_bytes):
            self._attempt.usage = self._merge_usage(self._attempt.usage, usage)


class TranslatedStream(ChatStream):
    """Gives the caller a provider's stream in the caller's own format."""

    def __init__(
        self,
        decoder: Decoder,
        encoder: Encoder,
        tokens: Callable[[dict[str, Any]], Tokens],
        attempt: AttemptEvidence,
        merge_usage: UsageMerge,
    ) -> None:
        super().__init__(attempt, merge_usage)
        self._decoder = decoder
        self._encoder = encoder
        self._tokens = tokens
        self._began = False
        self._ended = False
        self._calling: set[int] = set()  # choices with tool calls

    def first(self, whole: bytes) -> bytes:
        """Read the first frames; return what the caller gets of them, b"" where nothing yet."""
        out = self.pass_on(whole)
        # Nothing of it has gone out: what fails at once may still be done by another.
        self.raise_failure()
        return out

    def last(self, frame: bytes) -> bytes:
        """Read what stood after the last frame's end, and return what ends the caller's stream."""
        out = self.pass_on(frame) if frame else b""
        return out + self._end() if self.finished and self.failure is None else out

    def _take(self, frame: bytes, data: bytes) -> bytes:
        try:
            events = self._decoder.read(frame, data)
        except StreamFailedError as error:
            error.frame = None  # it is of the provider's format: the caller is told in its own
            raise
        except UNREADABLE as error:
            raise ValueError(f"a frame is not the dialect's JSON: {error}") from error
        out = b""
        content = False
        for event in events:
            if isinstance(event, Counted):
                self._note_usage(event.usage, len(data))
            elif isinstance(event, Over):
                if not self._began:
                    raise ValueError("the stream ended before its first frame")
                self.finished = True
                out += self._end()
            else:
                content = content or not isinstance(event, Began | Stopped)
                out += self._tell(event)
        self._attempt.chunks += content
        return out

    def _comment(self, frame: bytes) -> bytes:
        del frame
        return b""

    def _tell(self, event: Event) -> bytes:
        out = b""
        if isinstance(event, Began):
            if self._began:
                self._note_late(event)
                return b""
            self._began = True
            self._note_names(event)
        elif not self._began:
            out = self._tell(Began())
        if isinstance(event, Called):
            self._calling.add(event.choice)
        elif isinstance(event, Stopped):
            self.finished = True
            if event.reason is StopReason.END and event.choice in self._calling:
                event = msgspec.structs.replace(event, reason=StopReason.TOOL_CALLS)
        return out + self._encoder.write(event)

    def _end(self) -> bytes:
        if self._ended:
            return b""
        self._ended = True
        usage = self._attempt.usage
        return self._encoder.end(None if usage is None else self._tokens(usage))


class PassedStream(ChatStream):
    """Gives the caller a provider's frames as they are; a format says what they mean."""

    def __init__(self, attempt: AttemptEvidence, merge_usage: UsageMerge) -> None:
        super().__init__(attempt, merge_usage)
        self._begun = False
        self._held = b""

    def first(self, whole: bytes) -> bytes:
        """Read the first frames; comments and pings alone commit us to nothing yet."""
        out = self.pass_on(whole)
        self.raise_failure()
        held, self._held = self._held + out, b""
        if self._begun:
            return held
        self._held = held[-COMMENTS_BYTES_MAX:]
        return b""

    def last(self, frame: bytes) -> bytes:
        """Read what stood after the last frame's end: a whole frame, or nothing."""
        return self.pass_on(frame) if frame else b""

    def _take(self, frame: bytes, data: bytes) -> bytes:
        self._look(frame, data)
        return frame

    def _comment(self, frame: bytes) -> bytes:
        return frame

    @abstractmethod
    def _look(self, frame: bytes, data: bytes) -> None:
        """Note what a frame says; `_begun` once one is of the answer."""
