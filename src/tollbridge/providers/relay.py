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

from tollbridge.core.call import AttemptOutcome, Ending, ErrorClass
from tollbridge.core.clock import SECOND_US, Clock
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.core.plan import Candidate, Endpoint, Plan
from tollbridge.providers.failed import AttemptFailedError
from tollbridge.providers.guard import Drains, Guard
from tollbridge.providers.hedge import Race
from tollbridge.providers.keys import KEY_FAULTS, KeyRing
from tollbridge.providers.passage import Passage, Reply
from tollbridge.providers.request import Request
from tollbridge.providers.verdict import FINAL_OF, RETRYABLE, conclude

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

    def took(self, endpoint: str, model: str, first_byte_s: float) -> None:
        """Note how long a model of an endpoint took to its first byte."""
        ...


class Tries(Protocol):
    """What makes single attempts."""

    async def run(
        self,
        passage: Passage,
        attempt: AttemptEvidence,
        candidate: Candidate,
        request: Request,
        reply: Reply,
    ) -> None:
        """Try one candidate; raises AttemptFailedError while the caller has got nothing."""
        ...

    def last_words(self, face: str) -> bytes:
        """Return the frame that ends a caller's stream which was broken off."""
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
        self,
        attempts: Tries,
        health: Health,
        limits: RelayLimits,
        clock: Clock,
        keys: KeyRing | None = None,
    ) -> None:
        self._attempts = attempts
        self._health = health
        self._keys = keys or KeyRing(clock)
        self._limits = limits
        self._clock = clock
        self._drains = Drains(limits.drain_timeout_s, limits.drains_max)

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
        passage.final_classes = FINAL_OF[plan.on_content_filtered]
        guard = Guard(passage, reply, self._drains, streaming=request.stream)
        candidates = plan.candidates
        try:
            if plan.hedge_after_s is not None and len(candidates) > 1:
                if await self._hedged(passage, request, plan, reply, journal):
                    return
                candidates = _not_asked(passage, candidates)
            for candidate in candidates:
                asks = True
                while asks and self._may_go_on(passage, reply):
                    attempt = self._next_attempt(passage, candidate, journal)
                    if await self._try(passage, attempt, candidate, request, reply):
                        return
                    asks = request.endpoint_key is None and self._has_another_key(
                        candidate.endpoint, attempt
                    )
            await self._after_all_failed(passage, request, plan, reply, journal)
        except asyncio.CancelledError:
            if not guard.cancelled_by_us():
                raise
            guard.conclude(self._clock.now_us())
            if not reply.gone:
                attempt = passage.attempts[-1]
                self._health.failed(attempt.endpoint, ErrorClass.TIMEOUT)
                await reply.break_off(self._attempts.last_words(request.dialect))
        finally:
            guard.release()

    def _has_another_key(self, endpoint: Endpoint, attempt: AttemptEvidence) -> bool:
        return (
            attempt.key is not None
            and attempt.error_class in KEY_FAULTS
            and self._keys.ready_in_s(endpoint) <= 0
        )

    async def _hedged(
        self, passage: Passage, request: Request, plan: Plan, reply: Reply, journal: Journal
    ) -> bool:
        """Ask the first candidate and, where it takes long to begin, the second beside it."""
        first, second = plan.candidates[:2]
        race = Race(passage, self._clock)

        def enter(candidate: Candidate, attempt: AttemptEvidence) -> None:
            lane = race.lane(reply, attempt)
            race.enter(lane, self._try(passage, attempt, candidate, request, lane))

        try:
            enter(first, self._next_attempt(passage, first, journal))
            await race.wait(plan.hedge_after_s)
            if race.is_open and not reply.gone and self._limits.attempts_max > 1:
                attempt = new_attempt(2, second, self._clock.now_us())
                passage.attempts.append(attempt)
                journal(tuple(passage.attempts))
                enter(second, attempt)
            return await race.finished()
        finally:
            await race.end()

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
        raise conclude(passage.attempts, passage.final_classes)

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
        endpoint = candidate.endpoint
        passage.policy = endpoint.on_caller_left
        self._health.began(endpoint.name)
        if len(endpoint.keys) > 1:
            attempt.key = request.endpoint_key or self._keys.choose(endpoint)[0]
        try:
            await self._attempts.run(passage, attempt, candidate, request, reply)
        except AttemptFailedError as failure:
            attempt.outcome = failure.outcome
            attempt.error_class = failure.error_class
            attempt.message = failure.message
            attempt.retry_after_s = failure.retry_after_s
            self._note_failure(endpoint, attempt)
            return False
        finally:
            attempt.ended_at_us = self._clock.now_us()
        if attempt.outcome is AttemptOutcome.SUCCEEDED:
            self._note_success(endpoint, attempt)
        else:
            self._health.failed(endpoint.name, ErrorClass.STREAM_ERROR)
        return True

    def _note_success(self, endpoint: Endpoint, attempt: AttemptEvidence) -> None:
        self._health.succeeded(endpoint.name)
        first_byte_at_us = attempt.first_byte_at_us
        if first_byte_at_us is not None:
            took_us = first_byte_at_us - attempt.started_at_us
            self._health.took(endpoint.name, attempt.model, took_us / SECOND_US)
        if attempt.key is not None:
            self._keys.succeeded(endpoint, attempt.key)

    def _note_failure(self, endpoint: Endpoint, attempt: AttemptEvidence) -> None:
        """Tell of a failure whom it is about: one of several keys, or the endpoint as a whole."""
        error_class, wait_s = attempt.error_class, attempt.retry_after_s
        if error_class is None:
            return
        if error_class is ErrorClass.TIMEOUT:
            # Else the slowest of all would seem as fast as when it last answered.
            took_us = self._clock.now_us() - attempt.started_at_us
            self._health.took(endpoint.name, attempt.model, took_us / SECOND_US)
        if attempt.key is not None and error_class in KEY_FAULTS:
            if self._keys.failed(endpoint, attempt.key, error_class, wait_s):
                return
            # All of them rest: it is worth another look when the first is ready.
            wait_s = self._keys.ready_in_s(endpoint)
        self._health.failed(endpoint.name, error_class, wait_s)

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
            and passage.attempts[-1].error_class not in passage.final_classes
            and len(passage.attempts) < self._limits.attempts_max
            and self._clock.monotonic_s() < passage.deadline_s
        )


def _not_asked(passage: Passage, candidates: tuple[Candidate, ...]) -> tuple[Candidate, ...]:
    """Return those of a plan that no attempt was made of."""
    asked = {(attempt.endpoint, attempt.model) for attempt in passage.attempts}
    return tuple(one for one in candidates if (one.endpoint.name, one.model) not in asked)


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
