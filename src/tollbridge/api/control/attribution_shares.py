"""How sure are we who served, and of which calls least?"""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from tollbridge.api.control.insight_query import SliceQuery, scene_of, slice_of
from tollbridge.api.control.insight_views import Span, span_view
from tollbridge.api.deps import ControlOf, ViewerOf
from tollbridge.core.account import Confidence
from tollbridge.insight.axes import check_span
from tollbridge.insight.confidence_queries import Sureness, surenesses
from tollbridge.insight.statistics import share

router = APIRouter(prefix="/attribution", tags=["attribution"])
LEAST_SURE = tuple(reversed(Confidence))
DOUBTED = frozenset({Confidence.NONE, Confidence.ASSUMED, Confidence.WEAK})


class ConfidenceShare(BaseModel):
    """The calls of one degree of confidence."""

    confidence: Confidence
    calls: int
    share: float | None = Field(description="0 to 1.")


class DoubtedCalls(BaseModel):
    """Calls of which it is not sure who served, that have the same reason for it."""

    confidence: Confidence
    rule_id: str
    provider: str
    bucket: str
    model: str = Field(description="What the application asked for.")
    calls: int


class ConfidenceView(BaseModel):
    """How sure it is who served the calls of a time."""

    span: Span
    calls: int = Field(description="Looked at, the newest first.")
    is_complete: bool = Field(description="False: there are more than were looked at.")
    shares: list[ConfidenceShare] = Field(description="Least sure first; all of them.")
    doubted: list[DoubtedCalls] = Field(description="The most frequent first; of each degree.")
    doubted_more: int = Field(description="Calls that are doubted and not in the list.")


class ConfidenceQuery(SliceQuery):
    """Which calls, and how many groups of doubted ones."""

    limit: int = Field(default=20, ge=1, le=200, description="Most groups of doubted calls.")


@router.get("/confidence")
async def show_confidence(
    query: Annotated[ConfidenceQuery, Query()], viewer: ViewerOf, control: ControlOf
) -> ConfidenceView:
    """Say how sure it is who served, least sure first, from the newest 50,000 calls of a time.

    Else the last 30 days. Whoever is no admin is told of the calls that they may see.
    """
    wanted = slice_of(query, scene_of(viewer, control))
    check_span(wanted.from_us, wanted.to_us)
    async with control.services.database.read() as unit:
        found = await surenesses(unit, wanted)
    calls = dict.fromkeys(LEAST_SURE, 0)
    for one in found.groups:
        calls[Confidence(one.confidence)] += one.calls
    total = sum(calls.values())
    doubted = [one for one in found.groups if Confidence(one.confidence) in DOUBTED]
    doubted.sort(key=_frequent_first)
    shown = doubted[: query.limit]
    return ConfidenceView(
        span=span_view(wanted.from_us, wanted.to_us),
        calls=total,
        is_complete=found.is_complete,
        shares=[
            ConfidenceShare(confidence=each, calls=count, share=share(count, total))
            for each, count in calls.items()
        ],
        doubted=[_doubted(one) for one in shown],
        doubted_more=sum(one.calls for one in doubted[query.limit :]),
    )


def _frequent_first(one: Sureness) -> tuple[int, int, str, str]:
    return (LEAST_SURE.index(Confidence(one.confidence)), -one.calls, one.rule_id, one.label)


def _doubted(one: Sureness) -> DoubtedCalls:
    return DoubtedCalls(
        confidence=Confidence(one.confidence),
        rule_id=one.rule_id,
        provider=one.provider,
        bucket=one.bucket,
        model=one.label,
        calls=one.calls,
    )
