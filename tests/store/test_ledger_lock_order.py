"""Nobody waits in a circle: whatever the drain of one node and another node's grants do at once.

PostgreSQL alone: on SQLite a writing unit is alone.
"""

import asyncio
from collections.abc import AsyncIterator
from datetime import UTC
from typing import Any

import pytest
from sqlalchemy import select

from tests.support.databases import PostgresDatabases
from tests.support.drained import rows
from tests.support.ledger import KeptInDatabase
from tests.support.recorded import NOON_US, CallSpec, a_close, a_closer, ended_calls, record
from tollbridge.core.call import new_id
from tollbridge.core.clock import SystemClock
from tollbridge.core.limits import Need
from tollbridge.core.settlement import Settlement
from tollbridge.ledger.agreed import AgreedLeases
from tollbridge.ledger.allot import MoneyAsk, Shortage, Turn
from tollbridge.processes.drain_ledger import DrainLedger
from tollbridge.recording.rebuild import rebuild_rollups
from tollbridge.recording.tables import rollups_by_call
from tollbridge.storage.unit import Database, Unit

CLOCK = SystemClock()
BUDGETS = ("a", "b", "c", "d")
WAIT_S = 10.0


class NobodyGrants:
    """A granter that knows no worker."""

    async def worker_gone(self, worker: str) -> None:
        """Forget nothing."""


@pytest.fixture
async def database(postgres_databases: PostgresDatabases) -> AsyncIterator[Database]:
    """Open a database that looks for circles at once, and so breaks them at once."""
    name = await postgres_databases.copy()
    first = Database.open(postgres_databases.url(name))
    async with first.write() as unit:
        await unit.connection.exec_driver_sql(
            f"ALTER DATABASE \"{name}\" SET deadlock_timeout = '20ms'"
        )
    await first.close()
    opened = Database.open(postgres_databases.url(name))
    yield opened
    await opened.close()
    await postgres_databases.drop(name)


async def grant(
    kept: KeptInDatabase, worker: str, *budget_ids: str, amount: int = 10
) -> list[Settlement]:
    """Grant a new worker some of each budget; return what charges all of it."""
    agreed = AgreedLeases(lambda: new_id(CLOCK.now_us()))
    ask = MoneyAsk(worker, tuple(Need(one, amount, amount) for one in budget_ids))
    (outcome,) = await kept.ledger.allot(Turn((ask,)), agreed.lease_of)
    assert not isinstance(outcome, Shortage)
    return [Settlement(g.lease_id, g.limit_id, g.period_start_us, amount) for g in outcome]


async def deadlocks(database: Database) -> int:
    async with database.read() as unit:
        sql = "SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()"
        await unit.connection.exec_driver_sql("SELECT pg_stat_force_next_flush()")
        return int((await unit.connection.exec_driver_sql(sql)).scalar_one())


async def until_someone_waits(database: Database) -> None:
    async with asyncio.timeout(WAIT_S):
        while True:
            async with database.read() as unit:
                sql = "SELECT count(*) FROM pg_locks WHERE NOT granted"
                if (await unit.connection.exec_driver_sql(sql)).scalar_one():
                    return
            await asyncio.sleep(0.005)


@pytest.fixture
async def kept(database: Database) -> KeptInDatabase:
    made = KeptInDatabase(database)
    for budget_id in BUDGETS:
        await made.budget(budget_id, 10**9)
    return made


async def test_the_remainder_of_a_dead_worker_is_returned_while_another_node_decides(
    database: Database, kept: KeptInDatabase
) -> None:
    """The batch charges b and the dead worker held a; the other node takes a, then b."""
    charges = await grant(kept, "alive", "b")
    await grant(kept, "dead", "a")
    ledger = DrainLedger(NobodyGrants())
    await ledger.worker_gone("dead")
    async with database.write() as unit:
        await ledger.settle(unit, new_id(CLOCK.now_us()), charges, {}, 0)
        deciding = asyncio.create_task(grant(kept, "other", "a", "b"))
        await until_someone_waits(database)
        await ledger.return_remainder(unit, "dead", {})
    await asyncio.wait_for(deciding, WAIT_S)
    assert await deadlocks(database) == 0
    assert await kept.books() == []


