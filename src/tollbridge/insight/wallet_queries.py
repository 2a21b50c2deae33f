"""Which wallets are there, what do they hold, and what has happened to them? SQL, read-only."""

import msgspec
from sqlalchemy import select

from tollbridge.core.sight import Sight
from tollbridge.insight.sight_queries import subjects_in_sight
from tollbridge.ledger.wallet_store import transaction_of, wallet_row
from tollbridge.ledger.wallet_tables import wallet_grants, wallet_transactions, wallets
from tollbridge.ledger.wallets import Grant, Transaction, Wallet
from tollbridge.storage.unit import Unit

ROWS_MAX = 1001
"""Most rows of any list here: a page of a thousand, and one to know that there are more."""


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
