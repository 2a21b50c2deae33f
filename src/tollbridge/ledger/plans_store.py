"""Which plans are there, and what did each say when? All SQL of plans."""

from typing import Any

import msgspec
from sqlalchemy import Row, insert, select, update

from tollbridge.core.errors import ConflictError, InvalidRequestError, NotFoundError
from tollbridge.ledger.plans import (
    UNSPEAKABLE,
    PlanRow,
    PlanTerms,
    PlanVersion,
    Tier,
    check_terms,
)
from tollbridge.ledger.plans_tables import plan_versions, plans
from tollbridge.ledger.store import PART
from tollbridge.storage import audit, versions
from tollbridge.storage.unit import Unit

PLANS_MAX = 1000
VERSIONS_MAX = 1000


async def list_plans(unit: Unit, *, is_active: bool | None = None) -> list[PlanRow]:
    """Return the plans in the order in which they were made, at most 1,000."""
    query = select(plans).order_by(plans.c.plan_id).limit(PLANS_MAX)
    if is_active is not None:
        query = query.where(plans.c.is_active == is_active)
    return [_row(row) for row in await unit.connection.execute(query)]


async def find_plan(unit: Unit, name: str) -> PlanRow | None:
    """Return the plan of a name, None where there is none."""
    if UNSPEAKABLE.search(name):
        return None
    found = await unit.connection.execute(select(plans).where(plans.c.name == name))
    row = found.first()
    return None if row is None else _row(row)


async def get_plan(unit: Unit, name: str) -> PlanRow:
    """Return the plan of a name. Raises NotFoundError, which lists the names."""
    found = await find_plan(unit, name)
    if found is None:
        names = [one.terms.name for one in await list_plans(unit)]
        raise NotFoundError(f"there is no plan {name!r}", details={"plans": names})
    return found


async def plan_of_id(unit: Unit, plan_id: int) -> PlanRow:
    """Return a plan by its number. Raises NotFoundError."""
    found = await unit.connection.execute(select(plans).where(plans.c.plan_id == plan_id))
    row = found.first()
    if row is None:
        raise NotFoundError(f"there is no plan number {plan_id}")
    return _row(row)


async def default_plan(unit: Unit) -> PlanRow | None:
    """Return the plan of whoever has no subscription, None where nobody has one then."""
    found = await unit.connection.execute(select(plans).where(plans.c.is_default))
    row = found.first()
    return None if row is None else _row(row)


async def create_plan(unit: Unit, terms: PlanTerms, *, actor: str) -> PlanRow:
    """Add a plan. Raises ConflictError where the name is taken, InvalidRequestError if wrong."""
    check_terms(terms)
    if await find_plan(unit, terms.name) is not None:
        raise ConflictError(f"there is a plan {terms.name!r} already")
    known = await unit.connection.execute(select(plans.c.plan_id).limit(PLANS_MAX))
    if len(known.all()) >= PLANS_MAX:
        raise ConflictError(f"there are {PLANS_MAX} plans, and no more can be kept")
    now_us = await unit.now_us()
    made = await unit.connection.execute(
        insert(plans)
        .values(
            **_values(terms),
            version=1,
            is_active=True,
            is_default=False,
            created_at_us=now_us,
            updated_at_us=now_us,
        )
        .returning(plans.c.plan_id)
    )
    plan_id = int(made.scalar_one())
    await _keep_version(
        unit,
        PlanVersion(
            plan_id=plan_id, version=1, terms=terms, changed_at_us=now_us, changed_by=actor
        ),
    )
    await audit.record(unit, actor, "plans.create", f"plan:{terms.name}", _details(terms))
    return await plan_of_id(unit, plan_id)


async def change_plan(
    unit: Unit, name: str, terms: PlanTerms, *, actor: str, version: int | None = None
) -> PlanRow:
    """Write a plan anew; in force at once. What it said before stays in its versions.

    Raises NotFoundError; ConflictError where the new name is taken, or the plan is no longer at
    `version`; InvalidRequestError.
    """
    check_terms(terms)
    before = await _locked(unit, name)
    if version is not None and version != before.version:
        raise ConflictError(
            f"the plan {name!r} was changed meanwhile: it is at version {before.version}",
            details={"version": before.version},
        )
    if terms == before.terms:
        return before
    if terms.name != name and await find_plan(unit, terms.name) is not None:
        raise ConflictError(f"there is a plan {terms.name!r} already")
    now_us = await unit.now_us()
    after = before.version + 1
    await unit.connection.execute(
        update(plans)
        .where(plans.c.plan_id == before.plan_id)
        .values(**_values(terms), version=after, updated_at_us=now_us)
    )
    await _keep_version(
        unit,
        PlanVersion(
            plan_id=before.plan_id,
            version=after,
            terms=terms,
            changed_at_us=now_us,
            changed_by=actor,
        ),
    )
    await audit.record(unit, actor, "plans.change", f"plan:{name}", _details(terms))
    return await plan_of_id(unit, before.plan_id)


