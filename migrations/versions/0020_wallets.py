"""Wallets with their statements, what operations take in credits, and credits that plans bring.

Revision 0020_wallets. Beside the tables two read-only views with the names of the brief's credits:
`credit_transactions` and `credit_usage_logs`. On SQLite credits and dollars are REAL there, for it
has no decimals; exact amounts are in the tables.

Source of the rates to begin with: the credits of the original model catalogue.
"""

from collections.abc import Mapping
from string import Template

import sqlalchemy as sa
from alembic import op

from tollbridge.core.clock import SystemClock
from tollbridge.storage.kept import forget_rows, keep_rows
from tollbridge.storage.types import Amount, CallId, Instant, NanoUsd

revision = "0020_wallets"
down_revision = "0021_people"
branch_labels = None
depends_on = None

MICRO = 10**6
CENT_NANOUSD = 10**7
KEPT = ("wallet_transactions", "wallet_entries")
TABLES = (
    "wallet_entries",
    "wallet_transactions",
    "wallet_holds",
    "wallet_grants",
    "wallets",
    "credit_rates",
)
VIEWS = ("credit_usage_logs", "credit_transactions")
# Operation, model, tokens for a credit, credits for an image.
RATES = (
    ("completion", "", 100, None),
    ("chat_completion", "", 100, None),
    ("embedding", "", 100, None),
    ("chat_completion", "gpt-4o-mini", 10_000, None),
    ("chat_completion", "gpt-4o", 1000, None),
    ("chat_completion", "gpt-5.1", 1000, None),
    ("image_generation", "runware:97@1", None, 1),
    ("image_generation", "dall-e-3", None, 5),
    ("image_generation", "google:4@2", None, 15),
)
_SAY: Mapping[str, Mapping[str, str]] = {
    "postgresql": {
        "at": "timestamptz 'epoch' + t.posted_at_us * interval '1 microsecond'",
        "micro": "* 0.000001",
        "nano": "* 0.000000001",
        "id": "CAST(t.call_id AS text)",
        "object": "jsonb_build_object",
    },
    "sqlite": {
        "at": "strftime('%Y-%m-%d %H:%M:%S', t.posted_at_us / 1000000, 'unixepoch') "
        "|| printf('.%06d', t.posted_at_us % 1000000)",
        "micro": "/ 1000000.0",
        "nano": "/ 1000000000.0",
        "id": "t.call_id",
        "object": "json_object",
    },
}
_TRANSACTIONS = """
    CREATE VIEW credit_transactions AS
    SELECT w.wallet_id || ':' || t.number AS id, w.subject AS account, w.name AS wallet,
        CASE WHEN t.kind = 'grant' AND g.kind = 'plan' THEN 'subscription' ELSE t.kind
        END AS transaction_type,
        t.amount $micro AS amount, t.balance_after $micro AS balance_after,
        t.note AS description,
        $object('operation', t.operation, 'model', t.model, 'tokens', t.tokens,
                'images', t.images, 'actor', t.actor, 'overrun', t.is_overrun) AS metadata,
        t.price_nanousd $nano AS payment_usd,
        COALESCE($id, t.idempotency_key) AS reference_id, $at AS created_at
    FROM wallet_transactions AS t
    JOIN wallets AS w ON w.wallet_id = t.wallet_id
    LEFT JOIN wallet_grants AS g ON g.wallet_id = t.wallet_id AND g.number = t.number
    WHERE w.unit = 'credits' AND t.phase IN ('single', 'post')"""
