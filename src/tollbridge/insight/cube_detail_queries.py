"""All SQL of usage by several groupings at once, from the calls: what do roll-ups not know?

For what no roll-up knows: customers, tags, status. Of the newest calls, within a bound; whoever
asks is told since when all is in it.
"""

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any

import msgspec
from sqlalchemy import CTE, ColumnElement, Select, Table, func, literal_column, or_, select
from sqlalchemy import text as sql_text

from tollbridge.insight.axes import (
    TIMES,
    Axis,
    Found,
    FoundTimes,
    Group,
    Slice,
    Sums,
    Times,
    label,
    offsets,
)
from tollbridge.insight.cube_detail_words import (
    D_ID,
    FOLDED,
    FOLDED_ADDS,
    IS_FOLDED,
    NEEDED,
    OF_ATTEMPT,
    OF_CALL,
    OWN,
    ROWS,
    own_of_attempt,
    own_of_call,
)
from tollbridge.insight.cube_queries import place_of
from tollbridge.insight.cube_source_queries import measures_of
from tollbridge.insight.sight_queries import in_sight
from tollbridge.recording.adjustment_tables import adjustments
from tollbridge.recording.archive_tables import TIERS, Tier
from tollbridge.recording.audit import (
    ATTEMPT_ADDS,
    ATTEMPT_ADJUSTMENTS,
    CALL_ADDS,
    CALL_ADJUSTMENTS,
)
from tollbridge.recording.rollups import latency_bucket
from tollbridge.storage.unit import Unit

CALLS_MAX = 50_000
"""Calls that one answer is made of: the newest."""


async def sums_of_details(
    unit: Unit, wanted: Slice, axes: Sequence[Axis], zone: tzinfo, calls_max: int = CALLS_MAX
) -> Found:
    """Return the sums of each group and of all, of the newest `calls_max` calls.

    A call with several tags is in each of their groups, and once in the total.
    """
    found = Found(source="details")
    left = calls_max
    for tier in TIERS:
        if left <= 0:
            break
        calls, oldest_us = await _edge(unit, tier, wanted, left)
        if calls == 0:
            continue
        left -= calls
        if left <= 0:
            # Those of the oldest instant may not all be in it.
            found.complete_from_us = oldest_us + 1
        await _add_tier(unit, found, tier, wanted.moved(oldest_us, wanted.to_us), axes, zone)
    return found


async def times_of_details(
    unit: Unit, wanted: Slice, axes: Sequence[Axis], calls_max: int
) -> FoundTimes:
    """Return how long attempts took by group, of the newest `calls_max` calls.

    For users and keys, whom no histogram has.
    """
    found: dict[Group, Times] = {}
    since_us: int | None = None
    left = calls_max
    for tier in TIERS:
        calls, oldest_us = await _edge(unit, tier, wanted, left) if left > 0 else (0, 0)
        if calls == 0:
            continue
        left -= calls
        since_us = oldest_us + 1 if left <= 0 else None
        part = wanted.moved(oldest_us, wanted.to_us)
        d = (
            select(*(tier.details.c[name] for name in NEEDED))
            .where(*_shared_in(tier.details, part))
            .cte("d")
        )
        query = (
            select(*_columns([*(OF_ATTEMPT[axis] for axis in axes), "a.latency_ms"]))
            .add_columns(*_columns(["a.first_byte_ms"]))
            .select_from(d.join(_attempts(tier, d), sql_text(f"a.call_id = {D_ID}")))
            .where(*_filters(wanted, OF_ATTEMPT))
        )
        for row in await unit.connection.execute(query):
            times = found.setdefault(tuple(row[: len(axes)]), Times({}, {}))
            for histogram, took_ms in zip((times.latency, times.first_byte), row[-2:], strict=True):
                if took_ms is not None:
                    index = latency_bucket(int(took_ms))
                    histogram[index] = histogram.get(index, 0) + 1
    return FoundTimes(found, since_us)


