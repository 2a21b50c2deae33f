"""All SQL of the drain.

Statements are made once from `tables.py` and run by the drivers: many rows a call, in tuples.
"""

import re
import sqlite3
from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Any, cast

import asyncpg
import msgspec
from sqlalchemy import Table, insert
from sqlalchemy.exc import DataError, DBAPIError, IntegrityError, ProgrammingError
from sqlalchemy.exc import TimeoutError as PoolTimeoutError

from tollbridge.core.call import Hold
from tollbridge.core.errors import OverloadedError
from tollbridge.recording.calls import OpenCall, Unclosable
from tollbridge.recording.rollups import Fold, coarse
from tollbridge.recording.segments import Position
from tollbridge.recording.tables import (
    ROLLUPS,
    call_attempts,
    call_details,
    call_evidence,
    dimensions,
    open_calls,
    quarantine,
)
from tollbridge.storage.statements import compile_statement
from tollbridge.storage.unit import DialectName, PostgresDriver, Rows, Unit

INSERTED = (call_details, call_attempts, call_evidence)
UNREADABLE_LINES = "unreadable_lines"
OPEN = "open"
FINISHED = "finished"

_ADVANCE = """
INSERT INTO spool_segments (segment, node, worker, offset_bytes, lines, unreadable_lines, state)
VALUES (?, ?, ?, ?, ?, ?, 'open')
ON CONFLICT (segment) DO UPDATE SET node = excluded.node, worker = excluded.worker,
    offset_bytes = excluded.offset_bytes, lines = excluded.lines,
    unreadable_lines = excluded.unreadable_lines
"""
_FINISH = "UPDATE spool_segments SET state = 'finished', finished_at_us = ? WHERE segment = ?"
_COUNT = """
INSERT INTO recording_counters (name, count) VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET count = recording_counters.count + excluded.count
"""
# Not of a call that is in the books: its segment is being read again.
_PUT_OPEN_SQLITE = """
INSERT INTO open_calls (call_id, segment, last_at_us, opened, attempts, progress)
SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE NOT EXISTS (SELECT 1 FROM call_details WHERE call_id = ?1)
"""
_PUT_OPEN_POSTGRESQL = """
INSERT INTO open_calls (call_id, segment, last_at_us, opened, attempts, progress)
SELECT $1::uuid, $2::text, $3::bigint, $4::text, $5::text, $6::text
WHERE NOT EXISTS (SELECT 1 FROM call_details WHERE call_id = $1::uuid)
"""
_ON_OPEN = """
ON CONFLICT (call_id) DO UPDATE SET segment = excluded.segment, last_at_us = excluded.last_at_us,
    opened = excluded.opened, attempts = excluded.attempts, progress = excluded.progress
"""
_DROP_OPEN = "DELETE FROM open_calls WHERE call_id = ?"
_KNOWN_SQLITE = (
    "SELECT call_id FROM call_details WHERE call_id IN (SELECT value FROM json_each(?))"
)
_KNOWN_POSTGRESQL = "SELECT call_id::text FROM call_details WHERE call_id = ANY($1::uuid[])"

_encode = msgspec.json.Encoder().encode


class BookRows(msgspec.Struct):
    """What a batch adds to the books: rows of tables.INSERTED in the order of their columns."""

    details: list[tuple[Any, ...]]
    attempts: list[tuple[Any, ...]]
    evidence: list[tuple[Any, ...]]
    fold: Fold


Build = Callable[[set[str]], BookRows]
"""Makes the rows, given which call ids are in the books already."""


def is_database_fault(error: BaseException) -> bool:
    """Return whether an error says that the database is away, busy or full.

    Such an error says nothing of what was to be written: the same may well succeed later.
    """
    if isinstance(error, IntegrityError | ProgrammingError | DataError):
        return False
    return isinstance(
        error,
        DBAPIError
        | PoolTimeoutError
        | OverloadedError
        | sqlite3.OperationalError
        | asyncpg.InterfaceError
        | asyncpg.InsufficientResourcesError
        | asyncpg.InvalidTransactionStateError
        | asyncpg.LockNotAvailableError
        | asyncpg.OperatorInterventionError
        | asyncpg.PostgresConnectionError
        | asyncpg.PostgresSystemError
        | asyncpg.TransactionRollbackError
        | OSError,
    )


