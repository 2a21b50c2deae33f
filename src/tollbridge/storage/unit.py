"""What happens together, or not at all?

A unit is one transaction. This module is the only place that commits; whoever needs something
written takes a unit as an argument, and the edge (pipeline, api, jobs) opens it.
"""

import asyncio
import sqlite3
from collections.abc import AsyncGenerator, Callable, Iterable, Sequence
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from typing import Any, Literal, Protocol, Self, TypeVar, cast

import aiosqlite
from sqlalchemy import Executable
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncConnection, AsyncEngine

from tollbridge.core.clock import Clock, SystemClock
from tollbridge.core.errors import BugError, OverloadedError
from tollbridge.storage import engine as engines
from tollbridge.storage import faults
from tollbridge.storage.engine import ACCESS, POSTGRESQL, SQLITE, EngineSettings

T = TypeVar("T")
DialectName = Literal["sqlite", "postgresql"]
Rows = Iterable[Sequence[Any]]

_DATABASE_NOW_US = "SELECT (extract(epoch FROM clock_timestamp()) * 1000000)::bigint"


class PostgresDriver(Protocol):
    """The part of `asyncpg.Connection` (which has no types) that stores use. Parameters are $1…"""

    async def execute(self, query: str, *args: Any) -> str:
        """Run a statement; return its status line."""
        ...

    async def executemany(self, command: str, args: Rows) -> None:
        """Run a statement once for each row."""
        ...

    async def fetch(self, query: str, *args: Any) -> list[Any]:
        """Return all rows."""
        ...

    async def fetchrow(self, query: str, *args: Any) -> Any:
        """Return the first row or None."""
        ...

    async def fetchval(self, query: str, *args: Any) -> Any:
        """Return the first value of the first row or None."""
        ...

    async def copy_records_to_table(
        self,
        table_name: str,
        *,
        records: Rows,
        columns: Sequence[str] | None = None,
    ) -> str:
        """Insert rows by COPY, in binary."""
        ...


class Unit:
    """One transaction on one connection; it ends with the block that opened it."""

    __slots__ = ("_begun", "_clock", "connection", "dialect")

    def __init__(self, connection: AsyncConnection, clock: Clock) -> None:
        self.connection = connection
        self.dialect: DialectName = cast("DialectName", connection.dialect.name)
        self._clock = clock
        self._begun = self.dialect == SQLITE

    async def driver(self) -> aiosqlite.Connection | PostgresDriver:
        """Return the driver's own connection, inside this transaction.

        Never commit or roll back on it; raise an exception to undo the unit.
        """
        if self.dialect == SQLITE:
            return await self._sqlite_driver()
        return await self.postgres_driver()

    async def postgres_driver(self) -> PostgresDriver:
        """Return the asyncpg connection, inside this transaction. Raises BugError on SQLite."""
        if self.dialect != POSTGRESQL:
            raise BugError("this unit is not on PostgreSQL")
        if not self._begun:
            # SQLAlchemy's adapter begins with the first statement that it sees itself; without
            # one, the driver's statements would each be committed alone.
            await self.connection.exec_driver_sql("SELECT 1")
            self._begun = True
        raw = await self.connection.get_raw_connection()
        return cast("PostgresDriver", raw.driver_connection)

    async def raw_rows(self, query: Executable) -> Sequence[Any]:
        """Return the rows of a query as the driver gives them, which for many of them costs less.

        Tuples, or asyncpg's records, of the columns' own values: see `storage.types`.
        """
        found = await self.connection.execute(query)
        self._begun = True
        # The driver has fetched them all by now.
        rows: Sequence[Any] = found.cursor.fetchall() if found.cursor else ()
        found.close()
        return rows

    async def run_many(self, sql: str, rows: Rows) -> None:
        """Run a statement of the driver's dialect (`?` or `$1`) once for each row, in one step."""
        if self.dialect == POSTGRESQL:
            await (await self.postgres_driver()).executemany(sql, rows)
            return

        def run(connection: sqlite3.Connection) -> None:
            connection.executemany(sql, rows).close()

        await self.run_script_sync(run)

    async def run_script_sync(self, function: Callable[[sqlite3.Connection], T]) -> T:
        """Run `function` with the raw SQLite connection in its thread: a whole batch in one hop.

        The function may run any statements but BEGIN, COMMIT, ROLLBACK and `executescript`
        (which commits). What it returns is returned. Raises BugError on PostgreSQL, where
        `postgres_driver()` serves the same purpose.
        """
        return await engines.run_in_thread(await self._sqlite_driver(), function)

    async def now_us(self) -> int:
        """Return the database's clock in microseconds since the Unix epoch.

        On PostgreSQL all nodes share the server's; a SQLite database has its machine's.
        """
        if self.dialect == SQLITE:
            return self._clock.now_us()
        result = await self.connection.exec_driver_sql(_DATABASE_NOW_US)
        self._begun = True
        return cast("int", result.scalar_one())

    async def _sqlite_driver(self) -> aiosqlite.Connection:
        if self.dialect != SQLITE:
            raise BugError("this unit is not on SQLite")
        raw = await self.connection.get_raw_connection()
        return cast("aiosqlite.Connection", raw.driver_connection)