async def _edge(unit: Unit, tier: Tier, wanted: Slice, calls_max: int) -> tuple[int, int]:
    """Return how many calls of a tier are taken, and since when."""
    at_us = tier.details.c.accounted_at_us
    part = (
        select(at_us)
        .where(*_shared_in(tier.details, wanted))
        .order_by(at_us.desc())
        .limit(calls_max)
        .subquery()
    )
    query = select(func.count(), func.min(part.c.accounted_at_us)).select_from(part)
    count, oldest_us = (await unit.connection.execute(query)).one()
    return int(count), wanted.from_us if oldest_us is None else int(oldest_us)


async def _add_tier(
    unit: Unit, found: Found, tier: Tier, wanted: Slice, axes: Sequence[Axis], zone: tzinfo
) -> None:
    details = tier.details
    calls = select(*(details.c[name] for name in NEEDED)).where(*_shared_in(details, wanted))
    d = calls.cte("d")
    of_calls, of_attempts = measures_of(axes, wanted)
    by_call = _grouped(d, axes, zone, wanted, OF_CALL)
    # An attempt that its call's row says all of is in the call's group: both in one pass.
    adds = {name: CALL_ADDS[name] for name in of_calls}
    adds |= {name: FOLDED_ADDS[name] for name in of_attempts}
    await _add(unit, found, axes, tuple(adds), by_call(tuple(adds), adds, d))
    rows = d.join(tier.rows.alias("a"), sql_text("a.call_id = d.call_id"))
    by_attempt = _grouped(d, axes, zone, wanted, OF_ATTEMPT)
    own = by_attempt(of_attempts, ATTEMPT_ADDS, rows).where(sql_text(f"NOT {IS_FOLDED}"))
    await _add(unit, found, axes, of_attempts, own)
    if not await _are_corrected(unit, wanted):
        return
    corrected = d.join(adjustments.alias("j"), literal_column("j.call_id = d.call_id"))
    names = tuple(name for name in of_calls if name in CALL_ADJUSTMENTS)
    await _add(unit, found, axes, names, by_call(names, CALL_ADJUSTMENTS, corrected))
    names = tuple(name for name in of_attempts if name in ATTEMPT_ADJUSTMENTS)
    if names:
        tried = d.join(_attempts(tier, d), sql_text(f"a.call_id = {D_ID}"))
        put_right = tried.join(
            adjustments.alias("j"),
            sql_text("j.call_id = d.call_id AND j.attempt = a.number"),
        )
        await _add(unit, found, axes, names, by_attempt(names, ATTEMPT_ADJUSTMENTS, put_right))


async def _are_corrected(unit: Unit, wanted: Slice) -> bool:
    """Return whether any call of a time was corrected."""
    at_us = adjustments.c.accounted_at_us
    query = select(at_us).where(at_us >= wanted.from_us, at_us < wanted.to_us).limit(1)
    return (await unit.connection.execute(query)).first() is not None


def _columns(words: Sequence[str]) -> list[ColumnElement[Any]]:
    return [literal_column(one) for one in words]


def _attempts(tier: Tier, d: CTE) -> Any:
    folded = (
        select(*_columns([f"{words} AS {name}" for name, words in FOLDED.items()]))
        .select_from(d)
        .where(literal_column("d.attempt_started_at_us").is_not(None))
    )
    rows = tier.rows.alias("r")
    own = select(*_columns(ROWS)).select_from(d.join(rows, sql_text("r.call_id = d.call_id")))
    return folded.union_all(own).subquery("a")


def _grouped(
    d: CTE, axes: Sequence[Axis], zone: tzinfo, wanted: Slice, of: Mapping[Axis, str]
) -> Any:
    """Return what makes the query of some measures' sums by group."""
    columns: list[ColumnElement[Any]] = []
    for axis in axes:
        if axis in TIMES:
            ahead = offsets(zone, wanted.from_us, wanted.to_us)
            columns.append(place_of(axis, d.c.accounted_at_us, ahead))
        else:
            columns.append(literal_column(of[axis], d.c.tags.type if axis is Axis.TAG else None))
    labelled = [column.label(f"axis_{place}") for place, column in enumerate(columns)]
    conditions = _filters(wanted, of)

    def query(names: Sequence[str], adds: Mapping[str, str], source: Any) -> Select[Any]:
        sums = _columns(
            [
                adds[name] if adds[name].startswith("sum(") else f"sum({adds[name]})"
                for name in names
            ]
        )
        found = select(*labelled, *sums).select_from(source).where(*conditions)
        return found.group_by(*_columns([one.name for one in labelled]))

    return query


