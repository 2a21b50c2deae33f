"""Wallets when several take at once: one deduction of the last credit, one purchase under a key."""

import asyncio
from collections.abc import Awaitable, Callable

import msgspec
import pytest

from tests.support.wallets import TERMS, balance, call_id, charge, do, statement, wallet
from tollbridge.core.errors import (
    BudgetExceededError,
    ConflictError,
)
from tollbridge.core.limits import Need
from tollbridge.ledger.agreed import AgreedLeases
from tollbridge.ledger.allot import MoneyAsk, Shortage, Turn
from tollbridge.ledger.books import books as ledger_books
from tollbridge.ledger.lease_store import DatabaseLedger
from tollbridge.ledger.wallet_books import books
from tollbridge.ledger.wallet_moves import (
    Deduct,
    Grant,
    Purchase,
)
from tollbridge.ledger.wallet_moves_store import Done
from tollbridge.storage.unit import Database


async def test_of_two_deductions_of_the_last_credit_one_is_made(database: Database) -> None:
    await wallet(database)
    await do(database, Purchase(amount=10))
    ended = await asyncio.gather(
        *(do(database, Deduct(amount=7)) for _ in range(4)), return_exceptions=True
    )
    assert sum(isinstance(one, Done) for one in ended) == 1
    assert sum(isinstance(one, BudgetExceededError) for one in ended) == 3
    assert await balance(database) == 3


async def test_of_purchases_under_one_key_one_is_made_and_all_answer_the_same(
    database: Database,
) -> None:
    await wallet(database)
    ended = await asyncio.gather(*(do(database, Purchase(amount=10), "order-7") for _ in range(4)))
    assert {one.transaction.number for one in ended} == {1}
    assert sorted(one.replayed for one in ended) == [False, True, True, True]
    assert await balance(database) == 10


async def test_a_key_that_was_used_for_something_else_is_an_error(database: Database) -> None:
    await wallet(database)
    await do(database, Purchase(amount=10), "order-7")
    for other in (Purchase(amount=11), Purchase(amount=10, note="x"), Grant(amount=10)):
        with pytest.raises(ConflictError, match="idempotency key"):
            await do(database, other, "order-7")
    assert await balance(database) == 10


async def in_a_loop(work: Callable[[], Awaitable[object]], count: int) -> None:
    for _ in range(count):
        await work()


async def test_calls_and_people_at_the_same_wallet_lose_nothing(database: Database) -> None:
    found = await wallet(database, msgspec.structs.replace(TERMS, overdraft=10**6))
    await asyncio.gather(
        in_a_loop(lambda: charge(database, found, 3), 10),
        in_a_loop(lambda: do(database, Purchase(amount=5)), 10),
        in_a_loop(lambda: do(database, Deduct(amount=1)), 10),
        in_a_loop(lambda: balance(database), 10),
    )
    assert await balance(database) == -30 + 50 - 10
    assert [one.number for one in await statement(database)] == list(range(1, 31))


async def test_what_workers_are_granted_and_what_people_take_is_never_more_than_there_is(
    database: Database,
) -> None:
    found = await wallet(database)
    limit_id = f"wallet:{found.wallet_id}"
    await do(database, Purchase(amount=30))
    ledger = DatabaseLedger(database, "node")
    agreed = AgreedLeases(call_id)

    async def lease(worker: str) -> int:
        turn = Turn((MoneyAsk(worker, (Need(limit_id, 7, 7),)),), (), 1)
        (outcome,) = await ledger.allot(turn, agreed.lease_of)
        return 0 if isinstance(outcome, Shortage) else outcome[0].amount

    async def take() -> int:
        try:
            return -(await do(database, Deduct(amount=7))).transaction.amount
        except BudgetExceededError:
            return 0

    amounts = await asyncio.gather(*(lease(f"w{n}") for n in range(5)), *(take() for _ in range(5)))
    assert sum(amounts) == 28
    async with database.read() as unit:
        assert await books(unit) == []
        assert await ledger_books(unit) == []
