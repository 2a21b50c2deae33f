import asyncio
import shutil
import sqlite3
import time
from collections.abc import Awaitable, Callable
from pathlib import Path

import pytest
from sqlalchemy import BigInteger, Column, MetaData, String, Table, func, insert, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from tollbridge.core.clock import ManualClock
from tollbridge.core.errors import BugError, OverloadedError
from tollbridge.storage.engine import EngineSettings, checkpoint, create_engine
from tollbridge.storage.unit import Database, Unit

only_sqlite = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
only_postgresql = pytest.mark.parametrize("database_dialect", ["postgresql"], indirect=True)

things = Table(
    "things",
    MetaData(),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("name", String, nullable=False),
)
INSERT = {
    "sqlite": "INSERT INTO things (id, name) VALUES (?, ?)",
    "postgresql": "INSERT INTO things (id, name) VALUES ($1, $2)",
}


@pytest.fixture
async def store(database: Database) -> Database:
    """Add one table of the test's own to its database."""
    async with database.write() as unit:
        await unit.connection.run_sync(things.create)
    return database


class Undo(Exception):  # noqa: N818 - not an error, but a way out of a unit
    """Raised by a test at the end of a unit."""


async def do_and_undo(database: Database, work: Callable[[Unit], Awaitable[None]]) -> None:
    """Do some work in a unit that then fails, and see that the failure comes out of it."""

    async def run() -> None:
        async with database.write() as unit:
            await work(unit)
            raise Undo

    with pytest.raises(Undo):
        await run()


async def add(unit: Unit, number: int) -> None:
    await unit.connection.execute(insert(things).values(id=number, name="x"))


async def count(database: Database) -> int:
    async with database.read() as unit:
        return await count_in(unit)


async def count_in(unit: Unit) -> int:
    result = await unit.connection.execute(select(func.count()).select_from(things))
    return result.scalar_one()


async def test_a_unit_is_committed_at_the_end_of_its_block(store: Database) -> None:
    async with store.write() as unit:
        await add(unit, 1)
        await add(unit, 2)
    assert await count(store) == 2


async def test_an_exception_undoes_the_whole_unit_and_goes_on(store: Database) -> None:
    await do_and_undo(store, lambda unit: add(unit, 1))
    assert await count(store) == 0
    async with store.write() as unit:
        await add(unit, 1)
    assert await count(store) == 1


async def test_a_failed_statement_undoes_those_before_it(store: Database) -> None:
    async def add_twice() -> None:
        async with store.write() as unit:
            await add(unit, 1)
            await add(unit, 1)

    with pytest.raises(IntegrityError):
        await add_twice()
    assert await count(store) == 0


