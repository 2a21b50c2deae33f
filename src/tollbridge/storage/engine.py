"""How is the database opened?

One engine per process, for SQLite (`sqlite:///path`) or PostgreSQL (`postgresql://…`).
Transactions are begun explicitly on both, so that nothing is ever committed by a driver's habit.
"""

import sqlite3
import threading
from collections.abc import Awaitable, Callable, Mapping
from typing import Any, Literal, Protocol, TypeVar, cast

import aiosqlite
import msgspec
from sqlalchemy import Connection, NullPool, event
from sqlalchemy.engine import URL, make_url
from sqlalchemy.exc import ArgumentError
from sqlalchemy.ext.asyncio import AsyncEngine, create_async_engine

from tollbridge.core.errors import ConfigurationError

SQLITE = "sqlite"
POSTGRESQL = "postgresql"
ACCESS = "tollbridge_access"
WAL_RETRY_S = 0.02
CHECKPOINT_WAIT_MS = 100
"""How long writers are kept out for the sake of a reader that is in a checkpoint's way."""
T = TypeVar("T")

_DRIVERS: Mapping[str, str] = {
    "sqlite": "sqlite+aiosqlite",
    "sqlite+aiosqlite": "sqlite+aiosqlite",
    "postgres": "postgresql+asyncpg",
    "postgresql": "postgresql+asyncpg",
    "postgresql+asyncpg": "postgresql+asyncpg",
}


class EngineSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The knobs of an engine, with their units; the defaults suit the office."""

    connections_max: int = 5
    connection_wait_s: float = 10.0
    sqlite_synchronous: Literal["OFF", "NORMAL", "FULL"] = "NORMAL"
    sqlite_busy_timeout_s: float = 10.0
    sqlite_page_bytes: int = 8192
    sqlite_foreign_keys: bool = True
    sqlite_wal: bool = True
    """False for somebody else's file: its way of journalling is theirs, and lasts."""
    sqlite_cache_mib: int = 16
    sqlite_mmap_mib: int = 64
    sqlite_checkpoint_pages: int = 4000
    sqlite_journal_mib_max: int = 64
    postgres_connect_timeout_s: float = 10.0
    postgres_statement_timeout_s: float | None = 60.0
    postgres_statements_cached_max: int = 200
    postgres_connection_age_s_max: int = 1800


class AsyncDriver(Protocol):
    """What SQLAlchemy's adapters of asynchronous drivers offer."""

    def run_async(self, fn: Callable[[Any], Awaitable[T]]) -> T:
        """Await `fn(driver connection)` from a synchronous event handler."""
        ...


def parse_url(url: str) -> URL:
    """Return the address with our driver in it.

    Takes `sqlite:///relative.db`, `sqlite:////absolute.db`, `postgresql://…`, `postgres://…`,
    and PostgreSQL's own `sslmode`. Raises ConfigurationError for what we cannot open; its message
    never shows the password.
    """
    try:
        parsed = make_url(url)
    except ArgumentError as error:
        raise ConfigurationError("the database URL cannot be read") from error
    driver = _DRIVERS.get(parsed.drivername)
    if driver is None:
        raise ConfigurationError(
            f"the database URL begins with {parsed.drivername}; use sqlite or postgresql",
        )
    if driver.startswith(SQLITE) and parsed.database in {None, "", ":memory:"}:
        raise ConfigurationError("the SQLite URL names no file; a database in memory is not kept")
    if "sslmode" in parsed.query:
        # asyncpg takes libpq's words, but calls the argument `ssl`.
        mode = parsed.query["sslmode"]
        parsed = parsed.difference_update_query(["sslmode"]).update_query_dict({"ssl": mode})
    return parsed.set(drivername=driver)


def create_engine(url: str, settings: EngineSettings | None = None) -> AsyncEngine:
    """Return an engine for `url`; nothing is opened before its first use.

    Raises ConfigurationError for an address that is neither SQLite nor PostgreSQL.
    """
    parsed = parse_url(url)
    chosen = settings or EngineSettings()
    if parsed.drivername.startswith(SQLITE):
        return _sqlite(parsed, chosen)
    return _postgresql(parsed, chosen)


def create_lone_engine(url: URL, name: str, timeout_s: float) -> AsyncEngine:
    """Return an engine on PostgreSQL that shares its connections with nobody and keeps none.

    The server shows them as `name`; connecting and each statement may take `timeout_s`.
    """
    return create_async_engine(
        url,
        hide_parameters=True,
        connect_args={
            "timeout": timeout_s,
            "command_timeout": timeout_s,
            "server_settings": {"timezone": "UTC", "application_name": name},
        },
        poolclass=NullPool,
    )


async def run_in_thread(
    driver: aiosqlite.Connection,
    function: Callable[[sqlite3.Connection], T],
) -> T:
    """Run `function` with the raw connection in its own thread: one hop for any number of steps."""
    # aiosqlite offers one statement per hop in public; a batch needs one hop for all of them.
    private = cast("Any", driver)
    return cast("T", await private._execute(function, private._conn))  # noqa: SLF001 - see above


async def checkpoint(engine: AsyncEngine, *, keep_others_out: bool = True) -> bool:
    """Make all that is committed durable; return whether that is now certain.

    SQLite in WAL mode with synchronous=NORMAL may lose its last commits in a power cut; this
    writes them to the database file and syncs it. False means that another connection was in
    the way: try again later. `keep_others_out` lets nobody write meanwhile; without, writers go
    on, and usually it is certain all the same. PostgreSQL's commits are durable already.
    """
    if engine.dialect.name != SQLITE:
        return True
    async with engine.connect() as connection:
        raw = await connection.get_raw_connection()
        driver = cast("aiosqlite.Connection", raw.driver_connection)
        return await run_in_thread(driver, _copy_all if keep_others_out else _copy)


