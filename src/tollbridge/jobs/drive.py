"""How does a job go on to its end, whatever dies on the way?

Each step reads the row, does one thing and writes the row. The order of the two decides what a
crash costs: an attempt is written down before it leaves, a task's id as soon as it is known, and
the end together with the books.
"""

import asyncio

from tollbridge.core.call import AttemptOutcome, Ending, ErrorClass, OnCallerLeft, Status
from tollbridge.core.clock import SECOND_US
from tollbridge.core.errors import OverloadedError
from tollbridge.core.evidence import AttemptEvidence, Closed
from tollbridge.core.plan import Candidate, Endpoint
from tollbridge.jobs import store
from tollbridge.jobs.at_once import OPERATIONS as AT_ONCE
from tollbridge.jobs.ends import STOPPED, TIMED_OUT, made_of, verdict
from tollbridge.jobs.job import Job, MadeThing, Phase
from tollbridge.jobs.tools import Tools
from tollbridge.providers import tasks
from tollbridge.providers.failed import AttemptFailedError
from tollbridge.providers.relay import new_attempt
from tollbridge.providers.tasks import PollError, TaskFailedError
from tollbridge.providers.verdict import FINAL_OF
from tollbridge.providers.wire import TaskState, TaskStatus, TaskWire

DATABASE_RETRY_S = 0.5


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

    def under_way(self) -> tuple[str, ...]:
        """Return the ids of the jobs that are driven now."""
        return tuple(self._locks)

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
            and (last is None or last.error_class not in FINAL_OF[job.on_content_filtered])
        )

    async def _attempt(self, job: Job) -> None:
        """Ask the next candidate, in whatever way its provider is asked."""
        tools = self._tools
        name, model, reason = job.candidates[job.candidate]
        endpoint = tools.endpoint_of(name)
        if endpoint is None:
            await self._skip(job)  # it was switched off meanwhile: nothing to journal
            return
        candidate = Candidate(endpoint, model, reason)
        attempt = new_attempt(len(job.attempts) + 1, candidate, tools.clock.now_us())
        attempt.key, _ = tools.keys.choose(endpoint)
        tools.breakers.began(name)
        operation = job.request().operation
        wire = tools.wires.get(endpoint.dialect)
        if wire is not None and operation in wire.operations():
            await self._as_task(job, attempt, candidate, wire)
        elif operation in AT_ONCE and tools.at_once.speaks_to(candidate):
            await self._at_once(job, attempt, candidate)
        else:
            await self._skip(job)  # it speaks another wire format by now

    async def _as_task(
        self, job: Job, attempt: AttemptEvidence, candidate: Candidate, wire: TaskWire
    ) -> None:
        """Submit: journaled, then sent, then what it said is written."""
        tools, endpoint, request = self._tools, candidate.endpoint, job.request()
        try:
            outgoing = tasks.compose(wire, request, candidate)
        except TaskFailedError as failure:
            _note_failure(attempt, failure)
            await self._next(job, attempt)
            return
        outgoing = tools.hooks.on(outgoing, endpoint, job.token)
        await self._journal(job, attempt, outgoing.task_id)
        tools.reach("job.before_submit")
        by_s = tools.clock.monotonic_s() + tools.limits.tasks.submit_timeout_s
        try:
            state = await tasks.submit(
                tools.ask, wire, request, candidate, job.job_id, by_s, outgoing, attempt.key
            )
        except TaskFailedError as failure:
            if failure.outcome is AttemptOutcome.UNKNOWN and outgoing.task_id:
                tools.breakers.failed(endpoint.name, failure.error_class)
                await self._running(job, outgoing.task_id)  # its id is ours: ask after it
            else:
                await self._failed(job, attempt, endpoint, failure)
            return
        tools.reach("job.after_submit")
        self._served(endpoint, attempt)
        attempt.http_status = 200
        attempt.first_byte_at_us = tools.clock.now_us()
        if state.status is TaskStatus.RUNNING:
            await self._running(job, state.task_id)
        else:
            attempt.response_id = state.task_id or None
            await self._over(job, state)

    async def _at_once(self, job: Job, attempt: AttemptEvidence, candidate: Candidate) -> None:
        """Ask a provider that answers at once: journaled, then sent, then its answer is kept."""
        tools, endpoint = self._tools, candidate.endpoint
        await self._journal(job, attempt, "")
        tools.reach("job.before_submit")
        work = asyncio.create_task(tools.at_once.run(job, attempt, candidate))
        try:
            if not await self._is_wanted_until_done(job, work):
                attempt.outcome = AttemptOutcome.UNKNOWN  # it may have been made, and be billed
                attempt.message = STOPPED
                await self._next(job, attempt)
                return
            made = await work
        except AttemptFailedError as failure:
            await self._failed(job, attempt, endpoint, failure)
            return
        finally:
            work.cancel()
        tools.reach("job.after_submit")
        self._served(endpoint, attempt)
        await self._succeeded(job, attempt, made)

    async def _is_wanted_until_done(self, job: Job, work: asyncio.Task[object]) -> bool:
        """Wait for an attempt's end; False as soon as nobody wants it any more."""
        event = self._wakes[job.job_id]
        while not work.done():
            waking = asyncio.create_task(event.wait())
            await asyncio.wait(
                {work, waking},
                timeout=self._tools.limits.tasks.poll_max_s,
                return_when=asyncio.FIRST_COMPLETED,
            )
            waking.cancel()
            event.clear()
            if not work.done() and await self._asks_to_stop(job):
                return False
        return True

    async def _journal(self, job: Job, attempt: AttemptEvidence, task_id: str) -> None:
        attempt.written = True  # until the transport says otherwise: if we die now, it may be
        job.attempts = (*job.attempts, attempt)
        job.phase, job.status = Phase.SUBMITTING, Status.PROCESSING
        job.task_id = task_id
        job.task_started_at_us = attempt.started_at_us
        await self._save(job)

    async def _failed(
        self, job: Job, attempt: AttemptEvidence, endpoint: Endpoint, failure: AttemptFailedError
    ) -> None:
        """Conclude from a submit that failed: another key of the endpoint, or the next candidate.

        It is told whom it is about: one of several keys, or the endpoint as a whole.
        """
        tools, wait_s = self._tools, failure.retry_after_s
        _note_failure(attempt, failure)
        has_another = tools.keys.failed(endpoint, attempt.key, failure.error_class, wait_s)
        if not has_another:
            tools.breakers.failed(endpoint.name, failure.error_class, wait_s)
        again = has_another and failure.outcome is AttemptOutcome.FAILED
        await self._next(job, attempt, again=again)

    def _served(self, endpoint: Endpoint, attempt: AttemptEvidence) -> None:
        self._tools.breakers.succeeded(endpoint.name)
        self._tools.keys.succeeded(endpoint, attempt.key)

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
                    tools.ask, wire, request, endpoint, job.task_id, job.job_id, by_s, attempt.key
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
        asks_to_stop = await self._asks_to_stop(job)
        now_us = tools.clock.now_us()
        started_us = job.task_started_at_us or now_us
        attempt_until_us = started_us + round(tools.limits.attempt_timeout_s * SECOND_US)
        if not asks_to_stop and now_us < min(attempt_until_us, job.deadline_at_us):
            return False
        attempt = job.attempts[-1]
        by_s = tools.clock.monotonic_s() + tools.limits.tasks.poll_timeout_s
        about = job.task_id, job.job_id, by_s, attempt.key
        await tasks.cancel(tools.ask, wire, endpoint, *about)
        state: TaskState | None = None
        try:  # what it bills for what it did
            state = await tasks.look(tools.ask, wire, job.request(), endpoint, *about)
        except PollError as error:
            attempt.message = str(error)
        if state is not None and state.status is not TaskStatus.RUNNING:
            await self._over(job, state)
            return True
        attempt.outcome = AttemptOutcome.UNKNOWN  # it may be finished yet, and billed
        attempt.error_class = None if asks_to_stop else ErrorClass.TIMEOUT
        attempt.message = STOPPED if asks_to_stop else TIMED_OUT
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
            _note_failure(attempt, failure)
            await self._next(job, attempt)
            return
        await self._succeeded(job, attempt, made_of(given))

    async def _succeeded(
        self, job: Job, attempt: AttemptEvidence, made: tuple[MadeThing, ...]
    ) -> None:
        attempt.outcome = AttemptOutcome.SUCCEEDED
        attempt.ended_at_us = self._tools.clock.now_us()
        job.outputs = made
        job.output_endpoint = attempt.endpoint
        await self._end(job, Ending.COMPLETE, None)

    async def _asks_to_stop(self, job: Job) -> bool:
        async with self._tools.database.read() as unit:
            now = await store.find(unit, job.job_id)
        job.asks_to_stop = now is not None and now.asks_to_stop
        return job.asks_to_stop

    async def _next(self, job: Job, attempt: AttemptEvidence, *, again: bool = False) -> None:
        """Write down an attempt that came to nothing, and turn to the next candidate.

        `again`: to the same one, by another of its keys.
        """
        attempt.ended_at_us = self._tools.clock.now_us()
        if not job.attempts or job.attempts[-1].number < attempt.number:
            job.attempts = (*job.attempts, attempt)
        job.phase, job.task_id = Phase.NEXT, ""
        job.candidate += 0 if again else 1
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
        status, error = verdict(job, ending, why)
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

    async def _skip(self, job: Job) -> None:
        job.candidate += 1
        await self._save(job)

    async def _save(self, job: Job) -> None:
        job.updated_at_us = self._tools.clock.now_us()
        async with self._tools.database.write() as unit:
            await store.save(unit, job)


def _note_failure(attempt: AttemptEvidence, failure: AttemptFailedError) -> None:
    attempt.outcome = failure.outcome
    attempt.error_class = failure.error_class
    attempt.message = failure.message
    attempt.retry_after_s = failure.retry_after_s
    if isinstance(failure, TaskFailedError):  # of others it stands in the attempt already
        attempt.written = failure.written
        if failure.http_status is not None:
            attempt.http_status = failure.http_status
