"""How do details move to the archive, and what stands where?"""

import sqlite3
from collections.abc import Sequence

import msgspec
from sqlalchemy import Table, func, select

from tollbridge.core.errors import ConfigurationError
from tollbridge.recording.archive_tables import ARCHIVE, HOT, Tier
from tollbridge.recording.statements import joined
from tollbridge.storage.unit import Unit

_OLD = """
SELECT call_id FROM call_details WHERE accounted_at_us < {before}
ORDER BY accounted_at_us, call_id LIMIT {limit}
"""


class Moved(msgspec.Struct, frozen=True):
    """What one batch, or all of them, moved."""

    calls: int = 0
    attempts: int = 0
    """Rows of attempts that have one of their own."""

    def __add__(self, other: "Moved") -> "Moved":
        return Moved(self.calls + other.calls, self.attempts + other.attempts)


class TierCount(msgspec.Struct, frozen=True):
    """How many calls stand in one place, and from when to when they are."""

    calls: int
    oldest_at_us: int | None
    newest_at_us: int | None


def check_same(table: str, archive: str, names: Sequence[str], archived: Sequence[str]) -> None:
    """Raise ConfigurationError where a table and its archive have not the same columns."""
    missing, surplus = set(names) - set(archived), set(archived) - set(names)
    if missing or surplus:
        lacks = f" lacks {', '.join(sorted(missing))}" if missing else ""
        has = f" has {', '.join(sorted(surplus))} besides" if surplus else ""
        raise ConfigurationError(f"column mismatch: {archive}{lacks}{has}, against {table}")


async def move(unit: Unit, before_us: int, rows_max: int) -> Moved:
    """Move calls accounted before an instant to the archive, the oldest first.

    At most `rows_max`; a call goes with all its attempts. What the archive has already is not
    added once more. Raises ConfigurationError where the database's columns do not fit.
    """
    columns = {table.name: await _columns(unit, table, copy) for table, copy in _pairs()}
    if unit.dialect == "sqlite":
        return await unit.run_script_sync(lambda raw: _move(raw, columns, before_us, rows_max))
    driver = await unit.postgres_driver()
    # Whoever else archives or corrects some of them has them; they are met again the next time.
    sql = joined(_OLD.format(before="$1::bigint", limit="$2"), "FOR UPDATE SKIP LOCKED")
    ids = [row[0] for row in await driver.fetch(sql, before_us, rows_max)]
    moved: list[int] = []
    for table, copy in _pairs() if ids else ():
        into = _copy_sql(columns[table.name], table, copy)
        await driver.execute(joined(into, "WHERE call_id = ANY($1) ON CONFLICT DO NOTHING"), ids)
        status = await driver.execute(
            joined("DELETE FROM", table.name, "WHERE call_id = ANY($1)"), ids
        )
        moved.append(int(status.rpartition(" ")[2]))
    return Moved(*moved)


async def count(unit: Unit, tier: Tier) -> TierCount:
    """Return what stands in one place. Counts each row: seconds per million calls."""
    at_us = tier.details.c.accounted_at_us
    found = await unit.connection.execute(select(func.count(), func.min(at_us), func.max(at_us)))
    calls, oldest_us, newest_us = found.one()
    return TierCount(calls, oldest_us, newest_us)


async def count_due(unit: Unit, before_us: int) -> int:
    """Return how many calls wait to be archived."""
    details = HOT.details
    found = await unit.connection.execute(
        select(func.count()).select_from(details).where(details.c.accounted_at_us < before_us)
    )
    return found.scalar_one()


async def newest_archived_us(unit: Unit) -> int | None:
    """Return when the newest call in the archive was accounted; through its index."""
    found = await unit.connection.execute(select(func.max(ARCHIVE.details.c.accounted_at_us)))
    return found.scalar()


def _pairs() -> tuple[tuple[Table, Table], ...]:
    return (HOT.details, ARCHIVE.details), (HOT.rows, ARCHIVE.rows)


async def _columns(unit: Unit, table: Table, copy: Table) -> list[str]:
    """Return the columns that the database has by now: a newer node may have added some."""
    names, archived = [
        list(
            (await unit.connection.exec_driver_sql(joined("SELECT * FROM", one, "LIMIT 0"))).keys()
        )
        for one in (table.name, copy.name)
    ]
    check_same(table.name, copy.name, names, archived)
    return names


def _move(
    raw: sqlite3.Connection, columns: dict[str, list[str]], before_us: int, rows_max: int
) -> Moved:
    found = raw.execute(_OLD.format(before="?", limit="?"), (before_us, rows_max)).fetchall()
    ids = (msgspec.json.encode([row[0] for row in found]).decode(),)
    moved: list[int] = []
    of_ids = "WHERE call_id IN (SELECT value FROM json_each(?))"
    for table, copy in _pairs() if found else ():
        into = _copy_sql(columns[table.name], table, copy)
        raw.execute(joined(into, of_ids, "ON CONFLICT DO NOTHING"), ids)
        moved.append(raw.execute(joined("DELETE FROM", table.name, of_ids), ids).rowcount)
    return Moved(*moved)


def _copy_sql(columns: Sequence[str], table: Table, copy: Table) -> str:
    names = ", ".join(f'"{name}"' for name in columns)
    return joined("INSERT INTO", copy.name, f"({names})", "SELECT", names, "FROM", table.name)
