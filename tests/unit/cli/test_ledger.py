"""What is outstanding is said in what it counts, and never as dollars that it is not."""

import json

import pytest
from sqlalchemy import insert, select

from tests.support.terminal import Terminal
from tollbridge.core.limits import LimitKind
from tollbridge.ledger.budgets import BudgetTerms
from tollbridge.ledger.store import create_budget
from tollbridge.ledger.tables import budget_periods, leases
from tollbridge.ledger.wallet_store import create_wallet
from tollbridge.ledger.wallets import WalletTerms, limit_id_of
from tollbridge.storage.audit import audit_entries
from tollbridge.storage.unit import Database

pytestmark = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)


async def lease(database: Database) -> None:
    """Lease 5 calls, 2.5 credits and half a cent to a worker of a node that is gone."""
    async with database.write() as unit:
        calls = BudgetTerms("c", "key:ci", 9, "total", kind=LimitKind.CALLS)
        money = BudgetTerms("m", "key:ci", 10**9, "total")
        wallet = await create_wallet(unit, WalletTerms("w", "user:ana"), actor="test")
        amounts = {
            (await create_budget(unit, calls)).budget_id: 5,
            (await create_budget(unit, money)).budget_id: 5_000_000,
            limit_id_of(wallet.wallet_id): 2_500_000,
        }
        for place, (limit_id, amount) in enumerate(amounts.items()):
            period = {"budget_id": limit_id, "period_start_us": 0}
            await unit.connection.execute(
                insert(budget_periods).values(**period, spent=0, leased=amount)
            )
            given = {"granted": amount, "settled": 0, "returned": 0}
            named = {"lease_id": f"l{place}", "worker": "w", "node": "gone", "state": "active"}
            await unit.connection.execute(insert(leases).values(**period, **given, **named))


async def test_what_is_outstanding_is_shown_in_its_unit(
    terminal: Terminal, database: Database
) -> None:
    await lease(database)
    shown = [line.split() for line in terminal.done("ledger", "outstanding").splitlines()[1:]]
    assert {tuple(line[-2:]) for line in shown} >= {("5", "calls"), ("2.5", "credits")}
    assert [line[-1] for line in shown if "m" in line] == ["$0.005"]
    told = json.loads(terminal.done("ledger", "outstanding", "--json"))
    assert {one["budget_name"]: one["kind"] for one in told} == {
        "c": "calls",
        "m": "money",
        "wallet w": "credits",
    }


async def test_the_leases_of_one_budget_or_wallet_are_listed(
    terminal: Terminal, database: Database
) -> None:
    await lease(database)
    [line] = terminal.done("ledger", "leases", "c").splitlines()[1:]
    assert line.split() == ["gone", "w", "-", "active", "5", "calls", "0", "calls", "5", "calls"]
    [told] = json.loads(terminal.done("ledger", "leases", "w", "--wallet", "--json"))
    assert (told["node"], told["leased"], told["drawn"]) == ("gone", 2_500_000, 0)
    assert "no budget" in terminal.refused("ledger", "leases", "w")


async def test_what_falls_free_is_said_and_written_down_by_unit(
    terminal: Terminal, database: Database
) -> None:
    await lease(database)
    freed = terminal.done("ledger", "release", "gone", "--yes")
    assert all(one in freed for one in ("5 calls", "2.5 credits", "$0.005"))
    query = select(audit_entries.c.details).where(audit_entries.c.action == "ledger.release")
    async with database.read() as unit:
        details = (await unit.connection.execute(query)).scalar_one()
    assert details == {
        "freed_calls": "5",
        "freed_credits": "2.5",
        "freed_usd": "0.005",
        "leases": 3,
    }
