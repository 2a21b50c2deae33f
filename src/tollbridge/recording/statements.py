"""Which statements does the drain run, and with which rows?

Made once from `tables.py`. Places are `?` on both databases; the store numbers them for
PostgreSQL, where the statements over arrays are its own.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import Any

import msgspec

from tollbridge.recording.calls import OpenCall
from tollbridge.recording.details import VARYING
from tollbridge.recording.rollups import Fold, coarse
from tollbridge.recording.shapes import SHAPED
from tollbridge.recording.tables import (
    ROLLUPS,
    call_attempt_rows,
    call_details,
    call_evidence,
    dimensions,
)

INSERTED: Mapping[str, tuple[str, ...]] = {
    call_details.name: (*VARYING, *SHAPED),
    **{
        table.name: tuple(column.name for column in table.c)
        for table in (call_attempt_rows, call_evidence)
    },
}
"""The columns of the tables that get a row per call or attempt, in the order of the rows."""
KEYS: Mapping[str, tuple[str, ...]] = {
    table.name: tuple(column.name for column in table.primary_key) for table in ROLLUPS.values()
}
DIMENSIONS = tuple(column.name for column in dimensions.c)

ADVANCE = """
INSERT INTO spool_segments (segment, node, worker, offset_bytes, lines, unreadable_lines, state)
VALUES (?, ?, ?, ?, ?, ?, 'open')
ON CONFLICT (segment) DO UPDATE SET node = excluded.node, worker = excluded.worker,
    offset_bytes = excluded.offset_bytes, lines = excluded.lines,
    unreadable_lines = excluded.unreadable_lines
"""
FINISH = "UPDATE spool_segments SET state = 'finished', finished_at_us = ? WHERE segment = ?"
COUNT = """
INSERT INTO recording_counters (name, count) VALUES (?, ?)
ON CONFLICT (name) DO UPDATE SET count = recording_counters.count + excluded.count
"""
DROP_OPEN = "DELETE FROM open_calls WHERE call_id = ?"
# Not of a call that is in the books: its segment is being read again.
PUT_OPEN: Mapping[str, str] = {
    "sqlite": """
INSERT INTO open_calls (call_id, segment, last_at_us, opened, attempts, progress)
SELECT ?1, ?2, ?3, ?4, ?5, ?6 WHERE NOT EXISTS (SELECT 1 FROM call_details WHERE call_id = ?1)
    AND NOT EXISTS (SELECT 1 FROM call_details_archive WHERE call_id = ?1)
ON CONFLICT (call_id) DO UPDATE SET segment = excluded.segment, last_at_us = excluded.last_at_us,
    opened = excluded.opened, attempts = excluded.attempts, progress = excluded.progress
""",
    "postgresql": """
INSERT INTO open_calls (call_id, segment, last_at_us, opened, attempts, progress)
SELECT $1::uuid, $2::text, $3::bigint, $4::text, $5::text, $6::text
WHERE NOT EXISTS (SELECT 1 FROM call_details WHERE call_id = $1::uuid)
    AND NOT EXISTS (SELECT 1 FROM call_details_archive WHERE call_id = $1::uuid)
ON CONFLICT (call_id) DO UPDATE SET segment = excluded.segment, last_at_us = excluded.last_at_us,
    opened = excluded.opened, attempts = excluded.attempts, progress = excluded.progress
""",
}
# A segment that is read again may tell of calls that are archived by now.
KNOWN_SQLITE = """
SELECT call_id FROM call_details WHERE call_id IN (SELECT value FROM json_each(?1))
UNION ALL
SELECT call_id FROM call_details_archive WHERE call_id IN (SELECT value FROM json_each(?1))
"""
KNOWN_POSTGRESQL = """
SELECT call_id::text FROM call_details WHERE call_id = ANY($1::uuid[])
UNION ALL
SELECT call_id::text FROM call_details_archive WHERE call_id = ANY($1::uuid[])
"""


class BookRows(msgspec.Struct):
    """What a batch adds to the books: rows of INSERTED in the order of their columns."""

    fold: Fold
    details: list[tuple[Any, ...]] = []
    attempts: list[tuple[Any, ...]] = []
    evidence: list[tuple[Any, ...]] = []


Build = Callable[[set[str]], BookRows]
"""Makes the rows, given which call ids are in the books already."""


def insert_sqlite(table: str) -> str:
    """Return the statement that inserts a row of one of INSERTED."""
    columns = INSERTED[table]
    return f"{_into(table, columns)} VALUES ({', '.join('?' * len(columns))})"


def add_to_rollup(table: str, dialect: str) -> str:
    """Return the statement that adds sums to the rows of a roll-up."""
    columns = tuple(column.name for column in ROLLUPS[table].c)
    keys = KEYS[table]
    sums = ", ".join(f"{name} = r.{name} + excluded.{name}" for name in columns if name not in keys)
    return (
        f"{_into(f'{table} AS r', columns)} "
        f"{_values(dialect, ['text::bigint'] * len(columns))} "
        f"ON CONFLICT ({', '.join(keys)}) DO UPDATE SET {sums}"
    )


def add_dimensions(dialect: str) -> str:
    """Return the statement that inserts the dimensions that are not there yet."""
    types = ["bigint"] + ["text"] * (len(DIMENSIONS) - 1)
    return f"{_into('dimensions', DIMENSIONS)} {_values(dialect, types)} ON CONFLICT DO NOTHING"


def dimension_rows(fold: Fold) -> list[tuple[Any, ...]]:
    """Return the rows of `dimensions` that a batch may need, in key order."""
    rows: dict[int, tuple[Any, ...]] = {}
    for dimension, (fine_id, coarse_id) in fold.fresh.items():
        rows[fine_id] = (fine_id, *dimension)
        rows[coarse_id] = (coarse_id, *coarse(dimension))
    return [rows[key] for key in sorted(rows)]


def open_call_row(call: OpenCall, segment: str) -> tuple[Any, ...]:
    """Return the values of `open_calls` in the order of its columns."""
    return (
        call.call_id,
        segment,
        call.last_at_us,
        _text(call.opened_raw),
        _text(call.attempts_raw),
        _text(call.progress_raw),
    )


def arrays(rows: Sequence[tuple[Any, ...]]) -> list[list[Any]]:
    """Turn rows into one array per column, as `unnest` takes them."""
    return [list(column) for column in zip(*rows, strict=True)]


def number_arrays(rows: Sequence[tuple[int, ...]]) -> list[str]:
    """Turn rows of whole numbers into one array per column, in the words of PostgreSQL.

    The driver asks each element of a list whether it is a list too; the server reads the words
    in a fraction of that time.
    """
    return [f"{{{repr(list(column))[1:-1]}}}" for column in zip(*rows, strict=True)]


def numbered(sql: str) -> str:
    """Turn the places of a statement into those of PostgreSQL: the first `?` is $1."""
    first, *rest = sql.split("?")
    return first + "".join([f"${place}{part}" for place, part in enumerate(rest, 1)])


def joined(*parts: str) -> str:
    """Return a statement made of our own words, never of anybody's input."""
    return " ".join(parts)


def _into(table: str, columns: Sequence[str]) -> str:
    return f"INSERT INTO {table} ({', '.join(columns)})"


def _values(dialect: str, types: Sequence[str]) -> str:
    if dialect == "sqlite":
        return f"VALUES ({', '.join('?' * len(types))})"
    columns = ", ".join(f"${place}::{name}[]" for place, name in enumerate(types, 1))
    return joined("SELECT * FROM", f"unnest({columns})")


def _text(raw: bytes | None) -> str | None:
    return None if raw is None else raw.decode()
