"""What travels with a call through the first five stages?"""

from collections.abc import Awaitable
from typing import Protocol

import msgspec

from tollbridge.access.authenticate import KeyRing
from tollbridge.access.keys import KeyEntry
from tollbridge.conclude import Conclusions
from tollbridge.core.call import Bucket, Operation
from tollbridge.core.evidence import Opened
from tollbridge.core.plan import Plan
from tollbridge.ledger.applying import Applying, LimitTable
from tollbridge.ledger.reserve import Holds
from tollbridge.providers.keeping import KeptContent
from tollbridge.providers.passage import Passage
from tollbridge.providers.request import Request
from tollbridge.recording.spool import Segment
from tollbridge.routing.plan import RouteTable


class Inbound(Protocol):
    """A caller's request as it arrives."""

    @property
    def method(self) -> str:
        """The HTTP method."""
        ...

    @property
    def path(self) -> str:
        """The address without its query."""
        ...

    @property
    def address(self) -> str:
        """The path, with as much of the query as means something to its face."""
        ...

    @property
    def operation(self) -> Operation:
        """What the address asks for."""
        ...

    @property
    def face(self) -> str:
        """The wire format that the address belongs to: the answer's, and an error's."""
        ...

    @property
    def content_type(self) -> bytes:
        """The body's, with its parameters."""
        ...

    @property
    def passed(self) -> tuple[tuple[bytes, bytes], ...]:
        """Those headers that a provider of the same wire format may get."""
        ...

    @property
    def credential(self) -> str | None:
        """The key that was sent, wherever it stood."""
        ...

    @property
    def received_at_us(self) -> int:
        """When its head was complete."""
        ...

    @property
    def customer(self) -> str | None:
        """Whom of the application's customers the call is for, where a header says so."""
        ...

    @property
    def tags(self) -> tuple[str, ...]:
        """The application's labels."""
        ...

    @property
    def trace(self) -> str | None:
        """The header `traceparent`."""
        ...

    def body(self) -> Awaitable[bytes]:
        """Return the whole body; raises InvalidRequestError or OverloadedError."""
        ...


class GatewayLimits(msgspec.Struct, frozen=True):
    """Bounds of the first stages."""

    total_timeout_s: float = 600.0
    stream_timeout_s: float = 3600.0
    stream_idle_timeout_s: float = 120.0
    reserve_wait_s: float = 0.3
    reserve_output_tokens: int = 4096
    reserve_file_tokens: int = 1_050_000
    content_bytes_max: int = 64 * 1024
    unpriced_allowed: bool = False
    """Whether a hard limit on money or credits lets pass what nobody knows the price of."""


class Call(msgspec.Struct, frozen=True):
    """One call that was understood and planned."""

    call_id: str
    inbound: Inbound
    key: KeyEntry
    request: Request
    plan: Plan
    bucket: Bucket
    applying: Applying
    conclusions: Conclusions
    """The prices that were known when it came: it is held and charged by the same ones."""


class Journey(msgspec.Struct, frozen=True):
    """One call that was let in: what is journaled of it, where, and what is held for it."""

    opened: Opened
    segment: Segment
    passage: Passage
    held: Holds | None
    kept: KeptContent | None = None
    """What is asked and answered, where the key or the route wants it kept."""


class Known(msgspec.Struct, frozen=True):
    """What a worker knows of the world: one immutable snapshot, replaced as a whole."""

    keys: KeyRing
    limits: LimitTable
    routes: RouteTable
    conclusions: Conclusions
