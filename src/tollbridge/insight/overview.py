"""What does a time come to at one look: spend, calls, success, and who and what it went to?

From the roll-ups alone, so that it is as fast with ten million calls as with ten.
"""

from collections.abc import Mapping
from datetime import tzinfo

import msgspec

from tollbridge.insight.axes import Axis, Found, Group, Slice, Sums, check_span, grain, previous
from tollbridge.insight.caller_queries import Top, dearest_callers
from tollbridge.insight.cube_queries import few_of, sums
from tollbridge.storage.unit import Unit

TOP = 5
SERIES_TOP = 8


class Overview(msgspec.Struct, frozen=True, kw_only=True):
    """One time, beside the one before."""

    before: Slice
    grain: Axis
    total: Sums
    total_before: Sums
    series: tuple[tuple[str, str | None, Sums], ...]
    """(interval, provider, sums) in the order of time; provider None is all the others."""
    providers: Top
    models: Top
    users: Top
    """Without what only attempts have; likewise the keys."""
    keys: Top


async def overview(unit: Unit, wanted: Slice, zone: tzinfo) -> Overview:
    """Return the overview of a time. Raises InvalidRequestError for one that is none."""
    check_span(wanted.from_us, wanted.to_us)
    step = grain(wanted.from_us, wanted.to_us)
    few = await few_of(unit, wanted)
    charted = await sums(unit, wanted, (step, Axis.PROVIDER, Axis.MODEL), zone, few=few)
    users, keys = await dearest_callers(unit, wanted, zone, TOP, few)
    before = previous(wanted, zone)
    total_before = (await sums(unit, before, (Axis.PROVIDER,), zone, few=few)).total
    providers = top_of(by_place(charted, 1), SERIES_TOP)
    return Overview(
        before=before,
        grain=step,
        total=charted.total,
        total_before=total_before,
        series=_series(charted, {name for name, _ in providers.groups}),
        providers=providers,
        models=top_of(by_place(charted, 2), TOP),
        users=users,
        keys=keys,
    )


def by_place(found: Found, place: int) -> dict[str, Sums]:
    """Return the sums by one of the axes."""
    groups: dict[str, Sums] = {}
    for group, of in found.groups.items():
        groups.setdefault(group[place], Sums()).add(of)
    return groups


def top_of(groups: Mapping[str, Sums], count: int) -> Top:
    """Return the dearest, and the rest as one."""
    ranked = sorted(
        groups, key=lambda name: (-groups[name].cost_nanousd, -groups[name].calls, name)
    )
    rest = Sums()
    for name in ranked[count:]:
        rest.add(groups[name])
    kept = tuple((name, groups[name]) for name in ranked[:count])
    return Top(kept, rest, max(0, len(ranked) - count))


def _series(found: Found, shown: set[str]) -> tuple[tuple[str, str | None, Sums], ...]:
    points: dict[tuple[str, str | None], Sums] = {}
    for group, of in found.groups.items():
        at, provider = _point(group, shown)
        points.setdefault((at, provider), Sums()).add(of)
    order = sorted(points, key=lambda point: (point[0], point[1] is None, point[1] or ""))
    return tuple((at, provider, points[at, provider]) for at, provider in order)


def _point(group: Group, shown: set[str]) -> tuple[str, str | None]:
    return group[0], group[1] if group[1] in shown else None
