"""Which provider should serve, under what the caller demands, and what would save money?"""

from typing import Annotated

from fastapi import APIRouter
from fastapi import Query as QueryParameters
from pydantic import BaseModel, Field

from tollbridge.api.control.insight_costs import offers_used, one_category
from tollbridge.api.control.insight_query import Scene, SliceQuery, scene_of, slice_of
from tollbridge.api.control.insight_views import Span, money, span_view
from tollbridge.api.deps import ControlOf, ViewerOf
from tollbridge.api.provider_statistics import statistics_of
from tollbridge.core.errors import InvalidRequestError
from tollbridge.insight.advice import Asked, advice_for
from tollbridge.insight.axes import Axis, Found, Slice, Times, check_span
from tollbridge.insight.counterfactual import Elsewhere
from tollbridge.insight.cube_queries import few_of, sums
from tollbridge.insight.offer_queries import Offer
from tollbridge.insight.offers import priced_elsewhere, real_usage
from tollbridge.insight.overview import by_place
from tollbridge.insight.provider_queries import latencies
from tollbridge.insight.recommend import (
    Advice,
    Constraints,
    Objective,
    Priority,
    Ranked,
    rank,
)
from tollbridge.insight.statistics import share
from tollbridge.rating.book import PriceBook
from tollbridge.storage.unit import Unit

MILLISECONDS_MAX = 3_600_000
ATTEMPTS_MAX = 1_000_000_000
router = APIRouter(prefix="/insight", tags=["insight"])


class RecommendationQuery(SliceQuery):
    """For which calls, and under which constraints; `provider` names those that may be taken."""

    objective: Objective = Field(
        default=Objective.COST, description="cost per success, success at least, or p95 latency."
    )
    min_calls: int = Field(
        default=30, ge=1, le=ATTEMPTS_MAX, description="Attempts below which nobody is judged."
    )
    min_success_rate: float = Field(
        default=0.8, ge=0, le=1, description="Just this is not enough, unless it is 0 or 1."
    )
    max_latency_ms: int | None = Field(
        default=None, ge=1, le=MILLISECONDS_MAX, description="Of the p95."
    )
    max_first_byte_ms: int | None = Field(
        default=None, ge=1, le=MILLISECONDS_MAX, description="Of the p95."
    )
    enabled_only: bool = Field(default=True, description="Whether an endpoint must be enabled.")


class RankedView(BaseModel):
    """One provider in the ranking."""

    rank: int | None = Field(description="Null: it does not hold the constraints.")
    provider: str
    model: str | None = Field(description="The one it was mostly asked for; null: none.")
    enabled: bool
    attempts: int
    successes: int
    success_rate: float | None
    success_interval: tuple[float, float] | None = Field(description="95 %, Wilson.")
    cost_per_success_usd: str | None
    latency_ms_p95: int | None
    first_byte_ms_p95: int | None
    why_not: list[str] = Field(description="Why it is not recommended; empty: it may be.")
    saving_usd: str | None = Field(
        description="What the usage of this time would have cost less with its model; below zero: "
        "more. Null: not to be told."
    )
    saving_notes: list[str]


class AdviceView(BaseModel):
    """One thing that would save money."""

    kind: str = Field(description="cheaper_model, dear_provider, long_prompts, paid_failures.")
    priority: Priority
    text: str
    saving_usd: str | None = Field(description="Of this time; null: the books cannot tell.")
    provider: str
    model: str | None
    instead_provider: str | None
    instead_model: str | None
    notes: list[str]


class RecommendationsView(BaseModel):
    """The ranking of a category's providers, and what else would save money."""

    span: Span
    category: str
    objective: Objective
    recommended: str | None
    reason: str | None = Field(description="Why nobody is recommended; else null.")
    ranking: list[RankedView]
    advice: list[AdviceView] = Field(description="By priority, then by what it saves.")


@router.get("/recommendations")
async def show_recommendations(
    query: Annotated[RecommendationQuery, QueryParameters()], viewer: ViewerOf, control: ControlOf
) -> RecommendationsView:
    """Rank the providers of a category by what they really did, and say what would save money.

    By cost per success, so that one that fails for nothing never looks cheap. Savings are what the
    real usage would have cost elsewhere, by the prices in force.
    """
    async with control.services.database.read() as unit:
        book = await control.price_books.current(unit)
        return await read_recommendations(unit, query, scene_of(viewer, control), book)


