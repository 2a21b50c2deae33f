"""What every ledger does: the twin in memory, SQLite and PostgreSQL."""

from collections.abc import AsyncIterator

import pytest

from tests.support.databases import PostgresDatabases, SqliteFiles
from tests.support.ledger import Kept, KeptInDatabase, KeptInMemory
from tollbridge.core.call import new_id
from tollbridge.core.clock import SystemClock
from tollbridge.core.limits import Granted, Need
from tollbridge.core.settlement import Settlement
from tollbridge.ledger.agreed import AgreedLeases
from tollbridge.ledger.allot import LeaseTotals, MoneyAsk, Outcome, Shortage, Turn
from tollbridge.ledger.periods import END_OF_TIME_US
from tollbridge.ledger.postings import CHARGES, COSTS
from tollbridge.storage.unit import Database

CLOCK = SystemClock()


@pytest.fixture(params=["memory", "sqlite", "postgresql"])
async def kept(
    request: pytest.FixtureRequest,
    sqlite_files: SqliteFiles,
    postgres_databases: PostgresDatabases,
) -> AsyncIterator[Kept]:
    if request.param == "memory":
        yield KeptInMemory()
    elif request.param == "sqlite":
        database = Database.open(f"sqlite:///{await sqlite_files.copy()}")
        yield KeptInDatabase(database)
        await database.close()
    else:
        name = await postgres_databases.copy()
        database = Database.open(postgres_databases.url(name))
        yield KeptInDatabase(database)
        await database.close()
        await postgres_databases.drop(name)


@pytest.fixture
def agreed() -> AgreedLeases:
    return AgreedLeases(lambda: new_id(CLOCK.now_us()))


async def ask(
    kept: Kept,
    agreed: AgreedLeases,
    *asks: MoneyAsk,
    shares: int = 2,
    totals: tuple[LeaseTotals, ...] = (),
) -> list[Outcome]:
    """Do what the granter does: a turn, and counting what it granted."""
    outcomes = await kept.ledger.allot(Turn(asks, totals, shares), agreed.lease_of)
    for one, outcome in zip(asks, outcomes, strict=True):
        if not isinstance(outcome, Shortage):
            for granted in outcome:
                agreed.granted(one.worker, granted.lease_id, granted.amount)
    return outcomes


async def get(kept: Kept, agreed: AgreedLeases, needed: int, worker: str = "w1") -> Granted:
    """Return the grant of exactly `needed` of budget b."""
    outcome = (await ask(kept, agreed, MoneyAsk(worker, (Need("b", needed, needed),))))[0]
    assert not isinstance(outcome, Shortage)
    return outcome[0]


def charge(granted: Granted, amount: int) -> Settlement:
    return Settlement(granted.lease_id, granted.limit_id, granted.period_start_us, amount)


def batch() -> str:
    return new_id(CLOCK.now_us())


async def test_a_grant_is_leased_and_names_its_lease_and_period(
    kept: Kept,
    agreed: AgreedLeases,
) -> None:
    await kept.budget("b", 1000)
    granted = await get(kept, agreed, 100)
    assert (granted.amount, granted.period_start_us, granted.period_end_us) == (
        100,
        0,
        END_OF_TIME_US,
    )
    assert (await get(kept, agreed, 50)).lease_id == granted.lease_id
    assert (await get(kept, agreed, 50, "w2")).lease_id != granted.lease_id
    assert await kept.counters("b") == (0, 200)
    assert await kept.books() == []


async def test_many_asks_of_one_turn_share_what_is_left_in_order(
    kept: Kept,
    agreed: AgreedLeases,
) -> None:
    await kept.budget("b", 100)
    asks = [MoneyAsk(f"w{n % 2}", (Need("b", 40, 40),)) for n in range(4)]
    outcomes = await ask(kept, agreed, *asks)
    assert [isinstance(one, Shortage) for one in outcomes] == [False, False, True, True]
    assert await kept.counters("b") == (0, 80)


async def test_stock_is_granted_only_where_there_is_plenty(
    kept: Kept,
    agreed: AgreedLeases,
) -> None:
    """At most a share of what is left, and near the limit exactly what the call needs."""
    await kept.budget("b", 1000)
    amounts: list[int] = []
    for _ in range(6):
        outcome = (await ask(kept, agreed, MoneyAsk("w1", (Need("b", 100, 600),)), shares=4))[0]
        assert not isinstance(outcome, Shortage)
        amounts.append(outcome[0].amount)
    assert amounts == [250, 187, 140, 105, 100, 100]


