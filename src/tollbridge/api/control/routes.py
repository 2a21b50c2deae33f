"""Which names can applications ask for, and who serves them?"""

from typing import Annotated

from fastapi import APIRouter
from pydantic import BaseModel, ConfigDict, Field

from tollbridge.api.control.endpoint_views import ModelName, Name, Priority
from tollbridge.api.control.page import instant_text
from tollbridge.api.deps import SIGNED_IN, AdminOf, ControlOf, actor_of
from tollbridge.core.call import Bucket, OnContentFiltered
from tollbridge.core.errors import ConfigurationError, InvalidRequestError
from tollbridge.core.models import ModelType
from tollbridge.routing import change_store, store
from tollbridge.routing.part import CandidateEntry, Order, RouteEntry, RouteName, RouteRow
from tollbridge.storage import audit
from tollbridge.storage.unit import Unit

router = APIRouter(prefix="/routes", tags=["routing"])
CANDIDATES_MAX = 50
WEIGHT_MAX = 1_000_000
HEDGE_AFTER_MS_MAX = 600_000


class Candidate(BaseModel):
    """One endpoint of a route, with that provider's own name of the model."""

    endpoint: Name
    model: ModelName
    priority: Priority = Field(description="Lower is tried first.")
    weight: Annotated[int, Field(ge=0, le=WEIGHT_MAX)] = Field(
        1, description="Share among those of equal priority."
    )


class Route(BaseModel):
    """A name that applications ask for."""

    model: str
    category: str
    order: str = Field(description="priority, weighted, cheapest or fastest.")
    enabled: bool
    keep_content: bool = Field(description="Whether prompts and answers of its calls are kept.")
    hedge_after_ms: int | None = Field(
        description="After so long without a first byte the second candidate is asked too."
    )
    bucket: str | None = Field(
        description="What its calls count in; null: what operation and model's author say."
    )
    on_content_filtered: str = Field(
        description="final or fallback: whether what one filter refuses is asked of the next."
    )
    source: str = Field(description="file or api: who may change it.")
    candidates: list[Candidate] = Field(
        description="Empty: the category's endpoints in order, each with its default model."
    )
    withdrawn_at: str | None = Field(description="Since when its source no longer declares it.")


class RouteList(BaseModel):
    """All written routes by model and category; `GET /v1/models` lists every name."""

    routes: list[Route]


class RouteOrder(BaseModel):
    """A route to be made, or made anew."""

    model_config = ConfigDict(extra="forbid")

    model: ModelName
    category: ModelType = ModelType.TEXT
    order: Order = Order.PRIORITY
    candidates: Annotated[list[Candidate], Field(max_length=CANDIDATES_MAX)] = Field(
        default=[], description="None: the category's endpoints, each with its default model."
    )
    keep_content: bool = False
    hedge_after_ms: Annotated[int, Field(ge=1, le=HEDGE_AFTER_MS_MAX)] | None = None
    bucket: Bucket | None = Field(
        None, description="What its calls count in, whoever serves them and whatever they ask."
    )
    on_content_filtered: OnContentFiltered = Field(
        OnContentFiltered.FINAL,
        description="Whether what one candidate's filter refuses is asked of the next.",
    )


class RouteSwitch(BaseModel):
    """What is changed of a route; for anything else it is put anew."""

    model_config = ConfigDict(extra="forbid")

    enabled: bool


class RouteOf(BaseModel):
    """Which route."""

    model_config = ConfigDict(extra="forbid")

    model: ModelName
    category: ModelType = ModelType.TEXT


@router.get("", dependencies=[SIGNED_IN])
async def list_all(control: ControlOf) -> RouteList:
    """List all written routes, withdrawn ones too."""
    async with control.services.database.read() as unit:
        rows = await store.list_routes(unit)
    return RouteList(routes=[_route(row) for row in rows])


@router.post("", status_code=201)
async def put(order: RouteOrder, admin: AdminOf, control: ControlOf) -> Route:
    """Make or replace a route, on all workers within a second.

    409 for one that the configuration file declares.
    """
    entry = RouteEntry(
        model=order.model,
        category=order.category.value,
        order=order.order.value,
        candidates=tuple(
            CandidateEntry(one.endpoint, one.model, one.priority, one.weight)
            for one in order.candidates
        ),
        keep_content=order.keep_content,
        hedge_after_ms=order.hedge_after_ms,
        bucket=order.bucket,
        on_content_filtered=order.on_content_filtered,
    )
    async with control.services.database.write() as unit:
        try:
            await change_store.put_route(unit, entry)
        except ConfigurationError as error:
            raise InvalidRequestError(error.message, details={"param": "candidates"}) from error
        name = (entry.model, entry.category)
        details = order.model_dump(mode="json", exclude={"model", "category"})
        await audit.record(unit, actor_of(admin), "routes.put", _subject(name), details)
        return await _one(unit, name)


@router.post("/detach")
async def detach(wanted: RouteOf, admin: AdminOf, control: ControlOf) -> Route:
    """Take a route from the configuration file's hands: from now on it is changed here."""
    name = (wanted.model, wanted.category.value)
    async with control.services.database.write() as unit:
        await change_store.detach_route(unit, name)
        await audit.record(unit, actor_of(admin), "routes.detach", _subject(name))
        return await _one(unit, name)


@router.patch("/{category}/{model:path}")
async def change(
    category: ModelType, model: str, wanted: RouteSwitch, admin: AdminOf, control: ControlOf
) -> Route:
    """Switch a route on or off, on all workers within a second."""
    name = (model, category.value)
    async with control.services.database.write() as unit:
        await change_store.enable_route(unit, name, enabled=wanted.enabled)
        details = {"enabled": wanted.enabled}
        await audit.record(unit, actor_of(admin), "routes.change", _subject(name), details)
        return await _one(unit, name)


@router.delete("/{category}/{model:path}")
async def remove(category: ModelType, model: str, admin: AdminOf, control: ControlOf) -> Route:
    """Withdraw a route that the API made. Its name may then be served by what follows by itself."""
    name = (model, category.value)
    async with control.services.database.write() as unit:
        await change_store.remove_route(unit, name)
        await audit.record(unit, actor_of(admin), "routes.remove", _subject(name))
        return await _one(unit, name)


async def _one(unit: Unit, name: RouteName) -> Route:
    return _route(await store.get_route(unit, name))


def _subject(name: RouteName) -> str:
    return f"route:{name[0]} ({name[1]})"


def _route(row: RouteRow) -> Route:
    return Route(
        model=row.entry.model,
        category=row.entry.category,
        order=row.entry.order,
        enabled=row.enabled,
        keep_content=row.entry.keep_content,
        hedge_after_ms=row.entry.hedge_after_ms,
        bucket=row.entry.bucket,
        on_content_filtered=row.entry.on_content_filtered,
        source=row.source,
        candidates=[
            Candidate(
                endpoint=one.endpoint, model=one.model, priority=one.priority, weight=one.weight
            )
            for one in row.entry.candidates
        ],
        withdrawn_at=instant_text(row.withdrawn_at_us),
    )
