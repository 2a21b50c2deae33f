"""A wallet in memory: what the stores must do too, and what must hold of it after every step."""

from collections.abc import Iterable

import msgspec

from tollbridge.core.errors import NotFoundError
from tollbridge.ledger.wallet_book import GRANT, OVERDRAFT, USED, Book
from tollbridge.ledger.wallet_moves import (
    Adjust,
    AnyMove,
    By,
    Deduct,
    Grant,
    Post,
    Purchase,
    Refund,
    Seen,
    SetAside,
    Void,
    apply,
    check_move,
    digest,
)
from tollbridge.ledger.wallets import (
    Entry,
    GrantKind,
    Hold,
    Kind,
    Part,
    State,
    Transaction,
    What,
    reused,
)
from tollbridge.ledger.wallets import Grant as Given

SECOND_US = 1_000_000
START_US = 1_577_836_800 * SECOND_US
"""2020: a past that every database's clock has behind it."""
KINDS = (
    "purchase",
    "promotional",
    "expiring",
    "deduct",
    "deduct",
    "call",
    "call",
    "refund",
    "refund_all",
    "adjust_up",
    "adjust_down",
    "hold",
    "post",
    "void",
)


class Step(msgspec.Struct, frozen=True):
    """One thing that somebody does, so many seconds after (or before) the last one."""

    kind: str
    amount: int
    pick: int
    seconds: int


class WalletTwin:
    """A wallet in memory."""

    def __init__(self, overdraft: int = 0, wallet_id: str = "w") -> None:
        self.state = State(wallet_id, overdraft, 0, 0, 0, 0)
        self.grants: dict[int, Given] = {}
        self.holds: dict[int, Hold] = {}
        self.transactions: list[Transaction] = []
        self.entries: list[Entry] = []
        self.told: dict[int, int] = {}

    def open(self, at_us: int) -> Book:
        """Return its book at an instant, of copies: what is not kept leaves no trace."""
        return Book(
            self.state,
            [msgspec.structs.replace(one) for one in self.grants.values()],
            [msgspec.structs.replace(one) for one in self.holds.values()],
            at_us,
        )

    def keep(self, book: Book) -> None:
        """Write down what was added to the book."""
        self.grants |= book.moved_grants
        self.holds |= book.moved_holds
        self.transactions += book.transactions
        self.entries += book.entries
        self.state = msgspec.structs.replace(
            self.state,
            balance=book.balance,
            held=book.held,
            count=book.count,
            last_at_us=book.at_us if book.transactions else self.state.last_at_us,
        )

    def move(self, wanted: AnyMove, by: By, at_us: int) -> Transaction:
        """Do what `wallet_moves_store.move` does."""
        check_move(wanted)
        for done in self.transactions:
            if done.idempotency_key == by.idempotency_key:
                if done.payload != digest(wanted):
                    raise reused(by.idempotency_key)
                return done
        book = self.open(at_us)
        seen = self._history(wanted.number) if isinstance(wanted, Refund) else Seen()
        done = apply(book, wanted, by, seen)
        self.keep(book)
        return done

    def charge(self, call_id: str, amount: int, at_us: int) -> None:
        """Do what the drain does for a call."""
        book = self.open(at_us)
        if all(one.call_id != call_id for one in self.transactions):
            book.deduct(
                amount, What(call_id=call_id, operation="chat_completion", model="m", tokens=7)
            )
        self.keep(book)

    def balance_at(self, at_us: int, now_us: int) -> int:
        """Tell a balance as of an instant, once and for all."""
        book = self.open(now_us)
        self.keep(book)
        last_us = max(self.state.last_at_us, min(at_us, book.at_us) + 1)
        self.state = msgspec.structs.replace(self.state, last_at_us=last_us)
        return self.written_balance(at_us)

    def written_balance(self, at_us: int) -> int:
        """Return the balance after the last transaction that counts by an instant."""
        balances = [one.balance_after for one in self.transactions if one.posted_at_us <= at_us]
        return balances[-1] if balances else 0

    def _history(self, number: int) -> Seen:
        about = next((one for one in self.transactions if one.number == number), None)
        if about is None:
            raise NotFoundError("there is no such transaction")
        parts = [
            Part(one.source, one.amount)
            for one in self.entries
            if one.number == number and one.target == USED
        ]
        refunds = {one.number for one in self.transactions if one.about_number == number}
        back = [one for one in self.entries if one.number in refunds and one.source == USED]
        accounts = {part.account for part in parts}
        for entry in back:
            account = entry.target if entry.target in accounts else OVERDRAFT
            part = next(one for one in parts if one.account == account)
            part.amount -= entry.amount
        repaid = [
            Part(one.source, one.amount)
            for one in reversed(self.entries)
            if one.target == OVERDRAFT and one.source.startswith(GRANT)
        ]
        return Seen(about=about, parts=tuple(parts), repaid=tuple(repaid))

    def check(self) -> None:
        """Assert what must hold at every moment."""
        accounts: dict[str, int] = {}
        for entry in self.entries:
            assert entry.amount > 0
            accounts[entry.target] = accounts.get(entry.target, 0) + entry.amount
            accounts[entry.source] = accounts.get(entry.source, 0) - entry.amount
        assert sum(accounts.values()) == 0
        for grant in self.grants.values():
            assert accounts.get(f"{GRANT}{grant.number}", 0) == grant.remaining
            assert 0 <= grant.remaining <= grant.amount
        rest = sum(one.remaining for one in self.grants.values())
        assert rest + accounts.get(OVERDRAFT, 0) == self.state.balance
        assert accounts.get(OVERDRAFT, 0) <= 0
        assert accounts.get("held", 0) == self.state.held
        assert self.state.held == sum(one.amount for one in self.holds.values() if one.is_open)
        self._check_statement()
        for at_us, balance in self.told.items():
            assert self.written_balance(at_us) == balance

    def _check_statement(self) -> None:
        balance = held = at_us = 0
        for number, one in enumerate(self.transactions, 1):
            assert one.number == number
            assert one.posted_at_us >= at_us
            balance, held, at_us = balance + one.amount, held + one.held, one.posted_at_us
            assert (one.balance_after, one.held_after) == (balance, held)
            below = balance < -self.state.overdraft
            assert not below or one.is_overrun or one.amount >= 0 or one.kind == Kind.EXPIRY


