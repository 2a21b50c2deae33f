"""How does a job go on to its end, whatever dies on the way?

Each step reads the row, does one thing and writes the row. The order of the two decides what a
crash costs: an attempt is written down before it leaves, a task's id as soon as it is known, and
the end together with the books.
"""

import asyncio
from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from tollbridge.core.call import AttemptOutcome, Ending, ErrorClass, OnCallerLeft, Status
from tollbridge.core.clock import SECOND_US, Clock
from tollbridge.core.errors import OverloadedError
from tollbridge.core.evidence import AttemptEvidence, Closed
from tollbridge.core.plan import Candidate, Endpoint
from tollbridge.jobs import store
from tollbridge.jobs.books import JobBooks
from tollbridge.jobs.holds import JobHolds
from tollbridge.jobs.job import Job, JobError, MadeThing, Phase
from tollbridge.providers import tasks
from tollbridge.providers.relay import new_attempt
from tollbridge.providers.tasks import Ask, PollError, TaskFailedError, TaskLimits
from tollbridge.providers.verdict import FINAL, conclude
from tollbridge.providers.wire import Given, TaskState, TaskStatus, TaskWire
from tollbridge.storage.unit import Database

Reach = Callable[[str], None]
STOPPED = "it was cancelled"
TIMED_OUT = "it took too long"
DATABASE_RETRY_S = 0.5


class Breakers(Protocol):
    """Who is told how endpoints serve."""

    def succeeded(self, endpoint: str) -> None:
        """Note that an endpoint took work in."""
        ...

    def failed(
        self, endpoint: str, error_class: ErrorClass, retry_after_s: float | None = None
    ) -> None:
        """Note that an endpoint failed, and why."""
        ...


class DriveLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How long a job's tasks may take."""

    attempt_timeout_s: float = 1800.0
    attempts_max: int = 8
    tasks: TaskLimits = TaskLimits(poll_first_s=1.0, poll_max_s=15.0)


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """What driving a job needs."""

    database: Database
    clock: Clock
    ask: Ask
    wires: Mapping[str, TaskWire]
    endpoint_of: Callable[[str], Endpoint | None]
    """An endpoint as it is now, by name; None for one that is gone or switched off."""
    breakers: Breakers
    books: JobBooks
    holds: JobHolds
    limits: DriveLimits
    reach: Reach
    """A place where a test may kill the process."""


