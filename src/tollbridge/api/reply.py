"""How does an answer go back to a caller?"""

from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from tollbridge.api.protocol import GatewayProtocol
from tollbridge.providers.passage import Headers

Send = Callable[[MutableMapping[str, Any]], Awaitable[None]]
Receive = Callable[[], Awaitable[MutableMapping[str, Any]]]


class CallerReply:
    """The way back to one caller, over ASGI and the connection beneath it."""

    __slots__ = ("_connection", "_send", "started")

    def __init__(self, send: Send, connection: GatewayProtocol) -> None:
        self._send = send
        self._connection = connection
        self.started = False

    @property
    def gone(self) -> bool:
        """Whether nobody reads any more."""
        return self._connection.lost

    @property
    def stalled(self) -> bool:
        """Whether the caller was dropped because it stopped reading."""
        return self._connection.stalled

    def watch(self, on_gone: Callable[[], None] | None) -> None:
        """Call back once when the caller leaves, at once if it has left."""
        self._connection.watch(on_gone)

    async def whole(self, status: int, headers: Headers, body: bytes) -> None:
        """Send a whole answer."""
        headers.append((b"content-length", b"%d" % len(body)))
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})
        await self._send({"type": "http.response.body", "body": body})

    async def start(self, status: int, headers: Headers) -> None:
        """Send status and headers of a stream."""
        self.started = True
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def send(self, data: bytes) -> None:
        """Send a part of a stream; waits while the caller does not read."""
        await self._send({"type": "http.response.body", "body": data, "more_body": True})

    async def finish(self) -> None:
        """End the stream cleanly."""
        await self._send({"type": "http.response.body", "body": b""})

    async def break_off(self, last: bytes) -> None:
        """End the stream so that the caller sees that it is not whole, after a last frame."""
        if last:
            await self.send(last)
        self._connection.hang_up()
