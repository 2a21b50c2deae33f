"""An index of the calls for which more than one candidate was tried.

Revision 0016_fallbacks, after 0015_adjustments_kept. Decision 0019 says what it costs.
"""

import sqlalchemy as sa
from alembic import op

revision = "0016_fallbacks"
down_revision = "0015_adjustments_kept"
branch_labels = None
depends_on = None

TABLES = ("call_details", "call_details_archive")


def upgrade() -> None:
    """Make the indexes."""
    few = sa.text("attempt_count > 1")
    for table in TABLES:
        op.create_index(
            f"ix_{table}_fallbacks",
            table,
            ["accounted_at_us"],
            sqlite_where=few,
            postgresql_where=few,
        )


def downgrade() -> None:
    """Drop them: such calls are looked for among all others again."""
    for table in TABLES:
        op.drop_index(f"ix_{table}_fallbacks", table)
