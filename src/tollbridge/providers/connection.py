"""What does one keep-alive connection do with the bytes of its exchanges?

Idle, it holds no response, and any byte or end of file closes it. In an exchange it feeds the
parser, hands body bytes to the response once per read, and watches time and size. Each exchange
ends in `_finish` (the message is complete) or in `_close`; both leave the pool's books right.
"""

import asyncio
import math
import select
from typing import Final, Protocol, cast

from httptools import HttpParserError, HttpParserUpgrade, HttpResponseParser

from tollbridge.providers.failures import (
    BrokenConnectionError,
    DeadlineExceededError,
    FirstByteTimeoutError,
    ProtocolError,
    ResponseTooLargeError,
    TransportError,
    TruncatedError,
    WriteStallError,
)
from tollbridge.providers.limits import TransportLimits
from tollbridge.providers.response import Response

# Above this, head and body are not copied together: the copy would cost more than a second buffer.
JOINED_BYTES_MAX: Final = 65_536
# Loops round timers to milliseconds and may fire that much early.
TIMER_SLACK_S: Final = 0.002

_NOT_SILENT: Final = select.POLLIN | select.POLLPRI | select.POLLRDHUP


class Keeper(Protocol):
    """Who keeps a connection between its exchanges: its origin's lane of the pool."""

    def release(self, connection: "Connection") -> None:
        """Take back a connection whose exchange ended cleanly."""
        ...

    def forget(self, connection: "Connection") -> None:
        """Strike a closed connection off; called exactly once for each."""
        ...