async def test_all_budgets_of_a_call_are_granted_or_none(kept: Kept, agreed: AgreedLeases) -> None:
    await kept.budget("a", 1000)
    await kept.budget("b", 10)
    needs = (Need("b", 20, 20), Need("a", 20, 20))
    outcome = (await ask(kept, agreed, MoneyAsk("w1", needs)))[0]
    assert isinstance(outcome, Shortage)
    assert outcome.limit_id == "b"
    assert await kept.counters("a") == (0, 0)


async def test_a_shortage_says_what_is_used_and_whether_there_is_hope(
    kept: Kept,
    agreed: AgreedLeases,
) -> None:
    await kept.budget("b", 100)
    granted = await get(kept, agreed, 70)
    await kept.settle(batch(), [charge(granted, 20)], {})
    hopeful = (await ask(kept, agreed, MoneyAsk("w2", (Need("b", 60, 60),))))[0]
    assert hopeful == Shortage("b", 70, 100, END_OF_TIME_US, 30, hopeless=False)
    hopeless = (await ask(kept, agreed, MoneyAsk("w2", (Need("b", 81, 81),))))[0]
    assert isinstance(hopeless, Shortage)
    assert hopeless.hopeless


async def test_a_shortage_with_hope_is_told_to_other_nodes(
    kept: Kept,
    agreed: AgreedLeases,
) -> None:
    await kept.budget("b", 100)
    _, since_us = await kept.ledger.recalled_since(CLOCK.now_us() - 10**6)
    await get(kept, agreed, 70)
    assert (await kept.ledger.recalled_since(since_us))[0] == []
    await ask(kept, agreed, MoneyAsk("w2", (Need("b", 60, 60),)))
    assert (await kept.ledger.recalled_since(since_us))[0] == ["b"]


async def test_a_refill_takes_what_there_is_and_is_never_short(
    kept: Kept,
    agreed: AgreedLeases,
) -> None:
    await kept.budget("b", 100)
    full = (await ask(kept, agreed, MoneyAsk("w1", (Need("b", 0, 500),), refill=True)))[0]
    assert not isinstance(full, Shortage)
    assert full[0].amount == 50
    await get(kept, agreed, 50)
    assert await ask(kept, agreed, MoneyAsk("w1", (Need("b", 0, 9),), refill=True)) == [()]


async def test_a_call_that_needs_nothing_is_let_in_by_a_budget_that_is_used_up(
    kept: Kept,
    agreed: AgreedLeases,
) -> None:
    await kept.budget("b", 0)
    assert (await get(kept, agreed, 0)).amount == 0
    assert await kept.books() == []


async def test_a_limit_below_what_is_spent_grants_nothing_more(
    kept: Kept,
    agreed: AgreedLeases,
) -> None:
    await kept.budget("b", 1000)
    granted = await get(kept, agreed, 500)
    await kept.settle(batch(), [charge(granted, 500)], {})
    await kept.budget("b", 400)
    assert isinstance((await ask(kept, agreed, MoneyAsk("w1", (Need("b", 1, 1),))))[0], Shortage)


async def test_a_disabled_or_unknown_budget_does_not_bind(kept: Kept, agreed: AgreedLeases) -> None:
    await kept.budget("b", None)
    assert (await get(kept, agreed, 10**15)).amount == 10**15
    outcome = (await ask(kept, agreed, MoneyAsk("w1", (Need("unknown", 5, 5),))))[0]
    assert not isinstance(outcome, Shortage)
    assert await kept.books() == []


async def test_a_charge_moves_from_leased_to_spent_and_is_posted_twice(
    kept: Kept,
    agreed: AgreedLeases,
) -> None:
    """Once for the budget and once for the provider, each with its other side."""
    await kept.budget("b", 1000)
    granted = await get(kept, agreed, 100)
    await kept.settle(batch(), [charge(granted, 30), charge(granted, 5)], {"openai": 40})
    assert await kept.counters("b") == (35, 65)
    assert await kept.posted() == {
        "budget:b:0": 35,
        CHARGES: -35,
        "provider:openai": 40,
        COSTS: -40,
    }
    assert await kept.books() == []


async def test_an_overrun_is_spent_and_leased_never_falls_below_zero(
    kept: Kept,
    agreed: AgreedLeases,
) -> None:
    await kept.budget("b", 1000)
    granted = await get(kept, agreed, 100)
    await kept.settle(batch(), [charge(granted, 130)], {})
    assert await kept.counters("b") == (130, 0)
    # The next grant fills the hole first: it adds only the rest to what is leased.
    await get(kept, agreed, 50)
    assert await kept.counters("b") == (130, 20)
    assert await kept.books() == []