def move_of(step: Step, twin: WalletTwin, at_us: int) -> AnyMove:
    """Return what a step asks of a wallet as it is."""
    amount = step.amount + 1

    def pick(numbers: Iterable[int]) -> int:
        known = sorted(numbers)
        return known[step.pick % len(known)] if known else 999

    done = [
        one.number
        for one in twin.transactions
        if one.kind == Kind.DEDUCTION and one.phase in {"single", "post"}
    ]
    moves: dict[str, AnyMove] = {
        "purchase": Purchase(amount=amount),
        "promotional": Grant(
            amount=amount,
            priority=step.pick % 3,
            expires_at_us=at_us + (step.pick % 90 + 1) * SECOND_US,
        ),
        "expiring": Grant(
            amount=amount,
            kind=GrantKind.PLAN,
            expires_at_us=at_us + (step.pick % 40 + 1) * SECOND_US,
        ),
        "deduct": Deduct(amount=amount),
        "refund": Refund(number=pick(done), amount=amount),
        "refund_all": Refund(number=pick(done)),
        "adjust_up": Adjust(amount=amount),
        "adjust_down": Adjust(amount=-amount),
        "hold": SetAside(amount=amount, lasts_s=step.pick % 30 + 1),
        "post": Post(number=pick(twin.holds), amount=None if step.pick % 2 else amount),
        "void": Void(number=pick(twin.holds)),
    }
    return moves[step.kind]


def spent_in_order(twin: WalletTwin, before: dict[int, Given], done: Transaction) -> None:
    """Assert that a deduction took what is to be spent first.

    `before` are the grants as they were: of those that are left, none comes before one that was
    taken from, except the last.
    """
    taken = [
        int(one.source.removeprefix(GRANT))
        for one in twin.entries
        if one.number == done.number and one.target == USED and one.source != OVERDRAFT
    ]
    orders = [before[number].order() for number in taken]
    assert orders == sorted(orders)
    for number in taken[:-1]:
        assert twin.grants[number].remaining == 0
    for grant in twin.grants.values():
        if taken and grant.remaining and grant.number not in taken and grant.number in before:
            assert grant.order() > orders[-1]
