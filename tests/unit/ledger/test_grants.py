import asyncio
from collections import Counter

import pytest

from tests.support.ledger import Node, at_once, money, per_minute
from tests.support.ledger_twin import MemoryLedger
from tollbridge.core.clock import ManualClock
from tollbridge.core.errors import (
    BudgetExceededError,
    LimitError,
    RateLimitedError,
    TooManyCallsError,
)
from tollbridge.core.limits import LeaseRecall, Limit
from tollbridge.ledger.allot import BudgetBound
from tollbridge.ledger.grants import GranterSettings
from tollbridge.ledger.purse import Holds
from tollbridge.ledger.reserve import Purses

BUDGET = money("b")
RATE = per_minute("r", 10)
CONCURRENT = at_once("c", 10)


class Office:
    """A node of four workers over a ledger in memory."""

    def __init__(self, budget: int = 1000, workers: int = 4) -> None:
        self.clock = ManualClock()
        self.ledger = MemoryLedger(self.clock)
        self.ledger.put_budget(BudgetBound("b", budget))
        knobs = GranterSettings(workers=workers, recall_poll_us=0)
        self.node = Node(self.ledger, self.clock, knobs, [BUDGET, RATE, CONCURRENT])
        self.workers = [self.node.worker(f"w{n}") for n in range(workers)]

    async def ask(self, worker: Purses, *needs: tuple[Limit, int]) -> asyncio.Task[Holds]:
        task = asyncio.create_task(worker.reserve("call", needs, 0.3))
        await asyncio.sleep(0)
        return task

    async def settle_down(self, rounds: int = 4) -> None:
        for _ in range(rounds):
            await self.node.exchange()
            await asyncio.sleep(0)

    def leased(self) -> int:
        return sum(row.leased for row in self.ledger.periods.values())


def outcome(task: asyncio.Task[Holds]) -> str:
    if not task.done():
        return "waiting"
    return "in" if task.exception() is None else type(task.exception()).__name__


async def test_a_limit_of_ten_calls_serves_ten_over_four_workers() -> None:
    office = Office()
    tasks = [await office.ask(office.workers[n % 4], (RATE, 1)) for n in range(32)]
    await office.settle_down()
    counts = Counter(outcome(task) for task in tasks)
    assert counts == {"in": 10, "RateLimitedError": 22}


async def test_ten_calls_at_once_are_let_in_and_the_next_when_one_ends() -> None:
    office = Office()
    tasks = [await office.ask(office.workers[n % 4], (CONCURRENT, 1)) for n in range(12)]
    await office.settle_down()
    counts = Counter(outcome(task) for task in tasks)
    assert counts == {"in": 10, "TooManyCallsError": 2}
    first = next(n for n, task in enumerate(tasks) if outcome(task) == "in")
    office.workers[first % 4].release(tasks[first].result())
    office.clock.advance(0.3)
    # Another worker finds the slot that fell free.
    late = await office.ask(office.workers[(first + 1) % 4], (CONCURRENT, 1))
    await office.settle_down()
    assert outcome(late) == "in"


async def test_the_next_minute_begins_anew() -> None:
    office = Office()
    for _ in range(2):
        tasks = [await office.ask(office.workers[n % 4], (RATE, 1)) for n in range(12)]
        await office.settle_down()
        assert Counter(outcome(task) for task in tasks)["in"] == 10
        office.clock.advance(60)


async def test_a_refused_budget_gives_the_place_in_the_minute_back() -> None:
    office = Office(budget=0)
    task = await office.ask(office.workers[0], (RATE, 1), (BUDGET, 5))
    await office.settle_down()
    assert outcome(task) == "BudgetExceededError"
    tasks = [await office.ask(office.workers[1], (RATE, 1)) for _ in range(11)]
    await office.settle_down()
    assert Counter(outcome(one) for one in tasks)["in"] == 10


async def test_what_is_spent_is_refused_at_once_without_a_recall() -> None:
    office = Office(budget=100)
    office.ledger.put_budget(BudgetBound("b", 10))
    task = await office.ask(office.workers[0], (BUDGET, 11))
    await office.node.exchange()
    await asyncio.sleep(0)
    assert outcome(task) == "BudgetExceededError"
    assert not any(isinstance(m, LeaseRecall) for _, m in office.node.to_workers)


async def test_a_would_be_refusal_recalls_what_others_can_spare() -> None:
    office = Office(budget=1000)
    first = await office.ask(office.workers[0], (BUDGET, 125))
    await office.settle_down()
    office.workers[0].release(first.result())
    assert office.leased() == 125
    second = await office.ask(office.workers[1], (BUDGET, 1000))
    await office.settle_down()
    assert outcome(second) == "in"
    assert office.leased() == 1000


async def test_what_others_hold_is_waited_for_until_the_deadline_and_then_refused() -> None:
    office = Office(budget=1000)
    first = await office.ask(office.workers[0], (BUDGET, 600))
    await office.settle_down()
    second = await office.ask(office.workers[1], (BUDGET, 600))
    await office.settle_down()
    assert (outcome(first), outcome(second)) == ("in", "waiting")
    office.clock.advance(0.3)
    await office.settle_down()
    with pytest.raises(BudgetExceededError, match="b"):
        second.result()


