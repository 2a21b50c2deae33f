"""How does somebody else's table of usage learn who really served?

A table with the columns `provider`, `model_used` and `endpoint`, on SQLite or PostgreSQL. Only
rows without a provider are written, in batches of one unit each: it can end at any moment, and
be begun again. Nothing is remembered but in the table itself.
"""

from collections.abc import Callable, Sequence
from typing import Any

import msgspec
from sqlalchemy import Connection, inspect

from tollbridge.attribution.detect import detect_actual_provider
from tollbridge.core.errors import InvalidRequestError, NotFoundError
from tollbridge.core.provider_names import PROVIDER_ID_MAX
from tollbridge.storage.unit import Database, Unit

COLUMN = "actual_provider_name"
NEEDED = ("provider", "model_used", "endpoint")
BATCH_ROWS = 5000
Progress = Callable[[int], None]


class ForeignTable(msgspec.Struct, frozen=True):
    """Somebody's table, its names quoted for its database."""

    name: str
    keys: tuple[str, ...]
    """What tells its rows apart, and orders them."""
    columns: tuple[str, ...]
    """Those of NEEDED."""
    column: str
    has_column: bool


async def find_table(unit: Unit, name: str) -> ForeignTable:
    """Return a table by its name, or `schema.name`.

    Raises NotFoundError, and InvalidRequestError for a view, a table that lacks a column, or one
    whose rows nothing tells apart.
    """
    return await unit.connection.run_sync(lambda connection: _find(connection, name))


async def add_column(database: Database, name: str) -> bool:
    """Add `actual_provider_name VARCHAR(50) NULL` where it is missing; return whether it was."""
    async with database.write() as unit:
        table = await find_table(unit, name)
        if table.has_column:
            return False
        # Two that begin at once on PostgreSQL: the second finds it.
        once = "" if unit.dialect == "sqlite" else "IF NOT EXISTS "
        await unit.connection.exec_driver_sql(
            f"ALTER TABLE {table.name} ADD COLUMN {once}{table.column} VARCHAR({PROVIDER_ID_MAX})"
        )
        return True


async def count_missing(database: Database, table: ForeignTable) -> int:
    """Return how many rows have no provider; all of them where the column is missing."""
    where = f"WHERE {table.column} IS NULL" if table.has_column else ""
    async with database.read() as unit:
        [(count,)] = await _fetch(unit, _joined("SELECT count(*) FROM", table.name, where), ())
    return int(count)


async def preview(
    database: Database,
    table: ForeignTable,
    on_progress: Progress,
    batch_rows: int = BATCH_ROWS,
) -> dict[str, int]:
    """Return provider → rows that would get it; nothing is written."""
    found: dict[str, int] = {}
    after: tuple[Any, ...] | None = None
    while True:
        async with database.read() as unit:
            rows = await _page(unit, table, after, batch_rows)
        after = _count(rows, len(table.keys), found)
        on_progress(len(rows))
        if len(rows) < batch_rows:
            return found


async def fill(
    database: Database,
    table: ForeignTable,
    on_progress: Progress,
    batch_rows: int = BATCH_ROWS,
) -> dict[str, int]:
    """Give rows without a provider theirs; return provider → rows."""
    found: dict[str, int] = {}
    after: tuple[Any, ...] | None = None
    while True:
        async with database.write() as unit:
            rows = await _page(unit, table, after, batch_rows)
            await _write(unit, table, rows)
        after = _count(rows, len(table.keys), found)
        on_progress(len(rows))
        if len(rows) < batch_rows:
            return found


def _find(connection: Connection, name: str) -> ForeignTable:
    inspector = inspect(connection)
    schema, bare = None, name
    if not inspector.has_table(name) and "." in name:
        schema, _, bare = name.partition(".")
        if schema not in inspector.get_schema_names():
            raise NotFoundError(f"there is no schema {schema!r}")
    if bare not in inspector.get_table_names(schema):
        if bare in inspector.get_view_names(schema):
            raise InvalidRequestError(f"{name} is a view, not a table")
        raise NotFoundError(f"there is no table {name!r}")
    columns = {column["name"] for column in inspector.get_columns(bare, schema)}
    missing = [column for column in NEEDED if column not in columns]
    if missing:
        raise InvalidRequestError(f"{name} has no column {', '.join(missing)}")
    keys: Sequence[str] = inspector.get_pk_constraint(bare, schema)["constrained_columns"]
    if not keys:
        raise InvalidRequestError(f"{name} has no primary key: nothing tells its rows apart")
    quote = connection.dialect.identifier_preparer.quote_identifier
    whole = quote(bare) if schema is None else f"{quote(schema)}.{quote(bare)}"
    return ForeignTable(
        whole,
        tuple(quote(key) for key in keys),
        tuple(quote(column) for column in NEEDED),
        quote(COLUMN),
        COLUMN in columns,
    )


async def _page(
    unit: Unit, table: ForeignTable, after: tuple[Any, ...] | None, limit: int
) -> list[tuple[Any, ...]]:
    """Return (*key, provider, model, endpoint) of rows without a provider, behind a key."""
    keys = ", ".join(table.keys)
    said = ", ".join(f"CAST({column} AS TEXT)" for column in table.columns)
    conditions = [f"{table.column} IS NULL"] if table.has_column else ["1 = 1"]
    if after is not None:
        places = ", ".join(_place(unit, number) for number in range(1, len(table.keys) + 1))
        conditions.append(f"({keys}) > ({places})")
    where = " AND ".join(conditions)
    sql = _joined(
        "SELECT",
        keys,
        ",",
        said,
        "FROM",
        table.name,
        "WHERE",
        where,
        "ORDER BY",
        keys,
        f"LIMIT {limit}",
    )
    return await _fetch(unit, sql, after or ())


async def _write(unit: Unit, table: ForeignTable, rows: Sequence[tuple[Any, ...]]) -> None:
    if not rows:
        return
    count = len(table.keys)
    detected = _Detected()
    here = " AND ".join(
        f"{key} = {_place(unit, number)}" for number, key in enumerate(table.keys, 2)
    )
    sql = _joined(
        "UPDATE",
        table.name,
        "SET",
        table.column,
        "=",
        _place(unit, 1),
        "WHERE",
        here,
        "AND",
        table.column,
        "IS NULL",
    )
    await unit.run_many(sql, [(detected[row[count:]], *row[:count]) for row in rows])


class _Detected(dict[tuple[Any, ...], str]):
    """What was said → provider; each combination of a batch is detected once."""

    def __missing__(self, said: tuple[Any, ...]) -> str:
        provider, model, endpoint = said
        name = self[said] = detect_actual_provider(provider, model, endpoint)
        return name


def _count(
    rows: Sequence[tuple[Any, ...]], keys: int, found: dict[str, int]
) -> tuple[Any, ...] | None:
    """Count rows by their provider; return the key of the last one."""
    detected = _Detected()
    for row in rows:
        name = detected[row[keys:]]
        found[name] = found.get(name, 0) + 1
    return rows[-1][:keys] if rows else None


def _joined(*parts: str) -> str:
    """Return a statement made of our own words and of names that are quoted."""
    return " ".join(parts)


def _place(unit: Unit, number: int) -> str:
    return "?" if unit.dialect == "sqlite" else f"${number}"


async def _fetch(unit: Unit, sql: str, parameters: tuple[Any, ...]) -> list[tuple[Any, ...]]:
    if unit.dialect == "sqlite":
        return await unit.run_script_sync(lambda raw: raw.execute(sql, parameters).fetchall())
    rows = await (await unit.postgres_driver()).fetch(sql, *parameters)
    return [tuple(row) for row in rows]
