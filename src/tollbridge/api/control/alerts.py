"""Which limits are nearly used up, and who has been told?"""

from typing import Annotated, Any

from fastapi import APIRouter
from fastapi import Query as QueryParameters
from pydantic import BaseModel, ConfigDict, Field

from tollbridge.api.control.page import (
    NextCursor,
    PageQuery,
    cut,
    decode_cursor,
    instant_text,
)
from tollbridge.api.deps import (
    SIGNED_IN,
    ControlOf,
    ManagerOf,
    SignedInOf,
    Viewer,
    ViewerOf,
    actor_of,
)
from tollbridge.core.amounts import amount_text
from tollbridge.core.clock import to_text
from tollbridge.core.errors import ConflictError, NotFoundError, PermissionDeniedError
from tollbridge.insight.alert_queries import (
    AlertFilter,
    AlertSeen,
    count_unread,
    find_alert,
    list_alerts,
    list_own_thresholds,
    unread_ids,
)
from tollbridge.insight.sight_queries import manages_subject, sees_subject
from tollbridge.ledger import alert_store as store
from tollbridge.ledger.alerts import THRESHOLD_MAX, THRESHOLDS_MAX, Severity
from tollbridge.ledger.budgets import BudgetRow, BudgetSource
from tollbridge.ledger.store import get_budget
from tollbridge.storage import audit
from tollbridge.storage.unit import Unit

router = APIRouter(prefix="/alerts", tags=["alerts"])
READ_MAX = 10_000

Thresholds = Annotated[
    list[Annotated[int, Field(ge=1, le=THRESHOLD_MAX)]], Field(max_length=THRESHOLDS_MAX)
]


class AlertQuery(PageQuery):
    """Which alerts, and which page of them."""

    unread: bool | None = None
    severity: Severity | None = None
    subject: str | None = Field(default=None, max_length=255, description="Such as key:ci.")
    superseded: bool = Field(
        default=False,
        description="Whether those are listed too of whose limit and period a higher threshold "
        "was told since.",
    )


class AlertShown(BaseModel):
    """A limit that is nearly, or wholly, used up; or a grant that will expire."""

    alert_id: str
    created_at: str
    severity: Severity
    title: str
    message: str
    source: str = Field(description="budget, plan, wallet, or grant of a wallet.")
    limit: str = Field(description="What the limit is called.")
    limit_id: str
    subject: str = Field(description="Whom it binds, such as key:ci.")
    bucket: str | None = Field(description="Null where more than one counts.")
    kind: str = Field(description="What it counts: money, credits, calls, tokens …")
    threshold_percent: int | None = Field(description="Null for a grant that expires.")
    used: str = Field(description="Decimal text in the unit of `kind`, when it was told.")
    limit_amount: str
    period_start: str
    period_end: str | None
    superseded_at: str | None = Field(description="Since when a higher threshold has been told.")
    read_at: str | None = Field(description="When whoever asks has read it.")


class AlertPage(BaseModel):
    """A page of alerts, the newest first."""

    alerts: list[AlertShown]
    unread: int = Field(description="All that are unread, superseded ones aside.")
    next_cursor: NextCursor


class ReadAll(BaseModel):
    """What was marked."""

    read: int = Field(description="How many were unread before.")


class BudgetRule(BaseModel):
    """At which thresholds one budget is told of."""

    budget: str
    thresholds: list[int] = Field(description="In per cent; none: it is not told of.")


class AlertRules(BaseModel):
    """When is told."""

    thresholds: list[int] = Field(description="In per cent, of all that have none of their own.")
    grant_expiry_days: int = Field(description="So long before it expires is told of a grant.")
    budgets: list[BudgetRule] = Field(description="Those that have some of their own.")


class AlertRuleOrder(BaseModel):
    """Which thresholds a budget shall have."""

    model_config = ConfigDict(extra="forbid")

    thresholds: Thresholds = Field(description="In per cent; none: it is not told of.")


@router.get("")
async def list_page(
    query: Annotated[AlertQuery, QueryParameters()], viewer: ViewerOf, control: ControlOf
) -> AlertPage:
    """List alerts, the newest first: a member's own, a manager's those of their projects besides.

    Of one limit and period the highest threshold leads; who has read what, each user says alone.
    """
    before = None if query.cursor is None else decode_cursor(query.cursor, tuple[int, str])
    wanted = AlertFilter(
        unread=query.unread,
        severity=None if query.severity is None else query.severity.value,
        subject=query.subject,
        superseded=query.superseded,
    )
    async with control.services.database.read() as unit:
        rows = await list_alerts(unit, viewer.sight, viewer.user, wanted, (before, query.limit + 1))
        unread = await count_unread(unit, viewer.sight, viewer.user, query.subject)
    page, following = cut(
        rows, query.limit, lambda row: (row.alert.created_at_us, row.alert.alert_id)
    )
    return AlertPage(
        alerts=[shown_alert(row) for row in page], unread=unread, next_cursor=following
    )


