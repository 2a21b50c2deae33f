"""Subscriptions and their history, on SQLite and PostgreSQL."""

from datetime import UTC, datetime

import msgspec
import pytest

from tollbridge.core.clock import to_datetime, to_us
from tollbridge.core.errors import InvalidRequestError, NotFoundError
from tollbridge.ledger import plans_store
from tollbridge.ledger import subscription_store as store
from tollbridge.ledger.subscriptions import Cycle, Standing, Subscription, When
from tollbridge.storage.unit import Database

NANO = 10**9
MINUTE_US = 60 * 1_000_000


def at(text: str) -> int:
    return to_us(datetime.fromisoformat(text).replace(tzinfo=UTC))


def day(at_us: int) -> str:
    return f"{to_datetime(at_us):%Y-%m-%d}"


async def subscribe(
    database: Database,
    when: str,
    plan: str,
    cycle: Cycle = Cycle.MONTHLY,
    by: When | None = None,
) -> Subscription:
    async with database.write() as unit:
        order = store.Order("ada", plan, cycle, by)
        return await store.subscribe(unit, order, actor="bob", zone=UTC, now_us=at(when))


async def cancel(database: Database, when: str, by: When) -> Subscription:
    async with database.write() as unit:
        return await store.cancel(unit, "ada", by, actor="bob", zone=UTC, now_us=at(when))


async def standing(database: Database, when: str) -> Standing:
    async with database.read() as unit:
        return await store.standing(unit, "ada", UTC, at(when))


async def plan_at(database: Database, when: str) -> str | None:
    found = await standing(database, when)
    return None if found.plan is None else found.plan.terms.name


async def history(database: Database, when: str) -> list[tuple[str, str, str | None, str, int]]:
    """Return (kind, plan, plan before, first day, dollars) of each line, the oldest first."""
    async with database.write() as unit:
        await store.catch_up(unit, "ada", UTC, at(when))
        events = await store.list_events(unit, "ada", None, 1000)
    return [
        (
            one.kind.value,
            one.plan_name,
            one.previous_plan_name,
            day(one.period_start_us),
            one.amount_nanousd // NANO,
        )
        for one in reversed(events)
    ]


async def test_a_new_subscription_has_a_period_and_a_line(database: Database) -> None:
    made = await subscribe(database, "2026-01-31T09:20", "Basic")
    found = await standing(database, "2026-02-27")
    assert made.anchor_us == at("2026-01-31T09:15")
    assert found.period == found.month == (at("2026-01-31T09:15"), at("2026-02-28T09:15"))
    assert await history(database, "2026-02-01") == [("new", "Basic", None, "2026-01-31", 29)]


async def test_it_renews_itself_without_anything_that_runs(database: Database) -> None:
    """Two months later the row says the third period; the history then has all three, once."""
    await subscribe(database, "2026-01-31", "Basic")
    found = await standing(database, "2026-04-01")
    assert found.period == (at("2026-03-31"), at("2026-04-30"))
    expected = [
        ("new", "Basic", None, "2026-01-31", 29),
        ("renewal", "Basic", None, "2026-02-28", 29),
        ("renewal", "Basic", None, "2026-03-31", 29),
    ]
    assert await history(database, "2026-04-01") == expected
    assert await history(database, "2026-04-01") == expected


