"""Who gets how much of which budget, and what does that change? Pure.

The store (`lease_store.DatabaseLedger`) reads a `Snapshot` with all of its rows locked, hands it to
one of the functions below, and writes the `Changes` in the same transaction.

A lease's part in `leased` is max(0, granted - settled - returned). No grant is made that would
take spent + leased over the budget's limit.
"""

from collections.abc import Iterable, Mapping
from datetime import tzinfo
from typing import Protocol

import msgspec

from tollbridge.core.limits import Granted, Need
from tollbridge.ledger.periods import period_bounds

ACTIVE = "active"
ENDED = "ended"

PeriodKey = tuple[str, int]
"""(budget id, period start in microseconds)"""


class BudgetBound(msgspec.Struct, frozen=True):
    """What binds: `limit` None is no limit (the budget is disabled or unknown)."""

    budget_id: str
    limit: int | None
    period: str = "total"
    window: tuple[int, int] | None = None
    """The running period's start and end, where it follows no calendar."""

    def running(self, now_us: int, zone: tzinfo) -> tuple[int, int]:
        """Return the period that runs at an instant."""
        return self.window or period_bounds(self.period, now_us, zone)


class PeriodRow(msgspec.Struct):
    """One budget period's counters, in nano-USD."""

    spent: int = 0
    leased: int = 0


class LeaseRow(msgspec.Struct):
    """One lease, as the database knows it."""

    lease_id: str
    budget_id: str
    period_start_us: int
    worker: str
    node: str
    granted: int = 0
    settled: int = 0
    returned: int = 0
    state: str = ACTIVE

    @property
    def key(self) -> PeriodKey:
        """The budget period that it belongs to."""
        return self.budget_id, self.period_start_us

    @property
    def part(self) -> int:
        """Its part in what is leased."""
        return max(0, self.granted - self.settled - self.returned)


class Snapshot(msgspec.Struct):
    """Locked rows at one instant. A period that is missing has spent and leased nothing."""

    now_us: int
    budgets: dict[str, BudgetBound]
    periods: dict[PeriodKey, PeriodRow]
    leases: dict[str, LeaseRow]


class LeaseTotals(msgspec.Struct, frozen=True):
    """What was ever granted and returned of one lease, as its office and its worker agree.

    Totals and not differences, so that saying it twice is saying it once.
    """

    lease_id: str
    budget_id: str
    period_start_us: int
    worker: str
    granted: int
    returned: int


class MoneyAsk(msgspec.Struct, frozen=True):
    """One worker's needs of budgets, in id order, all or none (`refill`: whatever there is)."""

    worker: str
    needs: tuple[Need, ...]
    refill: bool = False


class Turn(msgspec.Struct, frozen=True):
    """All that is to be decided in one transaction."""

    asks: tuple[MoneyAsk, ...]
    totals: tuple[LeaseTotals, ...] = ()
    shares: int = 2
    """A grant in stock is at most this part of what is left: 1 / (2 x workers)."""


class Shortage(msgspec.Struct, frozen=True):
    """Why an ask was not granted. `hopeless`: nothing that is leased could make room."""

    limit_id: str
    used: int
    limit: int
    resets_at_us: int
    available: int
    hopeless: bool


Outcome = tuple[Granted, ...] | Shortage


class LeaseOf(Protocol):
    """Who knows which lease a worker has: `agreed.AgreedLeases.lease_of`."""

    def __call__(
        self,
        worker: str,
        budget_id: str,
        period_start_us: int,
        dead_lease_id: str | None = None,
    ) -> LeaseTotals:
        """Return the totals of the worker's lease; a new one where there is none alive."""
        ...


class Ledger(Protocol):
    """Where leases are kept: `lease_store.DatabaseLedger`, or a twin in memory in tests.

    Each method is one transaction and raises OverloadedError where the store does not answer;
    then nothing may be concluded about whether it happened.
    """

    async def allot(self, turn: Turn, lease_of: LeaseOf) -> list[Outcome]:
        """Decide every ask of a turn."""
        ...

    async def greet(self, worker: str, told: Iterable[LeaseTotals]) -> None:
        """Make the store agree with all that a living worker holds."""
        ...

    async def recalled_since(self, since_us: int) -> tuple[list[str], int]:
        """Return the budgets that some node found no room in since then, and the store's now."""
        ...


