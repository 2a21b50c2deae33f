"""How long do the limits of plans last?

What is used is what the ledger counts of them, and the days are read from the roll-ups by the
limit's buckets, within the running month of the plan.
"""

from collections.abc import Mapping

from tollbridge.core.sight import Sight
from tollbridge.insight.axes import Axis, Slice
from tollbridge.insight.forecast_usage import Days, Measure, past_of
from tollbridge.insight.outlook import AHEAD_DAYS, Limited, Page
from tollbridge.insight.plan_queries import used_of
from tollbridge.ledger.plans import KIND_OF, RULES, Rule
from tollbridge.ledger.plans import Measure as Counted
from tollbridge.ledger.subscription_store import list_subscriptions, standing
from tollbridge.ledger.subscriptions import Standing
from tollbridge.storage.unit import Unit

MEASURES: Mapping[Counted, Measure] = {
    Counted.CALLS: Measure.COMPLETED,
    Counted.TOKENS: Measure.TOTAL_TOKENS,
    Counted.COST: Measure.COST,
}
"""In which sums the days of a limit are."""


async def plans_of(unit: Unit, sight: Sight | None, after: str, limit: int, days: Days) -> Page:
    """Return the limits of the plans of some users, by user, beginning behind one.

    A page ends with the user with whom it has `limit` limits. Whoever sees their own alone sees
    that of the default plan too; others have those of whoever is subscribed.
    """
    limited: list[Limited] = []
    if sight is not None:
        found = await standing(unit, sight.user, days.zone, days.now_us)
        return Page(tuple(await _limits(unit, found, days)) if sight.user > after else (), None)
    rows = await list_subscriptions(unit, None, after, limit + 1)
    for place, row in enumerate(rows):
        if row.has_ended(days.now_us):
            continue
        limited += await _limits(unit, await standing(unit, row.user, days.zone, days.now_us), days)
        if len(limited) >= limit or place == limit - 1:
            return Page(tuple(limited), row.user if rows[place + 1 :] else None)
    return Page(tuple(limited), None if len(rows) <= limit else rows[limit - 1].user)


async def _limits(unit: Unit, found: Standing, days: Days) -> list[Limited]:
    """Return what a user's plan limits."""
    if found.plan is None:
        return []
    terms, month = found.plan.terms, found.month
    used = await used_of(unit, found.user, *month)
    limited: list[Limited] = []
    for rule in RULES.values():
        amount = terms.limit(rule.name)
        if amount is None:
            continue
        limited.append(
            Limited(
                what="plan",
                name=f"{terms.name}/{rule.name}",
                subject=f"user:{found.user}",
                kind=KIND_OF[rule.measure],
                limit=amount,
                used=used.of(rule),
                left=amount - used.of(rule),
                period="month",
                counted_from_us=month.start_us,
                period_end_us=month.end_us,
                ahead_days=days.until(min(month.end_us, days.start_us(AHEAD_DAYS))),
                history=await _history(unit, found.user, rule, days),
            )
        )
    return limited


async def _history(unit: Unit, user: str, rule: Rule, days: Days) -> tuple[int, ...]:
    only = {Axis.USER: (user,), Axis.BUCKET: rule.buckets}
    wanted = Slice(from_us=days.from_us, to_us=days.tomorrow_us, only=only)
    past = await past_of(unit, wanted, Axis.USER, days, MEASURES[rule.measure])
    return past.days.get(user, ())
