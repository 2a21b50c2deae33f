"""Which provider should serve a category, and what else would save money? Pure.

By what an answer really costs: total cost by successes, so that one that fails for nothing never
looks cheap. Savings are what real usage would have cost elsewhere, never an assumed share.
"""

from collections.abc import Iterable, Mapping, Sequence
from decimal import Decimal
from enum import StrEnum

import msgspec

from tollbridge.core.money import to_usd
from tollbridge.insight.advice_queries import LongPrompts, PaidFailures
from tollbridge.insight.axes import Group
from tollbridge.insight.counterfactual import Elsewhere
from tollbridge.insight.provider_queries import Times
from tollbridge.insight.provider_stats import ProviderStat
from tollbridge.insight.statistics import percentile, wilson
from tollbridge.rating.book import PriceBook

SAVING_USD_MIN = Decimal("0.01")
DEARER_TIMES = Decimal("1.5")
DEAR_CALLS_MIN = 10
LONG_CALLS_MIN = 5
FAILURE_PERCENT_ABOVE = 5


class Objective(StrEnum):
    """What makes a provider the best."""

    COST = "cost"
    SUCCESS = "success"
    LATENCY = "latency"


class Constraints(msgspec.Struct, frozen=True, kw_only=True):
    """What a provider must hold to be recommended."""

    objective: Objective = Objective.COST
    calls_min: int = 30
    """Attempts: below that, figures say little."""
    success_rate_above: float = 0.8
    latency_ms_p95_max: int | None = None
    first_byte_ms_p95_max: int | None = None
    providers: tuple[str, ...] = ()
    """Only these; none: all."""
    enabled_only: bool = True


class Ranked(msgspec.Struct, frozen=True, kw_only=True):
    """One provider in the ranking."""

    stat: ProviderStat
    interval: tuple[float, float] | None
    latency_ms_p95: int | None
    first_byte_ms_p95: int | None
    why_not: tuple[str, ...]
    """Why it is not recommended; empty: it may be."""


def rank(
    found: Iterable[ProviderStat], times: Mapping[Group, Times], wanted: Constraints
) -> list[Ranked]:
    """Return the providers of a category: those that hold the constraints first, the best first."""
    ranked = [_ranked(one, times.get((one.category, one.provider)), wanted) for one in found]
    return sorted(ranked, key=lambda one: (bool(one.why_not), *_best_first(one, wanted.objective)))


def _ranked(one: ProviderStat, times: Times | None, wanted: Constraints) -> Ranked:
    latency = None if times is None else percentile(times.latency, 0.95)
    first_byte = None if times is None else percentile(times.first_byte, 0.95)
    why: list[str] = []
    if wanted.providers and one.provider not in wanted.providers:
        why.append("it is not among the providers that were named")
    if wanted.enabled_only and not one.enabled:
        why.append("no endpoint of it is enabled")
    if one.requests < wanted.calls_min:
        why.append(f"{wanted.calls_min} calls are needed, and it has had {one.requests}")
    elif one.successes <= wanted.success_rate_above * one.requests:
        why.append(f"its success rate is not above {wanted.success_rate_above:g}")
    if not one.cost_is_known:
        why.append(f"attempts whose cost is not known: {one.sums.unpriced}")
    for name, found, most in (
        ("latency", latency, wanted.latency_ms_p95_max),
        ("time to the first byte", first_byte, wanted.first_byte_ms_p95_max),
    ):
        if most is not None and (found is None or found > most):
            shown = "not known" if found is None else f"{found} ms"
            why.append(f"the p95 of its {name} is {shown}, over {most} ms")
    return Ranked(
        stat=one,
        interval=wilson(one.successes, one.requests),
        latency_ms_p95=latency,
        first_byte_ms_p95=first_byte,
        why_not=tuple(why),
    )


def _best_first(one: Ranked, objective: Objective) -> tuple[bool, Decimal, str]:
    value: Decimal | None
    if objective is Objective.COST:
        value = one.stat.cost_per_success_usd
    elif objective is Objective.SUCCESS:
        # By what it is at least: one good answer of one is less than 990 of 1,000.
        value = None if one.interval is None else -Decimal(str(one.interval[0]))
    else:
        value = None if one.latency_ms_p95 is None else Decimal(one.latency_ms_p95)
    return value is None, value or Decimal(0), one.stat.provider


class Priority(StrEnum):
    """How soon something is worth doing."""

    HIGH = "high"
    MEDIUM = "medium"
    LOW = "low"


