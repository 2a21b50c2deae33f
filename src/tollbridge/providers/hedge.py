"""Two candidates are asked for one answer: whose does the caller get, and what of the other?

Whoever is first to give the caller anything wins. The other is cancelled; what it may cost stands
on its attempt, whose outcome is then `unknown` (nothing had come) or `abandoned`.
"""

import asyncio
from collections.abc import Coroutine
from typing import Any

from tollbridge.core.call import AttemptOutcome
from tollbridge.core.clock import Clock
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.providers.passage import HeaderLines, Passage, Reply, WrappedReply

AT_ONCE_MAX = 2
"""Candidates that are asked at the same time: so many may bill one call."""
TOO_LATE = "the other candidate of the hedge answered first"


class Race:
    """One call's candidates that are asked at the same time."""

    def __init__(self, passage: Passage, clock: Clock) -> None:
        self._passage = passage
        self._clock = clock
        self._tasks: dict[asyncio.Task[bool], Lane] = {}
        self._winner: Lane | None = None

    @property
    def is_open(self) -> bool:
        """Whether somebody runs, and nobody has won."""
        return self._winner is None and any(not task.done() for task in self._tasks)

    def lane(self, reply: Reply, attempt: AttemptEvidence) -> "Lane":
        """Return the way back to the caller for one attempt."""
        return Lane(self, reply, attempt)

    def enter(self, lane: "Lane", work: Coroutine[Any, Any, bool]) -> None:
        """Let an attempt run; its work returns whether the call has been answered."""
        self._tasks[asyncio.create_task(work)] = lane

    async def wait(self, timeout_s: float | None) -> None:
        """Wait until somebody has ended or won, at most so long."""
        await asyncio.wait(self._tasks, timeout=timeout_s, return_when=asyncio.FIRST_COMPLETED)

    async def finished(self) -> bool:
        """Wait for the winner, or for the last loser; return whether the call has been answered.

        Raises what an attempt raised that is not a failure of its provider.
        """
        running = set(self._tasks)
        while running:
            done, running = await asyncio.wait(running, return_when=asyncio.FIRST_COMPLETED)
            for task in done:
                lane = self._tasks[task]
                if not task.cancelled() and task.result():
                    self.claim(lane)
                    return True
        return False

    def claim(self, lane: "Lane") -> None:
        """Let one win: from here on nobody else answers. Raises CancelledError where one has won.

        Its attempt goes behind all others, as that of whoever served.
        """
        if self._winner is lane:
            return
        if self._winner is not None:
            raise asyncio.CancelledError
        self._winner = lane
        attempts = self._passage.attempts
        attempts.append(attempts.pop(attempts.index(lane.attempt)))
        for task, other in self._tasks.items():
            if other is not lane:
                task.cancel()

    async def end(self) -> None:
        """Stop whoever still runs, and note how those that lost have ended."""
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        if self._winner is None:
            return
        for lane in self._tasks.values():
            attempt = lane.attempt
            if lane is not self._winner and attempt.outcome is AttemptOutcome.CUT_SHORT:
                attempt.ended_at_us = attempt.ended_at_us or self._clock.now_us()
                attempt.message = TOO_LATE
                if not attempt.written:
                    attempt.outcome = AttemptOutcome.FAILED
                elif attempt.first_byte_at_us is None:
                    attempt.outcome = AttemptOutcome.UNKNOWN
                else:
                    attempt.outcome = AttemptOutcome.ABANDONED


class Lane(WrappedReply):
    """The way back to the caller for one of them: whoever uses it first has won."""

    __slots__ = ("_race", "attempt")

    def __init__(self, race: Race, reply: Reply, attempt: AttemptEvidence) -> None:
        super().__init__(reply)
        self._race = race
        self.attempt = attempt

    async def whole(self, status: int, headers: HeaderLines, body: bytes) -> None:
        """Send a whole answer, if nobody else has begun one."""
        self._race.claim(self)
        await super().whole(status, headers, body)

    async def start(self, status: int, headers: HeaderLines) -> None:
        """Begin a stream, if nobody else has begun an answer."""
        self._race.claim(self)
        await super().start(status, headers)
