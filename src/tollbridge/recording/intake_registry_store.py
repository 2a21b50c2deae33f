"""Which sources are registered, by which names, and how is that changed?

Whoever writes bumps the part's version: every office reads the registry anew.
"""

from collections.abc import Mapping, Sequence
from typing import Any, Final

import msgspec
from sqlalchemy import delete, func, insert, select, update

from tollbridge.core.errors import InvalidRequestError, NotFoundError
from tollbridge.recording.intake_check import ID_LENGTH_MAX, TEXT_LENGTH_MAX
from tollbridge.recording.intake_registry import (
    Kind,
    RegisteredName,
    SourceNames,
    names_of,
)
from tollbridge.recording.intake_tables import intake_names, intake_sources
from tollbridge.storage import audit, versions
from tollbridge.storage.unit import Unit

PART: Final = "intake"
NAMES_MAX: Final = 200_000
"""Names of all sources together: they are kept in memory."""
SOURCES_MAX: Final = 1000


class SourceRow(msgspec.Struct, frozen=True):
    """A registered source."""

    source: str
    keys: tuple[str, ...]
    created_at_us: int
    updated_at_us: int
    updated_by: str


async def load_registry(unit: Unit) -> Mapping[str, SourceNames]:
    """Return all sources with their names."""
    keys = {row.source: row.keys for row in await list_sources(unit)}
    found: dict[str, list[RegisteredName]] = {source: [] for source in keys}
    for row in await unit.connection.execute(select(intake_names)):
        found.setdefault(row.source, []).append(_name(row))
    return {
        source: names_of(source, keys.get(source, ()), tuple(names))
        for source, names in found.items()
    }


async def list_sources(unit: Unit) -> list[SourceRow]:
    """Return the registered sources by name."""
    rows = await unit.connection.execute(select(intake_sources).order_by(intake_sources.c.source))
    return [
        SourceRow(
            row.source, tuple(row.keys or ()), row.created_at_us, row.updated_at_us, row.updated_by
        )
        for row in rows
    ]


async def list_names(
    unit: Unit,
    source: str,
    kind: Kind | None = None,
    after: tuple[str, str] = ("", ""),
    limit: int = 100,
) -> list[RegisteredName]:
    """Return names of a source by kind and id, behind a place."""
    columns = intake_names.c
    query = (
        select(intake_names)
        .where(
            columns.source == source,
            (columns.kind > after[0])
            | ((columns.kind == after[0]) & (columns.reported_id > after[1])),
        )
        .order_by(columns.kind, columns.reported_id)
        .limit(limit)
    )
    if kind is not None:
        query = query.where(columns.kind == kind.value)
    return [_name(row) for row in await unit.connection.execute(query)]


async def put_source(
    unit: Unit, source: str, keys: Sequence[str], *, actor: str, now_us: int
) -> None:
    """Register a source, or change who may report for it. Raises InvalidRequestError."""
    _check_text("source", source, ID_LENGTH_MAX)
    for key in keys:
        _check_text("keys", key, ID_LENGTH_MAX)
    await versions.bump(unit, PART)
    values: dict[str, Any] = {
        "keys": list(dict.fromkeys(keys)),
        "updated_at_us": now_us,
        "updated_by": actor,
    }
    changed = await unit.connection.execute(
        update(intake_sources).where(intake_sources.c.source == source).values(values)
    )
    if not changed.rowcount:
        count = await unit.connection.execute(select(func.count()).select_from(intake_sources))
        if count.scalar_one() >= SOURCES_MAX:
            raise InvalidRequestError(f"there are {SOURCES_MAX} sources already")
        values |= {"source": source, "created_at_us": now_us}
        await unit.connection.execute(insert(intake_sources).values(values))
    await audit.record(unit, actor, "put_intake_source", source, {"keys": list(keys)})


async def put_names(unit: Unit, source: str, names: Sequence[RegisteredName], *, actor: str) -> int:
    """Register names of a source, or change them; return how many. Raises InvalidRequestError."""
    for one in names:
        _check_text("id", one.id, ID_LENGTH_MAX)
        _check_text("name", one.name, TEXT_LENGTH_MAX)
        for text in (*(one.models or ()), one.model_id, one.provider_type):
            if text is not None:
                _check_text("models", text, TEXT_LENGTH_MAX)
    await versions.bump(unit, PART)
    await require_source(unit, source)
    columns = intake_names.c
    rows = {(one.kind.value, one.id): one for one in names}
    for kind, reported_id in rows:
        await unit.connection.execute(
            delete(intake_names).where(
                columns.source == source, columns.kind == kind, columns.reported_id == reported_id
            )
        )
    count = await unit.connection.execute(select(func.count()).select_from(intake_names))
    if count.scalar_one() + len(rows) > NAMES_MAX:
        raise InvalidRequestError(f"at most {NAMES_MAX} names are registered")
    if rows:
        await unit.connection.execute(
            insert(intake_names),
            [
                {
                    "source": source,
                    "kind": one.kind.value,
                    "reported_id": one.id,
                    "name": one.name,
                    "provider_type": one.provider_type,
                    "models": None if one.models is None else list(one.models),
                    "model_id": one.model_id,
                }
                for one in rows.values()
            ],
        )
    await audit.record(unit, actor, "put_intake_names", source, {"names": len(rows)})
    return len(rows)


async def remove_name(unit: Unit, source: str, kind: Kind, reported_id: str, *, actor: str) -> None:
    """Take a name out of a source's registry; what was counted keeps it. Raises NotFoundError."""
    columns = intake_names.c
    await versions.bump(unit, PART)
    gone = await unit.connection.execute(
        delete(intake_names).where(
            columns.source == source, columns.kind == kind.value, columns.reported_id == reported_id
        )
    )
    if not gone.rowcount:
        raise NotFoundError(f"{source!r} has no {kind.value} {reported_id!r}")
    await audit.record(
        unit, actor, "remove_intake_name", source, {"kind": kind.value, "id": reported_id}
    )


async def require_source(unit: Unit, source: str) -> None:
    """Raise NotFoundError where no source of that name is registered."""
    columns = intake_sources.c
    found = await unit.connection.execute(select(columns.source).where(columns.source == source))
    if found.first() is None:
        raise NotFoundError(f"there is no source {source!r}; register it first")


def _check_text(name: str, text: str, most: int) -> None:
    if not text or len(text) > most or not text.isprintable():
        raise InvalidRequestError(
            f"{name} has 1 to {most} printable characters", details={"param": name}
        )


def _name(row: Any) -> RegisteredName:
    return RegisteredName(
        kind=Kind(row.kind),
        id=row.reported_id,
        name=row.name,
        provider_type=row.provider_type,
        models=None if row.models is None else tuple(row.models),
        model_id=row.model_id,
    )
