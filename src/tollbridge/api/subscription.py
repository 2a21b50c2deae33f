"""What do the documents' addresses of plans answer: usage, dashboard, plans, prices, preflight?

Names and order are theirs; the same things, told in full, are at /api/v1/plans and
/api/v1/subscriptions. Those of alerts are in `subscription_alerts.py`.
"""

from datetime import datetime, tzinfo
from typing import Annotated, Any

from fastapi import APIRouter, Query, Response
from pydantic import BaseModel, Field

from tollbridge.api.control.log_filter import PERIOD
from tollbridge.api.control.page import Query as Parameters
from tollbridge.api.control.plan_views import percentage
from tollbridge.api.control.subscriptions import require_user
from tollbridge.api.deps import SIGNED_IN, Control, ControlOf, ViewerOf
from tollbridge.api.numbers import answer_with_numbers
from tollbridge.api.preflight import PreflightOrder, Prices, answer, bucket_named
from tollbridge.api.subscription_alerts import DASHBOARD_ALERTS, in_short, inbox_of
from tollbridge.api.subscription_views import (
    cents,
    history_of,
    limits_of,
    month_name,
    plan_of,
    price_of,
    status_of_usage,
    trends_of,
    usage_stats,
)
from tollbridge.core.clock import to_us
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.money import to_usd
from tollbridge.insight.axes import Axis, Slice
from tollbridge.insight.cube_queries import Few, few_of
from tollbridge.insight.plan_queries import PeriodUse, list_priced_models, usage_of
from tollbridge.insight.total_queries import GROUPS_MAX, totals
from tollbridge.insight.usage import Grouping, Total, TotalsFilter
from tollbridge.ledger import plans_store
from tollbridge.ledger import subscription_store as store
from tollbridge.ledger.plans import MONTHLY_COST, RULES
from tollbridge.ledger.subscriptions import QUARTER_US, Period, Standing, default_month
from tollbridge.storage.unit import Unit

router = APIRouter(prefix="/subscription", tags=["as in the documents"])

MODELS_MAX = 5000
PROVIDER = r"^[^\x00-\x1f\x7f]{1,100}$"
TREND_MONTHS = 6
HISTORY_MONTHS = 12


class DataAnswer(BaseModel):
    """What these addresses answer."""

    success: bool
    data: dict[str, Any] = Field(description="Money is a number of US dollars; unlimited is null.")


class PeriodQuery(Parameters):
    """Which period."""

    billing_period: str | None = Field(
        default=None, pattern=PERIOD, description="A month, YYYY-MM, in the billing time zone."
    )


class PricingQuery(Parameters):
    """Whose prices."""

    provider: str | None = Field(
        default=None, pattern=PROVIDER, description="A provider, by any of its names, or a bucket."
    )


@router.get("/usage/{user_id}", response_model=DataAnswer)
async def show_usage(
    user_id: str, query: Annotated[PeriodQuery, Query()], viewer: ViewerOf, control: ControlOf
) -> Response:
    """Show a user's usage of a month, or of all time; limits and percentages are of a month."""
    async with control.services.database.read() as unit:
        await require_user(unit, user_id, viewer)
        reading = await _reading(unit, user_id, control)
        period = query.billing_period
        return _data(await (reading.whole() if period is None else reading.month(period)))


