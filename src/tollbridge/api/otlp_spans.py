"""What is said of a call to an OpenTelemetry collector, as spans? OTLP as JSON; pure.

A span of kind SERVER for the call, and below it one of kind CLIENT for each attempt. Names and
attributes are those of OpenTelemetry's semantic conventions for generative AI and HTTP (version
1.44), with `tollbridge.` before what is ours. Money is text, exact. Prompts and answers are not
known here, and nothing of them is said.
"""

from collections.abc import Callable, Iterable, Mapping
from hashlib import blake2b
from typing import Any

import msgspec

from tollbridge.core.account import AttemptAccount, CallAccount
from tollbridge.core.call import AttemptOutcome, Status
from tollbridge.core.money import usd_text
from tollbridge.core.usage import Unit, Usage
from tollbridge.recording.metrics import OPERATION_OF, SYSTEM_OF

SERVER_KIND = 2
CLIENT_KIND = 3
ERROR_CODE = 2
SCOPE = "tollbridge"
CHANCE_DIGITS = 14
"""The last hexadecimal digits of a trace's id, which are random: 56 bits."""
_TOKENS: Mapping[str, str] = {
    Unit.INPUT.value: "gen_ai.usage.input_tokens",
    Unit.OUTPUT.value: "gen_ai.usage.output_tokens",
    Unit.CACHE_READ.value: "gen_ai.usage.cache_read.input_tokens",
    Unit.CACHE_WRITE.value: "gen_ai.usage.cache_creation.input_tokens",
    Unit.REASONING.value: "gen_ai.usage.reasoning.output_tokens",
}
_encode = msgspec.json.Encoder().encode
_HEXADECIMAL = frozenset("0123456789abcdef")

Value = str | int | float | bool | None
AddressOf = Callable[[str], tuple[str, int] | None]
"""Endpoint → host and port."""


class Parent(msgspec.Struct, frozen=True):
    """Which span of the caller's a call belongs to."""

    trace_id: str
    span_id: str
    is_sampled: bool


def parent_of(traceparent: str | None) -> Parent | None:
    """Read W3C's header; None where there is none, or it is not valid."""
    parts = (traceparent or "").split("-")
    if [len(part) for part in parts[:4]] != [2, 32, 16, 2]:
        return None
    version, trace_id, span_id, flags = parts[:4]
    if not _HEXADECIMAL.issuperset(version + trace_id + span_id + flags) or version == "ff":
        return None
    if (version == "00" and len(parts) > 4) or not trace_id.strip("0") or not span_id.strip("0"):
        return None
    return Parent(trace_id, span_id, bool(int(flags, 16) & 1))


def trace_of(account: CallAccount, ratio: float) -> tuple[str, str] | None:
    """Return the trace's id and the parent's ("" for none); None for a call that has no spans.

    Calls that others carried have none. A caller's own decision holds; else the call's id is the
    trace's, and a share of them has spans, the same on each node.
    """
    opened = account.evidence.opened
    if opened.report is not None:
        return None
    parent = parent_of(opened.trace)
    if parent is not None:
        return (parent.trace_id, parent.span_id) if parent.is_sampled else None
    trace_id = opened.call_id.replace("-", "")
    if int(trace_id[-CHANCE_DIGITS:], 16) >= ratio * 16**CHANCE_DIGITS:
        return None
    return trace_id, ""


def spans_of(account: CallAccount, trace: tuple[str, str], address_of: AddressOf) -> bytes:
    """Return the spans of a call, as JSON objects with commas between."""
    call_id = account.evidence.opened.call_id
    own_id = _span_id(call_id, 0)
    spans = [_of_call(account, trace, own_id)]
    spans += [_of_attempt(account, one, trace[0], own_id, address_of) for one in account.attempts]
    return _encode(spans)[1:-1]


def spans_payload(spans: Iterable[bytes], node: str, version: str) -> bytes:
    """Return the body of a request to `/v1/traces`."""
    resource = {"service.name": SCOPE, "service.version": version, "service.instance.id": node}
    return (
        b'{"resourceSpans":[{"resource":{"attributes":%b},"scopeSpans":[{"scope":%b,"spans":[%b]}]}]}'
        % (
            _encode(_attributes(resource)),
            _encode({"name": SCOPE, "version": version}),
            b",".join(spans),
        )
    )


