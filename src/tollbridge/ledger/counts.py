"""How many calls per minute and at once may this node's workers still let in?

Counted by the office in memory, exactly for its node. Pure: instants are handed in.
"""

from collections.abc import Iterable

from tollbridge.core.limits import DURABLE, Granted, Limit, LimitKind, Need, PurseState, Returned
from tollbridge.ledger.allot import Shortage
from tollbridge.ledger.periods import END_OF_TIME_US, minute_bounds


class CountLimit:
    """One limit and what each worker has of it."""

    def __init__(self, limit: Limit) -> None:
        self.limit = limit
        self.start_us = 0
        self.end_us = END_OF_TIME_US
        self.out: dict[str, int] = {}
        self.used = 0

    def turn_to(self, now_us: int) -> None:
        """Begin the calendar minute of `now_us`; concurrent calls know no minutes."""
        if self.limit.kind is LimitKind.CALLS_PER_MINUTE:
            start_us, end_us = minute_bounds(now_us)
            if start_us != self.start_us:
                self.start_us, self.end_us = start_us, end_us
                self.out.clear()
                self.used = 0

    @property
    def lease_id(self) -> str:
        """One name per limit and minute; each worker has a purse of its own by it."""
        return f"{self.limit.limit_id}@{self.start_us}"

    @property
    def room(self) -> int:
        """How many are left; below zero after the limit was lowered."""
        return self.limit.amount - self.used

    def add(self, worker: str, amount: int) -> None:
        """Count `amount` more (or fewer) as the worker's."""
        self.out[worker] = self.out.get(worker, 0) + amount
        self.used += amount


class CountLimits:
    """All limits of a node that are counted in memory.

    A limit that is not among them (a worker may know an older set) does not bind.
    """

    def __init__(self) -> None:
        self._limits: dict[str, CountLimit] = {}
        self._ids_ever: set[str] = set()

    def counts(self, limit_id: str) -> bool:
        """Return whether the limit is, or ever was, counted here; others are money."""
        return limit_id in self._ids_ever

    def replace(self, limits: Iterable[Limit]) -> None:
        """Take another set of limits; what is counted of those that stay is kept."""
        before = self._limits
        self._limits = {}
        for limit in limits:
            if limit.kind in DURABLE:
                continue
            known = before.get(limit.limit_id)
            if known is None or known.limit.kind is not limit.kind:
                known = CountLimit(limit)
            known.limit = limit
            self._limits[limit.limit_id] = known
        self._ids_ever.update(self._limits)

    def take(
        self,
        worker: str,
        needs: Iterable[Need],
        shares: int,
        now_us: int,
    ) -> tuple[Granted, ...] | Shortage:
        """Count what is needed, all or none, and some in stock where there is plenty."""
        taken: list[tuple[CountLimit, int]] = []
        for _, need in sorted({need.limit_id: need for need in needs}.items()):
            counter = self._counter(need.limit_id, now_us)
            needed, room = max(0, need.needed), max(0, counter.room)
            if needed > room:
                return Shortage(
                    limit_id=need.limit_id,
                    used=counter.used,
                    limit=counter.limit.amount,
                    resets_at_us=counter.end_us,
                    available=room,
                    hopeless=needed > counter.limit.amount,
                )
            taken.append((counter, max(needed, min(need.wanted, room // shares))))
        for counter, amount in taken:
            counter.add(worker, amount)
        return tuple(
            Granted(counter.limit.limit_id, counter.lease_id, counter.start_us, counter.end_us, n)
            for counter, n in taken
            if n
        )

    def undo(self, worker: str, granted: Iterable[Granted]) -> None:
        """Take back what was counted for a request that is not granted after all."""
        for one in granted:
            self._less(worker, one.limit_id, one.lease_id, one.amount)

    def give_back(self, worker: str, returned: Returned) -> None:
        """Count what a worker returned as free again; of a minute that is over, nothing."""
        self._less(worker, returned.limit_id, returned.lease_id, returned.amount)

    def greet(self, worker: str, states: Iterable[PurseState], now_us: int) -> None:
        """Count what a living worker says it holds in place of what was counted for it."""
        for counter in self._limits.values():
            counter.turn_to(now_us)
            counter.add(worker, -counter.out.get(worker, 0))
        for state in states:
            counter = self._limits.get(state.limit_id)
            if counter is not None and state.lease_id == counter.lease_id:
                counter.add(worker, state.granted - state.returned)

    def worker_gone(self, worker: str) -> None:
        """Free the calls at once of a dead worker; its calls in this minute stay counted."""
        for counter in self._limits.values():
            if counter.limit.kind is LimitKind.CONCURRENT_CALLS:
                counter.used -= counter.out.pop(worker, 0)

    def _counter(self, limit_id: str, now_us: int) -> CountLimit:
        counter = self._limits.get(limit_id)
        if counter is None:
            counter = CountLimit(
                Limit(limit_id, LimitKind.CALLS_PER_MINUTE, name=limit_id, amount=1 << 40),
            )
        counter.turn_to(now_us)
        return counter

    def _less(self, worker: str, limit_id: str, lease_id: str, amount: int) -> None:
        counter = self._limits.get(limit_id)
        if counter is not None and counter.lease_id == lease_id:
            counter.add(worker, -min(amount, counter.out.get(worker, 0)))
