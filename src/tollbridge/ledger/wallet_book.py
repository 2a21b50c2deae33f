"""What becomes of a wallet when something happens to it? Pure.

Double entry: each entry moves an amount from one account of the wallet to another.

    grant:<number>   what is left of a grant; their sum less `overdraft` is the balance
    overdraft        what was spent beyond all grants, and is paid back by the next ones
    purchased granted adjusted used expired    where it comes from and where it goes
    free held        what is set aside, beside the balance

A book first writes down what has expired since the wallet was last touched, each at its moment,
and only then what happens now. It dates nothing before what is already written.
"""

from collections.abc import Iterable, Iterator, Sequence
from types import MappingProxyType

from tollbridge.core.amounts import AMOUNT_MAX
from tollbridge.core.errors import BudgetExceededError, BugError, ConflictError
from tollbridge.ledger.wallets import (
    BALANCE_MAX,
    NOTHING,
    PRIORITY_MAX,
    Entry,
    Given,
    Grant,
    GrantKind,
    Hold,
    Kind,
    Part,
    Phase,
    State,
    Transaction,
    What,
    wrong,
)

OVERDRAFT, USED, EXPIRED, ADJUSTED = "overdraft", "used", "expired", "adjusted"
FREE, HELD = "free", "held"
GRANT = "grant:"
NEVER_US = 2**63 - 1
_SOURCE_OF = MappingProxyType({GrantKind.PURCHASE: "purchased", GrantKind.ADJUSTMENT: ADJUSTED})
_KIND_OF = MappingProxyType(
    {GrantKind.PURCHASE: Kind.PURCHASE, GrantKind.ADJUSTMENT: Kind.ADJUSTMENT}
)