async def read_recommendations(
    unit: Unit, query: RecommendationQuery, scene: Scene, book: PriceBook
) -> RecommendationsView:
    """Return the ranking and the advice."""
    wanted = slice_of(query, scene)
    check_span(wanted.from_us, wanted.to_us)
    category = one_category(wanted)
    constraints = _constraints(query, wanted.only.get(Axis.PROVIDER, ()))
    wanted = wanted.without(Axis.PROVIDER).narrowed(Axis.CATEGORY, category)
    few = await few_of(unit, wanted)
    used = await sums(unit, wanted, (Axis.PROVIDER, Axis.MODEL), scene.zone, few=few)
    groups = {(category, provider): of for provider, of in by_place(used, 0).items()}
    stats = [one for one in await statistics_of(unit, groups, scene) if one.category == category]
    times = await _times(unit, wanted, scene, constraints)
    real = await real_usage(unit, wanted, category, scene.zone, few)
    asked = Asked(wanted, category, scene.now_us, book, real)
    ranking = rank(stats, times, constraints)
    models = _models(used)
    offers: list[Offer] = [
        (one.stat.provider, models[one.stat.provider])
        for one in ranking
        if one.stat.provider in models
    ]
    prices = {one.offer[0]: one for one in priced_elsewhere(real, offers, book)}
    advice = await advice_for(unit, asked, stats, used)
    best = next((one for one in ranking if not one.why_not), None)
    return RecommendationsView(
        span=span_view(wanted.from_us, wanted.to_us),
        category=category,
        objective=query.objective,
        recommended=None if best is None else best.stat.provider,
        reason=None if best is not None else "no provider holds all constraints; see why_not",
        ranking=[_ranked(place, one, models, prices) for place, one in enumerate(ranking, start=1)],
        advice=[_advice(one) for one in advice],
    )


def _constraints(query: RecommendationQuery, named: tuple[str, ...]) -> Constraints:
    return Constraints(
        objective=query.objective,
        calls_min=query.min_calls,
        success_rate_above=query.min_success_rate,
        latency_ms_p95_max=query.max_latency_ms,
        first_byte_ms_p95_max=query.max_first_byte_ms,
        providers=named,
        enabled_only=query.enabled_only,
    )


async def _times(
    unit: Unit, wanted: Slice, scene: Scene, constraints: Constraints
) -> dict[tuple[str, ...], Times]:
    if wanted.sight is None and not {Axis.USER, Axis.KEY} & wanted.only.keys():
        return await latencies(unit, wanted, (Axis.CATEGORY, Axis.PROVIDER), scene.zone)
    needed = (constraints.latency_ms_p95_max, constraints.first_byte_ms_p95_max)
    if any(one is not None for one in needed) or constraints.objective is Objective.LATENCY:
        raise InvalidRequestError(
            "how long the calls of some users alone took is not kept as a histogram",
            details={"param": "objective"},
        )
    return {}


def _models(used: Found) -> dict[str, str]:
    """Return provider → the model that it answered most often."""
    ranked = sorted(offers_used(used), key=lambda offer: used.groups[offer].successes)
    return dict(ranked)


def _ranked(
    place: int, one: Ranked, models: dict[str, str], prices: dict[str, Elsewhere]
) -> RankedView:
    stat = one.stat
    price = prices.get(stat.provider)
    return RankedView(
        rank=None if one.why_not else place,
        provider=stat.provider,
        model=models.get(stat.provider),
        enabled=stat.enabled,
        attempts=stat.requests,
        successes=stat.successes,
        success_rate=share(stat.successes, stat.requests),
        success_interval=one.interval,
        cost_per_success_usd=money(stat.cost_per_success_usd),
        latency_ms_p95=one.latency_ms_p95,
        first_byte_ms_p95=one.first_byte_ms_p95,
        why_not=list(one.why_not),
        saving_usd=None if price is None else money(price.saving_usd),
        saving_notes=[] if price is None else [*price.approximations, *price.reasons],
    )


def _advice(one: Advice) -> AdviceView:
    provider, model = one.instead or (None, None)
    return AdviceView(
        kind=one.kind,
        priority=one.priority,
        text=one.text,
        saving_usd=money(one.saving_usd),
        provider=one.provider,
        model=one.model,
        instead_provider=provider,
        instead_model=model,
        notes=list(one.notes),
    )
