"""What does somebody change of endpoints and routes by hand? What the file declares is its own."""

from typing import Any

import msgspec
from sqlalchemy import Table

from tollbridge.core.errors import ConflictError
from tollbridge.core.plan import ProviderKey
from tollbridge.routing import key_store
from tollbridge.routing.kept import by_hand_of, declared_of, is_live, merged, moved, refuse_file
from tollbridge.routing.part import ByHand, DeclaredEndpoint, RouteEntry, RouteName, Source
from tollbridge.routing.row_store import (
    find,
    get,
    is_route,
    set_values,
    withdraw,
    write_endpoint,
    write_keys,
    write_route,
)
from tollbridge.routing.store import PART, check_known
from tollbridge.routing.tables import endpoints, routes
from tollbridge.storage import versions
from tollbridge.storage.unit import Unit


async def put_endpoint(unit: Unit, declared: DeclaredEndpoint, master: bytes) -> None:
    """Create or replace an endpoint from the API; one that was built in becomes the API's.

    Raises ConflictError where the configuration file declares it.
    """
    found = await find(unit, endpoints, endpoints.c.name == declared.endpoint.name)
    refuse_file(found, f"the endpoint {declared.endpoint.name!r}")
    await write_endpoint(unit, declared, Source.API, found)
    await write_keys(unit, declared, master)
    await versions.bump(unit, PART)


async def change_endpoint(unit: Unit, name: str, change: ByHand) -> None:
    """Switch and move an endpoint, as a whole or for single categories.

    Raises NotFoundError; ConflictError for one that the configuration file declares.
    """
    found = await get(unit, endpoints, endpoints.c.name == name, name)
    refuse_file(found, f"the endpoint {name!r}")
    after = moved(declared_of(found).endpoint, change)
    values: dict[str, Any] = {
        "enabled": after.enabled,
        "disabled_categories": after.disabled_categories,
        "priority": after.priority,
        "category_priority": after.category_priority,
    }
    if found.source == Source.BUILTIN:
        values["by_hand"] = msgspec.to_builtins(merged(by_hand_of(found), change))
    await set_values(unit, endpoints, endpoints.c.name == name, **values)
    await versions.bump(unit, PART)


async def remove_endpoint(unit: Unit, name: str) -> None:
    """Withdraw an endpoint that the API made, with its keys.

    Raises NotFoundError; ConflictError for one of the file, or built in.
    """
    found = await get(unit, endpoints, endpoints.c.name == name, name)
    refuse_file(found, f"the endpoint {name!r}")
    if is_live(found, Source.BUILTIN):
        raise ConflictError(f"the endpoint {name!r} is built in: switch it off instead")
    await withdraw(unit, name)
    await versions.bump(unit, PART)


async def add_key(unit: Unit, name: str, key: ProviderKey, master: bytes) -> None:
    """Give an endpoint one more key; they take turns.

    Raises NotFoundError; ConflictError for an endpoint of the file, or a name that is taken.
    """
    found = await get(unit, endpoints, endpoints.c.name == name, name)
    refuse_file(found, f"the endpoint {name!r}")
    await key_store.add_key(unit, name, key, master)
    await versions.bump(unit, PART)


async def remove_key(unit: Unit, name: str, key: str) -> None:
    """Delete a stored key. Raises NotFoundError; ConflictError for an endpoint of the file."""
    found = await get(unit, endpoints, endpoints.c.name == name, name)
    refuse_file(found, f"the endpoint {name!r}")
    await key_store.remove_key(unit, name, key)
    await versions.bump(unit, PART)


async def put_route(unit: Unit, entry: RouteEntry) -> None:
    """Create or replace a route from the API.

    Raises ConflictError where the configuration file declares it, ConfigurationError for a
    candidate on an endpoint that nobody knows.
    """
    found = await find(unit, routes, is_route((entry.model, entry.category)))
    refuse_file(found, f"the route {entry.model!r}")
    await write_route(unit, entry, Source.API, found)
    await check_known(unit, [entry])
    await versions.bump(unit, PART)


async def remove_route(unit: Unit, name: RouteName) -> None:
    """Withdraw a route that the API made. Raises NotFoundError; ConflictError for the file's."""
    await _change(unit, routes, is_route(name), name[0], withdrawn_at_us=await unit.now_us())


async def enable_endpoint(unit: Unit, name: str, *, enabled: bool) -> None:
    """Switch an endpoint on or off. Raises NotFoundError; ConflictError if it is the file's."""
    await change_endpoint(unit, name, ByHand(enabled=enabled))


async def enable_route(unit: Unit, name: RouteName, *, enabled: bool) -> None:
    """Switch a route on or off. Raises NotFoundError; ConflictError if it is the file's."""
    await _change(unit, routes, is_route(name), name[0], enabled=enabled)


async def detach_endpoint(unit: Unit, name: str) -> None:
    """Take an endpoint from the file's hands: what the file says of it no longer counts."""
    await _change(unit, endpoints, endpoints.c.name == name, name, source=Source.API.value)


async def detach_route(unit: Unit, name: RouteName) -> None:
    """Take a route from the file's hands: what the file says of it no longer counts."""
    await _change(unit, routes, is_route(name), name[0], source=Source.API.value)


async def _change(unit: Unit, table: Table, where: Any, name: str, **values: Any) -> None:
    found = await get(unit, table, where, name)
    if "source" not in values:
        refuse_file(found, f"the {table.name[:-1]} {name!r}")
    await set_values(unit, table, where, **values)
    await versions.bump(unit, PART)
