"""What is worth changing, by the books of a time? The reading behind recommendations."""

from collections.abc import Sequence
from datetime import tzinfo

import msgspec

from tollbridge.insight.advice_queries import long_prompts, paid_failures
from tollbridge.insight.axes import Axis, Found, Slice
from tollbridge.insight.counterfactual import Elsewhere
from tollbridge.insight.offer_queries import Offer
from tollbridge.insight.offers import OFFERS_MAX, priced_elsewhere, real_usage
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
from tollbridge.storage.unit import Unit

ADVISED_MAX = 5
"""The dearest models, for which cheaper ones are looked for."""


class Asked(msgspec.Struct, frozen=True):
    """What advice is given by."""

    wanted: Slice
    """Of one category."""
    category: str
    zone: tzinfo
    now_us: int
    book: PriceBook


async def advice_for(
    unit: Unit, asked: Asked, stats: Sequence[ProviderStat], used: Found
) -> list[Advice]:
    """Return advice by priority, then by what it saves. `used`: by provider and model."""
    found: list[Advice] = []
    ranked = sorted(used.groups, key=lambda group: -used.groups[group].cost_nanousd)
    for provider, model in ranked[:ADVISED_MAX]:
        offers = await _siblings(unit, provider, model, asked.category)
        if offers:
            narrowed = asked.wanted.narrowed(Axis.PROVIDER, provider).narrowed(Axis.MODEL, model)
            prices = await elsewhere_of(unit, asked, narrowed, offers)
            one = cheaper_models(provider, model, prices)
            found += [] if one is None else [one]
    dear = dear_provider(stats)
    found += [] if dear is None else [dear]
    found += cached_prompts(await long_prompts(unit, asked.wanted), asked.book, asked.now_us)
    found += paid_failure(stats, await paid_failures(unit, asked.wanted))
    return in_order(found)


async def elsewhere_of(
    unit: Unit, asked: Asked, wanted: Slice, offers: Sequence[Offer]
) -> list[Elsewhere]:
    """Return what the usage of a slice would have cost with other models."""
    real = await real_usage(unit, wanted, asked.category, asked.zone)
    return priced_elsewhere(real, offers, asked.book)


async def _siblings(unit: Unit, provider: str, model: str, category: str) -> list[Offer]:
    """Return that provider's other models that can do all that a model can, by the catalogue."""
    wanted = ModelFilter(model_type=category, provider=provider, is_active=True)
    rows = await model_store.list_models(unit, wanted, None, OFFERS_MAX)
    current = next((row for row in rows if row.model_name == model), None)
    if current is None:
        return []
    return [(provider, row.model_name) for row in rows if _can_all(row, current)]


def _can_all(other: Model, model: Model) -> bool:
    if other.model_name == model.model_name:
        return False
    able = all(
        getattr(other, name) or not getattr(model, name)
        for name in ("supports_json_mode", "supports_vision", "supports_function_calling")
    )
    window = model.context_window
    return able and (window is None or (other.context_window or 0) >= window)
