"""What only a database can say: budgets, immutable postings, several nodes on one database."""

import asyncio
from collections.abc import Awaitable, Callable
from typing import Any

import msgspec
import pytest
from sqlalchemy import insert, update
from sqlalchemy.exc import DBAPIError

from tests.support.ledger import KeptInDatabase, Node, money
from tollbridge.core.call import new_id
from tollbridge.core.clock import SystemClock
from tollbridge.core.errors import ConfigurationError, ConflictError, LimitError, NotFoundError
from tollbridge.core.limits import LimitKind
from tollbridge.core.settlement import Settlement
from tollbridge.ledger import store
from tollbridge.ledger.applying import plan_limit_id
from tollbridge.ledger.budgets import BudgetSource, BudgetTerms
from tollbridge.ledger.grants import GranterSettings
from tollbridge.ledger.reserve import Purses
from tollbridge.ledger.settle import settle
from tollbridge.ledger.tables import budget_periods, leases
from tollbridge.ledger.wallet_store import create_wallet
from tollbridge.ledger.wallets import WalletTerms, limit_id_of
from tollbridge.storage.unit import Database, Unit
from tollbridge.storage.versions import read_versions

CLOCK = SystemClock()
TERMS = BudgetTerms("ci-month", "key:ci", 10**9)
only_postgresql = pytest.mark.parametrize("database_dialect", ["postgresql"], indirect=True)


async def version(database: Database) -> int:
    async with database.read() as unit:
        return (await read_versions(unit)).get("limits", 0)


async def test_a_created_budget_binds_and_the_workers_are_told(database: Database) -> None:
    async with database.write() as unit:
        made = await store.create_budget(unit, TERMS)
    async with database.read() as unit:
        part = await store.load_part(unit)
        assert await store.get_budget(unit, "ci-month") == made
        assert await store.list_budgets(unit) == [made]
    (limit,) = part.by_subject["key:ci"]
    assert (limit.limit_id, limit.amount, limit.period) == (made.budget_id, 10**9, "month")
    assert limit.kind is LimitKind.MONEY
    assert await version(database) == 1


async def test_a_disabled_budget_does_not_reach_the_workers_and_a_soft_one_as_such(
    database: Database,
) -> None:
    async with database.write() as unit:
        await store.create_budget(unit, TERMS)
        await store.change_budget(unit, TERMS, enabled=False)
        await store.create_budget(unit, BudgetTerms("soft", "key:ci", 5, hard=False))
    async with database.read() as unit:
        (limit,) = (await store.load_part(unit)).by_subject["key:ci"]
    assert (limit.name, limit.hard) == ("soft", False)


async def test_names_are_taken_once_and_missing_ones_are_named(database: Database) -> None:
    async with database.write() as unit:
        await store.create_budget(unit, TERMS)
        with pytest.raises(ConflictError):
            await store.create_budget(unit, TERMS)
        with pytest.raises(NotFoundError, match="other"):
            await store.get_budget(unit, "other")


@pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        (BudgetTerms("x", "ci", 5), "subject"),
        (BudgetTerms("x", "robot:ci", 5), "subject"),
        (BudgetTerms("x", "key:ci", -5), "limit"),
        (BudgetTerms("x", "key:ci", 5, "fortnight"), "period"),
        (BudgetTerms("", "key:ci", 5), "name"),
    ],
)
async def test_wrong_terms_are_refused_by_name(
    database: Database,
    wrong: BudgetTerms,
    words: str,
) -> None:
    async with database.write() as unit:
        with pytest.raises(ConfigurationError, match=words):
            await store.create_budget(unit, wrong)


async def test_applying_the_file_twice_is_applying_it_once(database: Database) -> None:
    async with database.write() as unit:
        first = await store.apply(unit, [TERMS])
    told = await version(database)
    async with database.write() as unit:
        second = await store.apply(unit, [TERMS])
    assert (first.changed, second.changed) == (("ci-month",), ())
    assert await version(database) == told > 0


async def test_the_file_changes_and_disables_only_its_own_budgets(database: Database) -> None:
    more = BudgetTerms("ci-month", "key:ci", 2 * 10**9)
    async with database.write() as unit:
        await store.create_budget(unit, BudgetTerms("mine", "key:ci", 5))
        await store.apply(unit, [TERMS, BudgetTerms("mine", "key:ci", 6)])
        before = await store.get_budget(unit, "ci-month")
        changed = await store.apply(unit, [more])
        after = await store.get_budget(unit, "ci-month")
        gone = await store.apply(unit, [])
        with pytest.raises(ConflictError):
            await store.change_budget(unit, TERMS)
        mine = await store.get_budget(unit, "mine")
    assert changed.changed == ("ci-month",)
    assert (after.budget_id, after.terms) == (before.budget_id, more)
    assert gone.disabled == ("ci-month",)
    assert (mine.enabled, mine.terms.limit_amount) == (True, 5)


