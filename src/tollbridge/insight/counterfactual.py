"""What would the real usage of a time have cost elsewhere, by the prices in force then? Pure.

The sums of a day are rated as one bill, which is exact where a price is so much per unit. Where
it depends on the call (tiers, sizes, least quantities), the mean call is rated instead, and the
answer says so.
"""

from collections.abc import Iterable, Sequence
from decimal import Decimal

import msgspec

from tollbridge.core.money import to_usd
from tollbridge.core.usage import Unit, Usage, UsageSource
from tollbridge.insight.axes import Sums
from tollbridge.insight.offer_queries import Offer, UsedAlike
from tollbridge.rating.book import PriceBook
from tollbridge.rating.rate import rate

REASONS_MAX = 5
MEAN_CALL = "prices that depend on the call are those of the mean call of a day"
PARTS = "sound, pictures and other parts of the input are priced as its text"
NEWEST = "of the newest calls only"
SUMMED = frozenset(
    {
        Unit.INPUT.value,
        Unit.OUTPUT.value,
        Unit.CACHE_READ.value,
        Unit.CACHE_WRITE.value,
        Unit.REASONING.value,
        Unit.REQUEST.value,
    }
)
"""The units that roll-ups know."""


class Used(msgspec.Struct, frozen=True):
    """Usage of one moment that is to be priced."""

    at_us: int
    counts: dict[str, int]
    """Of all its calls together, or of each, where it is `alike`."""
    calls: int
    cost_nanousd: int | None
    """What it really cost; None: of some of it that is not known."""
    facts: dict[str, str] = {}
    alike: bool = False


class Elsewhere(msgspec.Struct, frozen=True, kw_only=True):
    """What the usage would have cost with one provider's model."""

    offer: Offer
    cost_usd: Decimal | None
    """Of the calls that could be priced; None: there are none."""
    calls_priced: int
    calls_unpriced: int
    reasons: tuple[str, ...]
    """Why some could not be priced."""
    calls_compared: int
    """Calls of which both costs are known."""
    actual_usd: Decimal | None
    """What those really cost; None where there are none."""
    compared_usd: Decimal | None
    """What those would have cost."""
    approximations: tuple[str, ...]

    @property
    def saving_usd(self) -> Decimal | None:
        """How much less it would have been; below zero: more."""
        if self.actual_usd is None or self.compared_usd is None:
            return None
        return self.actual_usd - self.compared_usd


def used_of(at_us: int, sums: Sums) -> Used:
    """Return the sums of calls as usage: what was not counted is not in it."""
    counts = {
        Unit.INPUT.value: sums.input_tokens,
        Unit.OUTPUT.value: sums.output_tokens,
        Unit.CACHE_READ.value: sums.cache_read_tokens,
        Unit.CACHE_WRITE.value: sums.cache_write_tokens,
        Unit.REASONING.value: sums.reasoning_tokens,
    }
    kept = {unit: count for unit, count in counts.items() if count}
    return Used(at_us, kept, sums.calls, None if sums.unpriced else sums.cost_nanousd)


def used_alike_of(at_us: int, found: UsedAlike) -> Used:
    """Return calls that used the same as usage."""
    return Used(at_us, found.usage, found.calls, found.cost_nanousd, found.facts, alike=True)


def elsewhere(
    offer: Offer, usage: Iterable[Used], book: PriceBook, notes: Sequence[str] = ()
) -> Elsewhere:
    """Return what usage would have cost with one provider's model."""
    total = actual = compared = Decimal(0)
    priced = unpriced = both = 0
    reasons: dict[str, None] = {}
    approximations = dict.fromkeys(notes)
    for used in usage:
        cost, why = _cost(offer, used, book, approximations)
        if cost is None:
            unpriced += used.calls
            reasons[why or "no price"] = None
            continue
        priced += used.calls
        total += cost
        if used.cost_nanousd is not None:
            both += used.calls
            actual += to_usd(used.cost_nanousd)
            compared += cost
    return Elsewhere(
        offer=offer,
        cost_usd=total if priced else None,
        calls_priced=priced,
        calls_unpriced=unpriced,
        reasons=tuple(reasons)[:REASONS_MAX],
        calls_compared=both,
        actual_usd=actual if both else None,
        compared_usd=compared if both else None,
        approximations=tuple(approximations),
    )


def _cost(
    offer: Offer, used: Used, book: PriceBook, approximations: dict[str, None]
) -> tuple[Decimal | None, str | None]:
    provider, model = offer
    tariff = book.find(provider, model, used.at_us)
    if tariff is None:
        return None, f"no price for {provider}/{model}"
    plain = tariff.plain
    if used.alike:
        return _times(offer, used.counts, used, book)
    if not (tariff.options.keys() <= SUMMED):
        approximations[PARTS] = None
    if plain is not None and plain.whole:
        counts = {**used.counts, Unit.REQUEST.value: used.calls}
        if Unit.REQUEST not in plain.units:
            counts = used.counts
        rated = rate(_usage(counts, used), provider, (model,), used.at_us, book)
        if rated.cost_nanousd is None:
            return None, rated.unpriced_reason
        return to_usd(rated.cost_nanousd), None
    approximations[MEAN_CALL] = None
    mean = {
        unit: (2 * count + used.calls) // (2 * used.calls) for unit, count in used.counts.items()
    }
    return _times(offer, mean, used, book)


def _times(
    offer: Offer, counts: dict[str, int], used: Used, book: PriceBook
) -> tuple[Decimal | None, str | None]:
    """Return what so many calls cost that all used the same."""
    rated = rate(_usage(counts, used), offer[0], (offer[1],), used.at_us, book)
    if rated.cost_nanousd is None:
        return None, rated.unpriced_reason
    return to_usd(rated.cost_nanousd) * used.calls, None


def _usage(counts: dict[str, int], used: Used) -> Usage:
    return Usage(counts=counts, source=UsageSource.REPORTED, facts=used.facts)
