"""Which endpoints and routes are there, and with which keys? All SQL of routing."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, Table, delete, insert, select, update

from tollbridge.core.errors import NotFoundError
from tollbridge.routing.entries import check_candidates, implicit_routes
from tollbridge.routing.kept import declared_of, is_live, may_take, refuse_file, switched
from tollbridge.routing.part import (
    CandidateEntry,
    DeclaredEndpoint,
    EndpointRow,
    RouteEntry,
    RouteName,
    RouteRow,
    RoutingApplied,
    RoutingPart,
    Source,
)
from tollbridge.routing.sealed import Sealed, seal, try_unseal, unseal
from tollbridge.routing.tables import endpoints, provider_keys, route_candidates, routes
from tollbridge.storage import versions
from tollbridge.storage.unit import Unit

PART = "routing"


async def load_part(
    unit: Unit,
    master: bytes,
    builtin_here: Mapping[str, DeclaredEndpoint] | None = None,
) -> RoutingPart:
    """Return what workers need, provider keys in clear. The only function that returns keys.

    `builtin_here` are the built-in endpoints that this node's environment has keys for, by name:
    the others are left out here, whatever other nodes have. An endpoint whose key this master
    cannot open is left out and listed in `unreadable`.
    """
    here = builtin_here or {}
    keys = await _sealed_keys(unit)
    declared: list[DeclaredEndpoint] = []
    unreadable: list[str] = []
    for row in await _rows(unit, endpoints):
        if row.withdrawn_at_us is not None:
            continue
        if row.source == Source.BUILTIN:
            if row.name in here:
                declared.append(switched(here[row.name], row))
            continue
        api_key = try_unseal(master, row.name, keys.get(row.name))
        if api_key is None:
            unreadable.append(row.name)
        else:
            declared.append(declared_of(row, api_key))
    written = [one for one in await list_routes(unit) if one.withdrawn_at_us is None]
    # A route that is switched off must not come back by itself.
    taken = {(one.entry.model, one.entry.category) for one in written}
    return RoutingPart(
        endpoints=[one.endpoint for one in declared],
        routes=[one.entry for one in written if one.enabled] + implicit_routes(declared, taken),
        unreadable=tuple(unreadable),
    )


async def apply(
    unit: Unit,
    declared: Sequence[DeclaredEndpoint],
    entries: Sequence[RouteEntry],
    master: bytes,
    source: Source = Source.FILE,
    absent: Collection[str] = (),
) -> RoutingApplied:
    """Make what `source` owns what it declares, and withdraw what it no longer declares.

    Twice is once. Apply the file before the built-in endpoints: a name that the file lets go
    falls back to those. `absent` names endpoints that are known but skipped, so that routes may
    name them; a built-in one of them is not withdrawn, as another node may have its key. Keys of
    built-in endpoints are not stored: they are each node's own. Raises ConfigurationError for a
    candidate on an endpoint that nobody knows.
    """
    first = await _apply_endpoints(unit, declared, master, source, absent)
    second = await _apply_routes(unit, entries, source)
    await _check_candidates(unit, entries, absent)
    applied = RoutingApplied(
        changed=first.changed + second.changed,
        withdrawn=first.withdrawn + second.withdrawn,
        left_alone=first.left_alone + second.left_alone,
    )
    if applied.changed or applied.withdrawn:
        await versions.bump(unit, PART)
    return applied


async def rotate_master(unit: Unit, old: bytes, new: bytes) -> int:
    """Encrypt all provider keys anew; return how many. What `new` opens already is passed by.

    Raises ConfigurationError, and changes nothing, where `old` does not open one of them.
    """
    rotated = 0
    for name, sealed in (await _sealed_keys(unit)).items():
        if try_unseal(new, name, sealed) is None:
            await _write_key(unit, name, seal(new, name, unseal(old, name, sealed)))
            rotated += 1
    return rotated


async def list_endpoints(unit: Unit) -> list[EndpointRow]:
    """Return all endpoints by name, withdrawn ones too, without keys."""
    keys = await _sealed_keys(unit)
    return [
        EndpointRow(
            declared=declared_of(row, ""),
            source=row.source,
            has_key=row.name in keys,
            withdrawn_at_us=row.withdrawn_at_us,
        )
        for row in await _rows(unit, endpoints)
    ]


async def list_routes(unit: Unit) -> list[RouteRow]:
    """Return all written routes by model and category, withdrawn ones too."""
    candidates: dict[RouteName, list[CandidateEntry]] = {}
    for row in await _rows(unit, route_candidates):
        entry = CandidateEntry(row.endpoint, row.model, row.priority, row.weight)
        candidates.setdefault((row.route_model, row.route_category), []).append(entry)
    return [
        RouteRow(
            entry=RouteEntry(
                model=row.model,
                category=row.category,
                order=row.order,
                candidates=tuple(candidates.get((row.model, row.category), ())),
                keep_content=row.keep_content,
            ),
            enabled=row.enabled,
            source=row.source,
            withdrawn_at_us=row.withdrawn_at_us,
        )
        for row in await _rows(unit, routes)
    ]


async def put_endpoint(unit: Unit, declared: DeclaredEndpoint, master: bytes) -> None:
    """Create or replace an endpoint from the API; one that was built in becomes the API's.

    Raises ConflictError where the configuration file declares it.
    """
    found = await _find(unit, endpoints, endpoints.c.name == declared.endpoint.name)
    refuse_file(found, f"the endpoint {declared.endpoint.name!r}")
    await _write_endpoint(unit, declared, master, Source.API, found)
    await versions.bump(unit, PART)


async def put_route(unit: Unit, entry: RouteEntry) -> None:
    """Create or replace a route from the API.

    Raises ConflictError where the configuration file declares it, ConfigurationError for a
    candidate on an endpoint that nobody knows.
    """
    found = await _find(unit, routes, _is_route((entry.model, entry.category)))
    refuse_file(found, f"the route {entry.model!r}")
    await _write_route(unit, entry, Source.API, found)
    await _check_candidates(unit, [entry], ())
    await versions.bump(unit, PART)


async def enable_endpoint(unit: Unit, name: str, *, enabled: bool) -> None:
    """Switch an endpoint on or off. Raises NotFoundError; ConflictError if it is the file's."""
    await _change(unit, endpoints, endpoints.c.name == name, name, enabled=enabled)


