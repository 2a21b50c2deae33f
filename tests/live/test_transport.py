"""Exchanges of the transport with a server that is scripted byte for byte."""

import asyncio
import random
import socket
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import cast

import pytest
import uvloop

from tollbridge.core.clock import ManualClock
from tollbridge.providers.failures import (
    BrokenConnectionError,
    ConnectError,
    ConnectTimeoutError,
    DeadlineExceededError,
    FirstByteTimeoutError,
    PoolTimeoutError,
    ProtocolError,
    ResponseTooLargeError,
    TransportError,
    TruncatedError,
    WriteStallError,
)
from tollbridge.providers.head import compose_head
from tollbridge.providers.limits import TransportLimits
from tollbridge.providers.origin import Origin
from tollbridge.providers.resolver import Address
from tollbridge.providers.response import Response
from tollbridge.providers.transport import Transport

Answer = Callable[[bytes, asyncio.StreamWriter], Awaitable[None]]

HI = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
STREAM = b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n"
pytestmark = pytest.mark.filterwarnings("ignore:Overriding:pytest.PytestDeprecationWarning")

LIMITS = TransportLimits(connections_per_origin_max=2, waiting_max=2, pool_timeout_s=5)


@pytest.fixture(
    params=[asyncio.DefaultEventLoopPolicy, uvloop.EventLoopPolicy], ids=["asyncio", "uvloop"]
)
def event_loop_policy(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoopPolicy:
    """Run each test on both loops."""
    return cast("asyncio.AbstractEventLoopPolicy", request.param())


class Server:
    """Reads requests whole and lets `answer` write what it likes; counts what it saw."""

    def __init__(self) -> None:
        self.connections = 0
        self.requests: list[bytes] = []
        self.hung_up = asyncio.Event()
        self.asked = asyncio.Event()
        self.answer: Answer = say(HI)
        self.origin = Origin("http", "127.0.0.1", 0)

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.connections += 1
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                length = head.lower().partition(b"content-length: ")[2].partition(b"\r\n")[0]
                body = await reader.readexactly(int(length or b"0"))
                self.requests.append(head + body)
                self.asked.set()
                await self.answer(head, writer)
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            self.hung_up.set()
        finally:
            writer.close()


def say(data: bytes) -> Answer:
    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(data)

    return answer


def say_and_close(data: bytes) -> Answer:
    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        writer.close()

    return answer


def say_and_wait(data: bytes) -> Answer:
    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(data)
        await asyncio.sleep(30)

    return answer


@pytest.fixture
async def server() -> AsyncIterator[Server]:
    server = Server()
    listener = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    port = int(listener.sockets[0].getsockname()[1])
    server.origin = Origin("http", "127.0.0.1", port)
    yield server
    listener.close()


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
async def transport(clock: ManualClock) -> AsyncIterator[Transport]:
    transport = Transport(LIMITS, clock=clock)
    async with asyncio.timeout(120):
        yield transport
    await transport.aclose()


def get(origin: Origin) -> bytes:
    return compose_head(b"GET", b"/", origin.authority.encode(), [], None)


def post(origin: Origin, body: bytes) -> bytes:
    return compose_head(b"POST", b"/", origin.authority.encode(), [], len(body))


async def fetch(transport: Transport, origin: Origin, timeout_s: float = 5) -> Response:
    """Send a GET and await its whole answer."""
    return await transport.send(
        origin,
        get(origin),
        deadline_s=asyncio.get_running_loop().time() + timeout_s,
        whole_bytes_max=1_000_000,
    )


async def stream(transport: Transport, origin: Origin, timeout_s: float = 5) -> Response:
    """Send a GET and return at the head of its answer."""
    deadline_s = asyncio.get_running_loop().time() + timeout_s
    return await transport.send(origin, get(origin), deadline_s=deadline_s)


async def read_up_to_failure(response: Response, kind: type[TransportError]) -> bytes:
    """Return the bytes that can be read before `kind` is raised."""
    read: list[bytes] = []

    async def read_on() -> None:
        while chunk := response.take() or await response.read():
            read.append(chunk)

    with pytest.raises(kind):
        await read_on()
    return b"".join(read)


def open_count(transport: Transport, origin: Origin) -> int:
    lane = transport._pool.lanes.get(origin)
    return 0 if lane is None else lane.open_count


# Keep-alive and reuse.


async def test_one_connection_serves_one_exchange_after_another(
    transport: Transport, server: Server
) -> None:
    for _ in range(5):
        assert (await fetch(transport, server.origin)).body == b"hi"
    assert server.connections == 1


async def test_a_streamed_body_read_to_its_end_gives_the_connection_back(
    transport: Transport, server: Server
) -> None:
    server.answer = say(STREAM + b"2\r\nhi\r\n0\r\n\r\n")
    for _ in range(2):
        response = await stream(transport, server.origin)
        assert response.status == 200
        assert await response.read_all(10) == b"hi"
        assert await response.read() == b""
    assert server.connections == 1


async def test_the_request_arrives_byte_for_byte_small_and_large(
    transport: Transport, server: Server
) -> None:
    for size in (0, 5, 65_536, 65_537, 3_000_000):
        body = b"b" * size
        await transport.send(server.origin, post(server.origin, body), body, whole_bytes_max=10)
        assert server.requests.pop() == post(server.origin, body) + body


async def test_a_connection_that_the_server_closed_while_idle_is_replaced_silently(
    transport: Transport, server: Server
) -> None:
    server.answer = say_and_close(HI)
    for _ in range(3):
        assert (await fetch(transport, server.origin)).body == b"hi"
    assert server.connections == 3


async def test_an_end_of_file_that_the_loop_has_not_seen_yet_is_seen_before_reuse(
    clock: ManualClock,
) -> None:
    """The peer closes while our loop is busy, so that only the kernel knows."""
    transport = Transport(LIMITS, clock=clock)
    with socket.create_server(("127.0.0.1", 0)) as listener:
        origin = Origin("http", "127.0.0.1", int(listener.getsockname()[1]))
        loop = asyncio.get_running_loop()
        for _ in range(2):
            exchange = asyncio.create_task(fetch(transport, origin))
            peer = await asyncio.to_thread(accept_and_say, listener)
            assert (await asyncio.wait_for(exchange, 5)).body == b"hi"
            peer.close()
            assert loop.is_running()  # no await between the close and the next send
        await transport.aclose()


def accept_and_say(listener: socket.socket) -> socket.socket:
    listener.settimeout(5)
    peer, _ = listener.accept()
    peer.recv(1000)
    peer.sendall(HI)
    return peer


async def test_bytes_that_nobody_asked_for_close_an_idle_connection(
    transport: Transport, server: Server
) -> None:
    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(HI)
        await writer.drain()
        await asyncio.sleep(0.02)
        writer.write(HI)

    server.answer = answer
    await fetch(transport, server.origin)
    await asyncio.wait_for(server.hung_up.wait(), 5)
    assert open_count(transport, server.origin) == 0
    await fetch(transport, server.origin)
    assert server.connections == 2


@pytest.mark.parametrize("waits_s", [[15.0], [14.0] * 22])
async def test_a_connection_idle_or_old_beyond_its_limit_is_not_reused(
    transport: Transport, server: Server, clock: ManualClock, waits_s: list[float]
) -> None:
    await fetch(transport, server.origin)
    for wait_s in waits_s[:-1]:
        clock.advance(wait_s)
        await fetch(transport, server.origin)
    assert server.connections == 1
    clock.advance(waits_s[-1])
    await fetch(transport, server.origin)
    assert server.connections == 2


async def test_idle_connections_are_closed_without_being_asked_for(server: Server) -> None:
    transport = Transport(TransportLimits(idle_max_s=0.05))
    await fetch(transport, server.origin)
    await asyncio.wait_for(server.hung_up.wait(), 5)
    assert transport._pool.lanes == {}
    await transport.aclose()


async def test_surplus_bytes_close_the_connection_but_not_the_answer(
    transport: Transport, server: Server
) -> None:
    server.answer = say(HI + HI)
    assert (await fetch(transport, server.origin)).body == b"hi"
    assert (await fetch(transport, server.origin)).body == b"hi"
    assert server.connections == 2


# Ends.


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 200 OK\r\nContent-Length: 3\r\n\r\nhi",
        STREAM + b"2\r\nhi\r\n",
        STREAM + b"3\r\nhi",
        STREAM + b"2\r\nhi\r\n0\r\n",
    ],
)
async def test_a_truncated_body_is_an_error_whole_and_streamed(
    transport: Transport, server: Server, answer: bytes
) -> None:
    server.answer = say_and_close(answer)
    with pytest.raises(TruncatedError) as caught:
        await fetch(transport, server.origin)
    assert caught.value.written
    response = await stream(transport, server.origin)
    assert await read_up_to_failure(response, TruncatedError) == b"hi"
    assert open_count(transport, server.origin) == 0


