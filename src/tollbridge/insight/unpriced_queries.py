"""All SQL of how calls were priced: what has no price, and where do two figures differ?

What has no price is counted from the roll-ups, so that nothing is kept for it while calls are
recorded; a reason is looked up in the newest calls, within a bound.
"""

from typing import Any

from sqlalchemy import ColumnElement, and_, func, or_, select, tuple_

from tollbridge.insight.prices import (
    ChargeDifference,
    DifferencePage,
    GapPlace,
    Tolerance,
    UnpricedGap,
    Whose,
)
from tollbridge.insight.sight_queries import in_sight
from tollbridge.recording.adjustment_tables import adjustments
from tollbridge.recording.archive_tables import TIERS, Tier
from tollbridge.recording.rollups import QUARTER_US
from tollbridge.recording.tables import (
    dimensions,
    rollups_by_attempt,
    rollups_by_attempt_daily,
    rollups_by_attempt_quarterly,
    rollups_by_caller_attempt_daily,
)
from tollbridge.storage.unit import Unit

GAPS_MAX = 501
CALLS_SCANNED_MAX = 10_000
"""Most calls that are looked at for one page of differences."""
REASON_CALLS_MAX = 500
"""Most unpriced calls of a quarter hour that are looked at for one reason."""
DAY_SPAN_US = 26 * 3600 * 1_000_000
"""No day of any zone is longer."""

_DIMENSION = dimensions.c


async def list_unpriced(
    unit: Unit, wanted: Whose, after: GapPlace | None, limit: int
) -> list[UnpricedGap]:
    """Return a page of what has no price, the largest first, at most 501.

    What was priced since by re-rating is not counted any more.
    """
    # Only some of the daily sums know users.
    everybody = wanted.sight is None
    table = rollups_by_attempt_daily if everybody else rollups_by_caller_attempt_daily
    start = next(iter(table.primary_key.columns))
    count = func.sum(table.c.unpriced)
    names = (_DIMENSION.provider, _DIMENSION.model, _DIMENSION.category)
    query = (
        select(*names, count, func.min(start), func.max(start))
        .join_from(table, dimensions, _DIMENSION.dimension_id == table.c.dimension_id)
        .where(table.c.unpriced > 0, *_seen(wanted, _DIMENSION))
        .group_by(*names)
        .order_by(count.desc(), *names)
        .limit(min(limit, GAPS_MAX))
    )
    if wanted.provider is not None:
        query = query.where(_DIMENSION.provider == wanted.provider)
    if after is not None:
        total, *place = after
        query = query.having(or_(count < -total, and_(count == -total, tuple_(*names) > place)))
    gaps: list[UnpricedGap] = []
    for row in (await unit.connection.execute(query)).all():
        of = (row[0], row[1], row[2])
        first_us = await _quarter(unit, wanted, of, row[4], last=False)
        last_us = await _quarter(unit, wanted, of, row[5], last=True)
        found = await _newest(unit, wanted, of, last_us)
        gaps.append(
            UnpricedGap(
                provider=of[0],
                model=of[1],
                category=of[2],
                count=int(row[3]),
                reason=None if found is None else found[0],
                first_seen_us=first_us,
                last_seen_us=last_us if found is None else found[1],
                last_call_id=None if found is None else found[2],
            )
        )
    return gaps


