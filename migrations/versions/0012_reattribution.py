"""Runs that attribute calls again, what they changed, and what is to be rated again for it.

Revision 0012_reattribution, after 0011_intake.
"""

import sqlalchemy as sa
from alembic import op

from tollbridge.storage.types import CallId, Instant, Json

revision = "0012_reattribution"
down_revision = "0011_intake"
branch_labels = None
depends_on = None


def _create_runs() -> None:
    op.create_table(
        "reattribution_runs",
        sa.Column("run_id", CallId(), nullable=False),
        sa.Column("reverts_run_id", CallId(), nullable=True),
        sa.Column("rules_version", sa.String(32), nullable=False),
        sa.Column("since_us", Instant(), nullable=True),
        sa.Column("until_us", Instant(), nullable=True),
        sa.Column("end_us", Instant(), nullable=False),
        sa.Column("actor", sa.String(128), nullable=False),
        sa.Column("state", sa.String(16), nullable=False),
        sa.Column("place_tier", sa.Integer(), nullable=True),
        sa.Column("place_at_us", Instant(), nullable=True),
        sa.Column("place_call_id", CallId(), nullable=True),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("changed", sa.BigInteger(), nullable=False),
        sa.Column("reassigned", sa.BigInteger(), nullable=False),
        sa.Column("marked", sa.BigInteger(), nullable=False),
        sa.Column("left_alone", sa.BigInteger(), nullable=False),
        sa.Column("started_at_us", Instant(), nullable=False),
        sa.Column("ended_at_us", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("run_id", name="pk_reattribution_runs"),
    )


def _create_moves() -> None:
    sides = [
        column
        for side in ("old", "new")
        for column in (
            sa.Column(f"{side}_provider", sa.String(50), nullable=False),
            sa.Column(f"{side}_upstream", sa.String(50), nullable=False),
            sa.Column(f"{side}_rule", sa.Text(), nullable=False),
            sa.Column(f"{side}_confidence", sa.String(32), nullable=False),
            sa.Column(f"{side}_evidence", sa.Text(), nullable=False),
        )
    ]
    op.create_table(
        "attribution_moves",
        sa.Column("run_id", CallId(), nullable=False),
        sa.Column("move_id", sa.BigInteger(), autoincrement=False, nullable=False),
        *sides,
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "move_id", name="pk_attribution_moves"),
    )


def _create_changes() -> None:
    op.create_table(
        "attribution_changes",
        sa.Column("run_id", CallId(), nullable=False),
        sa.Column("call_id", CallId(), nullable=False),
        sa.Column("move_id", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("run_id", "call_id", name="pk_attribution_changes"),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_attribution_changes_call_id", "attribution_changes", ["call_id"])
    op.create_table(
        "rerating_marks",
        sa.Column("call_id", CallId(), nullable=False),
        sa.Column("accounted_at_us", Instant(), nullable=False),
        sa.Column("provider", sa.String(50), nullable=False),
        sa.PrimaryKeyConstraint("call_id", name="pk_rerating_marks"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_rerating_marks_accounted_at_us", "rerating_marks", ["accounted_at_us", "call_id"]
    )


def upgrade() -> None:
    """Make the tables, and let a run of re-rating be about marked calls only."""
    op.create_table(
        "attribution_rule_sets",
        sa.Column("rules_version", sa.String(32), nullable=False),
        sa.Column("content", Json(), nullable=False),
        sa.Column("first_used_at_us", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("rules_version", name="pk_attribution_rule_sets"),
    )
    _create_runs()
    _create_moves()
    _create_changes()
    op.add_column(
        "rerating_runs",
        sa.Column("marked", sa.Boolean(), nullable=False, server_default=sa.false()),
    )


def downgrade() -> None:
    """Drop them: who served stays as it was found last, and can no more be taken back."""
    op.drop_column("rerating_runs", "marked")
    for name in (
        "rerating_marks",
        "attribution_changes",
        "attribution_moves",
        "reattribution_runs",
        "attribution_rule_sets",
    ):
        op.drop_table(name)
