"""How much may be spent, and how much of it is?"""

from typing import Annotated

from fastapi import APIRouter, Query

from tollbridge.api.control.budget_views import (
    Budget,
    BudgetChange,
    BudgetOrder,
    BudgetPage,
    budget_view,
    changed_terms,
    terms_of,
)
from tollbridge.api.control.page import PageQuery, cut, decode_cursor
from tollbridge.api.deps import ControlOf, ManagerOf, Viewer, ViewerOf, actor_of
from tollbridge.core.errors import InvalidRequestError, PermissionDeniedError
from tollbridge.core.provider_names import ProviderNames
from tollbridge.insight.resource_queries import BudgetNow, corrected_of, list_budgets
from tollbridge.insight.sight_queries import PROJECT
from tollbridge.ledger import store
from tollbridge.ledger.budgets import BudgetRow, BudgetTerms
from tollbridge.routing.store import list_endpoints
from tollbridge.storage import audit
from tollbridge.storage.unit import Unit

router = APIRouter(prefix="/budgets", tags=["budgets"])


@router.get("")
async def list_page(
    query: Annotated[PageQuery, Query()], viewer: ViewerOf, control: ControlOf
) -> BudgetPage:
    """List budgets by name; whoever is no admin sees those of their user and its keys."""
    after = "" if query.cursor is None else decode_cursor(query.cursor, tuple[str])[0]
    services = control.services
    async with services.database.read() as unit:
        rows = await list_budgets(unit, services.billing_zone, viewer.sight, after, query.limit + 1)
    page, following = cut(rows, query.limit, lambda row: (row.row.terms.name,))
    return BudgetPage(budgets=[budget_view(row) for row in page], next_cursor=following)


@router.post("", status_code=201)
async def create(order: BudgetOrder, viewer: ManagerOf, control: ControlOf) -> Budget:
    """Add a budget, in force on all workers within a second.

    It counts from now on. A manager may do so for their projects (`project:<name>`). 409 where the
    name is taken.
    """
    terms = terms_of(order)
    _require(viewer, terms)
    async with control.services.database.write() as unit:
        await _check_provider(unit, terms, control.provider_names)
        row = await store.create_budget(unit, terms)
        details = {"subject": terms.subject, "kind": terms.kind.value}
        await audit.record(
            unit, actor_of(viewer), "budgets.create", f"budget:{row.terms.name}", details
        )
        return await _now(unit, row, control)


@router.patch("/{name}")
async def change(name: str, wanted: BudgetChange, viewer: ManagerOf, control: ControlOf) -> Budget:
    """Change a budget's limit, period or hardness, or switch it on or off, within a second.

    A limit below what is spent is allowed: nothing more is granted. 409 for a budget that the
    configuration file declares.
    """
    async with control.services.database.write() as unit:
        found = await store.get_budget(unit, name)
        _require(viewer, found.terms)
        terms = changed_terms(found.terms, wanted)
        enabled = found.enabled if wanted.enabled is None else wanted.enabled
        row = await store.change_budget(unit, terms, enabled=enabled)
        details = wanted.model_dump(exclude_unset=True)
        await audit.record(unit, actor_of(viewer), "budgets.change", f"budget:{name}", details)
        return await _now(unit, row, control)


@router.delete("/{name}")
async def disable(name: str, viewer: ManagerOf, control: ControlOf) -> Budget:
    """Switch a budget off: nothing is refused or counted for it. What it has counted is kept."""
    return await change(name, BudgetChange(enabled=False), viewer, control)


async def _now(unit: Unit, row: BudgetRow, control: ControlOf) -> Budget:
    state = await store.period_state(unit, row, control.services.billing_zone)
    corrected = await corrected_of(unit, [(row.budget_id, state.period_start_us)])
    return budget_view(BudgetNow(row, state, corrected.get(row.budget_id, 0)))


def _require(viewer: Viewer, terms: BudgetTerms) -> None:
    if terms.subject.startswith(PROJECT):
        viewer.require_project(terms.subject.removeprefix(PROJECT))
    elif not viewer.is_admin:
        raise PermissionDeniedError("only an admin may do this but for a project's budgets")


async def _check_provider(unit: Unit, terms: BudgetTerms, names: ProviderNames) -> None:
    """Raise InvalidRequestError for a provider that nobody has heard of."""
    if not terms.provider or terms.provider in names.shown:
        return
    served = {one.declared.endpoint.provider for one in await list_endpoints(unit)}
    if terms.provider not in served:
        raise InvalidRequestError(
            f"there is no provider {terms.provider!r}; there are {', '.join(sorted(served))}",
            details={"param": "provider"},
        )
