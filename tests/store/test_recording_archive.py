"""Details move to the archive when they have been kept long enough, and no sum changes."""

import asyncio
import itertools
from pathlib import Path
from zoneinfo import ZoneInfo

import pytest
from sqlalchemy import Column, MetaData, Table

from tests.support.drained import SpoolingWorker, make_drain, rows
from tests.support.recorded import NOON_US, UTC_DAY_US, CallSpec, record
from tollbridge.core.clock import ManualClock, to_datetime
from tollbridge.core.errors import ConfigurationError
from tollbridge.core.schedule import Schedule, months_before
from tollbridge.insight.queries import find_call
from tollbridge.recording import archive_store, audit
from tollbridge.recording.adjustment_store import Window, count_calls, load_page
from tollbridge.recording.archive import Archiver, ArchiveSettings, archive_forever
from tollbridge.recording.archive_store import Moved
from tollbridge.recording.archive_tables import ARCHIVE, HOT, TIERS
from tollbridge.recording.rebuild import rebuild_rollups
from tollbridge.recording.reconsider import Only
from tollbridge.recording.statements import joined
from tollbridge.recording.store import purge_evidence
from tollbridge.storage import migrate
from tollbridge.storage.unit import Database

LONG_AGO_US = months_before(NOON_US, 13) - UTC_DAY_US
UTC = ZoneInfo("UTC")
COUNTS = "SELECT (SELECT count(*) FROM call_details), (SELECT count(*) FROM call_details_archive)"


def make(database: Database, *, batch_rows: int = 1000) -> Archiver:
    settings = ArchiveSettings(batch_rows=batch_rows)
    return Archiver(database, settings, ManualClock(NOON_US))


def some_calls(count: int = 6) -> list[CallSpec]:
    """Return old calls and as many new ones, of all kinds."""
    return [
        CallSpec(
            at_us=start_us + number * 60_000_000,
            provider="openai" if number % 2 else "aimlapi",
            user=f"user-{number % 3}",
            key_name=f"key-{number % 2}",
            fails_first=number % 3 == 1,
            refused=number % 3 == 2,
        )
        for start_us in (LONG_AGO_US, NOON_US - UTC_DAY_US)
        for number in range(count)
    ]


async def proofs(database: Database) -> list[object]:
    """Return where the books contradict themselves, by both ways of looking."""
    async with database.read() as unit:
        return [*await audit.books(unit), *await rebuild_rollups(unit, UTC)]


def all_of(table: str) -> str:
    """Return the statement of all rows of a table."""
    return joined("SELECT * FROM", table)


@pytest.mark.parametrize("batch_rows", [1, 4, 1000])
async def test_what_is_old_moves_with_its_attempts_and_what_is_not_stays(
    database: Database, batch_rows: int
) -> None:
    """Case 29. The rows are the same rows, the actual provider among them."""
    call_ids = await record(database, some_calls())
    before = {row[0]: row for row in await rows(database, all_of("call_details"))}
    attempts = sorted(map(str, await rows(database, all_of("call_attempts"))))
    batches: list[Moved] = []
    moved = await make(database, batch_rows=batch_rows).run(batches.append)
    assert moved.calls == 6
    assert max(one.calls for one in batches) <= batch_rows
    archived = {row[0]: row for row in await rows(database, all_of("call_details_archive"))}
    hot = {row[0]: row for row in await rows(database, all_of("call_details"))}
    assert {str(one) for one in archived} == set(call_ids[:6])
    assert {**archived, **hot} == before
    both = [
        *await rows(database, all_of("call_attempts")),
        *await rows(database, all_of("archived_call_attempts")),
    ]
    assert sorted(map(str, both)) == attempts
    assert {
        row[0] for row in await rows(database, "SELECT call_id FROM archived_call_attempts")
    } == (archived.keys())
    assert await make(database).run() == Moved()