class Database:
    """An engine and the units on it; one per process and event loop.

    Whatever is the database's own fault (away, busy, full, no connection free, not to be written)
    is an OverloadedError, with what the driver said as its cause, wherever in a unit it happens.
    """

    def __init__(
        self,
        engine: AsyncEngine,
        *,
        clock: Clock | None = None,
        write_wait_s: float = 30.0,
    ) -> None:
        self.engine = engine
        self.dialect: DialectName = cast("DialectName", engine.dialect.name)
        self._clock = clock or SystemClock()
        self._write_wait_s = write_wait_s
        self._writing = asyncio.Lock()
        self._writer = engine.execution_options(**{ACCESS: "write"})
        if self.dialect == POSTGRESQL:
            self._reader = engine.execution_options(
                isolation_level="REPEATABLE READ",
                postgresql_readonly=True,
            )
        else:
            self._reader = engine.execution_options(**{ACCESS: "read"})

    @classmethod
    def open(cls, url: str, settings: EngineSettings | None = None) -> Self:
        """Return the database at `url`; nothing is opened before its first unit."""
        return cls(engines.create_engine(url, settings))

    @asynccontextmanager
    async def write(self) -> AsyncGenerator[Unit]:
        """Open a unit that is committed at the end of the block, and undone by any exception.

        SQLite has one writer: units queue here rather than in the database's busy loop. Raises
        OverloadedError after `write_wait_s`; so does a unit opened inside another one.
        """
        if self.dialect == POSTGRESQL:
            async with self._unit(self._writer.begin()) as unit:
                yield unit
            return
        await self._wait_to_write()
        try:
            async with self._unit(self._writer.begin()) as unit:
                yield unit
        finally:
            self._writing.release()

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[Unit]:
        """Open a unit that sees one moment of the database and cannot write.

        An attempt to write in it is no fault of the database: the driver's error comes out.
        """
        async with self._unit(_begun(self._reader), writes=False) as unit:
            yield unit

    async def checkpoint(self) -> bool:
        """Make all that is committed durable; return whether that is now certain."""
        if self.dialect == POSTGRESQL:
            return True
        try:
            # Most of it, and usually all of it, while others write.
            if await engines.checkpoint(self.engine, keep_others_out=False):
                return True
            await self._wait_to_write()
            try:
                return await engines.checkpoint(self.engine)
            finally:
                self._writing.release()
        except (OSError, SQLAlchemyError, sqlite3.Error) as error:
            if isinstance(error, OSError) or faults.is_database_fault(error):
                raise faults.away() from error
            raise

    async def close(self) -> None:
        """Close all connections; SQLite writes its log back with the last one."""
        await self.engine.dispose()

    @asynccontextmanager
    async def _unit(
        self,
        transaction: AbstractAsyncContextManager[AsyncConnection],
        *,
        writes: bool = True,
    ) -> AsyncGenerator[Unit]:
        """Open a unit whose faults of the database come out as OverloadedError."""
        entered = False
        try:
            async with transaction as connection:
                entered = True
                yield Unit(connection, self._clock)
        except OverloadedError:
            raise
        except Exception as error:
            # Before the block begins, an error of the operating system is one of the connection.
            is_fault = (not entered and isinstance(error, OSError)) or faults.is_database_fault(
                error
            )
            if is_fault and (writes or not faults.is_read_only(error)):
                raise faults.away() from error
            raise

    async def _wait_to_write(self) -> None:
        try:
            async with asyncio.timeout(self._write_wait_s):
                await self._writing.acquire()
        except TimeoutError as error:
            raise faults.away("the database is busy") from error


@asynccontextmanager
async def _begun(engine: AsyncEngine) -> AsyncGenerator[AsyncConnection]:
    async with engine.connect() as connection:
        await connection.begin()
        yield connection
