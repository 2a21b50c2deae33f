"""The only attempt of a call that went well is said by the call's own row.

Revision 0006_folded_attempts, after 0005_lease_ends.

Most calls have one attempt, and a second row said the same once more. `call_attempts` is a view
from here on; its rows are those of `call_details` that say their attempt, and `call_attempt_rows`.
"""

import sqlalchemy as sa
from alembic import op

from tollbridge.storage.types import Instant, Json

revision = "0006_folded_attempts"
down_revision = "0005_lease_ends"
branch_labels = None
depends_on = None

_SELECT, _FROM_ROWS = "SELECT", "FROM call_attempt_rows"
_INTO_ROWS = "INSERT INTO call_attempt_rows"
_COLUMNS = (
    "call_id, number, endpoint, provider, upstream_provider_name, model, served_model, "
    "started_at_us, ended_at_us, outcome, error_class, http_status, message, reason, "
    "latency_ms, first_byte_ms, written, input_tokens, output_tokens, cache_read_tokens, "
    "cache_write_tokens, reasoning_tokens, usage, usage_source, cost_nanousd, cost_origin, "
    "unpriced_reason, flags, response_id, facts"
)


# SQLite knows no jsonb, and takes NULL for what it is.
_FOLDED = """
    SELECT call_id, 1 AS number, endpoint, actual_provider_name AS provider,
        upstream_provider_name, requested_model AS model, served_model,
        attempt_started_at_us AS started_at_us, attempt_ended_at_us AS ended_at_us,
        'succeeded' AS outcome, NULL AS error_class, http_status, NULL AS message,
        attempt_reason AS reason,
        CASE WHEN attempt_ended_at_us < attempt_started_at_us THEN 0
             ELSE (attempt_ended_at_us - attempt_started_at_us + 500) / 1000
             END AS latency_ms,
        CASE WHEN first_byte_at_us < attempt_started_at_us THEN 0
             ELSE (first_byte_at_us - attempt_started_at_us + 500) / 1000
             END AS first_byte_ms,
        TRUE AS written, input_tokens, output_tokens, cache_read_tokens, cache_write_tokens,
        reasoning_tokens, usage, usage_source, cost_nanousd, cost_origin, unpriced_reason,
        CAST(NULL AS jsonb) AS flags, response_id, attempt_facts AS facts
    FROM call_details WHERE attempt_started_at_us IS NOT NULL
"""


def upgrade() -> None:
    """Let detail rows say their only attempt; those that are there keep its row."""
    op.rename_table("call_attempts", "call_attempt_rows")
    op.add_column("call_details", sa.Column("attempt_started_at_us", Instant(), nullable=True))
    op.add_column("call_details", sa.Column("attempt_ended_at_us", Instant(), nullable=True))
    op.add_column("call_details", sa.Column("attempt_reason", sa.Text(), nullable=True))
    op.add_column("call_details", sa.Column("response_id", sa.Text(), nullable=True))
    op.add_column("call_details", sa.Column("attempt_facts", Json(), nullable=True))
    op.execute(
        f"CREATE VIEW call_attempts AS {_FOLDED} UNION ALL {_SELECT} {_COLUMNS} {_FROM_ROWS}"
    )


def downgrade() -> None:
    """Give each attempt a row again."""
    op.execute(f"{_INTO_ROWS} ({_COLUMNS}) {_FOLDED}")
    op.execute("DROP VIEW call_attempts")
    op.rename_table("call_attempt_rows", "call_attempts")
    for name in (
        "attempt_facts",
        "response_id",
        "attempt_reason",
        "attempt_ended_at_us",
        "attempt_started_at_us",
    ):
        op.drop_column("call_details", name)
