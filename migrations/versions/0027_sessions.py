"""From where somebody signed in; and the leases of one limit are found without reading all.

Revision 0027_sessions.
"""

import sqlalchemy as sa
from alembic import op

revision = "0027_sessions"
down_revision = "0026_experiments"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the columns, unknown of sessions that are open, and the index."""
    op.add_column("sessions", sa.Column("address", sa.String(64), nullable=True))
    op.add_column("sessions", sa.Column("agent", sa.String(200), nullable=True))
    op.create_index("ix_leases_budget_id", "leases", ["budget_id"])


def downgrade() -> None:
    """Drop them: nobody is signed out."""
    op.drop_index("ix_leases_budget_id", "leases")
    op.drop_column("sessions", "agent")
    op.drop_column("sessions", "address")
