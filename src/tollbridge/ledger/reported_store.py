"""Which budgets pay for what was carried elsewhere, and how much room have they left?

Nothing was set aside for it, and nothing is refused any more: it is posted in the period that is
open when it comes into the books, through no lease, and may take a budget over its limit.
"""

from collections.abc import Collection, Mapping
from datetime import tzinfo

from sqlalchemy import select, tuple_

from tollbridge.core.call import Hold
from tollbridge.ledger.adjust import NO_LEASE
from tollbridge.ledger.periods import period_bounds
from tollbridge.ledger.tables import budget_periods, budgets
from tollbridge.storage.unit import Unit


async def soft_holds(
    unit: Unit, subjects: Collection[str], zone: tzinfo
) -> Mapping[str, tuple[Hold, ...]]:
    """Return subject → the enabled budgets of it, as holds of the room that each has left.

    In nano-USD, 0 where there is none left. `zone` is the billing time zone.
    """
    now_us = await unit.now_us()
    found = await unit.connection.execute(
        select(budgets)
        .where(budgets.c.enabled, budgets.c.subject.in_(sorted(subjects)))
        .order_by(budgets.c.budget_id)
    )
    rows = [(row, period_bounds(row.period, now_us, zone)[0]) for row in found]
    periods = budget_periods.c
    keys = [(row.budget_id, start_us) for row, start_us in rows]
    taken = {
        (one.budget_id, one.period_start_us): one.spent_nanousd + one.leased_nanousd
        for one in await unit.connection.execute(
            select(budget_periods).where(
                tuple_(periods.budget_id, periods.period_start_us).in_(keys)
            )
        )
    }
    holds: dict[str, list[Hold]] = {}
    for (row, start_us), key in zip(rows, keys, strict=True):
        room = max(0, row.limit_nanousd - taken.get(key, 0))
        holds.setdefault(row.subject, []).append(Hold(NO_LEASE, row.budget_id, start_us, room))
    return {subject: tuple(each) for subject, each in holds.items()}
