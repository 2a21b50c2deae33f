"""All SQL of the export: which rows come next, with what their lines are made of? Read-only."""

from collections.abc import Callable, Mapping, Sequence
from datetime import tzinfo
from operator import itemgetter
from typing import Any

import msgspec
from sqlalchemy import Column, ColumnElement, Text, case, cast, func, or_, select

from tollbridge.insight.export_focus import AdjustmentPart, AttemptPart
from tollbridge.insight.export_lines import Correction
from tollbridge.insight.filter_queries import matching
from tollbridge.insight.log_queries import FIRST_ID
from tollbridge.insight.scan_queries import Branch, Scan, ScanBounds, Span
from tollbridge.insight.usage import CallFilter, CallPlace
from tollbridge.recording.adjustment_tables import adjustments
from tollbridge.recording.archive_tables import TIERS
from tollbridge.storage.engine import POSTGRESQL
from tollbridge.storage.types import CallId, Json
from tollbridge.storage.unit import Unit

PLACE = ("accounted_at_us", "call_id")
"""The first two columns of every row: where it stands."""
Columns = Sequence[str | ColumnElement[Any]]
"""What is read of a call besides: columns by name, and what the database makes of them."""


class ExportPage(msgspec.Struct, frozen=True):
    """Rows of `call_details`, the newest first: PLACE and what was asked for, JSON as text."""

    rows: Sequence[Any]
    next: CallPlace | None
    """Behind which to go on; None at the end. A page may have fewer rows than were asked for."""


async def read_page(
    unit: Unit,
    wanted: CallFilter,
    zone: tzinfo,
    after: CallPlace | None,
    limit: int,
    columns: Columns,
) -> ExportPage:
    """Return up to `limit` rows behind a place: those of PLACE, and `columns`."""
    found = await matching(unit, wanted)
    before_us = None if after is None else after.accounted_at_us + (after.call_id != FIRST_ID)
    bounds = ScanBounds(span_rows=20_000, look_rows=limit)
    scan = Scan(unit, found, zone, bounds, before_us)
    rows: list[Any] = []
    while True:
        span = await scan.next()
        if span is None:
            break
        look = _Look(unit, after, limit - len(rows), columns)
        here, is_cut = await _rows(look, scan.branches, span)
        rows += here
        if is_cut:
            return ExportPage(rows, CallPlace(*_place(rows[-1])))
    return ExportPage(rows, None if scan.cut_us is None else CallPlace(scan.cut_us, FIRST_ID))


async def corrections_of(unit: Unit, rows: Sequence[Any]) -> Mapping[str, Correction]:
    """Return by call what its corrections come to; most calls have none."""
    if not await _are_corrected(unit, rows):
        return {}
    columns = adjustments.c
    found = await unit.connection.execute(
        select(
            columns.call_id,
            func.sum(columns.difference_nanousd),
            func.sum(columns.charge_difference_nanousd),
            func.max(case((columns.call_priced, 1), else_=0)),
        )
        .where(columns.call_id.in_([row[1] for row in rows]))
        .group_by(columns.call_id)
    )
    # PostgreSQL sums whole numbers to a decimal.
    return {str(one[0]): Correction(int(one[1]), int(one[2]), bool(one[3])) for one in found}


async def adjustments_in(unit: Unit, rows: Sequence[Any]) -> Mapping[str, list[AdjustmentPart]]:
    """Return by call the corrections of its attempts, the first one first."""
    if not await _are_corrected(unit, rows):
        return {}
    columns = adjustments.c
    found = await unit.connection.execute(
        select(columns.call_id, *(columns[name] for name in AdjustmentPart.__struct_fields__))
        .where(columns.call_id.in_([row[1] for row in rows]))
        .order_by(columns.call_id, columns.attempt, columns.sequence)
    )
    parts: dict[str, list[AdjustmentPart]] = {}
    for call_id, *values in found:
        parts.setdefault(str(call_id), []).append(AdjustmentPart(*values))
    return parts


async def attempts_in(unit: Unit, call_ids: Sequence[str]) -> Mapping[tuple[str, int], AttemptPart]:
    """Return by call and number the attempts of calls that have more than one."""
    parts: dict[tuple[str, int], AttemptPart] = {}
    if not call_ids:
        return parts
    for tier in TIERS:
        columns = tier.rows.c
        found = await unit.connection.execute(
            select(
                columns.call_id,
                columns.number,
                *(columns[name] for name in AttemptPart.__struct_fields__),
            ).where(columns.call_id.in_(call_ids))
        )
        rows: Sequence[Any] = found.all()
        parts |= {(str(row[0]), int(row[1])): AttemptPart(*row[2:]) for row in rows}
    return parts


class _Look(msgspec.Struct, frozen=True):
    """In what one look for rows is alike for all indexes."""

    unit: Unit
    after: CallPlace | None
    limit: int
    columns: Columns


async def _rows(look: _Look, branches: Sequence[Branch], span: Span) -> tuple[list[Any], bool]:
    """Return the newest rows of a span, and whether it may have more.

    One index after the other, each no further back than the ones before have rows for a page.
    """
    rows: list[Any] = []
    is_cut = False
    for branch in branches:
        here, cut_us = await _newest(look, branch, span)
        is_cut = is_cut or cut_us is not None
        rows = here if not rows else sorted([*rows, *here], key=_place, reverse=True)
        if cut_us is not None:
            span = (cut_us, span[1])
            rows = [row for row in rows if row[0] >= cut_us]
        if len(rows) >= look.limit:
            rows, is_cut = rows[: look.limit], True
            span = (int(rows[-1][0]), span[1])
    return rows, is_cut


async def _newest(look: _Look, branch: Branch, span: Span) -> tuple[list[Any], int | None]:
    """Return the newest rows of an index, and since when these are all; None: of the span."""
    unit, limit, after = look.unit, look.limit, look.after
    at_us, ident = branch.columns.accounted_at_us, branch.columns.call_id
    names = (*PLACE, *look.columns)
    wanted = (_value(unit, branch.columns[one]) if isinstance(one, str) else one for one in names)
    query = branch.calls(span, *wanted)
    if after is not None:
        query = query.where(or_(at_us < after.accounted_at_us, ident < after.call_id))
    # The index has them by time; to sort whole rows by their ids too is half of the work.
    found = await unit.raw_rows(query.order_by(at_us.desc()).limit(limit))
    if len(found) < limit:
        return sorted(found, key=_place, reverse=True), None
    last_us = found[-1][0]
    whole = [row for row in found if row[0] != last_us]
    if whole:
        return sorted(whole, key=_place, reverse=True), last_us + 1
    # A page of one instant.
    in_order = query.order_by(at_us.desc(), ident.desc()).limit(limit)
    return list(await unit.raw_rows(in_order)), last_us


_place: Callable[[Any], tuple[int, str]] = itemgetter(0, 1)


async def _are_corrected(unit: Unit, rows: Sequence[Any]) -> bool:
    """Return whether anything at all was corrected in the time of a page."""
    if not rows:
        return False
    at_us = adjustments.c.accounted_at_us
    query = select(at_us).where(at_us >= rows[-1][0], at_us <= rows[0][0]).limit(1)
    return (await unit.connection.execute(query)).first() is not None


def _value(unit: Unit, column: Column[Any]) -> ColumnElement[Any]:
    """Return a column to be read; JSON stays text, which lines take over as it is."""
    if unit.dialect == POSTGRESQL and isinstance(column.type, Json | CallId):
        return cast(column, Text)
    return column
