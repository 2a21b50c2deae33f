"""What would the roll-ups be, were they made anew from the details and their adjustments?

Day by day of the billing zone, by the database's own grouping: another way than the drain's, so
that each proves the other.
"""

from collections.abc import AsyncIterator, Mapping, Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any, cast

from tollbridge.core.clock import to_datetime, to_us
from tollbridge.core.settlement import Discrepancy
from tollbridge.recording import statements
from tollbridge.recording.archive_tables import TIERS
from tollbridge.recording.audit import (
    ATTEMPT_ADJUSTMENTS,
    ATTEMPT_SUMS,
    CALL_ADJUSTMENTS,
    CALL_SUMS,
    DISCREPANCIES_MAX,
)
from tollbridge.recording.rollups import (
    BY_ATTEMPT,
    BY_CALL,
    BY_CALLER,
    HISTOGRAM,
    QUARTER_US,
    Dimension,
    coarse,
    dimension_id,
    latency_bucket,
)
from tollbridge.recording.scope_store import add, add_sums
from tollbridge.recording.statements import joined
from tollbridge.recording.tables import (
    ATTEMPT_MEASURES,
    CALL_MEASURES,
    DIMENSION_COLUMNS,
    ROLLUPS,
)
from tollbridge.storage.unit import Unit

Rows = dict[tuple[int, ...], tuple[int, ...]]
"""Key → measures of one roll-up."""

EARLIEST_US = -(2**62)
_QUARTER = f"d.accounted_at_us - d.accounted_at_us % {QUARTER_US}"
_SHARED = "d.bucket, d.category, d.operation"
_CALLER = "d.label, d.project, d.user_name, d.key_id, d.key_name"
_CALL_KEY = f"""
    {_QUARTER}, d.actual_provider_name, coalesce(d.upstream_provider_name, ''), {_SHARED},
    coalesce(d.requested_model, ''), {_CALLER},
    CASE WHEN d.http_status BETWEEN 100 AND 599
         THEN CAST(d.http_status / 100 AS VARCHAR(1)) || 'xx' ELSE 'none' END,
    d.usage_source
"""
_ATTEMPT_KEY = f"""
    {_QUARTER}, a.provider, coalesce(a.upstream_provider_name, ''), {_SHARED}, a.model, {_CALLER},
    CASE WHEN a.http_status BETWEEN 100 AND 599
         THEN CAST(a.http_status / 100 AS VARCHAR(1)) || 'xx' ELSE 'none' END,
    a.usage_source
"""
_CALLS = "{details} AS d"
_ATTEMPTS = "{attempts} AS a JOIN {details} AS d ON d.call_id = a.call_id"
_CORRECTED_CALLS = "adjustments AS j JOIN {details} AS d ON d.call_id = j.call_id"
_CORRECTED_ATTEMPTS = (
    "adjustments AS j JOIN {attempts} AS a ON a.call_id = j.call_id AND a.number = j.attempt "
    "JOIN {details} AS d ON d.call_id = j.call_id"
)
_WINDOW = "d.accounted_at_us >= ? AND d.accounted_at_us < ?"
_KEY_SIZE = 1 + len(DIMENSION_COLUMNS)
_STARTS: Mapping[str, str] = {
    name: next(column.name for column in table.primary_key) for name, table in ROLLUPS.items()
}


async def rebuild_rollups(unit: Unit, zone: tzinfo, *, replace: bool = False) -> list[Discrepancy]:
    """Return where the roll-ups are not the fold of the details; with `replace` put that right.

    `zone` is the billing time zone. Holds one day in memory.
    """
    found: list[Discrepancy] = []
    async for start_us, end_us in _days(unit, zone):
        expected, fresh = await _fold(unit, start_us, end_us)
        for table, rows in expected.items():
            stored = await _stored(unit, table, (start_us, end_us))
            if rows == stored:
                continue
            found += _differences(table, rows, stored)[: DISCREPANCIES_MAX - len(found)]
            if replace:
                await _replace(unit, table, (start_us, end_us), rows)
        if replace and fresh:
            dimensions = [(key, *fresh[key]) for key in sorted(fresh)]
            await add(unit, statements.add_dimensions(unit.dialect), dimensions)
    return found


