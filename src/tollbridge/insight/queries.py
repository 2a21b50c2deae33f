"""All SQL of one call: what is known of it, of any age or still open? Read-only."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import Table, select

from tollbridge.core.call import Status
from tollbridge.core.evidence import AttemptEvidence, Opened
from tollbridge.core.sight import Sight, covers
from tollbridge.insight.adjustment_queries import adjustments_of, with_corrections
from tollbridge.insight.reattribution_queries import changes_of
from tollbridge.insight.usage import (
    AttemptRow,
    Bill,
    CallRow,
    CallWhole,
    HeldAmount,
)
from tollbridge.recording.archive_tables import TIERS
from tollbridge.recording.calls import Assembler
from tollbridge.recording.records import RecordCodec
from tollbridge.recording.tables import call_evidence, open_calls
from tollbridge.storage.unit import Unit

ATTEMPTS_MAX = 100

COLUMNS = (
    "call_id",
    "received_at_us",
    "accounted_at_us",
    "actual_provider_name",
    "upstream_provider_name",
    "expected_provider",
    "bucket",
    "category",
    "operation",
    "label",
    "requested_model",
    "served_model",
    "endpoint",
    "user_name",
    "key_id",
    "key_name",
    "project",
    "customer",
    "tags",
    "method",
    "path",
    "stream",
    "status",
    "http_status",
    "ending",
    "error_class",
    "error_message",
    "attempt_count",
    "usage",
    "total_tokens",
    "usage_source",
    "cost_nanousd",
    "cost_origin",
    "computed_nanousd",
    "reported_nanousd",
    "unpriced_reason",
    "charge_nanousd",
    "latency_ms",
    "first_byte_ms",
    "flags",
    "request_bytes",
    "response_bytes",
    "attribution_rule",
    "attribution_confidence",
    "attribution_evidence",
    "known_cost_nanousd",
    "request_count",
)
"""Of call_details: the first fields of a CallRow, in their order."""


class _Closed(msgspec.Struct, frozen=True):
    opened: Opened | None = None
    attempts: tuple[AttemptEvidence, ...] = ()


class _Evidence(msgspec.Struct, frozen=True):
    """The part of the raw evidence that is shown; refused calls have it within their end."""

    closed: _Closed
    opened: Opened | None = None


async def find_call(unit: Unit, call_id: str, sight: Sight | None = None) -> CallWhole | None:
    """Return one call, ended or still open; None where there is none that may be seen."""
    if not is_call_id(call_id):
        return None
    for tier in TIERS:
        columns = tier.details.c
        found = await unit.connection.execute(
            select(*(columns[name] for name in COLUMNS)).where(columns.call_id == call_id)
        )
        row = found.first()
        if row is not None:
            break
    else:
        return await _open_call(unit, call_id, sight)
    [call] = await with_corrections(unit, [call_row(row)])
    if not covers(sight, call.user, call.project):
        return None
    raw = await _raw_evidence(unit, call_id)
    opened = None if raw is None else raw.opened or raw.closed.opened
    return CallWhole(
        call,
        attempts=await _attempts(unit, tier.attempts, call_id),
        bills=await _bills(unit, tier.details, call_id),
        adjustments=await adjustments_of(unit, call_id),
        changes=await changes_of(unit, call_id),
        planned=None if opened is None else opened.planned,
        holds=None if opened is None else _holds(opened),
        serving=None if raw is None or not raw.closed.attempts else raw.closed.attempts[-1],
        report=None if opened is None else opened.report,
    )


def is_call_id(text: str) -> bool:
    """Return whether a text has the form of a call's id."""
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


async def _attempts(unit: Unit, table: Table, call_id: str) -> tuple[AttemptRow, ...]:
    rows = await unit.connection.execute(
        select(table)
        .where(table.c.call_id == call_id)
        .order_by(table.c.number)
        .limit(ATTEMPTS_MAX),
    )
    return tuple(
        AttemptRow(
            number=row.number,
            endpoint=row.endpoint,
            provider=row.provider,
            upstream_provider_name=row.upstream_provider_name,
            model=row.model,
            served_model=row.served_model,
            reason=row.reason,
            outcome=row.outcome,
            error_class=row.error_class,
            http_status=row.http_status,
            message=row.message,
            started_at_us=row.started_at_us,
            latency_ms=row.latency_ms,
            first_byte_ms=row.first_byte_ms,
            usage=row.usage or {},
            usage_source=row.usage_source,
            cost_nanousd=row.cost_nanousd,
            cost_origin=row.cost_origin,
            unpriced_reason=row.unpriced_reason,
            flags=tuple(row.flags or ()),
            response_id=row.response_id,
        )
        for row in rows
    )


async def _bills(unit: Unit, table: Table, call_id: str) -> tuple[Bill, ...]:
    found = await unit.connection.execute(
        select(table.c.components).where(table.c.call_id == call_id)
    )
    return msgspec.convert(found.scalar() or (), tuple[Bill, ...])


