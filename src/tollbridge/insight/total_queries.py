"""All SQL of totals: how much in sum, by what? From the roll-ups, never from the calls.

Cost by provider and by model is that of the attempts, so that a provider which failed and billed
all the same is seen; by user, key and day it is that of the calls. Both have the same sum.
"""

from collections.abc import Mapping
from datetime import date, datetime, tzinfo

import msgspec
from sqlalchemy import func, select

from tollbridge.core.clock import to_text, to_us
from tollbridge.insight.axes import OF_ATTEMPTS, Axis, Slice, Sums, day_start, days_later
from tollbridge.insight.cube_queries import Few, sums
from tollbridge.insight.usage import Grouping, Total, Totals, TotalsFilter
from tollbridge.recording.rollups import QUARTER_US
from tollbridge.recording.tables import rollups_by_attempt_daily, rollups_by_call_daily
from tollbridge.storage.unit import Unit

GROUPS_MAX = 1000
AXIS_OF: Mapping[Grouping, Axis] = {
    Grouping.PROVIDER: Axis.PROVIDER,
    Grouping.MODEL: Axis.MODEL,
    Grouping.USER: Axis.USER,
    Grouping.KEY: Axis.KEY,
    Grouping.DAY: Axis.DAY,
}
FILTERS = (Axis.PROVIDER, Axis.BUCKET, Axis.CATEGORY, Axis.PROJECT, Axis.USER, Axis.KEY)


async def totals(
    unit: Unit,
    grouping: Grouping,
    wanted: TotalsFilter,
    zone: tzinfo,
    limit: int,
    few: Few | None = None,
) -> Totals:
    """Return the totals of each group, at most 1,000, and of everything that the filter lets by.

    `few`: what `cube_queries.few_of` said of the same filters, at any time; None: it is asked.
    """
    axis = AXIS_OF[grouping]
    only = {one: (value,) for one in FILTERS if (value := getattr(wanted, one.value)) is not None}
    from_us, to_us_ = await _span(unit, wanted, zone)
    meant = Slice(from_us=from_us, to_us=to_us_, only=only, sight=wanted.sight)
    of_attempts = bool(OF_ATTEMPTS & {axis, *only})
    found = await sums(unit, meant, (axis,), zone, calls_only=not of_attempts, few=few)
    rows = [
        (_name(grouping, group[0], zone), _total(of, of_attempts=of_attempts))
        for group, of in found.groups.items()
    ]
    if grouping is Grouping.DAY:
        rows.sort(key=lambda one: one[0], reverse=True)
    else:
        rows.sort(key=lambda one: (-one[1].cost_nanousd, -one[1].calls, one[0]))
    kept = tuple(rows[: min(limit, GROUPS_MAX)])
    return Totals(_total(found.total, of_attempts=of_attempts), kept, more=len(rows) > len(kept))


def floor_quarter(at_us: int) -> int:
    """Return the start of the quarter hour that holds an instant: roll-ups know no shorter time."""
    return at_us - at_us % QUARTER_US


async def _span(unit: Unit, wanted: TotalsFilter, zone: tzinfo) -> tuple[int, int]:
    """Return the time that is meant; where it has no end, that of all there is."""
    from_us, to_us_ = wanted.from_us, wanted.to_us
    if from_us is not None and to_us_ is not None:
        return from_us, to_us_
    firsts: list[int] = []
    lasts: list[int] = []
    for table in (rollups_by_call_daily, rollups_by_attempt_daily):
        # One by one: each through the index.
        for edge, ends in ((func.min, firsts), (func.max, lasts)):
            query = select(edge(table.c.day_start_us))
            at_us = (await unit.connection.execute(query)).scalar()
            ends.extend([] if at_us is None else [int(at_us)])
    first_us = min(firsts, default=0) if from_us is None else from_us
    last_us = days_later(max(lasts, default=0), 1, zone) if to_us_ is None else to_us_
    # What begins behind all there is, or ends before it, is an empty time.
    return (first_us, last_us) if from_us is None else (min(first_us, last_us), last_us)


def _name(grouping: Grouping, label: str, zone: tzinfo) -> str:
    """Return a group's name; a day is its start."""
    if grouping is not Grouping.DAY:
        return label
    day = date.fromisoformat(label)
    start_us = to_us(datetime(day.year, day.month, day.day, tzinfo=zone))
    return to_text(day_start(start_us, zone))


def _total(of: Sums, *, of_attempts: bool) -> Total:
    names = [name for name in Total.__struct_fields__ if name != "attempts"]
    fields = {name: getattr(of, name) for name in names}
    return msgspec.convert({**fields, "attempts": of.attempts if of_attempts else None}, Total)
