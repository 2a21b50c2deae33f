"""Dimensions, days and the latency histogram."""

from zoneinfo import ZoneInfo

from hypothesis import given
from hypothesis import strategies as st

from tollbridge.core.clock import to_datetime
from tollbridge.recording.rollups import (
    Days,
    Dimension,
    Dimensions,
    bucket_bounds,
    coarse,
    dimension_id,
    latency_bucket,
    quarter_start,
    status_class,
)
from tollbridge.recording.tables import DIMENSION_COLUMNS

DAY_US = 86_400_000_000


def a_dimension(key: str) -> Dimension:
    return tuple(key if name == "key_id" else name for name in DIMENSION_COLUMNS)


@given(st.integers(0, 10**9))
def test_a_latency_lies_within_the_bounds_of_its_bucket(value_ms: int) -> None:
    """Buckets cover every duration and are at most an eighth wide."""
    start, end = bucket_bounds(latency_bucket(value_ms))
    assert start <= value_ms < end
    assert end - start <= max(1, start / 8)


@given(st.integers(0, 10_000))
def test_buckets_lie_side_by_side(index: int) -> None:
    """No two buckets overlap and nothing is between them."""
    assert bucket_bounds(index)[1] == bucket_bounds(index + 1)[0]


@given(st.integers(0, 4 * 10**9), st.sampled_from(["UTC", "Asia/Kathmandu", "America/St_Johns"]))
def test_a_quarter_hour_lies_in_one_day_of_the_zone(at_s: int, zone: str) -> None:
    """The day begins at the zone's midnight, at or before each quarter hour of it."""
    days = Days(ZoneInfo(zone))
    quarter_us = quarter_start(at_s * 1_000_000)
    start_us = days.start(quarter_us)
    local, midnight = (
        to_datetime(at_us).astimezone(ZoneInfo(zone)) for at_us in (quarter_us, start_us)
    )
    assert (midnight.hour, midnight.minute) == (0, 0)
    assert local.date() == midnight.date()
    assert start_us <= quarter_us < start_us + DAY_US + 3_600_000_000


def test_a_day_with_a_clock_change_has_one_start() -> None:
    """Quarter hours before and after the change in Berlin in March are of the same day."""
    days = Days(ZoneInfo("Europe/Berlin"))
    midnight_us = 1_774_738_800_000_000  # 2026-03-29 00:00 +01:00
    assert {days.start(midnight_us + hours * 3_600_000_000) for hours in range(23)} == {midnight_us}
    assert days.start(midnight_us + 23 * 3_600_000_000) == midnight_us + 23 * 3_600_000_000


def test_a_dimension_without_user_and_key_keeps_the_rest() -> None:
    """Daily rows say everything but who."""
    found = dict(zip(DIMENSION_COLUMNS, coarse(DIMENSION_COLUMNS), strict=True))
    assert {name for name, value in found.items() if not value} == {
        "user_name",
        "key_id",
        "key_name",
    }


def test_ids_are_the_same_everywhere_and_differ_by_every_value() -> None:
    """An id is a figure of the values alone, and fits a signed 64-bit column."""
    assert dimension_id(("a",) * 13) == 6_766_379_526_028_403_485
    ids = {
        dimension_id(tuple("x" if place == other else "y" for place in range(13)))
        for other in range(14)
    }
    assert len(ids) == 14
    assert all(0 <= one < 2**63 for one in ids)


def test_known_dimensions_are_bounded_and_keep_what_is_used() -> None:
    """What is asked for again and again stays; memory does not grow."""
    known = Dimensions(cached_max=10)
    known.committed({a_dimension("used"): (1, 2)})
    for number in range(1000):
        known.committed({a_dimension(str(number)): (number, number)})
        assert known.get(a_dimension("used")) == (1, 2)
    assert len(known._young) + len(known._old) <= 10
    assert known.get(a_dimension("0")) is None


def test_the_class_of_a_status_is_a_word() -> None:
    """No answer and nonsense are `none`."""
    assert [status_class(status) for status in (200, 499, 503, None, 0, 777)] == [
        *("2xx", "4xx", "5xx"),
        *("none", "none", "none"),
    ]
