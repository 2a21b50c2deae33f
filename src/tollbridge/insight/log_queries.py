"""All SQL of the usage log: which calls were there, and how many? Read-only."""

from collections.abc import Mapping, Sequence
from datetime import UTC, tzinfo
from decimal import Decimal
from typing import Any

from sqlalchemy import Subquery, Table, func, or_, select, union_all

from tollbridge.core.account import CostOrigin
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.usage import Unit as UsageUnit
from tollbridge.insight.adjustment_queries import bills_now, with_corrections
from tollbridge.insight.filter_queries import Matching, matching
from tollbridge.insight.queries import COLUMNS, call_row
from tollbridge.insight.scan_queries import (
    DEFAULT_BOUNDS,
    LATEST_US,
    QUARTER_US,
    Scan,
    ScanBounds,
    Span,
    day_start,
    next_day,
    summed,
)
from tollbridge.insight.usage import (
    CallFilter,
    CallPlace,
    CallRow,
    CostParts,
    LogPage,
    LogStart,
    LogTotal,
)
from tollbridge.recording.archive_tables import TIERS
from tollbridge.recording.tables import rollups_by_call, rollups_by_call_daily
from tollbridge.storage.unit import Unit

ROWS_MAX = 5_000
OFFSET_MAX = 1_000_000
FIRST_ID = "00000000-0000-0000-0000-000000000000"
FROM_START = LogStart()

_INPUT = frozenset(
    {
        UsageUnit.INPUT,
        UsageUnit.CACHE_READ,
        UsageUnit.CACHE_WRITE,
        UsageUnit.CACHE_WRITE_1H,
        UsageUnit.AUDIO_INPUT,
        UsageUnit.IMAGE_INPUT,
        UsageUnit.VIDEO_INPUT,
        UsageUnit.CACHE_AUDIO_READ,
        UsageUnit.CACHE_IMAGE_READ,
    }
)
_OUTPUT = frozenset(
    {
        UsageUnit.OUTPUT,
        UsageUnit.REASONING,
        UsageUnit.AUDIO_OUTPUT,
        UsageUnit.IMAGE_OUTPUT,
        UsageUnit.VIDEO_OUTPUT,
        UsageUnit.CITATION,
    }
)
_KNOWN = frozenset({None, CostOrigin.COMPUTED, CostOrigin.NOTHING_OWED})


async def read_log(
    unit: Unit,
    wanted: CallFilter,
    zone: tzinfo,
    limit: int,
    start: LogStart = FROM_START,
    bounds: ScanBounds = DEFAULT_BOUNDS,
) -> LogPage:
    """Return a page of ended calls of any age, the newest first, at most 5,000.

    Looks through a bounded number of calls; behind a cursor a page may therefore be short, and
    `next` says where to go on. Raises InvalidRequestError where an offset needs more than that.
    """
    limit = min(limit, ROWS_MAX)
    found = await matching(unit, wanted)
    after = start.after
    before_us = None if after is None else after.accounted_at_us + (after.call_id != FIRST_ID)
    scan = Scan(unit, found, zone, bounds, before_us)
    places: list[CallPlace] = []
    left = start.offset
    while len(places) <= limit:
        span = await scan.next()
        if span is None:
            break
        if left >= bounds.leap_min and scan.is_plain and after is None:
            span, left = await _leap(unit, scan, span, left, bounds.ties_max)
        here = await _places(unit, scan, span, after, (left, limit + 1 - len(places)))
        places += here
        if left:
            left = 0 if here else max(0, left - await _count_rows(unit, scan, span, left))
    if scan.cut_us is not None and (start.offset or left):
        raise InvalidRequestError(
            "too many calls would have to be looked through for this offset: narrow the time, or "
            "go on by cursor",
            details={"param": "offset"},
        )
    rows = await _rows_at(unit, places[:limit])
    if len(places) > limit:
        return LogPage(rows, places[limit - 1])
    return LogPage(rows, None if scan.cut_us is None else CallPlace(scan.cut_us, FIRST_ID))


