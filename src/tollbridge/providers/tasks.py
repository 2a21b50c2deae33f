"""How is work done that a provider takes in first and gives back later?

A submit may have cost money from the moment in which its first byte left. Where its answer is
not seen its outcome is unknown, and it is never repeated: no provider de-duplicates submits.
Asking after a task is free and is repeated until it is over or the deadline has passed.
"""

import asyncio
from collections.abc import Awaitable, Mapping
from typing import Protocol

import msgspec

from tollbridge.core.call import AttemptOutcome, ErrorClass
from tollbridge.core.clock import Clock
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.core.plan import Candidate, Endpoint
from tollbridge.providers.dialects.tasks.asked import OWN_WORDS, asked, own_names
from tollbridge.providers.failed import AttemptFailedError, of_transport
from tollbridge.providers.failures import TransportError
from tollbridge.providers.passage import Passage
from tollbridge.providers.redact import redact
from tollbridge.providers.refusals import is_error, understand
from tollbridge.providers.request import MalformedAnswerError, Refusal, Request
from tollbridge.providers.wire import (
    Given,
    Outgoing,
    TaskState,
    TaskStatus,
    TaskWire,
    UntranslatableError,
)

OWN_MARK = f'"{OWN_WORDS}"'.encode()
PASSING_STATUSES = frozenset({408, 409, 425, 429, 500, 502, 503, 504, 520, 522, 524, 529})
"""Of an answer to a poll: the task goes on, only this look at it failed."""


class Reaction(msgspec.Struct, frozen=True):
    """A provider's whole answer to one request."""

    status: int
    headers: Mapping[bytes, bytes]
    """Names in lowercase; of a repeated one the first."""
    body: bytes
    wait_s: float | None = None
    """How long its headers ask to wait."""


class Ask(Protocol):
    """Carries one request to an endpoint, with its credentials, and brings the whole answer."""

    def __call__(
        self,
        endpoint: Endpoint,
        outgoing: Outgoing,
        call_id: str,
        deadline_s: float,
        key: str | None = None,
    ) -> Awaitable[Reaction]:
        """Raise TransportError in its kinds, ValueError for an endpoint that is not usable.

        `deadline_s` is an instant of the monotonic clock; `key` names one of several keys.
        """
        ...


class TaskLimits(msgspec.Struct, frozen=True):
    """How patiently a task is asked after."""

    submit_timeout_s: float = 60.0
    poll_timeout_s: float = 30.0
    poll_first_s: float = 0.5
    poll_factor: float = 1.5
    poll_max_s: float = 10.0
    poll_refusals_max: int = 5
    """Refusals in a row (no such task, no permission) after which it is given up."""

    def wait_s(self, polls: int) -> float:
        """Return the pause before the next look, after so many looks."""
        return min(self.poll_max_s, self.poll_first_s * self.poll_factor ** min(polls, 64))


class TaskFailedError(AttemptFailedError):
    """A task did not come to be, or not to a result; another candidate may be tried."""

    def __init__(
        self,
        error_class: ErrorClass,
        outcome: AttemptOutcome,
        refusal: Refusal | str,
        *,
        http_status: int | None = None,
        written: bool = True,
    ) -> None:
        super().__init__(error_class, outcome, refusal)
        self.http_status = http_status
        self.written = written


class PollError(Exception):
    """A look at a task failed; the task itself goes on. `lasting`: a further one may too."""

    def __init__(self, message: str, *, lasting: bool, wait_s: float | None = None) -> None:
        super().__init__(redact(message))
        self.lasting = lasting
        self.wait_s = wait_s


def compose(wire: TaskWire, request: Request, candidate: Candidate) -> Outgoing:
    """Return the request that begins a task. Raises TaskFailedError where there is none."""
    if wire.name != OWN_WORDS and OWN_MARK in request.body and asked(request).own_words:
        words = ", ".join(sorted(own_names(asked(request))))
        raise _unsupported(f"only Gemini's own format has {words} for films")
    try:
        return wire.submit(request, candidate.endpoint, candidate.model)
    except UntranslatableError as error:
        raise _unsupported(str(error)) from error


