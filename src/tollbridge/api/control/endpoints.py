"""Which doors of providers are there, and which are open?"""

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from tollbridge.api.control.page import instant_text
from tollbridge.api.deps import ADMIN, SIGNED_IN, ControlOf
from tollbridge.core.errors import BugError
from tollbridge.routing import store
from tollbridge.routing.part import EndpointRow, Source
from tollbridge.storage.unit import Unit

router = APIRouter(prefix="/endpoints", tags=["routing"])


class Endpoint(BaseModel):
    """A door of a provider. Its key is never shown."""

    name: str
    provider: str
    dialect: str
    base_url: str
    enabled: bool
    disabled_categories: list[str]
    priority: int = Field(description="Lower is tried first.")
    category_priority: dict[str, int]
    default_models: dict[str, str] = Field(description="Category → the provider's own model.")
    models: dict[str, list[str]] = Field(description="Category → models that need no route.")
    on_caller_left: str = Field(description="drain or cancel.")
    quirks: list[str]
    source: str = Field(description="file, api or builtin: who may change it.")
    has_key: bool = Field(
        description="Whether a key is known: stored or, if built in, in this node's environment."
    )
    withdrawn_at: str | None = Field(description="Since when its source no longer declares it.")
    breakers: dict[str, str] = Field(description="Worker → state of its breaker, if not closed.")


class EndpointList(BaseModel):
    """All endpoints by name."""

    endpoints: list[Endpoint]


class EndpointChange(BaseModel):
    """What is changed of an endpoint."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool


@router.get("", dependencies=[SIGNED_IN])
async def list_all(control: ControlOf) -> EndpointList:
    """List all endpoints by name, withdrawn ones too."""
    async with control.services.database.read() as unit:
        rows = await store.list_endpoints(unit)
    return EndpointList(endpoints=[_endpoint(row, control) for row in rows])


@router.patch("/{name}", dependencies=[ADMIN])
async def change(name: str, wanted: EndpointChange, control: ControlOf) -> Endpoint:
    """Switch an endpoint on or off, on all workers within a second.

    409 for one that the configuration file declares.
    """
    async with control.services.database.write() as unit:
        await store.enable_endpoint(unit, name, enabled=wanted.enabled)
        return _endpoint(await _one(unit, name), control)


async def _one(unit: Unit, name: str) -> EndpointRow:
    for row in await store.list_endpoints(unit):
        if row.declared.endpoint.name == name:
            return row
    raise BugError(f"the endpoint {name!r} was changed and is not there")


def _endpoint(row: EndpointRow, control: ControlOf) -> Endpoint:
    endpoint = row.declared.endpoint
    name, here = endpoint.name, control.services.builtin_here
    states = {
        worker.worker: worker.breakers.get(name, "closed")
        for worker in control.services.figures().workers
    }
    return Endpoint(
        name=name,
        provider=endpoint.provider,
        dialect=endpoint.dialect,
        base_url=endpoint.base_url,
        enabled=endpoint.enabled,
        disabled_categories=list(endpoint.disabled_categories),
        priority=endpoint.priority,
        category_priority=endpoint.category_priority,
        default_models=endpoint.default_models,
        models={category: list(models) for category, models in row.declared.models.items()},
        on_caller_left=endpoint.on_caller_left.value,
        quirks=list(endpoint.quirks),
        source=row.source,
        has_key=row.has_key or (row.source == Source.BUILTIN and name in here),
        withdrawn_at=instant_text(row.withdrawn_at_us),
        breakers={worker: state for worker, state in states.items() if state != "closed"},
    )
