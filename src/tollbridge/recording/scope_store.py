"""How does one statement of the driver speak of many calls, on both databases?"""

from collections.abc import Sequence
from typing import Any

import msgspec

from tollbridge.recording import statements
from tollbridge.recording.statements import numbered
from tollbridge.storage.unit import Unit


def call_id_of(unit: Unit, alias: str = "d") -> str:
    """Return the column of a table's call ids, selected as text."""
    name = f"{alias}.call_id"
    return name if unit.dialect == "sqlite" else f"{name}::text"


def uuid_place(unit: Unit) -> str:
    """Return the place of one call's id among the parameters."""
    return "?" if unit.dialect == "sqlite" else "?::uuid"


def among(unit: Unit) -> str:
    """Return the condition that a call's id is one of `scope`."""
    if unit.dialect == "sqlite":
        return "IN (SELECT value FROM json_each(?))"
    return "= ANY(?::uuid[])"


def scope(unit: Unit, call_ids: Sequence[str]) -> Any:
    """Return ids as the one parameter that `among` takes."""
    if unit.dialect == "sqlite":
        return msgspec.json.encode(call_ids).decode()
    return call_ids


async def fetch(unit: Unit, sql: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    """Return all rows of a statement with `?`, by the driver itself."""
    if unit.dialect == "sqlite":
        return await unit.run_script_sync(lambda raw: raw.execute(sql, parameters).fetchall())
    rows = await (await unit.postgres_driver()).fetch(numbered(sql), *parameters)
    return [tuple(row) for row in rows]


async def add(unit: Unit, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Run a statement for many rows: of `?` on SQLite, over one array per column else."""
    if not rows:
        return
    if unit.dialect == "sqlite":
        await unit.run_many(sql, rows)
    else:
        await (await unit.postgres_driver()).execute(sql, *statements.arrays(rows))


async def add_sums(unit: Unit, table: str, rows: Sequence[tuple[int, ...]]) -> None:
    """Add sums to the rows of a roll-up; a row that is not there yet is made."""
    if not rows:
        return
    sql = statements.add_to_rollup(table, unit.dialect)
    if unit.dialect == "sqlite":
        await unit.run_many(sql, rows)
    else:
        await (await unit.postgres_driver()).execute(sql, *statements.number_arrays(rows))


async def put(unit: Unit, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Run a statement with `?` once for each row."""
    if rows:
        await unit.run_many(sql if unit.dialect == "sqlite" else numbered(sql), rows)
