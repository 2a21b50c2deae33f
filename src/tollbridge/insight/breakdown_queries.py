"""All SQL of the breakdown: who used how much of what, by up to five groupings at once?

From the roll-ups by call; where neither users nor keys are asked about, from the daily ones.
"""

from collections.abc import Mapping, Sequence
from datetime import date, datetime, timedelta, tzinfo
from enum import StrEnum
from typing import Any

import msgspec
from sqlalchemy import ColumnElement, Select, Table, func, or_, select

from tollbridge.core.clock import to_datetime, to_us
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.sight import Sight
from tollbridge.insight.sight_queries import in_sight
from tollbridge.recording.tables import dimensions, rollups_by_call, rollups_by_call_daily
from tollbridge.storage.unit import Unit

ROWS_MAX = 200_000
"""Rows of roll-ups that one breakdown is folded from."""
NAMES_MAX = 1000
DAY_US = 24 * 3600 * 1_000_000


class By(StrEnum):
    """By what usage is told apart."""

    DATE = "date"
    MODEL = "model"
    USER = "user"
    API_KEY = "api_key"
    PROVIDER = "provider"


class Granularity(StrEnum):
    """How long a date is."""

    DAY = "day"
    WEEK = "week"
    MONTH = "month"


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What is summed up: from the start of a day of the billing zone until before another."""

    from_us: int
    to_us: int
    group_by: tuple[By, ...]
    granularity: Granularity = Granularity.DAY
    users: tuple[str, ...] = ()
    api_keys: tuple[str, ...] = ()
    """Names or ids."""
    models: tuple[str, ...] = ()
    providers: tuple[str, ...] = ()
    sight: Sight | None = None


class Used(msgspec.Struct):
    """The sums of one group."""

    input_tokens: int = 0
    output_tokens: int = 0
    input_cached_tokens: int = 0
    api_requests: int = 0
    last_active_us: int = 0
    models: set[str] = set()
    keys: set[str] = set()

    def add(self, row: Any) -> None:
        """Add what one row of the roll-ups counts."""
        self.input_tokens += int(row.input_tokens)
        self.output_tokens += int(row.output_tokens)
        self.input_cached_tokens += int(row.cache_read_tokens)
        self.api_requests += int(row.calls)
        self.last_active_us = max(self.last_active_us, int(row.last_us))
        self.models.add(row.model)
        if row.key_name:
            self.keys.add(row.key_name)

    @property
    def total_tokens(self) -> int:
        """Input and output; what was cached is a part of the input."""
        return self.input_tokens + self.output_tokens


Group = tuple[str, ...]
_COLUMN_OF: Mapping[By, ColumnElement[Any]] = {
    By.MODEL: dimensions.c.model,
    By.USER: dimensions.c.user_name,
    By.API_KEY: dimensions.c.key_name,
    By.PROVIDER: dimensions.c.provider,
}


async def breakdown(unit: Unit, wanted: Wanted, zone: tzinfo) -> tuple[Used, dict[Group, Used]]:
    """Return the sums of everything and of each group, whose values are in the order asked for.

    Raises InvalidRequestError where that would take more than 200,000 rows.
    """
    of_callers = bool(
        wanted.users
        or wanted.api_keys
        or wanted.sight is not None
        or {By.USER, By.API_KEY}.intersection(wanted.group_by)
    )
    table = rollups_by_call if of_callers else rollups_by_call_daily
    start: ColumnElement[Any] = next(iter(table.primary_key.columns))
    if of_callers and zone.utcoffset(None) == timedelta(0):
        start = start - start % DAY_US
    query = _query(table, start, wanted, of_callers=of_callers)
    rows = (await unit.connection.execute(query.limit(ROWS_MAX + 1))).all()
    if len(rows) > ROWS_MAX:
        raise InvalidRequestError(
            "this would take too many rows: shorten the range, or group by less",
            details={"param": "start_date"},
        )
    total = Used()
    groups: dict[Group, Used] = {}
    for row in rows:
        total.add(row)
        group = tuple(
            _date(int(row.at_us), wanted.granularity, zone) if by is By.DATE else getattr(row, by)
            for by in wanted.group_by
        )
        groups.setdefault(group, Used()).add(row)
    return total, groups


async def names(unit: Unit, by: By, sight: Sight | None) -> list[str]:
    """Return the names that a filter may have, at most 1,000, of the calls that may be seen."""
    column = _COLUMN_OF[by]
    query = select(column).where(column != "").distinct().order_by(column).limit(NAMES_MAX)
    query = query.where(*in_sight(sight, dimensions.c.user_name, dimensions.c.project))
    return list((await unit.connection.execute(query)).scalars())


def day_start(day: date, zone: tzinfo) -> int:
    """Return when a day begins in the billing zone."""
    return to_us(datetime(day.year, day.month, day.day, tzinfo=zone))


def _query(
    table: Table, start: ColumnElement[Any], wanted: Wanted, *, of_callers: bool
) -> Select[Any]:
    first = next(iter(table.primary_key.columns))
    kept: list[ColumnElement[Any]] = [dimensions.c.model.label("model")]
    if of_callers or By.API_KEY in wanted.group_by:
        kept += [
            dimensions.c.user_name.label("user"),
            dimensions.c.key_name.label("key_name"),
            dimensions.c.key_name.label("api_key"),
        ]
    else:
        kept.append(dimensions.c.key_name.label("key_name"))
    if By.PROVIDER in wanted.group_by:
        kept.append(dimensions.c.provider.label("provider"))
    if By.DATE in wanted.group_by:
        kept.append(start.label("at_us"))
    sums = [
        func.sum(table.c[name]).label(name)
        for name in ("input_tokens", "output_tokens", "cache_read_tokens", "calls")
    ]
    query = (
        select(*kept, *sums, func.max(first).label("last_us"))
        .join_from(table, dimensions, dimensions.c.dimension_id == table.c.dimension_id)
        .where(first >= wanted.from_us, first < wanted.to_us)
        .group_by(*dict.fromkeys(_bare(one) for one in kept))
    )
    for column, values in (
        (dimensions.c.user_name, wanted.users),
        (dimensions.c.model, wanted.models),
        (dimensions.c.provider, wanted.providers),
    ):
        if values:
            query = query.where(column.in_(values))
    query = query.where(*in_sight(wanted.sight, dimensions.c.user_name, dimensions.c.project))
    if wanted.api_keys:
        keys = wanted.api_keys
        query = query.where(or_(dimensions.c.key_name.in_(keys), dimensions.c.key_id.in_(keys)))
    return query


def _bare(labelled: Any) -> Any:
    return labelled.element


def _date(at_us: int, granularity: Granularity, zone: tzinfo) -> str:
    local = to_datetime(at_us).astimezone(zone)
    if granularity is Granularity.MONTH:
        return f"{local:%Y-%m}"
    if granularity is Granularity.WEEK:
        local -= timedelta(days=local.weekday())
    return f"{local:%Y-%m-%d}"


def ordered(
    groups: dict[Group, Used], order: Sequence[tuple[str, bool]], by: Sequence[By]
) -> list[Group]:
    """Return the groups in order: (field, descending) one after the other, then by name."""
    found = sorted(groups)
    for field, descending in reversed(order):
        found.sort(key=lambda group: _sort_key(group, groups[group], field, by), reverse=descending)
    return found


def _sort_key(group: Group, used: Used, field: str, by: Sequence[By]) -> Any:
    if field == "date":
        return group[by.index(By.DATE)] if By.DATE in by else ""
    if field == "avg_tokens_per_request":
        return used.total_tokens / used.api_requests if used.api_requests else 0
    if field == "models_called":
        return len(used.models)
    if field == "api_keys_used":
        return len(used.keys)
    if field == "last_active":
        return used.last_active_us
    return getattr(used, field)