async def enable_route(unit: Unit, name: RouteName, *, enabled: bool) -> None:
    """Switch a route on or off. Raises NotFoundError; ConflictError if it is the file's."""
    await _change(unit, routes, _is_route(name), name[0], enabled=enabled)


async def detach_endpoint(unit: Unit, name: str) -> None:
    """Take an endpoint from the file's hands: what the file says of it no longer counts."""
    await _change(unit, endpoints, endpoints.c.name == name, name, source=Source.API.value)


async def detach_route(unit: Unit, name: RouteName) -> None:
    """Take a route from the file's hands: what the file says of it no longer counts."""
    await _change(unit, routes, _is_route(name), name[0], source=Source.API.value)


async def _apply_endpoints(
    unit: Unit,
    declared: Sequence[DeclaredEndpoint],
    master: bytes,
    source: Source,
    absent: Collection[str],
) -> RoutingApplied:
    existing = {row.name: row for row in await _rows(unit, endpoints)}
    keys = await _sealed_keys(unit)
    kept = {one.endpoint.name for one in declared}
    if source == Source.BUILTIN:
        kept |= set(absent)
        # Without the key, and as it was switched here or on another node.
        declared = [switched(one, existing.get(one.endpoint.name), "") for one in declared]
    changed: list[str] = []
    left_alone: list[str] = []
    for one in declared:
        name = one.endpoint.name
        found = existing.get(name)
        if not may_take(found, source):
            left_alone.append(name)
            continue
        key = try_unseal(master, name, keys.get(name))
        known = None if found is None or key is None else declared_of(found, key)
        if known != one or not is_live(found, source):
            await _write_endpoint(unit, one, master, source, found)
            changed.append(name)
    gone = [name for name, row in existing.items() if is_live(row, source) and name not in kept]
    for name in gone:
        await _set(unit, endpoints, endpoints.c.name == name, withdrawn_at_us=await unit.now_us())
        await _write_key(unit, name, None)
    return RoutingApplied(tuple(changed), tuple(gone), tuple(left_alone))


async def _apply_routes(
    unit: Unit,
    entries: Sequence[RouteEntry],
    source: Source,
) -> RoutingApplied:
    existing = {(row.model, row.category): row for row in await _rows(unit, routes)}
    entry_of = {(one.entry.model, one.entry.category): one for one in await list_routes(unit)}
    changed: list[RouteName] = []
    left_alone: list[RouteName] = []
    for entry in entries:
        name = (entry.model, entry.category)
        found = existing.get(name)
        if not may_take(found, source):
            left_alone.append(name)
        elif not (is_live(found, source) and entry_of[name].entry == entry):
            await _write_route(unit, entry, source, found)
            changed.append(name)
    kept = {(entry.model, entry.category) for entry in entries}
    gone = [name for name, row in existing.items() if is_live(row, source) and name not in kept]
    for name in gone:
        await _set(unit, routes, _is_route(name), withdrawn_at_us=await unit.now_us())
    return RoutingApplied(_shown(changed), _shown(gone), _shown(left_alone))