class RecordingStore:
    """The drain's statements for one kind of database."""

    def __init__(self, dialect: DialectName) -> None:
        self._dialect = dialect
        self._columns = {table.name: table.c.keys() for table in INSERTED}
        self._insert = {
            table.name: compile_statement(insert(table), "sqlite", table.c.keys()).sql
            for table in INSERTED
        }
        self._add = {name: _upsert(table, dialect) for name, table in ROLLUPS.items()}
        self._add_dimension = _insert_missing(dimensions, dialect)
        put_open = _PUT_OPEN_SQLITE if dialect == "sqlite" else _PUT_OPEN_POSTGRESQL
        self._put_open = put_open + _ON_OPEN

    async def add_calls(self, unit: Unit, call_ids: Sequence[str], build: Build) -> None:
        """Add to the books what `build` makes of the calls that are not in them."""
        if self._dialect == "sqlite":
            await unit.run_script_sync(lambda raw: self._add_sqlite(raw, call_ids, build))
            return
        driver = await unit.postgres_driver()
        rows = build(await self.known(unit, call_ids))
        if rows.details:
            await self._add_postgresql(driver, rows)

    async def known(self, unit: Unit, call_ids: Sequence[str]) -> set[str]:
        """Return which of the calls are in the books."""
        if not call_ids:
            return set()
        if self._dialect == "sqlite":
            return await unit.run_script_sync(lambda raw: _known(raw, call_ids))
        driver = await unit.postgres_driver()
        return {row[0] for row in await driver.fetch(_KNOWN_POSTGRESQL, call_ids)}

    async def keep_open_calls(
        self, unit: Unit, changed: Iterable[tuple[str, OpenCall]], gone: Iterable[str]
    ) -> None:
        """Write down open calls, each with its segment, and remove those that have ended."""
        rows = [
            (
                call.call_id,
                segment,
                call.last_at_us,
                _text(call.opened_raw),
                _text(call.attempts_raw),
                _text(call.progress_raw),
            )
            for segment, call in changed
        ]
        await self.run(
            unit, [(self._put_open, rows), (_DROP_OPEN, [(call_id,) for call_id in gone])]
        )

    async def advance(self, unit: Unit, positions: Iterable[Position], unreadable: int) -> None:
        """Write down how far segments are in the books."""
        rows = [msgspec.structs.astuple(one) for one in positions]
        ordered = [
            (one[0], one[1], one[2], one[3], one[4], one[5]) for one in sorted(rows)
        ]
        counted = [(UNREADABLE_LINES, unreadable)] if unreadable else []
        await self.run(unit, [(_ADVANCE, ordered), (_COUNT, counted)])

    async def finish(self, unit: Unit, segments: Iterable[str], now_us: int) -> None:
        """Mark segments of which everything is in the books, and nothing more will come."""
        await self.run(unit, [(_FINISH, [(now_us, segment) for segment in segments])])

    async def put_aside(self, unit: Unit, items: Sequence[Unclosable], now_us: int) -> int:
        """Put records into quarantine, but for those of calls in the books; return how many."""
        known = await self.known(unit, [one.call_id for one in items if one.call_id is not None])
        rows = [
            {
                "segment": one.source.segment,
                "offset_bytes": one.source.offset_bytes,
                "node": one.source.node,
                "worker": one.source.worker,
                "call_id": one.call_id,
                "raw": one.source.raw.decode(errors="replace"),
                "error": one.error.replace("\0", "\ufffd"),
                "holds": _holds(one),
                "created_at_us": now_us,
                "state": OPEN,
            }
            for one in items
            if one.call_id not in known
        ]
        if rows:
            await unit.connection.execute(insert(quarantine), rows)
        return len(rows)

    async def run(self, unit: Unit, statements: Sequence[tuple[str, Rows]]) -> None:
        """Run statements for many rows each; on SQLite in one hop. Their places are `?`."""
        wanted = [(sql, list(rows)) for sql, rows in statements]
        wanted = [(sql, rows) for sql, rows in wanted if rows]
        if not wanted:
            return
        if self._dialect == "sqlite":
            await unit.run_script_sync(lambda raw: _run_all(raw, wanted))
            return
        for sql, rows in wanted:
            await unit.run_many(_numbered(sql), rows)

    def _add_sqlite(self, raw: sqlite3.Connection, call_ids: Sequence[str], build: Build) -> None:
        rows = build(_known(raw, call_ids))
        if not rows.details:
            return
        insert_ = self._insert
        raw.executemany(insert_[call_details.name], rows.details)
        raw.executemany(insert_[call_attempts.name], rows.attempts)
        raw.executemany(insert_[call_evidence.name], rows.evidence)
        added = dimension_rows(rows.fold)
        if added:
            raw.executemany(self._add_dimension, added)
        for name, sums in rollup_rows(rows.fold).items():
            raw.executemany(self._add[name], sums)

    async def _add_postgresql(self, driver: PostgresDriver, rows: BookRows) -> None:
        for table, records in zip(
            INSERTED, (rows.details, rows.attempts, rows.evidence), strict=True
        ):
            if records:
                await driver.copy_records_to_table(
                    table.name, records=records, columns=self._columns[table.name]
                )
        added = dimension_rows(rows.fold)
        if added:
            await driver.execute(self._add_dimension, *_arrays(added))
        for name, sums in rollup_rows(rows.fold).items():
            if sums:
                await driver.execute(self._add[name], *_arrays(sums))


