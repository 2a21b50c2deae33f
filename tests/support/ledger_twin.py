"""What would the ledger say if it had no database? A twin for tests and simulations.

It keeps the same rows in dictionaries, decides by the same functions and answers the same
questions; the tests of the ledger run on it as on the databases.
"""

from collections.abc import Iterable, Mapping
from datetime import UTC, tzinfo

from tollbridge.core.clock import Clock
from tollbridge.core.errors import BugError
from tollbridge.core.settlement import Discrepancy, Settlement
from tollbridge.ledger import allot as decide
from tollbridge.ledger.allot import (
    Book,
    BudgetBound,
    LeaseOf,
    LeaseRow,
    LeaseTotals,
    Outcome,
    PeriodKey,
    PeriodRow,
    Snapshot,
    Turn,
)
from tollbridge.ledger.postings import budget_account, entries


class MemoryLedger:
    """A ledger in memory, with the methods of `DatabaseLedger` and of the drain's part."""

    def __init__(self, clock: Clock, node: str = "node", zone: tzinfo = UTC) -> None:
        self._clock = clock
        self._node = node
        self._zone = zone
        self._recalled: dict[str, int] = {}
        self.budgets: dict[str, BudgetBound] = {}
        self.periods: dict[PeriodKey, PeriodRow] = {}
        self.leases: dict[str, LeaseRow] = {}
        self.postings: dict[tuple[str, str], int] = {}

    def put_budget(self, bound: BudgetBound) -> None:
        """Add a budget or change its limit."""
        self.budgets[bound.budget_id] = bound

    async def allot(self, turn: Turn, lease_of: LeaseOf) -> list[Outcome]:
        """Decide every ask of a turn."""
        book = self._book()
        outcomes = decide.allot(book, turn, lease_of, self._zone)
        for key, ceiling in book.changes.ceilings.items():
            row = book.period(key)
            if book.changes.leased.get(key, 0) > 0 and row.spent + row.leased > ceiling:
                raise BugError("a grant would have broken a budget's limit")
        for budget_id, _ in book.changes.recalled:
            self._recalled[budget_id] = self._clock.now_us()
        return outcomes

    async def greet(self, worker: str, told: Iterable[LeaseTotals]) -> None:
        """Agree with what a living worker holds."""
        decide.greet(self._book(), worker, told, self._zone)

    async def recalled_since(self, since_us: int) -> tuple[list[str], int]:
        """Return the budgets found short since then."""
        late = [budget for budget, at_us in self._recalled.items() if at_us > since_us]
        return late, self._clock.now_us()

    async def settle(
        self,
        batch_id: str,
        settlements: Iterable[Settlement],
        provider_costs: Mapping[str, int],
    ) -> None:
        """Post a batch; one that was posted before is refused."""
        if any(batch == batch_id for batch, _ in self.postings):
            raise BugError(f"batch {batch_id} was posted before")
        charges: dict[PeriodKey, int] = {}
        for one in settlements:
            key = (one.budget_id, one.period_start_us)
            charges[key] = charges.get(key, 0) + one.amount
            period = self.periods.setdefault(key, PeriodRow())
            period.spent += one.amount
            lease = self.leases.get(one.lease_id)
            if lease is not None and lease.key == key:
                before = lease.part
                lease.settled += one.amount
                period.leased += lease.part - before
        for account, amount in entries(charges, provider_costs):
            self.postings[batch_id, account] = amount

    async def return_remainder(
        self, worker: str, keep: Mapping[str, int] | None = None
    ) -> dict[str, int]:
        """End a dead worker's leases; return what falls free."""
        mine = [row for row in self.leases.values() if row.worker == worker]
        return decide.end_leases(self._book(), mine, keep or {})

    async def release_node(self, node: str) -> dict[str, int]:
        """End a node's leases that still count; return what falls free."""
        of_node = [row for row in self.leases.values() if row.node == node and row.part]
        return decide.end_leases(self._book(), of_node, {})

    async def books(self) -> list[Discrepancy]:
        """Return where the ledger contradicts itself."""
        found: list[Discrepancy] = []
        for key, row in self.periods.items():
            account = budget_account(*key)
            parts = sum(lease.part for lease in self.leases.values() if lease.key == key)
            posted = sum(v for (_, name), v in self.postings.items() if name == account)
            if parts != row.leased:
                found.append(Discrepancy("leased", account, parts, row.leased))
            if posted != row.spent:
                found.append(Discrepancy("spent", account, posted, row.spent))
        batches: dict[str, int] = {}
        for (batch, _), amount in self.postings.items():
            batches[batch] = batches.get(batch, 0) + amount
        found += [Discrepancy("batch", name, 0, total) for name, total in batches.items() if total]
        return found

    def _book(self) -> Book:
        snapshot = Snapshot(self._clock.now_us(), self.budgets, self.periods, self.leases)
        return Book(snapshot, self._node)
