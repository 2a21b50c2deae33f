"""How is a row of routing found, written and let go? SQL that routing's other stores share."""

from collections.abc import Mapping, Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, Table, delete, insert, select, update

from tollbridge.core.errors import NotFoundError
from tollbridge.routing import key_store
from tollbridge.routing.kept import is_live, named_keys
from tollbridge.routing.part import DeclaredEndpoint, RouteEntry, RouteName, Source
from tollbridge.routing.tables import endpoints, route_candidates, routes
from tollbridge.storage.unit import Unit


async def write_endpoint(
    unit: Unit, declared: DeclaredEndpoint, source: Source, found: Row[Any] | None
) -> None:
    """Write all that an endpoint is, but for its keys; `found` is its row, where it has one."""
    endpoint = declared.endpoint
    values = msgspec.structs.asdict(endpoint)
    del values["api_key"], values["keys"]
    values |= {
        "models": declared.models,
        "on_caller_left": endpoint.on_caller_left.value,
        "auth": str(endpoint.auth),
        "source": source.value,
        "withdrawn_at_us": None,
    }
    if not is_live(found, source):
        values["by_hand"] = None
    await _write(unit, endpoints, endpoints.c.name == endpoint.name, values, found)


async def write_keys(unit: Unit, declared: DeclaredEndpoint, master: bytes) -> None:
    """Store an endpoint's keys in place of those that it had."""
    endpoint = declared.endpoint
    await key_store.replace_keys(unit, endpoint.name, named_keys(endpoint), master)


async def withdraw(unit: Unit, name: str) -> None:
    """Let an endpoint go: it is not used, loses its keys, and another source may take its name."""
    now_us = await unit.now_us()
    await set_values(
        unit, endpoints, endpoints.c.name == name, withdrawn_at_us=now_us, by_hand=None
    )
    await key_store.replace_keys(unit, name, (), b"")


async def write_route(
    unit: Unit,
    entry: RouteEntry,
    source: Source,
    found: Row[Any] | None,
) -> None:
    """Write all that a route is; `found` is its row, where it has one."""
    name = (entry.model, entry.category)
    values = {
        "model": entry.model,
        "category": entry.category,
        "order": str(entry.order),
        "keep_content": entry.keep_content,
        "hedge_after_ms": entry.hedge_after_ms,
        "bucket": None if entry.bucket is None else entry.bucket.value,
        "on_content_filtered": entry.on_content_filtered.value,
        "enabled": True,
        "source": source.value,
        "withdrawn_at_us": None,
    }
    await _write(unit, routes, is_route(name), values, found)
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
        await set_values(unit, table, where, **values)
        return
    now_us = await unit.now_us()
    row = {"created_at_us": now_us, "updated_at_us": now_us, **values}
    await unit.connection.execute(insert(table).values(row))


async def get(unit: Unit, table: Table, where: Any, name: str) -> Row[Any]:
    """Return the row that there must be. Raises NotFoundError."""
    found = await find(unit, table, where)
    if found is None:
        raise NotFoundError(f"there is no {table.name[:-1]} named {name!r}")
    return found


async def set_values(unit: Unit, table: Table, where: Any, **values: Any) -> None:
    """Change columns of the rows that are meant."""
    now_us = await unit.now_us()
    await unit.connection.execute(update(table).where(where).values(updated_at_us=now_us, **values))


async def rows_of(unit: Unit, table: Table) -> Sequence[Row[Any]]:
    """Return all rows by their primary key."""
    found = await unit.connection.execute(select(table).order_by(*table.primary_key.columns))
    return found.all()


async def find(unit: Unit, table: Table, where: Any) -> Row[Any] | None:
    """Return the row that is meant, None where there is none."""
    return (await unit.connection.execute(select(table).where(where))).first()


def is_route(name: RouteName) -> Any:
    """Return the condition of being the route of that model and category."""
    return (routes.c.model == name[0]) & (routes.c.category == name[1])
