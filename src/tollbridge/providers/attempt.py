"""How does one try of one endpoint go?"""

import asyncio
from collections.abc import Mapping

import msgspec

from tollbridge.core.call import AttemptOutcome, Ending, ErrorClass
from tollbridge.core.clock import Clock
from tollbridge.core.errors import UpstreamError
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.core.plan import Candidate
from tollbridge.providers.dialects.openai import TARGETS, OpenAI
from tollbridge.providers.dialects.openai_stream import OpenAIStream, StreamFailedError, UsageMerge
from tollbridge.providers.doors import Doors
from tollbridge.providers.failures import (
    ConnectError,
    DeadlineExceededError,
    FirstByteTimeoutError,
    PoolTimeoutError,
    ProtocolError,
    ResponseTooLargeError,
    TransportError,
    WriteStallError,
)
from tollbridge.providers.frames import FrameCutter, FrameTooLongError
from tollbridge.providers.origin import Origin
from tollbridge.providers.passage import HeaderLines, Passage, Reply
from tollbridge.providers.pump import Pump
from tollbridge.providers.redact import redact
from tollbridge.providers.refusals import is_error, retry_after_s, understand
from tollbridge.providers.request import MalformedAnswerError, Refusal, Request
from tollbridge.providers.response import Response
from tollbridge.providers.transport import Transport

EVENT_STREAM = b"text/event-stream; charset=utf-8"
KEPT_HEADERS = frozenset(
    {
        b"x-request-id",
        b"openai-processing-ms",
        b"server",
        b"cf-ray",
        # Who ran the model behind an aggregator, or which cloud's door it was.
        b"x-inference-provider",
        b"x-provider-name",
        b"x-openrouter-cache-status",
        b"x-groq-region",
        b"x-ms-region",
        b"x-amzn-requestid",
    }
)


class AttemptLimits(msgspec.Struct, frozen=True):
    """Bounds of one attempt."""

    first_byte_timeout_s: float = 60.0
    frame_max_bytes: int = 1024 * 1024
    answer_bytes_max: int = 64 * 1024 * 1024


class AttemptFailedError(Exception):
    """An attempt failed before the caller got a byte: another candidate may be tried."""

    def __init__(
        self, error_class: ErrorClass, outcome: AttemptOutcome, refusal: Refusal | str
    ) -> None:
        words = redact(refusal if isinstance(refusal, str) else refusal.message)
        super().__init__(words)
        self.error_class = error_class
        self.outcome = outcome
        self.message = words
        self.retry_after_s = None if isinstance(refusal, str) else refusal.retry_after_s


