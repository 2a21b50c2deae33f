"""Two nodes, their workers and one ledger, in whatever order a test lets them act.

The rules are what may happen, the invariants what must hold after each of them.
"""

import asyncio
import contextlib
from collections import Counter
from collections.abc import Coroutine, Iterable
from typing import Any, TypeVar

import msgspec
from hypothesis import strategies as st
from hypothesis.stateful import (
    RuleBasedStateMachine,
    initialize,
    invariant,
    rule,
)

from tests.support.ledger import Node, at_once, money, per_minute
from tests.support.ledger_twin import MemoryLedger
from tollbridge.core.clock import ManualClock
from tollbridge.core.errors import LimitError, OverloadedError
from tollbridge.core.limits import LeaseCorrection, LeaseRecall, Limit, LimitKind
from tollbridge.core.settlement import Settlement
from tollbridge.ledger.allot import BudgetBound, LeaseOf, LeaseTotals, Outcome, Turn
from tollbridge.ledger.grants import GranterSettings
from tollbridge.ledger.periods import MINUTE_US
from tollbridge.ledger.purse import Holds

T = TypeVar("T")
BUDGETS = ("b-day", "b-total")
CALLS_PER_MINUTE = 6
CALLS_AT_ONCE = 3
LIMITS = (1000, 0, 300, 1500, None)
SECONDS = (1, 1, 1, 61, 43_200)
picks = st.integers(min_value=0, max_value=10**6)
AMOUNTS = (120, 50, 1, 0, 333, 400)
NEEDS = ({0}, {1}, {0, 1}, {0, 1}, {0, 1, 2, 3}, {1, 2}, {0, 3})


class FlakyLedger:
    """A ledger that now and then fails, before or after it has done what was asked."""

    def __init__(self, ledger: MemoryLedger) -> None:
        self.ledger = ledger
        self.fail: str | None = None

    async def allot(self, turn: Turn, lease_of: LeaseOf) -> list[Outcome]:
        self._maybe("before")
        outcomes = await self.ledger.allot(turn, lease_of)
        self._maybe("after")
        return outcomes

    async def greet(self, worker: str, told: Iterable[LeaseTotals]) -> None:
        self._maybe("before")
        await self.ledger.greet(worker, told)
        self._maybe("after")

    async def recalled_since(self, since_us: int) -> tuple[list[str], int]:
        return await self.ledger.recalled_since(since_us)

    def _maybe(self, when: str) -> None:
        if self.fail == when:
            self.fail = None
            raise OverloadedError("the database is away")


class Call(msgspec.Struct, eq=False):
    """One call that was let in."""

    node: int
    worker: str
    holds: Holds


class Charged(msgspec.Struct, eq=False):
    """One line of a worker's spool: what the drain will post, and what the worker took."""

    node: int
    worker: str
    holds: Holds
    posted: int
    taken: int | None


