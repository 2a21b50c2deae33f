"""The drain on both databases."""

import asyncio
import os
import sqlite3
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.support.drained import (
    BUDGET,
    CONCLUSIONS,
    COST_NANOUSD,
    SpoolingWorker,
    SpyLedger,
    begun,
    make_drain,
    opened_call,
    refused,
    rows,
)
from tollbridge import pipeline
from tollbridge.core.account import CallAccount
from tollbridge.core.call import Ending
from tollbridge.core.clock import ManualClock
from tollbridge.core.evidence import AttemptStarted, CallEvidence, Closed, Progress
from tollbridge.core.limits import LeaseCorrection
from tollbridge.pipeline import Books
from tollbridge.recording.audit import books, provider_costs
from tollbridge.recording.closing import Closer
from tollbridge.recording.drain import DrainSettings
from tollbridge.recording.record import Shelf
from tollbridge.recording.records import SEGMENT_SUFFIX, RecordCodec
from tollbridge.recording.replay import dismiss, replay_quarantine
from tollbridge.recording.rollups import Days
from tollbridge.recording.statements import joined
from tollbridge.recording.store import RecordingStore, purge_evidence
from tollbridge.storage.unit import Database

UTC_ZONE = DrainSettings().zone


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock()


@pytest.fixture
def spool(tmp_path: Path) -> Path:
    return tmp_path / "spool"


async def assert_books(database: Database) -> None:
    async with database.read() as unit:
        assert await books(unit) == []


async def test_a_call_becomes_one_row_with_its_attempts_and_sums(
    database: Database, spool: Path, clock: ManualClock
) -> None:
    """A fallback is one detail row, two attempt rows, and sums under both providers."""
    worker = SpoolingWorker(spool, clock)
    call = worker.open(attempt=begun(1, clock.now_us(), "aimlapi"))
    clock.advance(0.2)
    call.attempts = [refused(call.attempts[0], clock.now_us()), begun(2, clock.now_us())]
    worker.spool.append(call.segment, AttemptStarted(call.call_id, tuple(call.attempts)))
    clock.advance(0.3)
    worker.end(call)
    await make_drain(database, spool, clock).catch_up()

    [row] = await rows(
        database,
        "SELECT status, actual_provider_name, input_tokens, output_tokens, total_tokens, "
        "cost_nanousd, charge_nanousd, attempt_count, latency_ms, worker, request_count, "
        "expected_provider FROM call_details",
    )
    assert row == (
        *("COMPLETED", "openai", 2518, 242, 2760, COST_NANOUSD, COST_NANOUSD, 2, 500),
        *(worker.worker, 1, "openai"),
    )
    assert await rows(
        database,
        "SELECT number, provider, outcome, error_class, latency_ms, cost_nanousd "
        "FROM call_attempts ORDER BY number",
    ) == [
        (1, "aimlapi", "failed", "rate_limited", 200, 0),
        (2, "openai", "succeeded", None, 300, COST_NANOUSD),
    ]
    assert await rows(
        database,
        "SELECT d.provider, d.status_class, d.user_name, r.attempts, r.failures, r.cost_nanousd "
        "FROM rollups_by_attempt AS r JOIN dimensions AS d ON d.dimension_id = r.dimension_id "
        "ORDER BY d.provider",
    ) == [("aimlapi", "4xx", "ada", 1, 1, 0), ("openai", "2xx", "ada", 1, 0, COST_NANOUSD)]
    assert await rows(
        database,
        "SELECT d.provider, d.user_name, r.calls, r.completed FROM rollups_by_call_daily AS r "
        "JOIN dimensions AS d ON d.dimension_id = r.dimension_id",
    ) == [("openai", "", 1, 1)]
    async with database.read() as unit:
        assert await provider_costs(unit) == {"openai": COST_NANOUSD}
    await assert_books(database)


async def test_reading_the_spool_again_changes_nothing(
    database: Database, spool: Path, clock: ManualClock
) -> None:
    """Rewound and drained a second time, every table says the same."""
    worker = SpoolingWorker(spool, clock)
    for _ in range(5):
        worker.end(worker.open(held=True))
    left_open = worker.open()
    drain = make_drain(database, spool, clock)
    await drain.catch_up()
    before = await _everything(database)
    await drain.rewind()
    await drain.catch_up()
    assert await _everything(database) == before
    worker.end(left_open)
    await drain.catch_up()
    assert await rows(database, "SELECT count(*) FROM call_details") == [(6,)]
    await assert_books(database)


