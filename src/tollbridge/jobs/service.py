"""How does one ask for work that takes its time, and for what has become of it?"""

import asyncio
import secrets
from collections.abc import Awaitable, Callable, Collection, Iterable
from typing import Protocol

import msgspec

from tollbridge.access.keys import KeyEntry
from tollbridge.core.call import Ending, Operation, new_id
from tollbridge.core.clock import SECOND_US, Clock
from tollbridge.core.errors import (
    BudgetExceededError,
    NotFoundError,
    OverloadedError,
    QuotaExceededError,
    TollbridgeError,
    UnpricedModelError,
)
from tollbridge.core.evidence import Closed, Opened
from tollbridge.jobs import store
from tollbridge.jobs.drive import Driver
from tollbridge.jobs.holds import JobHold
from tollbridge.jobs.job import LATE_S, LEASE_PREFIX, Job, JobFigures, begun_at_us
from tollbridge.jobs.planning import Order, Planner, opened_of, shown_of
from tollbridge.jobs.tools import Tools
from tollbridge.ledger.applying import Applying
from tollbridge.ledger.store import list_outstanding_leases, return_remainder
from tollbridge.providers.dialects.tasks.hooks import Heard
from tollbridge.reserving import Needs
from tollbridge.storage.unit import Unit

CheckUrls = Callable[[Iterable[str], str], Awaitable[None]]


class Begin(Protocol):
    """Who sees to it that a job goes on: `Engine.begin`."""

    async def __call__(self, job_id: str, run: str) -> None:
        """Begin to drive a job."""
        ...


class JobLimits(msgspec.Struct, frozen=True, kw_only=True):
    """Bounds of jobs."""

    timeout_s: float = 3600.0
    jobs_max: int = 1000
    """Jobs of one office under way at once."""
    keep_days: float = 30.0
    """Time that a finished job can be asked after."""


