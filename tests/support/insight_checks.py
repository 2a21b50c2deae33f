"""Asks insight all that it answers, and compares each number with a plain count of the calls."""

import random
from collections import Counter
from collections.abc import Callable, Mapping
from datetime import tzinfo
from decimal import Decimal
from typing import Any

import msgspec

from tests.support.control import Plane, control_plane
from tests.support.insight import Books, a_slice, filled, get
from tests.support.recorded import NOON_US
from tollbridge.core.clock import to_text
from tollbridge.core.money import to_usd
from tollbridge.core.sight import Sight
from tollbridge.insight.advice_queries import LONG_COST_NANOUSD, LONG_TOKENS
from tollbridge.insight.axes import Axis, Group, Slice, Sums
from tollbridge.insight.cube import read
from tollbridge.insight.cube_detail_queries import sums_of_details
from tollbridge.insight.cube_queries import sums
from tollbridge.insight.cube_source_queries import OF_TRIES
from tollbridge.insight.provider_queries import WELL
from tollbridge.insight.statistics import percent, share, wilson
from tollbridge.storage.unit import Database

DAY_US = 86_400_000_000
SUMMED = tuple(axis for axis in Axis if axis not in {Axis.STATUS, Axis.CUSTOMER, Axis.TAG})
COUNTED = (
    "calls",
    "completed",
    "failed",
    "attempts",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "unpriced",
    "estimated",
)
TIMES = (Axis.HOUR, Axis.DAY, Axis.WEEK, Axis.MONTH)
FILTERS: tuple[Mapping[Axis, tuple[str, ...]], ...] = (
    {},
    {Axis.PROVIDER: ("openai",)},
    {Axis.UPSTREAM: ("nobody",)},
    {Axis.MODEL: ("gpt-4o",)},
    {Axis.USAGE_SOURCE: ("none",)},
)
"""What a call and its attempts need not have in common."""


async def check_all(database: Database, draw: random.Random, zone: tzinfo) -> None:
    """Fill a database and compare all answers."""
    books = await filled(database, draw)
    for _ in range(4):
        await check_cube(database, books, draw, zone)
    async with control_plane(database) as plane:
        plane.clock.advance(40 * 86_400)
        headers = {
            None: await plane.key("root", "admin"),
            "ada": await plane.key("reads", "read", user="ada"),
        }
        for user, header in headers.items():
            sight = None if user is None else Sight(user)
            for only in FILTERS:
                await check_addresses(plane, header, books, sight, only)


async def check_cube(
    database: Database, books: Books, draw: random.Random, zone: tzinfo, shift_us: int = 0
) -> None:
    """Compare sums by any groupings, from roll-ups and from details; `shift_us` later."""
    wanted = a_slice(draw)
    wanted = wanted.moved(wanted.from_us + shift_us, wanted.to_us + shift_us)
    axes = _some(draw, SUMMED)
    finer = _some(draw, tuple(Axis))
    async with database.read() as unit:
        from_sums = await sums(unit, wanted, axes, zone)
        from_calls = await sums_of_details(unit, wanted, axes, zone)
        either = await read(unit, wanted, finer, zone)
    groups, total = books.sums(wanted, axes)
    for found in (from_sums, from_calls):
        assert _known(found.groups) == _known(groups), (wanted, axes)
        assert found.total == total, (wanted, axes)
    groups, total = books.sums(wanted, finer)
    if not either.has_attempts:
        groups = {group: _of_calls(of) for group, of in groups.items()}
        total = _of_calls(total)
    assert _known(either.groups) == _known(groups), (wanted, finer)
    assert either.total == total, (wanted, finer)


def _some(draw: random.Random, axes: tuple[Axis, ...]) -> list[Axis]:
    """Return some groupings, with at most one of time."""
    found = draw.sample(axes, draw.randrange(4))
    times = [axis for axis in found if axis in TIMES]
    return [axis for axis in found if axis not in times[1:]]


def _of_calls(sums: Sums) -> Sums:
    """Return sums without what only attempts have."""
    return msgspec.structs.replace(sums, **dict.fromkeys(OF_TRIES, 0))


def _known(groups: Mapping[Group, Sums]) -> dict[Group, Sums]:
    return {group: of for group, of in groups.items() if of != Sums()}


async def check_addresses(
    plane: Plane,
    headers: dict[str, str],
    books: Books,
    sight: Sight | None,
    only: Mapping[Axis, tuple[str, ...]],
) -> None:
    """Compare what each address answers somebody who filters by what attempts need not share."""
    span = {"from_": to_text(NOON_US - 32 * DAY_US), "to": to_text(NOON_US + 31 * DAY_US)}
    wanted = Slice(
        from_us=NOON_US - 32 * DAY_US, to_us=NOON_US + 31 * DAY_US, only=only, sight=sight
    )
    filters = {axis.value: list(values) for axis, values in only.items()}

    async def ask(address: str, **query: Any) -> Any:
        where = f"/api/v1/{address}" if "/" in address else f"/api/v1/insight/{address}"
        return await get(plane, headers, where, **span, **filters, **query)

    for check in CHECKS:
        await check(ask, books, wanted)
    if not only:
        await _check_documents(plane, headers, books, wanted)


