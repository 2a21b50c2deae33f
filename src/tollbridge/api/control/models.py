"""Which models are there, and how does one change them?

A model's name may have slashes. So what is done to models is under `/models/actions/`, with the
names in the query or the body; no model can be called so.
"""

from typing import Annotated, Literal

from fastapi import APIRouter, Depends, Response
from fastapi import Query as QueryParameters
from pydantic import BaseModel, ConfigDict, Field

from tollbridge.api.control.model_views import (
    ChangePage,
    ComparedField,
    Comparison,
    Model,
    ModelEdit,
    ModelList,
    ModelOrder,
    ModelPage,
    ModelTable,
    change_view,
    model_view,
)
from tollbridge.api.control.page import (
    PageQuery,
    Query,
    cut,
    decode_cursor,
)
from tollbridge.api.deps import SIGNED_IN, ControlOf, Viewer, actor_of, admin_of
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.models import ModelType
from tollbridge.rating import model_store as store
from tollbridge.rating.model_changes import ModelFilter
from tollbridge.rating.model_costs import priced
from tollbridge.rating.model_export import compare, csv_of, json_of
from tollbridge.rating.prices import NAME_MAX

router = APIRouter(prefix="/models", tags=["models"])
EXPORT_ROWS_MAX = 10_000
COMPARED_MAX = 10

AdminOf = Annotated[Viewer, Depends(admin_of)]
Name = Annotated[str, Field(min_length=1, max_length=NAME_MAX)]
Capability = Literal["json_mode", "vision", "function_calling"]


class WhichModels(Query):
    """Which models; filters are joined by and."""

    model_type: ModelType | None = Field(default=None, alias="type")
    provider: str | None = Field(default=None, max_length=NAME_MAX)
    active: bool | None = None
    default: bool | None = None
    capabilities: list[Capability] = Field(
        default=[], max_length=3, description="Those that a model must have; may be given again."
    )
    search: str | None = Field(
        default=None, max_length=NAME_MAX, description="In name, display name or description."
    )

    def filter(self) -> ModelFilter:
        """Return what the store is asked."""
        return ModelFilter(
            model_type=self.model_type,
            provider=self.provider,
            is_active=self.active,
            is_default=self.default,
            capabilities=tuple(self.capabilities),
            search=self.search,
        )


class ModelQuery(WhichModels, PageQuery):
    """Which models, and which page of them."""


class ExportQuery(WhichModels):
    """Which models, and how they are written."""

    format: Literal["csv", "json"] = "csv"


class HistoryQuery(PageQuery):
    """Whose history."""

    name: Name


class CompareQuery(Query):
    """Which models are compared."""

    name: list[Name] = Field(
        min_length=2, max_length=COMPARED_MAX, description="Given once for each model."
    )


class Names(BaseModel):
    """Which models are switched."""

    model_config = ConfigDict(extra="forbid")

    names: list[Name] = Field(min_length=1, max_length=store.SWITCHED_AT_ONCE_MAX)


class OneName(BaseModel):
    """Which model becomes the default of its type."""

    model_config = ConfigDict(extra="forbid")

    name: Name


class Restoration(BaseModel):
    """Which state comes back."""

    model_config = ConfigDict(extra="forbid")

    name: Name
    change_id: int = Field(ge=0, le=2**63 - 1, description="The state after this change.")
    version: int = Field(ge=0, le=2**31 - 1, description="Of the model as it was last seen.")


@router.get("", dependencies=[SIGNED_IN])
async def list_page(
    query: Annotated[ModelQuery, QueryParameters()], control: ControlOf
) -> ModelPage:
    """List models by sort_order and name, with the prices in force."""
    after = None if query.cursor is None else decode_cursor(query.cursor, tuple[int, str])
    async with control.services.database.read() as unit:
        rows = await store.list_models(unit, query.filter(), after, query.limit + 1)
        book = await control.price_books.current(unit)
    page, following = cut(rows, query.limit, lambda row: (row.sort_order, row.model_name))
    now_us = control.services.clock.now_us()
    return ModelPage(
        models=[model_view(priced(row, book, now_us)) for row in page],
        next_cursor=following,
    )


@router.post("", status_code=201)
async def create(order: ModelOrder, viewer: AdminOf, control: ControlOf) -> Model:
    """Add a model, on all workers within a second. 409 where the name is taken."""
    services = control.services
    async with services.database.write() as unit:
        made = await store.create_model(
            unit, order.given(), actor=actor_of(viewer), now_us=services.clock.now_us()
        )
    return model_view(made)


@router.post("/actions/activate")
async def activate(wanted: Names, viewer: AdminOf, control: ControlOf) -> ModelList:
    """Activate models, all or none, on all workers within a second."""
    return await _switch(wanted, viewer, control, is_active=True)


