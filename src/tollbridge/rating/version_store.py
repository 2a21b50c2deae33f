"""How do versions, their events and their intervals get into the database, and out of it?"""

from collections.abc import Collection, Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import String, and_, bindparam, delete, func, insert, select, type_coerce

from tollbridge.core.call import new_id
from tollbridge.rating.intervals import (
    FOREVER_US,
    Interval,
    Key,
    Version,
    derive,
    is_in_force,
    is_kept,
    key_id,
)
from tollbridge.rating.prices import DeclaredPrice, Status
from tollbridge.rating.record import Stated
from tollbridge.rating.tables import price_events, price_intervals, price_versions
from tollbridge.storage.unit import Unit

IDS_PER_STATEMENT = 2000
"""Databases limit the parameters of one statement."""
SYSTEM = "tollbridge"

_COLUMNS = price_versions.c
_EVENTS = price_events.c
_INTERVALS = price_intervals.c

Row = dict[str, Any]


async def load_versions(unit: Unit, providers: Collection[str] | None) -> list[Version]:
    """Return all versions of these providers (None: of all), with their status."""
    stated = select(
        _COLUMNS.price_version_id,
        _COLUMNS.provider,
        _COLUMNS.model,
        _COLUMNS.unit,
        _COLUMNS.conditions,
        _COLUMNS.source,
        type_coerce(_COLUMNS.rate_usd, String),  # the text itself
        _COLUMNS.per,
        _COLUMNS.quantity_min,
        _COLUMNS.quantity_step,
        _COLUMNS.valid_from_us,
        _COLUMNS.valid_to_us,
        _COLUMNS.recorded_at_us,
    )
    events = select(_EVENTS.price_version_id, _EVENTS.status, _EVENTS.at_us).order_by(
        _EVENTS.at_us, _EVENTS.event_id
    )
    if providers is not None:
        stated = stated.where(_COLUMNS.provider.in_(sorted(providers)))
        events = events.join(
            price_versions, _COLUMNS.price_version_id == _EVENTS.price_version_id
        ).where(_COLUMNS.provider.in_(sorted(providers)))
    became: dict[str, tuple[str, int | None]] = {}
    for version_id, status, at_us in await unit.connection.execute(events):
        is_first = version_id not in became
        active_at_us = None if is_first else became[version_id][1]
        # A withdrawal is in force from its first event on; a proposal that is withdrawn never was.
        begins = status == Status.ACTIVE.value or (is_first and status == Status.WITHDRAWN.value)
        if active_at_us is None and begins:
            active_at_us = at_us
        became[version_id] = (status, active_at_us)
    return [
        _version(tuple(row), *became.get(row[0], (Status.PROPOSED.value, None)))
        for row in await unit.connection.execute(stated)
    ]


def _version(row: tuple[Any, ...], status: str, active_at_us: int | None) -> Version:
    version_id, *key, rate_usd, per, least, step, since_us, until_us, recorded_at_us = row
    return Version(
        id=version_id,
        key=Key(*key),
        rate_usd=rate_usd,
        per=per,
        quantity_min=least,
        quantity_step=step,
        valid_from_us=since_us,
        valid_to_us=until_us,
        recorded_at_us=recorded_at_us,
        status=status,
        active_at_us=active_at_us,
    )


async def next_instant_us(unit: Unit, now_us: int) -> int:
    """Return `now_us`, or the instant after all that was ever recorded, if that is later.

    So the last row recorded is the last one applied, whatever the clocks of the nodes say.
    """
    found = await unit.connection.execute(select(func.max(_EVENTS.at_us)))
    last_us: int | None = found.scalar()
    return now_us if last_us is None else max(now_us, last_us + 1)


async def add_versions(
    unit: Unit, stated: Sequence[Stated], actor: str, reason: str | None = None
) -> None:
    """Write new versions, each with its first event; `reason` is why somebody brought them."""
    if not stated:
        return
    await unit.connection.execute(
        insert(price_versions), [_record(one.version, one.price, actor) for one in stated]
    )
    await add_events(
        unit,
        [
            event(one.version.id, one.version.status, one.version.recorded_at_us, actor, reason)
            for one in stated
        ],
    )