def dimension_rows(fold: Fold) -> list[tuple[Any, ...]]:
    """Return the rows of `dimensions` that a batch may need, in key order."""
    rows: dict[int, tuple[Any, ...]] = {}
    for dimension, (fine_id, coarse_id) in fold.fresh.items():
        rows[fine_id] = (fine_id, *dimension)
        rows[coarse_id] = (coarse_id, *coarse(dimension))
    return [rows[key] for key in sorted(rows)]


def rollup_rows(fold: Fold) -> Mapping[str, list[tuple[Any, ...]]]:
    """Return by table what a batch adds to the roll-ups, in key order."""
    return {
        name: [(*key, *sums[key]) for key in sorted(sums)]
        for name, sums in (
            ("rollups_by_call", fold.by_call),
            ("rollups_by_call_daily", fold.by_call_daily),
            ("rollups_by_attempt", fold.by_attempt),
            ("rollups_by_attempt_daily", fold.by_attempt_daily),
        )
    } | {"rollup_latency": [(*key, fold.latency[key]) for key in sorted(fold.latency)]}


def _upsert(table: Table, dialect: DialectName) -> str:
    """Return the statement that adds rows of sums to a roll-up."""
    keys = table.primary_key.columns.keys()
    measures = [name for name in table.c.keys() if name not in keys]  # noqa: SIM118 - not a dict
    sums = ", ".join(f"{name} = r.{name} + excluded.{name}" for name in measures)
    return (
        f"INSERT INTO {table.name} AS r ({', '.join(table.c.keys())}) {_values(table, dialect)} "
        f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {sums}"
    )


def _insert_missing(table: Table, dialect: DialectName) -> str:
    return (
        f"INSERT INTO {table.name} ({', '.join(table.c.keys())}) {_values(table, dialect)} "
        "ON CONFLICT DO NOTHING"
    )


def _values(table: Table, dialect: DialectName) -> str:
    if dialect == "sqlite":
        return f"VALUES ({', '.join('?' * len(table.c))})"
    types = ["bigint" if column.type.python_type is int else "text" for column in table.c]
    arrays = ", ".join(f"${place}::{name}[]" for place, name in enumerate(types, 1))
    return f"SELECT * FROM unnest({arrays})"


def _arrays(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    """Turn rows into one array per column, as `unnest` takes them."""
    return [list(column) for column in zip(*rows, strict=True)]


def _known(raw: sqlite3.Connection, call_ids: Sequence[str]) -> set[str]:
    text = _encode(call_ids).decode()
    return {cast("str", row[0]) for row in raw.execute(_KNOWN_SQLITE, (text,))}


def _run_all(raw: sqlite3.Connection, statements: Sequence[tuple[str, list[Sequence[Any]]]]) -> None:
    for sql, rows in statements:
        raw.executemany(sql, rows)


def _numbered(sql: str) -> str:
    """Turn the places of SQLite's dialect into those of PostgreSQL's."""
    parts = re.split(r"\?", sql)
    return "".join(
        part if place == 0 else f"${place}{part}" for place, part in enumerate(parts)
    )


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode()


def _holds(item: Unclosable) -> Any:
    holds: tuple[Hold, ...] = () if item.evidence is None else item.evidence.opened.holds
    return [msgspec.structs.asdict(hold) for hold in holds] or None
