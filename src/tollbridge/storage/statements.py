"""What does a statement look like to the driver?

The drain's statements are compiled once from `tables.py` and then run for thousands of rows by
the driver itself: compiling, caching and typing each time would cost more than the rows do.
"""

from collections.abc import Mapping, Sequence

import msgspec
from sqlalchemy import Delete, Insert, Select, Update
from sqlalchemy.engine import make_url

from tollbridge.core.errors import BugError
from tollbridge.storage.unit import DialectName

_DRIVER_URLS: Mapping[DialectName, str] = {
    "sqlite": "sqlite+aiosqlite://",
    "postgresql": "postgresql+asyncpg://",
}


class DriverStatement(msgspec.Struct, frozen=True):
    """SQL in the driver's own style (`?` or `$1`), and the names of its parameters in order."""

    sql: str
    parameters: tuple[str, ...]


def compile_statement(
    statement: Insert | Update | Delete | Select[tuple[object, ...]],
    dialect: DialectName,
    columns: Sequence[str] | None = None,
) -> DriverStatement:
    """Return `statement` as the driver of `dialect` takes it, to be run many times.

    `columns` names the columns that an insert or update sets, where the statement itself does
    not. Values fixed in the statement (`where(x == 5)`) must be literals, since a row brings all
    parameters; otherwise this raises BugError.
    """
    compiled = statement.compile(
        dialect=make_url(_DRIVER_URLS[dialect]).get_dialect()(),
        column_keys=None if columns is None else list(columns),
        for_executemany=True,
    )
    fixed = sorted(name for name, parameter in compiled.binds.items() if not parameter.required)
    if fixed:
        raise BugError(f"values fixed in a driver's statement: {', '.join(fixed)}")
    return DriverStatement(sql=compiled.string, parameters=tuple(compiled.positiontup or ()))
