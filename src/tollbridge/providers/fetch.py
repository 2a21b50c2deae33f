"""May this address be fetched, and what lies there?

Addresses come from callers and from providers' answers: none may lead into our own network. A
name is looked up once, what it means is checked, and just that is dialled: a name that means
something else a moment later changes nothing. Each redirect is checked the same way.
"""

import asyncio
import ipaddress
from collections.abc import Collection, Iterable, Sequence
from typing import Final
from urllib.parse import urljoin, urlsplit

import msgspec

from tollbridge.core.errors import InvalidRequestError
from tollbridge.providers.failures import ResponseTooLargeError, TransportError
from tollbridge.providers.head import compose_head
from tollbridge.providers.limits import TransportLimits
from tollbridge.providers.origin import Origin
from tollbridge.providers.resolver import Address, Resolver
from tollbridge.providers.response import Response
from tollbridge.providers.transport import Transport

REDIRECTS: Final = frozenset({301, 302, 303, 307, 308})
URL_CHARACTERS_MAX: Final = 8192
MESSAGE: Final = "leads to an address that is not public"

# Beside what is marked as not global (private, loopback, link-local, shared, reserved).
_REFUSED: Final = tuple(
    ipaddress.ip_network(one)
    for one in (
        "0.0.0.0/8",
        "10.0.0.0/8",
        "100.64.0.0/10",  # shared by carriers; Alibaba's metadata
        "127.0.0.0/8",
        "168.63.129.16/32",  # Azure's own services, from inside
        "169.254.0.0/16",  # link-local; the metadata of most clouds
        "172.16.0.0/12",
        "192.0.0.0/24",  # protocols; Oracle's metadata
        "192.88.99.0/24",  # 6to4 relays
        "192.168.0.0/16",
        "198.18.0.0/15",
        "224.0.0.0/4",
        "240.0.0.0/4",
        "::/127",
        "64:ff9b:1::/48",  # translated locally
        "100::/64",
        "fc00::/7",  # unique local; AWS's metadata
        "fe80::/10",
        "fec0::/10",
        "ff00::/8",
    )
)
_TRANSLATED: Final = ipaddress.IPv6Network("64:ff9b::/96")


class FetchLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of one fetch, and which private hosts may be fetched from all the same."""

    timeout_s: float = 60.0
    """All of it: names, redirects, bytes."""
    bytes_max: int = 64 * 1024 * 1024
    redirects_max: int = 3
    private_hosts: tuple[str, ...] = ()
    """Hosts, or HOST:PORT, whose addresses may be private: an operator's own storage."""


class FetchFailedError(Exception):
    """An address could not be fetched: no answer, a wrong status, too many redirects or bytes."""


class Fetched(msgspec.Struct, frozen=True):
    """What lay at an address."""

    url: str
    """Where it lay in the end."""
    content_type: str
    data: bytes


def is_public(text: str) -> bool:
    """Return whether an IP address is one of the open internet, whatever it is written as."""
    try:
        address = ipaddress.ip_address(text.partition("%")[0])
    except ValueError:
        return False
    if isinstance(address, ipaddress.IPv6Address):
        inner = address.ipv4_mapped or address.sixtofour
        if inner is None and address in _TRANSLATED:
            inner = ipaddress.IPv4Address(address.packed[-4:])
        teredo = address.teredo
        if inner is None and teredo is not None:
            return False
        if inner is None and address.packed[:12] == bytes(12):
            return False  # "IPv4-compatible": long withdrawn
        if inner is not None:
            return is_public(str(inner))
    if any(address.version == one.version and address in one for one in _REFUSED):
        return False
    return address.is_global and not address.is_multicast


class PublicResolver:
    """Gives only names whose addresses are all public; those are then the ones that are dialled."""

    def __init__(self, resolver: Resolver, private_hosts: Collection[str] = ()) -> None:
        self._resolver = resolver
        self._private_hosts = frozenset(host.lower() for host in private_hosts)

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        """Return the addresses of a name. Raises OSError, NotPublicError among them."""
        addresses = await self._resolver.resolve(host, port)
        if not self._private_hosts.isdisjoint((host, f"{host}:{port}")):
            return addresses
        # One private address among public ones is how a name is made to lead inside.
        if not all(is_public(str(address.sockaddr[0])) for address in addresses):
            raise NotPublicError(f"{host} {MESSAGE}")
        return addresses

    def forget(self, host: str, port: int) -> None:
        """Look the name up anew next time."""
        self._resolver.forget(host, port)


