"""Which rows does recording keep?

In `dimensions`, "" stands for "there is none": a key without an upstream provider is one key.
"""

from collections.abc import Mapping

from sqlalchemy import (
    BigInteger,
    Boolean,
    Column,
    Index,
    Integer,
    MetaData,
    String,
    Table,
    Text,
    text,
)

from tollbridge.storage.types import CallId, Instant, Json, NanoUsd, RowId, metadata

NAME_LENGTH_MAX = 128
PROVIDER_LENGTH_MAX = 50
WORD_LENGTH_MAX = 32

FELL_BACK = "attempt_count > 1"
"""The calls for which more than one candidate was tried: few, and in an index of their own."""

# How far each file of the spool is in the books.
spool_segments = Table(
    "spool_segments",
    metadata,
    Column("segment", String(255), primary_key=True),
    Column("node", String(NAME_LENGTH_MAX), nullable=False),
    Column("worker", String(NAME_LENGTH_MAX), nullable=False),
    # Bytes and lines of the file that are in the books.
    Column("offset_bytes", BigInteger, nullable=False),
    Column("lines", BigInteger, nullable=False),
    Column("unreadable_lines", BigInteger, nullable=False),
    # open, or finished: its owner is gone and all of it is in the books.
    Column("state", String(16), nullable=False),
    Column("finished_at_us", Instant),
)

# Calls that are open where the offset stands: what the drain knows of them, as it was read.
open_calls = Table(
    "open_calls",
    metadata,
    Column("call_id", CallId, primary_key=True),
    Column("segment", String(255), nullable=False),
    Column("last_at_us", Instant, nullable=False),
    Column("opened", Text),
    Column("attempts", Text),
    Column("progress", Text),
)

# What could not be brought into the books. `raw`: evidence as in call_evidence, or what there
# was of it: the records' JSON, one a line.
quarantine = Table(
    "quarantine",
    metadata,
    Column("quarantine_id", RowId, primary_key=True, autoincrement=True),
    Column("segment", String(255), nullable=False),
    Column("offset_bytes", BigInteger, nullable=False),
    Column("node", String(NAME_LENGTH_MAX), nullable=False),
    Column("worker", String(NAME_LENGTH_MAX), nullable=False),
    Column("call_id", CallId),
    Column("raw", Text, nullable=False),
    Column("error", Text, nullable=False),
    # The call's holds, which stay leased: [{"lease_id", "amount_nanousd", …}].
    Column("holds", Json),
    Column("created_at_us", Instant, nullable=False),
    # open, replayed (it is in the books now) or dismissed (somebody decided that it never will).
    Column("state", String(16), nullable=False),
    Column("resolved_at_us", Instant),
    Index("ix_quarantine_state_worker", "state", "worker"),
)

# Totals that must survive the rows they were counted in.
recording_counters = Table(
    "recording_counters",
    metadata,
    Column("name", String(64), primary_key=True),
    Column("count", BigInteger, nullable=False),
)

# What was seen of a call, as the spool had it, for re-reading; purged by age.
call_evidence = Table(
    "call_evidence",
    metadata,
    Column("call_id", CallId, primary_key=True),
    Column("accounted_at_us", Instant, nullable=False),
    Column("raw", Text, nullable=False),
)

