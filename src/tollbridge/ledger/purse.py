"""What does a worker have of one limit, and when should it ask for more?

free = granted - held - spent - returned. What is free may be held for a call or given back; a
hold becomes a charge, or falls free again. A charge above its hold (an overrun) may take `free`
below zero; that is made up by the next grant and never given back.
"""

import msgspec

from tollbridge.core.call import Hold
from tollbridge.core.clock import SECOND_US
from tollbridge.core.limits import PurseState
from tollbridge.ledger.periods import HOUR_US

# A pace is measured over at least this long, so that two calls in a row are no trend; a purse
# that is new has to know sooner what it needs.
PACE_MEASURED_US_MIN = SECOND_US
FIRST_PACE_MEASURED_US_MIN = SECOND_US // 10


class PurseSettings(msgspec.Struct, frozen=True, kw_only=True):
    """The knobs of a worker's purses, with their units."""

    lease_target_us: int = 10 * SECOND_US
    """How long what is free should last at the pace of late, whenever the office goes away.

    Twice as much is asked for, and more again before half of it is gone.
    """
    first_stock_calls: int = 4
    """How many calls' worth is asked for before a pace is known."""
    refused_us: int = SECOND_US // 5
    """How long a refusal answers further calls without asking again."""
    scarce_us: int = SECOND_US
    """How long after a recall nothing is asked for in stock."""
    answer_grace_us: int = 2 * SECOND_US
    """How much longer than a call's own wait its answer may take to arrive.

    A slow commit of the office is no reason to turn a call away.
    """
    waiting_calls_max: int = 10_000
    """How many calls may wait for the office at once."""


class Holds(msgspec.Struct):
    """What is set aside for one call."""

    durable: tuple[Hold, ...] = ()
    """Of what is counted in the database: belongs into the call's record."""
    concurrent: tuple[Hold, ...] = ()
    """Held until the call's end; `budget_id` is the limit's id, the amount a count."""
    rates: tuple[Hold, ...] = ()
    """Spent already: a call that is let in counts even if it fails."""
    ended: bool = False
    """Whether the holds were settled, released or cancelled."""


class Purse:
    """The amounts of one lease in its worker's memory. Pure: no clock, no messages.

    `Purses`, which alone knows what is free of all limits of a call, moves `held` and `spent`.
    """

    __slots__ = (
        "granted",
        "held",
        "lease_id",
        "limit_id",
        "period_end_us",
        "period_start_us",
        "returned",
        "spent",
    )

    def __init__(
        self,
        limit_id: str,
        lease_id: str,
        period_start_us: int,
        period_end_us: int,
    ) -> None:
        self.limit_id = limit_id
        self.lease_id = lease_id
        self.period_start_us = period_start_us
        self.period_end_us = period_end_us
        self.granted = 0
        self.held = 0
        self.spent = 0
        self.returned = 0

    @property
    def free(self) -> int:
        """What no call holds and nobody has spent; below zero after an overrun."""
        return self.granted - self.held - self.spent - self.returned

    def top_up(self, amount: int) -> None:
        """Add what the office granted."""
        self.granted += amount

    def put_back(self, amount: int) -> None:
        """Let fall free again what was spent for a call that was not let in after all."""
        self.spent -= amount

    def correct(self, difference: int) -> None:
        """Change what was spent to what was posted."""
        self.spent += difference

    def give_back(self) -> int:
        """Give up all that is free; return how much that is, never below zero."""
        amount = max(0, self.free)
        self.returned += amount
        return amount

    def state(self) -> PurseState:
        """Return the amounts, for an office that has just started."""
        return PurseState(
            limit_id=self.limit_id,
            lease_id=self.lease_id,
            period_start_us=self.period_start_us,
            granted=self.granted,
            held=self.held,
            spent=self.spent,
            returned=self.returned,
        )


class Stock(Purse):
    """A purse that knows its pace: how much to ask for, and when. Instants are handed in."""

    __slots__ = (
        "expected_before",
        "measured_at_us",
        "measured_us_min",
        "refill_after_us",
        "refill_below",
        "scarce_until_us",
        "spent_measured",
        "used_at_us",
    )

    def __init__(
        self,
        limit_id: str,
        lease_id: str,
        period_start_us: int,
        period_end_us: int,
    ) -> None:
        super().__init__(limit_id, lease_id, period_start_us, period_end_us)
        self.refill_below = 0
        self.refill_after_us = 0
        self.scarce_until_us = 0
        self.used_at_us = 0
        self.measured_at_us = 0
        self.measured_us_min = FIRST_PACE_MEASURED_US_MIN
        self.spent_measured = 0
        self.expected_before = 0

    def stocked(self) -> None:
        """Note that a grant has come: refill when half of what is free now has gone."""
        self.refill_below = max(0, self.free) // 2
        self.refill_after_us = 0

    def scarce(self, until_us: int) -> None:
        """Note that others are short of this limit: ask for nothing in stock until then."""
        self.refill_below = 0
        self.scarce_until_us = until_us

    def wanted(self, now_us: int, lease_target_us: int) -> int:
        """Return how much to ask for, so that what is free lasts twice `lease_target_us`.

        What is held counts once more on top, so that twice as many calls at once find room.
        """
        if now_us < self.scarce_until_us:
            return 0
        expected = self._expected(now_us, lease_target_us)
        return max(0, 2 * expected - max(0, self.free)) + self.held

    def is_running_out(self, now_us: int, lease_target_us: int) -> bool:
        """Return whether what is free would not last `lease_target_us`, and more may be asked for.

        Looked at once a second, it is seen in time that calls come faster than before.
        """
        expected = self._expected(now_us, lease_target_us)
        return self.free < expected and self.refill_after_us <= now_us < self.period_end_us

    def _expected(self, now_us: int, ahead_us: int) -> int:
        """Return what will be spent in `ahead_us`, at the faster of the last two paces measured."""
        elapsed_us = now_us - self.measured_at_us
        gone = max(0, self.spent - self.spent_measured)
        expected = gone * ahead_us // max(elapsed_us, self.measured_us_min)
        faster = max(expected, self.expected_before)
        if elapsed_us >= self.measured_us_min:
            self.measured_at_us = now_us
            self.measured_us_min = PACE_MEASURED_US_MIN
            self.spent_measured = self.spent
            self.expected_before = expected
        return faster


def is_over(purse: Stock, now_us: int) -> bool:
    """Return whether nothing can happen to a purse any more, late corrections included.

    A purse without a beginning may be granted to again (a wallet's, when a grant has expired).
    """
    if purse.period_start_us == 0:
        return False
    kept_us = min(HOUR_US, purse.period_end_us - purse.period_start_us)
    return purse.held == 0 and purse.period_end_us + kept_us <= now_us
