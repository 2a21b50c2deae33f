"""What have this office and its living workers agreed on about each lease? Pure."""

from collections.abc import Callable, Iterable

import msgspec

from tollbridge.core.limits import PurseState
from tollbridge.ledger.allot import LeaseTotals

# A worker still returns what falls free in a period that has ended; calls do not last longer
# than a few of the shortest ones.
LEASES_PER_BUDGET_MAX = 4


class AgreedLeases:
    """The totals of every lease of the node's living workers, in the office's memory.

    A lease is entered before its first transaction and counted up only after it: where a
    transaction's end is uncertain, the next one writes these totals again, under the same id.
    """

    def __init__(self, new_lease_id: Callable[[], str]) -> None:
        self._new_lease_id = new_lease_id
        self._totals: dict[tuple[str, str], LeaseTotals] = {}
        self._of_worker: dict[str, set[str]] = {}
        self._current: dict[tuple[str, str], list[LeaseTotals]] = {}
        self._unsaid: set[tuple[str, str]] = set()

    def lease_of(
        self,
        worker: str,
        budget_id: str,
        period_start_us: int,
        dead_lease_id: str | None = None,
    ) -> LeaseTotals:
        """Return the totals of a worker's lease in a period; a new one where there is none.

        `dead_lease_id` was ended behind the worker's back and must not be granted to again.
        """
        chain = self._current.get((worker, budget_id), [])
        newest = next((t for t in reversed(chain) if t.period_start_us == period_start_us), None)
        if newest is not None and newest.lease_id != dead_lease_id:
            return self._totals[worker, newest.lease_id]
        fresh = LeaseTotals(self._new_lease_id(), budget_id, period_start_us, worker, 0, 0)
        self._enter(fresh)
        return fresh

    def granted(self, worker: str, lease_id: str, amount: int) -> None:
        """Count what was granted, once it is certain."""
        known = self._totals.get((worker, lease_id))
        if known is not None:
            self._totals[worker, lease_id] = msgspec.structs.replace(
                known,
                granted=known.granted + amount,
            )

    def returned(self, worker: str, lease_id: str, amount: int) -> None:
        """Count what a worker gave back; the database is told by the next turn."""
        known = self._totals.get((worker, lease_id))
        if known is not None and amount > 0:
            self._totals[worker, lease_id] = msgspec.structs.replace(
                known,
                returned=known.returned + amount,
            )
            self._unsaid.add((worker, lease_id))

    def greet(self, worker: str, states: Iterable[PurseState]) -> None:
        """Replace all that is known of a worker's leases by its own words."""
        self.forget(worker)
        for state in sorted(states, key=lambda state: state.period_start_us):
            self._enter(
                LeaseTotals(
                    lease_id=state.lease_id,
                    budget_id=state.limit_id,
                    period_start_us=state.period_start_us,
                    worker=worker,
                    granted=state.granted,
                    returned=state.returned,
                ),
            )

    def of_worker(self, worker: str) -> tuple[LeaseTotals, ...]:
        """Return the totals of all of a worker's leases."""
        return tuple(self._totals[worker, one] for one in sorted(self._of_worker.get(worker, ())))

    def forget(self, worker: str) -> None:
        """Forget a worker and its leases."""
        for lease_id in self._of_worker.pop(worker, set()):
            totals = self._totals.pop((worker, lease_id))
            self._current.pop((worker, totals.budget_id), None)
            self._unsaid.discard((worker, lease_id))

    def take_unsaid(self) -> tuple[LeaseTotals, ...]:
        """Return the totals that the database may not know, and consider them said."""
        unsaid = tuple(self._totals[key] for key in sorted(self._unsaid))
        self._unsaid.clear()
        return unsaid

    def say_again(self, totals: Iterable[LeaseTotals]) -> None:
        """Note that it is uncertain whether the database was told of these."""
        for one in totals:
            if (one.worker, one.lease_id) in self._totals:
                self._unsaid.add((one.worker, one.lease_id))

    @property
    def has_unsaid(self) -> bool:
        """Whether the database has to be told something."""
        return bool(self._unsaid)

    def _enter(self, totals: LeaseTotals) -> None:
        self._totals[totals.worker, totals.lease_id] = totals
        self._of_worker.setdefault(totals.worker, set()).add(totals.lease_id)
        chain = self._current.setdefault((totals.worker, totals.budget_id), [])
        chain.append(totals)
        if len(chain) > LEASES_PER_BUDGET_MAX:
            oldest = chain.pop(0)
            self._totals.pop((oldest.worker, oldest.lease_id), None)
            self._of_worker[oldest.worker].discard(oldest.lease_id)
            self._unsaid.discard((oldest.worker, oldest.lease_id))
