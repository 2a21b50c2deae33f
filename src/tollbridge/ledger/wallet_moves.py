"""What can people do to a wallet? Pure.

Each move is a value; its digest says whether two requests under one idempotency key ask the same.
"""

import hashlib

import msgspec

from tollbridge.core.limits import MODEL_LENGTH_MAX
from tollbridge.ledger.credits import OPERATION_LENGTH_MAX, CreditRates, credits_of
from tollbridge.ledger.wallet_book import Book
from tollbridge.ledger.wallets import (
    KEY_LENGTH_MAX,
    NOTE_LENGTH_MAX,
    OWN_KEYS,
    Given,
    GrantKind,
    Kind,
    Part,
    Phase,
    Transaction,
    What,
    check_text,
    wrong,
)

MONEY_NANOUSD_MAX = 10**18
HOLD_S_MAX = 31 * 86_400
SECOND_US = 1_000_000
COUNT_MAX = 10**15


class Move(msgspec.Struct, frozen=True, kw_only=True, tag_field="move"):
    """What is asked; `note` is for whoever reads the statement."""

    note: str = ""


class Purchase(Move, frozen=True, kw_only=True, tag="purchase"):
    """The wallet gets what somebody has paid for."""

    amount: int
    price_nanousd: int | None = None
    priority: int | None = None
    expires_at_us: int | None = None


class Grant(Move, frozen=True, kw_only=True, tag="grant"):
    """The wallet gets a present, or what a plan brings."""

    amount: int
    kind: GrantKind = GrantKind.PROMOTIONAL
    priority: int | None = None
    expires_at_us: int | None = None


class Deduct(Move, frozen=True, kw_only=True, tag="deduct"):
    """Something is paid for: an amount, or what an operation takes by the credit rates."""

    amount: int | None = None
    operation: str | None = None
    model: str = ""
    tokens: int | None = None
    images: int | None = None


class Refund(Move, frozen=True, kw_only=True, tag="refund"):
    """A deduction is given back: an amount, so many of its images, or all that is left of it."""

    number: int
    amount: int | None = None
    images: int | None = None


class Adjust(Move, frozen=True, kw_only=True, tag="adjust"):
    """The balance is corrected, up or down."""

    amount: int


class SetAside(Move, frozen=True, kw_only=True, tag="hold"):
    """An amount is set aside, to be posted or voided."""

    amount: int
    lasts_s: int


class Post(Move, frozen=True, kw_only=True, tag="post"):
    """What was set aside is deducted, or a part of it."""

    number: int
    amount: int | None = None


class Void(Move, frozen=True, kw_only=True, tag="void"):
    """What was set aside is free again."""

    number: int


AnyMove = Purchase | Grant | Deduct | Refund | Adjust | SetAside | Post | Void


class By(msgspec.Struct, frozen=True):
    """Who asks, and under which key: the same again does nothing."""

    actor: str
    idempotency_key: str


class Seen(msgspec.Struct, frozen=True):
    """What a move needs of the rest of the books."""

    leased: int = 0
    rates: CreditRates | None = None
    about: Transaction | None = None
    parts: tuple[Part, ...] = ()
    """What of the deduction that is given back has not been given back yet."""
    repaid: tuple[Part, ...] = ()


def digest(move: AnyMove) -> str:
    """Return what tells two moves apart."""
    return hashlib.sha256(msgspec.json.encode(move)).hexdigest()


def check_key(key: str) -> None:
    """Raise InvalidRequestError where nobody may use such an idempotency key."""
    if not (0 < len(key) <= KEY_LENGTH_MAX and key.isascii() and key.isprintable()):
        raise wrong("idempotency-key", f"an idempotency key has 1 to {KEY_LENGTH_MAX} characters")
    if key.startswith(OWN_KEYS):
        raise wrong("idempotency-key", f"keys that begin with {OWN_KEYS} are the gateway's own")


