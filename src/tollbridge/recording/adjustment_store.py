"""Which calls are rated again, and how is a correction written down?"""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Column, ColumnElement, and_, func, insert, or_, select
from sqlalchemy.exc import IntegrityError

from tollbridge.core.account import CHARGED
from tollbridge.core.call import new_id
from tollbridge.core.errors import ConflictError
from tollbridge.core.limits import LimitKind
from tollbridge.core.report import Via
from tollbridge.core.usage import Usage, UsageSource
from tollbridge.recording.adjustment_tables import adjustments
from tollbridge.recording.archive_tables import TIERS, Tier
from tollbridge.recording.calls import read_evidence
from tollbridge.recording.marks_store import count_marked, load_marked
from tollbridge.recording.reconsider import (
    CallCorrection,
    Only,
    Place,
    StoredAttempt,
    StoredCall,
)
from tollbridge.recording.rollups import (
    BY_ATTEMPT,
    BY_CALL,
    BY_CALLER,
    FAMILIES,
    Days,
    Dimension,
    coarse,
    dimension_id,
    quarter_start,
)
from tollbridge.recording.rollups import status_class as status_class_of
from tollbridge.recording.statements import numbered
from tollbridge.recording.tables import ROLLUPS, call_evidence
from tollbridge.storage.unit import Unit

BUDGETS_UNKNOWN = "budgets_unknown"

_BY_CALL = """
UPDATE {table} SET cost_nanousd = cost_nanousd + ?, charge_nanousd = charge_nanousd + ?,
    unpriced = unpriced + ? WHERE {start} = ? AND dimension_id = ?
"""
_BY_ATTEMPT = """
UPDATE {table} SET cost_nanousd = cost_nanousd + ?, unpriced = unpriced + ?
WHERE {start} = ? AND dimension_id = ?
"""
_CALL = (
    "call_id",
    "accounted_at_us",
    "actual_provider_name",
    "upstream_provider_name",
    "bucket",
    "category",
    "operation",
    "requested_model",
    "label",
    "project",
    "user_name",
    "key_id",
    "key_name",
    "http_status",
    "usage_source",
    "dialect",
    "request_count",
    "flags",
)
REPORTED = frozenset(Via)
Sums = dict[tuple[int, int], list[int]]
"""(start of the interval, dimension id) → what is added to each measure."""


class Window(msgspec.Struct, frozen=True):
    """Which calls: accounted from `from_us` until before `to_us`."""

    from_us: int
    to_us: int


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """One run of re-rating: what it is about, and where it stands."""

    run_id: str
    window: Window
    only: Only
    prices_version: int
    actor: str
    reason: str
    place: Place | None = None


async def count_calls(
    unit: Unit, window: Window, after: Place | None = None, *, marked: bool = False
) -> int:
    """Return how many calls there are in a window, behind a place; `marked`: of those marked."""
    if marked:
        return await count_marked(unit, (window.from_us, window.to_us), after)
    calls = 0
    for tier in TIERS:
        query = select(func.count()).select_from(tier.details).where(*_in(tier, window, after))
        calls += (await unit.connection.execute(query)).scalar_one()
    return calls


async def load_page(
    unit: Unit, window: Window, only: Only, after: Place | None, limit: int
) -> list[StoredCall]:
    """Return calls of a window with an attempt that is meant, the oldest first, behind a place."""
    places: list[Place] = []
    if only.marked:
        places = await load_marked(unit, (window.from_us, window.to_us), after, limit)
    for tier in () if only.marked else TIERS:
        of = (tier.details.c.accounted_at_us, tier.details.c.call_id)
        query = select(*of).where(*_in(tier, window, after))
        if only.provider or only.model:
            query = query.where(_has_meant(tier, only))
        found = await unit.connection.execute(query.order_by(*of).limit(limit))
        places += [(at_us, str(call_id)) for at_us, call_id in found]
    return await load_calls(unit, [call_id for _, call_id in sorted(places)[:limit]])


async def lock_calls(unit: Unit, call_ids: Sequence[str]) -> None:
    """Let nobody give these calls another provider until this unit ends."""
    for tier in TIERS:
        column = tier.details.c.call_id
        query = select(column).where(column.in_(call_ids)).order_by(column)
        await unit.connection.execute(query.with_for_update())


