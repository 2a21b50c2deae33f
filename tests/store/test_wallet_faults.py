"""What a wallet refuses, and what the database and the doctor see of tampering."""

import pytest
from sqlalchemy.exc import DBAPIError

from tests.support.wallet_twin import START_US
from tests.support.wallets import balance, do, statement, wallet
from tollbridge.core.errors import (
    ConflictError,
    InvalidRequestError,
    NotFoundError,
)
from tollbridge.ledger import wallet_store as store
from tollbridge.ledger.wallet_books import books
from tollbridge.ledger.wallet_moves import (
    Adjust,
    AnyMove,
    By,
    Deduct,
    Grant,
    Purchase,
    Refund,
    SetAside,
)
from tollbridge.ledger.wallet_moves_store import move
from tollbridge.ledger.wallets import (
    WalletTerms,
)
from tollbridge.storage.unit import Database


async def test_the_database_itself_refuses_to_change_a_statement(database: Database) -> None:
    await wallet(database)
    await do(database, Purchase(amount=5))
    for sql in (
        "UPDATE wallet_transactions SET amount = 6",
        "DELETE FROM wallet_transactions",
        "UPDATE wallet_entries SET amount = 6",
        "DELETE FROM wallet_entries",
    ):
        with pytest.raises(DBAPIError, match="never changed"):
            async with database.write() as unit:
                await unit.connection.exec_driver_sql(sql)


@pytest.mark.parametrize(
    ("sql", "kinds"),
    [
        ("UPDATE wallets SET balance = balance + 1", {"wallet balance", "wallet entries"}),
        ("UPDATE wallets SET held = 1", {"wallet held"}),
        ("UPDATE wallets SET transaction_count = 9", {"wallet statement"}),
        ("UPDATE wallet_grants SET remaining = 1", {"wallet grant"}),
        (
            """
            INSERT INTO wallet_transactions
            SELECT wallet_id, 2, kind, phase, 1, held, 9, 0, is_overrun, NULL, posted_at_us,
                   recorded_at_us, NULL, NULL, NULL, NULL, NULL, NULL, actor, note, NULL, NULL
            FROM wallet_transactions
            """,
            {"wallet balance", "wallet statement", "wallet running balance"},
        ),
    ],
)
async def test_the_doctor_finds_what_does_not_agree(
    database: Database, sql: str, kinds: set[str]
) -> None:
    await wallet(database)
    await do(database, Purchase(amount=10))
    async with database.write() as unit:
        assert await books(unit) == []
        await unit.connection.exec_driver_sql(sql)
        assert {one.kind for one in await books(unit)} == kinds


@pytest.mark.parametrize(
    "wanted",
    [
        Purchase(amount=0),
        Purchase(amount=-5),
        Purchase(amount=2**64),
        Purchase(amount=1, price_nanousd=-1),
        Purchase(amount=1, note="n" * 10_000),
        Purchase(amount=1, note="n\x00"),
        Grant(amount=1, expires_at_us=START_US - 1),
        Grant(amount=1, priority=-1),
        Grant(amount=1, priority=10**9),
        Deduct(),
        Deduct(amount=-1),
        Deduct(operation="chat_completion", tokens=-1),
        Deduct(operation="no_such_operation", tokens=1),
        Deduct(operation="chat_completion"),
        Deduct(operation="o" * 10_000, tokens=1),
        Adjust(amount=0),
        SetAside(amount=1, lasts_s=0),
        SetAside(amount=1, lasts_s=10**12),
        Refund(number=1),
        Refund(number=1, amount=1, images=1),
    ],
)
@pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
async def test_what_makes_no_sense_is_refused_by_its_field_and_not_written(
    database: Database, wanted: AnyMove
) -> None:
    await wallet(database)
    await do(database, Purchase(amount=10), at_us=START_US)
    with pytest.raises(InvalidRequestError) as refusal:
        await do(database, wanted, at_us=START_US)
    assert "param" in refusal.value.details
    assert len(await statement(database)) == 1


@pytest.mark.parametrize(
    "terms",
    [
        WalletTerms("", "user:ada"),
        WalletTerms("x" * 10_000, "user:ada"),
        WalletTerms("a/b", "user:ada"),
        WalletTerms("x\ud800", "user:ada"),
        WalletTerms("x", "ada"),
        WalletTerms("x", "robot:ada"),
        WalletTerms("x", "user:"),
        WalletTerms("x", "user:" + "a" * 10_000),
        WalletTerms("x", "user:ada", overdraft=-1),
        WalletTerms("x", "user:ada", overdraft=2**64),
    ],
)
@pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
async def test_a_wallet_that_makes_no_sense_is_refused(
    database: Database, terms: WalletTerms
) -> None:
    with pytest.raises(InvalidRequestError):
        await wallet(database, terms)
    async with database.read() as unit:
        assert await store.wallet_entries(unit) == []


async def test_a_subject_has_one_wallet_of_a_unit_and_a_name_is_taken_once(
    database: Database,
) -> None:
    await wallet(database)
    for terms in (WalletTerms("ada", "user:bob"), WalletTerms("other", "user:ada")):
        with pytest.raises(ConflictError, match="'ada'"):
            await wallet(database, terms)
    with pytest.raises(NotFoundError):
        async with database.write() as unit:
            await move(unit, "nobody", Purchase(amount=1), By("bob", "k"))


async def test_a_wallet_holds_no_more_than_can_be_counted(database: Database) -> None:
    await wallet(database)
    for _ in range(4):
        await do(database, Purchase(amount=10**18))
    with pytest.raises(InvalidRequestError, match="counted"):
        await do(database, Purchase(amount=1))
    assert await balance(database) == 4 * 10**18
