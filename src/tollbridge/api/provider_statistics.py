"""How did each provider of a category do, as the document on several providers shows it?

Keys, arithmetic and JSON numbers are the document's: average cost and time are by all requests,
failed ones too. What they hide (a provider that fails for nothing looks cheap) is told at
`/api/v1/insight/providers`.
"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from tollbridge.api.control.call_views import plain_usd
from tollbridge.api.control.insight_query import PeriodQuery, Scene, scene_of, span_of
from tollbridge.api.deps import Control, ControlOf, Viewer, ViewerOf
from tollbridge.api.numbers import answer_with_numbers
from tollbridge.core.call import Category
from tollbridge.core.money import to_usd
from tollbridge.insight.axes import Axis, Group, Slice, Sums
from tollbridge.insight.cube_queries import sums
from tollbridge.insight.provider_stats import (
    ProviderStat,
    by_cost,
    category_of,
    places,
    recommended,
    statistics,
)
from tollbridge.insight.statistics import percent
from tollbridge.routing import store as routing_store
from tollbridge.storage.unit import Unit

router = APIRouter(prefix="/providers", tags=["as in the documents"])


class ProviderStatistics(BaseModel):
    """One provider in one category. Money is a number of US dollars."""

    category: str = Field(description="In upper case.")
    provider: str
    priority: int | None = Field(description="Lower is tried first; null: no endpoint of it.")
    enabled: bool
    requests: int = Field(description="Attempts at it.")
    successes: int
    failures: int
    success_rate: float = Field(
        serialization_alias="successRate", description="Percent, two decimals; 0 without requests."
    )
    total_cost: float | None = Field(
        serialization_alias="totalCost", description="Of what is known; null where nothing is."
    )
    average_cost: float | None = Field(
        serialization_alias="avgCost",
        description="totalCost by requests; null where a part of the cost is unknown.",
    )
    average_time: int = Field(
        serialization_alias="avgTime", description="Milliseconds, by requests."
    )


class ProviderCost(BaseModel):
    """What one provider costs."""

    provider: str
    average_cost: float | None = Field(serialization_alias="avgCost")
    success_rate: float = Field(serialization_alias="successRate")


class RecommendedProvider(BaseModel):
    """Which provider to take."""

    recommended: str | None
    reason: str | None = Field(None, description="Why there is none; else left out.")


Period = Annotated[PeriodQuery, Query()]


@router.get("/stats", response_model=list[ProviderStatistics])
async def show_statistics(query: Period, viewer: ViewerOf, control: ControlOf) -> Response:
    """Tell of all providers in all categories how they did: of all time, or of a period.

    Whoever is no admin is told of the calls that they may see.
    """
    return answer_with_numbers([_shown(one) for one in await _read(query, viewer, control)])


@router.get("/stats/{category}", response_model=list[ProviderStatistics])
async def show_category(
    category: str, query: Period, viewer: ViewerOf, control: ControlOf
) -> Response:
    """Tell of the providers of one category, in any case, how they did."""
    found = await _read(query, viewer, control, category_of(category))
    return answer_with_numbers([_shown(one) for one in found])


@router.get("/cost/{category}", response_model=list[ProviderCost])
async def show_costs(
    category: str, query: Period, viewer: ViewerOf, control: ControlOf
) -> Response:
    """List the providers of a category that were asked, the cheapest first."""
    found = by_cost(await _read(query, viewer, control, category_of(category)))
    names = ("provider", "avgCost", "successRate")
    return answer_with_numbers([{name: _shown(one)[name] for name in names} for one in found])


@router.get(
    "/recommended/{category}", response_model=RecommendedProvider, response_model_exclude_none=True
)
async def show_recommended(
    category: str, query: Period, viewer: ViewerOf, control: ControlOf
) -> Response:
    """Name the cheapest provider that served more than 80 % of at least one request."""
    name, reason = recommended(await _read(query, viewer, control, category_of(category)))
    return answer_with_numbers(
        {"recommended": name} | ({} if reason is None else {"reason": reason})
    )


async def _read(
    query: PeriodQuery, viewer: Viewer, control: Control, category: Category | None = None
) -> list[ProviderStat]:
    scene = scene_of(viewer, control)
    from_us, to_us = span_of(query, scene, all_time=True)
    only = {} if category is None else {Axis.CATEGORY: (category.value,)}
    wanted = Slice(from_us=from_us, to_us=to_us, only=only, sight=scene.sight)
    async with control.services.database.read() as unit:
        found = await read_statistics(unit, wanted, scene)
    return [one for one in found if category is None or one.category == category.value]


async def read_statistics(unit: Unit, wanted: Slice, scene: Scene) -> list[ProviderStat]:
    """Return the statistics of all providers that are configured, or were asked."""
    axes = (Axis.CATEGORY, Axis.PROVIDER)
    return await statistics_of(unit, (await sums(unit, wanted, axes, scene.zone)).groups, scene)


async def statistics_of(
    unit: Unit, groups: Mapping[Group, Sums], scene: Scene
) -> list[ProviderStat]:
    """Return the same from sums that were read already, by (category, provider)."""
    rows = await routing_store.list_endpoints(unit)
    return statistics(groups, places(rows, scene.here))


def _shown(one: ProviderStat) -> dict[str, Any]:
    """Return the keys that the document shows, in its order."""
    sums, requests = one.sums, one.requests
    is_known = one.cost_is_known or sums.cost_nanousd
    average = one.average_cost_usd
    return {
        "category": one.category.upper(),
        "provider": one.provider,
        "priority": None if one.place is None else one.place.priority,
        "enabled": one.enabled,
        "requests": requests,
        "successes": one.successes,
        "failures": one.failures,
        "successRate": _number(percent(one.successes, requests)),
        "totalCost": _number(to_usd(sums.cost_nanousd)) if is_known else None,
        "avgCost": None if average is None else _number(average),
        "avgTime": (sums.latency_ms_sum * 2 + requests) // (2 * requests) if requests else 0,
    }


def _number(exact: Decimal) -> Decimal:
    """Return an exact number that JSON writes without exponent and without needless zeros."""
    return Decimal(plain_usd(exact))
