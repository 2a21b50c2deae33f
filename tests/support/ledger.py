"""A node in one process: a granter, its workers' purses, and messages between them.

Messages wait in queues until they are delivered, so that a test decides what overtakes what.
"""

from collections import deque
from collections.abc import Iterable

from tollbridge.core.clock import Clock
from tollbridge.core.limits import LeaseRequest, LeaseReturn, Limit, LimitKind
from tollbridge.ledger.allot import Ledger
from tollbridge.ledger.grants import Granter, GranterSettings, ToWorker
from tollbridge.ledger.purse import PurseSettings
from tollbridge.ledger.reserve import FromOffice, Purses, ToOffice


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
