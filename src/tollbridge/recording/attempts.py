"""Which rows follow from a call's attempts? Tuples in the order of `call_attempt_rows`."""

from typing import Any

from tollbridge.core.account import AttemptAccount
from tollbridge.recording.details import Counted, json_of, milliseconds
from tollbridge.recording.tables import PROVIDER_LENGTH_MAX


def is_plain(attempt: AttemptAccount) -> bool:
    """Return whether nothing went wrong, so that the detail row may say all of it."""
    seen = attempt.evidence
    return seen.written and seen.message is None and not attempt.usage.flags


def attempt_row(call_id: str, attempt: AttemptAccount, counted: Counted) -> tuple[Any, ...]:
    """Return the values of `call_attempt_rows` of one attempt, in the order of its columns."""
    seen, usage, rated = attempt.evidence, attempt.usage, attempt.rated
    upstream = attempt.attribution.upstream_provider
    tokens, usage_text = counted
    return (
        call_id,
        seen.number,
        seen.endpoint,
        seen.provider[:PROVIDER_LENGTH_MAX],
        upstream and upstream[:PROVIDER_LENGTH_MAX],
        seen.model,
        seen.served_model,
        seen.started_at_us,
        seen.ended_at_us,
        str(seen.outcome),
        seen.error_class and str(seen.error_class),
        seen.http_status,
        seen.message,
        seen.reason,
        milliseconds(seen.started_at_us, seen.ended_at_us),
        milliseconds(seen.started_at_us, seen.first_byte_at_us),
        seen.written,
        *tokens,
        usage_text,
        str(usage.source),
        rated.cost_nanousd,
        rated.origin and str(rated.origin),
        rated.unpriced_reason,
        json_of(usage.flags),
        seen.response_id,
        json_of(usage.facts),
    )
