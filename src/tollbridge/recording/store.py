"""What does the drain read and write? The statements for many rows are in statements.py."""

import sqlite3
from collections.abc import Iterable, Mapping, Sequence
from typing import Any, cast

import msgspec
from sqlalchemy import delete, func, insert, select, update

from tollbridge.core.call import new_id
from tollbridge.recording import statements
from tollbridge.recording.calls import Unclosable
from tollbridge.recording.segments import Batch, Position
from tollbridge.recording.statements import INSERTED, BookRows, Build
from tollbridge.recording.tables import (
    call_evidence,
    open_calls,
    quarantine,
    recording_counters,
    spool_segments,
)
from tollbridge.storage.unit import DialectName, PostgresDriver, Rows, Unit

UNREADABLE_LINES = "unreadable_lines"
OPEN = "open"
FINISHED = "finished"
REPLAYED = "replayed"
DISMISSED = "dismissed"


class StoredCall(msgspec.Struct, frozen=True):
    """A row of `open_calls`."""

    segment: str
    call_id: str
    opened: str | None
    attempts: str | None
    progress: str | None


class Standing(msgspec.Struct, frozen=True):
    """How far the segments of a node are in the books."""

    positions: tuple[Position, ...]
    finished: frozenset[str]
    calls: tuple[StoredCall, ...]


class QuarantineRow(msgspec.Struct, frozen=True):
    """A row of `quarantine` that waits to be replayed."""

    quarantine_id: int
    segment: str
    offset_bytes: int
    node: str
    worker: str
    call_id: str | None
    raw: str
    error: str


class RecordingStore:
    """The drain's statements for one kind of database."""

    def __init__(self, dialect: DialectName) -> None:
        self._dialect = dialect
        self._insert = {table: statements.insert_sqlite(table) for table in INSERTED}
        self._add = {table: statements.add_to_rollup(table, dialect) for table in statements.KEYS}
        self._add_dimensions = statements.add_dimensions(dialect)

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
        return {row[0] for row in await driver.fetch(statements.KNOWN_POSTGRESQL, call_ids)}

    async def keep(self, unit: Unit, batch: Batch, now_us: int) -> None:
        """Write down how far a batch leads: offsets, open calls, finished segments."""
        readers = sorted(batch.touched.values(), key=lambda reader: reader.name)
        opened = [
            statements.open_call_row(reader.calls[call_id], reader.name)
            for reader in readers
            for call_id in sorted(reader.changed)
        ]
        unreadable = batch.unreadable_lines
        await self._run(
            unit,
            [
                (statements.ADVANCE, [msgspec.structs.astuple(one.position()) for one in readers]),
                (statements.PUT_OPEN[self._dialect], opened),
                (statements.DROP_OPEN, [(call_id,) for call_id in sorted(batch.gone)]),
                (statements.COUNT, [(UNREADABLE_LINES, unreadable)] if unreadable else []),
                (statements.FINISH, [(now_us, reader.name) for reader in batch.finished]),
            ],
        )

    async def _run(self, unit: Unit, wanted: Sequence[tuple[str, Rows]]) -> None:
        """Run statements for many rows each; on SQLite in one hop."""
        todo = [(sql, rows) for sql, rows in wanted if rows]
        if self._dialect == "sqlite":
            await unit.run_script_sync(lambda raw: _run_all(raw, todo))
            return
        for sql, rows in todo:
            await unit.run_many(statements.numbered(sql), rows)

    def _add_sqlite(self, raw: sqlite3.Connection, call_ids: Sequence[str], build: Build) -> None:
        rows = build(_known(raw, call_ids))
        if not rows.details:
            return
        todo: list[tuple[str, Rows]] = [
            (self._insert[table], records)
            for table, records in zip(
                INSERTED, (rows.details, rows.attempts, rows.evidence), strict=True
            )
        ]
        todo.append((self._add_dimensions, statements.dimension_rows(rows.fold)))
        todo += [(self._add[name], sums) for name, sums in rows.fold.rows().items()]
        _run_all(raw, todo)

    async def _add_postgresql(self, driver: PostgresDriver, rows: BookRows) -> None:
        for (table, columns), records in zip(
            INSERTED.items(), (rows.details, rows.attempts, rows.evidence), strict=True
        ):
            if records:
                await driver.copy_records_to_table(table, records=records, columns=columns)
        added = statements.dimension_rows(rows.fold)
        if added:
            await driver.execute(self._add_dimensions, *statements.arrays(added))
        for name, sums in rows.fold.rows().items():
            if sums:
                await driver.execute(self._add[name], *statements.number_arrays(sums))


