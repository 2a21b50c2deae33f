"""What did which provider answer, and did the caller get it?

One call is tried at its candidates in order until one of them answers. Fallback ends at the first
byte to the caller. Whatever is known of the attempts stands in the passage at every moment, so
that it can be journaled whenever and however this ends.
"""

import asyncio
from collections.abc import Callable, Mapping
from operator import itemgetter
from typing import Protocol

import msgspec

from tollbridge.core.call import AttemptOutcome, Ending, ErrorClass, OnCallerLeft
from tollbridge.core.clock import SECOND_US, Clock
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.core.plan import Candidate, Plan
from tollbridge.providers.attempt import AttemptFailedError, Attempts
from tollbridge.providers.passage import Passage, Reply
from tollbridge.providers.request import Request
from tollbridge.providers.verdict import FINAL, RETRYABLE, conclude

Journal = Callable[[tuple[AttemptEvidence, ...]], None]


class Health(Protocol):
    """What the relay tells the circuit breakers."""

    def began(self, endpoint: str) -> None:
        """Note that an endpoint is asked now."""
        ...

    def succeeded(self, endpoint: str) -> None:
        """Note that an endpoint answered."""
        ...

    def failed(
        self, endpoint: str, error_class: ErrorClass, retry_after_s: float | None = None
    ) -> None:
        """Note that an endpoint failed, and why."""
        ...


class RelayLimits(msgspec.Struct, frozen=True):
    """How often a call is tried, and how long a caller who left is answered."""

    drain_timeout_s: float = 30.0
    drains_max: int = 100
    attempts_max: int = 8
    retry_rounds_max: int = 1
    retry_wait_max_s: float = 5.0
    retry_backoff_s: float = 0.25