@router.get("/dashboard/{user_id}", response_model=DataAnswer)
async def show_dashboard(
    user_id: str, query: Annotated[PeriodQuery, Query()], viewer: ViewerOf, control: ControlOf
) -> Response:
    """Show a user's usage, its course over six months, and where the running month leads."""
    async with control.services.database.read() as unit:
        await require_user(unit, user_id, viewer)
        reading = await _reading(unit, user_id, control)
        found = reading.found
        use = await reading.use(found.month)
        whole = await reading.whole()
        alerts, unread = await inbox_of(unit, user_id, DASHBOARD_ALERTS, unread=True)
        months = await reading.months(TREND_MONTHS)
        if query.billing_period is not None:
            running = await reading.month(query.billing_period)
        else:
            label = month_name(found.month.start_us, reading.zone)
            running = await reading.stats(label, found.month)
    limits = {} if found.plan is None else found.plan.terms.limits
    return _data(
        {
            "total_usage": whole,
            "current_period_usage": running,
            "trends": trends_of(months),
            "limits": running["limits"],
            "alerts": [in_short(row) for row in alerts],
            "projections": _projection(found, use, reading.now_us),
            "summary": {
                "total_api_calls_this_month": use.total.calls,
                "total_cost_this_month": cents(use.total.cost_nanousd),
                "usage_status": status_of_usage(limits, use.used),
                "unread_alerts": unread,
            },
        }
    )


@router.get("/plans", response_model=DataAnswer, dependencies=[SIGNED_IN])
async def list_plans(control: ControlOf) -> Response:
    """List the plans that are offered."""
    async with control.services.database.read() as unit:
        rows = await plans_store.list_plans(unit, is_active=True)
    return _data({"plans": [plan_of(row) for row in rows], "total": len(rows)})


@router.get("/pricing", response_model=DataAnswer, dependencies=[SIGNED_IN])
async def list_pricing(query: Annotated[PricingQuery, Query()], control: ControlOf) -> Response:
    """List the prices that hold now, by provider and model, at most 5,000 models.

    A price is for one: of a token, not of a million. 400 for a provider that nobody knows.
    """
    provider, is_known = query.provider, True
    if provider is not None:
        serving = control.provider_names.resolve(provider)
        is_known = serving is not None or bucket_named(provider) is not None
        provider = provider if serving is None else serving.provider
    now_us = control.services.clock.now_us()
    async with control.services.database.read() as unit:
        models = await list_priced_models(unit, provider, now_us, MODELS_MAX)
        book = await control.price_books.current(unit)
    if not is_known and not models:
        raise InvalidRequestError(
            f"nothing is known of a provider {provider!r}", details={"param": "provider"}
        )
    priced = [(*one, book.rows_at(*one, now_us)) for one in models]
    shown = [price_of(of, model, rows) for of, model, rows in priced if rows]
    return _data({"pricing": shown, "total": len(shown)})


@router.get("/status/{user_id}", response_model=DataAnswer)
async def show_status(user_id: str, viewer: ViewerOf, control: ControlOf) -> Response:
    """Show whether a user has a plan, and whether it has room for any call at all."""
    async with control.services.database.read() as unit:
        await require_user(unit, user_id, viewer)
        found = await store.standing(unit, user_id, control.services.billing_zone)
        use = await usage_of(unit, user_id, *found.month)
    if found.plan is None:
        reason = "there is no subscription: no plan's limits hold"
        return _data(
            {"active": False, "plan": None, "tier": None, "can_use_api": True, "reason": reason}
        )
    terms = found.plan.terms
    cost_limit = terms.limit(MONTHLY_COST)
    has_room = cost_limit is None or use.used.of(RULES[MONTHLY_COST]) < cost_limit
    data: dict[str, Any] = {
        "active": True,
        "plan": terms.name,
        "tier": terms.tier.value,
        "can_use_api": has_room,
        "limits": limits_of(terms.limits),
    }
    if not has_room:
        data["reason"] = "the plan's monthly cost is used up"
    return _data(data)


@router.post("/preflight-check", response_model=DataAnswer)
async def check_preflight(order: PreflightOrder, viewer: ViewerOf, control: ControlOf) -> Response:
    """Say whether the caller's plan has room for a batch of operations; nothing is consumed.

    They are checked in order and accumulate over calls, tokens, images, videos, audio and cost;
    one that is refused uses nothing. What is used is read anew each time.
    """
    zone = control.services.billing_zone
    async with control.services.database.read() as unit:
        now_us = await unit.now_us()
        found = await store.standing(unit, viewer.user, zone, now_us)
        use = await usage_of(unit, viewer.user, *found.month)
        book = await control.price_books.current(unit)
    limits = {} if found.plan is None else found.plan.terms.limits
    prices = Prices(book, control.provider_names, now_us)
    return _data(answer(order, limits, use.used, prices))


