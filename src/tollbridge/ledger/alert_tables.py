"""Which rows are kept of alerts, and of who was told of them?"""

from sqlalchemy import Boolean, Column, Index, Integer, String, Table, Text

from tollbridge.ledger.tables import LIMIT_ID_LENGTH_MAX, NAME_LENGTH_MAX
from tollbridge.storage.types import Amount, CallId, Instant, Json, metadata

SUBJECT_LENGTH_MAX = 255
URL_LENGTH_MAX = 2000

alerts = Table(
    "alerts",
    metadata,
    Column("alert_id", CallId, primary_key=True),
    # budget, plan, wallet or grant.
    Column("source", String(16), nullable=False),
    Column("limit_id", String(LIMIT_ID_LENGTH_MAX), nullable=False),
    Column("name", String(255), nullable=False),
    # organisation:…, project:…, user:…, key:… or customer:…
    Column("subject", String(SUBJECT_LENGTH_MAX), nullable=False),
    Column("bucket", String(32), nullable=False),
    Column("kind", String(16), nullable=False),
    Column("used", Amount, nullable=False),
    Column("limit_amount", Amount, nullable=False),
    Column("period_start_us", Instant, nullable=False),
    Column("period_end_us", Instant),
    # In per cent; 0 for a grant that expires.
    Column("threshold", Integer, nullable=False),
    Column("severity", String(16), nullable=False),
    Column("title", String(500), nullable=False),
    Column("message", Text, nullable=False),
    Column("created_at_us", Instant, nullable=False),
    # Since a higher threshold of the same limit and period was told.
    Column("superseded_at_us", Instant),
    # Once for ever.
    Index(
        "uq_alerts_limit_id_subject_period_start_us_threshold",
        "limit_id",
        "subject",
        "period_start_us",
        "threshold",
        unique=True,
    ),
    Index("ix_alerts_created_at_us", "created_at_us"),
    Index("ix_alerts_subject", "subject"),
)

alert_reads = Table(
    "alert_reads",
    metadata,
    Column("alert_id", CallId, primary_key=True),
    Column("user_name", String(NAME_LENGTH_MAX), primary_key=True),
    Column("read_at_us", Instant, nullable=False),
)

# At which thresholds a budget is told of, where it differs from the installation's.
alert_rules = Table(
    "alert_rules",
    metadata,
    Column("limit_id", String(LIMIT_ID_LENGTH_MAX), primary_key=True),
    Column("thresholds", Json, nullable=False),
    Column("updated_at_us", Instant, nullable=False),
)

alert_webhooks = Table(
    "alert_webhooks",
    metadata,
    Column("webhook_id", CallId, primary_key=True),
    Column("name", String(NAME_LENGTH_MAX), nullable=False, unique=True),
    Column("url", String(URL_LENGTH_MAX), nullable=False),
    # Less urgent alerts are not sent: info, warning, error.
    Column("severity_min", String(16), nullable=False),
    Column("enabled", Boolean, nullable=False),
    Column("created_at_us", Instant, nullable=False),
    Column("updated_at_us", Instant, nullable=False),
)

alert_deliveries = Table(
    "alert_deliveries",
    metadata,
    Column("delivery_id", CallId, primary_key=True),
    Column("webhook_id", CallId, nullable=False),
    Column("alert_id", CallId, nullable=False),
    # due, delivered or failed.
    Column("state", String(16), nullable=False),
    # What was tried: when, and the status or why there is none.
    Column("tries", Json, nullable=False),
    Column("try_count", Integer, nullable=False),
    # When it is tried next; NULL once it is delivered or given up.
    Column("next_at_us", Instant),
    Column("created_at_us", Instant, nullable=False),
    Column("updated_at_us", Instant, nullable=False),
    Index("uq_alert_deliveries_webhook_id_alert_id", "webhook_id", "alert_id", unique=True),
)
Index(
    "ix_alert_deliveries_next_at_us",
    alert_deliveries.c.next_at_us,
    sqlite_where=alert_deliveries.c.next_at_us.is_not(None),
    postgresql_where=alert_deliveries.c.next_at_us.is_not(None),
)
