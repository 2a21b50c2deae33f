"""Keys, prices and budgets as the control plane lists them, on SQLite and PostgreSQL."""

from datetime import UTC

from sqlalchemy import insert, text

from tests.support.drained import rows
from tests.support.recorded import NOON_US, CallSpec, record
from tollbridge.access import store as access_store
from tollbridge.access.keys import KeyTerms
from tollbridge.core.call import new_id
from tollbridge.core.sight import Sight
from tollbridge.insight.key_queries import key_name_of, last_calls, list_keys, own_keys
from tollbridge.insight.lease_queries import leases_now
from tollbridge.insight.price_queries import list_prices
from tollbridge.insight.prices import PriceFilter
from tollbridge.insight.resource_queries import list_budgets
from tollbridge.ledger import store as ledger_store
from tollbridge.ledger.budgets import BudgetTerms
from tollbridge.ledger.tables import leases
from tollbridge.rating import store as rating_store
from tollbridge.storage.unit import Database

PEPPER = b"p" * 32


async def mint(database: Database, name: str, user: str) -> str:
    async with database.write() as unit:
        minted = await access_store.create_key(unit, KeyTerms(name=name, user=user), PEPPER)
    return minted.row.key_id


async def test_keys_of_one_user_come_by_name_in_pages(database: Database) -> None:
    for name, user in (("a", "ada"), ("b", "bob"), ("c", "ada"), ("d", "ada")):
        await mint(database, name, user)
    async with database.read() as unit:
        first = await list_keys(unit, Sight("ada"), "", 2)
        second = await list_keys(unit, Sight("ada"), first[-1].terms.name, 2)
    assert [row.terms.name for row in (*first, *second)] == ["a", "c", "d"]


async def test_a_keys_name_is_found_by_its_id_alone(database: Database) -> None:
    key_id = await mint(database, "ci", "ada")
    async with database.read() as unit:
        assert await key_name_of(unit, key_id.upper()) == "ci"
        assert await key_name_of(unit, "no id at all") is None


async def test_the_last_call_of_each_key_is_found_also_in_the_archive(
    database: Database,
) -> None:
    ids = {name: await mint(database, name, "ada") for name in ("hot", "cold", "idle")}
    calls = ((NOON_US, "hot"), (NOON_US + 60_000_000, "hot"), (NOON_US + 30_000_000, "cold"))
    specs = [CallSpec(at_us=at, key_id=ids[one], key_name=one) for at, one in calls]
    await record(database, specs)
    for move in (
        "INSERT INTO call_details_archive SELECT * FROM call_details WHERE key_name = 'cold'",
        "DELETE FROM call_details WHERE key_name = 'cold'",
    ):
        async with database.write() as unit:
            await unit.connection.execute(text(move))
    async with database.read() as unit:
        found = await last_calls(unit, ids.values())
        assert await last_calls(unit, []) == {}
    assert found == {ids["hot"]: NOON_US + 60_000_000, ids["cold"]: NOON_US + 30_000_000}


async def test_all_keys_that_a_user_ever_had_are_known_with_their_budgets(
    database: Database,
) -> None:
    for name, user in (("a", "ada"), ("b", "ada"), ("c", "bob")):
        await mint(database, name, user)
    async with database.write() as unit:
        await access_store.revoke_key(unit, "b")
        await ledger_store.create_budget(unit, BudgetTerms("of-b", "key:b", 10))
        own = await own_keys(unit, "ada", await unit.now_us())
    known = sorted((one.terms.name, one.in_force, one.has_budget) for one in own)
    assert known == [("a", True, False), ("b", False, True)]


async def test_leases_now_are_those_of_the_running_period_and_what_still_counts(
    database: Database,
) -> None:
    made_us = 1_790_000_000_000_000
    cases = (
        # Of each: its state, its period, and what was granted, settled and returned.
        ("active", 7, 100, 40, 10),
        ("active", 7, 50, 50, 0),
        ("active", 3, 20, 5, 15),
        ("active", 3, 20, 5, 0),
        ("ended", 7, 30, 30, 0),
        ("ended", 3, 30, 10, 5),
    )
    names = ("budget_id", "state", "period_start_us", "granted", "settled", "returned")
    rest = {"node": "n", "worker": "w"}
    made = [
        {**dict(zip(names, ("b", *case), strict=True)), **rest, "lease_id": new_id(made_us + at)}
        for at, case in enumerate(cases)
    ]
    made.append({**made[0], "budget_id": "another", "lease_id": "no id of ours"})
    async with database.write() as unit:
        await unit.connection.execute(insert(leases), made)
        pages = [await leases_now(unit, ["b"], 7, "", 2)]
        pages.append(await leases_now(unit, ["b"], 7, pages[0][-1].lease_id, 10))
        [other] = await leases_now(unit, ["another"], 7, "", 10)
        both = await leases_now(unit, ["b", "another"], 7, "", 10)
    found = sorted((one.leased, one.drawn, one.outstanding) for page in pages for one in page)
    assert found == [(20, 5, 15), (25, 10, 15), (50, 50, 0), (90, 40, 50)]
    assert {one.since_us for page in pages for one in page} == {made_us}
    assert other.since_us is None
    assert [one.limit_id for one in both] == [*["b"] * 4, "another"]


async def test_price_versions_come_in_pages_each_once(database: Database) -> None:
    async with database.write() as unit:
        assert await rating_store.seed(unit, NOON_US)
    seen: list[str] = []
    after = None
    async with database.read() as unit:
        while page := await list_prices(unit, PriceFilter(), after, 7):
            seen += [row.price_version_id for row in page]
            after = page[-1].place
        only = await list_prices(unit, PriceFilter(provider="openai", model="gpt-4o"), None, 100)
    [(count,)] = await rows(database, "SELECT count(*) FROM price_versions")
    assert len(seen) == len(set(seen)) == count > 7
    assert {row.unit: row.rate_usd for row in only} == {
        "input": "2.5",
        "output": "10",
        "cache_read": "1.25",
    }


async def test_a_user_sees_the_budgets_of_their_keys_and_of_themselves(
    database: Database,
) -> None:
    await mint(database, "ci", "ada")
    subjects = {"one": "key:ci", "two": "user:ada", "three": "key:other", "four": "user:bob"}
    async with database.write() as unit:
        for name, subject in subjects.items():
            await ledger_store.create_budget(unit, BudgetTerms(name, subject, 10**9))
    async with database.read() as unit:
        own = await list_budgets(unit, UTC, Sight("ada"), "", 100)
        all_of_them = await list_budgets(unit, UTC, None, "", 100)
    assert [one.row.terms.name for one in own] == ["one", "two"]
    assert len(all_of_them) == 4
    assert (own[0].state.spent, own[0].state.leased) == (0, 0)
    assert own[0].state.period_start_us < own[0].state.period_end_us
