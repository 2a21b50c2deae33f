"""How was one model used: by whom, how much, at which provider, and how did it do?"""

from typing import Annotated

from fastapi import APIRouter
from fastapi import Query as QueryParameters
from pydantic import BaseModel, Field

from tollbridge.api.control.insight_providers import (
    NO_TIMES,
    ErrorCount,
    Percentiles,
    percentiles,
)
from tollbridge.api.control.insight_query import SliceQuery, scene_of, slice_of
from tollbridge.api.control.insight_views import (
    InsightChange,
    InsightSums,
    NamedSums,
    Span,
    TopList,
    change_view,
    span_view,
    sums_fields,
    sums_view,
    top_view,
)
from tollbridge.api.control.wallet_views import credits_text
from tollbridge.api.deps import ControlOf, ViewerOf
from tollbridge.core.errors import InvalidRequestError, NotFoundError
from tollbridge.insight.axes import Axis
from tollbridge.insight.cube import breakdown
from tollbridge.insight.flow_queries import credits_taken, nominal_providers
from tollbridge.insight.model_usage import ModelUsage, model_usage

ROWS_MAX = 500
router = APIRouter(prefix="/insight", tags=["insight"])


class ModelUsageView(BaseModel):
    """The usage of one model in a time."""

    span: Span
    previous_span: Span
    name: str
    asked_as: str = Field(description="route: applications ask for it; model: providers are.")
    grain: Axis
    total: InsightSums
    previous: InsightSums
    change: InsightChange
    series: list[NamedSums] = Field(description="By start of the interval; empty ones left out.")
    providers: TopList = Field(description="By actual provider; of attempts, the asked one.")
    models: TopList = Field(description="What providers were asked for.")
    routes: TopList = Field(description="What applications asked for.")
    users: TopList
    projects: TopList
    status_classes: TopList
    latency_ms: Percentiles | None = Field(description="Null where only some users' are meant.")
    first_byte_ms: Percentiles | None = Field(description="Likewise.")
    errors: list[ErrorCount] = Field(description="Of attempts, by how often; newest failures.")


class ModelProvider(InsightSums):
    """What users ask for, beside who served it."""

    model: str
    expected_provider: str | None = Field(
        description="Of the catalogue, else of the route's first candidate; null: unknown."
    )
    provider: str = Field(description="The actual one.")
    credits: str | None = Field(
        description="Taken from wallets, where all calls could be looked at; null: not known."
    )


class ModelProvidersView(BaseModel):
    """User-facing models against actual providers."""

    span: Span
    rows: list[ModelProvider] = Field(description="The most calls first.")
    rest_count: int = Field(description="How many more there are.")


@router.get("/model-providers")
async def show_model_providers(
    query: Annotated[SliceQuery, QueryParameters()], viewer: ViewerOf, control: ControlOf
) -> ModelProvidersView:
    """Compare the models that users ask for with who really served them: cost, charge, credits.

    Tokens and cost are those of the attempts at the provider.
    """
    scene = scene_of(viewer, control)
    wanted = slice_of(query, scene)
    axes = (Axis.ROUTE, Axis.PROVIDER)
    async with control.services.database.read() as unit:
        found = await breakdown(unit, wanted, axes, scene.zone, top=ROWS_MAX, order="calls")
        nominal = await nominal_providers(unit)
        taken = await credits_taken(unit, wanted)
    return ModelProvidersView(
        span=span_view(wanted.from_us, wanted.to_us),
        rows=[
            ModelProvider(
                model=group[0],
                expected_provider=nominal.get(group[0]),
                provider=group[1],
                credits=credits_text(taken.by_route.get((group[0], group[1]), 0))
                if taken.is_complete
                else None,
                **sums_fields(of),
            )
            for group, of in found.groups
        ],
        rest_count=found.rest_groups,
    )


@router.get("/models/{name:path}")
async def show_model(
    name: str,
    query: Annotated[SliceQuery, QueryParameters()],
    viewer: ViewerOf,
    control: ControlOf,
) -> ModelUsageView:
    """Show how one model was used: what applications ask for, else what providers are asked for.

    404 where neither was called in this time.
    """
    scene = scene_of(viewer, control)
    wanted = slice_of(query, scene)
    for axis in (Axis.ROUTE, Axis.MODEL):
        if axis in wanted.only:
            raise InvalidRequestError(
                "the address names the model already", details={"param": axis.value}
            )
    async with control.services.database.read() as unit:
        found = await model_usage(unit, wanted, name, scene.zone)
    if found is None:
        raise NotFoundError(f"no call of {name[:100]!r} in this time")
    return _view(name, found)


def _view(name: str, found: ModelUsage) -> ModelUsageView:
    times = found.times
    return ModelUsageView(
        span=span_view(found.wanted.from_us, found.wanted.to_us),
        previous_span=span_view(found.before.from_us, found.before.to_us),
        name=name,
        asked_as=found.asked_as.value,
        grain=found.grain,
        total=sums_view(found.total),
        previous=sums_view(found.total_before),
        change=change_view(found.total, found.total_before),
        series=[NamedSums(name=at, **sums_fields(of)) for at, of in found.series],
        providers=top_view(*found.tops[Axis.PROVIDER]),
        models=top_view(*found.tops[Axis.MODEL]),
        routes=top_view(*found.tops[Axis.ROUTE]),
        users=top_view(*found.tops[Axis.USER], attempts=False),
        projects=top_view(*found.tops[Axis.PROJECT], attempts=False),
        status_classes=top_view(*found.tops[Axis.STATUS_CLASS]),
        latency_ms=None if times is None else percentiles((times or NO_TIMES).latency),
        first_byte_ms=None if times is None else percentiles((times or NO_TIMES).first_byte),
        errors=[
            ErrorCount(
                error_class=one.error_class,
                outcome=one.outcome,
                http_status=one.http_status,
                attempts=one.count,
            )
            for one in found.errors
        ],
    )
