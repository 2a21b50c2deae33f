"""When are the workers told that plans hold for somebody else now?"""

import asyncio

import msgspec
import pytest

from tests.support.alerting import UTC
from tests.support.wallets import wallet
from tollbridge.ledger import plans_store, subscription_store
from tollbridge.ledger.plans import PlanTerms, Tier
from tollbridge.ledger.store import PART
from tollbridge.ledger.subscription_store import Order
from tollbridge.ledger.subscriptions import When
from tollbridge.ledger.wallet_store import change_wallet
from tollbridge.storage import versions
from tollbridge.storage.unit import Database

DAY_US = 86_400 * 1_000_000
WAIT_MAX_S = 10.0


async def version(database: Database) -> int:
    async with database.read() as unit:
        return (await versions.read_versions(unit)).get(PART, 0)


async def take(database: Database, plan: str, *, ago_days: int = 0, user: str = "ada") -> None:
    async with database.write() as unit:
        at_us = await unit.now_us() - ago_days * DAY_US
        order = Order(user, plan)
        await subscription_store.subscribe(unit, order, actor="bob", zone=UTC, now_us=at_us)


async def leave(database: Database, when: When) -> None:
    async with database.write() as unit:
        await subscription_store.cancel(unit, "ada", when, actor="bob", zone=UTC)


async def test_a_renewal_tells_nobody_anything_and_a_change_does(database: Database) -> None:
    """Nothing of what holds calls back is another thing in the next month."""
    await take(database, "Free", ago_days=70)
    before = await version(database)
    async with database.write() as unit:
        await subscription_store.catch_up(unit, "ada", UTC)
    assert await version(database) == before
    await take(database, "Basic")
    assert await version(database) > before
    before = await version(database)
    await leave(database, When.PERIOD_END)
    assert await version(database) > before
    before = await version(database)
    await take(database, "Basic")  # goes on
    assert await version(database) > before


async def test_what_is_over_is_not_read_for_the_workers(database: Database) -> None:
    for user in ("ada", "bob"):
        await take(database, "Free", user=user)
    await leave(database, When.NOW)
    async with database.read() as unit:
        running = await subscription_store.list_running(unit, await unit.now_us() + 1)
    assert [one.user for one in running] == ["bob"]


@pytest.mark.parametrize("database_dialect", ["postgresql"], indirect=True)
async def test_a_plan_that_brings_credits_and_a_wallet_that_is_changed_wait_in_no_circle(
    database: Database,
) -> None:
    """Both tell the workers before they touch the wallet."""
    async with database.write() as unit:
        terms = PlanTerms(
            name="Credits",
            tier=Tier.BASIC,
            price_monthly_nanousd=1,
            price_yearly_nanousd=1,
            microcredits_per_period=5,
        )
        await plans_store.create_plan(unit, terms, actor="bob")
    found = await wallet(database)

    async def change() -> None:
        async with database.write() as other:
            changed = msgspec.structs.replace(found.terms, overdraft=7)
            await change_wallet(other, "ada", changed, actor="bob")

    async with asyncio.timeout(WAIT_MAX_S), database.write() as unit:
        await versions.bump(unit, PART)
        changing = asyncio.create_task(change())
        await asyncio.sleep(0.3)  # it has come as far as it can
        order = Order("ada", "Credits")
        await subscription_store.subscribe(unit, order, actor="bob", zone=UTC)
    await changing
