"""Which worker gets how much of each limit? The office's side.

Money is granted by the database, in one transaction for all requests that wait; calls per minute
and calls at once are counted in memory. A request that finds no room is not refused at once:
the node's workers are first asked for what they can spare.
"""

import asyncio
from collections.abc import Callable, Iterable
from enum import Enum

import msgspec

from tollbridge.core.call import new_id
from tollbridge.core.clock import SECOND_US, Clock
from tollbridge.core.errors import OverloadedError
from tollbridge.core.limits import (
    Granted,
    LeaseGrant,
    LeaseRecall,
    LeaseRefusal,
    LeaseRequest,
    LeaseReturn,
    Limit,
    Need,
    PurseState,
)
from tollbridge.ledger.agreed import AgreedLeases
from tollbridge.ledger.allot import LeaseTotals, Ledger, MoneyAsk, Shortage, Turn
from tollbridge.ledger.counts import CountLimits

# The request id of a refill, for which nobody waits.
REFILL = 0

ToWorker = LeaseGrant | LeaseRefusal | LeaseRecall


class GranterSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The knobs of granting, with their units."""

    workers: int = 1
    """How many workers the node runs."""
    recall_interval_us: int = SECOND_US // 20
    """How often a request that finds no room is tried again, and spare amounts are recalled."""
    hello_wait_us: int = SECOND_US
    """How long a new office waits for all workers' hellos before it counts calls."""
    database_retry_us: int = SECOND_US // 10
    """How long after a failure the database is asked again."""
    recall_poll_us: int = SECOND_US // 4
    """How often other nodes' recalls are looked for; 0 where there is one node only (SQLite)."""
    waiting_max: int = 100_000
    """How many requests may wait at once; beyond it the oldest are forgotten."""


class _Next(Enum):
    """What becomes of a request after what is counted in memory."""

    WAIT = "wait"
    ASK = "ask"
    DONE = "done"


class _Waiting(msgspec.Struct, eq=False):
    """One request that is not answered yet."""

    worker: str
    request: LeaseRequest
    hello: int
    """Which of the worker's hellos it came after: an answer to an older one is not sent."""
    counts: tuple[Need, ...]
    money: tuple[Need, ...]
    counted: tuple[Granted, ...] = ()
    """What was taken in memory while the database is asked."""
    short_since_us: int | None = None


class _Recall(msgspec.Struct):
    """A limit that was found short: when it was recalled, and who has not answered."""

    sent_at_us: int
    unheard: set[str]


