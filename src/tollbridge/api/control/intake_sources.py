"""Who may report, and which names does each source know?"""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi import Query as QueryParameters
from pydantic import BaseModel, ConfigDict, Field

from tollbridge.api.control.page import (
    NextCursor,
    PageQuery,
    cut,
    decode_cursor,
    instant_text,
)
from tollbridge.api.deps import ADMIN, ControlOf, Viewer, actor_of, admin_of
from tollbridge.recording import intake_registry_store as store
from tollbridge.recording.intake_registry import Kind, RegisteredName, SourceTerms

router = APIRouter(prefix="/intake/sources", tags=["intake"])
AdminOf = Annotated[Viewer, Depends(admin_of)]

NAMES_MAX = 5000
Name = Annotated[str, Field(min_length=1, max_length=255)]


class IntakeSource(BaseModel):
    """A gateway that reports."""

    source: str
    keys: list[str] = Field(description="API keys that may report for it besides its namesake.")
    charges: bool = Field(description="Whether budgets of the caller that a report names pay.")
    enabled: bool = Field(description="False: no longer in the configuration file; 403.")
    origin: str = Field(description="file: only the configuration file changes it; or api.")
    created_at: str | None
    updated_at: str | None
    updated_by: str


class IntakeSourceList(BaseModel):
    """All registered sources."""

    sources: list[IntakeSource]


class SourceOrder(BaseModel):
    """Who may report for a source."""

    model_config = ConfigDict(extra="forbid")

    keys: list[Name] = Field(default=[], max_length=100)
    charges: bool = Field(
        default=False,
        description="Whether the budgets of the caller that a report names pay for it. No report "
        "is refused for that.",
    )
    enabled: bool = Field(default=True, description="Whether reports are taken from it.")


class SourceEntry(BaseModel):
    """One id of a source, and what it stands for."""

    model_config = ConfigDict(extra="forbid")

    kind: Kind
    id: Name
    name: Name
    provider_type: Name | None = Field(
        default=None, description="Of a provider: whose it is, by any name that is known for it."
    )
    models: list[Name] | None = Field(
        default=None, max_length=10_000, description="Of a provider: its models, where told."
    )
    model_id: Name | None = Field(default=None, description="Of a route: the model's id.")


class SourceEntries(BaseModel):
    """Names to be registered."""

    model_config = ConfigDict(extra="forbid")

    names: list[SourceEntry] = Field(min_length=1, max_length=NAMES_MAX)


class Registered(BaseModel):
    """How many names were registered."""

    registered: int


class NameQuery(PageQuery):
    """Which names."""

    kind: Kind | None = None


class NamePage(BaseModel):
    """A page of names, by kind and id."""

    names: list[SourceEntry]
    next_cursor: NextCursor


@router.get("", dependencies=[ADMIN])
async def list_all(control: ControlOf) -> IntakeSourceList:
    """List the registered sources by name."""
    async with control.services.database.read() as unit:
        rows = await store.list_sources(unit)
    return IntakeSourceList(
        sources=[
            IntakeSource(
                source=row.source,
                keys=list(row.terms.keys),
                charges=row.terms.charges,
                enabled=row.terms.enabled,
                origin=row.origin,
                created_at=instant_text(row.created_at_us),
                updated_at=instant_text(row.updated_at_us),
                updated_by=row.updated_by,
            )
            for row in rows
        ]
    )


@router.put("/{source}", status_code=204)
async def register(source: str, order: SourceOrder, viewer: AdminOf, control: ControlOf) -> None:
    """Register a source, or say anew what is agreed with it. 409 for one of the file."""
    services = control.services
    terms = SourceTerms(keys=tuple(order.keys), charges=order.charges, enabled=order.enabled)
    async with services.database.write() as unit:
        await store.put_source(
            unit, source, terms, actor=actor_of(viewer), now_us=services.clock.now_us()
        )


@router.post("/{source}/detach", status_code=204)
async def detach(source: str, viewer: AdminOf, control: ControlOf) -> None:
    """Take a source over from the configuration file: what that says of it counts no more."""
    async with control.services.database.write() as unit:
        await store.detach_source(unit, source, actor=actor_of(viewer))


@router.get("/{source}/names", dependencies=[ADMIN])
async def list_names(
    source: str, query: Annotated[NameQuery, QueryParameters()], control: ControlOf
) -> NamePage:
    """List the names that a source's reports are checked by."""
    after = ("", "") if query.cursor is None else decode_cursor(query.cursor, tuple[str, str])
    async with control.services.database.read() as unit:
        await store.require_source(unit, source)
        rows = await store.list_names(unit, source, query.kind, after, query.limit + 1)
    page, following = cut(rows, query.limit, lambda one: (one.kind.value, one.id))
    return NamePage(names=[_entry(one) for one in page], next_cursor=following)


@router.put("/{source}/names")
async def register_names(
    source: str, entries: SourceEntries, viewer: AdminOf, control: ControlOf
) -> Registered:
    """Register names of a source or change them; the others stay. In force at once.

    A kind of which nothing is registered is not checked. What was counted keeps its names.
    """
    services = control.services
    names = [
        RegisteredName(
            kind=one.kind,
            id=one.id,
            name=one.name,
            provider_type=one.provider_type,
            models=None if one.models is None else tuple(one.models),
            model_id=one.model_id,
        )
        for one in entries.names
    ]
    async with services.database.write() as unit:
        count = await store.put_names(unit, source, names, actor=actor_of(viewer))
    return Registered(registered=count)


@router.delete("/{source}/names/{kind}/{reported_id:path}", status_code=204)
async def remove_name(
    source: str, kind: Kind, reported_id: str, viewer: AdminOf, control: ControlOf
) -> None:
    """Take a name out of a source's registry; what was counted keeps it."""
    async with control.services.database.write() as unit:
        await store.remove_name(unit, source, kind, reported_id, actor=actor_of(viewer))


def _entry(one: RegisteredName) -> SourceEntry:
    return SourceEntry(
        kind=one.kind,
        id=one.id,
        name=one.name,
        provider_type=one.provider_type,
        models=None if one.models is None else list(one.models),
        model_id=one.model_id,
    )
