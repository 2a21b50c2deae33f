"""The drain on both databases: from the spool into the books."""

import asyncio
import os
from pathlib import Path
from typing import Any

import msgspec

from tests.support.drained import (
    BUDGET,
    COST_NANOUSD,
    SpoolingWorker,
    SpyLedger,
    assert_books,
    begun,
    make_drain,
    opened_call,
    refused,
    rows,
)
from tollbridge.core.call import Ending
from tollbridge.core.clock import ManualClock
from tollbridge.core.evidence import AttemptStarted, Closed, Progress
from tollbridge.core.limits import LeaseCorrection
from tollbridge.recording.audit import provider_costs
from tollbridge.recording.drain import DrainSettings
from tollbridge.recording.records import RecordCodec
from tollbridge.recording.statements import joined
from tollbridge.recording.tables import ROLLUPS
from tollbridge.storage.unit import Database


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
    assert await rows(database, "SELECT budget_id, spent FROM budget_periods") == [
        (BUDGET, 3 * COST_NANOUSD)
    ]
    assert await rows(database, "SELECT CAST(sum(amount) AS bigint) FROM postings") == [(0,)]


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


async def _everything(database: Database) -> list[list[tuple[Any, ...]]]:
    tables = (
        "call_details",
        "call_attempts",
        "call_evidence",
        "dimensions",
        *ROLLUPS,
        "budget_periods",
        "postings",
        "quarantine",
        "open_calls",
    )
    return [
        sorted(await rows(database, joined("SELECT * FROM", name)), key=repr) for name in tables
    ]
