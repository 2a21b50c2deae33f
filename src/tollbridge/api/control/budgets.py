"""How much may be spent, and how much of it is?"""

from typing import Annotated

import msgspec
from fastapi import APIRouter, Query
from pydantic import BaseModel, ConfigDict, Field

from tollbridge.api.control.page import NextCursor, PageQuery, decode_cursor, encode_cursor
from tollbridge.api.deps import ADMIN, ControlOf, ViewerOf
from tollbridge.core.clock import to_text
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.money import parse_usd, to_nanousd, to_usd, usd_text
from tollbridge.insight.resource_queries import BudgetNow, corrected_of, list_budgets
from tollbridge.ledger import store
from tollbridge.ledger.budgets import LIMIT_NANOUSD_MAX

router = APIRouter(prefix="/budgets", tags=["budgets"])


class Budget(BaseModel):
    """A budget with what is spent of it in the running period."""

    budget_id: str
    name: str
    subject: str = Field(description="Whom it binds, such as key:ci.")
    limit_usd: str
    spent_usd: str
    corrected_usd: str = Field(
        description="Of `spent_usd`, what corrections of past calls added, or with a minus took "
        "away; they may take it over the limit, or below nothing."
    )
    leased_usd: str = Field(description="Granted to workers and not spent yet.")
    period: str
    period_start: str
    period_end: str
    hard: bool
    enabled: bool
    source: str = Field(description="file: the configuration file alone changes it; or api.")


class BudgetPage(BaseModel):
    """A page of budgets, by name."""

    budgets: list[Budget]
    next_cursor: NextCursor


class BudgetChange(BaseModel):
    """What is changed of a budget; what is left out stays."""

    model_config = ConfigDict(extra="forbid")

    limit_usd: str | None = Field(
        default=None, max_length=40, description='Decimal text such as "1.00".'
    )
    enabled: bool | None = None


@router.get("")
async def list_page(
    query: Annotated[PageQuery, Query()], viewer: ViewerOf, control: ControlOf
) -> BudgetPage:
    """List budgets by name; whoever is no admin sees those of their user and its keys."""
    after = "" if query.cursor is None else decode_cursor(query.cursor, tuple[str])[0]
    services = control.services
    async with services.database.read() as unit:
        rows = await list_budgets(unit, services.billing_zone, viewer.sees, after, query.limit + 1)
    page = rows[: query.limit]
    more = len(rows) > query.limit
    return BudgetPage(
        budgets=[_budget(row) for row in page],
        next_cursor=encode_cursor((page[-1].row.terms.name,)) if more else None,
    )


@router.patch("/{name}", dependencies=[ADMIN])
async def change(name: str, wanted: BudgetChange, control: ControlOf) -> Budget:
    """Change a budget's limit, or switch it on or off, on all workers within a second.

    A limit below what is spent is allowed: nothing more is granted. 409 for a budget that the
    configuration file declares.
    """
    services = control.services
    async with services.database.write() as unit:
        found = await store.get_budget(unit, name)
        terms = found.terms
        if wanted.limit_usd is not None:
            terms = msgspec.structs.replace(terms, limit_nanousd=_limit(wanted.limit_usd))
        enabled = found.enabled if wanted.enabled is None else wanted.enabled
        row = await store.change_budget(unit, terms, enabled=enabled)
        state = await store.period_state(unit, row, services.billing_zone)
        corrected = await corrected_of(unit, [(row.budget_id, state.period_start_us)])
    return _budget(BudgetNow(row, state, corrected.get(row.budget_id, 0)))


def _limit(text: str) -> int:
    details = {"param": "limit_usd"}
    try:
        amount = parse_usd(text)
    except ValueError as error:
        raise InvalidRequestError(f"limit_usd: {error}", details=details) from error
    if not 0 <= amount <= to_usd(LIMIT_NANOUSD_MAX):
        raise InvalidRequestError(
            f"limit_usd is from 0 to {usd_text(LIMIT_NANOUSD_MAX)}", details=details
        )
    nanousd = to_nanousd(amount)
    if to_usd(nanousd) != amount:
        raise InvalidRequestError("limit_usd has at most 9 decimal places", details=details)
    return nanousd


def _budget(now: BudgetNow) -> Budget:
    row, state = now.row, now.state
    return Budget(
        budget_id=row.budget_id,
        name=row.terms.name,
        subject=row.terms.subject,
        limit_usd=usd_text(row.terms.limit_nanousd),
        spent_usd=usd_text(state.spent_nanousd),
        corrected_usd=usd_text(now.corrected_nanousd),
        leased_usd=usd_text(state.leased_nanousd),
        period=row.terms.period,
        period_start=to_text(state.period_start_us),
        period_end=to_text(state.period_end_us),
        hard=row.terms.hard,
        enabled=row.enabled,
        source=row.source,
    )
