"""Which rows does the ledger keep?"""

from collections.abc import Mapping

from sqlalchemy import DDL, BigInteger, Boolean, Column, Connection, Index, String, Table, event

from tollbridge.storage.types import CallId, Instant, NanoUsd, metadata

ID_LENGTH_MAX = 64
NAME_LENGTH_MAX = 128

budgets = Table(
    "budgets",
    metadata,
    Column("budget_id", String(ID_LENGTH_MAX), primary_key=True),
    Column("name", String(NAME_LENGTH_MAX), nullable=False, unique=True),
    # organisation:…, project:…, user:…, key:… or customer:…
    Column("subject", String(255), nullable=False),
    Column("limit_nanousd", NanoUsd, nullable=False),
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
    Column("budget_id", String(ID_LENGTH_MAX), primary_key=True),
    Column("period_start_us", Instant, primary_key=True),
    # Σ of the postings of account budget:<id>:<period start>.
    Column("spent_nanousd", NanoUsd, nullable=False),
    # Σ over the period's leases of max(0, granted - settled - returned).
    Column("leased_nanousd", NanoUsd, nullable=False),
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
    Column("budget_id", String(ID_LENGTH_MAX), nullable=False),
    Column("period_start_us", Instant, nullable=False),
    Column("worker", String(NAME_LENGTH_MAX), nullable=False),
    Column("node", String(NAME_LENGTH_MAX), nullable=False),
    Column("granted", BigInteger, nullable=False),
    Column("settled", BigInteger, nullable=False),
    Column("returned", BigInteger, nullable=False),
    # active, or ended: its worker is gone (or its node was released), nothing is granted to it.
    Column("state", String(16), nullable=False),
    Index("ix_leases_worker_budget_id", "worker", "budget_id"),
    sqlite_with_rowid=False,
)

postings = Table(
    "postings",
    metadata,
    Column("batch_id", CallId, primary_key=True),
    Column("account", String(255), primary_key=True),
    Column("amount_nanousd", NanoUsd, nullable=False),
    Column("posted_at_us", Instant, nullable=False),
    sqlite_with_rowid=False,
)

# The database itself refuses to change what was posted. A migration that makes the table with
# Alembic's own words runs `keep_postings(connection)` after it; `metadata.create_all` and
# `Table.create` do it by the listener below. Dropping the table drops the triggers; the function
# on PostgreSQL goes with `forget_postings(connection)`.
KEEP_POSTINGS: Mapping[str, tuple[str, ...]] = {
    "sqlite": (
        """CREATE TRIGGER postings_no_update BEFORE UPDATE ON postings
        BEGIN SELECT RAISE(ABORT, 'postings are never changed'); END""",
        """CREATE TRIGGER postings_no_delete BEFORE DELETE ON postings
        BEGIN SELECT RAISE(ABORT, 'postings are never changed'); END""",
    ),
    "postgresql": (
        """CREATE OR REPLACE FUNCTION postings_are_kept() RETURNS trigger LANGUAGE plpgsql AS
        $$ BEGIN RAISE EXCEPTION 'postings are never changed'; END $$""",
        """CREATE TRIGGER postings_no_change BEFORE UPDATE OR DELETE ON postings
        FOR EACH ROW EXECUTE FUNCTION postings_are_kept()""",
    ),
}
FORGET_POSTINGS: Mapping[str, tuple[str, ...]] = {
    "sqlite": (),
    "postgresql": ("DROP FUNCTION IF EXISTS postings_are_kept()",),
}


def keep_postings(connection: Connection) -> None:
    """Let the database refuse every UPDATE and DELETE of postings (not DROP or TRUNCATE)."""
    for statement in KEEP_POSTINGS[connection.dialect.name]:
        connection.exec_driver_sql(statement)


def forget_postings(connection: Connection) -> None:
    """Remove, after the table, what `keep_postings` made beside it."""
    for statement in FORGET_POSTINGS[connection.dialect.name]:
        connection.exec_driver_sql(statement)


def _listen() -> None:
    for moment, statements in (("after_create", KEEP_POSTINGS), ("after_drop", FORGET_POSTINGS)):
        for dialect, texts in statements.items():
            for sql in texts:
                # DDL() formats its text with %.
                ddl = DDL(sql.replace("%", "%%")).execute_if(dialect=dialect)
                event.listen(postings, moment, ddl)


_listen()
