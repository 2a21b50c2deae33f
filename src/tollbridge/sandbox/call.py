"""How is one prepared answer delivered, and what does the log say of it?

Billing rule: a refusal, a hang, an empty stream and a connection dropped before the head bill
nothing. All else bills the prompt and what was generated: the whole text of a plain body once its
head is out, of a stream the chunks handed to the socket. An answer that is lost was made: it bills.
"""

from collections.abc import Callable, Iterable
from decimal import Decimal
from typing import Any, Final

from tollbridge.core.clock import Clock
from tollbridge.sandbox import frame as frames_of
from tollbridge.sandbox import refusals, usage
from tollbridge.sandbox.exchange import Exchange
from tollbridge.sandbox.frame import OPENAI_STREAM, Frame, Headers, Style, Trouble, Voice, latin
from tollbridge.sandbox.journal import Journal, LogEntry
from tollbridge.sandbox.refusals import RefusedError
from tollbridge.sandbox.script import Script
from tollbridge.sandbox.usage import Usage

BYTES_PER_WRITE: Final = 16_384
JSON: Final = b"application/json"

Bills = Callable[[int], Usage]
"""Completion tokens that were sent → the usage."""


class Call:
    """One request between its head and the end of its answer."""

    __slots__ = ("_clock", "_exchange", "_journal", "_started_s", "_voice", "entry", "request_id")

    def __init__(
        self, entry: LogEntry, exchange: Exchange, clock: Clock, journal: Journal, voice: Voice
    ) -> None:
        self.entry = entry
        self.request_id = f"req_{entry.run & 0xFFFFFFFFFFFFFFFF:016x}{entry.sequence:016x}"
        self._exchange = exchange
        self._clock = clock
        self._journal = journal
        self._started_s = clock.monotonic_s()
        self._voice = voice

    def obey(self, script: Script) -> None:
        """Take the script's faults from here on."""
        self._exchange.script = script

    def charge(
        self,
        *,
        used: Usage | None = None,
        units: dict[str, int] | None = None,
        usd: Decimal | None = None,
    ) -> None:
        """Note what the provider bills for this request, and the amount where it states one."""
        if used is not None:
            self.entry.usage = used
        if units is not None:
            self.entry.units = units
        if usd is not None:
            self.entry.billed_usd = usd

    def amend(self, entry: LogEntry, units: dict[str, int], usd: Decimal | None) -> None:
        """Change what an earlier request bills."""
        self._journal.amend(entry, units, usd)

    async def prepare(self, script: Script, bills: Usage | None = None) -> bool:
        """Wait, refuse, hang or drop the connection, as scripted; False if that was the answer.

        Raises RefusedError for a scripted refusal.
        """
        self.obey(script)
        refusal = refusals.scripted(script)
        silent = script.hang or script.close_before_head
        empty = self.entry.stream and (script.empty_stream or script.error_frame_first)
        if bills is not None and not (refusal or silent or empty):
            self.entry.usage = usage.billed(bills, script.usage, whole=False)
        if script.delay_first_byte_s:
            await self._exchange.pause(script.delay_first_byte_s)
        if script.hang:
            await self._exchange.hang()
        if silent:
            await self._drop()
            return False
        if refusal is not None:
            raise refusal
        return True

    async def refuse(self, error: RefusedError) -> None:
        """Answer with an error object and the script's headers."""
        script = self._exchange.script
        self.entry.usage = None
        self.entry.units = {}
        self.entry.billed_usd = None
        trouble = self._trouble(error, in_stream=False)
        body = frames_of.encode(self._voice.refuse(trouble))
        if script.body is not None:
            body = script.body.encode()
        elif script.malformed_json:
            body = body[: len(body) // 2]
        extra = self._voice.refusal_headers(trouble)
        if self._voice.retry_header:
            extra += self._retry_headers()
        status = 200 if script.error_in_200 else trouble.status
        await self._send_body(status, self._headers(JSON, extra), body)
        if self.entry.outcome == "open":
            self.entry.outcome = f"error:{status}"

    async def send_document(
        self,
        document: object,
        bills: Usage | None = None,
        told: dict[str, Any] | None = None,
        *,
        status: int = 200,
        headers: Headers | None = None,
        form: usage.Form = usage.CHAT,
    ) -> None:
        """Answer with a JSON body that bills `bills` and tells the usage object `told`."""
        script = self._exchange.script
        entry = self.entry
        if bills is not None:
            entry.usage = usage.billed(bills, script.usage, whole=True, form=form)
        if script.answer_lost:
            await self._drop()
            return
        body = frames_of.encode(document)
        if script.trailing_spaces:
            body += b"  "
        if script.malformed_json:
            body = body[: len(body) // 2]
        extra = [*(headers or ()), *self._retry_headers()]
        await self._send_body(status, self._headers(JSON, extra), body)
        if entry.outcome == "open":
            entry.outcome = "complete"
            entry.usage_reported = None if script.malformed_json else told or None

    async def send_bytes(
        self,
        data: bytes,
        content_type: str,
        *,
        status: int = 200,
        headers: Headers | None = None,
        chunked: bool = False,
    ) -> None:
        """Answer with a file, in chunks if its length is not to be told beforehand."""
        if self._exchange.script.answer_lost:
            await self._drop()
            return
        extra = [*(headers or ()), *self._retry_headers()]
        head = self._headers(latin(content_type), extra)
        if chunked:
            await self._send_in_chunks(status, head, data)
        else:
            await self._send_body(status, head, data)
        if self.entry.outcome == "open":
            self.entry.outcome = "complete"

    async def send_stream(
        self,
        frames: Iterable[Frame],
        bills: Bills,
        style: Style = OPENAI_STREAM,
        *,
        headers: Headers | None = None,
        form: usage.Form = usage.CHAT,
    ) -> None:
        """Answer 200 with a stream, one write per frame."""
        script = self._exchange.script
        entry = self.entry
        if script.answer_lost:
            await self._drop()
            return
        extra = [*(headers or ()), *self._retry_headers()]
        await self._exchange.start(200, self._headers(style.content_type, extra))
        entry.status = 200
        if script.empty_stream:
            await self._exchange.finish()
            entry.outcome = "complete"
            return
        if script.error_frame_first:
            await self._send_error_frame(style)
            return
        sent = 0
        opened = False
        try:
            for frame in frames:
                if frame.kind != frames_of.ROLE and await self._broken_off(style):
                    return
                if frame.kind == frames_of.CONTENT and script.delay_per_chunk_s:
                    await self._exchange.pause(script.delay_per_chunk_s)
                data = self._render(frame)
                if style.is_array:
                    data = (b",\r\n" if opened else b"[") + frame.payload
                opened = True
                await self._exchange.write(data)
                sent += frame.tokens
                self._note(frame)
            await self._exchange.finish(self._end(style))
            entry.outcome = "complete"
        finally:
            whole = entry.outcome == "complete"
            entry.usage = usage.billed(bills(sent), script.usage, whole=whole, form=form)

    def _end(self, style: Style) -> bytes:
        if self._exchange.script.no_done:
            return b""
        if style.is_array:
            return b"]"
        return b"" if style.done is None else self._lines(style.done)

    async def _drop(self) -> None:
        self.entry.outcome = "cut"
        await self._exchange.cut()

    async def _broken_off(self, style: Style) -> bool:
        """Cut the stream or end it with an error frame where the script says so."""
        script = self._exchange.script
        if script.cut_after_chunks == self.entry.chunks_sent:
            await self._drop()
            return True
        if script.error_frame_after_chunks == self.entry.chunks_sent:
            await self._send_error_frame(style)
            return True
        return False

    async def _send_error_frame(self, style: Style) -> None:
        error = refusals.of_script(self._exchange.script)
        document: Any = self._voice.refuse(self._trouble(error, in_stream=True))
        payload = frames_of.encode(document)
        named = style.done is None and document.get("type") == "error"
        lines = self._event("error" if named else self._voice.error_event, payload)
        if style.is_array:
            first = self.entry.chunks_sent == 0
            lines = (b"[" if first else b",\r\n") + payload + b"]"
        await self._exchange.finish(lines)
        self.entry.outcome = "error:200"

    async def _send_in_chunks(self, status: int, headers: Headers, data: bytes) -> None:
        script = self._exchange.script
        await self._exchange.start(status, headers)
        self.entry.status = status
        size = max(1, min(BYTES_PER_WRITE, -(-len(data) // (script.chunks or 4))))
        for at in range(0, len(data), size):
            if script.cut_after_chunks == self.entry.chunks_sent:
                await self._drop()
                return
            if script.delay_per_chunk_s:
                await self._exchange.pause(script.delay_per_chunk_s)
            await self._exchange.write(data[at : at + size])
            self.entry.chunks_sent += 1
        await self._exchange.finish()

    async def _send_body(self, status: int, headers: Headers, body: bytes) -> None:
        script = self._exchange.script
        headers.append((b"content-length", b"%d" % len(body)))
        await self._exchange.start(status, headers)
        self.entry.status = status
        if script.cut_body_at_bytes is None:
            await self._exchange.finish(body)
            return
        self.entry.outcome = "cut"
        await self._exchange.write(body[: max(0, min(script.cut_body_at_bytes, len(body) - 1))])
        await self._exchange.cut()

    def _note(self, frame: Frame) -> None:
        if frame.kind == frames_of.CONTENT:
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
        return self._event(frame.event, payload)

    def _event(self, event: str | None, payload: bytes) -> bytes:
        script = self._exchange.script
        end = b"\r\n" if script.crlf else b"\n"
        lines = b"data: " + payload
        if script.data_lines > 1 and payload[:1] == b"{":
            lines = b"data: {" + end + b"data: " + payload[1:]
        if script.trailing_spaces:
            lines += b"   "
        if event is not None:
            lines = b"event: " + event.encode() + end + lines
        return self._lines(lines)

    def _lines(self, line: bytes) -> bytes:
        end = b"\r\n" if self._exchange.script.crlf else b"\n"
        if self._exchange.script.comments:
            line = b": sandbox comment" + end + end + line
        return line + end + end

    def _trouble(self, error: RefusedError, *, in_stream: bool) -> Trouble:
        status = error.status
        if not error.is_given:
            status = self._voice.statuses.get(error.kind, status)
        script = self._exchange.script
        return Trouble(
            error, status, self.request_id, script.retry_after_s, in_stream, self.entry.path
        )

    def _retry_headers(self) -> Headers:
        script = self._exchange.script
        if script.retry_after_s is None:
            return []
        way = script.retry_after_as
        return refusals.retry_headers(script.retry_after_s, way, self._clock.now_us())

    def _headers(self, content_type: bytes, extra: Headers) -> Headers:
        elapsed_ms = round((self._clock.monotonic_s() - self._started_s) * 1000)
        headers: Headers = [
            (b"content-type", content_type),
            *self._voice.headers(self.request_id, elapsed_ms),
            *extra,
        ]
        given = self._exchange.script.extra_headers
        if given:
            names = {latin(name.lower()) for name in given}
            headers = [pair for pair in headers if pair[0] not in names]
            headers += [(latin(name.lower()), latin(value)) for name, value in given.items()]
        return headers
