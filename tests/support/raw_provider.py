"""A provider that keeps the very bytes it gets, and answers with the very bytes it is told to."""

import asyncio
import contextlib
import json
import socket
import struct
from collections.abc import AsyncGenerator, Awaitable, Callable
from typing import Any

Act = Callable[[asyncio.StreamWriter], Awaitable[None]]

USAGE = {"prompt_tokens": 10, "completion_tokens": 3, "total_tokens": 13}
COMPLETION: dict[str, Any] = {
    "id": "chatcmpl-raw",
    "object": "chat.completion",
    "created": 1,
    "model": "gpt-4o-mini",
    "choices": [
        {"index": 0, "message": {"role": "assistant", "content": "hi"}, "finish_reason": "stop"}
    ],
    "usage": USAGE,
}


def answer(
    body: bytes | dict[str, Any], status: int = 200, content_type: str = "application/json"
) -> bytes:
    """Return a response with a length."""
    content = body if isinstance(body, bytes) else json.dumps(body).encode()
    return (
        f"HTTP/1.1 {status} X\r\ncontent-type: {content_type}\r\n"
        f"content-length: {len(content)}\r\n\r\n"
    ).encode() + content


class RawProvider:
    """What was received, whole, and the answers by the first part of the path."""

    def __init__(self) -> None:
        self.received: list[bytes] = []
        self.answers: dict[str, bytes | Act] = {}
        self.url = ""

    @property
    def bodies(self) -> list[bytes]:
        """The bodies that were received."""
        return [one.partition(b"\r\n\r\n")[2] for one in self.received]

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = next(
                    (
                        int(line.partition(b":")[2])
                        for line in head.lower().split(b"\r\n")
                        if line.startswith(b"content-length:")
                    ),
                    0,
                )
                self.received.append(head + await reader.readexactly(length))
                name = head.split(b" ")[1].split(b"/")[1].decode()
                told = self.answers.get(name, answer(COMPLETION))
                if isinstance(told, bytes):
                    writer.write(told)
                else:
                    await told(writer)
        writer.close()


async def reset(writer: asyncio.StreamWriter) -> None:
    """Reset the connection."""
    found: socket.socket = writer.get_extra_info("socket")
    found.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()


async def hang(writer: asyncio.StreamWriter) -> None:
    """Answer with a stream's head and a comment, and nothing more."""
    writer.write(
        b"HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\n"
        b"transfer-encoding: chunked\r\n\r\n10\r\n: one moment...\n\r\n"
    )
    await writer.drain()


@contextlib.asynccontextmanager
async def running_raw_provider() -> AsyncGenerator[RawProvider]:
    """Serve on a free loopback port."""
    provider = RawProvider()
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0, limit=1 << 20)
    try:
        provider.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield provider
    finally:
        server.close()


def closed_port() -> int:
    """Return a port on which nobody listens."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return probe.getsockname()[1]
