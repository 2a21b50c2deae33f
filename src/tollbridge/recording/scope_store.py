"""How does one statement of the driver speak of many calls, on both databases?"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec

from tollbridge.recording import statements
from tollbridge.recording.statements import joined, numbered
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
    # No text as in `pairs`: that would be read again for each row that is compared with it.
    return call_ids


def with_pairs(unit: Unit, table: str) -> str:
    """Return the table `d` together with `n`, what `pairs` says of some of its calls."""
    if unit.dialect == "sqlite":
        # CROSS: from the pairs to the table, never the other way.
        said = "(SELECT key AS call_id, value AS move_id FROM json_each(?))"
        return f"{said} AS n CROSS JOIN {table} AS d ON d.call_id = n.call_id"
    said = "unnest(?::text::uuid[], ?::text::bigint[])"
    return f"{said} AS n(call_id, move_id) JOIN {table} AS d ON d.call_id = n.call_id"


def pairs(unit: Unit, moves: Mapping[str, int]) -> tuple[str, ...]:
    """Return call id → move id as the parameters that `with_pairs` takes."""
    if unit.dialect == "sqlite":
        return (msgspec.json.encode(moves).decode(),)
    return _array(list(moves)), _array([str(one) for one in moves.values()])


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


async def copy(
    unit: Unit, table: str, columns: Sequence[str], rows: Sequence[tuple[Any, ...]]
) -> None:
    """Insert rows that are not there yet."""
    if not rows:
        return
    if unit.dialect == "sqlite":
        places = ", ".join("?" * len(columns))
        names = ", ".join(columns)
        await unit.run_many(joined("INSERT INTO", table, f"({names}) VALUES ({places})"), rows)
        return
    driver = await unit.postgres_driver()
    await driver.copy_records_to_table(table, records=rows, columns=columns)


async def put(unit: Unit, sql: str, rows: Sequence[tuple[Any, ...]]) -> None:
    """Run a statement with `?` once for each row."""
    if rows:
        await unit.run_many(sql if unit.dialect == "sqlite" else numbered(sql), rows)


def _array(words: Sequence[str]) -> str:
    """Return ids or numbers as an array in the words of PostgreSQL.

    The driver asks each element of a list whether it is a list too.
    """
    return f"{{{','.join(words)}}}"