async def _raw_evidence(unit: Unit, call_id: str) -> _Evidence | None:
    found = await unit.connection.execute(
        select(call_evidence.c.raw).where(call_evidence.c.call_id == call_id),
    )
    raw = found.scalar()
    if raw is None:
        return None
    return msgspec.json.decode(raw, type=_Evidence)


async def _open_call(unit: Unit, call_id: str, sight: Sight | None) -> CallWhole | None:
    found = await unit.connection.execute(
        select(open_calls.c.opened, open_calls.c.attempts, open_calls.c.progress).where(
            open_calls.c.call_id == call_id,
        ),
    )
    row = found.first()
    if row is None:
        return None
    assembler = Assembler(RecordCodec())
    known = assembler.reread(
        call_id=call_id, opened=row.opened, attempts=row.attempts, progress=row.progress
    )
    opened, attempts = known.opened, known.attempts()
    if opened is None or not covers(sight, opened.caller.user, opened.caller.project):
        return None
    return CallWhole(
        _processing(opened, attempts),
        attempts=tuple(_attempt_seen(one) for one in attempts),
        planned=opened.planned,
        holds=_holds(opened),
        serving=attempts[-1] if attempts else None,
    )


def _processing(opened: Opened, attempts: tuple[AttemptEvidence, ...]) -> CallRow:
    """Return an open call: who will have served, and for how much, is not known yet."""
    current = attempts[-1] if attempts else None
    return CallRow(
        call_id=opened.call_id,
        received_at_us=opened.received_at_us,
        accounted_at_us=None,
        actual_provider_name=None,
        upstream_provider_name=None,
        expected_provider=opened.expected_provider,
        bucket=opened.bucket.value,
        category=opened.category.value,
        operation=opened.operation.value,
        label=opened.label,
        requested_model=None if current is None else current.model,
        served_model=None if current is None else current.served_model,
        endpoint=None if current is None else current.endpoint,
        user=opened.caller.user,
        key_id=opened.caller.key_id,
        key_name=opened.caller.key_name,
        project=opened.caller.project,
        customer=opened.customer,
        tags=opened.tags,
        method=opened.method,
        path=opened.path,
        stream=opened.stream,
        status=Status.PROCESSING.value,
        http_status=None,
        ending=None,
        error_class=None,
        error_message=None,
        attempt_count=len(attempts),
        usage={},
        total_tokens=None,
        usage_source=None,
        cost_nanousd=None,
        cost_origin=None,
        unpriced_reason=None,
        charge_nanousd=None,
        latency_ms=None,
        first_byte_ms=None
        if current is None
        else _milliseconds(opened.received_at_us, current.first_byte_at_us),
        flags=(),
        request_bytes=opened.request_bytes,
        response_bytes=None,
        rule_id=None,
        confidence=None,
        evidence=None,
        known_cost_nanousd=None,
    )


def _attempt_seen(attempt: AttemptEvidence) -> AttemptRow:
    return AttemptRow(
        number=attempt.number,
        endpoint=attempt.endpoint,
        provider=attempt.provider,
        model=attempt.model,
        served_model=attempt.served_model,
        reason=attempt.reason,
        outcome=attempt.outcome.value,
        error_class=None if attempt.error_class is None else attempt.error_class.value,
        http_status=attempt.http_status,
        message=attempt.message,
        started_at_us=attempt.started_at_us,
        latency_ms=_milliseconds(attempt.started_at_us, attempt.ended_at_us),
        first_byte_ms=_milliseconds(attempt.started_at_us, attempt.first_byte_at_us),
        response_id=attempt.response_id,
    )


def _holds(opened: Opened) -> tuple[HeldAmount, ...]:
    return tuple(
        HeldAmount(
            one.lease_id, one.budget_id, one.period_start_us, one.amount, one.kind, one.provider
        )
        for one in opened.holds
    )


def _milliseconds(start_us: int, end_us: int | None) -> int | None:
    return None if end_us is None else max(0, (end_us - start_us + 500) // 1000)


def call_row(row: Any) -> CallRow:
    """Return the call of a row of COLUMNS, without what was corrected since."""
    # What follows from corrections comes after the columns.
    names = CallRow.__struct_fields__[: len(COLUMNS)]
    values: Iterable[tuple[str, Any]] = zip(names, row, strict=True)
    fields = dict(values)
    fields["usage"] = fields["usage"] or {}
    fields["tags"] = tuple(fields["tags"] or ())
    fields["flags"] = tuple(fields["flags"] or ())
    fields["call_id"] = str(fields["call_id"])
    fields["cost_now_nanousd"] = fields["cost_nanousd"]
    fields["charge_now_nanousd"] = fields["charge_nanousd"]
    return CallRow(**fields)
