"""What does the log say of a call?

One line per attempt and one per call, written once the call is in the books:

    action=attempt  trying aimlapi for TEXT: aimlapi succeeded
    action=call     call 0197… served by provider aimlapi

Names, numbers and our own words only: never a key, a body, or what a provider wrote.
"""

from collections.abc import Iterable
from typing import Any, Protocol

from tollbridge.core.account import CallAccount
from tollbridge.core.call import AttemptOutcome, Status
from tollbridge.recording.details import milliseconds


class CallLogger(Protocol):
    """The part of structlog's bound logger that is used."""

    def info(self, event: str, **values: Any) -> Any:
        """Write a line of level info."""
        ...


def log_calls(logger: CallLogger, accounts: Iterable[CallAccount]) -> None:
    """Write the lines of calls that have just come into the books."""
    info = logger.info
    for account in accounts:
        opened, closed = account.evidence.opened, account.evidence.closed
        call_id, category = opened.call_id, opened.category.value
        shown = category.upper()
        for attempt in account.attempts:
            seen = attempt.evidence
            succeeded = seen.outcome is AttemptOutcome.SUCCEEDED
            error = None if seen.error_class is None else seen.error_class.value
            end = "succeeded" if succeeded else f"failed ({error or seen.outcome.value})"
            info(
                f"trying {seen.provider} for {shown}: {seen.provider} {end}",
                action="attempt",
                call_id=call_id,
                category=category,
                provider=seen.provider,
                endpoint=seen.endpoint,
                number=seen.number,
                outcome=seen.outcome.value,
                error_class=error,
                http_status=seen.http_status,
            )
        provider = account.attribution.provider
        served = account.status is Status.COMPLETED
        info(
            f"call {call_id} served by provider {provider}"
            if served
            else f"call {call_id} not served: {closed.ending.value}",
            action="call",
            call_id=call_id,
            category=category,
            provider=provider,
            status=account.status.value,
            ending=closed.ending.value,
            http_status=closed.http_status,
            latency_ms=milliseconds(opened.received_at_us, closed.closed_at_us),
            cost_nanousd=account.cost_nanousd,
            usage_source=account.usage.source.value,
        )