# One row for what was used once; what was given back of it stands among the transactions.
_USAGE = """
    CREATE VIEW credit_usage_logs AS
    SELECT w.wallet_id || ':' || t.number AS id, w.subject AS account, w.name AS wallet,
        t.operation AS operation_type, (-t.amount) $micro AS credits_used,
        t.balance_after $micro AS balance_after,
        (SELECT l.cost_total FROM api_usage_logs AS l WHERE l.id = t.call_id) AS cost_usd,
        t.model AS model_used,
        (SELECT l.tokens_input FROM api_usage_logs AS l WHERE l.id = t.call_id) AS tokens_input,
        (SELECT l.tokens_output FROM api_usage_logs AS l WHERE l.id = t.call_id) AS tokens_output,
        t.tokens AS tokens_total, t.images AS images,
        CASE WHEN t.call_id IS NOT NULL THEN 'call' END AS related_object_type,
        $id AS related_object_id,
        $object('actor', t.actor, 'note', t.note, 'overrun', t.is_overrun) AS metadata,
        $at AS created_at
    FROM wallet_transactions AS t
    JOIN wallets AS w ON w.wallet_id = t.wallet_id
    WHERE w.unit = 'credits' AND t.kind = 'deduction' AND t.phase IN ('single', 'post')"""


def upgrade() -> None:
    """Make tables and views, and the rates to begin with; no plan brings credits so far."""
    _make_wallets()
    _make_statement()
    _make_rates()
    op.add_column(
        "plans",
        sa.Column("microcredits_per_period", Amount(), nullable=False, server_default="0"),
    )
    op.add_column(
        "subscriptions",
        sa.Column("credits_until_us", Instant(), nullable=False, server_default="0"),
    )
    op.create_index("ix_subscriptions_credits_until_us", "subscriptions", ["credits_until_us"])
    bind = op.get_bind()
    for table in KEPT:
        keep_rows(bind, table)
    for view in (_TRANSACTIONS, _USAGE):
        bind.exec_driver_sql(Template(view).substitute(_SAY[bind.dialect.name]))


def downgrade() -> None:
    """Drop them; wallets are lost."""
    for view in VIEWS:
        op.execute(f"DROP VIEW {view}")
    for table in TABLES:
        op.drop_table(table)
    for table in KEPT:
        forget_rows(op.get_bind(), table)
    op.drop_index("ix_subscriptions_credits_until_us", "subscriptions")
    op.drop_column("subscriptions", "credits_until_us")
    op.drop_column("plans", "microcredits_per_period")


