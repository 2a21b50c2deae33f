"""All SQL of the usage log: which calls were there, and what is known of one? Read-only."""

from collections.abc import Iterable
from typing import Any
from uuid import UUID

import msgspec
from sqlalchemy import ColumnElement, or_, select

from tollbridge.access.tables import keys
from tollbridge.core.call import Status
from tollbridge.core.evidence import AttemptEvidence, Opened
from tollbridge.insight.usage import (
    AttemptRow,
    Bill,
    CallFilter,
    CallPlace,
    CallRow,
    CallWhole,
    HeldAmount,
)
from tollbridge.recording.calls import Assembler
from tollbridge.recording.records import RecordCodec
from tollbridge.recording.tables import call_attempts, call_details, call_evidence, open_calls
from tollbridge.storage.unit import Unit

ROWS_MAX = 1001
ATTEMPTS_MAX = 100

_DETAILS = call_details.c
_COLUMNS = (
    _DETAILS.call_id,
    _DETAILS.received_at_us,
    _DETAILS.accounted_at_us,
    _DETAILS.actual_provider_name,
    _DETAILS.upstream_provider_name,
    _DETAILS.expected_provider,
    _DETAILS.bucket,
    _DETAILS.category,
    _DETAILS.operation,
    _DETAILS.label,
    _DETAILS.requested_model,
    _DETAILS.served_model,
    _DETAILS.endpoint,
    _DETAILS.user_name,
    _DETAILS.key_id,
    _DETAILS.key_name,
    _DETAILS.project,
    _DETAILS.customer,
    _DETAILS.tags,
    _DETAILS.method,
    _DETAILS.path,
    _DETAILS.stream,
    _DETAILS.status,
    _DETAILS.http_status,
    _DETAILS.ending,
    _DETAILS.error_class,
    _DETAILS.error_message,
    _DETAILS.attempt_count,
    _DETAILS.usage,
    _DETAILS.total_tokens,
    _DETAILS.usage_source,
    _DETAILS.cost_nanousd,
    _DETAILS.cost_origin,
    _DETAILS.unpriced_reason,
    _DETAILS.charge_nanousd,
    _DETAILS.latency_ms,
    _DETAILS.first_byte_ms,
    _DETAILS.flags,
    _DETAILS.request_bytes,
    _DETAILS.response_bytes,
    _DETAILS.attribution_rule,
    _DETAILS.attribution_confidence,
    _DETAILS.attribution_evidence,
)


class _Closed(msgspec.Struct, frozen=True):
    opened: Opened | None = None


class _Evidence(msgspec.Struct, frozen=True):
    """The part of the raw evidence that is shown; refused calls have it within their end."""

    closed: _Closed
    opened: Opened | None = None


async def list_calls(
    unit: Unit, wanted: CallFilter, after: CallPlace | None, limit: int
) -> list[CallRow]:
    """Return a page of ended calls, the newest first, at most 1,001, beginning behind `after`."""
    query = select(*_COLUMNS).where(*_conditions(wanted))
    if wanted.key is not None:
        query = query.where(await _of_key(unit, wanted.key))
    if after is not None:
        # The first condition is what the index is searched by.
        query = query.where(
            _DETAILS.accounted_at_us <= after.accounted_at_us,
            or_(
                _DETAILS.accounted_at_us < after.accounted_at_us,
                _DETAILS.call_id < after.call_id,
            ),
        )
    query = query.order_by(_DETAILS.accounted_at_us.desc(), _DETAILS.call_id.desc())
    rows = await unit.connection.execute(query.limit(min(limit, ROWS_MAX)))
    return [_call_row(row) for row in rows]


async def find_call(unit: Unit, call_id: str, sees: str | None = None) -> CallWhole | None:
    """Return one call, ended or still open; None where there is none, or not for `sees`."""
    if not is_call_id(call_id):
        return None
    found = await unit.connection.execute(select(*_COLUMNS).where(_DETAILS.call_id == call_id))
    row = found.first()
    if row is None:
        return await _open_call(unit, call_id, sees)
    call = _call_row(row)
    if sees is not None and call.user != sees:
        return None
    opened = await _opened(unit, call_id)
    return CallWhole(
        call,
        attempts=await _attempts(unit, call_id),
        bills=await _bills(unit, call_id),
        planned=None if opened is None else opened.planned,
        holds=None if opened is None else _holds(opened),
    )


