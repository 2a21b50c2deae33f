"""A node in one process: a granter, its workers' purses, and messages between them.

Messages wait in queues until they are delivered, so that a test decides what overtakes what.
"""

from collections import Counter, deque
from collections.abc import Iterable, Mapping
from typing import Protocol

from sqlalchemy import delete, insert, select

from tests.support.ledger_twin import MemoryLedger
from tollbridge.core.clock import Clock, SystemClock
from tollbridge.core.limits import LeaseRequest, LeaseReturn, Limit, LimitKind
from tollbridge.core.settlement import Discrepancy, Settlement
from tollbridge.ledger.allot import BudgetBound, Ledger
from tollbridge.ledger.books import books
from tollbridge.ledger.grants import Granter, GranterSettings, ToWorker
from tollbridge.ledger.lease_store import DatabaseLedger
from tollbridge.ledger.purse import PurseSettings
from tollbridge.ledger.reserve import FromOffice, Purses, ToOffice
from tollbridge.ledger.settle import settle
from tollbridge.ledger.store import release_node, return_remainder
from tollbridge.ledger.tables import budget_periods, budgets, postings
from tollbridge.storage.unit import Database


def money(budget_id: str, amount: int = 1000, period: str = "total") -> Limit:
    return Limit(budget_id, LimitKind.MONEY, budget_id, amount, period)


def per_minute(limit_id: str, amount: int) -> Limit:
    return Limit(limit_id, LimitKind.CALLS_PER_MINUTE, limit_id, amount)


def at_once(limit_id: str, amount: int) -> Limit:
    return Limit(limit_id, LimitKind.CONCURRENT_CALLS, limit_id, amount)


class Node:
    """One office and its workers on one machine."""

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        settings: GranterSettings,
        limits: Iterable[Limit] = (),
        purse_settings: PurseSettings | None = None,
    ) -> None:
        self.clock = clock
        self.to_office: deque[tuple[str, ToOffice]] = deque()
        self.to_workers: deque[tuple[str, FromOffice]] = deque()
        self.workers: dict[str, Purses] = {}
        self.ledger = ledger
        self.settings = settings
        self.limits = tuple(limits)
        self.purse_settings = purse_settings
        self.granter = self._office()

    def worker(self, name: str) -> Purses:
        """Start a worker and let it say hello."""

        def send(message: LeaseRequest | LeaseReturn) -> None:
            self.to_office.append((name, message))

        purses = Purses(send, self.clock, self.purse_settings)
        self.workers[name] = purses
        self.granter.hello(name, ())
        return purses

    async def kill(self, name: str) -> None:
        """End a worker at once: what it had not yet sent or received is gone."""
        del self.workers[name]
        self.to_office = deque(m for m in self.to_office if m[0] != name)
        self.to_workers = deque(m for m in self.to_workers if m[0] != name)
        await self.granter.worker_gone(name)

    def restart_office(self) -> None:
        """Replace the office; all messages under way are lost, the workers say hello."""
        self.to_office.clear()
        self.to_workers.clear()
        self.granter = self._office()
        for name, purses in self.workers.items():
            self.granter.hello(name, purses.states())
            purses.ask_again()

    def deliver_to_office(self) -> None:
        """Hand over what the workers have said."""
        while self.to_office:
            name, message = self.to_office.popleft()
            self.granter.receive(name, message)

    def deliver_to_workers(self) -> None:
        """Hand over what the office has said."""
        while self.to_workers:
            name, message = self.to_workers.popleft()
            if name in self.workers:
                self.workers[name].on_message(message)

    async def exchange(self, rounds: int = 1) -> None:
        """Deliver everything, let the office decide, deliver its answers."""
        for _ in range(rounds):
            self.deliver_to_office()
            await self.granter.turn()
            self.deliver_to_workers()

    def _office(self) -> Granter:
        def send(worker: str, message: ToWorker) -> None:
            self.to_workers.append((worker, message))

        granter = Granter(self.ledger, self.clock, send, self.settings)
        granter.replace_limits(self.limits)
        return granter


