"""Work that outlives the request that asked for it.

Revision 0014_media_jobs, after 0013_endpoints.
"""

import sqlalchemy as sa
from alembic import op

from tollbridge.storage.types import CallId, Instant, Json

revision = "0014_media_jobs"
down_revision = "0013_endpoints"
branch_labels = None
depends_on = None

NAME = "media_jobs"


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        NAME,
        sa.Column("job_id", CallId(), nullable=False),
        sa.Column("node", sa.String(128), nullable=False),
        sa.Column("token", sa.String(32), nullable=False),
        sa.Column("key_id", sa.String(64), nullable=False),
        sa.Column("user", sa.String(128), nullable=False),
        sa.Column("operation", sa.String(32), nullable=False),
        sa.Column("category", sa.String(32), nullable=False),
        sa.Column("status", sa.String(32), nullable=False),
        sa.Column("phase", sa.String(32), nullable=False),
        sa.Column("created_at_us", Instant(), nullable=False),
        sa.Column("updated_at_us", Instant(), nullable=False),
        sa.Column("deadline_at_us", Instant(), nullable=False),
        sa.Column("finished_at_us", Instant(), nullable=True),
        sa.Column("progress_percent", sa.Integer(), nullable=False),
        sa.Column("opened", sa.Text(), nullable=False),
        sa.Column("body", sa.Text(), nullable=False),
        sa.Column("candidates", Json(), nullable=False),
        sa.Column("candidate", sa.Integer(), nullable=False),
        sa.Column("attempts", sa.Text(), nullable=False),
        sa.Column("task_id", sa.Text(), nullable=False),
        sa.Column("task_started_at_us", Instant(), nullable=True),
        sa.Column("counted", Json(), nullable=False),
        sa.Column("asks_to_stop", sa.Boolean(), nullable=False),
        sa.Column("outputs", Json(), nullable=True),
        sa.Column("output_endpoint", sa.String(128), nullable=True),
        sa.Column("error", Json(), nullable=True),
        sa.Column("shown", Json(), nullable=False),
        sa.Column("webhook_url", sa.Text(), nullable=True),
        sa.Column("webhook_state", sa.String(32), nullable=True),
        sa.Column("is_deleted", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("job_id", name="pk_media_jobs"),
        sa.UniqueConstraint("token", name="uq_media_jobs_token"),
    )
    op.create_index("ix_media_jobs_key_id_job_id", NAME, ["key_id", "job_id"])
    op.create_index("ix_media_jobs_finished_at_us", NAME, ["finished_at_us"])


def downgrade() -> None:
    """Remove it: what is under way is then finished by nobody."""
    op.drop_table(NAME)
