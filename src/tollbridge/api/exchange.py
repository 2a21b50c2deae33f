"""What is one request of a connection, and how does its answer go back?

An answer goes straight to the connection: a whole one is one write, head and body together.
Nothing stands between: no scope, no messages, no queue.
"""

import asyncio
from collections.abc import Callable, Mapping, Sequence
from http import HTTPStatus
from types import MappingProxyType
from typing import Protocol

from uvicorn.protocols.http.flow_control import FlowControl

from tollbridge.providers.passage import HeaderLines

# Up to this size head and body are joined: a copy is cheaper than a second write.
JOINED_BYTES_MAX = 256 * 1024
# The parts of a large body are put together as they come: all of them beside the whole would be
# twice the memory, of which the system does not get back what small parts took.
FOLDED_BYTES = 1024 * 1024
BODILESS = frozenset({204, 304})
"""Statuses whose answers have neither a body nor what would frame one."""
HEAD_END = b"\r\n"
CLOSING_HEAD_END = b"connection: close\r\n\r\n"
GO_ON = b"HTTP/1.1 100 Continue\r\n\r\n"

_STATUS_LINES: Mapping[int, bytes] = MappingProxyType(
    {one.value: f"HTTP/1.1 {one.value} {one.phrase}\r\n".encode("ascii") for one in HTTPStatus}
)


class Connection(Protocol):
    """What an exchange needs of the connection it came on."""

    transport: asyncio.Transport
    flow: FlowControl
    lost: bool
    stalled: bool
    cut_off: bool

    @property
    def peer_host(self) -> str | None:
        """The caller's address, where there is one."""
        ...

    def watch(self, on_gone: Callable[[], None] | None) -> None:
        """Call back once when the peer goes; now, if it has gone."""
        ...

    def watch_room(self, on_room: Callable[[], None] | None) -> None:
        """Call back each time when the caller has read enough again."""
        ...

    def answered(self, exchange: "Exchange") -> None:
        """Note that an exchange is over: the next one may begin."""
        ...