CALLS = msgspec.structs.replace(TERMS, kind=LimitKind.CALLS, limit_amount=5)


async def declare_calls(unit: Unit) -> object:
    return await store.apply(unit, [CALLS])


async def change_to_calls(unit: Unit) -> object:
    return await store.change_budget(unit, CALLS)


@pytest.mark.parametrize(
    ("source", "change"),
    [(BudgetSource.FILE, declare_calls), (BudgetSource.API, change_to_calls)],
)
async def test_what_a_budget_counts_stays_whoever_declares_it(
    database: Database, source: BudgetSource, change: Callable[[Unit], Awaitable[object]]
) -> None:
    """Its counters would be read as another unit: dollars as calls."""
    async with database.write() as unit:
        await store.create_budget(unit, TERMS, source)
        with pytest.raises(ConfigurationError, match="counts money"):
            await change(unit)
        assert (await store.get_budget(unit, TERMS.name)).terms == TERMS


async def test_outstanding_leases_say_what_they_count_and_whose_they_are(
    database: Database,
) -> None:
    async with database.write() as unit:
        calls = await store.create_budget(
            unit, BudgetTerms("c", "key:ci", 9, "total", kind=LimitKind.CALLS)
        )
        wallet = await create_wallet(unit, WalletTerms("w", "user:ana"), actor="test")
        ids = (
            calls.budget_id,
            plan_limit_id("ana", "openai_tokens"),
            limit_id_of(wallet.wallet_id),
            "gone",
        )
        row = {"period_start_us": 0, "worker": "w", "node": "n", "settled": 0, "returned": 0}
        rows = [
            {**row, "lease_id": f"l{place}", "budget_id": one, "granted": 7, "state": "active"}
            for place, one in enumerate(ids)
        ]
        await unit.connection.execute(insert(leases), rows)
    async with database.read() as unit:
        listed = await store.list_outstanding_leases(unit)
    assert [(one.kind, one.budget_name) for one in listed] == [
        (LimitKind.CALLS, "c"),
        (LimitKind.TOKENS, "plan of ana: openai_tokens"),
        (LimitKind.CREDITS, "wallet w"),
        (None, None),
    ]


async def test_a_budgets_running_period_is_shown(database: Database) -> None:
    async with database.write() as unit:
        budget = await store.create_budget(unit, TERMS)
        empty = await store.period_state(unit, budget)
        charged = [Settlement("gone", budget.budget_id, empty.period_start_us, 30)]
        await settle(unit, new_id(CLOCK.now_us()), charged, {}, posted_at_us=0)
        state = await store.period_state(unit, budget)
    assert (empty.spent, empty.leased) == (0, 0)
    assert (state.spent, state.leased) == (30, 0)


@pytest.mark.parametrize(
    "sql",
    ["UPDATE postings SET amount = 1", "DELETE FROM postings"],
)
async def test_the_database_refuses_to_change_what_was_posted(
    database: Database,
    sql: str,
) -> None:
    async with database.write() as unit:
        charged = [Settlement("gone", "b", 0, 30)]
        await settle(unit, new_id(CLOCK.now_us()), charged, {}, posted_at_us=0)

    async def change() -> None:
        async with database.write() as unit:
            await unit.connection.exec_driver_sql(sql)

    with pytest.raises(DBAPIError, match="postings are never changed"):
        await change()


@pytest.mark.parametrize(
    ("table", "values", "kind"),
    [
        (budget_periods, {"leased": 1}, "leased"),
        (budget_periods, {"spent": 1}, "spent"),
        (leases, {"granted": 10**6}, "leased"),
    ],
)
async def test_the_check_of_the_books_finds_a_changed_figure(
    database: Database,
    table: Any,
    values: dict[str, int],
    kind: str,
) -> None:
    kept = KeptInDatabase(database)
    await kept.budget("b", 1000)
    node, purses = await node_with_worker(kept)
    await reserve(node, purses, 100)
    assert await kept.books() == []
    async with database.write() as unit:
        await unit.connection.execute(update(table).values(**values))
    assert kind in {one.kind for one in await kept.books()}


async def test_the_check_finds_a_batch_that_does_not_sum_to_zero(database: Database) -> None:
    async with database.write() as unit:
        await unit.connection.exec_driver_sql(
            "INSERT INTO postings (batch_id, account, amount, posted_at_us) "
            "VALUES ('018f0000-0000-7000-8000-000000000000', 'provider:x', 5, 0)",
        )
    found = await KeptInDatabase(database).books()
    assert [(one.kind, one.found) for one in found] == [("batch", 5)]


