"""Views with the names that others give to calls, so that their SQL runs here as it stands.

Revision 0010_views, after 0009_archive. `api_usage_logs`, `requests` and `ai_models` are
read-only; instants are UTC, and so are billing periods, since a database does not know the billing
time zone. What is not known, or not kept, is NULL. On SQLite dollars are REAL, for it has no
decimals; exact amounts are in the tables.

Also the index by which a user's keys are found.
"""

from collections.abc import Mapping
from string import Template

from alembic import op

revision = "0010_views"
down_revision = "0009_archive"
branch_labels = None
depends_on = None

VIEWS = ("api_usage_logs", "requests", "ai_models")
_INPUT = (
    "'input', 'cache_read', 'cache_write', 'cache_write_1h', 'audio_input', 'image_input', "
    "'video_input', 'cache_audio_read', 'cache_image_read'"
)
_OUTPUT = "'output', 'reasoning', 'audio_output', 'image_output', 'video_output', 'citation'"
_SAY: Mapping[str, Mapping[str, str]] = {
    "postgresql": {
        "accounted_at": "timestamptz 'epoch' + d.accounted_at_us * interval '1 microsecond'",
        "received_at": "timestamptz 'epoch' + d.received_at_us * interval '1 microsecond'",
        "period": "to_char((timestamptz 'epoch' + d.accounted_at_us * interval '1 microsecond') "
        "AT TIME ZONE 'UTC', 'YYYY-MM')",
        "seconds": "CAST(d.latency_ms AS numeric) * 0.001",
        "nano": "* 0.000000001",
        "retries": "GREATEST(d.attempt_count - 1, 0)",
        "lines": "jsonb_array_elements(d.components) AS bill(value), "
        "jsonb_array_elements(bill.value -> 'components') AS line(value)",
        "attempt": "CAST(bill.value ->> 'attempt' AS integer)",
        "lines_now": "jsonb_array_elements(j.bill -> 'components') AS line(value)",
        "unit": "line.value ->> 'unit'",
        "amount": "CAST(line.value ->> 'amount_usd' AS numeric)",
        "text": "CAST(NULL AS text)",
        "number": "CAST(NULL AS integer)",
    },
    "sqlite": {
        "accounted_at": "strftime('%Y-%m-%d %H:%M:%S', d.accounted_at_us / 1000000, 'unixepoch') "
        "|| printf('.%06d', d.accounted_at_us % 1000000)",
        "received_at": "strftime('%Y-%m-%d %H:%M:%S', d.received_at_us / 1000000, 'unixepoch') "
        "|| printf('.%06d', d.received_at_us % 1000000)",
        "period": "strftime('%Y-%m', d.accounted_at_us / 1000000, 'unixepoch')",
        "seconds": "d.latency_ms / 1000.0",
        "nano": "/ 1000000000.0",
        "retries": "MAX(d.attempt_count - 1, 0)",
        "lines": "json_each(d.components) AS bill, "
        "json_each(json_extract(bill.value, '$.components')) AS line",
        "attempt": "json_extract(bill.value, '$.attempt')",
        "lines_now": "json_each(json_extract(j.bill, '$.components')) AS line",
        "unit": "json_extract(line.value, '$.unit')",
        "amount": "CAST(json_extract(line.value, '$.amount_usd') AS REAL)",
        "text": "NULL",
        "number": "NULL",
    },
}
# Of any age: what was moved to the archive too.
_CALLS = """(
        SELECT $columns FROM call_details UNION ALL SELECT $columns FROM call_details_archive
    ) AS d"""
_COLUMNS = (
    "call_id, user_name, bucket, label, path, method, requested_model, actual_provider_name, "
    "input_tokens, output_tokens, total_tokens, cost_nanousd, known_cost_nanousd, cost_origin, "
    "components, latency_ms, status, http_status, request_bytes, response_bytes, error_message, "
    "attempt_count, received_at_us, accounted_at_us, request_count"
)
_CORRECTED = (
    "(SELECT COALESCE(SUM(j.difference_nanousd), 0) FROM adjustments AS j "
    "WHERE j.call_id = d.call_id)"
)
_PRICED = (
    "(d.cost_nanousd IS NOT NULL OR EXISTS (SELECT 1 FROM adjustments AS j "
    "WHERE j.call_id = d.call_id AND j.call_priced))"
)
# What the lines of some units come to: those in force, if the cost has lines.
_PART = """
    CASE WHEN $priced AND (d.cost_origin IS NULL OR d.cost_origin IN ('computed', 'nothing_owed'))
    THEN COALESCE((
        SELECT SUM($amount) FROM $lines
        WHERE $unit IN ($units) AND NOT EXISTS (
            SELECT 1 FROM adjustments AS k WHERE k.call_id = d.call_id AND k.attempt = $attempt)
    ), 0) + COALESCE((
        SELECT SUM($amount) FROM adjustments AS j, $lines_now
        WHERE j.call_id = d.call_id AND $unit IN ($units) AND j.sequence = (
            SELECT MAX(k.sequence) FROM adjustments AS k
            WHERE k.call_id = j.call_id AND k.attempt = j.attempt)
    ), 0) END"""
