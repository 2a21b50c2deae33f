"""Which budgets are there, who holds what, and how is a decision kept?

The statements that run for many rows at once are in `rows.py`, the drain's in `settle.py`; what is
granted is decided in `lease_store.py`.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import UTC, tzinfo
from typing import Any

import msgspec
from sqlalchemy import Row, insert, select, update

from tollbridge.core.call import new_id
from tollbridge.core.errors import ConflictError, NotFoundError
from tollbridge.core.limits import Limit, LimitKind
from tollbridge.ledger import allot as decide
from tollbridge.ledger import rows as locked
from tollbridge.ledger.allot import Book
from tollbridge.ledger.applying import PLAN, LimitsPart, user_and_rule
from tollbridge.ledger.budgets import (
    TERMS,
    BudgetRow,
    BudgetsApplied,
    BudgetSource,
    BudgetTerms,
    LeaseOutstanding,
    LimitNamed,
    PeriodState,
    check_change,
    check_terms,
)
from tollbridge.ledger.periods import period_bounds
from tollbridge.ledger.plans import KIND_OF, RULES
from tollbridge.ledger.tables import budget_periods, budgets, leases
from tollbridge.ledger.wallet_tables import wallets
from tollbridge.ledger.wallets import WalletUnit, wallet_id_of
from tollbridge.storage import versions
from tollbridge.storage.unit import Unit

PART = "limits"
PAGE_ROWS_MAX = 1000


async def load_part(unit: Unit) -> LimitsPart:
    """Return what holds calls back, but for the limits of keys."""
    found = await unit.connection.execute(
        select(budgets).where(budgets.c.enabled).order_by(budgets.c.budget_id)
    )
    by_subject: dict[str, tuple[Limit, ...]] = {}
    for row in found:
        terms = budget_row(row).terms
        by_subject[terms.subject] = (*by_subject.get(terms.subject, ()), terms.limit(row.budget_id))
    return LimitsPart(by_subject=by_subject)


async def list_budgets(unit: Unit, after_name: str = "", limit: int = 100) -> list[BudgetRow]:
    """Return a page of budgets by name, at most 1,000, beginning behind `after_name`."""
    found = await unit.connection.execute(
        select(budgets)
        .where(budgets.c.name > after_name)
        .order_by(budgets.c.name)
        .limit(min(limit, PAGE_ROWS_MAX)),
    )
    return [budget_row(row) for row in found]


async def get_budget(unit: Unit, name: str) -> BudgetRow:
    """Return one budget by name. Raises NotFoundError."""
    found = await find_budget(unit, name)
    if found is None:
        raise NotFoundError(f"there is no budget named {name!r}")
    return found


async def period_state(unit: Unit, budget: BudgetRow, zone: tzinfo = UTC) -> PeriodState:
    """Return what is spent and leased in a budget's running period."""
    start_us, end_us = period_bounds(budget.terms.period, await unit.now_us(), zone)
    found = await unit.connection.execute(
        select(budget_periods.c.spent, budget_periods.c.leased).where(
            budget_periods.c.budget_id == budget.budget_id,
            budget_periods.c.period_start_us == start_us,
        ),
    )
    row = found.first()
    spent, leased = (0, 0) if row is None else (row.spent, row.leased)
    return PeriodState(budget.budget_id, start_us, end_us, spent, leased)


async def create_budget(
    unit: Unit,
    terms: BudgetTerms,
    source: BudgetSource = BudgetSource.API,
) -> BudgetRow:
    """Add a budget. Raises ConflictError where the name is taken, ConfigurationError if wrong."""
    check_terms(terms)
    if await find_budget(unit, terms.name) is not None:
        raise ConflictError(f"there is a budget named {terms.name!r} already")
    now_us = await unit.now_us()
    row = BudgetRow(
        budget_id=new_id(now_us),
        terms=terms,
        enabled=True,
        source=source.value,
        created_at_us=now_us,
        updated_at_us=now_us,
    )
    await unit.connection.execute(
        insert(budgets).values(
            budget_id=row.budget_id,
            enabled=True,
            source=row.source,
            created_at_us=now_us,
            updated_at_us=now_us,
            **_values(terms),
        ),
    )
    await versions.bump(unit, PART)
    return row


async def change_budget(unit: Unit, terms: BudgetTerms, *, enabled: bool = True) -> BudgetRow:
    """Give the budget of that name other terms. A limit below what is spent grants nothing more.

    Raises NotFoundError, ConflictError for a budget that the configuration file declares, and
    ConfigurationError for wrong terms or a change of what is counted.
    """
    found = await get_budget(unit, terms.name)
    if found.source == BudgetSource.FILE:
        raise ConflictError(f"the budget {terms.name!r} is declared in the configuration file")
    if await _set(unit, found, terms, enabled=enabled):
        await versions.bump(unit, PART)
    return await get_budget(unit, terms.name)


async def apply(unit: Unit, declared: Sequence[BudgetTerms]) -> BudgetsApplied:
    """Make the file's budgets what the file says, disable those it no longer declares.

    Twice is once. A budget of that name which the file does not own is left alone.
    Raises ConfigurationError for one that is wrong, or would count something else than before.
    """
    rows = await unit.connection.execute(select(budgets))
    existing = {row.name: budget_row(row) for row in rows}
    changed: list[str] = []
    left_alone: list[str] = []
    for terms in declared:
        check_terms(terms)
        found = existing.get(terms.name)
        if found is None:
            await create_budget(unit, terms, BudgetSource.FILE)
            changed.append(terms.name)
        elif found.source != BudgetSource.FILE:
            left_alone.append(terms.name)
        elif await _set(unit, found, terms, enabled=True):
            changed.append(terms.name)
    names = {terms.name for terms in declared}
    missing = [
        row
        for row in existing.values()
        if row.source == BudgetSource.FILE and row.enabled and row.terms.name not in names
    ]
    for row in missing:
        await _set(unit, row, row.terms, enabled=False)
    if changed or missing:
        await versions.bump(unit, PART)
    return BudgetsApplied(
        changed=tuple(changed),
        disabled=tuple(sorted(row.terms.name for row in missing)),
        left_alone=tuple(left_alone),
    )