class Attempts:
    """Makes attempts over one transport."""

    def __init__(
        self,
        transport: Transport,
        dialects: Mapping[str, OpenAI],
        limits: AttemptLimits,
        clock: Clock,
        merge_usage: UsageMerge,
    ) -> None:
        self._transport = transport
        self._dialects = dialects
        self._limits = limits
        self._clock = clock
        self._merge_usage = merge_usage
        self._doors = Doors()

    async def run(
        self,
        passage: Passage,
        attempt: AttemptEvidence,
        candidate: Candidate,
        request: Request,
        reply: Reply,
    ) -> None:
        """Try one candidate; on return the caller has been answered, cleanly or not.

        Raises AttemptFailedError while nothing has been sent to the caller.
        """
        begin_by_s = self._clock.monotonic_s() + self._limits.first_byte_timeout_s
        dialect = self._dialects[candidate.endpoint.dialect]
        body = dialect.body_for(
            request, candidate.endpoint, candidate.model, passage.output_tokens_cap
        )
        origin, head = self._compose(passage, candidate, request, body)
        stream = request.stream
        attempt.written = True  # until the transport says otherwise: if we die now, it may be
        try:
            response = await self._transport.send(
                origin,
                head,
                body,
                first_byte_timeout_s=self._limits.first_byte_timeout_s if stream else None,
                deadline_s=passage.deadline_s,
                whole_bytes_max=None if stream else self._limits.answer_bytes_max,
            )
        except TransportError as error:
            attempt.written = error.written
            raise _failed(error) from error
        try:
            attempt.http_status = response.status
            attempt.headers = _kept(response)
            if stream:
                reader = OpenAIStream(
                    attempt, shows_usage=request.asks_usage, merge_usage=self._merge_usage
                )
                await self._stream(passage, attempt, reader, reply, response, begin_by_s)
            else:
                await self._whole(passage, attempt, dialect, reply, response)
        except AttemptFailedError as failure:
            api_key = candidate.endpoint.api_key
            if api_key and api_key in failure.message:  # some providers repeat the key they refuse
                failure.message = failure.message.replace(api_key, "[key]")
            raise
        finally:
            response.close()

    def last_words(self, dialect: str) -> bytes:
        """Return the frame that ends a caller's stream which was broken off."""
        told = UpstreamError("the provider broke off the stream", details={"code": "broken"})
        return self._dialects[dialect].error_event(told)

    def _compose(
        self,
        passage: Passage,
        candidate: Candidate,
        request: Request,
        body: bytes,
    ) -> tuple[Origin, bytes]:
        """Return where the request goes, and its head."""
        try:
            door = self._doors.door(candidate.endpoint)
            head = door.head(TARGETS[request.operation], passage.call_id, len(body))
        except ValueError as error:
            # Its address or key cannot be put on the wire: the others may serve all the same.
            raise AttemptFailedError(
                ErrorClass.CONNECT, AttemptOutcome.FAILED, f"the endpoint is not usable: {error}"
            ) from error
        return door.origin, head

    async def _whole(
        self,
        passage: Passage,
        attempt: AttemptEvidence,
        dialect: OpenAI,
        reply: Reply,
        response: Response,
    ) -> None:
        body = response.body
        attempt.first_byte_at_us = self._clock.now_us()
        if response.status != 200:
            raise self._refused(response, body)
        try:
            answer = dialect.read_answer(body)
        except MalformedAnswerError as error:
            raise self._malformed(error, body) from error
        attempt.usage = answer.usage
        attempt.served_model = answer.served_model
        attempt.response_id = answer.response_id
        attempt.aggregator_provider = answer.aggregator_provider
        attempt.output_bytes = len(body)
        attempt.outcome = AttemptOutcome.SUCCEEDED
        if reply.gone:
            passage.drained = True
            passage.note_caller_left(reply)
            return
        content_type = response.header(b"content-type") or b"application/json"
        passage.http_status = 200
        passage.response_bytes = len(body)
        await reply.whole(200, _headers(passage, attempt, content_type), body)
        if reply.cut_off:
            passage.note_caller_left(reply)
        else:
            passage.ending = Ending.COMPLETE

    async def _stream(
        self,
        passage: Passage,
        attempt: AttemptEvidence,
        reader: OpenAIStream,
        reply: Reply,
        response: Response,
        begin_by_s: float,
    ) -> None:
        kind = response.header(b"content-type") or b""
        if response.status != 200 or kind.startswith(b"application/json"):
            raise await self._no_stream(response, begin_by_s)
        cutter = FrameCutter(self._limits.frame_max_bytes)
        first = await self._first_frames(attempt, response, cutter, reader, begin_by_s)
        attempt.first_byte_at_us = self._clock.now_us()
        passage.http_status = 200
        if not reply.gone:
            await reply.start(200, _headers(passage, attempt, EVENT_STREAM))
            await reply.send(first)
            passage.response_bytes += len(first)
        try:
            await self._pass_on(passage, attempt, reply, response, cutter, reader)
        except (TransportError, FrameTooLongError, ValueError, StreamFailedError) as error:
            await self._broke(passage, attempt, reply, error)
            return
        attempt.outcome = AttemptOutcome.SUCCEEDED
        await reply.finish()
        if reply.gone:
            passage.drained = True
            passage.note_caller_left(reply)
        else:
            passage.ending = Ending.COMPLETE

    async def _first_frames(
        self,
        attempt: AttemptEvidence,
        response: Response,
        cutter: FrameCutter,
        reader: OpenAIStream,
        begin_by_s: float,
    ) -> bytes:
        """Return the first frames that the caller gets: only these commit us to this provider."""
        try:
            async with asyncio.timeout_at(begin_by_s):
                while data := response.take() or await response.read():
                    attempt.output_bytes += len(data)
                    whole = cutter.feed(data)
                    first = reader.first(whole) if whole else b""
                    if first:
                        return first
                last = cutter.end()
                first = reader.first(last) if last else b""
        except StreamFailedError as error:
            refusal = understand(error.data)
            raise AttemptFailedError(refusal.error_class, AttemptOutcome.FAILED, refusal) from error
        except TimeoutError as error:
            raise _no_first_frame(self._limits.first_byte_timeout_s) from error
        except TransportError as error:
            raise _failed(error) from error
        except ValueError as error:
            raise AttemptFailedError(
                ErrorClass.MALFORMED_ANSWER, AttemptOutcome.UNKNOWN, str(error)
            ) from error
        if first:
            return first
        outcome = AttemptOutcome.UNKNOWN if attempt.output_bytes else AttemptOutcome.FAILED
        raise AttemptFailedError(ErrorClass.MALFORMED_ANSWER, outcome, "a stream without frames")

    async def _pass_on(
        self,
        passage: Passage,
        attempt: AttemptEvidence,
        reply: Reply,
        response: Response,
        cutter: FrameCutter,
        reader: OpenAIStream,
    ) -> None:
        reader.raise_failure()
        pump = Pump(passage, attempt, reply, response, cutter, reader)
        reply.watch_room(response.go_on)
        try:
            await response.pour(pump.take)
        finally:
            reply.watch_room(None)
        await reply.drain()
        out = reader.last(cutter.end())
        if out and not reply.gone:
            passage.response_bytes += len(out)
            await reply.send(out)
        reader.raise_failure()
        if not reader.finished:
            raise ValueError("the stream ended without its end")

    async def _broke(
        self,
        passage: Passage,
        attempt: AttemptEvidence,
        reply: Reply,
        error: Exception,
    ) -> None:
        attempt.outcome = AttemptOutcome.BROKE
        attempt.error_class = ErrorClass.STREAM_ERROR
        attempt.message = redact(str(error))
        passage.ending = Ending.PROVIDER_BROKE
        passage.error = f"the provider broke off: {type(error).__name__}"
        if reply.gone:
            passage.note_caller_left(reply)
            return
        said = error.frame if isinstance(error, StreamFailedError) else None
        await reply.break_off(said or self.last_words(attempt.dialect))

    async def _no_stream(self, response: Response, begin_by_s: float) -> AttemptFailedError:
        """Return what an answer that is no stream means."""
        try:
            async with asyncio.timeout_at(begin_by_s):
                body = await response.read_all(self._limits.answer_bytes_max)
        except TimeoutError:
            return _no_first_frame(self._limits.first_byte_timeout_s)
        except TransportError as error:
            return _failed(error)
        if response.status != 200:
            return self._refused(response, body)
        return self._malformed(MalformedAnswerError("the answer is no stream"), body)

    def _refused(self, response: Response, body: bytes) -> AttemptFailedError:
        wait_s = retry_after_s(response, self._clock.now_us())
        refusal = understand(body, status=response.status, wait_s=wait_s)
        return AttemptFailedError(refusal.error_class, AttemptOutcome.FAILED, refusal)

    @staticmethod
    def _malformed(error: MalformedAnswerError, body: bytes) -> AttemptFailedError:
        """Return the failure of a 200 that is no answer: an error in disguise, or garbage."""
        if is_error(body):
            refusal = understand(body)
            return AttemptFailedError(refusal.error_class, AttemptOutcome.FAILED, refusal)
        return AttemptFailedError(ErrorClass.MALFORMED_ANSWER, AttemptOutcome.UNKNOWN, str(error))


