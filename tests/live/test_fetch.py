"""Fetching what others named, from servers on loopback and names that are scripted."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager

import pytest

from tollbridge.core.clock import ManualClock
from tollbridge.core.errors import InvalidRequestError
from tollbridge.providers.fetch import Fetcher, FetchFailedError, FetchLimits, is_public
from tollbridge.providers.limits import TransportLimits
from tollbridge.providers.resolver import Address, CachingResolver


class Names:
    """A scripted resolver: each look-up of a name gives its next meaning."""

    def __init__(self, meanings: dict[str, list[list[str]]]) -> None:
        self._meanings = meanings
        self.asked: list[str] = []

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        self.asked.append(host)
        found = self._meanings.get(host)
        if found is None:
            raise OSError(f"{host} is not known")
        meaning = found.pop(0) if len(found) > 1 else found[0]
        return [
            Address(socket.AF_INET6, (one, port, 0, 0))
            if ":" in one
            else Address(socket.AF_INET, (one, port))
            for one in meaning
        ]

    def forget(self, host: str, port: int) -> None:
        """Keep to the script."""


class Server:
    """Answers each path with what it was told; counts what it was asked."""

    def __init__(self, answers: dict[str, bytes]) -> None:
        self.answers = answers
        self.paths: list[str] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while head := await reader.readuntil(b"\r\n\r\n"):
                path = head.split(b" ", 2)[1].decode()
                self.paths.append(path)
                writer.write(self.answers[path])
                await writer.drain()
        except (asyncio.IncompleteReadError, ConnectionError):
            pass
        finally:
            writer.close()


def ok(data: bytes, kind: str = "image/png") -> bytes:
    head = f"HTTP/1.1 200 OK\r\ncontent-type: {kind}\r\ncontent-length: {len(data)}\r\n\r\n"
    return head.encode() + data


def to(location: str, status: int = 302) -> bytes:
    return f"HTTP/1.1 {status} Go\r\nlocation: {location}\r\ncontent-length: 0\r\n\r\n".encode()


@asynccontextmanager
async def serving(**answers: bytes) -> AsyncGenerator[Server]:
    server = Server({f"/{path}": answer for path, answer in answers.items()})
    listening = await asyncio.start_server(server.serve, "127.0.0.1", 0)
    server.port = listening.sockets[0].getsockname()[1]
    try:
        yield server
    finally:
        listening.close()


@asynccontextmanager
async def fetching(
    names: Names | CachingResolver, *private_hosts: str, **limits: float
) -> AsyncGenerator[Fetcher]:
    bounds = FetchLimits(private_hosts=private_hosts, timeout_s=limits.get("timeout_s", 5.0))
    fetcher = Fetcher(names, bounds)
    try:
        yield fetcher
    finally:
        await fetcher.aclose()


def real_names() -> CachingResolver:
    return CachingResolver(TransportLimits(), ManualClock())


PUBLIC = "93.184.216.34"


async def test_what_lies_at_an_allowed_host_is_fetched() -> None:
    async with (
        serving(a=ok(b"\x89PNG")) as server,
        fetching(real_names(), "127.0.0.1") as fetcher,
    ):
        fetched = await fetcher.fetch(f"http://127.0.0.1:{server.port}/a")
        assert (fetched.data, fetched.content_type) == (b"\x89PNG", "image/png")
        await fetcher.check_url(f"http://127.0.0.1:{server.port}/a")


async def test_a_host_may_be_allowed_with_one_port_only() -> None:
    async with serving(a=ok(b"1")) as server, serving(a=ok(b"2")) as other:
        async with fetching(real_names(), f"127.0.0.1:{server.port}") as fetcher:
            assert (await fetcher.fetch(f"http://127.0.0.1:{server.port}/a")).data == b"1"
            with pytest.raises(InvalidRequestError):
                await fetcher.fetch(f"http://127.0.0.1:{other.port}/a")
        assert other.paths == []


@pytest.mark.parametrize(
    "host",
    [
        "127.0.0.1",
        "127.1",
        "2130706433",
        "0x7f000001",
        "0177.0.0.1",
        "0.0.0.0",
        "10.1.2.3",
        "172.16.0.1",
        "192.168.1.1",
        "169.254.169.254",
        "100.64.0.1",
        "100.100.100.200",
        "168.63.129.16",
        "192.0.0.192",
        "198.18.0.1",
        "224.0.0.1",
        "255.255.255.255",
        "[::1]",
        "[::]",
        "[::ffff:127.0.0.1]",
        "[::ffff:10.0.0.1]",
        "[::127.0.0.1]",
        "[fd00:ec2::254]",
        "[fe80::1]",
        "[ff02::1]",
        "[64:ff9b::7f00:1]",
        "[64:ff9b:1::1]",
        "[2002:7f00:1::]",
        "[2001:0:0:0:0:0:0:1]",
    ],
)
async def test_an_address_of_our_own_network_is_refused_however_it_is_written(host: str) -> None:
    async with fetching(real_names()) as fetcher:
        for ask in (fetcher.check_url, fetcher.fetch):
            with pytest.raises(InvalidRequestError) as caught:
                await ask(f"http://{host}:9/x", "image")
            assert caught.value.status == 400
            assert caught.value.details["param"] == "image"


@pytest.mark.parametrize("address", [PUBLIC, "1.1.1.1", "2606:4700::1111", "64:ff9b::5db8:d822"])
def test_an_address_of_the_open_internet_is_public(address: str) -> None:
    assert is_public(address)


@pytest.mark.parametrize(
    "url",
    [
        "ftp://h/a",
        "file:///etc/passwd",
        "gopher://h/",
        "http://",
        "/relative",
        "http://user:secret@h/",
        "http://h:99999/",
        "http://h/a b",
        "http://h/\r\nx: y",
        "http://[::1",
        "http://h/" + "a" * 9000,
    ],
)
async def test_what_is_no_plain_web_address_is_refused(url: str) -> None:
    async with fetching(Names({"h": [[PUBLIC]]})) as fetcher:
        with pytest.raises(InvalidRequestError):
            await fetcher.fetch(url)


async def test_a_name_that_leads_inside_is_refused_even_beside_public_addresses() -> None:
    names = Names({"a": [["10.0.0.1"]], "b": [[PUBLIC, "127.0.0.1"]], "c": [["::ffff:10.0.0.1"]]})
    async with fetching(names) as fetcher:
        for host in ("a", "b", "c", "unknown"):
            with pytest.raises(InvalidRequestError):
                await fetcher.check_url(f"https://{host}/x")


async def test_a_name_that_changes_its_meaning_is_refused_where_it_is_dialled() -> None:
    """Public when it was checked, our own when it is fetched: nobody is asked."""
    async with serving(a=ok(b"secret")) as server:
        names = Names({"rebinding": [[PUBLIC], ["127.0.0.1"]]})
        async with fetching(names) as fetcher:
            url = f"http://rebinding:{server.port}/a"
            await fetcher.check_url(url)
            with pytest.raises(InvalidRequestError):
                await fetcher.fetch(url)
        assert server.paths == []


async def test_a_redirect_is_followed_and_each_step_is_checked() -> None:
    async with (
        serving(a=to("/b"), b=to("b2", 307), b2=ok(b"here")) as server,
        fetching(real_names(), "127.0.0.1") as fetcher,
    ):
        fetched = await fetcher.fetch(f"http://127.0.0.1:{server.port}/a")
        assert fetched.data == b"here"
        assert fetched.url.endswith("/b2")


@pytest.mark.parametrize(
    "location",
    ["http://169.254.169.254/latest", "http://inside/x", "file:///etc/passwd", "//10.0.0.1/"],
)
async def test_a_redirect_inside_is_refused(location: str) -> None:
    literal = {"169.254.169.254": [["169.254.169.254"]], "10.0.0.1": [["10.0.0.1"]]}
    names = Names({"allowed": [["127.0.0.1"]], "inside": [["10.0.0.1"]], **literal})
    async with serving(a=to(location)) as server, fetching(names, "allowed") as fetcher:
        with pytest.raises(InvalidRequestError):
            await fetcher.fetch(f"http://allowed:{server.port}/a")
        assert server.paths == ["/a"]


async def test_redirects_are_followed_three_times_at_most() -> None:
    async with (
        serving(a=to("/b"), b=to("/c"), c=to("/d"), d=ok(b"1"), e=to("/a")) as server,
        fetching(real_names(), "127.0.0.1") as fetcher,
    ):
        base = f"http://127.0.0.1:{server.port}"
        assert (await fetcher.fetch(f"{base}/a")).data == b"1"
        with pytest.raises(FetchFailedError):
            await fetcher.fetch(f"{base}/e")


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 404 No\r\ncontent-length: 0\r\n\r\n",
        b"HTTP/1.1 302 Go\r\ncontent-length: 0\r\n\r\n",
        ok(b"x" * 101),
        b"HTTP/1.1 200 OK\r\ncontent-encoding: gzip\r\ncontent-length: 1\r\n\r\n1",
        b"nonsense\r\n\r\n",
    ],
)
async def test_what_cannot_be_fetched_says_why(answer: bytes) -> None:
    async with (
        serving(a=answer) as server,
        fetching(real_names(), "127.0.0.1") as fetcher,
    ):
        with pytest.raises(FetchFailedError):
            await fetcher.fetch(f"http://127.0.0.1:{server.port}/a", bytes_max=100)


async def test_a_fetch_ends_in_its_time() -> None:
    async with (
        serving(a=b"") as server,
        fetching(real_names(), "127.0.0.1", timeout_s=0.2) as fetcher,
    ):
        with pytest.raises(FetchFailedError):
            async with asyncio.timeout(5):
                await fetcher.fetch(f"http://127.0.0.1:{server.port}/a")
