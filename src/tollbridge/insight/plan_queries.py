"""All SQL of plans' usage: how much has a user used of a period, by bucket? From the roll-ups.

What the ledger counts of a plan's limit decides over what the roll-ups say of it; before a limit
was ever leased, the roll-ups are what it begins with.

What counts against a plan is the bucket, which stays the same through fallback: who really served
is not asked here. A call counts once it was answered (2xx); tokens and cost count of all calls.
Bounds are quarter hours, as roll-ups know no shorter time.
"""

from collections.abc import Mapping

import msgspec
from sqlalchemy import case, func, or_, select, union_all

from tollbridge.access.tables import keys, users
from tollbridge.ledger.applying import plan_limit_id
from tollbridge.ledger.plans import RULES, UNSPEAKABLE, Used
from tollbridge.ledger.subscription_tables import subscriptions
from tollbridge.ledger.tables import budget_periods
from tollbridge.rating.tables import price_intervals
from tollbridge.recording.tables import dimensions, rollups_by_call
from tollbridge.storage.unit import Unit

ANSWERED = "2xx"


class BucketUse(msgspec.Struct, frozen=True, kw_only=True):
    """What a user has used of one bucket."""

    calls: int = 0
    """All of them, those that failed too."""
    counted: int = 0
    """Those that count against a plan: that were answered."""
    failed: int = 0
    tokens: int = 0
    cost_nanousd: int = 0
    """Of what is known; `unpriced` says how many calls are not whole in it."""
    unpriced: int = 0
    latency_ms_sum: int = 0


class PeriodUse(msgspec.Struct, frozen=True):
    """What a user has used in a time, by bucket."""

    by_bucket: Mapping[str, BucketUse]
    counted: Mapping[str, int] = {}
    """Limit of a plan → what the ledger counts of it, where the time is a month of the plan."""

    @property
    def used(self) -> Used:
        """What counts against a plan."""
        return Used(
            calls={bucket: use.counted for bucket, use in self.by_bucket.items()},
            tokens={bucket: use.tokens for bucket, use in self.by_bucket.items()},
            cost_nanousd=sum(use.cost_nanousd for use in self.by_bucket.values()),
            counted=dict(self.counted),
        )

    @property
    def total(self) -> BucketUse:
        """The sum over all buckets."""
        sums = dict.fromkeys(BucketUse.__struct_fields__, 0)
        for use in self.by_bucket.values():
            for name in sums:
                sums[name] += getattr(use, name)
        return BucketUse(**sums)


async def usage_of(
    unit: Unit, user: str, from_us: int | None = None, to_us: int | None = None
) -> PeriodUse:
    """Return what a user has used from `from_us` until before `to_us`; None is unbounded."""
    measures = rollups_by_call.c
    answered = case((dimensions.c.status_class == ANSWERED, measures.calls), else_=0)
    columns = {
        "calls": measures.calls,
        "counted": answered,
        "failed": measures.failed,
        "tokens": measures.input_tokens + measures.output_tokens,
        "cost_nanousd": measures.cost_nanousd,
        "unpriced": measures.unpriced,
        "latency_ms_sum": measures.latency_ms_sum,
    }
    sums = [func.coalesce(func.sum(column), 0).label(name) for name, column in columns.items()]
    query = (
        select(dimensions.c.bucket, *sums)
        .join_from(
            rollups_by_call,
            dimensions,
            dimensions.c.dimension_id == measures.dimension_id,
        )
        .where(dimensions.c.user_name == user)
        .group_by(dimensions.c.bucket)
    )
    if from_us is not None:
        query = query.where(measures.quarter_start_us >= from_us)
    if to_us is not None:
        query = query.where(measures.quarter_start_us < to_us)
    rows = await unit.connection.execute(query)
    # PostgreSQL sums whole numbers to a decimal.
    by_bucket = {
        row.bucket: BucketUse(**{name: int(getattr(row, name)) for name in columns}) for row in rows
    }
    return PeriodUse(by_bucket, await _counted(unit, user, from_us))


async def used_of(unit: Unit, user: str, from_us: int, to_us: int) -> Used:
    """Return what counts against a plan of a user's month."""
    return (await usage_of(unit, user, from_us, to_us)).used


async def _counted(unit: Unit, user: str, from_us: int | None) -> dict[str, int]:
    """Return what the ledger counts of the limits of a user's plan in the month from an instant."""
    if from_us is None:
        return {}
    rule_of = {plan_limit_id(user, rule): rule for rule in RULES}
    columns = budget_periods.c
    found = await unit.connection.execute(
        select(columns.budget_id, columns.spent).where(
            columns.budget_id.in_(list(rule_of)), columns.period_start_us == from_us
        )
    )
    return {rule_of[row.budget_id]: row.spent for row in found}


async def is_known_user(unit: Unit, user: str) -> bool:
    """Return whether anything is known of a user: a login, a key, a subscription, a call."""
    if UNSPEAKABLE.search(user):
        return False
    known = union_all(
        *(
            select(column).where(column == user).limit(1).subquery().select()
            for column in (
                users.c.name,
                keys.c.user,
                subscriptions.c.user_name,
                dimensions.c.user_name,
            )
        )
    )
    return (await unit.connection.execute(known.limit(1))).first() is not None


async def list_priced_models(
    unit: Unit, provider: str | None, at_us: int, limit: int
) -> list[tuple[str, str]]:
    """Return (provider, model) of what has a price at an instant; patterns of names are none."""
    holds = price_intervals.c
    query = (
        select(holds.provider, holds.model)
        .where(
            holds.valid_from_us <= at_us,
            or_(holds.valid_to_us.is_(None), holds.valid_to_us > at_us),
            holds.model.not_like("%*%"),
        )
        .distinct()
        .order_by(holds.provider, holds.model)
        .limit(limit)
    )
    if provider is not None:
        query = query.where(holds.provider == provider)
    return [(row.provider, row.model) for row in await unit.connection.execute(query)]
