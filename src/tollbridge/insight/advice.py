"""What is worth changing, by the books of a time? The reading behind recommendations."""

from collections.abc import Sequence
from decimal import Decimal

import msgspec

from tollbridge.insight.advice_queries import long_prompts, paid_failures
from tollbridge.insight.axes import Found, Slice
from tollbridge.insight.offer_queries import Offer
from tollbridge.insight.offers import OFFERS_MAX, Real, priced_elsewhere
from tollbridge.insight.provider_stats import ProviderStat
from tollbridge.insight.recommend import (
    Advice,
    cached_prompts,
    cheaper_models,
    dear_provider,
    in_order,
    paid_failure,
)
from tollbridge.rating import model_store
from tollbridge.rating.book import PriceBook
from tollbridge.rating.model_changes import ModelFilter
from tollbridge.rating.models import Model
from tollbridge.rating.nominal import nominal_usd
from tollbridge.storage.unit import Unit

ADVISED_MAX = 5
"""The dearest models, for which cheaper ones are looked for."""
LOOKED_AT_MAX = 1000
"""Models of one provider's catalogue that are looked at for cheaper ones."""


class Asked(msgspec.Struct, frozen=True):
    """What advice is given by."""

    wanted: Slice
    """Of one category."""
    category: str
    now_us: int
    book: PriceBook
    real: Real
    """What that usage was."""


async def advice_for(
    unit: Unit, asked: Asked, stats: Sequence[ProviderStat], used: Found
) -> list[Advice]:
    """Return advice by priority, then by what it saves. `used`: by provider and model."""
    found: list[Advice] = []
    ranked = sorted(used.groups, key=lambda group: -used.groups[group].cost_nanousd)
    for provider, model in ranked[:ADVISED_MAX]:
        offers = await _siblings(unit, provider, model, asked)
        if offers:
            prices = priced_elsewhere(asked.real, offers, asked.book, (provider, model))
            one = cheaper_models(provider, model, prices)
            found += [] if one is None else [one]
    dear = dear_provider(stats)
    found += [] if dear is None else [dear]
    found += cached_prompts(await long_prompts(unit, asked.wanted), asked.book, asked.now_us)
    found += paid_failure(stats, await paid_failures(unit, asked.wanted))
    return in_order(found)


async def _siblings(unit: Unit, provider: str, model: str, asked: Asked) -> list[Offer]:
    """Return that provider's other models that can do all that a model can, by the catalogue.

    At most 20: those whose nominal call costs least now.
    """
    current = await model_store.find_model(unit, model)
    if current is None or not current.is_active:
        return []
    category = asked.category
    if (current.provider, current.model_type) != (provider, category):
        return []
    wanted = ModelFilter(model_type=category, provider=provider, is_active=True)
    rows = await model_store.list_models(unit, wanted, None, LOOKED_AT_MAX)
    priced: list[tuple[bool, Decimal, Offer]] = []
    for row in rows:
        if _can_all(row, current):
            usd = nominal_usd(asked.book, provider, row.model_name, category, asked.now_us)
            priced.append((usd is None, usd or Decimal(0), (provider, row.model_name)))
    return [offer for _, _, offer in sorted(priced)[:OFFERS_MAX]]


def _can_all(other: Model, model: Model) -> bool:
    if other.model_name == model.model_name:
        return False
    able = all(
        getattr(other, name) or not getattr(model, name)
        for name in ("supports_json_mode", "supports_vision", "supports_function_calling")
    )
    window = model.context_window
    return able and (window is None or (other.context_window or 0) >= window)