async def _days(unit: Unit, zone: tzinfo) -> AsyncIterator[tuple[int, int]]:
    """Yield (start, end) of each day that holds a call or a roll-up."""
    sources = {**{tier.details.name: "accounted_at_us" for tier in TIERS}, **_STARTS}
    # Each through its index: the first instant at or after the end of the day before.
    firsts = [
        joined("SELECT min(", column, ") AS at_us FROM", name, "WHERE", column, ">= ?")
        for name, column in sources.items()
    ]
    first = joined("SELECT min(at_us) FROM (", " UNION ALL ".join(firsts), ") AS found")
    after_us = EARLIEST_US
    while True:
        [(at_us,)] = await _query(unit, first, (after_us,) * len(sources))
        if at_us is None:
            return
        local = to_datetime(int(at_us)).astimezone(zone)
        day = datetime(local.year, local.month, local.day, tzinfo=zone)
        after_us = to_us(day + timedelta(days=1))
        yield to_us(day), after_us


async def _fold(
    unit: Unit, start_us: int, end_us: int
) -> tuple[dict[str, Rows], dict[int, Dimension]]:
    """Return the rows of each roll-up in one day, and their dimensions by id."""
    dimensions: dict[int, Dimension] = {}
    window = (start_us, end_us)
    calls = await _grouped(unit, (_CALL_KEY, CALL_SUMS, _CALLS), window)
    calls += await _corrected(
        unit, (_CALL_KEY, _CORRECTED_CALLS), CALL_ADJUSTMENTS, CALL_MEASURES, window
    )
    attempts = await _grouped(unit, (_ATTEMPT_KEY, ATTEMPT_SUMS, _ATTEMPTS), window)
    attempts += await _corrected(
        unit, (_ATTEMPT_KEY, _CORRECTED_ATTEMPTS), ATTEMPT_ADJUSTMENTS, ATTEMPT_MEASURES, window
    )
    expected: dict[str, Rows] = {}
    for name, groups in ((BY_CALL, calls), (BY_ATTEMPT, attempts)):
        fine, quarterly, daily, callers = (Rows() for _ in range(4))
        for quarter_us, dimension, measures in groups:
            fine_id = _note(dimensions, dimension)
            coarse_id = _note(dimensions, coarse(dimension))
            _sum(fine, (quarter_us, fine_id), measures)
            _sum(quarterly, (quarter_us, coarse_id), measures)
            _sum(daily, (start_us, coarse_id), measures)
            _sum(callers, (start_us, fine_id), measures)
        expected[name], expected[f"{name}_quarterly"] = fine, quarterly
        expected[f"{name}_daily"], expected[BY_CALLER[name]] = daily, callers
    latency, by_day = await _fold_latency(unit, window, dimensions)
    expected[HISTOGRAM], expected[f"{HISTOGRAM}_daily"] = latency, by_day
    return expected, dimensions


async def _fold_latency(
    unit: Unit, window: tuple[int, int], dimensions: dict[int, Dimension]
) -> tuple[Rows, Rows]:
    """Return the histograms by quarter hour and of the day."""
    latency: Rows = {}
    daily: Rows = {}
    for place, column in enumerate(("a.latency_ms", "a.first_byte_ms")):
        found = await _grouped(
            unit,
            (f"{_ATTEMPT_KEY}, {column}", "count(*)", _ATTEMPTS),
            window,
            f"AND {column} IS NOT NULL",
        )
        for quarter_us, dimension, (took_ms, count) in found:
            key = _note(dimensions, coarse(dimension)), latency_bucket(took_ms)
            counts = (count, 0) if place == 0 else (0, count)
            _sum(latency, (quarter_us, *key), counts)
            _sum(daily, (window[0], *key), counts)
    return latency, daily