async def count_log(
    unit: Unit, wanted: CallFilter, zone: tzinfo, bounds: ScanBounds = DEFAULT_BOUNDS
) -> LogTotal:
    """Return how many calls a filter lets by: exact from roll-ups, else up to 10,000 one by one."""
    found = await matching(unit, wanted)
    if not found.is_summed or found.key_ids is not None:
        # A key's or a user's calls are soonest counted one by one while they are few.
        counted = await _count(unit, found, zone, bounds)
        if counted.is_exact or not found.is_summed:
            return counted
    return await _sum(unit, found, zone, bounds)


async def cost_parts(unit: Unit, rows: Sequence[CallRow]) -> Mapping[str, CostParts]:
    """Return by call id what of its cost is for input and for output.

    Without calls that have no price, and without those whose cost is the provider's own figure.
    """
    known = {
        row.call_id: row
        for row in rows
        if row.cost_now_nanousd is not None and row.cost_origin in _KNOWN
    }
    bills = await bills_now(unit, list(known))
    parts: dict[str, CostParts] = {}
    for call_id in known:
        sums = {_INPUT: Decimal(0), _OUTPUT: Decimal(0)}
        for line in (line for bill in bills.get(call_id, ()) for line in bill.components):
            for units in sums:
                if line.unit in units:
                    sums[units] += Decimal(line.amount_usd)
        parts[call_id] = CostParts(sums[_INPUT], sums[_OUTPUT])
    return parts


async def _places(
    unit: Unit, scan: Scan, span: Span, after: CallPlace | None, window: tuple[int, int]
) -> list[CallPlace]:
    """Return the places of calls in a span, from (offset, limit) of the window on."""
    offset, limit = window
    queries: list[Any] = []
    for branch in scan.branches:
        at_us, ident = branch.columns.accounted_at_us, branch.columns.call_id
        query = branch.calls(span, at_us.label("at_us"), ident.label("ident"))
        if after is not None:
            query = query.where(or_(at_us < after.accounted_at_us, ident < after.call_id))
        query = query.order_by(at_us.desc(), ident.desc()).limit(offset + limit)
        part: Subquery = query.subquery()
        queries.append(select(part.c.at_us, part.c.ident))
    every = union_all(*queries).subquery()
    chosen = select(every.c.at_us, every.c.ident).order_by(
        every.c.at_us.desc(), every.c.ident.desc()
    )
    found = await unit.connection.execute(chosen.offset(offset).limit(limit))
    return [CallPlace(int(row[0]), str(row[1])) for row in found]


async def _leap(unit: Unit, scan: Scan, span: Span, offset: int, ties_max: int) -> tuple[Span, int]:
    """Return the part of a span, and the offset in it, at which the same row stands.

    By one index, without the rows themselves; unchanged where that is not enough to tell.
    """
    if len(scan.branches) != len(TIERS):
        return span, offset
    hot, *older = scan.branches
    found = await unit.connection.execute(hot.instants(span, offset - ties_max, ties_max + 1))
    instants = [int(one) for one in found.scalars()]
    if len(instants) <= ties_max or instants[0] == instants[-1]:
        return span, offset
    for branch in older:
        newest = (await unit.connection.execute(branch.instants(span, 0, 1))).scalar()
        if newest is not None and newest >= instants[-1]:
            return span, offset
    # Of the last instant some rows may be before the offset: those stay to be passed over.
    return (span[0], instants[-1] + 1), instants[:-1].count(instants[-1])


async def _rows_at(unit: Unit, places: Sequence[CallPlace]) -> tuple[CallRow, ...]:
    if not places:
        return ()
    ids = [place.call_id for place in places]
    rows: dict[str, CallRow] = {}
    for tier in TIERS:
        if len(rows) == len(ids):
            break
        columns = tier.details.c
        query = select(*(columns[name] for name in COLUMNS)).where(columns.call_id.in_(ids))
        for one in await unit.connection.execute(query):
            row = call_row(one)
            rows[row.call_id] = row
    return tuple(await with_corrections(unit, [rows[one] for one in ids if one in rows]))


async def _count_rows(unit: Unit, scan: Scan, span: Span, rows_max: int) -> int:
    """Return how many rows of a filter are in a span, or `rows_max`."""
    return (await _count_span(unit, scan, span, rows_max))[0]