def _unsupported(why: str) -> TaskFailedError:
    return TaskFailedError(
        ErrorClass.UNSUPPORTED_PARAMETER, AttemptOutcome.FAILED, why, written=False
    )


async def submit(
    ask: Ask,
    wire: TaskWire,
    request: Request,
    candidate: Candidate,
    call_id: str,
    by_s: float,
    outgoing: Outgoing,
    key: str | None,
) -> TaskState:
    """Begin a task, whose attempt is journaled already. Raises TaskFailedError.

    A task lies with the account of the key that began it: `key` names it, and asks after it too.

    Its outcome is UNKNOWN where the request may have arrived and nothing says what became of it.
    """
    try:
        reaction = await ask(candidate.endpoint, outgoing, call_id, by_s, key)
    except ValueError as error:
        said = f"the endpoint is not usable: {error}"
        raise TaskFailedError(
            ErrorClass.CONNECT, AttemptOutcome.FAILED, said, written=False
        ) from error
    except TransportError as error:
        raise _broken(error) from error
    if reaction.status >= 300:
        refusal = understand(reaction.body, status=reaction.status, wait_s=reaction.wait_s)
        # What answers an error of its own may have taken the work in before it fell.
        outcome = AttemptOutcome.FAILED if reaction.status < 500 else AttemptOutcome.UNKNOWN
        if reaction.status in {501, 503, 529}:
            outcome = AttemptOutcome.FAILED
        raise TaskFailedError(refusal.error_class, outcome, refusal, http_status=reaction.status)
    try:
        return wire.read_submitted(request, reaction.headers, reaction.body)
    except MalformedAnswerError as error:
        if is_error(reaction.body):
            refusal = understand(reaction.body)
            raise TaskFailedError(
                refusal.error_class,
                AttemptOutcome.FAILED,
                refusal,
                http_status=reaction.status,
            ) from error
        raise TaskFailedError(
            ErrorClass.MALFORMED_ANSWER,
            AttemptOutcome.UNKNOWN,
            str(error),
            http_status=reaction.status,
        ) from error


async def look(
    ask: Ask,
    wire: TaskWire,
    request: Request,
    endpoint: Endpoint,
    task_id: str,
    call_id: str,
    by_s: float,
    key: str | None,
) -> TaskState:
    """Ask after a task. Raises PollError where this says nothing of it."""
    try:
        reaction = await ask(endpoint, wire.poll(task_id), call_id, by_s, key)
    except TransportError as error:
        raise PollError(error.message, lasting=False) from error
    except ValueError as error:
        raise PollError(f"the endpoint is not usable: {error}", lasting=True) from error
    if reaction.status >= 300:
        refusal = understand(reaction.body, status=reaction.status, wait_s=reaction.wait_s)
        lasting = reaction.status not in PASSING_STATUSES
        raise PollError(refusal.message, lasting=lasting, wait_s=reaction.wait_s)
    try:
        return wire.read_polled(request, task_id, reaction.headers, reaction.body)
    except MalformedAnswerError as error:
        raise PollError(str(error), lasting=True) from error


async def cancel(
    ask: Ask,
    wire: TaskWire,
    endpoint: Endpoint,
    task_id: str,
    call_id: str,
    by_s: float,
    key: str | None,
) -> bool:
    """Ask a provider to end a task; return whether it said yes. Never raises for its answer."""
    outgoing = wire.cancel(task_id)
    if outgoing is None:
        return False
    try:
        return (await ask(endpoint, outgoing, call_id, by_s, key)).status < 300
    except (TransportError, ValueError):
        return False