def check_sums(shown: Mapping[str, Any], expected: Sums) -> None:
    """Compare sums as the API shows them."""
    told = [name for name in COUNTED if name != "attempts" or shown[name] is not None]
    assert {name: shown[name] for name in told} == {name: getattr(expected, name) for name in told}
    assert shown["success_rate"] == share(expected.completed, expected.calls)
    if shown["attempts"] is not None:
        assert shown["attempts_failed"] == expected.failures + expected.unknown
    assert Decimal(shown["charge_usd"]) == to_usd(expected.charge_nanousd)
    if expected.unpriced and not expected.cost_nanousd:
        assert shown["cost_usd"] is None
    else:
        assert Decimal(shown["cost_usd"]) == to_usd(expected.cost_nanousd)


Ask = Callable[..., Any]


async def _check_overview(ask: Ask, books: Books, wanted: Slice) -> None:
    found = await ask("overview")
    _, total = books.sums(wanted, [Axis.PROVIDER])
    check_sums(found["total"], total)
    before = wanted.moved(2 * wanted.from_us - wanted.to_us, wanted.from_us)
    check_sums(found["previous"], books.sums(before, [Axis.PROVIDER])[1])
    for kind, axis in (("providers", Axis.PROVIDER), ("models", Axis.MODEL)):
        _check_top(found[kind], books.sums(wanted, [axis])[0])
    assert found["shares"]["unpriced"] == share(total.unpriced, total.attempts)
    for kind, axis in (("users", Axis.USER), ("keys", Axis.KEY)):
        groups, _ = books.sums(wanted, [axis], calls_only=True)
        _check_calls(found[kind], groups)
    series: dict[tuple[str, str | None], int] = {}
    for point in found["series"]:
        series[point["at"], point["provider"]] = point["calls"]
    by_time, _ = books.sums(wanted, [Axis(found["grain"]), Axis.PROVIDER])
    assert sum(series.values()) == total.calls
    for (at, provider), calls in series.items():
        assert by_time[at, str(provider)].calls == calls


def _check_top(found: Mapping[str, Any], groups: Mapping[Group, Sums]) -> None:
    groups = _known(groups)
    for one in found["top"]:
        check_sums(one, groups[(one["name"] or "",)])
    assert len(found["top"]) + found["rest_count"] == len(groups)
    shown = [groups[(one["name"] or "",)] for one in found["top"]]
    rest = Sums()
    for of in groups.values():
        rest.add(of)
    check_sums(found["rest"], rest.less(shown))
    costs = [one.cost_nanousd for one in shown]
    assert costs == sorted(costs, reverse=True)


def _check_calls(found: Mapping[str, Any], groups: Mapping[Group, Sums]) -> None:
    """Compare what the calls alone have: no attempts are told of."""
    assert all(one["attempts"] is None for one in found["top"])
    _check_top(found, groups)


async def _check_providers(ask: Ask, books: Books, wanted: Slice) -> None:
    found = await ask("providers")
    groups, _ = books.sums(wanted, [Axis.CATEGORY, Axis.PROVIDER])
    asked = {group for group, of in groups.items() if of.attempts}
    shown: dict[Group, Any] = {
        (one["category"], one["provider"]): one for one in found["providers"]
    }
    assert {group for group, one in shown.items() if one["attempts"]} == asked
    errors = 0
    for group in asked:
        one, expected = shown[group], groups[group]
        check_sums(one, expected)
        good = expected.attempts - expected.failures - expected.unknown
        interval = wilson(good, expected.attempts)
        assert one["success_interval"] == (None if interval is None else list(interval))
        assert one["attempt_success_rate"] == share(good, expected.attempts)
        per = one["cost_per_success_usd"]
        if expected.unpriced or not good:
            assert per is None
        else:
            assert abs(Decimal(per) * good - to_usd(expected.cost_nanousd)) < Decimal("1e-9")
        errors += sum(reason["attempts"] for reason in one["errors"])
        for field in ("latency_ms", "first_byte_ms"):
            for name, part in (("p50", 0.5), ("p95", 0.95), ("p99", 0.99)):
                named = {"category": group[0], "provider": group[1]}
                assert one[field][name] == books.percentile(wanted, field, part, **named)
    assert found["errors_complete"]
    assert errors == sum(of.failures + of.unknown for of in groups.values())