async def return_remainder(
    unit: Unit,
    worker: str,
    keep: Mapping[str, int] | None = None,
    *,
    also: Collection[str] = (),
) -> dict[str, int]:
    """End a dead worker's leases, in the unit that drains its last record.

    Returns what is freed, by limit. `keep` (lease id → amount) stays leased: holds of calls in
    quarantine. Doing it again, with less to keep, frees the difference. The granter must have been
    told of the death before. `also` names further workers of whom the same unit does this later.
    """
    if also:
        await locked.lock(unit, (), {worker, *also})
    return await _end(unit, locked.Scope(worker=worker), keep or {})


async def release_node(unit: Unit, node: str) -> dict[str, int]:
    """End what is outstanding of a node that is gone for good; return what is freed, by limit.

    Should it come back, its charges are posted all the same. The caller writes the audit entry.
    """
    return await _end(unit, locked.Scope(node=node), {})


async def list_outstanding_leases(
    unit: Unit,
    node: str | None = None,
    after_lease_id: str = "",
    limit: int = PAGE_ROWS_MAX,
) -> list[LeaseOutstanding]:
    """Return a page of the leases that still count, of one node or all, by lease id."""
    rest = leases.c.granted - leases.c.settled - leases.c.returned
    query = (
        select(leases, rest.label("rest"))
        .where(rest > 0, leases.c.lease_id > after_lease_id)
        .order_by(leases.c.lease_id)
        .limit(min(limit, PAGE_ROWS_MAX))
    )
    if node is not None:
        query = query.where(leases.c.node == node)
    found = (await unit.connection.execute(query)).all()
    named = await limits_named(unit, {row.budget_id for row in found})
    return [
        LeaseOutstanding(
            lease_id=row.lease_id,
            budget_id=row.budget_id,
            budget_name=named[row.budget_id].name,
            period_start_us=row.period_start_us,
            node=row.node,
            worker=row.worker,
            state=row.state,
            outstanding=row.rest,
            kind=named[row.budget_id].kind,
        )
        for row in found
    ]


async def limits_named(unit: Unit, limit_ids: Collection[str]) -> dict[str, LimitNamed]:
    """Return what people call limits, and what these count: of each of the ids."""
    found = dict.fromkeys(limit_ids, LimitNamed())
    wallet_ids: dict[str, str] = {}
    for one in limit_ids:
        if one.startswith(PLAN):
            user, name = user_and_rule(one)
            rule = RULES.get(name)
            kind = None if rule is None else KIND_OF[rule.measure]
            found[one] = LimitNamed(f"plan of {user}: {name}", kind)
        elif (wallet_id := wallet_id_of(one)) is not None:
            wallet_ids[wallet_id] = one
    columns = budgets.c
    for row in await unit.connection.execute(
        select(columns.budget_id, columns.name, columns.kind).where(
            columns.budget_id.in_(list(limit_ids))
        )
    ):
        found[row.budget_id] = LimitNamed(row.name, LimitKind(row.kind))
    for row in await unit.connection.execute(
        select(wallets.c.wallet_id, wallets.c.name, wallets.c.unit).where(
            wallets.c.wallet_id.in_(list(wallet_ids))
        )
    ):
        kind = WalletUnit(row.unit).limit_kind
        found[wallet_ids[row.wallet_id]] = LimitNamed(f"wallet {row.name}", kind)
    return found


async def _end(unit: Unit, scope: locked.Scope, keep: Mapping[str, int]) -> dict[str, int]:
    snapshot = await locked.load(unit, scope, UTC)
    book = Book(snapshot)
    freed = decide.end_leases(book, snapshot.leases.values(), keep)
    await locked.write(unit, snapshot.now_us, book.changes)
    return freed


async def find_budget(unit: Unit, name: str) -> BudgetRow | None:
    """Return one budget by name, None where there is none."""
    found = await unit.connection.execute(select(budgets).where(budgets.c.name == name))
    row = found.first()
    return None if row is None else budget_row(row)


async def _set(unit: Unit, found: BudgetRow, terms: BudgetTerms, *, enabled: bool) -> bool:
    """Write other terms; return whether anything changed."""
    check_change(found.terms, terms)
    if found.terms == terms and found.enabled == enabled:
        return False
    await unit.connection.execute(
        update(budgets)
        .where(budgets.c.budget_id == found.budget_id)
        .values(enabled=enabled, updated_at_us=await unit.now_us(), **_values(terms)),
    )
    return True


def _values(terms: BudgetTerms) -> dict[str, Any]:
    return msgspec.to_builtins(terms)


def budget_row(row: Row[Any]) -> BudgetRow:
    """Return a budget as its row says it."""
    terms = {name: getattr(row, name) for name in TERMS}
    return BudgetRow(
        budget_id=row.budget_id,
        terms=msgspec.convert(terms, BudgetTerms),
        enabled=row.enabled,
        source=row.source,
        created_at_us=row.created_at_us,
        updated_at_us=row.updated_at_us,
    )
