"""Which doors of providers are there, and which are open?"""

from collections.abc import Container, Mapping, Sequence
from functools import cache

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tollbridge.api.control.endpoint_views import (
    EndpointChange,
    EndpointOrder,
    EndpointView,
    KeyOrder,
    check_categories,
    declared_of_order,
    view_of,
)
from tollbridge.api.deps import AdminOf, Control, ControlOf, Viewer, ViewerOf, actor_of
from tollbridge.core.errors import ConfigurationError, InvalidRequestError
from tollbridge.core.plan import ProviderKey
from tollbridge.insight.endpoint_queries import EndpointError, recent_errors
from tollbridge.routing import change_store, store
from tollbridge.routing.builtin import KnownEndpoint, fault_of_key, load_known
from tollbridge.routing.part import ByHand, EndpointRow
from tollbridge.storage import audit

router = APIRouter(prefix="/endpoints", tags=["routing"])


class AbsentEndpoint(BaseModel):
    """An endpoint that is known and not used, most often for want of a key."""

    name: str
    display_name: str
    provider: str
    key_variable: str | None = Field(
        description="From which variable of the environment its key is read; null: it needs none."
    )
    address_variable: str | None = Field(
        description="Which says its address, where each customer or server has its own."
    )


class EndpointList(BaseModel):
    """All endpoints by name."""

    endpoints: list[EndpointView]
    absent: list[AbsentEndpoint] = Field(
        description="Known ones that are not among them: set the variable, or make the endpoint."
    )


@router.get("")
async def list_all(viewer: ViewerOf, control: ControlOf) -> EndpointList:
    """List all endpoints by name, withdrawn ones too: state, keys, breakers and recent errors.

    The errors are those of everybody's calls, and shown to admins alone.
    """
    async with control.services.database.read() as unit:
        rows = await store.list_endpoints(unit)
        errors = await recent_errors(unit) if viewer.is_admin else {}
    workers, here = control.services.figures().seen(), control.services.builtin_here
    return EndpointList(
        endpoints=[
            view_of(row, workers, here, errors.get(row.declared.endpoint.name, ())) for row in rows
        ],
        absent=_absent({row.declared.endpoint.name for row in rows}),
    )


@router.get("/{name}")
async def find(name: str, viewer: ViewerOf, control: ControlOf) -> EndpointView:
    """Show one endpoint; its recent errors to admins alone."""
    async with control.services.database.read() as unit:
        row = await store.get_endpoint(unit, name)
    return await _view(row, viewer, control)


@router.post("", status_code=201)
async def create(order: EndpointOrder, admin: AdminOf, control: ControlOf) -> EndpointView:
    """Make or replace an endpoint, on all workers within a second.

    One that is built in becomes the API's. 409 for one that the configuration file declares.
    """
    declared = declared_of_order(order, _known().get(order.name))
    async with control.services.database.write() as unit:
        await change_store.put_endpoint(unit, declared, _master(control))
        details = {"base_url": declared.endpoint.base_url, "has_key": order.api_key is not None}
        subject = f"endpoint:{order.name}"
        await audit.record(unit, actor_of(admin), "endpoints.put", subject, details)
        row = await store.get_endpoint(unit, order.name)
    return await _view(row, admin, control)


@router.patch("/{name}")
async def change(
    name: str, wanted: EndpointChange, admin: AdminOf, control: ControlOf
) -> EndpointView:
    """Switch an endpoint on or off, or move it: as a whole or by category, within a second.

    409 for one that the configuration file declares.
    """
    by_hand = _by_hand(wanted)
    async with control.services.database.write() as unit:
        await change_store.change_endpoint(unit, name, by_hand)
        details = wanted.model_dump(exclude_none=True)
        await audit.record(unit, actor_of(admin), "endpoints.change", f"endpoint:{name}", details)
        row = await store.get_endpoint(unit, name)
    return await _view(row, admin, control)