class _Reading:
    """What one answer reads of a user: the standing once, and the usage of each time once."""

    def __init__(self, unit: Unit, found: Standing, now_us: int, zone: tzinfo) -> None:
        self.found = found
        self.now_us = now_us
        self.zone = zone
        self._unit = unit
        self._uses: dict[Period | None, PeriodUse] = {}
        self._few: Few | None = None

    async def use(self, period: Period | None) -> PeriodUse:
        """Return the usage of a time; None: of all time."""
        known = self._uses.get(period)
        if known is None:
            span = (None, None) if period is None else period
            known = self._uses[period] = await usage_of(self._unit, self.found.user, *span)
        return known

    async def months(self, count: int) -> list[tuple[str, PeriodUse]]:
        """Return the usage of the last calendar months with their names, the oldest first."""
        months: list[tuple[str, PeriodUse]] = []
        at_us = self.now_us
        for _ in range(count):
            month = default_month(at_us, self.zone)
            months.append((month_name(month.start_us, self.zone), await self.use(month)))
            # The instant before it began: months have no one length.
            at_us = month.start_us - 1
        return months[::-1]

    async def stats(self, label: str, period: Period | None) -> dict[str, Any]:
        """Return the usage of a month; of all time (None) beside the limits of the running one."""
        use = await self.use(period)
        counting = await self.use(self.found.month if period is None else period)
        providers = await self._providers(period)
        return usage_stats(label, use, (self.found.plan, counting.used), providers, self.now_us)

    async def whole(self) -> dict[str, Any]:
        """Return the usage of all time with what its last months had."""
        stats = await self.stats("all", None)
        return {**stats, "historical_breakdown": history_of(await self.months(HISTORY_MONTHS))}

    async def month(self, billing_period: str) -> dict[str, Any]:
        """Return the usage of one calendar month, YYYY-MM."""
        year, _, number = billing_period.partition("-")
        start = datetime(int(year), int(number), 1, tzinfo=self.zone)
        return await self.stats(billing_period, default_month(to_us(start), self.zone))

    async def _providers(self, period: Period | None) -> tuple[tuple[str, Total], ...]:
        """Return what each actual provider served and cost."""
        wanted = TotalsFilter(
            user=self.found.user,
            from_us=None if period is None else period.start_us,
            to_us=None if period is None else period.end_us,
        )
        unit = self._unit
        if self._few is None:
            only = {Axis.USER: (self.found.user,)}
            self._few = await few_of(unit, Slice(from_us=0, to_us=self.now_us, only=only))
        grouping = Grouping.PROVIDER
        found = await totals(unit, grouping, wanted, self.zone, GROUPS_MAX, self._few)
        return found.groups


async def _reading(unit: Unit, user: str, control: Control) -> _Reading:
    """Return what an answer about a user reads from."""
    zone = control.services.billing_zone
    now_us = await unit.now_us()
    return _Reading(unit, await store.standing(unit, user, zone, now_us), now_us, zone)


def _projection(found: Standing, use: PeriodUse, now_us: int) -> dict[str, Any]:
    """Return what the running month will have cost if it goes on as it began."""
    start_us, end_us = found.month
    elapsed_us = min(max(now_us - start_us, QUARTER_US), end_us - start_us)
    projected = use.total.cost_nanousd * (end_us - start_us) // elapsed_us
    limit = None if found.plan is None else found.plan.terms.limit(MONTHLY_COST)
    return {
        "projected_monthly_cost": cents(projected),
        "cost_limit": None if limit is None else to_usd(limit),
        "projected_usage_percentage": percentage(projected, limit),
    }


def _data(data: dict[str, Any]) -> Response:
    return answer_with_numbers({"success": True, "data": data})