async def test_what_falls_free_elsewhere_in_time_is_granted() -> None:
    office = Office(budget=1000)
    first = await office.ask(office.workers[0], (BUDGET, 600))
    await office.settle_down()
    second = await office.ask(office.workers[1], (BUDGET, 600))
    await office.settle_down()
    office.workers[0].settle(first.result(), 100)
    office.clock.advance(0.1)
    await office.settle_down()
    assert outcome(second) == "in"


async def test_the_calls_at_once_of_a_dead_worker_are_free_again_but_not_its_minute() -> None:
    office = Office()
    tasks = [await office.ask(office.workers[0], (CONCURRENT, 1), (RATE, 1)) for _ in range(10)]
    await office.settle_down()
    assert Counter(outcome(task) for task in tasks) == {"in": 10}
    await office.node.kill("w0")
    late = await office.ask(office.workers[1], (CONCURRENT, 1))
    rate = await office.ask(office.workers[1], (RATE, 1))
    await office.settle_down()
    assert (outcome(late), outcome(rate)) == ("in", "RateLimitedError")


async def test_a_new_office_learns_from_its_workers_what_is_used() -> None:
    office = Office()
    tasks = [await office.ask(office.workers[n % 4], (CONCURRENT, 1), (RATE, 1)) for n in range(10)]
    await office.settle_down()
    assert Counter(outcome(task) for task in tasks) == {"in": 10}
    office.node.restart_office()
    late = await office.ask(office.workers[1], (RATE, 1))
    more = await office.ask(office.workers[2], (CONCURRENT, 1))
    await office.settle_down()
    assert isinstance(late.exception(), RateLimitedError)
    assert isinstance(more.exception(), TooManyCallsError)


async def test_a_new_office_counts_no_calls_before_all_workers_have_said_hello() -> None:
    office = Office()
    for n in (0, 1, 2):
        task = await office.ask(office.workers[n], (RATE, 3))
        await office.settle_down()
        assert outcome(task) == "in"
    node = office.node
    workers = dict(node.workers)
    node.workers.clear()
    node.restart_office()
    node.workers.update(workers)
    node.granter.hello("w3", workers["w3"].states())
    task = await office.ask(office.workers[3], (RATE, 2))
    await office.settle_down()
    assert outcome(task) == "waiting"
    for n in (0, 1, 2):
        node.granter.hello(f"w{n}", workers[f"w{n}"].states())
    await office.settle_down()
    assert outcome(task) == "RateLimitedError"


async def test_an_office_that_misses_a_worker_waits_for_it_only_so_long() -> None:
    office = Office()
    office.node.settings = GranterSettings(workers=5, recall_poll_us=0)
    office.node.restart_office()
    office.clock.advance(1)
    task = await office.ask(office.workers[0], (RATE, 1))
    await office.settle_down()
    assert outcome(task) == "in"


async def test_a_lowered_limit_lets_nobody_in_until_there_is_room() -> None:
    office = Office()
    task = await office.ask(office.workers[0], (CONCURRENT, 4))
    await office.settle_down()
    office.node.granter.replace_limits([at_once("c", 3)])
    late = await office.ask(office.workers[1], (CONCURRENT, 1))
    await office.settle_down()
    assert (outcome(task), outcome(late)) == ("in", "TooManyCallsError")


async def test_a_worker_that_has_not_said_hello_is_not_heard() -> None:
    office = Office()
    stranger = Purses(
        lambda message: office.node.to_office.append(("stranger", message)),
        office.clock,
    )
    task = await office.ask(stranger, (BUDGET, 5))
    await office.settle_down()
    assert outcome(task) == "waiting"
    assert office.leased() == 0
    task.cancel()


async def test_the_loop_of_the_office_serves_racing_workers_up_to_the_limit() -> None:
    """As in life: four workers, many calls at once, messages that take a turn of the loop."""
    office = Office(budget=5000)
    loop = asyncio.get_running_loop()
    granter = office.node.granter
    running = asyncio.create_task(granter.run())

    async def pump() -> None:
        while True:
            office.node.deliver_to_office()
            office.node.deliver_to_workers()
            await asyncio.sleep(0)

    pumping = asyncio.create_task(pump())
    let_in = 0

    async def calls(worker: Purses) -> None:
        nonlocal let_in
        for _ in range(200):
            try:
                holds = await worker.reserve("call", [(BUDGET, 10)], 5)
            except LimitError:
                return
            let_in += 1
            await asyncio.sleep(0)
            worker.settle(holds, 10)
            office.clock.advance(0.0001)
            assert sum(row.spent + row.leased for row in office.ledger.periods.values()) <= 5000

    until = loop.time() + 20
    async with asyncio.TaskGroup() as group:
        racing = [group.create_task(calls(w)) for w in office.workers * 8]
        while not all(task.done() for task in racing):
            assert loop.time() < until
            office.clock.advance(0.01)
            await asyncio.sleep(0.001)
    running.cancel()
    pumping.cancel()
    assert let_in == 500
