"""Which rows are kept of experiments?"""

from sqlalchemy import Column, Index, Integer, String, Table

from tollbridge.routing.tables import MODEL_LENGTH_MAX, NAME_LENGTH_MAX
from tollbridge.storage.audit import ACTOR_LENGTH_MAX
from tollbridge.storage.types import CallId, DecimalText, Instant, Json, metadata

REASON_LENGTH_MAX = 500

experiments = Table(
    "experiments",
    metadata,
    Column("experiment_id", CallId, primary_key=True),
    Column("name", String(NAME_LENGTH_MAX), nullable=False, unique=True),
    # The route whose candidates are compared.
    Column("model", String(MODEL_LENGTH_MAX), nullable=False),
    Column("category", String(16), nullable=False),
    # user or key: who always gets the same arm.
    Column("subject", String(8), nullable=False),
    # [{name, endpoint, model, weight}]; the first is what the others are compared with.
    Column("arms", Json, nullable=False),
    # cost, latency or success: what a decision goes by.
    Column("objective", String(16), nullable=False),
    # Share of failed calls beyond which it is stopped; NULL: it never is by itself.
    Column("failed_share_max", DecimalText),
    # Calls of an arm below which it is not judged.
    Column("calls_min", Integer, nullable=False),
    Column("started_at_us", Instant, nullable=False),
    # NULL while it runs.
    Column("ended_at_us", Instant),
    # stopped, guarded or applied.
    Column("ended_by", String(16)),
    Column("end_reason", String(REASON_LENGTH_MAX)),
    # The arm that was applied to the route.
    Column("applied_arm", String(NAME_LENGTH_MAX)),
    Column("actor", String(ACTOR_LENGTH_MAX), nullable=False),
)
# Two on one route would each spoil what the other finds.
Index(
    "uq_experiments_running",
    experiments.c.model,
    experiments.c.category,
    unique=True,
    sqlite_where=experiments.c.ended_at_us.is_(None),
    postgresql_where=experiments.c.ended_at_us.is_(None),
)
