"""Who changed what by hand.

Revision 0007_audit, after 0006_folded_attempts.
"""

import sqlalchemy as sa
from alembic import op

from tollbridge.storage.kept import forget_rows, keep_rows
from tollbridge.storage.types import CallId, Instant, Json

revision = "0007_audit"
down_revision = "0006_folded_attempts"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Make the table, of which no row is ever changed."""
    op.create_table(
        "audit_entries",
        sa.Column("audit_id", CallId(), nullable=False),
        sa.Column("at_us", Instant(), nullable=False),
        sa.Column("actor", sa.String(length=128), nullable=False),
        sa.Column("action", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("details", Json(), nullable=True),
        sa.PrimaryKeyConstraint("audit_id", name=op.f("pk_audit_entries")),
    )
    op.create_index("ix_audit_entries_at_us", "audit_entries", ["at_us"])
    keep_rows(op.get_bind(), "audit_entries")


def downgrade() -> None:
    """Drop the table."""
    op.drop_table("audit_entries")
    forget_rows(op.get_bind(), "audit_entries")
