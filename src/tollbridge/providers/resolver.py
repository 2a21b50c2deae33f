"""Which addresses does a name have?"""

import asyncio
import ipaddress
import socket
from collections.abc import Sequence
from typing import Protocol

import msgspec

from tollbridge.core.clock import Clock
from tollbridge.providers.limits import TransportLimits


class Address(msgspec.Struct, frozen=True):
    """One address to connect to, as `socket.connect` takes it."""

    family: socket.AddressFamily
    sockaddr: tuple[str | int | bytes, ...]


class Resolver(Protocol):
    """A source of addresses; tests hand in one that they script."""

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        """Return addresses in the order of preference, at least one; raises OSError."""
        ...

    def forget(self, host: str, port: int) -> None:
        """Look the name up anew next time: none of its addresses answered."""
        ...


class CachingResolver:
    """The system's resolver, off the loop, each name asked for once in `dns_cache_s`."""

    def __init__(self, limits: TransportLimits, clock: Clock) -> None:
        self._limits = limits
        self._clock = clock
        self._found: dict[tuple[str, int], tuple[float, Sequence[Address]]] = {}
        self._lookups: dict[tuple[str, int], asyncio.Task[Sequence[Address]]] = {}

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        """Return the addresses of a name, both families alternating; raises OSError."""
        literal = _literal(host, port)
        if literal is not None:
            return (literal,)
        key = (host, port)
        known = self._found.get(key)
        if known is not None and self._clock.monotonic_s() < known[0]:
            return known[1]
        lookup = self._lookups.get(key)
        if lookup is None:
            lookup = self._lookups[key] = asyncio.create_task(self._look_up(host, port))
        # The others who wait for the same name must not suffer when one of them leaves.
        return await asyncio.shield(lookup)

    def forget(self, host: str, port: int) -> None:
        """Look the name up anew next time."""
        self._found.pop((host, port), None)

    async def _look_up(self, host: str, port: int) -> Sequence[Address]:
        key = (host, port)
        try:
            found = await asyncio.get_running_loop().getaddrinfo(
                host, port, type=socket.SOCK_STREAM
            )
            addresses = alternate(
                [
                    Address(family, sockaddr)
                    for family, _, _, _, sockaddr in found
                    if family in {socket.AF_INET, socket.AF_INET6}
                ]
            )
        finally:
            del self._lookups[key]
        if not addresses:
            raise OSError(f"{host} has no address")
        if len(self._found) >= self._limits.dns_cache_names_max:
            del self._found[next(iter(self._found))]
        self._found[key] = (self._clock.monotonic_s() + self._limits.dns_cache_s, addresses)
        return addresses


def alternate(addresses: Sequence[Address]) -> Sequence[Address]:
    """Return addresses with their families in turn, the first one's first (RFC 8305 4)."""
    first = [item for item in addresses if item.family == addresses[0].family]
    second = [item for item in addresses if item.family != addresses[0].family]
    pairs = min(len(first), len(second))
    mixed = [item for pair in zip(first, second, strict=False) for item in pair]
    return (*mixed, *first[pairs:], *second[pairs:])


def _literal(host: str, port: int) -> Address | None:
    try:
        address = ipaddress.ip_address(host)
    except ValueError:
        return None
    if address.version == 4:
        return Address(socket.AF_INET, (host, port))
    return Address(socket.AF_INET6, (host, port, 0, 0))
