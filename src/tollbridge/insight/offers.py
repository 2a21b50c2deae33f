"""Which models could do the work of others, what do they charge, and what did usage cost there?"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import tzinfo
from decimal import Decimal

import msgspec

from tollbridge.core.call import Category
from tollbridge.core.usage import UsageSource
from tollbridge.insight.axes import (
    DAY_US,
    Axis,
    Found,
    Slice,
    day_start,
    days_later,
    label,
    offsets,
)
from tollbridge.insight.counterfactual import (
    NEWEST,
    Elsewhere,
    Used,
    elsewhere,
    used_alike_of,
    used_of,
)
from tollbridge.insight.cube_queries import Few, sums
from tollbridge.insight.offer_queries import Offer, candidates_of, models_like, used_alike
from tollbridge.rating.book import PriceBook
from tollbridge.rating.nominal import nominal_usd
from tollbridge.rating.prices import PriceRow
from tollbridge.routing.part import EndpointRow
from tollbridge.storage.unit import Unit

OFFERS_MAX = 20
STEPS_MAX = 400
"""Moments at which a price is looked up for its history."""
IN_TOKENS = frozenset({Category.TEXT.value, Category.EMBEDDING.value})
"""What is billed by what the roll-ups know."""


class PriceStep(msgspec.Struct, frozen=True):
    """From when on a nominal call has cost so much; None: it had no price."""

    from_us: int
    nominal_usd: Decimal | None


class Charged(msgspec.Struct, frozen=True):
    """What one provider charges for a model."""

    offer: Offer
    nominal_usd: Decimal | None
    rates: tuple[PriceRow, ...]
    history: tuple[PriceStep, ...]


async def offers_of(
    unit: Unit,
    category: str,
    route: str | None,
    endpoints: Iterable[EndpointRow],
    used: Iterable[Offer],
) -> list[Offer]:
    """Return at most 20 models of providers that could do the work, those in use first.

    Of a route, its candidates and the models of its name; of a category, what was used and what
    each configured provider takes where nobody names a model.
    """
    found: dict[Offer, None] = {}
    if route is not None:
        found.update(dict.fromkeys(await candidates_of(unit, route, category)))
    found.update(dict.fromkeys(used))
    if route is not None:
        found.update(dict.fromkeys(await models_like(unit, route)))
    else:
        for row in endpoints:
            endpoint = row.declared.endpoint
            model = endpoint.default_models.get(category)
            is_off = row.withdrawn_at_us is not None or not endpoint.enabled
            if model is not None and not is_off and category not in endpoint.disabled_categories:
                found[endpoint.provider, model] = None
    return list(found)[:OFFERS_MAX]


def charged(
    offer: Offer, category: str, span: tuple[int, int], now_us: int, book: PriceBook
) -> Charged:
    """Return what an offer costs now, and cost in a time."""
    provider, model = offer
    steps: list[PriceStep] = []
    from_us, to_us = span[0], min(span[1], now_us + 1)
    step_us = max(DAY_US, (to_us - from_us) // STEPS_MAX)
    at_us = from_us
    while at_us < to_us:
        price = nominal_usd(book, provider, model, category, at_us)
        if not steps or steps[-1].nominal_usd != price:
            since_us = at_us
            if steps:
                begun = [row.valid_from_us for row in book.rows_at(provider, model, at_us)]
                since_us = max([at_us - step_us, *(one for one in begun if one <= at_us)])
            steps.append(PriceStep(since_us, price))
        at_us += step_us
    return Charged(
        offer,
        nominal_usd(book, provider, model, category, now_us),
        tuple(book.rows_at(provider, model, now_us)),
        tuple(steps),
    )


class Real(msgspec.Struct, frozen=True):
    """The usage of a time, ready to be priced."""

    by_offer: Mapping[Offer, Sequence[Used]]
    """By who served it, and by which model."""
    calls: int
    """All of them, those too of which no usage is known."""
    calls_without_usage: int
    notes: tuple[str, ...] = ()

    def used(self, offer: Offer | None = None) -> list[Used]:
        """Return what was used: of all, or of one provider's model."""
        if offer is not None:
            return list(self.by_offer.get(offer, ()))
        return [one for used in self.by_offer.values() for one in used]


async def real_usage(
    unit: Unit, wanted: Slice, category: str, zone: tzinfo, few: Few | None = None
) -> Real:
    """Return what calls of one category used, by day; by what they used, where not in tokens.

    `few`: what `cube_queries.few_of` said of these filters and the category; None: it is asked.
    """
    narrowed = wanted.narrowed(Axis.CATEGORY, category)
    axes = (Axis.DAY, Axis.ROUTE, Axis.USAGE_SOURCE, Axis.PROVIDER, Axis.MODEL)
    found = await sums(unit, narrowed, axes, zone, calls_only=True, few=few)
    calls, without = _counted(found)
    noons = _noons(wanted, zone)
    by_offer: dict[Offer, list[Used]] = {}
    if category in IN_TOKENS:
        for (day, _, source, provider, model), of in found.groups.items():
            if source != UsageSource.NONE and of.calls:
                by_offer.setdefault((provider, model), []).append(used_of(noons[day], of))
        return Real(by_offer, calls, without)
    alike, is_complete = await used_alike(unit, narrowed, zone)
    by_number = {_number(at_us, zone): at_us for at_us in noons.values()}
    for one in alike:
        by_offer.setdefault(one.offer, []).append(used_alike_of(by_number[one.day], one))
    return Real(by_offer, calls, without, () if is_complete else (NEWEST,))


def priced_elsewhere(
    real: Real, offers: Sequence[Offer], book: PriceBook, of: Offer | None = None
) -> list[Elsewhere]:
    """Return what usage would have cost with each offer, the cheapest first.

    `of`: the usage of one provider's model only.
    """
    found = [elsewhere(offer, real.used(of), book, real.notes) for offer in offers]
    return sorted(found, key=_cheapest_first)


def _cheapest_first(one: Elsewhere) -> tuple[int, Decimal, Offer]:
    return -one.calls_priced, one.cost_usd or Decimal(0), one.offer


def _counted(found: Found) -> tuple[int, int]:
    without = sum(of.calls for group, of in found.groups.items() if group[2] == UsageSource.NONE)
    return found.total.calls, without


def _noons(wanted: Slice, zone: tzinfo) -> dict[str, int]:
    """Return day → its noon, when it is asked what was in force; never before or behind."""
    found: dict[str, int] = {}
    at_us = wanted.from_us
    while at_us < wanted.to_us:
        noon_us = max(wanted.from_us, min(day_start(at_us, zone) + DAY_US // 2, wanted.to_us - 1))
        found[label(Axis.DAY, _number(at_us, zone))] = noon_us
        at_us = days_later(at_us, 1, zone)
    return found


def _number(at_us: int, zone: tzinfo) -> int:
    """Return the number of the local day that holds an instant."""
    [(_, ahead_us)] = offsets(zone, at_us, at_us + 1)
    return (at_us + ahead_us) // DAY_US
