"""The ways to a provider: TLS, proxies, unix sockets, several addresses."""

import asyncio
import datetime as dt
import ipaddress
import socket
import ssl
from collections.abc import Awaitable, Callable, Sequence
from pathlib import Path
from typing import cast

import pytest
import uvloop
from cryptography import x509
from cryptography.hazmat.primitives import hashes, serialization
from cryptography.hazmat.primitives.asymmetric import ec
from cryptography.x509.oid import NameOID

from tests.support.patience import slowness
from tollbridge.core.clock import SystemClock, to_datetime
from tollbridge.providers.connect import client_ssl_context
from tollbridge.providers.failures import ConnectError, TruncatedError
from tollbridge.providers.head import compose_head
from tollbridge.providers.limits import TransportLimits
from tollbridge.providers.origin import Origin
from tollbridge.providers.proxy import ProxySettings
from tollbridge.providers.resolver import Address
from tollbridge.providers.response import Response
from tollbridge.providers.transport import Transport

Serve = Callable[[asyncio.StreamReader, asyncio.StreamWriter], Awaitable[None]]

NAME = "provider.test"
HI = b"HTTP/1.1 200 OK\r\nContent-Length: 2\r\n\r\nhi"
LIMITS = TransportLimits(connect_timeout_s=5.0, connect_stagger_s=0.05)
DAY = dt.timedelta(days=1)

pytestmark = pytest.mark.filterwarnings("ignore:Overriding:pytest.PytestDeprecationWarning")


@pytest.fixture(
    params=[asyncio.DefaultEventLoopPolicy, uvloop.EventLoopPolicy], ids=["asyncio", "uvloop"]
)
def event_loop_policy(request: pytest.FixtureRequest) -> asyncio.AbstractEventLoopPolicy:
    """Run each test on both loops."""
    return cast("asyncio.AbstractEventLoopPolicy", request.param())


class Notes:
    """What a server saw."""

    def __init__(self) -> None:
        self.connections = 0
        self.heads: list[bytes] = []
        self.server_names: list[str | None] = []


class ScriptedResolver:
    """Gives the same addresses for each name."""

    def __init__(self, *addresses: Address) -> None:
        self.addresses = addresses
        self.asked: list[tuple[str, int]] = []

    async def resolve(self, host: str, port: int) -> Sequence[Address]:
        self.asked.append((host, port))
        return self.addresses

    def forget(self, host: str, port: int) -> None:
        self.asked.append((f"forgot {host}", port))


def answering(notes: Notes, answer: bytes = HI) -> Serve:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        notes.connections += 1
        try:
            while True:
                notes.heads.append(await reader.readuntil(b"\r\n\r\n"))
                writer.write(answer)
        except (asyncio.IncompleteReadError, ConnectionError):
            writer.close()

    return serve


async def listen(serve: Serve, context: ssl.SSLContext | None = None) -> Address:
    server = await asyncio.start_server(serve, "127.0.0.1", 0, ssl=context)
    return Address(socket.AF_INET, server.sockets[0].getsockname())


def port_of(address: Address) -> int:
    return int(address.sockaddr[1])


async def fetch(transport: Transport, origin: Origin) -> Response:
    head = compose_head(b"GET", b"/v1/models?x=1", origin.authority.encode(), [], None)
    async with asyncio.timeout(60):
        return await transport.send(origin, head, whole_bytes_max=10_000_000)


@pytest.fixture
def notes() -> Notes:
    return Notes()


# TLS.


@pytest.fixture(scope="module")
def authority(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, Path]:
    """Make an authority of our own and a certificate for `provider.test`; (CA file, chain file)."""
    folder = tmp_path_factory.mktemp("tls")
    ca_key = ec.generate_private_key(ec.SECP256R1())
    ca_name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, "test authority")])
    ca = sign(ca_name, ca_key, ca_name, ca_key, ca=True)
    key = ec.generate_private_key(ec.SECP256R1())
    name = x509.Name([x509.NameAttribute(NameOID.COMMON_NAME, NAME)])
    leaf = sign(name, key, ca_name, ca_key, ca=False)
    ca_file, chain_file = folder / "ca.pem", folder / "chain.pem"
    ca_file.write_bytes(ca.public_bytes(serialization.Encoding.PEM))
    chain_file.write_bytes(
        leaf.public_bytes(serialization.Encoding.PEM)
        + key.private_bytes(
            serialization.Encoding.PEM,
            serialization.PrivateFormat.PKCS8,
            serialization.NoEncryption(),
        )
    )
    return ca_file, chain_file