async def _check_breakdown(ask: Ask, books: Books, wanted: Slice) -> None:
    before = wanted.moved(2 * wanted.from_us - wanted.to_us, wanted.from_us)
    for axes, order, source in (
        ([Axis.USER, Axis.PROVIDER], "cost_nanousd", "rollups"),
        ([Axis.USER], "calls", "rollups"),
        ([Axis.KEY, Axis.MODEL], "total_tokens", "rollups"),
        ([Axis.KEY, Axis.STATUS_CLASS], "failed", "rollups"),
        ([Axis.USER, Axis.UPSTREAM], "attempts", "rollups"),
        ([Axis.CUSTOMER, Axis.STATUS], "cost_nanousd", "details"),
        ([Axis.TAG], "cost_nanousd", "details"),
    ):
        names = [axis.value for axis in axes]
        asked = order.removesuffix("_nanousd")
        found = await ask("breakdown", group_by=names, top=2, order=asked, compare="true")
        # Where attempts are not told, what only attempts have in common is no group.
        calls_only = found["total"]["attempts"] is None
        groups, total = books.sums(wanted, axes, calls_only=calls_only)
        groups = _known(groups)
        earlier, total_before = books.sums(before, axes, calls_only=calls_only)
        assert (found["source"], found["complete_from"]) == (source, None)
        check_sums(found["total"], total)
        shown = [tuple(one["group"][name] or "" for name in names) for one in found["groups"]]
        for group, one in zip(shown, found["groups"], strict=True):
            check_sums(one, groups[group])
            check_sums(one["previous"], earlier.get(group, Sums()))
        ranked = sorted(groups, key=lambda group: (-getattr(groups[group], order), group))
        assert shown == ranked[:2]
        assert len(shown) + found["rest_count"] == len(groups)
        if Axis.TAG not in axes:
            check_sums(found["rest"], total.less(groups[group] for group in shown))
        check_sums(found["previous"], total_before)


async def _check_breakdown_in_time(ask: Ask, books: Books, wanted: Slice) -> None:
    """Compare the intervals of the groups that are the largest over the whole time."""
    for axes, order in (
        ([Axis.DAY, Axis.USER], "cost_nanousd"),
        ([Axis.KEY, Axis.MODEL, Axis.WEEK], "calls"),
        ([Axis.USER, Axis.HOUR], "total_tokens"),
        ([Axis.DAY, Axis.PROVIDER], "attempts"),
    ):
        names = [axis.value for axis in axes]
        found = await ask("breakdown", group_by=names, top=2, order=order.removesuffix("_nanousd"))
        calls_only = found["total"]["attempts"] is None
        groups, total = books.sums(wanted, axes, calls_only=calls_only)
        groups = _known(groups)
        check_sums(found["total"], total)
        [time] = (place for place, axis in enumerate(axes) if axis in TIMES)
        name_of = {group: (*group[:time], *group[time + 1 :]) for group in groups}
        series: dict[Group, int] = {}
        for group, of in groups.items():
            name = name_of[group]
            series[name] = series.get(name, 0) + getattr(of, order)
        largest = sorted(series, key=lambda name: (-series[name], name))[:2]
        expected = [group for group in groups if name_of[group] in largest]
        expected.sort(key=lambda group: (group[time], largest.index(name_of[group])))
        shown = [tuple(one["group"][name] or "" for name in names) for one in found["groups"]]
        assert shown == expected
        for group, one in zip(shown, found["groups"], strict=True):
            check_sums(one, groups[group])
        check_sums(found["rest"], total.less(groups[group] for group in shown))
        assert len(largest) + found["rest_count"] == len(series)


async def _check_flows(ask: Ask, books: Books, wanted: Slice) -> None:
    if wanted.only:
        await ask("flows", http_status=400)
        return
    found = await ask("flows")
    shown = {
        (one["expected"] or "", one["actual"]): [one["calls"], one["completed"]]
        for one in found["flows"]
    }
    assert shown == books.flows(wanted)
    calls = books.meant(wanted)
    assert found["calls"] == len(calls)
    assert found["fell_back"] == sum(one.call.attempt_count > 1 for one in calls)


async def _check_model(ask: Ask, books: Books, wanted: Slice) -> None:
    if Axis.MODEL in wanted.only:
        await ask("insight/models/alias", http_status=400)
        return
    narrowed = wanted.narrowed(Axis.ROUTE, "alias")
    groups, total = books.sums(narrowed, [Axis.PROVIDER])
    if not total.calls:
        return
    found = await ask("insight/models/alias")
    assert found["asked_as"] == "route"
    check_sums(found["total"], total)
    _check_top(found["providers"], groups)
    assert sum(one["calls"] for one in found["series"]) == total.calls
    assert sum(one["attempts"] for one in found["errors"]) == total.failures + total.unknown