async def test_charges_are_posted_once(database: Database, spool: Path, clock: ManualClock) -> None:
    """Of a held call the budget is charged; the postings sum to zero."""
    worker = SpoolingWorker(spool, clock)
    for _ in range(3):
        worker.end(worker.open(held=True))
    drain = make_drain(database, spool, clock)
    await drain.catch_up()
    await drain.rewind()
    await drain.catch_up()
    assert await rows(database, "SELECT budget_id, spent_nanousd FROM budget_periods") == [
        (BUDGET, 3 * COST_NANOUSD)
    ]
    assert await rows(database, "SELECT CAST(sum(amount_nanousd) AS bigint) FROM postings") == [
        (0,)
    ]


async def test_a_call_of_a_dead_worker_is_interrupted(
    database: Database, spool: Path, clock: ManualClock
) -> None:
    """While the worker lives its call stays open; once it is dead it ends with what was seen."""
    ledger = SpyLedger()
    worker = SpoolingWorker(spool, clock)
    call = worker.open(stream=True)
    opened_at_us = clock.now_us()
    clock.advance(2)
    seen = msgspec.structs.replace(call.attempts[0], written=True, chunks=7)
    worker.spool.append(call.segment, Progress(call.call_id, clock.now_us(), seen))
    seen_at_us = clock.now_us()
    drain = make_drain(database, spool, clock, ledger=ledger)
    await drain.catch_up()
    assert await rows(database, "SELECT count(*) FROM open_calls") == [(1,)]
    assert drain.health().open_calls == 1
    assert (ledger.gone, ledger.returned) == ([], [])

    clock.advance(60)
    worker.die(torn=b'{"v":1,"crc":12')
    drain.close()
    # Another office: all it knows is in the database.
    again = make_drain(database, spool, clock, ledger=ledger)
    await again.catch_up()
    assert await rows(
        database,
        "SELECT status, ending, opened_at_us, accounted_at_us, output_tokens, usage_source "
        "FROM call_details",
    ) == [("FAILED", "interrupted", opened_at_us, seen_at_us, 7, "estimated")]
    assert await rows(database, "SELECT count(*) FROM open_calls") == [(0,)]
    assert (ledger.gone, ledger.returned) == ([worker.worker], [(worker.worker, {})])
    health = again.health()
    assert (health.spool_pending_records, health.open_calls, health.unreadable_lines) == (0, 0, 1)
    await assert_books(database)


async def test_the_remainder_waits_for_the_last_segment(
    database: Database, spool: Path, clock: ManualClock
) -> None:
    """A rotated segment is finished while its worker lives; nothing is returned then."""
    ledger = SpyLedger()
    worker = SpoolingWorker(spool, clock, segment_bytes_max=1)
    worker.end(worker.open())
    worker.end(worker.open())
    drain = make_drain(database, spool, clock, ledger=ledger)
    await drain.catch_up()
    states = await rows(database, "SELECT state FROM spool_segments ORDER BY segment")
    assert [state for (state,) in states] == ["finished", "finished", "open"]
    assert ledger.returned == []
    worker.die()
    await drain.catch_up()
    assert ledger.returned == [(worker.worker, {})]


async def test_an_unfinished_line_of_a_live_segment_waits(
    database: Database, spool: Path, clock: ManualClock
) -> None:
    """Half a line is neither read nor skipped while its worker may finish it."""
    worker = SpoolingWorker(spool, clock)
    call = worker.open()
    closed = Closed(call.call_id, clock.now_us(), Ending.COMPLETE, 200, tuple(call.attempts))
    line = RecordCodec().line(closed)
    os.write(call.segment.fd, line[:40])
    drain = make_drain(database, spool, clock)
    await drain.catch_up()
    assert drain.health().spool_pending_records == 1
    os.write(call.segment.fd, line[40:])
    await drain.catch_up()
    assert drain.health().spool_pending_records == 0
    assert await rows(database, "SELECT count(*) FROM call_details") == [(1,)]


async def test_unreadable_lines_are_counted_and_skipped(
    database: Database, spool: Path, clock: ManualClock
) -> None:
    """Damage costs the damaged lines and nothing else."""
    worker = SpoolingWorker(spool, clock)
    call = worker.open()
    os.write(call.segment.fd, b'\x00\xff rubbish\n{"v":9,"crc":1,"record":{}}\n\n')
    worker.end(call)
    drain = make_drain(database, spool, clock)
    await drain.catch_up()
    assert drain.health().unreadable_lines == 2
    assert await rows(database, "SELECT unreadable_lines FROM spool_segments") == [(2,)]
    assert await rows(database, "SELECT count(*) FROM call_details") == [(1,)]