def sign(
    subject: x509.Name,
    key: ec.EllipticCurvePrivateKey,
    issuer: x509.Name,
    issuer_key: ec.EllipticCurvePrivateKey,
    *,
    ca: bool,
) -> x509.Certificate:
    now = to_datetime(SystemClock().now_us())
    names = [x509.DNSName(NAME), x509.IPAddress(ipaddress.ip_address("127.0.0.1"))]
    return (
        x509.CertificateBuilder()
        .subject_name(subject)
        .issuer_name(issuer)
        .public_key(key.public_key())
        .serial_number(x509.random_serial_number())
        .not_valid_before(now - DAY)
        .not_valid_after(now + DAY)
        .add_extension(x509.BasicConstraints(ca=ca, path_length=None), critical=True)
        .add_extension(x509.SubjectAlternativeName(names), critical=False)
        .sign(issuer_key, hashes.SHA256())
    )


def server_context(authority: tuple[Path, Path], notes: Notes) -> ssl.SSLContext:
    context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    context.load_cert_chain(authority[1])

    def note(_: ssl.SSLObject, name: str | None, __: ssl.SSLContext) -> None:
        notes.server_names.append(name)

    context.sni_callback = note
    return context


@pytest.fixture
async def tls_address(authority: tuple[Path, Path], notes: Notes) -> Address:
    return await listen(answering(notes), server_context(authority, notes))


async def test_tls_verifies_by_our_own_authority_names_the_host_and_keeps_alive(
    authority: tuple[Path, Path], tls_address: Address, notes: Notes
) -> None:
    transport = Transport(
        LIMITS,
        ssl_context=client_ssl_context(authority[0]),
        resolver=ScriptedResolver(tls_address),
    )
    for _ in range(3):
        assert (await fetch(transport, Origin("https", NAME, 443))).body == b"hi"
    assert notes.server_names == [NAME]
    assert notes.connections == 1
    await transport.aclose()


@pytest.mark.parametrize(("host", "trusted"), [(NAME, False), ("other.test", True)])
async def test_an_unknown_authority_and_a_wrong_name_are_refused_before_a_byte_is_sent(
    authority: tuple[Path, Path],
    tls_address: Address,
    notes: Notes,
    host: str,
    trusted: bool,  # noqa: FBT001 - pytest hands parameters by name
) -> None:
    context = client_ssl_context(authority[0] if trusted else None)
    transport = Transport(LIMITS, ssl_context=context, resolver=ScriptedResolver(tls_address))
    with pytest.raises(ConnectError) as caught:
        await fetch(transport, Origin("https", host, 443))
    assert not caught.value.written
    assert notes.heads == []
    assert transport._pool.lanes == {}
    await transport.aclose()


async def test_a_plain_server_behind_https_is_a_connect_error(notes: Notes) -> None:
    address = await listen(answering(notes))
    transport = Transport(
        TransportLimits(connect_timeout_s=0.3), resolver=ScriptedResolver(address)
    )
    with pytest.raises(ConnectError):
        await fetch(transport, Origin("https", NAME, 443))
    assert transport._pool.lanes == {}
    await transport.aclose()


async def test_a_large_tls_body_streams_under_back_pressure_and_truncation_is_seen(
    authority: tuple[Path, Path], notes: Notes
) -> None:
    size = 5_000_000

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(b"HTTP/1.1 200 OK\r\nContent-Length: %d\r\n\r\n" % (size + 1))
        writer.write(b"x" * size)
        writer.close()

    address = await listen(serve, server_context(authority, notes))
    limits = TransportLimits(buffered_bytes_high=65_536)
    transport = Transport(
        limits,
        ssl_context=client_ssl_context(authority[0]),
        resolver=ScriptedResolver(address),
    )
    origin = Origin("https", NAME, 443)
    head = compose_head(b"GET", b"/", b"provider.test", [], None)
    response = await transport.send(origin, head)
    sizes: list[int] = []
    peaks: list[int] = []

    async def read_slowly() -> None:
        while chunk := await response.read():
            sizes.append(len(chunk))
            await asyncio.sleep(0.001)
            peaks.append(response.buffered_bytes)

    with pytest.raises(TruncatedError):
        await asyncio.wait_for(read_slowly(), 60)
    assert sum(sizes) == size
    assert max(peaks) <= 65_536 + 2 * 262_144
    await transport.aclose()


