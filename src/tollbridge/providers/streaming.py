"""How does a streamed answer go from its first frame to its end?

Only the first frames that the caller gets commit a call to this provider: what fails before them
may still be done by another one.
"""

import asyncio
from collections.abc import Callable

import msgspec

from tollbridge.core.call import AttemptOutcome, Ending, ErrorClass
from tollbridge.core.clock import Clock
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.providers.answers import answer_headers
from tollbridge.providers.dialects.openai_stream import StreamFailedError
from tollbridge.providers.failed import (
    AttemptFailedError,
    no_first_frame,
    of_malformed,
    of_refusal,
    of_status,
    of_transport,
)
from tollbridge.providers.failures import TransportError
from tollbridge.providers.frames import Cutter, FrameTooLongError
from tollbridge.providers.passage import Passage, Reply
from tollbridge.providers.pump import Pump
from tollbridge.providers.redact import redact
from tollbridge.providers.refusals import understand
from tollbridge.providers.request import MalformedAnswerError
from tollbridge.providers.response import Response
from tollbridge.providers.wire import JSON, StreamReader

EVENT_STREAM = b"text/event-stream; charset=utf-8"
UNKNOWN_BYTES = b"application/octet-stream"


class StreamBounds(msgspec.Struct, frozen=True):
    """What one stream is held to, and how its caller hears of its end."""

    begin_by_s: float
    """When its first frame must have come, on the event loop's time."""
    timeout_s: float
    """What that was, in words to the caller."""
    answer_bytes_max: int
    """Of what is no stream after all."""
    is_bytes: bool
    """Whether it is passed on in any cuts, with the provider's own content type."""
    frames_alike: bool
    """Whether the caller reads the provider's own error frames."""
    last_words: Callable[[], bytes]
    """Returns the frame that tells the caller that it was broken off."""


class StreamedAnswer:
    """One streamed answer on its way from a provider to a caller."""

    __slots__ = (
        "_attempt",
        "_bounds",
        "_clock",
        "_cutter",
        "_passage",
        "_reader",
        "_reply",
        "_response",
    )

    def __init__(
        self,
        passage: Passage,
        attempt: AttemptEvidence,
        reply: Reply,
        response: Response,
        reader: StreamReader,
        cutter: Cutter,
        bounds: StreamBounds,
        clock: Clock,
    ) -> None:
        self._passage = passage
        self._attempt = attempt
        self._reply = reply
        self._response = response
        self._reader = reader
        self._cutter = cutter
        self._bounds = bounds
        self._clock = clock

    async def run(self) -> None:
        """Pass the answer on; on return the caller has been answered, cleanly or not.

        Raises AttemptFailedError while nothing has been sent to the caller.
        """
        passage, attempt, reply = self._passage, self._attempt, self._reply
        kind = self._response.header(b"content-type") or b""
        if self._response.status != 200 or kind.startswith(JSON):
            raise await self._no_stream()
        first = await self._first_frames()
        attempt.first_byte_at_us = self._clock.now_us()
        passage.http_status = 200
        if not reply.gone:
            kind = (kind or UNKNOWN_BYTES) if self._bounds.is_bytes else EVENT_STREAM
            await reply.start(200, answer_headers(passage, attempt, kind))
            await reply.send(first)
            passage.response_bytes += len(first)
        try:
            await self._pass_on()
        except (TransportError, FrameTooLongError, ValueError, StreamFailedError) as error:
            await self._broke(error)
            return
        attempt.outcome = AttemptOutcome.SUCCEEDED
        await reply.finish()
        if reply.gone:
            passage.drained = True
            passage.note_caller_left(reply)
        else:
            passage.ending = Ending.COMPLETE

    async def _first_frames(self) -> bytes:
        """Return the first frames that the caller gets."""
        attempt, response, reader = self._attempt, self._response, self._reader
        try:
            async with asyncio.timeout_at(self._bounds.begin_by_s):
                while data := response.take() or await response.read():
                    attempt.output_bytes += len(data)
                    whole = self._cutter.feed(data)
                    first = reader.first(whole) if whole else b""
                    if first:
                        return first
                last = self._cutter.end()
                first = reader.first(last) if last else b""
        except StreamFailedError as error:
            failed = of_refusal(understand(error.data, dialect=attempt.dialect))
            if attempt.chunks:  # it had begun to work, and may bill that
                failed.outcome = AttemptOutcome.BROKE
            raise failed from error
        except TimeoutError as error:
            raise no_first_frame(self._bounds.timeout_s) from error
        except TransportError as error:
            raise of_transport(error) from error
        except ValueError as error:
            raise AttemptFailedError(
                ErrorClass.MALFORMED_ANSWER, AttemptOutcome.UNKNOWN, str(error)
            ) from error
        if first:
            return first
        outcome = AttemptOutcome.UNKNOWN if attempt.output_bytes else AttemptOutcome.FAILED
        raise AttemptFailedError(ErrorClass.MALFORMED_ANSWER, outcome, "a stream without frames")

    async def _pass_on(self) -> None:
        reader, reply, response, cutter = self._reader, self._reply, self._response, self._cutter
        reader.raise_failure()
        pump = Pump(self._passage, self._attempt, reply, response, cutter, reader)
        reply.watch_room(response.go_on)
        try:
            await response.pour(pump.take)
        finally:
            reply.watch_room(None)
        await reply.drain()
        out = reader.last(cutter.end())
        if out and not reply.gone:
            self._passage.response_bytes += len(out)
            await reply.send(out)
        reader.raise_failure()
        if not reader.finished:
            raise ValueError("the stream ended without its end")

    async def _broke(self, error: Exception) -> None:
        attempt, passage, reply, bounds = self._attempt, self._passage, self._reply, self._bounds
        attempt.outcome = AttemptOutcome.BROKE
        attempt.error_class = ErrorClass.STREAM_ERROR
        attempt.message = redact(str(error))
        passage.ending = Ending.PROVIDER_BROKE
        passage.error = f"the provider broke off: {type(error).__name__}"
        if reply.gone:
            passage.note_caller_left(reply)
            return
        if bounds.is_bytes:
            await reply.break_off(b"")  # no words belong into a sound
            return
        said = None
        if bounds.frames_alike and isinstance(error, StreamFailedError):
            said = error.frame
        await reply.break_off(said or bounds.last_words())

    async def _no_stream(self) -> AttemptFailedError:
        """Return what an answer that is no stream means."""
        bounds, response = self._bounds, self._response
        try:
            async with asyncio.timeout_at(bounds.begin_by_s):
                body = await response.read_all(bounds.answer_bytes_max)
        except TimeoutError:
            return no_first_frame(bounds.timeout_s)
        except TransportError as error:
            return of_transport(error)
        if response.status != 200:
            return of_status(response, body, self._clock.now_us(), self._attempt.dialect)
        no_stream = MalformedAnswerError("the answer is no stream")
        return of_malformed(no_stream, body, self._attempt.dialect)
