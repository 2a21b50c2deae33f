"""Which calls were there, who really served each, and what did it cost?"""

from typing import Annotated

from fastapi import APIRouter
from fastapi import Query as QueryParameters
from pydantic import BaseModel, Field

from tollbridge.api.control.attribution_views import evidence_of_call
from tollbridge.api.control.call_views import Call, CallInFull, in_full, in_short
from tollbridge.api.control.log_filter import LogFilterQuery, filter_of
from tollbridge.api.control.log_views import shown_of
from tollbridge.api.control.page import (
    NextCursor,
    PageQuery,
    decode_cursor,
    encode_cursor,
)
from tollbridge.api.deps import ControlOf, ViewerOf
from tollbridge.attribution.explain import explain
from tollbridge.core.errors import InvalidRequestError, NotFoundError
from tollbridge.insight.log_queries import count_log, read_log
from tollbridge.insight.queries import find_call, is_call_id
from tollbridge.insight.usage import CallPlace, LogStart
from tollbridge.ledger.store import limits_named

router = APIRouter(prefix="/usage-logs", tags=["usage"])


class UsageLogQuery(LogFilterQuery, PageQuery):
    """Which calls, and which page of them."""

    total: Annotated[
        bool, Field(description="False: the calls are not counted; `total` is null.")
    ] = True


class CallTotal(BaseModel):
    """How many calls the filter lets by, on all pages."""

    calls: int = Field(description="A row counts for the requests that it stands for.")
    is_exact: bool = Field(description="False: at least so many; counting stopped there.")


class CallPage(BaseModel):
    """A page of calls, the newest first."""

    calls: list[Call]
    total: CallTotal | None = Field(description="Null behind a cursor, and with `total=false`.")
    next_cursor: NextCursor


@router.get("")
async def list_page(
    query: Annotated[UsageLogQuery, QueryParameters()], viewer: ViewerOf, control: ControlOf
) -> CallPage:
    """List ended calls, the newest first; whoever is no admin sees those of their user.

    Where a filter is rare, a page may have fewer calls than `limit`: go on by `next_cursor`.
    """
    after = None if query.cursor is None else decode_cursor(query.cursor, CallPlace)
    if after is not None and not is_call_id(after.call_id):
        raise InvalidRequestError(
            "the cursor is not one of this list's", details={"param": "cursor"}
        )
    if after is not None and query.offset:
        raise InvalidRequestError(
            "a page begins at a cursor or at an offset", details={"param": "offset"}
        )
    zone = control.services.billing_zone
    start = LogStart(after, query.offset)
    async with control.services.database.read() as unit:
        wanted = await filter_of(unit, query, viewer, control)
        page = await read_log(unit, wanted, zone, query.limit, start)
        is_counted = query.total and after is None
        total = await count_log(unit, wanted, zone) if is_counted else None
        shown = await shown_of(unit, page.rows, control)
    place = page.next
    return CallPage(
        calls=[in_short(row, one) for row, one in zip(page.rows, shown, strict=True)],
        total=None if total is None else CallTotal(calls=total.calls, is_exact=total.is_exact),
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
        found = await find_call(unit, call_id, viewer.sight)
        rules = await control.rule_book.current(unit)
        if found is None:
            raise NotFoundError(f"there is no call {call_id!r}")
        [shown] = await shown_of(unit, [found.call], control)
        limits = await limits_named(unit, {one.budget_id for one in found.holds or ()})
    return in_full(found, explain(evidence_of_call(found), rules), shown, limits)