async def test_a_charge_of_an_unknown_lease_is_spent_all_the_same(kept: Kept) -> None:
    """After a power cut the database may have forgotten the lease."""
    await kept.budget("b", 1000)
    await kept.settle(batch(), [Settlement("gone", "b", 0, 30)], {})
    assert await kept.counters("b") == (30, 0)
    assert await kept.books() == []


async def test_a_batch_is_not_posted_twice(kept: Kept, agreed: AgreedLeases) -> None:
    await kept.budget("b", 1000)
    granted = await get(kept, agreed, 100)
    one = batch()
    await kept.settle(one, [charge(granted, 30)], {})
    with pytest.raises(Exception, match=r"(?i)unique|posted before"):
        await kept.settle(one, [charge(granted, 30)], {})
    assert await kept.counters("b") == (30, 70)


async def test_a_return_frees_what_is_leased_and_saying_it_twice_is_saying_it_once(
    kept: Kept,
    agreed: AgreedLeases,
) -> None:
    await kept.budget("b", 100)
    granted = await get(kept, agreed, 100)
    agreed.returned("w1", granted.lease_id, 60)
    totals = agreed.take_unsaid()
    for _ in range(2):
        await ask(kept, agreed, totals=totals)
        assert await kept.counters("b") == (0, 40)


async def test_a_dead_workers_remainder_returns_once(kept: Kept, agreed: AgreedLeases) -> None:
    await kept.budget("b", 1000)
    granted = await get(kept, agreed, 100)
    await get(kept, agreed, 7, "w2")
    await kept.settle(batch(), [charge(granted, 30)], {})
    assert await kept.remainder("w1") == {"b": 70}
    assert await kept.remainder("w1") == {}
    assert await kept.counters("b") == (30, 7)
    assert await kept.books() == []


async def test_what_quarantined_calls_hold_stays_leased_until_they_are_replayed(
    kept: Kept,
    agreed: AgreedLeases,
) -> None:
    await kept.budget("b", 1000)
    granted = await get(kept, agreed, 100)
    assert await kept.remainder("w1", {granted.lease_id: 25}) == {"b": 75}
    assert await kept.counters("b") == (0, 25)
    await kept.settle(batch(), [charge(granted, 10)], {})
    assert await kept.counters("b") == (10, 15)
    assert await kept.remainder("w1") == {"b": 15}
    assert await kept.books() == []


async def test_a_charge_after_the_remainder_returned_is_spent(
    kept: Kept,
    agreed: AgreedLeases,
) -> None:
    await kept.budget("b", 1000)
    granted = await get(kept, agreed, 100)
    await kept.remainder("w1")
    await kept.settle(batch(), [charge(granted, 10)], {})
    assert await kept.counters("b") == (10, 0)
    assert await kept.books() == []


async def test_a_released_nodes_worker_goes_on_with_another_lease(
    kept: Kept,
    agreed: AgreedLeases,
) -> None:
    await kept.budget("b", 1000)
    first = await get(kept, agreed, 100)
    assert await kept.release("another") == {}
    assert await kept.release("node") == {"b": 100}
    assert await kept.counters("b") == (0, 0)
    second = await get(kept, agreed, 30)
    assert second.lease_id != first.lease_id
    assert await kept.counters("b") == (0, 30)


async def test_a_grant_that_never_reached_its_worker_is_taken_back_at_its_hello(
    kept: Kept,
    agreed: AgreedLeases,
) -> None:
    await kept.budget("b", 1000)
    await get(kept, agreed, 100)
    await kept.ledger.greet("w1", [])
    assert await kept.counters("b") == (0, 0)
    heard = LeaseTotals("lease", "b", 0, "w1", granted=40, returned=15)
    await kept.ledger.greet("w1", [heard])
    await kept.ledger.greet("w1", [heard])
    assert await kept.counters("b") == (0, 25)
    assert await kept.books() == []


async def test_a_lease_that_the_database_has_forgotten_comes_back_with_its_workers_hello(
    kept: Kept,
) -> None:
    """Even of a period that is unknown, and over the limit: it is the truth."""
    await kept.budget("b", 10)
    told = LeaseTotals("lease", "b", 777, "w1", granted=400, returned=100)
    await kept.ledger.greet("w1", [told])
    assert await kept.counters("b") == (0, 300)
    assert await kept.books() == []


async def test_each_period_has_its_own_counters(kept: Kept, agreed: AgreedLeases) -> None:
    await kept.budget("b", 100, "year")
    granted = await get(kept, agreed, 80)
    assert granted.period_start_us < CLOCK.now_us() < granted.period_end_us
    await kept.settle(batch(), [Settlement("old", "b", 0, 90)], {})
    assert (await get(kept, agreed, 20)).period_start_us == granted.period_start_us
    assert await kept.counters("b") == (90, 100)