class NotPublicError(OSError):
    """A name has an address that is not public."""


class Fetcher:
    """Fetches addresses that others gave; one per event loop. Never through a proxy.

    A proxy would look names up itself, and see our network from the inside.
    """

    def __init__(
        self,
        resolver: Resolver,
        limits: FetchLimits,
        transport_limits: TransportLimits | None = None,
    ) -> None:
        self._limits = limits
        self._resolver = PublicResolver(resolver, limits.private_hosts)
        self._transport = Transport(
            transport_limits or TransportLimits(connections_per_origin_max=16, waiting_max=256),
            resolver=self._resolver,
        )

    async def check_url(self, url: str, parameter: str = "url") -> None:
        """Raise InvalidRequestError, naming the parameter, for what may not be fetched.

        Nothing is asked of the host itself.
        """
        origin = _origin(url, parameter)
        try:
            async with asyncio.timeout(self._limits.timeout_s):
                await self._resolver.resolve(origin.host, origin.port)
        except NotPublicError as error:
            raise _refused(parameter, MESSAGE) from error
        except (OSError, UnicodeError, TimeoutError) as error:
            raise _refused(parameter, "names a host that cannot be found") from error

    async def check_urls(self, urls: Iterable[str], parameter: str = "url") -> None:
        """Check several addresses, each once."""
        for url in dict.fromkeys(urls):
            await self.check_url(url, parameter)

    async def fetch(
        self, url: str, parameter: str = "url", *, bytes_max: int | None = None
    ) -> Fetched:
        """Return what lies at an address.

        Raises InvalidRequestError for what may not be fetched, at once or after a redirect, and
        FetchFailedError for what cannot be.
        """
        limit = self._limits.bytes_max if bytes_max is None else bytes_max
        deadline_s = asyncio.get_running_loop().time() + self._limits.timeout_s
        for _ in range(self._limits.redirects_max + 1):
            origin = _origin(url, parameter)
            response = await self._send(origin, url, deadline_s, parameter)
            try:
                if response.status in REDIRECTS:
                    url = _next(url, response, parameter)
                    continue
                return await _whole(url, response, limit)
            finally:
                response.close()
        raise FetchFailedError(f"more than {self._limits.redirects_max} redirects")

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()

    async def _send(self, origin: Origin, url: str, deadline_s: float, parameter: str) -> Response:
        parts = urlsplit(url)
        target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
        headers = (
            (b"accept", b"*/*"),
            (b"accept-encoding", b"identity"),
            (b"user-agent", b"tollbridge"),
        )
        try:
            authority = origin.authority.encode("ascii")
            head = compose_head(b"GET", target.encode("ascii"), authority, headers, None)
        except ValueError as error:
            raise _refused(parameter, "has characters that an address cannot have") from error
        try:
            return await self._transport.send(origin, head, deadline_s=deadline_s)
        except TransportError as error:
            if isinstance(error.__cause__, NotPublicError):
                raise _refused(parameter, MESSAGE) from error
            raise FetchFailedError(error.message) from error


def _origin(url: str, parameter: str) -> Origin:
    if len(url) > URL_CHARACTERS_MAX:
        raise _refused(parameter, f"is longer than {URL_CHARACTERS_MAX} characters")
    try:
        return Origin.parse(url)
    except (ValueError, UnicodeError) as error:
        raise _refused(parameter, "is no http or https address of a host") from error


def _next(url: str, response: Response, parameter: str) -> str:
    location = (response.header(b"location") or b"").decode("latin-1")
    if not location:
        raise FetchFailedError("a redirect to nowhere")
    try:
        return urljoin(url, location)
    except ValueError as error:
        raise _refused(parameter, "is redirected to what is no address") from error


async def _whole(url: str, response: Response, bytes_max: int) -> Fetched:
    if response.status != 200:
        raise FetchFailedError(f"HTTP {response.status}")
    if (response.header(b"content-encoding") or b"identity") != b"identity":
        raise FetchFailedError("encoded, though that was not asked for")
    try:
        data = await response.read_all(bytes_max)
    except ResponseTooLargeError as error:
        raise FetchFailedError(f"over {bytes_max} bytes") from error
    except TransportError as error:
        raise FetchFailedError(error.message) from error
    content_type = (response.header(b"content-type") or b"").decode("latin-1")
    return Fetched(url, content_type, data)


def _refused(parameter: str, why: str) -> InvalidRequestError:
    return InvalidRequestError(f"{parameter} {why}", details={"param": parameter})
