"""Which budgets are there, and what did providers cost? SQL over several packages, read-only."""

from collections.abc import Iterable
from datetime import tzinfo

import msgspec
from sqlalchemy import func, select, tuple_

from tollbridge.core.sight import Sight
from tollbridge.insight.pages import ROWS_MAX
from tollbridge.insight.sight_queries import subjects_in_sight
from tollbridge.ledger.adjustment_tables import budget_adjustments
from tollbridge.ledger.budgets import BudgetRow, PeriodState
from tollbridge.ledger.periods import period_bounds
from tollbridge.ledger.postings import provider_account
from tollbridge.ledger.store import budget_row
from tollbridge.ledger.tables import budget_periods, budgets, postings
from tollbridge.storage.unit import Unit


class BudgetNow(msgspec.Struct, frozen=True):
    """A budget with its running period."""

    row: BudgetRow
    state: PeriodState
    corrected_nanousd: int = 0
    """What corrections of calls of the past did to `spent` in this period."""


async def list_budgets(
    unit: Unit, zone: tzinfo, sight: Sight | None, after_name: str, limit: int
) -> list[BudgetNow]:
    """Return a page of budgets by name with their running periods.

    Of whoever is no admin those that bind them, their projects, or keys of either.
    """
    query = select(budgets).where(budgets.c.name > after_name).order_by(budgets.c.name)
    query = query.where(*subjects_in_sight(sight, budgets.c.subject))
    found = await unit.connection.execute(query.limit(min(limit, ROWS_MAX)))
    rows = [budget_row(row) for row in found]
    now_us = await unit.now_us()
    bounds = {row.budget_id: period_bounds(row.terms.period, now_us, zone) for row in rows}
    start_of = {one: start for one, (start, _) in bounds.items()}
    states = await _period_counters(unit, start_of)
    corrected = await corrected_of(unit, start_of.items())
    return [
        BudgetNow(
            row,
            PeriodState(row.budget_id, *bounds[row.budget_id], *states.get(row.budget_id, (0, 0))),
            corrected.get(row.budget_id, 0),
        )
        for row in rows
    ]


async def corrected_of(unit: Unit, states: Iterable[tuple[str, int]]) -> dict[str, int]:
    """Return by budget id what corrections did to the periods given by id and start, nano-USD."""
    columns = budget_adjustments.c
    rows = await unit.connection.execute(
        select(columns.budget_id, func.sum(columns.difference_nanousd).label("total"))
        .where(tuple_(columns.budget_id, columns.period_start_us).in_(list(states)))
        .group_by(columns.budget_id),
    )
    # PostgreSQL sums whole numbers to a decimal.
    return {row.budget_id: int(row.total) for row in rows}


async def posted_provider_costs(unit: Unit) -> dict[str, int]:
    """Return what the ledger has posted of each provider's costs, in nano-USD."""
    prefix = provider_account("")
    account = postings.c.account
    rows = await unit.connection.execute(
        select(account, func.sum(postings.c.amount).label("total"))
        .where(account.startswith(prefix, autoescape=True))
        .group_by(account),
    )
    # PostgreSQL sums whole numbers to a decimal.
    return {row.account.removeprefix(prefix): int(row.total) for row in rows}


async def _period_counters(unit: Unit, start_of: dict[str, int]) -> dict[str, tuple[int, int]]:
    columns = budget_periods.c
    rows = await unit.connection.execute(
        select(columns.budget_id, columns.spent, columns.leased).where(
            tuple_(columns.budget_id, columns.period_start_us).in_(list(start_of.items())),
        ),
    )
    return {row.budget_id: (row.spent, row.leased) for row in rows}
