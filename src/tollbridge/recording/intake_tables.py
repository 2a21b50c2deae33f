"""Which rows does recording keep of what others report, besides the calls themselves?

None has a foreign key: a report outlives the registry that it was checked by.
"""

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text, false, true

from tollbridge.recording.tables import NAME_LENGTH_MAX, WORD_LENGTH_MAX
from tollbridge.storage.types import CallId, Instant, Json, metadata

CLAIM_LENGTH = 32
ACTOR_LENGTH_MAX = 128

# One accepted request of another gateway, or one piece of an imported file.
intake_batches = Table(
    "intake_batches",
    metadata,
    Column("batch_id", CallId, primary_key=True),
    Column("source", String(NAME_LENGTH_MAX), nullable=False),
    Column("via", String(WORD_LENGTH_MAX), nullable=False),
    Column("received_at_us", Instant, nullable=False),
    # Reports in the spool: each is in intake_records, or refused later on.
    Column("accepted", Integer, nullable=False),
    # Records that were refused at once; later refusals are of accepted reports.
    Column("refused", Integer, nullable=False),
    Column("idempotency_key", Text),
)

# Every report that counts, for ever: its claim can be made once.
intake_records = Table(
    "intake_records",
    metadata,
    Column("call_id", CallId, primary_key=True),
    Column("claim", String(CLAIM_LENGTH)),
    Column("batch_id", CallId, nullable=False),
    Column("record_index", Integer, nullable=False),
    Column("source", String(NAME_LENGTH_MAX), nullable=False),
    Column("record_id", Text),
    Column("completed", Boolean, nullable=False),
    Column("started_at_us", Instant),
    Column("completed_at_us", Instant),
    # The ids that were reported and the names that they had then.
    Column("names", Json),
    Index("ux_intake_records_claim", "claim", unique=True),
    Index("ix_intake_records_batch_id", "batch_id"),
)

# Records that do not count, with the reason; `raw` as they came, for a replay.
intake_refusals = Table(
    "intake_refusals",
    metadata,
    Column("batch_id", CallId, primary_key=True),
    Column("record_index", Integer, primary_key=True),
    Column("source", String(NAME_LENGTH_MAX), nullable=False),
    Column("via", String(WORD_LENGTH_MAX), nullable=False),
    Column("received_at_us", Instant, nullable=False),
    Column("reason", String(WORD_LENGTH_MAX), nullable=False),
    Column("message", Text, nullable=False),
    Column("raw", Text),
    Column("idempotency_key", Text),
    # open, replayed (it counts now), or final (a duplicate: nothing will ever come of it).
    Column("state", String(16), nullable=False),
    Column("resolved_at_us", Instant),
    Index("ix_intake_refusals_state_source", "state", "source"),
)

# Who may report, and by which names: id → name of each kind.
intake_sources = Table(
    "intake_sources",
    metadata,
    Column("source", String(NAME_LENGTH_MAX), primary_key=True),
    # The names of the API keys that may report for it, besides the one of its own name.
    Column("keys", Json),
    # Whether the budgets of the caller that a report names pay for it.
    Column("charges", Boolean, nullable=False, server_default=false()),
    # What the configuration file no longer declares is disabled: nothing is taken from it.
    Column("enabled", Boolean, nullable=False, server_default=true()),
    # file: the configuration file alone changes it. api: the API and the command line do.
    Column("origin", String(16), nullable=False, server_default="api"),
    Column("created_at_us", Instant, nullable=False),
    Column("updated_at_us", Instant, nullable=False),
    Column("updated_by", String(ACTOR_LENGTH_MAX), nullable=False),
)
intake_names = Table(
    "intake_names",
    metadata,
    Column("source", String(NAME_LENGTH_MAX), primary_key=True),
    Column("kind", String(WORD_LENGTH_MAX), primary_key=True),
    Column("reported_id", String(NAME_LENGTH_MAX), primary_key=True),
    Column("name", String(255), nullable=False),
    # Of a provider: whose it is, and its models where they are known. Of a route: its model's id.
    Column("provider_type", String(NAME_LENGTH_MAX)),
    Column("models", Json),
    Column("model_id", String(NAME_LENGTH_MAX)),
)
