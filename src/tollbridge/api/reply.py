"""How does an answer go back to a caller?

Straight to the connection: a whole answer is one write, head and body together. The request's
cycle is told what it would have noted itself, so that keep-alive and pipelining go on as usual.
"""

from collections.abc import Awaitable, Callable, Mapping, MutableMapping
from http import HTTPStatus
from types import MappingProxyType
from typing import Any

from uvicorn.protocols.http.httptools_impl import RequestResponseCycle

from tollbridge.api.protocol import GatewayProtocol
from tollbridge.providers.passage import Headers

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]

# Up to this size head and body are joined: a copy is cheaper than a second write.
JOINED_BYTES_MAX = 256 * 1024

_STATUS_LINES: Mapping[int, bytes] = MappingProxyType(
    {one.value: f"HTTP/1.1 {one.value} {one.phrase}\r\n".encode("ascii") for one in HTTPStatus}
)


class CallerReply:
    """The way back to one caller."""

    __slots__ = ("_chunked", "_connection", "_cycle", "call_id", "started")

    def __init__(self, connection: GatewayProtocol, cycle: RequestResponseCycle) -> None:
        self._connection = connection
        self._cycle = cycle
        self._chunked = True
        self.started = False
        self.call_id: str | None = None

    @property
    def gone(self) -> bool:
        """Whether nobody reads any more."""
        return self._connection.lost or self._cycle.disconnected

    @property
    def stalled(self) -> bool:
        """Whether the caller was dropped because it stopped reading."""
        return self._connection.stalled

    @property
    def cut_off(self) -> bool:
        """Whether the caller went while it still had to take a part of what was sent."""
        return self._connection.cut_off

    def watch(self, on_gone: Callable[[], None] | None) -> None:
        """Call back once when the caller leaves, at once if it has left."""
        self._connection.watch(on_gone)

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole answer."""
        if self.gone:
            return
        self.started = True
        headers.append((b"content-length", b"%d" % len(body)))
        cycle = self._cycle
        if cycle.waiting_for_100_continue:
            # The body was not asked for; what comes next may be it, or another request.
            cycle.keep_alive = False
        head = self._head(status, headers)
        if cycle.scope["method"] == "HEAD":
            body = b""
        transport = self._connection.transport
        if len(body) <= JOINED_BYTES_MAX:
            transport.write(head + body)
        else:
            transport.write(head)
            transport.write(body)
        cycle.response_started = True
        if self._connection.flow.write_paused:
            # Not complete before: the next request of the connection may not be begun yet.
            await self._connection.flow.drain()
        self._complete()

    async def start(self, status: int, headers: Headers) -> None:
        """Send status and headers of a stream."""
        if self.gone:
            return
        self.started = True
        self._chunked = self._cycle.scope["http_version"] != "1.0"
        if self._chunked:
            headers.append((b"transfer-encoding", b"chunked"))
        else:
            self._cycle.keep_alive = False
        self._cycle.response_started = True
        self._connection.transport.write(self._head(status, headers))

    async def send(self, data: bytes) -> None:
        """Send a part of a stream; waits while the caller does not read."""
        connection = self._connection
        if connection.lost:
            return
        connection.transport.write(b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data)
        if connection.flow.write_paused:
            await connection.flow.drain()

    async def finish(self) -> None:
        """End the stream cleanly."""
        if self.gone:
            return
        if self._chunked:
            self._connection.transport.write(b"0\r\n\r\n")
        self._complete()

    async def break_off(self, last: bytes) -> None:
        """End the stream so that the caller sees that it is not whole, after a last frame."""
        if last:
            await self.send(last)
        self._connection.hang_up(self._cycle)

    def _head(self, status: int, headers: Headers) -> bytes:
        if not self._cycle.keep_alive:
            headers.append((b"connection", b"close"))
        lines = [b"%b: %b\r\n" % header for header in headers]
        return b"%b%b\r\n" % (_STATUS_LINES[status], b"".join(lines))

    def _complete(self) -> None:
        """Do what the cycle does when it has sent the end of a response itself."""
        cycle = self._cycle
        cycle.response_started = True
        cycle.response_complete = True
        cycle.message_event.set()
        if not cycle.keep_alive:
            self._connection.transport.close()
        cycle.on_response()
