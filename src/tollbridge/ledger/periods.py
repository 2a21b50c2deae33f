"""When does a budget's period begin and end?

Periods are half-open, [start, end), and partition time: each instant is in exactly one. Days and
longer ones follow the billing time zone's calendar (weeks begin on Monday); hours are those of
UTC, since a zone's own hours may repeat or be cut short.
"""

from datetime import datetime, timedelta, tzinfo

from tollbridge.core.clock import SECOND_US, to_datetime, to_us

# The first instant of the year 10000, in microseconds: the end of what never ends.
END_OF_TIME_US = 253_402_300_800 * SECOND_US
MINUTE_US = 60 * SECOND_US
HOUR_US = 60 * MINUTE_US
PERIODS = ("hour", "day", "week", "month", "quarter", "year", "total")

_MONTHS_OF = {"month": 1, "quarter": 3, "year": 12}.items()


def period_bounds(period: str, at_us: int, zone: tzinfo) -> tuple[int, int]:
    """Return (start, end) in microseconds of the `period` that holds the instant `at_us`.

    `total` begins at 0 and ends at END_OF_TIME_US. Raises ValueError for an unknown period.
    """
    if period == "total":
        return 0, END_OF_TIME_US
    if period == "hour":
        start_us = at_us - at_us % HOUR_US
        return start_us, start_us + HOUR_US
    local = to_datetime(at_us).astimezone(zone)
    midnight = datetime(local.year, local.month, local.day, tzinfo=zone)
    if period == "day":
        return to_us(midnight), to_us(midnight + timedelta(days=1))
    if period == "week":
        monday = midnight - timedelta(days=local.weekday())
        return to_us(monday), to_us(monday + timedelta(days=7))
    for name, months in _MONTHS_OF:
        if period == name:
            first = (local.month - 1) // months * months
            start = datetime(local.year, first + 1, 1, tzinfo=zone)
            after = first + months
            end = datetime(local.year + after // 12, after % 12 + 1, 1, tzinfo=zone)
            return to_us(start), to_us(end)
    raise ValueError(f"{period!r} is no period; use one of {', '.join(PERIODS)}")


def minute_bounds(at_us: int) -> tuple[int, int]:
    """Return (start, end) in microseconds of the calendar minute that holds `at_us`."""
    start_us = at_us - at_us % MINUTE_US
    return start_us, start_us + MINUTE_US
