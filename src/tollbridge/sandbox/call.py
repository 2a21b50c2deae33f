"""How is one prepared answer delivered, and what does the log say of it?

Billing rule: a refusal, a hang, an empty stream and a connection dropped before the head bill
nothing. All else bills the prompt and what was generated: the whole text of a plain body once its
head is out, of a stream the chunks handed to the socket.
"""

from typing import Any, Final

from tollbridge.core.clock import Clock
from tollbridge.sandbox import refusals, shapes, usage
from tollbridge.sandbox.answer import Answer
from tollbridge.sandbox.exchange import Exchange
from tollbridge.sandbox.journal import LogEntry
from tollbridge.sandbox.refusals import RefusedError
from tollbridge.sandbox.script import Script
from tollbridge.sandbox.shapes import Frame, Frames
from tollbridge.sandbox.usage import Usage

Headers = list[tuple[bytes, bytes]]

_FIXED_HEADERS: Final = (
    (b"server", b"tollbridge-sandbox"),
    (b"openai-version", b"2020-10-01"),
    (b"openai-organization", b"org-sandbox"),
    (b"openai-project", b"proj_sandbox"),
    (b"x-ratelimit-limit-requests", b"500"),
    (b"x-ratelimit-limit-tokens", b"200000"),
    (b"x-ratelimit-remaining-requests", b"499"),
    (b"x-ratelimit-remaining-tokens", b"199996"),
    (b"x-ratelimit-reset-requests", b"120ms"),
    (b"x-ratelimit-reset-tokens", b"1ms"),
    (b"access-control-expose-headers", b"X-Request-ID"),
)
_JSON: Final = (b"content-type", b"application/json")
_EVENT_STREAM: Final = (b"content-type", b"text/event-stream; charset=utf-8")


