"""When a lease has ended, so that it can be pruned some time after that.

Revision 0005_lease_ends. What had ended before counts as ended now.
"""

import sqlalchemy as sa
from alembic import op

from tollbridge.core.clock import SystemClock
from tollbridge.storage.types import Instant

revision = "0005_lease_ends"
down_revision = "0004_adjustments"
branch_labels = None
depends_on = None


def upgrade() -> None:
    """Add the column and the index that pruning looks through."""
    op.add_column("leases", sa.Column("ended_at_us", Instant(), nullable=True))
    table = sa.table("leases", sa.column("state"), sa.column("ended_at_us"))
    now_us = SystemClock().now_us()
    op.execute(table.update().where(table.c.state == "ended").values(ended_at_us=now_us))
    op.create_index(
        "ix_leases_ended_at_us",
        "leases",
        ["ended_at_us"],
        unique=False,
        sqlite_where=sa.text("ended_at_us IS NOT NULL"),
        postgresql_where=sa.text("ended_at_us IS NOT NULL"),
    )


def downgrade() -> None:
    """Forget when leases ended."""
    op.drop_index("ix_leases_ended_at_us", table_name="leases")
    op.drop_column("leases", "ended_at_us")
