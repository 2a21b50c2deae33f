"""What is a wallet, what happens to it, and what must never be written into it? Pure.

Amounts are whole numbers in the wallet's unit: micro-credits, or nano-USD. A wallet's balance is
what is left of its grants, less what was overdrawn. What a grant does not spend before it expires
is gone at that moment, whether anybody writes it down or not.
"""

from enum import StrEnum

import msgspec

from tollbridge.core.amounts import AMOUNT_MAX
from tollbridge.core.errors import ConflictError, InvalidRequestError
from tollbridge.core.limits import WALLET_PREFIX, LimitKind
from tollbridge.ledger.budgets import SUBJECT_KINDS
from tollbridge.ledger.plans import UNSPEAKABLE

NAME_LENGTH_MAX = 255
SUBJECT_LENGTH_MAX = 255
NOTE_LENGTH_MAX = 1000
KEY_LENGTH_MAX = 255
OWN_KEYS = "tollbridge:"
"""How the idempotency keys of what the gateway does by itself begin."""
BALANCE_MAX = 4 * 10**18
"""The most that a wallet holds: with room in 64 bits."""
PRIORITY_MAX = 1000


class WalletUnit(StrEnum):
    """What a wallet counts."""

    CREDITS = "credits"  # micro-credits
    USD = "usd"  # nano-USD

    @property
    def limit_kind(self) -> LimitKind:
        """As what its limit counts."""
        return LimitKind.CREDITS if self is WalletUnit.CREDITS else LimitKind.MONEY


class Kind(StrEnum):
    """Why a balance changes."""

    PURCHASE = "purchase"
    GRANT = "grant"
    DEDUCTION = "deduction"
    REFUND = "refund"
    EXPIRY = "expiry"
    ADJUSTMENT = "adjustment"


class Phase(StrEnum):
    """Whether a transaction is done in one step, or which step it is of one in two."""

    SINGLE = "single"
    PENDING = "pending"  # an amount is set aside
    POST = "post"  # it, or a part of it, is deducted, and the rest is free again
    VOID = "void"  # it is free again
    EXPIRE = "expire"  # likewise, because nobody said so in time


class GrantKind(StrEnum):
    """Where what a wallet holds comes from."""

    PURCHASE = "purchase"
    PROMOTIONAL = "promotional"
    PLAN = "plan"
    ADJUSTMENT = "adjustment"

    @property
    def priority(self) -> int:
        """Which are spent first, where nobody says otherwise: the lowest."""
        return {GrantKind.PLAN: 10, GrantKind.PROMOTIONAL: 20}.get(self, 30)


class WalletTerms(msgspec.Struct, frozen=True):
    """What a wallet is. One subject has at most one of a unit."""

    name: str
    subject: str
    unit: WalletUnit = WalletUnit.CREDITS
    overdraft: int = 0
    """How far below nothing its balance may go."""
    enabled: bool = True
    """False: calls are not charged to it."""


class Wallet(msgspec.Struct, frozen=True, kw_only=True):
    """A wallet as it is kept; balance and held as they were last written."""

    wallet_id: str
    terms: WalletTerms
    balance: int
    held: int
    """What is set aside by transactions in two steps."""
    count: int
    """How many transactions it has."""
    last_at_us: int
    """No transaction is dated before this instant any more."""
    created_at_us: int
    updated_at_us: int


class Grant(msgspec.Struct, kw_only=True):
    """An amount that a wallet was given, by the number of the transaction that gave it."""

    wallet_id: str
    number: int
    kind: str
    amount: int
    remaining: int
    priority: int
    """The lowest is spent first; of the same, what expires first, then what came first."""
    granted_at_us: int
    expires_at_us: int | None = None

    def order(self) -> tuple[int, bool, int, int]:
        """Return what grants are sorted by to be spent."""
        return self.priority, self.expires_at_us is None, self.expires_at_us or 0, self.number


class Hold(msgspec.Struct, kw_only=True):
    """An amount that is set aside until an instant, by the number of its pending transaction."""

    wallet_id: str
    number: int
    amount: int
    expires_at_us: int
    is_open: bool = True


