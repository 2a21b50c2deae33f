"""Which wallets are there, what do they hold, and what has happened to them? SQL, read-only."""

from collections.abc import Sequence
from decimal import Decimal
from typing import Any

import msgspec
from sqlalchemy import String, and_, cast, literal, select, tuple_

from tollbridge.core.money import to_usd
from tollbridge.core.sight import Sight
from tollbridge.insight.pages import ROWS_MAX
from tollbridge.insight.sight_queries import subjects_in_sight
from tollbridge.ledger.wallet_book import GRANT
from tollbridge.ledger.wallet_store import transaction_of, wallet_row
from tollbridge.ledger.wallet_tables import (
    wallet_entries,
    wallet_grants,
    wallet_transactions,
    wallets,
)
from tollbridge.ledger.wallets import Grant, Kind, Transaction, Wallet, WalletUnit
from tollbridge.storage.unit import Unit

_ZERO = Decimal(0)


class StatementFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which transactions of a wallet; half-open in time."""

    kind: str | None = None
    from_us: int | None = None
    to_us: int | None = None


async def list_wallets(
    unit: Unit,
    sight: Sight | None,
    after_name: str = "",
    limit: int = ROWS_MAX,
    subject: str | None = None,
) -> list[Wallet]:
    """Return a page of wallets by name, beginning behind `after_name`.

    With `sight` only those of that user, of their keys, and of the projects that they manage and
    those projects' keys.
    """
    query = (
        select(wallets)
        .where(wallets.c.name > after_name, *subjects_in_sight(sight, wallets.c.subject))
        .order_by(wallets.c.name)
    )
    if subject is not None:
        query = query.where(wallets.c.subject == subject)
    found = await unit.connection.execute(query.limit(min(limit, ROWS_MAX)))
    return [wallet_row(row) for row in found]


async def find_wallet(unit: Unit, name: str, sight: Sight | None) -> Wallet | None:
    """Return a wallet, None where there is none that may be seen."""
    query = select(wallets).where(
        wallets.c.name == name, *subjects_in_sight(sight, wallets.c.subject)
    )
    row = (await unit.connection.execute(query)).first()
    return None if row is None else wallet_row(row)


async def list_transactions(
    unit: Unit, wallet_id: str, wanted: StatementFilter, before: int | None, limit: int
) -> list[Transaction]:
    """Return a page of a statement, the newest first, beginning before a number."""
    columns = wallet_transactions.c
    query = select(wallet_transactions).where(columns.wallet_id == wallet_id)
    if before is not None:
        query = query.where(columns.number < before)
    if wanted.kind is not None:
        query = query.where(columns.kind == wanted.kind)
    if wanted.from_us is not None:
        query = query.where(columns.posted_at_us >= wanted.from_us)
    if wanted.to_us is not None:
        query = query.where(columns.posted_at_us < wanted.to_us)
    found = await unit.connection.execute(
        query.order_by(columns.number.desc()).limit(min(limit, ROWS_MAX))
    )
    return [transaction_of(row) for row in found]


class CreditMove(msgspec.Struct, frozen=True):
    """A transaction of a wallet in credits, with what was paid for the credits that it took."""

    wallet: Wallet
    transaction: Transaction
    value_usd: Decimal | None
    """Less what it gave back to earlier grants; None: some were bought at a price nobody knows."""


async def credit_moves(
    unit: Unit,
    sights: Sequence[Sight],
    wanted: StatementFilter,
    after: tuple[str, int],
    limit: int,
) -> list[CreditMove]:
    """Return a page of what changed balances in credits, by wallet and number, behind a place."""
    columns = wallet_transactions.c
    place = tuple_(columns.wallet_id, columns.number)
    query = (
        select(wallets, *(one.label(f"of_{one.name}") for one in columns))
        .join_from(wallet_transactions, wallets, wallets.c.wallet_id == columns.wallet_id)
        .where(place > tuple_(literal(after[0]), literal(after[1])))
        .where(columns.amount != 0, wallets.c.unit == WalletUnit.CREDITS.value)
        .where(*(one for sight in sights for one in subjects_in_sight(sight, wallets.c.subject)))
        .order_by(columns.wallet_id, columns.number)
        .limit(min(limit, ROWS_MAX))
    )
    if wanted.from_us is not None:
        query = query.where(columns.posted_at_us >= wanted.from_us)
    if wanted.to_us is not None:
        query = query.where(columns.posted_at_us < wanted.to_us)
    rows: Sequence[Any] = (await unit.connection.execute(query)).all()
    transactions = [
        Transaction(**{name: getattr(row, f"of_{name}") for name in Transaction.__struct_fields__})
        for row in rows
    ]
    values = await _values(unit, transactions)
    return [
        CreditMove(wallet_row(row), one, values.get((one.wallet_id, one.number), _ZERO))
        for row, one in zip(rows, transactions, strict=True)
    ]


async def _values(
    unit: Unit, transactions: Sequence[Transaction]
) -> dict[tuple[str, int], Decimal | None]:
    """Return what was paid for the credits that transactions took, by their place."""
    of, grants = wallet_entries.c, wallet_transactions.alias("grants")
    bought = grants.c
    found: dict[tuple[str, int], Decimal | None] = {}
    numbers: dict[str, list[int]] = {}
    for one in transactions:
        numbers.setdefault(one.wallet_id, []).append(one.number)
    for side, sign in ((of.source, 1), (of.target, -1)):
        giver = literal(GRANT) + cast(bought.number, String)
        for wallet_id, these in numbers.items():
            query = (
                select(of.number, of.amount, bought.kind, bought.amount, bought.price_nanousd)
                .join_from(
                    wallet_entries,
                    grants,
                    and_(bought.wallet_id == of.wallet_id, giver == side),
                )
                .where(of.wallet_id == wallet_id, of.number.in_(these))
            )
            if sign < 0:
                # What fills a grant for the first time gives nothing back.
                query = query.where(bought.number != of.number)
            for number, amount, kind, whole, price in await unit.connection.execute(query):
                before = found.get((wallet_id, number), _ZERO)
                value = _paid(amount, kind, whole, price)
                both = None if before is None or value is None else before + sign * value
                found[wallet_id, number] = both
    return found


def _paid(amount: int, kind: str, whole: int, price_nanousd: int | None) -> Decimal | None:
    if kind != Kind.PURCHASE:
        return _ZERO
    return None if price_nanousd is None else to_usd(price_nanousd) * amount / whole


async def list_grants(unit: Unit, wallet_id: str, before: int | None, limit: int) -> list[Grant]:
    """Return a page of what a wallet was given, the newest first, as it was last written."""
    columns = wallet_grants.c
    query = select(wallet_grants).where(columns.wallet_id == wallet_id)
    if before is not None:
        query = query.where(columns.number < before)
    found = await unit.connection.execute(
        query.order_by(columns.number.desc()).limit(min(limit, ROWS_MAX))
    )
    return [
        Grant(**{name: getattr(row, name) for name in Grant.__struct_fields__}) for row in found
    ]