def check_move(move: AnyMove) -> None:
    """Raise InvalidRequestError where a move makes no sense, whatever the wallet holds."""
    check_text("note", move.note, 0, NOTE_LENGTH_MAX)
    if isinstance(move, Refund | Post | Void) and not 0 < move.number <= COUNT_MAX:
        raise wrong("transaction", "a transaction's number counts from 1 on")
    match move:
        case Purchase(price_nanousd=price) if price is not None:
            if not 0 <= price <= MONEY_NANOUSD_MAX:
                raise wrong("price_usd", "price_usd is between 0 and a billion US dollars")
        case Deduct():
            _check_deduct(move)
        case Refund():
            _check_refund(move)
        case Adjust(amount=0):
            raise wrong("amount", "an adjustment changes something")
        case SetAside(lasts_s=lasts_s):
            if not 0 < lasts_s <= HOLD_S_MAX:
                raise wrong("expires_in_s", f"expires_in_s is from 1 to {HOLD_S_MAX}")
        case _:
            pass


def apply(book: Book, move: AnyMove, by: By, seen: Seen) -> Transaction:
    """Do it. Raises InvalidRequestError, BudgetExceededError, ConflictError."""
    what = What(
        actor=by.actor, note=move.note, idempotency_key=by.idempotency_key, payload=digest(move)
    )
    match move:
        case Purchase():
            given = Given(GrantKind.PURCHASE, move.amount, move.priority, move.expires_at_us)
            return book.give(given, msgspec.structs.replace(what, price_nanousd=move.price_nanousd))
        case Grant():
            return book.give(Given(move.kind, move.amount, move.priority, move.expires_at_us), what)
        case Deduct():
            what = msgspec.structs.replace(
                what,
                operation=move.operation,
                model=move.model or None,
                tokens=move.tokens,
                images=move.images,
            )
            return book.spend(_amount_of(move, seen.rates), what, leased=seen.leased)
        case Refund():
            return _refund(book, move, seen, what)
        case Adjust():
            return book.adjust(move.amount, what, leased=seen.leased)
        case _:
            return _in_two_steps(book, move, seen, what)


def _in_two_steps(book: Book, move: SetAside | Post | Void, seen: Seen, what: What) -> Transaction:
    match move:
        case SetAside():
            until_us = book.at_us + move.lasts_s * SECOND_US
            return book.hold(move.amount, until_us, what, leased=seen.leased)
        case Post():
            return book.post(move.number, move.amount, what)
        case Void():
            return book.void(move.number, what)


def _refund(book: Book, move: Refund, seen: Seen, what: What) -> Transaction:
    about = seen.about
    is_done = about is not None and about.phase in {Phase.SINGLE.value, Phase.POST.value}
    if about is None or about.kind != Kind.DEDUCTION.value or not is_done:
        raise wrong("transaction", f"transaction {move.number} is no deduction")
    amount = sum(part.amount for part in seen.parts) if move.amount is None else move.amount
    if move.images is not None:
        if not about.images or move.images > about.images or -about.amount % about.images:
            raise wrong("images", f"transaction {move.number} is not of as many images")
        amount = -about.amount // about.images * move.images
    what = msgspec.structs.replace(
        what, operation=about.operation, model=about.model, images=move.images
    )
    return book.refund(about, seen.parts, amount, what, seen.repaid)


def _check_refund(move: Refund) -> None:
    if move.amount is not None and move.images is not None:
        raise wrong("images", "a refund names an amount or images, not both")
    if move.images is not None and not 0 < move.images <= COUNT_MAX:
        raise wrong("images", "images is more than 0")


def _check_deduct(move: Deduct) -> None:
    if move.amount is None and move.operation is None:
        raise wrong("amount", "a deduction names an amount, or an operation")
    for param, text, most in (
        ("operation", move.operation, OPERATION_LENGTH_MAX),
        ("model", move.model, MODEL_LENGTH_MAX),
    ):
        if text:
            check_text(param, text, 1, most)
    for param, count in (("tokens", move.tokens), ("images", move.images)):
        if count is not None and not 0 <= count <= COUNT_MAX:
            raise wrong(param, f"{param} is not negative, and not beyond what can be counted")


def _amount_of(move: Deduct, rates: CreditRates | None) -> int:
    if move.amount is not None:
        return move.amount
    operation = move.operation or ""
    found = None
    if rates is not None:
        found = credits_of(rates, operation, move.model, move.tokens, move.images or 0, 0)
    if found is None:
        raise wrong(
            "operation",
            f"no credit rate says what {operation!r} of {move.model or 'any model'!r} takes, "
            "or it counts tokens and none are named",
        )
    return found