class Relay:
    """Carries calls to providers; one per worker."""

    def __init__(
        self, attempts: Attempts, health: Health, limits: RelayLimits, clock: Clock
    ) -> None:
        self._attempts = attempts
        self._health = health
        self._limits = limits
        self._clock = clock
        self._drains = Drains(limits)

    @property
    def drains_under_way(self) -> int:
        """How many answers are read on without a caller."""
        return self._drains.under_way

    async def run(
        self, passage: Passage, request: Request, plan: Plan, reply: Reply, journal: Journal
    ) -> None:
        """Serve the call or raise why it cannot be served; the passage knows the ending.

        The first attempt is already in the passage and journaled; each further one is journaled
        before its bytes leave. Raises TollbridgeError to be answered to a caller who has got
        nothing yet.
        """
        if reply.gone:
            _never_began(passage, self._clock.now_us())
            return
        guard = _Guard(passage, reply, self._drains, streaming=request.stream)
        try:
            for candidate in plan.candidates:
                if not self._may_go_on(passage, reply):
                    break
                attempt = self._next_attempt(passage, candidate, journal)
                if await self._try(passage, attempt, candidate, request, reply):
                    return
            await self._after_all_failed(passage, request, plan, reply, journal)
        except asyncio.CancelledError:
            if not guard.cancelled_by_us():
                raise
            guard.conclude(self._clock.now_us())
            if not reply.gone:
                attempt = passage.attempts[-1]
                self._health.failed(attempt.endpoint, ErrorClass.TIMEOUT)
                await reply.break_off(self._attempts.last_words(attempt.dialect))
        finally:
            guard.release()

    async def _after_all_failed(
        self, passage: Passage, request: Request, plan: Plan, reply: Reply, journal: Journal
    ) -> None:
        for _ in range(self._limits.retry_rounds_max):
            if await self._try_again(passage, request, plan, reply, journal):
                return
        if reply.gone:
            passage.ending = Ending.CALLER_LEFT_BEFORE_FIRST_BYTE
            passage.http_status = 499
            return
        passage.ending = Ending.ALL_REFUSED
        raise conclude(passage.attempts)

    async def _try_again(
        self, passage: Passage, request: Request, plan: Plan, reply: Reply, journal: Journal
    ) -> bool:
        """Ask those again that refused for the moment, each when it may be asked; return success.

        Where one asks for a longer wait than `retry_wait_max_s`, it is left alone.
        """
        now_us, now_s = self._clock.now_us(), self._clock.monotonic_s()
        for wait_s, candidate in _worth_another_try(
            passage, plan.candidates, now_us, self._limits.retry_backoff_s
        ):
            until_s = now_s + wait_s
            if wait_s > self._limits.retry_wait_max_s or until_s >= passage.deadline_s:
                break
            if not self._may_go_on(passage, reply):
                break
            await asyncio.sleep(max(0.0, until_s - self._clock.monotonic_s()))
            if not self._may_go_on(passage, reply):
                break
            attempt = self._next_attempt(passage, candidate, journal)
            if await self._try(passage, attempt, candidate, request, reply):
                return True
        return False

    async def _try(
        self,
        passage: Passage,
        attempt: AttemptEvidence,
        candidate: Candidate,
        request: Request,
        reply: Reply,
    ) -> bool:
        """Make one attempt; return whether the call has been answered (even if it then broke)."""
        passage.policy = candidate.endpoint.on_caller_left
        self._health.began(candidate.endpoint.name)
        try:
            await self._attempts.run(passage, attempt, candidate, request, reply)
        except AttemptFailedError as failure:
            attempt.outcome = failure.outcome
            attempt.error_class = failure.error_class
            attempt.message = failure.message
            attempt.retry_after_s = failure.retry_after_s
            self._health.failed(candidate.endpoint.name, failure.error_class, failure.retry_after_s)
            return False
        finally:
            attempt.ended_at_us = self._clock.now_us()
        if attempt.outcome is AttemptOutcome.SUCCEEDED:
            self._health.succeeded(candidate.endpoint.name)
        else:
            self._health.failed(candidate.endpoint.name, ErrorClass.STREAM_ERROR)
        return True

    def _next_attempt(
        self, passage: Passage, candidate: Candidate, journal: Journal
    ) -> AttemptEvidence:
        current = passage.attempts[-1]
        if current.ended_at_us is None:
            return current  # the first: journaled with the call itself
        attempt = new_attempt(len(passage.attempts) + 1, candidate, self._clock.now_us())
        passage.attempts.append(attempt)
        journal(tuple(passage.attempts))
        return attempt

    def _may_go_on(self, passage: Passage, reply: Reply) -> bool:
        if len(passage.attempts) == 1 and passage.attempts[0].ended_at_us is None:
            return True
        return (
            not reply.gone
            and passage.attempts[-1].error_class not in FINAL
            and len(passage.attempts) < self._limits.attempts_max
            and self._clock.monotonic_s() < passage.deadline_s
        )


class Drains:
    """Counts the calls of a worker whose answer is read on though their caller has left."""

    def __init__(self, limits: RelayLimits) -> None:
        self.under_way = 0
        self.timeout_s = limits.drain_timeout_s
        self._count_max = limits.drains_max

    def has_room(self) -> bool:
        """Return whether one more may begin."""
        return self.under_way < self._count_max