def event(version_id: str, status: str, at_us: int, actor: str, reason: str | None = None) -> Row:
    """Return the row of one event."""
    return {
        "event_id": new_id(at_us),
        "price_version_id": version_id,
        "status": status,
        "at_us": at_us,
        "actor": actor,
        "reason": reason,
    }


async def add_events(unit: Unit, events: Sequence[Row]) -> None:
    """Write events."""
    if events:
        await unit.connection.execute(insert(price_events), list(events))


async def refresh_intervals(
    unit: Unit, versions: Iterable[Version], keys: Collection[Key] | None, at_us: int
) -> int:
    """Bring the intervals of these keys (None: of all) in line with their versions.

    `versions` are all of these keys. A version of which nothing is left is superseded, by an
    event at `at_us`. Returns how many rows were removed or added.
    """
    mine = [version for version in versions if keys is None or version.key in keys]
    timelines = derive(mine)
    wanted = {
        (row["price_version_id"], row["valid_from_us"], row["valid_to_us"]): row
        for timeline in timelines.values()
        for row in map(_interval_row, filter(is_kept, timeline))
    }
    kept = await _load_intervals(unit, None if keys is None else {key_id(key) for key in keys})
    gone = kept - wanted.keys()
    new = [row for place, row in wanted.items() if place not in kept]
    if gone:
        await unit.connection.execute(
            delete(price_intervals).where(
                and_(
                    _INTERVALS.price_version_id == bindparam("version_id"),
                    _INTERVALS.valid_from_us == bindparam("since_us"),
                )
            ),
            [{"version_id": version_id, "since_us": since} for version_id, since, _ in gone],
        )
    if new:
        await unit.connection.execute(insert(price_intervals), new)
    left = {interval.version.id for timeline in timelines.values() for interval in timeline}
    await add_events(
        unit,
        [
            event(version.id, Status.SUPERSEDED.value, at_us, SYSTEM)
            for version in mine
            if is_in_force(version.status)
            and version.active_at_us is not None
            and version.id not in left
        ],
    )
    return len(gone) + len(new)


async def _load_intervals(
    unit: Unit, key_ids: Collection[int] | None
) -> set[tuple[str, int, int | None]]:
    query = select(_INTERVALS.price_version_id, _INTERVALS.valid_from_us, _INTERVALS.valid_to_us)
    found: set[tuple[str, int, int | None]] = set()
    if key_ids is None:
        return {tuple(row) for row in await unit.connection.execute(query)}
    ordered = sorted(key_ids)
    for start in range(0, len(ordered), IDS_PER_STATEMENT):
        some = ordered[start : start + IDS_PER_STATEMENT]
        rows = await unit.connection.execute(query.where(_INTERVALS.key_id.in_(some)))
        found.update(tuple(row) for row in rows)
    return found


def _interval_row(interval: Interval) -> Row:
    version = interval.version
    return {
        "price_version_id": version.id,
        "valid_from_us": interval.start_us,
        "valid_to_us": None if interval.end_us == FOREVER_US else interval.end_us,
        "key_id": key_id(version.key),
        **version.key._asdict(),
    }


def _record(version: Version, price: DeclaredPrice | None, actor: str) -> Row:
    record = msgspec.structs.asdict(version)
    for name in ("id", "key", "status", "active_at_us"):
        del record[name]
    record |= {"price_version_id": version.id, **version.key._asdict(), "recorded_by": actor}
    record["rate_usd"] = None if price is None else price.rate_usd
    for name in ("reference", "source_detail", "content_hash", "comment"):
        record[name] = None if price is None else getattr(price, name)
    as_of = None if price is None else price.as_of
    record["as_of"] = None if as_of is None else as_of.isoformat()
    return record
