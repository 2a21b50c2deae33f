"""Where does a request go: which scheme, host and port, or which unix socket?"""

from collections.abc import Mapping
from typing import Literal
from urllib.parse import urlsplit

import msgspec

Scheme = Literal["http", "https"]

DEFAULT_PORTS: Mapping[str, int] = {"http": 80, "https": 443}


class Origin(msgspec.Struct, frozen=True, cache_hash=True):
    """A server to connect to. `host` is lowercase, an IPv6 address without brackets."""

    scheme: Scheme
    host: str
    port: int
    unix_path: str | None = None

    @staticmethod
    def parse(url: str) -> "Origin":
        """Return the origin of an `http://` or `https://` URL; its path and query are ignored.

        Raises ValueError for another scheme, a missing host, user information or a bad port.
        """
        parts = urlsplit(url)
        if parts.scheme not in DEFAULT_PORTS:
            raise ValueError("a provider's URL begins with http:// or https://")
        if parts.username is not None or parts.password is not None:
            raise ValueError("a provider's URL carries no user name or password")
        if not parts.hostname:
            raise ValueError("a provider's URL names a host")
        host = parts.hostname
        if not host.isascii():
            host = host.encode("idna").decode("ascii")
        scheme: Scheme = "https" if parts.scheme == "https" else "http"
        port = DEFAULT_PORTS[scheme] if parts.port is None else parts.port
        return Origin(scheme, host, port)

    @staticmethod
    def unix(path: str, host: str = "localhost") -> "Origin":
        """Return the origin of a server that listens on a unix socket, without TLS."""
        return Origin("http", host, DEFAULT_PORTS["http"], path)

    @property
    def authority(self) -> str:
        """Return `host`, or `host:port` where the port is not the scheme's own (RFC 9110 7.2)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return host if self.port == DEFAULT_PORTS[self.scheme] else f"{host}:{self.port}"

    @property
    def tunnel_authority(self) -> str:
        """Return `host:port`, as CONNECT wants it (RFC 9110 9.3.6)."""
        host = f"[{self.host}]" if ":" in self.host else self.host
        return f"{host}:{self.port}"
