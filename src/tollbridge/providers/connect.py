"""How does a connection to a provider come about: addresses, proxy, TLS?"""

import asyncio
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import Final

from tollbridge.providers.connection import Connection
from tollbridge.providers.failures import ConnectError
from tollbridge.providers.limits import TransportLimits
from tollbridge.providers.origin import Origin
from tollbridge.providers.proxy import Proxy
from tollbridge.providers.resolver import Address, Resolver

Connector = Callable[[Address], Awaitable[socket.socket]]

TLS_CLOSE_TIMEOUT_S: Final = 2.0
KEEPALIVE_IDLE_S: Final = 60  # finds a peer that vanished during a long silent answer
_PROXY_READ_BYTES: Final = 4096


def client_ssl_context(ca_file: Path | None = None) -> ssl.SSLContext:
    """Return a context that verifies providers by the system's authorities and `ca_file`'s.

    Raises OSError (ssl.SSLError is one) for a file that cannot be read as PEM.
    """
    context = ssl.create_default_context()
    context.minimum_version = ssl.TLSVersion.TLSv1_2
    context.set_alpn_protocols(["http/1.1"])
    if ca_file is not None:
        context.load_verify_locations(cafile=ca_file)
    return context


async def connect_tcp(address: Address) -> socket.socket:
    """Return a connected, non-blocking socket; raises OSError."""
    sock = socket.socket(address.family, socket.SOCK_STREAM)
    try:
        sock.settimeout(0)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)
        await asyncio.get_running_loop().sock_connect(sock, address.sockaddr)
    except BaseException:
        sock.close()
        raise
    return sock


async def connect_first(
    addresses: Sequence[Address], connector: Connector, stagger_s: float
) -> socket.socket:
    """Return a socket to the first address that answers (RFC 8305, "happy eyeballs").

    The next address is tried beside the others after `stagger_s`, or at once when one fails.
    Raises the last OSError when all fail.
    """
    if len(addresses) == 1:
        return await connector(addresses[0])
    waiting = list(reversed(addresses))
    attempts: list[asyncio.Future[socket.socket]] = []
    running: set[asyncio.Future[socket.socket]] = set()
    winner: asyncio.Future[socket.socket] | None = None
    failure = OSError("no address")
    try:
        while waiting or running:
            if waiting:
                attempts.append(asyncio.ensure_future(connector(waiting.pop())))
                running.add(attempts[-1])
            done, running = await asyncio.wait(
                running,
                timeout=stagger_s if waiting else None,
                return_when=asyncio.FIRST_COMPLETED,
            )
            for attempt in done:
                try:
                    sock = attempt.result()
                except OSError as error:
                    failure = error
                else:
                    winner = attempt
                    return sock
        raise failure
    finally:
        await _drop([attempt for attempt in attempts if attempt is not winner])


async def _drop(attempts: list[asyncio.Future[socket.socket]]) -> None:
    """End the attempts that lost, and close what they opened meanwhile."""
    for attempt in attempts:
        attempt.cancel()
    for outcome in await asyncio.gather(*attempts, return_exceptions=True):
        if isinstance(outcome, socket.socket):
            outcome.close()


class Dialer:
    """Opens connections: straight, through a proxy, or to a unix socket; with TLS for https."""

    def __init__(
        self,
        limits: TransportLimits,
        resolver: Resolver,
        ssl_context: ssl.SSLContext | None,
        connector: Connector,
    ) -> None:
        self._limits = limits
        self._resolver = resolver
        self._ssl_context = ssl_context
        self._connector = connector

    async def dial(
        self, origin: Origin, proxy: Proxy | None, factory: Callable[[], Connection]
    ) -> Connection:
        """Return an open connection, made by `factory`.

        Raises ConnectError; the caller bounds the time, and a cancelled dial leaves no socket.
        """
        try:
            return await self._dial(origin, proxy, factory)
        except (OSError, UnicodeError) as error:
            # UnicodeError: the name cannot be looked up, as one of its labels is too long.
            raise ConnectError(f"cannot connect to {origin.tunnel_authority}: {error}") from error

    async def _dial(
        self, origin: Origin, proxy: Proxy | None, factory: Callable[[], Connection]
    ) -> Connection:
        loop = asyncio.get_running_loop()
        if origin.unix_path is not None:
            _, connection = await loop.create_unix_connection(factory, origin.unix_path)
            return connection
        sock = (
            await self._connect(proxy.host, proxy.port)
            if proxy
            else await self._connect(origin.host, origin.port)
        )
        try:
            if origin.scheme == "http":
                _, connection = await loop.create_connection(factory, sock=sock)
                return connection
            if proxy is not None:
                await self._open_tunnel(sock, origin, proxy)
            if self._ssl_context is None:
                self._ssl_context = client_ssl_context()
            _, connection = await loop.create_connection(
                factory,
                sock=sock,
                ssl=self._ssl_context,
                server_hostname=origin.host,
                ssl_handshake_timeout=self._limits.connect_timeout_s,
                ssl_shutdown_timeout=TLS_CLOSE_TIMEOUT_S,
            )
        except BaseException:
            sock.close()
            raise
        return connection

    async def _connect(self, host: str, port: int) -> socket.socket:
        addresses = await self._resolver.resolve(host, port)
        try:
            return await connect_first(addresses, self._connector, self._limits.connect_stagger_s)
        except BaseException:
            self._resolver.forget(host, port)
            raise

    async def _open_tunnel(self, sock: socket.socket, origin: Origin, proxy: Proxy) -> None:
        """Ask the proxy for a tunnel; the origin does not speak first, so no byte may follow."""
        loop = asyncio.get_running_loop()
        await loop.sock_sendall(sock, proxy.connect_head(origin))
        answer = b""
        while b"\r\n\r\n" not in answer:
            piece = await loop.sock_recv(sock, _PROXY_READ_BYTES)
            answer += piece
            if not piece or len(answer) > self._limits.header_bytes_max:
                raise ConnectError("the proxy closed, or answered without an end")
        version, _, rest = answer.partition(b" ")
        if not version.startswith(b"HTTP/1.") or not rest[:3].isdigit():
            raise ConnectError("the proxy does not speak HTTP/1.1")
        if not rest.startswith(b"2"):
            raise ConnectError(f"the proxy answered {rest[:3].decode()} to CONNECT")
        if not answer.endswith(b"\r\n\r\n") or answer.count(b"\r\n\r\n") != 1:
            raise ConnectError("bytes after the proxy's answer to CONNECT")
