"""What do providers charge, what would usage have cost elsewhere, and what should be done?"""

from typing import Annotated

from fastapi import APIRouter
from fastapi import Query as QueryParameters
from pydantic import BaseModel, Field

from tollbridge.api.control.insight_query import (
    PeriodQuery,
    Scene,
    SliceQuery,
    Word,
    scene_of,
    slice_of,
    span_of,
)
from tollbridge.api.control.insight_views import Span, money, span_view
from tollbridge.api.deps import ControlOf, ViewerOf
from tollbridge.core.clock import to_text
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.money import usd_text
from tollbridge.insight.axes import Axis, Found, Slice, Sums, check_span
from tollbridge.insight.counterfactual import Elsewhere
from tollbridge.insight.cube_queries import sums
from tollbridge.insight.offer_queries import Offer
from tollbridge.insight.offers import (
    OFFERS_MAX,
    Charged,
    charged,
    offers_of,
    priced_elsewhere,
    real_usage,
)
from tollbridge.insight.provider_stats import Place, ProviderStat, category_of, places
from tollbridge.rating.book import PriceBook
from tollbridge.rating.conditions import as_mapping
from tollbridge.routing import store as routing_store
from tollbridge.storage.unit import Unit

router = APIRouter(prefix="/insight", tags=["insight"])


class CostsQuery(PeriodQuery):
    """Of which model, and of which time."""

    model: Word | None = Field(
        default=None, description="A route, or a model: whoever offers it, under any prefix."
    )


class OfferRate(BaseModel):
    """What one unit costs by now."""

    unit: str
    rate_usd: str | None
    per: int
    conditions: dict[str, str] = Field(description="What a call must be for it; empty: any.")
    since: str


class NominalPrice(BaseModel):
    """From when on a nominal call has cost so much."""

    from_: str = Field(serialization_alias="from")
    nominal_usd: str | None = Field(description="Null: there was no price.")


class OfferView(BaseModel):
    """One provider's model: what it charges, and what its attempts really came to."""

    provider: str
    model: str
    enabled: bool
    priority: int | None
    nominal_usd: str | None = Field(
        description="Of a nominal call: 1,000 tokens of text of which a quarter is output, one "
        "square image, 5 s of film, 1,000 characters of speech. Null: no price is known."
    )
    rates: list[OfferRate]
    history: list[NominalPrice]
    attempts: int
    successes: int
    unpriced: int
    cost_usd: str
    average_cost_usd: str | None
    cost_per_success_usd: str | None


class CostsView(BaseModel):
    """What providers charge for a category, or for a model."""

    span: Span
    category: str
    model: str | None
    offers: list[OfferView] = Field(description="The cheapest nominal call first.")


@router.get("/costs/{category}")
async def show_costs(
    category: str,
    query: Annotated[CostsQuery, QueryParameters()],
    viewer: ViewerOf,
    control: ControlOf,
) -> CostsView:
    """Compare what each provider charges now, has charged over time, and really came to.

    Of a category in any case: the models that were used, and each provider's default; of a model,
    all that are offered by that name.
    """
    async with control.services.database.read() as unit:
        book = await control.price_books.current(unit)
        return await read_costs(unit, category, query, scene_of(viewer, control), book)


async def read_costs(
    unit: Unit, category: str, query: CostsQuery, scene: Scene, book: PriceBook
) -> CostsView:
    """Return what each provider charges."""
    name = category_of(category).value
    from_us, to_us = span_of(query, scene)
    check_span(from_us, to_us)
    only = {Axis.CATEGORY: (name,)}
    wanted = Slice(from_us=from_us, to_us=to_us, only=only, sight=scene.sight)
    found = await sums_by_offer(unit, wanted, query.model, scene)
    rows = await routing_store.list_endpoints(unit)
    offers = await offers_of(unit, name, query.model, rows, offers_used(found))
    configured = places(rows, scene.here)
    charges = [charged(offer, name, (from_us, to_us), scene.now_us, book) for offer in offers]
    charges.sort(key=lambda one: (one.nominal_usd is None, one.nominal_usd or 0, one.offer))
    return CostsView(
        span=span_view(from_us, to_us),
        category=name,
        model=query.model,
        offers=[_offer(one, found.of(one.offer), name, configured) for one in charges],
    )


async def sums_by_offer(unit: Unit, wanted: Slice, model: str | None, scene: Scene) -> Found:
    """Return the sums of attempts by provider and model: of all, or of what asked for a model."""
    axes = (Axis.PROVIDER, Axis.MODEL)
    zone = scene.zone
    if model is None:
        return await sums(unit, wanted, axes, zone)
    found = await sums(unit, wanted.narrowed(Axis.ROUTE, model), axes, zone)
    if not found.groups:
        found = await sums(unit, wanted.narrowed(Axis.MODEL, model), axes, zone)
    return found


def offers_used(found: Found) -> list[Offer]:
    """Return what was used, the dearest first."""
    ranked = sorted(found.groups, key=lambda group: -found.groups[group].cost_nanousd)
    return [(group[0], group[1]) for group in ranked if group[1] and found.groups[group].attempts]