async def load_calls(unit: Unit, call_ids: Sequence[str]) -> list[StoredCall]:
    """Return calls with their attempts as they stand now, the oldest first."""
    if not call_ids:
        return []
    connection = unit.connection
    last = {
        (str(row.call_id), row.attempt): row
        for row in await connection.execute(
            select(
                adjustments.c.call_id,
                adjustments.c.attempt,
                adjustments.c.sequence,
                adjustments.c.after_nanousd,
            )
            .where(adjustments.c.call_id.in_(call_ids))
            .order_by(adjustments.c.sequence)
        )
    }
    stored: list[StoredCall] = []
    for tier in TIERS:
        attempts: dict[str, list[Any]] = {}
        columns = tier.attempts.c
        found = await connection.execute(
            select(tier.attempts)
            .where(columns.call_id.in_(call_ids))
            .order_by(columns.call_id, columns.number)
        )
        for row in found:
            attempts.setdefault(str(row.call_id), []).append(row)
        columns = tier.details.c
        query = select(*(columns[name] for name in _CALL)).where(columns.call_id.in_(call_ids))
        stored += [
            _call(row, attempts.get(str(row.call_id), []), last)
            for row in await connection.execute(query)
        ]
    return sorted(stored, key=lambda call: call.place)


async def write_corrections(
    unit: Unit,
    run: Run,
    batch_id: str,
    corrections: Sequence[CallCorrection],
    budgets_unknown: frozenset[str],
) -> None:
    """Add the adjustments of a batch; `budgets_unknown` names calls to be flagged so.

    Raises ConflictError where another run has corrected one of the attempts meanwhile.
    """
    now_us = await unit.now_us()
    records = [
        _record(run, correction, place, (batch_id, now_us), budgets_unknown)
        for correction in corrections
        for place in range(len(correction.attempts))
    ]
    try:
        await unit.connection.execute(insert(adjustments), records)
    except IntegrityError as error:
        raise ConflictError(
            "another run corrects the same calls at this moment; start this one again after it"
        ) from error


async def correct_rollups(unit: Unit, corrections: Sequence[CallCorrection], days: Days) -> None:
    """Let the sums of both families follow, at the quarter hours of the calls."""
    sums: dict[str, Sums] = {name: {} for name in FAMILIES}
    for one in corrections:
        quarter_us = quarter_start(one.call.accounted_at_us)
        day_us = days.start(quarter_us)
        measures = (
            one.difference_nanousd,
            one.charge_difference_nanousd,
            -one.call.request_count if one.becomes_priced else 0,
        )
        _add(sums, (BY_CALL, quarter_us, day_us), one.call.dimension, measures)
        for each in one.attempts:
            priced = one.call.request_count if each.attempt.cost_nanousd is None else 0
            measures = each.difference_nanousd, -priced
            _add(sums, (BY_ATTEMPT, quarter_us, day_us), each.attempt.dimension, measures)
    # In the drain's order of tables and keys, so that the two never wait in a circle.
    for name, added in sums.items():
        table = ROLLUPS[name]
        sql = _BY_CALL if "charge_nanousd" in table.c else _BY_ATTEMPT
        start = next(iter(table.primary_key.columns)).name
        await _update(unit, sql.format(table=name, start=start), added)


async def budgets_of(unit: Unit, call_ids: Sequence[str]) -> dict[str, frozenset[tuple[str, str]]]:
    """Return call id → the budgets of money that it held from, each with its provider or "".

    Calls without evidence are left out.
    """
    found = await unit.connection.execute(
        select(call_evidence.c.call_id, call_evidence.c.raw).where(
            call_evidence.c.call_id.in_(call_ids)
        )
    )
    return {
        str(row.call_id): frozenset(
            (hold.budget_id, hold.provider)
            for hold in read_evidence(row.raw.encode()).opened.holds
            if hold.kind is LimitKind.MONEY
        )
        for row in found
    }


def _in(tier: Tier, window: Window, after: Place | None) -> list[ColumnElement[bool]]:
    at_us = tier.details.c.accounted_at_us
    conditions = [at_us >= window.from_us, at_us < window.to_us]
    if after is not None:
        # The first of these is what the index is searched by.
        conditions += [
            at_us >= after[0],
            or_(at_us > after[0], tier.details.c.call_id > after[1]),
        ]
    return conditions


def _has_meant(tier: Tier, only: Only) -> ColumnElement[bool]:
    """Return whether a call has an attempt that is meant.

    Said by the detail row or by a row of its own, each through its key: of the view of both,
    SQLite would make a table first.
    """
    detail, row = tier.details.c, tier.rows.c
    own = select(row.call_id).where(
        row.call_id == detail.call_id, *_meant(only, row.provider, row.model, row.served_model)
    )
    names = detail.actual_provider_name, detail.requested_model, detail.served_model
    return or_(and_(detail.attempt_started_at_us.is_not(None), *_meant(only, *names)), own.exists())


