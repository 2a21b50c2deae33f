"""How are wallets, their statements and credit rates shown, and how is an amount read?"""

from collections.abc import Sequence
from typing import Annotated

from pydantic import AwareDatetime, BaseModel, ConfigDict, Field

from tollbridge.api.control.page import NextCursor, instant_text
from tollbridge.core.amounts import amount_text, parse_amount
from tollbridge.core.clock import SECOND_US, to_text
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.money import usd_text
from tollbridge.ledger.wallet_book import Book
from tollbridge.ledger.wallet_store import leased_of, state_now
from tollbridge.ledger.wallets import (
    KEY_LENGTH_MAX,
    NOTE_LENGTH_MAX,
    Grant,
    GrantKind,
    Kind,
    Phase,
    Transaction,
    Wallet,
    WalletUnit,
)
from tollbridge.storage.unit import Unit

SOON_US = 30 * 86_400 * SECOND_US
AMOUNT_LENGTH_MAX = 40

Amount = Annotated[
    str,
    Field(max_length=AMOUNT_LENGTH_MAX, description='Decimal text in the wallet\'s unit: "19".'),
]
Note = Annotated[
    str, Field(max_length=NOTE_LENGTH_MAX, description="For whoever reads the statement.")
]
Key = Annotated[str, Field(min_length=1, max_length=KEY_LENGTH_MAX)]


class ExpiringShown(BaseModel):
    """What is gone soon, if nobody spends it."""

    amount: str
    expires_at: str


class WalletShown(BaseModel):
    """A wallet as it is now. Amounts are decimal text in its unit."""

    wallet_id: str
    name: str
    subject: str = Field(description="Whose it is, such as user:ada.")
    unit: WalletUnit
    balance: str = Field(description="What is left of all grants, less what is overdrawn.")
    held: str = Field(description="Of it, what is set aside until it is posted or voided.")
    leased: str = Field(description="Of it, what is granted to workers and not spent yet.")
    available: str = Field(
        description="Balance and overdraft, less what is held and leased; "
        "below nothing after an overrun."
    )
    overdraft: str = Field(description="How far below nothing the balance may go.")
    expiring: list[ExpiringShown] = Field(description="What expires within 30 days, soonest first.")
    enabled: bool = Field(description="False: calls are not charged to it.")
    transactions: int = Field(description="How many lines its statement has.")
    created_at: str
    updated_at: str


class WalletPage(BaseModel):
    """A page of wallets, by name."""

    wallets: list[WalletShown]
    next_cursor: NextCursor


class WalletOrder(BaseModel):
    """A new wallet. A subject has at most one of a unit."""

    model_config = ConfigDict(extra="forbid")

    name: str
    subject: str = Field(description="organisation:, project:, user:, key: or customer:, a name.")
    unit: WalletUnit = WalletUnit.CREDITS
    overdraft: Amount = "0"


class WalletChange(BaseModel):
    """What is changed of a wallet; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    name: str | None = None
    overdraft: Amount | None = None
    enabled: bool | None = None


class GrantShown(BaseModel):
    """What a wallet was given, and what is left of it."""

    number: int = Field(description="Of the transaction that gave it.")
    kind: GrantKind
    amount: str
    remaining: str
    priority: int = Field(description="The lowest is spent first, then what expires first.")
    granted_at: str
    expires_at: str | None
    expired: bool


class GrantPage(BaseModel):
    """A page of grants, the newest first."""

    grants: list[GrantShown]
    next_cursor: NextCursor


class TransactionShown(BaseModel):
    """One line of a statement; it never changes. Amounts are decimal text in the wallet's unit."""

    number: int = Field(description="Counts the wallet's transactions from 1 on, without a gap.")
    kind: Kind
    phase: Phase = Field(
        description="single; or of what is done in two steps: pending, then post, void or expire."
    )
    amount: str = Field(description="What it changed of the balance: negative for what went.")
    held: str = Field(description="What it changed of what is set aside.")
    balance_after: str
    held_after: str
    overrun: bool = Field(description="It left the balance beyond the overdraft.")
    about: int | None = Field(
        description="What it is about: a refund's deduction, the pending one of a post, void or "
        "expire, an expiry's grant."
    )
    posted_at: str = Field(description="From when it counts.")
    recorded_at: str = Field(description="When it was written down.")
    call_id: str | None
    operation: str | None
    model: str | None
    tokens: int | None
    images: int | None
    price_usd: str | None = Field(description="What was paid for a purchase.")
    actor: str
    note: str


class TransactionPage(BaseModel):
    """A page of a statement, the newest first, with the running balance."""

    transactions: list[TransactionShown]
    next_cursor: NextCursor


class BalanceShown(BaseModel):
    """A balance as of an instant. For an instant of the past it is always the same."""

    wallet: str
    unit: WalletUnit
    at: str
    balance: str


class _MoveOrder(BaseModel):
    model_config = ConfigDict(extra="forbid")

    note: Note = ""


class GivenOrder(_MoveOrder):
    """What is given, and how it is spent."""

    amount: Amount
    priority: int | None = Field(
        default=None,
        description="0 to 1000, the lowest is spent first; null: 10 for plan, 20 for promotional, "
        "30 for purchase.",
    )
    expires_at: AwareDatetime | None = Field(
        default=None, description="ISO 8601 with a zone; null: never."
    )


class PurchaseOrder(GivenOrder):
    """What somebody has paid for."""

    price_usd: str | None = Field(
        default=None, max_length=AMOUNT_LENGTH_MAX, description="What was paid for it."
    )