class Call:
    """One request between its head and the end of its answer."""

    __slots__ = ("_clock", "_exchange", "_started_s", "entry", "request_id")

    def __init__(self, entry: LogEntry, exchange: Exchange, clock: Clock) -> None:
        self.entry = entry
        self.request_id = f"req_{entry.run & 0xFFFFFFFFFFFFFFFF:016x}{entry.sequence:016x}"
        self._exchange = exchange
        self._clock = clock
        self._started_s = clock.monotonic_s()

    async def prepare(self, script: Script, bills: Usage) -> bool:
        """Wait, refuse, hang or drop the connection, as scripted; False if that was the answer.

        Raises RefusedError for a scripted refusal.
        """
        self._exchange.script = script
        refusal = refusals.scripted(script)
        silent = script.hang or script.close_before_head
        empty = self.entry.stream and (script.empty_stream or script.error_frame_first)
        if not (refusal or silent or empty):
            self.entry.usage = usage.billed(bills, script.usage, whole=False)
        if script.delay_first_byte_s:
            await self._exchange.pause(script.delay_first_byte_s)
        if script.hang:
            await self._exchange.hang()
        if silent:
            self.entry.outcome = "cut"
            await self._exchange.cut()
            return False
        if refusal is not None:
            raise refusal
        return True

    async def refuse(self, error: RefusedError) -> None:
        """Answer with an error object and the script's headers."""
        script = self._exchange.script
        self.entry.usage = None
        body = shapes.encode({"error": error.error})
        if script.body is not None:
            body = script.body.encode()
        elif script.malformed_json:
            body = body[: len(body) // 2]
        headers = self._headers(_JSON, refusals.retry_headers(script.retry_after_s))
        await self._send_body(error.status, headers, body)
        if self.entry.outcome == "open":
            self.entry.outcome = f"error:{error.status}"

    async def send_document(
        self, document: object, bills: Usage | None = None, told: dict[str, Any] | None = None
    ) -> None:
        """Answer 200 with a JSON body that bills `bills` and tells the usage object `told`."""
        script = self._exchange.script
        entry = self.entry
        body = shapes.encode(document)
        if bills is not None:
            entry.usage = usage.billed(bills, script.usage, whole=True)
        if script.malformed_json:
            body = body[: len(body) // 2]
        extra: Headers = [] if entry.model is None else [(b"openai-model", _latin(entry.model))]
        extra += refusals.retry_headers(script.retry_after_s)
        await self._send_body(200, self._headers(_JSON, extra), body)
        if entry.outcome == "open":
            entry.outcome = "complete"
            entry.usage_reported = None if script.malformed_json else told or None

    async def send_stream(self, answer: Answer, frames: Frames) -> None:
        """Answer 200 with server-sent events, one write per frame."""
        script = self._exchange.script
        entry = self.entry
        extra = refusals.retry_headers(script.retry_after_s)
        await self._exchange.start(200, self._headers(_EVENT_STREAM, extra))
        entry.status = 200
        if script.empty_stream:
            await self._exchange.finish()
            entry.outcome = "complete"
            return
        if script.error_frame_first:
            await self._send_error_frame()
            return
        sent = 0
        try:
            for frame in frames:
                if frame.kind != shapes.ROLE and await self._broken_off():
                    return
                if frame.kind == shapes.CONTENT and script.delay_per_chunk_s:
                    await self._exchange.pause(script.delay_per_chunk_s)
                await self._exchange.write(self._render(frame))
                sent += frame.tokens
                self._note(frame)
            done = b"" if script.no_done else self._lines(b"data: [DONE]")
            await self._exchange.finish(done)
            entry.outcome = "complete"
        finally:
            whole = entry.outcome == "complete"
            entry.usage = usage.billed(answer.usage(sent), script.usage, whole=whole)

    async def _broken_off(self) -> bool:
        """Cut the stream or end it with an error frame where the script says so."""
        script = self._exchange.script
        if script.cut_after_chunks == self.entry.chunks_sent:
            self.entry.outcome = "cut"
            await self._exchange.cut()
            return True
        if script.error_frame_after_chunks == self.entry.chunks_sent:
            await self._send_error_frame()
            return True
        return False

    async def _send_error_frame(self) -> None:
        error = refusals.of_script(self._exchange.script).error
        await self._exchange.finish(self._lines(b"data: " + shapes.encode({"error": error})))
        self.entry.outcome = "error:200"

    async def _send_body(self, status: int, headers: Headers, body: bytes) -> None:
        script = self._exchange.script
        headers.append((b"content-length", b"%d" % len(body)))
        await self._exchange.start(status, headers)
        self.entry.status = status
        if script.cut_body_at_bytes is None:
            await self._exchange.finish(body)
            return
        self.entry.outcome = "cut"
        await self._exchange.write(body[: min(script.cut_body_at_bytes, len(body) - 1)])
        await self._exchange.cut()

    def _note(self, frame: Frame) -> None:
        if frame.kind == shapes.CONTENT:
            self.entry.chunks_sent += 1
        if frame.usage_object is not None and not self._is_malformed():
            self.entry.usage_reported = frame.usage_object

    def _is_malformed(self) -> bool:
        script = self._exchange.script
        malformed = script.malformed_json or script.malformed_sse
        return malformed and self.entry.chunks_sent >= script.malformed_after_chunks

    def _render(self, frame: Frame) -> bytes:
        """Return the lines of a frame, with the script's faults."""
        script = self._exchange.script
        payload = frame.payload
        if self._is_malformed():
            if script.malformed_json:
                payload = payload[: len(payload) // 2]
            if script.malformed_sse:
                return payload + (b"\r\n" if script.crlf else b"\n")
        return self._lines(b"data: " + payload)

    def _lines(self, line: bytes) -> bytes:
        end = b"\r\n" if self._exchange.script.crlf else b"\n"
        if self._exchange.script.comments:
            line = b": sandbox comment" + end + end + line
        return line + end + end

    def _headers(self, content_type: tuple[bytes, bytes], extra: Headers) -> Headers:
        elapsed_ms = round((self._clock.monotonic_s() - self._started_s) * 1000)
        headers: Headers = [
            content_type,
            (b"x-request-id", self.request_id.encode()),
            (b"openai-processing-ms", b"%d" % elapsed_ms),
            *_FIXED_HEADERS,
            *extra,
        ]
        given = self._exchange.script.extra_headers
        if given:
            names = {_latin(name.lower()) for name in given}
            headers = [pair for pair in headers if pair[0] not in names]
            headers += [(_latin(name.lower()), _latin(value)) for name, value in given.items()]
        return headers


def _latin(text: str) -> bytes:
    """Return header bytes; what a header cannot hold becomes a question mark."""
    return text.encode("latin-1", "replace").replace(b"\r", b"?").replace(b"\n", b"?")
