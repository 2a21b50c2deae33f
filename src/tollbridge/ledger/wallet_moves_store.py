"""How is what somebody does to a wallet written down, once?"""

import asyncio
from collections.abc import Callable, Sequence

import msgspec
from sqlalchemy import func, select

from tollbridge.core.amounts import amount_text
from tollbridge.core.errors import BudgetExceededError, InsufficientCreditsError
from tollbridge.ledger import rows as budget_rows
from tollbridge.ledger import wallet_rows as rows
from tollbridge.ledger.allot import Changes
from tollbridge.ledger.credit_store import load_rates
from tollbridge.ledger.wallet_book import GRANT, OVERDRAFT, USED
from tollbridge.ledger.wallet_moves import (
    Adjust,
    AnyMove,
    By,
    Deduct,
    Refund,
    Seen,
    SetAside,
    apply,
    check_move,
    digest,
)
from tollbridge.ledger.wallet_store import (
    TOTAL_START_US,
    get_transaction,
    get_wallet,
    leased_of,
    transaction_of,
)
from tollbridge.ledger.wallet_tables import wallet_entries, wallet_transactions
from tollbridge.ledger.wallets import (
    Part,
    Transaction,
    Wallet,
    WalletUnit,
    limit_id_of,
    reused,
    wrong,
)
from tollbridge.storage import audit
from tollbridge.storage.unit import Database, Unit

RETRY_MS = 50
"""Between two looks for what workers give back."""
REPAID_MAX = 1000
"""Most grants that are asked whether they have paid back an overdraft."""


class Done(msgspec.Struct, frozen=True):
    """What a move came to."""

    wallet: Wallet
    transaction: Transaction
    replayed: bool
    """Whether it had been done before, and nothing was done now."""


class Short(msgspec.Struct, frozen=True):
    """The wallet does not hold as much."""

    limit_id: str
    error: BudgetExceededError
    is_leased: bool
    """Whether it would, with what is leased to workers."""


class Recalling(msgspec.Struct, frozen=True):
    """How what workers hold and do not use is asked back."""

    wait_s: float
    """So long is waited for it."""
    ask: Callable[[str], None] = lambda _: None
    """Asks this node's workers for what they can spare of a limit, at once; else the office finds
    in the database that it is wanted, as those of the other nodes do."""


async def move_in_time(
    database: Database, name: str, wanted: AnyMove, by: By, recalling: Recalling
) -> Done:
    """Do what `move` does in a unit of its own; what workers hold idle refuses nobody.

    It is asked back first: a refusal then means that calls under way need it, or that it is gone.
    """
    loop = asyncio.get_running_loop()
    until_s = loop.time() + recalling.wait_s
    while True:
        async with database.write() as unit:
            done = await _attempt(unit, name, wanted, by)
            if isinstance(done, Short) and done.is_leased:
                key = (done.limit_id, TOTAL_START_US)
                await budget_rows.write(unit, await unit.now_us(), Changes(recalled={key}))
        if isinstance(done, Done):
            return done
        left_s = until_s - loop.time()
        if not done.is_leased or left_s <= 0:
            raise done.error
        recalling.ask(done.limit_id)
        await asyncio.sleep(min(RETRY_MS / 1000, left_s))


async def move(unit: Unit, name: str, wanted: AnyMove, by: By, at_us: int | None = None) -> Done:
    """Do something to a wallet, once for each idempotency key.

    Raises NotFoundError, InvalidRequestError, BudgetExceededError where the wallet does not hold
    as much, ConflictError where the key was used for something else.
    """
    done = await _attempt(unit, name, wanted, by, at_us)
    if isinstance(done, Short):
        raise done.error
    return done


async def _attempt(
    unit: Unit, name: str, wanted: AnyMove, by: By, at_us: int | None = None
) -> Done | Short:
    check_move(wanted)
    wallet = await get_wallet(unit, name)
    takes = isinstance(wanted, Deduct | SetAside) or (
        isinstance(wanted, Adjust) and wanted.amount < 0
    )
    if takes:
        # Before the wallet's own row: who leases to workers takes them in this order.
        period = (limit_id_of(wallet.wallet_id), TOTAL_START_US)
        await budget_rows.lock(unit, [period], ())
    loaded = await rows.lock(unit, [wallet.wallet_id])
    before = await find_by_key(unit, wallet, by.idempotency_key)
    if before is not None:
        if before.payload != digest(wanted):
            raise reused(by.idempotency_key)
        return Done(wallet, before, replayed=True)
    leased = (await leased_of(unit, [wallet.wallet_id])).get(wallet.wallet_id, 0) if takes else 0
    seen = Seen(leased=max(0, leased))
    more: list[rows.Grant] = []
    if isinstance(wanted, Deduct) and wanted.amount is None:
        if wallet.terms.unit is not WalletUnit.CREDITS:
            raise wrong("amount", "credit rates are for wallets of credits; name an amount")
        seen = msgspec.structs.replace(seen, rates=await load_rates(unit))
    elif isinstance(wanted, Refund):
        seen = await _history(unit, wallet, wanted.number)
        accounts = {part.account for part in (*seen.parts, *seen.repaid)} - {OVERDRAFT}
        numbers = [int(one.removeprefix(GRANT)) for one in sorted(accounts)]
        more = await rows.grants_of(unit, wallet.wallet_id, numbers)
    book = loaded.books(at_us, more)[wallet.wallet_id]
    try:
        done = apply(book, wanted, by, seen)
    except BudgetExceededError as error:
        return _short(wallet, error)
    await rows.write(unit, [book])
    await audit.record(
        unit, by.actor, f"wallets.{done.kind}", f"wallet:{name}", _details(wallet, done)
    )
    return Done(wallet, done, replayed=False)


