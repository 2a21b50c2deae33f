"""May this call go ahead, and what is set aside for it? The worker's side of every limit.

A worker keeps a purse for each limit and takes from there without asking. Only where a purse is
short does a call wait, while the office is asked. What the office is told and answers are the
messages of `core.limits`; the link carries them.
"""

import asyncio
from collections.abc import Callable, Iterable, Sequence

from tollbridge.core.call import Hold
from tollbridge.core.clock import SECOND_US, Clock
from tollbridge.core.errors import OverloadedError
from tollbridge.core.limits import (
    LeaseCorrection,
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
from tollbridge.ledger.purse import Holds, PurseSettings, Stock, is_over
from tollbridge.ledger.refusals import limit_error
from tollbridge.ledger.waiting import Needs, Waiter

ToOffice = LeaseRequest | LeaseReturn
FromOffice = LeaseGrant | LeaseRefusal | LeaseRecall | LeaseCorrection

# How far the worker's clock and the database's may be apart without a call noticing.
CLOCKS_APART_US = SECOND_US // 10

_RATE = LimitKind.CALLS_PER_MINUTE
_CONCURRENT = LimitKind.CONCURRENT_CALLS


class Purses:
    """All purses of one worker; used from its event loop only.

    `send` hands a message to the office. It neither blocks nor raises; without a connection the
    message is lost, which is safe: `states()` tells the next office all that matters.
    """

    def __init__(
        self,
        send: Callable[[ToOffice], None],
        clock: Clock,
        settings: PurseSettings | None = None,
    ) -> None:
        self._send = send
        self._clock = clock
        self._settings = settings or PurseSettings()
        self._current: dict[str, Stock] = {}
        self._by_lease: dict[str, Stock] = {}
        self._waiters: dict[int, Waiter] = {}
        self._refused: dict[str, tuple[LeaseRefusal, int]] = {}
        self._last_request = 0
        self._closing = False

    def try_reserve(self, needs: Needs) -> Holds | None:
        """Take all of `needs` from the purses at once, or nothing and return None.

        `needs` names each limit at most once, with an amount that is not negative. This is the
        usual way: no waiting, no message but a refill now and then.
        """
        now_us = self._clock.now_us()
        current = self._current
        for limit, amount in needs:
            purse = current.get(limit.limit_id)
            if (
                purse is None
                or purse.period_end_us <= now_us
                or purse.granted - purse.held - purse.spent - purse.returned < amount
            ):
                return None
        holds = Holds()
        for limit, amount in needs:
            purse = current[limit.limit_id]
            kind = limit.kind
            hold = Hold(
                purse.lease_id,
                purse.limit_id,
                purse.period_start_us,
                amount,
                kind,
                limit.selector.provider,
            )
            if kind is _RATE:
                purse.spent += amount
                holds.rates += (hold,)
            elif kind is _CONCURRENT:
                purse.held += amount
                holds.concurrent += (hold,)
            else:
                purse.held += amount
                holds.durable += (hold,)
            purse.used_at_us = now_us
            if (
                purse.granted - purse.held - purse.spent - purse.returned < purse.refill_below
                and purse.refill_after_us <= now_us
            ):
                self._refill(purse, now_us)
        return holds

    async def reserve(self, call_id: str, limits: Needs, wait_s: float) -> Holds:
        """Take all of `limits`, asking the office where a purse is short.

        The office may look for room during `wait_s`. Raises BudgetExceededError, RateLimitedError
        or TooManyCallsError when it says no, OverloadedError when it does not answer.
        """
        holds = self.try_reserve(limits)
        if holds is not None:
            return holds
        now_us = self._clock.now_us()
        self._check_refused(self._lacking(limits, now_us), now_us)
        if len(self._waiters) >= self._settings.waiting_calls_max:
            raise OverloadedError("too many calls wait for their limits", retry_after_s=1)
        self._last_request += 1
        waiter = Waiter(self._last_request, limits, now_us + round(wait_s * SECOND_US))
        self._waiters[waiter.request_id] = waiter
        try:
            self._ask(waiter)
            grace_s = self._settings.answer_grace_us / SECOND_US
            async with asyncio.timeout(wait_s + grace_s):
                return await waiter.future
        except TimeoutError as error:
            self._abandon(waiter)
            raise OverloadedError(
                f"the limits of call {call_id} cannot be checked now",
                retry_after_s=1,
            ) from error
        except asyncio.CancelledError:
            self._abandon(waiter)
            raise
        finally:
            self._waiters.pop(waiter.request_id, None)

    def settle(self, holds: Holds, taken: int | Sequence[int]) -> bool:
        """End a call: each of its durable holds becomes what was taken, in the order of the holds.

        One number counts for all of them. Returns whether any was above its hold (an overrun).
        Ending twice changes nothing.
        """
        if holds.ended:
            return False
        holds.ended = True
        overrun = False
        durable, current = holds.durable, self._current
        each = (taken,) * len(durable) if isinstance(taken, int) else taken
        for hold, amount in zip(durable, each, strict=True):
            held = hold.amount
            purse = self._by_lease.get(hold.lease_id)
            if purse is not None:
                purse.held -= held
                purse.spent += amount
                if self._closing or current.get(purse.limit_id) is not purse:
                    self._after(purse)
            if amount > held:
                overrun = True
        if holds.concurrent:
            self._free(holds.concurrent)
        if self._waiters:
            self._serve_waiters()
        return overrun

    def release(self, holds: Holds) -> None:
        """End a call that owes nothing; it still counts in its calls per minute."""
        if holds.ended:
            return
        holds.ended = True
        self._free(holds.durable)
        self._free(holds.concurrent)
        if self._waiters:
            self._serve_waiters()

    def cancel(self, holds: Holds) -> None:
        """Undo a reservation whose call was not let in after all: it never counted."""
        if holds.ended:
            return
        for hold in holds.rates:
            purse = self._by_lease.get(hold.lease_id)
            if purse is not None:
                purse.put_back(hold.amount)
        self.release(holds)

    def on_message(self, message: FromOffice) -> None:
        """Take what the office says."""
        match message:
            case LeaseGrant():
                self._on_grant(message)
            case LeaseRefusal():
                self._on_refusal(message)
            case LeaseRecall():
                self._on_recall(message.limit_id)
            case LeaseCorrection():
                purse = self._by_lease.get(message.lease_id)
                if purse is not None:
                    purse.correct(message.difference)
                    self._after(purse)

    def states(self) -> tuple[PurseState, ...]:
        """Return what the worker holds: the first thing that a new office is told."""
        return tuple(purse.state() for purse in self._by_lease.values())

    def ask_again(self) -> None:
        """Repeat the requests that nobody has answered, to an office that has just come."""
        for purse in self._current.values():
            purse.refill_after_us = 0
        for waiter in list(self._waiters.values()):
            self._ask(waiter)

    def keep_only(self, is_known: Callable[[str], bool]) -> None:
        """Give back what is free of limits that no longer exist."""
        gone = [purse for name, purse in self._current.items() if not is_known(name)]
        for purse in gone:
            self._end(purse)

    def restock(self) -> None:
        """Refill the purses that are running out at the pace of late; to be called each second."""
        now_us = self._clock.now_us()
        for purse in self._current.values():
            if purse.is_running_out(now_us, self._settings.lease_target_us):
                self._refill(purse, now_us)

    def return_idle(self, idle_us: int) -> None:
        """Give back what is free and was not used for `idle_us`; forget purses long ended."""
        now_us = self._clock.now_us()
        self._give_back(
            purse
            for purse in self._by_lease.values()
            if purse.used_at_us <= now_us - idle_us or purse.period_end_us <= now_us
        )
        for purse in [p for p in self._by_lease.values() if is_over(p, now_us)]:
            self._forget(purse)

    def return_all(self) -> None:
        """Give back all that is free, and from now on whatever falls free: the worker ends."""
        self._closing = True
        self._give_back(list(self._by_lease.values()))

    def _lacking(self, needs: Needs, now_us: int) -> list[tuple[Limit, int]]:
        lacking: list[tuple[Limit, int]] = []
        for limit, amount in needs:
            purse = self._current.get(limit.limit_id)
            if purse is not None and purse.period_end_us <= now_us:
                self._end(purse)
                purse = None
            if purse is None or purse.free < amount:
                lacking.append((limit, amount))
        return lacking

    def _check_refused(self, lacking: Needs, now_us: int) -> None:
        for limit, amount in lacking:
            refusal, until_us = self._refused.get(limit.limit_id, (None, 0))
            if refusal is None:
                continue
            if until_us <= now_us:
                del self._refused[limit.limit_id]
            elif amount > refusal.available:
                raise limit_error(limit, refusal, now_us)

    def _ask(self, waiter: Waiter) -> None:
        """Ask for the whole amount of each limit that is short: the answer then always suffices."""
        now_us = self._clock.now_us()
        needs: list[Need] = []
        for limit, amount in self._lacking(waiter.needs, now_us):
            purse = self._current.get(limit.limit_id)
            if purse is None:
                wanted = amount * self._settings.first_stock_calls
                deficit = 0
            else:
                wanted = purse.wanted(now_us, self._settings.lease_target_us)
                deficit = max(0, -purse.free)
            needs.append(Need(limit.limit_id, amount + deficit, max(amount, wanted) + deficit))
        self._send(LeaseRequest(waiter.request_id, tuple(needs), waiter.deadline_us))

    def _refill(self, purse: Stock, now_us: int) -> None:
        purse.refill_after_us = now_us + self._settings.refused_us
        wanted = purse.wanted(now_us, self._settings.lease_target_us)
        if wanted > 0 and not self._closing:
            self._send(LeaseRequest(0, (Need(purse.limit_id, 0, wanted),)))

    def _on_grant(self, message: LeaseGrant) -> None:
        now_us = self._clock.now_us()
        touched: list[Stock] = []
        for granted in message.granted:
            purse = self._by_lease.get(granted.lease_id)
            if purse is None:
                purse = Stock(
                    granted.limit_id,
                    granted.lease_id,
                    granted.period_start_us,
                    granted.period_end_us,
                )
                # The period is the office's to say: by its clock this one may have just ended here.
                purse.period_end_us = max(purse.period_end_us, now_us + CLOCKS_APART_US)
                purse.used_at_us = purse.measured_at_us = now_us
                self._by_lease[granted.lease_id] = purse
            elif granted.period_end_us != purse.period_end_us:
                # A wallet's, whose next grant to expire is another one now.
                purse.period_end_us = max(granted.period_end_us, now_us + CLOCKS_APART_US)
            before = self._current.get(granted.limit_id)
            if before is not None and before is not purse:
                self._end(before)
            self._current[granted.limit_id] = purse
            purse.top_up(granted.amount)
            self._refused.pop(granted.limit_id, None)
            touched.append(purse)
        waiter = self._waiters.get(message.request_id)
        if waiter is not None and not self._serve(waiter) and not waiter.future.done():
            # Something else of its needs ran short meanwhile.
            self._ask(waiter)
        for purse in touched:
            purse.stocked()
        if self._closing:
            self._give_back(touched)

    def _on_refusal(self, message: LeaseRefusal) -> None:
        now_us = self._clock.now_us()
        if message.request_id == 0:
            purse = self._current.get(message.limit_id)
            if purse is not None:
                purse.refill_after_us = now_us + self._settings.refused_us
            return
        self._refused[message.limit_id] = (message, now_us + self._settings.refused_us)
        waiter = self._waiters.get(message.request_id)
        if waiter is None or self._serve(waiter) or waiter.future.done():
            return
        for limit, _ in waiter.needs:
            if limit.limit_id == message.limit_id:
                waiter.future.set_exception(limit_error(limit, message, now_us))
                return

    def _on_recall(self, limit_id: str) -> None:
        purse = self._current.get(limit_id)
        if purse is None:
            self._send(LeaseReturn((Returned(limit_id, "", 0),)))
            return
        purse.scarce(self._clock.now_us() + self._settings.scarce_us)
        # Answered even where nothing is free, so that nobody waits for it.
        self._send(LeaseReturn((Returned(limit_id, purse.lease_id, purse.give_back()),)))

    def _serve(self, waiter: Waiter) -> bool:
        if waiter.future.done():
            return False
        holds = self.try_reserve(waiter.needs)
        if holds is None:
            return False
        waiter.future.set_result(holds)
        return True

    def _serve_waiters(self) -> None:
        for waiter in list(self._waiters.values()):
            self._serve(waiter)

    def _abandon(self, waiter: Waiter) -> None:
        """Undo what a waiter was given in the very moment in which it gave up."""
        future = waiter.future
        if not future.cancel() and not future.cancelled() and future.exception() is None:
            self.cancel(future.result())

    def _free(self, holds: tuple[Hold, ...]) -> None:
        for hold in holds:
            purse = self._by_lease.get(hold.lease_id)
            if purse is not None:
                purse.held -= hold.amount
                self._after(purse)

    def _after(self, purse: Stock) -> None:
        """Give back at once what falls free in a purse that no new call takes from."""
        if self._closing or self._current.get(purse.limit_id) is not purse:
            self._give_back((purse,))

    def _end(self, purse: Stock) -> None:
        """Let no new call take from a purse; calls that hold in it still settle there."""
        del self._current[purse.limit_id]
        self._give_back((purse,))
        now_us = self._clock.now_us()
        if is_over(purse, now_us):
            self._forget(purse)

    def _forget(self, purse: Stock) -> None:
        del self._by_lease[purse.lease_id]
        if self._current.get(purse.limit_id) is purse:
            del self._current[purse.limit_id]

    def _give_back(self, purses: Iterable[Stock]) -> None:
        returned: list[Returned] = []
        for purse in purses:
            amount = purse.give_back()
            if amount:
                returned.append(Returned(purse.limit_id, purse.lease_id, amount))
        if returned:
            self._send(LeaseReturn(tuple(returned)))