def is_call_id(text: str) -> bool:
    """Return whether a text has the form of a call's id."""
    try:
        return str(UUID(text)) == text.lower()
    except ValueError:
        return False


async def _of_key(unit: Unit, key: str) -> ColumnElement[bool]:
    """Return the condition of a key's calls, by its id where it is known: ids have an index."""
    found = await unit.connection.execute(select(keys.c.key_id).where(keys.c.name == key))
    key_id = found.scalar()
    if key_id is not None:
        return _DETAILS.key_id == str(key_id)
    return or_(_DETAILS.key_id == key, _DETAILS.key_name == key)


def _conditions(wanted: CallFilter) -> list[ColumnElement[bool]]:
    equal = (
        (_DETAILS.user_name, wanted.user),
        (_DETAILS.actual_provider_name, wanted.actual_provider),
        (_DETAILS.bucket, wanted.bucket),
        (_DETAILS.category, wanted.category),
        (_DETAILS.status, wanted.status),
        (_DETAILS.http_status, wanted.status_code),
        (_DETAILS.ending, wanted.ending),
        (_DETAILS.project, wanted.project),
    )
    conditions = [column == value for column, value in equal if value is not None]
    if wanted.provider is not None:
        columns = (_DETAILS.actual_provider_name, _DETAILS.bucket)
        conditions.append(or_(*(column == wanted.provider for column in columns)))
    if wanted.model is not None:
        columns = (_DETAILS.label, _DETAILS.requested_model, _DETAILS.served_model)
        conditions.append(or_(*(column == wanted.model for column in columns)))
    if wanted.from_us is not None:
        conditions.append(_DETAILS.accounted_at_us >= wanted.from_us)
    if wanted.to_us is not None:
        conditions.append(_DETAILS.accounted_at_us < wanted.to_us)
    return conditions


async def _attempts(unit: Unit, call_id: str) -> tuple[AttemptRow, ...]:
    rows = await unit.connection.execute(
        select(call_attempts)
        .where(call_attempts.c.call_id == call_id)
        .order_by(call_attempts.c.number)
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


async def _bills(unit: Unit, call_id: str) -> tuple[Bill, ...]:
    found = await unit.connection.execute(
        select(_DETAILS.components).where(_DETAILS.call_id == call_id),
    )
    return msgspec.convert(found.scalar() or (), tuple[Bill, ...])


async def _opened(unit: Unit, call_id: str) -> Opened | None:
    found = await unit.connection.execute(
        select(call_evidence.c.raw).where(call_evidence.c.call_id == call_id),
    )
    raw = found.scalar()
    if raw is None:
        return None
    evidence = msgspec.json.decode(raw, type=_Evidence)
    return evidence.opened or evidence.closed.opened


async def _open_call(unit: Unit, call_id: str, sees: str | None) -> CallWhole | None:
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
    if opened is None or (sees is not None and opened.caller.user != sees):
        return None
    return CallWhole(
        _processing(opened, attempts),
        attempts=tuple(_attempt_seen(one) for one in attempts),
        planned=opened.planned,
        holds=_holds(opened),
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
        HeldAmount(one.lease_id, one.budget_id, one.period_start_us, one.amount_nanousd)
        for one in opened.holds
    )


def _milliseconds(start_us: int, end_us: int | None) -> int | None:
    return None if end_us is None else max(0, (end_us - start_us + 500) // 1000)


def _call_row(row: Any) -> CallRow:
    values: Iterable[tuple[str, Any]] = zip(CallRow.__struct_fields__, row, strict=True)
    fields = dict(values)
    fields["usage"] = fields["usage"] or {}
    fields["tags"] = tuple(fields["tags"] or ())
    fields["flags"] = tuple(fields["flags"] or ())
    fields["call_id"] = str(fields["call_id"])
    return CallRow(**fields)
