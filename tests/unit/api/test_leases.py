"""Who holds how much of a budget or a wallet now, and until when? Over HTTP."""

from collections.abc import AsyncIterator

import pytest
from sqlalchemy import insert

from tests.support.control import Plane, control_plane
from tollbridge.core.call import new_id
from tollbridge.core.clock import SECOND_US, to_text
from tollbridge.core.limits import LimitKind
from tollbridge.ledger import store
from tollbridge.ledger.budgets import BudgetTerms
from tollbridge.ledger.tables import leases
from tollbridge.ledger.wallet_moves import By, Purchase
from tollbridge.ledger.wallet_moves_store import move
from tollbridge.ledger.wallet_store import create_wallet
from tollbridge.ledger.wallets import WalletTerms, limit_id_of
from tollbridge.storage.unit import Database, Unit

pytestmark = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
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
