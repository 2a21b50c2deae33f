"""What does whose wallet hold, and what has happened to it?"""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query
from pydantic import AwareDatetime, Field

from tollbridge.api.control import wallet_views as views
from tollbridge.api.control.page import PageQuery, cut, decode_cursor, instant_us
from tollbridge.api.control.page import Query as Parameters
from tollbridge.api.deps import AdminOf, ControlOf, Viewer, ViewerOf, actor_of
from tollbridge.core.clock import to_text, to_us
from tollbridge.core.errors import InvalidRequestError, NotFoundError
from tollbridge.insight import wallet_queries as queries
from tollbridge.ledger import wallet_store as store
from tollbridge.ledger.wallets import (
    SUBJECT_LENGTH_MAX,
    Kind,
    Wallet,
    WalletTerms,
)
from tollbridge.storage.unit import Unit

router = APIRouter(prefix="/wallets", tags=["wallets"])


class WalletsQuery(PageQuery):
    """Which wallets."""

    subject: str | None = Field(default=None, max_length=SUBJECT_LENGTH_MAX)


class StatementQuery(PageQuery):
    """Which transactions."""

    kind: Kind | None = None
    from_: AwareDatetime | None = Field(default=None, alias="from")
    to: AwareDatetime | None = Field(default=None, description="Not included.")


class BalanceQuery(Parameters):
    """As of when."""

    at: AwareDatetime | None = Field(default=None, description="Not in the future; null: now.")


@router.get("")
async def list_page(
    query: Annotated[WalletsQuery, Query()], viewer: ViewerOf, control: ControlOf
) -> views.WalletPage:
    """List wallets by name; whoever is no admin sees their own and those of their projects."""
    after = "" if query.cursor is None else decode_cursor(query.cursor, tuple[str])[0]
    async with control.services.database.read() as unit:
        rows = await queries.list_wallets(unit, viewer.sight, after, query.limit + 1, query.subject)
        page, following = cut(rows, query.limit, lambda row: (row.terms.name,))
        shown = await views.shown_wallets(unit, page)
    return views.WalletPage(wallets=shown, next_cursor=following)


@router.post("", status_code=201)
async def create(
    order: views.WalletOrder, viewer: AdminOf, control: ControlOf
) -> views.WalletShown:
    """Make a wallet with nothing in it; from now on its subject's calls are charged to it.

    409 where the name is taken, or the subject has one of that unit.
    """
    overdraft = views.read_amount("overdraft", order.overdraft, order.unit)
    terms = WalletTerms(order.name, order.subject, order.unit, overdraft)
    async with control.services.database.write() as unit:
        made = await store.create_wallet(unit, terms, actor=actor_of(viewer))
        return (await views.shown_wallets(unit, [made]))[0]


@router.get("/{name}")
async def show(name: str, viewer: ViewerOf, control: ControlOf) -> views.WalletShown:
    """Show what a wallet holds now, what of it is set aside, and what expires soon."""
    async with control.services.database.read() as unit:
        return (await views.shown_wallets(unit, [await _find(unit, name, viewer)]))[0]


@router.patch("/{name}")
async def change(
    name: str, wanted: views.WalletChange, viewer: AdminOf, control: ControlOf
) -> views.WalletShown:
    """Give a wallet another name or overdraft, or switch it off: calls are not charged to it."""
    async with control.services.database.write() as unit:
        before = (await store.get_wallet(unit, name)).terms
        terms = msgspec.structs.replace(
            before,
            name=before.name if wanted.name is None else wanted.name,
            overdraft=before.overdraft
            if wanted.overdraft is None
            else views.read_amount("overdraft", wanted.overdraft, before.unit),
            enabled=before.enabled if wanted.enabled is None else wanted.enabled,
        )
        made = await store.change_wallet(unit, name, terms, actor=actor_of(viewer))
        return (await views.shown_wallets(unit, [made]))[0]


@router.get("/{name}/balance")
async def show_balance(
    name: str, query: Annotated[BalanceQuery, Query()], viewer: ViewerOf, control: ControlOf
) -> views.BalanceShown:
    """Show a balance as of an instant; for one of the past it never changes again."""
    # Writing: what has been told once is made to stand.
    async with control.services.database.write() as unit:
        wallet = await _find(unit, name, viewer)
        now_us = await unit.now_us()
        at_us = now_us if query.at is None else to_us(query.at)
        if at_us > now_us:
            raise InvalidRequestError("`at` is in the future", details={"param": "at"})
        balance = await store.balance_at(unit, name, at_us)
    return views.BalanceShown(
        wallet=wallet.terms.name,
        unit=wallet.terms.unit,
        at=to_text(at_us),
        balance=views.shown_amount(balance, wallet.terms.unit),
    )


@router.get("/{name}/transactions")
async def list_transactions(
    name: str, query: Annotated[StatementQuery, Query()], viewer: ViewerOf, control: ControlOf
) -> views.TransactionPage:
    """List a wallet's statement with the running balance, the newest first.

    What has expired a moment ago may not be written down yet; balances know of it all the same.
    """
    before = None if query.cursor is None else decode_cursor(query.cursor, tuple[int])[0]
    wanted = queries.StatementFilter(
        kind=query.kind, from_us=instant_us(query.from_), to_us=instant_us(query.to)
    )
    async with control.services.database.read() as unit:
        wallet = await _find(unit, name, viewer)
        rows = await queries.list_transactions(
            unit, wallet.wallet_id, wanted, before, query.limit + 1
        )
    page, following = cut(rows, query.limit, lambda row: (row.number,))
    return views.TransactionPage(
        transactions=[views.shown_transaction(row, wallet.terms.unit) for row in page],
        next_cursor=following,
    )


@router.get("/{name}/grants")
async def list_grants(
    name: str, query: Annotated[PageQuery, Query()], viewer: ViewerOf, control: ControlOf
) -> views.GrantPage:
    """List what a wallet was given and what is left of each, the newest first."""
    before = None if query.cursor is None else decode_cursor(query.cursor, tuple[int])[0]
    async with control.services.database.read() as unit:
        wallet = await _find(unit, name, viewer)
        rows = await queries.list_grants(unit, wallet.wallet_id, before, query.limit + 1)
        now_us = await unit.now_us()
    page, following = cut(rows, query.limit, lambda row: (row.number,))
    return views.GrantPage(
        grants=[views.shown_grant(row, wallet.terms.unit, now_us) for row in page],
        next_cursor=following,
    )


async def _find(unit: Unit, name: str, viewer: Viewer) -> Wallet:
    found = await queries.find_wallet(unit, name, viewer.sight)
    if found is None:
        raise NotFoundError(f"there is no wallet named {name!r} that you may see")
    return found
