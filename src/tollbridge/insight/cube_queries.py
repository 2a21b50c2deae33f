"""All SQL of usage from the roll-ups: how much was used, by several groupings at once?

Two families: by call (counts, charge; the serving provider) and by attempt (requests, failures,
cost; the attempted provider). Where providers or models are told apart, tokens and cost are those
of the attempts, so that a provider which failed and billed all the same is seen.
"""

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any

import msgspec
from sqlalchemy import (
    BigInteger,
    BindParameter,
    ColumnElement,
    Select,
    Table,
    bindparam,
    case,
    func,
    literal,
    literal_column,
    or_,
    select,
)

from tollbridge.core.errors import InvalidRequestError
from tollbridge.insight.axes import (
    DAY_US,
    HOUR_US,
    OF_CALLERS,
    TIMES,
    Axis,
    Found,
    Offsets,
    Slice,
    Sums,
    day_start,
    days_later,
    label,
    offsets,
)
from tollbridge.insight.cube_source_queries import Source, Span, sources_of
from tollbridge.insight.sight_queries import in_sight
from tollbridge.recording.rollups import QUARTER_US
from tollbridge.recording.tables import (
    dimensions,
    rollups_by_attempt_daily,
)
from tollbridge.storage.unit import Unit

GROUPS_MAX = 200_000
"""Rows of sums that one answer is folded from."""
FINE_ROWS_MAX = 2_000_000
"""Rows of the roll-ups by quarter hour that one question may look through."""
IDS_MAX = 500
"""Dimensions of some users or keys whose sums are looked up one by one …"""
SEEKS_MAX = 300_000
"""… where this is no more often."""
SEEKS_UNASKED_MAX = 10_000
"""Up to so many look-ups cost less than to ask how many rows there are …"""
ROWS_PER_SEEK = 4
"""… and beyond them a look-up costs as much as so many rows that are read in turn."""

COLUMN_OF: Mapping[Axis, ColumnElement[Any]] = {
    Axis.PROVIDER: dimensions.c.provider,
    Axis.UPSTREAM: dimensions.c.upstream_provider,
    Axis.BUCKET: dimensions.c.bucket,
    Axis.CATEGORY: dimensions.c.category,
    Axis.OPERATION: dimensions.c.operation,
    Axis.MODEL: dimensions.c.model,
    Axis.ROUTE: dimensions.c.route,
    Axis.PROJECT: dimensions.c.project,
    Axis.USER: dimensions.c.user_name,
    Axis.KEY: dimensions.c.key_name,
    Axis.STATUS_CLASS: dimensions.c.status_class,
    Axis.USAGE_SOURCE: dimensions.c.usage_source,
}


class Few(msgspec.Struct, frozen=True):
    """The dimensions of a few users or keys: the same in each question about the same ones."""

    ids: tuple[int, ...] | None
    """None: nobody is meant in particular, or too many are."""


async def sums(
    unit: Unit,
    wanted: Slice,
    axes: Sequence[Axis],
    zone: tzinfo,
    *,
    attempts: bool = True,
    calls_only: bool = False,
    rows_max: int = FINE_ROWS_MAX,
    few: Few | None = None,
) -> Found:
    """Return the sums of each group and of all.

    `attempts`: whether what only attempts have is needed: without, a question is half as long.
    `calls_only`: all by call, so that tokens and cost of a provider are those of what it served.
    `few`: what `few_of` said of the same filters, at any time; None: it is asked.
    Raises InvalidRequestError where that would be to look through more than `rows_max` rows.
    """
    sources = sources_of(wanted, axes, zone, attempts=attempts, calls_only=calls_only)
    found = Found(has_attempts=any("attempts" in one.measures for one in sources))
    few = few or await few_of(unit, wanted)
    for one in sources:
        if few.ids is None:
            await check_rows(unit, one, zone, rows_max)
        for span in one.spans:
            only = await _only_of(unit, one, span, few, zone)
            query = query_of(one.table, one.measures, wanted.moved(*span), axes, zone, only)
            await _add(unit, found, query, one.measures, axes)
    for group in found.groups.values():
        found.total.add(group)
    return found