async def _count_span(unit: Unit, scan: Scan, span: Span, rows_max: int) -> tuple[int, int]:
    """Return how many rows, and how many calls, are in a span; no more rows than `rows_max`."""
    rows = calls = 0
    for branch in scan.branches:
        part = branch.calls(span, branch.columns.request_count).limit(rows_max - rows).subquery()
        query = select(func.count(), func.coalesce(func.sum(part.c.request_count), 0))
        counted = (await unit.connection.execute(query.select_from(part))).one()
        rows += int(counted[0])
        calls += int(counted[1])
        if rows >= rows_max:
            break
    return rows, calls


async def _count(unit: Unit, found: Matching, zone: tzinfo, bounds: ScanBounds) -> LogTotal:
    """Count calls one by one, up to so many rows, and within the bound of a scan."""
    scan = Scan(unit, found, zone, bounds)
    rows_max = bounds.counted_max
    rows = calls = 0
    while True:
        span = await scan.next()
        if span is None:
            return LogTotal(calls, is_exact=scan.cut_us is None)
        here = await _count_span(unit, scan, span, rows_max + 1 - rows)
        rows, calls = rows + here[0], calls + here[1]
        if rows > rows_max:
            # The last one was only to see that there are more.
            return LogTotal(calls - 1, is_exact=False)


async def _sum(unit: Unit, found: Matching, zone: tzinfo, bounds: ScanBounds) -> LogTotal:
    """Sum up roll-ups; where a span is no whole quarter hours, its ends are counted one by one."""
    wanted = found.wanted
    from_us, to_us = wanted.from_us, wanted.to_us
    first_us = None if from_us is None else -(-from_us // QUARTER_US) * QUARTER_US
    last_us = None if to_us is None else to_us - to_us % QUARTER_US
    if first_us is not None and last_us is not None and first_us >= last_us:
        return await _count_edge(unit, found, (from_us or 0, to_us or LATEST_US), bounds)
    calls, is_exact = await _sum_quarters(unit, found, zone, (first_us, last_us)), True
    edges: list[Span] = []
    if from_us is not None and first_us is not None and from_us < first_us:
        edges.append((from_us, first_us))
    if to_us is not None and last_us is not None and last_us < to_us:
        edges.append((last_us, to_us))
    for edge in edges:
        counted = await _count_edge(unit, found, edge, bounds)
        calls, is_exact = calls + counted.calls, is_exact and counted.is_exact
    return LogTotal(calls, is_exact)


async def _count_edge(unit: Unit, found: Matching, span: Span, bounds: ScanBounds) -> LogTotal:
    rows_max = bounds.edge_calls_max
    rows, calls = await _count_span(unit, Scan(unit, found, UTC, bounds), span, rows_max)
    return LogTotal(calls, is_exact=rows < rows_max)


async def _sum_quarters(
    unit: Unit, found: Matching, zone: tzinfo, span: tuple[int | None, int | None]
) -> int:
    """Sum up whole quarter hours; whole days among them from the roll-ups by day."""
    wanted = found.wanted
    if wanted.user is not None or wanted.key is not None or wanted.sight is not None:
        return await _sum_table(unit, found, rollups_by_call, span)
    from_us, to_us = span
    first_us, last_us = from_us, to_us
    if from_us is not None:
        start_us = day_start(from_us, zone)
        first_us = start_us if start_us == from_us else next_day(start_us, zone)
    if to_us is not None:
        last_us = day_start(to_us, zone)
    if first_us is not None and last_us is not None and first_us >= last_us:
        return await _sum_table(unit, found, rollups_by_call, span)
    calls = await _sum_table(unit, found, rollups_by_call_daily, (first_us, last_us))
    for edge in ((from_us, first_us), (last_us, to_us)):
        if edge[0] != edge[1]:
            calls += await _sum_table(unit, found, rollups_by_call, edge)
    return calls


async def _sum_table(
    unit: Unit, found: Matching, table: Table, span: tuple[int | None, int | None]
) -> int:
    is_daily = table is rollups_by_call_daily
    query = summed(table, found, coarse=is_daily)
    start = next(iter(table.primary_key.columns))
    if span[0] is not None:
        query = query.where(start >= span[0])
    if span[1] is not None:
        query = query.where(start < span[1])
    return int((await unit.connection.execute(query)).scalar_one())