class _Guard:
    """Watches the caller during one call, and stops the work where nobody waits for it."""

    __slots__ = (
        "_draining",
        "_drains",
        "_ours",
        "_passage",
        "_reply",
        "_streaming",
        "_task",
        "_timer",
    )

    def __init__(self, passage: Passage, reply: Reply, drains: Drains, *, streaming: bool) -> None:
        self._passage = passage
        self._streaming = streaming
        self._reply = reply
        self._drains = drains
        self._task = asyncio.current_task()
        self._timer: asyncio.TimerHandle | None = None
        self._draining = False
        self._ours = False
        passage.stop = self._stop
        reply.watch(self._on_gone)

    def cancelled_by_us(self) -> bool:
        """Return whether the task was cancelled here; takes the cancellation back then."""
        if self._ours and self._task is not None:
            self._task.uncancel()
        return self._ours

    def conclude(self, now_us: int) -> None:
        """Note how the stopped attempt ends; one that had ended already stays as it is."""
        passage = self._passage
        attempt = passage.attempts[-1]
        gone = self._reply.gone
        if attempt.outcome is AttemptOutcome.CUT_SHORT:
            attempt.ended_at_us = now_us
            attempt.message = passage.stop_reason
            if not attempt.written:
                attempt.outcome = AttemptOutcome.FAILED
            elif attempt.first_byte_at_us is None:
                attempt.outcome = AttemptOutcome.UNKNOWN
            else:
                attempt.outcome = AttemptOutcome.ABANDONED if gone else AttemptOutcome.BROKE
        if gone:
            passage.note_caller_left(self._reply)
        else:
            passage.ending = Ending.PROVIDER_BROKE
            attempt.error_class = ErrorClass.TIMEOUT
            passage.error = passage.stop_reason

    def release(self) -> None:
        """Stop watching."""
        self._reply.watch(None)
        self._passage.stop = None
        if self._timer is not None:
            self._timer.cancel()
        if self._draining:
            self._draining = False
            self._drains.under_way -= 1

    def _on_gone(self) -> None:
        passage = self._passage
        outcome = passage.attempts[-1].outcome
        if outcome is AttemptOutcome.SUCCEEDED:
            return  # the answer is here; whoever sends it sees that nobody takes it
        if (
            passage.policy is OnCallerLeft.DRAIN
            and outcome is AttemptOutcome.CUT_SHORT  # else it waits for a retry: nothing to drain
            and self._drains.has_room()
        ):
            self._draining = True
            self._drains.under_way += 1
            if self._streaming:
                self._timer = asyncio.get_running_loop().call_later(
                    self._drains.timeout_s, self._stop, "the drain took too long"
                )
            return
        passage.policy = OnCallerLeft.CANCEL
        self._stop("the caller left")

    def _stop(self, reason: str) -> None:
        if not self._ours and self._task is not None:
            self._ours = True
            self._passage.stop_reason = reason
            self._task.cancel()


def new_attempt(number: int, candidate: Candidate, now_us: int) -> AttemptEvidence:
    """Return the evidence of an attempt that is about to begin."""
    endpoint = candidate.endpoint
    return AttemptEvidence(
        number,
        endpoint.name,
        endpoint.provider,
        endpoint.dialect,
        candidate.model,
        candidate.reason,
        now_us,
    )


def _never_began(passage: Passage, now_us: int) -> None:
    first = passage.attempts[0]
    first.outcome = AttemptOutcome.FAILED
    first.ended_at_us = now_us
    first.message = "the caller had left before it began"
    passage.ending = Ending.CALLER_LEFT_BEFORE_FIRST_BYTE


def _worth_another_try(
    passage: Passage, candidates: tuple[Candidate, ...], now_us: int, backoff_s: float
) -> list[tuple[float, Candidate]]:
    """Return who refused for the moment and did no work, with the wait until it may be asked.

    The shortest wait comes first; of equal waits, the plan's order decides.
    """
    last: Mapping[tuple[str, str], AttemptEvidence] = {
        (attempt.endpoint, attempt.model): attempt for attempt in passage.attempts
    }
    worth: list[tuple[float, Candidate]] = []
    for candidate in candidates:
        attempt = last.get((candidate.endpoint.name, candidate.model))
        if (
            attempt is not None
            and attempt.error_class in RETRYABLE
            and attempt.outcome is AttemptOutcome.FAILED
        ):
            asked_s = backoff_s if attempt.retry_after_s is None else attempt.retry_after_s
            past_s = (now_us - (attempt.ended_at_us or now_us)) / SECOND_US
            worth.append((max(0.0, asked_s - past_s), candidate))
    return sorted(worth, key=itemgetter(0))