class Changes(msgspec.Struct):
    """What is to be written."""

    leased: dict[PeriodKey, int] = {}
    """By how much `leased` moves."""
    ceilings: dict[PeriodKey, int] = {}
    """What spent + leased must not exceed after a rise of `leased`."""
    recalled: set[PeriodKey] = set()
    leases: dict[str, LeaseRow] = {}
    """New or changed leases, whole."""


class Book:
    """A snapshot that is being worked on, and what has changed in it so far."""

    def __init__(self, snapshot: Snapshot, node: str = "") -> None:
        self.snapshot = snapshot
        self.changes = Changes()
        self._node = node

    def period(self, key: PeriodKey) -> PeriodRow:
        """Return the counters of a period as they stand now."""
        row = self.snapshot.periods.get(key)
        if row is None:
            row = self.snapshot.periods[key] = PeriodRow()
        return row

    def change(self, row: LeaseRow, *, granted: int, returned: int, state: str) -> None:
        """Give a lease other figures; `leased` moves by the difference of its part."""
        if (row.granted, row.returned, row.state) == (granted, returned, state):
            return
        before = row.part
        row.granted, row.returned, row.state = granted, returned, state
        self.snapshot.leases[row.lease_id] = row
        self.changes.leases[row.lease_id] = row
        difference = row.part - before
        if difference:
            self.period(row.key).leased += difference
            moved = self.changes.leased
            moved[row.key] = moved.get(row.key, 0) + difference

    def apply(self, totals: LeaseTotals, *, revive: bool = False) -> None:
        """Make the database agree with a lease's totals.

        A lease that has ended stays ended, unless its worker itself says that it is alive.
        """
        row = self.snapshot.leases.get(totals.lease_id)
        if row is None:
            row = self.new(totals)
        elif row.state != ACTIVE and not revive:
            return
        self.change(row, granted=totals.granted, returned=totals.returned, state=ACTIVE)

    def new(self, totals: LeaseTotals) -> LeaseRow:
        """Return the row of a lease that the database does not have."""
        return LeaseRow(
            lease_id=totals.lease_id,
            budget_id=totals.budget_id,
            period_start_us=totals.period_start_us,
            worker=totals.worker,
            node=self._node,
        )


def allot(book: Book, turn: Turn, lease_of: LeaseOf, zone: tzinfo) -> list[Outcome]:
    """Decide every ask of a turn, in order; return one outcome for each."""
    for totals in turn.totals:
        book.apply(totals)
    # What is agreed on comes first, since it may leave less room; grants add to it.
    for ask in turn.asks:
        for need in ask.needs:
            budget, start_us, _ = _running(book, need.limit_id, zone)
            _agree(book, lease_of, ask.worker, (budget.budget_id, start_us))
    return [_decide(book, ask, turn.shares, lease_of, zone) for ask in turn.asks]


def _decide(book: Book, ask: MoneyAsk, shares: int, lease_of: LeaseOf, zone: tzinfo) -> Outcome:
    granted: list[tuple[LeaseRow, Granted]] = []
    # In id order; a limit that is named twice counts once.
    for _, need in sorted({need.limit_id: need for need in ask.needs}.items()):
        budget, start_us, end_us = _running(book, need.limit_id, zone)
        totals = lease_of(ask.worker, budget.budget_id, start_us)
        row = book.snapshot.leases.get(totals.lease_id) or book.new(totals)
        amount = _amount(book, budget, row, need, shares)
        if amount is None:
            if ask.refill:
                continue
            return _shortage(book, budget, row, need, end_us)
        # A call that needs nothing still needs a lease to hold it in.
        if amount or not ask.refill:
            one = Granted(budget.budget_id, row.lease_id, start_us, end_us, amount)
            granted.append((row, one))
    for row, one in granted:
        limit = _limit(book, one.limit_id)
        if limit is not None and _rise(row, one.amount):
            book.changes.ceilings[row.key] = limit
        book.change(row, granted=row.granted + one.amount, returned=row.returned, state=ACTIVE)
    return tuple(one for _, one in granted)


