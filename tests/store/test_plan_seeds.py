"""With what does the limit of a plan begin, where something was used before the ledger counted?"""

import pytest
from sqlalchemy import select

from tests.support.alerting import UTC
from tollbridge.core.call import new_id
from tollbridge.core.clock import SystemClock
from tollbridge.core.limits import Granted, Need
from tollbridge.ledger.agreed import AgreedLeases
from tollbridge.ledger.allot import MoneyAsk, Shortage, Turn
from tollbridge.ledger.applying import plan_limit_id
from tollbridge.ledger.lease_store import DatabaseLedger
from tollbridge.ledger.plans import Used
from tollbridge.ledger.subscription_store import Order, subscribe
from tollbridge.ledger.tables import budget_periods
from tollbridge.storage.unit import Database, Unit

CLOCK = SystemClock()
HOUR_US = 3600 * 1_000_000
LIMIT = plan_limit_id("ana", "video_calls")
"""Two of them with Free, ten with Basic."""


class Node:
    """One node's leases, and how often it asks what was used before."""

    def __init__(self, database: Database, used: int) -> None:
        self.asked: list[tuple[int, int]] = []
        self._database = database
        self._used = used
        self._ledger = DatabaseLedger(database, "node", UTC, self._used_of)
        self._agreed = AgreedLeases(lambda: new_id(CLOCK.now_us()))

    async def ask(self) -> tuple[Granted, ...] | Shortage:
        """Ask for one call."""
        turn = Turn((MoneyAsk("w", (Need(LIMIT, 1, 1),)),))
        [outcome] = await self._ledger.allot(turn, self._agreed.lease_of)
        return outcome

    async def _used_of(self, unit: Unit, user: str, start_us: int, end_us: int) -> Used:
        self.asked.append((start_us, end_us))
        return Used(calls={"video": self._used})


async def take(database: Database, plan: str, *, ago_us: int = 0) -> None:
    async with database.write() as unit:
        now_us = await unit.now_us() - ago_us
        order = Order("ana", plan)
        await subscribe(unit, order, actor="test", zone=UTC, now_us=now_us)


async def counted(database: Database) -> list[int]:
    """Return what is counted in each of the limit's periods, the first one first."""
    periods = budget_periods.c
    query = (
        select(periods.spent).where(periods.budget_id == LIMIT).order_by(periods.period_start_us)
    )
    async with database.read() as unit:
        return list((await unit.connection.execute(query)).scalars())


async def test_what_was_used_before_is_counted_once(database: Database) -> None:
    await take(database, "Free")
    node = Node(database, used=1)
    for _ in range(2):
        assert isinstance(await node.ask(), tuple)
    assert len(node.asked) == 1
    assert await counted(database) == [1]


async def test_another_plan_in_the_middle_of_a_month_begins_with_what_was_used_of_its_own(
    database: Database,
) -> None:
    """The limit keeps its name, and its month is another one."""
    await take(database, "Free", ago_us=2 * HOUR_US)
    node = Node(database, used=2)
    assert isinstance(await node.ask(), Shortage)
    await take(database, "Basic")
    assert isinstance(await node.ask(), tuple)
    assert await counted(database) == [2, 2]
    [(first, _), (second, _)] = node.asked
    assert second > first


@pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
async def test_two_nodes_count_it_once(database: Database) -> None:
    await take(database, "Free")
    for _ in range(2):
        await Node(database, used=1).ask()
    assert await counted(database) == [1]