class Connection(asyncio.Protocol):
    """One socket, one exchange at a time."""

    __slots__ = (
        "_buffered_bytes_max",
        "_deadline_s",
        "_expires_s",
        "_headers",
        "_interim",
        "_keep_alive",
        "_keeper",
        "_limits",
        "_loop",
        "_message_done",
        "_parser",
        "_pieces",
        "_poll",
        "_response",
        "_stall_timer",
        "_timer",
        "_timer_s",
        "_transport",
        "_unbodied_bytes",
        "_unsent_bytes",
        "_until_eof",
        "born_s",
        "closed",
        "idle_since_s",
        "on_body",
    )

    def __init__(
        self,
        loop: asyncio.AbstractEventLoop,
        limits: TransportLimits,
        keeper: Keeper,
        born_s: float,
    ) -> None:
        self.born_s = born_s
        self.idle_since_s = born_s
        self.closed = False
        self._loop = loop
        self._limits = limits
        self._keeper = keeper
        self._transport: asyncio.Transport | None = None
        self._poll = select.poll()
        self._response: Response | None = None
        self._buffered_bytes_max = 0
        self._timer: asyncio.TimerHandle | None = None
        self._timer_s = math.inf
        self._expires_s = math.inf
        self._deadline_s = math.inf
        self._stall_timer: asyncio.TimerHandle | None = None
        self._unsent_bytes = 0
        self._headers: list[tuple[bytes, bytes]] = []
        self._interim = False
        self._keep_alive = False
        self._until_eof = False
        self._message_done = False
        self._unbodied_bytes = 0
        # The parser appends to this list itself; a Python frame per chunk would cost three times
        # as much, and a read of many small chunks is one delivery.
        self._pieces: list[bytes] = []
        self.on_body = self._pieces.append
        self._parser: HttpResponseParser | None = HttpResponseParser(self)

    # What the pool and the response ask of it.

    def is_silent(self) -> bool:
        """Return whether the socket is open with nothing to read, not even an end of file.

        The kernel is asked, as the loop may not have come round to tell.
        """
        transport = self._transport
        return (
            transport is not None
            and not self.closed
            and not transport.is_closing()
            and not self._poll.poll(0)
        )

    def begin(
        self, response: Response, head: bytes, body: bytes, first_byte_s: float, deadline_s: float
    ) -> None:
        """Write a request and fill `response` from now on; times are the loop's, `inf` for never.

        Raises BrokenConnectionError, with nothing written, if the connection has just closed.
        """
        transport = self._transport
        if self.closed or transport is None:
            raise BrokenConnectionError("closed before the request was written", written=False)
        self._response = response
        self._headers = response.headers
        whole_bytes_max = response.whole_bytes_max
        self._buffered_bytes_max = (
            self._limits.buffered_bytes_high if whole_bytes_max is None else whole_bytes_max
        )
        self._message_done = False
        self._unbodied_bytes = 0
        self._deadline_s = deadline_s
        self._expires_s = expires_s = min(first_byte_s, deadline_s)
        # One timer serves many exchanges: it only moves forward, and looks anew when it fires.
        if expires_s < self._timer_s:
            self._set_timer(expires_s)
        if len(body) <= JOINED_BYTES_MAX:
            transport.write(head + body)
        else:
            transport.writelines((head, body))

    def pause_reading(self) -> None:
        """Leave the socket unread: the reader takes no more for now."""
        if self._transport is not None and not self.closed:
            self._transport.pause_reading()

    def resume_reading(self) -> None:
        """Read the socket on, after the reader took what was buffered."""
        if self._transport is not None and not self.closed:
            self._transport.resume_reading()

    def abandon(self) -> None:
        """Close: the reader of the response wants no more of it."""
        self._close(None)

    def close(self) -> None:
        """Close an idle connection in good order; break an exchange off."""
        if self._response is None:
            self._close(None, in_order=True)
        else:
            self._close(BrokenConnectionError("the transport was closed", written=True))

    # What the event loop tells it.

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport, and be told when it cannot send all at once."""
        self._transport = connected = cast("asyncio.Transport", transport)
        # Not 0: asyncio's TLS would call an empty buffer too full.
        connected.set_write_buffer_limits(high=1, low=0)
        self._poll.register(connected.get_extra_info("socket").fileno(), _NOT_SILENT)

    def data_received(self, data: bytes) -> None:
        """Parse what was read and pass it on: one delivery and at most one wake-up per read."""
        response = self._response
        parser = self._parser
        if response is None or parser is None:
            self.close()  # nobody asked for these bytes
            return
        self._unbodied_bytes += len(data)
        refusal: TransportError | None = None
        try:
            parser.feed_data(data)
        except (HttpParserError, HttpParserUpgrade) as error:
            refusal = _to_refusal(error)
        pieces = self._pieces
        if pieces:
            self._unbodied_bytes = 0
            response.deliver(pieces[0] if len(pieces) == 1 else b"".join(pieces))
            pieces.clear()
            if response.buffered_bytes > self._buffered_bytes_max:
                self._hold_back(response)
                if self.closed:
                    return
        if self._message_done:
            self._keep_alive = self._keep_alive and refusal is None
            self._finish(response)
        elif refusal is not None:
            self._close(refusal)
        elif self._unbodied_bytes > self._limits.header_bytes_max:
            self._close(ProtocolError("too many bytes without a body", written=True))
        elif response.status and response.whole_bytes_max is None:
            response.arrived()

    def eof_received(self) -> None:
        """End the body where only an end of file can end it; anywhere else it is a break."""
        response = self._response
        if response is not None and response.status and self._until_eof:
            self._finish(response)
        else:
            self._break_off("end of file")

    def connection_lost(self, exc: Exception | None) -> None:
        """Break off whatever is under way; after an end of file nothing is."""
        self._break_off("connection lost" if exc is None else type(exc).__name__)

    def pause_writing(self) -> None:
        """Watch that the unsent bytes get fewer."""
        if self._transport is not None and self._stall_timer is None:
            self._unsent_bytes = self._transport.get_write_buffer_size()
            self._watch_stall()

    def resume_writing(self) -> None:
        """All is sent: the watch ends."""
        if self._stall_timer is not None:
            self._stall_timer.cancel()
            self._stall_timer = None

    # What the parser tells it. An error raised here comes back as the context of the parser's own.

    def on_message_begin(self) -> None:
        """Stop at a second message behind the complete one: nothing of it may be read."""
        if self._message_done:
            raise ProtocolError("bytes after the end of the message", written=True)

    def on_header(self, name: bytes, value: bytes) -> None:
        """Keep one header, its name in lowercase."""
        name = name.lower()
        if name == b"transfer-encoding" and value.strip().lower() != b"chunked":
            raise ProtocolError("a transfer coding other than chunked", written=True)
        self._headers.append((name, value))

    def on_headers_complete(self) -> None:
        """Open the response; skip an interim one (1xx, RFC 9110 15.2)."""
        response = self._response
        parser = self._parser
        if response is None or parser is None:
            return
        status = parser.get_status_code()
        headers = self._headers
        limits = self._limits
        if len(headers) > limits.header_count_max:
            raise ProtocolError(f"over {limits.header_count_max} headers", written=True)
        if self._unbodied_bytes > limits.header_bytes_max:
            # The reads so far may hold body too; only the head counts.
            size = sum(len(name) + len(value) + 4 for name, value in headers)
            if size > limits.header_bytes_max:
                raise ProtocolError(f"a head over {limits.header_bytes_max} bytes", written=True)
        if status < 200:
            if status == 101:
                raise ProtocolError("101 to a request that asked for no upgrade", written=True)
            headers.clear()
            self._interim = True
            return
        self._keep_alive = keep_alive = parser.should_keep_alive()
        self._until_eof = not keep_alive and _is_unframed(headers)
        self._expires_s = self._deadline_s
        self._headers = []  # trailers go here and are dropped
        response.status = status

    def on_message_complete(self) -> None:
        """Note the end of the message; the read it came in may hold more."""
        if self._interim:
            self._interim = False
        else:
            self._message_done = True

    # How an exchange ends.

    def _finish(self, response: Response) -> None:
        self._response = None
        self._expires_s = math.inf
        if response.paused and self._transport is not None:
            response.paused = False
            self._transport.resume_reading()  # paused, it would never see its end of file
        response.finish()
        if self._keep_alive and self._stall_timer is None:
            self._keeper.release(self)
        else:
            self._close(None, in_order=True)

    def _close(self, failure: TransportError | None, *, in_order: bool = False) -> None:
        if self.closed:
            return
        self.closed = True
        response, self._response = self._response, None
        if self._timer is not None:
            self._timer.cancel()
        self.resume_writing()
        self._parser = None  # it holds our bound methods: a cycle
        if self._transport is not None:
            if in_order:
                self._transport.close()
            else:
                self._transport.abort()
        self._keeper.forget(self)
        if response is not None and failure is not None:
            response.fail(failure)

    def _break_off(self, how: str) -> None:
        response = self._response
        if response is None:
            self._close(None, in_order=True)
        elif response.status:
            self._close(TruncatedError(f"{how} inside the response body", written=True))
        else:
            self._close(BrokenConnectionError(f"{how} before the response", written=True))

    def _hold_back(self, response: Response) -> None:
        """Refuse a whole body over its limit; let a streamed one wait for its reader."""
        if response.whole_bytes_max is not None:
            message = f"the body is over {response.whole_bytes_max} bytes"
            self._close(ResponseTooLargeError(message, written=True))
        elif not response.paused and self._transport is not None:
            response.paused = True
            self._transport.pause_reading()

    # Time.

    def _set_timer(self, at_s: float) -> None:
        if self._timer is not None:
            self._timer.cancel()
        self._timer_s = at_s
        self._timer = self._loop.call_at(at_s, self._check_time)

    def _check_time(self) -> None:
        self._timer = None
        self._timer_s = math.inf
        expires_s = self._expires_s
        if expires_s == math.inf:
            return
        if self._loop.time() < expires_s - TIMER_SLACK_S:
            self._set_timer(expires_s)
        elif expires_s < self._deadline_s:
            self._close(FirstByteTimeoutError("no response head in time", written=True))
        else:
            self._close(DeadlineExceededError("the deadline passed", written=True))

    def _watch_stall(self) -> None:
        self._stall_timer = self._loop.call_later(
            self._limits.write_stall_timeout_s, self._check_stall
        )

    def _check_stall(self) -> None:
        if self._transport is None:
            return
        unsent_bytes = self._transport.get_write_buffer_size()
        if unsent_bytes < self._unsent_bytes:
            self._unsent_bytes = unsent_bytes
            self._watch_stall()
        else:
            self._close(WriteStallError("the provider stopped reading the request", written=True))


def _to_refusal(error: HttpParserError | HttpParserUpgrade) -> TransportError:
    if isinstance(error.__context__, TransportError):
        return error.__context__
    return ProtocolError(f"not a valid response: {error}", written=True)


def _is_unframed(headers: list[tuple[bytes, bytes]]) -> bool:
    """Return whether neither a length nor chunks say where the body ends (RFC 9112 6.3)."""
    return not any(name in {b"content-length", b"transfer-encoding"} for name, _ in headers)
