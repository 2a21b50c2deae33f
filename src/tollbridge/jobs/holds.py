"""How is set aside what a job may cost, so that it stays set aside through every restart?

To the node's granter each job is a worker of its own, `job:<call id>`, with a lease of the exact
amount: granted at the job's beginning, never refilled, ended when the job is in the books. What is
counted in memory (calls per minute, calls at once) is held by the same name.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence
from typing import Protocol

import msgspec

from tollbridge.core.call import CreditTerms, Hold
from tollbridge.core.clock import SECOND_US, Clock
from tollbridge.core.errors import OverloadedError
from tollbridge.core.limits import (
    DURABLE,
    Granted,
    LeaseGrant,
    LeaseRecall,
    LeaseRefusal,
    LeaseRequest,
    LeaseReturn,
    Limit,
    LimitKind,
    Need,
    PurseState,
    Returned,
)
from tollbridge.jobs.job import LEASE_PREFIX, Job

ASKED = 1
"""The request's id: each job asks once."""
Amounts = Sequence[tuple[Limit, int]]
FromGranter = LeaseGrant | LeaseRefusal | LeaseRecall
LimitErrorOf = Callable[[Limit, LeaseRefusal, int], Exception]


class Granting(Protocol):
    """Who grants: `ledger.grants.Granter`."""

    def hello(self, worker: str, states: Iterable[PurseState]) -> None:
        """Take the first words of a worker."""
        ...

    def receive(self, worker: str, message: LeaseRequest | LeaseReturn) -> None:
        """Take a worker's message in."""
        ...

    async def worker_gone(self, worker: str) -> None:
        """Forget a worker; after this nothing is granted to it."""
        ...


class JobHold(msgspec.Struct, frozen=True):
    """What was granted to a job."""

    durable: tuple[Hold, ...] = ()
    counted: tuple[tuple[str, str, int, int], ...] = ()
    """Limit, lease, period start, amount."""


class _Asking(msgspec.Struct, eq=False):
    limits: dict[str, Limit]
    answer: asyncio.Future[tuple[Granted, ...]]


class JobHolds:
    """The leases of one office's jobs, in its event loop."""

    def __init__(
        self,
        granter: Granting,
        clock: Clock,
        limit_error: LimitErrorOf,
        wait_s: float,
        answer_s: float,
    ) -> None:
        """Hold nothing yet. `wait_s`: for idle leases to come back; `answer_s`: beyond that."""
        self._granter = granter
        self._clock = clock
        self._limit_error = limit_error
        self._wait_s = wait_s
        self._answer_s = answer_s
        self._asking: dict[str, _Asking] = {}

    async def reserve(
        self, worker: str, amounts: Amounts, credit_terms: CreditTerms | None = None
    ) -> JobHold:
        """Set all amounts aside, or none; `credit_terms` say how a job counts in credits.

        Raises what `limit_error` makes of a refusal, OverloadedError where nobody answers; the
        caller then ends what may have been granted all the same (`worker_gone`, its leases).
        """
        now_us = self._clock.now_us()
        limits = {limit.limit_id: limit for limit, _ in amounts}
        asking = _Asking(limits, asyncio.get_running_loop().create_future())
        self._asking[worker] = asking
        needs = tuple(Need(limit.limit_id, amount, amount) for limit, amount in amounts)
        deadline_us = now_us + round(self._wait_s * SECOND_US)
        self._granter.hello(worker, ())
        self._granter.receive(worker, LeaseRequest(ASKED, needs, deadline_us))
        try:
            async with asyncio.timeout(self._wait_s + self._answer_s):
                granted = await asking.answer
        except TimeoutError as error:
            said = "the limits cannot be checked now"
            raise OverloadedError(said, retry_after_s=1) from error
        finally:
            del self._asking[worker]
        return JobHold(
            durable=tuple(
                _hold(limits[one.limit_id], one, credit_terms)
                for one in granted
                if limits[one.limit_id].kind in DURABLE
            ),
            counted=tuple(
                (one.limit_id, one.lease_id, one.period_start_us, one.amount)
                for one in granted
                if limits[one.limit_id].kind not in DURABLE
            ),
        )

    def restore(self, job: Job) -> None:
        """Say again, to an office that has just started, what a job holds."""
        states = [
            PurseState(
                hold.budget_id,
                hold.lease_id,
                hold.period_start_us,
                hold.amount,
                hold.amount,
                0,
                0,
            )
            for hold in job.opened.holds
            if hold.lease_id
        ]
        states += [
            PurseState(limit_id, lease_id, start_us, amount, amount, 0, 0)
            for limit_id, lease_id, start_us, amount in job.counted
        ]
        self._granter.hello(job.lease_worker, states)

    async def gone(self, worker: str) -> None:
        """Let nothing more be granted to a job, and free its place among the calls at once."""
        await self._granter.worker_gone(worker)

    def on_message(self, worker: str, message: FromGranter) -> bool:
        """Take what the granter says to a job; return whether it was to one."""
        if not worker.startswith(LEASE_PREFIX):
            return False
        if isinstance(message, LeaseRecall):
            # A job has nothing to spare; answered, so that nobody waits for it.
            self._granter.receive(worker, LeaseReturn((Returned(message.limit_id, "", 0),)))
            return True
        asking = self._asking.get(worker)
        if asking is None or asking.answer.done():
            return True
        if isinstance(message, LeaseGrant):
            asking.answer.set_result(message.granted)
        elif message.request_id == ASKED:
            limit = asking.limits[message.limit_id]
            error = self._limit_error(limit, message, self._clock.now_us())
            asking.answer.set_exception(error)
        return True


def _hold(limit: Limit, granted: Granted, credit_terms: CreditTerms | None) -> Hold:
    return Hold(
        granted.lease_id,
        granted.limit_id,
        granted.period_start_us,
        granted.amount,
        limit.kind,
        limit.selector.provider,
        credit_terms if limit.kind is LimitKind.CREDITS else None,
    )