class Kept(Protocol):
    """A ledger with everything that tests do to it, in memory or in a database."""

    ledger: Ledger

    async def budget(self, budget_id: str, limit: int | None, period: str = "total") -> None:
        """Add a budget or give it another limit; None disables it."""
        ...

    async def settle(
        self,
        batch_id: str,
        settlements: Iterable[Settlement],
        costs: Mapping[str, int],
    ) -> None:
        """Post a batch."""
        ...

    async def remainder(self, worker: str, keep: Mapping[str, int] | None = None) -> dict[str, int]:
        """End a worker's leases."""
        ...

    async def release(self, node: str) -> dict[str, int]:
        """End a node's leases."""
        ...

    async def books(self) -> list[Discrepancy]:
        """Return the contradictions."""
        ...

    async def counters(self, budget_id: str) -> tuple[int, int]:
        """Return (spent, leased) of a budget, over all its periods."""
        ...

    async def posted(self) -> dict[str, int]:
        """Return the sum of the postings of each account."""
        ...


class KeptInMemory:
    """The twin."""

    def __init__(self) -> None:
        self.twin = MemoryLedger(SystemClock())
        self.ledger: Ledger = self.twin

    async def budget(self, budget_id: str, limit: int | None, period: str = "total") -> None:
        self.twin.put_budget(BudgetBound(budget_id, limit, period))

    async def settle(
        self,
        batch_id: str,
        settlements: Iterable[Settlement],
        costs: Mapping[str, int],
    ) -> None:
        await self.twin.settle(batch_id, settlements, costs)

    async def remainder(self, worker: str, keep: Mapping[str, int] | None = None) -> dict[str, int]:
        return await self.twin.return_remainder(worker, keep)

    async def release(self, node: str) -> dict[str, int]:
        return await self.twin.release_node(node)

    async def books(self) -> list[Discrepancy]:
        return await self.twin.books()

    async def counters(self, budget_id: str) -> tuple[int, int]:
        rows = [row for key, row in self.twin.periods.items() if key[0] == budget_id]
        return sum(row.spent for row in rows), sum(row.leased for row in rows)

    async def posted(self) -> dict[str, int]:
        sums: Counter[str] = Counter()
        for (_, account), amount in self.twin.postings.items():
            sums[account] += amount
        return dict(sums)


class KeptInDatabase:
    """The real one."""

    def __init__(self, database: Database, node: str = "node") -> None:
        self.database = database
        self.ledger: Ledger = DatabaseLedger(database, node)

    async def budget(self, budget_id: str, limit: int | None, period: str = "total") -> None:
        values = {
            "name": budget_id,
            "subject": "key:ci",
            "limit_amount": limit or 0,
            "period": period,
            "hard": True,
            "enabled": limit is not None,
            "source": "api",
            "created_at_us": 0,
            "updated_at_us": 0,
        }
        async with self.database.write() as unit:
            await unit.connection.execute(delete(budgets).where(budgets.c.budget_id == budget_id))
            await unit.connection.execute(insert(budgets).values(budget_id=budget_id, **values))

    async def settle(
        self,
        batch_id: str,
        settlements: Iterable[Settlement],
        costs: Mapping[str, int],
    ) -> None:
        async with self.database.write() as unit:
            await settle(unit, batch_id, settlements, costs, posted_at_us=0)

    async def remainder(self, worker: str, keep: Mapping[str, int] | None = None) -> dict[str, int]:
        async with self.database.write() as unit:
            return await return_remainder(unit, worker, keep)

    async def release(self, node: str) -> dict[str, int]:
        async with self.database.write() as unit:
            return await release_node(unit, node)

    async def books(self) -> list[Discrepancy]:
        async with self.database.read() as unit:
            return await books(unit)

    async def counters(self, budget_id: str) -> tuple[int, int]:
        async with self.database.read() as unit:
            rows = await unit.connection.execute(
                select(budget_periods).where(budget_periods.c.budget_id == budget_id),
            )
            found = rows.all()
        return sum(r.spent for r in found), sum(r.leased for r in found)

    async def posted(self) -> dict[str, int]:
        async with self.database.read() as unit:
            rows = await unit.connection.execute(
                select(postings.c.account, postings.c.amount),
            )
            sums: Counter[str] = Counter()
            for row in rows:
                sums[row.account] += row.amount
        return dict(sums)
