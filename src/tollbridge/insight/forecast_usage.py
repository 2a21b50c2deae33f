"""What was used on each day so far, told apart by one thing, so that more can be expected?

From the roll-ups by day, and only of whole days: the day that runs says nothing yet of a day.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import tzinfo
from enum import StrEnum

import msgspec

from tollbridge.insight.axes import Axis, Found, Slice, Sums, day_start, days_later, labels
from tollbridge.insight.cube import read
from tollbridge.recording.rollups import QUARTER_US
from tollbridge.storage.unit import Unit


class Measure(StrEnum):
    """What is forecast."""

    COST = "cost"
    CHARGE = "charge"
    CALLS = "calls"
    COMPLETED = "completed"
    TOTAL_TOKENS = "total_tokens"
    INPUT_TOKENS = "input_tokens"
    OUTPUT_TOKENS = "output_tokens"

    @property
    def is_money(self) -> bool:
        """Whether it is counted in nano-USD."""
        return self in {Measure.COST, Measure.CHARGE}

    def of(self, sums: Sums) -> int:
        """Return it of some sums."""
        name = f"{self.value}_nanousd" if self.is_money else self.value
        return int(getattr(sums, name))


class ForecastTerms(msgspec.Struct, frozen=True):
    """Within which bounds is forecast?"""

    history_days: int = 365
    """So many whole days are looked back at."""
    days_min: int = 14
    """Below so many days with the first use nothing is said; two weeks at least."""
    series_max: int = 200
    """Series, or limits, of one question."""


class Days(msgspec.Struct, frozen=True):
    """The whole days that are looked back at, and where the forecast begins."""

    from_us: int
    today_us: int
    """The start of the day that runs: the first one ahead."""
    now_us: int
    tomorrow_us: int
    zone: tzinfo

    @property
    def read_to_us(self) -> int:
        """Until when is read: the end of the quarter hour that runs."""
        return -(-self.now_us // QUARTER_US) * QUARTER_US

    @property
    def left_of_today(self) -> float:
        """What of the first day ahead is still to come, 0 to 1."""
        return (self.tomorrow_us - self.now_us) / (self.tomorrow_us - self.today_us)

    def start_us(self, day: int) -> int:
        """Return the start of a day ahead; 0 is today."""
        return days_later(self.today_us, day, self.zone)

    def until(self, end_us: int) -> int:
        """Return how many days ahead begin before an instant."""
        found = labels(Axis.DAY, self.today_us, end_us, self.zone)
        return len(found) if end_us > self.today_us else 0


def days_before(now_us: int, history_days: int, zone: tzinfo) -> Days:
    """Return the days to look back at from an instant on."""
    today_us = day_start(now_us, zone)
    return Days(
        from_us=days_later(today_us, -history_days, zone),
        today_us=today_us,
        now_us=now_us,
        tomorrow_us=days_later(today_us, 1, zone),
        zone=zone,
    )


class Past(msgspec.Struct, frozen=True):
    """What each of some names used on each day since it was first used, and today."""

    days: Mapping[str, tuple[int, ...]]
    """Name → a number for each whole day; one that was first used today has none."""
    today: Mapping[str, int]
    unpriced: int
    """Attempts of these days whose cost nobody knows: they are in no forecast of it."""
    complete_from_us: int | None
    """Since when all is in it, where that is not the whole time."""


async def past_of(
    unit: Unit, wanted: Slice, axis: Axis | None, days: Days, measure: Measure
) -> Past:
    """Return the past of each value of an axis; without one, of all as "".

    `wanted` says which usage; its time is that of `days`, and the day that runs.
    """
    if days.from_us >= days.read_to_us:
        return Past({}, {}, 0, None)
    axes = (Axis.DAY,) if axis is None else (Axis.DAY, axis)
    found = await read(unit, wanted.moved(days.from_us, days.read_to_us), axes, days.zone)
    shown = labels(Axis.DAY, days.from_us, days.tomorrow_us, days.zone)
    today = shown.pop()
    if found.complete_from_us is not None:
        # The day on which it begins is not whole.
        first_us = day_start(found.complete_from_us, days.zone)
        begins = set(labels(Axis.DAY, days.from_us, first_us + 1, days.zone))
        shown = [one for one in shown if one not in begins]
    named = by_name(found, measure)
    return Past(
        days={
            name: trimmed([values.get(day, 0) for day in shown]) for name, values in named.items()
        },
        today={name: values.get(today, 0) for name, values in named.items()},
        unpriced=found.total.unpriced,
        complete_from_us=found.complete_from_us,
    )


def by_name(found: Found, measure: Measure) -> dict[str, dict[str, int]]:
    """Return name → day → number."""
    names: dict[str, dict[str, int]] = {}
    for (day, *rest), sums in found.groups.items():
        values = names.setdefault(rest[0] if rest else "", {})
        values[day] = values.get(day, 0) + measure.of(sums)
    return names


def trimmed(values: Sequence[int]) -> tuple[int, ...]:
    """Return the days from the first use on: before it, nothing is no zero."""
    first = next((place for place, value in enumerate(values) if value), len(values))
    return tuple(values[first:])


def largest(past: Past, count: int) -> tuple[list[str], tuple[int, ...], int]:
    """Return the names that come to most, and the days of all others, and of them today."""
    ranked = sorted(past.days, key=lambda name: (-sum(past.days[name]), name))
    kept, others = ranked[:count], ranked[count:]
    return kept, added(past.days[name] for name in others), sum(past.today[one] for one in others)


def added(series: Iterable[Sequence[int]]) -> tuple[int, ...]:
    """Return the sums by day of series that all end on the same day."""
    every = list(series)
    length = max(map(len, every), default=0)
    return tuple(
        sum(one[len(one) - back] for one in every if len(one) >= back)
        for back in range(length, 0, -1)
    )
