"""What does a wallet's statement say of a call that went through the spool?"""

from pathlib import Path

import pytest

from tests.support.drained import COST_NANOUSD, SpoolingWorker, assert_books, make_drain, rows
from tests.support.wallets import do, wallet
from tollbridge.core.call import Hold
from tollbridge.core.clock import ManualClock
from tollbridge.core.limits import LimitKind
from tollbridge.ledger.budgets import BudgetTerms
from tollbridge.ledger.store import create_budget, get_budget
from tollbridge.ledger.wallet_moves import Deduct, Purchase
from tollbridge.ledger.wallets import WalletTerms, WalletUnit, limit_id_of
from tollbridge.storage.unit import Database


@pytest.mark.parametrize("length", [256, 400])
async def test_a_call_of_a_very_long_model_name_is_paid_for(
    database: Database, spool: Path, clock: ManualClock, length: int
) -> None:
    """As much of the name as a statement has room for stands in it; the call has it whole."""
    found = await wallet(database, WalletTerms("ada", "user:ada", WalletUnit.USD))
    label = "m" * length
    hold = Hold("lease", limit_id_of(found.wallet_id), 0, 1_000_000)
    worker = SpoolingWorker(spool, clock)
    worker.end(worker.open(label=label, holds=(hold,)))
    await make_drain(database, spool, clock).catch_up()
    assert await rows(database, "SELECT amount, model FROM wallet_transactions") == [
        (-COST_NANOUSD, label[:256])
    ]
    assert await rows(database, "SELECT label FROM call_details") == [(label,)]
    await assert_books(database)


async def test_whatever_name_a_call_may_have_a_budget_and_a_deduction_may_have(
    database: Database,
) -> None:
    label = "m" * 256
    terms = BudgetTerms("b", "user:ada", 5, "total", kind=LimitKind.CALLS, model=label)
    await wallet(database)
    await do(database, Purchase(amount=5))
    done = await do(database, Deduct(amount=1, model=label, operation="chat_completion"))
    async with database.write() as unit:
        await create_budget(unit, terms)
        assert (await get_budget(unit, "b")).terms.model == label
    assert done.transaction.model == label
