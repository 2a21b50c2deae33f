"""Addresses that others name: into a private network leads no name and no redirect."""

import asyncio
import socket
from collections.abc import AsyncGenerator, Sequence

import pytest

from tests.support.raw_provider import RawProvider, answer, running_raw_provider
from tollbridge.core.errors import InvalidRequestError
from tollbridge.jobs.outside import Outside
from tollbridge.providers.fetch import FetchFailedError
from tollbridge.providers.limits import TransportLimits
from tollbridge.providers.origin import Origin
from tollbridge.providers.resolver import Address
from tollbridge.providers.transport import Transport

LIMITS = TransportLimits()
KEY = (b"authorization", b"Bearer secret")


class Names:
    """What names mean, each time they are looked up: the last meaning stays."""

    def __init__(self, **meanings: Sequence[str]) -> None:
        self.meanings = {name.replace("_", "."): list(one) for name, one in meanings.items()}

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        known = self.meanings.get(host, [host])
        address = known.pop(0) if len(known) > 1 else known[0]
        return (Address(socket.AF_INET, (address, port)),)

    def forget(self, host: str, port: int) -> None:
        """Nothing is remembered."""


@pytest.fixture
async def server() -> AsyncGenerator[RawProvider]:
    async with running_raw_provider() as found:
        yield found


def outside_of(names: Names, *private: str) -> Outside:
    return Outside(Transport(LIMITS, resolver=names), names, LIMITS, private)


def soon() -> float:
    return asyncio.get_running_loop().time() + 5


@pytest.mark.parametrize(
    "url",
    [
        "http://127.0.0.1/x",
        "http://10.0.0.7/x",
        "http://169.254.169.254/latest",
        "http://inside.example/x",
        "ftp://files.example/x",
        "http://user:word@files.example/x",
    ],
)
async def test_an_address_that_leads_inside_is_not_reached(url: str) -> None:
    outside = outside_of(Names(inside_example=["192.168.1.4"]))
    with pytest.raises(InvalidRequestError):
        await outside.check(url, "webhook_url")
    with pytest.raises(FetchFailedError):
        await outside.get(url, soon())
    with pytest.raises(FetchFailedError):
        await outside.post(url, (), b"{}", soon())


async def test_a_name_that_means_something_else_a_moment_later_is_still_not_reached() -> None:
    outside = outside_of(Names(moving_example=["93.184.216.34", "127.0.0.1"]))
    await outside.check("http://moving.example/x", "webhook_url")
    with pytest.raises(FetchFailedError):
        await outside.post("http://moving.example/x", (), b"{}", soon())


async def test_a_redirect_leads_no_further_than_an_address_may(server: RawProvider) -> None:
    server.answers["film"] = (
        b"HTTP/1.1 302 X\r\nlocation: http://127.0.0.2:1/inside\r\ncontent-length: 0\r\n\r\n"
    )
    outside = outside_of(Names(), "127.0.0.1")
    with pytest.raises(FetchFailedError):
        await outside.get(f"{server.url}/film", soon())


async def test_credentials_go_to_the_endpoint_that_named_the_address_and_to_nobody_else(
    server: RawProvider,
) -> None:
    server.answers["film"] = answer(b"bytes", content_type="video/mp4")
    outside = outside_of(Names())
    near = Origin.parse(server.url)
    response = await outside.get(f"{server.url}/film", soon(), near, (KEY,))
    assert await response.read_all(100) == b"bytes"
    assert b"authorization: Bearer secret" in server.received[0]
    other = outside_of(Names(), "127.0.0.1")
    response = await other.get(
        f"{server.url}/film", soon(), Origin.parse("http://p.example"), (KEY,)
    )
    response.close()
    assert b"authorization" not in server.received[1]