async def switch_plan(unit: Unit, name: str, *, is_active: bool, actor: str) -> PlanRow:
    """Offer a plan, or withdraw it: who has it keeps it. Raises NotFoundError, ConflictError."""
    found = await _locked(unit, name)
    if found.is_default and not is_active:
        raise ConflictError(f"the plan {name!r} is the default: make another one that first")
    if found.is_active == is_active:
        return found
    await unit.connection.execute(
        update(plans)
        .where(plans.c.plan_id == found.plan_id)
        .values(is_active=is_active, updated_at_us=await unit.now_us())
    )
    action = "plans.offer" if is_active else "plans.withdraw"
    await audit.record(unit, actor, action, f"plan:{name}")
    return await plan_of_id(unit, found.plan_id)


async def set_default(unit: Unit, name: str | None, *, actor: str) -> None:
    """Say which plan holds for whoever has no subscription; None: no plan's limits do.

    Raises NotFoundError, InvalidRequestError for a plan that is not offered.
    """
    found = None if name is None else await _locked(unit, name)
    if found is not None and not found.is_active:
        raise InvalidRequestError(f"the plan {name!r} is withdrawn", details={"param": "name"})
    await unit.connection.execute(update(plans).where(plans.c.is_default).values(is_default=False))
    if found is not None:
        await unit.connection.execute(
            update(plans).where(plans.c.plan_id == found.plan_id).values(is_default=True)
        )
    await versions.bump(unit, PART)
    await audit.record(unit, actor, "plans.default", "plans", {"default": name})


async def list_versions(unit: Unit, plan: PlanRow, limit: int = VERSIONS_MAX) -> list[PlanVersion]:
    """Return what a plan said, the newest first, at most 1,000."""
    found = await unit.connection.execute(
        select(plan_versions)
        .where(plan_versions.c.plan_id == plan.plan_id)
        .order_by(plan_versions.c.version.desc())
        .limit(min(limit, VERSIONS_MAX))
    )
    return [_version(row) for row in found]


async def terms_at(unit: Unit, plan_id: int, at_us: int) -> PlanTerms:
    """Return what a plan said at an instant; before it was made, what it said first.

    Raises NotFoundError.
    """
    columns = plan_versions.c
    query = select(plan_versions).where(columns.plan_id == plan_id).limit(1)
    found = await unit.connection.execute(
        query.where(columns.changed_at_us <= at_us).order_by(columns.version.desc())
    )
    row = found.first()
    if row is None:
        row = (await unit.connection.execute(query.order_by(columns.version))).first()
    if row is None:
        raise NotFoundError(f"there is no plan number {plan_id}")
    return _version(row).terms


async def _locked(unit: Unit, name: str) -> PlanRow:
    await get_plan(unit, name)
    # Whoever changes a plan holds its row; SQLite has one writer anyhow.
    found = await unit.connection.execute(
        select(plans).where(plans.c.name == name).with_for_update()
    )
    return _row(found.one())


async def _keep_version(unit: Unit, version: PlanVersion) -> None:
    await versions.bump(unit, PART)
    await unit.connection.execute(
        insert(plan_versions).values(
            plan_id=version.plan_id,
            version=version.version,
            terms=msgspec.to_builtins(version.terms),
            changed_at_us=version.changed_at_us,
            changed_by=version.changed_by[: audit.ACTOR_LENGTH_MAX],
        )
    )


def _values(terms: PlanTerms) -> dict[str, Any]:
    return {**msgspec.to_builtins(terms), "tier": terms.tier.value}


def _details(terms: PlanTerms) -> dict[str, Any]:
    # Whole numbers beyond 2^53 are not every reader's: as text.
    return {name: str(value) for name, value in terms.limits.items()}


def _row(row: Row[Any]) -> PlanRow:
    return PlanRow(
        plan_id=row.plan_id,
        terms=PlanTerms(
            name=row.name,
            tier=Tier(row.tier),
            price_monthly_nanousd=row.price_monthly_nanousd,
            price_yearly_nanousd=row.price_yearly_nanousd,
            limits=dict(row.limits),
            features=tuple(row.features),
            description=row.description,
            microcredits_per_period=row.microcredits_per_period,
        ),
        version=row.version,
        is_active=row.is_active,
        is_default=row.is_default,
        created_at_us=row.created_at_us,
        updated_at_us=row.updated_at_us,
    )


def _version(row: Row[Any]) -> PlanVersion:
    return PlanVersion(
        plan_id=row.plan_id,
        version=row.version,
        terms=msgspec.convert(row.terms, PlanTerms),
        changed_at_us=row.changed_at_us,
        changed_by=row.changed_by,
    )
