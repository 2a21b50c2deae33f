"""Which rows does rating keep?"""

from sqlalchemy import (
    BigInteger,
    CheckConstraint,
    Column,
    Connection,
    Index,
    Integer,
    String,
    Table,
    Text,
)

from tollbridge.rating.prices import AS_OF_LENGTH, NAME_MAX, REFERENCE_MAX
from tollbridge.storage.engine import POSTGRESQL
from tollbridge.storage.types import CallId, DecimalText, Instant, metadata

# Rows are added and never changed: a price that ends, changes, is corrected or is taken back is
# a later row or an event. Which one holds is worked out by intervals.py.
price_versions = Table(
    "price_versions",
    metadata,
    Column("price_version_id", CallId, primary_key=True),
    Column("provider", String(NAME_MAX), nullable=False),
    # A matcher: a name, or with * a prefix or a pattern.
    Column("model", String(NAME_MAX), nullable=False),
    Column("unit", String(32), nullable=False),
    # Canonical JSON (keys sorted, no blanks) of what a call must be for this price; "" is nothing.
    Column("conditions", Text, nullable=False),
    # US dollars for `per` units; NULL says that from valid_from_us on there is no price.
    Column("rate_usd", DecimalText),
    Column("per", Integer, nullable=False),
    # At least so many units are billed, and always a multiple of the step.
    Column("quantity_min", BigInteger),
    Column("quantity_step", BigInteger),
    # Half-open: from valid_from_us until before valid_to_us; NULL is open.
    Column("valid_from_us", Instant, nullable=False),
    Column("valid_to_us", Instant),
    Column("recorded_at_us", Instant, nullable=False),
    # Whose word it is (prices.Source), in which of its editions, where it can be read, a digest
    # of what it said, and the day on which it said so.
    Column("source", String(16), nullable=False),
    Column("source_detail", String(NAME_MAX)),
    Column("reference", String(REFERENCE_MAX)),
    Column("content_hash", String(64)),
    Column("as_of", String(AS_OF_LENGTH)),
    Column("recorded_by", String(NAME_MAX)),
    Column("comment", Text),
    CheckConstraint("valid_to_us IS NULL OR valid_to_us > valid_from_us", name="window"),
    Index("ix_price_versions_model", "provider", "model", "unit"),
)

# What became of a version, in turn: its last event is its status. Rows are added only.
price_events = Table(
    "price_events",
    metadata,
    Column("event_id", CallId, primary_key=True),
    Column("price_version_id", CallId, nullable=False),
    Column("status", String(16), nullable=False),
    Column("at_us", Instant, nullable=False),
    Column("actor", String(NAME_MAX), nullable=False),
    Column("reason", Text),
    Index("ix_price_events_version", "price_version_id", "at_us"),
)

# Which version of a source holds when: derived from the two above, and made anew from them by
# `store.rebuild_intervals`. Of one key_id no two rows overlap; the database refuses it.
price_intervals = Table(
    "price_intervals",
    metadata,
    Column("price_version_id", CallId, primary_key=True),
    Column("valid_from_us", Instant, primary_key=True),
    Column("valid_to_us", Instant),
    # A number for (provider, model, unit, conditions, source): intervals.key_id.
    Column("key_id", BigInteger, nullable=False),
    Column("provider", String(NAME_MAX), nullable=False),
    Column("model", String(NAME_MAX), nullable=False),
    Column("unit", String(32), nullable=False),
    Column("conditions", Text, nullable=False),
    Column("source", String(16), nullable=False),
    CheckConstraint("valid_to_us IS NULL OR valid_to_us > valid_from_us", name="window"),
    Index("ix_price_intervals_key", "key_id", "valid_from_us"),
    Index("ix_price_intervals_model", "provider", "model"),
)

# Other names of a priced model; a name may be a prefix or a pattern here too.
price_aliases = Table(
    "price_aliases",
    metadata,
    Column("provider", String(NAME_MAX), primary_key=True),
    Column("alias", String(NAME_MAX), primary_key=True),
    Column("source", String(16), primary_key=True),
    Column("model", String(NAME_MAX), nullable=False),
    Column("recorded_at_us", Instant, nullable=False),
)

# Range types have their own GiST operators; those for plain columns would need an extension.
_POSTGRES_NO_OVERLAP = """
ALTER TABLE price_intervals ADD CONSTRAINT ex_price_intervals_overlap EXCLUDE USING gist (
  int8range(key_id, key_id, '[]') WITH &&,
  int8range(valid_from_us, valid_to_us) WITH &&
)
"""
_SQLITE_NO_OVERLAP = """
CREATE TRIGGER ex_price_intervals_overlap BEFORE INSERT ON price_intervals
WHEN EXISTS (
  SELECT 1 FROM price_intervals AS other
  WHERE other.key_id = NEW.key_id
    AND (NEW.valid_to_us IS NULL OR other.valid_from_us < NEW.valid_to_us)
    AND (other.valid_to_us IS NULL OR NEW.valid_from_us < other.valid_to_us)
)
BEGIN SELECT RAISE(ABORT, 'ex_price_intervals_overlap'); END
"""


def refuse_overlaps(connection: Connection) -> None:
    """Make the database refuse two intervals of one key that overlap. For migrations."""
    is_postgres = connection.dialect.name == POSTGRESQL
    connection.exec_driver_sql(_POSTGRES_NO_OVERLAP if is_postgres else _SQLITE_NO_OVERLAP)