@router.post("/actions/deactivate")
async def deactivate(wanted: Names, viewer: AdminOf, control: ControlOf) -> ModelList:
    """Deactivate models, all or none: calls for them are refused, unless a route serves the name.

    409 where one of them is the default of its type.
    """
    return await _switch(wanted, viewer, control, is_active=False)


@router.post("/actions/set-default")
async def set_default(wanted: OneName, viewer: AdminOf, control: ControlOf) -> Model:
    """Make a model the one that calls of its type take which name none. 409 for an inactive one."""
    services = control.services
    async with services.database.write() as unit:
        model = await store.set_default(
            unit, wanted.name, actor=actor_of(viewer), now_us=services.clock.now_us()
        )
    return model_view(model)


@router.post("/actions/restore")
async def restore(wanted: Restoration, viewer: AdminOf, control: ControlOf) -> Model:
    """Bring a model back to what it was after an earlier change, its prices too.

    That is a change of its own. 409 where the model was changed since it was seen.
    """
    services = control.services
    async with services.database.write() as unit:
        model = await store.restore_model(
            unit,
            wanted.name,
            wanted.change_id,
            wanted.version,
            actor=actor_of(viewer),
            now_us=services.clock.now_us(),
        )
    return model_view(model)


@router.get("/actions/history", dependencies=[SIGNED_IN])
async def history(
    query: Annotated[HistoryQuery, QueryParameters()], control: ControlOf
) -> ChangePage:
    """List a model's changes, the newest first: who, when, what, before and after."""
    before = None if query.cursor is None else decode_cursor(query.cursor, tuple[int])[0]
    async with control.services.database.read() as unit:
        await store.get_model(unit, query.name, control.services.clock.now_us())
        rows = await store.list_changes(unit, query.name, before, query.limit + 1)
    page, following = cut(rows, query.limit, lambda row: (row.change_id,))
    return ChangePage(
        changes=[change_view(row) for row in page],
        next_cursor=following,
    )


@router.get("/actions/compare", dependencies=[SIGNED_IN])
async def show_side_by_side(
    query: Annotated[CompareQuery, QueryParameters()], control: ControlOf
) -> Comparison:
    """Show two or more models side by side, with the prices in force."""
    now_us = control.services.clock.now_us()
    async with control.services.database.read() as unit:
        found = await store.get_models(unit, query.name, now_us)
    return Comparison(
        models=[one.model_name for one in found],
        fields=[
            ComparedField(field=row.field, values=list(row.values), differs=row.differs)
            for row in compare(found)
        ],
    )


@router.get(
    "/actions/export",
    dependencies=[SIGNED_IN],
    response_class=Response,
    responses={200: {"model": ModelTable, "content": {"text/csv": {}}}},
)
async def export(query: Annotated[ExportQuery, QueryParameters()], control: ControlOf) -> Response:
    """Give the pricing table as a file, CSV or JSON, with the prices in force."""
    async with control.services.database.read() as unit:
        rows = await store.list_models(unit, query.filter(), None, EXPORT_ROWS_MAX + 1)
        book = await control.price_books.current(unit)
    if len(rows) > EXPORT_ROWS_MAX:
        raise InvalidRequestError(f"more than {EXPORT_ROWS_MAX} models: filter them")
    now_us = control.services.clock.now_us()
    models = [priced(row, book, now_us) for row in rows]
    is_csv = query.format == "csv"
    return Response(
        csv_of(models).encode() if is_csv else json_of(models),
        media_type="text/csv; charset=utf-8" if is_csv else "application/json",
        headers={"content-disposition": f'attachment; filename="models.{query.format}"'},
    )


@router.get("/{name:path}", dependencies=[SIGNED_IN])
async def show(name: str, control: ControlOf) -> Model:
    """Show one model with the prices in force; its name may have slashes."""
    async with control.services.database.read() as unit:
        return model_view(await store.get_model(unit, name, control.services.clock.now_us()))


@router.patch("/{name:path}")
async def edit(name: str, wanted: ModelEdit, viewer: AdminOf, control: ControlOf) -> Model:
    """Change a model, on all workers within a second; what is left out stays.

    A price is a new price version from this moment, null takes it back. 409 where the model was
    changed since the version that is named.
    """
    services = control.services
    async with services.database.write() as unit:
        model = await store.edit_model(
            unit,
            name,
            wanted.version,
            wanted.given(),
            actor=actor_of(viewer),
            now_us=services.clock.now_us(),
        )
    return model_view(model)


async def _switch(
    wanted: Names, viewer: Viewer, control: ControlOf, *, is_active: bool
) -> ModelList:
    services = control.services
    async with services.database.write() as unit:
        switched = await store.switch_models(
            unit,
            wanted.names,
            is_active=is_active,
            actor=actor_of(viewer),
            now_us=services.clock.now_us(),
        )
    return ModelList(models=[model_view(one) for one in switched])