async def load_standing(unit: Unit, node: str) -> Standing:
    """Return where the books stand in the segments of one node."""
    columns = spool_segments.c
    found = await unit.connection.execute(
        select(
            columns.segment,
            columns.node,
            columns.worker,
            columns.offset_bytes,
            columns.lines,
            columns.unreadable_lines,
            columns.state,
        ).where(columns.node == node)
    )
    rows = found.all()
    kept = await unit.connection.execute(
        select(
            open_calls.c.segment,
            open_calls.c.call_id,
            open_calls.c.opened,
            open_calls.c.attempts,
            open_calls.c.progress,
        )
        .join(spool_segments, spool_segments.c.segment == open_calls.c.segment)
        .where(columns.node == node, columns.state == OPEN)
    )
    return Standing(
        tuple(Position(*row[:6]) for row in rows if row[6] == OPEN),
        frozenset(row[0] for row in rows if row[6] != OPEN),
        tuple(StoredCall(*row) for row in kept),
    )


async def put_aside(unit: Unit, items: Iterable[Unclosable], now_us: int) -> int:
    """Put records into quarantine that are not in it yet, waiting or not; return how many."""
    items = tuple(items)
    call_ids = [one.call_id for one in items if one.call_id is not None]
    found = await unit.connection.execute(
        select(quarantine.c.call_id, quarantine.c.raw).where(quarantine.c.call_id.in_(call_ids))
    )
    there = {(row.call_id, row.raw) for row in found}
    rows = [
        {
            "segment": one.source.segment,
            "offset_bytes": one.source.offset_bytes,
            "node": one.source.node,
            "worker": one.source.worker,
            "call_id": one.call_id,
            "raw": one.source.raw.decode(errors="replace"),
            "error": one.error.replace("\0", "\ufffd"),
            "holds": None
            if one.evidence is None
            else [msgspec.to_builtins(hold) for hold in one.evidence.opened.holds] or None,
            "created_at_us": now_us,
            "state": OPEN,
        }
        for one in items
    ]
    new = {(row["call_id"], row["raw"]): row for row in rows}
    added = [row for key, row in new.items() if key not in there]
    if added:
        await unit.connection.execute(insert(quarantine), added)
    return len(added)


async def held_in_quarantine(unit: Unit, worker: str) -> Mapping[str, int]:
    """Return lease id → nano-USD of the holds of a worker's calls that wait in quarantine."""
    found = await unit.connection.execute(
        select(quarantine.c.holds).where(
            quarantine.c.state == OPEN,
            quarantine.c.worker == worker,
            quarantine.c.holds.is_not(None),
        )
    )
    held: dict[str, int] = {}
    for holds in found.scalars():
        for hold in cast("list[dict[str, Any]]", holds):
            lease_id = hold["lease_id"]
            held[lease_id] = held.get(lease_id, 0) + hold["amount_nanousd"]
    return held


async def has_open_segments(unit: Unit, worker: str) -> bool:
    """Return whether more records of a worker may come."""
    found = await unit.connection.execute(
        select(spool_segments.c.segment)
        .where(spool_segments.c.worker == worker, spool_segments.c.state == OPEN)
        .limit(1)
    )
    return found.first() is not None


