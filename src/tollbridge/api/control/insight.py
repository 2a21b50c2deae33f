"""What does usage come to: at one look, told apart, and by who was expected to serve?"""

from typing import Annotated, Any, Literal

from fastapi import APIRouter
from fastapi import Query as QueryParameters
from pydantic import BaseModel, Field

from tollbridge.api.control.insight_query import Scene, SliceQuery, Words, scene_of, slice_of
from tollbridge.api.control.insight_views import (
    InsightChange,
    InsightSums,
    Span,
    TopList,
    change_view,
    named,
    span_view,
    sums_fields,
    sums_view,
    top_view,
)
from tollbridge.api.deps import ControlOf, ViewerOf
from tollbridge.core.clock import to_text
from tollbridge.core.errors import InvalidRequestError
from tollbridge.insight.axes import TIMES, VALUES_MAX, Axis, Slice, check_span
from tollbridge.insight.axes import previous as previous_of
from tollbridge.insight.cube import breakdown
from tollbridge.insight.cube_queries import sums
from tollbridge.insight.flow_queries import fallbacks
from tollbridge.insight.flows import flows_of
from tollbridge.insight.overview import Overview, overview
from tollbridge.insight.statistics import share
from tollbridge.storage.unit import Unit

TOP_MAX = 1000
GROUP_BY_MAX = 100
OF_CALLERS = frozenset({"users", "keys"})
router = APIRouter(prefix="/insight", tags=["insight"])


class SeriesPoint(BaseModel):
    """One interval of one provider."""

    at: str = Field(description="Start of the hour, day, or month (YYYY-MM); a week's Monday.")
    provider: str | None = Field(description="Actual provider; null: all that are not shown.")
    cost_usd: str | None
    calls: int
    attempts: int
    total_tokens: int


class Shares(BaseModel):
    """How much of it is not sure; 0 to 1, null without usage."""

    unpriced: float | None
    estimated: float | None


class OverviewView(BaseModel):
    """A time at one look. Exact: from roll-ups."""

    span: Span
    previous_span: Span
    grain: Axis
    total: InsightSums
    previous: InsightSums
    change: InsightChange
    shares: Shares
    series: list[SeriesPoint] = Field(description="In the order of time; empty ones left out.")
    providers: TopList
    models: TopList
    users: TopList
    keys: TopList


@router.get("/overview")
async def show_overview(
    query: Annotated[SliceQuery, QueryParameters()], viewer: ViewerOf, control: ControlOf
) -> OverviewView:
    """Show spend, calls, tokens and success of a time, against the one before, and the dearest.

    Else the last 30 days. Whoever is no admin is told of the calls that they may see.
    """
    async with control.services.database.read() as unit:
        return await read_overview(unit, query, scene_of(viewer, control))


async def read_overview(unit: Unit, query: SliceQuery, scene: Scene) -> OverviewView:
    """Return a time at one look."""
    wanted = slice_of(query, scene)
    return _overview_view(wanted, await overview(unit, wanted, scene.zone))


def _overview_view(wanted: Slice, found: Overview) -> OverviewView:
    total = found.total
    tops = {
        kind: top_view(top.groups, top.rest, top.rest_groups, attempts=kind not in OF_CALLERS)
        for kind, top in (
            ("providers", found.providers),
            ("models", found.models),
            ("users", found.users),
            ("keys", found.keys),
        )
    }
    return OverviewView(
        span=span_view(wanted.from_us, wanted.to_us),
        previous_span=span_view(found.before.from_us, found.before.to_us),
        grain=found.grain,
        total=sums_view(total),
        previous=sums_view(found.total_before),
        change=change_view(total, found.total_before),
        shares=Shares(
            unpriced=share(total.unpriced, total.attempts),
            estimated=share(total.estimated, total.attempts),
        ),
        series=[
            SeriesPoint(at=at, provider=provider, **_point(sums_fields(of)))
            for at, provider, of in found.series
        ],
        **tops,
    )


def _point(fields: dict[str, Any]) -> dict[str, Any]:
    return {name: fields[name] for name in ("cost_usd", "calls", "attempts", "total_tokens")}


class BreakdownQuery(SliceQuery):
    """Which usage, told apart by what."""

    group_by: list[Axis] = Field(
        default=[Axis.PROVIDER],
        max_length=GROUP_BY_MAX,
        description="Up to five; at most one of hour, day, week and month.",
    )
    top: int = Field(default=50, ge=1, le=TOP_MAX, description="So many groups; the rest as one.")
    order: Literal[
        "cost",
        "charge",
        "calls",
        "failed",
        "attempts",
        "input_tokens",
        "output_tokens",
        "total_tokens",
        "unpriced",
    ] = Field(default="cost", description="What makes a group large.")
    compare: bool = Field(default=False, description="With the time before, as long.")
    customer: Words = Field(default=[])
    tag: Words = Field(default=[])
    status: list[Literal["COMPLETED", "FAILED"]] = Field(default=[], max_length=VALUES_MAX)
    status_class: list[Literal["1xx", "2xx", "3xx", "4xx", "5xx", "none"]] = Field(
        default=[], max_length=VALUES_MAX
    )


