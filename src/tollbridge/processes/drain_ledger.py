"""What does the drain do to the ledger, and in which order does it take the ledger's rows?"""

from collections.abc import Callable, Iterable, Mapping, Sequence
from typing import Protocol

from tollbridge.core.settlement import Settlement
from tollbridge.ledger.settle import settle
from tollbridge.ledger.store import return_remainder
from tollbridge.storage.unit import Unit


class Granting(Protocol):
    """Who grants leases: `grants.Granter`."""

    async def worker_gone(self, worker: str) -> None:
        """Forget a dead worker; after this nothing is granted to it."""
        ...


class DrainLedger:
    """What the drain asks of the ledger, and of the granter that leases were granted by.

    One unit settles a batch and then returns what dead workers leave, one after the other. The
    rows of all of it are locked at its first step, in key order: else another node's decision,
    which takes them in that order, and this unit could wait for each other.
    """

    def __init__(
        self, granter: Granting, moved: Callable[[Iterable[str]], None] = lambda _: None
    ) -> None:
        """Come together; `moved` is told the ids of the limits that a batch counts in."""
        self._granter = granter
        self._moved = moved
        self._gone: set[str] = set()

    async def worker_gone(self, worker: str) -> None:
        """Grant nothing more to a dead worker; before the unit that returns its remainder."""
        self._gone.add(worker)
        await self._granter.worker_gone(worker)

    async def settle(
        self,
        unit: Unit,
        batch_id: str,
        charges: Sequence[Settlement],
        provider_costs: Mapping[str, int],
        posted_at_us: int,
    ) -> None:
        """Post a batch."""
        self._moved({one.budget_id for one in charges})
        await settle(unit, batch_id, charges, provider_costs, posted_at_us, also=self._gone)

    async def return_remainder(self, unit: Unit, worker: str, keep: Mapping[str, int]) -> object:
        """Free what a dead worker was granted and has not used."""
        freed = await return_remainder(unit, worker, keep, also=self._gone)
        # Should the unit fail, the drain says once more who is gone before it tries again.
        self._gone.discard(worker)
        return freed
