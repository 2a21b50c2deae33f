"""Limits that are used up as far as a test says."""

from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import delete, insert

from tollbridge.ledger.alert_watch import AlertSettings, AlertWatch
from tollbridge.ledger.budgets import BudgetTerms
from tollbridge.ledger.periods import period_bounds
from tollbridge.ledger.store import create_budget
from tollbridge.ledger.tables import budget_periods
from tollbridge.storage.unit import Database

UTC = ZoneInfo("UTC")


def watch_of(database: Database, **settings: Any) -> AlertWatch:
    """Return a watch with short patience."""
    return AlertWatch(database, UTC, AlertSettings(interval_ms=10, **settings))


async def add_budget(database: Database, name: str, subject: str, limit: int, **terms: Any) -> str:
    """Add a budget; return its id."""
    async with database.write() as unit:
        made = await create_budget(unit, BudgetTerms(name, subject, limit, **terms))
    return made.budget_id


async def spend(
    database: Database,
    limit_id: str,
    spent: int,
    period: str = "month",
    start_us: int | None = None,
) -> None:
    """Let that much be spent in the running period, and no more; a plan's begins at `start_us`."""
    async with database.write() as unit:
        if start_us is None:
            start_us, _ = period_bounds(period, await unit.now_us(), UTC)
        place = (
            budget_periods.c.budget_id == limit_id,
            budget_periods.c.period_start_us == start_us,
        )
        await unit.connection.execute(delete(budget_periods).where(*place))
        await unit.connection.execute(
            insert(budget_periods).values(
                budget_id=limit_id, period_start_us=start_us, spent=spent, leased=0
            )
        )