class Exchange:
    """One request, and the way its answer goes back."""

    __slots__ = (
        "_chunked",
        "_connection",
        "_folded",
        "_is_old",
        "_parts",
        "_waiter",
        "asks_to_go_on",
        "body_bytes",
        "broken",
        "call_id",
        "complete",
        "has_body",
        "headers",
        "keep_alive",
        "method",
        "path",
        "query",
        "started",
        "target",
    )

    def __init__(
        self,
        connection: Connection,
        method: str,
        target: tuple[str, bytes, bytes],
        headers: Sequence[tuple[bytes, bytes]],
        *,
        is_old: bool,
        keep_alive: bool,
        asks_to_go_on: bool,
    ) -> None:
        self.method = method
        self.path, self.target, self.query = target
        """The path as text, decoded; the path as it came; the query."""
        self.headers = headers
        """Names in lowercase."""
        self.keep_alive = keep_alive
        """Whether the connection is used on after the answer."""
        self.asks_to_go_on = asks_to_go_on
        """Whether the caller waits to be told to send its body (Expect: 100-continue)."""
        self.body_bytes = 0
        """How much of the body has come."""
        self.has_body = False
        """Whether the body is here whole."""
        self.broken = False
        """Whether the request was refused or given up below us: there is nobody to answer."""
        self.started = False
        self.complete = False
        """Whether the answer has been given to its end."""
        self.call_id: str | None = None
        self._connection = connection
        self._is_old = is_old
        self._folded: bytearray | None = None
        self._parts: list[bytes] = []
        self._waiter: asyncio.Future[None] | None = None
        self._chunked = False

    # The request.

    @property
    def peer_host(self) -> str | None:
        """The caller's address, where there is one."""
        return self._connection.peer_host

    async def more(self) -> None:
        """Wait for more of the body, for its end, or for the caller to leave."""
        if self.asks_to_go_on and not self._connection.transport.is_closing():
            self._connection.transport.write(GO_ON)
            self.asks_to_go_on = False
        self._waiter = asyncio.get_running_loop().create_future()
        await self._waiter

    def take_body(self) -> bytes:
        """Return the body as far as it is here; it is not kept."""
        parts, self._parts = self._parts, []
        folded, self._folded = self._folded, None
        if folded is not None:
            folded += b"".join(parts)
            return bytes(folded)
        return parts[0] if len(parts) == 1 else b"".join(parts)

    # What the connection tells it.

    def on_body(self, part: bytes) -> None:
        """Keep a part of the body, unless the answer has made it needless."""
        if self.started:
            return
        self._parts.append(part)
        self.body_bytes += len(part)
        if self.body_bytes >= FOLDED_BYTES:
            self._fold()
        if self._waiter is not None:
            self._wake()

    def on_body_end(self) -> None:
        """Note that the body is here whole."""
        self.has_body = True
        if self._waiter is not None:
            self._wake()

    def on_broken(self) -> None:
        """Note that nobody is there to be answered."""
        self.broken = True
        if self._waiter is not None:
            self._wake()

    def _fold(self) -> None:
        folded = bytearray() if self._folded is None else self._folded
        if self.body_bytes - len(folded) >= FOLDED_BYTES:
            folded += b"".join(self._parts)
            self._parts.clear()
            self._folded = folded

    def _wake(self) -> None:
        waiter, self._waiter = self._waiter, None
        if waiter is not None and not waiter.done():
            waiter.set_result(None)

    # The answer.

    @property
    def gone(self) -> bool:
        """Whether nobody reads any more."""
        return self._connection.lost or self.broken

    @property
    def stalled(self) -> bool:
        """Whether the caller was dropped because it stopped reading."""
        return self._connection.stalled

    @property
    def cut_off(self) -> bool:
        """Whether the caller went while it still had to take a part of what was sent."""
        return self._connection.cut_off

    @property
    def is_full(self) -> bool:
        """Whether what was sent waits for the caller to read it."""
        return self._connection.flow.write_paused

    def watch(self, on_gone: Callable[[], None] | None) -> None:
        """Call back once when the caller leaves, at once if it has left."""
        self._connection.watch(on_gone)

    def watch_room(self, on_room: Callable[[], None] | None) -> None:
        """Call back each time when the caller has read what made it full."""
        self._connection.watch_room(on_room)

    async def whole(self, status: int, headers: HeaderLines, body: bytes) -> None:
        """Send a whole answer."""
        connection = self._connection
        if connection.lost or self.broken:
            return
        self._begin_answer()
        if self.asks_to_go_on:
            # The body was not asked for; what comes next may be it, or another request.
            self.keep_alive = False
        head = b"%b%bcontent-length: %d\r\n%b" % (
            _STATUS_LINES[status],
            headers,
            len(body),
            HEAD_END if self.keep_alive else CLOSING_HEAD_END,
        )
        if self.method == "HEAD":
            body = b""
        transport = connection.transport
        if len(body) <= JOINED_BYTES_MAX:
            transport.write(head + body)
        else:
            transport.write(head)
            transport.write(body)
        if connection.flow.write_paused:
            # Not complete before: the next request of the connection may not be begun yet.
            await connection.flow.drain()
        self._complete()

    async def start(
        self, status: int, headers: HeaderLines, *, states_length: bool = False
    ) -> None:
        """Send status and headers of a stream; it is chunked unless they state its length."""
        if self.gone:
            return
        self._begin_answer()
        if not states_length and status not in BODILESS:
            if self._is_old:
                self.keep_alive = False
            else:
                self._chunked = True
                headers += b"transfer-encoding: chunked\r\n"
        end = HEAD_END if self.keep_alive else CLOSING_HEAD_END
        self._connection.transport.write(_STATUS_LINES[status] + headers + end)

    async def send(self, data: bytes) -> None:
        """Send a part of a stream; waits while the caller does not read."""
        if not self._connection.lost:
            self.push(data)
        await self.drain()

    def push(self, data: bytes) -> None:
        """Send a part of a stream now; whoever sends on while `is_full` fills our memory."""
        self._connection.transport.write(
            b"%x\r\n%b\r\n" % (len(data), data) if self._chunked else data
        )

    async def drain(self) -> None:
        """Wait while the caller does not read."""
        if self._connection.flow.write_paused:
            await self._connection.flow.drain()

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
        # What was written goes out first.
        self.broken = True
        self._connection.transport.close()

    def _begin_answer(self) -> None:
        """Keep no body from here on: what of a refused one has come would stay until the end."""
        self.started = True
        if self._parts:
            self._parts = []
        self._folded = None

    def _complete(self) -> None:
        self.complete = True
        if not self.keep_alive:
            self._connection.transport.close()
        self._connection.answered(self)
