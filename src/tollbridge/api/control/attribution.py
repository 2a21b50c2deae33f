"""By which rules is it found who served, how does one change them, and what do they say?"""

from typing import Annotated

from fastapi import APIRouter, Depends
from fastapi import Query as QueryParameters

from tollbridge.api.control.attribution_views import (
    AttributionRule,
    ExplainQuery,
    Explanation,
    RuleEdit,
    RuleList,
    RuleOrder,
    RuleSequence,
    RuleSwitch,
    explanation_view,
    own_rule_view,
    rule_view,
)
from tollbridge.api.deps import SIGNED_IN, ControlOf, Viewer, actor_of, admin_of
from tollbridge.attribution import store
from tollbridge.attribution.explain import explain
from tollbridge.attribution.rules import builtin
from tollbridge.attribution.ruling import version_of
from tollbridge.attribution.stored import in_force, listed
from tollbridge.core.errors import InvalidRequestError
from tollbridge.storage.unit import Unit

router = APIRouter(prefix="/attribution", tags=["attribution"])
AdminOf = Annotated[Viewer, Depends(admin_of)]


@router.get("/explain", dependencies=[SIGNED_IN])
async def show_explanation(
    query: Annotated[ExplainQuery, QueryParameters()], control: ControlOf
) -> Explanation:
    """Say who served by what is given: every rule tried, which matched, on which words."""
    async with control.services.database.read() as unit:
        rules = await control.rule_book.current(unit)
    return explanation_view(explain(query.evidence(), rules))


@router.get("/rules", dependencies=[SIGNED_IN])
async def list_rules(control: ControlOf) -> RuleList:
    """List all rules in the order in which they are tried, those that are off too."""
    async with control.services.database.read() as unit:
        return await _listed(unit)


@router.post("/rules", status_code=201)
async def add_rule(order: RuleOrder, viewer: AdminOf, control: ControlOf) -> AttributionRule:
    """Add a rule behind your others, in force within a second. 409 where the id is taken."""
    services = control.services
    rule = order.rule()
    async with services.database.write() as unit:
        made = await store.add_rule(
            unit, rule, actor=actor_of(viewer), now_us=services.clock.now_us()
        )
    return own_rule_view(made, rule)


@router.post("/rules/actions/switch")
async def switch_rule(wanted: RuleSwitch, viewer: AdminOf, control: ControlOf) -> RuleList:
    """Switch a rule on or off, one of yours or a built-in one, within a second."""
    services = control.services
    async with services.database.write() as unit:
        await store.switch_rule(
            unit,
            wanted.id,
            enabled=wanted.enabled,
            actor=actor_of(viewer),
            now_us=services.clock.now_us(),
        )
        return await _listed(unit)


@router.post("/rules/actions/reorder")
async def reorder_rules(wanted: RuleSequence, viewer: AdminOf, control: ControlOf) -> RuleList:
    """Put your rules into this order; within a rank the first one that matches decides."""
    services = control.services
    async with services.database.write() as unit:
        await store.reorder_rules(
            unit, wanted.ids, actor=actor_of(viewer), now_us=services.clock.now_us()
        )
        return await _listed(unit)


@router.put("/rules/{rule_id}")
async def edit_rule(
    rule_id: str, wanted: RuleEdit, viewer: AdminOf, control: ControlOf
) -> AttributionRule:
    """Replace one of your rules, within a second. 409 where it was changed since it was seen."""
    if wanted.id != rule_id:
        raise InvalidRequestError("the id is not the address's", details={"param": "id"})
    services = control.services
    rule = wanted.rule()
    async with services.database.write() as unit:
        made = await store.edit_rule(
            unit, rule, wanted.version, actor=actor_of(viewer), now_us=services.clock.now_us()
        )
    return own_rule_view(made, rule)


@router.delete("/rules/{rule_id}", status_code=204)
async def remove_rule(rule_id: str, viewer: AdminOf, control: ControlOf) -> None:
    """Remove one of your rules. 409 for a built-in one: that can be switched off."""
    async with control.services.database.write() as unit:
        await store.remove_rule(unit, rule_id, actor=actor_of(viewer))


async def _listed(unit: Unit) -> RuleList:
    stored = await store.load_stored(unit)
    return RuleList(
        rules=[rule_view(one) for one in listed(builtin(), stored)],
        rules_version=version_of(in_force(builtin(), stored)),
    )