class Granter:
    """Grants limits to the workers of one node; used from the office's event loop only.

    `send(worker, message)` hands a message to a worker; it neither blocks nor raises. Give it
    the limits (`replace_limits`) before any worker's `hello`, and tell it of a dead worker
    (`worker_gone`) before its remainder is returned. `run` decides; `receive` only takes in.
    """

    def __init__(
        self,
        ledger: Ledger,
        clock: Clock,
        send: Callable[[str, ToWorker], None],
        settings: GranterSettings | None = None,
    ) -> None:
        self._ledger = ledger
        self._clock = clock
        self._send = send
        self._settings = settings or GranterSettings()
        self._counts = CountLimits()
        self._leases = AgreedLeases(lambda: new_id(clock.now_us()))
        self._waiting: list[_Waiting] = []
        self._recalls: dict[str, _Recall] = {}
        self._hellos: dict[str, int] = {}
        self._unsaid_hellos: dict[str, int] = {}
        self._counts_known = False
        self._hello_until_us = clock.now_us() + self._settings.hello_wait_us
        self._retry_at_us = 0
        self._polled_at_us = 0
        self._polled_until_us = clock.now_us()
        self._turning = asyncio.Lock()
        self._wake = asyncio.Event()

    def replace_limits(self, limits: Iterable[Limit]) -> None:
        """Take another set of limits. Only those counted in memory matter here."""
        self._counts.replace(limits)

    def hello(self, worker: str, states: Iterable[PurseState]) -> None:
        """Take the first words of a worker on a new connection: all that it holds.

        What it was granted but never heard of is taken back; what it asked for before is
        forgotten (it asks again).
        """
        told = tuple(states)
        self._hellos[worker] = self._hellos.get(worker, 0) + 1
        self._waiting = [one for one in self._waiting if one.worker != worker]
        counted = [state for state in told if self._counts.counts(state.limit_id)]
        self._counts.greet(worker, counted, self._clock.now_us())
        money = [state for state in told if not self._counts.counts(state.limit_id)]
        self._leases.greet(worker, money)
        self._unsaid_hellos[worker] = self._hellos[worker]
        self._wake.set()

    def receive(self, worker: str, message: LeaseRequest | LeaseReturn) -> None:
        """Take a worker's message in; before its hello it is not heard."""
        hello = self._hellos.get(worker)
        if hello is None:
            return
        if isinstance(message, LeaseReturn):
            for returned in message.returned:
                if self._counts.counts(returned.limit_id):
                    self._counts.give_back(worker, returned)
                else:
                    self._leases.returned(worker, returned.lease_id, returned.amount)
                recall = self._recalls.get(returned.limit_id)
                if recall is not None:
                    recall.unheard.discard(worker)
        elif len(self._waiting) < self._settings.waiting_max:
            counts = self._counts.counts
            self._waiting.append(
                _Waiting(
                    worker=worker,
                    request=message,
                    hello=hello,
                    counts=tuple(need for need in message.needs if counts(need.limit_id)),
                    money=tuple(need for need in message.needs if not counts(need.limit_id)),
                ),
            )
        self._wake.set()

    async def worker_gone(self, worker: str) -> None:
        """Forget a dead worker; after this nothing is granted to it.

        Its money stays leased until `store.return_remainder` ends its leases.
        """
        async with self._turning:
            self._hellos.pop(worker, None)
            self._unsaid_hellos.pop(worker, None)
            self._waiting = [one for one in self._waiting if one.worker != worker]
            self._counts.worker_gone(worker)
            self._leases.forget(worker)
            for recall in self._recalls.values():
                recall.unheard.discard(worker)
        self._wake.set()

    async def run(self) -> None:
        """Decide whatever arrives, for ever."""
        while True:
            try:
                async with asyncio.timeout(self._pause_s()):
                    await self._wake.wait()
            except TimeoutError:
                pass
            await self.turn()

    async def turn(self) -> None:
        """Decide all requests that wait now: one transaction at most, and the workers' hellos."""
        async with self._turning:
            self._wake.clear()
            now_us = self._clock.now_us()
            if now_us >= self._retry_at_us:
                await self._say_hellos(now_us)
                await self._poll_recalls(now_us)
            waiting, self._waiting = self._waiting, []
            kept: list[_Waiting] = []
            asked: list[_Waiting] = []
            for one in waiting:
                match self._count(one, now_us):
                    case _Next.WAIT:
                        kept.append(one)
                    case _Next.ASK:
                        asked.append(one)
                    case _Next.DONE:
                        pass
            kept += await self._grant_money(asked)
            self._waiting = [one for one in kept if self._is_current(one)] + self._waiting
            old_us = now_us - 20 * self._settings.recall_interval_us
            for limit_id in [k for k, v in self._recalls.items() if v.sent_at_us < old_us]:
                del self._recalls[limit_id]

    def _pause_s(self) -> float | None:
        """Return after how long there is something to do although nobody says anything."""
        settings = self._settings
        pauses_us: list[int] = []
        if self._waiting:
            now_us = self._clock.now_us()
            first_us = min(one.request.deadline_us for one in self._waiting)
            pauses_us.append(max(1000, min(settings.recall_interval_us, first_us - now_us)))
        if self._unsaid_hellos or self._leases.has_unsaid:
            pauses_us.append(settings.database_retry_us)
        if settings.recall_poll_us:
            pauses_us.append(settings.recall_poll_us)
        return min(pauses_us) / SECOND_US if pauses_us else None

    def _is_current(self, one: _Waiting) -> bool:
        return self._hellos.get(one.worker) == one.hello

    def _shares(self) -> int:
        return 2 * max(1, self._settings.workers)

    async def _say_hellos(self, now_us: int) -> None:
        for worker, hello in list(self._unsaid_hellos.items()):
            try:
                # Not what it said then, but what has become of that since.
                await self._ledger.greet(worker, self._leases.of_worker(worker))
            except OverloadedError:
                self._retry_at_us = now_us + self._settings.database_retry_us
                return
            if self._unsaid_hellos.get(worker) == hello:
                del self._unsaid_hellos[worker]

    async def _poll_recalls(self, now_us: int) -> None:
        """Recall what other nodes found short."""
        every_us = self._settings.recall_poll_us
        if not every_us or now_us < self._polled_at_us + every_us:
            return
        self._polled_at_us = now_us
        try:
            budget_ids, self._polled_until_us = await self._ledger.recalled_since(
                self._polled_until_us,
            )
        except OverloadedError:
            return
        for budget_id in budget_ids:
            self._recall(budget_id, now_us, every_us)

    def _count(self, one: _Waiting, now_us: int) -> _Next:
        """Take what is counted in memory; a request for nothing else is answered here."""
        if len(self._hellos) >= self._settings.workers or now_us >= self._hello_until_us:
            self._counts_known = True
        database_due = now_us >= self._retry_at_us and one.worker not in self._unsaid_hellos
        if (one.counts and not self._counts_known) or (one.money and not database_due):
            # A caller that nobody answers gives up by itself.
            return _Next.DONE if self._is_late(one, now_us) else _Next.WAIT
        taken = self._counts.take(one.worker, one.counts, self._shares(), now_us)
        if isinstance(taken, Shortage):
            return _Next.DONE if self._is_refused(one, taken, now_us) else _Next.WAIT
        one.counted = taken
        if one.money:
            return _Next.ASK
        self._grant(one, ())
        return _Next.DONE

    async def _grant_money(self, asked: list[_Waiting]) -> list[_Waiting]:
        """Ask the database for all of them in one transaction; return those that wait on."""
        totals = self._leases.take_unsaid()
        if not asked and not totals:
            return []
        touched: list[LeaseTotals] = []

        def lease_of(
            worker: str,
            budget_id: str,
            period_start_us: int,
            dead_lease_id: str | None = None,
        ) -> LeaseTotals:
            found = self._leases.lease_of(worker, budget_id, period_start_us, dead_lease_id)
            touched.append(found)
            return found

        asks = tuple(
            MoneyAsk(one.worker, one.money, refill=one.request.request_id == REFILL)
            for one in asked
        )
        try:
            outcomes = await self._ledger.allot(Turn(asks, totals, self._shares()), lease_of)
        except OverloadedError:
            # It may have happened or not: the next turn says again what is agreed on.
            self._leases.say_again((*totals, *touched))
            return self._not_asked(asked)
        now_us = self._clock.now_us()
        kept: list[_Waiting] = []
        for one, outcome in zip(asked, outcomes, strict=True):
            if not self._is_current(one):
                # The worker has said hello meanwhile: what it never heard of is taken back.
                continue
            if isinstance(outcome, Shortage):
                self._uncount(one)
                if not self._is_refused(one, outcome, now_us):
                    kept.append(one)
                continue
            for granted in outcome:
                self._leases.granted(one.worker, granted.lease_id, granted.amount)
            self._grant(one, outcome)
        return kept

    def _not_asked(self, asked: list[_Waiting]) -> list[_Waiting]:
        now_us = self._clock.now_us()
        self._retry_at_us = now_us + self._settings.database_retry_us
        for one in asked:
            if self._is_current(one):
                self._uncount(one)
        return [one for one in asked if not self._is_late(one, now_us)]

    def _uncount(self, one: _Waiting) -> None:
        self._counts.undo(one.worker, one.counted)
        one.counted = ()

    def _grant(self, one: _Waiting, money: tuple[Granted, ...]) -> None:
        granted = one.counted + money
        request_id = one.request.request_id
        if granted or request_id != REFILL:
            self._send(one.worker, LeaseGrant(request_id, granted))
        if request_id == REFILL:
            given = {each.limit_id for each in granted}
            for need in one.request.needs:
                if need.limit_id not in given:
                    self._send(one.worker, LeaseRefusal(REFILL, need.limit_id, 0, 0, 0))

    def _is_late(self, one: _Waiting, now_us: int) -> bool:
        return one.request.deadline_us <= now_us

    def _is_refused(self, one: _Waiting, shortage: Shortage, now_us: int) -> bool:
        """Refuse what cannot be granted in time; else recall what others can spare."""
        limit_id = shortage.limit_id
        if one.short_since_us is None:
            one.short_since_us = now_us
        refused = shortage.hopeless or self._is_late(one, now_us)
        if not refused:
            asked_now = self._recall(limit_id, now_us, self._settings.recall_interval_us)
            recall = self._recalls[limit_id]
            # Counts are exact here: when all workers have answered, there is no more.
            refused = (
                not asked_now
                and self._counts.counts(limit_id)
                and recall.sent_at_us >= one.short_since_us
                and not recall.unheard
            )
        if refused:
            self._send(
                one.worker,
                LeaseRefusal(
                    request_id=one.request.request_id,
                    limit_id=limit_id,
                    used=shortage.used,
                    limit=shortage.limit,
                    resets_at_us=shortage.resets_at_us,
                    available=shortage.available,
                ),
            )
        return refused

    def _recall(self, limit_id: str, now_us: int, interval_us: int) -> bool:
        """Ask all workers for what they can spare, but not too often; return whether asked."""
        last = self._recalls.get(limit_id)
        if last is not None and now_us < last.sent_at_us + interval_us:
            return False
        self._recalls[limit_id] = _Recall(now_us, set(self._hellos))
        for worker in list(self._hellos):
            self._send(worker, LeaseRecall(limit_id))
        return True