class Book:
    """One wallet, open for writing. What is to be written collects in its lists."""

    def __init__(
        self, state: State, grants: Iterable[Grant], holds: Iterable[Hold], now_us: int
    ) -> None:
        self.state = state
        self.balance = state.balance
        self.held = state.held
        self.count = state.count
        self.at_us = max(now_us, state.last_at_us)
        self.now_us = now_us
        self.grants = {one.number: one for one in grants}
        self.holds = {one.number: one for one in holds}
        self.transactions: list[Transaction] = []
        self.entries: list[Entry] = []
        self.moved_grants: dict[int, Grant] = {}
        self.moved_holds: dict[int, Hold] = {}
        self._queue: list[Grant] | None = None
        self._pass_time()

    @property
    def overdrawn(self) -> int:
        """What was spent beyond all grants."""
        return sum(one.remaining for one in self.grants.values()) - self.balance

    @property
    def available(self) -> int:
        """What may be taken or set aside now, leases aside."""
        return self.balance + self.state.overdraft - self.held

    def give(self, given: Given, what: What = NOTHING) -> Transaction:
        """Give the wallet an amount; what is overdrawn is paid back from it first."""
        _check_amount(given.amount)
        kind = given.kind
        priority = kind.priority if given.priority is None else given.priority
        if not 0 <= priority <= PRIORITY_MAX:
            raise wrong("priority", f"priority is from 0 to {PRIORITY_MAX}")
        if given.expires_at_us is not None and given.expires_at_us <= self.at_us:
            raise wrong("expires_at", "expires_at has passed already")
        if self.balance + given.amount > BALANCE_MAX:
            raise wrong("amount", "the wallet would hold more than can be counted")
        overdrawn = self.overdrawn
        done = self._add(_KIND_OF.get(kind, Kind.GRANT), given.amount, what)
        grant = Grant(
            wallet_id=self.state.wallet_id,
            number=done.number,
            kind=kind.value,
            amount=given.amount,
            remaining=given.amount,
            priority=priority,
            granted_at_us=self.at_us,
            expires_at_us=given.expires_at_us,
        )
        self.grants[grant.number] = self.moved_grants[grant.number] = grant
        self._queue = None
        self._move(done, _SOURCE_OF.get(kind, "granted"), _account(grant), given.amount)
        if overdrawn > 0:
            paid = min(overdrawn, given.amount)
            self._move(done, _account(grant), OVERDRAFT, paid)
            grant.remaining -= paid
        return done

    def deduct(self, amount: int, what: What = NOTHING) -> Transaction:
        """Take what a call that was served has cost, whatever is there; an overrun is flagged."""
        if amount < 0:
            raise BugError("a call takes nothing less than nothing")
        done = self._add(Kind.DEDUCTION, -amount, what)
        self._take(done, amount, USED)
        return done

    def spend(self, amount: int, what: What = NOTHING, *, leased: int = 0) -> Transaction:
        """Take an amount if it is there. Raises BudgetExceededError."""
        self._require(amount, leased)
        return self.deduct(amount, what)

    def adjust(self, amount: int, what: What = NOTHING, *, leased: int = 0) -> Transaction:
        """Correct the balance by a signed amount; down to what is there, and not below."""
        if amount > 0:
            return self.give(Given(GrantKind.ADJUSTMENT, amount), what)
        self._require(-amount, leased)
        return self.correct(-amount, what)

    def correct(self, difference: int, what: What = NOTHING) -> Transaction:
        """Take what calls of the past cost more than was taken, or give back what they cost less.

        Whatever is there; an overrun is flagged.
        """
        if difference < 0:
            return self.give(Given(GrantKind.ADJUSTMENT, -difference), what)
        done = self._add(Kind.ADJUSTMENT, -difference, what)
        self._take(done, difference, ADJUSTED)
        return done

    def refund(
        self,
        about: Transaction,
        parts: Sequence[Part],
        amount: int,
        what: What = NOTHING,
        repaid: Sequence[Part] = (),
    ) -> Transaction:
        """Give back of a deduction: to the grants that it came from, the last one first.

        `parts` are what of it has not been given back, in the order in which it was taken;
        `repaid` what grants have paid back of the overdraft, the latest first. All grants named
        there must be in the book. What goes to a grant that has expired is gone with it.
        """
        _check_amount(amount)
        left = sum(part.amount for part in parts)
        if amount > left:
            raise ConflictError(
                "a refund gives back at most what is left of the deduction",
                details={"left": left},
            )
        done = self._add(Kind.REFUND, amount, what, about=about.number)
        for part in self._back(parts, amount, repaid, self.overdrawn + amount):
            if part.account != OVERDRAFT:
                grant = self._grant(part.account)
                grant.remaining += part.amount
                self.moved_grants[grant.number] = grant
            self._move(done, USED, part.account, part.amount)
        self._queue = None
        self._expire_due()
        return done

    def hold(
        self, amount: int, expires_at_us: int, what: What = NOTHING, *, leased: int = 0
    ) -> Transaction:
        """Set an amount aside until an instant, or until the first grant that it needs expires."""
        self._require(amount, leased)
        if expires_at_us <= self.at_us:
            raise wrong("expires_in_s", "a hold lasts longer than nothing")
        rest = self.available
        for grant in sorted(self.grants.values(), key=_expiry):
            rest -= grant.remaining
            if rest < amount:
                expires_at_us = min(expires_at_us, _expiry(grant))
                break
        self.held += amount
        done = self._add(Kind.DEDUCTION, 0, what, phase=Phase.PENDING, held=amount)
        self._move(done, FREE, HELD, amount)
        made = Hold(
            wallet_id=self.state.wallet_id,
            number=done.number,
            amount=amount,
            expires_at_us=expires_at_us,
        )
        self.holds[made.number] = self.moved_holds[made.number] = made
        return done

    def post(self, number: int, amount: int | None, what: What = NOTHING) -> Transaction:
        """Deduct what was set aside, or a part of it; the rest is free again."""
        hold = self._open(number)
        taken = hold.amount if amount is None else amount
        _check_amount(taken)
        if taken > hold.amount:
            raise wrong("amount", "a post takes at most what was set aside")
        self._close(hold)
        done = self._add(
            Kind.DEDUCTION, -taken, what, phase=Phase.POST, held=-hold.amount, about=number
        )
        self._move(done, HELD, FREE, hold.amount)
        self._take(done, taken, USED)
        return done

    def void(self, number: int, what: What = NOTHING) -> Transaction:
        """Let go of what was set aside."""
        hold = self._open(number)
        self._close(hold)
        done = self._add(Kind.DEDUCTION, 0, what, phase=Phase.VOID, held=-hold.amount, about=number)
        self._move(done, HELD, FREE, hold.amount)
        return done

    def _back(
        self, parts: Sequence[Part], amount: int, repaid: Sequence[Part], overdrawn: int
    ) -> Iterator[Part]:
        """Yield to which accounts an amount goes back.

        What was overdrawn and is paid back by now goes to those who paid.
        """
        for part in reversed(parts):
            back = min(amount, part.amount)
            amount -= back
            if part.account != OVERDRAFT:
                if back:
                    yield Part(part.account, back)
                continue
            owed = min(back, overdrawn)
            if owed:
                yield Part(OVERDRAFT, owed)
            back -= owed
            for payer in repaid:
                grant = self._grant(payer.account)
                paid = min(back, payer.amount, grant.amount - grant.remaining)
                if paid > 0:
                    yield Part(payer.account, paid)
                    back -= paid
            if back:
                raise BugError("a refund has found no account to go to")

    def _grant(self, account: str) -> Grant:
        return self.grants[int(account.removeprefix(GRANT))]

    def _pass_time(self) -> None:
        """Write down what has ended by itself since, each at its moment, in order."""
        now_us = self.at_us
        due = [
            (_expiry(one), one.number, one)
            for one in self.grants.values()
            if one.remaining and _expiry(one) <= now_us
        ]
        due += [
            (one.expires_at_us, one.number, one)
            for one in self.holds.values()
            if one.is_open and one.expires_at_us <= now_us
        ]
        for at_us, number, one in sorted(due, key=lambda row: row[:2]):
            self.at_us = at_us
            if isinstance(one, Grant):
                self._expire(one)
            else:
                self._close(one)
                done = self._add(
                    Kind.DEDUCTION,
                    0,
                    NOTHING,
                    phase=Phase.EXPIRE,
                    held=-one.amount,
                    about=number,
                )
                self._move(done, HELD, FREE, one.amount)
        self.at_us = now_us

    def _expire_due(self) -> None:
        for one in list(self.grants.values()):
            if one.remaining and _expiry(one) <= self.at_us:
                self._expire(one)

    def _expire(self, grant: Grant) -> None:
        gone = grant.remaining
        done = self._add(Kind.EXPIRY, -gone, NOTHING, about=grant.number)
        self._move(done, _account(grant), EXPIRED, gone)
        grant.remaining = 0
        self.moved_grants[grant.number] = grant

    def _take(self, done: Transaction, amount: int, target: str) -> None:
        """Take an amount from the grants in their order, and what is missing from the overdraft."""
        queue = self._queue
        if queue is None:
            live = [one for one in self.grants.values() if one.remaining]
            # The next one stands last.
            queue = self._queue = sorted(live, key=Grant.order, reverse=True)
        while amount and queue:
            grant = queue[-1]
            taken = min(amount, grant.remaining)
            if taken:
                grant.remaining -= taken
                self.moved_grants[grant.number] = grant
                self._move(done, _account(grant), target, taken)
                amount -= taken
            if not grant.remaining:
                queue.pop()
        if amount:
            self._move(done, OVERDRAFT, target, amount)
        done.is_overrun = self.balance < -self.state.overdraft

    def _require(self, amount: int, leased: int) -> None:
        _check_amount(amount)
        room = self.available - leased
        if amount > room:
            raise BudgetExceededError(
                "the wallet does not hold as much",
                details={"available": room, "asked": amount, "leased": leased},
            )

    def _open(self, number: int) -> Hold:
        hold = self.holds.get(number)
        if hold is None or not hold.is_open:
            raise ConflictError(
                f"transaction {number} sets nothing aside, or not any more: it was posted, "
                "voided, or it has expired"
            )
        return hold

    def _close(self, hold: Hold) -> None:
        hold.is_open = False
        self.held -= hold.amount
        self.moved_holds[hold.number] = hold

    def _add(
        self,
        kind: Kind,
        amount: int,
        what: What,
        *,
        phase: Phase = Phase.SINGLE,
        held: int = 0,
        about: int | None = None,
    ) -> Transaction:
        self.balance += amount
        self.count += 1
        done = Transaction(
            wallet_id=self.state.wallet_id,
            number=self.count,
            kind=kind.value,
            phase=phase.value,
            amount=amount,
            held=held,
            balance_after=self.balance,
            held_after=self.held,
            about_number=about,
            posted_at_us=self.at_us,
            recorded_at_us=self.now_us,
            call_id=what.call_id,
            operation=what.operation,
            model=what.model,
            tokens=what.tokens,
            images=what.images,
            price_nanousd=what.price_nanousd,
            actor=what.actor,
            note=what.note,
            idempotency_key=what.idempotency_key,
            payload=what.payload,
        )
        self.transactions.append(done)
        return done

    def _move(self, done: Transaction, source: str, target: str, amount: int) -> None:
        line, entries = 0, self.entries
        if entries and entries[-1].number == done.number:
            line = entries[-1].line + 1
        entries.append(Entry(self.state.wallet_id, done.number, line, source, target, amount))


def _account(grant: Grant) -> str:
    return f"{GRANT}{grant.number}"


def _expiry(grant: Grant) -> int:
    return NEVER_US if grant.expires_at_us is None else grant.expires_at_us


def _check_amount(amount: int) -> None:
    if not 0 < amount <= AMOUNT_MAX:
        raise wrong("amount", "amount is more than 0, and not beyond what can be counted")
