"""All SQL of callers: which users and keys, of any number of them, come first by a measure?

First the database ranks them by that measure alone: to sum up all measures of ten thousand keys
over a month, and to hand them over, would take three times as long. Then all sums of the few on
top are read.
"""

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    ColumnElement,
    Integer,
    Select,
    cast,
    func,
    literal,
    select,
    union_all,
)

from tollbridge.insight.axes import OF_CALLERS, TIMES, Axis, Found, Group, Slice, Sums
from tollbridge.insight.cube_queries import (
    COLUMN_OF,
    Few,
    check_rows,
    conditions_of,
    only_of,
    sums,
)
from tollbridge.insight.cube_source_queries import Source, sources_of
from tollbridge.recording.tables import dimensions
from tollbridge.storage.unit import Unit

PARTS_OF: Mapping[str, tuple[str, ...]] = {"total_tokens": ("input_tokens", "output_tokens")}
"""Measures that are sums of others."""


class Top(msgspec.Struct, frozen=True):
    """The dearest of one kind, and what the others come to."""

    groups: tuple[tuple[str, Sums], ...]
    rest: Sums
    rest_groups: int


class Ranked(msgspec.Struct):
    """The groups that come first, in their order, and how many there are in all."""

    groups: list[Group] = []
    count: int = 0


async def dearest_callers(
    unit: Unit, wanted: Slice, zone: tzinfo, count: int, few: Few
) -> tuple[Top, Top]:
    """Return the users and the keys whose calls cost most, and the rest of each. Without attempts.

    `few`: what `cube_queries.few_of` says of these filters.
    Raises InvalidRequestError where that would be too much to look through.
    """
    total = (await sums(unit, wanted, (), zone, calls_only=True, few=few)).total
    sources = sources_of(wanted, (Axis.USER,), zone, calls_only=True)
    orders = ("cost_nanousd", "calls")
    kinds = ((Axis.USER,), (Axis.KEY,))
    users, keys = await _ranked(unit, wanted, (sources, zone, few), kinds, orders, count)
    return (
        await _top(unit, wanted, zone, (Axis.USER, users), total),
        await _top(unit, wanted, zone, (Axis.KEY, keys), total),
    )


async def largest_callers(
    unit: Unit, wanted: Slice, axes: Sequence[Axis], zone: tzinfo, top: int, order: str
) -> tuple[Found, int]:
    """Return the `top` groups by a measure, in their order, all together, and how many there are.

    `axes`: no time, and a user or a key among them; of attempts, only what tells models apart.
    Raises InvalidRequestError where that would be too much to look through.
    """
    others = tuple(axis for axis in axes if axis not in OF_CALLERS)
    found = await sums(unit, wanted, others, zone, attempts=False)
    sources = sources_of(wanted, axes, zone, attempts=False)
    few = Few(None)
    [ranked] = await _ranked(unit, wanted, (sources, zone, few), (axes,), (order,), top)
    found.groups = await _sums_of(unit, wanted, axes, zone, ranked.groups)
    return found, ranked.count


async def sums_of_groups(
    unit: Unit, wanted: Slice, axes: Sequence[Axis], zone: tzinfo, groups: Sequence[Group]
) -> Found:
    """Return the sums of some groups of callers, and of all: as of `largest_callers`."""
    others = tuple(axis for axis in axes if axis not in OF_CALLERS)
    found = await sums(unit, wanted, others, zone, attempts=False)
    found.groups = await _sums_of(unit, wanted, axes, zone, groups)
    return found


async def intervals_of_groups(
    unit: Unit, wanted: Slice, axes: Sequence[Axis], zone: tzinfo, names: Sequence[Group]
) -> list[tuple[Group, Sums]]:
    """Return the sums of some groups of callers by interval, in no order.

    `axes`: with a time among them; `names`: the groups without it, as of `largest_callers`.
    Raises InvalidRequestError where that would be too much to look through.
    """
    if not names:
        return []
    series = [place for place, axis in enumerate(axes) if axis not in TIMES]
    narrowed = _narrowed(wanted, [axes[place] for place in series], names)
    found = await sums(unit, narrowed, axes, zone, attempts=False)
    wanted_names = frozenset(names)
    return [
        (group, of)
        for group, of in found.groups.items()
        if tuple(group[place] for place in series) in wanted_names
    ]


async def _top(
    unit: Unit, wanted: Slice, zone: tzinfo, of: tuple[Axis, Ranked], total: Sums
) -> Top:
    axis, ranked = of
    found = await _sums_of(unit, wanted, (axis,), zone, ranked.groups, calls_only=True)
    groups = tuple((group[0], sums_) for group, sums_ in found.items())
    rest = total.less(found.values())
    return Top(groups, rest, ranked.count - len(groups))


