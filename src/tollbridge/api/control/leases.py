"""Which workers hold how much of a limit now?"""

from datetime import tzinfo
from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel, Field

from tollbridge.api.control.page import (
    NextCursor,
    PageQuery,
    cut,
    decode_cursor,
    instant_text,
)
from tollbridge.api.control.plan_views import outer_name
from tollbridge.api.control.subscriptions import require_user
from tollbridge.api.deps import ControlOf, ViewerOf
from tollbridge.core.amounts import amount_text
from tollbridge.core.clock import to_text
from tollbridge.core.errors import NotFoundError
from tollbridge.core.limits import LimitKind
from tollbridge.insight.lease_queries import LeaseNow, find_budget_seen, leases_now
from tollbridge.insight.wallet_queries import find_wallet
from tollbridge.ledger.applying import plan_limit_id, user_and_rule
from tollbridge.ledger.periods import END_OF_TIME_US, period_bounds
from tollbridge.ledger.plans import KIND_OF, RULES
from tollbridge.ledger.subscription_store import standing
from tollbridge.ledger.subscriptions import Standing, default_month
from tollbridge.ledger.wallet_store import TOTAL_START_US, rooms
from tollbridge.ledger.wallets import limit_id_of

router = APIRouter()


class Lease(BaseModel):
    """What one worker holds of a limit, in the unit of its kind, as decimal text."""

    lease_id: str
    limit: str = Field(description="Of which limit: a budget, a wallet, or one of a plan's limits.")
    node: str
    worker: str
    state: str = Field(
        description="active, or ended: its worker is gone, and a call of it is not in the books."
    )
    kind: str = Field(
        description="What it counts: money, credits, calls, tokens, images, videos or audio."
    )
    leased: str = Field(description="Granted, without what was given back.")
    drawn: str = Field(description="What calls took of it, as far as the books know.")
    left: str = Field(description="leased - drawn: what still counts as held.")
    period_start: str
    since: str | None = Field(description="When it was first granted; null: not known.")
    expires_at: str | None = Field(
        description="When it ends at the latest: with its period, or a wallet's next expiring "
        "grant; null: never."
    )


class LeasePage(BaseModel):
    """A page of leases."""

    leases: list[Lease]
    next_cursor: NextCursor


@router.get("/budgets/{name}/leases", tags=["budgets"])
async def list_of_budget(
    name: str, query: Annotated[PageQuery, Query()], viewer: ViewerOf, control: ControlOf
) -> LeasePage:
    """List who holds how much of a budget now.

    These are the leases of its running period, and those of older ones that still count.
    """
    zone, after_lease_id = control.services.billing_zone, _after(query)
    async with control.services.database.read() as unit:
        budget = await find_budget_seen(unit, name, viewer.sight)
        if budget is None:
            raise NotFoundError(f"there is no budget named {name!r} that you may see")
        period = budget.terms.period
        start_us, _ = period_bounds(period, await unit.now_us(), zone)
        rows = await leases_now(unit, [budget.budget_id], start_us, after_lease_id, query.limit + 1)

    def end_us(row: LeaseNow) -> int:
        return period_bounds(period, row.period_start_us, zone)[1]

    page, following = cut(rows, query.limit, lambda row: (row.lease_id,))
    shown = [_shown(row, name, LimitKind(budget.terms.kind), end_us(row)) for row in page]
    return LeasePage(leases=shown, next_cursor=following)


@router.get("/wallets/{name}/leases", tags=["wallets"])
async def list_of_wallet(
    name: str, query: Annotated[PageQuery, Query()], viewer: ViewerOf, control: ControlOf
) -> LeasePage:
    """List who holds how much of a wallet now."""
    after_lease_id = _after(query)
    async with control.services.database.read() as unit:
        wallet = await find_wallet(unit, name, viewer.sight)
        if wallet is None:
            raise NotFoundError(f"there is no wallet named {name!r} that you may see")
        limit_id = limit_id_of(wallet.wallet_id)
        rows = await leases_now(unit, [limit_id], TOTAL_START_US, after_lease_id, query.limit + 1)
        room = (await rooms(unit, [wallet.wallet_id], await unit.now_us()))[wallet.wallet_id]
    page, following = cut(rows, query.limit, lambda row: (row.lease_id,))
    kind = wallet.terms.unit.limit_kind
    shown = [_shown(row, name, kind, room.expires_at_us) for row in page]
    return LeasePage(leases=shown, next_cursor=following)


@router.get("/subscriptions/{user}/leases", tags=["subscriptions"])
async def list_of_plan(
    user: str, query: Annotated[PageQuery, Query()], viewer: ViewerOf, control: ControlOf
) -> LeasePage:
    """List who holds how much of the limits of a user's plan now.

    These are the leases of the running month, and those of older ones that still count.
    """
    zone, after_lease_id = control.services.billing_zone, _after(query)
    async with control.services.database.read() as unit:
        await require_user(unit, user, viewer)
        now = await standing(unit, user, zone)
        limit_ids = [plan_limit_id(user, rule) for rule in RULES]
        rows = await leases_now(
            unit, limit_ids, now.month.start_us, after_lease_id, query.limit + 1
        )
    page, following = cut(rows, query.limit, lambda row: (row.lease_id,))
    shown: list[Lease] = []
    for row in page:
        _, rule = user_and_rule(row.limit_id)
        kind, end_us = KIND_OF[RULES[rule].measure], _month_end_us(now, row.period_start_us, zone)
        shown.append(_shown(row, outer_name(rule), kind, end_us))
    return LeasePage(leases=shown, next_cursor=following)


def _month_end_us(now: Standing, start_us: int, zone: tzinfo) -> int:
    """Return when the month of a plan's limits ends that began then."""
    row = now.subscription
    if row is None or start_us < row.anchor_us:  # before it, calendar months held
        return default_month(start_us, zone).end_us
    return row.month(start_us, zone).end_us


def _after(query: PageQuery) -> str:
    return "" if query.cursor is None else decode_cursor(query.cursor, tuple[str])[0]


def _shown(row: LeaseNow, limit: str, kind: LimitKind, end_us: int | None) -> Lease:
    is_endless = end_us is None or end_us >= END_OF_TIME_US
    return Lease(
        lease_id=row.lease_id,
        limit=limit,
        node=row.node,
        worker=row.worker,
        state=row.state,
        kind=kind.value,
        leased=amount_text(kind, row.leased),
        drawn=amount_text(kind, row.drawn),
        left=amount_text(kind, row.outstanding),
        period_start=to_text(row.period_start_us),
        since=instant_text(row.since_us),
        expires_at=None if is_endless else instant_text(end_us),
    )
