"""Rules of attribution that an operator adds, and built-in ones that are switched off.

Revision 0008_attribution, after 0007_audit.
"""

import sqlalchemy as sa
from alembic import op

from tollbridge.storage.types import Instant, Json

revision = "0008_attribution"
down_revision = "0007_audit"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table."""
    op.create_table(
        "attribution_rules",
        sa.Column("rule_id", sa.String(64), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("content", Json(), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at_us", Instant(), nullable=False),
        sa.Column("updated_at_us", Instant(), nullable=False),
        sa.Column("updated_by", sa.String(128), nullable=False),
        sa.PrimaryKeyConstraint("rule_id", name="pk_attribution_rules"),
    )


def downgrade() -> None:
    """Drop it: the built-in rules alone are in force then."""
    op.drop_table("attribution_rules")
