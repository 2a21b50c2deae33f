"""What has been kept long enough is deleted, and nothing else."""

import asyncio
from pathlib import Path

from tests.support.drained import (
    SpoolingWorker,
    make_drain,
    rows,
)
from tollbridge.core.clock import ManualClock
from tollbridge.recording.drain import DrainSettings
from tollbridge.recording.records import SEGMENT_SUFFIX
from tollbridge.recording.store import purge_evidence
from tollbridge.storage.unit import Database


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
