"""Credits leave as a virtual currency: what was paid for them is billed once, and used up once."""

import csv
import io
from collections.abc import Sequence
from datetime import UTC
from decimal import Decimal

import pytest

from tests.support.wallet_twin import START_US
from tests.support.wallets import CLOCK, DAY_US, balance, charge, do, wallet
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.sight import Sight
from tollbridge.insight.export import Export, ExportForm, bounded, check_size, export
from tollbridge.insight.export_focus_rules import CREDIT_COLUMNS, faults
from tollbridge.insight.usage import CallFilter
from tollbridge.insight.wallet_queries import StatementFilter, list_grants, list_transactions
from tollbridge.ledger.wallet_moves import Adjust, Grant, Purchase, Refund
from tollbridge.ledger.wallets import WalletTerms, WalletUnit
from tollbridge.providers.names import load_names
from tollbridge.storage.unit import Database

MICRO = 1_000_000
NANO = 10**9
Row = dict[str, str]


def an_order(wanted: CallFilter | None = None, rows_max: int = 100) -> Export:
    return Export(
        form=ExportForm.FOCUS_CREDITS,
        wanted=bounded(wanted or CallFilter(), CLOCK.now_us() + 400 * DAY_US),
        zone=UTC,
        names=load_names(),
        rows_max=rows_max,
    )


async def rows_of(database: Database, wanted: CallFilter | None = None) -> list[Row]:
    text = b"".join([part async for part in export(database, an_order(wanted))])
    reader = csv.DictReader(io.StringIO(text.decode("utf-8-sig"), newline=""))
    rows = list(reader)
    assert list(reader.fieldnames or ()) == list(CREDIT_COLUMNS)
    assert [fault for row in rows for fault in faults(row, CREDIT_COLUMNS)] == []
    return rows


def total(rows: Sequence[Row], column: str) -> Decimal:
    return sum((Decimal(row[column]) for row in rows), Decimal(0))


async def test_what_is_paid_is_billed_at_once_and_effective_when_it_is_used_up(
    database: Database,
) -> None:
    found = await wallet(database)
    await do(database, Purchase(amount=100 * MICRO, price_nanousd=3 * NANO, note="=1+1"))
    await charge(database, found, 40 * MICRO)
    await do(database, Refund(number=2, amount=10 * MICRO))
    bought, used, back = await rows_of(database)
    assert (bought["ChargeCategory"], bought["ChargeFrequency"]) == ("Purchase", "One-Time")
    assert (bought["BilledCost"], bought["EffectiveCost"]) == ("3", "0")
    assert (bought["PricingQuantity"], bought["ListUnitPrice"]) == ("100", "0.03")
    assert bought["PricingCurrency"] == "USD"
    assert bought["ChargeDescription"] == "'=1+1"
    assert (used["ChargeCategory"], used["ChargeFrequency"]) == ("Usage", "Usage-Based")
    assert (used["BilledCost"], used["EffectiveCost"]) == ("0", "1.2")
    assert (used["PricingCurrency"], used["PricingCurrencyEffectiveCost"]) == ("Credits", "40")
    assert (used["ConsumedQuantity"], used["ConsumedUnit"]) == ("7", "Tokens")
    assert used["SubAccountId"] == "user:ada"
    assert len(used["x_CallId"]) == 36
    assert (back["ChargeCategory"], back["EffectiveCost"]) == ("Adjustment", "-0.3")
    assert back["PricingCurrencyEffectiveCost"] == "-10"


async def test_over_all_time_effective_costs_are_what_was_paid_but_for_what_is_left(
    database: Database,
) -> None:
    """Expired credits, corrections and what paid an overdraft too."""
    now_us = START_US
    found = await wallet(database, WalletTerms("ada", "user:ada", overdraft=50 * MICRO))
    await charge(database, found, 20 * MICRO, now_us)
    await do(database, Purchase(amount=60 * MICRO, price_nanousd=7 * NANO), at_us=now_us + 1)
    await do(database, Grant(amount=5 * MICRO), at_us=now_us + 2)
    await charge(database, found, 30 * MICRO, now_us + 3)
    await do(database, Adjust(amount=-3 * MICRO), at_us=now_us + 4)
    await do(
        database,
        Purchase(amount=10 * MICRO, price_nanousd=NANO, expires_at_us=now_us + DAY_US),
        at_us=now_us + 5,
    )
    await balance(database, now_us + 2 * DAY_US)
    await do(database, Adjust(amount=2 * MICRO))
    rows = await rows_of(database)
    assert total(rows, "BilledCost") == 8
    kinds = {row["ChargeCategory"] for row in rows}
    assert kinds == {"Usage", "Purchase", "Credit", "Adjustment"}
    async with database.read() as unit:
        moves = await list_transactions(unit, found.wallet_id, StatementFilter(), None, 100)
        grants = await list_grants(unit, found.wallet_id, None, 100)
    assert len(rows) == len([one for one in moves if one.amount])
    expired = [row for row in rows if row["ChargeDescription"] == "expiry"]
    assert total(expired, "EffectiveCost") == 1
    price = {one.number: one.price_nanousd or 0 for one in moves}
    parts = [Decimal(price[one.number]) * one.remaining / one.amount / NANO for one in grants]
    left = sum(parts, Decimal(0))
    assert left > 0
    assert abs(total(rows, "BilledCost") - total(rows, "EffectiveCost") - left) < Decimal("1e-20")


async def test_credits_bought_at_no_known_price_have_no_row(database: Database) -> None:
    found = await wallet(database)
    await do(database, Purchase(amount=10 * MICRO))
    await charge(database, found, 4 * MICRO)
    await do(database, Grant(amount=5 * MICRO))
    assert [row["ChargeCategory"] for row in await rows_of(database)] == ["Credit"]


async def test_wallets_are_chosen_by_user_and_time_and_seen_by_their_own(
    database: Database,
) -> None:
    await wallet(database)
    at_us = CLOCK.now_us()
    await do(database, Grant(amount=MICRO), at_us=at_us)
    assert len(await rows_of(database, CallFilter(user="ada"))) == 1
    assert len(await rows_of(database, CallFilter(sight=Sight("ada")))) == 1
    assert await rows_of(database, CallFilter(user="bob")) == []
    assert await rows_of(database, CallFilter(user="ada", sight=Sight("bob"))) == []
    assert await rows_of(database, CallFilter(to_us=at_us)) == []
    assert len(await rows_of(database, CallFilter(from_us=at_us))) == 1
    async with database.read() as unit:
        with pytest.raises(InvalidRequestError, match="model"):
            await check_size(unit, an_order(CallFilter(model="m")))


async def test_a_wallet_in_dollars_is_no_virtual_currency(database: Database) -> None:
    await wallet(database, WalletTerms("ada", "user:ada", WalletUnit.USD))
    await do(database, Grant(amount=NANO))
    assert await rows_of(database) == []


async def test_too_many_moves_are_refused(database: Database) -> None:
    await wallet(database)
    for _ in range(3):
        await do(database, Grant(amount=MICRO))
    assert len([part async for part in export(database, an_order(rows_max=3))]) == 2
    with pytest.raises(InvalidRequestError, match="EXPORT_CALLS_MAX"):
        [part async for part in export(database, an_order(rows_max=2))]
