"""From which address does a request come that a reverse proxy has passed on?"""

import ipaddress
from collections.abc import Iterable
from typing import Self

import msgspec

from tollbridge.core.errors import ConfigurationError

Network = ipaddress.IPv4Network | ipaddress.IPv6Network
Address = ipaddress.IPv4Address | ipaddress.IPv6Address


class TrustedProxies(msgspec.Struct, frozen=True):
    """The proxies that are believed when they say for whom they ask; none without any."""

    networks: tuple[Network, ...] = ()

    @classmethod
    def parse(cls, text: str, setting: str) -> Self:
        """Return those of a text of addresses and networks, separated by blanks.

        Raises ConfigurationError with the setting's name and the word that is neither.
        """
        return cls(tuple([_network(word, setting) for word in text.split()]))

    def caller(self, peer: str, forwarded: Iterable[str]) -> str:
        """Return who asked first of those that can be believed.

        `peer` is who is connected, `forwarded` the values of X-Forwarded-For as they came. Each
        proxy adds whom it heard at the end, so that they are read from there: what stands before
        the first address that is no proxy of ours may be made up.
        """
        found = peer
        hops = [hop for value in forwarded for hop in value.split(",")]
        while hops and self._trusts(found):
            address = _address(hops.pop())
            if address is None:
                break
            found = str(address)
        return found

    def _trusts(self, host: str) -> bool:
        address = _address(host)
        return address is not None and any(
            address.version == one.version and address in one for one in self.networks
        )


def _network(word: str, setting: str) -> Network:
    try:
        return ipaddress.ip_network(word)
    except ValueError as error:
        raise ConfigurationError(
            f"{setting}: {word!r} is neither an address nor a network such as 10.0.0.0/8"
        ) from error


def _address(text: str) -> Address | None:
    """Return an address, of which some proxies say the port too; None for anything else."""
    host = text.strip()
    if host.startswith("["):
        host = host[1:].partition("]")[0]
    elif host.count(":") == 1:
        host = host.partition(":")[0]
    try:
        found = ipaddress.ip_address(host)
    except ValueError:
        return None
    return (found.version == 6 and found.ipv4_mapped) or found