def _running(book: Book, budget_id: str, zone: tzinfo) -> tuple[BudgetBound, int, int]:
    """Return a budget with the bounds of its running period."""
    budget = book.snapshot.budgets.get(budget_id) or BudgetBound(budget_id, None)
    return budget, *budget.running(book.snapshot.now_us, zone)


def _agree(book: Book, lease_of: LeaseOf, worker: str, key: PeriodKey) -> None:
    """Make the database agree with the totals of the lease that will be granted to."""
    totals = lease_of(worker, *key)
    row = book.snapshot.leases.get(totals.lease_id)
    if row is not None and row.state != ACTIVE:
        # Released by an operator although its worker lives: it goes on with another lease.
        totals = lease_of(worker, *key, dead_lease_id=totals.lease_id)
    book.apply(totals)


def _limit(book: Book, budget_id: str) -> int | None:
    budget = book.snapshot.budgets.get(budget_id)
    return None if budget is None else budget.limit


def _rise(row: LeaseRow, amount: int) -> int:
    """Return by how much a grant raises the lease's part: less where it fills an overrun's hole."""
    return max(0, row.granted + amount - row.settled - row.returned) - row.part


def _amount(
    book: Book,
    budget: BudgetBound,
    row: LeaseRow,
    need: Need,
    shares: int,
) -> int | None:
    """Return how much to grant, None where not even what is needed fits."""
    needed, wanted = max(0, need.needed), max(need.needed, need.wanted)
    if budget.limit is None:
        return wanted
    counters = book.period(row.key)
    room = budget.limit - counters.spent - counters.leased
    if _rise(row, needed) > max(0, room):
        return None
    return max(needed, min(wanted, max(0, room) // shares))


def _shortage(
    book: Book,
    budget: BudgetBound,
    row: LeaseRow,
    need: Need,
    end_us: int,
) -> Shortage:
    limit = budget.limit or 0
    counters = book.period(row.key)
    room = limit - counters.spent - counters.leased
    hopeless = _rise(row, need.needed) > limit - counters.spent
    if not hopeless:
        book.changes.recalled.add(row.key)
    return Shortage(
        limit_id=budget.budget_id,
        used=counters.spent + counters.leased,
        limit=limit,
        resets_at_us=end_us,
        available=max(0, room),
        hopeless=hopeless,
    )


def greet(book: Book, worker: str, told: Iterable[LeaseTotals], zone: tzinfo) -> None:
    """Make the database agree with all that a living worker says it holds.

    What was granted without ever reaching the worker is taken back: leases of running periods
    that the worker does not name. It names those in which it spent something until their period
    is over.
    """
    named: set[str] = set()
    for totals in told:
        named.add(totals.lease_id)
        book.apply(totals, revive=True)
    for row in list(book.snapshot.leases.values()):
        _, start_us, _ = _running(book, row.budget_id, zone)
        unheard = row.worker == worker and row.lease_id not in named
        if unheard and row.period_start_us == start_us:
            book.change(
                row,
                granted=row.granted - row.part,
                returned=row.returned,
                state=row.state,
            )


def end_leases(book: Book, leases: Iterable[LeaseRow], keep: Mapping[str, int]) -> dict[str, int]:
    """End leases and return what is left of them, but for `keep` (lease id → amount).

    Returns how much fell free by limit, each in its own unit.
    """
    freed: dict[str, int] = {}
    for row in list(leases):
        rest = max(0, row.part - keep.get(row.lease_id, 0))
        book.change(row, granted=row.granted, returned=row.returned + rest, state=ENDED)
        if rest:
            freed[row.budget_id] = freed.get(row.budget_id, 0) + rest
    return freed
