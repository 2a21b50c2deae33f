"""Which names can applications ask for, and who serves them?"""

from fastapi import APIRouter
from pydantic import BaseModel, Field

from tollbridge.api.control.page import instant_text
from tollbridge.api.deps import SIGNED_IN, ControlOf
from tollbridge.routing import store
from tollbridge.routing.part import RouteRow

router = APIRouter(prefix="/routes", tags=["routing"])


class Candidate(BaseModel):
    """One endpoint of a route, with that provider's own name of the model."""

    endpoint: str
    model: str
    priority: int = Field(description="Lower is tried first.")
    weight: int = Field(description="Share among those of equal priority.")


class Route(BaseModel):
    """A name that applications ask for."""

    model: str
    category: str
    order: str
    enabled: bool
    keep_content: bool = Field(description="Whether prompts and answers of its calls are kept.")
    source: str = Field(description="file or api: who may change it.")
    candidates: list[Candidate] = Field(
        description="Empty: the category's endpoints in order, each with its default model."
    )
    withdrawn_at: str | None = Field(description="Since when its source no longer declares it.")


class RouteList(BaseModel):
    """All written routes by model and category; `GET /v1/models` lists every name."""

    routes: list[Route]


@router.get("", dependencies=[SIGNED_IN])
async def list_all(control: ControlOf) -> RouteList:
    """List all written routes, withdrawn ones too."""
    async with control.services.database.read() as unit:
        rows = await store.list_routes(unit)
    return RouteList(routes=[_route(row) for row in rows])


def _route(row: RouteRow) -> Route:
    return Route(
        model=row.entry.model,
        category=row.entry.category,
        order=row.entry.order,
        enabled=row.enabled,
        keep_content=row.entry.keep_content,
        source=row.source,
        candidates=[
            Candidate(
                endpoint=one.endpoint, model=one.model, priority=one.priority, weight=one.weight
            )
            for one in row.entry.candidates
        ],
        withdrawn_at=instant_text(row.withdrawn_at_us),
    )
