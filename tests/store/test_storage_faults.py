"""What a unit says when the database itself is at fault, and what it leaves alone."""

import asyncio
import socket
import sqlite3
from contextlib import closing
from pathlib import Path

import pytest
from sqlalchemy import BigInteger, Column, MetaData, String, Table, insert
from sqlalchemy.exc import DBAPIError, IntegrityError

from tollbridge.core.errors import OverloadedError
from tollbridge.storage.backup import copy_sqlite
from tollbridge.storage.engine import EngineSettings
from tollbridge.storage.unit import Database, Unit

only_sqlite = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
only_postgresql = pytest.mark.parametrize("database_dialect", ["postgresql"], indirect=True)
IMPATIENT = EngineSettings(
    connections_max=1,
    connection_wait_s=0.05,
    sqlite_busy_timeout_s=0.05,
    postgres_connect_timeout_s=5.0,
)

digests = Table(
    "digests",
    MetaData(),
    Column("id", BigInteger, primary_key=True, autoincrement=False),
    Column("digest", String, nullable=False, unique=True),
)


@pytest.fixture
async def store(database: Database) -> Database:
    """Add one table of the test's own to its database."""
    async with database.write() as unit:
        await unit.connection.run_sync(digests.create)
    return database


async def execute(database: Database, sql: str) -> None:
    async with database.write() as unit:
        await unit.connection.exec_driver_sql(sql)


async def read(database: Database) -> None:
    async with database.read() as unit:
        await unit.connection.exec_driver_sql("SELECT 1")


async def add(unit: Unit, number: int, digest: str) -> None:
    await unit.connection.execute(insert(digests).values(id=number, digest=digest))


async def add_twice(database: Database, digest: str) -> None:
    async with database.write() as unit:
        await add(unit, 1, digest)
        await add(unit, 2, digest)


def unused_port() -> int:
    with closing(socket.socket()) as server:
        server.bind(("127.0.0.1", 0))
        return int(server.getsockname()[1])


async def test_a_server_that_refuses_connections_is_away() -> None:
    away = Database.open(f"postgresql://nobody@127.0.0.1:{unused_port()}/none", IMPATIENT)
    with pytest.raises(OverloadedError) as read_refused:
        await read(away)
    with pytest.raises(OverloadedError) as write_refused:
        await execute(away, "SELECT 1")
    await away.close()
    assert isinstance(read_refused.value.__cause__, OSError)
    assert read_refused.value.retry_after_s is not None
    assert isinstance(write_refused.value.__cause__, OSError)