class MediaJobs:
    """The jobs of one office."""

    def __init__(
        self,
        tools: Tools,
        planner: Planner,
        limits: JobLimits,
        node: str,
        on_finished: Callable[[str], None],
        check_urls: CheckUrls,
    ) -> None:
        """`on_finished` hears the ids of jobs that are over, once or twice.

        `check_urls` raises InvalidRequestError for addresses that nobody may fetch.
        """
        self._check_urls = check_urls
        self._tools = tools
        self._planner = planner
        self._limits = limits
        self._node = node
        self._driver = Driver(tools)
        self._begin: Begin | None = None
        self._run = new_id(tools.clock.now_us())
        self._on_finished = on_finished
        self._finished: dict[str, asyncio.Event] = {}

    @property
    def clock(self) -> Clock:
        """The clock by which jobs are told."""
        return self._tools.clock

    def figures(self, faulty: Collection[str] = ()) -> JobFigures:
        """Return how the jobs under way are, from memory; `faulty` meet faults of ours."""
        now_us = self._tools.clock.now_us()
        ages_s = {one: (now_us - begun_at_us(one)) / SECOND_US for one in self._driver.under_way()}
        late_s = self._limits.timeout_s + LATE_S
        return JobFigures(
            under_way=len(ages_s),
            oldest_s=max(0.0, *ages_s.values(), 0.0),
            stuck=sum(one in faulty or age_s > late_s for one, age_s in ages_s.items()),
        )

    async def turn(self, job_id: str) -> bool:
        """Take a job's next step; return whether there is none left. For the engine."""
        is_over = await self._driver.turn(job_id)
        if is_over:
            event = self._finished.pop(job_id, None)
            if event is not None:
                event.set()
            self._on_finished(job_id)
        return is_over

    async def start(self, begin: Begin) -> None:
        """Go on with what an office before this one left; from here on jobs are taken."""
        self._begin = begin
        async with self._tools.database.read() as unit:
            left: list[str] = []
            while page := await store.list_unfinished(unit, self._node, left[-1] if left else ""):
                left += page
            jobs = [await store.find(unit, job_id) for job_id in left]
        for job in jobs:
            if job is not None:
                self._tools.holds.restore(job)
                await begin(job.job_id, self._run)
        await self._free_orphans(set(left))

    async def create(self, order: Order) -> Job:
        """Check, plan, set aside, write down, and begin.

        Raises InvalidRequestError for what no candidate can make, before any is paid; LimitError
        in its kinds; OverloadedError.
        """
        if self._begin is None:
            raise OverloadedError("the office is starting", retry_after_s=1)
        planned = self._planner.plan(order)
        if planned.request.addresses:
            await self._check_urls(planned.request.addresses, "image")
        now_us = self._tools.clock.now_us()
        job_id = new_id(order.received_at_us)
        opened = opened_of(order, planned, job_id, now_us)
        try:
            planned, hold = await self._planner.admit(
                order, planned, lambda needs: self._reserve(job_id, needs, planned.applying)
            )
        except (BudgetExceededError, QuotaExceededError, UnpricedModelError) as error:
            await self._refused(opened, error)
            raise
        holds = hold.durable + planned.applying.soft_holds(now_us)
        opened = opened_of(order, planned, job_id, now_us)
        job = Job(
            job_id=job_id,
            node=self._node,
            token=secrets.token_hex(16),
            opened=msgspec.structs.replace(opened, holds=holds),
            body=planned.request.body,
            candidates=tuple(
                (one.endpoint.name, one.model, one.reason) for one in planned.candidates
            ),
            created_at_us=order.received_at_us,
            updated_at_us=now_us,
            deadline_at_us=now_us + round(self._limits.timeout_s * SECOND_US),
            shown=shown_of(planned),
            on_content_filtered=planned.plan.on_content_filtered,
            counted=hold.counted,
            webhook_url=order.webhook_url,
        )
        try:
            await self._add(job)
        except BaseException:
            await self._free(job.lease_worker)
            raise
        await self._begin(job_id, self._run)
        return job

    async def get(self, job_id: str, key: KeyEntry) -> Job:
        """Return one of a key's jobs; an admin's or the same user's key sees it too.

        Raises NotFoundError for one that is not there, deleted, or somebody else's.
        """
        async with self._tools.database.read() as unit:
            job = await store.find(unit, job_id)
        if job is None or job.is_deleted or not _may_see(job, key):
            raise NotFoundError("there is no such job")
        return job

    async def wait(self, job: Job, timeout_s: float) -> Job:
        """Return a job when it is finished, or as it stands after a time."""
        event = self._finished.setdefault(job.job_id, asyncio.Event())
        async with self._tools.database.read() as unit:
            now = await store.find(unit, job.job_id)
        if now is None or now.is_finished:
            self._finished.pop(job.job_id, None)
            return now or job
        try:
            async with asyncio.timeout(timeout_s):
                await event.wait()
        except TimeoutError:
            pass
        async with self._tools.database.read() as unit:
            return await store.find(unit, job.job_id) or job

    async def list_page(
        self,
        key: KeyEntry,
        after: str | None,
        limit: int,
        *,
        newest_first: bool,
        operation: Operation | None = Operation.VIDEO_GENERATION,
    ) -> list[Job]:
        """Return a page of a key's jobs: films, or of another operation, or of all (None)."""
        async with self._tools.database.read() as unit:
            return await store.list_of_key(
                unit,
                key.key_id,
                operation=None if operation is None else operation.value,
                after=after,
                newest_first=newest_first,
                limit=limit,
            )

    async def delete(self, job: Job) -> None:
        """Let a job be seen no more; one that is under way is ended, where that can be done."""
        async with self._tools.database.write() as unit:
            if not job.is_finished:
                await store.ask_to_stop(unit, job.job_id)
            await store.mark_deleted(unit, job.job_id)
        self._driver.wake(job.job_id)

    async def stop(self, job: Job) -> None:
        """End a job that is under way; it can still be asked after."""
        async with self._tools.database.write() as unit:
            await store.ask_to_stop(unit, job.job_id)
        self._driver.wake(job.job_id)

    async def on_webhook(self, endpoint: str, token: str, heard: Heard) -> bool:
        """Let the job that a provider speaks of look at its task; return whether it does.

        Raises what `Hooks.hear` raises.
        """
        async with self._tools.database.read() as unit:
            job_id = await store.find_by_token(unit, token)
            job = None if job_id is None else await store.find(unit, job_id)
        if job is None:
            raise NotFoundError("there is no such job")
        is_new = await self._tools.hooks.hear(job, endpoint, heard)
        if is_new:
            self._driver.wake(job.job_id)
        return is_new

    async def prune(self, rows_max: int = 500) -> int:
        """Delete jobs that were finished long ago; return how many."""
        before_us = self._tools.clock.now_us() - round(self._limits.keep_days * 86400 * SECOND_US)
        async with self._tools.database.write() as unit:
            return await store.prune(unit, before_us, rows_max)

    async def _add(self, job: Job) -> None:
        jobs_max = self._limits.jobs_max
        async with self._tools.database.write() as unit:
            if await store.count_unfinished(unit, self._node, jobs_max) >= jobs_max:
                raise OverloadedError("too many jobs are under way", retry_after_s=10)
            await store.add(unit, job)

    async def _reserve(self, job_id: str, needs: Needs, applying: Applying) -> JobHold:
        worker = _worker_of(job_id)
        try:
            return await self._tools.holds.reserve(worker, needs, applying.credit_terms)
        except BaseException:
            await self._free(worker)
            raise

    async def _free(self, worker: str) -> None:
        """End what was granted to a job that does not come to be."""
        await self._tools.holds.gone(worker)
        async with self._tools.database.write() as unit:
            await return_remainder(unit, worker, {})

    async def _free_orphans(self, under_way: set[str]) -> None:
        """End the leases of jobs that died before their row was written."""
        async with self._tools.database.read() as unit:
            workers = await _lease_workers(unit, self._node)
        for worker in workers:
            if worker.removeprefix(LEASE_PREFIX) not in under_way:
                await self._free(worker)

    async def _refused(self, opened: Opened, error: TollbridgeError) -> None:
        closed = Closed(
            call_id=opened.call_id,
            closed_at_us=self._tools.clock.now_us(),
            ending=Ending.OVER_BUDGET,
            http_status=error.status,
            error=error.message,
        )
        await self._tools.books.refuse(opened, closed, self._node)


def _worker_of(job_id: str) -> str:
    return f"{LEASE_PREFIX}{job_id}"


def _may_see(job: Job, key: KeyEntry) -> bool:
    caller = job.opened.caller
    return caller.key_id == key.key_id or caller.user == key.caller.user


async def _lease_workers(unit: Unit, node: str) -> set[str]:
    """Return the names of this node's jobs that hold something."""
    workers: set[str] = set()
    after = ""
    while page := await list_outstanding_leases(unit, node, after):
        workers |= {one.worker for one in page if one.worker.startswith(LEASE_PREFIX)}
        after = page[-1].lease_id
    return workers
