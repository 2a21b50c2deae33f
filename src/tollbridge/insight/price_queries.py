"""All SQL of prices as they are shown: which versions, what became of each, what contradicts?"""

from collections.abc import Iterable, Sequence
from typing import Any

from sqlalchemy import ColumnElement, Executable, String, or_, select, tuple_, type_coerce

from tollbridge.insight.pages import ROWS_MAX
from tollbridge.insight.prices import (
    Dispute,
    EventPlace,
    PriceEvent,
    PriceFilter,
    PricePlace,
    PriceVersion,
)
from tollbridge.rating.prices import Source, Status
from tollbridge.rating.tables import price_events, price_intervals, price_versions
from tollbridge.storage.unit import Unit

AGAINST_MAX = 5000
"""Most prices that a page of disputes is compared with."""

_SAID = price_versions.c
_EVENTS = price_events.c
_HOLDS = price_intervals.c
_ident = _SAID.price_version_id.cast(String)
# Its last event is a version's status.
_status = (
    select(_EVENTS.status)
    .where(_EVENTS.price_version_id == _SAID.price_version_id)
    .order_by(_EVENTS.at_us.desc(), _EVENTS.event_id.desc())
    .limit(1)
    .correlate(price_versions)
    .scalar_subquery()
)
_COLUMNS = (
    _SAID.price_version_id,
    _SAID.provider,
    _SAID.model,
    _SAID.unit,
    _SAID.conditions,
    type_coerce(_SAID.rate_usd, String),
    _SAID.per,
    _SAID.quantity_min,
    _SAID.quantity_step,
    _SAID.valid_from_us,
    _SAID.valid_to_us,
    _SAID.recorded_at_us,
    _SAID.source,
    _SAID.source_detail,
    _SAID.reference,
    _SAID.as_of,
    _SAID.recorded_by,
    _SAID.comment,
)
"""Those of PriceVersion but its status."""
Held = tuple[PriceVersion, tuple[int, int | None]]
"""A price, and when it holds: from, and until before."""
_KEY = (_SAID.provider, _SAID.model, _SAID.unit, _SAID.conditions)


async def list_prices(
    unit: Unit, wanted: PriceFilter, after: PricePlace | None, limit: int
) -> list[PriceVersion]:
    """Return a page of price versions by provider, model, unit and time of recording."""
    order = (_SAID.provider, _SAID.model, _SAID.unit, _SAID.recorded_at_us, _ident)
    query = select(*_COLUMNS, _status).where(*_conditions(wanted)).order_by(*order)
    if after is not None:
        query = query.where(tuple_(*order) > after)
    return await _versions(unit, query.limit(min(limit, ROWS_MAX)))


async def find_price(unit: Unit, price_version_id: str) -> PriceVersion | None:
    """Return one price version, None where there is none."""
    # As text: PostgreSQL would refuse what is no UUID instead of not finding it.
    query = select(*_COLUMNS, _status).where(_ident == price_version_id.lower())
    found = await _versions(unit, query)
    return found[0] if found else None


async def holding_price(
    unit: Unit, key: tuple[str, str, str, str], source: str, at_us: int
) -> PriceVersion | None:
    """Return what holds at an instant by one source of (provider, model, unit, conditions)."""
    provider, model, unit_name, conditions = key
    query = (
        select(*_COLUMNS, _status)
        .join(price_intervals, _HOLDS.price_version_id == _SAID.price_version_id)
        .where(
            _HOLDS.provider == provider,
            _HOLDS.model == model,
            _HOLDS.unit == unit_name,
            _HOLDS.conditions == conditions,
            _HOLDS.source == source,
            *_holds_at(at_us),
        )
    )
    found = await _versions(unit, query.limit(1))
    return found[0] if found else None