_API_USAGE_LOGS = """
    CREATE VIEW api_usage_logs AS
    SELECT d.call_id AS id, d.user_name AS user_id, d.bucket AS provider, d.path AS endpoint,
        d.method AS method, COALESCE(d.requested_model, d.label) AS model_used,
        d.actual_provider_name AS actual_provider_name,
        d.input_tokens AS tokens_input, d.output_tokens AS tokens_output,
        d.total_tokens AS tokens_total, $cost_input AS cost_input, $cost_output AS cost_output,
        CASE WHEN $priced THEN (d.known_cost_nanousd + $corrected) $nano END AS cost_total,
        $seconds AS response_time, d.http_status AS status_code,
        d.request_bytes AS request_size, d.response_bytes AS response_size,
        $text AS user_agent, $text AS ip_address, d.error_message AS error_message,
        $retries AS retry_count, $accounted_at AS timestamp, $period AS billing_period,
        d.request_count AS request_count, d.request_count > 1 AS is_aggregated
    FROM $calls"""
# Where nothing was tried, nobody served. What was asked and answered is there where it is kept.
_REQUESTS = """
    CREATE VIEW requests AS
    SELECT d.call_id AS id, d.user_name AS user_id, d.label AS model_id,
        (SELECT c.body FROM call_contents AS c
         WHERE c.call_id = d.call_id AND c.kind = 'prompt') AS input_text,
        $text AS input_file_id,
        (SELECT c.body FROM call_contents AS c
         WHERE c.call_id = d.call_id AND c.kind = 'answer') AS output_text,
        $text AS output_file_url, $number AS tokens_cost, d.status AS status,
        d.error_message AS error_message, d.latency_ms AS processing_time,
        $received_at AS created_at, $accounted_at AS completed_at,
        CASE WHEN d.attempt_count > 0 OR d.actual_provider_name <> 'unknown'
             THEN d.actual_provider_name END AS actual_provider,
        d.request_count AS request_count
    FROM $calls"""
# Every label: the catalogue's models, then what else was ever asked for.
_AI_MODELS = """
    CREATE VIEW ai_models AS
    SELECT m.model_name AS id, m.display_name AS name, m.model_name AS slug,
        m.provider AS provider, UPPER(m.model_type) AS category, $number AS token_cost,
        m.is_active AS is_active
    FROM models AS m
    UNION ALL
    SELECT asked.route, asked.route, asked.route,
        COALESCE((
            SELECT COALESCE(e.provider, c.endpoint) FROM route_candidates AS c
            LEFT JOIN endpoints AS e ON e.name = c.endpoint
            WHERE c.route_model = asked.route ORDER BY c.priority, c.position LIMIT 1
        ), 'unknown'),
        asked.category, $number, TRUE
    FROM (
        SELECT route, UPPER(MIN(category)) AS category FROM dimensions GROUP BY route
    ) AS asked
    WHERE NOT EXISTS (SELECT 1 FROM models AS m WHERE m.model_name = asked.route)"""


def _words(dialect: str) -> Mapping[str, str]:
    """Return what stands for each $word in a dialect."""
    say = {**_SAY[dialect], "priced": _PRICED, "corrected": _CORRECTED}
    calls = Template(_CALLS).substitute(columns=_COLUMNS)
    part = Template(_PART)
    return {
        **say,
        "calls": calls,
        "cost_input": part.substitute(say, units=_INPUT),
        "cost_output": part.substitute(say, units=_OUTPUT),
    }


def upgrade() -> None:
    """Make the views and the index."""
    words = _words(op.get_bind().dialect.name)
    for view in (_API_USAGE_LOGS, _REQUESTS, _AI_MODELS):
        op.get_bind().exec_driver_sql(Template(view).substitute(words))
    op.create_index("ix_dimensions_user_name", "dimensions", ["user_name", "key_id"])


def downgrade() -> None:
    """Drop them."""
    op.drop_index("ix_dimensions_user_name", "dimensions")
    for view in VIEWS:
        op.execute(f"DROP VIEW {view}")