# One row per call, with the names as they were.
call_details = Table(
    "call_details",
    metadata,
    Column("call_id", CallId, primary_key=True),
    Column("accounted_at_us", Instant, nullable=False),
    Column("received_at_us", Instant, nullable=False),
    Column("opened_at_us", Instant, nullable=False),
    Column("closed_at_us", Instant, nullable=False),
    Column("first_byte_at_us", Instant),
    Column("latency_ms", BigInteger, nullable=False),
    Column("first_byte_ms", BigInteger),
    Column("category", String(WORD_LENGTH_MAX), nullable=False),
    Column("operation", String(WORD_LENGTH_MAX), nullable=False),
    Column("bucket", String(WORD_LENGTH_MAX), nullable=False),
    # What the application asked for, what the serving candidate was asked for, what it said.
    Column("label", Text, nullable=False),
    Column("requested_model", Text),
    Column("served_model", Text),
    Column("expected_provider", String(PROVIDER_LENGTH_MAX)),
    Column("actual_provider_name", String(PROVIDER_LENGTH_MAX), nullable=False),
    Column("upstream_provider_name", String(PROVIDER_LENGTH_MAX)),
    Column("endpoint", Text),
    Column("dialect", Text),
    Column("attribution_rule", Text, nullable=False),
    Column("attribution_confidence", String(WORD_LENGTH_MAX), nullable=False),
    Column("attribution_evidence", Text, nullable=False),
    Column("key_id", String(NAME_LENGTH_MAX), nullable=False),
    Column("key_name", Text, nullable=False),
    Column("user_name", Text, nullable=False),
    Column("project", Text, nullable=False),
    Column("customer", Text),
    Column("tags", Json),
    Column("method", String(16), nullable=False),
    Column("path", Text, nullable=False),
    Column("status", String(16), nullable=False),
    Column("http_status", Integer, nullable=False),
    Column("ending", String(WORD_LENGTH_MAX), nullable=False),
    Column("error_class", String(WORD_LENGTH_MAX)),
    Column("error_message", Text),
    Column("attempt_count", Integer, nullable=False),
    Column("stream", Boolean, nullable=False),
    # Of the serving attempt; NULL is unknown.
    Column("input_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("cache_read_tokens", BigInteger),
    Column("cache_write_tokens", BigInteger),
    Column("reasoning_tokens", BigInteger),
    Column("total_tokens", BigInteger),
    # All units: {"input": 12, …}.
    Column("usage", Json),
    Column("usage_source", String(16), nullable=False),
    # NULL where one attempt's cost is unknown; known_cost_nanousd is the sum of the others.
    Column("cost_nanousd", NanoUsd),
    Column("known_cost_nanousd", NanoUsd, nullable=False),
    Column("cost_origin", String(16)),
    Column("computed_nanousd", NanoUsd),
    Column("reported_nanousd", NanoUsd),
    Column("unpriced", Boolean, nullable=False),
    Column("unpriced_reason", Text),
    Column("charge_nanousd", NanoUsd, nullable=False),
    # [{"attempt": 1, "components": [{unit, quantity, rate_usd, per, amount_usd, price_version_id}],
    # "rounding_usd": "0", "source": "database"}]: its sum is known_cost_nanousd. source: or seed.
    Column("components", Json),
    Column("flags", Json),
    Column("request_bytes", BigInteger, nullable=False),
    Column("response_bytes", BigInteger, nullable=False),
    Column("on_caller_left", String(16)),
    Column("drained", Boolean, nullable=False),
    Column("node", String(NAME_LENGTH_MAX), nullable=False),
    Column("worker", String(NAME_LENGTH_MAX), nullable=False),
    # 1 for a live call; imports may bring rows that stand for more.
    Column("request_count", Integer, nullable=False),
    # Of a call whose only attempt has no row of its own: what is not said above. Else NULL.
    Column("attempt_started_at_us", Instant),
    Column("attempt_ended_at_us", Instant),
    Column("attempt_reason", Text),
    Column("response_id", Text),
    Column("attempt_facts", Json),
    Index("ix_call_details_accounted_at_us", "accounted_at_us"),
    Index("ix_call_details_key_id_accounted_at_us", "key_id", "accounted_at_us"),
    Index(
        "ix_call_details_actual_provider_name_accounted_at_us",
        "actual_provider_name",
        "accounted_at_us",
    ),
    Index(
        "ix_call_details_fallbacks",
        "accounted_at_us",
        sqlite_where=text(FELL_BACK),
        postgresql_where=text(FELL_BACK),
    ),
)

# The attempts that their call's detail row does not say all of: those of a call with several,
# and those that failed, broke or were cut short. The order of columns is that of attempts.py.
call_attempt_rows = Table(
    "call_attempt_rows",
    metadata,
    Column("call_id", CallId, primary_key=True),
    Column("number", Integer, primary_key=True),
    Column("endpoint", Text, nullable=False),
    Column("provider", String(PROVIDER_LENGTH_MAX), nullable=False),
    Column("upstream_provider_name", String(PROVIDER_LENGTH_MAX)),
    Column("model", Text, nullable=False),
    Column("served_model", Text),
    Column("started_at_us", Instant, nullable=False),
    Column("ended_at_us", Instant),
    Column("outcome", String(16), nullable=False),
    Column("error_class", String(WORD_LENGTH_MAX)),
    Column("http_status", Integer),
    Column("message", Text),
    # Why it stood at its place in the plan.
    Column("reason", Text, nullable=False),
    Column("latency_ms", BigInteger),
    Column("first_byte_ms", BigInteger),
    Column("written", Boolean, nullable=False),
    Column("input_tokens", BigInteger),
    Column("output_tokens", BigInteger),
    Column("cache_read_tokens", BigInteger),
    Column("cache_write_tokens", BigInteger),
    Column("reasoning_tokens", BigInteger),
    Column("usage", Json),
    Column("usage_source", String(16), nullable=False),
    Column("cost_nanousd", NanoUsd),
    Column("cost_origin", String(16)),
    Column("unpriced_reason", Text),
    Column("flags", Json),
    Column("response_id", Text),
    # What a price depends on besides, as the answer had it: {"service_tier": "flex", …}.
    Column("facts", Json),
    sqlite_with_rowid=False,
)

# A view of all attempts: what detail rows say of theirs, and call_attempt_rows. Not in our
# metadata, since its migration makes it.
call_attempts = Table(
    "call_attempts",
    MetaData(),
    *(Column(column.name, column.type) for column in call_attempt_rows.c),
)

# What a roll-up row is about. The id is computed from the values (rollups.py), so that nobody
# has to ask for it. Rows of daily and latency roll-ups have no user and no key, but for those by
# caller.
DIMENSION_COLUMNS = (
    "provider",
    "upstream_provider",
    "bucket",
    "category",
    "operation",
    "model",
    "route",
    "project",
    "user_name",
    "key_id",
    "key_name",
    "status_class",
    "usage_source",
)
dimensions = Table(
    "dimensions",
    metadata,
    Column("dimension_id", BigInteger, primary_key=True, autoincrement=False),
    *(Column(name, Text, nullable=False) for name in DIMENSION_COLUMNS),
    # A user's keys, and with them the user's calls.
    Index("ix_dimensions_user_name", "user_name", "key_id"),
    sqlite_with_rowid=False,
)

TOKEN_MEASURES = (
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
)
CALL_MEASURES = (
    "calls",
    "completed",
    "failed",
    "unpriced",
    "estimated",
    *TOKEN_MEASURES,
    # Of unpriced calls what is known, so that calls, attempts and postings have one sum.
    "cost_nanousd",
    "charge_nanousd",
    "latency_ms_sum",
)
ATTEMPT_MEASURES = (
    "attempts",
    "failures",
    "unknown",
    "unpriced",
    "estimated",
    *TOKEN_MEASURES,
    "cost_nanousd",
    "latency_ms_sum",
    "latency_count",
    "first_byte_ms_sum",
    "first_byte_count",
)


def _rollup(name: str, start: str, measures: tuple[str, ...]) -> Table:
    return Table(
        name,
        metadata,
        Column(start, Instant, primary_key=True, autoincrement=False),
        Column("dimension_id", BigInteger, primary_key=True, autoincrement=False),
        *(Column(measure, BigInteger, nullable=False) for measure in measures),
        sqlite_with_rowid=False,
    )


# By call: the serving provider. By attempt: the attempted one. Both at the call's accounted_at.
# A day begins where the billing time zone says.
rollups_by_call = _rollup("rollups_by_call", "quarter_start_us", CALL_MEASURES)
rollups_by_call_daily = _rollup("rollups_by_call_daily", "day_start_us", CALL_MEASURES)
rollups_by_attempt = _rollup("rollups_by_attempt", "quarter_start_us", ATTEMPT_MEASURES)
rollups_by_attempt_daily = _rollup("rollups_by_attempt_daily", "day_start_us", ATTEMPT_MEASURES)
# Without users and keys, as the daily ones: the hours of a week are not read with all callers.
rollups_by_call_quarterly = _rollup("rollups_by_call_quarterly", "quarter_start_us", CALL_MEASURES)
rollups_by_attempt_quarterly = _rollup(
    "rollups_by_attempt_quarterly", "quarter_start_us", ATTEMPT_MEASURES
)
# With users and keys: who spent how much in a month is not read from quarter hours.
rollups_by_caller_daily = _rollup("rollups_by_caller_daily", "day_start_us", CALL_MEASURES)
rollups_by_caller_attempt_daily = _rollup(
    "rollups_by_caller_attempt_daily", "day_start_us", ATTEMPT_MEASURES
)

HISTOGRAM_MEASURES = ("count", "first_byte_count")


def _histogram(name: str, start: str) -> Table:
    return Table(
        name,
        metadata,
        Column(start, Instant, primary_key=True, autoincrement=False),
        Column("dimension_id", BigInteger, primary_key=True, autoincrement=False),
        Column("bucket_index", Integer, primary_key=True, autoincrement=False),
        *(Column(measure, BigInteger, nullable=False) for measure in HISTOGRAM_MEASURES),
        sqlite_with_rowid=False,
    )


# How many attempts took so long (`count`), and how many so long to their first byte, per bucket
# of rollups.latency_bucket; buckets may be added up.
rollup_latency = _histogram("rollup_latency", "quarter_start_us")
rollup_latency_daily = _histogram("rollup_latency_daily", "day_start_us")

ROLLUPS: Mapping[str, Table] = {
    table.name: table
    for table in (
        rollups_by_call,
        rollups_by_call_quarterly,
        rollups_by_call_daily,
        rollups_by_attempt,
        rollups_by_attempt_quarterly,
        rollups_by_attempt_daily,
        rollups_by_caller_daily,
        rollups_by_caller_attempt_daily,
        rollup_latency,
        rollup_latency_daily,
    )
}