def _of_call(account: CallAccount, trace: tuple[str, str], own_id: str) -> dict[str, Any]:
    opened, closed = account.evidence.opened, account.evidence.closed
    last = account.attempts[-1].evidence if account.attempts else None
    failed = account.status == Status.FAILED
    first_us = None if last is None else last.first_byte_at_us
    said: dict[str, Value] = {
        **_common(opened.operation, account.attribution.provider, opened.label, account.usage),
        "gen_ai.request.stream": opened.stream or None,
        "gen_ai.response.model": None if last is None else last.served_model,
        "gen_ai.response.id": None if last is None else last.response_id,
        "gen_ai.response.time_to_first_chunk": None
        if first_us is None or not opened.stream
        else max(0, first_us - opened.received_at_us) / 1e6,
        "http.request.method": opened.method,
        "url.path": opened.path,
        "http.response.status_code": closed.http_status,
        "error.type": _error_of_call(account) if failed else None,
        "tollbridge.call_id": opened.call_id,
        "tollbridge.ending": closed.ending,
        "tollbridge.category": opened.category,
        "tollbridge.bucket": opened.bucket,
        "tollbridge.project": opened.caller.project,
        "tollbridge.key_name": opened.caller.key_name,
        "tollbridge.upstream_provider": account.attribution.upstream_provider,
        "tollbridge.attempts": len(account.attempts),
        "tollbridge.usage_source": account.usage.source,
        "tollbridge.cost_usd": _money(account.cost_nanousd),
        "tollbridge.charge_usd": _money(account.charge_nanousd),
    }
    span = _span(trace[0], own_id, trace[1], SERVER_KIND, said)
    return span | _between(opened.received_at_us, closed.closed_at_us) | _status(is_error=failed)


def _of_attempt(
    account: CallAccount,
    attempt: AttemptAccount,
    trace_id: str,
    parent_id: str,
    address_of: AddressOf,
) -> dict[str, Any]:
    opened, closed, seen = account.evidence.opened, account.evidence.closed, attempt.evidence
    failed = seen.outcome is not AttemptOutcome.SUCCEEDED
    host, port = address_of(seen.endpoint) or (None, None)
    said: dict[str, Value] = {
        **_common(opened.operation, attempt.attribution.provider, seen.model, attempt.usage),
        "gen_ai.response.model": seen.served_model,
        "gen_ai.response.id": seen.response_id,
        "server.address": host,
        "server.port": port,
        "http.response.status_code": seen.http_status,
        "error.type": (seen.error_class or seen.outcome) if failed else None,
        "tollbridge.endpoint": seen.endpoint,
        "tollbridge.attempt": seen.number,
        "tollbridge.reason": seen.reason,
        "tollbridge.outcome": seen.outcome,
        "tollbridge.upstream_provider": attempt.attribution.upstream_provider,
        "tollbridge.cost_usd": _money(attempt.rated.cost_nanousd),
    }
    span = _span(trace_id, _span_id(opened.call_id, seen.number), parent_id, CLIENT_KIND, said)
    ended_us = closed.closed_at_us if seen.ended_at_us is None else seen.ended_at_us
    return span | _between(seen.started_at_us, ended_us) | _status(is_error=failed)


def _common(operation: str, provider: str, model: str, usage: Usage) -> dict[str, Value]:
    counts = usage.counts
    return {
        "gen_ai.operation.name": OPERATION_OF.get(operation, str(operation)),
        "gen_ai.provider.name": SYSTEM_OF.get(provider, provider),
        "gen_ai.request.model": model,
        **{name: counts.get(unit) for unit, name in _TOKENS.items()},
    }


def _error_of_call(account: CallAccount) -> str:
    """Return what kind of error a call ended in."""
    for attempt in reversed(account.attempts):
        if attempt.evidence.error_class is not None:
            return attempt.evidence.error_class
    return account.evidence.closed.ending


def _span(
    trace_id: str, span_id: str, parent_id: str, kind: int, said: Mapping[str, Value]
) -> dict[str, Any]:
    return {
        "traceId": trace_id,
        "spanId": span_id,
        **({"parentSpanId": parent_id} if parent_id else {}),
        "name": f"{said['gen_ai.operation.name']} {said['gen_ai.request.model']}",
        "kind": kind,
        "attributes": _attributes(said),
    }


def _between(start_us: int, end_us: int) -> dict[str, str]:
    return {
        "startTimeUnixNano": str(start_us * 1000),
        "endTimeUnixNano": str(max(start_us, end_us) * 1000),
    }


def _status(*, is_error: bool) -> dict[str, Any]:
    return {"status": {"code": ERROR_CODE}} if is_error else {}


def _money(amount_nanousd: int | None) -> str | None:
    return None if amount_nanousd is None else usd_text(amount_nanousd)


def _span_id(call_id: str, number: int) -> str:
    """Return the same id whenever it is asked for: what is sent twice is the same span."""
    return blake2b(f"{call_id}/{number}".encode(), digest_size=8).hexdigest()


def _attributes(values: Mapping[str, Value]) -> list[dict[str, Any]]:
    """Return what is known as attributes; 64-bit numbers are texts."""
    return [
        {"key": name, "value": _value(value)}
        for name, value in values.items()
        if value is not None and value != ""
    ]


def _value(value: Value) -> dict[str, Any]:
    if isinstance(value, bool):
        return {"boolValue": value}
    if isinstance(value, int):
        return {"intValue": str(value)}
    return {"doubleValue": value} if isinstance(value, float) else {"stringValue": str(value)}
