"""What cannot be closed is put aside: it stops nobody and loses nothing."""

from collections.abc import Sequence
from pathlib import Path

import msgspec

from tests.support.drained import (
    CONCLUSIONS,
    COST_NANOUSD,
    SpoolingWorker,
    SpyLedger,
    assert_books,
    make_drain,
    opened_call,
    rows,
)
from tollbridge import pipeline
from tollbridge.core.account import CallAccount
from tollbridge.core.clock import ManualClock
from tollbridge.core.evidence import CallEvidence
from tollbridge.pipeline import Books
from tollbridge.recording.closing import Closer
from tollbridge.recording.drain import DrainSettings
from tollbridge.recording.record import Shelf
from tollbridge.recording.replay import dismiss, replay_quarantine
from tollbridge.recording.rollups import Days
from tollbridge.recording.store import RecordingStore
from tollbridge.storage.unit import Database

UTC_ZONE = DrainSettings().zone


async def test_a_closed_without_its_opening_is_put_aside_once(
    database: Database, spool: Path, clock: ManualClock
) -> None:
    """It waits in quarantine; a second `closed` of a call in the books does not."""
    worker = SpoolingWorker(spool, clock)
    call = worker.open()
    closed = worker.end(call)
    worker.spool.closed(call.segment, closed)
    worker.spool.closed(
        call.segment, msgspec.structs.replace(closed, call_id=opened_call(1).call_id)
    )
    drain = make_drain(database, spool, clock)
    await drain.catch_up()
    assert drain.health().quarantined == 1
    assert await rows(database, "SELECT error, state FROM quarantine") == [
        ("closed without its opened", "open")
    ]


async def test_a_record_that_cannot_be_closed_stops_nobody_and_keeps_its_hold(
    database: Database, spool: Path, clock: ManualClock
) -> None:
    """The others are booked; its hold stays leased until a replay succeeds."""
    ledger = SpyLedger()
    worker = SpoolingWorker(spool, clock)
    calls = [worker.open(held=True, label=label) for label in ("good", "poison", "good")]
    for call in calls:
        worker.end(call)
    worker.die()
    drain = make_drain(database, spool, clock, ledger=ledger, close=_refusing_poison)
    await drain.catch_up()
    assert await rows(database, "SELECT label FROM call_details") == [("good",), ("good",)]
    assert drain.health().quarantined == 1
    assert drain.health().spool_pending_records == 0
    assert ledger.returned == [(worker.worker, {f"lease-{worker.worker}": 1_000_000})]
    await assert_books(database)

    shelf = Shelf(RecordingStore(database.dialect), Days(UTC_ZONE), 100)
    stubborn = Closer(shelf, _refusing_poison, ledger)
    assert (await replay_quarantine(database, stubborn, clock=clock)).still_waiting == 1
    closer = Closer(shelf, _closing, ledger)
    assert (await replay_quarantine(database, closer, clock=clock)).closed == 1
    assert (await replay_quarantine(database, closer, clock=clock)).closed == 0
    assert ledger.returned[-1] == (worker.worker, {})
    assert await rows(database, "SELECT state FROM quarantine") == [("replayed",)]
    assert await rows(database, "SELECT spent FROM budget_periods") == [(3 * COST_NANOUSD,)]
    await assert_books(database)


async def test_a_dismissed_record_gives_its_hold_up(
    database: Database, spool: Path, clock: ManualClock
) -> None:
    """What will never be closed is decided by a person, and keeps its raw records."""
    ledger = SpyLedger()
    worker = SpoolingWorker(spool, clock)
    worker.end(worker.open(held=True, label="poison"))
    worker.die()
    await make_drain(database, spool, clock, ledger=ledger, close=_refusing_poison).catch_up()
    [(number,)] = await rows(database, "SELECT quarantine_id FROM quarantine")
    shelf = Shelf(RecordingStore(database.dialect), Days(UTC_ZONE), 100)
    assert await dismiss(database, Closer(shelf, _closing, ledger), number, clock.now_us())
    assert not await dismiss(database, Closer(shelf, _closing, ledger), number, clock.now_us())
    assert ledger.returned[-1] == (worker.worker, {})
    [(state, raw)] = await rows(database, "SELECT state, raw FROM quarantine")
    assert state == "dismissed"
    assert "poison" in raw


async def test_a_text_that_the_database_cannot_hold_is_kept_all_the_same(
    database: Database, spool: Path, clock: ManualClock
) -> None:
    """A NUL in a caller's text does not spare the caller the bill."""
    worker = SpoolingWorker(spool, clock)
    worker.end(worker.open(customer="a\0b", tags=("t\0",)))
    drain = make_drain(database, spool, clock)
    await drain.catch_up()
    assert drain.health().quarantined == 0
    assert await rows(database, "SELECT customer FROM call_details") == [("a\ufffdb",)]


async def test_a_number_that_the_database_cannot_hold_is_put_aside(
    database: Database, spool: Path, clock: ManualClock
) -> None:
    """An error of the driver about one row's content does not stop the rest."""
    worker = SpoolingWorker(spool, clock)
    worker.end(worker.open(request_bytes=2**70))
    worker.end(worker.open())
    drain = make_drain(database, spool, clock)
    await drain.catch_up()
    assert drain.health().quarantined == 1
    assert await rows(database, "SELECT count(*) FROM call_details") == [(1,)]
    await assert_books(database)


async def _closing(batch: Sequence[CallEvidence], books: Books) -> Sequence[CallAccount]:
    return await pipeline.close(batch, books, CONCLUSIONS)


async def _refusing_poison(batch: Sequence[CallEvidence], books: Books) -> Sequence[CallAccount]:
    added = await pipeline.close(batch, books, CONCLUSIONS)
    if any(one.opened.label == "poison" for one in batch):
        raise ZeroDivisionError("a bug of the meter")
    return added
