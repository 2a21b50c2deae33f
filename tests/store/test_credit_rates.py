"""Credit rates as both databases keep them, and the brief's views of credits."""

import pytest

from tests.support.wallets import do, wallet
from tollbridge.core.amounts import MICRO
from tollbridge.core.errors import (
    ConflictError,
    NotFoundError,
)
from tollbridge.ledger import credit_store
from tollbridge.ledger.credits import CreditRate, credits_of
from tollbridge.ledger.wallet_moves import (
    Deduct,
    Purchase,
    Refund,
)
from tollbridge.storage.unit import Database
from tollbridge.storage.versions import read_versions


async def test_rates_are_kept_and_removed_and_the_workers_are_told(database: Database) -> None:
    async with database.write() as unit:
        before = (await read_versions(unit)).get("limits", 0)
        rate = CreditRate(
            "chat_completion", "m", tokens_per_credit=150, min_microcredits=10 * MICRO
        )
        await credit_store.put_rate(unit, rate, actor="bob")
        await credit_store.put_rate(unit, rate, actor="bob")
        rates = await credit_store.load_rates(unit)
        assert credits_of(rates, "chat_completion", "m", 2760, 0, 0) == 19 * MICRO
        await credit_store.remove_rate(unit, "chat_completion", "m", actor="bob")
        with pytest.raises(NotFoundError):
            await credit_store.remove_rate(unit, "chat_completion", "m", actor="bob")
        rates = await credit_store.load_rates(unit)
        assert credits_of(rates, "chat_completion", "m", 2760, 0, 0) == 28 * MICRO
        assert (await read_versions(unit))["limits"] == before + 3


async def test_the_file_s_rates_are_the_file_s_alone_until_it_no_longer_has_them(
    database: Database,
) -> None:
    """Applying it twice is applying it once; a rate of the seed is taken over."""
    mine = CreditRate("image_generation", "dall-e-3", microcredits_per_image=7 * MICRO)
    new = CreditRate("clustering", tokens_per_credit=150)
    async with database.write() as unit:
        await credit_store.apply(unit, [mine, new], actor="file")
        told = (await read_versions(unit))["limits"]
        await credit_store.apply(unit, [mine, new], actor="file")
        assert (await read_versions(unit))["limits"] == told
        for wanted in (
            credit_store.put_rate(unit, mine, actor="bob"),
            credit_store.remove_rate(unit, "clustering", "", actor="bob"),
        ):
            with pytest.raises(ConflictError, match="configuration file"):
                await wanted
        await credit_store.apply(unit, [mine], actor="file")
        rates = await credit_store.load_rates(unit)
        assert rates.find("clustering", "") is None
        assert rates.find("image_generation", "dall-e-3") == mine
        assert rates.find("image_generation", "google:4@2") is not None


async def test_the_brief_s_views_show_statement_and_usage_with_running_balance(
    database: Database,
) -> None:
    await wallet(database)
    await do(database, Purchase(amount=30 * MICRO))
    await do(database, Deduct(operation="chat_completion", model="gpt-4o", tokens=2760))
    await do(database, Refund(number=2, amount=MICRO))
    async with database.read() as unit:
        rows = await unit.connection.exec_driver_sql(
            "SELECT account, transaction_type, amount, balance_after FROM credit_transactions "
            "ORDER BY created_at"
        )
        assert [tuple(row) for row in rows] == [
            ("user:ada", "purchase", 30, 30),
            ("user:ada", "deduction", -3, 27),
            ("user:ada", "refund", 1, 28),
        ]
        rows = await unit.connection.exec_driver_sql(
            "SELECT operation_type, credits_used, balance_after, model_used, tokens_total "
            "FROM credit_usage_logs"
        )
        assert [tuple(row) for row in rows] == [("chat_completion", 3, 27, "gpt-4o", 2760)]
