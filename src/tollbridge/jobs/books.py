"""How does a job that is over come into the books?

Exactly as a drained call: one detail row, its attempts, roll-ups and postings, in one transaction,
in which its lease ends and its row is finished too. Doing it twice is doing it once.
"""

from collections.abc import Callable, Mapping, Sequence

import msgspec

from tollbridge.core.account import CallAccount
from tollbridge.core.evidence import CallEvidence, Closed, Opened
from tollbridge.core.settlement import Settlement
from tollbridge.jobs import store
from tollbridge.jobs.job import LEASE_PREFIX, Job
from tollbridge.ledger.settle import settle
from tollbridge.ledger.store import return_remainder
from tollbridge.recording.calls import EndedCall, RawEvidence
from tollbridge.recording.closing import Closer
from tollbridge.recording.details import Source
from tollbridge.recording.store import put_aside
from tollbridge.storage.unit import Database, Unit

SEGMENT = "jobs"
"""What stands in the place of a spool segment's name."""


class JobLedger:
    """What a job's end does to the ledger."""

    def __init__(self, worker: str) -> None:
        self._worker = worker

    async def settle(
        self,
        unit: Unit,
        batch_id: str,
        charges: Sequence[Settlement],
        provider_costs: Mapping[str, int],
        posted_at_us: int,
    ) -> None:
        """Post it."""
        # The rows of its lease are locked now: they are changed later in the same unit.
        also = {self._worker}
        await settle(unit, batch_id, charges, provider_costs, posted_at_us, also=also)

    async def return_remainder(self, unit: Unit, worker: str, keep: Mapping[str, int]) -> object:
        """Free what its lease still holds."""
        return await return_remainder(unit, worker, keep)


class JobBooks:
    """Brings jobs into the books of one office."""

    def __init__(
        self,
        database: Database,
        closer_of: Callable[[JobLedger], Closer],
        on_added: Callable[[Sequence[CallAccount]], None],
    ) -> None:
        """`closer_of` gives what closes calls; `on_added` hears of those that are in the books."""
        self._database = database
        self._closer_of = closer_of
        self._on_added = on_added

    async def finish(self, job: Job, closed: Closed) -> None:
        """Bring a job into the books and write its row, which says by now how it ended.

        What cannot be understood goes to the quarantine, and its hold stays, as of any call.
        Raises OverloadedError where the database is at fault; it is then to be done again.
        """
        ended = _ended(job.opened, closed, job.node, job.lease_worker)
        ledger = JobLedger(job.lease_worker)
        closer = self._closer_of(ledger)
        now_us = closed.closed_at_us
        async with self._database.write() as unit:
            books, culprits = await closer.one_by_one(unit, [ended], now_us)
            if culprits:
                await put_aside(unit, culprits, now_us)
            else:
                await ledger.return_remainder(unit, job.lease_worker, {})
            await store.save(unit, job)
        books.committed()
        self._on_added(books.added)

    async def refuse(self, opened: Opened, closed: Closed, node: str) -> None:
        """Bring into the books a job that a money limit refused: it had no attempt."""
        worker = f"{LEASE_PREFIX}{opened.call_id}"
        closer = self._closer_of(JobLedger(worker))
        ended = _ended(opened, closed, node, worker)
        async with self._database.write() as unit:
            books = await closer.together(unit, [ended], closed.closed_at_us)
        books.committed()
        self._on_added(books.added)


def _ended(opened: Opened, closed: Closed, node: str, worker: str) -> EndedCall:
    raw = msgspec.json.encode(RawEvidence(closed, opened))
    return EndedCall(CallEvidence(opened, closed), Source(node, worker, SEGMENT, 0, raw))
