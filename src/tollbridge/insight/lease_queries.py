"""Which workers hold how much of a budget, a wallet or a plan's limits now? SQL, read-only."""

from collections.abc import Collection

import msgspec
from sqlalchemy import or_, select

from tollbridge.core.call import id_time_us
from tollbridge.core.sight import Sight
from tollbridge.insight.pages import ROWS_MAX
from tollbridge.insight.sight_queries import subjects_in_sight
from tollbridge.ledger.allot import ACTIVE
from tollbridge.ledger.budgets import BudgetRow
from tollbridge.ledger.store import budget_row
from tollbridge.ledger.tables import budgets, leases
from tollbridge.storage.unit import Unit


class LeaseNow(msgspec.Struct, frozen=True):
    """What one worker was granted of a limit in one period, in the unit of the limit's kind."""

    lease_id: str
    limit_id: str
    node: str
    worker: str
    state: str
    period_start_us: int
    since_us: int | None
    """When it was first granted, by its node's clock; None where its id does not say."""
    leased: int
    """Granted, without what was given back."""
    drawn: int
    """What calls took of it, as far as the books know."""

    @property
    def outstanding(self) -> int:
        """What still counts as held; a call that cost more than its hold may leave less than 0."""
        return max(0, self.leased - self.drawn)


async def find_budget_seen(unit: Unit, name: str, sight: Sight | None) -> BudgetRow | None:
    """Return a budget by name, None where there is none that may be seen."""
    query = select(budgets).where(
        budgets.c.name == name, *subjects_in_sight(sight, budgets.c.subject)
    )
    row = (await unit.connection.execute(query)).first()
    return None if row is None else budget_row(row)


async def leases_now(
    unit: Unit,
    limit_ids: Collection[str],
    period_start_us: int,
    after_lease_id: str,
    limit: int,
) -> list[LeaseNow]:
    """Return a page of limits' leases by id: of the running period, and what else still counts.

    A limit's id is a budget's, or made by `ledger.wallets.limit_id_of` of a wallet's, or by
    `ledger.applying.plan_limit_id` of a user's plan.
    """
    columns = leases.c
    rest = columns.granted - columns.returned - columns.settled
    running = (columns.state == ACTIVE) & (columns.period_start_us == period_start_us)
    rows = await unit.connection.execute(
        select(leases)
        .where(
            columns.budget_id.in_(limit_ids),
            columns.lease_id > after_lease_id,
            or_(rest > 0, running),
        )
        .order_by(columns.lease_id)
        .limit(min(limit, ROWS_MAX))
    )
    return [
        LeaseNow(
            lease_id=row.lease_id,
            limit_id=row.budget_id,
            node=row.node,
            worker=row.worker,
            state=row.state,
            period_start_us=row.period_start_us,
            since_us=id_time_us(row.lease_id),
            leased=row.granted - row.returned,
            drawn=row.settled,
        )
        for row in rows
    ]
