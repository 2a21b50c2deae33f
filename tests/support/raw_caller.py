"""A caller that sends the very bytes it is told to, and reads what comes back."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator
from typing import Any, NamedTuple

from tests.support.node import KEY, Node

WAIT_MAX_S = 60.0


class Answered(NamedTuple):
    """One response."""

    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def error(self) -> dict[str, Any]:
        """The error object, which has OpenAI's four fields at least."""
        error: dict[str, Any] = json.loads(self.body)["error"]
        assert {"message", "type", "param", "code"} <= set(error)
        return error


class RawCaller:
    """One connection."""

    def __init__(
        self,
        reader: asyncio.StreamReader,
        writer: asyncio.StreamWriter,
        wait_max_s: float = WAIT_MAX_S,
    ) -> None:
        self._reader = reader
        self._writer = writer
        self._wait_max_s = wait_max_s

    async def send(self, data: bytes) -> None:
        """Send bytes; those that nobody takes any more are lost."""
        with contextlib.suppress(ConnectionError):
            self._writer.write(data)
            await self._writer.drain()

    def half_close(self) -> None:
        """Send nothing more."""
        self._writer.write_eof()

    def close(self) -> None:
        """Leave."""
        self._writer.close()

    async def response(self, *, to_head: bool = False) -> Answered:
        """Read one response: with a length, chunked, or without a body."""
        async with asyncio.timeout(self._wait_max_s):
            head = await self._reader.readuntil(b"\r\n\r\n")
            first, *lines = head.decode("latin-1").split("\r\n")
            headers = {
                name.lower(): value.strip()
                for name, _, value in (line.partition(":") for line in lines if line)
            }
            status = int(first.split(" ")[1])
            if headers.get("transfer-encoding") == "chunked":
                return Answered(status, headers, await self._chunks())
            length = headers.get("content-length")
            if status == 100 or to_head:
                return Answered(status, headers, b"")
            body = await (self._reader.read() if length is None else self._exactly(int(length)))
            return Answered(status, headers, body)

    async def some(self) -> bytes:
        """Read whatever comes first."""
        async with asyncio.timeout(WAIT_MAX_S):
            return await self._reader.read(1)

    @property
    def is_closing(self) -> bool:
        """Whether the connection is known to be at its end."""
        return self._writer.is_closing() or self._reader.at_eof()

    async def ended(self) -> bytes:
        """Wait until the other side closes; return what came before."""
        async with asyncio.timeout(WAIT_MAX_S):
            with contextlib.suppress(ConnectionError):
                return await self._reader.read()
            return b""

    async def _exactly(self, length: int) -> bytes:
        return await self._reader.readexactly(length)

    async def _chunks(self) -> bytes:
        parts: list[bytes] = []
        while size := int(await self._reader.readline(), 16):
            parts.append(await self._exactly(size))
            await self._reader.readline()
        await self._reader.readline()
        return b"".join(parts)


@contextlib.asynccontextmanager
async def raw_caller(node: Node, **options: Any) -> AsyncGenerator[RawCaller]:
    """Connect to a node."""
    reader, writer = await asyncio.open_connection(
        "127.0.0.1", node.worker.port, limit=1 << 22, **options
    )
    try:
        yield RawCaller(reader, writer)
    finally:
        writer.close()


def head(
    *extra: str, method: str = "POST", path: str = "/v1/chat/completions", version: str = "1.1"
) -> bytes:
    """Return a request's head with the test's key."""
    lines = [
        f"{method} {path} HTTP/{version}",
        "host: x",
        f"authorization: Bearer {KEY}",
        "content-type: application/json",
        *extra,
    ]
    return ("\r\n".join(lines) + "\r\n\r\n").encode("latin-1")


def whole(body: bytes | dict[str, Any], *extra: str, **options: str) -> bytes:
    """Return a request with its body."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return head(f"content-length: {len(content)}", *extra, **options) + content