async def _check_model_providers(ask: Ask, books: Books, wanted: Slice) -> None:
    found = await ask("model-providers")
    groups, _ = books.sums(wanted, [Axis.ROUTE, Axis.PROVIDER])
    assert len(found["rows"]) == len(_known(groups))
    for one in found["rows"]:
        check_sums(one, groups[one["model"], one["provider"]])


async def _check_confidence(ask: Ask, books: Books, wanted: Slice) -> None:
    found = await ask("attribution/confidence")
    shown = {one["confidence"]: one["calls"] for one in found["shares"] if one["calls"]}
    assert shown == Counter(one.call.confidence for one in books.served(wanted))


async def _check_advice(ask: Ask, books: Books, wanted: Slice) -> None:
    """Here a provider is one that may be recommended: it filters nothing."""
    found = await ask("recommendations", category="text")
    narrowed = wanted.without(Axis.PROVIDER).narrowed(Axis.CATEGORY, "text")
    groups, _ = books.sums(narrowed, [Axis.PROVIDER])
    for one in found["ranking"]:
        expected = groups.get((one["provider"],), Sums())
        assert one["attempts"] == expected.attempts
    billed: dict[str, int] = {}
    for _, attempt in books.attempts(narrowed):
        if attempt.outcome not in WELL and attempt.cost_nanousd:
            cost = billed.get(attempt.provider, 0)
            billed[attempt.provider] = cost + attempt.cost_nanousd
    for one in found["advice"]:
        if one["kind"] == "paid_failures":
            assert Decimal(one["saving_usd"]) == to_usd(billed[one["provider"]])
        if one["kind"] == "long_prompts":
            count = sum(
                (one["provider"], one["model"])
                == (each.call.actual_provider_name, each.call.requested_model)
                and (each.call.total_tokens or 0) > LONG_TOKENS
                and (each.call.known_cost_nanousd or 0) > LONG_COST_NANOUSD
                for each in books.served(narrowed)
            )
            assert one["text"].startswith(f"{count} calls of")


async def _check_costs(ask: Ask, books: Books, wanted: Slice) -> None:
    if wanted.only:
        return  # its filters are others
    found = await ask("insight/costs/TEXT")
    narrowed = wanted.narrowed(Axis.CATEGORY, "text")
    groups, _ = books.sums(narrowed, [Axis.PROVIDER, Axis.MODEL])
    for one in found["offers"]:
        expected = groups.get((one["provider"], one["model"]), Sums())
        assert one["attempts"] == expected.attempts
        assert Decimal(one["cost_usd"]) == to_usd(expected.cost_nanousd)


async def _check_counterfactual(ask: Ask, books: Books, wanted: Slice) -> None:
    narrowed = wanted.narrowed(Axis.CATEGORY, "text")
    other = await ask("counterfactual", category="text", candidate=["openai/gpt-4o-mini"])
    [candidate] = other["candidates"]
    calls = [one.call for one in books.served(narrowed)]
    assert other["calls"] == len(calls)
    assert other["calls_without_usage"] == sum(one.usage_source == "none" for one in calls)
    used = [one for one in calls if one.usage_source != "none"]
    exact = Decimal(0)
    for one in used:
        exact += Decimal(one.usage.get("input", 0)) * Decimal("0.15")
        exact += Decimal(one.usage.get("output", 0)) * Decimal("0.6")
    assert candidate["calls_priced"] == len(used)
    if used:
        assert abs(Decimal(candidate["cost_usd"]) - exact / 1_000_000) <= Decimal(len(used)) / 10**9


async def _check_documents(
    plane: Plane, headers: dict[str, str], books: Books, wanted: Slice
) -> None:
    found: Any = await get(plane, headers, "/api/providers/stats")
    groups, _ = books.sums(wanted, [Axis.CATEGORY, Axis.PROVIDER])
    shown: dict[Group, Any] = {(one["category"].lower(), one["provider"]): one for one in found}
    for group, expected in groups.items():
        if not expected.attempts:
            continue
        one = shown[group]
        good = expected.attempts - expected.failures - expected.unknown
        assert (one["requests"], one["successes"]) == (expected.attempts, good)
        assert one["failures"] == expected.attempts - good
        assert one["successRate"] == float(percent(good, expected.attempts))
        if not expected.unpriced:
            assert one["totalCost"] == float(to_usd(expected.cost_nanousd))
            assert abs(one["avgCost"] * one["requests"] - one["totalCost"]) < 1e-9
        assert abs(one["avgTime"] * one["requests"] - expected.latency_ms_sum) <= one["requests"]


CHECKS = (
    _check_overview,
    _check_providers,
    _check_breakdown,
    _check_breakdown_in_time,
    _check_flows,
    _check_model,
    _check_model_providers,
    _check_confidence,
    _check_advice,
    _check_costs,
    _check_counterfactual,
)
"""One for each address that is asked of a time."""
