"""Which sources are registered, by which names, and how is that changed?

Whoever writes bumps the part's version: every office reads the registry anew.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, Final

import msgspec
from sqlalchemy import delete, func, insert, select, update

from tollbridge.core.errors import ConflictError, InvalidRequestError, NotFoundError
from tollbridge.recording.intake_check import ID_LENGTH_MAX, TEXT_LENGTH_MAX
from tollbridge.recording.intake_registry import (
    UNREGISTERED,
    Kind,
    RegisteredName,
    SourceNames,
    SourceTerms,
    names_of,
)
from tollbridge.recording.intake_tables import intake_names, intake_sources
from tollbridge.storage import audit, versions
from tollbridge.storage.unit import Unit

PART: Final = "intake"
NAMES_MAX: Final = 200_000
"""Names of all sources together: they are kept in memory."""
SOURCES_MAX: Final = 1000


class Origin(StrEnum):
    """Who may change a source."""

    FILE = "file"
    API = "api"


class SourceRow(msgspec.Struct, frozen=True):
    """A registered source."""

    source: str
    terms: SourceTerms
    origin: str
    created_at_us: int
    updated_at_us: int
    updated_by: str


async def load_registry(unit: Unit) -> Mapping[str, SourceNames]:
    """Return all sources with their names."""
    terms = {row.source: row.terms for row in await list_sources(unit)}
    found: dict[str, list[RegisteredName]] = {source: [] for source in terms}
    for row in await unit.connection.execute(select(intake_names)):
        found.setdefault(row.source, []).append(_name(row))
    return {
        source: names_of(source, terms.get(source, UNREGISTERED), tuple(names))
        for source, names in found.items()
    }


async def list_sources(unit: Unit) -> list[SourceRow]:
    """Return the registered sources by name."""
    rows = await unit.connection.execute(select(intake_sources).order_by(intake_sources.c.source))
    return [_source(row) for row in rows]


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
    unit: Unit, source: str, terms: SourceTerms, *, actor: str, now_us: int
) -> None:
    """Register a source, or change what is agreed with it.

    Raises InvalidRequestError, and ConflictError for one that the configuration file declares.
    """
    _refuse_file(await _find(unit, source), source)
    await _put_source(unit, source, terms, Origin.API, actor=actor, now_us=now_us)
    await audit.record(unit, actor, "put_intake_source", source, msgspec.to_builtins(terms))


async def detach_source(unit: Unit, source: str, *, actor: str) -> None:
    """Let the API change a source that the configuration file declares or has declared.

    Raises NotFoundError.
    """
    await require_source(unit, source)
    await versions.bump(unit, PART)
    await unit.connection.execute(
        update(intake_sources)
        .where(intake_sources.c.source == source)
        .values(origin=Origin.API.value)
    )
    await audit.record(unit, actor, "detach_intake_source", source)


async def apply(unit: Unit, declared: Sequence[SourceNames], *, actor: str, now_us: int) -> None:
    """Make the file's sources what the file says, disable those that it no longer declares.

    Twice is once. A source of that name which the file does not own is left alone.
    """
    standing = {row.source: row for row in await list_sources(unit)}
    known = await load_registry(unit)
    for one in declared:
        row = standing.get(one.source)
        if row is not None and (row.origin != Origin.FILE or known.get(one.source) == one):
            continue
        await _put_source(unit, one.source, one.terms, Origin.FILE, actor=actor, now_us=now_us)
        await unit.connection.execute(
            delete(intake_names).where(intake_names.c.source == one.source)
        )
        names = [name for of_kind in one.of.values() for name in of_kind.values()]
        await _put_names(unit, one.source, names)
    kept = {one.source for one in declared}
    for row in standing.values():
        if row.origin == Origin.FILE and row.terms.enabled and row.source not in kept:
            gone = msgspec.structs.replace(row.terms, enabled=False)
            await _put_source(unit, row.source, gone, Origin.FILE, actor=actor, now_us=now_us)


async def put_names(unit: Unit, source: str, names: Sequence[RegisteredName], *, actor: str) -> int:
    """Register names of a source, or change them; return how many.

    Raises InvalidRequestError, NotFoundError where there is no such source, and ConflictError for
    one that the configuration file declares.
    """
    await require_source(unit, source)
    _refuse_file(await _find(unit, source), source)
    count = await _put_names(unit, source, names)
    await audit.record(unit, actor, "put_intake_names", source, {"names": count})
    return count


async def remove_name(unit: Unit, source: str, kind: Kind, reported_id: str, *, actor: str) -> None:
    """Take a name out of a source's registry; what was counted keeps it. Raises NotFoundError."""
    columns = intake_names.c
    _refuse_file(await _find(unit, source), source)
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
    if await _find(unit, source) is None:
        raise NotFoundError(f"there is no source {source!r}; register it first")


async def _find(unit: Unit, source: str) -> SourceRow | None:
    found = await unit.connection.execute(
        select(intake_sources).where(intake_sources.c.source == source)
    )
    row = found.first()
    return None if row is None else _source(row)


def _refuse_file(row: SourceRow | None, source: str) -> None:
    if row is not None and row.origin == Origin.FILE:
        raise ConflictError(
            f"the source {source!r} is declared in the configuration file: change it there, or "
            "detach it first"
        )


async def _put_source(
    unit: Unit, source: str, terms: SourceTerms, origin: Origin, *, actor: str, now_us: int
) -> None:
    _check_text("source", source, ID_LENGTH_MAX)
    for key in terms.keys:
        _check_text("keys", key, ID_LENGTH_MAX)
    await versions.bump(unit, PART)
    values: dict[str, Any] = {
        "keys": list(dict.fromkeys(terms.keys)),
        "charges": terms.charges,
        "enabled": terms.enabled,
        "origin": origin.value,
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


async def _put_names(unit: Unit, source: str, names: Sequence[RegisteredName]) -> int:
    for one in names:
        _check_text("id", one.id, ID_LENGTH_MAX)
        _check_text("name", one.name, TEXT_LENGTH_MAX)
        for text in (*(one.models or ()), one.model_id, one.provider_type):
            if text is not None:
                _check_text("models", text, TEXT_LENGTH_MAX)
    await versions.bump(unit, PART)
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
    return len(rows)


def _check_text(name: str, text: str, most: int) -> None:
    if not text or len(text) > most or not text.isprintable():
        raise InvalidRequestError(
            f"{name} has 1 to {most} printable characters", details={"param": name}
        )


def _source(row: Any) -> SourceRow:
    return SourceRow(
        row.source,
        SourceTerms(keys=tuple(row.keys or ()), charges=row.charges, enabled=row.enabled),
        row.origin,
        row.created_at_us,
        row.updated_at_us,
        row.updated_by,
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
