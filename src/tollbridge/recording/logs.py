"""What does the log say of a call?

One line per attempt and one per call, written once the call is in the books:

    action=attempt  trying aimlapi for TEXT: aimlapi succeeded
    action=call     call 0197… served by provider aimlapi

Names, numbers and our own words only: never a key, a body, or what a provider wrote.
"""

from collections.abc import Iterable
from typing import Any, Protocol

import msgspec

from tollbridge.core.account import AttemptAccount, CallAccount
from tollbridge.core.call import AttemptOutcome, Status
from tollbridge.recording.details import milliseconds

Line = tuple[str, dict[str, Any]]
"""What happened in words, and named values."""

# Stands where a line has a call's own id or figure; a name that has it is shown without.
_PLACE = "\x1a"
_PLACE_TEXT = b"\\u001a"
_FIGURES = (b"latency_ms", b"cost_nanousd")


class CallLogger(Protocol):
    """The part of structlog's bound logger that is used."""

    def info(self, event: str, **values: Any) -> Any:
        """Write a line of level info."""
        ...


def log_calls(logger: CallLogger, accounts: Iterable[CallAccount]) -> None:
    """Write the lines of calls that have just come into the books."""
    for account in accounts:
        call_id = account.evidence.opened.call_id
        for attempt in account.attempts:
            event, values = _of_attempt(account, attempt, call_id)
            logger.info(event, **values)
        figures = _latency_ms(account), account.cost_nanousd
        event, values = _of_call(account, call_id, *figures)
        logger.info(event, **values)


class CallLines:
    """Renders the same lines as JSON, thousands a second: most differ by an id and two figures.

    Of each kind of line the text around those is kept, of at most `kinds_max` kinds.
    """

    def __init__(self, kinds_max: int = 1000) -> None:
        self._kinds_max = kinds_max
        self._kinds: dict[tuple[Any, ...], list[bytes]] = {}
        self._encode = msgspec.json.Encoder().encode

    def render(self, accounts: Iterable[CallAccount]) -> list[bytes]:
        """Return each line as the members of a JSON object: `"event":…,"action":…,…`."""
        lines: list[bytes] = []
        encode, kinds = self._encode, self._kinds
        for account in accounts:
            opened, closed = account.evidence.opened, account.evidence.closed
            call_id = encode(opened.call_id)[1:-1]
            for attempt in account.attempts:
                seen = attempt.evidence
                key = (
                    opened.category,
                    seen.provider,
                    seen.endpoint,
                    seen.number,
                    seen.outcome,
                    seen.error_class,
                    seen.http_status,
                    attempt.rated.source,
                )
                parts = kinds.get(key) or self._keep(key, _of_attempt(account, attempt, _PLACE))
                lines.append(call_id.join(parts))
            key = (
                opened.category,
                account.attribution.provider,
                account.status,
                closed.ending,
                closed.http_status,
                account.usage.source,
            )
            parts = kinds.get(key) or self._keep(key, _of_call(account, *[_PLACE] * 3))
            before, between, latency, cost, after = parts
            figures = encode(_latency_ms(account)), encode(account.cost_nanousd)
            lines.append(
                b"".join(
                    (
                        before,
                        call_id,
                        between,
                        call_id,
                        latency,
                        figures[0],
                        cost,
                        figures[1],
                        after,
                    )
                )
            )
        return lines

    def _keep(self, key: tuple[Any, ...], line: Line) -> list[bytes]:
        """Return what stands around the places of a kind of line."""
        event, values = line
        text = self._encode({"event": event, **values})[1:-1]
        for figure in _FIGURES:
            text = text.replace(
                b'"%b":"%b"' % (figure, _PLACE_TEXT), b'"%b":%b' % (figure, _PLACE_TEXT)
            )
        if len(self._kinds) >= self._kinds_max:
            self._kinds.clear()
        self._kinds[key] = text.split(_PLACE_TEXT)
        return self._kinds[key]


def _of_attempt(account: CallAccount, attempt: AttemptAccount, call_id: str) -> Line:
    seen, category = attempt.evidence, account.evidence.opened.category.value
    error = None if seen.error_class is None else seen.error_class.value
    succeeded = seen.outcome is AttemptOutcome.SUCCEEDED
    end = "succeeded" if succeeded else f"failed ({error or seen.outcome.value})"
    provider = _shown(seen.provider)
    return f"trying {provider} for {category.upper()}: {provider} {end}", {
        "action": "attempt",
        "call_id": call_id,
        "category": category,
        "provider": provider,
        "endpoint": _shown(seen.endpoint),
        "number": seen.number,
        "outcome": seen.outcome.value,
        "error_class": error,
        "http_status": seen.http_status,
        "price_source": attempt.rated.source,
    }


def _of_call(
    account: CallAccount, call_id: str, latency_ms: int | str | None, cost_nanousd: int | str | None
) -> Line:
    opened, closed = account.evidence.opened, account.evidence.closed
    provider, ending = _shown(account.attribution.provider), closed.ending.value
    end = (
        f"served by provider {provider}"
        if account.status is Status.COMPLETED
        else f"not served: {ending}"
    )
    return f"call {call_id} {end}", {
        "action": "call",
        "call_id": call_id,
        "category": opened.category.value,
        "provider": provider,
        "status": account.status.value,
        "ending": ending,
        "http_status": closed.http_status,
        "latency_ms": latency_ms,
        "cost_nanousd": cost_nanousd,
        "usage_source": account.usage.source.value,
    }


def _latency_ms(account: CallAccount) -> int | None:
    return milliseconds(
        account.evidence.opened.received_at_us, account.evidence.closed.closed_at_us
    )


def _shown(name: str) -> str:
    """Return a name without what marks a place."""
    return name.replace(_PLACE, "\ufffd") if _PLACE in name else name
