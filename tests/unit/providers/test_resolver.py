import asyncio
import socket

import pytest

from tollbridge.core.clock import ManualClock
from tollbridge.providers.connect import connect_first
from tollbridge.providers.limits import TransportLimits
from tollbridge.providers.resolver import Address, CachingResolver, alternate

FIRST = Address(socket.AF_INET6, ("2001:db8::1", 443, 0, 0))
SECOND = Address(socket.AF_INET6, ("2001:db8::2", 443, 0, 0))
THIRD = Address(socket.AF_INET, ("192.0.2.1", 443))


def test_families_take_turns_and_the_first_ones_stays_first() -> None:
    assert list(alternate([FIRST, SECOND, THIRD])) == [FIRST, THIRD, SECOND]
    assert list(alternate([THIRD])) == [THIRD]
    assert list(alternate([])) == []


async def test_an_address_literal_needs_no_lookup() -> None:
    resolver = CachingResolver(TransportLimits(), ManualClock())
    assert list(await resolver.resolve("192.0.2.1", 443)) == [THIRD]
    assert list(await resolver.resolve("2001:db8::1", 443)) == [FIRST]


async def test_a_name_is_looked_up_once_until_the_cache_ends() -> None:
    clock = ManualClock()
    resolver = CachingResolver(TransportLimits(dns_cache_s=30.0), clock)
    first, same = await asyncio.gather(
        resolver.resolve("localhost", 80), resolver.resolve("localhost", 80)
    )
    assert first is same
    clock.advance(29.9)
    assert await resolver.resolve("localhost", 80) is first
    clock.advance(0.1)
    assert await resolver.resolve("localhost", 80) is not first


async def test_a_forgotten_name_is_looked_up_anew() -> None:
    resolver = CachingResolver(TransportLimits(), ManualClock())
    first = await resolver.resolve("localhost", 80)
    resolver.forget("localhost", 80)
    assert await resolver.resolve("localhost", 80) is not first


async def test_the_cache_holds_no_more_names_than_its_limit() -> None:
    resolver = CachingResolver(TransportLimits(dns_cache_names_max=1), ManualClock())
    first = await resolver.resolve("localhost", 80)
    await resolver.resolve("localhost", 81)
    assert await resolver.resolve("localhost", 80) is not first


async def test_one_who_leaves_during_a_lookup_does_not_spoil_it_for_the_others() -> None:
    resolver = CachingResolver(TransportLimits(), ManualClock())
    leaver = asyncio.create_task(resolver.resolve("localhost", 80))
    stayer = asyncio.create_task(resolver.resolve("localhost", 80))
    await asyncio.sleep(0)
    leaver.cancel()
    assert await asyncio.wait_for(stayer, 5)


async def test_a_dead_first_address_delays_by_the_stagger_alone_and_is_given_up() -> None:
    cancelled: list[Address] = []

    async def connector(address: Address) -> socket.socket:
        if address == THIRD:
            return socket.socket()
        try:
            await asyncio.sleep(60)
        except asyncio.CancelledError:
            cancelled.append(address)
            raise
        raise AssertionError

    begun = asyncio.get_running_loop().time()
    sock = await connect_first([FIRST, THIRD], connector, 0.05)
    took_s = asyncio.get_running_loop().time() - begun
    sock.close()
    assert 0.04 <= took_s < 1
    assert cancelled == [FIRST]


async def test_an_address_that_refuses_is_followed_by_the_next_at_once() -> None:
    async def connector(address: Address) -> socket.socket:
        if address == THIRD:
            return socket.socket()
        raise ConnectionRefusedError

    async with asyncio.timeout(5):
        (await connect_first([FIRST, SECOND, THIRD], connector, 60)).close()


async def test_when_all_addresses_fail_the_last_error_is_raised() -> None:
    async def connector(address: Address) -> socket.socket:
        raise OSError(str(address.sockaddr[0]))

    with pytest.raises(OSError, match=r"192\.0\.2\.1"):
        await connect_first([FIRST, THIRD], connector, 60)


async def test_two_that_answer_together_leave_one_open_socket() -> None:
    opened: list[socket.socket] = []
    gate = asyncio.Event()

    async def connector(address: Address) -> socket.socket:
        await gate.wait()
        opened.append(socket.socket())
        return opened[-1]

    attempt = asyncio.create_task(connect_first([FIRST, THIRD], connector, 0.01))
    await asyncio.sleep(0.05)
    gate.set()
    sock = await asyncio.wait_for(attempt, 5)
    assert [item is sock for item in opened if item.fileno() != -1] == [True]
    sock.close()
