"""Forecasts over the API are of the days that are in the books, and of nobody else's."""

import random
from collections.abc import AsyncGenerator, Awaitable, Callable
from contextlib import asynccontextmanager
from datetime import UTC
from typing import Any

import pytest
from sqlalchemy import insert

from tests.support.alerting import add_budget, spend
from tests.support.control import control_plane
from tests.support.insight import get
from tests.support.recorded import NOON_US, UTC_DAY_US, CallSpec, record
from tollbridge.access.users import Role
from tollbridge.core.clock import ManualClock, to_text
from tollbridge.core.limits import LimitKind
from tollbridge.insight.forecast import SEASON_DAYS
from tollbridge.ledger import wallet_store
from tollbridge.ledger.plans import PlanTerms, Tier
from tollbridge.ledger.plans_store import create_plan
from tollbridge.ledger.subscription_store import Order, subscribe
from tollbridge.ledger.wallet_moves import By, Purchase
from tollbridge.ledger.wallet_moves_store import move
from tollbridge.ledger.wallet_tables import wallet_transactions
from tollbridge.ledger.wallets import WalletTerms
from tollbridge.storage.unit import Database

BASE = "/api/v1/insight"
DAYS = 35
FIRST_US = NOON_US
NOW_US = NOON_US + DAYS * UTC_DAY_US
"""Noon of the day after the last whole one; 2026-02-05."""


def busy(day: int) -> int:
    """Return how many calls a day has: fewer at the end of a week."""
    return 1 if day % SEASON_DAYS in {2, 3} else 3


def a_call(at_us: int, user: str = "ada") -> CallSpec:
    return CallSpec(at_us=at_us, user=user, input_tokens=1000, output_tokens=500)


def usual() -> list[CallSpec]:
    """Return five weeks of one user's calls, and half a day more."""
    return [
        a_call(FIRST_US + day * UTC_DAY_US - 60_000_000 * (number + 1))
        for day in range(DAYS + 1)
        for number in range(busy(day))
    ]


@asynccontextmanager
async def forecasts(database: Database) -> AsyncGenerator[Callable[..., Awaitable[Any]]]:
    """Yield what asks for a forecast, as an admin at NOW_US."""
    async with control_plane(database, clock=ManualClock(NOW_US)) as plane:
        admin = await plane.key("root", "admin")

        async def asked(**query: Any) -> Any:
            return await get(plane, admin, f"{BASE}/forecast", **query)

        yield asked
        assert plane.faults == []


async def test_a_week_that_repeats_goes_on_and_the_test_of_the_past_is_without_error(
    database: Database,
) -> None:
    await record(database, usual())
    async with forecasts(database) as asked:
        found = await asked(measure="calls", days=14)
        [one] = found["series"]
        assert one["reason"] is None
        assert one["model"] == "seasonal_naive"
        assert one["history_days"] == DAYS
        assert [point["expected"] for point in one["points"]] == [
            str(busy(day)) for day in range(DAYS, DAYS + 14)
        ]
        assert one["points"][0]["day"] == "2026-02-05"
        assert one["accuracy"]["mean_absolute_error"] == "0"
        assert one["accuracy"]["coverage"] == 1
        # Half of today is left, then come the whole days of the month.
        february = sum(busy(DAYS + day) for day in range(1, 24))
        so_far = sum(busy(DAYS - day) for day in range(5))
        assert one["month"]["month"] == "2026-02"
        assert one["month"]["so_far"] == str(so_far)
        expected = so_far + busy(DAYS) / 2 + february
        assert abs(float(one["month"]["expected"]) - expected) <= 0.5
        cost = (await asked())["series"][0]
        # 1,000 input tokens at 0.15 and 500 output tokens at 0.60 USD a million.
        each = 0.00045
        assert float(cost["points"][0]["expected"]) == pytest.approx(busy(DAYS) * each)
        whole = sum(busy(DAYS + day) for day in range(1, 30)) + busy(DAYS) / 2
        assert float(cost["horizons"][0]["expected"]) == pytest.approx(whole * each, abs=1e-6)