async def list_quarantine(
    unit: Unit, after_id: int = 0, limit: int = 100, only_id: int | None = None
) -> list[QuarantineRow]:
    """Return a page of what waits in quarantine, by id; with `only_id` just that one."""
    columns = quarantine.c
    wanted = (
        columns.quarantine_id > after_id if only_id is None else columns.quarantine_id == only_id
    )
    found = await unit.connection.execute(
        select(
            columns.quarantine_id,
            columns.segment,
            columns.offset_bytes,
            columns.node,
            columns.worker,
            columns.call_id,
            columns.raw,
            columns.error,
        )
        .where(columns.state == OPEN, wanted)
        .order_by(columns.quarantine_id)
        .limit(limit)
    )
    return [QuarantineRow(*row) for row in found]


async def resolve(unit: Unit, quarantine_id: int, state: str, now_us: int) -> bool:
    """Take a row out of quarantine as REPLAYED or DISMISSED; return whether it was in it."""
    changed = await unit.connection.execute(
        update(quarantine)
        .where(quarantine.c.quarantine_id == quarantine_id, quarantine.c.state == OPEN)
        .values(state=state, resolved_at_us=now_us)
    )
    return changed.rowcount == 1


async def note_error(unit: Unit, quarantine_id: int, error: str) -> None:
    """Write down why a row could not be replayed either."""
    await unit.connection.execute(
        update(quarantine)
        .where(quarantine.c.quarantine_id == quarantine_id)
        .values(error=error.replace("\0", "\ufffd"))
    )


async def load_counts(unit: Unit) -> tuple[int, int]:
    """Return how many records wait in quarantine, and how many lines were unreadable."""
    waiting = await unit.connection.execute(
        select(func.count()).select_from(quarantine).where(quarantine.c.state == OPEN)
    )
    unreadable = await unit.connection.execute(
        select(recording_counters.c.count).where(recording_counters.c.name == UNREADABLE_LINES)
    )
    return waiting.scalar_one(), unreadable.scalar() or 0


async def list_deletable(unit: Unit, node: str, before_us: int) -> list[str]:
    """Return the segments of a node that were finished before an instant."""
    found = await unit.connection.execute(
        select(spool_segments.c.segment)
        .where(
            spool_segments.c.node == node,
            spool_segments.c.state == FINISHED,
            spool_segments.c.finished_at_us < before_us,
        )
        .order_by(spool_segments.c.segment)
    )
    return list(found.scalars())


async def forget_segments(unit: Unit, segments: Sequence[str]) -> None:
    """Remove the rows of segments whose files are deleted."""
    await unit.connection.execute(
        delete(spool_segments).where(spool_segments.c.segment.in_(segments))
    )


async def rewind(unit: Unit, segments: Sequence[str]) -> None:
    """Let segments be read again from their beginning; that changes nothing in the books."""
    await unit.connection.execute(
        update(spool_segments)
        .where(spool_segments.c.segment.in_(segments))
        .values(offset_bytes=0, lines=0, unreadable_lines=0, state=OPEN, finished_at_us=None)
    )


async def purge_evidence(unit: Unit, before_us: int, rows_max: int = 2000) -> int:
    """Delete raw evidence of calls accounted before an instant; return how much, at most so much.

    A call's id begins with its time, so that only old rows are looked at.
    """
    columns = call_evidence.c
    old = (
        select(columns.call_id)
        .where(columns.call_id < new_id(before_us), columns.accounted_at_us < before_us)
        .order_by(columns.call_id)
        .limit(rows_max)
    )
    gone = await unit.connection.execute(
        delete(call_evidence).where(columns.call_id.in_(old.scalar_subquery()))
    )
    return gone.rowcount


def _known(raw: sqlite3.Connection, call_ids: Sequence[str]) -> set[str]:
    text = msgspec.json.encode(call_ids).decode()
    return {cast("str", row[0]) for row in raw.execute(statements.KNOWN_SQLITE, (text,))}


def _run_all(raw: sqlite3.Connection, wanted: Sequence[tuple[str, Rows]]) -> None:
    for sql, rows in wanted:
        if rows:
            raw.executemany(sql, rows)
