"""Who stops the work on a call, when nobody waits for it any more or it takes too long?"""

import asyncio

from tollbridge.core.call import AttemptOutcome, Ending, ErrorClass, OnCallerLeft
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.providers.passage import Passage, Reply


class Drains:
    """Counts the calls of a worker whose answer is read on though their caller has left."""

    def __init__(self, timeout_s: float, count_max: int) -> None:
        self.under_way = 0
        self.timeout_s = timeout_s
        self._count_max = count_max

    def has_room(self) -> bool:
        """Return whether one more may begin."""
        return self.under_way < self._count_max


class Guard:
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
        gone = self._reply.gone
        for attempt in passage.attempts:  # several only where one hedges another
            if attempt.outcome is AttemptOutcome.CUT_SHORT:
                attempt.ended_at_us = now_us
                attempt.message = passage.stop_reason
                attempt.outcome = _outcome_of_stopped(attempt, gone=gone)
        if gone:
            passage.note_caller_left(self._reply)
        else:
            passage.ending = Ending.PROVIDER_BROKE
            passage.attempts[-1].error_class = ErrorClass.TIMEOUT
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


def _outcome_of_stopped(attempt: AttemptEvidence, *, gone: bool) -> AttemptOutcome:
    if not attempt.written:
        return AttemptOutcome.FAILED
    if attempt.first_byte_at_us is None:
        return AttemptOutcome.UNKNOWN
    return AttemptOutcome.ABANDONED if gone else AttemptOutcome.BROKE