async def list_differences(
    unit: Unit,
    wanted: Whose,
    window: tuple[int, int],
    tolerance: Tolerance,
    after: tuple[int, str] | None,
    limit: int,
) -> DifferencePage:
    """Return calls whose reported charge differs from what our prices give, the newest first.

    `window` is [from, to) in microseconds. Looks at no more than 10,000 calls; the page says
    where to go on, also where it is not full.
    """
    rows: list[Any] = []
    for tier in TIERS:
        columns = tier.details.c
        accounted, ident = columns.accounted_at_us, columns.call_id
        query = (
            select(
                ident,
                accounted,
                columns.actual_provider_name,
                columns.requested_model,
                columns.reported_nanousd,
                columns.computed_nanousd,
            )
            .where(accounted >= window[0], accounted < window[1])
            .order_by(accounted.desc(), ident.desc())
            .limit(CALLS_SCANNED_MAX)
        )
        if wanted.provider is not None:
            query = query.where(columns.actual_provider_name == wanted.provider)
        query = query.where(*_seen(wanted, columns))
        if after is not None:
            # The first condition is what the index is searched by.
            query = query.where(accounted <= after[0], or_(accounted < after[0], ident < after[1]))
        rows += await unit.connection.execute(query)
    rows.sort(key=lambda row: (row[1], str(row[0])), reverse=True)
    found: list[ChargeDifference] = []
    scanned = 0
    place: tuple[int, str] | None = None
    for row in rows[:CALLS_SCANNED_MAX]:
        scanned += 1
        place = row[1], str(row[0])
        reported, computed = row[4], row[5]
        if reported is None or computed is None or not tolerance.passed_by(reported, computed):
            continue
        found.append(ChargeDifference(str(row[0]), *row[1:]))
        if len(found) == limit:
            break
    more = len(found) == limit or scanned == CALLS_SCANNED_MAX
    return DifferencePage(tuple(found), scanned, place if more else None)


async def _quarter(
    unit: Unit, wanted: Whose, of: tuple[str, str, str], day_us: int, *, last: bool
) -> int:
    """Return the first or last quarter hour of a day in which something had no price."""
    table = rollups_by_attempt_quarterly if wanted.sight is None else rollups_by_attempt
    start = table.c.quarter_start_us
    found = await unit.connection.execute(
        select(func.max(start) if last else func.min(start))
        .join_from(table, dimensions, _DIMENSION.dimension_id == table.c.dimension_id)
        .where(
            start >= day_us,
            start < day_us + DAY_SPAN_US,
            table.c.unpriced > 0,
            tuple_(_DIMENSION.provider, _DIMENSION.model, _DIMENSION.category) == of,
            *_seen(wanted, _DIMENSION),
        )
    )
    at_us: int | None = found.scalar()
    return day_us if at_us is None else at_us


async def _newest(
    unit: Unit, wanted: Whose, of: tuple[str, str, str], quarter_us: int
) -> tuple[str | None, int, str] | None:
    """Return (reason, instant, call id) of the newest attempt without a price in a quarter hour."""
    for tier in TIERS:
        found = await _newest_in(unit, tier, wanted, of, quarter_us)
        if found is not None:
            return found
    return None


async def _newest_in(
    unit: Unit, tier: Tier, wanted: Whose, of: tuple[str, str, str], quarter_us: int
) -> tuple[str | None, int, str] | None:
    details, rows = tier.details.c, tier.attempts.c
    provider, model, category = of
    query = (
        select(details.call_id, details.accounted_at_us)
        .where(
            details.accounted_at_us >= quarter_us,
            details.accounted_at_us < quarter_us + QUARTER_US,
            details.unpriced,
            details.category == category,
        )
        .order_by(details.accounted_at_us.desc(), details.call_id.desc())
        .limit(REASON_CALLS_MAX)
    )
    query = query.where(*_seen(wanted, details))
    calls = {str(row[0]): int(row[1]) for row in await unit.connection.execute(query)}
    # By the calls' keys alone: by more, SQLite would look through all attempts of the provider.
    attempts = await unit.connection.execute(
        select(
            rows.call_id,
            rows.number,
            rows.provider,
            rows.model,
            rows.unpriced_reason,
        ).where(rows.call_id.in_(list(calls)), rows.cost_nanousd.is_(None))
    )
    corrected = await unit.connection.execute(
        select(adjustments.c.call_id, adjustments.c.attempt).where(
            adjustments.c.call_id.in_(list(calls))
        )
    )
    priced = {(str(row[0]), row[1]) for row in corrected}
    reasons = {
        str(row[0]): row[4]
        for row in attempts
        if (row[2], row[3]) == (provider, model) and (str(row[0]), row[1]) not in priced
    }
    # The newest first, as they were found.
    for call_id, at_us in calls.items():
        if call_id in reasons:
            return reasons[call_id], at_us, call_id
    return None


def _seen(wanted: Whose, columns: Any) -> tuple[ColumnElement[bool], ...]:
    return in_sight(wanted.sight, columns.user_name, columns.project)
