"""How is an address reached that a caller or a provider's answer has named?

Never a private one, by whatever name or redirect, but for hosts that the operator has named and
the hosts of our own endpoints: a provider of one's own may keep its films beside itself.
"""

from collections.abc import Sequence
from typing import Final
from urllib.parse import urljoin, urlsplit

from tollbridge.core.errors import InvalidRequestError
from tollbridge.providers.failures import TransportError
from tollbridge.providers.fetch import REDIRECTS, FetchFailedError, PublicResolver
from tollbridge.providers.head import compose_head
from tollbridge.providers.limits import TransportLimits
from tollbridge.providers.origin import Origin
from tollbridge.providers.resolver import Resolver
from tollbridge.providers.response import Response
from tollbridge.providers.transport import Transport

REDIRECTS_MAX: Final = 3
Header = tuple[bytes, bytes]
_ALWAYS: tuple[Header, ...] = (
    (b"accept", b"*/*"),
    (b"accept-encoding", b"identity"),
    (b"user-agent", b"tollbridge"),
)


class Outside:
    """Requests to addresses that others gave; for one event loop."""

    def __init__(
        self,
        providers: Transport,
        resolver: Resolver,
        limits: TransportLimits,
        private_hosts: Sequence[str] = (),
    ) -> None:
        """Come together; `providers` is the way to endpoints, and no name is checked on it."""
        self._providers = providers
        self._resolver = PublicResolver(resolver, private_hosts)
        # Never through a proxy: it would look names up itself, from inside our network.
        self._transport = Transport(limits, resolver=self._resolver)

    async def get(
        self,
        url: str,
        deadline_s: float,
        near: Origin | None = None,
        credentials: Sequence[Header] = (),
    ) -> Response:
        """Return what answers at an address, streamed, redirects followed.

        `near` is the origin of the endpoint that named the address: its host may be private, and
        there alone the credentials are sent. Raises FetchFailedError.
        """
        for _ in range(REDIRECTS_MAX + 1):
            origin = _origin(url)
            is_near = origin == near
            headers = (*_ALWAYS, *credentials) if is_near else _ALWAYS
            way = self._providers if is_near else self._transport
            response = await _send(way, origin, url, b"GET", headers, b"", deadline_s)
            if response.status not in REDIRECTS:
                return response
            location = (response.header(b"location") or b"").decode("latin-1")
            response.close()
            if not location:
                raise FetchFailedError("a redirect to nowhere")
            url = urljoin(url, location)
        raise FetchFailedError(f"more than {REDIRECTS_MAX} redirects")

    async def post(
        self, url: str, headers: Sequence[Header], body: bytes, deadline_s: float
    ) -> int:
        """Send something to an address, and no further; return the status.

        Raises FetchFailedError.
        """
        every = (*_ALWAYS, *headers)
        origin = _origin(url)
        response = await _send(self._transport, origin, url, b"POST", every, body, deadline_s)
        response.close()
        return response.status

    async def check(self, url: str, parameter: str) -> None:
        """Raise InvalidRequestError, naming the parameter, for what must not be reached."""
        try:
            origin = _origin(url)
            await self._resolver.resolve(origin.host, origin.port)
        except (FetchFailedError, OSError, UnicodeError) as error:
            raise InvalidRequestError(
                f"{parameter} is no address that may be reached", details={"param": parameter}
            ) from error

    async def aclose(self) -> None:
        """Close every connection."""
        await self._transport.aclose()


def _origin(url: str) -> Origin:
    try:
        return Origin.parse(url)
    except (ValueError, UnicodeError) as error:
        raise FetchFailedError("this is no address of a host") from error


async def _send(
    way: Transport,
    origin: Origin,
    url: str,
    method: bytes,
    headers: Sequence[Header],
    body: bytes,
    deadline_s: float,
) -> Response:
    parts = urlsplit(url)
    target = (parts.path or "/") + (f"?{parts.query}" if parts.query else "")
    try:
        authority = origin.authority.encode("ascii")
        length = len(body) if method == b"POST" else None
        head = compose_head(method, target.encode("ascii"), authority, headers, length)
    except ValueError as error:
        raise FetchFailedError("the address has characters that none can have") from error
    try:
        return await way.send(origin, head, body, deadline_s=deadline_s)
    except TransportError as error:
        raise FetchFailedError(error.message) from error
