"""How often did another provider serve than was expected, and how did those fare? Pure."""

from collections.abc import Mapping, Sequence

import msgspec

from tollbridge.insight.axes import Group, Sums
from tollbridge.insight.flow_queries import Fallbacks, Flow


class Expected(msgspec.Struct, frozen=True):
    """The calls that one provider was expected to serve."""

    provider: str
    calls: int
    elsewhere: int
    """Of these, so many were served, or at last refused, by another."""


class Flows(msgspec.Struct, frozen=True):
    """From the expected to the actual provider."""

    flows: tuple[Flow, ...]
    """The most frequent first."""
    expected: tuple[Expected, ...]
    calls: int
    fell_back: int
    """For so many calls more than one candidate was tried."""


def flows_of(by_provider: Mapping[Group, Sums], fallbacks: Fallbacks) -> Flows:
    """Return the flows of all calls, given the calls by serving provider and those that fell back.

    Whoever served a call for which nobody else was tried was expected to.
    """
    counts: dict[tuple[str, str], list[int]] = {}
    for (provider,), sums in by_provider.items():
        counts[provider, provider] = [sums.calls, sums.completed]
    for flow in fallbacks.flows:
        direct = counts.setdefault((flow.actual, flow.actual), [0, 0])
        direct[0] -= flow.calls
        direct[1] -= flow.completed
        moved = counts.setdefault((flow.expected, flow.actual), [0, 0])
        moved[0] += flow.calls
        moved[1] += flow.completed
    flows = [Flow(*names, *sums) for names, sums in counts.items() if sums[0]]
    flows.sort(key=lambda one: (-one.calls, one.expected, one.actual))
    return Flows(
        tuple(flows),
        _expected(flows),
        calls=sum(one.calls for one in flows),
        fell_back=sum(one.calls for one in fallbacks.flows),
    )


def _expected(flows: Sequence[Flow]) -> tuple[Expected, ...]:
    calls: dict[str, list[int]] = {}
    for flow in flows:
        of_provider = calls.setdefault(flow.expected, [0, 0])
        of_provider[0] += flow.calls
        of_provider[1] += flow.calls if flow.actual != flow.expected else 0
    found = [Expected(name, *counts) for name, counts in calls.items()]
    return tuple(sorted(found, key=lambda one: (-one.calls, one.provider)))
