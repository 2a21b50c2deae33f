"""Has anything changed since we last looked?

One row per part of the configuration (keys, routes, prices …). Whoever changes a part bumps its
row in the same transaction; the office polls the rows and rebuilds the parts that moved. On
PostgreSQL it is told at once besides.
"""

import asyncio
from collections.abc import Callable
from typing import Any, Protocol, cast

import asyncpg
import msgspec
from sqlalchemy import BigInteger, Column, String, Table, func, select, text
from sqlalchemy.exc import SQLAlchemyError
from sqlalchemy.ext.asyncio import AsyncEngine

from tollbridge.core.errors import BugError
from tollbridge.storage.engine import POSTGRESQL, create_lone_engine
from tollbridge.storage.faults import is_database_fault
from tollbridge.storage.types import metadata
from tollbridge.storage.unit import Database, Unit

CHANNEL = "tollbridge_versions"
LISTENER = "tollbridge-listener"
"""What the server calls the connection that listens."""

versions = Table(
    "versions",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("version", BigInteger, nullable=False),
)

_BUMP = text(
    "INSERT INTO versions (name, version) VALUES (:name, 1) "
    "ON CONFLICT (name) DO UPDATE SET version = versions.version + 1",
)


async def bump(unit: Unit, *names: str) -> None:
    """Count each named part up by one, in this unit; an unknown name starts at 1.

    On PostgreSQL listeners of `CHANNEL` are told the names, with commas between, on commit.
    """
    # In one order everywhere, so that two units can never wait for each other.
    ordered = sorted(set(names))
    if not ordered:
        return
    await unit.connection.execute(_BUMP, [{"name": name} for name in ordered])
    if unit.dialect == POSTGRESQL:
        await unit.connection.execute(select(func.pg_notify(CHANNEL, ",".join(ordered))))


async def read_versions(unit: Unit) -> dict[str, int]:
    """Return the version of each part that was ever bumped."""
    rows = await unit.connection.execute(select(versions.c.name, versions.c.version))
    return {row.name: row.version for row in rows}


class ListenLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds of a listener, with their units."""

    timeout_s: float = 10.0
    """How long connecting, and each answer of the server, may take."""
    check_interval_s: float = 30.0
    """How often a silent connection is tried: a server that is gone does not always say so."""
    retry_wait_s_min: float = 0.1
    retry_wait_s_max: float = 10.0


class Listener(Protocol):
    """The part of `asyncpg.Connection` (which has no types) that a listener uses."""

    async def add_listener(self, channel: str, callback: Callable[..., None]) -> None:
        """Call back with each notification of a channel."""
        ...

    def add_termination_listener(self, callback: Callable[..., None]) -> None:
        """Call back when the connection has ended."""
        ...

    async def execute(self, query: str) -> str:
        """Run a statement."""
        ...


async def listen_for_versions(
    database: Database,
    on_change: Callable[[], None],
    limits: ListenLimits | None = None,
) -> None:
    """Call `on_change` whenever a part was bumped by any node, until cancelled.

    On a connection of its own, made anew whenever it is lost; `on_change` is called then too,
    since a change may have been missed. It must return at once. A help, and no promise: poll
    besides. Raises BugError on SQLite, and what is wrong with the address or the password.
    """
    if database.dialect != POSTGRESQL:
        raise BugError("only PostgreSQL tells of changes")
    bounds = limits or ListenLimits()
    engine = create_lone_engine(database.engine.url, LISTENER, bounds.timeout_s)
    wait_s = bounds.retry_wait_s_min

    def heard() -> None:
        nonlocal wait_s
        wait_s = bounds.retry_wait_s_min
        on_change()

    while True:
        try:
            await _listen(engine, heard, bounds.check_interval_s)
        except (OSError, SQLAlchemyError, asyncpg.PostgresError, asyncpg.InterfaceError) as error:
            if not isinstance(error, OSError) and not is_database_fault(error):
                raise
        await asyncio.sleep(wait_s)
        wait_s = min(wait_s * 2, bounds.retry_wait_s_max)


async def _listen(engine: AsyncEngine, heard: Callable[[], None], check_interval_s: float) -> None:
    """Listen on one connection until it is lost."""
    lost = asyncio.Event()

    def on_end(_connection: Any) -> None:
        lost.set()

    def on_notification(_connection: Any, _pid: int, _channel: str, _payload: str) -> None:
        heard()

    async with engine.connect() as connection:
        raw = await connection.get_raw_connection()
        listener = cast("Listener", raw.driver_connection)
        listener.add_termination_listener(on_end)
        await listener.add_listener(CHANNEL, on_notification)
        heard()  # what was bumped before nobody has told us
        while not lost.is_set():
            try:
                async with asyncio.timeout(check_interval_s):
                    await lost.wait()
            except TimeoutError:
                await listener.execute("SELECT 1")
