"""Which roll-ups answer a question by groupings, and for which times each?

By day wherever a time has whole days, by quarter hour at its ends and for hours. Those with users
and keys are as many as there are callers: only what tells callers apart is read there.
"""

from collections.abc import Sequence
from datetime import tzinfo
from typing import NamedTuple

from sqlalchemy import Table

from tollbridge.insight.axes import (
    OF_ATTEMPTS,
    OF_CALLERS,
    Axis,
    Slice,
    day_start,
    days_later,
)
from tollbridge.recording.tables import (
    TOKEN_MEASURES,
    rollups_by_attempt,
    rollups_by_attempt_daily,
    rollups_by_attempt_quarterly,
    rollups_by_call,
    rollups_by_call_daily,
    rollups_by_call_quarterly,
    rollups_by_caller_attempt_daily,
    rollups_by_caller_daily,
)

OF_COST = (*TOKEN_MEASURES, "cost_nanousd", "unpriced", "estimated")
OF_CALLS = ("calls", "completed", "failed", "charge_nanousd")
OF_TRIES = (
    "attempts",
    "failures",
    "unknown",
    "latency_ms_sum",
    "latency_count",
    "first_byte_ms_sum",
    "first_byte_count",
)
Span = tuple[int, int]
WITH_CALLERS = (
    (rollups_by_call, rollups_by_caller_daily),
    (rollups_by_attempt, rollups_by_caller_attempt_daily),
)
WITHOUT_CALLERS = (
    (rollups_by_call_quarterly, rollups_by_call_daily),
    (rollups_by_attempt_quarterly, rollups_by_attempt_daily),
)
"""By quarter hour and by day, of calls and of attempts."""


class Source(NamedTuple):
    """A roll-up, what is summed up in it, and for which times it answers."""

    table: Table
    measures: tuple[str, ...]
    spans: tuple[Span, ...]

    @property
    def is_fine(self) -> bool:
        """Whether it is one by quarter hour."""
        return "quarter_start_us" in self.table.c

    @property
    def has_callers(self) -> bool:
        """Whether it tells users and keys apart."""
        return any(self.table in pair for pair in WITH_CALLERS)


def measures_of(axes: Sequence[Axis], wanted: Slice) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return what is summed up by call, and what by attempt."""
    if OF_ATTEMPTS.intersection((*axes, *wanted.only)):
        return OF_CALLS, (*OF_TRIES, *OF_COST)
    return (*OF_CALLS, *OF_COST), OF_TRIES


def sources_of(
    wanted: Slice,
    axes: Sequence[Axis],
    zone: tzinfo,
    *,
    attempts: bool = True,
    calls_only: bool = False,
) -> list[Source]:
    """Return where the sums of a time are read: by call, and where needed by attempt.

    `attempts`, `calls_only`: as of `sums`.
    """
    of_calls, of_attempts = measures_of(axes, wanted)
    if calls_only:
        of_calls, of_attempts = (*OF_CALLS, *OF_COST), ()
    by_call, by_attempt = WITH_CALLERS if knows_callers(wanted, axes) else WITHOUT_CALLERS
    families = [(by_call, of_calls)]
    if of_attempts and (attempts or of_attempts != OF_TRIES):
        families.append((by_attempt, of_attempts))
    days, edges = spans(wanted, axes, zone)
    return [
        Source(table, measures, tuple(times))
        for (fine, daily), measures in families
        for table, times in ((daily, days), (fine, edges))
        if times
    ]


def knows_callers(wanted: Slice, axes: Sequence[Axis]) -> bool:
    """Return whether a question needs roll-ups with users and keys."""
    return wanted.sight is not None or bool(OF_CALLERS.intersection((*axes, *wanted.only)))


def spans(wanted: Slice, axes: Sequence[Axis], zone: tzinfo) -> tuple[list[Span], list[Span]]:
    """Return which times the daily roll-ups answer for, and which those by quarter hour."""
    from_us, to_us = wanted.from_us, wanted.to_us
    if Axis.HOUR in axes:
        return [], [(from_us, to_us)]
    first_us, last_us = day_start(from_us, zone), day_start(to_us, zone)
    if first_us != from_us:
        first_us = days_later(from_us, 1, zone)
    if first_us >= last_us:
        return [], [(from_us, to_us)]
    edges = [one for one in ((from_us, first_us), (last_us, to_us)) if one[0] < one[1]]
    return [(first_us, last_us)], edges
