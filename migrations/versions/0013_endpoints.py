"""Endpoints with several keys, and what else a provider needs to be asked.

Revision 0013_endpoints, after 0012_reattribution. The key that an endpoint had is its first.
"""

from typing import Any

import sqlalchemy as sa
from alembic import op

from tollbridge.storage.types import Instant, Json

revision = "0013_endpoints"
down_revision = "0012_reattribution"
branch_labels = None
depends_on = None

FIRST_KEY = "default"


def _key_columns(*more: sa.Column[Any]) -> list[sa.Column[Any]]:
    return [
        sa.Column("endpoint", sa.String(128), nullable=False),
        *more,
        sa.Column("master_id", sa.String(16), nullable=False),
        sa.Column("sealed", sa.String(), nullable=False),
        sa.Column("updated_at_us", Instant(), nullable=False),
    ]


def _remake_keys(rows: list[dict[str, Any]], primary: list[str], *more: sa.Column[Any]) -> None:
    """Make the table anew, as SQLite cannot change a primary key; it has a row per endpoint."""
    op.drop_table("provider_keys")
    table = op.create_table(
        "provider_keys",
        *_key_columns(*more),
        sa.PrimaryKeyConstraint(*primary, name="pk_provider_keys"),
        sa.ForeignKeyConstraint(
            ["endpoint"],
            ["endpoints.name"],
            name="fk_provider_keys_endpoint",
            ondelete="CASCADE",
        ),
    )
    if rows:
        op.bulk_insert(table, rows)


def _stored_keys(*more: str) -> list[dict[str, Any]]:
    names = ("endpoint", *more, "master_id", "sealed", "updated_at_us")
    kinds: dict[str, Any] = {"updated_at_us": Instant(), "position": sa.Integer()}
    columns = [sa.column(name, kinds.get(name, sa.String())) for name in names]
    table = sa.table("provider_keys", *columns)
    return [dict(row) for row in op.get_bind().execute(sa.select(table)).mappings()]


def upgrade() -> None:
    """Give keys names, endpoints what they need, and routes a hedge."""
    keys = [{**row, "name": FIRST_KEY, "position": 0} for row in _stored_keys()]
    _remake_keys(
        keys,
        ["endpoint", "name"],
        sa.Column("name", sa.String(128), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
    )
    op.add_column(
        "endpoints",
        sa.Column("auth", sa.String(32), nullable=False, server_default=sa.text("'bearer'")),
    )
    op.add_column(
        "endpoints",
        sa.Column("planning_price", Json(), nullable=False, server_default=sa.text("'{}'")),
    )
    op.add_column("endpoints", sa.Column("by_hand", Json(), nullable=True))
    table = sa.table(
        "endpoints",
        sa.column("source", sa.String()),
        sa.column("enabled", sa.Boolean()),
        sa.column("by_hand", Json()),
    )
    # A built-in endpoint was off only where somebody had switched it off.
    was_off = (table.c.source == "builtin") & (table.c.enabled == sa.false())
    op.execute(table.update().where(was_off).values(by_hand={"enabled": False}))
    op.add_column("routes", sa.Column("hedge_after_ms", sa.Integer(), nullable=True))


def downgrade() -> None:
    """Keep the first key of each endpoint."""
    first: dict[str, dict[str, Any]] = {}
    for row in sorted(_stored_keys("name", "position"), key=lambda one: one["position"]):
        first.setdefault(row["endpoint"], row)
    kept = ("endpoint", "master_id", "sealed", "updated_at_us")
    _remake_keys([{name: row[name] for name in kept} for row in first.values()], ["endpoint"])
    op.drop_column("routes", "hedge_after_ms")
    for name in ("by_hand", "planning_price", "auth"):
        op.drop_column("endpoints", name)
