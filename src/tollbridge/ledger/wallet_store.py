"""Which wallets are there, what may be leased of them, and what do calls take?

What people do to a wallet is in `wallet_moves_store.py`. Where no instant is handed in it is the
database's; none is ever later than that.
"""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, Select, insert, select, union, update

from tollbridge.core.call import new_id
from tollbridge.core.errors import ConflictError, NotFoundError
from tollbridge.ledger import wallet_rows as rows
from tollbridge.ledger.store import PART
from tollbridge.ledger.tables import budget_periods
from tollbridge.ledger.wallet_book import Book
from tollbridge.ledger.wallet_tables import (
    wallet_grants,
    wallet_holds,
    wallet_transactions,
    wallets,
)
from tollbridge.ledger.wallets import (
    OWN_KEYS,
    Transaction,
    Wallet,
    WalletDeduction,
    WalletEntry,
    WalletRoom,
    WalletTerms,
    WalletUnit,
    What,
    check_terms,
    limit_id_of,
)
from tollbridge.storage import audit, versions
from tollbridge.storage.unit import Unit

ENTRIES_MAX = 1_000_000
"""Most wallets that the workers are told of."""
TOTAL_START_US = 0
"""Where the period of a wallet's leases begins: it has only one."""


async def wallet_entries(unit: Unit) -> list[WalletEntry]:
    """Return the wallets that calls are charged to, for the limits' part of the snapshot."""
    found = await unit.connection.execute(
        select(wallets.c.wallet_id, wallets.c.subject, wallets.c.unit, wallets.c.name)
        .where(wallets.c.enabled)
        .order_by(wallets.c.wallet_id)
        .limit(ENTRIES_MAX)
    )
    return [
        WalletEntry(
            limit_id_of(row.wallet_id), row.subject, WalletUnit(row.unit).limit_kind, row.name
        )
        for row in found
    ]


async def rooms(unit: Unit, wallet_ids: Sequence[str], now_us: int) -> dict[str, WalletRoom]:
    """Return what may be leased of wallets at an instant, leases aside; unknown ones are left out.

    What has expired by then is not in it, whether that is written down or not.
    """
    loaded = await rows.read(unit, wallet_ids, now_us)
    return {
        one: WalletRoom(
            book.available,
            min(
                (
                    grant.expires_at_us
                    for grant in book.grants.values()
                    if grant.remaining and grant.expires_at_us is not None
                ),
                default=None,
            ),
        )
        for one, book in loaded.books(None).items()
    }


async def deduct(unit: Unit, deductions: Sequence[WalletDeduction], posted_at_us: int) -> None:
    """Take what calls have cost from their wallets, each call once; never fails for want of money.

    An overrun is posted and flagged. A wallet that is not there (the database was cut back by a
    power failure) is passed over.
    """
    if not deductions:
        return
    loaded = await rows.lock(unit, {one.wallet_id for one in deductions})
    known = await rows.known_calls(unit, sorted({one.call_id for one in deductions}))
    books = loaded.books(posted_at_us)
    for one in deductions:
        book = books.get(one.wallet_id)
        place = (one.call_id, one.wallet_id)
        if book is None or place in known:
            continue
        known.add(place)
        book.deduct(
            one.amount,
            What(
                call_id=one.call_id,
                operation=one.operation,
                model=one.model,
                tokens=one.tokens,
                images=one.images,
            ),
        )
    await rows.write(unit, books.values())


async def correct(unit: Unit, batch_id: str, differences: Mapping[str, int]) -> None:
    """Post what a batch of corrections of past costs changes, by wallet id.

    Now, whenever the calls were. `batch_id` was never posted before.
    """
    changed = {one: amount for one, amount in differences.items() if amount}
    books = (await rows.lock(unit, changed)).books(None)
    for wallet_id, book in books.items():
        what = What(
            actor="correction",
            note="past calls were priced again",
            idempotency_key=f"{OWN_KEYS}correction:{batch_id}",
        )
        book.correct(changed[wallet_id], what)
    await rows.write(unit, books.values())


async def create_wallet(unit: Unit, terms: WalletTerms, *, actor: str) -> Wallet:
    """Add a wallet with nothing in it.

    Raises InvalidRequestError, and ConflictError where the name is taken, or the subject has one
    of that unit already.
    """
    check_terms(terms)
    taken = await unit.connection.execute(
        select(wallets.c.name).where(
            (wallets.c.name == terms.name)
            | ((wallets.c.subject == terms.subject) & (wallets.c.unit == terms.unit.value))
        )
    )
    other = taken.scalar()
    if other is not None:
        raise ConflictError(
            f"there is a wallet {other!r} already, of that name or for that subject and unit",
            details={"wallet": other},
        )
    # Before the name is ours, as in changing one.
    await versions.bump(unit, PART)
    now_us = await unit.now_us()
    wallet_id = new_id(now_us)
    await unit.connection.execute(
        insert(wallets).values(
            wallet_id=wallet_id,
            balance=0,
            held=0,
            transaction_count=0,
            last_at_us=0,
            created_at_us=now_us,
            updated_at_us=now_us,
            **_values(terms),
        )
    )
    details = {"subject": terms.subject, "unit": terms.unit.value}
    await audit.record(unit, actor, "wallets.create", f"wallet:{terms.name}", details)
    return await get_wallet(unit, terms.name)


