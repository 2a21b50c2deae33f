"""Which rows does rating keep?"""

from sqlalchemy import CheckConstraint, Column, Index, Integer, String, Table

from tollbridge.rating.prices import AS_OF_LENGTH, NAME_MAX, REFERENCE_MAX
from tollbridge.storage.types import CallId, DecimalText, Instant, metadata

# Rows are added and never changed: a price that ends, changes, is corrected or is taken back is
# a later row. Which one holds is worked out by book.py.
price_versions = Table(
    "price_versions",
    metadata,
    Column("price_version_id", CallId, primary_key=True),
    Column("provider", String(NAME_MAX), nullable=False),
    Column("model", String(NAME_MAX), nullable=False),
    Column("unit", String(32), nullable=False),
    # US dollars for `per` units.
    Column("rate_usd", DecimalText),
    Column("per", Integer, nullable=False),
    # Half-open: from valid_from_us until before valid_to_us; NULL is open.
    Column("valid_from_us", Instant, nullable=False),
    Column("valid_to_us", Instant),
    Column("recorded_at_us", Instant, nullable=False),
    # seed or file: whose word it is; reference and as_of: where that one has it from, and when.
    Column("source", String(16), nullable=False),
    Column("status", String(16), nullable=False),
    Column("reference", String(REFERENCE_MAX)),
    Column("as_of", String(AS_OF_LENGTH)),
    CheckConstraint("valid_to_us IS NULL OR valid_to_us > valid_from_us", name="window"),
    CheckConstraint("(status = 'withdrawn') = (rate_usd IS NULL)", name="rate_or_withdrawn"),
    Index("ix_price_versions_model", "provider", "model", "unit"),
)