def conditions_of(wanted: Slice) -> list[ColumnElement[bool]]:
    """Return what must hold for what a roll-up is about."""
    conditions: list[ColumnElement[bool]] = []
    for axis, values in wanted.only.items():
        if axis is Axis.KEY:
            columns = (dimensions.c.key_name, dimensions.c.key_id)
            conditions.append(or_(*(column.in_(values) for column in columns)))
        else:
            conditions.append(COLUMN_OF[axis].in_(values))
    return [*conditions, *in_sight(wanted.sight, dimensions.c.user_name, dimensions.c.project)]


def place_of(axis: Axis, start: ColumnElement[Any], ahead: Offsets) -> ColumnElement[Any]:
    """Return which interval of an axis of time an instant is in: `axes.label` shows it."""
    *changes, (_, last_us) = ahead
    offset_us: ColumnElement[Any] = literal(last_us, BigInteger)
    if changes:
        before = ((start < until_us, literal(us, BigInteger)) for until_us, us in changes)
        offset_us = case(*before, else_=offset_us)
    local = start + offset_us
    if axis is Axis.HOUR:
        return start - local % literal(HOUR_US, BigInteger)
    return local // literal(DAY_US, BigInteger)


async def few_of(unit: Unit, wanted: Slice) -> Few:
    """Return the dimensions of a few users or keys, so that theirs alone are read.

    The roll-ups' key begins with the time: without knowing them, all of a time would be read.
    """
    if wanted.sight is None and not OF_CALLERS & wanted.only.keys():
        return Few(None)
    query = select(dimensions.c.dimension_id).where(*conditions_of(wanted)).limit(IDS_MAX + 1)
    ids = tuple(int(one) for one in (await unit.connection.execute(query)).scalars())
    return Few(ids if len(ids) <= IDS_MAX else None)


def only_of(table: Table, span: Span, few: Few, zone: tzinfo) -> tuple[ColumnElement[bool], ...]:
    """Return what holds for the rows of some dimensions, by the key itself where they are few."""
    if few.ids is None:
        return ()
    starts = _starts(table, span, zone)
    if len(starts) * len(few.ids) > SEEKS_MAX:
        return ()
    return (
        next(iter(table.primary_key.columns)).in_(literals("starts", starts)),
        table.c.dimension_id.in_(literals("ids", few.ids)),
    )


async def _only_of(
    unit: Unit, source: Source, span: Span, few: Few, zone: tzinfo
) -> tuple[ColumnElement[bool], ...]:
    """Return the same, or the dimensions alone where the rows are no more than the look-ups."""
    if few.ids is not None and source.is_fine:
        seeks = (span[1] - span[0]) // QUARTER_US * len(few.ids)
        if seeks > SEEKS_UNASKED_MAX:
            calls = await _calls_in(unit, (span,), zone)
            if calls <= seeks * ROWS_PER_SEEK:
                return (source.table.c.dimension_id.in_(literals("ids", few.ids)),)
    return only_of(source.table, span, few, zone)


def _starts(table: Table, span: Span, zone: tzinfo) -> list[int]:
    """Return where a roll-up's intervals begin in a time."""
    if "quarter_start_us" in table.c:
        return list(range(*span, QUARTER_US))
    starts, at_us = list[int](), span[0]
    while at_us < span[1]:
        starts.append(at_us)
        at_us = days_later(at_us, 1, zone)
    return starts


def literals(name: str, values: Sequence[int]) -> BindParameter[Any]:
    """Return numbers that stand in the statement itself: there may be more than parameters."""
    return bindparam(name, values, BigInteger, expanding=True, literal_execute=True, unique=True)


