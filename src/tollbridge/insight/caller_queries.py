"""All SQL of callers: which users and keys, of any number of them, spent most?

First what each dimension comes to, by its number alone: with names and all measures, the sums of
ten thousand keys over a month would take three times as long. Then all sums of the few on top.
"""

from collections.abc import Sequence
from datetime import tzinfo
from typing import Any

import msgspec
from sqlalchemy import func, select

from tollbridge.insight.axes import Axis, Slice, Sums
from tollbridge.insight.cube_queries import (
    conditions_of,
    ids_of,
    only_of,
    spans,
    sums,
)
from tollbridge.recording.tables import dimensions, rollups_by_call, rollups_by_caller_daily
from tollbridge.storage.unit import Unit

Costs = dict[str, tuple[int, int]]
"""Name → (nano-USD, calls)."""


class Top(msgspec.Struct, frozen=True):
    """The dearest of one kind, and what the others come to."""

    groups: tuple[tuple[str, Sums], ...]
    rest: Sums
    rest_groups: int


async def dearest_callers(unit: Unit, wanted: Slice, zone: tzinfo, count: int) -> tuple[Top, Top]:
    """Return the users and the keys whose calls cost most, and the rest of each. Without attempts.

    Raises InvalidRequestError where that would be too much to look through.
    """
    users, keys = await _costs(unit, wanted, zone)
    total = (await sums(unit, wanted, (), zone, calls_only=True)).total
    return (
        await _top(unit, wanted, zone, (Axis.USER, users, count), total),
        await _top(unit, wanted, zone, (Axis.KEY, keys, count), total),
    )


async def _top(
    unit: Unit, wanted: Slice, zone: tzinfo, of: tuple[Axis, Costs, int], total: Sums
) -> Top:
    axis, costs, count = of
    ranked = sorted(costs, key=lambda name: (-costs[name][0], -costs[name][1], name))
    shown = ranked[:count]
    groups: list[tuple[str, Sums]] = []
    if shown:
        others = wanted.only.get(axis, ())
        narrowed = wanted.narrowed(axis, *shown)
        if axis is Axis.KEY and others:
            narrowed = wanted  # a key may have been named by its id
        whole = await sums(unit, narrowed, (axis,), zone, calls_only=True)
        groups = [(name, whole.of((name,))) for name in shown]
    rest = total.less(of for _, of in groups)
    return Top(tuple(groups), rest, len(ranked) - len(shown))


async def _costs(unit: Unit, wanted: Slice, zone: tzinfo) -> tuple[Costs, Costs]:
    """Return what the calls of each user, and of each key, cost, and how many there were."""
    days, edges = spans(wanted, (Axis.USER,), zone, of_calls=True)
    ids = await ids_of(unit, wanted)
    conditions = conditions_of(wanted)
    users: Costs = {}
    keys: Costs = {}
    for table, span in [
        *((rollups_by_caller_daily, one) for one in days),
        *((rollups_by_call, one) for one in edges),
    ]:
        start = next(iter(table.primary_key.columns))
        only = () if ids is None else only_of(table, span, ids, zone)
        part = (
            select(
                table.c.dimension_id,
                func.sum(table.c.cost_nanousd).label("cost"),
                func.sum(table.c.calls).label("calls"),
            )
            .where(start >= span[0], start < span[1], *only)
            .group_by(table.c.dimension_id)
            .subquery()
        )
        query = (
            select(dimensions.c.user_name, dimensions.c.key_name, part.c.cost, part.c.calls)
            .join_from(part, dimensions, dimensions.c.dimension_id == part.c.dimension_id)
            .where(*conditions)
        )
        rows: Sequence[Any] = (await unit.connection.execute(query)).all()
        for user, key, cost, calls in rows:
            for costs, name in ((users, user), (keys, key)):
                known = costs.get(name, (0, 0))
                costs[name] = known[0] + int(cost), known[1] + int(calls)
    return users, keys
