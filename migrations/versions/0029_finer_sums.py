"""Sums by quarter hour without callers, and of attempts by caller and day.

Revision 0029_finer_sums. `rollups_by_call_quarterly` and `rollups_by_attempt_quarterly` have what a
quarter hour comes to without users and keys; `rollups_by_caller_attempt_daily` has what the
attempts of a user and a key come to in a day. All are made from what is there: days begin where
those of the daily roll-ups do.
"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from tollbridge.storage.types import Instant

revision = "0029_finer_sums"
down_revision = "0028_details_vacuumed"
branch_labels = None
depends_on = None

CALL_MEASURES = (
    "calls",
    "completed",
    "failed",
    "unpriced",
    "estimated",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cost_nanousd",
    "charge_nanousd",
    "latency_ms_sum",
)
ATTEMPT_MEASURES = (
    "attempts",
    "failures",
    "unknown",
    "unpriced",
    "estimated",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "cost_nanousd",
    "latency_ms_sum",
    "latency_count",
    "first_byte_ms_sum",
    "first_byte_count",
)
# What a dimension and the same one without user and key have in common.
_SHARED = (
    "provider",
    "upstream_provider",
    "bucket",
    "category",
    "operation",
    "model",
    "route",
    "project",
    "status_class",
    "usage_source",
)
_DAYS = """
    SELECT day_start_us FROM rollups_by_call_daily
    UNION SELECT day_start_us FROM rollups_by_attempt_daily ORDER BY 1
"""
_LATEST_US = 2**62


def _coarse() -> Sequence[str]:
    """Return the statements that say which dimension is which one without user and key."""
    shared = ", ".join(_SHARED)
    same = " AND ".join(f"s.{name} = d.{name}" for name in _SHARED)
    make, select, of = "CREATE TEMPORARY TABLE", "SELECT", "dimensions"
    nobody = "user_name = '' AND key_id = '' AND key_name = ''"
    ids = "d.dimension_id AS fine_id, s.dimension_id AS coarse_id"
    return (
        f"{make} shared AS {select} dimension_id, {shared} FROM {of} WHERE {nobody}",
        f"CREATE INDEX ix_shared ON shared ({shared})",
        f"{make} coarse AS {select} {ids} FROM {of} AS d JOIN shared AS s ON {same}",
        "CREATE UNIQUE INDEX ix_coarse ON coarse (fine_id)",
    )


def _filled(
    target: str, columns: tuple[str, str], source: str, measures: Sequence[str], within: str
) -> str:
    """Return the statement that sums up quarter hours; `columns`: whose sum is made, and when."""
    start, dimension = columns
    sums = ", ".join(f"sum(r.{measure})" for measure in measures)
    name = "day_start_us" if target.endswith("_daily") else "quarter_start_us"
    return " ".join(
        (
            f"INSERT INTO {target} ({name}, dimension_id,",
            ", ".join(measures),
            ") SELECT",
            f"{start}, {dimension}, {sums} FROM {source} AS r",
            "JOIN coarse AS k ON k.fine_id = r.dimension_id",
            f"WHERE {within} GROUP BY 1, 2",
        )
    )


def _of_a_day(start_us: int, end_us: int) -> Sequence[str]:
    """Return the statements that fill the tables for one day, so that little is sorted at once."""
    within = f"r.quarter_start_us >= {start_us} AND r.quarter_start_us < {end_us}"
    shared = "r.quarter_start_us", "k.coarse_id"
    own = f"{start_us}", "r.dimension_id"
    calls, attempts = "rollups_by_call", "rollups_by_attempt"
    return (
        _filled(f"{calls}_quarterly", shared, calls, CALL_MEASURES, within),
        _filled(f"{attempts}_quarterly", shared, attempts, ATTEMPT_MEASURES, within),
        _filled("rollups_by_caller_attempt_daily", own, attempts, ATTEMPT_MEASURES, within),
    )


def upgrade() -> None:
    """Make the tables and what is to stand in them."""
    _create("rollups_by_call_quarterly", "quarter_start_us", CALL_MEASURES)
    _create("rollups_by_attempt_quarterly", "quarter_start_us", ATTEMPT_MEASURES)
    _create("rollups_by_caller_attempt_daily", "day_start_us", ATTEMPT_MEASURES)
    connection = op.get_bind()
    for sql in _coarse():
        connection.exec_driver_sql(sql)
    found = connection.exec_driver_sql(_DAYS)
    starts_us = [int(row[0]) for row in found]
    for start_us, end_us in zip(starts_us, [*starts_us[1:], _LATEST_US], strict=False):
        for sql in _of_a_day(start_us, end_us):
            connection.exec_driver_sql(sql)
    connection.exec_driver_sql("DROP TABLE coarse")
    connection.exec_driver_sql("DROP TABLE shared")


def downgrade() -> None:
    """Drop them: what they say is in the others."""
    op.drop_table("rollups_by_caller_attempt_daily")
    op.drop_table("rollups_by_attempt_quarterly")
    op.drop_table("rollups_by_call_quarterly")


def _create(table: str, start: str, measures: Sequence[str]) -> None:
    op.create_table(
        table,
        sa.Column(start, Instant(), autoincrement=False, nullable=False),
        sa.Column("dimension_id", sa.BigInteger(), autoincrement=False, nullable=False),
        *(sa.Column(measure, sa.BigInteger(), nullable=False) for measure in measures),
        sa.PrimaryKeyConstraint(start, "dimension_id", name=op.f(f"pk_{table}")),
        sqlite_with_rowid=False,
    )
