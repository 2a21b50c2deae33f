"""How do the workers' records come into the books, each call once, whatever dies when?

The office runs one drain per node. A batch of records is one unit: details, sums, postings, open
calls and the offset move together or not at all. What the database refuses is retried as it is;
what a record's own content breaks is put into quarantine, and the offset moves on.
"""

import asyncio
import gc
from collections.abc import Callable, Generator, Sequence
from collections.abc import Set as AbstractSet
from contextlib import contextmanager, suppress
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any

import msgspec
import structlog

from tollbridge.core.account import CallAccount
from tollbridge.core.clock import SECOND_US, Clock, SystemClock
from tollbridge.core.errors import OverloadedError
from tollbridge.core.limits import LeaseCorrection
from tollbridge.recording import store
from tollbridge.recording.calls import Unclosable
from tollbridge.recording.closing import Close, Closer, HoldsOf, error_of
from tollbridge.recording.content_store import add_contents, purge_contents
from tollbridge.recording.intake_store import keep_batches
from tollbridge.recording.logs import CallLines, CallLogger, log_calls
from tollbridge.recording.metrics import SERIES_MAX, CallCounts
from tollbridge.recording.reading import SpoolReading
from tollbridge.recording.record import DrainLedger, Shelf, UnitBooks, corrections
from tollbridge.recording.rollups import Days
from tollbridge.recording.segments import Batch, ReadLimits, remove_stillborn
from tollbridge.recording.spool import Reach, nothing_happens
from tollbridge.recording.store import RecordingStore
from tollbridge.storage.faults import is_database_fault, name_of
from tollbridge.storage.unit import Database, Unit

HOUR_US = 3600 * SECOND_US

log: Any = structlog.get_logger()


class DrainSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The knobs of the drain, with their units."""

    batch_records_max: int = 2000
    interval_ms: int = 50
    """Time between two looks at the spool, while there is little to do."""
    gather_ms: int = 200
    """The same while there is much to do: calls share the cost of a unit, and of its pages."""
    gather_records_min: int = 20
    """Records of one batch from which on there is much to do."""
    keep_h: float = 24.0
    """Time that a finished segment is kept."""
    tidy_interval_s: float = 60.0
    """Time between two looks for what can be deleted."""
    evidence_keep_days: int = 30
    content_keep_days: int = 30
    """Time that prompts and answers are kept, of calls whose key or route asks for it."""
    purge_rows_max: int = 2000
    """Rows of evidence, and likewise of content, that are deleted in one unit."""
    purge_s_max: float = 0.25
    """Time after which the purge lets a batch of records go first."""
    retry_wait_s_min: float = 0.05
    retry_wait_s_max: float = 5.0
    dimensions_cached_max: int = 50_000
    metrics_series_max: int = SERIES_MAX
    """Groups of attempts, and of calls, that metrics tell apart."""
    zone: tzinfo = UTC
    """The billing time zone: where the days of the daily roll-ups begin."""
    read: ReadLimits = ReadLimits()


@contextmanager
def _collection_paused() -> Generator[None]:
    """Keep the garbage collector from looking through a batch again and again.

    Thousands of records live for some milliseconds and hold no cycles; looking at them took a
    third of the drain's time.
    """
    was_enabled = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_enabled:
            gc.enable()


def _ignore(_correction: LeaseCorrection) -> None:
    """Tell nobody."""


class DrainHooks(msgspec.Struct, frozen=True, kw_only=True):
    """Who is told what."""

    on_correction: Callable[[LeaseCorrection], None] = _ignore
    """After the commit: the posted charge is not what the worker took."""
    call_logger: CallLogger | None = None
    """Gets the lines of each call; None writes none, and costs nothing."""
    call_lines: Callable[[Sequence[bytes]], None] | None = None
    """Gets them rendered instead, a batch at once: each the members of a JSON object."""
    on_added: Callable[[Sequence[CallAccount]], None] | None = None
    """Gets the calls of a batch once they are in the books."""
    holds_of: HoldsOf | None = None
    """Which budgets pay for reports of others, where their source says so."""
    reach: Reach = nothing_happens


class DrainHealth(msgspec.Struct, frozen=True):
    """How the drain stands. `spool_pending_records` is about right, and 0 only where none is."""

    spool_pending_bytes: int
    spool_pending_records: int
    lag_s: float
    """How long there has been something to do without a break."""
    open_calls: int
    quarantined: int
    unreadable_lines: int
    database_error: str | None
    """What the database last said, while batches are being retried."""


class Drain:
    """Brings one node's spool into the books."""

    def __init__(
        self,
        database: Database,
        directory: Path,
        close: Close,
        ledger: DrainLedger,
        *,
        node: str,
        settings: DrainSettings | None = None,
        hooks: DrainHooks | None = None,
        clock: Clock | None = None,
    ) -> None:
        self._database = database
        self._directory = directory
        self._node = node
        self._settings = settings or DrainSettings()
        self._hooks = hooks or DrainHooks()
        self._clock = clock or SystemClock()
        self._store = RecordingStore(database.dialect)
        shelf = Shelf(self._store, Days(self._settings.zone), self._settings.dimensions_cached_max)
        self._ledger = ledger
        self._closer = Closer(shelf, close, ledger, self._hooks.holds_of)
        self._reading = SpoolReading(directory, node, self._settings.read)
        self._batch: Batch | None = None
        self._added: list[CallAccount] = []
        self._lines = CallLines()
        self.counts = CallCounts(series_max=self._settings.metrics_series_max)
        """What the calls come to that this drain brings into the books, for metrics."""
        self._ready = False
        self._stopping = asyncio.Event()
        self._quarantined = 0
        self._unreadable_lines = 0
        self._caught_up_at_s = self._clock.monotonic_s()
        self._tidied_at_s = self._clock.monotonic_s()
        self._purged = True
        self._database_error: str | None = None

    async def run(self) -> None:
        """Drain until `stop()`; what the database refuses is tried again, ever more slowly."""
        wait_s = self._settings.retry_wait_s_min
        while not self._stopping.is_set():
            error = await error_of(self._turn())
            if error is None:
                wait_s = self._settings.retry_wait_s_min
                continue
            # The database is away; or the disk of the spool is.
            if not isinstance(error, OverloadedError | OSError):
                raise error
            self._database_error = name_of(error)
            # Not the message: it may hold what was to be written.
            log.warning("drain_retries", action="drain", error=name_of(error), wait_s=wait_s)
            await self._sleep(wait_s)
            wait_s = min(wait_s * 2, self._settings.retry_wait_s_max)

    def stop(self) -> None:
        """Let `run()` return after the batch that it is at."""
        self._stopping.set()

    async def step(self, only: AbstractSet[str] | None = None) -> int:
        """Bring one batch into the books; return about how many records it had, 0 for none.

        `only` names the segments that are read; a batch that is to be tried again comes first.
        Raises OverloadedError where the database is at fault; the next step then tries the same
        batch again.
        """
        await self._load()
        with _collection_paused():
            return await self._step(only)

    async def _step(self, only: AbstractSet[str] | None) -> int:
        if self._batch is None:
            self._batch = self._reading.gather(self._settings.batch_records_max, only)
        batch = self._batch
        if batch.touched:
            error = await error_of(self._write(batch, one_by_one=False))
            if error is not None:
                if isinstance(error, OverloadedError):
                    raise error
                log.warning("drain_isolates", action="drain", error=type(error).__name__)
                await self._write(batch, one_by_one=True)
        self._batch = None
        self._tell()
        self._database_error = None
        if not self._reading.pending()[0]:
            self._caught_up_at_s = self._clock.monotonic_s()
        return max(1, batch.records) if batch.touched else 0

    async def catch_up(self) -> None:
        """Bring everything into the books that can be now. Never returns while more comes."""
        while await self.step():
            pass

    async def catch_up_with_the_dead(self) -> None:
        """Bring into the books what workers that are gone by now have left; not what others write.

        Bounded by what stands in their segments, which nobody appends to any more.
        """
        await self._load()
        left = self._reading.ownerless()
        while left and await self.step(left):
            left &= self._reading.unfinished()

    async def tidy(self) -> None:
        """Delete what has been kept long enough: drained segments, once durable, and evidence."""
        settings = self._settings
        now_us = self._clock.now_us()
        async with self._database.write() as unit:
            names = await store.list_deletable(
                unit, self._node, now_us - round(settings.keep_h * HOUR_US)
            )
            self._quarantined, self._unreadable_lines = await store.load_counts(unit)
        await self._purge()
        remove_stillborn(self._directory, now_us - HOUR_US)
        # What was finished is committed, and from here on it survives a power cut too.
        if not names or not await self._database.checkpoint():
            return
        for name in names:
            self._hooks.reach("segment.before_delete")
            (self._directory / name).unlink(missing_ok=True)
        async with self._database.write() as unit:
            await store.forget_segments(unit, names)
        self._reading.forget(names)

    async def rewind(self) -> None:
        """Read all segments that are still there again from their beginning.

        Changes nothing but what a restored backup lacks. Not while `run()` is at work.
        """
        names = self._reading.names()
        async with self._database.write() as unit:
            await store.rewind(unit, names)
        self._batch = None
        self._ready = False

    def health(self) -> DrainHealth:
        """Return how the drain stands; asks no database."""
        pending_bytes, pending_records = self._reading.pending() if self._ready else (1, 1)
        lag_s = self._clock.monotonic_s() - self._caught_up_at_s if pending_bytes else 0.0
        return DrainHealth(
            spool_pending_bytes=pending_bytes,
            spool_pending_records=pending_records,
            lag_s=lag_s,
            open_calls=self._reading.open_calls(),
            quarantined=self._quarantined,
            unreadable_lines=self._unreadable_lines,
            database_error=self._database_error,
        )

    def close(self) -> None:
        """Let go of all files."""
        self._reading.stop()
        self._ready = False

    async def _turn(self) -> None:
        began_s = self._clock.monotonic_s()
        records = await self.step()
        if began_s - self._tidied_at_s >= self._settings.tidy_interval_s:
            self._tidied_at_s = began_s
            await self.tidy()
        elif not self._purged:
            await self._purge()
        if records < self._settings.batch_records_max and self._purged:
            taken_s = self._clock.monotonic_s() - began_s
            await self._sleep(max(0.0, self._wait_ms(records) / 1000 - taken_s))

    def _wait_ms(self, records: int) -> int:
        """Return the time until the next look after a batch of so many records has begun."""
        settings = self._settings
        if records < settings.gather_records_min:
            return settings.interval_ms
        return max(settings.interval_ms, settings.gather_ms)

    async def _purge(self) -> None:
        """Delete evidence and content that were kept long enough, in pieces, while time is left.

        Others write between the pieces. What is left over goes on with the next turn.
        """
        settings = self._settings
        began_s = self._clock.monotonic_s()
        now_us, rows_max = self._clock.now_us(), settings.purge_rows_max
        evidence_us = now_us - settings.evidence_keep_days * 24 * HOUR_US
        content_us = now_us - settings.content_keep_days * 24 * HOUR_US
        self._purged = False
        while not self._purged:
            async with self._database.write() as unit:
                gone = await store.purge_evidence(unit, evidence_us, rows_max)
                gone = max(gone, await purge_contents(unit, content_us, rows_max))
            self._purged = gone < rows_max
            if self._clock.monotonic_s() - began_s >= settings.purge_s_max:
                return
            await asyncio.sleep(0)

    async def _sleep(self, seconds: float) -> None:
        with suppress(TimeoutError):
            async with asyncio.timeout(seconds):
                await self._stopping.wait()

    async def _load(self) -> None:
        if self._ready:
            return
        async with self._database.read() as unit:
            standing = await store.load_standing(unit, self._node)
            self._quarantined, self._unreadable_lines = await store.load_counts(unit)
        self._reading.start(standing)
        self._ready = True

    async def _write(self, batch: Batch, *, one_by_one: bool) -> None:
        """Write a batch in one unit; one by one, what cannot be closed is put aside."""
        now_us = self._clock.now_us()
        closer = self._closer
        culprits: list[Unclosable] = []
        gone = sorted(self._reading.workers_gone(batch))
        for worker in gone:
            await self._ledger.worker_gone(worker)
        async with self._database.write() as unit:
            await keep_batches(unit, batch.reports)
            if one_by_one:
                books, culprits = await closer.one_by_one(unit, batch.ended, now_us)
            else:
                books = await closer.together(unit, batch.ended, now_us)
            put_aside = await self._put_aside(unit, [*batch.unclosable, *culprits], now_us)
            await self._keep_contents(unit, batch)
            await self._store.keep(unit, batch, now_us)
            for worker in gone:
                keep = await store.held_in_quarantine(unit, worker)
                await self._ledger.return_remainder(unit, worker, keep)
            self._hooks.reach("drain.before_commit")
        self._hooks.reach("drain.after_commit")
        self._quarantined += put_aside
        self._committed(batch, books)

    async def _keep_contents(self, unit: Unit, batch: Batch) -> None:
        """Keep what was asked and answered; what does not fit must not hold up the books."""
        if not batch.contents:
            return
        error = await error_of(add_contents(unit, batch.contents))
        if error is not None:
            if is_database_fault(error):
                raise error
            log.warning("content_lost", action="drain", error=name_of(error))

    async def _put_aside(self, unit: Unit, items: Sequence[Unclosable], now_us: int) -> int:
        if not items:
            return 0
        # A second `closed` of a call that is in the books is no trouble.
        known = await self._store.known(unit, [one.call_id for one in items if one.call_id])
        return await store.put_aside(
            unit, [one for one in items if one.call_id not in known], now_us
        )

    def _committed(self, batch: Batch, books: UnitBooks) -> None:
        self._reading.committed(batch)
        self._unreadable_lines += batch.unreadable_lines
        books.committed()
        self._added = books.added

    def _tell(self) -> None:
        """Tell of the calls that have just come into the books; not again, should that fail."""
        added, self._added = self._added, []
        self.counts.add(added)
        for correction in corrections(added):
            self._hooks.on_correction(correction)
        if self._hooks.call_logger is not None:
            log_calls(self._hooks.call_logger, added)
        if self._hooks.on_added is not None and added:
            self._hooks.on_added(added)
        if self._hooks.call_lines is not None and added:
            self._hooks.call_lines(self._lines.render(added))