async def test_a_cancelled_unit_is_undone_and_the_next_one_works(store: Database) -> None:
    entered = asyncio.Event()

    async def cancelled() -> None:
        async with store.write() as unit:
            await add(unit, 1)
            entered.set()
            await asyncio.sleep(60)

    task = asyncio.create_task(cancelled())
    await asyncio.wait_for(entered.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    async with store.write() as unit:
        await add(unit, 2)
    assert await count(store) == 1


@only_sqlite
async def test_a_batch_cancelled_in_its_thread_is_undone(store: Database) -> None:
    started = asyncio.Event()
    loop = asyncio.get_running_loop()

    def slow(connection: sqlite3.Connection) -> None:
        connection.execute("INSERT INTO things VALUES (1, 'x')")
        loop.call_soon_threadsafe(started.set)
        time.sleep(0.05)
        connection.execute("INSERT INTO things VALUES (2, 'x')")

    async def cancelled() -> None:
        async with store.write() as unit:
            await unit.run_script_sync(slow)

    task = asyncio.create_task(cancelled())
    await asyncio.wait_for(started.wait(), 10)
    task.cancel()
    with pytest.raises(asyncio.CancelledError):
        await task
    assert await count(store) == 0
    async with store.write() as unit:
        await add(unit, 3)
    assert await count(store) == 1


async def test_a_reading_unit_sees_one_moment(store: Database) -> None:
    async with store.read() as reader:
        assert await count_in(reader) == 0
        async with store.write() as writer:
            await add(writer, 1)
        assert await count_in(reader) == 0
    assert await count(store) == 1


async def test_a_reading_unit_cannot_write(store: Database) -> None:
    with pytest.raises(DBAPIError, match=r"(?i)read-?only"):
        async with store.read() as unit:
            await add(unit, 1)
    async with store.write() as unit:
        await add(unit, 2)
    assert await count(store) == 1


async def test_run_many_inserts_each_row_in_the_unit(store: Database) -> None:
    sql = INSERT[store.dialect]
    async with store.write() as unit:
        await unit.run_many(sql, [(number, "x") for number in range(100)])
    assert await count(store) == 100
    more = [(number, "x") for number in range(100, 200)]
    await do_and_undo(store, lambda unit: unit.run_many(sql, more))
    assert await count(store) == 100


async def test_the_raw_driver_works_inside_the_unit(store: Database) -> None:
    """The first thing done in a unit may be the driver's, and is still undone with it."""

    async def insert_by_driver(unit: Unit) -> None:
        driver = await unit.driver()
        await driver.execute("INSERT INTO things VALUES (1, 'x')")

    await do_and_undo(store, insert_by_driver)
    assert await count(store) == 0
    async with store.write() as unit:
        await insert_by_driver(unit)
        await add(unit, 2)
    assert await count(store) == 2


@only_postgresql
async def test_a_copy_is_undone_with_its_unit(store: Database) -> None:
    async def copy(unit: Unit) -> None:
        driver = await unit.postgres_driver()
        await driver.copy_records_to_table("things", records=[(1, "x"), (2, "x")])
        assert await driver.fetchval("SELECT count(*) FROM things") == 2

    await do_and_undo(store, copy)
    assert await count(store) == 0


@only_postgresql
async def test_the_driver_of_a_reading_unit_is_read_only_too(store: Database) -> None:
    async with store.read() as unit:
        driver = await unit.postgres_driver()
        assert await driver.fetchval("SHOW transaction_read_only") == "on"
        assert await driver.fetchval("SHOW transaction_isolation") == "repeatable read"
        assert await driver.fetchval("SHOW timezone") == "UTC"


@only_sqlite
async def test_a_sqlite_batch_is_undone_with_its_unit_and_returns_its_value(
    store: Database,
) -> None:
    def batch(connection: sqlite3.Connection) -> int:
        connection.executemany(INSERT["sqlite"], [(1, "x"), (2, "x")])
        return int(connection.execute("SELECT count(*) FROM things").fetchone()[0])

    async def run_batch(unit: Unit) -> None:
        assert await unit.run_script_sync(batch) == 2

    await do_and_undo(store, run_batch)
    assert await count(store) == 0


@only_postgresql
async def test_a_sqlite_batch_on_postgresql_is_our_bug(store: Database) -> None:
    async with store.write() as unit:
        with pytest.raises(BugError):
            await unit.run_script_sync(lambda _connection: None)


@only_sqlite
async def test_the_postgres_driver_on_sqlite_is_our_bug(store: Database) -> None:
    async with store.write() as unit:
        with pytest.raises(BugError):
            await unit.postgres_driver()


async def test_many_writers_at_once_all_get_their_turn(store: Database) -> None:
    async def write(number: int) -> None:
        async with store.write() as unit:
            await add(unit, number)

    await asyncio.wait_for(asyncio.gather(*(write(number) for number in range(50))), 30)
    assert await count(store) == 50


@only_sqlite
async def test_two_engines_write_to_one_file_in_turn(store: Database, database_url: str) -> None:
    """Each counts the rows first: only BEGIN IMMEDIATE lets neither be refused nor double."""
    other = Database.open(database_url)

    async def append(database: Database) -> None:
        for _ in range(20):
            async with database.write() as unit:
                number = await count_in(unit)
                await add(unit, number)

    await asyncio.wait_for(asyncio.gather(append(store), append(other)), 30)
    assert await count(store) == 40
    await other.close()


@only_sqlite
async def test_a_unit_inside_a_unit_is_refused_in_time(store: Database, database_url: str) -> None:
    impatient = Database(create_engine(database_url), write_wait_s=0.05)
    async with impatient.write():
        with pytest.raises(OverloadedError):
            await impatient.write().__aenter__()
    async with impatient.write() as unit:
        await add(unit, 1)
    await impatient.close()
    assert await count(store) == 1


@only_sqlite
async def test_sqlite_is_opened_with_the_settings_asked_for(database_url: str) -> None:
    settings = EngineSettings(sqlite_synchronous="FULL", sqlite_busy_timeout_s=1.5)
    opened = Database.open(database_url, settings)
    seen: dict[str, object] = {}
    async with opened.read() as unit:
        for name in ("journal_mode", "synchronous", "foreign_keys", "busy_timeout", "temp_store"):
            result = await unit.connection.exec_driver_sql(f"PRAGMA {name}")
            seen[name] = result.scalar_one()
    await opened.close()
    assert seen == {
        "journal_mode": "wal",
        "synchronous": 2,
        "foreign_keys": 1,
        "busy_timeout": 1500,
        "temp_store": 2,
    }


@only_sqlite
async def test_a_checkpoint_puts_everything_into_the_database_file(
    store: Database,
    database_url: str,
    tmp_path: Path,
) -> None:
    """The file alone, without its log, holds what was committed before."""
    async with store.write() as unit:
        await add(unit, 1)
    assert await store.checkpoint()
    copy = tmp_path / "copy.db"
    shutil.copyfile(database_url.removeprefix("sqlite:///"), copy)
    alone = Database.open(f"sqlite:///{copy}")
    assert await count(alone) == 1
    await alone.close()


@only_sqlite
async def test_a_checkpoint_with_an_old_reader_says_that_it_is_not_certain(
    store: Database,
    database_url: str,
) -> None:
    engine = create_engine(database_url, EngineSettings(sqlite_busy_timeout_s=0.05))
    async with store.read() as reader:
        assert await count_in(reader) == 0
        async with store.write() as unit:
            await add(unit, 1)
        assert not await checkpoint(engine)
    assert await checkpoint(engine)
    await engine.dispose()


@only_postgresql
async def test_a_checkpoint_of_postgresql_is_already_done(database: Database) -> None:
    assert await database.checkpoint()
    assert await checkpoint(database.engine)


async def test_the_unit_tells_the_time_of_the_database(database: Database) -> None:
    before_us = time.time_ns() // 1000
    async with database.read() as unit:
        now_us = await unit.now_us()
    assert before_us - 1000 <= now_us <= time.time_ns() // 1000 + 1000


@only_sqlite
async def test_a_sqlite_unit_tells_the_time_of_the_clock_it_was_given(database_url: str) -> None:
    opened = Database(create_engine(database_url), clock=ManualClock(now_us=42))
    async with opened.write() as unit:
        assert await unit.now_us() == 42
    await opened.close()


async def test_foreign_keys_are_enforced(database: Database) -> None:
    statements = (
        "CREATE TABLE parent (id INTEGER PRIMARY KEY)",
        "CREATE TABLE child (id INTEGER REFERENCES parent (id))",
        "INSERT INTO child VALUES (1)",
    )

    async def orphan() -> None:
        async with database.write() as unit:
            for statement in statements:
                await unit.connection.exec_driver_sql(statement)

    with pytest.raises(IntegrityError):
        await orphan()


@only_sqlite
async def test_a_checkpoint_does_not_wait_for_a_writer(store: Database) -> None:
    """Nor does it keep one out, as long as all that is committed can be written back."""
    async with store.write() as unit:
        await add(unit, 1)
    async with store.write() as unit:
        await add(unit, 2)
        assert await asyncio.wait_for(store.checkpoint(), 5)


@only_sqlite
async def test_a_reader_keeps_writers_out_of_a_checkpoint_for_a_moment_only(
    store: Database,
) -> None:
    """The reader is not waited for as long as a writer would be."""
    async with store.read() as reader:
        assert await count_in(reader) == 0
        async with store.write() as unit:
            await add(unit, 1)
        assert not await asyncio.wait_for(store.checkpoint(), 5)
    assert await store.checkpoint()
