"""Which budgets and wallets does the demo show, what counts in them, and how do they go again?

All are soft: they refuse nothing, whoever else works here. What they have counted is posted back
when they are removed. A wallet's lines are never deleted: it is emptied, and switched off.
"""

from collections.abc import Mapping, Sequence
from datetime import tzinfo
from typing import Any, Final

import msgspec
from sqlalchemy import delete, func, select

from tollbridge.cli.demo_world import DEMO
from tollbridge.core.call import Hold, new_id
from tollbridge.core.clock import SECOND_US
from tollbridge.core.evidence import Opened
from tollbridge.core.limits import LimitKind
from tollbridge.core.settlement import Settlement
from tollbridge.ledger.applying import NO_LEASE, subjects_of
from tollbridge.ledger.budgets import BudgetRow, BudgetTerms
from tollbridge.ledger.periods import period_bounds
from tollbridge.ledger.postings import budget_account
from tollbridge.ledger.store import PART, create_budget
from tollbridge.ledger.tables import budget_periods, budgets, postings
from tollbridge.ledger.wallet_moves import Adjust, AnyMove, By, Deduct, Grant, Purchase
from tollbridge.ledger.wallet_moves_store import move
from tollbridge.ledger.wallet_store import balance_at, change_wallet, create_wallet, find_wallet
from tollbridge.ledger.wallets import WalletTerms, WalletUnit
from tollbridge.storage import versions
from tollbridge.storage.unit import Unit

USD: Final = 10**9
CREDIT: Final = 10**6
DAY_US: Final = 24 * 3600 * SECOND_US
ROOM: Final = 10**15
"""More than any call takes: nothing of the demo is flagged as an overrun."""


def _budget(name: str, subject: str, amount: int, period: str, **more: Any) -> BudgetTerms:
    return BudgetTerms(f"{DEMO}-{name}", subject, amount, period, hard=False, **more)


BUDGETS: Final = (
    _budget("web-month", "project:web", 24 * USD, "month"),
    _budget("media-week", "project:media", 75 * USD, "week"),
    _budget("support-day", "user:support", 2 * USD, "day"),
    _budget("all-quarter", "organisation:default", 2000 * USD, "quarter"),
    _budget(
        "films", "organisation:default", 400, "month", kind=LimitKind.VIDEOS, category="video"
    ),
    _budget(
        "research-tokens", "user:research", 4 * 10**6, "month", kind=LimitKind.TOKENS,
        category="text",
    ),
)  # fmt: skip
WALLET: Final = WalletTerms(f"{DEMO}-contoso", f"customer:{DEMO}-contoso", WalletUnit.CREDITS, 0)
DEDUCTIONS: Final = 12
TOKENS_LEAST, TOKENS_STEP = 2760, 413


async def make_budgets(unit: Unit) -> list[BudgetRow]:
    """Add the demo's budgets. Raises ConflictError where a name is taken."""
    return [await create_budget(unit, terms) for terms in BUDGETS]


def holds_of(opened: Opened, rows: Sequence[BudgetRow], zone: tzinfo) -> tuple[Hold, ...]:
    """Return the budgets that a call counts in, in the period in which it was made."""
    subjects = {*subjects_of(opened.caller), f"customer:{opened.customer}"}
    return tuple(
        Hold(
            lease_id=NO_LEASE,
            budget_id=row.budget_id,
            period_start_us=period_bounds(row.terms.period, opened.received_at_us, zone)[0],
            amount=ROOM,
            kind=row.terms.kind,
        )
        for row in rows
        if row.terms.subject in subjects and row.terms.category in {"", opened.category.value}
    )


async def remove_budgets(unit: Unit) -> list[Settlement]:
    """Delete the demo's budgets; return what posts back all that they have counted."""
    names = [terms.name for terms in BUDGETS]
    query = select(budgets.c.budget_id, budgets.c.kind).where(budgets.c.name.in_(names))
    found = {row.budget_id: LimitKind(row.kind) for row in await unit.connection.execute(query)}
    if not found:
        return []
    back = await _posted(unit, found)
    await unit.connection.execute(delete(budgets).where(budgets.c.budget_id.in_(list(found))))
    await versions.bump(unit, PART)
    return back


async def forget_periods(unit: Unit, settled: Sequence[Settlement]) -> None:
    """Delete the periods of budgets that are gone, once all of it is posted back."""
    periods = budget_periods.c
    ids = {one.budget_id for one in settled}
    await unit.connection.execute(
        delete(budget_periods).where(
            periods.budget_id.in_(sorted(ids)), periods.spent == 0, periods.leased == 0
        )
    )


async def _posted(unit: Unit, kinds: Mapping[str, LimitKind]) -> list[Settlement]:
    periods = budget_periods.c
    query = select(periods.budget_id, periods.period_start_us).where(
        periods.budget_id.in_(list(kinds))
    )
    back: list[Settlement] = []
    for row in (await unit.connection.execute(query)).all():
        kind = kinds[row.budget_id]
        account = budget_account(row.budget_id, row.period_start_us, kind)
        total = select(func.sum(postings.c.amount)).where(postings.c.account == account)
        amount = int((await unit.connection.execute(total)).scalar() or 0)
        back.append(Settlement(NO_LEASE, row.budget_id, row.period_start_us, -amount, kind))
    return back


async def fill_wallet(unit: Unit, now_us: int, *, actor: str) -> None:
    """Make the demo's wallet, or switch it on again, with something in it and something spent."""
    if await find_wallet(unit, WALLET.name) is None:
        await create_wallet(unit, WALLET, actor=actor)
    else:
        await change_wallet(unit, WALLET.name, WALLET, actor=actor)
    moves: list[AnyMove] = [
        Purchase(amount=5000 * CREDIT, price_nanousd=50 * USD, note="five thousand credits"),
        Grant(amount=900 * CREDIT, expires_at_us=now_us + 12 * DAY_US, note="a present"),
        Grant(amount=40 * CREDIT, expires_at_us=now_us + 2 * DAY_US, note="for the weekend"),
    ]
    moves += [
        Deduct(operation="chat_completion", tokens=TOKENS_LEAST + number * TOKENS_STEP)
        for number in range(DEDUCTIONS)
    ]
    for one in moves:
        await _move(unit, one, now_us, actor)


async def empty_wallet(unit: Unit, now_us: int, *, actor: str) -> None:
    """Take out what is left of the demo's wallet and switch it off."""
    wallet = await find_wallet(unit, WALLET.name)
    if wallet is None or not wallet.terms.enabled:
        return
    left = await balance_at(unit, WALLET.name, await unit.now_us())
    if left:
        await _move(unit, Adjust(amount=-left, note="the demo is removed"), now_us, actor)
    off = msgspec.structs.replace(WALLET, enabled=False)
    await change_wallet(unit, WALLET.name, off, actor=actor)


async def _move(unit: Unit, wanted: AnyMove, now_us: int, actor: str) -> None:
    await move(unit, WALLET.name, wanted, By(actor, f"{DEMO}:{new_id(now_us)}"))
