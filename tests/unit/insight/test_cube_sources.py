"""Sums are read where there are least rows that know the answer."""

from collections.abc import Sequence
from datetime import UTC

import pytest

from tollbridge.core.sight import Sight
from tollbridge.insight.axes import DAY_US, Axis, Slice
from tollbridge.insight.cube_source_queries import sources_of

FROM_US = 20_454 * DAY_US
QUARTER_US = 900_000_000
MONTH = Slice(from_us=FROM_US, to_us=FROM_US + 30 * DAY_US)
EDGED = MONTH.moved(FROM_US + QUARTER_US, FROM_US + 3 * DAY_US - QUARTER_US)
SEEN = Slice(from_us=FROM_US, to_us=FROM_US + DAY_US, sight=Sight("ada"))


def tables(wanted: Slice, *axes: Axis) -> list[str]:
    return [one.table.name for one in sources_of(wanted, axes, UTC)]


@pytest.mark.parametrize(
    ("wanted", "axes", "expected"),
    [
        (MONTH, (Axis.PROVIDER, Axis.DAY), ["rollups_by_call_daily", "rollups_by_attempt_daily"]),
        (
            MONTH,
            (Axis.HOUR, Axis.PROVIDER),
            ["rollups_by_call_quarterly", "rollups_by_attempt_quarterly"],
        ),
        (
            MONTH,
            (Axis.KEY, Axis.MODEL),
            ["rollups_by_caller_daily", "rollups_by_caller_attempt_daily"],
        ),
        (MONTH, (Axis.HOUR, Axis.USER), ["rollups_by_call", "rollups_by_attempt"]),
        (
            MONTH.narrowed(Axis.USER, "ada"),
            (),
            ["rollups_by_caller_daily", "rollups_by_caller_attempt_daily"],
        ),
        (SEEN, (Axis.PROVIDER,), ["rollups_by_caller_daily", "rollups_by_caller_attempt_daily"]),
    ],
)
def test_only_what_tells_callers_apart_is_read_with_callers(
    wanted: Slice, axes: Sequence[Axis], expected: list[str]
) -> None:
    """And only hours by quarter hour, where a time has whole days."""
    assert tables(wanted, *axes) == expected


def test_whole_days_are_read_by_day_and_the_ends_by_quarter_hour() -> None:
    """All of a time once."""
    found = sources_of(EDGED, (Axis.PROVIDER,), UTC, attempts=False, calls_only=True)
    assert [(one.table.name, one.spans) for one in found] == [
        ("rollups_by_call_daily", ((FROM_US + DAY_US, FROM_US + 2 * DAY_US),)),
        (
            "rollups_by_call_quarterly",
            ((EDGED.from_us, FROM_US + DAY_US), (FROM_US + 2 * DAY_US, EDGED.to_us)),
        ),
    ]
