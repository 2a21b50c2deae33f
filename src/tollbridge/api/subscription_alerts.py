"""What do the documents' addresses of alerts answer?

Names and order are theirs; the same things, told in full, are at /api/v1/alerts.
"""

from datetime import tzinfo
from typing import Annotated, Any

from fastapi import APIRouter
from fastapi import Query as QueryParameters
from pydantic import BaseModel, Field

from tollbridge.api.control.page import Query
from tollbridge.api.control.subscriptions import require_user
from tollbridge.api.deps import ControlOf, SignedInOf, ViewerOf
from tollbridge.core.clock import to_text
from tollbridge.core.errors import NotFoundError, PermissionDeniedError
from tollbridge.core.limits import LimitKind
from tollbridge.core.sight import Sight
from tollbridge.insight.alert_queries import (
    AlertFilter,
    AlertSeen,
    count_unread,
    find_alert,
    list_alerts,
)
from tollbridge.insight.log_filter import period_of
from tollbridge.insight.sight_queries import sees_subject
from tollbridge.ledger.alert_store import mark_read
from tollbridge.ledger.alerts import ERROR_FROM, Source
from tollbridge.storage.unit import Unit

router = APIRouter(prefix="/subscription/alerts", tags=["as in the documents"])

DASHBOARD_ALERTS = 5


class InboxQuery(Query):
    """Which alerts."""

    unread_only: bool = False
    limit: int = Field(default=50, ge=1, le=100)


class Inbox(BaseModel):
    """A user's alerts, the newest first."""

    alerts: list[dict[str, Any]]
    total: int = Field(description="How many are listed.")
    unread_count: int = Field(description="All that are unread.")


class InboxAnswer(BaseModel):
    """What the address answers."""

    success: bool
    data: Inbox


class Marked(BaseModel):
    """What the address answers."""

    success: bool
    message: str


@router.get("/{user_id}")
async def list_inbox(
    user_id: str,
    query: Annotated[InboxQuery, QueryParameters()],
    viewer: ViewerOf,
    control: ControlOf,
) -> InboxAnswer:
    """List what a user was told of their plan, budgets, keys and wallets, the newest first."""
    async with control.services.database.read() as unit:
        await require_user(unit, user_id, viewer)
        rows, unread = await inbox_of(
            unit, user_id, query.limit, unread=True if query.unread_only else None
        )
    zone = control.services.billing_zone
    shown = [_in_full(row, user_id, zone) for row in rows]
    return InboxAnswer(
        success=True, data=Inbox(alerts=shown, total=len(shown), unread_count=unread)
    )


@router.post("/{alert_id}/mark-read")
async def mark(alert_id: str, viewer: SignedInOf, control: ControlOf) -> Marked:
    """Mark an alert as read by whoever asks; 404 where there is none, 403 where not theirs."""
    async with control.services.database.write() as unit:
        found = await find_alert(unit, alert_id, viewer.user)
        if found is None:
            raise NotFoundError("there is no such alert")
        if not await sees_subject(unit, viewer.sight, found.alert.standing.subject):
            raise PermissionDeniedError("you may mark your own alerts only")
        await mark_read(unit, viewer.user, [found.alert.alert_id])
    return Marked(success=True, message="Alert marked as read")


async def inbox_of(
    unit: Unit, user: str, limit: int, *, unread: bool | None
) -> tuple[list[AlertSeen], int]:
    """Return a user's own alerts, the newest first, and how many of all are unread."""
    own = Sight(user)
    rows = await list_alerts(unit, own, user, AlertFilter(unread=unread), (None, limit))
    return rows, await count_unread(unit, own, user, None)


def in_short(row: AlertSeen) -> dict[str, Any]:
    """Return an alert as the documents' dashboard shows it."""
    alert = row.alert
    return {
        "id": alert.alert_id,
        "type": _type_of(row),
        "title": alert.title,
        "message": alert.message,
        "severity": alert.severity.value,
        "created_at": to_text(alert.created_at_us),
    }


def _in_full(row: AlertSeen, user: str, zone: tzinfo) -> dict[str, Any]:
    alert, standing = row.alert, row.alert.standing
    short = in_short(row)
    return {
        "id": alert.alert_id,
        "user_id": user,
        "type": short["type"],
        "threshold_percentage": alert.threshold,
        "provider": standing.bucket or None,
        "title": alert.title,
        "message": alert.message,
        "severity": alert.severity.value,
        "is_sent": True,
        "sent_at": short["created_at"],
        "is_read": row.read_at_us is not None,
        "read_at": None if row.read_at_us is None else to_text(row.read_at_us),
        "billing_period": period_of(alert.created_at_us, zone),
        "created_at": short["created_at"],
    }


def _type_of(row: AlertSeen) -> str:
    alert = row.alert
    if alert.threshold >= ERROR_FROM:
        return "limit_reached"
    is_money = alert.standing.kind is LimitKind.MONEY
    return (
        "cost_warning"
        if is_money and alert.standing.source is not Source.GRANT
        else "usage_warning"
    )