async def change_wallet(unit: Unit, name: str, terms: WalletTerms, *, actor: str) -> Wallet:
    """Give a wallet another name or overdraft, or switch it on or off. Raises as creating does.

    An overdraft below what is overdrawn is allowed: nothing more is spent. Subject and unit stay.
    """
    check_terms(terms)
    found = await get_wallet(unit, name)
    if (terms.subject, terms.unit) != (found.terms.subject, found.terms.unit):
        raise ConflictError("a wallet keeps its subject and its unit")
    if terms == found.terms:
        return found
    if terms.name != name and await find_wallet(unit, terms.name) is not None:
        raise ConflictError(f"there is a wallet {terms.name!r} already")
    # Before the wallet's row is ours: a plan that brings credits bumps first, and then wants it.
    await versions.bump(unit, PART)
    await unit.connection.execute(
        update(wallets)
        .where(wallets.c.wallet_id == found.wallet_id)
        .values(updated_at_us=await unit.now_us(), **_values(terms))
    )
    details = {"name": terms.name, "overdraft": str(terms.overdraft), "enabled": terms.enabled}
    await audit.record(unit, actor, "wallets.change", f"wallet:{name}", details)
    return await get_wallet(unit, terms.name)


async def find_wallet(unit: Unit, name: str) -> Wallet | None:
    """Return the wallet of a name, None where there is none."""
    return await _one(unit, select(wallets).where(wallets.c.name == name))


async def wallet_of(unit: Unit, subject: str, counted: WalletUnit) -> Wallet | None:
    """Return a subject's wallet of a unit, None where there is none."""
    return await _one(
        unit,
        select(wallets).where(wallets.c.subject == subject, wallets.c.unit == counted.value),
    )


async def get_wallet(unit: Unit, name: str) -> Wallet:
    """Return the wallet of a name. Raises NotFoundError."""
    found = await find_wallet(unit, name)
    if found is None:
        raise NotFoundError(f"there is no wallet named {name!r}")
    return found


async def leased_of(unit: Unit, wallet_ids: Collection[str]) -> dict[str, int]:
    """Return what is leased of wallets to workers, by wallet id."""
    limit_ids = {limit_id_of(one): one for one in wallet_ids}
    found = await unit.connection.execute(
        select(budget_periods.c.budget_id, budget_periods.c.leased).where(
            budget_periods.c.budget_id.in_(list(limit_ids)),
            budget_periods.c.period_start_us == TOTAL_START_US,
        )
    )
    return {limit_ids[row.budget_id]: row.leased for row in found}


async def state_now(unit: Unit, wallets_now: Iterable[Wallet]) -> dict[str, Book]:
    """Return wallets as they are at this moment, by wallet id; nothing is written."""
    ids = [one.wallet_id for one in wallets_now]
    return (await rows.read(unit, ids, await unit.now_us())).books(None)


async def balance_at(unit: Unit, name: str, at_us: int) -> int:
    """Return a wallet's balance as of an instant that is not in the future, once and for all.

    In a writing unit: what has expired is written down, and from now on what happens is dated
    after that instant. Raises NotFoundError.
    """
    wallet = await get_wallet(unit, name)
    loaded = await rows.lock(unit, [wallet.wallet_id])
    book = loaded.books(None)[wallet.wallet_id]
    await rows.write(unit, [book])
    told_us = min(at_us, loaded.now_us[wallet.wallet_id])
    await unit.connection.execute(
        update(wallets)
        .where(wallets.c.wallet_id == wallet.wallet_id, wallets.c.last_at_us <= told_us)
        .values(last_at_us=told_us + 1)
    )
    columns = wallet_transactions.c
    found = await unit.connection.execute(
        select(columns.balance_after)
        .where(columns.wallet_id == wallet.wallet_id, columns.posted_at_us <= at_us)
        .order_by(columns.posted_at_us.desc(), columns.number.desc())
        .limit(1)
    )
    return found.scalar() or 0


async def with_expired(unit: Unit, limit: int) -> Sequence[str]:
    """Return the ids of wallets of which something has expired that is not written down."""
    now_us = await unit.now_us()
    grants, holds = wallet_grants.c, wallet_holds.c
    found = await unit.connection.execute(
        union(
            select(grants.wallet_id).where(grants.remaining != 0, grants.expires_at_us <= now_us),
            select(holds.wallet_id).where(holds.is_open, holds.expires_at_us <= now_us),
        ).limit(limit)
    )
    return found.scalars().all()


async def get_transaction(unit: Unit, wallet: Wallet, number: int) -> Transaction:
    """Return one line of a wallet's statement. Raises NotFoundError."""
    columns = wallet_transactions.c
    found = await unit.connection.execute(
        select(wallet_transactions).where(
            columns.wallet_id == wallet.wallet_id, columns.number == number
        )
    )
    row = found.first()
    if row is None:
        raise NotFoundError(f"the wallet {wallet.terms.name!r} has no transaction {number}")
    return transaction_of(row)


def transaction_of(row: Row[Any]) -> Transaction:
    """Return a row of the statement."""
    return Transaction(**{name: getattr(row, name) for name in Transaction.__struct_fields__})


async def _one(unit: Unit, query: Select[Any]) -> Wallet | None:
    found = await unit.connection.execute(query)
    row = found.first()
    return None if row is None else wallet_row(row)


def wallet_row(row: Row[Any]) -> Wallet:
    """Return a wallet as its row says."""
    return Wallet(
        wallet_id=row.wallet_id,
        terms=WalletTerms(row.name, row.subject, WalletUnit(row.unit), row.overdraft, row.enabled),
        balance=row.balance,
        held=row.held,
        count=row.transaction_count,
        last_at_us=row.last_at_us,
        created_at_us=row.created_at_us,
        updated_at_us=row.updated_at_us,
    )


def _values(terms: WalletTerms) -> dict[str, Any]:
    return msgspec.structs.asdict(terms)
