"""What time is it?

Records carry instants as integer microseconds since the Unix epoch (`*_at_us`): compact, exact,
sortable, the same in Python, SQLite and PostgreSQL. People and APIs get aware UTC datetimes.
This module is the only place that reads a clock.
"""

import time
from datetime import UTC, datetime, timedelta
from typing import Protocol

SECOND_US = 1_000_000
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)


class Clock(Protocol):
    """A source of time; tests hand in one that they move by hand."""

    def now_us(self) -> int:
        """Return the wall clock in microseconds since the Unix epoch."""
        ...

    def monotonic_s(self) -> float:
        """Return seconds that never run backwards, for durations only."""
        ...


class SystemClock:
    """The machine's own clock."""

    def now_us(self) -> int:
        """Return the wall clock in microseconds since the Unix epoch."""
        return time.time_ns() // 1000

    def monotonic_s(self) -> float:
        """Return seconds that never run backwards, for durations only."""
        return time.monotonic()


class ManualClock:
    """A clock that stands still until it is moved."""

    def __init__(self, now_us: int = 1_767_225_600_000_000) -> None:
        self._now_us = now_us
        self._monotonic_s = 0.0

    def now_us(self) -> int:
        """Return the instant last set, in microseconds since the Unix epoch."""
        return self._now_us

    def monotonic_s(self) -> float:
        """Return the seconds advanced so far."""
        return self._monotonic_s

    def advance(self, seconds: float) -> None:
        """Move both clocks forward by `seconds`."""
        self._now_us += round(seconds * SECOND_US)
        self._monotonic_s += seconds


def to_datetime(at_us: int) -> datetime:
    """Return the aware UTC datetime of an instant in microseconds."""
    return EPOCH + timedelta(microseconds=at_us)


def to_us(moment: datetime) -> int:
    """Return the microseconds since the Unix epoch of an aware datetime.

    Raises ValueError for a naive one: a time without a zone is not an instant.
    """
    if moment.tzinfo is None:
        raise ValueError("a time without a zone is not an instant")
    return (moment - EPOCH) // timedelta(microseconds=1)


def to_text(at_us: int) -> str:
    """Return an instant as ISO 8601 in UTC, with microseconds and a Z."""
    return to_datetime(at_us).strftime("%Y-%m-%dT%H:%M:%S.%fZ")