async def test_outstanding_leases_are_listed_until_their_node_is_released(
    database: Database,
) -> None:
    kept = KeptInDatabase(database)
    await kept.budget("b", 1000)
    node, purses = await node_with_worker(kept)
    await reserve(node, purses, 100)
    async with database.write() as unit:
        listed = await store.list_outstanding_leases(unit)
        assert await store.list_outstanding_leases(unit, node="another") == []
        freed = await store.release_node(unit, "node")
        left = await store.list_outstanding_leases(unit)
    assert [(one.worker, one.budget_name, one.state) for one in listed] == [("w1", "b", "active")]
    assert freed == {"b": listed[0].outstanding} == {"b": 400}
    assert left == []


async def node_with_worker(kept: KeptInDatabase) -> tuple[Node, Purses]:
    node = Node(kept.ledger, CLOCK, GranterSettings(recall_poll_us=0), [money("b")])
    return node, node.worker("w1")


async def reserve(node: Node, purses: Purses, amount: int) -> None:
    task = asyncio.create_task(purses.reserve("call", [(money("b"), amount)], 5))
    await asyncio.sleep(0)
    await node.exchange(2)
    await asyncio.wait_for(task, 5)


async def run_node(node: Node, stop: asyncio.Event) -> None:
    while not stop.is_set():
        await node.exchange()
        await asyncio.sleep(0)


async def spend(
    purses: Purses,
    charge: int,
    calls: int,
    spent: list[Settlement],
) -> int:
    """Make calls one after the other; return how many were let in."""
    let_in = 0
    for _ in range(calls):
        try:
            holds = await purses.reserve("call", [(money("b"), 10)], 0.3)
        except LimitError:
            return let_in
        let_in += 1
        await asyncio.sleep(0)
        purses.settle(holds, charge)
        spent += [
            Settlement(hold.lease_id, hold.budget_id, hold.period_start_us, charge)
            for hold in holds.durable
        ]
    return let_in


async def drain(kept: KeptInDatabase, spent: list[Settlement], stop: asyncio.Event) -> None:
    while not stop.is_set() or spent:
        batch, spent[:] = list(spent), []
        await kept.settle(new_id(CLOCK.now_us()), batch, {"x": len(batch)})
        await asyncio.sleep(0.005)


async def never_over(kept: KeptInDatabase, limit: int, stop: asyncio.Event) -> None:
    while not stop.is_set():
        spent, leased = await kept.counters("b")
        assert spent + leased <= limit
        await asyncio.sleep(0.002)


async def race(kept: KeptInDatabase, nodes: list[Node], limit: int) -> int:
    """Let two workers of each node spend against one budget; return how many calls got in."""
    await kept.budget("b", limit)
    stop, drained = asyncio.Event(), asyncio.Event()
    spent: list[Settlement] = []
    workers = [n.worker(f"n{i}w{k}") for i, n in enumerate(nodes) for k in range(2)]
    async with asyncio.timeout(60), asyncio.TaskGroup() as group:
        for node in nodes:
            group.create_task(run_node(node, stop))
        group.create_task(drain(kept, spent, drained))
        group.create_task(never_over(kept, limit, drained))
        counts = await asyncio.gather(*(spend(w, 10, 200, spent) for w in workers * 8))
        drained.set()
        stop.set()
    assert await kept.books() == []
    return sum(counts)


async def test_four_workers_never_spend_over_a_limit_and_use_all_of_it(
    database: Database,
) -> None:
    kept = KeptInDatabase(database)
    knobs = GranterSettings(workers=4, recall_poll_us=0)
    node = Node(kept.ledger, CLOCK, knobs, [money("b")])
    node.worker("extra1")
    node.worker("extra2")
    assert await race(kept, [node], limit=5000) == 500
    assert await kept.counters("b") == (5000, 0)


@only_postgresql
async def test_two_nodes_on_one_database_never_grant_over_a_limit_and_use_all_of_it(
    database: Database,
    database_url: str,
) -> None:
    other = Database.open(database_url)
    kept = KeptInDatabase(database, "node1")
    knobs = GranterSettings(workers=2, recall_poll_us=20_000, recall_interval_us=20_000)
    nodes = [
        Node(one.ledger, CLOCK, knobs, [money("b")])
        for one in (kept, KeptInDatabase(other, "node2"))
    ]
    try:
        assert await race(kept, nodes, limit=5000) == 500
        assert await kept.counters("b") == (5000, 0)
    finally:
        await other.close()
