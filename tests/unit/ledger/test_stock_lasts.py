"""A worker has enough in its purse to serve on without the office, wherever there is plenty."""

import asyncio

from tests.support.ledger import Node, money
from tests.support.ledger_twin import MemoryLedger
from tollbridge.core.clock import ManualClock
from tollbridge.ledger.allot import BudgetBound
from tollbridge.ledger.grants import GranterSettings
from tollbridge.ledger.reserve import Purses

STEP_S = 0.01
CEILING = 40
CHARGE = 10
LASTS_S = 9
"""Ten, less the second between two looks."""


class Load:
    """One worker that is called at a steady pace, and looks at its purses each second."""

    def __init__(self, limit: int) -> None:
        self.clock = ManualClock()
        self.budget = money("b", limit)
        self.ledger = MemoryLedger(self.clock)
        self.ledger.put_budget(BudgetBound("b", limit))
        knobs = GranterSettings(workers=2, recall_poll_us=0)
        self.node = Node(self.ledger, self.clock, knobs, [self.budget])
        self.worker: Purses = self.node.worker("w1")
        self.refused = 0
        self.least_free = 0
        self._steps = 0

    async def run(self, seconds: float, calls_per_step: int, *, office: bool = True) -> None:
        """Serve; `least_free` is then the least that was free in the purse on the way."""
        self.least_free = 10**18
        for _ in range(round(seconds / STEP_S)):
            for _ in range(calls_per_step):
                holds = self.worker.try_reserve([(self.budget, CEILING)])
                if holds is None:
                    self.refused += 1
                else:
                    self.worker.settle(holds, CHARGE)
            self._steps += 1
            if self._steps % round(1 / STEP_S) == 0:
                self.worker.restock()
            if office:
                await self.node.exchange()
            self.least_free = min(self.least_free, self.free)
            self.clock.advance(STEP_S)

    async def first_call(self) -> None:
        """Let the first call in, which has to wait for the office."""
        waiting = asyncio.create_task(self.worker.reserve("call", [(self.budget, CEILING)], 0.3))
        await asyncio.sleep(0)
        await self.node.exchange()
        self.worker.settle(await waiting, CHARGE)

    @property
    def free(self) -> int:
        return sum(
            one.granted - one.held - one.spent - one.returned for one in self.worker.states()
        )


def pace(calls_per_step: int) -> int:
    """Return what is spent in a second."""
    return round(calls_per_step * CHARGE / STEP_S)


async def test_a_purse_lasts_nine_seconds_of_the_pace_of_late_from_the_first_second_on() -> None:
    load = Load(limit=10**9)
    await load.first_call()
    await load.run(1, 1)
    await load.run(30, 1)
    assert load.least_free >= LASTS_S * pace(1)
    assert load.refused == 0


async def test_a_pace_that_trebles_is_seen_within_two_seconds() -> None:
    load = Load(limit=10**9)
    await load.first_call()
    await load.run(12, 1)
    await load.run(2, 3)
    await load.run(10, 3)
    assert load.least_free >= LASTS_S * pace(3)
    assert load.refused == 0


async def test_without_its_office_a_worker_serves_nine_seconds_on_whenever_that_goes() -> None:
    load = Load(limit=10**9)
    await load.first_call()
    for served_s in (1.5, 2.3, 3.1, 4.7):
        await load.run(served_s, 1)
        await load.run(LASTS_S, 1, office=False)
        load.worker.ask_again()
    assert load.refused == 0


async def test_near_the_limit_all_of_it_can_be_spent_and_no_more() -> None:
    limit = 20_000
    load = Load(limit)
    await load.first_call()
    spent = 0
    while load.refused == 0:
        await load.run(0.1, 1)
        row = next(iter(load.ledger.periods.values()))
        spent = sum(one.spent for one in load.worker.states())
        assert row.spent + row.leased <= limit
    assert limit - spent < 8 * CEILING
