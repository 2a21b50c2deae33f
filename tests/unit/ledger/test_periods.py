from datetime import datetime
from zoneinfo import ZoneInfo

import pytest

from tollbridge.core.clock import to_us
from tollbridge.ledger.periods import END_OF_TIME_US, PERIODS, minute_bounds, period_bounds

UTC = ZoneInfo("UTC")
BERLIN = ZoneInfo("Europe/Berlin")


def at(text: str) -> int:
    return to_us(datetime.fromisoformat(text))


@pytest.mark.parametrize(
    ("period", "start", "end"),
    [
        ("hour", "2026-05-20T13:00+00:00", "2026-05-20T14:00+00:00"),
        ("day", "2026-05-20T00:00+00:00", "2026-05-21T00:00+00:00"),
        ("week", "2026-05-18T00:00+00:00", "2026-05-25T00:00+00:00"),
        ("month", "2026-05-01T00:00+00:00", "2026-06-01T00:00+00:00"),
        ("quarter", "2026-04-01T00:00+00:00", "2026-07-01T00:00+00:00"),
        ("year", "2026-01-01T00:00+00:00", "2027-01-01T00:00+00:00"),
    ],
)
def test_a_period_runs_from_its_first_instant_to_the_next_ones(
    period: str,
    start: str,
    end: str,
) -> None:
    assert period_bounds(period, at("2026-05-20T13:45:10+00:00"), UTC) == (at(start), at(end))


@pytest.mark.parametrize("period", PERIODS)
def test_the_end_belongs_to_the_next_period(period: str) -> None:
    start_us, end_us = period_bounds(period, at("2026-12-31T23:59:59.999999+00:00"), UTC)
    assert period_bounds(period, start_us, UTC) == (start_us, end_us)
    if period != "total":
        assert period_bounds(period, end_us, UTC)[0] == end_us
        assert period_bounds(period, end_us - 1, UTC) == (start_us, end_us)


def test_december_and_the_last_quarter_end_with_the_year() -> None:
    moment = at("2026-12-05T00:00+00:00")
    assert period_bounds("month", moment, UTC)[1] == at("2027-01-01T00:00+00:00")
    assert period_bounds("quarter", moment, UTC)[1] == at("2027-01-01T00:00+00:00")


def test_a_day_of_the_billing_zone_can_have_23_or_25_hours() -> None:
    spring = period_bounds("day", at("2026-03-29T12:00+02:00"), BERLIN)
    autumn = period_bounds("day", at("2026-10-25T12:00+01:00"), BERLIN)
    assert spring == (at("2026-03-29T00:00+01:00"), at("2026-03-30T00:00+02:00"))
    assert autumn[1] - autumn[0] == 25 * 3600 * 10**6


def test_a_month_begins_at_midnight_of_the_billing_zone() -> None:
    start_us, _ = period_bounds("month", at("2026-05-31T22:30+00:00"), BERLIN)
    assert start_us == at("2026-06-01T00:00+02:00")


def test_a_total_never_ends() -> None:
    assert period_bounds("total", at("2026-05-20T13:45+00:00"), UTC) == (0, END_OF_TIME_US)


def test_an_unknown_period_is_named() -> None:
    with pytest.raises(ValueError, match="fortnight"):
        period_bounds("fortnight", 0, UTC)


def test_a_minute_is_the_calendars() -> None:
    start_us, end_us = minute_bounds(at("2026-05-20T13:45:59.999999+00:00"))
    assert (start_us, end_us) == (at("2026-05-20T13:45+00:00"), at("2026-05-20T13:46+00:00"))