async def test_the_age_is_that_of_the_accounting_to_the_microsecond(database: Database) -> None:
    """The bound is half-open: what was accounted at that very instant stays."""
    bound_us = months_before(NOON_US, 13)
    await record(database, [CallSpec(at_us=bound_us - 1), CallSpec(at_us=bound_us)])
    assert (await make(database).run()).calls == 1
    assert await rows(database, "SELECT accounted_at_us FROM call_details") == [(bound_us,)]


async def test_sums_prove_right_over_both_places_and_see_what_is_missing_in_either(
    database: Database,
) -> None:
    """Σ details, hot and archived = roll-ups by every dimension, before, between and after."""
    await record(database, some_calls())
    sums = "SELECT * FROM rollups_by_call ORDER BY 1, 2"
    before = await rows(database, sums)
    assert await proofs(database) == []
    async with database.read() as unit:
        costs = await audit.provider_costs(unit)
    async with database.write() as unit:
        await archive_store.move(unit, NOON_US - UTC_DAY_US, 2)
    assert await proofs(database) == []
    await make(database).run()
    assert await proofs(database) == []
    assert await rows(database, sums) == before
    async with database.read() as unit:
        assert await audit.provider_costs(unit) == costs
    async with database.write() as unit:
        await unit.connection.exec_driver_sql(
            "UPDATE call_details_archive SET known_cost_nanousd = known_cost_nanousd + 1"
        )
    assert await proofs(database)


@pytest.mark.parametrize("dimension", ["actual_provider_name", "bucket", "user_name", "key_name"])
async def test_grouped_by_a_dimension_both_places_add_up_to_the_roll_ups(
    database: Database, dimension: str
) -> None:
    """Archiving keeps the actual provider: nothing falls back to the generic name."""
    await record(database, some_calls())
    await make(database, batch_rows=2).run()
    parts = [
        joined("SELECT", dimension, "AS of, known_cost_nanousd FROM", tier.details.name)
        for tier in TIERS
    ]
    of_calls = await rows(
        database,
        joined(
            "SELECT of, CAST(sum(known_cost_nanousd) AS BIGINT), count(*) FROM (",
            " UNION ALL ".join(parts),
            ") AS a GROUP BY of ORDER BY of",
        ),
    )
    column = "provider" if dimension == "actual_provider_name" else dimension
    of_sums = await rows(
        database,
        joined(
            "SELECT d." + column,
            ", CAST(sum(r.cost_nanousd) AS BIGINT), CAST(sum(r.calls) AS BIGINT)",
            "FROM rollups_by_call AS r JOIN dimensions AS d ON d.dimension_id = r.dimension_id",
            "GROUP BY 1 ORDER BY 1",
        ),
    )
    assert of_calls == of_sums
    assert len(of_calls) >= 1


@pytest.mark.parametrize("passes", [1, 2, 3])
async def test_what_dies_in_the_middle_leaves_each_call_in_one_place_and_goes_on(
    database: Database, passes: int
) -> None:
    """A batch that is not committed was never there; the ones before it stay."""
    await record(database, some_calls())
    count = itertools.count(1)

    def die(point: str) -> None:
        if point == "archive.before_commit" and next(count) == passes:
            raise OSError("the process died")

    broken = Archiver(database, ArchiveSettings(batch_rows=2), ManualClock(NOON_US), reach=die)
    with pytest.raises(OSError, match="died"):
        await broken.run()
    done = 2 * (passes - 1)
    assert await rows(database, COUNTS) == [(12 - done, done)]
    assert await proofs(database) == []
    assert (await make(database, batch_rows=2).run()).calls == 6 - done
    assert await rows(database, COUNTS) == [(6, 6)]
    assert await proofs(database) == []


async def test_two_that_archive_at_once_move_each_call_once(database: Database) -> None:
    """Two nodes have one schedule."""
    await record(database, some_calls(20))
    moved = await asyncio.gather(*(make(database, batch_rows=3).run() for _ in range(3)))
    assert sum(one.calls for one in moved) == 20
    assert await rows(database, COUNTS) == [(20, 20)]
    assert await proofs(database) == []


