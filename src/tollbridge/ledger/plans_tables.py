"""Which rows are kept of plans?"""

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text

from tollbridge.ledger.plans import NAME_LENGTH_MAX
from tollbridge.storage import kept
from tollbridge.storage.audit import ACTOR_LENGTH_MAX
from tollbridge.storage.types import Amount, Instant, Json, NanoUsd, RowId, metadata

plans = Table(
    "plans",
    metadata,
    Column("plan_id", RowId, primary_key=True, autoincrement=True),
    Column("name", String(NAME_LENGTH_MAX), nullable=False, unique=True),
    Column("tier", String(16), nullable=False),
    Column("price_monthly_nanousd", NanoUsd, nullable=False),
    Column("price_yearly_nanousd", NanoUsd, nullable=False),
    # Name of a limit → whole number. One that is absent is none: unlimited. 0 allows nothing.
    Column("limits", Json, nullable=False),
    Column("features", Json, nullable=False),
    Column("description", Text, nullable=False),
    # What each month of a subscription brings into the user's wallet.
    Column("microcredits_per_period", Amount, nullable=False, server_default="0"),
    Column("version", Integer, nullable=False),
    Column("is_active", Boolean, nullable=False),
    Column("is_default", Boolean, nullable=False),
    Column("created_at_us", Instant, nullable=False),
    Column("updated_at_us", Instant, nullable=False),
)
# At most one plan holds for whoever has no subscription.
Index(
    "uq_plans_is_default",
    plans.c.is_default,
    unique=True,
    sqlite_where=plans.c.is_default,
    postgresql_where=plans.c.is_default,
)

# What each plan said from which moment on; never changed.
plan_versions = Table(
    "plan_versions",
    metadata,
    Column("plan_id", RowId, primary_key=True, autoincrement=False),
    Column("version", Integer, primary_key=True, autoincrement=False),
    Column("terms", Json, nullable=False),
    Column("changed_at_us", Instant, nullable=False),
    Column("changed_by", String(ACTOR_LENGTH_MAX), nullable=False),
    sqlite_with_rowid=False,
)
kept.listen(plan_versions)
