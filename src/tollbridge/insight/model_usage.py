"""How was one model used: over time, by whom, at which provider, and how did it do?"""

from collections.abc import Mapping
from datetime import tzinfo

import msgspec

from tollbridge.insight.axes import Axis, Slice, Sums, check_span, grain, previous
from tollbridge.insight.cube_queries import few_of, sums
from tollbridge.insight.overview import by_place, top_of
from tollbridge.insight.provider_queries import FailureReason, Times, failures, latencies
from tollbridge.storage.unit import Unit

TOP = 10
ERRORS_SHOWN = 20
Top = tuple[tuple[tuple[str, Sums], ...], Sums, int]
"""The dearest, what the others come to, and how many these are."""


class ModelUsage(msgspec.Struct, frozen=True, kw_only=True):
    """The usage of one model in a time, and in the one before."""

    wanted: Slice
    before: Slice
    asked_as: Axis
    grain: Axis
    total: Sums
    total_before: Sums
    series: tuple[tuple[str, Sums], ...]
    tops: Mapping[Axis, Top]
    times: Times | None
    """None: not of some users alone."""
    errors: tuple[FailureReason, ...]


async def model_usage(unit: Unit, wanted: Slice, name: str, zone: tzinfo) -> ModelUsage | None:
    """Return how a model was used, by what applications ask for, else what providers are asked for.

    None where neither was. Raises InvalidRequestError for a time that is none.
    """
    check_span(wanted.from_us, wanted.to_us)
    step = grain(wanted.from_us, wanted.to_us)
    axes = (step, Axis.PROVIDER, Axis.MODEL, Axis.ROUTE, Axis.STATUS_CLASS)
    for asked_as in (Axis.ROUTE, Axis.MODEL):
        meant = wanted.narrowed(asked_as, name)
        few = await few_of(unit, meant)
        found = await sums(unit, meant, axes, zone, few=few)
        if found.total.calls or found.total.attempts:
            break
    else:
        return None
    before = previous(meant, zone)
    earlier = await sums(unit, before, (Axis.PROVIDER,), zone, few=few)
    callers = await sums(unit, meant, (Axis.USER, Axis.PROJECT), zone, attempts=False, few=few)
    tops = {axis: _top(by_place(found, place)) for place, axis in enumerate(axes) if place}
    tops[Axis.USER] = _top(by_place(callers, 0))
    tops[Axis.PROJECT] = _top(by_place(callers, 1))
    series = sorted(by_place(found, 0).items())
    times = None
    if meant.sight is None and not {Axis.USER, Axis.KEY} & meant.only.keys():
        of_all = await latencies(unit, meant, (), zone)
        times = of_all.get((), Times({}, {}))
    return ModelUsage(
        wanted=meant,
        before=before,
        asked_as=asked_as,
        grain=step,
        total=found.total,
        total_before=earlier.total,
        series=tuple(series),
        tops=tops,
        times=times,
        errors=await _errors(unit, meant),
    )


async def _errors(unit: Unit, wanted: Slice) -> tuple[FailureReason, ...]:
    counts: dict[tuple[str | None, str, int | None], int] = {}
    for reasons in (await failures(unit, wanted)).by_provider.values():
        for one in reasons:
            key = one.error_class, one.outcome, one.http_status
            counts[key] = counts.get(key, 0) + one.count
    found = [FailureReason(*key, count) for key, count in counts.items()]
    found.sort(key=lambda one: (-one.count, one.error_class or "", one.outcome))
    return tuple(found[:ERRORS_SHOWN])


def _top(groups: Mapping[str, Sums]) -> Top:
    top = top_of(groups, TOP)
    return top.groups, top.rest, top.rest_groups