def _no_first_frame(timeout_s: float) -> AttemptFailedError:
    return AttemptFailedError(
        ErrorClass.TIMEOUT, AttemptOutcome.UNKNOWN, f"no frame within {timeout_s} s"
    )


def _failed(error: TransportError) -> AttemptFailedError:
    outcome = AttemptOutcome.UNKNOWN if error.written else AttemptOutcome.FAILED
    if isinstance(error, (ConnectError, PoolTimeoutError)):
        error_class = ErrorClass.CONNECT
    elif isinstance(error, (FirstByteTimeoutError, DeadlineExceededError, WriteStallError)):
        error_class = ErrorClass.TIMEOUT
    elif isinstance(error, (ProtocolError, ResponseTooLargeError)):
        error_class = ErrorClass.MALFORMED_ANSWER
    else:
        error_class = ErrorClass.BROKEN_CONNECTION
    return AttemptFailedError(error_class, outcome, error.message)


def _headers(passage: Passage, attempt: AttemptEvidence, content_type: bytes) -> HeaderLines:
    return (
        b"content-type: %b\r\nx-tollbridge-call-id: %b\r\nx-tollbridge-provider: %b\r\n"
        b"x-tollbridge-model: %b\r\nx-tollbridge-attempts: %d\r\n"
    ) % (
        content_type,
        passage.call_id.encode(),
        attempt.provider.encode(),
        _header_value(attempt.served_model or attempt.model),
        len(passage.attempts),
    )


def _header_value(text: str) -> bytes:
    """Return text as a header may carry it: other than printable ASCII becomes a question mark."""
    if text.isascii() and text.isprintable():
        return text.encode("ascii")
    return "".join(
        character if character.isascii() and character.isprintable() else "?" for character in text
    ).encode("ascii")


def _kept(response: Response) -> dict[str, str]:
    return {
        name.decode("latin-1"): value.decode("latin-1")[:200]
        for name, value in response.headers
        if name in KEPT_HEADERS
    }
