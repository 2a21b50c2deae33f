"""Which rows say what a call costs after its price was corrected?

The rows in tables.py stay as they were written: what changed stands here, beside them.
"""

from sqlalchemy import BigInteger, Boolean, Column, Index, Integer, String, Table, Text, false

from tollbridge.recording.tables import NAME_LENGTH_MAX, PROVIDER_LENGTH_MAX
from tollbridge.storage import kept
from tollbridge.storage.types import CallId, Instant, Json, NanoUsd, metadata

REASON_LENGTH_MAX = 500

# One run of re-rating, and how far it has come.
rerating_runs = Table(
    "rerating_runs",
    metadata,
    Column("run_id", CallId, primary_key=True),
    # Which calls: accounted in [from, to); "" is any provider or model of an attempt.
    Column("from_us", Instant, nullable=False),
    Column("to_us", Instant, nullable=False),
    Column("provider", String(PROVIDER_LENGTH_MAX), nullable=False),
    Column("model", Text, nullable=False),
    # Whether only calls of `rerating_marks`.
    Column("marked", Boolean, nullable=False, server_default=false()),
    # The version of the part "prices" that it rates by.
    Column("prices_version", BigInteger, nullable=False),
    Column("actor", String(NAME_LENGTH_MAX), nullable=False),
    Column("reason", String(REASON_LENGTH_MAX), nullable=False),
    # running (also after its process died) or done.
    Column("state", String(16), nullable=False),
    # The last call whose batch is committed; NULL before the first.
    Column("place_at_us", Instant),
    Column("place_call_id", CallId),
    Column("adjustments", BigInteger, nullable=False),
    Column("difference_nanousd", NanoUsd, nullable=False),
    Column("started_at_us", Instant, nullable=False),
    Column("ended_at_us", Instant),
)

# What an attempt costs now: the `after` of its last row, by sequence. Rows are never changed.
adjustments = Table(
    "adjustments",
    metadata,
    Column("adjustment_id", CallId, primary_key=True),
    Column("run_id", CallId, nullable=False),
    # Its postings in the ledger.
    Column("batch_id", CallId, nullable=False),
    Column("call_id", CallId, nullable=False),
    Column("attempt", Integer, nullable=False),
    # 1, 2, … of one attempt: two runs at once cannot both write the next one.
    Column("sequence", Integer, nullable=False),
    # That of the call: cost views go by it.
    Column("accounted_at_us", Instant, nullable=False),
    # Its own: the ledger's period goes by it.
    Column("recorded_at_us", Instant, nullable=False),
    Column("provider", String(PROVIDER_LENGTH_MAX), nullable=False),
    # NULL: the attempt had no price.
    Column("before_nanousd", NanoUsd),
    Column("after_nanousd", NanoUsd, nullable=False),
    # after minus what was known before.
    Column("difference_nanousd", NanoUsd, nullable=False),
    # Of the call, on the last of its rows of one batch: what its account pays more or less …
    Column("charge_difference_nanousd", NanoUsd, nullable=False),
    # … and whether all of the call's attempts have a price only since then.
    Column("call_priced", Boolean, nullable=False),
    # {"components": [{unit, quantity, rate_usd, per, amount_usd, price_version_id}],
    # "rounding_usd": "0", "source": "database"}: its sum is after_nanousd.
    Column("bill", Json, nullable=False),
    # budgets_unknown: the evidence that names the call's budgets is purged.
    Column("flags", Json),
    Column("reason", String(REASON_LENGTH_MAX), nullable=False),
    Column("actor", String(NAME_LENGTH_MAX), nullable=False),
    Index("ux_adjustments_attempt", "call_id", "attempt", "sequence", unique=True),
    Index("ix_adjustments_accounted_at_us", "accounted_at_us"),
)
# The database itself refuses to change what was corrected.
kept.listen(adjustments)
