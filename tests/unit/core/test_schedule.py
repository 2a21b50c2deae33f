"""When is it time again, and how long ago was that?"""

from datetime import UTC, datetime, timedelta

import pytest
from pydantic import ValidationError

from tollbridge.core.clock import to_datetime, to_us
from tollbridge.core.errors import ConfigurationError
from tollbridge.core.schedule import Schedule, months_before
from tollbridge.settings import ARCHIVE_CRON, Settings

SETTING = "TOLLBRIDGE_DETAILS_ARCHIVE_CRON"


@pytest.mark.parametrize(
    ("moment", "months", "expected"),
    [
        ("2026-05-07T12:00:00", 13, "2025-04-07T12:00:00"),
        ("2026-03-31T00:00:00", 1, "2026-02-28T00:00:00"),
        ("2024-03-31T00:00:00", 1, "2024-02-29T00:00:00"),
        ("2026-01-15T00:00:00", 2, "2025-11-15T00:00:00"),
        ("2026-05-07T00:00:00", 25, "2024-04-07T00:00:00"),
        ("2026-12-31T23:59:59.999999", 12, "2025-12-31T23:59:59.999999"),
        ("2026-12-31T08:30:00", 1200, "1926-12-31T08:30:00"),
    ],
)
def test_months_are_calendar_months_whose_day_is_clamped(
    moment: str, months: int, expected: str
) -> None:
    """Case 25 of the archiver: the time of day is kept."""
    at_us = to_us(datetime.fromisoformat(moment).replace(tzinfo=UTC))
    assert to_datetime(months_before(at_us, months)).isoformat() == f"{expected}+00:00"


@pytest.mark.parametrize("cron", ["garbage", "", " ", "0 3 * *", "0 3 * * * *", "60 3 * * *"])
def test_what_is_no_cron_text_is_refused_with_the_settings_name(cron: str) -> None:
    """Case 27."""
    with pytest.raises(ConfigurationError, match=f"{SETTING}: '{cron}'".replace("*", r"\*")):
        Settings(details_archive_cron=cron)


@pytest.mark.parametrize("cron", ["0 0 30 2 *", "0 0 31 4 *"])
def test_a_time_that_never_comes_is_refused(cron: str) -> None:
    with pytest.raises(ConfigurationError, match=ARCHIVE_CRON):
        Schedule(cron, ARCHIVE_CRON)


@pytest.mark.parametrize(
    ("cron", "longest"),
    [
        ("0 3 * * *", timedelta(hours=24)),
        ("*/15 * * * *", timedelta(minutes=15)),
        ("0 */6 * * *", timedelta(hours=6)),
        ("0 3 * * 0", timedelta(days=7)),
        ("0 3 1 * *", timedelta(days=32)),
    ],
)
@pytest.mark.parametrize("now", ["2026-05-07T12:00:00", "2026-03-29T02:59:59", "2024-02-29T03:00"])
def test_the_next_time_is_behind_now_and_within_its_rhythm(
    cron: str, longest: timedelta, now: str
) -> None:
    """Case 28: behind, even where now is such a time itself."""
    after = datetime.fromisoformat(now).replace(tzinfo=UTC)
    wait = to_datetime(Schedule(cron, SETTING).next_us(to_us(after))) - after
    assert timedelta(0) < wait <= longest


def test_the_archives_settings_are_read_from_the_environment(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    """Case 27. An empty variable counts as not given, as it does for every setting."""
    monkeypatch.setenv("TOLLBRIDGE_DETAILS_KEEP_MONTHS", "3")
    monkeypatch.setenv("TOLLBRIDGE_DETAILS_ARCHIVE_BATCH_ROWS", "7")
    monkeypatch.setenv("TOLLBRIDGE_DETAILS_ARCHIVE_CRON", "")
    settings = Settings()
    assert (settings.details_keep_months, settings.details_archive_batch_rows) == (3, 7)
    assert settings.details_archive_cron == "0 3 * * *"
    monkeypatch.setenv("TOLLBRIDGE_DETAILS_ARCHIVE_CRON", "garbage")
    with pytest.raises(ConfigurationError, match=SETTING):
        Settings()


@pytest.mark.parametrize(
    ("name", "value"),
    [("details_keep_months", 0), ("details_archive_batch_rows", 0), ("content_bytes_max", -1)],
)
def test_limits_that_cannot_be_meant_are_refused(name: str, value: int) -> None:
    with pytest.raises(ValidationError, match=name):
        Settings.model_validate({name: value})
