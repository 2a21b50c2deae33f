"""In which spans of time can the calls that a filter means be? The newest first.

A filter that an index answers needs no spans. For others, roll-ups say on which days, and where
those are few in which quarter hours, such calls are at all; what is left is looked through in
spans of bounded size, and no further than a bound.
"""

from collections.abc import Sequence
from datetime import datetime, timedelta, tzinfo
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Table, func, select

from tollbridge.core.clock import to_datetime, to_us
from tollbridge.insight.filter_queries import (
    Matching,
    conditions_of,
    dimension_conditions,
    fell_back,
)
from tollbridge.recording.archive_tables import TIERS
from tollbridge.recording.rollups import QUARTER_US
from tollbridge.recording.tables import dimensions, rollups_by_call, rollups_by_call_daily
from tollbridge.storage.unit import Unit

EARLIEST_US = -(2**62)
LATEST_US = 2**62
DAYS_MAX = 4_000

Span = tuple[int, int]
"""Microseconds [from, to)."""
Period = tuple[int, int, bool]
"""A span, and whether it has so few calls that are meant that quarter hours should say where."""


def day_start(at_us: int, zone: tzinfo) -> int:
    """Return the start of the day, in the billing time zone, that holds an instant."""
    local = to_datetime(at_us).astimezone(zone)
    return to_us(datetime(local.year, local.month, local.day, tzinfo=zone))


def next_day(start_us: int, zone: tzinfo) -> int:
    """Return the start of the day after the one that starts here: days may have 23 or 25 hours."""
    day = to_datetime(start_us).astimezone(zone).date() + timedelta(days=1)
    return to_us(datetime(day.year, day.month, day.day, tzinfo=zone))


def measure_of(table: Table, name: str) -> ColumnElement[int]:
    """Return what of a roll-up by call counts the calls that are meant: `Matching.measure`."""
    return table.c.calls - table.c.unpriced if name == "priced" else table.c[name]


def summed(table: Table, found: Matching, *columns: Any, coarse: bool) -> Any:
    """Return the query of roll-ups by call that a filter means; `columns` and the sum of calls."""
    total = func.coalesce(func.sum(measure_of(table, found.measure)), 0)
    query = select(*columns, total)
    conditions = dimension_conditions(found.wanted, coarse=coarse)
    if conditions:
        if coarse:
            # These few stand together in an index; all of them are as many as there are keys.
            conditions += [dimensions.c.user_name == "", dimensions.c.key_id == ""]
        query = query.join_from(
            table, dimensions, dimensions.c.dimension_id == table.c.dimension_id
        ).where(*conditions)
    return query


class ScanBounds(msgspec.Struct, frozen=True, kw_only=True):
    """How far one question may look. Each counts calls."""

    span_rows: int = 5_000
    """In the first span that is looked through; each later one has four times as many …"""
    span_rows_max: int = 20_000
    """… up to so many."""
    look_rows: int = 2_000
    """A look counts for no fewer, so that there are not too many of them."""
    scanned_rows_max: int = 50_000
    """In all spans together."""
    sparse_calls: int = 2_000
    """A day with fewer calls that are meant is narrowed to quarter hours."""
    counted_max: int = 10_000
    """Up to so many are counted one by one, where no roll-up knows their number."""
    edge_calls_max: int = 100_000
    """Likewise in the quarter hours that a span of time begins and ends in."""
    leap_min: int = 1_000
    """An offset from here on is leapt over in the index alone, where that tells the rows …"""
    ties_max: int = 200
    """… if no more rows than that share the instant at which it ends; at most `leap_min`."""


DEFAULT_BOUNDS = ScanBounds()


class Branch:
    """One index that leads to calls of a filter, the newest first."""

    def __init__(self, table: Table, found: Matching, value: str | None) -> None:
        self.columns = table.c
        path = found.path
        self._by: list[ColumnElement[bool]] = []
        if path is not None:
            self._by.append(table.c[path[0]] == value)
        if found.by_fallback:
            self._by.append(fell_back(table))
        self._all = [*self._by, *conditions_of(table, found.wanted)]

    def calls(self, span: Span, *columns: ColumnElement[Any]) -> Any:
        """Return the query of the calls in a span."""
        return select(*columns).where(*self._all, *self._within(span))

    def newest(self, span: Span, rows: int) -> Any:
        """Return the query of how many calls the index has in a span, up to `rows`, and since when.

        They are not all of the filter's.
        """
        at_us = self.columns.accounted_at_us
        query = select(at_us.label("at_us")).where(*self._by, *self._within(span))
        part = query.order_by(at_us.desc()).limit(rows).subquery()
        return select(func.count(), func.min(part.c.at_us)).select_from(part)

    def instants(self, span: Span, skipped: int, limit: int) -> Any:
        """Return the query of when the calls of the index in a span were, newest first."""
        at_us = self.columns.accounted_at_us
        query = select(at_us).where(*self._by, *self._within(span)).order_by(at_us.desc())
        return query.offset(skipped).limit(limit)

    def _within(self, span: Span) -> list[ColumnElement[bool]]:
        at_us = self.columns.accounted_at_us
        within: list[ColumnElement[bool]] = []
        if span[0] > EARLIEST_US:
            within.append(at_us >= span[0])
        if span[1] < LATEST_US:
            within.append(at_us < span[1])
        return within