def _offer(
    one: Charged, used: Sums, category: str, configured: dict[tuple[str, str], Place]
) -> OfferView:
    provider, model = one.offer
    stat = ProviderStat(category, provider, configured.get((category, provider)), used)
    return OfferView(
        provider=provider,
        model=model,
        enabled=stat.enabled,
        priority=None if stat.place is None else stat.place.priority,
        nominal_usd=money(one.nominal_usd),
        rates=[
            OfferRate(
                unit=row.unit,
                rate_usd=row.rate_usd,
                per=row.per,
                conditions=as_mapping(row.conditions),
                since=to_text(row.valid_from_us),
            )
            for row in one.rates
        ],
        history=[
            NominalPrice(from_=to_text(step.from_us), nominal_usd=money(step.nominal_usd))
            for step in one.history
        ],
        attempts=stat.requests,
        successes=stat.successes,
        unpriced=used.unpriced,
        cost_usd=usd_text(used.cost_nanousd),
        average_cost_usd=money(stat.average_cost_usd if stat.requests else None),
        cost_per_success_usd=money(stat.cost_per_success_usd),
    )


class CounterfactualQuery(SliceQuery):
    """Of which usage, and with which models instead."""

    candidate: Annotated[list[Word], Field(max_length=OFFERS_MAX)] = Field(
        default=[], description="provider/model, up to 20; else those that could have served."
    )


class CounterfactualView(BaseModel):
    """What usage would have cost with one provider's model."""

    provider: str
    model: str
    cost_usd: str | None = Field(description="Of `calls_priced`; null: nothing could be priced.")
    calls_priced: int
    calls_unpriced: int
    reasons: list[str] = Field(description="Why some could not be priced.")
    calls_compared: int = Field(description="Calls of which both costs are known.")
    actual_usd: str | None = Field(description="What those really cost.")
    compared_usd: str | None = Field(description="What those would have cost.")
    saving_usd: str | None = Field(description="actual_usd less compared_usd.")
    approximations: list[str]


class CounterfactualsView(BaseModel):
    """What real usage would have cost elsewhere, by the prices in force at the time."""

    span: Span
    category: str
    calls: int
    calls_without_usage: int = Field(description="Of these nothing can be said; left out.")
    candidates: list[CounterfactualView] = Field(description="The cheapest first.")


@router.get("/counterfactual")
async def show_counterfactual(
    query: Annotated[CounterfactualQuery, QueryParameters()], viewer: ViewerOf, control: ControlOf
) -> CounterfactualsView:
    """Price the real usage of a time with other providers' models, day by day.

    Tokens are those that were counted by who served; another model may count others.
    """
    async with control.services.database.read() as unit:
        book = await control.price_books.current(unit)
        return await read_counterfactual(unit, query, scene_of(viewer, control), book)


async def read_counterfactual(
    unit: Unit, query: CounterfactualQuery, scene: Scene, book: PriceBook
) -> CounterfactualsView:
    """Return what the usage of a time would have cost elsewhere."""
    wanted = slice_of(query, scene)
    check_span(wanted.from_us, wanted.to_us)
    category = one_category(wanted)
    asked = [_offer_of(text) for text in query.candidate]
    offers = asked or await likely_offers(unit, wanted, category, scene)
    real = await real_usage(unit, wanted, category, scene.zone)
    return CounterfactualsView(
        span=span_view(wanted.from_us, wanted.to_us),
        category=category,
        calls=real.calls,
        calls_without_usage=real.calls_without_usage,
        candidates=[_counterfactual(one) for one in priced_elsewhere(real, offers, book)],
    )


def one_category(wanted: Slice) -> str:
    """Return the category asked about, else text. Raises InvalidRequestError for several."""
    names = wanted.only.get(Axis.CATEGORY, ("text",))
    if len(names) != 1:
        raise InvalidRequestError(
            "usage is priced of one category at a time", details={"param": "category"}
        )
    return names[0]


def _offer_of(text: str) -> Offer:
    provider, slash, model = text.partition("/")
    if not provider or not slash or not model:
        raise InvalidRequestError(
            f"a candidate is provider/model, and not {text[:50]!r}", details={"param": "candidate"}
        )
    return provider, model


async def likely_offers(unit: Unit, wanted: Slice, category: str, scene: Scene) -> list[Offer]:
    """Return the models that could have served what is asked about."""
    routes = wanted.only.get(Axis.ROUTE, ())
    route = routes[0] if len(routes) == 1 else None
    narrowed = wanted.narrowed(Axis.CATEGORY, category)
    found = await sums_by_offer(unit, narrowed, None, scene)
    rows = await routing_store.list_endpoints(unit)
    return await offers_of(unit, category, route, rows, offers_used(found))


def _counterfactual(one: Elsewhere) -> CounterfactualView:
    return CounterfactualView(
        provider=one.offer[0],
        model=one.offer[1],
        cost_usd=money(one.cost_usd),
        calls_priced=one.calls_priced,
        calls_unpriced=one.calls_unpriced,
        reasons=list(one.reasons),
        calls_compared=one.calls_compared,
        actual_usd=money(one.actual_usd),
        compared_usd=money(one.compared_usd),
        saving_usd=money(one.saving_usd),
        approximations=list(one.approximations),
    )