async def test_a_refused_call_needs_no_opening(
    database: Database, spool: Path, clock: ManualClock
) -> None:
    """A `closed` that brings its own opening is a call without attempts."""
    worker = SpoolingWorker(spool, clock)
    opened = opened_call(clock.now_us(), attempt=None)
    closed = Closed(
        opened.call_id, clock.now_us(), Ending.OVER_BUDGET, 402, error="no room", opened=opened
    )
    worker.spool.refused(closed)
    worker.spool.refused(closed)
    drain = make_drain(database, spool, clock)
    await drain.catch_up()
    assert await rows(
        database,
        "SELECT status, http_status, actual_provider_name, cost_nanousd, error_message, "
        "attempt_count FROM call_details",
    ) == [("FAILED", 402, "unknown", 0, "no room", 0)]
    assert drain.health().quarantined == 0
    await assert_books(database)


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
    assert await rows(database, "SELECT spent_nanousd FROM budget_periods") == [(3 * COST_NANOUSD,)]
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


async def test_what_the_database_refuses_is_tried_again(
    database: Database, spool: Path, clock: ManualClock
) -> None:
    """A full disk in the middle of a batch loses nothing and puts nothing aside."""
    worker = SpoolingWorker(spool, clock)
    worker.end(worker.open(held=True))
    failures = 2

    def reach(point: str) -> None:
        nonlocal failures
        if point == "drain.before_commit" and failures:
            failures -= 1
            raise sqlite3.OperationalError("database or disk is full")

    drain = make_drain(database, spool, clock, reach=reach)
    running = asyncio.create_task(drain.run())
    async with asyncio.timeout(10):
        while not await rows(database, "SELECT 1 FROM call_details"):
            await asyncio.sleep(0.01)
    drain.stop()
    await running
    assert failures == 0
    assert drain.health().quarantined == 0
    assert await rows(database, "SELECT count(*) FROM postings") == [(4,)]
    await assert_books(database)


async def test_a_drain_that_dies_before_its_commit_has_done_nothing(
    database: Database, spool: Path, clock: ManualClock
) -> None:
    """The next one reads the same records again."""
    worker = SpoolingWorker(spool, clock)
    worker.end(worker.open())

    def reach(point: str) -> None:
        if point == "drain.before_commit":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await make_drain(database, spool, clock, reach=reach).step()
    assert await rows(database, "SELECT count(*) FROM call_details") == [(0,)]
    await make_drain(database, spool, clock).catch_up()
    assert await rows(database, "SELECT count(*) FROM call_details") == [(1,)]
    await assert_books(database)


async def test_a_drain_that_dies_after_its_commit_has_done_everything(
    database: Database, spool: Path, clock: ManualClock
) -> None:
    """The next one goes on behind what is in the books."""
    worker = SpoolingWorker(spool, clock)
    worker.end(worker.open())

    def reach(point: str) -> None:
        if point == "drain.after_commit":
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        await make_drain(database, spool, clock, reach=reach).step()
    again = make_drain(database, spool, clock)
    assert await again.step() == 0
    assert await rows(database, "SELECT count(*) FROM call_details") == [(1,)]
    await assert_books(database)


async def test_a_difference_to_what_the_worker_took_is_reported(
    database: Database, spool: Path, clock: ManualClock
) -> None:
    """The drain's figure is posted; the purse learns the difference."""
    worker = SpoolingWorker(spool, clock)
    worker.end(worker.open(held=True), charge_nanousd=500_000)
    worker.end(worker.open(held=True), charge_nanousd=COST_NANOUSD)
    told: list[LeaseCorrection] = []
    await make_drain(database, spool, clock, on_correction=told.append).catch_up()
    assert told == [LeaseCorrection(f"lease-{worker.worker}", BUDGET, COST_NANOUSD - 500_000)]


async def test_finished_segments_are_deleted_when_they_have_been_kept_long_enough(
    database: Database, spool: Path, clock: ManualClock
) -> None:
    """Not before, and never one that is not finished."""
    dead, alive = SpoolingWorker(spool, clock), SpoolingWorker(spool, clock)
    dead.end(dead.open())
    alive.end(alive.open())
    dead.die()
    passed: list[str] = []
    drain = make_drain(
        database, spool, clock, settings=DrainSettings(keep_h=1), reach=passed.append
    )
    await drain.catch_up()
    clock.advance(3599)
    await drain.tidy()
    assert len(list(spool.glob(f"*{SEGMENT_SUFFIX}"))) == 2
    clock.advance(2)
    await drain.tidy()
    assert [path.name for path in spool.glob(f"*{SEGMENT_SUFFIX}")] == [
        f"{alive.worker}-000001{SEGMENT_SUFFIX}"
    ]
    assert passed.count("segment.before_delete") == 1
    assert await rows(database, "SELECT state FROM spool_segments") == [("open",)]


async def test_old_evidence_is_purged_and_the_call_stays(
    database: Database, spool: Path, clock: ManualClock
) -> None:
    """Raw evidence goes by its age, at most so many rows at once."""
    worker = SpoolingWorker(spool, clock)
    for _ in range(3):
        worker.end(worker.open())
    clock.advance(3600)
    worker.end(worker.open())
    await make_drain(database, spool, clock).catch_up()
    async with database.write() as unit:
        assert await purge_evidence(unit, clock.now_us(), rows_max=2) == 2
        assert await purge_evidence(unit, clock.now_us(), rows_max=2) == 1
        assert await purge_evidence(unit, clock.now_us(), rows_max=2) == 0
    assert await rows(database, "SELECT count(*) FROM call_evidence") == [(1,)]
    assert await rows(database, "SELECT count(*) FROM call_details") == [(4,)]


