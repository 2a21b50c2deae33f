"""What does a plan's limit begin with, where its user has used something before it was counted?

Of a subscription that is new, or a limit that a plan did not have before: what the roll-ups say of
the plan's month, posted once, before anything is leased. From there on the ledger counts.
"""

from collections.abc import Awaitable, Callable, Mapping

from sqlalchemy import select

from tollbridge.core.call import new_id
from tollbridge.core.settlement import Settlement
from tollbridge.ledger.allot import BudgetBound
from tollbridge.ledger.applying import NO_LEASE, user_and_rule
from tollbridge.ledger.plans import KIND_OF, RULES, Used
from tollbridge.ledger.rows import lock
from tollbridge.ledger.settle import settle
from tollbridge.ledger.tables import budget_periods
from tollbridge.storage.unit import Database, Unit

UsedOf = Callable[[Unit, str, int, int], Awaitable[Used]]
"""What a user has used from one instant until before another, by the roll-ups."""
Window = tuple[int, int]
"""From an instant until before another."""
KNOWN_MAX = 100_000


class PlanSeeds:
    """Sees to it that each limit of a plan begins with what was used already."""

    def __init__(self, database: Database, used_of: UsedOf) -> None:
        self._database = database
        self._used_of = used_of
        self._known: dict[str, Window] = {}
        """Limit → the period in which nothing is to be done any more. Its id outlives a change of
        the plan, and its period does not."""

    def fresh(self, plans: Mapping[str, BudgetBound]) -> dict[str, Window]:
        """Return those of some plans' limits of whose period it is not known that it has begun."""
        return {
            one: bound.window
            for one, bound in plans.items()
            if bound.window is not None and self._known.get(one) != bound.window
        }

    async def sow(self, fresh: Mapping[str, Window]) -> None:
        """Post what was used before, once; nothing is written where it has begun already."""
        for limit_id, window in fresh.items():
            await self._sow(limit_id, window)
            if len(self._known) >= KNOWN_MAX:
                self._known.clear()
            self._known[limit_id] = window

    async def _sow(self, limit_id: str, window: Window) -> None:
        user, rule = user_and_rule(limit_id)
        kind = KIND_OF[RULES[rule].measure]
        start_us, end_us = window
        async with self._database.write() as unit:
            if await _spent(unit, limit_id, start_us) is not None:
                return
            used = (await self._used_of(unit, user, start_us, end_us)).of(RULES[rule])
            # Another node may have begun it at the same moment.
            await lock(unit, [(limit_id, start_us)], ())
            if used > 0 and not await _spent(unit, limit_id, start_us):
                now_us = await unit.now_us()
                seed = Settlement(NO_LEASE, limit_id, start_us, used, kind)
                await settle(unit, new_id(now_us), [seed], {}, now_us)


async def _spent(unit: Unit, limit_id: str, start_us: int) -> int | None:
    """Return what is counted of a period, None where it has not begun."""
    columns = budget_periods.c
    found = await unit.connection.execute(
        select(columns.spent).where(
            columns.budget_id == limit_id, columns.period_start_us == start_us
        )
    )
    return found.scalar()