class Tasks:
    """Does a task within one attempt of a worker: images and sounds that are made slowly."""

    def __init__(self, ask: Ask, clock: Clock, limits: TaskLimits | None = None) -> None:
        self._ask = ask
        self._clock = clock
        self._limits = limits or TaskLimits()

    async def run(
        self,
        wire: TaskWire,
        passage: Passage,
        attempt: AttemptEvidence,
        candidate: Candidate,
        request: Request,
    ) -> Given:
        """Submit, then ask until it is over or `passage.deadline_s`; return what was made.

        The attempt is journaled before this is called, and its `key` is chosen: by it the task is
        begun, looked at and cancelled. Into it go `written`, `http_status`,
        `response_id` (the task's id, as soon as there is one), `first_byte_at_us`, and, on every
        way out, `usage`, `counts` and `facts` as the provider bills them; the caller of this sets
        outcome and error from what is returned or raised, and renders `Given.outputs`.

        Raises TaskFailedError (error_class, outcome, message, retry_after_s): outcome FAILED where
        nothing is owed, BROKE where a failed task is billed, UNKNOWN where the submit's answer was
        not seen or the deadline passed (the task is then cancelled where that can be done). The
        submit is sent at most once.
        """
        limits, clock = self._limits, self._clock
        attempt.written = True  # until the transport says otherwise: if we die now, it may be
        by_s = min(passage.deadline_s, clock.monotonic_s() + limits.submit_timeout_s)
        try:
            outgoing = compose(wire, request, candidate)
            state = await submit(
                self._ask, wire, request, candidate, passage.call_id, by_s, outgoing, attempt.key
            )
        except TaskFailedError as error:
            attempt.written = error.written
            attempt.http_status = error.http_status
            raise
        attempt.http_status = 200
        attempt.response_id = state.task_id
        attempt.first_byte_at_us = clock.now_us()
        if state.status is TaskStatus.RUNNING:
            state = await self._until_over(wire, passage, attempt, candidate, request, state)
        return concluded(attempt, state)

    async def _until_over(
        self,
        wire: TaskWire,
        passage: Passage,
        attempt: AttemptEvidence,
        candidate: Candidate,
        request: Request,
        state: TaskState,
    ) -> TaskState:
        endpoint, clock, limits = candidate.endpoint, self._clock, self._limits
        call_id, key = passage.call_id, attempt.key
        polls = refusals = 0
        while state.status is TaskStatus.RUNNING:
            wait_s = limits.wait_s(polls)
            if clock.monotonic_s() + wait_s >= passage.deadline_s:
                by_s = clock.monotonic_s() + limits.poll_timeout_s
                await cancel(self._ask, wire, endpoint, state.task_id, call_id, by_s, key)
                raise TaskFailedError(
                    ErrorClass.TIMEOUT, AttemptOutcome.UNKNOWN, "the task took too long"
                )
            await asyncio.sleep(wait_s)
            polls += 1
            by_s = min(passage.deadline_s, clock.monotonic_s() + limits.poll_timeout_s)
            try:
                state = await look(
                    self._ask, wire, request, endpoint, state.task_id, call_id, by_s, key
                )
                refusals = 0
            except PollError as error:
                refusals = refusals + 1 if error.lasting else 0
                if refusals >= limits.poll_refusals_max:
                    raise TaskFailedError(
                        ErrorClass.UPSTREAM_ERROR, AttemptOutcome.UNKNOWN, str(error)
                    ) from error
        return state


def concluded(attempt: AttemptEvidence, state: TaskState) -> Given:
    """Write into an attempt what a task that is over came to; return what was made.

    Raises TaskFailedError of one that failed or was cancelled.
    """
    given = state.given
    if state.status is TaskStatus.SUCCEEDED and given is not None:
        attempt.usage = given.answer.usage
        attempt.served_model = given.answer.served_model
        attempt.response_id = given.answer.response_id or state.task_id
        attempt.aggregator_provider = given.answer.aggregator_provider
        attempt.counts = dict(given.counts)
        attempt.facts = dict(given.facts)
        return given
    attempt.usage = state.usage
    attempt.counts = dict(state.counts)
    attempt.facts = dict(state.facts)
    is_billed = any(attempt.counts.values()) or bool(state.usage)
    outcome = AttemptOutcome.BROKE if is_billed else AttemptOutcome.FAILED
    refusal = state.refusal
    if refusal is None:
        said = "the task was cancelled"
        raise TaskFailedError(ErrorClass.UPSTREAM_ERROR, outcome, said, http_status=200)
    raise TaskFailedError(refusal.error_class, outcome, refusal, http_status=200)


def _broken(error: TransportError) -> TaskFailedError:
    told = of_transport(error)
    return TaskFailedError(told.error_class, told.outcome, told.message, written=error.written)