class Advice(msgspec.Struct, frozen=True, kw_only=True):
    """One thing that would save money."""

    kind: str
    priority: Priority
    text: str
    saving_usd: Decimal | None
    """Of the usage of the time that was asked about; None: not to be told from the books."""
    provider: str
    model: str | None = None
    instead: tuple[str, str | None] | None = None
    """Provider and model."""
    notes: tuple[str, ...] = ()


def cheaper_models(provider: str, model: str, found: Iterable[Elsewhere]) -> Advice | None:
    """Return the advice to use a cheaper model of the same kind: the one that saves most."""
    best = max(
        (one for one in found if one.calls_unpriced == 0 and one.offer != (provider, model)),
        key=lambda one: one.saving_usd or Decimal(0),
        default=None,
    )
    if best is None or best.saving_usd is None or best.saving_usd <= SAVING_USD_MIN:
        return None
    return Advice(
        kind="cheaper_model",
        priority=Priority.HIGH,
        text=f"{best.offer[1]} of {best.offer[0]} would have done the calls of {model} for less",
        saving_usd=best.saving_usd,
        provider=provider,
        model=model,
        instead=best.offer,
        notes=(*best.approximations, "whether its answers are as good is not compared"),
    )


def dear_provider(found: Sequence[ProviderStat]) -> Advice | None:
    """Return the advice to leave the dearest provider of a category for the second dearest."""
    known = [
        (one.cost_per_success_usd, one)
        for one in found
        if one.cost_per_success_usd and one.successes > DEAR_CALLS_MIN
    ]
    known.sort(key=lambda pair: (-pair[0], pair[1].provider))
    if len(known) < 2 or known[0][0] <= DEARER_TIMES * known[1][0]:
        return None
    (dear, one), (less, other) = known[:2]
    saving = (dear - less) * one.successes
    return Advice(
        kind="dear_provider",
        priority=Priority.MEDIUM,
        text=f"an answer of {one.provider} costs {dear / less:.1f} times one of {other.provider}",
        saving_usd=saving,
        provider=one.provider,
        instead=(other.provider, None),
        notes=("by the mean answer of each: what they were asked may differ",),
    )


def paid_failure(stats: Iterable[ProviderStat], found: Iterable[PaidFailures]) -> list[Advice]:
    """Return the advice to look at providers that fail often and bill all the same."""
    tries: dict[str, list[int]] = {}
    for one in stats:
        counts = tries.setdefault(one.provider, [0, 0])
        counts[0] += one.failures
        counts[1] += one.requests
    return [
        Advice(
            kind="paid_failures",
            priority=Priority.HIGH,
            text=f"{failed} of {tried} attempts at {one.provider} failed, "
            f"and {one.attempts} of these were billed",
            saving_usd=to_usd(one.cost_nanousd),
            provider=one.provider,
        )
        for one in found
        for failed, tried in [tries.get(one.provider, [0, 0])]
        if failed * 100 > FAILURE_PERCENT_ABOVE * tried
    ]


def cached_prompts(found: Iterable[LongPrompts], book: PriceBook, at_us: int) -> list[Advice]:
    """Return the advice to let the provider cache long prompts, with the most that it can save."""
    advice: list[Advice] = []
    for one in found:
        if one.calls <= LONG_CALLS_MIN:
            continue
        tariff = book.find(one.provider, one.model, at_us)
        prices = None if tariff is None else tariff.prices
        saving, notes = None, ("its prices say nothing of cached input",)
        if prices is not None and "input" in prices and "cache_read" in prices:
            less = prices["input"].usd_each - prices["cache_read"].usd_each
            saving = max(Decimal(0), less * one.uncached_tokens)
            notes = ("at most: if all of the input had been cached before",)
        advice.append(
            Advice(
                kind="long_prompts",
                priority=Priority.MEDIUM,
                text=f"{one.calls} calls of {one.model} had over 10,000 tokens each, and cost "
                f"${to_usd(one.cost_nanousd):f}",
                saving_usd=saving,
                provider=one.provider,
                model=one.model,
                notes=notes,
            )
        )
    return advice


def in_order(found: Iterable[Advice]) -> list[Advice]:
    """Return advice by priority, then by what it saves."""
    order = list(Priority)
    return sorted(
        found, key=lambda one: (order.index(one.priority), -(one.saving_usd or Decimal(0)))
    )
