"""A wallet of ada's, and what tests do with it."""

from sqlalchemy import select

from tests.support.wallet_twin import SECOND_US
from tollbridge.core.call import new_id
from tollbridge.core.clock import SystemClock
from tollbridge.ledger import wallet_store as store
from tollbridge.ledger.wallet_moves import (
    AnyMove,
    By,
)
from tollbridge.ledger.wallet_moves_store import Done, move
from tollbridge.ledger.wallet_tables import wallet_transactions
from tollbridge.ledger.wallets import (
    Transaction,
    Wallet,
    WalletDeduction,
    WalletRoom,
    WalletTerms,
)
from tollbridge.storage.unit import Database

CLOCK = SystemClock()
TERMS = WalletTerms("ada", "user:ada")
DAY_US = 86_400 * SECOND_US


def call_id() -> str:
    return new_id(CLOCK.now_us())


async def wallet(database: Database, terms: WalletTerms = TERMS) -> Wallet:
    async with database.write() as unit:
        return await store.create_wallet(unit, terms, actor="bob")


async def do(
    database: Database, wanted: AnyMove, key: str | None = None, at_us: int | None = None
) -> Done:
    async with database.write() as unit:
        return await move(unit, "ada", wanted, By("bob", key or call_id()), at_us)


async def charge(
    database: Database, found: Wallet, amount: int, at_us: int | None = None, call: str = ""
) -> None:
    one = WalletDeduction(call or call_id(), found.wallet_id, amount, "chat_completion", "m", 7)
    async with database.write() as unit:
        await store.deduct(unit, [one], CLOCK.now_us() if at_us is None else at_us)


async def statement(database: Database) -> list[Transaction]:
    async with database.read() as unit:
        found = await unit.connection.execute(
            select(wallet_transactions).order_by(wallet_transactions.c.number)
        )
        return [store.transaction_of(row) for row in found]


async def balance(database: Database, at_us: int | None = None) -> int:
    async with database.write() as unit:
        return await store.balance_at(unit, "ada", at_us or await unit.now_us())


async def room(database: Database, found: Wallet, now_us: int | None = None) -> WalletRoom:
    async with database.read() as unit:
        rooms = await store.rooms(unit, [found.wallet_id], now_us or await unit.now_us())
    return rooms[found.wallet_id]
