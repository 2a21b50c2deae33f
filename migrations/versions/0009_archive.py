"""An archive for details that have been kept long enough; and what was asked and answered.

Revision 0009_archive, after 0008_attribution.

The archive's tables are copies of what the tables of details are by now, whatever the steps
before have made of them.
"""

import sqlalchemy as sa
from alembic import op

from tollbridge.storage.types import CallId, Instant

revision = "0009_archive"
down_revision = "0008_attribution"
branch_labels = None
depends_on = None

_INSERT, _SELECT, _CREATE = "INSERT INTO", "SELECT", "CREATE VIEW"
DETAILS, ROWS = "call_details", "call_attempt_rows"
DETAILS_ARCHIVE, ROWS_ARCHIVE = "call_details_archive", "call_attempts_archive"
_COLUMNS = (
    "call_id, number, endpoint, provider, upstream_provider_name, model, served_model, "
    "started_at_us, ended_at_us, outcome, error_class, http_status, message, reason, "
    "latency_ms, first_byte_ms, written, input_tokens, output_tokens, cache_read_tokens, "
    "cache_write_tokens, reasoning_tokens, usage, usage_source, cost_nanousd, cost_origin, "
    "unpriced_reason, flags, response_id, facts"
)
# As the view `call_attempts` has it. SQLite knows no jsonb, and takes NULL for what it is.
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
    FROM call_details_archive WHERE attempt_started_at_us IS NOT NULL
"""


def upgrade() -> None:
    """Make the tables and the view, and let keys and routes ask for content to be kept."""
    _copy(DETAILS, DETAILS_ARCHIVE, ["call_id"])
    for of in (
        ("accounted_at_us",),
        ("key_id", "accounted_at_us"),
        ("actual_provider_name", "accounted_at_us"),
    ):
        op.create_index(f"ix_{DETAILS_ARCHIVE}_{'_'.join(of)}", DETAILS_ARCHIVE, list(of))
    _copy(ROWS, ROWS_ARCHIVE, ["call_id", "number"], sqlite_with_rowid=False)
    op.execute(
        f"{_CREATE} archived_call_attempts AS {_FOLDED} "
        f"UNION ALL {_SELECT} {_COLUMNS} FROM {ROWS_ARCHIVE}"
    )
    op.create_table(
        "call_contents",
        sa.Column("call_id", CallId(), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("body_bytes", sa.BigInteger(), nullable=False),
        sa.Column("truncated", sa.Boolean(), nullable=False),
        sa.Column("at_us", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("call_id", "kind", name="pk_call_contents"),
        sqlite_with_rowid=False,
    )
    for name in ("keys", "routes"):
        keeps = sa.Column("keep_content", sa.Boolean(), nullable=False, server_default=sa.false())
        op.add_column(name, keeps)


def downgrade() -> None:
    """Put what is archived back where it was."""
    for name in ("keys", "routes"):
        op.drop_column(name, "keep_content")
    op.drop_table("call_contents")
    op.execute("DROP VIEW archived_call_attempts")
    for archive, table in ((DETAILS_ARCHIVE, DETAILS), (ROWS_ARCHIVE, ROWS)):
        names = ", ".join(f'"{column.name}"' for column in _table(table).c)
        op.execute(f"{_INSERT} {table} ({names}) {_SELECT} {names} FROM {archive}")
        op.drop_table(archive)


def _copy(table: str, copy: str, key: list[str], *, sqlite_with_rowid: bool = True) -> None:
    columns = [
        sa.Column(column.name, column.type, nullable=column.nullable, autoincrement=False)
        for column in _table(table).c
    ]
    op.create_table(
        copy,
        *columns,
        sa.PrimaryKeyConstraint(*key, name=f"pk_{copy}"),
        sqlite_with_rowid=sqlite_with_rowid,
    )


def _table(name: str) -> sa.Table:
    return sa.Table(name, sa.MetaData(), autoload_with=op.get_bind())
