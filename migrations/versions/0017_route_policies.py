"""Routes that say what their calls count in, and whether a filter's no is final.

Revision 0017_route_policies, after 0016_fallbacks.
"""

import sqlalchemy as sa
from alembic import op

revision = "0017_route_policies"
down_revision = "0016_fallbacks"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Let every route do as it did: its operation decides, and a filter's no is final."""
    op.add_column("routes", sa.Column("bucket", sa.String(16), nullable=True))
    op.add_column(
        "routes",
        sa.Column(
            "on_content_filtered",
            sa.String(16),
            nullable=False,
            server_default=sa.text("'final'"),
        ),
    )


def downgrade() -> None:
    """Forget what routes say of it."""
    op.drop_column("routes", "on_content_filtered")
    op.drop_column("routes", "bucket")