async def _check_candidates(
    unit: Unit,
    entries: Iterable[RouteEntry],
    absent: Collection[str],
) -> None:
    check_candidates(entries, {row.name for row in await _rows(unit, endpoints)} | set(absent))


async def _write_endpoint(
    unit: Unit,
    declared: DeclaredEndpoint,
    master: bytes,
    source: Source,
    found: Row[Any] | None,
) -> None:
    endpoint = declared.endpoint
    values = msgspec.structs.asdict(endpoint)
    api_key = values.pop("api_key")
    values |= {
        "models": declared.models,
        "on_caller_left": endpoint.on_caller_left.value,
        "source": source.value,
        "withdrawn_at_us": None,
    }
    await _write(unit, endpoints, endpoints.c.name == endpoint.name, values, found)
    await _write_key(unit, endpoint.name, seal(master, endpoint.name, api_key) if api_key else None)


async def _write_route(
    unit: Unit,
    entry: RouteEntry,
    source: Source,
    found: Row[Any] | None,
) -> None:
    name = (entry.model, entry.category)
    values = {
        "model": entry.model,
        "category": entry.category,
        "order": str(entry.order),
        "keep_content": entry.keep_content,
        "enabled": True,
        "source": source.value,
        "withdrawn_at_us": None,
    }
    await _write(unit, routes, _is_route(name), values, found)
    of_route = (route_candidates.c.route_model == entry.model) & (
        route_candidates.c.route_category == entry.category
    )
    await unit.connection.execute(delete(route_candidates).where(of_route))
    rows = [
        {
            "route_model": entry.model,
            "route_category": entry.category,
            "position": position,
            **msgspec.structs.asdict(candidate),
        }
        for position, candidate in enumerate(entry.candidates)
    ]
    if rows:
        await unit.connection.execute(insert(route_candidates), rows)


async def _write(
    unit: Unit,
    table: Table,
    where: Any,
    values: Mapping[str, Any],
    found: Row[Any] | None,
) -> None:
    if found is not None:
        await _set(unit, table, where, **values)
        return
    now_us = await unit.now_us()
    row = {"created_at_us": now_us, "updated_at_us": now_us, **values}
    await unit.connection.execute(insert(table).values(row))


async def _write_key(unit: Unit, name: str, sealed: Sealed | None) -> None:
    await unit.connection.execute(delete(provider_keys).where(provider_keys.c.endpoint == name))
    if sealed is not None:
        await unit.connection.execute(
            insert(provider_keys).values(
                endpoint=name,
                master_id=sealed.master_id,
                sealed=sealed.text,
                updated_at_us=await unit.now_us(),
            ),
        )


async def _change(unit: Unit, table: Table, where: Any, name: str, **values: Any) -> None:
    found = await _find(unit, table, where)
    if found is None:
        raise NotFoundError(f"there is no {table.name[:-1]} named {name!r}")
    if "source" not in values:
        refuse_file(found, f"the {table.name[:-1]} {name!r}")
    await _set(unit, table, where, **values)
    await versions.bump(unit, PART)


async def _set(unit: Unit, table: Table, where: Any, **values: Any) -> None:
    now_us = await unit.now_us()
    await unit.connection.execute(update(table).where(where).values(updated_at_us=now_us, **values))


async def _rows(unit: Unit, table: Table) -> Sequence[Row[Any]]:
    found = await unit.connection.execute(select(table).order_by(*table.primary_key.columns))
    return found.all()


async def _find(unit: Unit, table: Table, where: Any) -> Row[Any] | None:
    return (await unit.connection.execute(select(table).where(where))).first()


async def _sealed_keys(unit: Unit) -> dict[str, Sealed]:
    rows = await _rows(unit, provider_keys)
    return {row.endpoint: Sealed(row.master_id, row.sealed) for row in rows}


def _is_route(name: RouteName) -> Any:
    return (routes.c.model == name[0]) & (routes.c.category == name[1])


def _shown(names: Iterable[RouteName]) -> tuple[str, ...]:
    return tuple(f"{model} ({category})" for model, category in names)
