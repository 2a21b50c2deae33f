"""Which endpoints and routes are there, and what do file and environment make of them?"""

from collections.abc import Collection, Iterable, Mapping, Sequence

from tollbridge.core.call import Bucket, OnContentFiltered
from tollbridge.core.errors import NotFoundError
from tollbridge.routing import key_store
from tollbridge.routing.entries import check_candidates, implicit_routes
from tollbridge.routing.experiment_row_store import running_trials
from tollbridge.routing.kept import declared_of, is_live, may_take, switched, with_keys
from tollbridge.routing.key_store import NO_KEYS, unsealed
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
from tollbridge.routing.row_store import (
    is_route,
    rows_of,
    set_values,
    withdraw,
    write_endpoint,
    write_keys,
    write_route,
)
from tollbridge.routing.tables import endpoints, route_candidates, routes
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
    stored = await key_store.stored_keys(unit)
    declared: list[DeclaredEndpoint] = []
    unreadable: list[str] = []
    for row in await rows_of(unit, endpoints):
        if row.withdrawn_at_us is not None:
            continue
        keys = unsealed(master, row.name, stored.get(row.name, NO_KEYS))
        if keys is None:
            unreadable.append(row.name)
        elif row.source != Source.BUILTIN:
            declared.append(declared_of(row, keys))
        elif row.name in here:
            declared.append(switched(here[row.name], row, keys))
    written = [one for one in await list_routes(unit) if one.withdrawn_at_us is None]
    # A route that is switched off must not come back by itself.
    taken = {(one.entry.model, one.entry.category) for one in written}
    return RoutingPart(
        endpoints=[one.endpoint for one in declared],
        routes=[one.entry for one in written if one.enabled] + implicit_routes(declared, taken),
        unreadable=tuple(unreadable),
        trials=await running_trials(unit),
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
    await check_known(unit, entries, absent)
    applied = RoutingApplied(
        changed=first.changed + second.changed,
        withdrawn=first.withdrawn + second.withdrawn,
        left_alone=first.left_alone + second.left_alone,
    )
    if applied.changed or applied.withdrawn:
        await versions.bump(unit, PART)
    return applied


async def list_endpoints(unit: Unit) -> list[EndpointRow]:
    """Return all endpoints by name, withdrawn ones too, without keys."""
    stored = await key_store.stored_keys(unit)
    return [
        EndpointRow(
            declared=declared_of(row),
            source=row.source,
            keys=tuple(stored.get(row.name, NO_KEYS)),
            withdrawn_at_us=row.withdrawn_at_us,
        )
        for row in await rows_of(unit, endpoints)
    ]


async def get_endpoint(unit: Unit, name: str) -> EndpointRow:
    """Return one endpoint, withdrawn or not, without keys. Raises NotFoundError."""
    for row in await list_endpoints(unit):
        if row.declared.endpoint.name == name:
            return row
    raise NotFoundError(f"there is no endpoint named {name!r}")


async def list_routes(unit: Unit) -> list[RouteRow]:
    """Return all written routes by model and category, withdrawn ones too."""
    candidates: dict[RouteName, list[CandidateEntry]] = {}
    for row in await rows_of(unit, route_candidates):
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
                hedge_after_ms=row.hedge_after_ms,
                bucket=None if row.bucket is None else Bucket(row.bucket),
                on_content_filtered=OnContentFiltered(row.on_content_filtered),
            ),
            enabled=row.enabled,
            source=row.source,
            withdrawn_at_us=row.withdrawn_at_us,
        )
        for row in await rows_of(unit, routes)
    ]


async def get_route(unit: Unit, name: RouteName) -> RouteRow:
    """Return one written route, withdrawn or not. Raises NotFoundError."""
    for row in await list_routes(unit):
        if (row.entry.model, row.entry.category) == name:
            return row
    raise NotFoundError(f"there is no route named {name[0]!r}")


async def _apply_endpoints(
    unit: Unit,
    declared: Sequence[DeclaredEndpoint],
    master: bytes,
    source: Source,
    absent: Collection[str],
) -> RoutingApplied:
    existing = {row.name: row for row in await rows_of(unit, endpoints)}
    stored = await key_store.stored_keys(unit)
    kept = {one.endpoint.name for one in declared}
    is_builtin = source == Source.BUILTIN
    if is_builtin:
        kept |= set(absent)
        # Without the keys, and as it was switched here or on another node.
        declared = [_keyless(switched(one, existing.get(one.endpoint.name))) for one in declared]
    changed: list[str] = []
    left_alone: list[str] = []
    for one in declared:
        name = one.endpoint.name
        found = existing.get(name)
        if not may_take(found, source):
            left_alone.append(name)
            continue
        keys = () if is_builtin else unsealed(master, name, stored.get(name, NO_KEYS))
        known = None if found is None or keys is None else declared_of(found, keys)
        if known != one or not is_live(found, source):
            await write_endpoint(unit, one, source, found)
            if not is_builtin or not is_live(found, source):
                await write_keys(unit, one, master)
            changed.append(name)
    gone = [name for name, row in existing.items() if is_live(row, source) and name not in kept]
    for name in gone:
        await withdraw(unit, name)
    return RoutingApplied(tuple(changed), tuple(gone), tuple(left_alone))


async def _apply_routes(
    unit: Unit,
    entries: Sequence[RouteEntry],
    source: Source,
) -> RoutingApplied:
    existing = {(row.model, row.category): row for row in await rows_of(unit, routes)}
    entry_of = {(one.entry.model, one.entry.category): one for one in await list_routes(unit)}
    changed: list[RouteName] = []
    left_alone: list[RouteName] = []
    for entry in entries:
        name = (entry.model, entry.category)
        found = existing.get(name)
        if not may_take(found, source):
            left_alone.append(name)
        elif not (is_live(found, source) and entry_of[name].entry == entry):
            await write_route(unit, entry, source, found)
            changed.append(name)
    kept = {(entry.model, entry.category) for entry in entries}
    gone = [name for name, row in existing.items() if is_live(row, source) and name not in kept]
    for name in gone:
        await set_values(unit, routes, is_route(name), withdrawn_at_us=await unit.now_us())
    return RoutingApplied(_shown(changed), _shown(gone), _shown(left_alone))


async def check_known(
    unit: Unit, entries: Iterable[RouteEntry], absent: Collection[str] = ()
) -> None:
    """Raise ConfigurationError for a candidate on an endpoint that nobody knows."""
    check_candidates(entries, {row.name for row in await rows_of(unit, endpoints)} | set(absent))


def _keyless(one: DeclaredEndpoint) -> DeclaredEndpoint:
    return DeclaredEndpoint(with_keys(one.endpoint, ()), one.models)


def _shown(names: Iterable[RouteName]) -> tuple[str, ...]:
    return tuple(f"{model} ({category})" for model, category in names)
