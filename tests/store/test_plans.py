"""Plans and their versions, on SQLite and PostgreSQL."""

import msgspec
import pytest
from sqlalchemy import Delete, Update, delete, select, update
from sqlalchemy.exc import DBAPIError

from tollbridge.core.call import Bucket
from tollbridge.core.errors import ConflictError, InvalidRequestError, NotFoundError
from tollbridge.ledger import plans_store as store
from tollbridge.ledger.plans import MONTHLY_COST, PlanTerms, Tier
from tollbridge.ledger.plans_tables import plan_versions
from tollbridge.storage.audit import audit_entries
from tollbridge.storage.unit import Database

NANO = 10**9
TEAM = PlanTerms(
    name="Team", tier=Tier.PRO, price_monthly_nanousd=49 * NANO, price_yearly_nanousd=490 * NANO
)


async def named(database: Database, name: str) -> PlanTerms:
    async with database.read() as unit:
        return (await store.get_plan(unit, name)).terms


async def test_the_four_plans_are_there_with_their_prices(database: Database) -> None:
    async with database.read() as unit:
        rows = await store.list_plans(unit)
    assert [
        (
            row.terms.name,
            row.terms.tier.value,
            row.terms.price_monthly_nanousd // NANO,
            row.terms.price_yearly_nanousd // NANO,
        )
        for row in rows
    ] == [
        ("Free", "free", 0, 0),
        ("Basic", "basic", 29, 290),
        ("Pro", "pro", 79, 790),
        ("Enterprise", "enterprise", 199, 1990),
    ]
    assert not any(row.is_default for row in rows)


async def test_enterprises_zeros_are_unlimited_and_frees_allow_none(database: Database) -> None:
    """Of Enterprise only the cost is limited; Free's openai calls stay 0; the others have no 0."""
    enterprise, free = await named(database, "Enterprise"), await named(database, "Free")
    assert enterprise.limits == {MONTHLY_COST: 500 * NANO}
    assert [free.limit(f"{one}_calls") for one in ("openai", "metaphor", "video")] == [0, 0, 2]
    assert free.limit("mistral_tokens") == 0
    for name in ("Basic", "Pro"):
        assert 0 not in (await named(database, name)).limits.values()


@pytest.mark.parametrize(
    ("plan", "limits"),
    [
        ("Free", (50, 50, 10, 2, 5, 10, 0, 50_000, 2 * NANO)),
        ("Basic", (500, 1000, 25, 10, 25, 100, 200, 100_000, 25 * NANO)),
        ("Pro", (3000, 5000, 100, 30, 100, 100, 500, 5_000_000, 100 * NANO)),
    ],
)
async def test_the_plans_say_what_the_table_says(
    database: Database, plan: str, limits: tuple[int, ...]
) -> None:
    names = ("text_calls", "gemini_calls", "stability_calls", "video_calls", "image_edit_calls")
    names += ("audio_calls", "wavespeed_calls", "gemini_tokens", MONTHLY_COST)
    terms = await named(database, plan)
    assert tuple(terms.limit(name) for name in names) == limits


async def test_every_bucket_but_enterprises_has_a_limit_of_calls(database: Database) -> None:
    for plan in ("Free", "Basic", "Pro"):
        terms = await named(database, plan)
        assert all(f"{bucket.value}_calls" in terms.limits for bucket in Bucket)


async def test_a_plan_keeps_what_it_said_before(database: Database) -> None:
    """Two edits make three versions, each with who wrote it; a price of the past is found."""
    async with database.write() as unit:
        await store.create_plan(unit, TEAM, actor="ada")
    dearer = msgspec.structs.replace(
        TEAM, price_monthly_nanousd=59 * NANO, limits={"video_calls": 0}
    )
    async with database.write() as unit:
        await store.change_plan(unit, "Team", dearer, actor="bob")
    async with database.write() as unit:
        row = await store.change_plan(
            unit, "Team", msgspec.structs.replace(dearer, limits={}), actor="bob"
        )
    async with database.read() as unit:
        versions = await store.list_versions(unit, row)
        first, second = versions[-1], versions[-2]
        past = await store.terms_at(unit, row.plan_id, second.changed_at_us - 1)
        before_it_was = await store.terms_at(unit, row.plan_id, 0)
    assert [(one.version, one.changed_by) for one in versions] == [
        (3, "bob"),
        (2, "bob"),
        (1, "ada"),
    ]
    assert (first.terms, second.terms) == (TEAM, dearer)
    assert past == before_it_was == TEAM