class Driver:
    """Brings jobs to their ends, one task at a time for each."""

    def __init__(self, tools: Tools) -> None:
        self._tools = tools
        self._locks: dict[str, asyncio.Lock] = {}
        self._wakes: dict[str, asyncio.Event] = {}

    async def turn(self, job_id: str) -> bool:
        """Take a job's next step; return whether there is none left.

        Begun twice it is done once. The database's own faults are waited for; everything else
        that is raised is a bug.
        """
        lock = self._locks.setdefault(job_id, asyncio.Lock())
        self._wakes.setdefault(job_id, asyncio.Event())
        async with lock:
            while True:
                try:
                    async with self._tools.database.read() as unit:
                        job = await store.find(unit, job_id)
                    if job is None or job.is_finished:
                        self._locks.pop(job_id, None)
                        self._wakes.pop(job_id, None)
                        return True
                    await self._step(job)
                except OverloadedError:
                    await asyncio.sleep(DATABASE_RETRY_S)
                else:
                    return False

    def wake(self, job_id: str) -> None:
        """Let a job look at its task now: a webhook said something, or nobody wants it any more."""
        event = self._wakes.get(job_id)
        if event is not None:
            event.set()

    async def _step(self, job: Job) -> None:
        tools = self._tools
        now_us = tools.clock.now_us()
        if job.phase is Phase.SUBMITTING:
            await self._recover(job)
        elif job.phase is Phase.RUNNING:
            await self._follow(job)
        elif job.asks_to_stop:
            await self._end(job, Ending.CALLER_LEFT, STOPPED)
        elif now_us >= job.deadline_at_us:
            await self._end(job, Ending.PROVIDER_BROKE, TIMED_OUT)
        elif self._may_try(job):
            await self._attempt(job)
        else:
            await self._end(job, Ending.ALL_REFUSED, None)

    def _may_try(self, job: Job) -> bool:
        last = job.attempts[-1] if job.attempts else None
        return (
            job.candidate < len(job.candidates)
            and len(job.attempts) < self._tools.limits.attempts_max
            and (last is None or last.error_class not in FINAL)
        )

    async def _attempt(self, job: Job) -> None:
        """Ask the next candidate: journaled, then sent, then what it said is written."""
        tools = self._tools
        name, model, reason = job.candidates[job.candidate]
        endpoint = tools.endpoint_of(name)
        wire = None if endpoint is None else tools.wires.get(endpoint.dialect)
        if endpoint is None or wire is None:
            job.candidate += 1  # it was switched off meanwhile: nothing to journal
            await self._save(job)
            return
        candidate = Candidate(endpoint, model, reason)
        attempt = new_attempt(len(job.attempts) + 1, candidate, tools.clock.now_us())
        request = job.request()
        try:
            outgoing = tasks.compose(wire, request, candidate)
        except TaskFailedError as failure:
            self._note_failure(attempt, failure)
            await self._next(job, attempt)
            return
        attempt.written = True  # until the transport says otherwise: if we die now, it may be
        job.attempts = (*job.attempts, attempt)
        job.phase, job.status = Phase.SUBMITTING, Status.PROCESSING
        job.task_id = outgoing.task_id
        job.task_started_at_us = attempt.started_at_us
        await self._save(job)
        tools.reach("job.before_submit")
        by_s = tools.clock.monotonic_s() + tools.limits.tasks.submit_timeout_s
        try:
            state = await tasks.submit(
                tools.ask, wire, request, candidate, job.job_id, by_s, outgoing
            )
        except TaskFailedError as failure:
            tools.breakers.failed(name, failure.error_class, failure.retry_after_s)
            if failure.outcome is AttemptOutcome.UNKNOWN and outgoing.task_id:
                await self._running(job, outgoing.task_id)  # its id is ours: ask after it
                return
            self._note_failure(attempt, failure)
            await self._next(job, attempt)
            return
        tools.reach("job.after_submit")
        tools.breakers.succeeded(name)
        attempt.http_status = 200
        attempt.first_byte_at_us = tools.clock.now_us()
        if state.status is TaskStatus.RUNNING:
            await self._running(job, state.task_id)
        else:
            attempt.response_id = state.task_id or None
            await self._over(job, state)

    async def _recover(self, job: Job) -> None:
        """Go on after a death between the journal of a submit and what came of it."""
        attempt = job.attempts[-1]
        if job.task_id:
            await self._running(job, job.task_id)
            return
        attempt.outcome = AttemptOutcome.UNKNOWN
        attempt.error_class = ErrorClass.BROKEN_CONNECTION
        attempt.message = "the process ended while the task was submitted"
        await self._next(job, attempt)

    async def _running(self, job: Job, task_id: str) -> None:
        job.phase, job.task_id = Phase.RUNNING, task_id
        job.attempts[-1].response_id = task_id
        await self._save(job)
        self._tools.reach("job.after_running")

    async def _follow(self, job: Job) -> None:
        """Look at a task until it is over, nobody wants it, or it takes too long."""
        tools = self._tools
        attempt = job.attempts[-1]
        endpoint = tools.endpoint_of(attempt.endpoint)
        wire = tools.wires.get(attempt.dialect)
        if endpoint is None or wire is None:
            attempt.outcome = AttemptOutcome.UNKNOWN
            attempt.message = "the endpoint was removed while it worked"
            await self._next(job, attempt)
            return
        request = job.request()
        polls = refusals = 0
        while True:
            state: TaskState | None = None
            by_s = tools.clock.monotonic_s() + tools.limits.tasks.poll_timeout_s
            wait_s = tools.limits.tasks.wait_s(polls)
            polls += 1
            try:
                state = await tasks.look(
                    tools.ask, wire, request, endpoint, job.task_id, job.job_id, by_s
                )
                refusals = 0
            except PollError as error:
                refusals = refusals + 1 if error.lasting else 0
                wait_s = max(wait_s, min(error.wait_s or 0.0, tools.limits.tasks.poll_max_s))
                if refusals >= tools.limits.tasks.poll_refusals_max:
                    attempt.outcome = AttemptOutcome.UNKNOWN
                    attempt.error_class = ErrorClass.UPSTREAM_ERROR
                    attempt.message = str(error)
                    await self._next(job, attempt)
                    return
            if state is not None and state.status is not TaskStatus.RUNNING:
                await self._over(job, state)
                return
            if await self._is_given_up(job, wire, endpoint):
                return
            if state is not None:
                await self._note_progress(job, state)
            await self._pause(job, wait_s)

    async def _is_given_up(self, job: Job, wire: TaskWire, endpoint: Endpoint) -> bool:
        """End a task that nobody wants or that takes too long; return whether it was."""
        tools = self._tools
        async with tools.database.read() as unit:
            now = await store.find(unit, job.job_id)
        job.asks_to_stop = now is not None and now.asks_to_stop
        now_us = tools.clock.now_us()
        started_us = job.task_started_at_us or now_us
        attempt_until_us = started_us + round(tools.limits.attempt_timeout_s * SECOND_US)
        if not job.asks_to_stop and now_us < min(attempt_until_us, job.deadline_at_us):
            return False
        attempt = job.attempts[-1]
        by_s = tools.clock.monotonic_s() + tools.limits.tasks.poll_timeout_s
        await tasks.cancel(tools.ask, wire, endpoint, job.task_id, job.job_id, by_s)
        state: TaskState | None = None
        try:  # what it bills for what it did
            state = await tasks.look(
                tools.ask, wire, job.request(), endpoint, job.task_id, job.job_id, by_s
            )
        except PollError as error:
            attempt.message = str(error)
        if state is not None and state.status is not TaskStatus.RUNNING:
            await self._over(job, state)
            return True
        attempt.outcome = AttemptOutcome.UNKNOWN  # it may be finished yet, and billed
        attempt.error_class = None if job.asks_to_stop else ErrorClass.TIMEOUT
        attempt.message = STOPPED if job.asks_to_stop else TIMED_OUT
        await self._next(job, attempt)
        return True

    async def _over(self, job: Job, state: TaskState) -> None:
        """Conclude from a task's end: what was made, or the next candidate."""
        attempt = job.attempts[-1]
        try:
            given = tasks.concluded(attempt, state)
        except TaskFailedError as failure:
            if state.status is TaskStatus.FAILED:
                self._tools.breakers.failed(attempt.endpoint, failure.error_class)
            self._note_failure(attempt, failure)
            await self._next(job, attempt)
            return
        attempt.outcome = AttemptOutcome.SUCCEEDED
        attempt.ended_at_us = self._tools.clock.now_us()
        job.outputs = _made(given)
        job.output_endpoint = attempt.endpoint
        await self._end(job, Ending.COMPLETE, None)

    def _note_failure(self, attempt: AttemptEvidence, failure: TaskFailedError) -> None:
        attempt.outcome = failure.outcome
        attempt.error_class = failure.error_class
        attempt.message = failure.message
        attempt.retry_after_s = failure.retry_after_s
        attempt.written = failure.written
        if failure.http_status is not None:
            attempt.http_status = failure.http_status

    async def _next(self, job: Job, attempt: AttemptEvidence) -> None:
        """Write down an attempt that came to nothing, and turn to the next candidate."""
        attempt.ended_at_us = self._tools.clock.now_us()
        if not job.attempts or job.attempts[-1].number < attempt.number:
            job.attempts = (*job.attempts, attempt)
        job.phase, job.task_id, job.candidate = Phase.NEXT, "", job.candidate + 1
        await self._save(job)

    async def _note_progress(self, job: Job, state: TaskState) -> None:
        progress = state.progress_percent
        if progress is not None and progress > job.progress_percent:
            job.progress_percent = min(99, progress)
            await self._save(job)

    async def _pause(self, job: Job, wait_s: float) -> None:
        event = self._wakes[job.job_id]
        try:
            async with asyncio.timeout(wait_s):
                await event.wait()
        except TimeoutError:
            pass
        event.clear()

    async def _end(self, job: Job, ending: Ending, why: str | None) -> None:
        tools = self._tools
        now_us = tools.clock.now_us()
        status, error = _verdict(job, ending, why)
        job.phase, job.error = Phase.FINISHED, error
        job.status = Status.COMPLETED if ending is Ending.COMPLETE else Status.FAILED
        job.updated_at_us = job.finished_at_us = now_us
        job.progress_percent = 100 if ending is Ending.COMPLETE else job.progress_percent
        job.body = b""
        job.webhook_state = "due" if job.webhook_url else None
        closed = Closed(
            call_id=job.job_id,
            closed_at_us=now_us,
            ending=ending,
            http_status=status,
            attempts=job.attempts,
            on_caller_left=OnCallerLeft.CANCEL if ending is Ending.CALLER_LEFT else None,
            error=None if error is None else error.message,
        )
        await tools.holds.gone(job.lease_worker)
        tools.reach("job.before_end")
        await tools.books.finish(job, closed)
        tools.reach("job.after_end")

    async def _save(self, job: Job) -> None:
        job.updated_at_us = self._tools.clock.now_us()
        async with self._tools.database.write() as unit:
            await store.save(unit, job)


def _verdict(job: Job, ending: Ending, why: str | None) -> tuple[int, JobError | None]:
    """Return the status that the call has in the books, and what its caller is told."""
    if ending is Ending.COMPLETE:
        return 200, None
    if ending is Ending.CALLER_LEFT:
        return 499, JobError("cancelled", why or STOPPED)
    if ending is Ending.PROVIDER_BROKE:
        return 504, JobError("timeout", why or TIMED_OUT)
    told = conclude(job.attempts)
    code = told.details.get("code", told.code)
    return told.status, JobError(str(code), told.message)


def _made(given: Given) -> tuple[MadeThing, ...]:
    if given.outputs:
        return tuple(
            MadeThing(one.url or "", one.content_type, one.text or "") for one in given.outputs
        )
    content_type = given.content_type.decode("latin-1")
    return (MadeThing("", content_type, given.body.decode("utf-8", "replace")),)
