"""Does a request go through a forward proxy, and through which?"""

import base64
import ipaddress
import re
from typing import Final
from urllib.parse import unquote, urlsplit

import msgspec

from tollbridge.providers.origin import Origin

DEFAULT_PROXY_PORT: Final = 80  # as for any http URL; curl's 1080 is for SOCKS
_UNSAFE: Final = re.compile(r"[\x00-\x1f\x7f]")


class Proxy(msgspec.Struct, frozen=True):
    """One HTTP proxy, spoken to without TLS of its own."""

    host: str
    port: int
    authorization: bytes = b""
    """The ready `proxy-authorization` line with its CRLF, or nothing."""

    @staticmethod
    def parse(url: str) -> "Proxy":
        """Return the proxy of `[http://][user:password@]host[:port]`.

        Raises ValueError, without repeating the URL, for another scheme (TLS to the proxy itself
        and SOCKS are not carried), a missing host, a bad port or control characters.
        """
        parts = urlsplit(url if "://" in url else f"http://{url}")
        if parts.scheme != "http" or not parts.hostname:
            raise ValueError("a proxy is given as http://host:port")
        authorization = b""
        if parts.username is not None:
            secret = f"{unquote(parts.username)}:{unquote(parts.password or '')}"
            if _UNSAFE.search(secret):
                raise ValueError("a proxy's user name or password contains a control character")
            token = base64.b64encode(secret.encode())
            authorization = b"proxy-authorization: Basic %b\r\n" % token
        port = DEFAULT_PROXY_PORT if parts.port is None else parts.port
        return Proxy(parts.hostname, port, authorization)

    def connect_head(self, origin: Origin) -> bytes:
        """Return the request that opens a tunnel to an origin."""
        authority = origin.tunnel_authority.encode()
        return b"CONNECT %b HTTP/1.1\r\nhost: %b\r\n%b\r\n" % (
            authority,
            authority,
            self.authorization,
        )


class ProxySettings(msgspec.Struct, frozen=True):
    """The proxies of HTTP_PROXY and HTTPS_PROXY, and the names of NO_PROXY."""

    http: Proxy | None = None
    https: Proxy | None = None
    exempt: tuple[str, ...] = ()

    @staticmethod
    def parse(http_proxy: str = "", https_proxy: str = "", no_proxy: str = "") -> "ProxySettings":
        """Return the settings from the three values as the environment has them, empty for none.

        `no_proxy` is a comma list of `*`, names (each with all names below it), `name:port`,
        addresses and networks (`10.0.0.0/8`). Raises ValueError as `Proxy.parse` does.
        """
        return ProxySettings(
            http=Proxy.parse(http_proxy) if http_proxy else None,
            https=Proxy.parse(https_proxy) if https_proxy else None,
            exempt=tuple(name for item in no_proxy.split(",") if (name := item.strip().lower())),
        )

    def choose(self, origin: Origin) -> Proxy | None:
        """Return the proxy for an origin, None where the connection is direct.

        Loopback addresses and unix sockets are always direct: a proxy elsewhere cannot reach them.
        """
        proxy = self.https if origin.scheme == "https" else self.http
        if proxy is None or origin.unix_path is not None or _is_loopback(origin.host):
            return None
        return None if any(_exempts(item, origin) for item in self.exempt) else proxy


def _address(host: str) -> ipaddress.IPv4Address | ipaddress.IPv6Address | None:
    try:
        return ipaddress.ip_address(host)
    except ValueError:
        return None


def _is_loopback(host: str) -> bool:
    address = _address(host)
    return host == "localhost" if address is None else address.is_loopback


def _exempts(item: str, origin: Origin) -> bool:
    if item == "*":
        return True
    address = _address(origin.host)
    if address is not None:
        try:
            return address in ipaddress.ip_network(item.strip("[]"), strict=False)
        except ValueError:
            return item == origin.tunnel_authority
    name, _, port = item.partition(":")
    if port and port != str(origin.port):
        return False
    name = name.removeprefix("*").removeprefix(".")
    return origin.host == name or origin.host.endswith(f".{name}")
