"""Which rows follow from a call's attempts? Tuples in the order of `call_attempts`."""

from collections.abc import Iterable
from typing import Any

from tollbridge.core.account import CallAccount
from tollbridge.recording.details import json_of, milliseconds, tokens_of
from tollbridge.recording.tables import PROVIDER_LENGTH_MAX


def attempt_rows(accounts: Iterable[CallAccount]) -> list[tuple[Any, ...]]:
    """Return the values of `call_attempts`, one tuple per attempt, in the order of its columns."""
    rows: list[tuple[Any, ...]] = []
    for account in accounts:
        call_id = account.evidence.opened.call_id
        for attempt in account.attempts:
            seen, usage, rated = attempt.evidence, attempt.usage, attempt.rated
            upstream = attempt.attribution.upstream_provider
            rows.append(
                (
                    call_id,
                    seen.number,
                    seen.endpoint,
                    seen.provider[:PROVIDER_LENGTH_MAX],
                    upstream and upstream[:PROVIDER_LENGTH_MAX],
                    seen.model,
                    seen.served_model,
                    seen.started_at_us,
                    seen.ended_at_us,
                    seen.outcome.value,
                    seen.error_class and seen.error_class.value,
                    seen.http_status,
                    seen.message,
                    seen.reason,
                    milliseconds(seen.started_at_us, seen.ended_at_us),
                    milliseconds(seen.started_at_us, seen.first_byte_at_us),
                    seen.written,
                    *tokens_of(usage),
                    json_of(usage.counts),
                    usage.source.value,
                    rated.cost_nanousd,
                    rated.origin and rated.origin.value,
                    rated.unpriced_reason,
                    json_of(usage.flags),
                    seen.response_id,
                )
            )
    return rows