async def list_events(
    unit: Unit, provider: str | None, model: str | None, after: EventPlace | None, limit: int
) -> list[PriceEvent]:
    """Return a page of what became of prices, the newest first."""
    ident = _EVENTS.event_id.cast(String)
    query = (
        select(
            *_COLUMNS,
            _status,
            _EVENTS.event_id,
            _EVENTS.at_us,
            _EVENTS.status,
            _EVENTS.actor,
            _EVENTS.reason,
        )
        .join(price_events, _EVENTS.price_version_id == _SAID.price_version_id)
        .order_by(_EVENTS.at_us.desc(), ident.desc())
    )
    if provider is not None:
        query = query.where(_SAID.provider == provider)
    if model is not None:
        query = query.where(_SAID.model == model)
    if after is not None:
        query = query.where(tuple_(_EVENTS.at_us, ident) < after)
    rows = await unit.connection.execute(query.limit(min(limit, ROWS_MAX)))
    return [_event(row) for row in rows]


async def list_disputes(
    unit: Unit, after: PricePlace | None, limit: int, provider: str | None = None
) -> list[Dispute]:
    """Return a page of proposals, each with the prices that it contradicts."""
    wanted = PriceFilter(provider=provider, status=Status.PROPOSED.value)
    proposals = await list_prices(unit, wanted, after, limit)
    keys = sorted({_key(one) for one in proposals})
    if not keys:
        return []
    holds = await unit.connection.execute(
        select(*_COLUMNS, _status, _HOLDS.valid_from_us, _HOLDS.valid_to_us)
        .join(price_intervals, _HOLDS.price_version_id == _SAID.price_version_id)
        .where(tuple_(*_KEY).in_(keys), _SAID.source != Source.FILE.value)
        .order_by(*_KEY, _HOLDS.valid_from_us)
        .limit(AGAINST_MAX)
    )
    held = [(_version(row[:-2]), (row[-2], row[-1])) for row in _rows(holds)]
    besides = await _versions(
        unit,
        select(*_COLUMNS, _status)
        .where(tuple_(*_KEY).in_(keys), _status == Status.PROPOSED.value)
        .order_by(*_KEY, _SAID.recorded_at_us)
        .limit(AGAINST_MAX),
    )
    held += [(one, (one.valid_from_us, one.valid_to_us)) for one in besides]
    return [Dispute(one, _against(one, held)) for one in proposals]


def _against(one: PriceVersion, others: Sequence[Held]) -> tuple[PriceVersion, ...]:
    """Return what a proposal contradicts: of the same call, for some of the same time.

    A source may correct itself: what it said before is contradicted by no proposal of its own.
    """
    found: dict[str, PriceVersion] = {}
    for other, (start_us, end_us) in others:
        if _key(other) != _key(one) or other.price_version_id == one.price_version_id:
            continue
        if other.source == one.source and other.status != Status.PROPOSED:
            continue
        if (end_us is None or one.valid_from_us < end_us) and (
            one.valid_to_us is None or start_us < one.valid_to_us
        ):
            found[other.price_version_id] = other
    return tuple(found.values())


def _conditions(wanted: PriceFilter) -> list[ColumnElement[bool]]:
    equal = (
        (_SAID.provider, wanted.provider),
        (_SAID.model, wanted.model),
        (_SAID.unit, wanted.unit),
        (_SAID.source, wanted.source),
        (_status, wanted.status),
    )
    conditions = [column == value for column, value in equal if value is not None]
    if wanted.at_us is not None:
        held = select(_HOLDS.price_version_id).where(
            _HOLDS.price_version_id == _SAID.price_version_id, *_holds_at(wanted.at_us)
        )
        conditions.append(held.exists())
    return conditions


def _holds_at(at_us: int) -> tuple[ColumnElement[bool], ...]:
    return (
        _HOLDS.valid_from_us <= at_us,
        or_(_HOLDS.valid_to_us.is_(None), _HOLDS.valid_to_us > at_us),
    )


def _key(one: PriceVersion) -> tuple[str, str, str, str]:
    return one.provider, one.model, one.unit, one.conditions


async def _versions(unit: Unit, query: Executable) -> list[PriceVersion]:
    return [_version(row) for row in await unit.connection.execute(query)]


def _version(row: Iterable[Any]) -> PriceVersion:
    ident, *rest = row
    return PriceVersion(str(ident), *rest)


def _event(row: Any) -> PriceEvent:
    width = len(_COLUMNS) + 1
    event_id, at_us, status, actor, reason = row[width:]
    return PriceEvent(str(event_id), at_us, status, actor, reason, _version(row[:width]))


def _rows(found: Iterable[Any]) -> list[Any]:
    return list(found)