def branches_of(found: Matching) -> list[Branch]:
    """Return the indexes that lead to calls of any age; none where there can be no such calls."""
    path = found.path
    values: Sequence[str | None] = (None,) if path is None else path[1]
    return [Branch(tier.details, found, value) for tier in TIERS for value in values]


class Scan:
    """Walks back through the spans of time that can hold calls of a filter."""

    def __init__(
        self,
        unit: Unit,
        found: Matching,
        zone: tzinfo,
        bounds: ScanBounds,
        before_us: int | None = None,
    ) -> None:
        """Begin before an instant, or at the newest call."""
        self.branches = branches_of(found)
        self.cut_us: int | None = None
        """Where the walk was cut short by its bound; None: it was not."""
        self._unit = unit
        self._found = found
        self._zone = zone
        wanted = found.wanted
        self._from_us = EARLIEST_US if wanted.from_us is None else wanted.from_us
        ends = [one for one in (wanted.to_us, before_us) if one is not None]
        self._to_us = min([*ends, LATEST_US])
        self._is_plain = not self._has_other_conditions()
        self._periods: list[Period] | None = None
        self._bounds = bounds
        self._rows = bounds.span_rows
        self._left = bounds.scanned_rows_max

    async def next(self) -> Span | None:
        """Return the next span; None where there is no more, or the bound is reached."""
        if self._to_us <= self._from_us or not self.branches:
            return None
        if self._is_plain:
            span = self._from_us, self._to_us
            self._to_us = self._from_us
            return span
        period = await self._period()
        if period is None:
            self._to_us = self._from_us
            return None
        if self._left <= 0:
            self.cut_us = self._to_us
            return None
        start_us, end_us = max(period[0], self._from_us), min(period[1], self._to_us)
        # An instant that alone holds more calls than that is looked through whole.
        self._to_us = min(end_us - 1, max(start_us, await self._edge((start_us, end_us))))
        return self._to_us, end_us

    async def _edge(self, span: Span) -> int:
        """Return since when a span has so many calls that it is enough for one look."""
        edge_us, total = EARLIEST_US, 0
        for branch in self.branches:
            found = await self._unit.connection.execute(branch.newest(span, self._rows))
            row: Any = found.one()
            total += int(row[0])
            if row[0] == self._rows:
                edge_us = max(edge_us, int(row[1]))
        self._left -= max(total, self._bounds.look_rows)
        if edge_us > EARLIEST_US:
            self._rows = min(self._rows * 4, self._bounds.span_rows_max)
        return edge_us

    @property
    def is_plain(self) -> bool:
        """Whether an index alone tells a filter's calls."""
        return self._is_plain

    def _has_other_conditions(self) -> bool:
        """Return whether the index alone does not tell a filter's calls."""
        wanted, path = self._found.wanted, self._found.path
        told = self._found.by_fallback or (
            path is not None
            and (
                wanted.key in path[1] if path[0] == "key_id" else wanted.actual_provider is not None
            )
        )
        return len(conditions_of(TIERS[0].details, wanted)) > (1 if told else 0)

    async def _period(self) -> Span | None:
        """Return the newest period before where the walk stands that can hold such calls."""
        if self._periods is None:
            self._periods = await self._days()
        periods = self._periods
        while periods:
            start_us, end_us, is_sparse = periods[0]
            if start_us >= self._to_us:
                periods.pop(0)
            elif is_sparse:
                periods[:1] = await self._quarters((start_us, end_us))
            elif end_us <= self._from_us:
                return None
            else:
                return start_us, end_us
        return None

    async def _days(self) -> list[Period]:
        wanted, table = self._found.wanted, rollups_by_call_daily
        if not dimension_conditions(wanted, coarse=True) and self._found.measure == "calls":
            return [(EARLIEST_US, LATEST_US, False)]
        start = table.c.day_start_us
        query = summed(table, self._found, start, coarse=True).group_by(start)
        if self._from_us > EARLIEST_US:
            query = query.where(start >= day_start(self._from_us, self._zone))
        query = query.where(start < self._to_us).order_by(start.desc()).limit(DAYS_MAX)
        rows: Sequence[Any] = (await self._unit.connection.execute(query)).all()
        periods: list[Period] = [
            (day_us, next_day(day_us, self._zone), int(calls) < self._bounds.sparse_calls)
            for day_us, calls in rows
            if calls
        ]
        if len(rows) == DAYS_MAX:
            periods.append((EARLIEST_US, rows[-1][0], False))
        return periods

    async def _quarters(self, day: Span) -> list[Period]:
        table = rollups_by_call
        start = table.c.quarter_start_us
        query = summed(table, self._found, start, coarse=False).group_by(start)
        query = query.where(start >= day[0], start < day[1]).order_by(start.desc())
        quarters: list[Period] = []
        rows: Sequence[Any] = (await self._unit.connection.execute(query)).all()
        for quarter_us, calls in rows:
            if not calls:
                continue
            end_us = quarter_us + QUARTER_US
            if quarters and quarters[-1][0] == end_us:
                end_us = quarters.pop()[1]
            quarters.append((quarter_us, end_us, False))
        return quarters
