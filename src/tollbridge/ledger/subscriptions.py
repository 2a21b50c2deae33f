"""Which plan does a user have at a moment, from when to when? Pure.

A subscription's periods are counted from its anchor in whole months (or years) of the billing time
zone, half-open: from the 31st they end on the last day of a shorter month and go on with the 31st.
Nothing has to run for them to pass: what holds at a moment follows from the row. The plan's limits
are per month of the subscription, whether it is paid by the month or by the year.
"""

import calendar
from datetime import datetime, tzinfo
from enum import StrEnum
from typing import NamedTuple

import msgspec

from tollbridge.core.clock import to_datetime, to_us
from tollbridge.ledger.periods import period_bounds
from tollbridge.ledger.plans import PlanRow, PlanTerms

QUARTER_US = 15 * 60 * 1_000_000


class Cycle(StrEnum):
    """How often a subscription is paid for."""

    MONTHLY = "monthly"
    YEARLY = "yearly"

    @property
    def months(self) -> int:
        """How many months a period has."""
        return 1 if self is Cycle.MONTHLY else 12


class Kind(StrEnum):
    """What became of a subscription."""

    NEW = "new"
    RENEWAL = "renewal"
    UPGRADE = "upgrade"
    DOWNGRADE = "downgrade"
    CANCEL = "cancel"
    RESUME = "resume"


class When(StrEnum):
    """From when a change counts."""

    NOW = "now"
    PERIOD_END = "period_end"


class Period(NamedTuple):
    """From `start_us` until before `end_us`."""

    start_us: int
    end_us: int


class Subscription(msgspec.Struct, frozen=True, kw_only=True):
    """A subscription as it is kept."""

    user: str
    plan_id: int
    cycle: Cycle
    anchor_us: int
    """Where its first period began: the start of a quarter hour, as usage is known by these."""
    ends_at_us: int | None = None
    """Cancelled: it ends then; None renews itself."""
    next_plan_id: int | None = None
    next_cycle: Cycle | None = None
    changes_at_us: int | None = None
    """When it becomes what the two above say; None: no change is agreed."""
    recorded_until_us: int
    """The end of the last period that is in its history."""
    created_at_us: int
    updated_at_us: int

    def has_ended(self, at_us: int) -> bool:
        """Return whether it is over at an instant."""
        return self.ends_at_us is not None and at_us >= self.ends_at_us

    def at(self, at_us: int) -> "Subscription":
        """Return it as it is at an instant: an agreed change that is due has been made."""
        if self.changes_at_us is None or at_us < self.changes_at_us:
            return self
        return msgspec.structs.replace(
            self,
            plan_id=self.plan_id if self.next_plan_id is None else self.next_plan_id,
            cycle=self.next_cycle or self.cycle,
            anchor_us=self.changes_at_us,
            next_plan_id=None,
            next_cycle=None,
            changes_at_us=None,
        )

    def period(self, at_us: int, zone: tzinfo) -> Period:
        """Return what is paid for at an instant, as the row stands."""
        return period_from(self.anchor_us, self.cycle.months, at_us, zone)

    def month(self, at_us: int, zone: tzinfo) -> Period:
        """Return the month over which the plan's limits count at an instant."""
        return period_from(self.anchor_us, 1, at_us, zone)


class Event(msgspec.Struct, frozen=True, kw_only=True):
    """One line of a subscription's history."""

    event_id: str
    user: str
    at_us: int
    """From when it counts."""
    recorded_at_us: int
    kind: Kind
    plan_id: int
    plan_name: str
    previous_plan_name: str | None
    cycle: Cycle
    period_start_us: int
    period_end_us: int
    amount_nanousd: int
    """What the period costs by the plan as it was then; nothing for a cancellation."""
    actor: str


class Standing(msgspec.Struct, frozen=True, kw_only=True):
    """Which plan a user has at a moment."""

    user: str
    plan: PlanRow | None
    """None: no plan, and so no plan's limits."""
    subscription: Subscription | None
    """None: none, or it is over; then the plan is the default one."""
    month: Period
    """Over which the limits count."""
    period: Period | None = None
    """What is paid for; None without a subscription."""


def floor_quarter(at_us: int) -> int:
    """Return the start of the quarter hour that holds an instant."""
    return at_us - at_us % QUARTER_US


def period_from(anchor_us: int, months: int, at_us: int, zone: tzinfo) -> Period:
    """Return the period of so many months, counted from the anchor, that holds `at_us`.

    An instant before the anchor is taken for the anchor.
    """
    at_us = max(at_us, anchor_us)
    anchor, at = (to_datetime(one).astimezone(zone) for one in (anchor_us, at_us))
    count = ((at.year - anchor.year) * 12 + at.month - anchor.month) // months

    def start(number: int) -> int:
        return anchor_us if number == 0 else to_us(_months_after(anchor, number * months))

    while start(count) > at_us:
        count -= 1
    while start(count + 1) <= at_us:
        count += 1
    return Period(start(count), start(count + 1))


def default_month(at_us: int, zone: tzinfo) -> Period:
    """Return the calendar month, over which limits count without a subscription."""
    return Period(*period_bounds("month", at_us, zone))


def price_of(terms: PlanTerms, cycle: Cycle) -> int:
    """Return what a period of a plan costs, in nano-USD."""
    return terms.price_monthly_nanousd if cycle is Cycle.MONTHLY else terms.price_yearly_nanousd


def kind_of(before: PlanTerms, after: PlanTerms) -> Kind:
    """Return whether a change of plan goes up or down: by what a month costs."""
    if after.price_monthly_nanousd < before.price_monthly_nanousd:
        return Kind.DOWNGRADE
    return Kind.UPGRADE


def _months_after(anchor: datetime, months: int) -> datetime:
    year, month = divmod(anchor.year * 12 + anchor.month - 1 + months, 12)
    day = min(anchor.day, calendar.monthrange(year, month + 1)[1])
    return anchor.replace(year=year, month=month + 1, day=day, fold=0)
