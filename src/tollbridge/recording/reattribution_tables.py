"""Which rows say that a call was given another provider, by which run, and how to take it back?

`call_details` says who served by what is known now; what it said before stands here.
"""

from sqlalchemy import BigInteger, Column, Index, Integer, String, Table, Text

from tollbridge.recording.tables import NAME_LENGTH_MAX, PROVIDER_LENGTH_MAX, WORD_LENGTH_MAX
from tollbridge.storage.types import CallId, Instant, metadata

RULES_VERSION_LENGTH_MAX = 32

# One run over the calls of a period, and how far it has come.
reattribution_runs = Table(
    "reattribution_runs",
    metadata,
    Column("run_id", CallId, primary_key=True),
    # Of a run that takes another one back: that one's id.
    Column("reverts_run_id", CallId),
    # "" where a run is taken back.
    Column("rules_version", String(RULES_VERSION_LENGTH_MAX), nullable=False),
    # Which calls, as it was asked for; NULL is no bound.
    Column("since_us", Instant),
    Column("until_us", Instant),
    # Calls accounted from here on are not looked at: they are attributed by the rules of today.
    Column("end_us", Instant, nullable=False),
    Column("actor", String(NAME_LENGTH_MAX), nullable=False),
    # running (also after its process died) or done.
    Column("state", String(16), nullable=False),
    # The last call whose batch is committed, and where its details stand; NULL before the first.
    Column("place_tier", Integer),
    Column("place_at_us", Instant),
    Column("place_call_id", CallId),
    Column("calls", BigInteger, nullable=False),
    # Of these, whose attribution changed; whose provider did; whose price is another provider's.
    Column("changed", BigInteger, nullable=False),
    Column("reassigned", BigInteger, nullable=False),
    Column("marked", BigInteger, nullable=False),
    # Calls of a run that is taken back which a later one has changed again: they are left.
    Column("left_alone", BigInteger, nullable=False),
    Column("started_at_us", Instant, nullable=False),
    Column("ended_at_us", Instant),
)

# From what to what a run changed calls; one row for all calls of which it is the same.
attribution_moves = Table(
    "attribution_moves",
    metadata,
    Column("run_id", CallId, primary_key=True),
    # A hash of the ten values below.
    Column("move_id", BigInteger, primary_key=True, autoincrement=False),
    *(
        column
        for side in ("old", "new")
        for column in (
            Column(f"{side}_provider", String(PROVIDER_LENGTH_MAX), nullable=False),
            # "" is none.
            Column(f"{side}_upstream", String(PROVIDER_LENGTH_MAX), nullable=False),
            Column(f"{side}_rule", Text, nullable=False),
            Column(f"{side}_confidence", String(WORD_LENGTH_MAX), nullable=False),
            Column(f"{side}_evidence", Text, nullable=False),
        )
    ),
    Column("calls", BigInteger, nullable=False),
)

# Which call was changed by which run, and how. Rows are never changed.
attribution_changes = Table(
    "attribution_changes",
    metadata,
    Column("run_id", CallId, primary_key=True),
    Column("call_id", CallId, primary_key=True),
    Column("move_id", BigInteger, nullable=False),
    Index("ix_attribution_changes_call_id", "call_id"),
    sqlite_with_rowid=False,
)

# Calls that were priced as another provider's than the one who served: to be rated again.
rerating_marks = Table(
    "rerating_marks",
    metadata,
    Column("call_id", CallId, primary_key=True),
    Column("accounted_at_us", Instant, nullable=False),
    # Whose price it is.
    Column("provider", String(PROVIDER_LENGTH_MAX), nullable=False),
    Index("ix_rerating_marks_accounted_at_us", "accounted_at_us", "call_id"),
    sqlite_with_rowid=False,
)