async def test_a_renewal_costs_what_the_plan_cost_when_it_came(database: Database) -> None:
    """A price that rises after a renewal does not change it, however late it is written down."""
    async with database.write() as unit:
        now_us = await unit.now_us()
        order = store.Order("ada", "Basic")
        await store.subscribe(
            unit, order, actor="bob", zone=UTC, now_us=now_us - 40 * 86400 * 10**6
        )
        basic = await plans_store.get_plan(unit, "Basic")
        dearer = msgspec.structs.replace(basic.terms, price_monthly_nanousd=35 * NANO)
        await plans_store.change_plan(unit, "Basic", dearer, actor="bob")
        await store.catch_up(unit, "ada", UTC, now_us + 40 * 86400 * 10**6)
        events = await store.list_events(unit, "ada", None, 10)
    assert [one.amount_nanousd // NANO for one in reversed(events)] == [29, 29, 35]


async def test_an_upgrade_counts_at_once_and_begins_a_new_period(database: Database) -> None:
    await subscribe(database, "2026-01-10", "Basic")
    await subscribe(database, "2026-01-20T12:00", "Pro")
    found = await standing(database, "2026-01-20T12:00")
    assert found.plan is not None
    assert found.plan.terms.name == "Pro"
    assert found.month == (at("2026-01-20T12:00"), at("2026-02-20T12:00"))
    assert (await history(database, "2026-01-21"))[-1] == (
        "upgrade",
        "Pro",
        "Basic",
        "2026-01-20",
        79,
    )


async def test_a_downgrade_counts_from_the_end_of_what_is_paid(database: Database) -> None:
    await subscribe(database, "2026-01-10", "Pro")
    await subscribe(database, "2026-01-20", "Basic")
    assert await plan_at(database, "2026-02-09T23:59") == "Pro"
    assert await plan_at(database, "2026-02-10") == "Basic"
    assert await history(database, "2026-02-11") == [
        ("new", "Pro", None, "2026-01-10", 79),
        ("downgrade", "Basic", "Pro", "2026-02-10", 29),
    ]


async def test_a_downgrade_counts_at_once_where_that_is_said(database: Database) -> None:
    await subscribe(database, "2026-01-10", "Pro")
    await subscribe(database, "2026-01-20", "Free", by=When.NOW)
    assert await plan_at(database, "2026-01-20") == "Free"


async def test_another_cycle_counts_from_the_periods_end(database: Database) -> None:
    await subscribe(database, "2026-01-10", "Pro")
    await subscribe(database, "2026-01-20", "Pro", Cycle.YEARLY)
    found = await standing(database, "2026-02-15")
    assert found.period == (at("2026-02-10"), at("2027-02-10"))
    assert found.month == (at("2026-02-10"), at("2026-03-10"))
    assert (await history(database, "2026-02-15"))[-1] == (
        "renewal",
        "Pro",
        None,
        "2026-02-10",
        790,
    )


async def test_a_cancelled_one_runs_to_the_end_of_its_period_and_not_longer(
    database: Database,
) -> None:
    await subscribe(database, "2026-01-10", "Pro")
    await cancel(database, "2026-01-20", When.PERIOD_END)
    assert await plan_at(database, "2026-02-09T23:59") == "Pro"
    assert await plan_at(database, "2026-02-10") is None
    assert [line[0] for line in await history(database, "2026-08-01")] == ["new", "cancel"]


async def test_one_that_is_cancelled_now_is_over_now(database: Database) -> None:
    await subscribe(database, "2026-01-10", "Pro")
    await cancel(database, "2026-01-20", When.NOW)
    assert await plan_at(database, "2026-01-20") is None
    with pytest.raises(NotFoundError):
        await cancel(database, "2026-01-20", When.NOW)


async def test_the_same_terms_again_take_a_cancellation_back(database: Database) -> None:
    first = await subscribe(database, "2026-01-10", "Pro")
    await cancel(database, "2026-01-20", When.PERIOD_END)
    again = await subscribe(database, "2026-01-25", "Pro")
    assert (again.anchor_us, again.ends_at_us) == (first.anchor_us, None)
    kinds = [line[0] for line in await history(database, "2026-02-11")]
    assert kinds == ["new", "resume", "cancel", "renewal"]


async def test_the_same_terms_again_change_nothing_else(database: Database) -> None:
    made = await subscribe(database, "2026-01-10", "Pro")
    assert await subscribe(database, "2026-01-25", "Pro") == made
    assert len(await history(database, "2026-01-25")) == 1


async def test_whoever_comes_back_begins_anew(database: Database) -> None:
    await subscribe(database, "2026-01-10", "Pro")
    await cancel(database, "2026-01-20", When.NOW)
    await subscribe(database, "2026-03-01", "Basic")
    found = await standing(database, "2026-03-02")
    assert found.period == (at("2026-03-01"), at("2026-04-01"))
    assert (await history(database, "2026-03-02"))[-1] == ("new", "Basic", None, "2026-03-01", 29)


async def test_without_a_subscription_the_default_plan_holds_by_the_calendar_month(
    database: Database,
) -> None:
    assert await plan_at(database, "2026-01-15") is None
    async with database.write() as unit:
        await plans_store.set_default(unit, "Free", actor="bob")
    found = await standing(database, "2026-01-15")
    assert found.plan is not None
    assert found.plan.terms.name == "Free"
    assert (found.month, found.period) == ((at("2026-01-01"), at("2026-02-01")), None)


async def test_a_withdrawn_plan_is_kept_by_whoever_has_it_and_given_to_nobody(
    database: Database,
) -> None:
    await subscribe(database, "2026-01-10", "Pro")
    async with database.write() as unit:
        await plans_store.switch_plan(unit, "Pro", is_active=False, actor="bob")
    assert await plan_at(database, "2026-05-10") == "Pro"
    await subscribe(database, "2026-05-11", "Basic", by=When.NOW)
    with pytest.raises(InvalidRequestError, match="withdrawn"):
        await subscribe(database, "2026-05-12", "Pro")
    assert await plan_at(database, "2026-05-13") == "Basic"


async def test_an_unknown_plan_writes_nothing(database: Database) -> None:
    with pytest.raises(NotFoundError):
        await subscribe(database, "2026-01-10", "Gold")
    async with database.read() as unit:
        assert await store.find_subscription(unit, "ada") is None


async def test_a_history_is_paged_from_the_newest(database: Database) -> None:
    await subscribe(database, "2026-01-10", "Basic")
    await history(database, "2026-06-11")
    seen: list[str] = []
    after = None
    async with database.read() as unit:
        while page := await store.list_events(unit, "ada", after, 2):
            seen += [day(one.period_start_us) for one in page]
            after = page[-1].at_us, page[-1].event_id
    assert seen == [f"2026-0{month}-10" for month in (6, 5, 4, 3, 2, 1)]
