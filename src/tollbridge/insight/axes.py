"""By what can usage be told apart, in which time, and which of it is meant? Pure."""

from collections.abc import Iterable, Mapping, Sequence
from datetime import date, datetime, timedelta, tzinfo
from enum import StrEnum

import msgspec

from tollbridge.core.clock import to_datetime, to_text, to_us
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.sight import Sight
from tollbridge.recording.rollups import QUARTER_US

HOUR_US = 3600 * 1_000_000
DAY_US = 24 * HOUR_US
DAYS_MAX = 3660
"""Most days of one question."""
POINTS_MAX = 2000
"""Most intervals of one series: 83 days by hours, five years by days."""
AXES_MAX = 5
VALUES_MAX = 100
"""Most values of one filter."""
_EPOCH_ORDINAL = date(1970, 1, 1).toordinal()


class Axis(StrEnum):
    """By what usage is told apart, or chosen."""

    HOUR = "hour"
    DAY = "day"
    WEEK = "week"
    MONTH = "month"
    PROVIDER = "provider"
    UPSTREAM = "upstream"
    BUCKET = "bucket"
    CATEGORY = "category"
    OPERATION = "operation"
    MODEL = "model"
    ROUTE = "route"
    PROJECT = "project"
    USER = "user"
    KEY = "key"
    STATUS_CLASS = "status_class"
    USAGE_SOURCE = "usage_source"
    STATUS = "status"
    CUSTOMER = "customer"
    TAG = "tag"


TIMES: Mapping[Axis, int] = {
    Axis.HOUR: HOUR_US,
    Axis.DAY: DAY_US,
    Axis.WEEK: 7 * DAY_US,
    Axis.MONTH: 28 * DAY_US,
}
"""The axes of time, and how long one of their intervals is at least."""
OF_DETAILS = frozenset({Axis.STATUS, Axis.CUSTOMER, Axis.TAG})
"""Which no roll-up knows."""
OF_CALLERS = frozenset({Axis.USER, Axis.KEY})
"""Which only roll-ups by caller, and those by quarter hour, know."""
OF_ATTEMPTS = frozenset({Axis.PROVIDER, Axis.UPSTREAM, Axis.MODEL})
"""By which tokens and cost are those of the attempts."""

Group = tuple[str, ...]
"""One value for each axis; "" is none."""


class Slice(msgspec.Struct, frozen=True, kw_only=True):
    """Which usage is meant."""

    from_us: int
    to_us: int
    """Not included. Both are starts of quarter hours."""
    only: Mapping[Axis, tuple[str, ...]] = {}
    """Axis → the values that are let by; none of time."""
    sight: Sight | None = None
    """Whose rows may be seen; None: everybody's."""

    def moved(self, from_us: int, to_us: int) -> "Slice":
        """Return the same of another time."""
        return msgspec.structs.replace(self, from_us=from_us, to_us=to_us)

    def narrowed(self, axis: Axis, *values: str) -> "Slice":
        """Return the same with one more filter."""
        return msgspec.structs.replace(self, only={**self.only, axis: values})

    def without(self, axis: Axis) -> "Slice":
        """Return the same with one filter less."""
        only = {name: values for name, values in self.only.items() if name is not axis}
        return msgspec.structs.replace(self, only=only)


class Sums(msgspec.Struct):
    """What a group comes to. Where nothing says otherwise, the sum of what is known."""

    calls: int = 0
    completed: int = 0
    failed: int = 0
    charge_nanousd: int = 0
    attempts: int = 0
    failures: int = 0
    """Attempts that failed or broke."""
    unknown: int = 0
    """Attempts that were never answered."""
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost_nanousd: int = 0
    unpriced: int = 0
    estimated: int = 0
    latency_ms_sum: int = 0
    latency_count: int = 0
    first_byte_ms_sum: int = 0
    first_byte_count: int = 0

    def add(self, other: "Sums") -> None:
        """Add another group's sums."""
        for name in MEASURES:
            setattr(self, name, getattr(self, name) + getattr(other, name))

    def less(self, others: Iterable["Sums"]) -> "Sums":
        """Return what is left without some groups."""
        rest = msgspec.structs.replace(self)
        for one in others:
            for name in MEASURES:
                setattr(rest, name, getattr(rest, name) - getattr(one, name))
        return rest

    @property
    def successes(self) -> int:
        """Attempts that were answered well, or left by the caller while they were."""
        return self.attempts - self.failures - self.unknown

    @property
    def total_tokens(self) -> int:
        """Input and output; what was cached is a part of the input."""
        return self.input_tokens + self.output_tokens


MEASURES = Sums.__struct_fields__


class Found(msgspec.Struct):
    """The sums of groups, and where they were read."""

    groups: dict[Group, Sums] = {}
    total: Sums = msgspec.field(default_factory=Sums)
    has_attempts: bool = True
    """Whether what only attempts have was read."""
    source: str = "rollups"
    """rollups: exact; or details: of the newest calls, within a bound."""
    complete_from_us: int | None = None
    """Since when all is in it, where that is not the whole time; from details only."""

    def of(self, group: Group) -> Sums:
        """Return the sums of a group; of one that is not there, nothing."""
        found = self.groups.get(group)
        return Sums() if found is None else found


