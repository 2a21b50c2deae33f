"""Which plan has a user, from when to when, and how much of it is used?"""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from tollbridge.api.control.page import (
    NextCursor,
    PageQuery,
    cut,
    decode_cursor,
    instant_text,
)
from tollbridge.api.control.page import Query as Parameters
from tollbridge.api.control.plan_views import (
    ENFORCED,
    IS_ENFORCED,
    LimitUse,
    PlanName,
    shown_use,
)
from tollbridge.api.deps import AdminOf, Control, ControlOf, Viewer, ViewerOf, actor_of
from tollbridge.core.clock import to_text
from tollbridge.core.errors import NotFoundError, PermissionDeniedError
from tollbridge.core.money import usd_text
from tollbridge.insight.plan_queries import is_known_user, usage_of
from tollbridge.insight.total_queries import GROUPS_MAX, totals
from tollbridge.insight.usage import Grouping, TotalsFilter
from tollbridge.ledger import plans_store
from tollbridge.ledger import subscription_store as store
from tollbridge.ledger.subscriptions import Cycle, Event, Kind, Standing, Subscription, When
from tollbridge.storage.unit import Unit

router = APIRouter(prefix="/subscriptions", tags=["subscriptions"])


class SubscriptionShown(BaseModel):
    """What holds for a user now."""

    user: str
    plan: str | None = Field(description="Null: no plan, and so no plan's limits.")
    status: str = Field(
        description="active; cancelled: it runs to ends_at; default: no subscription, the plan is "
        "that of everybody without one; none."
    )
    cycle: Cycle | None
    period_start: str | None = Field(description="Of what is paid for; half-open.")
    period_end: str | None
    month_start: str = Field(description="Over which the plan's limits count; half-open.")
    month_end: str
    auto_renew: bool | None
    ends_at: str | None
    next_plan: str | None = Field(description="What it becomes at changes_at.")
    next_cycle: Cycle | None
    changes_at: str | None
    enforced: bool = Field(description=ENFORCED)


class SubscriptionPage(BaseModel):
    """A page of subscriptions, by user."""

    subscriptions: list[SubscriptionShown]
    next_cursor: NextCursor


class SubscriptionOrder(BaseModel):
    """What a user is to have."""

    model_config = ConfigDict(extra="forbid")

    plan: PlanName
    cycle: Cycle = Cycle.MONTHLY
    when: When | None = Field(
        default=None,
        description="Null: a dearer plan counts at once and begins a new period; a cheaper one, "
        "or another cycle, counts from the period's end.",
    )


class CancelQuery(Parameters):
    """When it ends."""

    when: When = When.PERIOD_END


class SubscriptionEvent(BaseModel):
    """One line of a subscription's history."""

    event_id: str
    at: str = Field(description="From when it counts.")
    recorded_at: str
    kind: Kind
    plan: str = Field(description="Its name as it was.")
    previous_plan: str | None
    cycle: Cycle
    period_start: str
    period_end: str
    amount_usd: str = Field(description="What the period costs by the plan as it was then.")
    actor: str = Field(description="renewal: it happened by itself.")


class SubscriptionHistory(BaseModel):
    """A page of a history, the newest first."""

    events: list[SubscriptionEvent]
    next_cursor: NextCursor


class ProviderUse(BaseModel):
    """What one actual provider served of it."""

    provider: str
    calls: int
    attempts: int | None
    cost_usd: str


class PlanUse(BaseModel):
    """How much of a plan is used in the running month."""

    user: str
    plan: str | None
    month_start: str
    month_end: str
    limits: list[LimitUse] = Field(description="Counted by bucket, as fallback does not change it.")
    providers: list[ProviderUse] = Field(description="Who really served; no limit asks for that.")
    cost_usd: str = Field(description="Of the calls that have a price.")
    unpriced_calls: int
    enforced: bool = Field(description=ENFORCED)


@router.get("")
async def list_page(
    query: Annotated[PageQuery, Query()], viewer: ViewerOf, control: ControlOf
) -> SubscriptionPage:
    """List subscriptions by user, past ones too; whoever is no admin sees their own."""
    after = "" if query.cursor is None else decode_cursor(query.cursor, tuple[str])[0]
    async with control.services.database.read() as unit:
        rows = await store.list_subscriptions(unit, viewer.sees, after, query.limit + 1)
        page, following = cut(rows, query.limit, lambda row: (row.user,))
        shown = [await _shown(unit, row.user, control) for row in page]
    return SubscriptionPage(subscriptions=shown, next_cursor=following)


@router.get("/{user}")
async def show(user: str, viewer: ViewerOf, control: ControlOf) -> SubscriptionShown:
    """Show which plan a user has now, by subscription or by default."""
    async with control.services.database.read() as unit:
        await require_user(unit, user, viewer)
        return await _shown(unit, user, control)


@router.put("/{user}")
async def subscribe(
    user: str, order: SubscriptionOrder, viewer: AdminOf, control: ControlOf
) -> SubscriptionShown:
    """Give a user a plan, or another one; doing it again changes nothing.

    The same terms again take a cancellation, or a change that was agreed, back.
    """
    services = control.services
    wanted = store.Order(user, order.plan, order.cycle, order.when)
    async with services.database.write() as unit:
        await require_user(unit, user, viewer)
        await store.subscribe(unit, wanted, actor=actor_of(viewer), zone=services.billing_zone)
        return await _shown(unit, user, control)


