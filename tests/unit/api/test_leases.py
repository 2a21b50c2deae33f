"""Who holds how much of a budget, a wallet or a plan now, and until when? Over HTTP."""

from collections.abc import AsyncIterator
from datetime import UTC

import pytest
from sqlalchemy import insert

from tests.support.control import Plane, control_plane
from tollbridge.core.call import new_id
from tollbridge.core.clock import SECOND_US, to_text
from tollbridge.core.limits import LimitKind
from tollbridge.ledger import store
from tollbridge.ledger.applying import plan_limit_id
from tollbridge.ledger.budgets import BudgetTerms
from tollbridge.ledger.plans import MONTHLY_COST
from tollbridge.ledger.subscription_store import Order, standing, subscribe
from tollbridge.ledger.subscriptions import Cycle, default_month
from tollbridge.ledger.tables import leases
from tollbridge.ledger.wallet_moves import By, Purchase
from tollbridge.ledger.wallet_moves_store import move
from tollbridge.ledger.wallet_store import create_wallet
from tollbridge.ledger.wallets import WalletTerms, limit_id_of
from tollbridge.storage.unit import Database, Unit

pytestmark = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
DAY_US = 86_400 * SECOND_US
GIVEN_US = 1_790_000_000_000_000


@pytest.fixture
async def plane(database: Database) -> AsyncIterator[Plane]:
    async with control_plane(database) as made:
        yield made


async def lease(unit: Unit, limit_id: str, start_us: int, granted: int, settled: int) -> None:
    await unit.connection.execute(
        insert(leases).values(
            lease_id=new_id(GIVEN_US),
            budget_id=limit_id,
            period_start_us=start_us,
            worker="w",
            node="n",
            granted=granted,
            settled=settled,
            returned=0,
            state="active",
        )
    )


async def test_leases_of_a_budget_are_told_in_its_unit_and_end_with_their_period(
    plane: Plane,
) -> None:
    async with plane.database.write() as unit:
        for name, period in (("calls", "total"), ("money", "month")):
            kind = LimitKind.CALLS if name == "calls" else LimitKind.MONEY
            terms = BudgetTerms(name, "user:ana", 10**10, period, kind=kind)
            row = await store.create_budget(unit, terms)
            state = await store.period_state(unit, row)
            for _ in range(2):
                await lease(unit, row.budget_id, state.period_start_us, 5_000_000, 2)
    headers = await plane.key("root", "admin")
    path = "/api/v1/budgets/calls/leases"
    page = (await plane.client.get(path, params={"limit": 1}, headers=headers)).json()
    [first] = page["leases"]
    asked = {"limit": 1, "cursor": page["next_cursor"]}
    rest = (await plane.client.get(path, params=asked, headers=headers)).json()
    assert rest["next_cursor"] is None
    assert rest["leases"][0]["lease_id"] != first["lease_id"]
    assert (first["node"], first["worker"], first["state"]) == ("n", "w", "active")
    assert first["limit"] == "calls"
    amounts = (first["kind"], first["leased"], first["drawn"], first["left"])
    assert amounts == ("calls", "5000000", "2", "4999998")
    assert (first["since"], first["expires_at"]) == (to_text(GIVEN_US), None)
    money = (await plane.client.get("/api/v1/budgets/money/leases", headers=headers)).json()
    [one, _] = money["leases"]
    assert (one["kind"], one["leased"]) == ("money", "0.005")
    assert one["expires_at"] == to_text(state.period_end_us)
    nobody = await plane.client.get("/api/v1/budgets/none/leases", headers=headers)
    assert nobody.status_code == 404


async def test_leases_of_a_wallet_end_with_what_expires_next_of_it(plane: Plane) -> None:
    async with plane.database.write() as unit:
        wallet = await create_wallet(unit, WalletTerms("w", "user:ana"), actor="test")
        ends_us = await unit.now_us() + 3600 * SECOND_US
        bought = Purchase(amount=9_000_000, expires_at_us=ends_us)
        await move(unit, "w", bought, By("test", "first"))
        await lease(unit, limit_id_of(wallet.wallet_id), 0, 2_500_000, 0)
    headers = await plane.key("root", "admin")
    found = (await plane.client.get("/api/v1/wallets/w/leases", headers=headers)).json()
    [one] = found["leases"]
    assert (one["kind"], one["leased"], one["drawn"]) == ("credits", "2.5", "0")
    assert one["expires_at"] == to_text(ends_us)


async def test_leases_of_a_plan_say_of_which_of_its_limits_and_end_with_their_month(
    plane: Plane,
) -> None:
    async with plane.database.write() as unit:
        now_us = await unit.now_us()
        order = Order("ana", "Pro", Cycle.YEARLY)
        await subscribe(unit, order, actor="test", zone=UTC)
        month = (await standing(unit, "ana", UTC)).month
        before = default_month(now_us - 40 * DAY_US, UTC)
        await lease(unit, plan_limit_id("ana", MONTHLY_COST), month.start_us, 2_500_000, 0)
        await lease(unit, plan_limit_id("ana", "openai_tokens"), before.start_us, 900, 1)
        await lease(unit, plan_limit_id("bob", MONTHLY_COST), month.start_us, 7, 0)
    headers = await plane.key("root", "admin")
    path = "/api/v1/subscriptions/ana/leases"
    page = (await plane.client.get(path, params={"limit": 1}, headers=headers)).json()
    asked = {"limit": 1, "cursor": page["next_cursor"]}
    rest = (await plane.client.get(path, params=asked, headers=headers)).json()
    assert rest["next_cursor"] is None
    found = {one["limit"]: one for one in page["leases"] + rest["leases"]}
    money, tokens = found["monthly_cost_usd"], found["openai_tokens"]
    assert (money["kind"], money["left"]) == ("money", "0.0025")
    assert money["expires_at"] == to_text(month.end_us)
    assert (tokens["kind"], tokens["left"]) == ("tokens", "899")
    assert tokens["expires_at"] == to_text(before.end_us)


async def test_leases_of_anothers_plan_are_not_shown_to_a_member(plane: Plane) -> None:
    headers = await plane.key("bens", "read", user="ben")
    answer = await plane.client.get("/api/v1/subscriptions/ana/leases", headers=headers)
    assert answer.status_code == 403