class LedgerMachine(RuleBasedStateMachine):
    """Two nodes that share one ledger of money; each counts its own calls."""

    def __init__(self) -> None:
        super().__init__()
        self.loop = asyncio.new_event_loop()
        self.clock = ManualClock()
        self.ledger = MemoryLedger(self.clock)
        self.flaky = FlakyLedger(self.ledger)
        self.limits: tuple[Limit, ...] = (
            money("b-day", period="day"),
            money("b-total"),
            per_minute("rate", CALLS_PER_MINUTE),
            at_once("concurrent", CALLS_AT_ONCE),
        )
        self.bounds: dict[str, int] = dict.fromkeys(BUDGETS, 1000)
        for budget_id, period in (("b-day", "day"), ("b-total", "total")):
            self.ledger.put_budget(BudgetBound(budget_id, 1000, period))
        self.nodes: list[Node] = []
        self.open: list[Call] = []
        self.spool: list[Charged] = []
        self.quarantine: list[Charged] = []
        self.waiting: list[tuple[int, str, asyncio.Task[Holds]]] = []
        self.names = 0
        self.batches = 0
        self.let_in: Counter[tuple[int, int]] = Counter()
        self.died: dict[int, int] = {}
        self.forgotten: set[tuple[int, int]] = set()
        self.totals: dict[tuple[str, int], int] = {}
        self.bank: Counter[tuple[str, int]] = Counter()
        self.overran = False
        self.posted = 0

    def run(self, work: Coroutine[Any, Any, T]) -> T:
        return self.loop.run_until_complete(work)

    @initialize()
    def begin(self) -> None:
        for _ in range(2):
            knobs = GranterSettings(workers=2, recall_poll_us=0, hello_wait_us=0)
            self.nodes.append(Node(self.flaky, self.clock, knobs, self.limits))
        for node in (0, 0, 1):
            self.start_worker(node)

    @rule(node=st.integers(0, 1))
    def another_worker(self, node: int) -> None:
        self.start_worker(node)

    def start_worker(self, node: int) -> None:
        if len(self.nodes[node].workers) < 3:
            self.names += 1
            self.nodes[node].worker(f"w{self.names}")

    @rule(
        pick=picks,
        amount=st.sampled_from(AMOUNTS),
        needs=st.sampled_from(NEEDS),
        rounds=st.integers(0, 3),
    )
    def call(self, pick: int, amount: int, needs: set[int], rounds: int) -> None:
        where = [(i, name) for i, node in enumerate(self.nodes) for name in node.workers]
        if not where:
            return
        node, name = where[pick % len(where)]
        chosen = [self.limits[i] for i in sorted(needs)]
        wanted = [(one, amount if one.kind is LimitKind.MONEY else 1) for one in chosen]
        purses = self.nodes[node].workers[name]

        async def ask() -> asyncio.Task[Holds]:
            task = asyncio.create_task(purses.reserve("call", wanted, 60))
            await asyncio.sleep(0)
            return task

        self.waiting.append((node, name, self.run(ask())))
        self.run(self.nodes[node].exchange(rounds))
        self.collect()

    @rule(pick=picks)
    def caller_leaves_while_waiting(self, pick: int) -> None:
        if self.waiting:
            _, _, task = self.waiting[pick % len(self.waiting)]
            task.cancel()
        self.collect()

    @rule(node=st.integers(0, 1))
    def office_hears(self, node: int) -> None:
        self.nodes[node].deliver_to_office()

    @rule(node=st.integers(0, 1))
    def office_decides(self, node: int) -> None:
        self.run(self.nodes[node].granter.turn())

    @rule(node=st.integers(0, 1))
    def workers_hear(self, node: int) -> None:
        self.nodes[node].deliver_to_workers()
        self.collect()

    @rule(node=st.integers(0, 1))
    def all_of_it(self, node: int) -> None:
        self.run(self.nodes[node].exchange(2))
        self.collect()

    @rule(pick=picks, percent=st.integers(0, 130), off=st.integers(-20, 20))
    def call_ends(self, pick: int, percent: int, off: int) -> None:
        if not self.open:
            return
        call = self.open.pop(pick % len(self.open))
        held = max((hold.amount for hold in call.holds.durable), default=0)
        taken = held * percent // 100
        posted = max(0, taken + off) if off % 5 == 0 else taken
        flagged = self.nodes[call.node].workers[call.worker].settle(call.holds, taken)
        assert flagged == any(taken > hold.amount for hold in call.holds.durable)
        self.spool.append(Charged(call.node, call.worker, call.holds, posted, taken))
        for hold in call.holds.durable:
            over = max(0, max(taken, posted) - hold.amount) + max(0, posted - taken)
            self.bank[hold.budget_id, hold.period_start_us] += over
            self.overran = self.overran or over > 0

    @rule(pick=picks)
    def call_fails(self, pick: int) -> None:
        if not self.open:
            return
        call = self.open.pop(pick % len(self.open))
        self.nodes[call.node].workers[call.worker].release(call.holds)

    @rule(pick=picks)
    def call_is_not_let_in(self, pick: int) -> None:
        if not self.open:
            return
        call = self.open.pop(pick % len(self.open))
        for hold in call.holds.rates:
            self.let_in[call.node, hold.period_start_us] -= 1
        self.nodes[call.node].workers[call.worker].cancel(call.holds)

    @rule(most=st.integers(1, 5))
    def drain(self, most: int) -> None:
        if not self.spool:
            return
        batch, self.spool = self.spool[:most], self.spool[most:]
        self.post(batch)

    @rule(pick=picks, keeps=st.booleans())
    def worker_dies(self, pick: int, *, keeps: bool) -> None:
        where = [(i, name) for i, node in enumerate(self.nodes) for name in node.workers]
        if where:
            self.kill(*where[pick % len(where)], keeps=keeps)

    @rule(pick=picks)
    def worker_ends_well(self, pick: int) -> None:
        where = [(i, name) for i, node in enumerate(self.nodes) for name in node.workers]
        if where:
            node, name = where[pick % len(where)]
            self.nodes[node].workers[name].return_all()
            self.nodes[node].deliver_to_office()
            self.run(self.nodes[node].granter.turn())
            self.kill(node, name, keeps=False)

    @rule(node=st.integers(0, 1))
    def office_dies(self, node: int) -> None:
        self.nodes[node].restart_office()
        minute = self.clock.now_us() // MINUTE_US * MINUTE_US
        if self.died.get(node) == minute:
            self.forgotten.add((node, minute))

    @rule()
    def operator_releases_the_node(self) -> None:
        """By mistake: its workers live, and go on with other leases."""
        row = [lease for lease in self.ledger.leases.values() if lease.part]
        self.run(self.ledger.release_node("node"))
        for lease in row:
            # What the workers still hold there is no longer counted.
            self.bank[lease.key] += 10**6

    @rule(when=st.sampled_from(["before", "after"]))
    def database_fails(self, when: str) -> None:
        self.flaky.fail = when

    @rule(node=st.integers(0, 1), which=st.sampled_from([*BUDGETS, "rate", "concurrent"]))
    def recall(self, node: int, which: str) -> None:
        for name in self.nodes[node].workers:
            self.nodes[node].to_workers.append((name, LeaseRecall(which)))

    @rule(node=st.integers(0, 1))
    def return_idle(self, node: int) -> None:
        for purses in self.nodes[node].workers.values():
            purses.return_idle(1)

    @rule(which=st.sampled_from(BUDGETS), limit=st.sampled_from(LIMITS))
    def change_limit(self, which: str, limit: int | None) -> None:
        bound = self.ledger.budgets[which]
        self.ledger.put_budget(BudgetBound(which, limit, bound.period))
        self.bounds[which] = 10**9 if limit is None else limit

    @rule(seconds=st.sampled_from(SECONDS))
    def time_passes(self, seconds: int) -> None:
        self.clock.advance(seconds)

    @invariant()
    def the_books_balance(self) -> None:
        assert self.run(self.ledger.books()) == []
        assert sum(p.spent for p in self.ledger.periods.values()) == self.posted

    @invariant()
    def nothing_is_granted_over_a_limit(self) -> None:
        for key, row in self.ledger.periods.items():
            now = row.spent + row.leased
            assert row.leased >= 0
            rise = now - max(self.totals.get(key, 0), self.bounds[key[0]])
            if rise > 0:
                self.bank[key] -= rise
            assert self.bank[key] >= 0
            self.totals[key] = now

    @invariant()
    def the_database_never_counts_less_than_the_workers_hold(self) -> None:
        for node in self.nodes:
            for purses in node.workers.values():
                for state in purses.states():
                    assert state.held >= 0
                    row = self.ledger.leases.get(state.lease_id)
                    if row is not None and row.state == "active":
                        assert row.granted >= state.granted
                        assert row.returned <= state.returned
                    elif row is None:
                        assert state.limit_id in {"rate", "concurrent"} or state.granted == 0
                    if not self.overran:
                        assert state.granted - state.held - state.spent - state.returned >= 0

    @invariant()
    def calls_are_counted_exactly(self) -> None:
        for when, count in self.let_in.items():
            # Who has died is not remembered by an office that came after; only for that minute.
            assert count <= CALLS_PER_MINUTE or when in self.forgotten
        for index in range(len(self.nodes)):
            mine = [call for call in self.open if call.node == index]
            assert sum(bool(call.holds.concurrent) for call in mine) <= CALLS_AT_ONCE

    def teardown(self) -> None:
        try:
            self.flaky.fail = None
            for index, node in enumerate(self.nodes):
                for name in list(node.workers):
                    self.kill(index, name, keeps=False)
            self.post(self.spool)
            self.post(self.quarantine)
            workers = {row.worker for row in self.ledger.leases.values()}
            for worker in workers:
                self.run(self.ledger.return_remainder(worker))
            assert all(row.leased == 0 for row in self.ledger.periods.values())
            self.the_books_balance()
        finally:
            for _, _, task in self.waiting:
                task.cancel()
            self.run(asyncio.sleep(0))
            self.loop.close()

    def collect(self) -> None:
        """See which waiting calls have been let in or refused."""
        self.run(asyncio.sleep(0))
        self.run(asyncio.sleep(0))
        still: list[tuple[int, str, asyncio.Task[Holds]]] = []
        for node, name, task in self.waiting:
            if not task.done():
                still.append((node, name, task))
                continue
            with contextlib.suppress(LimitError, asyncio.CancelledError):
                holds = task.result()
                self.open.append(Call(node, name, holds))
                for hold in holds.rates:
                    self.let_in[node, hold.period_start_us] += 1
        self.waiting = still

    def post(self, batch: list[Charged]) -> None:
        """Do what the drain does with some lines of the spool."""
        self.batches += 1
        settlements = [
            Settlement(hold.lease_id, hold.budget_id, hold.period_start_us, one.posted)
            for one in batch
            for hold in one.holds.durable
        ]
        costs = {"sandbox": sum(one.posted for one in batch)}
        self.run(self.ledger.settle(f"batch{self.batches}", settlements, costs))
        self.posted += sum(one.amount for one in settlements)
        for one in batch:
            purses = self.nodes[one.node].workers.get(one.worker)
            if purses is not None and one.taken is not None and one.posted != one.taken:
                for hold in one.holds.durable:
                    difference = one.posted - one.taken
                    purses.on_message(LeaseCorrection(hold.lease_id, hold.budget_id, difference))

    def kill(self, node: int, name: str, *, keeps: bool) -> None:
        """End a worker; the drain reads its spool to the end and returns the remainder."""
        for _, worker, task in self.waiting:
            if worker == name:
                task.cancel()
        self.run(asyncio.sleep(0))
        self.waiting = [one for one in self.waiting if one[1] != name]
        self.run(self.nodes[node].kill(name))
        self.died[node] = self.clock.now_us() // MINUTE_US * MINUTE_US
        # A call that was open is interrupted: half of what it held is what it cost.
        lost = [call for call in self.open if call.worker == name]
        self.open = [call for call in self.open if call.worker != name]
        for call in lost:
            held = min((hold.amount for hold in call.holds.durable), default=0)
            self.spool.append(Charged(node, name, call.holds, held // 2, None))
        mine = [one for one in self.spool if one.worker == name]
        self.spool = [one for one in self.spool if one.worker != name]
        stuck = [mine.pop()] if keeps and mine and mine[-1].taken is None else []
        self.quarantine += stuck
        self.post(mine)
        keep: Counter[str] = Counter()
        for one in stuck:
            for hold in one.holds.durable:
                keep[hold.lease_id] += hold.amount
        self.run(self.ledger.return_remainder(name, keep))
