"""Which rows are kept of subscriptions?"""

from sqlalchemy import BigInteger, Column, Index, String, Table

from tollbridge.ledger.plans import NAME_LENGTH_MAX
from tollbridge.storage import kept
from tollbridge.storage.audit import ACTOR_LENGTH_MAX
from tollbridge.storage.types import CallId, Instant, NanoUsd, metadata

USER_LENGTH_MAX = 128

# One row per user. What holds at a moment follows from it: see subscriptions.py.
subscriptions = Table(
    "subscriptions",
    metadata,
    Column("user_name", String(USER_LENGTH_MAX), primary_key=True),
    Column("plan_id", BigInteger, nullable=False),
    Column("cycle", String(16), nullable=False),
    Column("anchor_us", Instant, nullable=False),
    Column("ends_at_us", Instant),
    Column("next_plan_id", BigInteger),
    Column("next_cycle", String(16)),
    Column("changes_at_us", Instant),
    Column("recorded_until_us", Instant, nullable=False),
    Column("created_at_us", Instant, nullable=False),
    Column("updated_at_us", Instant, nullable=False),
    # The end of the last month whose credits are in the user's wallet.
    Column("credits_until_us", Instant, nullable=False, server_default="0"),
    Index("ix_subscriptions_credits_until_us", "credits_until_us"),
    sqlite_with_rowid=False,
)

# Names as they were; never changed.
subscription_events = Table(
    "subscription_events",
    metadata,
    Column("event_id", CallId, primary_key=True),
    Column("user_name", String(USER_LENGTH_MAX), nullable=False),
    Column("at_us", Instant, nullable=False),
    Column("recorded_at_us", Instant, nullable=False),
    Column("kind", String(16), nullable=False),
    Column("plan_id", BigInteger, nullable=False),
    Column("plan_name", String(NAME_LENGTH_MAX), nullable=False),
    Column("previous_plan_name", String(NAME_LENGTH_MAX)),
    Column("cycle", String(16), nullable=False),
    Column("period_start_us", Instant, nullable=False),
    Column("period_end_us", Instant, nullable=False),
    Column("amount_nanousd", NanoUsd, nullable=False),
    Column("actor", String(ACTOR_LENGTH_MAX), nullable=False),
    Index("ix_subscription_events_user_name", "user_name", "at_us", "event_id"),
    sqlite_with_rowid=False,
)
kept.listen(subscription_events)