def _meant(
    only: Only, provider: Column[Any], model: Column[Any], served_model: Column[Any]
) -> list[ColumnElement[bool]]:
    conditions: list[ColumnElement[bool]] = []
    if only.provider:
        conditions.append(provider == only.provider)
    if only.model:
        conditions.append(or_(model == only.model, served_model == only.model))
    return conditions


def _call(row: Any, attempts: Sequence[Any], last: Mapping[tuple[str, int], Any]) -> StoredCall:
    call_id = str(row.call_id)
    shared = (row.bucket, row.category, row.operation)
    caller = (row.label, row.project, row.user_name, row.key_id, row.key_name)

    def dimension(one: Any, provider: str, model: str | None) -> Dimension:
        upstream = one.upstream_provider_name or ""
        answered = status_class_of(one.http_status), one.usage_source
        return (provider, upstream, *shared, model or "", *caller, *answered)

    stored: list[StoredAttempt] = []
    for one in attempts:
        adjusted = last.get((call_id, one.number))
        stored.append(
            StoredAttempt(
                number=one.number,
                provider=one.provider,
                model=one.model,
                served_model=one.served_model,
                started_at_us=one.started_at_us,
                usage=Usage(one.usage or {}, UsageSource(one.usage_source), facts=one.facts or {}),
                cost_origin=one.cost_origin,
                cost_nanousd=one.cost_nanousd if adjusted is None else adjusted.after_nanousd,
                sequence=0 if adjusted is None else adjusted.sequence,
                dimension=dimension(one, one.provider, one.model),
            )
        )
    return StoredCall(
        call_id=call_id,
        accounted_at_us=row.accounted_at_us,
        dimension=dimension(row, row.actual_provider_name, row.requested_model),
        attempts=tuple(stored),
        request_count=row.request_count,
        is_charged=row.dialect not in REPORTED or CHARGED in (row.flags or ()),
    )


def _record(
    run: Run,
    correction: CallCorrection,
    place: int,
    batch: tuple[str, int],
    budgets_unknown: frozenset[str],
) -> dict[str, Any]:
    batch_id, now_us = batch
    call, one = correction.call, correction.attempts[place]
    # What changes of the whole call stands on the last of its rows.
    is_last = place == len(correction.attempts) - 1
    return {
        "adjustment_id": new_id(now_us),
        "run_id": run.run_id,
        "batch_id": batch_id,
        "call_id": call.call_id,
        "attempt": one.attempt.number,
        "sequence": one.attempt.sequence + 1,
        "accounted_at_us": call.accounted_at_us,
        "recorded_at_us": now_us,
        "provider": one.attempt.provider,
        "before_nanousd": one.attempt.cost_nanousd,
        "after_nanousd": one.after_nanousd,
        "difference_nanousd": one.difference_nanousd,
        "charge_difference_nanousd": correction.charge_difference_nanousd if is_last else 0,
        "call_priced": is_last and correction.becomes_priced,
        "bill": {
            "components": [msgspec.to_builtins(line) for line in one.rated.components],
            "rounding_usd": one.rated.rounding_usd,
            "source": one.rated.source,
        },
        "flags": [BUDGETS_UNKNOWN] if is_last and call.call_id in budgets_unknown else None,
        "reason": run.reason,
        "actor": run.actor,
    }


def _add(
    sums: Mapping[str, Sums],
    place: tuple[str, int, int],
    dimension: Dimension,
    measures: Sequence[int],
) -> None:
    """Add to all roll-ups of a family; `place`: the family, its quarter hour and its day."""
    family, quarter_us, day_us = place
    fine_id, coarse_id = dimension_id(dimension), dimension_id(coarse(dimension))
    _add_to(sums[family], (quarter_us, fine_id), measures)
    _add_to(sums[f"{family}_quarterly"], (quarter_us, coarse_id), measures)
    _add_to(sums[f"{family}_daily"], (day_us, coarse_id), measures)
    _add_to(sums[BY_CALLER[family]], (day_us, fine_id), measures)


def _add_to(table: Sums, key: tuple[int, int], measures: Sequence[int]) -> None:
    row = table.setdefault(key, [0] * len(measures))
    for place, amount in enumerate(measures):
        row[place] += amount


async def _update(unit: Unit, sql: str, sums: Sums) -> None:
    rows = [(*sums[key], *key) for key in sorted(sums)]
    await unit.run_many(sql if unit.dialect == "sqlite" else numbered(sql), rows)
