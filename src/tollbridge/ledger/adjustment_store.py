"""Which budget periods are open now, and what did corrections do to them?"""

from collections.abc import Mapping, Sequence
from datetime import tzinfo

from sqlalchemy import insert, select, tuple_

from tollbridge.ledger.adjustment_tables import budget_adjustments
from tollbridge.ledger.periods import period_bounds
from tollbridge.ledger.tables import budget_periods, budgets
from tollbridge.storage.unit import Unit

OVER_LIMIT = "over_limit"
NEGATIVE = "negative"
Period = tuple[str, int]
"""(budget id, start in microseconds)."""


async def open_periods(
    unit: Unit, budget_ids: Sequence[str], now_us: int, zone: tzinfo
) -> list[Period]:
    """Return of each budget the period that is open at `now_us`; unknown budgets are left out."""
    if not budget_ids:
        return []
    found = await unit.connection.execute(
        select(budgets.c.budget_id, budgets.c.period).where(budgets.c.budget_id.in_(budget_ids))
    )
    return sorted((row.budget_id, period_bounds(row.period, now_us, zone)[0]) for row in found)


async def add_adjustments(
    unit: Unit, batch_id: str, differences: Mapping[Period, int], now_us: int
) -> None:
    """Write down what a batch of corrections, posted already, did to each budget period."""
    found = await unit.connection.execute(
        select(
            budget_periods.c.budget_id,
            budget_periods.c.period_start_us,
            budget_periods.c.spent,
            budgets.c.limit_amount,
        )
        .join(budgets, budgets.c.budget_id == budget_periods.c.budget_id)
        .where(
            tuple_(budget_periods.c.budget_id, budget_periods.c.period_start_us).in_(
                list(differences)
            )
        )
    )
    records = [
        {
            "batch_id": batch_id,
            "budget_id": row.budget_id,
            "period_start_us": row.period_start_us,
            "difference_nanousd": differences[row.budget_id, row.period_start_us],
            "spent_after_nanousd": row.spent,
            "flag": _flag(row.spent, row.limit_amount),
            "posted_at_us": now_us,
        }
        for row in found
    ]
    await unit.connection.execute(insert(budget_adjustments), records)


def _flag(spent: int, limit_amount: int) -> str | None:
    if spent < 0:
        return NEGATIVE
    return OVER_LIMIT if spent > limit_amount else None
