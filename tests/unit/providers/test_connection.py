"""The bytes of an answer, however they are cut into reads, come out the same."""

import asyncio
import socket
from collections.abc import Iterator
from itertools import pairwise
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tollbridge.providers.connection import Connection
from tollbridge.providers.failures import ProtocolError, TransportError
from tollbridge.providers.limits import TransportLimits
from tollbridge.providers.response import Response

OK = b"HTTP/1.1 200 OK\r\n"
CHUNKED = OK + b"Transfer-Encoding: chunked\r\nX-A: 1\r\nx-a: 2\r\nEmpty:\r\n\r\n"
ANSWERS = {
    "length": OK + b"Content-Length: 11\r\n\r\nhello world",
    "empty": OK + b"Content-Length: 0\r\n\r\n",
    "no content": b"HTTP/1.1 204 No Content\r\n\r\n",
    "chunked": CHUNKED + b"5\r\nhello\r\n6;ext=1\r\n world\r\n0\r\nTrailer: t\r\n\r\n",
    "to the end of file": OK + b"\r\nhello world",
    "closing": OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nhi",
    "old": b"HTTP/1.0 200 OK\r\nContent-Length: 2\r\n\r\nhi",
    "interim": b"HTTP/1.1 100 Continue\r\n\r\nHTTP/1.1 103 Early Hints\r\nLink: x\r\n\r\n"
    + OK
    + b"Content-Length: 2\r\n\r\nhi",
    "surplus": OK + b"Content-Length: 2\r\n\r\nhi" + OK + b"Content-Length: 2\r\n\r\nno",
    "garbage behind": OK + b"Content-Length: 2\r\n\r\nhi!!!",
    "behind a close": OK + b"Connection: close\r\nContent-Length: 2\r\n\r\nhi!!!",
    "behind chunks": CHUNKED + b"2\r\nhi\r\n0\r\n\r\nHTTP/1.1 200 OK\r\n",
    "truncated length": OK + b"Content-Length: 12\r\n\r\nhello world",
    "truncated before a close": OK + b"Connection: close\r\nContent-Length: 3\r\n\r\nhi",
    "truncated chunks before a close": OK
    + b"Connection: close\r\nTransfer-Encoding: chunked\r\n\r\n2\r\nhi\r\n",
    "truncated chunk": CHUNKED + b"5\r\nhel",
    "no last chunk": CHUNKED + b"5\r\nhello\r\n",
    "no trailer end": CHUNKED + b"5\r\nhello\r\n0\r\n",
    "truncated head": OK + b"Content-Length: 12\r\n",
    "nothing": b"",
    "bad chunk size": CHUNKED + b"5\r\nhello\r\nzz\r\nworld\r\n0\r\n\r\n",
    "not http": b"SSH-2.0-OpenSSH_9.2\r\n",
    "two lengths": OK + b"Content-Length: 2\r\nContent-Length: 3\r\n\r\nhi!",
    "length and chunks": OK + b"Content-Length: 2\r\nTransfer-Encoding: chunked\r\n\r\nhi",
    "another coding": OK + b"Transfer-Encoding: gzip, chunked\r\n\r\n2\r\nhi\r\n0\r\n\r\n",
    "upgrade": b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: x\r\nConnection: upgrade\r\n\r\nhi",
    "bare upgrade": b"HTTP/1.1 101 Switching Protocols\r\n\r\nhi",
    "bare line feeds": b"HTTP/1.1 200 OK\nContent-Length: 2\n\nhi",
    "too many headers": OK + b"a: b\r\n" * 20 + b"\r\n",
}


class Wire(asyncio.Transport):
    """A transport that only keeps notes."""

    def __init__(self, sock: socket.socket) -> None:
        super().__init__({"socket": sock})
        self.paused = False

    def set_write_buffer_limits(self, high: int | None = None, low: int | None = None) -> None:
        pass

    def write(self, data: Any) -> None:
        pass

    def is_closing(self) -> bool:
        return False

    def abort(self) -> None:
        pass

    def close(self) -> None:
        pass

    def pause_reading(self) -> None:
        assert not self.paused
        self.paused = True

    def resume_reading(self) -> None:
        assert self.paused
        self.paused = False


class Books:
    """A keeper that only counts."""

    def __init__(self) -> None:
        self.released = 0
        self.forgotten = 0

    def release(self, connection: Connection) -> None:
        assert not connection.closed
        self.released += 1

    def forget(self, connection: Connection) -> None:
        assert connection.closed
        self.forgotten += 1


