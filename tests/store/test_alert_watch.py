"""Does nobody go untold, whatever the database does and however much there is to look at?"""

import asyncio
from collections.abc import AsyncGenerator
from contextlib import asynccontextmanager

import pytest
from sqlalchemy import insert, select

from tests.support.alerting import UTC, add_budget, spend, watch_of
from tests.support.statements import statements
from tollbridge.core.errors import OverloadedError
from tollbridge.ledger import subscription_store, wallet_moves_store, wallet_store
from tollbridge.ledger.alert_tables import alerts
from tollbridge.ledger.alerts import Alert
from tollbridge.ledger.applying import plan_limit_id
from tollbridge.ledger.wallet_moves import By, Purchase
from tollbridge.ledger.wallet_tables import wallet_grants
from tollbridge.ledger.wallets import Wallet, WalletDeduction, WalletTerms, limit_id_of
from tollbridge.storage.unit import Database, Unit

WAIT_MAX_S = 10.0


class Fading(Database):
    """A database that is away when told to."""

    away = False

    @asynccontextmanager
    async def read(self) -> AsyncGenerator[Unit]:
        if self.away:
            raise OverloadedError("the database is away")
        async with super().read() as unit:
            yield unit


@pytest.fixture
async def fading(database_url: str) -> AsyncGenerator[Fading]:
    opened = Fading.open(database_url)
    yield opened
    await opened.close()


def names(posted: list[Alert]) -> list[str]:
    return sorted(one.standing.name for one in posted)


async def low_wallet(database: Database, number: int, grants: int = 1) -> Wallet:
    """Make a wallet of which 90 per cent are gone."""
    async with database.write() as unit:
        terms = WalletTerms(f"w{number:02}", f"user:u{number}")
        wallet = await wallet_store.create_wallet(unit, terms, actor="test")
        for grant in range(grants):
            by = By("test", f"{number}-{grant}")
            await wallet_moves_store.move(unit, terms.name, Purchase(amount=100_000_000), by)
        call_id = f"01940000-0000-7000-8000-{number:012}"
        taken = 90_000_000 * grants
        one = WalletDeduction(call_id, wallet.wallet_id, taken, "x", "m", 1, 0)
        await wallet_store.deduct(unit, [one], await unit.now_us())
    return wallet


async def test_what_has_moved_is_told_however_many_looks_the_database_was_away(
    fading: Fading,
) -> None:
    first = await add_budget(fading, "first", "user:ana", 1000)
    second = await add_budget(fading, "second", "user:ana", 1000)
    watch = watch_of(fading)
    await spend(fading, first, 800)
    watch.moved([first])
    fading.away = True
    for _ in range(3):
        with pytest.raises(OverloadedError):
            await watch.look()
        watch.moved([second])
    fading.away = False
    await spend(fading, second, 800)
    assert names(await watch.look()) == ["first", "second"]


async def test_what_was_seen_before_its_commit_is_seen_again_after_the_database_was_away(
    fading: Fading,
) -> None:
    budget = await add_budget(fading, "b", "user:ana", 1000)
    watch = watch_of(fading)
    watch.moved([budget])
    assert await watch.look() == []
    fading.away = True
    for _ in range(2):
        with pytest.raises(OverloadedError):
            await watch.look()
    fading.away = False
    await spend(fading, budget, 800)
    assert names(await watch.look()) == ["b"]


async def test_more_moved_limits_than_are_noted_lose_none(database: Database) -> None:
    """Plans' too, at which nobody looks otherwise."""
    async with database.write() as unit:
        order = subscription_store.Order("ana", "Free")
        await subscription_store.subscribe(unit, order, actor="test", zone=UTC)
        month = (await subscription_store.standing(unit, "ana", UTC)).month
    watch = watch_of(database, moved_max=2, sweep_s=3600)
    running = asyncio.create_task(watch.run())
    try:
        await asyncio.sleep(0.1)  # its first look at everything is over
        limit_id = plan_limit_id("ana", "video_calls")  # two
        await spend(database, limit_id, 2, start_us=month.start_us)
        watch.moved(["x", "y"])
        watch.moved([limit_id])  # no room to note it
        async with asyncio.timeout(WAIT_MAX_S):
            while not await told(database):
                await asyncio.sleep(0.01)
    finally:
        running.cancel()
        await asyncio.gather(running, return_exceptions=True)
    assert await told(database) == ["video_calls"]


async def told(database: Database) -> list[str]:
    async with database.read() as unit:
        return list((await unit.connection.execute(select(alerts.c.name))).scalars())


async def test_a_look_at_everything_reaches_the_last_one_page_by_page(database: Database) -> None:
    """Of budgets, plans, wallets and grants; the ones already told of stand in nobody's way."""
    for number in range(5):
        await spend(database, await add_budget(database, f"b{number}", "user:ana", 10), 8)
        await low_wallet(database, number)
        async with database.write() as unit:
            order = subscription_store.Order(f"u{number}", "Free")
            await subscription_store.subscribe(unit, order, actor="test", zone=UTC)
            month = (await subscription_store.standing(unit, f"u{number}", UTC)).month
        limit_id = plan_limit_id(f"u{number}", "video_calls")
        await spend(database, limit_id, 2, start_us=month.start_us)
    watch = watch_of(database, piece_max=2)
    posted = names(await watch.sweep())
    assert posted == sorted(
        [f"b{n}" for n in range(5)] + [f"w{n:02}" for n in range(5)] + ["video_calls"] * 5
    )
    assert await watch.sweep() == []
    await spend(database, await add_budget(database, "new", "user:ana", 10), 8)
    assert names(await watch.sweep()) == ["new"]


async def test_grants_that_expire_are_told_of_page_by_page(database: Database) -> None:
    async with database.write() as unit:
        soon_us = await unit.now_us() + 3600 * 1_000_000
        await wallet_store.create_wallet(unit, WalletTerms("w", "user:ana"), actor="test")
        for number in range(5):
            bought = Purchase(amount=1_000_000, expires_at_us=soon_us + number)
            await wallet_moves_store.move(unit, "w", bought, By("test", f"key {number}"))
    assert len(await watch_of(database, piece_max=2).sweep()) == 5


@pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
async def test_a_look_at_one_wallet_reads_none_of_the_others_grants(database: Database) -> None:
    wallet = await low_wallet(database, 1, grants=3)
    async with database.write() as unit:
        row = {"kind": "purchase", "amount": 1, "remaining": 0, "priority": 1, "granted_at_us": 1}
        rows = [{**row, "wallet_id": f"x{n}", "number": 1} for n in range(100)]
        await unit.connection.execute(insert(wallet_grants), rows)
    watch = watch_of(database)
    watch.moved([limit_id_of(wallet.wallet_id)])
    with statements(database) as asked:
        [alert] = await watch.look()
    assert (alert.threshold, alert.standing.limit) == (90, 300_000_000)
    [text] = [one for one, _ in asked if "wallet_grants" in one]
    async with database.read() as unit:
        plan = (
            await unit.connection.exec_driver_sql(
                f"EXPLAIN QUERY PLAN {text}", (0, 0, 0, wallet.wallet_id)[-text.count("?") :]
            )
        ).all()
    steps = [str(row) for row in plan]
    assert any("SEARCH" in one and "wallet_grants" in one for one in steps), steps
    assert not any("SCAN" in one for one in steps), steps
