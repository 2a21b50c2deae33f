"""What does the transport cost in CPU, beside the event loop itself?

A static server runs in a process of its own; this process sends requests at a fixed concurrency
and reads its own CPU clock. "floor" is the same traffic with a bare protocol that parses nothing:
one write, one future and one wake-up per request. Bounded: about eight seconds.

    python bench/micro/transport.py [--asyncio]
"""

import asyncio
import multiprocessing
import socket
import statistics
import sys
import time
from collections.abc import Awaitable, Callable
from typing import cast

import uvloop

from tollbridge.providers.head import compose_head
from tollbridge.providers.limits import TransportLimits
from tollbridge.providers.origin import Origin
from tollbridge.providers.transport import Transport

CONCURRENCY = 32
ROUND_S = 1.0
ROUNDS = 3
CHUNKS = 200
HEADERS = (
    b"date: Thu, 01 Jan 2026 00:00:00 GMT\r\nserver: static\r\ncontent-type: application/json\r\n"
    b"x-request-id: req_0123456789abcdef\r\nopenai-processing-ms: 12\r\nopenai-version: 2020\r\n"
    b"x-ratelimit-limit-requests: 10000\r\nx-ratelimit-remaining-requests: 9999\r\n"
    b"x-ratelimit-limit-tokens: 200000\r\nx-ratelimit-remaining-tokens: 199999\r\n"
)
WHOLE = b"HTTP/1.1 200 OK\r\n%bcontent-length: 1024\r\n\r\n%b" % (HEADERS, b"x" * 1024)
FRAME = b"data: " + b"y" * 190 + b"\n\n"
CHUNK = b"%x\r\n%b\r\n" % (len(FRAME), FRAME)
STREAM_HEAD = b"HTTP/1.1 200 OK\r\n%btransfer-encoding: chunked\r\n\r\n" % HEADERS
BODY = b'{"model":"m","messages":[{"role":"user","content":"' + b"z" * 500 + b'"}]}'


class StaticServer(asyncio.Protocol):
    """Answers each read with the same bytes; `GET` with chunks, one per loop round."""

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Answer."""
        if data.startswith(b"GET"):
            self.transport.write(STREAM_HEAD)
            self.send_chunk(CHUNKS)
        else:
            self.transport.write(WHOLE)

    def send_chunk(self, left: int) -> None:
        """Write one chunk, and see to the next; a pause makes each its own read."""
        if not left:
            self.transport.write(b"0\r\n\r\n")
        elif not self.transport.is_closing():
            self.transport.write(CHUNK)
            asyncio.get_running_loop().call_later(0.001, self.send_chunk, left - 1)


class BareClient(asyncio.Protocol):
    """The least that a client can do: write, wait for `expected` bytes, wake one future."""

    def __init__(self) -> None:
        self.expected = 0
        self.waiter: asyncio.Future[None] | None = None

    def connection_made(self, transport: asyncio.BaseTransport) -> None:
        """Keep the transport."""
        self.transport = cast("asyncio.Transport", transport)

    def data_received(self, data: bytes) -> None:
        """Count, and wake the waiter at the end (or, for streams, at each read)."""
        self.expected -= len(data)
        if self.waiter is not None and self.expected <= 0:
            self.waiter.set_result(None)
            self.waiter = None


def serve(listener: socket.socket) -> None:
    """Run the static server until killed."""

    async def run() -> None:
        server = await asyncio.get_running_loop().create_server(StaticServer, sock=listener)
        await server.serve_forever()

    uvloop.run(run())


async def measure(one: Callable[[], Awaitable[int]]) -> float:
    """Return the median over rounds of microseconds of CPU per unit that `one` returns."""
    costs: list[float] = []
    for _ in range(ROUNDS):
        end_s = time.monotonic() + ROUND_S
        begun_s = time.process_time()

        async def work(end_s: float = end_s) -> int:
            units = 0
            while time.monotonic() < end_s:
                units += await one()
            return units

        units = sum(await asyncio.gather(*[work() for _ in range(CONCURRENCY)]))
        costs.append((time.process_time() - begun_s) / units * 1e6)
    return statistics.median(costs)


class Floor:
    """The bare client's exchanges over connections that it keeps."""

    def __init__(self, port: int, post: bytes, get: bytes) -> None:
        self.port = port
        self.post = post
        self.get = get
        self.idle: list[BareClient] = []

    async def take(self) -> BareClient:
        """Return an idle client, or a new one."""
        if self.idle:
            return self.idle.pop()
        loop = asyncio.get_running_loop()
        _, client = await loop.create_connection(BareClient, "127.0.0.1", self.port)
        return client

    async def whole(self) -> int:
        """Exchange once."""
        client = await self.take()
        client.expected = len(WHOLE)
        client.waiter = waiter = asyncio.get_running_loop().create_future()
        client.transport.write(self.post)
        await waiter
        self.idle.append(client)
        return 1

    async def streamed(self) -> int:
        """Exchange once; return how many reads it took."""
        client = await self.take()
        client.transport.write(self.get)
        left = len(STREAM_HEAD) + CHUNKS * len(CHUNK) + 5
        reads = 0
        while left > 0:
            client.expected = 0
            client.waiter = waiter = asyncio.get_running_loop().create_future()
            await waiter
            left += client.expected
            reads += 1
        self.idle.append(client)
        return reads


class Real:
    """The transport's exchanges."""

    def __init__(self, transport: Transport, port: int, post: bytes, get: bytes) -> None:
        self.transport = transport
        self.origin = Origin("http", "127.0.0.1", port)
        self.post = post
        self.get = get

    async def whole(self) -> int:
        """Exchange once."""
        response = await self.transport.send(
            self.origin,
            self.post,
            BODY,
            first_byte_timeout_s=60,
            deadline_s=asyncio.get_running_loop().time() + 600,
            whole_bytes_max=1 << 20,
        )
        if len(response.body) != 1024:
            raise RuntimeError("a wrong body")
        return 1

    async def streamed(self) -> int:
        """Exchange once; return how many reads it took."""
        deadline_s = asyncio.get_running_loop().time() + 600
        response = await self.transport.send(self.origin, self.get, deadline_s=deadline_s)
        reads = 0
        while response.take() or await response.read():
            reads += 1
        return reads


async def measure_all(port: int) -> None:
    headers = [(b"content-type", b"application/json"), (b"authorization", b"Bearer " + b"k" * 40)]
    post = compose_head(b"POST", b"/v1/chat/completions", b"127.0.0.1", headers, len(BODY))
    get = compose_head(b"GET", b"/stream", b"127.0.0.1", headers, None)
    transport = Transport(TransportLimits())
    floor = Floor(port, post + BODY, get)
    real = Real(transport, port, post, get)
    for name, floor_of, real_of in (
        ("unstreamed 1 KB", floor.whole, real.whole),
        ("streamed read  ", floor.streamed, real.streamed),
    ):
        floor_us = await measure(floor_of)
        real_us = await measure(real_of)
        print(
            f"{name}  floor {floor_us:6.2f} us   transport {real_us:6.2f} us"
            f"   over the loop {real_us - floor_us:6.2f} us"
        )
    await transport.aclose()


def main() -> None:
    """Start the server, measure, stop the server."""
    listener = socket.create_server(("127.0.0.1", 0), backlog=256)
    server = multiprocessing.get_context("fork").Process(target=serve, args=(listener,))
    server.start()
    try:
        port = int(listener.getsockname()[1])
        runner = asyncio.run if "--asyncio" in sys.argv else uvloop.run
        runner(measure_all(port))
    finally:
        server.kill()
        server.join()


if __name__ == "__main__":
    main()
