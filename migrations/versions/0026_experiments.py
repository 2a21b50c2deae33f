"""Experiments: which arms of a route are compared, and how that ended.

Revision 0026_experiments.
"""

import sqlalchemy as sa
from alembic import op

from tollbridge.storage.types import CallId, DecimalText, Instant, Json

revision = "0026_experiments"
down_revision = "0024_jobs_filtered"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    table = op.create_table(
        "experiments",
        sa.Column("experiment_id", CallId, nullable=False),
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("model", sa.String(256), nullable=False),
        sa.Column("category", sa.String(16), nullable=False),
        sa.Column("subject", sa.String(8), nullable=False),
        sa.Column("arms", Json, nullable=False),
        sa.Column("objective", sa.String(16), nullable=False),
        sa.Column("failed_share_max", DecimalText),
        sa.Column("calls_min", sa.Integer, nullable=False),
        sa.Column("started_at_us", Instant, nullable=False),
        sa.Column("ended_at_us", Instant),
        sa.Column("ended_by", sa.String(16)),
        sa.Column("end_reason", sa.String(500)),
        sa.Column("applied_arm", sa.String(128)),
        sa.Column("actor", sa.String(128), nullable=False),
        sa.PrimaryKeyConstraint("experiment_id", name="pk_experiments"),
        sa.UniqueConstraint("name", name="uq_experiments_name"),
    )
    running = table.c.ended_at_us.is_(None)
    op.create_index(
        "uq_experiments_running",
        "experiments",
        ["model", "category"],
        unique=True,
        sqlite_where=running,
        postgresql_where=running,
    )


def downgrade() -> None:
    """Drop it: calls go as their routes say. Which arm a call had stays in its labels."""
    op.drop_table("experiments")