@router.delete("/{user}")
async def cancel(
    user: str, query: Annotated[CancelQuery, Query()], viewer: AdminOf, control: ControlOf
) -> SubscriptionShown:
    """End a subscription, with its period or now. 404 where there is none."""
    services = control.services
    async with services.database.write() as unit:
        await require_user(unit, user, viewer)
        await store.cancel(
            unit, user, query.when, actor=actor_of(viewer), zone=services.billing_zone
        )
        return await _shown(unit, user, control)


@router.get("/{user}/history")
async def list_history(
    user: str, query: Annotated[PageQuery, Query()], viewer: ViewerOf, control: ControlOf
) -> SubscriptionHistory:
    """List what became of a user's subscription, the newest first, renewals up to now."""
    services = control.services
    after = None if query.cursor is None else decode_cursor(query.cursor, tuple[int, str])
    async with services.database.write() as unit:
        await require_user(unit, user, viewer)
        await store.catch_up(unit, user, services.billing_zone)
        rows = await store.list_events(unit, user, after, query.limit + 1)
    page, following = cut(rows, query.limit, lambda row: (row.at_us, row.event_id))
    return SubscriptionHistory(
        events=[shown_event(row) for row in page],
        next_cursor=following,
    )


@router.get("/{user}/usage")
async def show_usage(user: str, viewer: ViewerOf, control: ControlOf) -> PlanUse:
    """Show how much of each limit is used, and by whom it was served.

    A call counts once it was answered; tokens and cost count of all calls.
    """
    zone = control.services.billing_zone
    async with control.services.database.read() as unit:
        await require_user(unit, user, viewer)
        found = await store.standing(unit, user, zone)
        use = await usage_of(unit, user, *found.month)
        wanted = TotalsFilter(user=user, from_us=found.month.start_us, to_us=found.month.end_us)
        by_provider = await totals(unit, Grouping.PROVIDER, wanted, zone, GROUPS_MAX)
    terms = None if found.plan is None else found.plan.terms
    return PlanUse(
        user=user,
        plan=None if terms is None else terms.name,
        month_start=to_text(found.month.start_us),
        month_end=to_text(found.month.end_us),
        limits=shown_use({} if terms is None else terms.limits, use.used),
        providers=[
            ProviderUse(
                provider=name,
                calls=total.calls,
                attempts=total.attempts,
                cost_usd=usd_text(total.cost_nanousd),
            )
            for name, total in by_provider.groups
        ],
        cost_usd=usd_text(use.total.cost_nanousd),
        unpriced_calls=use.total.unpriced,
        enforced=IS_ENFORCED,
    )


async def require_user(unit: Unit, user: str, viewer: Viewer) -> None:
    """Raise PermissionDeniedError for somebody else's, NotFoundError for one nobody knows."""
    if viewer.sees is not None and viewer.sees != user:
        raise PermissionDeniedError("you may see your own user only")
    # Who asks is there, whatever is known of them.
    if viewer.user != user and not await is_known_user(unit, user):
        raise NotFoundError(f"nothing is known of a user {user!r}")


def status_of(found: Standing) -> str:
    """Return active, cancelled, default or none."""
    row = found.subscription
    if row is None:
        return "none" if found.plan is None else "default"
    return "active" if row.ends_at_us is None else "cancelled"


def shown_standing(found: Standing, next_plan: str | None) -> SubscriptionShown:
    """Return what holds for a user as it is shown."""
    row, period = found.subscription, found.period
    return SubscriptionShown(
        user=found.user,
        plan=None if found.plan is None else found.plan.terms.name,
        status=status_of(found),
        cycle=None if row is None else row.cycle,
        period_start=None if period is None else to_text(period.start_us),
        period_end=None if period is None else to_text(period.end_us),
        month_start=to_text(found.month.start_us),
        month_end=to_text(found.month.end_us),
        auto_renew=None if row is None else row.ends_at_us is None,
        ends_at=None if row is None else instant_text(row.ends_at_us),
        next_plan=next_plan,
        next_cycle=None if row is None else row.next_cycle,
        changes_at=None if row is None else instant_text(row.changes_at_us),
        enforced=IS_ENFORCED,
    )


def shown_event(row: Event) -> SubscriptionEvent:
    """Return one line of a history as it is shown."""
    return SubscriptionEvent(
        event_id=row.event_id,
        at=to_text(row.at_us),
        recorded_at=to_text(row.recorded_at_us),
        kind=row.kind,
        plan=row.plan_name,
        previous_plan=row.previous_plan_name,
        cycle=row.cycle,
        period_start=to_text(row.period_start_us),
        period_end=to_text(row.period_end_us),
        amount_usd=usd_text(row.amount_nanousd),
        actor=row.actor,
    )


async def next_plan_of(unit: Unit, row: Subscription | None) -> str | None:
    """Return the name of the plan that a subscription becomes, None where no change is agreed."""
    if row is None or row.next_plan_id is None:
        return None
    return (await plans_store.plan_of_id(unit, row.next_plan_id)).terms.name


async def _shown(unit: Unit, user: str, control: Control) -> SubscriptionShown:
    found = await store.standing(unit, user, control.services.billing_zone)
    return shown_standing(found, await next_plan_of(unit, found.subscription))