async def test_what_the_archive_has_already_is_not_added_once_more(database: Database) -> None:
    """As where a database was put back by hand: the archive's row stays, the other one goes."""
    [call_id] = await record(database, [CallSpec(at_us=LONG_AGO_US, fails_first=True)])
    async with database.write() as unit:
        for table, copy in ((HOT.details, ARCHIVE.details), (HOT.rows, ARCHIVE.rows)):
            names = table.c.keys()
            await unit.connection.execute(copy.insert().from_select(names, table.select()))
    assert "call both archived and not" in {one.kind for one in await found_by_audit(database)}
    await make(database).run()
    assert await rows(
        database, "SELECT CAST(call_id AS VARCHAR(36)) FROM call_details_archive"
    ) == [(call_id,)]
    assert await proofs(database) == []


async def found_by_audit(database: Database) -> list[audit.Discrepancy]:
    async with database.read() as unit:
        return await audit.books(unit)


async def test_a_call_that_is_archived_is_found_with_all_of_it(database: Database) -> None:
    call_ids = await record(database, some_calls())
    async with database.read() as unit:
        before = [await find_call(unit, call_id) for call_id in call_ids]
    await make(database).run()
    async with database.read() as unit:
        assert [await find_call(unit, call_id) for call_id in call_ids] == before


async def test_calls_are_rated_again_whether_they_are_archived_or_not(database: Database) -> None:
    """A page of a run does not know the difference, nor does its place."""
    await record(database, some_calls())
    window = Window(0, NOON_US)
    async with database.read() as unit:
        before = await load_page(unit, window, Only(), None, 100)
        asked = await load_page(unit, window, Only(provider="aimlapi"), None, 100)
    await make(database).run()
    async with database.read() as unit:
        assert await load_page(unit, window, Only(), None, 100) == before
        assert await load_page(unit, window, Only(provider="aimlapi"), None, 100) == asked
        pages = [await load_page(unit, window, Only(), None, 5)]
        while len(pages[-1]) == 5:
            pages.append(await load_page(unit, window, Only(), pages[-1][-1].place, 5))
        assert [call for page in pages for call in page] == before
        assert await count_calls(unit, window) == 12


async def test_a_spool_that_is_read_again_does_not_bring_archived_calls_back(
    database: Database, tmp_path: Path
) -> None:
    """As after a restored backup."""
    clock = ManualClock(LONG_AGO_US)
    worker = SpoolingWorker(tmp_path / "spool", clock)
    for _ in range(3):
        worker.end(worker.open())
    worker.open()
    drain = make_drain(database, tmp_path / "spool", clock)
    await drain.catch_up()
    assert (await make(database).run()).calls == 3
    await drain.rewind()
    await drain.catch_up()
    assert await rows(database, COUNTS) == [(0, 3)]
    assert await rows(database, "SELECT count(*) FROM open_calls") == [(1,)]
    worker.spool.close()
    drain.close()


async def test_evidence_goes_by_its_own_age(database: Database) -> None:
    """Archiving leaves it where it is."""
    await record(database, some_calls(2))
    await make(database).run()
    assert await rows(database, "SELECT count(*) FROM call_evidence") == [(4,)]
    async with database.write() as unit:
        assert await purge_evidence(unit, NOON_US - 2 * UTC_DAY_US) == 2


def test_the_archive_has_the_columns_of_what_is_archived() -> None:
    """Case 26: those that decide about money and provider among them."""
    for hot, archive in ((HOT.details, ARCHIVE.details), (HOT.rows, ARCHIVE.rows)):
        assert [(one.name, str(one.type), one.nullable) for one in hot.c] == [
            (one.name, str(one.type), one.nullable) for one in archive.c
        ]
    business = {"actual_provider_name", "upstream_provider_name", "bucket", "cost_nanousd"}
    assert business | {"charge_nanousd", "components", "user_name"} <= set(ARCHIVE.details.c.keys())


