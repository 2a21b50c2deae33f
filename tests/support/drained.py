"""A node's spool and drain in one process, for tests: real segments, books and ledger."""

import os
from collections.abc import Callable, Mapping, Sequence
from pathlib import Path
from typing import Any, cast

import msgspec

from tests.support import evidence
from tollbridge import pipeline
from tollbridge.conclude import Conclusions
from tollbridge.core.call import AttemptOutcome, Caller, Ending, ErrorClass, Hold, new_id
from tollbridge.core.clock import ManualClock
from tollbridge.core.evidence import AttemptEvidence, Closed, Opened
from tollbridge.core.limits import LeaseCorrection
from tollbridge.core.settlement import Settlement
from tollbridge.ledger.settle import settle
from tollbridge.ledger.store import return_remainder
from tollbridge.metering.estimate import EstimateRules
from tollbridge.rating.book import PriceBook
from tollbridge.rating.prices import PricePart, PriceRow
from tollbridge.recording.audit import books
from tollbridge.recording.drain import Drain, DrainHooks, DrainSettings
from tollbridge.recording.spool import Reach, Segment, Spool, SpoolLimits, nothing_happens
from tollbridge.storage.unit import Database, Unit

NODE = "node-1"
USAGE = {"prompt_tokens": 2518, "completion_tokens": 242, "total_tokens": 2760}
COST_NANOUSD = 522_900
"""What USAGE costs at CONCLUSIONS' price of gpt-4o-mini."""
BUDGET = "budget-1"
CONCLUSIONS = Conclusions(
    PriceBook(
        PricePart(
            rows=[
                PriceRow(new_id(0), provider, "gpt-4o-mini", unit, rate, 1_000_000, 0, None, "seed")
                for provider in ("openai", "aimlapi")
                for unit, rate in (("input", "0.15"), ("output", "0.60"))
            ]
        )
    ),
    EstimateRules(),
)


class SpyLedger:
    """The real ledger, which notes whose remainder was returned, and what was kept."""

    def __init__(self) -> None:
        self.gone: list[str] = []
        self.returned: list[tuple[str, Mapping[str, int]]] = []

    async def worker_gone(self, worker: str) -> None:
        self.gone.append(worker)

    async def settle(
        self,
        unit: Unit,
        batch_id: str,
        charges: Sequence[Settlement],
        provider_costs: Mapping[str, int],
        posted_at_us: int,
    ) -> None:
        await settle(unit, batch_id, charges, provider_costs, posted_at_us)

    async def return_remainder(self, unit: Unit, worker: str, keep: Mapping[str, int]) -> object:
        self.returned.append((worker, keep))
        return await return_remainder(unit, worker, keep)


class LiveCall:
    """A call under way in a worker."""

    def __init__(self, opened: Opened, segment: Segment) -> None:
        self.opened = opened
        self.segment = segment
        self.attempts = [cast("AttemptEvidence", opened.attempt)]
        self.call_id = opened.call_id


class SpoolingWorker:
    """What a worker does to its spool."""

    def __init__(self, directory: Path, clock: ManualClock, segment_bytes_max: int = 2000) -> None:
        self.worker = new_id(clock.now_us())
        self._clock = clock
        limits = SpoolLimits(fsync="never", reserve_bytes=0, segment_bytes_max=segment_bytes_max)
        self.spool = Spool(directory, node=NODE, worker=self.worker, clock=clock, limits=limits)

    def open(self, *, held: bool = False, **changes: Any) -> LiveCall:
        """Let a call in; with `held` it holds 1 milli-dollar of BUDGET."""
        opened = opened_call(self._clock.now_us(), **changes)
        if held:
            hold = Hold(f"lease-{self.worker}", BUDGET, 0, 1_000_000)
            opened = msgspec.structs.replace(opened, holds=(hold,))
        return LiveCall(opened, self.spool.opened(opened))

    def end(self, call: LiveCall, ending: Ending = Ending.COMPLETE, **changes: Any) -> Closed:
        """End a call: its last attempt succeeded, with USAGE."""
        call.attempts[-1] = succeeded(call.attempts[-1], self._clock.now_us())
        closed = Closed(
            call_id=call.call_id,
            closed_at_us=self._clock.now_us(),
            ending=ending,
            http_status=200,
            attempts=tuple(call.attempts),
            response_bytes=500,
        )
        closed = msgspec.structs.replace(closed, **changes)
        self.spool.closed(call.segment, closed)
        return closed

    def die(self, torn: bytes = b"") -> None:
        """End as by SIGKILL: locks fall, and a half-written line may stand at the end."""
        current = self.spool._segment
        if torn:
            os.write(current.fd, torn)
        self.spool.close()


def opened_call(now_us: int, **changes: Any) -> Opened:
    """Return an ordinary call's opening."""
    known: dict[str, Any] = {
        "call_id": new_id(now_us),
        "opened_at_us": now_us,
        "received_at_us": now_us,
        "caller": Caller("key-1", "ci", "ada", "main"),
        "request_bytes": 400,
        "planned": ("openai/gpt-4o-mini: priority 1",),
        "attempt": begun(1, now_us),
    }
    return evidence.an_opened(**{**known, **changes})


def begun(number: int, now_us: int, provider: str = "openai") -> AttemptEvidence:
    """Return an attempt of which nothing is known but that it began."""
    return evidence.begun(number=number, endpoint=provider, provider=provider, started_at_us=now_us)


def succeeded(attempt: AttemptEvidence, now_us: int) -> AttemptEvidence:
    """Return the attempt with an answer."""
    return msgspec.structs.replace(
        attempt,
        outcome=AttemptOutcome.SUCCEEDED,
        written=True,
        first_byte_at_us=now_us,
        ended_at_us=now_us,
        http_status=200,
        served_model="gpt-4o-mini-2024-07-18",
        usage=USAGE,
    )


def refused(attempt: AttemptEvidence, now_us: int) -> AttemptEvidence:
    """Return the attempt refused by its provider."""
    return msgspec.structs.replace(
        attempt,
        outcome=AttemptOutcome.FAILED,
        written=True,
        ended_at_us=now_us,
        http_status=429,
        error_class=ErrorClass.RATE_LIMITED,
        message="slow down",
    )


def make_drain(
    database: Database,
    directory: Path,
    clock: ManualClock,
    *,
    ledger: SpyLedger | None = None,
    settings: DrainSettings | None = None,
    reach: Reach = nothing_happens,
    on_correction: Callable[[LeaseCorrection], None] | None = None,
    close: Any = None,
) -> Drain:
    """Return a drain with the real pipeline, CONCLUSIONS and, unless given, the real ledger."""
    hooks = DrainHooks(reach=reach)
    if on_correction is not None:
        hooks = DrainHooks(reach=reach, on_correction=on_correction)
    return Drain(
        database,
        directory,
        close or (lambda batch, books: pipeline.close(batch, books, CONCLUSIONS)),
        ledger or SpyLedger(),
        node=NODE,
        settings=settings or DrainSettings(),
        hooks=hooks,
        clock=clock,
    )


async def assert_books(database: Database) -> None:
    """Check that details, attempts, roll-ups and ledger have one sum."""
    async with database.read() as unit:
        assert await books(unit) == []


async def rows(database: Database, sql: str) -> list[tuple[Any, ...]]:
    """Return what a query finds."""
    async with database.read() as unit:
        found = await unit.connection.exec_driver_sql(sql)
        return [tuple(row) for row in found]