async def test_batches_hold_at_most_so_many_records(
    database: Database, spool: Path, clock: ManualClock
) -> None:
    """Many records are many units, each of which leaves the books in order."""
    worker = SpoolingWorker(spool, clock)
    for _ in range(10):
        worker.end(worker.open())
    drain = make_drain(database, spool, clock, settings=DrainSettings(batch_records_max=3))
    assert await drain.step() == 3
    await assert_books(database)
    await drain.catch_up()
    assert await rows(database, "SELECT count(*) FROM call_details") == [(10,)]
    assert await rows(database, "SELECT count(*) FROM open_calls") == [(0,)]


async def _closing(batch: Sequence[CallEvidence], books: Books) -> Sequence[CallAccount]:
    return await pipeline.close(batch, books, CONCLUSIONS)


async def _refusing_poison(batch: Sequence[CallEvidence], books: Books) -> Sequence[CallAccount]:
    added = await pipeline.close(batch, books, CONCLUSIONS)
    if any(one.opened.label == "poison" for one in batch):
        raise ZeroDivisionError("a bug of the meter")
    return added


async def _everything(database: Database) -> list[list[tuple[Any, ...]]]:
    tables = (
        "call_details",
        "call_attempts",
        "call_evidence",
        "dimensions",
        "rollups_by_call",
        "rollups_by_call_daily",
        "rollups_by_attempt",
        "rollups_by_attempt_daily",
        "rollup_latency",
        "budget_periods",
        "postings",
        "quarantine",
        "open_calls",
    )
    return [
        sorted(await rows(database, joined("SELECT * FROM", name)), key=repr) for name in tables
    ]


async def test_one_tidying_purges_all_that_is_due_in_pieces(
    database: Database, spool: Path, clock: ManualClock
) -> None:
    """However much there is: no piece is larger than allowed, and none is left for later."""
    worker = SpoolingWorker(spool, clock)
    for _ in range(7):
        worker.end(worker.open())
    drain = make_drain(
        database, spool, clock, settings=DrainSettings(evidence_keep_days=1, purge_rows_max=2)
    )
    await drain.catch_up()
    clock.advance(2 * 86_400)
    await drain.tidy()
    assert await rows(database, "SELECT count(*) FROM call_evidence") == [(0,)]


async def test_a_purge_that_takes_long_goes_on_between_batches(
    database: Database, spool: Path, clock: ManualClock
) -> None:
    """It gives way after its time, and does not wait for the next tidying."""
    worker = SpoolingWorker(spool, clock)
    for _ in range(7):
        worker.end(worker.open())
    settings = DrainSettings(evidence_keep_days=1, purge_rows_max=2, purge_s_max=0)
    drain = make_drain(database, spool, clock, settings=settings)
    await drain.catch_up()
    clock.advance(2 * 86_400)
    await drain.tidy()
    assert await rows(database, "SELECT count(*) FROM call_evidence") == [(5,)]
    running = asyncio.create_task(drain.run())  # the clock stands: no tidying is due but one
    async with asyncio.timeout(10):
        while await rows(database, "SELECT 1 FROM call_evidence"):
            await asyncio.sleep(0.01)
    drain.stop()
    await running


async def test_catching_up_with_the_dead_leaves_what_the_living_write(
    database: Database, spool: Path, clock: ManualClock
) -> None:
    """It returns although there is always more, and all of the dead is in the books."""
    dead, alive = SpoolingWorker(spool, clock), SpoolingWorker(spool, clock, 1_000_000)
    for _ in range(5):
        dead.end(dead.open())
    cut_off = dead.open()
    alive.end(alive.open())
    dead.die()

    def reach(point: str) -> None:
        if point == "drain.after_commit":
            alive.end(alive.open())

    ledger = SpyLedger()
    drain = make_drain(
        database,
        spool,
        clock,
        ledger=ledger,
        settings=DrainSettings(batch_records_max=3),
        reach=reach,
    )
    async with asyncio.timeout(20):
        await drain.catch_up_with_the_dead()
        await drain.catch_up_with_the_dead()
    assert await rows(database, "SELECT count(*) FROM call_details") == [(6,)]
    ended = "SELECT CAST(call_id AS VARCHAR(36)) FROM call_details WHERE ending = 'interrupted'"
    assert await rows(database, ended) == [(cut_off.call_id,)]
    assert ledger.gone == [dead.worker]
    assert drain.health().spool_pending_bytes > 0
    await assert_books(database)
