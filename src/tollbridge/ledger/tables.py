"""Which rows does the ledger keep?"""

from sqlalchemy import BigInteger, Boolean, Column, Connection, Index, String, Table

from tollbridge.core.limits import MODEL_LENGTH_MAX
from tollbridge.storage import kept
from tollbridge.storage.types import Amount, CallId, Instant, metadata

ID_LENGTH_MAX = 64
LIMIT_ID_LENGTH_MAX = 200
"""A budget's id, or `plan:<user>:<rule>`, or `wallet:<id>`."""
NAME_LENGTH_MAX = 128
SELECTORS = (("bucket", 32), ("category", 16), ("model", MODEL_LENGTH_MAX), ("provider", 64))

budgets = Table(
    "budgets",
    metadata,
    Column("budget_id", String(ID_LENGTH_MAX), primary_key=True),
    Column("name", String(NAME_LENGTH_MAX), nullable=False, unique=True),
    # organisation:…, project:…, user:…, key:… or customer:…
    Column("subject", String(255), nullable=False),
    # A core.limits.LimitKind among DURABLE: in whose unit the limit's amount is.
    Column("kind", String(16), nullable=False, server_default="money"),
    Column("limit_amount", Amount, nullable=False),
    # Which of the subject's calls count; empty: all of them.
    *(
        Column(name, String(length), nullable=False, server_default="")
        for name, length in SELECTORS
    ),
    Column("period", String(16), nullable=False),
    Column("hard", Boolean, nullable=False),
    Column("enabled", Boolean, nullable=False),
    # file: the configuration file alone changes it. api: the API and the command line do.
    Column("source", String(16), nullable=False),
    Column("created_at_us", Instant, nullable=False),
    Column("updated_at_us", Instant, nullable=False),
)

budget_periods = Table(
    "budget_periods",
    metadata,
    Column("budget_id", String(LIMIT_ID_LENGTH_MAX), primary_key=True),
    Column("period_start_us", Instant, primary_key=True),
    # Σ of the postings of account budget:<id>:<period start>, its unit before it.
    Column("spent", Amount, nullable=False),
    # Σ over the period's leases of max(0, granted - settled - returned).
    Column("leased", Amount, nullable=False),
    # When a node last found no room; the other nodes then recall what their workers can spare.
    Column("recalled_at_us", Instant),
    sqlite_with_rowid=False,
)
Index(
    "ix_budget_periods_recalled_at_us",
    budget_periods.c.recalled_at_us,
    sqlite_where=budget_periods.c.recalled_at_us.is_not(None),
    postgresql_where=budget_periods.c.recalled_at_us.is_not(None),
)

# One row per (worker instance, budget, period), topped up. Whoever changes one holds the row of
# its budget period: so `leased` always moves by the same difference, and nobody waits in a circle.
leases = Table(
    "leases",
    metadata,
    Column("lease_id", String(ID_LENGTH_MAX), primary_key=True),
    Column("budget_id", String(LIMIT_ID_LENGTH_MAX), nullable=False),
    Column("period_start_us", Instant, nullable=False),
    Column("worker", String(NAME_LENGTH_MAX), nullable=False),
    Column("node", String(NAME_LENGTH_MAX), nullable=False),
    Column("granted", BigInteger, nullable=False),
    Column("settled", BigInteger, nullable=False),
    Column("returned", BigInteger, nullable=False),
    # active, or ended: its worker is gone (or its node was released), nothing is granted to it.
    Column("state", String(16), nullable=False),
    # Since when it has ended; NULL while it is active.
    Column("ended_at_us", Instant),
    Index("ix_leases_worker_budget_id", "worker", "budget_id"),
    Index("ix_leases_budget_id", "budget_id"),
    sqlite_with_rowid=False,
)
Index(
    "ix_leases_ended_at_us",
    leases.c.ended_at_us,
    sqlite_where=leases.c.ended_at_us.is_not(None),
    postgresql_where=leases.c.ended_at_us.is_not(None),
)

postings = Table(
    "postings",
    metadata,
    Column("batch_id", CallId, primary_key=True),
    Column("account", String(255), primary_key=True),
    Column("amount", Amount, nullable=False),
    Column("posted_at_us", Instant, nullable=False),
    sqlite_with_rowid=False,
)

# The database itself refuses to change what was posted.
kept.listen(postings)


def keep_postings(connection: Connection) -> None:
    """Let the database refuse every UPDATE and DELETE of postings; for the migration."""
    kept.keep_rows(connection, postings.name)


def forget_postings(connection: Connection) -> None:
    """Remove, after the table, what `keep_postings` made beside it."""
    kept.forget_rows(connection, postings.name)
