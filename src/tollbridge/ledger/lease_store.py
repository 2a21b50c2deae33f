"""How is it decided in the database who gets how much of each limit?

Each decision is one transaction: rows are read locked (`rows.py`), what is decided is pure
(`allot.py`), and it is written in the same unit.
"""

from collections.abc import Iterable
from datetime import UTC, tzinfo

from sqlalchemy import select

from tollbridge.core.errors import OverloadedError
from tollbridge.ledger import allot as decide
from tollbridge.ledger import rows as locked
from tollbridge.ledger.allot import Book, BudgetBound, LeaseOf, LeaseTotals, Outcome, Snapshot, Turn
from tollbridge.ledger.bounds import fill, plan_bounds
from tollbridge.ledger.plan_seed_store import PlanSeeds, UsedOf
from tollbridge.ledger.tables import budget_periods
from tollbridge.storage.unit import Database, Unit

# A recall may be committed this much later than the instant it is dated with.
RECALLS_OVERLAP_US = 50_000
TURNS_MAX = 5
"""How often a turn is begun: once more for each time that a plan's period turns out to be new."""


class DatabaseLedger:
    """The ledger that a `grants.Granter` grants from. Each method is one transaction.

    Raises OverloadedError where the database does not answer.
    """

    def __init__(
        self,
        database: Database,
        node: str,
        zone: tzinfo = UTC,
        used_of: UsedOf | None = None,
    ) -> None:
        """`zone` is the billing time zone; `used_of` tells what a plan's limits begin with."""
        self._database = database
        self._node = node
        self._zone = zone
        self._seeds = None if used_of is None else PlanSeeds(database, used_of)

    async def allot(self, turn: Turn, lease_of: LeaseOf) -> list[Outcome]:
        """Decide every ask of a turn."""
        scope = locked.Scope(
            budget_ids=tuple(sorted({n.limit_id for ask in turn.asks for n in ask.needs})),
            pairs=tuple(sorted({(a.worker, n.limit_id) for a in turn.asks for n in a.needs})),
            lease_ids=tuple(totals.lease_id for totals in turn.totals),
            keys=tuple((totals.budget_id, totals.period_start_us) for totals in turn.totals),
        )
        for _ in range(TURNS_MAX):
            async with self._database.write() as unit:
                plans = await self._plans(unit, scope)
                # Before their rows are locked, which makes those that are not there.
                fresh = {} if self._seeds is None else self._seeds.fresh(plans)
                if not fresh:
                    snapshot = await self._load(unit, scope, plans)
                    book = Book(snapshot, self._node)
                    outcomes = decide.allot(book, turn, lease_of, self._zone)
                    await locked.write(unit, snapshot.now_us, book.changes)
                    return outcomes
            if self._seeds is not None:
                await self._seeds.sow(fresh)
        raise OverloadedError("plans changed again and again while something was granted of them")

    async def greet(self, worker: str, told: Iterable[LeaseTotals]) -> None:
        """Make the database agree with all that a living worker holds."""
        totals = tuple(told)
        scope = locked.Scope(
            lease_ids=tuple(one.lease_id for one in totals),
            keys=tuple((one.budget_id, one.period_start_us) for one in totals),
            worker=worker,
        )
        async with self._database.write() as unit:
            snapshot = await self._load(unit, scope, {})
            book = Book(snapshot, self._node)
            decide.greet(book, worker, totals, self._zone)
            await locked.write(unit, snapshot.now_us, book.changes)

    async def recalled_since(self, since_us: int) -> tuple[list[str], int]:
        """Return the budgets that some node found no room in since then, and the now of it."""
        async with self._database.read() as unit:
            now_us = await unit.now_us()
            found = await unit.connection.execute(
                select(budget_periods.c.budget_id)
                .where(budget_periods.c.recalled_at_us > since_us)
                .distinct(),
            )
            return list(found.scalars()), now_us - RECALLS_OVERLAP_US

    async def _plans(self, unit: Unit, scope: locked.Scope) -> dict[str, BudgetBound]:
        return await plan_bounds(unit, scope.budget_ids, await unit.now_us(), self._zone)

    async def _load(
        self, unit: Unit, scope: locked.Scope, plans: dict[str, BudgetBound]
    ) -> Snapshot:
        snapshot = await locked.load(unit, scope, self._zone, plans)
        await fill(unit, snapshot, self._zone, scope.budget_ids)
        return snapshot