async def test_a_reset_inside_a_body_that_ends_with_the_file_is_an_error(
    transport: Transport, server: Server
) -> None:
    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\n\r\nhi")
        await asyncio.sleep(0.05)
        sock = writer.get_extra_info("socket")
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        writer.transport.abort()

    server.answer = answer
    with pytest.raises(TruncatedError):
        await fetch(transport, server.origin)


async def test_an_unframed_body_ends_with_the_file(transport: Transport, server: Server) -> None:
    server.answer = say_and_close(b"HTTP/1.1 200 OK\r\n\r\nhello")
    assert (await fetch(transport, server.origin)).body == b"hello"
    assert await (await stream(transport, server.origin)).read_all(10) == b"hello"
    assert open_count(transport, server.origin) == 0


async def test_interim_responses_are_skipped(transport: Transport, server: Server) -> None:
    server.answer = say(b"HTTP/1.1 103 Early Hints\r\nlink: x\r\n\r\n" + HI)
    response = await fetch(transport, server.origin)
    assert (response.status, response.headers) == (200, [(b"content-length", b"2")])


@pytest.mark.parametrize(
    "answer", [b"HTTP/1.1 101 Switching Protocols\r\n\r\n", b"garbage\r\n\r\n", b"a: b\r\n" * 20000]
)
async def test_what_is_no_response_is_an_error(
    transport: Transport, server: Server, answer: bytes
) -> None:
    server.answer = say(answer)
    with pytest.raises(ProtocolError) as caught:
        await fetch(transport, server.origin)
    assert caught.value.written
    assert open_count(transport, server.origin) == 0