async def test_an_edit_that_changes_nothing_is_no_version(database: Database) -> None:
    async with database.write() as unit:
        made = await store.create_plan(unit, TEAM, actor="ada")
        assert (await store.change_plan(unit, "Team", TEAM, actor="ada")).version == made.version


async def test_a_stale_edit_is_refused_and_changes_nothing(database: Database) -> None:
    async with database.write() as unit:
        await store.create_plan(unit, TEAM, actor="ada")
        await store.change_plan(
            unit, "Team", msgspec.structs.replace(TEAM, description="new"), actor="ada", version=1
        )
    with pytest.raises(ConflictError, match="version 2"):
        async with database.write() as unit:
            await store.change_plan(unit, "Team", TEAM, actor="bob", version=1)
    assert (await named(database, "Team")).description == "new"


@pytest.mark.parametrize(
    ("change", "param"),
    [
        ({"price_monthly_nanousd": -1}, "price_monthly"),
        ({"limits": {"video_calls": -1}}, "limits.video_calls"),
        ({"limits": {"vido_calls": 1}}, "limits"),
        ({"limits": {MONTHLY_COST: 10**18 + 1}}, f"limits.{MONTHLY_COST}"),
        ({"name": ""}, "name"),
        ({"name": " Team"}, "name"),
        ({"name": "x" * 51}, "name"),
        ({"features": ("",)}, "features"),
    ],
)
async def test_bad_terms_name_the_field_and_write_nothing(
    database: Database, change: dict[str, object], param: str
) -> None:
    with pytest.raises(InvalidRequestError) as caught:
        async with database.write() as unit:
            await store.create_plan(unit, msgspec.structs.replace(TEAM, **change), actor="ada")
    assert caught.value.details["param"] == param
    async with database.read() as unit:
        assert len(await store.list_plans(unit)) == 4


async def test_a_name_is_taken_once_even_by_a_withdrawn_plan(database: Database) -> None:
    async with database.write() as unit:
        await store.switch_plan(unit, "Pro", is_active=False, actor="ada")
    pro = msgspec.structs.replace(TEAM, name="Pro")
    with pytest.raises(ConflictError, match="already"):
        async with database.write() as unit:
            await store.create_plan(unit, pro, actor="ada")


async def test_one_plan_at_most_is_the_default(database: Database) -> None:
    async with database.write() as unit:
        await store.set_default(unit, "Free", actor="ada")
        await store.set_default(unit, "Basic", actor="ada")
        found = await store.default_plan(unit)
        assert found is not None
        assert found.terms.name == "Basic"
        with pytest.raises(ConflictError, match="default"):
            await store.switch_plan(unit, "Basic", is_active=False, actor="ada")
        await store.set_default(unit, None, actor="ada")
        assert await store.default_plan(unit) is None


async def test_an_unknown_plan_is_an_error_that_names_the_others(database: Database) -> None:
    async with database.read() as unit:
        with pytest.raises(NotFoundError) as caught:
            await store.get_plan(unit, "Gold")
    assert caught.value.details["plans"] == ["Free", "Basic", "Pro", "Enterprise"]


async def test_who_changed_a_plan_is_in_the_audit_log(database: Database) -> None:
    async with database.write() as unit:
        await store.create_plan(unit, TEAM, actor="ada")
        await store.set_default(unit, "Team", actor="bob")
    async with database.read() as unit:
        found = await unit.connection.execute(
            select(audit_entries.c.actor, audit_entries.c.action).order_by(audit_entries.c.audit_id)
        )
        assert {tuple(row) for row in found} == {("ada", "plans.create"), ("bob", "plans.default")}


@pytest.mark.parametrize(
    "statement", [update(plan_versions).values(version=9), delete(plan_versions)]
)
async def test_the_database_refuses_to_change_a_version(
    database: Database, statement: Delete | Update
) -> None:
    with pytest.raises(DBAPIError, match="never changed"):
        async with database.write() as unit:
            await unit.connection.execute(statement)