def _copy(connection: sqlite3.Connection) -> bool:
    """Write back what no reader still needs the old pages of; writers go on."""
    found = connection.execute("PRAGMA wal_checkpoint(PASSIVE)").fetchone()
    busy, in_log, copied = found
    return busy == 0 and in_log == copied


def _copy_all(connection: sqlite3.Connection) -> bool:
    """Write everything back and begin a new log; a reader of old pages is not waited for long."""
    wait_ms = connection.execute("PRAGMA busy_timeout").fetchone()[0]
    connection.execute(f"PRAGMA busy_timeout = {min(wait_ms, CHECKPOINT_WAIT_MS)}").close()
    try:
        busy = connection.execute("PRAGMA wal_checkpoint(TRUNCATE)").fetchone()[0]
    finally:
        connection.execute(f"PRAGMA busy_timeout = {wait_ms}").close()
    return busy == 0


def _sqlite(url: URL, settings: EngineSettings) -> AsyncEngine:
    engine = create_async_engine(
        url,
        hide_parameters=True,  # an error's text must show no digest and no sealed key
        # None: the driver begins nothing by itself; `begin` below does.
        connect_args={"isolation_level": None, "timeout": settings.sqlite_busy_timeout_s},
        pool_size=settings.connections_max,
        max_overflow=0,
        pool_timeout=settings.connection_wait_s,
        pool_use_lifo=True,
    )
    pragmas = (
        f"PRAGMA synchronous = {settings.sqlite_synchronous}",
        f"PRAGMA foreign_keys = {int(settings.sqlite_foreign_keys)}",
        f"PRAGMA cache_size = -{settings.sqlite_cache_mib * 1024}",
        f"PRAGMA mmap_size = {settings.sqlite_mmap_mib * 1024 * 1024}",
        "PRAGMA temp_store = MEMORY",
        f"PRAGMA wal_autocheckpoint = {settings.sqlite_checkpoint_pages}",
        f"PRAGMA journal_size_limit = {settings.sqlite_journal_mib_max * 1024 * 1024}",
    )

    def prepare(connection: sqlite3.Connection) -> None:
        busy_timeout_ms = round(settings.sqlite_busy_timeout_s * 1000)
        connection.execute(f"PRAGMA busy_timeout = {busy_timeout_ms}").close()
        if settings.sqlite_wal:
            _switch_to_wal(connection, settings)
        for pragma in pragmas:
            connection.execute(pragma).close()

    def on_connect(adapted: AsyncDriver, _record: object) -> None:
        adapted.run_async(lambda driver: run_in_thread(driver, prepare))

    event.listen(engine.sync_engine, "connect", on_connect)
    event.listen(engine.sync_engine, "begin", _begin_sqlite)
    return engine


def _begin_sqlite(connection: Connection) -> None:
    writes = connection.get_execution_options().get(ACCESS) == "write"
    begin = _begin_writing if writes else _begin_reading
    adapted = cast("AsyncDriver", connection.connection.dbapi_connection)
    adapted.run_async(lambda driver: run_in_thread(driver, begin))


def _switch_to_wal(connection: sqlite3.Connection, settings: EngineSettings) -> None:
    """Put the file into WAL mode, where it is not.

    Two processes that do so at once are refused without waiting, whatever `busy_timeout` says.
    """
    # Taken only by a file that is made now: larger pages are cheaper to write in bulk.
    connection.execute(f"PRAGMA page_size = {settings.sqlite_page_bytes}").close()
    tries = max(1, round(settings.sqlite_busy_timeout_s / WAL_RETRY_S))
    for attempt in range(1, tries + 1):
        try:
            connection.execute("PRAGMA journal_mode = WAL").close()
        except sqlite3.OperationalError:
            if attempt == tries:
                raise
            threading.Event().wait(WAL_RETRY_S)  # in the driver's own thread
        else:
            return


def _begin_writing(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA query_only = OFF").close()
    # IMMEDIATE: a transaction that reads first and writes later could otherwise be refused.
    connection.execute("BEGIN IMMEDIATE").close()


def _begin_reading(connection: sqlite3.Connection) -> None:
    connection.execute("PRAGMA query_only = ON").close()
    connection.execute("BEGIN").close()


def _postgresql(url: URL, settings: EngineSettings) -> AsyncEngine:
    return create_async_engine(
        url,
        hide_parameters=True,
        connect_args={
            "timeout": settings.postgres_connect_timeout_s,
            "command_timeout": settings.postgres_statement_timeout_s,
            "statement_cache_size": settings.postgres_statements_cached_max,
            "prepared_statement_cache_size": settings.postgres_statements_cached_max,
            "server_settings": {"timezone": "UTC", "application_name": "tollbridge"},
        },
        json_serializer=_encode_json,
        json_deserializer=msgspec.json.decode,
        pool_size=settings.connections_max,
        max_overflow=0,
        pool_timeout=settings.connection_wait_s,
        pool_recycle=settings.postgres_connection_age_s_max,
        pool_use_lifo=True,
    )


def _encode_json(value: object) -> str:
    return msgspec.json.encode(value).decode()
