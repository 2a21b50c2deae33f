"""Calls are vacuumed soon after they came: an index alone can count them only then.

An offset into the usage log walks an index. PostgreSQL trusts it only for pages that were
vacuumed; for all others it looks at each row. By default a table to which rows are only added is
vacuumed after a fifth of it is new, of 10 million calls: 2 million, and they are the newest ones.

Revision 0028_details_vacuumed.
"""

from alembic import op

from tollbridge.storage.engine import POSTGRESQL

revision = "0028_details_vacuumed"
down_revision = "0027_sessions"
branch_labels = None
depends_on = None

NEW_ROWS_MAX = 10_000
"""Only pages that are new are looked at, and no index: that is cheap however old the books are."""


def upgrade() -> None:
    """Vacuum after so many new rows, however many there are."""
    if op.get_bind().dialect.name == POSTGRESQL:
        op.execute(
            "ALTER TABLE call_details SET (autovacuum_vacuum_insert_scale_factor = 0, "
            f"autovacuum_vacuum_insert_threshold = {NEW_ROWS_MAX})"
        )


def downgrade() -> None:
    """Vacuum as PostgreSQL does by itself."""
    if op.get_bind().dialect.name == POSTGRESQL:
        op.execute(
            "ALTER TABLE call_details RESET (autovacuum_vacuum_insert_scale_factor, "
            "autovacuum_vacuum_insert_threshold)"
        )
