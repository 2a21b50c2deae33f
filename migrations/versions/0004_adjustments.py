"""What calls cost after a price was corrected, beside the rows that stay as they were.

Revision 0004_adjustments, after 0003_models.
"""

import sqlalchemy as sa
from alembic import op

from tollbridge.storage.types import CallId, Instant, Json, NanoUsd

revision = "0004_adjustments"
down_revision = "0003_models"
branch_labels = None
depends_on = None


def _create_rerating_runs() -> None:
    op.create_table(
        "rerating_runs",
        sa.Column("run_id", CallId(), nullable=False),
        sa.Column("from_us", Instant(), nullable=False),
        sa.Column("to_us", Instant(), nullable=False),
        sa.Column("provider", sa.String(length=50), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("prices_version", sa.BigInteger(), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("place_at_us", Instant(), nullable=True),
        sa.Column("place_call_id", CallId(), nullable=True),
        sa.Column("adjustments", sa.BigInteger(), nullable=False),
        sa.Column("difference_nanousd", NanoUsd(), nullable=False),
        sa.Column("started_at_us", Instant(), nullable=False),
        sa.Column("ended_at_us", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("run_id", name=op.f("pk_rerating_runs")),
    )


def _create_adjustments() -> None:
    op.create_table(
        "adjustments",
        sa.Column("adjustment_id", CallId(), nullable=False),
        sa.Column("run_id", CallId(), nullable=False),
        sa.Column("batch_id", CallId(), nullable=False),
        sa.Column("call_id", CallId(), nullable=False),
        sa.Column("attempt", sa.Integer(), nullable=False),
        sa.Column("sequence", sa.Integer(), nullable=False),
        sa.Column("accounted_at_us", Instant(), nullable=False),
        sa.Column("recorded_at_us", Instant(), nullable=False),
        sa.Column("provider", sa.String(length=50), nullable=False),
        sa.Column("before_nanousd", NanoUsd(), nullable=True),
        sa.Column("after_nanousd", NanoUsd(), nullable=False),
        sa.Column("difference_nanousd", NanoUsd(), nullable=False),
        sa.Column("charge_difference_nanousd", NanoUsd(), nullable=False),
        sa.Column("call_priced", sa.Boolean(), nullable=False),
        sa.Column("bill", Json(), nullable=False),
        sa.Column("flags", Json(), nullable=True),
        sa.Column("reason", sa.String(length=500), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.PrimaryKeyConstraint("adjustment_id", name=op.f("pk_adjustments")),
    )
    op.create_index(
        "ux_adjustments_attempt", "adjustments", ["call_id", "attempt", "sequence"], unique=True
    )
    op.create_index("ix_adjustments_accounted_at_us", "adjustments", ["accounted_at_us"])


def _create_budget_adjustments() -> None:
    op.create_table(
        "budget_adjustments",
        sa.Column("batch_id", CallId(), nullable=False),
        sa.Column("budget_id", sa.String(length=64), nullable=False),
        sa.Column("period_start_us", Instant(), nullable=False),
        sa.Column("difference_nanousd", NanoUsd(), nullable=False),
        sa.Column("spent_after_nanousd", NanoUsd(), nullable=False),
        sa.Column("flag", sa.String(length=16), nullable=True),
        sa.Column("posted_at_us", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("batch_id", "budget_id", name=op.f("pk_budget_adjustments")),
    )
    op.create_index(
        "ix_budget_adjustments_budget_id_period_start_us",
        "budget_adjustments",
        ["budget_id", "period_start_us"],
    )


def upgrade() -> None:
    """Make the tables of corrections, and keep what a price depends on with each attempt."""
    op.add_column("call_attempts", sa.Column("facts", Json(), nullable=True))
    _create_rerating_runs()
    _create_adjustments()
    _create_budget_adjustments()


def downgrade() -> None:
    """Drop them: the books then say again what was recorded first, and roll-ups are to be rebuilt.

    `tollbridge doctor --books --deep` says where they differ.
    """
    op.drop_table("budget_adjustments")
    op.drop_table("adjustments")
    op.drop_table("rerating_runs")
    op.drop_column("call_attempts", "facts")