async def test_an_archive_that_lacks_a_column_is_never_begun(database: Database) -> None:
    """Case 26: construction fails, and says which."""
    kept = [one for one in ARCHIVE.details.c if one.name != "upstream_provider_name"]
    short = Table("short", MetaData(), *(Column(one.name, one.type) for one in kept))
    tiers = (HOT, ARCHIVE._replace(details=short))
    with pytest.raises(ConfigurationError, match="column mismatch: short lacks upstream_provider"):
        Archiver(database, ArchiveSettings(), ManualClock(NOON_US), tiers=tiers)


@pytest.mark.parametrize("tier", TIERS, ids=["hot", "archive"])
async def test_a_column_that_only_one_of_them_has_in_the_database_moves_nothing(
    database: Database, tier: object
) -> None:
    """A newer node has added it: nothing of it may be lost by an older one."""
    await record(database, some_calls(1))
    table = HOT.details if tier is HOT else ARCHIVE.details
    async with database.write() as unit:
        await unit.connection.exec_driver_sql(f"ALTER TABLE {table.name} ADD COLUMN surplus TEXT")
    with pytest.raises(
        ConfigurationError, match=r"column mismatch: call_details_archive .*surplus"
    ):
        await make(database).run()
    assert await rows(database, COUNTS) == [(2, 0)]


async def test_a_column_that_both_have_in_the_database_moves_along(database: Database) -> None:
    """Though this version of the code does not know it."""
    await record(database, some_calls(1))
    async with database.write() as unit:
        for table in (HOT.details, ARCHIVE.details):
            sql = f"ALTER TABLE {table.name} ADD COLUMN surplus TEXT"
            await unit.connection.exec_driver_sql(sql)
        await unit.connection.exec_driver_sql("UPDATE call_details SET surplus = 'kept'")
    await make(database).run()
    assert await rows(database, "SELECT surplus FROM call_details_archive") == [("kept",)]


async def test_the_status_says_what_is_where_and_what_is_due(database: Database) -> None:
    await record(database, some_calls())
    archiver = make(database)
    status = await archiver.status()
    assert (status.due, status.hot.calls, status.archived.calls) == (6, 12, 0)
    assert to_datetime(status.before_us).isoformat() == "2024-12-01T12:00:00+00:00"
    assert (status.hot.oldest_at_us, status.archived.oldest_at_us) == (LONG_AGO_US, None)
    await archiver.run()
    status = await archiver.status()
    assert (status.due, status.hot.calls, status.archived.calls) == (0, 6, 6)


@pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
async def test_it_archives_at_once_and_then_by_the_schedule(database: Database) -> None:
    """And what goes wrong once is told, and does not end it."""
    clock = ManualClock(NOON_US)
    archiver = Archiver(database, ArchiveSettings(), clock)
    errors: list[Exception] = []
    await record(database, [CallSpec(at_us=LONG_AGO_US)])
    work = asyncio.create_task(
        archive_forever(archiver, Schedule("0 3 * * *", "x"), clock, errors.append, 0.001)
    )
    async with asyncio.timeout(10):
        while await rows(database, COUNTS) != [(0, 1)]:
            await asyncio.sleep(0.005)
        await record(database, [CallSpec(at_us=LONG_AGO_US + 1)])
        await asyncio.sleep(0.05)
        assert await rows(database, COUNTS) == [(1, 1)]
        clock.advance(15 * 3600)  # three in the morning
        while await rows(database, COUNTS) != [(0, 2)]:
            await asyncio.sleep(0.005)
    work.cancel()
    # It may be in the middle of a unit, which has to end before the database is closed.
    await asyncio.gather(work, return_exceptions=True)
    assert errors == []


async def test_going_back_before_the_archive_puts_its_calls_back(
    database: Database, database_url: str
) -> None:
    """With their attempts; and the sums prove right after coming here again."""
    await record(database, some_calls())
    before = sorted(map(str, await rows(database, all_of("call_attempts"))))
    await make(database).run()
    await migrate.downgrade(database_url, "0008_attribution")
    assert await rows(database, "SELECT count(*) FROM call_details") == [(12,)]
    assert sorted(map(str, await rows(database, all_of("call_attempts")))) == before
    await migrate.upgrade(database_url)
    assert await proofs(database) == []