async def touch(unit: Unit, wallet_ids: Sequence[str], at_us: int | None = None) -> int:
    """Write down what has expired of some wallets; return how many transactions that were."""
    books = (await rows.lock(unit, wallet_ids)).books(at_us)
    await rows.write(unit, books.values())
    return sum(len(book.transactions) for book in books.values())


def _short(wallet: Wallet, error: BudgetExceededError) -> Short:
    """Return the refusal of a wallet that does not hold as much, in its own unit."""
    unit = wallet.terms.unit
    make = InsufficientCreditsError if unit is WalletUnit.CREDITS else BudgetExceededError
    amounts = {name: value for name, value in error.details.items() if isinstance(value, int)}
    refusal = make(
        f"the wallet {wallet.terms.name!r} does not hold as much",
        details={
            "wallet": wallet.terms.name,
            "unit": unit.value,
            **{name: amount_text(unit.limit_kind, value) for name, value in amounts.items()},
        },
    )
    leased = amounts["leased"]
    is_leased = leased > 0 and amounts["asked"] <= amounts["available"] + leased
    return Short(limit_id_of(wallet.wallet_id), refusal, is_leased)


async def find_by_key(unit: Unit, wallet: Wallet, key: str) -> Transaction | None:
    """Return what was done to a wallet under an idempotency key, None where nothing was."""
    columns = wallet_transactions.c
    found = await unit.connection.execute(
        select(wallet_transactions).where(
            columns.wallet_id == wallet.wallet_id, columns.idempotency_key == key
        )
    )
    row = found.first()
    return None if row is None else transaction_of(row)


async def _history(unit: Unit, wallet: Wallet, number: int) -> Seen:
    """Return what a refund of a transaction must know. Raises NotFoundError."""
    about = await get_transaction(unit, wallet, number)
    entries, done = wallet_entries.c, wallet_transactions.c
    own = entries.wallet_id == wallet.wallet_id
    taken = await unit.connection.execute(
        select(entries.source, entries.amount)
        .where(own, entries.number == number, entries.target == USED)
        .order_by(entries.line)
    )
    back = await unit.connection.execute(
        select(entries.target, func.sum(entries.amount).label("total"))
        .join(
            wallet_transactions,
            (done.wallet_id == entries.wallet_id) & (done.number == entries.number),
        )
        .where(own, done.about_number == number, entries.source == USED)
        .group_by(entries.target)
    )
    # PostgreSQL sums whole numbers to a decimal.
    given_back = {row.target: int(row.total) for row in back}
    parts = [Part(row.source, row.amount) for row in taken]
    for part in reversed(parts):
        less = min(part.amount, given_back.pop(part.account, 0))
        part.amount -= less
    # What went back elsewhere was of the overdraft, and had been paid back by then.
    elsewhere = sum(given_back.values())
    for part in parts:
        if part.account == OVERDRAFT:
            part.amount -= min(part.amount, elsewhere)
    paid = await unit.connection.execute(
        select(entries.source, entries.amount)
        .where(own, entries.target == OVERDRAFT, entries.source.startswith(GRANT))
        .order_by(entries.number.desc())
        .limit(REPAID_MAX)
    )
    repaid = [Part(row.source, row.amount) for row in paid]
    if not any(part.account == OVERDRAFT and part.amount for part in parts):
        repaid = []
    return Seen(about=about, parts=tuple(parts), repaid=tuple(repaid))


def _details(wallet: Wallet, done: Transaction) -> dict[str, object]:
    # Whole numbers beyond 2^53 are not every reader's: as text.
    unit = wallet.terms.unit
    amount = f"{amount_text(unit.limit_kind, done.amount)} {unit.value}"
    return {"transaction": done.number, "amount": amount, "phase": done.phase}