def check_axes(axes: Sequence[Axis], wanted: Slice) -> None:
    """Raise InvalidRequestError for axes or a time that no answer could be given for."""
    if len(axes) > AXES_MAX:
        _refuse("group_by", f"at most {AXES_MAX} groupings at once, and not {len(axes)}")
    if len(set(axes)) < len(axes):
        _refuse("group_by", "each grouping is named once")
    times = [one for one in axes if one in TIMES]
    if len(times) > 1:
        _refuse("group_by", f"one grouping by time at once, and not {' and '.join(times)}")
    check_span(wanted.from_us, wanted.to_us)
    if times and (wanted.to_us - wanted.from_us) // TIMES[times[0]] > POINTS_MAX:
        _refuse(
            "from", f"this would be over {POINTS_MAX} intervals: shorten the time, or group coarser"
        )


def check_span(from_us: int, to_us: int) -> None:
    """Raise InvalidRequestError for a time that ends before it begins, or is too long."""
    if from_us >= to_us:
        _refuse("from", "`from` is not before `to`")
    if to_us - from_us > DAYS_MAX * DAY_US:
        _refuse("from", f"at most {DAYS_MAX} days at once")


def _refuse(parameter: str, message: str) -> None:
    raise InvalidRequestError(message, details={"param": parameter})


Offsets = tuple[tuple[int, int], ...]
"""(until, offset) in microseconds: what the zone's clocks are ahead of UTC, before an instant."""


def offsets(zone: tzinfo, from_us: int, to_us: int) -> Offsets:
    """Return how far the zone's clocks are ahead of UTC in a time, stretch by stretch."""
    found: list[tuple[int, int]] = []
    at_us, current = from_us, _offset(zone, from_us)
    while at_us < to_us:
        next_us = min(at_us + DAY_US, to_us)
        after = _offset(zone, next_us)
        if after != current:
            found.append((_change(zone, at_us, next_us), current))
            current = after
        at_us = next_us
    return (*found, (to_us, current))


def _offset(zone: tzinfo, at_us: int) -> int:
    ahead = to_datetime(at_us).astimezone(zone).utcoffset() or timedelta(0)
    return ahead // timedelta(microseconds=1)


def _change(zone: tzinfo, low_us: int, high_us: int) -> int:
    """Return the first quarter hour with the offset of `high_us`."""
    before = _offset(zone, low_us)
    while high_us - low_us > QUARTER_US:
        middle_us = (low_us + high_us) // 2 // QUARTER_US * QUARTER_US
        if middle_us <= low_us:
            break
        if _offset(zone, middle_us) == before:
            low_us = middle_us
        else:
            high_us = middle_us
    return high_us


def label(axis: Axis, place: int) -> str:
    """Return how an interval is shown: `place` is an hour's start, or a local day's number."""
    if axis is Axis.HOUR:
        return to_text(place)
    day = date.fromordinal(place + _EPOCH_ORDINAL)
    if axis is Axis.MONTH:
        return f"{day:%Y-%m}"
    if axis is Axis.WEEK:
        day -= timedelta(days=day.weekday())
    return day.isoformat()


def labels(axis: Axis, from_us: int, to_us: int, zone: tzinfo) -> list[str]:
    """Return all intervals of a time in order, those too in which nothing was."""
    found: dict[str, None] = {}
    stretches = offsets(zone, from_us, to_us)
    at_us, stretch = from_us, 0
    while at_us < to_us:
        while at_us >= stretches[stretch][0]:
            stretch += 1
        ahead_us = stretches[stretch][1]
        length_us = HOUR_US if axis is Axis.HOUR else DAY_US
        behind_us = (at_us + ahead_us) % length_us
        place = at_us - behind_us if axis is Axis.HOUR else (at_us + ahead_us) // DAY_US
        found[label(axis, place)] = None
        # A stretch may end within an interval: never step over that.
        at_us = min(at_us - behind_us + length_us, max(stretches[stretch][0], at_us + 1))
    return list(found)


def day_start(at_us: int, zone: tzinfo) -> int:
    """Return the start of the day, in the billing time zone, that holds an instant."""
    local = to_datetime(at_us).astimezone(zone)
    return to_us(datetime(local.year, local.month, local.day, tzinfo=zone))


def days_later(at_us: int, days: int, zone: tzinfo) -> int:
    """Return the start of the day so many days after the one that holds an instant."""
    day = to_datetime(at_us).astimezone(zone).date() + timedelta(days=days)
    return to_us(datetime(day.year, day.month, day.day, tzinfo=zone))


def previous(wanted: Slice, zone: tzinfo) -> Slice:
    """Return the same of the time before, as long: whole days stay whole days."""
    from_us, to_us = wanted.from_us, wanted.to_us
    if day_start(from_us, zone) == from_us and day_start(to_us, zone) == to_us:
        first = to_datetime(from_us).astimezone(zone).date()
        days = (to_datetime(to_us).astimezone(zone).date() - first).days
        return wanted.moved(days_later(from_us, -days, zone), from_us)
    return wanted.moved(from_us - (to_us - from_us), from_us)


def grain(from_us: int, to_us: int) -> Axis:
    """Return the axis of time by which a chart of a time is drawn."""
    days = (to_us - from_us) / DAY_US
    if days <= 3:
        return Axis.HOUR
    if days <= 95:
        return Axis.DAY
    return Axis.WEEK if days <= 370 else Axis.MONTH


Histogram = dict[int, int]
"""Bucket of rollups.latency_bucket → count."""


class Times(msgspec.Struct, frozen=True):
    """How long attempts took, whole and to the first byte."""

    latency: Histogram
    first_byte: Histogram


class FoundTimes(msgspec.Struct, frozen=True):
    """How long the attempts of groups took."""

    groups: dict[Group, Times]
    complete_from_us: int | None = None
    """Since when all calls are in it; None: all that were asked for are."""
