"""Who used how much of what, by several groupings, with the rest, and against the time before?

Where the numbers are read is decided here: in the roll-ups, where they know what is asked for,
else in the calls themselves, within a bound.
"""

from collections.abc import Sequence
from datetime import tzinfo
from typing import TypeVar

import msgspec

from tollbridge.insight.axes import (
    OF_CALLERS,
    OF_DETAILS,
    TIMES,
    Axis,
    Found,
    Group,
    Slice,
    Sums,
    check_axes,
    previous,
)
from tollbridge.insight.caller_queries import (
    intervals_of_groups,
    largest_callers,
    sums_of_groups,
)
from tollbridge.insight.cube_detail_queries import sums_of_details
from tollbridge.insight.cube_queries import sums
from tollbridge.storage.unit import Unit

Named = TypeVar("Named", str, Axis)
ORDERS = (
    "cost_nanousd",
    "charge_nanousd",
    "calls",
    "failed",
    "attempts",
    "failures",
    "input_tokens",
    "output_tokens",
    "total_tokens",
    "unpriced",
)


class Breakdown(msgspec.Struct, frozen=True, kw_only=True):
    """The largest groups, what the others come to, and all."""

    groups: tuple[tuple[Group, Sums], ...]
    rest: Sums
    rest_groups: int
    """How many groups are in the rest; of a time, how many there are beside it."""
    total: Sums
    has_attempts: bool
    source: str
    complete_from_us: int | None
    before: Found | None = None
    """The time before, as long, with these groups at least; None where nobody asked."""


async def read(unit: Unit, wanted: Slice, axes: Sequence[Axis], zone: tzinfo) -> Found:
    """Return the sums of each group. Raises InvalidRequestError for what would be too much."""
    check_axes(axes, wanted)
    if OF_DETAILS.intersection((*axes, *wanted.only)):
        return await sums_of_details(unit, wanted, axes, zone)
    # Sums of all callers are many: half as many without what only attempts have.
    attempts = not OF_CALLERS.intersection(axes) or wanted.sight is not None
    return await sums(unit, wanted, axes, zone, attempts=attempts)


async def breakdown(
    unit: Unit,
    wanted: Slice,
    axes: Sequence[Axis],
    zone: tzinfo,
    *,
    top: int,
    order: str = "cost_nanousd",
    compare: bool = False,
) -> Breakdown:
    """Return the `top` groups by a measure of ORDERS, and the rest as one.

    Of time, the intervals stay in their order: `top` is by what else is told apart. A series of
    callers is not compared: its time before is asked for by itself.
    """
    if _is_ranked(wanted, axes):
        return await _of_callers(unit, wanted, axes, zone, (top, order), compare=compare)
    found = await read(unit, wanted, axes, zone)
    before = None
    if compare:
        before = await read(unit, previous(wanted, zone), axes, zone)
    kept, others = _largest(found, axes, top, order)
    rest = [of for group, of in found.groups.items() if group not in kept]
    groups = [(group, found.groups[group]) for group in kept]
    # Of several tags a call is in several groups: then the groups are more than all.
    several = Axis.TAG in axes
    return Breakdown(
        groups=tuple(groups),
        rest=_added(rest) if several else found.total.less(of for _, of in groups),
        rest_groups=others,
        total=found.total,
        has_attempts=found.has_attempts,
        source=found.source,
        complete_from_us=found.complete_from_us,
        before=before,
    )


def _is_ranked(wanted: Slice, axes: Sequence[Axis]) -> bool:
    """Return whether the database had better say which groups come first: of all callers."""
    return (
        bool(OF_CALLERS.intersection(axes))
        and not OF_DETAILS.intersection((*axes, *wanted.only))
        and wanted.sight is None
        and not OF_CALLERS.intersection(wanted.only)
    )


async def _of_callers(
    unit: Unit,
    wanted: Slice,
    axes: Sequence[Axis],
    zone: tzinfo,
    first: tuple[int, str],
    *,
    compare: bool,
) -> Breakdown:
    """Rank over the whole time first: the intervals of all callers would be too many to read."""
    check_axes(axes, wanted)
    time = _time_in(axes)
    series = axes if time is None else _without(axes, time)
    found, count = await largest_callers(unit, wanted, series, zone, *first)
    names = tuple(found.groups)
    groups = list(found.groups.items())
    before = None
    if time is not None:
        groups = await intervals_of_groups(unit, wanted, axes, zone, names)
        place = {name: number for number, name in enumerate(names)}
        groups.sort(key=lambda one: (one[0][time], place[_without(one[0], time)]))
    elif compare:
        before = await sums_of_groups(unit, previous(wanted, zone), axes, zone, names)
    return Breakdown(
        groups=tuple(groups),
        rest=found.total.less(of for _, of in groups),
        rest_groups=count - len(names),
        total=found.total,
        has_attempts=found.has_attempts,
        source=found.source,
        complete_from_us=found.complete_from_us,
        before=before,
    )


def _largest(
    found: Found, axes: Sequence[Axis], top: int, order: str
) -> tuple[dict[Group, None], int]:
    """Return the groups to be shown, in their order, and how many others there are."""
    time = _time_in(axes)
    if time is None:
        ranked = sorted(
            found.groups, key=lambda group: (-getattr(found.groups[group], order), group)
        )
        return dict.fromkeys(ranked[:top]), len(ranked[top:])
    series: dict[Group, int] = {}
    for group, of in found.groups.items():
        name = _without(group, time)
        series[name] = series.get(name, 0) + getattr(of, order)
    ranked = sorted(series, key=lambda name: (-series[name], name))
    place = {name: number for number, name in enumerate(ranked[:top])}
    kept = [group for group in found.groups if _without(group, time) in place]
    kept.sort(key=lambda group: (group[time], place[_without(group, time)]))
    return dict.fromkeys(kept), len(ranked[top:])


def _time_in(axes: Sequence[Axis]) -> int | None:
    return next((place for place, axis in enumerate(axes) if axis in TIMES), None)


def _without(group: Sequence[Named], time: int) -> tuple[Named, ...]:
    return (*group[:time], *group[time + 1 :])


def _added(groups: Sequence[Sums]) -> Sums:
    total = Sums()
    for one in groups:
        total.add(one)
    return total
