"""Sums by caller and day, and how long attempts took to their first byte.

Revision 0023_insight. `rollups_by_caller_daily` has what the calls of a user and a key come to in
a day; `rollup_latency` also counts first bytes, and `rollup_latency_daily` both by day. All are
made from what is there: days begin where those of the daily roll-ups do.
"""

from collections.abc import Sequence
from string import Template

import sqlalchemy as sa
from alembic import op

from tollbridge.storage.types import Instant

revision = "0023_insight"
down_revision = "0020_wallets"
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
# The bucket of a time: eight per doubling, exact below 16 ms.
_SHIFT = " ".join(f"WHEN a.first_byte_ms < {16 << shift} THEN {shift}" for shift in range(48))
_BUCKET = f"((CASE {_SHIFT} ELSE 48 END) << 3) + (a.first_byte_ms >> (CASE {_SHIFT} ELSE 48 END))"
_QUARTER = "d.accounted_at_us - d.accounted_at_us % 900000000"
_CLASS = (
    "CASE WHEN a.http_status BETWEEN 100 AND 599 "
    "THEN CAST(a.http_status / 100 AS VARCHAR(1)) || 'xx' ELSE 'none' END"
)
# By the dimension that has the attempt's values, and neither user nor key.
_INSERT, _SELECT = "INSERT INTO", "SELECT"
_FIRST_BYTES = Template(
    f"""
    {_INSERT} rollup_latency AS r
        (quarter_start_us, dimension_id, bucket_index, count, first_byte_count)
    {_SELECT} {_QUARTER}, s.dimension_id, {_BUCKET}, 0, count(*)
    FROM $attempts AS a JOIN $details AS d ON d.call_id = a.call_id
    JOIN dimensions AS s ON s.provider = a.provider
        AND s.upstream_provider = coalesce(a.upstream_provider_name, '')
        AND s.bucket = d.bucket AND s.category = d.category AND s.operation = d.operation
        AND s.model = a.model AND s.route = d.label AND s.project = d.project
        AND s.user_name = '' AND s.key_id = '' AND s.key_name = ''
        AND s.status_class = {_CLASS} AND s.usage_source = a.usage_source
    WHERE a.first_byte_ms IS NOT NULL
    GROUP BY 1, 2, 3
    ON CONFLICT (quarter_start_us, dimension_id, bucket_index)
    DO UPDATE SET first_byte_count = r.first_byte_count + excluded.first_byte_count
    """
)
_DAYS = """
    CREATE TEMPORARY TABLE quarter_days AS
    SELECT q.quarter_start_us AS quarter_start_us, (
        SELECT max(d.day_start_us) FROM (
            SELECT DISTINCT day_start_us FROM rollups_by_call_daily
            UNION SELECT DISTINCT day_start_us FROM rollups_by_attempt_daily
        ) AS d WHERE d.day_start_us <= q.quarter_start_us
    ) AS day_start_us
    FROM (
        SELECT DISTINCT quarter_start_us FROM rollups_by_call
        UNION SELECT DISTINCT quarter_start_us FROM rollup_latency
    ) AS q
"""


def _by_day(table: str, source: str, keys: Sequence[str], measures: Sequence[str]) -> str:
    """Return the statement that sums up quarter hours by day."""
    columns = ", ".join((*keys, *measures))
    of_source = ", ".join(f"r.{key}" for key in keys)
    sums = ", ".join(f"sum(r.{measure})" for measure in measures)
    return " ".join(
        (
            f"INSERT INTO {table} (day_start_us, {columns})",
            "SELECT",
            f"q.day_start_us, {of_source}, {sums} FROM {source} AS r",
            "JOIN quarter_days AS q ON q.quarter_start_us = r.quarter_start_us",
            f"GROUP BY q.day_start_us, {of_source}",
        )
    )


def upgrade() -> None:
    """Make the tables and what is to stand in them."""
    _create("rollups_by_caller_daily", ("dimension_id",), CALL_MEASURES)
    histogram = ("dimension_id", "bucket_index")
    _create("rollup_latency_daily", histogram, ("count", "first_byte_count"))
    op.add_column(
        "rollup_latency",
        sa.Column("first_byte_count", sa.BigInteger(), nullable=False, server_default="0"),
    )
    connection = op.get_bind()
    for attempts, details in (
        ("call_attempts", "call_details"),
        ("archived_call_attempts", "call_details_archive"),
    ):
        sql = _FIRST_BYTES.substitute(attempts=attempts, details=details)
        connection.exec_driver_sql(sql)
    connection.exec_driver_sql(_DAYS)
    for sql in (
        _by_day("rollups_by_caller_daily", "rollups_by_call", ("dimension_id",), CALL_MEASURES),
        _by_day("rollup_latency_daily", "rollup_latency", histogram, ("count", "first_byte_count")),
    ):
        connection.exec_driver_sql(sql)
    connection.exec_driver_sql("DROP TABLE quarter_days")


def downgrade() -> None:
    """Drop them; the buckets go that count nothing but first bytes."""
    op.drop_table("rollup_latency_daily")
    op.drop_table("rollups_by_caller_daily")
    op.execute("DELETE FROM rollup_latency WHERE count = 0")
    op.drop_column("rollup_latency", "first_byte_count")


def _create(table: str, keys: Sequence[str], measures: Sequence[str]) -> None:
    types = {"bucket_index": sa.Integer()}
    primary = ("day_start_us", *keys)
    op.create_table(
        table,
        sa.Column("day_start_us", Instant(), autoincrement=False, nullable=False),
        *(
            sa.Column(key, types.get(key, sa.BigInteger()), autoincrement=False, nullable=False)
            for key in keys
        ),
        *(sa.Column(measure, sa.BigInteger(), nullable=False) for measure in measures),
        sa.PrimaryKeyConstraint(*primary, name=op.f(f"pk_{table}")),
        sqlite_with_rowid=False,
    )
