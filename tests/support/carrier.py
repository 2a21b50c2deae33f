"""A relay in the test's own event loop: calls go to providers as a worker's do, without a node."""

import contextlib
from collections.abc import AsyncGenerator, Callable, Sequence
from typing import NamedTuple

from tests.support.evidence import CALL_ID, NOW_US, an_opened
from tollbridge.conclude import Conclusions, conclude
from tollbridge.core.account import CallAccount
from tollbridge.core.call import ErrorClass
from tollbridge.core.clock import SystemClock
from tollbridge.core.errors import TollbridgeError
from tollbridge.core.evidence import AttemptEvidence, CallEvidence, Closed
from tollbridge.core.plan import Candidate, Endpoint, Plan
from tollbridge.metering.estimate import EstimateRules
from tollbridge.processes.tools import make_fetcher, make_key_ring, make_relay, make_transport
from tollbridge.providers.passage import HeaderLines, Passage
from tollbridge.providers.relay import Relay, new_attempt
from tollbridge.providers.request import Request
from tollbridge.rating.book import PriceBook
from tollbridge.settings import Settings

TIMEOUT_S = 15.0


class Taker:
    """A caller who takes everything, and stays; what he got."""

    def __init__(self) -> None:
        self.call_id: str | None = None
        self.gone = self.stalled = self.cut_off = self.is_full = self.started = False
        self.status: int | None = None
        self.headers: HeaderLines = b""
        self.got = b""
        self.ended: str | None = None
        """`whole` for a clean end, `broken` for one that was broken off."""

    def watch(self, on_gone: Callable[[], None] | None) -> None:
        """Never leave."""

    def watch_room(self, on_room: Callable[[], None] | None) -> None:
        """Never be full."""

    async def whole(self, status: int, headers: HeaderLines, body: bytes) -> None:
        """Take a whole answer."""
        self.status, self.headers, self.got, self.ended = status, headers, body, "whole"

    async def start(self, status: int, headers: HeaderLines) -> None:
        """Take the head of a stream."""
        self.status, self.headers, self.started = status, headers, True

    async def send(self, data: bytes) -> None:
        """Take a part of it."""
        self.got += data

    def push(self, data: bytes) -> None:
        """Take a part of it."""
        self.got += data

    async def drain(self) -> None:
        """Have read it all."""

    async def finish(self) -> None:
        """See its end."""
        self.ended = "whole"

    async def break_off(self, last: bytes) -> None:
        """See it broken off."""
        self.got += last
        self.ended = "broken"


class NoHealth:
    """Breakers that never open."""

    def began(self, endpoint: str) -> None:
        """Note nothing."""

    def succeeded(self, endpoint: str) -> None:
        """Note nothing."""

    def failed(
        self, endpoint: str, error_class: ErrorClass, retry_after_s: float | None = None
    ) -> None:
        """Note nothing."""

    def took(self, endpoint: str, model: str, first_byte_s: float) -> None:
        """Note nothing."""


class Carried(NamedTuple):
    """One call that has ended."""

    evidence: CallEvidence
    taker: Taker
    error: TollbridgeError | None

    @property
    def last(self) -> AttemptEvidence:
        """The attempt that served, or else the last one."""
        return self.evidence.closed.attempts[-1]

    def account(self, book: PriceBook) -> CallAccount:
        """Return what it comes to at these prices."""
        return conclude(self.evidence, Conclusions(book, EstimateRules()))


class Carrier:
    """Carries calls."""

    def __init__(self, relay: Relay) -> None:
        self._relay = relay
        self._clock = SystemClock()

    async def carry(
        self, request: Request, candidates: Sequence[tuple[Endpoint, str]], cap: int | None = None
    ) -> Carried:
        """Carry one call, to (endpoint, model) in order."""
        plan = Plan("label", tuple(Candidate(door, model, "first") for door, model in candidates))
        first = new_attempt(1, plan.candidates[0], NOW_US)
        passage = Passage(CALL_ID, first, self._clock.monotonic_s() + TIMEOUT_S, cap)
        taker = Taker()
        error: TollbridgeError | None = None
        try:
            await self._relay.run(passage, request, plan, taker, lambda _: None)
        except TollbridgeError as raised:
            error = raised
        opened = an_opened(
            operation=request.operation,
            stream=request.stream,
            request_bytes=len(request.body),
            demand=request.demand,
        )
        closed = Closed(
            call_id=CALL_ID,
            closed_at_us=NOW_US,
            ending=passage.ending,
            http_status=passage.http_status if error is None else error.status,
            attempts=tuple(passage.attempts),
        )
        return Carried(CallEvidence(opened, closed), taker, error)


@contextlib.asynccontextmanager
async def carrying(*private_hosts: str) -> AsyncGenerator[Carrier]:
    """Carry calls to loopback; what was made is fetched from these hosts."""
    settings = Settings(
        retry_rounds_max=0,
        first_byte_timeout_s=5,
        fetch_private_hosts=" ".join(private_hosts),
    )
    clock = SystemClock()
    transport = make_transport(settings, clock)
    fetcher = make_fetcher(settings, clock)
    keys = make_key_ring(settings, clock)
    try:
        yield Carrier(make_relay(settings, transport, fetcher, NoHealth(), clock, keys))
    finally:
        await fetcher.aclose()
        await transport.aclose()
