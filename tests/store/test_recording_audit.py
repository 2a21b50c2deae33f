"""Books that check themselves, and roll-ups made anew."""

from pathlib import Path
from zoneinfo import ZoneInfo

import pytest

from tests.support.drained import COST_NANOUSD, SpoolingWorker, make_drain, rows
from tollbridge.core.clock import ManualClock
from tollbridge.recording.audit import books
from tollbridge.recording.drain import DrainSettings
from tollbridge.recording.rebuild import rebuild_rollups
from tollbridge.storage import migrate
from tollbridge.storage.unit import Database

ZONE = ZoneInfo("America/New_York")


@pytest.fixture
async def filled(database: Database, tmp_path: Path) -> Database:
    """Return a database with calls of two days."""
    clock = ManualClock()
    worker = SpoolingWorker(tmp_path / "spool", clock)
    for _ in range(6):
        worker.end(worker.open())
        clock.advance(5 * 3600)
    worker.open()
    worker.die()
    settings = DrainSettings(zone=ZONE)
    await make_drain(database, tmp_path / "spool", clock, settings=settings).catch_up()
    return database


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ("UPDATE call_details SET known_cost_nanousd = known_cost_nanousd + 1", "rollups_by_call"),
        ("UPDATE rollups_by_call SET charge_nanousd = charge_nanousd + 1", "rollups_by_call"),
        ("UPDATE rollups_by_call_daily SET calls = calls + 1", "rollups_by_call_daily"),
        ("UPDATE call_attempt_rows SET cost_nanousd = 7", "attempts' cost of a call"),
        ("UPDATE rollups_by_attempt SET attempts = 0", "rollups_by_attempt"),
        ("UPDATE rollups_by_attempt_daily SET failures = 9", "rollups_by_attempt_daily"),
        ("UPDATE rollup_latency SET count = count + 1", "latency histogram"),
        ("UPDATE rollup_latency_daily SET count = count + 1", "latency histogram"),
        ("UPDATE rollup_latency SET first_byte_count = 5", "first-byte histogram"),
        ("UPDATE rollups_by_caller_daily SET calls = 0", "rollups_by_caller_daily"),
        (
            "UPDATE rollups_by_caller_attempt_daily SET attempts = 0",
            "rollups_by_caller_attempt_daily",
        ),
        ("DELETE FROM rollups_by_call_quarterly", "rollups_by_call_quarterly"),
        ("UPDATE rollups_by_attempt_quarterly SET failures = 9", "rollups_by_attempt_quarterly"),
        ("DELETE FROM dimensions", "roll-up without its dimension"),
        ("UPDATE call_details SET unpriced = (1 = 1)", "unpriced call"),
        ("UPDATE call_details SET attempt_count = 4", "attempts of a call"),
    ],
)
async def test_a_wrong_figure_is_found(filled: Database, change: str, kind: str) -> None:
    """Each of the books' figures is proved by another one."""
    async with filled.read() as unit:
        assert await books(unit) == []
    async with filled.write() as unit:
        await unit.connection.exec_driver_sql(change)
    async with filled.read() as unit:
        assert kind in {one.kind for one in await books(unit)}


async def test_rollups_made_anew_are_those_that_the_drain_made(filled: Database) -> None:
    """The database's own grouping of the details comes to the same sums."""
    async with filled.read() as unit:
        assert await rebuild_rollups(unit, ZONE) == []
    assert len(await rows(filled, "SELECT * FROM rollups_by_call_daily")) > 2


async def test_spoilt_rollups_are_put_right(filled: Database) -> None:
    """Missing, wrong and surplus rows, and missing dimensions."""
    async with filled.write() as unit:
        for sql in (
            "UPDATE rollups_by_call SET calls = 17",
            "DELETE FROM rollups_by_attempt",
            "DELETE FROM dimensions",
            "DELETE FROM rollups_by_caller_daily",
            "DELETE FROM rollups_by_caller_attempt_daily",
            "UPDATE rollups_by_call_quarterly SET calls = 17",
            "DELETE FROM rollups_by_attempt_quarterly",
            "INSERT INTO rollup_latency VALUES (0, 5, 5, 5, 5)",
        ):
            await unit.connection.exec_driver_sql(sql)
        found = {one.kind for one in await rebuild_rollups(unit, ZONE, replace=True)}
    assert found == {
        "rollups_by_call",
        "rollups_by_attempt",
        "rollups_by_call_quarterly",
        "rollups_by_attempt_quarterly",
        "rollups_by_caller_daily",
        "rollups_by_caller_attempt_daily",
        "rollup_latency",
    }
    async with filled.read() as unit:
        assert await rebuild_rollups(unit, ZONE) == []
        assert await books(unit) == []


async def test_another_billing_zone_moves_the_days_only(filled: Database) -> None:
    """Quarter hours are right in every zone."""
    async with filled.read() as unit:
        found = {one.kind for one in await rebuild_rollups(unit, ZoneInfo("Asia/Tokyo"))}
    assert found == {
        "rollups_by_call_daily",
        "rollups_by_attempt_daily",
        "rollups_by_caller_daily",
        "rollups_by_caller_attempt_daily",
        "rollup_latency_daily",
    }
    assert (
        await rows(filled, "SELECT CAST(sum(cost_nanousd) AS bigint) FROM rollups_by_call_daily")
    )[0][0] >= 6 * COST_NANOUSD


async def test_the_migration_makes_the_sums_that_the_drain_makes(
    filled: Database, database_url: str
) -> None:
    """Of calls that were in the books before: those by quarter hour, and of attempts by caller."""
    await migrate.downgrade(database_url, "0028_details_vacuumed")
    await migrate.upgrade(database_url)
    async with filled.read() as unit:
        assert await rebuild_rollups(unit, ZONE) == []
        assert await books(unit) == []