async def _sums_of(
    unit: Unit,
    wanted: Slice,
    axes: Sequence[Axis],
    zone: tzinfo,
    groups: Sequence[Group],
    *,
    calls_only: bool = False,
) -> dict[Group, Sums]:
    """Return the sums of some groups, in their order."""
    if not groups:
        return {}
    narrowed = _narrowed(wanted, axes, groups)
    found = await sums(unit, narrowed, axes, zone, attempts=False, calls_only=calls_only)
    return {group: found.of(group) for group in groups}


def _narrowed(wanted: Slice, axes: Sequence[Axis], groups: Sequence[Group]) -> Slice:
    """Return a slice with little more than some groups in it."""
    for place, axis in enumerate(axes):
        # A key may have been named by its id; its name may be another key's too.
        if axis is not Axis.KEY or axis not in wanted.only:
            wanted = wanted.narrowed(axis, *{group[place] for group in groups})
    return wanted


async def _ranked(
    unit: Unit,
    wanted: Slice,
    read: tuple[Sequence[Source], tzinfo, Few],
    kinds: Sequence[Sequence[Axis]],
    orders: Sequence[str],
    count: int,
) -> list[Ranked]:
    """Return of each grouping of `kinds` the first by measures; all have as many axes.

    `read`: where, in which time zone, and whose rows alone.
    """
    sources, zone, few = read
    for source in sources:
        if few.ids is None:
            await check_rows(unit, source, zone)
    axes = list(dict.fromkeys(axis for kind in kinds for axis in kind))
    parts = [
        _part(source, span, orders, only_of(source.table, span, few, zone))
        for source in sources
        for span in source.spans
    ]
    part = (union_all(*parts) if len(parts) > 1 else parts[0]).subquery()
    names = (COLUMN_OF[axis].label(axis.value) for axis in axes)
    named = (
        select(*names, *(part.c[order].label(f"by_{order}") for order in orders))
        .join_from(part, dimensions, dimensions.c.dimension_id == part.c.dimension_id)
        .where(*conditions_of(wanted))
        .cte("named")
    )
    by_kind: list[Select[Any]] = []
    for number, kind in enumerate(kinds):
        columns = [named.c[axis.value] for axis in kind]
        measures = [func.sum(named.c[f"by_{order}"]).label(order) for order in orders]
        ranked = (
            select(
                literal(number, Integer).label("kind"),
                func.count().over().label("groups_count"),
                *measures,
                *(column.label(f"name_{place}") for place, column in enumerate(columns)),
            )
            .group_by(*columns)
            .order_by(*(one.desc() for one in measures), *_in_order(unit, columns))
            .limit(count)
            .subquery()
        )
        by_kind.append(select(*ranked.c))
    query = union_all(*by_kind) if len(by_kind) > 1 else by_kind[0]
    found = [Ranked() for _ in kinds]
    rows: Sequence[Any] = (await unit.connection.execute(query)).all()
    # What is united is in no order.
    in_order: list[Any] = sorted(rows, key=lambda row: _rank(row, len(orders)))
    for row in in_order:
        ranked_kind: Ranked = found[int(row[0])]
        ranked_kind.groups.append(tuple(str(name) for name in row[2 + len(orders) :]))
        ranked_kind.count = int(row[1])
    return found


def _part(
    source: Source, span: tuple[int, int], orders: Sequence[str], only: Sequence[Any]
) -> Select[Any]:
    """Return the query of what each dimension comes to in a time, by its number alone."""
    table = source.table
    start: ColumnElement[Any] = next(iter(table.primary_key.columns))
    return (
        select(table.c.dimension_id, *(_measure(source, order) for order in orders))
        .where(start >= span[0], start < span[1], *only)
        .group_by(table.c.dimension_id)
    )


def _measure(source: Source, order: str) -> ColumnElement[Any]:
    """Return the sum of a measure; what a roll-up has not is nothing in it."""
    names = [name for name in PARTS_OF.get(order, (order,)) if name in source.measures]
    if not names:
        return literal(0, BigInteger).label(order)
    # PostgreSQL sums whole numbers to a decimal, which is dear to sum up further.
    whole: Any = cast(func.sum(source.table.c[names[0]]), BigInteger)
    for name in names[1:]:
        whole = whole + cast(func.sum(source.table.c[name]), BigInteger)
    return whole.label(order)


def _in_order(unit: Unit, names: Sequence[ColumnElement[Any]]) -> list[ColumnElement[Any]]:
    """Return names as they are sorted here: by their characters' numbers, in no language."""
    return [name if unit.dialect == "sqlite" else name.collate("C") for name in names]


def _rank(row: Any, orders: int) -> tuple[Any, ...]:
    measures = row[2 : 2 + orders]
    return (row[0], *(-int(one) for one in measures), *row[2 + orders :])
