"""Jobs keep whether what one provider's filter refused may be asked of the next.

Revision 0024_jobs_filtered.
"""

import sqlalchemy as sa
from alembic import op

revision = "0024_jobs_filtered"
down_revision = "0022_alerts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column: for jobs that are under way a refusal stays final."""
    op.add_column(
        "media_jobs",
        sa.Column(
            "on_content_filtered",
            sa.String(32),
            nullable=False,
            server_default=sa.text("'final'"),
        ),
    )


def downgrade() -> None:
    """Drop it: every refusal is final again."""
    op.drop_column("media_jobs", "on_content_filtered")