async def _add(
    unit: Unit, found: Found, query: Select[Any], measures: Sequence[str], axes: Sequence[Axis]
) -> None:
    rows = (await unit.connection.execute(query.limit(GROUPS_MAX + 1))).all()
    if len(rows) > GROUPS_MAX:
        raise too_much()
    count = len(axes)
    times = {place: axis for place, axis in enumerate(axes) if axis in TIMES}
    for row in rows:
        group = tuple(
            label(times[place], int(row[place])) if place in times else str(row[place])
            for place in range(count)
        )
        of_group = found.groups.get(group)
        if of_group is None:
            of_group = found.groups[group] = Sums()
        for name, value in zip(measures, row[count:], strict=True):
            if value:
                # PostgreSQL sums whole numbers to a decimal.
                setattr(of_group, name, getattr(of_group, name) + int(value))


def query_of(
    table: Table,
    measures: tuple[str, ...],
    wanted: Slice,
    axes: Sequence[Axis],
    zone: tzinfo,
    only: Sequence[ColumnElement[bool]] = (),
) -> Select[Any]:
    """Return the query of a roll-up's sums by group; `only`: which of its rows, besides the time.

    Without time among the groupings, the rows are first summed up by their dimension's number:
    names are dear to compare.
    """
    start: ColumnElement[Any] = next(iter(table.primary_key.columns))
    source: Any = table
    timed = any(axis in TIMES for axis in axes)
    conditions = conditions_of(wanted)
    is_joined = bool(conditions) or any(axis not in TIMES for axis in axes)
    within = (start >= wanted.from_us, start < wanted.to_us, *only)
    if is_joined and not timed:
        source = (
            select(
                table.c.dimension_id, *(func.sum(table.c[name]).label(name) for name in measures)
            )
            .where(*within)
            .group_by(table.c.dimension_id)
            .subquery()
        )
        within = ()
    columns = [
        place_of(axis, start, offsets(zone, wanted.from_us, wanted.to_us))
        if axis in TIMES
        else COLUMN_OF[axis]
        for axis in axes
    ]
    labelled = [column.label(f"axis_{place}") for place, column in enumerate(columns)]
    query = select(*labelled, *(func.sum(source.c[name]).label(name) for name in measures))
    if is_joined:
        query = query.join_from(
            source, dimensions, dimensions.c.dimension_id == source.c.dimension_id
        )
    # By their names: a parameter within an expression would make it another one.
    grouped: list[ColumnElement[Any]] = [literal_column(one.name) for one in labelled]
    return query.where(*within, *conditions).group_by(*grouped)


async def check_rows(
    unit: Unit, source: Source, zone: tzinfo, rows_max: int = FINE_ROWS_MAX
) -> None:
    """Raise InvalidRequestError where a roll-up by quarter hour holds too many rows of its times.

    At most as many as there were calls, and as dimensions have quarter hours.
    """
    quarters = sum(end_us - start_us for start_us, end_us in source.spans) // QUARTER_US
    if quarters == 0 or not source.is_fine:
        return
    query = select(func.count()).select_from(dimensions)
    if not source.has_callers:
        query = query.where(dimensions.c.user_name == "", dimensions.c.key_id == "")
    told = int((await unit.connection.execute(query)).scalar_one())
    if quarters * told <= rows_max:
        return
    if await _calls_in(unit, source.spans, zone) > rows_max:
        raise too_much()


async def _calls_in(unit: Unit, spans_: Sequence[Span], zone: tzinfo) -> int:
    """Return how many attempts there were at most: a roll-up has no more rows."""
    table = rollups_by_attempt_daily
    calls = 0
    for start_us, end_us in spans_:
        start = table.c.day_start_us
        found = await unit.connection.execute(
            select(func.coalesce(func.sum(table.c.attempts), 0)).where(
                start >= day_start(start_us, zone), start < end_us
            )
        )
        calls += int(found.scalar_one())
    return calls


def too_much() -> InvalidRequestError:
    """Return what is raised for a question that would take too long."""
    return InvalidRequestError(
        "this would take too many rows: shorten the time, or group by less",
        details={"param": "from"},
    )
