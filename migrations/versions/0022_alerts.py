"""Alerts, who has read them, at which thresholds, and the webhooks that tell of them.

Revision 0022_alerts.
"""

import sqlalchemy as sa
from alembic import op

from tollbridge.storage.types import Amount, CallId, Instant, Json

revision = "0022_alerts"
down_revision = "0023_insight"
branch_labels = None
depends_on = None

TABLES = ("alert_deliveries", "alert_webhooks", "alert_rules", "alert_reads", "alerts")


def upgrade() -> None:
    """Make the tables: nobody has been told of anything yet."""
    op.create_table(
        "alerts",
        sa.Column("alert_id", CallId(), nullable=False),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("limit_id", sa.String(200), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("bucket", sa.String(32), nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("used", Amount(), nullable=False),
        sa.Column("limit_amount", Amount(), nullable=False),
        sa.Column("period_start_us", Instant(), nullable=False),
        sa.Column("period_end_us", Instant(), nullable=True),
        sa.Column("threshold", sa.Integer(), nullable=False),
        sa.Column("severity", sa.String(16), nullable=False),
        sa.Column("title", sa.String(500), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("created_at_us", Instant(), nullable=False),
        sa.Column("superseded_at_us", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("alert_id", name="pk_alerts"),
    )
    op.create_index(
        "uq_alerts_limit_id_subject_period_start_us_threshold",
        "alerts",
        ["limit_id", "subject", "period_start_us", "threshold"],
        unique=True,
    )
    op.create_index("ix_alerts_created_at_us", "alerts", ["created_at_us"])
    op.create_index("ix_alerts_subject", "alerts", ["subject"])
    op.create_table(
        "alert_reads",
        sa.Column("alert_id", CallId(), nullable=False),
        sa.Column("user_name", sa.String(128), nullable=False),
        sa.Column("read_at_us", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("alert_id", "user_name", name="pk_alert_reads"),
    )
    op.create_table(
        "alert_rules",
        sa.Column("limit_id", sa.String(200), nullable=False),
        sa.Column("thresholds", Json(), nullable=False),
        sa.Column("updated_at_us", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("limit_id", name="pk_alert_rules"),
    )
    _make_webhooks()


def _make_webhooks() -> None:
    op.create_table(
        "alert_webhooks",
        sa.Column("webhook_id", CallId(), nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("url", sa.String(2000), nullable=False),
        sa.Column("severity_min", sa.String(16), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("created_at_us", Instant(), nullable=False),
        sa.Column("updated_at_us", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("webhook_id", name="pk_alert_webhooks"),
        sa.UniqueConstraint("name", name="uq_alert_webhooks_name"),
    )
    op.create_table(
        "alert_deliveries",
        sa.Column("delivery_id", CallId(), nullable=False),
        sa.Column("webhook_id", CallId(), nullable=False),
        sa.Column("alert_id", CallId(), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("tries", Json(), nullable=False),
        sa.Column("try_count", sa.Integer(), nullable=False),
        sa.Column("next_at_us", Instant(), nullable=True),
        sa.Column("created_at_us", Instant(), nullable=False),
        sa.Column("updated_at_us", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("delivery_id", name="pk_alert_deliveries"),
    )
    op.create_index(
        "uq_alert_deliveries_webhook_id_alert_id",
        "alert_deliveries",
        ["webhook_id", "alert_id"],
        unique=True,
    )
    due = sa.text("next_at_us IS NOT NULL")
    op.create_index(
        "ix_alert_deliveries_next_at_us",
        "alert_deliveries",
        ["next_at_us"],
        sqlite_where=due,
        postgresql_where=due,
    )


def downgrade() -> None:
    """Forget what was told."""
    for table in TABLES:
        op.drop_table(table)