async def test_a_server_that_hangs_up_is_away() -> None:
    """It is accepted and closed before a word is said."""

    async def hang_up(_reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        writer.close()

    server = await asyncio.start_server(hang_up, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    away = Database.open(f"postgresql://nobody@127.0.0.1:{port}/none", IMPATIENT)
    with pytest.raises(OverloadedError):
        await read(away)
    await away.close()
    server.close()


async def test_no_connection_free_in_time_is_a_fault(database_url: str) -> None:
    opened = Database.open(database_url, IMPATIENT)
    async with opened.read():
        with pytest.raises(OverloadedError):
            await read(opened)
    await read(opened)
    await opened.close()


@only_sqlite
async def test_a_file_that_another_process_writes_to_is_busy(database_url: str) -> None:
    opened = Database.open(database_url, IMPATIENT)
    await read(opened)
    with closing(sqlite3.connect(database_url.removeprefix("sqlite:///"))) as other:
        other.execute("BEGIN IMMEDIATE")
        with pytest.raises(OverloadedError) as refused:
            await execute(opened, "DELETE FROM versions")
        other.rollback()
    await execute(opened, "DELETE FROM versions")
    await opened.close()
    assert "locked" in str(refused.value.__cause__)


@only_sqlite
async def test_a_full_disk_is_a_fault_and_the_unit_is_undone(store: Database) -> None:
    async def fill() -> None:
        async with store.write() as unit:
            await unit.connection.exec_driver_sql("PRAGMA max_page_count = 1")
            await add(unit, 1, "x" * 1_000_000)

    with pytest.raises(OverloadedError) as refused:
        await fill()
    assert "full" in str(refused.value.__cause__)


@only_sqlite
async def test_a_full_disk_met_by_the_raw_driver_is_a_fault_too(store: Database) -> None:
    def fill(connection: sqlite3.Connection) -> None:
        connection.execute("PRAGMA max_page_count = 1").close()
        connection.execute("INSERT INTO digests VALUES (1, ?)", ("x" * 1_000_000,))

    async def run() -> None:
        async with store.write() as unit:
            await unit.run_script_sync(fill)

    with pytest.raises(OverloadedError):
        await run()


async def test_a_file_that_cannot_be_opened_is_a_fault(tmp_path: Path) -> None:
    opened = Database.open(f"sqlite:///{tmp_path}/none/at_all.db", IMPATIENT)
    with pytest.raises(OverloadedError):
        await read(opened)
    with pytest.raises(OverloadedError):
        await opened.checkpoint()
    await opened.close()


@only_postgresql
@pytest.mark.parametrize(
    "sqlstate",
    ["08006", "25006", "40001", "40P01", "53100", "53300", "55P03", "57014", "57P01", "58030"],
)
@pytest.mark.parametrize("raw", [False, True])
async def test_what_the_server_says_of_itself_is_a_fault(
    database: Database, sqlstate: str, *, raw: bool
) -> None:
    sql = f"DO $$ BEGIN RAISE EXCEPTION 'so' USING ERRCODE = '{sqlstate}'; END $$"

    async def run() -> None:
        async with database.write() as unit:
            if raw:
                await (await unit.postgres_driver()).execute(sql)
            else:
                await unit.connection.exec_driver_sql(sql)

    with pytest.raises(OverloadedError):
        await run()


@only_postgresql
async def test_a_connection_cut_in_the_middle_of_a_unit_is_a_fault(database: Database) -> None:
    """Whether the next statement or the commit meets it; the next unit has another connection."""

    async def cut(*, asks_again: bool) -> None:
        async with database.write() as unit:
            found = await unit.connection.exec_driver_sql("SELECT pg_backend_pid()")
            await execute_apart(database, f"SELECT pg_terminate_backend({found.scalar_one()})")
            if asks_again:
                await unit.connection.exec_driver_sql("SELECT 1")

    for asks_again in (True, False):
        with pytest.raises(OverloadedError):
            await cut(asks_again=asks_again)
    await read(database)


async def execute_apart(database: Database, sql: str) -> None:
    other = Database(database.engine)
    await execute(other, sql)


@only_postgresql
async def test_a_deferred_fault_of_the_commit_is_a_fault(database: Database) -> None:
    statements = (
        (
            "CREATE FUNCTION conflict() RETURNS trigger LANGUAGE plpgsql AS "
            "$$ BEGIN RAISE EXCEPTION 'so' USING ERRCODE = '40001'; END $$"
        ),
        (
            "CREATE CONSTRAINT TRIGGER late AFTER INSERT ON versions DEFERRABLE INITIALLY DEFERRED "
            "FOR EACH ROW EXECUTE FUNCTION conflict()"
        ),
    )
    for statement in statements:
        await execute(database, statement)
    with pytest.raises(OverloadedError):
        await execute(database, "INSERT INTO versions VALUES ('x', 1)")


@only_postgresql
async def test_a_value_that_does_not_fit_is_no_fault(store: Database) -> None:
    """Neither where the server says so nor where its driver does."""
    with pytest.raises(DBAPIError, match="out of range"):
        await execute(store, "SELECT 99999999999::bigint::int")
    with pytest.raises(DBAPIError):
        async with store.write() as unit:
            await add(unit, 2**70, "x")
    with pytest.raises(Exception, match="invalid input"):
        async with store.write() as unit:
            await (await unit.postgres_driver()).fetchval("SELECT $1::int", "x")


async def test_integrity_and_wrong_statements_stay_what_they_are(store: Database) -> None:
    with pytest.raises(IntegrityError):
        await add_twice(store, "same")
    with pytest.raises(DBAPIError):
        await execute(store, "SELECT * FROM nothing_of_that_name")


async def test_an_error_of_the_body_stays_what_it_is(store: Database) -> None:
    async def fail() -> None:
        async with store.write():
            raise FileNotFoundError

    with pytest.raises(FileNotFoundError):
        await fail()


async def test_no_error_shows_what_was_to_be_written(store: Database) -> None:
    with pytest.raises(IntegrityError) as refused:
        await add_twice(store, "a-digest")
    assert "a-digest" not in str(refused.value)


@only_sqlite
async def test_a_backup_that_cannot_be_written_is_no_fault(
    database: Database, tmp_path: Path
) -> None:
    async def copy() -> None:
        async with database.read() as unit:
            await copy_sqlite(unit, tmp_path / "none" / "copy.db")

    with pytest.raises(OSError, match="cannot be written"):
        await copy()