class Bench:
    """One connection between a wire and books, with a request under way."""

    def __init__(self, loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
        self.limits = TransportLimits(
            header_count_max=10, header_bytes_max=1000, buffered_bytes_high=100
        )
        self.loop = loop
        self.wire = Wire(sock)
        self.books = Books()
        self.connection = Connection(loop, self.limits, self.books, 0.0)
        self.connection.connection_made(self.wire)

    def begin(self, whole_bytes_max: int | None = None) -> Response:
        response = Response(self.connection, self.loop.create_future(), whole_bytes_max)
        self.connection.begin(response, b"GET / HTTP/1.1\r\n\r\n", b"", 1e12, 1e12)
        return response

    def outcome(self, pieces: list[bytes], *, whole: bool) -> tuple[object, ...]:
        """Feed the pieces, then the end of file; return all that can be seen of it."""
        response = self.begin(1000 if whole else None)
        body = b""
        for piece in pieces:
            if not self.connection.closed:
                self.connection.data_received(piece)
                body += response.take()
        reusable = not self.connection.closed and self.books.released == 1
        if not self.connection.closed:
            self.connection.eof_received()
        assert self.connection.closed
        assert self.books.forgotten == 1
        body += response.body
        failure = failure_of(response)
        return response.status, response.headers, body, failure, response.complete, reusable


def failure_of(response: Response) -> str:
    try:
        response.raise_failure()
    except TransportError as error:
        return f"{type(error).__name__} {'after' if error.written else 'before'} writing"
    return ""


@pytest.fixture(scope="module")
def loop() -> Iterator[asyncio.AbstractEventLoop]:
    loop = asyncio.new_event_loop()
    yield loop
    loop.close()


@pytest.fixture(scope="module")
def sock() -> Iterator[socket.socket]:
    with socket.socket() as sock:
        yield sock


EXPECTED: dict[str, tuple[int, bytes, str, bool]] = {
    "length": (200, b"hello world", "", True),
    "empty": (200, b"", "", True),
    "no content": (204, b"", "", True),
    "chunked": (200, b"hello world", "", True),
    "to the end of file": (200, b"hello world", "", False),
    "closing": (200, b"hi", "", False),
    "old": (200, b"hi", "", False),
    "interim": (200, b"hi", "", True),
    "surplus": (200, b"hi", "", False),
    "garbage behind": (200, b"hi", "", False),
    "behind a close": (200, b"hi", "", False),
    "behind chunks": (200, b"hi", "", False),
    "truncated length": (200, b"hello world", "TruncatedError", False),
    "truncated before a close": (200, b"hi", "TruncatedError", False),
    "truncated chunks before a close": (200, b"hi", "TruncatedError", False),
    "truncated chunk": (200, b"hel", "TruncatedError", False),
    "no last chunk": (200, b"hello", "TruncatedError", False),
    "no trailer end": (200, b"hello", "TruncatedError", False),
    "truncated head": (0, b"", "BrokenConnectionError", False),
    "nothing": (0, b"", "BrokenConnectionError", False),
    "bad chunk size": (200, b"hello", "ProtocolError", False),
    "not http": (0, b"", "ProtocolError", False),
    "two lengths": (0, b"", "ProtocolError", False),
    "length and chunks": (0, b"", "ProtocolError", False),
    "another coding": (0, b"", "ProtocolError", False),
    "upgrade": (0, b"", "ProtocolError", False),
    "bare upgrade": (0, b"", "ProtocolError", False),
    "bare line feeds": (0, b"", "ProtocolError", False),
    "too many headers": (0, b"", "ProtocolError", False),
}


@pytest.mark.parametrize("name", ANSWERS)
def test_each_kind_of_answer_ends_as_the_standard_says(
    name: str, loop: asyncio.AbstractEventLoop, sock: socket.socket
) -> None:
    status, _, body, failure, complete, reusable = Bench(loop, sock).outcome(
        [ANSWERS[name]], whole=False
    )
    expected_failure = EXPECTED[name][2] and f"{EXPECTED[name][2]} after writing"
    assert (status, body, failure) == (*EXPECTED[name][:2], expected_failure)
    assert reusable is EXPECTED[name][3]
    assert complete is (not expected_failure)


@settings(deadline=None)  # a shared machine's pauses are no failure
@given(
    name=st.sampled_from(sorted(ANSWERS)),
    cuts=st.lists(st.integers(0, 200), max_size=12),
    whole=st.booleans(),
)
def test_any_cut_of_the_same_bytes_yields_the_same_outcome(
    loop: asyncio.AbstractEventLoop,
    sock: socket.socket,
    name: str,
    cuts: list[int],
    whole: bool,  # noqa: FBT001 - hypothesis hands parameters by name
) -> None:
    answer = ANSWERS[name]
    ends = [0, *sorted(cut for cut in cuts if cut < len(answer)), len(answer)]
    pieces = [answer[a:b] for a, b in pairwise(ends) if a < b]
    uncut = Bench(loop, sock).outcome([answer] if answer else [], whole=whole)
    assert Bench(loop, sock).outcome(pieces, whole=whole) == uncut


def test_header_names_are_lowercase_and_repeated_ones_keep_their_order(
    loop: asyncio.AbstractEventLoop, sock: socket.socket
) -> None:
    bench = Bench(loop, sock)
    response = bench.begin()
    bench.connection.data_received(CHUNKED)
    assert response.headers[1:] == [(b"x-a", b"1"), (b"x-a", b"2"), (b"empty", b"")]
    assert response.header(b"x-a") == b"1"
    assert response.header(b"none") is None
    bench.connection.abandon()


@pytest.mark.parametrize("piece_bytes", [10, 500, 5000])
@pytest.mark.parametrize(
    "flood",
    [
        OK + b"x: " + b"y" * 12000,
        OK + b"x: " + b"y" * 12000 + b"\r\nContent-Length: 0\r\n\r\n",
        OK + b"y" * 12000,
        b"HTTP/1.1 100 Continue\r\n\r\n" * 600,
        CHUNKED + b"1\r\na\r\n0\r\n" + b"x: " + b"y" * 12000,
        CHUNKED + b"1;" + b"e" * 12000,
    ],
)
def test_a_flood_without_a_body_is_refused_before_it_ends(
    flood: bytes, piece_bytes: int, loop: asyncio.AbstractEventLoop, sock: socket.socket
) -> None:
    bench = Bench(loop, sock)
    response = bench.begin()
    for at in range(0, len(flood), piece_bytes):
        if bench.connection.closed:
            break
        bench.connection.data_received(flood[at : at + piece_bytes])
    with pytest.raises(ProtocolError):
        response.raise_failure()
    assert bench.books.forgotten == 1


def test_trailers_are_dropped(loop: asyncio.AbstractEventLoop, sock: socket.socket) -> None:
    bench = Bench(loop, sock)
    response = bench.begin(100)
    bench.connection.data_received(ANSWERS["chunked"])
    assert response.complete
    assert response.header(b"trailer") is None


def test_a_head_over_the_limit_is_refused_even_if_one_read_brings_all_of_it(
    loop: asyncio.AbstractEventLoop, sock: socket.socket
) -> None:
    bench = Bench(loop, sock)
    response = bench.begin()
    bench.connection.data_received(OK + b"x: " + b"y" * 1000 + b"\r\nContent-Length: 0\r\n\r\n")
    with pytest.raises(ProtocolError):
        response.raise_failure()
    bench = Bench(loop, sock)
    response = bench.begin(5000)
    bench.connection.data_received(OK + b"Content-Length: 2000\r\n\r\n" + b"x" * 2000)
    assert len(response.body) == 2000  # a large body in the same read is no large head


def test_reading_pauses_over_the_mark_once_and_goes_on_when_taken(
    loop: asyncio.AbstractEventLoop, sock: socket.socket
) -> None:
    bench = Bench(loop, sock)
    response = bench.begin()
    bench.connection.data_received(OK + b"Content-Length: 400\r\n\r\n" + b"x" * 100)
    assert not bench.wire.paused
    bench.connection.data_received(b"x" * 100)
    assert bench.wire.paused
    bench.connection.data_received(b"x" * 100)  # was on its way already
    assert len(response.take()) == 300
    assert not bench.wire.paused
    bench.connection.data_received(b"x" * 100)
    assert response.complete
    assert bench.books.released == 1


def test_a_message_that_ends_while_paused_leaves_its_connection_reading(
    loop: asyncio.AbstractEventLoop, sock: socket.socket
) -> None:
    bench = Bench(loop, sock)
    response = bench.begin()
    bench.connection.data_received(OK + b"Content-Length: 200\r\n\r\n" + b"x" * 200)
    assert response.complete
    assert not bench.wire.paused
    assert len(response.take()) == 200
    assert not bench.wire.paused


def test_closing_a_finished_response_leaves_the_next_one_alone(
    loop: asyncio.AbstractEventLoop, sock: socket.socket
) -> None:
    bench = Bench(loop, sock)
    first = bench.begin(100)
    bench.connection.data_received(ANSWERS["length"])
    second = bench.begin(100)
    first.close()
    bench.connection.data_received(ANSWERS["length"])
    assert second.body == b"hello world"
    assert not bench.connection.closed
