"""Which calls were there, who really served each, and what did it cost?"""

from typing import Annotated, Literal

from fastapi import APIRouter
from fastapi import Query as QueryParameters
from pydantic import AwareDatetime, BaseModel, Field

from tollbridge.api.control.call_views import Call, CallInFull, in_full, in_short
from tollbridge.api.control.page import (
    NextCursor,
    PageQuery,
    decode_cursor,
    encode_cursor,
    only_own,
)
from tollbridge.api.deps import ControlOf, ViewerOf
from tollbridge.core.call import Bucket, Category, Ending
from tollbridge.core.clock import to_us
from tollbridge.core.errors import InvalidRequestError, NotFoundError
from tollbridge.insight.queries import find_call, is_call_id, list_calls
from tollbridge.insight.usage import CallFilter, CallPlace

router = APIRouter(prefix="/usage-logs", tags=["usage"])

Word = Annotated[str | None, Field(max_length=256)]


class UsageLogQuery(PageQuery):
    """Which calls; filters are joined by and."""

    provider: Word = Field(default=None, description="Actual provider, or bucket.")
    actual_provider: Word = None
    bucket: Bucket | None = None
    category: Category | None = None
    model: Word = Field(default=None, description="Asked for by the caller, or served.")
    status: Literal["COMPLETED", "FAILED"] | None = None
    status_code: int | None = Field(default=None, ge=100, le=599, description="HTTP status.")
    ending: Ending | None = None
    user: Word = None
    key: Word = Field(default=None, description="A key's name or id.")
    project: Word = None
    from_: AwareDatetime | None = Field(
        default=None, alias="from", description="ISO 8601 with a zone; the call's end."
    )
    to: AwareDatetime | None = Field(default=None, description="Not included.")


class CallPage(BaseModel):
    """A page of calls, the newest first."""

    calls: list[Call]
    next_cursor: NextCursor


@router.get("")
async def list_page(
    query: Annotated[UsageLogQuery, QueryParameters()], viewer: ViewerOf, control: ControlOf
) -> CallPage:
    """List ended calls, the newest first; whoever is no admin sees those of their user."""
    after = None if query.cursor is None else decode_cursor(query.cursor, CallPlace)
    if after is not None and not is_call_id(after.call_id):
        raise InvalidRequestError(
            "the cursor is not one of this list's", details={"param": "cursor"}
        )
    wanted = CallFilter(
        provider=query.provider,
        actual_provider=query.actual_provider,
        bucket=query.bucket,
        category=query.category,
        model=query.model,
        status=query.status,
        status_code=query.status_code,
        ending=query.ending,
        user=only_own(viewer, query.user),
        key=query.key,
        project=query.project,
        from_us=None if query.from_ is None else to_us(query.from_),
        to_us=None if query.to is None else to_us(query.to),
    )
    async with control.services.database.read() as unit:
        rows = await list_calls(unit, wanted, after, query.limit + 1)
    page = rows[: query.limit]
    more = len(rows) > query.limit
    place = page[-1].place if more else None
    return CallPage(
        calls=[in_short(row) for row in page],
        next_cursor=None
        if place is None
        else encode_cursor((place.accounted_at_us, place.call_id)),
    )


@router.get("/{call_id}")
async def show(call_id: str, viewer: ViewerOf, control: ControlOf) -> CallInFull:
    """Show one call with its attempts and the lines of its cost.

    A call that is still open has the status PROCESSING, and what is not known of it yet is null.
    """
    async with control.services.database.read() as unit:
        found = await find_call(unit, call_id, viewer.sees)
    if found is None:
        raise NotFoundError(f"there is no call {call_id!r}")
    return in_full(found)
