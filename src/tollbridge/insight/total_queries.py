"""All SQL of totals: how much in sum, by what? From the roll-ups, never from the calls.

Cost by provider and by model is that of the attempts, so that a provider which failed and billed
all the same is seen; by user, key and day it is that of the calls. Both have the same sum.
"""

from collections.abc import Mapping
from datetime import datetime, tzinfo
from typing import Any

from sqlalchemy import ColumnElement, Select, Table, func, or_, select

from tollbridge.core.clock import to_datetime, to_text, to_us
from tollbridge.insight.usage import Grouping, Total, Totals, TotalsFilter
from tollbridge.recording.tables import (
    dimensions,
    rollups_by_attempt,
    rollups_by_attempt_daily,
    rollups_by_call,
    rollups_by_call_daily,
)
from tollbridge.storage.unit import Unit

QUARTER_US = 15 * 60 * 1_000_000
GROUPS_MAX = 1000
QUARTERS_MAX = 200_000
"""Most quarter hours that are folded into days: the newest, over five years."""
Sums = dict[str, dict[str, int]]
"""Group → name of a measure → sum."""

_TOKENS = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
)
_OF_COST = (*_TOKENS, "cost_nanousd", "unpriced", "estimated")
_OF_CALLS = ("calls", "completed", "failed", "charge_nanousd")
_COLUMN_OF: Mapping[Grouping, ColumnElement[Any]] = {
    Grouping.PROVIDER: dimensions.c.provider,
    Grouping.MODEL: dimensions.c.model,
    Grouping.USER: dimensions.c.user_name,
    Grouping.KEY: dimensions.c.key_name,
}


async def totals(
    unit: Unit, grouping: Grouping, wanted: TotalsFilter, zone: tzinfo, limit: int
) -> Totals:
    """Return the totals of each group, at most 1,000, and of everything that the filter lets by."""
    of_attempts = grouping in {Grouping.PROVIDER, Grouping.MODEL} or wanted.provider is not None
    daily = _days_suffice(grouping, wanted, zone)
    by_call = rollups_by_call_daily if daily else rollups_by_call
    by_attempt = rollups_by_attempt_daily if daily else rollups_by_attempt
    groups: Sums = {}
    total: Sums = {}
    sources: list[tuple[Table, tuple[str, ...]]] = [
        (by_call, _OF_CALLS if of_attempts else (*_OF_CALLS, *_OF_COST))
    ]
    if of_attempts:
        sources.append((by_attempt, ("attempts", *_OF_COST)))
    for table, measures in sources:
        query = _query(table, measures, wanted)
        _add(total, "", (await unit.connection.execute(query)).one(), measures)
        if grouping is Grouping.DAY:
            await _add_days(unit, groups, (table, measures), query, zone)
        else:
            column = _COLUMN_OF[grouping]
            order = func.sum(table.c[_order_of(measures)]).desc()
            grouped = query.add_columns(column.label("of")).group_by(column).order_by(order, column)
            for row in await unit.connection.execute(grouped.limit(GROUPS_MAX + 1)):
                _add(groups, row.of, row, measures)
    rows = [(name, Total(**sums)) for name, sums in groups.items()]
    if grouping is Grouping.DAY:
        rows.sort(key=lambda one: one[0], reverse=True)
    else:
        rows.sort(key=lambda one: (-one[1].cost_nanousd, -one[1].calls, one[0]))
    kept = tuple(rows[: min(limit, GROUPS_MAX)])
    return Totals(total=Total(**total[""]), groups=kept, more=len(rows) > len(kept))


def floor_quarter(at_us: int) -> int:
    """Return the start of the quarter hour that holds an instant: roll-ups know no shorter time."""
    return at_us - at_us % QUARTER_US


def _query(table: Table, measures: tuple[str, ...], wanted: TotalsFilter) -> Select[Any]:
    start = next(iter(table.primary_key.columns))
    sums = [func.coalesce(func.sum(table.c[name]), 0).label(name) for name in measures]
    query = select(*sums).join_from(
        table, dimensions, dimensions.c.dimension_id == table.c.dimension_id
    )
    equal = (
        (dimensions.c.provider, wanted.provider),
        (dimensions.c.bucket, wanted.bucket),
        (dimensions.c.category, wanted.category),
        (dimensions.c.project, wanted.project),
        (dimensions.c.user_name, wanted.user),
    )
    for column, value in equal:
        if value is not None:
            query = query.where(column == value)
    if wanted.key is not None:
        query = query.where(
            or_(dimensions.c.key_name == wanted.key, dimensions.c.key_id == wanted.key)
        )
    if wanted.from_us is not None:
        query = query.where(start >= wanted.from_us)
    if wanted.to_us is not None:
        query = query.where(start < wanted.to_us)
    return query


async def _add_days(
    unit: Unit,
    groups: Sums,
    source: tuple[Table, tuple[str, ...]],
    query: Select[Any],
    zone: tzinfo,
) -> None:
    table, measures = source
    start = next(iter(table.primary_key.columns))
    grouped = query.add_columns(start.label("of")).group_by(start).order_by(start.desc())
    for row in await unit.connection.execute(grouped.limit(QUARTERS_MAX)):
        _add(groups, to_text(_day_start(row.of, zone)), row, measures)


def _add(sums: Sums, group: str, row: Any, measures: tuple[str, ...]) -> None:
    of_group = sums.setdefault(group, {})
    for name in measures:
        # PostgreSQL sums whole numbers to a decimal.
        of_group[name] = of_group.get(name, 0) + int(getattr(row, name))


def _order_of(measures: tuple[str, ...]) -> str:
    return "cost_nanousd" if "cost_nanousd" in measures else "calls"


def _days_suffice(grouping: Grouping, wanted: TotalsFilter, zone: tzinfo) -> bool:
    """Return whether the daily roll-ups, which know neither user nor key, can answer."""
    if grouping in {Grouping.USER, Grouping.KEY} or wanted.user is not None or wanted.key:
        return False
    bounds = (wanted.from_us, wanted.to_us)
    return all(one is None or one == _day_start(one, zone) for one in bounds)


def _day_start(at_us: int, zone: tzinfo) -> int:
    local = to_datetime(at_us).astimezone(zone)
    return to_us(datetime(local.year, local.month, local.day, tzinfo=zone))