class BreakdownGroup(InsightSums):
    """The sums of one group."""

    group: dict[str, str | None] = Field(description="Grouping → value; null: there is none.")
    previous: InsightSums | None = Field(description="Where it was asked for.")


class BreakdownView(BaseModel):
    """Usage by group."""

    span: Span
    group_by: list[Axis]
    source: Literal["rollups", "details"] = Field(
        description="rollups: exact. details: of the newest calls, up to a bound."
    )
    complete_from: str | None = Field(
        description="Since when all calls are in it, where they are not all; else null."
    )
    total: InsightSums
    groups: list[BreakdownGroup] = Field(description="The largest first; of a time, in its order.")
    rest: InsightSums
    rest_count: int
    previous_span: Span | None
    previous: InsightSums | None


@router.get("/breakdown")
async def show_breakdown(
    query: Annotated[BreakdownQuery, QueryParameters()], viewer: ViewerOf, control: ControlOf
) -> BreakdownView:
    """Sum up calls, tokens and cost by up to five groupings, the largest groups first.

    What roll-ups hold is exact; customers, tags and status are read from the newest 50,000 calls.
    Of several tags a call counts in each of their groups. 400 for what would take too long.
    """
    scene = scene_of(viewer, control)
    wanted = slice_of(query, scene)
    zone, axes = scene.zone, tuple(query.group_by)
    if query.compare and any(axis in TIMES for axis in axes):
        raise InvalidRequestError(
            "a series is compared by asking for the time before it", details={"param": "compare"}
        )
    order = {"cost": "cost_nanousd", "charge": "charge_nanousd"}.get(query.order, query.order)
    async with control.services.database.read() as unit:
        found = await breakdown(
            unit, wanted, axes, zone, top=query.top, order=order, compare=query.compare
        )
    before, told = found.before, found.has_attempts
    earlier = previous_of(wanted, zone)
    groups = [
        BreakdownGroup(
            group=named(axes, group),
            previous=None if before is None else sums_view(before.of(group), attempts=told),
            **sums_fields(of, attempts=told),
        )
        for group, of in found.groups
    ]
    return BreakdownView(
        span=span_view(wanted.from_us, wanted.to_us),
        group_by=list(axes),
        source="rollups" if found.source == "rollups" else "details",
        complete_from=None if found.complete_from_us is None else to_text(found.complete_from_us),
        total=sums_view(found.total, attempts=told),
        groups=groups,
        rest=sums_view(found.rest, attempts=told),
        rest_count=found.rest_groups,
        previous_span=None if before is None else span_view(earlier.from_us, earlier.to_us),
        previous=None if before is None else sums_view(before.total, attempts=told),
    )


class FlowView(BaseModel):
    """Calls that one provider was expected to serve, and another, or the same, did."""

    expected: str | None = Field(description="Null: the plan of the call named nobody.")
    actual: str
    calls: int
    completed: int


class ExpectedView(BaseModel):
    """The calls that one provider was expected to serve."""

    provider: str | None
    calls: int
    elsewhere: int = Field(description="Of these, so many ended at another provider.")
    elsewhere_share: float | None


class FlowsView(BaseModel):
    """From the expected to the actual provider."""

    span: Span
    calls: int
    fell_back: int = Field(description="Calls for which more than one candidate was tried.")
    fallback_share: float | None
    is_complete: bool = Field(description="False: of the calls that fell back, only the newest.")
    flows: list[FlowView] = Field(description="The most frequent first.")
    expected: list[ExpectedView]


@router.get("/flows")
async def show_flows(
    query: Annotated[SliceQuery, QueryParameters()], viewer: ViewerOf, control: ControlOf
) -> FlowsView:
    """Tell how often each provider served what another was expected to.

    A call for which one candidate was tried went where it was expected to go.
    """
    scene = scene_of(viewer, control)
    wanted = slice_of(query, scene)
    check_span(wanted.from_us, wanted.to_us)
    for axis in (Axis.PROVIDER, Axis.UPSTREAM, Axis.MODEL, Axis.USAGE_SOURCE):
        if axis in wanted.only:
            raise InvalidRequestError(
                f"flows are not filtered by {axis.value}: it is what they tell apart",
                details={"param": axis.value},
            )
    async with control.services.database.read() as unit:
        served = await sums(unit, wanted, (Axis.PROVIDER,), scene.zone, attempts=False)
        fell = await fallbacks(unit, wanted)
    found = flows_of(served.groups, fell)
    return FlowsView(
        span=span_view(wanted.from_us, wanted.to_us),
        calls=found.calls,
        fell_back=found.fell_back,
        fallback_share=share(found.fell_back, found.calls),
        is_complete=fell.is_complete,
        flows=[
            FlowView(
                expected=one.expected or None,
                actual=one.actual,
                calls=one.calls,
                completed=one.completed,
            )
            for one in found.flows
        ],
        expected=[
            ExpectedView(
                provider=one.provider or None,
                calls=one.calls,
                elsewhere=one.elsewhere,
                elsewhere_share=share(one.elsewhere, one.calls),
            )
            for one in found.expected
        ],
    )
