"""When is what is leased of a wallet asked back, and who is told?"""

import asyncio

import pytest
from sqlalchemy import insert, update

from tests.support.alerting import UTC
from tests.support.wallets import do, wallet
from tollbridge.core.errors import InsufficientCreditsError
from tollbridge.ledger.lease_store import DatabaseLedger
from tollbridge.ledger.tables import budget_periods
from tollbridge.ledger.wallet_moves import AnyMove, By, Deduct, Purchase, SetAside
from tollbridge.ledger.wallet_moves_store import Done, Recalling, move_in_time
from tollbridge.ledger.wallets import limit_id_of
from tollbridge.storage.unit import Database


@pytest.fixture
async def limit_id(database: Database) -> str:
    """The limit of ada's wallet, of whose 100 a worker has leased 80."""
    found = limit_id_of((await wallet(database)).wallet_id)
    await do(database, Purchase(amount=100))
    async with database.write() as unit:
        await unit.connection.execute(
            insert(budget_periods).values(budget_id=found, period_start_us=0, spent=0, leased=80)
        )
    return found


async def take(database: Database, wanted: AnyMove, recalling: Recalling) -> Done:
    return await move_in_time(database, "ada", wanted, By("bob", "key"), recalling)


async def recalled(database: Database) -> list[str]:
    """Return what the nodes find that somebody lacks."""
    return (await DatabaseLedger(database, "another", UTC).recalled_since(0))[0]


@pytest.mark.parametrize("wanted", [Deduct(amount=50), SetAside(amount=50, lasts_s=60)])
async def test_what_would_be_there_without_leases_is_asked_back_on_all_nodes(
    database: Database, limit_id: str, wanted: AnyMove
) -> None:
    asked: list[str] = []
    with pytest.raises(InsufficientCreditsError) as refusal:
        await take(database, wanted, Recalling(wait_s=0.12, ask=asked.append))
    assert set(asked) == {limit_id}
    assert await recalled(database) == [limit_id]
    assert refusal.value.details["leased"] == "0.00008"


async def test_what_is_given_back_meanwhile_is_taken(database: Database, limit_id: str) -> None:
    giving: list[asyncio.Task[None]] = []

    async def give_back() -> None:
        async with database.write() as unit:
            await unit.connection.execute(update(budget_periods).values(leased=10))

    def ask(asked: str) -> None:
        assert asked == limit_id
        giving.append(asyncio.create_task(give_back()))

    done = await take(database, Deduct(amount=50), Recalling(wait_s=30, ask=ask))
    assert done.transaction.balance_after == 50
    await asyncio.gather(*giving)


async def test_what_is_not_there_at_all_bothers_nobody(database: Database, limit_id: str) -> None:
    asked: list[str] = []
    with pytest.raises(InsufficientCreditsError):
        await take(database, Deduct(amount=101), Recalling(wait_s=60, ask=asked.append))
    assert asked == await recalled(database) == []
