"""Prices with conditions, events and intervals; other names of models.

Revision 0002_catalogue, after 0001.
"""

import hashlib
from collections.abc import Iterable, Sequence
from typing import Any

import sqlalchemy as sa
from alembic import op

from tollbridge.core.call import new_id
from tollbridge.rating.tables import refuse_overlaps
from tollbridge.storage.types import CallId, DecimalText, Instant

revision = "0002_catalogue"
down_revision = "0001"
branch_labels = None
depends_on = None

CARRIED = (
    "price_version_id",
    "provider",
    "model",
    "unit",
    "rate_usd",
    "per",
    "valid_from_us",
    "valid_to_us",
    "recorded_at_us",
    "source",
    "reference",
    "as_of",
)
FOREVER_US = 2**63 - 1
ACTOR = "migration 0002_catalogue"

Row = dict[str, Any]


def _name_columns() -> list[sa.Column[Any]]:
    return [
        sa.Column("price_version_id", CallId(), nullable=False),
        sa.Column("provider", sa.String(length=200), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("unit", sa.String(length=32), nullable=False),
    ]


def _create_price_versions(*extra: sa.Column[Any] | sa.CheckConstraint) -> None:
    op.create_table(
        "price_versions",
        *_name_columns(),
        sa.Column("rate_usd", DecimalText(), nullable=True),
        sa.Column("per", sa.Integer(), nullable=False),
        sa.Column("valid_from_us", Instant(), nullable=False),
        sa.Column("valid_to_us", Instant(), nullable=True),
        sa.Column("recorded_at_us", Instant(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("reference", sa.String(length=300), nullable=True),
        sa.Column("as_of", sa.String(length=10), nullable=True),
        *extra,
        sa.CheckConstraint(
            "valid_to_us IS NULL OR valid_to_us > valid_from_us",
            name=op.f("ck_price_versions_window"),
        ),
        sa.PrimaryKeyConstraint("price_version_id", name=op.f("pk_price_versions")),
    )
    op.create_index(
        "ix_price_versions_model", "price_versions", ["provider", "model", "unit"], unique=False
    )


def _create_price_events() -> sa.Table:
    events = op.create_table(
        "price_events",
        sa.Column("event_id", CallId(), nullable=False),
        sa.Column("price_version_id", CallId(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("at_us", Instant(), nullable=False),
        sa.Column("actor", sa.String(length=200), nullable=False),
        sa.Column("reason", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("event_id", name=op.f("pk_price_events")),
    )
    op.create_index(
        "ix_price_events_version", "price_events", ["price_version_id", "at_us"], unique=False
    )
    return events


def _create_price_intervals() -> sa.Table:
    intervals = op.create_table(
        "price_intervals",
        *_name_columns(),
        sa.Column("valid_from_us", Instant(), nullable=False),
        sa.Column("valid_to_us", Instant(), nullable=True),
        sa.Column("key_id", sa.BigInteger(), nullable=False),
        sa.Column("conditions", sa.Text(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.CheckConstraint(
            "valid_to_us IS NULL OR valid_to_us > valid_from_us",
            name=op.f("ck_price_intervals_window"),
        ),
        sa.PrimaryKeyConstraint(
            "price_version_id", "valid_from_us", name=op.f("pk_price_intervals")
        ),
    )
    op.create_index(
        "ix_price_intervals_key", "price_intervals", ["key_id", "valid_from_us"], unique=False
    )
    op.create_index(
        "ix_price_intervals_model", "price_intervals", ["provider", "model"], unique=False
    )
    refuse_overlaps(op.get_bind())
    return intervals


def _create_price_aliases() -> None:
    op.create_table(
        "price_aliases",
        sa.Column("provider", sa.String(length=200), nullable=False),
        sa.Column("alias", sa.String(length=200), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("recorded_at_us", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("provider", "alias", "source", name=op.f("pk_price_aliases")),
    )


def _key_id(row: Row) -> int:
    """Return the number of a row's key, as rating/intervals.py made it for this revision."""
    parts = (row["provider"], row["model"], row["unit"], "", row["source"])
    digest = hashlib.sha256("\0".join(parts).encode()).digest()
    return int.from_bytes(digest[:8]) >> 2


def _intervals(rows: Iterable[Row]) -> list[Row]:
    """Return what holds when: of one key the row recorded last."""
    timelines: dict[int, list[tuple[int, int, Row]]] = {}
    for row in sorted(
        rows,
        key=lambda row: (row["recorded_at_us"], row["valid_from_us"], row["price_version_id"]),
    ):
        key_id = _key_id(row)
        start, end = row["valid_from_us"], row["valid_to_us"] or FOREVER_US
        kept: list[tuple[int, int, Row]] = []
        for begin, until, other in timelines.get(key_id, []):
            if begin < start:
                kept.append((begin, min(until, start), other))
            if until > end:
                kept.append((max(begin, end), until, other))
        timelines[key_id] = [*kept, (start, end, row)]
    return [
        {
            **{name: row[name] for name in ("price_version_id", "provider", "model", "unit")},
            "valid_from_us": begin,
            "valid_to_us": None if until == FOREVER_US else until,
            "key_id": key_id,
            "conditions": "",
            "source": row["source"],
        }
        for key_id, holding in timelines.items()
        for begin, until, row in holding
        # The configuration takes back only its own word: what is listed holds again.
        if not (row["rate_usd"] is None and row["source"] == "file")
    ]


def _rows(*names: str, where: str = "1 = 1") -> list[Row]:
    stated = sa.select(sa.text(", ".join(names))).select_from(sa.text("price_versions"))
    found = op.get_bind().execute(stated.where(sa.text(where)))
    return [{**row, "price_version_id": str(row["price_version_id"])} for row in found.mappings()]


def _insert(table: str, columns: Sequence[str], rows: Sequence[Row]) -> None:
    if not rows:
        return
    types = {"price_version_id": CallId(), "event_id": CallId()}
    stated = sa.table(table, *(sa.column(name, types.get(name)) for name in columns))
    op.get_bind().execute(
        sa.insert(stated), [{name: row[name] for name in columns} for row in rows]
    )


def upgrade() -> None:
    rows = _rows(*CARRIED)
    op.drop_table("price_versions")
    _create_price_versions(
        sa.Column("conditions", sa.Text(), nullable=False),
        sa.Column("quantity_min", sa.BigInteger(), nullable=True),
        sa.Column("quantity_step", sa.BigInteger(), nullable=True),
        sa.Column("source_detail", sa.String(length=200), nullable=True),
        sa.Column("content_hash", sa.String(length=64), nullable=True),
        sa.Column("recorded_by", sa.String(length=200), nullable=True),
        sa.Column("comment", sa.Text(), nullable=True),
    )
    _create_price_events()
    _create_price_intervals()
    _create_price_aliases()
    _insert("price_versions", (*CARRIED, "conditions"), [{**row, "conditions": ""} for row in rows])
    events = [
        {
            "event_id": new_id(row["recorded_at_us"]),
            "price_version_id": row["price_version_id"],
            "status": "withdrawn" if row["rate_usd"] is None else "active",
            "at_us": row["recorded_at_us"],
            "actor": ACTOR,
        }
        for row in rows
    ]
    names = ("event_id", "price_version_id", "status", "at_us", "actor")
    _insert("price_events", names, events)
    held = _intervals(rows)
    _insert("price_intervals", tuple(held[0]) if held else (), held)


def downgrade() -> None:
    # Only what the old book can read: unconditional prices that were in force, and withdrawals.
    rows = _rows(
        *CARRIED,
        where="""
        conditions = '' AND (rate_usd IS NULL OR (
          SELECT status FROM price_events AS event
          WHERE event.price_version_id = price_versions.price_version_id
          ORDER BY at_us DESC, event_id DESC LIMIT 1
        ) IN ('active', 'disputed', 'superseded'))
        """,
    )
    for table in ("price_aliases", "price_intervals", "price_events", "price_versions"):
        op.drop_table(table)
    _create_price_versions(
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.CheckConstraint(
            "(status = 'withdrawn') = (rate_usd IS NULL)",
            name=op.f("ck_price_versions_rate_or_withdrawn"),
        ),
    )
    for row in rows:
        row["status"] = "withdrawn" if row["rate_usd"] is None else "active"
    _insert("price_versions", (*CARRIED, "status"), rows)
