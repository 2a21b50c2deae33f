"""Which budgets pay for what was carried elsewhere, and how much room have they left?

Nothing was set aside for it, and nothing is refused any more: it is posted in the period that is
open when it comes into the books, through no lease, and may take a budget over its limit.
"""

from collections.abc import Collection, Mapping
from datetime import tzinfo
from typing import NamedTuple

from sqlalchemy import select, tuple_

from tollbridge.core.limits import Limit
from tollbridge.ledger.periods import period_bounds
from tollbridge.ledger.store import budget_row
from tollbridge.ledger.tables import budget_periods, budgets
from tollbridge.storage.unit import Unit


class Room(NamedTuple):
    """A limit, its running period's start, and what is left of it: 0 where there is nothing."""

    limit: Limit
    start_us: int
    left: int


async def rooms_of(
    unit: Unit, subjects: Collection[str], zone: tzinfo
) -> Mapping[str, tuple[Room, ...]]:
    """Return subject → its enabled budgets, each with its room. `zone` is the billing time zone."""
    now_us = await unit.now_us()
    found = await unit.connection.execute(
        select(budgets)
        .where(budgets.c.enabled, budgets.c.subject.in_(sorted(subjects)))
        .order_by(budgets.c.budget_id)
    )
    rows = [budget_row(row) for row in found]
    starts_us = [period_bounds(row.terms.period, now_us, zone)[0] for row in rows]
    periods = budget_periods.c
    keys = [(row.budget_id, start_us) for row, start_us in zip(rows, starts_us, strict=True)]
    taken = {
        (one.budget_id, one.period_start_us): one.spent + one.leased
        for one in await unit.connection.execute(
            select(budget_periods).where(
                tuple_(periods.budget_id, periods.period_start_us).in_(keys)
            )
        )
    }
    rooms: dict[str, list[Room]] = {}
    for row, key in zip(rows, keys, strict=True):
        left = max(0, row.terms.limit_amount - taken.get(key, 0))
        room = Room(row.terms.limit(row.budget_id), key[1], left)
        rooms.setdefault(row.terms.subject, []).append(room)
    return {subject: tuple(each) for subject, each in rooms.items()}