# Proxies.


def tunnelling(target: Address, notes: Notes, answer: bytes) -> Serve:
    """Answer CONNECT, then carry bytes both ways."""

    async def carry(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        while data := await reader.read(65_536):
            writer.write(data)
        writer.close()

    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        notes.heads.append(await reader.readuntil(b"\r\n\r\n"))
        writer.write(answer)
        if answer.startswith(b"HTTP/1.1 200"):
            far_reader, far_writer = await asyncio.open_connection("127.0.0.1", port_of(target))
            await asyncio.gather(carry(reader, far_writer), carry(far_reader, writer))
        else:
            writer.close()

    return serve


async def test_https_goes_through_a_tunnel_that_the_proxy_opens_by_name(
    authority: tuple[Path, Path], tls_address: Address, notes: Notes
) -> None:
    proxy_notes = Notes()
    answer = b"HTTP/1.1 200 Connection established\r\nVia: x\r\n\r\n"
    proxy = await listen(tunnelling(tls_address, proxy_notes, answer))
    transport = Transport(
        LIMITS,
        ssl_context=client_ssl_context(authority[0]),
        proxies=ProxySettings.parse(https_proxy=f"http://u:p@127.0.0.1:{port_of(proxy)}"),
    )
    for _ in range(2):
        assert (await fetch(transport, Origin("https", NAME, 443))).body == b"hi"
    [head] = proxy_notes.heads
    assert head == (
        b"CONNECT provider.test:443 HTTP/1.1\r\nhost: provider.test:443\r\n"
        b"proxy-authorization: Basic dTpw\r\n\r\n"
    )
    assert notes.server_names == [NAME]
    assert all(head.startswith(b"GET /v1/models?x=1 HTTP/1.1\r\n") for head in notes.heads)
    assert not any(b"proxy" in head for head in notes.heads)
    await transport.aclose()


@pytest.mark.parametrize(
    "answer",
    [
        b"HTTP/1.1 407 Proxy Authentication Required\r\n\r\n",
        b"HTTP/1.1 502 Bad Gateway\r\nContent-Length: 3\r\n\r\nbad",
        b"SSH-2.0\r\n\r\n",
        b"HTTP/1.1 200",
        b"",
        b"HTTP/1.1 200 OK\r\n" + b"x: y\r\n" * 20_000,
    ],
)
async def test_a_proxy_that_opens_no_tunnel_is_a_connect_error(
    tls_address: Address, answer: bytes
) -> None:
    async def serve(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        await reader.readuntil(b"\r\n\r\n")
        writer.write(answer)
        writer.close()

    proxy = await listen(serve)
    transport = Transport(
        LIMITS, proxies=ProxySettings.parse(https_proxy=f"http://127.0.0.1:{port_of(proxy)}")
    )
    with pytest.raises(ConnectError) as caught:
        await fetch(transport, Origin("https", NAME, 443))
    assert not caught.value.written
    assert transport._pool.lanes == {}
    await transport.aclose()


async def test_bytes_behind_the_proxys_answer_are_refused(
    authority: tuple[Path, Path], tls_address: Address, notes: Notes
) -> None:
    proxy = await listen(tunnelling(tls_address, Notes(), b"HTTP/1.1 200 OK\r\n\r\nsurplus"))
    transport = Transport(
        LIMITS,
        ssl_context=client_ssl_context(authority[0]),
        proxies=ProxySettings.parse(https_proxy=f"http://127.0.0.1:{port_of(proxy)}"),
    )
    with pytest.raises(ConnectError):
        await fetch(transport, Origin("https", NAME, 443))
    assert notes.heads == []
    await transport.aclose()


async def test_http_goes_to_the_proxy_in_absolute_form(notes: Notes) -> None:
    proxy = await listen(answering(notes))
    transport = Transport(
        LIMITS, proxies=ProxySettings.parse(f"http://u:p@127.0.0.1:{port_of(proxy)}")
    )
    for _ in range(2):
        assert (await fetch(transport, Origin("http", NAME, 8080))).body == b"hi"
    assert notes.connections == 1
    assert notes.heads[1] == (
        b"GET http://provider.test:8080/v1/models?x=1 HTTP/1.1\r\n"
        b"proxy-authorization: Basic dTpw\r\nhost: provider.test:8080\r\n\r\n"
    )
    await transport.aclose()


async def test_a_host_in_no_proxy_is_reached_directly(notes: Notes) -> None:
    address = await listen(answering(notes))
    resolver = ScriptedResolver(address)
    transport = Transport(
        LIMITS,
        proxies=ProxySettings.parse("http://127.0.0.1:1", "", ".test"),
        resolver=resolver,
    )
    assert (await fetch(transport, Origin("http", NAME, 80))).body == b"hi"
    assert notes.heads[0].startswith(b"GET /v1/models?x=1 ")
    await transport.aclose()


# Unix sockets and several addresses.


async def test_a_unix_socket_serves_like_any_other(tmp_path: Path, notes: Notes) -> None:
    path = str(tmp_path / "model.sock")
    server = await asyncio.start_unix_server(answering(notes), path)
    transport = Transport(LIMITS)
    for _ in range(2):
        assert (await fetch(transport, Origin.unix(path))).body == b"hi"
    assert notes.connections == 1
    with pytest.raises(ConnectError):
        await fetch(transport, Origin.unix(str(tmp_path / "none.sock")))
    server.close()
    await transport.aclose()


async def test_a_refusing_ipv6_address_gives_way_to_ipv4(notes: Notes) -> None:
    address = await listen(answering(notes))
    with socket.create_server(("127.0.0.1", 0)) as closed:
        dead = Address(socket.AF_INET6, ("::1", int(closed.getsockname()[1]), 0, 0))
    transport = Transport(LIMITS, resolver=ScriptedResolver(dead, address))
    assert (await fetch(transport, Origin("http", NAME, 80))).body == b"hi"
    await transport.aclose()


async def test_a_silent_address_gives_way_to_the_next_after_the_stagger(notes: Notes) -> None:
    """A listener with a full backlog takes no more connections, and does not refuse them."""
    address = await listen(answering(notes))
    loop = asyncio.get_running_loop()
    with socket.socket() as full, socket.socket() as first, socket.socket() as second:
        full.bind(("127.0.0.1", 0))
        full.listen(0)
        for filler in (first, second):
            filler.settimeout(0)
            filler.connect_ex(full.getsockname())
        silent = Address(socket.AF_INET, full.getsockname())
        transport = Transport(LIMITS, resolver=ScriptedResolver(silent, address))
        begun_s = loop.time()
        assert (await fetch(transport, Origin("http", NAME, 80))).body == b"hi"
        assert 0.04 <= loop.time() - begun_s < 2 * slowness()
        await transport.aclose()


async def test_a_name_none_of_whose_addresses_answers_is_looked_up_anew() -> None:
    with socket.create_server(("127.0.0.1", 0)) as closed:
        dead = Address(socket.AF_INET, closed.getsockname())
    resolver = ScriptedResolver(dead)
    transport = Transport(LIMITS, resolver=resolver)
    with pytest.raises(ConnectError):
        await fetch(transport, Origin("http", NAME, 80))
    assert resolver.asked == [(NAME, 80), (f"forgot {NAME}", 80)]
    await transport.aclose()


@pytest.mark.parametrize("host", ["no-such-name.invalid", "a" * 70 + ".test"])
async def test_a_name_without_addresses_is_a_connect_error(host: str) -> None:
    transport = Transport(LIMITS)
    with pytest.raises(ConnectError):
        await fetch(transport, Origin("http", host, 80))
    await transport.aclose()