def _make_wallets() -> None:
    op.create_table(
        "wallets",
        sa.Column("wallet_id", sa.String(64), nullable=False),
        sa.Column("name", sa.String(255), nullable=False),
        sa.Column("subject", sa.String(255), nullable=False),
        sa.Column("unit", sa.String(16), nullable=False),
        sa.Column("overdraft", Amount(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("balance", Amount(), nullable=False),
        sa.Column("held", Amount(), nullable=False),
        sa.Column("transaction_count", sa.BigInteger(), nullable=False),
        sa.Column("last_at_us", Instant(), nullable=False),
        sa.Column("created_at_us", Instant(), nullable=False),
        sa.Column("updated_at_us", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("wallet_id", name="pk_wallets"),
        sa.UniqueConstraint("name", name="uq_wallets_name"),
        sa.UniqueConstraint("subject", "unit", name="uq_wallets_subject_unit"),
    )
    op.create_table(
        "wallet_grants",
        sa.Column("wallet_id", sa.String(64), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("amount", Amount(), nullable=False),
        sa.Column("remaining", Amount(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("granted_at_us", Instant(), nullable=False),
        sa.Column("expires_at_us", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("wallet_id", "number", name="pk_wallet_grants"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "wallet_holds",
        sa.Column("wallet_id", sa.String(64), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("amount", Amount(), nullable=False),
        sa.Column("expires_at_us", Instant(), nullable=False),
        sa.Column("is_open", sa.Boolean(), nullable=False),
        sa.PrimaryKeyConstraint("wallet_id", "number", name="pk_wallet_holds"),
        sqlite_with_rowid=False,
    )
    for name, table, where in (
        ("ix_wallet_grants_live", "wallet_grants", "remaining != 0"),
        ("ix_wallet_holds_open", "wallet_holds", "is_open"),
    ):
        op.create_index(
            name,
            table,
            ["wallet_id", "expires_at_us"],
            sqlite_where=sa.text(where),
            postgresql_where=sa.text(where),
        )


def _make_statement() -> None:
    op.create_table(
        "wallet_transactions",
        sa.Column("wallet_id", sa.String(64), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("kind", sa.String(16), nullable=False),
        sa.Column("phase", sa.String(16), nullable=False),
        sa.Column("amount", Amount(), nullable=False),
        sa.Column("held", Amount(), nullable=False),
        sa.Column("balance_after", Amount(), nullable=False),
        sa.Column("held_after", Amount(), nullable=False),
        sa.Column("is_overrun", sa.Boolean(), nullable=False),
        sa.Column("about_number", sa.BigInteger(), nullable=True),
        sa.Column("posted_at_us", Instant(), nullable=False),
        sa.Column("recorded_at_us", Instant(), nullable=False),
        sa.Column("call_id", CallId(), nullable=True),
        sa.Column("operation", sa.String(64), nullable=True),
        sa.Column("model", sa.String(256), nullable=True),
        sa.Column("tokens", sa.BigInteger(), nullable=True),
        sa.Column("images", sa.BigInteger(), nullable=True),
        sa.Column("price_nanousd", NanoUsd(), nullable=True),
        sa.Column("actor", sa.String(128), nullable=False),
        sa.Column("note", sa.String(1000), nullable=False),
        sa.Column("idempotency_key", sa.String(255), nullable=True),
        sa.Column("payload", sa.String(64), nullable=True),
        sa.PrimaryKeyConstraint("wallet_id", "number", name="pk_wallet_transactions"),
        sqlite_with_rowid=False,
    )
    op.create_table(
        "wallet_entries",
        sa.Column("wallet_id", sa.String(64), nullable=False),
        sa.Column("number", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("line", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("source", sa.String(32), nullable=False),
        sa.Column("target", sa.String(32), nullable=False),
        sa.Column("amount", Amount(), nullable=False),
        sa.PrimaryKeyConstraint("wallet_id", "number", "line", name="pk_wallet_entries"),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_wallet_transactions_posted_at_us",
        "wallet_transactions",
        ["wallet_id", "posted_at_us", "number"],
    )
    for name, columns, where, unique in (
        (
            "uq_wallet_transactions_call_id",
            ["call_id", "wallet_id"],
            "call_id IS NOT NULL AND kind = 'deduction'",
            True,
        ),
        (
            "uq_wallet_transactions_idempotency_key",
            ["wallet_id", "idempotency_key"],
            "idempotency_key IS NOT NULL",
            True,
        ),
        (
            "ix_wallet_transactions_about_number",
            ["wallet_id", "about_number"],
            "about_number IS NOT NULL",
            False,
        ),
    ):
        op.create_index(
            name,
            "wallet_transactions",
            columns,
            unique=unique,
            sqlite_where=sa.text(where),
            postgresql_where=sa.text(where),
        )


def _make_rates() -> None:
    rates = op.create_table(
        "credit_rates",
        sa.Column("operation", sa.String(64), nullable=False),
        sa.Column("model", sa.String(256), nullable=False),
        sa.Column("tokens_per_credit", sa.BigInteger(), nullable=True),
        sa.Column("min_microcredits", Amount(), nullable=False),
        sa.Column("microcredits_per_image", Amount(), nullable=True),
        sa.Column("microcredits_per_call", Amount(), nullable=True),
        sa.Column("price_per_credit_nanousd", NanoUsd(), nullable=True),
        sa.Column("source", sa.String(16), nullable=False),
        sa.Column("updated_at_us", Instant(), nullable=False),
        sa.Column("updated_by", sa.String(128), nullable=False),
        sa.PrimaryKeyConstraint("operation", "model", name="pk_credit_rates"),
        sqlite_with_rowid=False,
    )
    now_us = SystemClock().now_us()
    op.bulk_insert(
        rates,
        [
            {
                "operation": operation,
                "model": model,
                "tokens_per_credit": tokens,
                "min_microcredits": 0 if tokens is None else MICRO,
                "microcredits_per_image": None if images is None else images * MICRO,
                "microcredits_per_call": None,
                "price_per_credit_nanousd": CENT_NANOUSD,
                "source": "seed",
                "updated_at_us": now_us,
                "updated_by": "seed",
            }
            for operation, model, tokens, images in RATES
        ],
    )
