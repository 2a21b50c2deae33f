"""The twin in memory and the database decide and count the same, whatever is asked of them."""

import asyncio
import itertools
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import select

from tests.support.databases import PostgresDatabases, SqliteFiles
from tests.support.ledger import Kept, KeptInDatabase, KeptInMemory
from tollbridge.core.call import new_id
from tollbridge.core.limits import Need
from tollbridge.core.settlement import Settlement
from tollbridge.ledger.agreed import AgreedLeases
from tollbridge.ledger.allot import MoneyAsk, Shortage, Turn
from tollbridge.ledger.tables import budget_periods, leases
from tollbridge.storage.unit import Database

BUDGETS = ("a", "b")
WORKERS = ("w1", "w2")
amounts = st.sampled_from([0, 1, 40, 99, 100, 333])
needs = st.dictionaries(st.sampled_from(BUDGETS), st.tuples(amounts, amounts), min_size=1)
asks = st.tuples(st.sampled_from(WORKERS), needs, st.booleans())
steps = st.one_of(
    st.tuples(st.just("ask"), st.lists(asks, min_size=1, max_size=4)),
    st.tuples(st.just("give back"), st.sampled_from(WORKERS), st.integers(0, 9), amounts),
    st.tuples(st.just("settle"), st.lists(st.tuples(st.integers(0, 9), amounts), max_size=4)),
    st.tuples(st.just("end"), st.sampled_from(WORKERS), amounts),
    st.tuples(st.just("hello"), st.sampled_from(WORKERS), st.booleans()),
    st.tuples(st.just("release")),
    st.tuples(st.just("limit"), st.sampled_from(BUDGETS), st.sampled_from([None, 50, 500])),
)


class Play:
    """One ledger, played through a script; what it answered is remembered."""

    def __init__(self, kept: Kept) -> None:
        self.kept = kept
        numbers = itertools.count(1)
        self.agreed = AgreedLeases(lambda: f"lease{next(numbers)}")
        self.batches = itertools.count(1)
        self.answers: list[object] = []

    async def step(self, step: tuple[Any, ...]) -> None:
        match step:
            case ("ask", asked):
                await self.ask(asked)
            case ("give back", worker, pick, amount):
                self.give_back(worker, pick, amount)
            case ("settle", charges):
                await self.settle(charges)
            case ("end", worker, keep):
                kept = {one.lease_id: keep for one in self.agreed.of_worker(worker)}
                self.answers.append(await self.kept.remainder(worker, kept))
            case ("hello", worker, knows):
                told = self.agreed.of_worker(worker) if knows else ()
                await self.kept.ledger.greet(worker, told)
            case ("release",):
                self.answers.append(await self.kept.release("node"))
            case ("limit", budget, limit):
                await self.kept.budget(budget, limit)
            case _:
                pytest.fail(f"unknown step {step}")

    def give_back(self, worker: str, pick: int, amount: int) -> None:
        mine = self.agreed.of_worker(worker)
        if mine:
            self.agreed.returned(worker, mine[pick % len(mine)].lease_id, amount)

    async def ask(self, asked: Sequence[tuple[str, dict[str, tuple[int, int]], bool]]) -> None:
        made = tuple(
            MoneyAsk(worker, tuple(Need(b, *both) for b, both in wanted.items()), refill=refill)
            for worker, wanted, refill in asked
        )
        turn = Turn(made, self.agreed.take_unsaid(), 4)
        outcomes = await self.kept.ledger.allot(turn, self.agreed.lease_of)
        self.answers.append(outcomes)
        for one, outcome in zip(made, outcomes, strict=True):
            for granted in () if isinstance(outcome, Shortage) else outcome:
                self.agreed.granted(one.worker, granted.lease_id, granted.amount)

    async def settle(self, charges: Sequence[tuple[int, int]]) -> None:
        everything = [*self.agreed.of_worker("w1"), *self.agreed.of_worker("w2")]
        settlements = [Settlement("unknown", "a", 0, 3)]
        for pick, charge in charges:
            if everything:
                lease = everything[pick % len(everything)]
                settlements.append(Settlement(lease.lease_id, lease.budget_id, 0, charge))
        await self.kept.settle(new_id(next(self.batches) * 1000), settlements, {"x": 5})


def in_memory(kept: KeptInMemory) -> tuple[object, object]:
    periods = {k: (r.spent, r.leased) for k, r in kept.twin.periods.items() if r.spent or r.leased}
    rows = {
        one.lease_id: (one.worker, one.granted, one.settled, one.returned, one.state)
        for one in kept.twin.leases.values()
    }
    return periods, rows


async def in_database(database: Database) -> tuple[object, object]:
    async with database.read() as unit:
        found = (await unit.connection.execute(select(budget_periods))).all()
        held = (await unit.connection.execute(select(leases))).all()
    periods = {
        (row.budget_id, row.period_start_us): (row.spent, row.leased)
        for row in found
        if row.spent or row.leased
    }
    rows = {
        row.lease_id: (row.worker, row.granted, row.settled, row.returned, row.state)
        for row in held
    }
    return periods, rows


async def compare(url: str, script: Sequence[tuple[Any, ...]]) -> None:
    database = Database.open(url)
    twin, real = KeptInMemory(), KeptInDatabase(database)
    plays = (Play(twin), Play(real))
    try:
        for play in plays:
            await play.kept.budget("a", 500)
            await play.kept.budget("b", 500)
            for step in script:
                await play.step(step)
            assert await play.kept.books() == []
        assert plays[0].answers == plays[1].answers
        assert in_memory(twin) == await in_database(database)
    finally:
        await database.close()


@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(script=st.lists(steps, min_size=5, max_size=25))
def test_sqlite_and_the_twin_agree(sqlite_files: SqliteFiles, script: list[Any]) -> None:
    async def play() -> Path:
        path = await sqlite_files.copy()
        await compare(f"sqlite:///{path}", script)
        return path

    asyncio.run(play()).unlink()


@settings(max_examples=10, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(script=st.lists(steps, min_size=10, max_size=40))
def test_postgresql_and_the_twin_agree(
    postgres_databases: PostgresDatabases,
    script: list[Any],
) -> None:
    async def play() -> None:
        name = await postgres_databases.copy()
        try:
            await compare(postgres_databases.url(name), script)
        finally:
            await postgres_databases.drop(name)

    asyncio.run(play())