@router.delete("/{name}")
async def remove(name: str, admin: AdminOf, control: ControlOf) -> EndpointView:
    """Withdraw an endpoint that the API made, with its keys; 409 for others."""
    async with control.services.database.write() as unit:
        await change_store.remove_endpoint(unit, name)
        await audit.record(unit, actor_of(admin), "endpoints.remove", f"endpoint:{name}")
        row = await store.get_endpoint(unit, name)
    return await _view(row, admin, control)


@router.post("/{name}/detach")
async def detach(name: str, admin: AdminOf, control: ControlOf) -> EndpointView:
    """Take an endpoint from the configuration file's hands: from now on it is changed here."""
    async with control.services.database.write() as unit:
        await change_store.detach_endpoint(unit, name)
        await audit.record(unit, actor_of(admin), "endpoints.detach", f"endpoint:{name}")
        row = await store.get_endpoint(unit, name)
    return await _view(row, admin, control)


@router.post("/{name}/keys", status_code=201)
async def add_key(name: str, order: KeyOrder, admin: AdminOf, control: ControlOf) -> EndpointView:
    """Give an endpoint one more key; all of them take turns. It is kept encrypted."""
    if (fault := fault_of_key(order.api_key)) is not None:
        raise InvalidRequestError(f"api_key {fault}", details={"param": "api_key"})
    key = ProviderKey(order.name, order.api_key)
    async with control.services.database.write() as unit:
        await change_store.add_key(unit, name, key, _master(control))
        details = {"key": order.name}
        await audit.record(unit, actor_of(admin), "endpoints.add_key", f"endpoint:{name}", details)
        row = await store.get_endpoint(unit, name)
    return await _view(row, admin, control)


@router.delete("/{name}/keys/{key}")
async def remove_key(name: str, key: str, admin: AdminOf, control: ControlOf) -> EndpointView:
    """Delete a stored key of an endpoint."""
    async with control.services.database.write() as unit:
        await change_store.remove_key(unit, name, key)
        subject = f"endpoint:{name}"
        await audit.record(unit, actor_of(admin), "endpoints.remove_key", subject, {"key": key})
        row = await store.get_endpoint(unit, name)
    return await _view(row, admin, control)


async def _view(row: EndpointRow, viewer: Viewer, control: Control) -> EndpointView:
    """Return an endpoint as it was read or written, with its recent errors for an admin."""
    services = control.services
    errors: Mapping[str, Sequence[EndpointError]] = {}
    if viewer.is_admin:
        # In a unit of its own: nobody waits to write while attempts are looked through.
        async with services.database.read() as unit:
            errors = await recent_errors(unit)
    recent = errors.get(row.declared.endpoint.name, ())
    return view_of(row, services.figures().seen(), services.builtin_here, recent)


def _by_hand(wanted: EndpointChange) -> ByHand:
    enabled, priority = wanted.enabled, wanted.priority
    if enabled is None and priority is None:
        raise InvalidRequestError("say what is to be changed: enabled or priority")
    categories = enabled if isinstance(enabled, dict) else {}
    priorities = priority if isinstance(priority, dict) else {}
    check_categories("enabled", categories)
    check_categories("priority", priorities)
    return ByHand(
        enabled=enabled if isinstance(enabled, bool) else None,
        categories=categories,
        priority=priority if isinstance(priority, int) else None,
        category_priority=priorities,
    )


def _master(control: Control) -> bytes:
    master = control.services.master
    if not master:
        raise ConfigurationError("there is no master key here to encrypt provider keys with")
    return master


def _absent(listed: Container[str]) -> list[AbsentEndpoint]:
    return [
        AbsentEndpoint(
            name=one.name,
            display_name=one.display_name,
            provider=one.provider or one.name,
            key_variable=one.api_key_env or None,
            address_variable=one.base_url_env or None,
        )
        for one in _known().values()
        if one.name not in listed
    ]


@cache
def _known() -> Mapping[str, KnownEndpoint]:
    return load_known().endpoints
