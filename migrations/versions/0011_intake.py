"""What other gateways report: batches, claims for ever, refusals, and the registry of sources.

Revision 0011_intake, after 0010_views.
"""

import sqlalchemy as sa
from alembic import op

from tollbridge.storage.types import CallId, Instant, Json

revision = "0011_intake"
down_revision = "0010_views"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the tables."""
    op.create_table(
        "intake_batches",
        sa.Column("batch_id", CallId(), nullable=False),
        sa.Column("source", sa.String(128), nullable=False),
        sa.Column("via", sa.String(32), nullable=False),
        sa.Column("received_at_us", Instant(), nullable=False),
        sa.Column("accepted", sa.Integer(), nullable=False),
        sa.Column("refused", sa.Integer(), nullable=False),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("batch_id", name="pk_intake_batches"),
    )
    op.create_table(
        "intake_records",
        sa.Column("call_id", CallId(), nullable=False),
        sa.Column("claim", sa.String(32), nullable=True),
        sa.Column("batch_id", CallId(), nullable=False),
        sa.Column("record_index", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(128), nullable=False),
        sa.Column("record_id", sa.Text(), nullable=True),
        sa.Column("completed", sa.Boolean(), nullable=False),
        sa.Column("started_at_us", Instant(), nullable=True),
        sa.Column("completed_at_us", Instant(), nullable=True),
        sa.Column("names", Json(), nullable=True),
        sa.PrimaryKeyConstraint("call_id", name="pk_intake_records"),
    )
    op.create_index("ux_intake_records_claim", "intake_records", ["claim"], unique=True)
    op.create_index("ix_intake_records_batch_id", "intake_records", ["batch_id"])
    op.create_table(
        "intake_refusals",
        sa.Column("batch_id", CallId(), nullable=False),
        sa.Column("record_index", sa.Integer(), nullable=False),
        sa.Column("source", sa.String(128), nullable=False),
        sa.Column("via", sa.String(32), nullable=False),
        sa.Column("received_at_us", Instant(), nullable=False),
        sa.Column("reason", sa.String(32), nullable=False),
        sa.Column("message", sa.Text(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=True),
        sa.Column("idempotency_key", sa.Text(), nullable=True),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("resolved_at_us", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("batch_id", "record_index", name="pk_intake_refusals"),
    )
    op.create_index("ix_intake_refusals_state_source", "intake_refusals", ["state", "source"])
    op.create_table(
        "intake_sources",
        sa.Column("source", sa.String(128), nullable=False),
        sa.Column("keys", Json(), nullable=True),
        sa.Column("created_at_us", Instant(), nullable=False),
        sa.Column("updated_at_us", Instant(), nullable=False),
        sa.Column("updated_by", sa.String(128), nullable=False),
        sa.PrimaryKeyConstraint("source", name="pk_intake_sources"),
    )
    op.create_table(
        "intake_names",
        sa.Column("source", sa.String(128), nullable=False),
        sa.Column("kind", sa.String(32), nullable=False),
        sa.Column("reported_id", sa.String(128), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("provider_type", sa.String(128), nullable=True),
        sa.Column("models", Json(), nullable=True),
        sa.Column("model_id", sa.String(128), nullable=True),
        sa.PrimaryKeyConstraint("source", "kind", "reported_id", name="pk_intake_names"),
    )


def downgrade() -> None:
    """Drop them: the reported calls stay in the books, what could be counted twice is forgotten."""
    for table in (
        "intake_names",
        "intake_sources",
        "intake_refusals",
        "intake_records",
        "intake_batches",
    ):
        op.drop_table(table)
