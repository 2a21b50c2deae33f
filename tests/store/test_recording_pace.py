"""How often does the drain look at the spool?"""

import asyncio
import time
from pathlib import Path

from tests.support.drained import SpoolingWorker, make_drain, rows
from tollbridge.core.clock import ManualClock
from tollbridge.recording.drain import DrainSettings
from tollbridge.storage.unit import Database

WITHIN_S = 30.0


async def _commits(
    database: Database, spool: Path, clock: ManualClock, calls: int, settings: DrainSettings
) -> list[float]:
    """Drain so many calls, and one more that ends right after their commit; return both times."""
    worker = SpoolingWorker(spool, clock, segment_bytes_max=1 << 20)
    for _ in range(calls):
        worker.end(worker.open())
    last = worker.open()
    commits: list[float] = []
    both = asyncio.Event()

    def reach(point: str) -> None:
        if point == "drain.after_commit":
            commits.append(time.monotonic())
            if len(commits) == 1:
                worker.end(last)
            else:
                both.set()

    drain = make_drain(database, spool, clock, settings=settings, reach=reach)
    running = asyncio.create_task(drain.run())
    try:
        async with asyncio.timeout(WITHIN_S):
            await both.wait()
    finally:
        drain.stop()
        await running
    assert await rows(database, "SELECT count(*) FROM call_details") == [(calls + 1,)]
    return commits[:2]


async def test_while_many_come_calls_gather_for_a_unit(
    database: Database, spool: Path, clock: ManualClock
) -> None:
    """After a batch of many records the next look is as late as `gather_ms` says."""
    settings = DrainSettings(interval_ms=1, gather_ms=400, gather_records_min=20)
    first_s, second_s = await _commits(database, spool, clock, 10, settings)
    assert second_s - first_s >= 0.35


async def test_while_few_come_nobody_waits_for_more(
    database: Database, spool: Path, clock: ManualClock
) -> None:
    """After a batch of few records the next look is as soon as `interval_ms` says."""
    settings = DrainSettings(interval_ms=1, gather_ms=60_000, gather_records_min=100)
    assert len(await _commits(database, spool, clock, 10, settings)) == 2
