"""Is everybody told once of what is used up, and of nothing twice?"""

import asyncio
from typing import Any

import pytest

from tests.support.alerting import UTC, add_budget, spend, watch_of
from tollbridge.access.keys import KeyTerms
from tollbridge.access.store import create_key
from tollbridge.core.clock import SECOND_US
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.limits import LimitKind
from tollbridge.core.sight import Sight
from tollbridge.insight.alert_queries import AlertFilter, AlertSeen, count_unread, list_alerts
from tollbridge.ledger import (
    alert_store,
    store,
    subscription_store,
    wallet_moves_store,
    wallet_store,
)
from tollbridge.ledger.alerts import Alert, Severity, Source
from tollbridge.ledger.applying import plan_limit_id
from tollbridge.ledger.budgets import BudgetTerms
from tollbridge.ledger.wallet_moves import By, Purchase
from tollbridge.ledger.wallets import WalletDeduction, WalletTerms, limit_id_of
from tollbridge.storage.unit import Database

DAY_US = 86_400 * SECOND_US


def percents(posted: list[Alert]) -> list[int]:
    return [one.threshold for one in posted]


async def inbox(
    database: Database, sight: Sight | None, user: str, **wanted: Any
) -> list[AlertSeen]:
    async with database.read() as unit:
        return await list_alerts(unit, sight, user, AlertFilter(**wanted), (None, 100))


async def test_each_threshold_is_told_once_as_spending_goes_up(database: Database) -> None:
    budget = await add_budget(database, "b", "user:ana", 1000)
    watch = watch_of(database)
    told: list[int] = []
    for spent in (1, 499, 500, 501, 799, 899, 900, 999, 1000, 1001, 5000):
        await spend(database, budget, spent)
        watch.moved([budget])
        told += percents(await watch.look()) + percents(await watch.look())
    assert told == [50, 80, 90, 100]
    [leading] = await inbox(database, Sight("ana"), "ana")
    assert leading.alert.threshold == 100
    assert (leading.alert.severity, leading.alert.standing.used) == (Severity.ERROR, 1000)
    every = await inbox(database, Sight("ana"), "ana", superseded=True)
    assert [one.alert.threshold for one in every] == [100, 90, 80, 50]
    assert [one.alert.superseded_at_us is None for one in every] == [True, False, False, False]


async def test_a_jump_tells_of_the_highest_threshold_alone(database: Database) -> None:
    """Those below it are told neither with it nor later."""
    budget = await add_budget(database, "b", "user:ana", 1000)
    await spend(database, budget, 950)
    watch = watch_of(database)
    assert percents(await watch.sweep()) == [90]
    await spend(database, budget, 600)
    assert await watch.sweep() == []
    await spend(database, budget, 1000)
    assert percents(await watch.sweep()) == [100]


async def test_a_new_period_is_told_of_anew_and_a_past_one_is_not(database: Database) -> None:
    budget = await add_budget(database, "b", "user:ana", 1000, period="hour")
    await spend(database, budget, 1000, period="day")  # no running hour begins there, but at 0:00
    watch = watch_of(database)
    async with database.read() as unit:
        at_us = await unit.now_us()
    if at_us % DAY_US >= 3600 * SECOND_US:
        assert await watch.sweep() == []
    await spend(database, budget, 800, period="hour")
    assert percents(await watch.sweep()) == [80]


async def test_a_budget_of_nothing_is_told_of_at_its_first_use(database: Database) -> None:
    budget = await add_budget(database, "b", "user:ana", 0)
    await spend(database, budget, 0)
    watch = watch_of(database)
    assert await watch.sweep() == []
    await spend(database, budget, 1)
    assert percents(await watch.sweep()) == [100]


async def test_a_budget_may_have_thresholds_of_its_own_or_none(database: Database) -> None:
    own = await add_budget(database, "own", "user:ana", 1000)
    silent = await add_budget(database, "silent", "user:ana", 1000)
    async with database.write() as unit:
        await alert_store.set_thresholds(unit, own, [10, 95])
        await alert_store.set_thresholds(unit, silent, [])
        for wrong in ([0], [1001], list(range(1, 12))):
            with pytest.raises(InvalidRequestError):
                await alert_store.set_thresholds(unit, own, wrong)
    async with database.write() as unit:
        await alert_store.set_thresholds(unit, own, [10, 95])
    for budget in (own, silent):
        await spend(database, budget, 940)
    [alert] = await watch_of(database).sweep()
    assert (alert.standing.name, alert.threshold) == ("own", 10)


async def test_the_file_says_the_thresholds_of_its_own_budgets_alone(database: Database) -> None:
    terms = [BudgetTerms(name, "user:ana", 1000) for name in ("own", "never", "usual")]
    live = await add_budget(database, "live", "user:ana", 1000)
    ids: dict[str, str] = {}

    async def applied(declared: dict[str, tuple[int, ...] | None]) -> dict[str, tuple[int, ...]]:
        async with database.write() as unit:
            await alert_store.apply_file(unit, declared)
            found = await alert_store.thresholds_of(unit, ids.values())
        return {name: found[one] for name, one in ids.items() if one in found}

    async with database.write() as unit:
        await store.apply(unit, terms)
        ids |= {one.name: (await store.get_budget(unit, one.name)).budget_id for one in terms}
        ids["live"] = live
        await alert_store.set_thresholds(unit, live, [70])
    declared: dict[str, tuple[int, ...] | None] = {
        "own": (10, 95),
        "never": (),
        "usual": None,
        "live": (1,),
        "nobody": (1,),
    }
    said = {"own": (10, 95), "never": (), "live": (70,)}
    assert await applied(declared) == said
    assert await applied(declared) == said
    assert await applied({**declared, "own": None, "usual": (5,)}) == {
        "never": (),
        "usual": (5,),
        "live": (70,),
    }


