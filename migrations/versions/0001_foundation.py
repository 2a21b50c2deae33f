"""The first schema: keys, routes, prices, the ledger, the books.

Revision 0001, the first.
"""

import sqlalchemy as sa
from alembic import op

from tollbridge.ledger.tables import forget_postings, keep_postings
from tollbridge.storage.types import CallId, DecimalText, Instant, Json, NanoUsd

revision = "0001"
down_revision = None
branch_labels = None
depends_on = None


def _create_versions() -> None:
    op.create_table(
        "versions",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("version", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_versions")),
    )


def _create_users() -> None:
    op.create_table(
        "users",
        sa.Column("user_id", CallId(), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("password_hash", sa.String(length=255), nullable=True),
        sa.Column("role", sa.String(length=16), nullable=False),
        sa.Column("created_at_us", Instant(), nullable=False),
        sa.Column("updated_at_us", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("user_id", name=op.f("pk_users")),
        sa.UniqueConstraint("name", name=op.f("uq_users_name")),
    )


def _create_keys() -> None:
    op.create_table(
        "keys",
        sa.Column("key_id", CallId(), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("last4", sa.String(length=4), nullable=False),
        sa.Column("user", sa.String(length=128), nullable=False),
        sa.Column("project", sa.String(length=128), nullable=False),
        sa.Column("scopes", Json(), nullable=False),
        sa.Column("expires_at_us", Instant(), nullable=True),
        sa.Column("revoked_at_us", Instant(), nullable=True),
        sa.Column("calls_per_minute", sa.Integer(), nullable=True),
        sa.Column("concurrent_calls", sa.Integer(), nullable=True),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("created_at_us", Instant(), nullable=False),
        sa.Column("updated_at_us", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("key_id", name=op.f("pk_keys")),
        sa.UniqueConstraint("digest", name=op.f("uq_keys_digest")),
        sa.UniqueConstraint("name", name=op.f("uq_keys_name")),
    )


def _create_endpoints() -> None:
    op.create_table(
        "endpoints",
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("provider", sa.String(length=128), nullable=False),
        sa.Column("dialect", sa.String(length=32), nullable=False),
        sa.Column("base_url", sa.String(length=2048), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("disabled_categories", Json(), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("category_priority", Json(), nullable=False),
        sa.Column("default_models", Json(), nullable=False),
        sa.Column("models", Json(), nullable=False),
        sa.Column("on_caller_left", sa.String(length=16), nullable=False),
        sa.Column("quirks", Json(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("withdrawn_at_us", Instant(), nullable=True),
        sa.Column("created_at_us", Instant(), nullable=False),
        sa.Column("updated_at_us", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_endpoints")),
    )


def _create_provider_keys() -> None:
    op.create_table(
        "provider_keys",
        sa.Column("endpoint", sa.String(length=128), nullable=False),
        sa.Column("master_id", sa.String(length=16), nullable=False),
        sa.Column("sealed", sa.String(), nullable=False),
        sa.Column("updated_at_us", Instant(), nullable=False),
        sa.ForeignKeyConstraint(
            ["endpoint"],
            ["endpoints.name"],
            name=op.f("fk_provider_keys_endpoint"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint("endpoint", name=op.f("pk_provider_keys")),
    )


def _create_routes() -> None:
    op.create_table(
        "routes",
        sa.Column("model", sa.String(length=256), nullable=False),
        sa.Column("category", sa.String(length=16), nullable=False),
        sa.Column("order", sa.String(length=16), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("withdrawn_at_us", Instant(), nullable=True),
        sa.Column("created_at_us", Instant(), nullable=False),
        sa.Column("updated_at_us", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("model", "category", name=op.f("pk_routes")),
    )


def _create_route_candidates() -> None:
    op.create_table(
        "route_candidates",
        sa.Column("route_model", sa.String(length=256), nullable=False),
        sa.Column("route_category", sa.String(length=16), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("endpoint", sa.String(length=128), nullable=False),
        sa.Column("model", sa.String(length=256), nullable=False),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("weight", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(
            ["route_model", "route_category"],
            ["routes.model", "routes.category"],
            name=op.f("fk_route_candidates_route_model_route_category"),
            ondelete="CASCADE",
        ),
        sa.PrimaryKeyConstraint(
            "route_model", "route_category", "position", name=op.f("pk_route_candidates")
        ),
    )


def _create_price_versions() -> None:
    op.create_table(
        "price_versions",
        sa.Column("price_version_id", CallId(), nullable=False),
        sa.Column("provider", sa.String(length=200), nullable=False),
        sa.Column("model", sa.String(length=200), nullable=False),
        sa.Column("unit", sa.String(length=32), nullable=False),
        sa.Column("rate_usd", DecimalText(), nullable=True),
        sa.Column("per", sa.Integer(), nullable=False),
        sa.Column("valid_from_us", Instant(), nullable=False),
        sa.Column("valid_to_us", Instant(), nullable=True),
        sa.Column("recorded_at_us", Instant(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("reference", sa.String(length=300), nullable=True),
        sa.Column("as_of", sa.String(length=10), nullable=True),
        sa.CheckConstraint(
            "(status = 'withdrawn') = (rate_usd IS NULL)",
            name=op.f("ck_price_versions_rate_or_withdrawn"),
        ),
        sa.CheckConstraint(
            "valid_to_us IS NULL OR valid_to_us > valid_from_us",
            name=op.f("ck_price_versions_window"),
        ),
        sa.PrimaryKeyConstraint("price_version_id", name=op.f("pk_price_versions")),
    )
    op.create_index(
        "ix_price_versions_model", "price_versions", ["provider", "model", "unit"], unique=False
    )


def _create_budgets() -> None:
    op.create_table(
        "budgets",
        sa.Column("budget_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("subject", sa.String(length=255), nullable=False),
        sa.Column("limit_nanousd", NanoUsd(), nullable=False),
        sa.Column("period", sa.String(length=16), nullable=False),
        sa.Column("hard", sa.Boolean(), nullable=False),
        sa.Column("enabled", sa.Boolean(), nullable=False),
        sa.Column("source", sa.String(length=16), nullable=False),
        sa.Column("created_at_us", Instant(), nullable=False),
        sa.Column("updated_at_us", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("budget_id", name=op.f("pk_budgets")),
        sa.UniqueConstraint("name", name=op.f("uq_budgets_name")),
    )


def _create_budget_periods() -> None:
    op.create_table(
        "budget_periods",
        sa.Column("budget_id", sa.String(length=64), nullable=False),
        sa.Column("period_start_us", Instant(), nullable=False),
        sa.Column("spent_nanousd", NanoUsd(), nullable=False),
        sa.Column("leased_nanousd", NanoUsd(), nullable=False),
        sa.Column("recalled_at_us", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("budget_id", "period_start_us", name=op.f("pk_budget_periods")),
        sqlite_with_rowid=False,
    )
    op.create_index(
        "ix_budget_periods_recalled_at_us",
        "budget_periods",
        ["recalled_at_us"],
        unique=False,
        sqlite_where=sa.text("recalled_at_us IS NOT NULL"),
        postgresql_where=sa.text("recalled_at_us IS NOT NULL"),
    )


def _create_leases() -> None:
    op.create_table(
        "leases",
        sa.Column("lease_id", sa.String(length=64), nullable=False),
        sa.Column("budget_id", sa.String(length=64), nullable=False),
        sa.Column("period_start_us", Instant(), nullable=False),
        sa.Column("worker", sa.String(length=128), nullable=False),
        sa.Column("node", sa.String(length=128), nullable=False),
        sa.Column("granted", sa.BigInteger(), nullable=False),
        sa.Column("settled", sa.BigInteger(), nullable=False),
        sa.Column("returned", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.PrimaryKeyConstraint("lease_id", name=op.f("pk_leases")),
        sqlite_with_rowid=False,
    )
    op.create_index("ix_leases_worker_budget_id", "leases", ["worker", "budget_id"], unique=False)


def _create_postings() -> None:
    op.create_table(
        "postings",
        sa.Column("batch_id", CallId(), nullable=False),
        sa.Column("account", sa.String(length=255), nullable=False),
        sa.Column("amount_nanousd", NanoUsd(), nullable=False),
        sa.Column("posted_at_us", Instant(), nullable=False),
        sa.PrimaryKeyConstraint("batch_id", "account", name=op.f("pk_postings")),
        sqlite_with_rowid=False,
    )


def _create_call_attempts() -> None:
    op.create_table(
        "call_attempts",
        sa.Column("call_id", CallId(), nullable=False),
        sa.Column("number", sa.Integer(), nullable=False),
        sa.Column("endpoint", sa.Text(), nullable=False),
        sa.Column("provider", sa.String(length=50), nullable=False),
        sa.Column("upstream_provider_name", sa.String(length=50), nullable=True),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("served_model", sa.Text(), nullable=True),
        sa.Column("started_at_us", Instant(), nullable=False),
        sa.Column("ended_at_us", Instant(), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("error_class", sa.String(length=32), nullable=True),
        sa.Column("http_status", sa.Integer(), nullable=True),
        sa.Column("message", sa.Text(), nullable=True),
        sa.Column("reason", sa.Text(), nullable=False),
        sa.Column("latency_ms", sa.BigInteger(), nullable=True),
        sa.Column("first_byte_ms", sa.BigInteger(), nullable=True),
        sa.Column("written", sa.Boolean(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=True),
        sa.Column("output_tokens", sa.BigInteger(), nullable=True),
        sa.Column("cache_read_tokens", sa.BigInteger(), nullable=True),
        sa.Column("cache_write_tokens", sa.BigInteger(), nullable=True),
        sa.Column("reasoning_tokens", sa.BigInteger(), nullable=True),
        sa.Column("usage", Json(), nullable=True),
        sa.Column("usage_source", sa.String(length=16), nullable=False),
        sa.Column("cost_nanousd", NanoUsd(), nullable=True),
        sa.Column("cost_origin", sa.String(length=16), nullable=True),
        sa.Column("unpriced_reason", sa.Text(), nullable=True),
        sa.Column("flags", Json(), nullable=True),
        sa.Column("response_id", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("call_id", "number", name=op.f("pk_call_attempts")),
        sqlite_with_rowid=False,
    )


def _create_call_details() -> None:
    op.create_table(
        "call_details",
        sa.Column("call_id", CallId(), nullable=False),
        sa.Column("accounted_at_us", Instant(), nullable=False),
        sa.Column("received_at_us", Instant(), nullable=False),
        sa.Column("opened_at_us", Instant(), nullable=False),
        sa.Column("closed_at_us", Instant(), nullable=False),
        sa.Column("first_byte_at_us", Instant(), nullable=True),
        sa.Column("latency_ms", sa.BigInteger(), nullable=False),
        sa.Column("first_byte_ms", sa.BigInteger(), nullable=True),
        sa.Column("category", sa.String(length=32), nullable=False),
        sa.Column("operation", sa.String(length=32), nullable=False),
        sa.Column("bucket", sa.String(length=32), nullable=False),
        sa.Column("label", sa.Text(), nullable=False),
        sa.Column("requested_model", sa.Text(), nullable=True),
        sa.Column("served_model", sa.Text(), nullable=True),
        sa.Column("expected_provider", sa.String(length=50), nullable=True),
        sa.Column("actual_provider_name", sa.String(length=50), nullable=False),
        sa.Column("upstream_provider_name", sa.String(length=50), nullable=True),
        sa.Column("endpoint", sa.Text(), nullable=True),
        sa.Column("dialect", sa.Text(), nullable=True),
        sa.Column("attribution_rule", sa.Text(), nullable=False),
        sa.Column("attribution_confidence", sa.String(length=32), nullable=False),
        sa.Column("attribution_evidence", sa.Text(), nullable=False),
        sa.Column("key_id", sa.String(length=128), nullable=False),
        sa.Column("key_name", sa.Text(), nullable=False),
        sa.Column("user_name", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("customer", sa.Text(), nullable=True),
        sa.Column("tags", Json(), nullable=True),
        sa.Column("method", sa.String(length=16), nullable=False),
        sa.Column("path", sa.Text(), nullable=False),
        sa.Column("status", sa.String(length=16), nullable=False),
        sa.Column("http_status", sa.Integer(), nullable=False),
        sa.Column("ending", sa.String(length=32), nullable=False),
        sa.Column("error_class", sa.String(length=32), nullable=True),
        sa.Column("error_message", sa.Text(), nullable=True),
        sa.Column("attempt_count", sa.Integer(), nullable=False),
        sa.Column("stream", sa.Boolean(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=True),
        sa.Column("output_tokens", sa.BigInteger(), nullable=True),
        sa.Column("cache_read_tokens", sa.BigInteger(), nullable=True),
        sa.Column("cache_write_tokens", sa.BigInteger(), nullable=True),
        sa.Column("reasoning_tokens", sa.BigInteger(), nullable=True),
        sa.Column("total_tokens", sa.BigInteger(), nullable=True),
        sa.Column("usage", Json(), nullable=True),
        sa.Column("usage_source", sa.String(length=16), nullable=False),
        sa.Column("cost_nanousd", NanoUsd(), nullable=True),
        sa.Column("known_cost_nanousd", NanoUsd(), nullable=False),
        sa.Column("cost_origin", sa.String(length=16), nullable=True),
        sa.Column("computed_nanousd", NanoUsd(), nullable=True),
        sa.Column("reported_nanousd", NanoUsd(), nullable=True),
        sa.Column("unpriced", sa.Boolean(), nullable=False),
        sa.Column("unpriced_reason", sa.Text(), nullable=True),
        sa.Column("charge_nanousd", NanoUsd(), nullable=False),
        sa.Column("components", Json(), nullable=True),
        sa.Column("flags", Json(), nullable=True),
        sa.Column("request_bytes", sa.BigInteger(), nullable=False),
        sa.Column("response_bytes", sa.BigInteger(), nullable=False),
        sa.Column("on_caller_left", sa.String(length=16), nullable=True),
        sa.Column("drained", sa.Boolean(), nullable=False),
        sa.Column("node", sa.String(length=128), nullable=False),
        sa.Column("worker", sa.String(length=128), nullable=False),
        sa.Column("request_count", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_call_details")),
    )
    op.create_index(
        "ix_call_details_accounted_at_us", "call_details", ["accounted_at_us"], unique=False
    )
    op.create_index(
        "ix_call_details_actual_provider_name_accounted_at_us",
        "call_details",
        ["actual_provider_name", "accounted_at_us"],
        unique=False,
    )
    op.create_index(
        "ix_call_details_key_id_accounted_at_us",
        "call_details",
        ["key_id", "accounted_at_us"],
        unique=False,
    )


def _create_call_evidence() -> None:
    op.create_table(
        "call_evidence",
        sa.Column("call_id", CallId(), nullable=False),
        sa.Column("accounted_at_us", Instant(), nullable=False),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_call_evidence")),
    )


def _create_dimensions() -> None:
    op.create_table(
        "dimensions",
        sa.Column("dimension_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("provider", sa.Text(), nullable=False),
        sa.Column("upstream_provider", sa.Text(), nullable=False),
        sa.Column("bucket", sa.Text(), nullable=False),
        sa.Column("category", sa.Text(), nullable=False),
        sa.Column("operation", sa.Text(), nullable=False),
        sa.Column("model", sa.Text(), nullable=False),
        sa.Column("route", sa.Text(), nullable=False),
        sa.Column("project", sa.Text(), nullable=False),
        sa.Column("user_name", sa.Text(), nullable=False),
        sa.Column("key_id", sa.Text(), nullable=False),
        sa.Column("key_name", sa.Text(), nullable=False),
        sa.Column("status_class", sa.Text(), nullable=False),
        sa.Column("usage_source", sa.Text(), nullable=False),
        sa.PrimaryKeyConstraint("dimension_id", name=op.f("pk_dimensions")),
        sqlite_with_rowid=False,
    )


def _create_open_calls() -> None:
    op.create_table(
        "open_calls",
        sa.Column("call_id", CallId(), nullable=False),
        sa.Column("segment", sa.String(length=255), nullable=False),
        sa.Column("last_at_us", Instant(), nullable=False),
        sa.Column("opened", sa.Text(), nullable=True),
        sa.Column("attempts", sa.Text(), nullable=True),
        sa.Column("progress", sa.Text(), nullable=True),
        sa.PrimaryKeyConstraint("call_id", name=op.f("pk_open_calls")),
    )


def _create_quarantine() -> None:
    op.create_table(
        "quarantine",
        sa.Column(
            "quarantine_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=True,
            nullable=False,
        ),
        sa.Column("segment", sa.String(length=255), nullable=False),
        sa.Column("offset_bytes", sa.BigInteger(), nullable=False),
        sa.Column("node", sa.String(length=128), nullable=False),
        sa.Column("worker", sa.String(length=128), nullable=False),
        sa.Column("call_id", CallId(), nullable=True),
        sa.Column("raw", sa.Text(), nullable=False),
        sa.Column("error", sa.Text(), nullable=False),
        sa.Column("holds", Json(), nullable=True),
        sa.Column("created_at_us", Instant(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("resolved_at_us", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("quarantine_id", name=op.f("pk_quarantine")),
    )
    op.create_index("ix_quarantine_state_worker", "quarantine", ["state", "worker"], unique=False)


def _create_recording_counters() -> None:
    op.create_table(
        "recording_counters",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_recording_counters")),
    )


def _create_rollup_latency() -> None:
    op.create_table(
        "rollup_latency",
        sa.Column("quarter_start_us", Instant(), autoincrement=False, nullable=False),
        sa.Column("dimension_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("bucket_index", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "quarter_start_us", "dimension_id", "bucket_index", name=op.f("pk_rollup_latency")
        ),
        sqlite_with_rowid=False,
    )


def _create_rollups_by_attempt() -> None:
    op.create_table(
        "rollups_by_attempt",
        sa.Column("quarter_start_us", Instant(), autoincrement=False, nullable=False),
        sa.Column("dimension_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("unknown", sa.BigInteger(), nullable=False),
        sa.Column("unpriced", sa.BigInteger(), nullable=False),
        sa.Column("estimated", sa.BigInteger(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cache_read_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cache_write_tokens", sa.BigInteger(), nullable=False),
        sa.Column("reasoning_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost_nanousd", sa.BigInteger(), nullable=False),
        sa.Column("latency_ms_sum", sa.BigInteger(), nullable=False),
        sa.Column("latency_count", sa.BigInteger(), nullable=False),
        sa.Column("first_byte_ms_sum", sa.BigInteger(), nullable=False),
        sa.Column("first_byte_count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "quarter_start_us", "dimension_id", name=op.f("pk_rollups_by_attempt")
        ),
        sqlite_with_rowid=False,
    )


def _create_rollups_by_attempt_daily() -> None:
    op.create_table(
        "rollups_by_attempt_daily",
        sa.Column("day_start_us", Instant(), autoincrement=False, nullable=False),
        sa.Column("dimension_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("attempts", sa.BigInteger(), nullable=False),
        sa.Column("failures", sa.BigInteger(), nullable=False),
        sa.Column("unknown", sa.BigInteger(), nullable=False),
        sa.Column("unpriced", sa.BigInteger(), nullable=False),
        sa.Column("estimated", sa.BigInteger(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cache_read_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cache_write_tokens", sa.BigInteger(), nullable=False),
        sa.Column("reasoning_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost_nanousd", sa.BigInteger(), nullable=False),
        sa.Column("latency_ms_sum", sa.BigInteger(), nullable=False),
        sa.Column("latency_count", sa.BigInteger(), nullable=False),
        sa.Column("first_byte_ms_sum", sa.BigInteger(), nullable=False),
        sa.Column("first_byte_count", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "day_start_us", "dimension_id", name=op.f("pk_rollups_by_attempt_daily")
        ),
        sqlite_with_rowid=False,
    )


def _create_rollups_by_call() -> None:
    op.create_table(
        "rollups_by_call",
        sa.Column("quarter_start_us", Instant(), autoincrement=False, nullable=False),
        sa.Column("dimension_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("completed", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.Column("unpriced", sa.BigInteger(), nullable=False),
        sa.Column("estimated", sa.BigInteger(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cache_read_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cache_write_tokens", sa.BigInteger(), nullable=False),
        sa.Column("reasoning_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost_nanousd", sa.BigInteger(), nullable=False),
        sa.Column("charge_nanousd", sa.BigInteger(), nullable=False),
        sa.Column("latency_ms_sum", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "quarter_start_us", "dimension_id", name=op.f("pk_rollups_by_call")
        ),
        sqlite_with_rowid=False,
    )


def _create_rollups_by_call_daily() -> None:
    op.create_table(
        "rollups_by_call_daily",
        sa.Column("day_start_us", Instant(), autoincrement=False, nullable=False),
        sa.Column("dimension_id", sa.BigInteger(), autoincrement=False, nullable=False),
        sa.Column("calls", sa.BigInteger(), nullable=False),
        sa.Column("completed", sa.BigInteger(), nullable=False),
        sa.Column("failed", sa.BigInteger(), nullable=False),
        sa.Column("unpriced", sa.BigInteger(), nullable=False),
        sa.Column("estimated", sa.BigInteger(), nullable=False),
        sa.Column("input_tokens", sa.BigInteger(), nullable=False),
        sa.Column("output_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cache_read_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cache_write_tokens", sa.BigInteger(), nullable=False),
        sa.Column("reasoning_tokens", sa.BigInteger(), nullable=False),
        sa.Column("cost_nanousd", sa.BigInteger(), nullable=False),
        sa.Column("charge_nanousd", sa.BigInteger(), nullable=False),
        sa.Column("latency_ms_sum", sa.BigInteger(), nullable=False),
        sa.PrimaryKeyConstraint(
            "day_start_us", "dimension_id", name=op.f("pk_rollups_by_call_daily")
        ),
        sqlite_with_rowid=False,
    )


def _create_spool_segments() -> None:
    op.create_table(
        "spool_segments",
        sa.Column("segment", sa.String(length=255), nullable=False),
        sa.Column("node", sa.String(length=128), nullable=False),
        sa.Column("worker", sa.String(length=128), nullable=False),
        sa.Column("offset_bytes", sa.BigInteger(), nullable=False),
        sa.Column("lines", sa.BigInteger(), nullable=False),
        sa.Column("unreadable_lines", sa.BigInteger(), nullable=False),
        sa.Column("state", sa.String(length=16), nullable=False),
        sa.Column("finished_at_us", Instant(), nullable=True),
        sa.PrimaryKeyConstraint("segment", name=op.f("pk_spool_segments")),
    )


def upgrade() -> None:
    """Make all tables."""
    _create_versions()
    _create_users()
    _create_keys()
    _create_endpoints()
    _create_provider_keys()
    _create_routes()
    _create_route_candidates()
    _create_price_versions()
    _create_budgets()
    _create_budget_periods()
    _create_leases()
    _create_postings()
    _create_call_attempts()
    _create_call_details()
    _create_call_evidence()
    _create_dimensions()
    _create_open_calls()
    _create_quarantine()
    _create_recording_counters()
    _create_rollup_latency()
    _create_rollups_by_attempt()
    _create_rollups_by_attempt_daily()
    _create_rollups_by_call()
    _create_rollups_by_call_daily()
    _create_spool_segments()
    keep_postings(op.get_bind())


def downgrade() -> None:
    """Drop all tables."""
    op.drop_table("spool_segments")
    op.drop_table("rollups_by_call_daily")
    op.drop_table("rollups_by_call")
    op.drop_table("rollups_by_attempt_daily")
    op.drop_table("rollups_by_attempt")
    op.drop_table("rollup_latency")
    op.drop_table("recording_counters")
    op.drop_table("quarantine")
    op.drop_table("open_calls")
    op.drop_table("dimensions")
    op.drop_table("call_evidence")
    op.drop_table("call_details")
    op.drop_table("call_attempts")
    op.drop_table("postings")
    op.drop_table("leases")
    op.drop_table("budget_periods")
    op.drop_table("budgets")
    op.drop_table("price_versions")
    op.drop_table("route_candidates")
    op.drop_table("routes")
    op.drop_table("provider_keys")
    op.drop_table("endpoints")
    op.drop_table("keys")
    op.drop_table("users")
    op.drop_table("versions")
    forget_postings(op.get_bind())
