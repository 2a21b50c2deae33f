"""How long may an exchange with a provider take, and how much may it hold?"""

import msgspec


class TransportLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The limits of one transport; each applies per worker process."""

    connect_timeout_s: float = 10.0
    """Name lookup, TCP, proxy tunnel and TLS handshake together."""
    connect_stagger_s: float = 0.25
    """How long one address may try alone before the next one is tried beside it (RFC 8305)."""
    pool_timeout_s: float = 10.0
    """How long a call may wait for a connection to come free."""
    write_stall_timeout_s: float = 30.0
    """How long a provider may take none of the request's bytes."""
    idle_max_s: float = 15.0
    """How long an unused connection is kept."""
    age_max_s: float = 300.0
    """How long a connection is reused at all: addresses move."""
    connections_per_origin_max: int = 512
    """Open and opening connections to one origin."""
    waiting_max: int = 1024
    """Calls that wait for a connection, over all origins."""
    buffered_bytes_high: int = 262_144
    """Unread body bytes of one streamed response above which its socket is not read on."""
    header_bytes_max: int = 65_536
    """Response head, and any run of bytes without body (trailers, chunk extensions)."""
    header_count_max: int = 128
    """Fields of one response head."""
    dns_cache_s: float = 30.0
    """How long looked-up addresses are used."""
    dns_cache_names_max: int = 1024
    """Names whose addresses are kept."""
