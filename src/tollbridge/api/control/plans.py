"""Which plans are there, what does each allow, and what did it say before?"""

from typing import Annotated

from fastapi import APIRouter, Query
from pydantic import BaseModel

from tollbridge.api.control.page import Query as Parameters
from tollbridge.api.control.plan_views import (
    Plan,
    PlanChange,
    PlanOrder,
    PlanVersionShown,
    changed_terms,
    read_terms,
    shown_plan,
    shown_version,
)
from tollbridge.api.deps import SIGNED_IN, AdminOf, ControlOf, actor_of
from tollbridge.ledger import plans_store as store

router = APIRouter(prefix="/plans", tags=["plans"])


class PlanQuery(Parameters):
    """Which plans."""

    active: bool | None = None


class PlanList(BaseModel):
    """Plans, in the order in which they were made."""

    plans: list[Plan]


class PlanVersionList(BaseModel):
    """What a plan said, the newest first."""

    versions: list[PlanVersionShown]


@router.get("", dependencies=[SIGNED_IN])
async def list_all(query: Annotated[PlanQuery, Query()], control: ControlOf) -> PlanList:
    """List the plans. In a limit null is unlimited and 0 allows none; `unlimited` says so too."""
    async with control.services.database.read() as unit:
        rows = await store.list_plans(unit, is_active=query.active)
    return PlanList(plans=[shown_plan(row) for row in rows])


@router.post("", status_code=201)
async def create(order: PlanOrder, viewer: AdminOf, control: ControlOf) -> Plan:
    """Make a plan. 409 where the name is taken."""
    terms = read_terms(order)
    async with control.services.database.write() as unit:
        return shown_plan(await store.create_plan(unit, terms, actor=actor_of(viewer)))


@router.get("/{name}", dependencies=[SIGNED_IN])
async def show(name: str, control: ControlOf) -> Plan:
    """Show one plan."""
    async with control.services.database.read() as unit:
        return shown_plan(await store.get_plan(unit, name))


@router.patch("/{name}")
async def change(name: str, wanted: PlanChange, viewer: AdminOf, control: ControlOf) -> Plan:
    """Change a plan, at once and for everybody who has it; what it said before is kept.

    With `version`, 409 where somebody else has changed it meanwhile.
    """
    actor = actor_of(viewer)
    async with control.services.database.write() as unit:
        before = await store.get_plan(unit, name)
        terms = changed_terms(before.terms, wanted)
        row = await store.change_plan(unit, name, terms, actor=actor, version=wanted.version)
        name = row.terms.name
        if wanted.active:
            await store.switch_plan(unit, name, is_active=True, actor=actor)
        if wanted.default is not None and wanted.default != row.is_default:
            await store.set_default(unit, name if wanted.default else None, actor=actor)
        if wanted.active is False:
            await store.switch_plan(unit, name, is_active=False, actor=actor)
        return shown_plan(await store.get_plan(unit, name))


@router.delete("/{name}", status_code=204)
async def withdraw(name: str, viewer: AdminOf, control: ControlOf) -> None:
    """Withdraw a plan: nobody can subscribe to it any more, who has it keeps it.

    Its name stays its own. `PATCH` with `active` offers it again. 409 for the default plan.
    """
    async with control.services.database.write() as unit:
        await store.switch_plan(unit, name, is_active=False, actor=actor_of(viewer))


@router.get("/{name}/versions", dependencies=[SIGNED_IN])
async def list_versions(name: str, control: ControlOf) -> PlanVersionList:
    """List what a plan said, the newest first."""
    async with control.services.database.read() as unit:
        rows = await store.list_versions(unit, await store.get_plan(unit, name))
    return PlanVersionList(versions=[shown_version(row) for row in rows])