async def test_two_nodes_that_see_the_same_crossing_tell_it_once(database: Database) -> None:
    budget = await add_budget(database, "b", "user:ana", 1000)
    await spend(database, budget, 800)
    posted = await asyncio.gather(*(watch_of(database).sweep() for _ in range(4)))
    assert sum(len(one) for one in posted) == 1


async def test_what_is_committed_after_the_first_look_is_seen_by_the_second(
    database: Database,
) -> None:
    budget = await add_budget(database, "b", "user:ana", 1000)
    watch = watch_of(database)
    watch.moved([budget])
    assert await watch.look() == []
    await spend(database, budget, 800)
    assert percents(await watch.look()) == [80]


async def test_limits_of_a_plan_are_told_of_by_bucket(database: Database) -> None:
    async with database.write() as unit:
        await subscription_store.subscribe(
            unit, subscription_store.Order("ana", "Free"), actor="test", zone=UTC
        )
        month = (await subscription_store.standing(unit, "ana", UTC)).month
    limit_id = plan_limit_id("ana", "video_calls")  # two
    await spend(database, limit_id, 2, start_us=month.start_us - DAY_US)
    watch = watch_of(database)
    watch.moved([limit_id])
    assert await watch.look() == []  # that month is over
    await spend(database, limit_id, 2, start_us=month.start_us)
    watch = watch_of(database)
    watch.moved([limit_id])
    [alert] = await watch.look()
    standing = alert.standing
    assert (standing.source, standing.subject, standing.bucket) == (
        Source.PLAN,
        "user:ana",
        "video",
    )
    assert (standing.kind, standing.limit, alert.threshold) == (LimitKind.CALLS, 2, 100)


async def test_a_wallet_tells_of_a_low_balance_and_of_what_expires_and_anew_after_a_top_up(
    database: Database,
) -> None:
    async with database.write() as unit:
        now_us = await unit.now_us()
        wallet = await wallet_store.create_wallet(unit, WalletTerms("w", "user:ana"), actor="test")
        bought = Purchase(amount=100_000_000, expires_at_us=now_us + 3 * DAY_US)
        await wallet_moves_store.move(unit, "w", bought, By("test", "first"))
    watch = watch_of(database)
    [expiring] = await watch.sweep()
    assert (expiring.standing.source, expiring.threshold) == (Source.GRANT, 0)
    assert "100 credits" in expiring.title
    assert await watch.sweep() == []
    limit_id = limit_id_of(wallet.wallet_id)
    for number, expected in ((1, [80]), (2, [])):
        call_id = f"01940000-0000-7000-8000-00000000000{number}"
        taken = WalletDeduction(call_id, wallet.wallet_id, 80_000_000 // number**5, "x", "m", 1, 0)
        async with database.write() as unit:
            await wallet_store.deduct(unit, [taken], await unit.now_us())
        watch.moved([limit_id])
        assert percents(await watch.look()) == expected
    async with database.write() as unit:
        more = Purchase(amount=10_000_000)
        await wallet_moves_store.move(unit, "w", more, By("test", "second"))
    assert await watch.sweep() == []


async def test_everybody_has_a_read_state_of_their_own_and_sees_what_is_theirs(
    database: Database,
) -> None:
    async with database.write() as unit:
        await create_key(unit, KeyTerms("app", "bo", "shop"), b"p" * 32)
    subjects = {"a": "user:ana", "k": "key:app", "p": "project:shop", "o": "organisation:x"}
    for name, subject in subjects.items():
        await spend(database, await add_budget(database, name, subject, 10), 10)
    assert len(await watch_of(database).sweep()) == 4

    async def names(sight: Sight | None, user: str) -> set[str]:
        return {one.alert.standing.name for one in await inbox(database, sight, user)}

    assert await names(None, "root") == {"a", "k", "p", "o"}
    assert await names(Sight("ana"), "ana") == {"a"}
    assert await names(Sight("bo"), "bo") == {"k"}
    assert await names(Sight("mia", ("shop",)), "mia") == {"k", "p"}
    [mine] = await inbox(database, Sight("bo"), "bo")
    async with database.write() as unit:
        assert await alert_store.mark_read(unit, "bo", [mine.alert.alert_id]) == 1
        assert await alert_store.mark_read(unit, "bo", [mine.alert.alert_id]) == 0
    async with database.read() as unit:
        assert await count_unread(unit, Sight("bo"), "bo", None) == 0
        assert await count_unread(unit, Sight("mia", ("shop",)), "mia", None) == 2
    assert await inbox(database, Sight("bo"), "bo", unread=True) == []
