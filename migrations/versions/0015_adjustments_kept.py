"""Adjustments that nothing changes, and sources of reports that the configuration file declares.

Revision 0015_adjustments_kept, after 0014_media_jobs.
"""

import sqlalchemy as sa
from alembic import op

from tollbridge.storage.kept import forget_rows, keep_rows

revision = "0015_adjustments_kept"
down_revision = "0014_media_jobs"
branch_labels = None
depends_on = None

KEPT = ("adjustments", "budget_adjustments")
ADDED = ("origin", "enabled", "charges")


def upgrade() -> None:
    """Let the database refuse to change adjustments; say of sources what is agreed with them."""
    for table in KEPT:
        keep_rows(op.get_bind(), table)
    op.add_column(
        "intake_sources",
        sa.Column("charges", sa.Boolean(), nullable=False, server_default=sa.false()),
    )
    op.add_column(
        "intake_sources",
        sa.Column("enabled", sa.Boolean(), nullable=False, server_default=sa.true()),
    )
    op.add_column(
        "intake_sources",
        sa.Column("origin", sa.String(16), nullable=False, server_default="api"),
    )


def downgrade() -> None:
    """Let them be changed again; all sources are enabled then, and none is charged."""
    for column in ADDED:
        op.drop_column("intake_sources", column)
    for table in KEPT:
        _let_go(table)


def _let_go(table: str) -> None:
    connection = op.get_bind()
    if connection.dialect.name == "sqlite":
        for deed in ("update", "delete"):
            connection.exec_driver_sql(f"DROP TRIGGER {table}_no_{deed}")
        return
    connection.exec_driver_sql(f"DROP TRIGGER {table}_no_change ON {table}")
    forget_rows(connection, table)