async def test_several_dead_workers_without_a_charge_are_no_circle_either(
    database: Database, kept: KeptInDatabase
) -> None:
    await grant(kept, "dead-1", "b")
    await grant(kept, "dead-2", "a")
    ledger = DrainLedger(NobodyGrants())
    for worker in ("dead-1", "dead-2"):
        await ledger.worker_gone(worker)
    async with database.write() as unit:
        await ledger.return_remainder(unit, "dead-1", {})
        deciding = asyncio.create_task(grant(kept, "other", "a", "b"))
        await until_someone_waits(database)
        await ledger.return_remainder(unit, "dead-2", {})
    await asyncio.wait_for(deciding, WAIT_S)
    assert await deadlocks(database) == 0


async def test_drains_and_grants_that_hammer_the_same_budgets_never_wait_in_a_circle(
    database: Database, kept: KeptInDatabase
) -> None:
    """Two nodes that drain and bury workers, and two that grant, each in an order of its own."""

    async def drain(node: str, turn: int) -> None:
        ledger = DrainLedger(NobodyGrants())
        mine, others = BUDGETS[turn % 4], [BUDGETS[(turn + n) % 4] for n in (3, 1)]
        charges = await grant(kept, f"{node}-{turn}", mine)
        dead = [f"{node}-{turn}-dead-{n}" for n in range(2)]
        for worker, budget_id in zip(dead, others, strict=True):
            await grant(kept, worker, budget_id)
            await ledger.worker_gone(worker)
        async with database.write() as unit:
            await ledger.settle(unit, new_id(CLOCK.now_us()), charges, {"p": 1}, 0)
            for worker in dead:
                await ledger.return_remainder(unit, worker, {})

    async def work(node: str, *, drains: bool) -> None:
        for turn in range(25):
            if drains:
                await drain(node, turn)
            else:
                await grant(kept, f"{node}-{turn}", *reversed(BUDGETS[turn % 3 :]))

    nodes: list[Any] = [work(f"n{n}", drains=n < 2) for n in range(4)]
    await asyncio.wait_for(asyncio.gather(*nodes), 60)
    assert await deadlocks(database) == 0
    assert await kept.books() == []


async def test_calls_that_are_closed_one_by_one_wait_for_no_one_in_a_circle(
    database: Database,
) -> None:
    """They come in an order of their own; another node takes the same sums in that of the keys."""
    await record(database, [CallSpec(user=user) for user in ("ada", "bob")])
    sql = (
        "SELECT d.user_name, r.dimension_id FROM rollups_by_call AS r "
        "JOIN dimensions AS d ON d.dimension_id = r.dimension_id ORDER BY r.dimension_id"
    )
    (first, low), (last, high) = await rows(database, sql)
    closer = a_closer(database, await a_close(database))
    calls = ended_calls([CallSpec(user=user) for user in (last, first)])

    async def close() -> int:
        async with database.write() as unit:
            books, culprits = await closer.one_by_one(unit, calls, NOON_US)
        assert culprits == []
        return len(books.added)

    async def take(unit: Unit, dimension_id: int) -> None:
        sums = select(rollups_by_call).where(rollups_by_call.c.dimension_id == dimension_id)
        await unit.connection.execute(sums.with_for_update())

    async with database.write() as unit:
        await take(unit, low)
        closing = asyncio.create_task(close())
        await until_someone_waits(database)
        await take(unit, high)
    assert await asyncio.wait_for(closing, WAIT_S) == 2
    assert await deadlocks(database) == 0
    async with database.read() as unit:
        assert await rebuild_rollups(unit, UTC) == []
