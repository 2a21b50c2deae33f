"""Credits that a plan brings, on SQLite and PostgreSQL."""

from datetime import UTC, datetime

from tollbridge.core.amounts import MICRO
from tollbridge.core.clock import to_us
from tollbridge.ledger import plans_store
from tollbridge.ledger import subscription_store as subscriptions
from tollbridge.ledger import wallet_store as wallets
from tollbridge.ledger.plans import PlanTerms, Tier
from tollbridge.ledger.subscriptions import Cycle, When
from tollbridge.ledger.wallet_moves import By, Deduct, Purchase
from tollbridge.ledger.wallet_moves_store import move
from tollbridge.ledger.wallet_plans_store import bring_credits, due_users
from tollbridge.ledger.wallets import Transaction, WalletRoom, WalletTerms
from tollbridge.processes.wallets import keep_wallets
from tollbridge.storage.unit import Database

DAY_US = 86_400 * 1_000_000


def at(text: str) -> int:
    return to_us(datetime.fromisoformat(text).replace(tzinfo=UTC))


async def plan(database: Database, name: str, credits_each: int, dollars: int = 10) -> None:
    terms = PlanTerms(
        name=name,
        tier=Tier.BASIC,
        price_monthly_nanousd=dollars * 10**9,
        price_yearly_nanousd=dollars * 10**10,
        microcredits_per_period=credits_each * MICRO,
    )
    async with database.write() as unit:
        await plans_store.create_plan(unit, terms, actor="bob")


async def subscribe(database: Database, name: str, when: str, cycle: Cycle = Cycle.MONTHLY) -> None:
    async with database.write() as unit:
        order = subscriptions.Order("ada", name, cycle)
        await subscriptions.subscribe(unit, order, actor="bob", zone=UTC, now_us=at(when))


async def month_begins(database: Database, when: str) -> Transaction | None:
    async with database.write() as unit:
        row = await subscriptions.catch_up(unit, "ada", UTC, at(when))
        assert row is not None
        return await bring_credits(unit, row, UTC, at(when))


async def room(database: Database, when: str) -> WalletRoom:
    async with database.read() as unit:
        found = await wallets.get_wallet(unit, "user:ada")
        return (await wallets.rooms(unit, [found.wallet_id], at(when)))[found.wallet_id]


async def test_a_subscription_brings_a_month_s_credits_that_expire_with_it(
    database: Database,
) -> None:
    await plan(database, "Small", 1000)
    await subscribe(database, "Small", "2026-01-31")
    end_us = at("2026-02-28")
    assert await room(database, "2026-02-01") == WalletRoom(1000 * MICRO, end_us)
    assert await room(database, "2026-02-28") == WalletRoom(0, None)


async def test_each_month_brings_them_once_and_what_is_left_is_not_added_up(
    database: Database,
) -> None:
    await plan(database, "Small", 1000)
    await subscribe(database, "Small", "2026-01-10")
    async with database.write() as unit:
        await move(unit, "user:ada", Deduct(amount=MICRO), By("x", "k"), at("2026-01-20"))
    brought = await month_begins(database, "2026-02-10")
    assert brought is not None
    assert (brought.amount, brought.balance_after) == (1000 * MICRO, 1000 * MICRO)
    assert await month_begins(database, "2026-02-11") is None
    assert (await room(database, "2026-02-12")).available == 1000 * MICRO


async def test_a_year_that_is_paid_brings_them_each_month(database: Database) -> None:
    await plan(database, "Large", 500, 50)
    await subscribe(database, "Large", "2026-01-10", Cycle.YEARLY)
    for month in ("2026-02-10", "2026-03-10", "2026-04-10"):
        assert await month_begins(database, month) is not None
        assert (await room(database, month)).available == 500 * MICRO


async def test_an_upgrade_brings_the_dearer_plan_s_at_once(database: Database) -> None:
    await plan(database, "Small", 100)
    await plan(database, "Large", 500, 50)
    await subscribe(database, "Small", "2026-01-10T12:00")
    await subscribe(database, "Large", "2026-01-10T12:05")
    assert (await room(database, "2026-01-11")).available == 600 * MICRO


async def test_what_was_bought_stays_when_the_plan_s_credits_are_spent_first(
    database: Database,
) -> None:
    async with database.write() as unit:
        await wallets.create_wallet(unit, WalletTerms("ada's", "user:ada"), actor="bob")
        await move(unit, "ada's", Purchase(amount=5 * MICRO), By("x", "k"), at("2026-01-01"))
    await plan(database, "Small", 10)
    await subscribe(database, "Small", "2026-01-10")
    async with database.write() as unit:
        await move(unit, "ada's", Deduct(amount=8 * MICRO), By("x", "d"), at("2026-01-20"))
        found = await wallets.get_wallet(unit, "ada's")
        rooms = await wallets.rooms(unit, [found.wallet_id], at("2026-03-01"))
    assert rooms[found.wallet_id] == WalletRoom(5 * MICRO, None)


async def test_a_subscription_that_is_over_brings_nothing_more(database: Database) -> None:
    await plan(database, "Small", 10)
    await subscribe(database, "Small", "2026-01-10")
    async with database.write() as unit:
        await subscriptions.cancel(
            unit, "ada", When.PERIOD_END, actor="bob", zone=UTC, now_us=at("2026-01-11")
        )
    assert await month_begins(database, "2026-02-10") is None


async def test_a_plan_without_credits_makes_no_wallet(database: Database) -> None:
    await subscribe(database, "Basic", "2026-01-10")
    async with database.read() as unit:
        assert await wallets.find_wallet(unit, "user:ada") is None


async def test_the_office_finds_what_is_due_and_writes_down_what_has_expired(
    database: Database,
) -> None:
    """What was due is done, and then nothing is."""
    async with database.read() as unit:
        now_us = await unit.now_us()
    await plan(database, "Small", 10)
    async with database.write() as unit:
        order = subscriptions.Order("ada", "Small")
        long_ago_us = now_us - 40 * DAY_US
        await subscriptions.subscribe(unit, order, actor="bob", zone=UTC, now_us=long_ago_us)
        assert await due_users(unit, 10) == ["ada"]
    assert await keep_wallets(database, UTC) >= 1
    async with database.read() as unit:
        assert await due_users(unit, 10) == []
        assert await wallets.with_expired(unit, 10) == []
        found = await wallets.get_wallet(unit, "user:ada")
    assert (found.balance, found.count) == (10 * MICRO, 3)
    assert await keep_wallets(database, UTC) == 0
