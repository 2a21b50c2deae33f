"""Which provider serves best, what does each cost, and what should be done about it?"""

from collections.abc import Sequence
from typing import Annotated

from fastapi import APIRouter
from fastapi import Query as QueryParameters
from pydantic import BaseModel, Field

from tollbridge.api.control.insight_query import Scene, SliceQuery, scene_of, slice_of
from tollbridge.api.control.insight_views import (
    InsightSums,
    Span,
    money,
    span_view,
    sums_fields,
)
from tollbridge.api.deps import ControlOf, ViewerOf
from tollbridge.api.provider_statistics import read_statistics
from tollbridge.core.call import Category
from tollbridge.core.clock import to_text
from tollbridge.insight.axes import Axis, FoundTimes, Histogram, Slice, Times, check_span
from tollbridge.insight.cube_detail_queries import times_of_details
from tollbridge.insight.provider_queries import FailureReason, failures, latencies
from tollbridge.insight.provider_stats import ProviderStat
from tollbridge.insight.statistics import percentile, share, wilson
from tollbridge.storage.unit import Unit

NO_TIMES = Times({}, {})
TIMED_CALLS_MAX = 20_000
"""The newest, of which is said how long they took where only some users' are meant."""

router = APIRouter(prefix="/insight", tags=["insight"])


class Percentiles(BaseModel):
    """Milliseconds, within 1/16; null where nothing was measured."""

    p50: int | None
    p95: int | None
    p99: int | None


class ErrorCount(BaseModel):
    """Why attempts did not go well."""

    error_class: str | None
    outcome: str = Field(description="failed, broke, unknown (never answered), cut_short.")
    http_status: int | None
    attempts: int


class ProviderView(InsightSums):
    """One provider in one category."""

    provider: str
    category: str
    priority: int | None = Field(description="Lower is tried first; null: no endpoint of it.")
    enabled: bool
    attempt_success_rate: float | None = Field(description="Of attempts, 0 to 1.")
    success_interval: tuple[float, float] | None = Field(
        description="Within which the true rate is with 95 % confidence (Wilson)."
    )
    average_cost_usd: str | None = Field(description="By attempts; null where some is unknown.")
    cost_per_success_usd: str | None = Field(
        description="What one answer costs, with what failed; null where some is unknown."
    )
    latency_ms: Percentiles = Field(description="How long attempts took.")
    first_byte_ms: Percentiles = Field(
        description="The time to the first token of a stream, of others to the answer."
    )
    output_tokens_per_s: float | None = Field(
        description="Of text: output by the time that attempts took."
    )
    errors: list[ErrorCount]


class ProvidersView(BaseModel):
    """How providers did: the figures of attempts, whoever served in the end."""

    span: Span
    errors_complete: bool = Field(description="False: errors are those of the newest failures.")
    times_complete_from: str | None = Field(
        description="Of one user's, one key's or some projects' calls the times are those of the "
        f"newest {TIMED_CALLS_MAX:,}: since when all are in them. Null: all are in them."
    )
    providers: list[ProviderView] = Field(description="By category, in the order they are tried.")


@router.get("/providers")
async def show_providers(
    query: Annotated[SliceQuery, QueryParameters()], viewer: ViewerOf, control: ControlOf
) -> ProvidersView:
    """Tell how providers did: success, what one answer costs, how long it took, what went wrong."""
    async with control.services.database.read() as unit:
        return await read_providers(unit, query, scene_of(viewer, control))


async def read_providers(unit: Unit, query: SliceQuery, scene: Scene) -> ProvidersView:
    """Return how providers did."""
    wanted = slice_of(query, scene)
    check_span(wanted.from_us, wanted.to_us)
    found = await read_statistics(unit, wanted, scene)
    failed = await failures(unit, wanted)
    axes = Axis.CATEGORY, Axis.PROVIDER
    if wanted.sight is None and not {Axis.USER, Axis.KEY} & wanted.only.keys():
        times = FoundTimes(await latencies(unit, wanted, axes, scene.zone))
    else:
        times = await times_of_details(unit, wanted, axes, TIMED_CALLS_MAX)
    return ProvidersView(
        span=span_view(wanted.from_us, wanted.to_us),
        errors_complete=failed.is_complete,
        times_complete_from=None
        if times.complete_from_us is None
        else to_text(times.complete_from_us),
        providers=[
            _view(
                one,
                times.groups.get((one.category, one.provider), NO_TIMES),
                failed.by_provider.get((one.category, one.provider), ()),
            )
            for one in found
            if _is_meant(one, wanted)
        ],
    )


def _is_meant(one: ProviderStat, wanted: Slice) -> bool:
    """Return whether a provider is shown: one that was never asked, only where it is meant."""
    for axis, name in ((Axis.CATEGORY, one.category), (Axis.PROVIDER, one.provider)):
        if name not in wanted.only.get(axis, (name,)):
            return False
    others = wanted.only.keys() - {Axis.CATEGORY, Axis.PROVIDER}
    return bool(one.requests) or not others


def _view(one: ProviderStat, times: Times, failed: Sequence[FailureReason]) -> ProviderView:
    sums = one.sums
    milliseconds = sums.latency_ms_sum
    is_text = one.category == Category.TEXT
    return ProviderView(
        provider=one.provider,
        category=one.category,
        priority=None if one.place is None else one.place.priority,
        enabled=one.enabled,
        attempt_success_rate=share(one.successes, one.requests),
        success_interval=wilson(one.successes, one.requests),
        average_cost_usd=money(one.average_cost_usd if one.requests else None),
        cost_per_success_usd=money(one.cost_per_success_usd),
        latency_ms=percentiles(times.latency),
        first_byte_ms=percentiles(times.first_byte),
        output_tokens_per_s=round(sums.output_tokens * 1000 / milliseconds, 3)
        if is_text and milliseconds
        else None,
        errors=[
            ErrorCount(
                error_class=reason.error_class,
                outcome=reason.outcome,
                http_status=reason.http_status,
                attempts=reason.count,
            )
            for reason in failed
        ],
        **sums_fields(sums),
    )


def percentiles(histogram: Histogram) -> Percentiles:
    """Return the percentiles of a histogram."""
    return Percentiles(
        p50=percentile(histogram, 0.5),
        p95=percentile(histogram, 0.95),
        p99=percentile(histogram, 0.99),
    )