async def _add(
    unit: Unit, found: Found, axes: Sequence[Axis], names: Sequence[str], query: Select[Any]
) -> None:
    count = len(axes)
    for row in await unit.connection.execute(query):
        values = row[count:]
        if all(value is None for value in values):
            continue
        for group in _groups(axes, row):
            of_group = found.groups.setdefault(group, Sums())
            _add_row(of_group, names, values)
        _add_row(found.total, names, values)


def _add_row(sums: Sums, names: Sequence[str], values: Sequence[Any]) -> None:
    for name, value in zip(names, values, strict=True):
        setattr(sums, name, getattr(sums, name) + int(value or 0))


def _groups(axes: Sequence[Axis], row: Any) -> list[Group]:
    groups: list[Group] = [()]
    for axis, value in zip(axes, row, strict=False):
        values = [str(value)]
        if axis in TIMES:
            values = [label(axis, int(value))]
        elif axis is Axis.TAG:
            tags = msgspec.json.decode(value) if isinstance(value, str) else value
            values = list(dict.fromkeys(tags)) if tags else [""]
        groups = [(*group, one) for group in groups for one in values]
    return groups


def calls_in(table: Table, wanted: Slice) -> list[ColumnElement[bool]]:
    """Return what must hold for a call that is meant: every filter, by who served it too."""
    return [*_shared_in(table, wanted), *_filters(wanted, own_of_call(table.name))]


def attempts_in(table: Table, attempts: str, wanted: Slice) -> list[ColumnElement[bool]]:
    """Return what must hold for a call and its attempt, for every filter that there is.

    `attempts`: the name under which a query has attempts, with all columns that may be asked for.
    """
    return [*_shared_in(table, wanted), *_filters(wanted, own_of_attempt(attempts))]


def _shared_in(table: Table, wanted: Slice) -> list[ColumnElement[bool]]:
    """Return what must hold for a call, as far as all its attempts share it."""
    at_us = table.c.accounted_at_us
    conditions: list[ColumnElement[bool]] = [at_us >= wanted.from_us, at_us < wanted.to_us]
    shared: Mapping[Axis, ColumnElement[Any]] = {
        Axis.BUCKET: table.c.bucket,
        Axis.CATEGORY: table.c.category,
        Axis.OPERATION: table.c.operation,
        Axis.ROUTE: table.c.label,
        Axis.PROJECT: table.c.project,
        Axis.USER: table.c.user_name,
        Axis.STATUS: table.c.status,
        Axis.CUSTOMER: func.coalesce(table.c.customer, ""),
    }
    for axis, values in wanted.only.items():
        if axis in shared:
            conditions.append(shared[axis].in_(values))
        elif axis is Axis.KEY:
            conditions.append(or_(table.c.key_name.in_(values), table.c.key_id.in_(values)))
        elif axis is Axis.TAG:
            conditions.append(_tagged(table, values))
    return [*conditions, *in_sight(wanted.sight, table.c.user_name, table.c.project)]


def _tagged(table: Table, values: Sequence[str]) -> ColumnElement[bool]:
    """Return what holds for a call with one of some tags: both databases keep them as JSON."""
    words = [msgspec.json.encode(value).decode() for value in values]
    kept: ColumnElement[str] = literal_column(f"CAST({table.name}.tags AS TEXT)")
    return or_(*(kept.contains(word, autoescape=True) for word in words))


def _filters(wanted: Slice, of: Mapping[Axis, str]) -> list[ColumnElement[bool]]:
    """Return what must hold of what a call and its attempts need not have in common."""
    return [
        literal_column(of[axis]).in_(values) for axis, values in wanted.only.items() if axis in OWN
    ]
