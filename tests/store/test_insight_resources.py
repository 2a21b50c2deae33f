"""Keys, prices and budgets as the control plane lists them, on SQLite and PostgreSQL."""

from datetime import UTC

from tests.support.drained import rows
from tests.support.recorded import NOON_US
from tollbridge.access import store as access_store
from tollbridge.access.keys import KeyTerms
from tollbridge.core.sight import Sight
from tollbridge.insight.price_queries import list_prices
from tollbridge.insight.prices import PriceFilter
from tollbridge.insight.resource_queries import key_name_of, list_budgets, list_keys
from tollbridge.ledger import store as ledger_store
from tollbridge.ledger.budgets import BudgetTerms
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