class GrantOrder(GivenOrder):
    """A present, or what a plan brings."""

    kind: GrantKind = GrantKind.PROMOTIONAL


class DeductionOrder(_MoveOrder):
    """An amount; or an operation, which takes what the credit rates say."""

    amount: Amount | None = None
    operation: str | None = None
    model: str = ""
    tokens: int | None = None
    images: int | None = None


class RefundOrder(_MoveOrder):
    """A deduction that is given back: an amount, so many images, or all that is left of it."""

    transaction: int = Field(description="The number of the deduction.")
    amount: Amount | None = None
    images: int | None = Field(default=None, description="How many of its images failed.")


class AdjustmentOrder(_MoveOrder):
    """A correction; `note` says why."""

    amount: Amount = Field(description='Decimal text, negative for what goes: "-5".')
    note: Note = Field(min_length=1)


class HoldOrder(_MoveOrder):
    """What is set aside; it ends sooner where the grants that it needs expire sooner."""

    amount: Amount
    expires_in_s: int = Field(default=900, description="At most 31 days.")


class PostOrder(_MoveOrder):
    """How much of it is deducted; null: all."""

    amount: Amount | None = None


class VoidOrder(_MoveOrder):
    """Nothing of it is deducted."""


def shown_amount(amount: int, unit: WalletUnit) -> str:
    """Return an amount as plain decimal text in the wallet's unit."""
    return amount_text(unit.limit_kind, amount)


def read_amount(param: str, text: str, unit: WalletUnit) -> int:
    """Return decimal text in the wallet's unit as a whole number; it may be negative.

    Raises InvalidRequestError.
    """
    bare = text.strip()
    try:
        amount = parse_amount(unit.limit_kind, bare.removeprefix("-"))
    except ValueError as error:
        raise InvalidRequestError(f"{param}: {error}", details={"param": param}) from error
    return -amount if bare.startswith("-") else amount


def read_credits(param: str, text: str) -> int:
    """Return decimal text in credits as micro-credits. Raises InvalidRequestError."""
    return read_amount(param, text, WalletUnit.CREDITS)


def credits_text(microcredits: int) -> str:
    """Return micro-credits as decimal text in credits."""
    return shown_amount(microcredits, WalletUnit.CREDITS)


def shown_wallet(wallet: Wallet, book: Book, leased: int, soon_us: int) -> WalletShown:
    """Return a wallet as its book says that it is now."""
    terms = wallet.terms
    unit = terms.unit
    expiring: dict[int, int] = {}
    for grant in book.grants.values():
        if grant.remaining and grant.expires_at_us is not None and grant.expires_at_us <= soon_us:
            at_us = grant.expires_at_us
            expiring[at_us] = expiring.get(at_us, 0) + grant.remaining
    return WalletShown(
        wallet_id=wallet.wallet_id,
        name=terms.name,
        subject=terms.subject,
        unit=unit,
        balance=shown_amount(book.balance, unit),
        held=shown_amount(book.held, unit),
        leased=shown_amount(leased, unit),
        available=shown_amount(book.available - leased, unit),
        overdraft=shown_amount(terms.overdraft, unit),
        expiring=[
            ExpiringShown(amount=shown_amount(amount, unit), expires_at=to_text(at_us))
            for at_us, amount in sorted(expiring.items())
        ],
        enabled=terms.enabled,
        transactions=book.count,
        created_at=to_text(wallet.created_at_us),
        updated_at=to_text(wallet.updated_at_us),
    )


async def shown_wallets(unit: Unit, page: Sequence[Wallet]) -> list[WalletShown]:
    """Return wallets as they are now."""
    books = await state_now(unit, page)
    leased = await leased_of(unit, books)
    soon_us = await unit.now_us() + SOON_US
    return [
        shown_wallet(one, books[one.wallet_id], leased.get(one.wallet_id, 0), soon_us)
        for one in page
    ]


def shown_grant(grant: Grant, unit: WalletUnit, now_us: int) -> GrantShown:
    """Return what a wallet was given; what has expired by now is gone."""
    expired = grant.expires_at_us is not None and grant.expires_at_us <= now_us
    return GrantShown(
        number=grant.number,
        kind=GrantKind(grant.kind),
        amount=shown_amount(grant.amount, unit),
        remaining=shown_amount(0 if expired else grant.remaining, unit),
        priority=grant.priority,
        granted_at=to_text(grant.granted_at_us),
        expires_at=instant_text(grant.expires_at_us),
        expired=expired,
    )


def shown_transaction(done: Transaction, unit: WalletUnit) -> TransactionShown:
    """Return one line of a statement."""
    return TransactionShown(
        number=done.number,
        kind=Kind(done.kind),
        phase=Phase(done.phase),
        amount=shown_amount(done.amount, unit),
        held=shown_amount(done.held, unit),
        balance_after=shown_amount(done.balance_after, unit),
        held_after=shown_amount(done.held_after, unit),
        overrun=done.is_overrun,
        about=done.about_number,
        posted_at=to_text(done.posted_at_us),
        recorded_at=to_text(done.recorded_at_us),
        call_id=None if done.call_id is None else str(done.call_id),
        operation=done.operation,
        model=done.model,
        tokens=done.tokens,
        images=done.images,
        price_usd=None if done.price_nanousd is None else usd_text(done.price_nanousd),
        actor=done.actor,
        note=done.note,
    )
