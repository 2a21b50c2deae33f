"""How do the bytes of one answer get onto the wire, or fail to?"""

import asyncio
import os
import socket
import struct
from collections.abc import Awaitable, Callable, MutableMapping
from typing import Any

from tollbridge.sandbox.refusals import RefusedError
from tollbridge.sandbox.script import Script

Message = MutableMapping[str, Any]
Scope = MutableMapping[str, Any]
Receive = Callable[[], Awaitable[Message]]
Send = Callable[[Message], Awaitable[None]]

TRANSPORT = "tollbridge.sandbox.transport"
WATCHED_PAUSE_MIN_S = 0.2
HANG_MAX_S = 3600.0
CLOSE_GRACE_S = 5.0


class CallerLeftError(Exception):
    """The caller closed the connection before the answer was whole."""


class ConnectionCutError(Exception):
    """The server cannot be reached into; raised so that it drops the connection itself."""


class Exchange:
    """One request and its answer: reading, pausing, writing, breaking off.

    The transport comes from the scope (`server.SandboxProtocol` puts it there). Without it a
    leaving caller is noticed only in long pauses, and a cut is left to the server.
    """

    __slots__ = ("_receive", "_rest", "_send", "_transport", "script")

    def __init__(self, scope: Scope, receive: Receive, send: Send, script: Script) -> None:
        self._receive = receive
        self._send = send
        extensions: dict[str, Any] = scope.get("extensions") or {}
        self._transport: asyncio.Transport | None = extensions.get(TRANSPORT)
        self._rest = b""
        self.script = script

    async def read_body(self, read_delay_s: float, body_bytes_max: int) -> bytes:
        """Return the whole request body.

        Raises CallerLeftError if it ends early, RefusedError (413) if it is too long.
        """
        parts: list[bytes] = []
        size = 0
        while True:
            if read_delay_s:
                await asyncio.sleep(read_delay_s)
            message = await self._receive()
            if message["type"] == "http.disconnect":
                raise CallerLeftError
            part: bytes = message.get("body", b"")
            size += len(part)
            if size > body_bytes_max:
                raise RefusedError("body_too_large")
            parts.append(part)
            if not message.get("more_body", False):
                return parts[0] if len(parts) == 1 else b"".join(parts)

    async def pause(self, seconds: float) -> None:
        """Wait; raises CallerLeftError as soon as a long wait, or after a short one, shows it."""
        if seconds < WATCHED_PAUSE_MIN_S:
            await asyncio.sleep(seconds)
            self._check_caller()
        elif await self._left_within(seconds):
            raise CallerLeftError

    async def hang(self) -> None:
        """Never answer. Raises CallerLeftError when the caller gives up."""
        await self.pause(HANG_MAX_S)

    async def start(self, status: int, headers: list[tuple[bytes, bytes]]) -> None:
        """Send the head."""
        self._check_caller()
        await self._send({"type": "http.response.start", "status": status, "headers": headers})

    async def write(self, data: bytes) -> None:
        """Send a part of the body, in pieces if the script says so.

        Raises CallerLeftError if it can no longer arrive.
        """
        size = self.script.split
        if size is None:
            await self._write(data)
            return
        data = self._rest + data
        whole = len(data) - len(data) % size
        for at in range(0, whole, size):
            await self._write(data[at : at + size])
            await asyncio.sleep(0)
        self._rest = data[whole:]

    async def finish(self, data: bytes = b"") -> None:
        """Send the last part and end the body."""
        if self.script.split is not None:
            await self.write(data)
            data, self._rest = self._rest, b""
        await self._send({"type": "http.response.body", "body": data, "more_body": False})

    async def cut(self) -> None:
        """Drop the connection where it stands.

        `close`: what was written still arrives, the end of the body never does.
        `reset`: a TCP RST, and what the peer has not read yet may be lost.
        """
        transport = self._transport
        if transport is None:
            raise ConnectionCutError
        if self._rest:
            await self._write(self._rest)
        if self.script.cut_by == "reset":
            _linger_zero(transport)
            transport.abort()
        else:
            transport.close()
        if not await self._left_within(CLOSE_GRACE_S):
            transport.abort()

    async def _write(self, data: bytes) -> None:
        await self._send({"type": "http.response.body", "body": data, "more_body": True})
        self._check_caller()

    def _check_caller(self) -> None:
        if self._transport is not None and self._transport.is_closing():
            raise CallerLeftError

    async def _left_within(self, seconds: float) -> bool:
        """Return whether the connection ended within that time."""
        try:
            async with asyncio.timeout(seconds):
                while (await self._receive())["type"] != "http.disconnect":
                    pass
        except TimeoutError:
            return False
        return True


def _linger_zero(transport: asyncio.Transport) -> None:
    """Make the coming close a reset; the option belongs to the socket, so a duplicate will do."""
    with socket.socket(fileno=os.dup(transport.get_extra_info("socket").fileno())) as duplicate:
        duplicate.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