async def test_a_header_flood_is_refused(transport: Transport, server: Server) -> None:
    server.answer = say_and_wait(b"HTTP/1.1 200 OK\r\n" + b"name: value\r\n" * 20_000)
    with pytest.raises(ProtocolError):
        await fetch(transport, server.origin)


async def test_a_request_that_dies_without_an_answer_is_never_sent_again(
    transport: Transport, server: Server
) -> None:
    await fetch(transport, server.origin)
    server.answer = say_and_close(b"")
    with pytest.raises(BrokenConnectionError) as caught:
        await transport.send(server.origin, post(server.origin, b"x"), b"x", whole_bytes_max=10)
    assert caught.value.written
    assert len(server.requests) == 2
    assert open_count(transport, server.origin) == 0


async def test_a_body_over_the_limit_is_refused(transport: Transport, server: Server) -> None:
    server.answer = say(b"HTTP/1.1 200 OK\r\nContent-Length: 11\r\n\r\nhello world")
    with pytest.raises(ResponseTooLargeError):
        await transport.send(server.origin, get(server.origin), whole_bytes_max=10)
    response = await transport.send(server.origin, get(server.origin), whole_bytes_max=11)
    assert response.body == b"hello world"
    with pytest.raises(ResponseTooLargeError):
        await (await stream(transport, server.origin)).read_all(10)
    server.answer = say_and_wait(STREAM + b"b\r\nhello world\r\n")
    with pytest.raises(ResponseTooLargeError):
        await (await stream(transport, server.origin)).read_all(10)
    assert open_count(transport, server.origin) <= 1