async def test_a_forecast_as_of_the_past_knows_nothing_of_what_came(database: Database) -> None:
    await record(database, usual())
    wild = [CallSpec(at_us=NOW_US - 3_600_000_000 * hours) for hours in range(200)]
    async with forecasts(database) as asked:
        as_of = to_text(FIRST_US + 25 * UTC_DAY_US + UTC_DAY_US // 2)
        before = await asked(measure="calls", to=as_of)
        assert before["series"][0]["history_days"] == 26
        await record(database, wild)
        assert await asked(measure="calls", to=as_of) == before
        assert await asked(measure="calls") != before


async def test_too_few_days_have_a_reason_instead_of_numbers(database: Database) -> None:
    await record(database, [CallSpec(at_us=NOW_US - day * UTC_DAY_US) for day in range(14)])
    async with forecasts(database) as asked:
        [one] = (await asked())["series"]
        assert "only 13 whole days" in one["reason"]
        assert (one["model"], one["month"], one["horizons"], one["points"]) == (None, None, [], [])
        [nobody] = (await asked(user="nobody"))["series"]
        assert nobody["history_days"] == 0
        assert nobody["reason"]
        for start in ("2026-02-05T00:00:00Z", "2030-01-01T00:00:00Z"):
            later = await asked(from_=start, to="2031-01-01T00:00:00Z")
            assert later["series"][0]["reason"] == "nothing was used on a whole day yet"


async def test_series_and_the_rest_come_to_all(database: Database) -> None:
    draw = random.Random(7)
    await record(
        database,
        [
            a_call(FIRST_US + day * UTC_DAY_US, draw.choice("abcd"))
            for day in range(DAYS)
            for _ in range(4)
        ],
    )
    async with forecasts(database) as asked:
        found = await asked(measure="calls", group_by="user", top=2)
        assert found["rest_count"] == 2
        assert [one["is_rest"] for one in found["series"]] == [False, False, True]
        [whole] = (await asked(measure="calls"))["series"]
        for place, point in enumerate(whole["points"]):
            parts = [int(one["points"][place]["expected"]) for one in found["series"]]
            assert sum(parts) == int(point["expected"])


async def test_whoever_is_no_admin_is_told_of_their_own(database: Database) -> None:
    await record(database, usual())
    async with control_plane(database, clock=ManualClock(NOW_US)) as plane:
        await plane.user("ada", Role.MEMBER)
        await plane.user("bob", Role.MEMBER)
        for user, calls in (("ada", "3"), ("bob", None)):
            headers = await plane.key(f"of-{user}", "read", user=user)
            found: Any = await get(plane, headers, f"{BASE}/forecast", measure="calls")
            [one] = found["series"]
            assert (one["points"][0]["expected"] if one["points"] else None) == calls


@pytest.mark.parametrize(
    ("query", "said"),
    [
        ("top=201", "at most 200 series"),
        ("days=91", "less than or equal to 90"),
        ("confidence=1", "less than or equal to 0.99"),
        ("group_by=status", "Input should be"),
        ("measure=beauty", "Input should be"),
        ("from=1990-01-01T00:00:00Z", "at most 3660 days"),
    ],
)
async def test_what_cannot_be_forecast_is_refused_with_the_reason(
    database: Database, query: str, said: str
) -> None:
    async with control_plane(database, clock=ManualClock(NOW_US)) as plane:
        admin = await plane.key("root", "admin")
        answer = await plane.client.get(f"{BASE}/forecast?{query}", headers=admin)
        assert answer.status_code == 400, answer.text
        assert said in answer.text
        assert plane.faults == []


async def test_a_budget_is_used_up_on_the_day_that_its_days_bring_it_there(
    database: Database,
) -> None:
    await record(database, usual())
    weekly = sum(busy(day) for day in range(SEASON_DAYS))
    for name, subject, left in (
        ("two-weeks", "user:ada", 2 * weekly),
        ("for-ever", "organisation:default", 10_000),
        ("nobodys", "user:bob", 5),
    ):
        budget = await add_budget(
            database, name, subject, 100 + left, kind=LimitKind.CALLS, period="total"
        )
        await spend(database, budget, 100, "total")
    gone = await add_budget(
        database, "gone", "key:ci", 5, kind=LimitKind.CALLS, period="total", category="text"
    )
    await spend(database, gone, 6, "total")
    async with control_plane(database, clock=ManualClock(NOW_US)) as plane:
        admin = await plane.key("root", "admin")
        page: Any = await get(plane, admin, f"{BASE}/outlook")
        assert [one["name"] for one in page["outlooks"]] == [
            "for-ever",
            "gone",
            "nobodys",
            "two-weeks",
        ]
        ever, gone_now, nobodys, weeks = page["outlooks"]
        assert ever["used_up"]["expected"] is None
        assert gone_now["used_up"] == {
            "already": True, "expected": None, "earliest": None, "latest": None,
        }  # fmt: skip
        assert nobodys["reason"]
        assert nobodys["used_up"] is None
        left, day = 2.0 * weekly, 0
        left -= busy(DAYS) / 2
        while left > 0:
            day += 1
            left -= busy(DAYS + day)
        assert weeks["used_up"]["expected"] == to_text(NOW_US + day * UTC_DAY_US)[:10]
        assert weeks["accuracy"]["coverage"] == 1
        first: Any = await get(plane, admin, f"{BASE}/outlook", limit=2)
        second: Any = await get(
            plane, admin, f"{BASE}/outlook", limit=2, cursor=first["next_cursor"]
        )
        assert first["outlooks"] + second["outlooks"] == page["outlooks"]
        assert second["next_cursor"] is None
        await plane.user("bob", Role.MEMBER)
        bob = await plane.key("of-bob", "read", user="bob")
        seen: Any = await get(plane, bob, f"{BASE}/outlook")
        assert [one["name"] for one in seen["outlooks"]] == ["nobodys"]


async def test_a_wallet_is_empty_when_what_is_taken_each_day_has_emptied_it(
    database: Database,
) -> None:
    async with database.write() as unit:
        wallet = await wallet_store.create_wallet(
            unit, WalletTerms("adas", "user:ada"), actor="root"
        )
        await move(unit, "adas", Purchase(amount=50_000_000), By("root", "first"))
        await unit.connection.execute(
            insert(wallet_transactions),
            [
                {
                    "wallet_id": wallet.wallet_id, "number": 100 + day, "kind": "deduction",
                    "phase": "single", "amount": -5_000_000, "held": 0, "balance_after": 0,
                    "held_after": 0, "is_overrun": False, "actor": "", "note": "",
                    "posted_at_us": FIRST_US + day * UTC_DAY_US,
                    "recorded_at_us": FIRST_US + day * UTC_DAY_US,
                }
                for day in range(DAYS)
            ],
        )  # fmt: skip
    async with control_plane(database, clock=ManualClock(NOW_US)) as plane:
        admin = await plane.key("root", "admin")
        page: Any = await get(plane, admin, f"{BASE}/outlook", what="wallet")
        [one] = page["outlooks"]
        assert (one["left"], one["kind"], one["model"]) == ("50", "credits", "seasonal_naive")
        # 2.5 are left of today, then 5 a day: 50 are gone in the course of the tenth day after.
        assert one["used_up"]["expected"] == to_text(NOW_US + 10 * UTC_DAY_US)[:10]
        assert plane.faults == []


async def test_a_plans_limit_is_used_up_on_the_day_that_its_users_days_bring_it_there(
    database: Database,
) -> None:
    """Of the calls of this user alone, within the month of the plan."""
    await record(database, [*usual(), *(a_call(NOW_US - 60_000_000, "bob") for _ in range(20))])
    began_us = NOW_US - 5 * UTC_DAY_US
    used = sum(busy(DAYS - day) for day in range(5))
    terms = PlanTerms(
        name="Calls",
        tier=Tier.PRO,
        price_monthly_nanousd=0,
        price_yearly_nanousd=0,
        limits={"openai_calls": used + 4, "gemini_calls": 9, "openai_tokens": 10**9},
    )
    async with database.write() as unit:
        await create_plan(unit, terms, actor="root")
        for user in ("ada", "bob"):
            order = Order(user, "Calls")
            await subscribe(unit, order, actor="root", zone=UTC, now_us=began_us)
    async with control_plane(database, clock=ManualClock(NOW_US)) as plane:
        admin = await plane.key("root", "admin")
        page: Any = await get(plane, admin, f"{BASE}/outlook", what="plan")
        shown = {(one["subject"], one["name"]): one for one in page["outlooks"]}
        assert len(shown) == 6
        calls = shown["user:ada", "Calls/openai_calls"]
        assert (calls["what"], calls["kind"], calls["period"]) == ("plan", "calls", "month")
        assert (calls["limit"], calls["left"]) == (str(used + 4), "4")
        # Half of today's are still to come.
        left, day = 4 - busy(DAYS) / 2, 0
        while left > 0:
            day += 1
            left -= busy(DAYS + day)
        assert calls["used_up"]["expected"] == to_text(NOW_US + day * UTC_DAY_US)[:10]
        assert shown["user:ada", "Calls/openai_tokens"]["used_up"]["expected"] is None
        assert shown["user:ada", "Calls/gemini_calls"]["reason"]
        assert shown["user:bob", "Calls/openai_calls"]["left"] == str(used + 4 - 20)
        first: Any = await get(plane, admin, f"{BASE}/outlook", what="plan", limit=1)
        rest: Any = await get(
            plane, admin, f"{BASE}/outlook", what="plan", limit=1, cursor=first["next_cursor"]
        )
        assert first["outlooks"] + rest["outlooks"] == page["outlooks"]
        assert rest["next_cursor"] is None
        await plane.user("bob", Role.MEMBER)
        bob = await plane.key("of-bob", "read", user="bob")
        own: Any = await get(plane, bob, f"{BASE}/outlook", what="plan")
        assert {one["subject"] for one in own["outlooks"]} == {"user:bob"}
        assert len(own["outlooks"]) == 3
