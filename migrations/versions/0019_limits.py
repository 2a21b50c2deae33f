"""Limits of any kind: credits, calls, tokens, images, films and sounds beside money.

Revision 0019_limits, after 0018_plans. A limit's columns say no unit any more; what it counts is
its kind. The accounts of postings that are not money begin with their unit.
"""

import sqlalchemy as sa
from alembic import op

from tollbridge.storage.kept import forget_rows, keep_rows
from tollbridge.storage.types import NanoUsd

revision = "0019_limits"
down_revision = "0018_plans"
branch_labels = None
depends_on = None

RENAMED = (
    ("budgets", "limit_nanousd", "limit_amount"),
    ("budget_periods", "spent_nanousd", "spent"),
    ("budget_periods", "leased_nanousd", "leased"),
    ("postings", "amount_nanousd", "amount"),
)
SELECTORS = (("bucket", 32), ("category", 16), ("model", 256), ("provider", 64))
BUDGETS = sa.table("budgets", *map(sa.column, ("budget_id", "kind", *dict(SELECTORS))))
BUDGET_PERIODS = sa.table("budget_periods", sa.column("budget_id"), sa.column("period_start_us"))
LEASES = sa.table("leases", sa.column("budget_id"), sa.column("period_start_us"))
POSTINGS = sa.table("postings", sa.column("account"))
ID_LENGTH_BEFORE, ID_LENGTH = 64, 200
UNITS = ("credits", "calls", "tokens", "images", "videos", "audio")


def upgrade() -> None:
    """Say of each budget what it counts: so far all of them count money, of every call."""
    for table, before, after in RENAMED:
        op.alter_column(table, before, new_column_name=after, existing_type=NanoUsd())
    op.add_column(
        "budgets", sa.Column("kind", sa.String(16), nullable=False, server_default="money")
    )
    for name, length in SELECTORS:
        op.add_column(
            "budgets", sa.Column(name, sa.String(length), nullable=False, server_default="")
        )
    _lengthen_ids()


def downgrade() -> None:
    """Forget what counts anything but all of a subject's money: rows could not say it.

    What such a budget has spent in money stays posted; what was counted otherwise is lost.
    """
    connection = op.get_bind()
    not_money = sa.select(BUDGETS.c.budget_id).where(BUDGETS.c.kind != "money")
    for table in (LEASES, BUDGET_PERIODS):
        period = table.c.budget_id.concat(":").concat(sa.cast(table.c.period_start_us, sa.Text))
        accounts = [sa.literal(f"{unit}:budget:").concat(period) for unit in UNITS]
        counted = sa.exists().where(POSTINGS.c.account.in_(accounts))
        connection.execute(
            sa.delete(table).where(sa.or_(table.c.budget_id.in_(not_money), counted))
        )
    _let_go(connection)
    units = [POSTINGS.c.account.startswith(f"{unit}:") for unit in UNITS]
    connection.execute(sa.delete(POSTINGS).where(sa.or_(*units)))
    selected = [BUDGETS.c[name] != "" for name, _ in SELECTORS]
    connection.execute(sa.delete(BUDGETS).where(sa.or_(BUDGETS.c.kind != "money", *selected)))
    for name in ("kind", *(name for name, _ in SELECTORS)):
        op.drop_column("budgets", name)
    for table, before, after in RENAMED:
        op.alter_column(table, after, new_column_name=before, existing_type=NanoUsd())
    keep_rows(connection, "postings")


def _let_go(connection: sa.Connection) -> None:
    if connection.dialect.name == "sqlite":
        for deed in ("update", "delete"):
            connection.exec_driver_sql(f"DROP TRIGGER postings_no_{deed}")
        return
    connection.exec_driver_sql("DROP TRIGGER postings_no_change ON postings")
    forget_rows(connection, "postings")


def _lengthen_ids() -> None:
    """Let an id name a user's plan. It stays when undone: what is longer would not fit."""
    for table in ("budget_periods", "leases"):
        with op.batch_alter_table(table, table_kwargs={"sqlite_with_rowid": False}) as batch:
            batch.alter_column(
                "budget_id",
                type_=sa.String(ID_LENGTH),
                existing_type=sa.String(ID_LENGTH_BEFORE),
                existing_nullable=False,
            )
