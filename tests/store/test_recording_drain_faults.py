"""The drain when the database refuses or the process dies."""

import asyncio
import sqlite3
from pathlib import Path

import pytest

from tests.support.drained import (
    SpoolingWorker,
    assert_books,
    make_drain,
    rows,
)
from tollbridge.core.clock import ManualClock
from tollbridge.storage.unit import Database


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
