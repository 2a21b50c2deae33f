"""A subscription's periods partition time, whatever the calendar does."""

from datetime import UTC, datetime
from zoneinfo import ZoneInfo

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.core.clock import to_datetime, to_us
from tollbridge.ledger.subscriptions import Cycle, Subscription, floor_quarter, period_from

ZONES = ("UTC", "Europe/Berlin", "America/New_York", "Asia/Kathmandu", "Australia/Lord_Howe")
INSTANTS = st.integers(
    to_us(datetime(2020, 1, 1, tzinfo=UTC)), to_us(datetime(2040, 1, 1, tzinfo=UTC))
)


def at(text: str, zone: str = "UTC") -> int:
    return to_us(datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(zone)))


def days(anchor: str, count: int) -> list[str]:
    """Return the first days of the periods of a month from an anchor on."""
    found: list[str] = []
    start_us = at(anchor)
    for _ in range(count):
        start_us, end_us = period_from(at(anchor), 1, start_us, UTC)
        found.append(f"{to_datetime(start_us):%m-%d}")
        start_us = end_us
    return found


def test_from_the_31st_months_end_on_their_last_day_and_go_on_with_the_31st() -> None:
    assert days("2026-01-31T09:15", 5) == ["01-31", "02-28", "03-31", "04-30", "05-31"]


def test_a_leap_day_is_kept_for_the_leap_years() -> None:
    start, end = period_from(at("2024-02-29"), 12, at("2028-02-29"), UTC)
    assert (start, end) == (at("2028-02-29"), at("2029-02-28"))


def test_the_end_belongs_to_the_next_period() -> None:
    """One microsecond before the end it is still the first period; at the end the second."""
    first = period_from(at("2026-03-05T10:00"), 1, at("2026-03-05T10:00"), UTC)
    assert first == (at("2026-03-05T10:00"), at("2026-04-05T10:00"))
    assert period_from(first.start_us, 1, first.end_us - 1, UTC) == first
    assert period_from(first.start_us, 1, first.end_us, UTC).start_us == first.end_us


def test_a_period_keeps_the_local_hour_over_the_change_to_summer_time() -> None:
    berlin = "Europe/Berlin"
    start_us = at("2026-03-10T08:00", berlin)
    found = period_from(start_us, 1, start_us, ZoneInfo(berlin))
    assert found.end_us == at("2026-04-10T08:00", berlin)
    assert found.end_us - found.start_us != at("2026-04-10T08:00") - at("2026-03-10T08:00")


@given(INSTANTS, INSTANTS, st.sampled_from(ZONES), st.sampled_from((1, 12)))
def test_each_instant_is_in_exactly_one_period(
    anchor_us: int, at_us: int, zone: str, months: int
) -> None:
    """Its period holds it, begins where the one before ends and ends where the next begins."""
    where = ZoneInfo(zone)
    at_us = max(at_us, anchor_us)
    found = period_from(anchor_us, months, at_us, where)
    assert found.start_us <= at_us < found.end_us
    after = period_from(anchor_us, months, found.end_us, where)
    assert after.start_us == found.end_us
    if found.start_us > anchor_us:
        assert period_from(anchor_us, months, found.start_us - 1, where).end_us == found.start_us


@pytest.mark.parametrize(("months", "cycle"), [(1, Cycle.MONTHLY), (12, Cycle.YEARLY)])
def test_limits_count_by_the_month_also_where_the_year_is_paid_for(
    months: int, cycle: Cycle
) -> None:
    start_us = at("2026-01-15")
    row = Subscription(
        user="ada",
        plan_id=1,
        cycle=cycle,
        anchor_us=start_us,
        recorded_until_us=start_us,
        created_at_us=start_us,
        updated_at_us=start_us,
    )
    now_us = at("2026-06-20")
    assert row.month(now_us, UTC) == (at("2026-06-15"), at("2026-07-15"))
    assert row.period(now_us, UTC) == period_from(start_us, months, now_us, UTC)


@given(INSTANTS)
def test_the_anchor_is_the_start_of_its_quarter_hour(at_us: int) -> None:
    start = to_datetime(floor_quarter(at_us))
    assert (start.minute % 15, start.second, start.microsecond) == (0, 0, 0)
    assert 0 <= at_us - floor_quarter(at_us) < 15 * 60 * 1_000_000