@router.get("/rules", dependencies=[SIGNED_IN])
async def list_rules(viewer: ViewerOf, control: ControlOf) -> AlertRules:
    """Say at which thresholds is told; of budgets with some of their own, those that one sees."""
    async with control.services.database.read() as unit:
        rules = await list_own_thresholds(unit, viewer.sight)
    settings = control.services.alert_settings
    return AlertRules(
        thresholds=list(settings.thresholds),
        grant_expiry_days=settings.grant_expiry_days,
        budgets=[BudgetRule(budget=name, thresholds=list(own)) for name, own in rules],
    )


@router.put("/rules/{budget}")
async def set_rule(
    budget: str, order: AlertRuleOrder, viewer: ManagerOf, control: ControlOf
) -> BudgetRule:
    """Give a budget thresholds of its own; what was told already is not told again."""
    async with control.services.database.write() as unit:
        row = await _managed(unit, budget, viewer)
        before = await _rule_of(unit, row)
        await store.set_thresholds(unit, row.budget_id, order.thresholds)
        after = await _rule_of(unit, row)
        await _record(unit, viewer, row, before, after)
    return BudgetRule(budget=budget, thresholds=list(after or ()))


@router.delete("/rules/{budget}", status_code=204)
async def remove_rule(budget: str, viewer: ManagerOf, control: ControlOf) -> None:
    """Let a budget have the thresholds that all others have."""
    async with control.services.database.write() as unit:
        row = await _managed(unit, budget, viewer)
        before = await _rule_of(unit, row)
        await store.set_thresholds(unit, row.budget_id, None)
        await _record(unit, viewer, row, before, None)


@router.post("/read-all")
async def read_all(viewer: SignedInOf, control: ControlOf) -> ReadAll:
    """Mark all that one sees as read, at most 10,000."""
    async with control.services.database.write() as unit:
        ids = await unread_ids(unit, viewer.sight, viewer.user, READ_MAX)
        return ReadAll(read=await store.mark_read(unit, viewer.user, ids) if ids else 0)


@router.post("/{alert_id}/read")
async def read(alert_id: str, viewer: SignedInOf, control: ControlOf) -> AlertShown:
    """Mark an alert as read, by whoever asks; again changes nothing."""
    async with control.services.database.write() as unit:
        found = await find_alert(unit, alert_id, viewer.user)
        if found is None or not await sees_subject(
            unit, viewer.sight, found.alert.standing.subject
        ):
            raise NotFoundError(f"there is no alert {alert_id[:64]!r}")
        await store.mark_read(unit, viewer.user, [found.alert.alert_id])
        found = await find_alert(unit, alert_id, viewer.user) or found
    return shown_alert(found)


def shown_alert(row: AlertSeen) -> AlertShown:
    """Return an alert as the control plane shows it."""
    alert, standing = row.alert, row.alert.standing
    return AlertShown(
        alert_id=alert.alert_id,
        created_at=to_text(alert.created_at_us),
        severity=alert.severity,
        title=alert.title,
        message=alert.message,
        source=standing.source.value,
        limit=standing.name,
        limit_id=standing.limit_id,
        subject=standing.subject,
        bucket=standing.bucket or None,
        kind=standing.kind.value,
        threshold_percent=alert.threshold or None,
        used=amount_text(standing.kind, standing.used),
        limit_amount=amount_text(standing.kind, standing.limit),
        period_start=to_text(standing.period_start_us),
        period_end=instant_text(standing.period_end_us),
        superseded_at=instant_text(alert.superseded_at_us),
        read_at=instant_text(row.read_at_us),
    )


async def _managed(unit: Unit, name: str, viewer: Viewer) -> BudgetRow:
    """Return a budget whose alerts may be set.

    Raises NotFoundError, PermissionDeniedError, and ConflictError where the file sets them.
    """
    row = await get_budget(unit, name)
    if viewer.is_admin or await manages_subject(unit, viewer.projects, row.terms.subject):
        if row.source == BudgetSource.FILE:
            raise ConflictError(
                f"budget {name!r} is declared in the configuration file: set its alerts there"
            )
        return row
    if await sees_subject(unit, viewer.sight, row.terms.subject):
        raise PermissionDeniedError("only an admin, or a manager of the project, may do this")
    raise NotFoundError(f"there is no budget named {name!r}")


async def _rule_of(unit: Unit, row: BudgetRow) -> tuple[int, ...] | None:
    return (await store.thresholds_of(unit, [row.budget_id])).get(row.budget_id)


async def _record(
    unit: Unit,
    viewer: Viewer,
    row: BudgetRow,
    before: tuple[int, ...] | None,
    after: tuple[int, ...] | None,
) -> None:
    await audit.record_change(
        unit,
        actor_of(viewer),
        "alerts.rule",
        f"budget:{row.terms.name}",
        before=_rule_state(before),
        after=_rule_state(after),
    )


def _rule_state(thresholds: tuple[int, ...] | None) -> dict[str, Any]:
    return {"thresholds": None if thresholds is None else list(thresholds)}