class Transaction(msgspec.Struct, kw_only=True):
    """One line of a wallet's statement; it never changes."""

    wallet_id: str
    number: int
    """Counts the wallet's transactions from 1 on, without a gap."""
    kind: str
    phase: str = Phase.SINGLE.value
    amount: int = 0
    """What it changes of the balance: negative for what goes."""
    held: int = 0
    """What it changes of what is set aside."""
    balance_after: int
    held_after: int
    is_overrun: bool = False
    """Whether it left the balance beyond the overdraft: a call cost more than was set aside."""
    about_number: int | None = None
    """The transaction that it is about: a refund's deduction, a post's pending one, an expiry's
    grant."""
    posted_at_us: int
    """From when it counts."""
    recorded_at_us: int
    call_id: str | None = None
    operation: str | None = None
    model: str | None = None
    tokens: int | None = None
    images: int | None = None
    price_nanousd: int | None = None
    """What was paid for a purchase."""
    actor: str = ""
    note: str = ""
    idempotency_key: str | None = None
    payload: str | None = None
    """The digest of what was asked under that key."""


class Entry(msgspec.Struct):
    """An amount that a transaction moves from one of a wallet's accounts to another."""

    wallet_id: str
    number: int
    line: int
    source: str
    target: str
    amount: int


class WalletRoom(msgspec.Struct, frozen=True):
    """What may be leased of a wallet."""

    available: int
    """Balance and overdraft, without what is set aside by transactions in two steps."""
    expires_at_us: int | None
    """When the first of its grants expires: no lease lasts longer."""


class WalletDeduction(msgspec.Struct, frozen=True):
    """What a call takes from a wallet."""

    call_id: str
    wallet_id: str
    amount: int
    operation: str
    model: str
    tokens: int | None = None
    images: int | None = None


class WalletEntry(msgspec.Struct, frozen=True):
    """A wallet as the limits know it."""

    limit_id: str
    subject: str
    kind: LimitKind
    name: str


class State(msgspec.Struct, frozen=True):
    """A wallet's row, as it is when its book is opened."""

    wallet_id: str
    overdraft: int
    balance: int
    held: int
    count: int
    last_at_us: int


class What(msgspec.Struct, frozen=True):
    """What a statement says of a transaction beside its amount."""

    call_id: str | None = None
    operation: str | None = None
    model: str | None = None
    tokens: int | None = None
    images: int | None = None
    price_nanousd: int | None = None
    actor: str = ""
    note: str = ""
    idempotency_key: str | None = None
    payload: str | None = None


NOTHING = What()


class Given(msgspec.Struct, frozen=True):
    """What a wallet is given."""

    kind: GrantKind
    amount: int
    priority: int | None = None
    """None: that of its kind."""
    expires_at_us: int | None = None


class Part(msgspec.Struct):
    """What of a deduction came from one account, and has not been given back."""

    account: str
    amount: int


def limit_id_of(wallet_id: str) -> str:
    """Return the id of a wallet's limit."""
    return f"{WALLET_PREFIX}{wallet_id}"


def wallet_id_of(limit_id: str) -> str | None:
    """Return whose limit it is, None where it is no wallet's."""
    return limit_id.removeprefix(WALLET_PREFIX) if limit_id.startswith(WALLET_PREFIX) else None


def check_terms(terms: WalletTerms) -> None:
    """Raise InvalidRequestError, naming the field, where a wallet cannot be kept."""
    kind, colon, name = terms.subject.partition(":")
    check_text("name", terms.name, 1, NAME_LENGTH_MAX)
    check_text("subject", terms.subject, 1, SUBJECT_LENGTH_MAX)
    if "/" in terms.name:
        raise wrong("name", "a wallet's name stands in addresses, and has no /")
    if not colon or not name or kind not in SUBJECT_KINDS:
        raise wrong("subject", f"subject is one of {', '.join(SUBJECT_KINDS)}, then : and a name")
    if not 0 <= terms.overdraft <= AMOUNT_MAX:
        raise wrong("overdraft", "overdraft is not negative, and not beyond what can be counted")


def check_text(param: str, text: str, least: int, most: int) -> None:
    """Raise InvalidRequestError where a text cannot be kept or shown."""
    if not least <= len(text) <= most:
        raise wrong(param, f"{param}: a text of {least} to {most} characters")
    if text != text.strip() or UNSPEAKABLE.search(text):
        raise wrong(param, f"{param}: no spaces around it, nor characters that cannot be shown")


def wrong(param: str, message: str) -> InvalidRequestError:
    """Return the error of a field that does not fit."""
    return InvalidRequestError(message, details={"param": param})


def reused(key: str) -> ConflictError:
    """Return the error of an idempotency key that was used for something else."""
    return ConflictError(
        "this idempotency key was used for another request on this wallet",
        details={"idempotency_key": key},
    )