# Time.


async def test_a_late_head_is_a_first_byte_timeout_even_if_it_trickles(
    transport: Transport, server: Server
) -> None:
    server.answer = say_and_wait(b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 200")
    with pytest.raises(FirstByteTimeoutError) as caught:
        await transport.send(server.origin, get(server.origin), first_byte_timeout_s=0.05)
    assert caught.value.written
    assert open_count(transport, server.origin) == 0


async def test_the_first_byte_timeout_ends_with_the_head(
    transport: Transport, server: Server
) -> None:
    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(STREAM)
        await asyncio.sleep(0.8)
        writer.write(b"2\r\nhi\r\n0\r\n\r\n")

    server.answer = answer
    response = await transport.send(server.origin, get(server.origin), first_byte_timeout_s=0.5)
    assert await response.read_all(10) == b"hi"


async def test_the_deadline_bounds_head_and_body(transport: Transport, server: Server) -> None:
    server.answer = say_and_wait(b"")
    with pytest.raises(DeadlineExceededError) as caught:
        await fetch(transport, server.origin, 0.05)
    assert caught.value.written
    server.answer = say_and_wait(STREAM + b"2\r\nhi\r\n")
    response = await stream(transport, server.origin, 0.5)
    assert await response.read() == b"hi"
    with pytest.raises(DeadlineExceededError):
        await response.read()
    assert open_count(transport, server.origin) == 0


async def test_a_shorter_deadline_holds_on_a_connection_that_served_a_longer_one(
    transport: Transport, server: Server
) -> None:
    await fetch(transport, server.origin, 600)
    server.answer = say_and_wait(b"")
    begun_s = asyncio.get_running_loop().time()
    with pytest.raises(DeadlineExceededError):
        await fetch(transport, server.origin, 0.05)
    assert asyncio.get_running_loop().time() - begun_s < 2


async def test_a_longer_deadline_outlasts_the_timer_of_a_shorter_one(
    transport: Transport, server: Server
) -> None:
    await fetch(transport, server.origin, 0.5)

    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(0.8)
        writer.write(HI)

    server.answer = answer
    assert (await fetch(transport, server.origin, 5)).body == b"hi"
    assert server.connections == 1


async def test_the_timer_of_a_shorter_deadline_looks_again_at_the_longer_one(
    transport: Transport, server: Server
) -> None:
    await fetch(transport, server.origin, 0.5)
    server.answer = say_and_wait(b"")
    with pytest.raises(DeadlineExceededError):
        async with asyncio.timeout(60):
            await fetch(transport, server.origin, 0.8)
    assert server.connections == 1


async def test_a_deadline_that_has_passed_writes_nothing(
    transport: Transport, server: Server
) -> None:
    await fetch(transport, server.origin)
    with pytest.raises(DeadlineExceededError) as caught:
        await fetch(transport, server.origin, -1)
    assert not caught.value.written
    assert len(server.requests) == 1


async def test_a_provider_that_stops_reading_is_a_write_stall(server: Server) -> None:
    async def deaf(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        cast("asyncio.Transport", writer.transport).pause_reading()
        await asyncio.sleep(30)

    listener = await asyncio.start_server(deaf, "127.0.0.1", 0)
    origin = Origin("http", "127.0.0.1", int(listener.sockets[0].getsockname()[1]))
    transport = Transport(TransportLimits(write_stall_timeout_s=0.1))
    body = b"x" * 30_000_000
    async with asyncio.timeout(60):
        with pytest.raises(WriteStallError) as caught:
            await transport.send(origin, post(origin, body), body, whole_bytes_max=10)
    assert caught.value.written
    listener.close()
    await transport.aclose()


async def test_an_answer_before_the_request_was_read_is_taken_and_the_connection_dropped() -> None:
    async def hasty(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(HI)
        await asyncio.sleep(30)

    listener = await asyncio.start_server(hasty, "127.0.0.1", 0)
    origin = Origin("http", "127.0.0.1", int(listener.sockets[0].getsockname()[1]))
    transport = Transport(LIMITS)
    body = b"x" * 30_000_000
    async with asyncio.timeout(60):
        response = await transport.send(origin, post(origin, body), body, whole_bytes_max=10)
    assert response.body == b"hi"
    assert open_count(transport, origin) == 0
    listener.close()
    await transport.aclose()


# Connecting.


async def test_a_refused_connection_is_a_connect_error(transport: Transport) -> None:
    with socket.create_server(("127.0.0.1", 0)) as listener:
        port = int(listener.getsockname()[1])
    origin = Origin("http", "127.0.0.1", port)
    with pytest.raises(ConnectError) as caught:
        await fetch(transport, origin)
    assert not caught.value.written
    assert open_count(transport, origin) == 0


@pytest.mark.parametrize(
    ("timeout_s", "kind"), [(5.0, ConnectTimeoutError), (0.02, DeadlineExceededError)]
)
async def test_a_connect_that_hangs_ends_at_its_own_limit_or_the_deadline(
    timeout_s: float, kind: type[TransportError]
) -> None:
    async def connector(_: Address) -> socket.socket:
        await asyncio.sleep(30)
        raise AssertionError

    transport = Transport(TransportLimits(connect_timeout_s=0.1), connector=connector)
    origin = Origin("http", "127.0.0.1", 1)
    with pytest.raises(kind) as caught:
        await fetch(transport, origin, timeout_s)
    assert not caught.value.written
    assert open_count(transport, origin) == 0
    await transport.aclose()


async def test_a_server_that_hangs_up_at_once_is_an_error_before_writing() -> None:
    async def hang_up(_: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    listener = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    origin = Origin("http", "127.0.0.1", int(listener.sockets[0].getsockname()[1]))
    transport = Transport(LIMITS)
    for _ in range(5):
        with pytest.raises((ConnectError, BrokenConnectionError)):
            await fetch(transport, origin)
    assert open_count(transport, origin) == 0
    listener.close()
    await transport.aclose()


# Cancellation.


async def test_a_cancelled_send_closes_its_connection(transport: Transport, server: Server) -> None:
    server.answer = say_and_wait(b"")
    sender = asyncio.create_task(fetch(transport, server.origin))
    await server.asked.wait()
    sender.cancel()
    with pytest.raises(asyncio.CancelledError):
        await sender
    assert open_count(transport, server.origin) == 0
    server.answer = say(HI)
    assert (await fetch(transport, server.origin)).body == b"hi"
    assert server.connections == 2


async def test_a_cancelled_read_closes_its_connection(transport: Transport, server: Server) -> None:
    server.answer = say_and_wait(STREAM)
    response = await stream(transport, server.origin)
    reader = asyncio.create_task(response.read())
    await asyncio.sleep(0.01)
    reader.cancel()
    with pytest.raises(asyncio.CancelledError):
        await reader
    assert open_count(transport, server.origin) == 0


async def test_a_cancelled_connect_leaves_no_place_taken(server: Server) -> None:
    async def connector(_: Address) -> socket.socket:
        await asyncio.sleep(30)
        raise AssertionError

    transport = Transport(TransportLimits(connections_per_origin_max=1), connector=connector)
    for _ in range(3):
        sender = asyncio.create_task(fetch(transport, server.origin))
        await asyncio.sleep(0.01)
        assert open_count(transport, server.origin) == 1
        sender.cancel()
        with pytest.raises(asyncio.CancelledError):
            await sender
    assert open_count(transport, server.origin) == 0
    await transport.aclose()


async def test_a_send_cancelled_just_as_its_answer_arrives_spares_the_next_one(
    transport: Transport, server: Server
) -> None:
    """The connection is back in the pool before the cancelled sender runs; it is not its own."""
    gate = asyncio.Event()

    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        await gate.wait()
        writer.write(HI)

    server.answer = answer
    sender = asyncio.create_task(fetch(transport, server.origin))
    await server.asked.wait()
    gate.set()
    lane = transport._pool.lanes[server.origin]
    while not lane.idle_count:
        await asyncio.sleep(0)
    was_done = sender.done()
    sender.cancel()
    if not was_done:
        with pytest.raises(asyncio.CancelledError):
            await sender
    assert (await fetch(transport, server.origin)).body == b"hi"
    assert server.connections == 1


async def test_a_response_closed_early_closes_its_connection(
    transport: Transport, server: Server
) -> None:
    server.answer = say_and_wait(STREAM + b"2\r\nhi\r\n")
    response = await stream(transport, server.origin)
    response.close()
    assert open_count(transport, server.origin) == 0
    with pytest.raises(BrokenConnectionError):
        await response.read()
    server.answer = say(HI)
    assert (await fetch(transport, server.origin)).body == b"hi"


# The pool.


async def test_no_more_connections_are_opened_than_allowed_and_those_who_wait_are_served_in_turn(
    server: Server,
) -> None:
    transport = Transport(TransportLimits(connections_per_origin_max=2))
    order: list[int] = []

    async def one(number: int) -> None:
        assert (await fetch(transport, server.origin)).body == b"hi"
        order.append(number)

    async with asyncio.timeout(60):
        await asyncio.gather(*[one(number) for number in range(40)])
    assert server.connections == 2
    # Nobody is passed by more than those who are under way: one connection may be slow.
    for place, number in enumerate(order):
        passed = set(range(number)) - set(order[:place])
        assert len(passed) <= 2
    assert transport._pool.waiting_count == 0
    await transport.aclose()


async def test_a_waiter_gets_the_place_of_a_connection_that_breaks(
    transport: Transport, server: Server
) -> None:
    server.answer = say_and_close(b"")
    outcomes = await asyncio.gather(
        *[fetch(transport, server.origin) for _ in range(4)], return_exceptions=True
    )
    assert all(isinstance(outcome, BrokenConnectionError) for outcome in outcomes)
    assert server.connections == 4
    assert open_count(transport, server.origin) == 0


async def test_too_many_who_wait_are_refused_at_once(transport: Transport, server: Server) -> None:
    server.answer = say_and_wait(b"")
    senders = [asyncio.create_task(fetch(transport, server.origin)) for _ in range(4)]
    await asyncio.sleep(0.05)
    with pytest.raises(PoolTimeoutError) as caught:
        await fetch(transport, server.origin)
    assert not caught.value.written
    for sender in senders:
        sender.cancel()
    await asyncio.gather(*senders, return_exceptions=True)
    assert open_count(transport, server.origin) == 0
    assert transport._pool.waiting_count == 0


@pytest.mark.parametrize(
    ("timeout_s", "kind"), [(5.0, PoolTimeoutError), (0.02, DeadlineExceededError)]
)
async def test_a_wait_for_a_connection_ends_at_its_own_limit_or_the_deadline(
    server: Server, timeout_s: float, kind: type[TransportError]
) -> None:
    transport = Transport(TransportLimits(connections_per_origin_max=1, pool_timeout_s=0.1))
    server.answer = say_and_wait(STREAM)
    response = await stream(transport, server.origin)
    with pytest.raises(kind) as caught:
        await fetch(transport, server.origin, timeout_s)
    assert not caught.value.written
    response.close()
    server.answer = say(HI)
    assert (await fetch(transport, server.origin)).body == b"hi"
    await transport.aclose()


async def test_what_was_granted_to_a_waiter_that_leaves_goes_to_the_next(
    transport: Transport, server: Server
) -> None:
    server.answer = say_and_wait(STREAM)
    responses = [await stream(transport, server.origin) for _ in range(2)]
    server.answer = say(HI)
    leaver = asyncio.create_task(fetch(transport, server.origin))
    stayer = asyncio.create_task(fetch(transport, server.origin))
    await asyncio.sleep(0.01)
    responses[0].close()  # grants its place to the leaver, who has not run yet
    leaver.cancel()
    assert (await stayer).body == b"hi"
    responses[1].close()
    assert open_count(transport, server.origin) == 1


async def test_a_closed_transport_breaks_off_and_refuses(server: Server) -> None:
    transport = Transport(TransportLimits(connections_per_origin_max=1))
    server.answer = say_and_wait(b"")
    running = asyncio.create_task(fetch(transport, server.origin))
    await server.asked.wait()
    waiting = asyncio.create_task(fetch(transport, server.origin))
    await asyncio.sleep(0.01)
    await transport.aclose()
    with pytest.raises(BrokenConnectionError):
        await running
    with pytest.raises(PoolTimeoutError):
        await waiting
    with pytest.raises(ConnectError):
        await fetch(transport, server.origin)
    assert open_count(transport, server.origin) == 0


async def test_the_books_balance_after_callers_leave_at_random(
    transport: Transport, server: Server
) -> None:
    randomness = random.Random(7)

    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(randomness.random() / 500)
        writer.write(randomness.choice([HI, HI + HI, STREAM + b"2\r\nhi\r\n0\r\n\r\n"]))

    server.answer = answer

    async def call() -> None:
        deadline_s = asyncio.get_running_loop().time() + 5
        response = await transport.send(server.origin, get(server.origin), deadline_s=deadline_s)
        assert await response.read_all(100) == b"hi"

    for _ in range(100):
        callers = [asyncio.create_task(call()) for _ in range(4)]
        await asyncio.sleep(randomness.random() / 200)
        for caller in randomness.sample(callers, randomness.randrange(4)):
            caller.cancel()
        outcomes = await asyncio.gather(*callers, return_exceptions=True)
        assert all(item is None or isinstance(item, asyncio.CancelledError) for item in outcomes)
    lane = transport._pool.lanes.get(server.origin)
    assert lane is None or lane.open_count == lane.idle_count == len(lane._connections) <= 2
    assert transport._pool.waiting_count == 0


# What the caller sees.


async def test_the_caller_hears_of_the_write_before_it_happens_and_only_then(
    transport: Transport, server: Server
) -> None:
    heard: list[int] = []
    await transport.send(
        server.origin,
        get(server.origin),
        whole_bytes_max=10,
        on_written=lambda: heard.append(len(server.requests)),
    )
    assert heard == [0]
    with pytest.raises(ConnectError):
        await transport.send(
            Origin("http", "127.0.0.1", 1), b"", on_written=lambda: heard.append(9)
        )
    assert heard == [0]


async def test_a_caller_that_fails_at_the_write_sends_nothing(
    transport: Transport, server: Server
) -> None:
    def fail() -> None:
        raise RuntimeError("no room in the journal")

    with pytest.raises(RuntimeError):
        await transport.send(server.origin, get(server.origin), on_written=fail)
    assert server.requests == []
    assert open_count(transport, server.origin) == 0


async def test_a_slow_reader_of_a_large_stream_keeps_few_bytes_waiting(server: Server) -> None:
    size = 50_000_000
    piece = b"x" * 1_000_000

    async def answer(_: bytes, writer: asyncio.StreamWriter) -> None:
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % size)
        for _part in range(size // len(piece)):
            writer.write(piece)
            await writer.drain()

    server.answer = answer
    limits = TransportLimits(buffered_bytes_high=262_144)
    transport = Transport(limits)
    response = await stream(transport, server.origin, 120)
    peak = 0
    total = 0
    while not response.complete or response.buffered_bytes:
        await asyncio.sleep(0.001)
        peak = max(peak, response.buffered_bytes)
        total += len(response.take())
    assert total == size
    # One read may overshoot the mark; loops read 256 KiB at most at a time.
    assert peak <= limits.buffered_bytes_high + 262_144
    server.answer = say(HI)
    assert (await fetch(transport, server.origin)).body == b"hi"
    assert server.connections == 1
    await transport.aclose()