async def _grouped(
    unit: Unit, parts: tuple[str, str, str], window: tuple[int, int], more: str = ""
) -> list[tuple[int, Dimension, tuple[int, ...]]]:
    """Return (quarter hour, dimension, what else was selected) of each group in each place."""
    key, sums, tables = parts
    size = _KEY_SIZE + (1 if key.endswith("_ms") else 0)
    numbers = ", ".join(map(str, range(1, size + 1)))
    rows: list[Sequence[Any]] = []
    for tier in TIERS:
        table = tables.format(details=tier.details.name, attempts=tier.attempts.name)
        sql = joined(
            "SELECT", key, ",", sums, "FROM", table, "WHERE", _WINDOW, more, "GROUP BY", numbers
        )
        rows += await _query(unit, sql, window)
    return [
        (
            int(row[0]),
            tuple(str(value) for value in row[1:_KEY_SIZE]),
            tuple(int(value) for value in row[_KEY_SIZE:]),
        )
        for row in rows
    ]


async def _corrected(
    unit: Unit,
    parts: tuple[str, str],
    corrections: Mapping[str, str],
    measures: Sequence[str],
    window: tuple[int, int],
) -> list[tuple[int, Dimension, tuple[int, ...]]]:
    """Return the groups of `_grouped` once more, with what adjustments change of them."""
    key, table = parts
    sums = ", ".join(corrections.get(measure, "0") for measure in measures)
    # By the index on the adjustments' own copy of the instant.
    only = "AND j.accounted_at_us >= {} AND j.accounted_at_us < {}".format(*window)
    return await _grouped(unit, (key, sums, table), window, only)


async def _stored(unit: Unit, table: str, window: tuple[int, int]) -> Rows:
    start = _STARTS[table]
    sql = joined("SELECT * FROM", table, "WHERE", start, ">= ? AND", start, "< ?")
    key_size = len(statements.KEYS[table])
    return {
        tuple(int(value) for value in row[:key_size]): tuple(int(value) for value in row[key_size:])
        for row in await _query(unit, sql, window)
    }


async def _replace(unit: Unit, table: str, window: tuple[int, int], rows: Rows) -> None:
    start = _STARTS[table]
    sql = joined("DELETE FROM", table, "WHERE", start, ">= ? AND", start, "< ?")
    await unit.connection.exec_driver_sql(_placed(unit, sql), window)
    added = [(*key, *rows[key]) for key in sorted(rows)]
    await add_sums(unit, table, added)


async def _query(unit: Unit, sql: str, parameters: tuple[int, ...]) -> Sequence[Sequence[Any]]:
    found = await unit.connection.exec_driver_sql(_placed(unit, sql), parameters)
    return cast("Sequence[Sequence[Any]]", found.all())


def _placed(unit: Unit, sql: str) -> str:
    return sql if unit.dialect == "sqlite" else statements.numbered(sql)


def _note(dimensions: dict[int, Dimension], dimension: Dimension) -> int:
    key = dimension_id(dimension)
    dimensions[key] = dimension
    return key


def _sum(rows: Rows, key: tuple[int, ...], measures: tuple[int, ...]) -> None:
    known = rows.get(key)
    rows[key] = (
        measures
        if known is None
        else tuple([one + other for one, other in zip(known, measures, strict=True)])
    )


def _differences(table: str, expected: Rows, stored: Rows) -> list[Discrepancy]:
    found: list[Discrepancy] = []
    for key in sorted(expected.keys() | stored.keys()):
        one, other = expected.get(key), stored.get(key)
        if one != other:
            subject = "/".join(map(str, key))
            found.append(Discrepancy(table, subject, sum(one or ()), sum(other or ())))
    return found
