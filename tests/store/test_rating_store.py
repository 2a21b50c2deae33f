from decimal import Decimal
from typing import Any

import pytest
from sqlalchemy import insert, select
from sqlalchemy.exc import IntegrityError

from tollbridge.core.errors import ConfigurationError
from tollbridge.rating import store
from tollbridge.rating.book import PriceBook
from tollbridge.rating.prices import FilePrice
from tollbridge.rating.seed import read_seed, seed_prices
from tollbridge.rating.tables import price_versions
from tollbridge.storage.unit import Database
from tollbridge.storage.versions import read_versions

NOW_US = 1_767_225_600_000_000
LATER_US = NOW_US + 1_000_000


async def seed(database: Database, now_us: int = NOW_US) -> int:
    async with database.write() as unit:
        return await store.seed(unit, now_us)


async def apply(database: Database, now_us: int, *prices: FilePrice) -> int:
    async with database.write() as unit:
        return await store.apply_file_prices(unit, prices, now_us)


async def book_of(database: Database) -> PriceBook:
    async with database.read() as unit:
        return PriceBook(await store.load_part(unit))


async def rates_at(
    database: Database, provider: str, model: str, at_us: int
) -> dict[str, str] | None:
    tariff = (await book_of(database)).find(provider, model, at_us)
    return None if tariff is None else {u: price.rate_usd for u, price in tariff.prices.items()}


async def all_rows(database: Database) -> dict[str, tuple[Any, ...]]:
    async with database.read() as unit:
        found = await unit.connection.execute(select(price_versions))
        return {row.price_version_id: tuple(row) for row in found}


async def local_rows(database: Database) -> list[Any]:
    return [row for row in (await all_rows(database)).values() if row[1] == "local"]


async def part_version(database: Database) -> int:
    async with database.read() as unit:
        return (await read_versions(unit)).get("prices", 0)


def local(**rates: str) -> FilePrice:
    return FilePrice("local", "m", rates)


async def test_the_catalogue_is_loaded_once_however_often_it_is_seeded(database: Database) -> None:
    known = len(await all_rows(database))  # the nine models come with the schema
    assert await seed(database) == len(seed_prices()) - known
    rows, version = await all_rows(database), await part_version(database)
    assert await seed(database, LATER_US) == 0
    assert await all_rows(database) == rows
    assert await part_version(database) == version == 1


async def test_a_seeded_price_holds_for_old_calls_and_says_where_it_is_from(
    database: Database,
) -> None:
    await seed(database)
    prices = {"input": "0.15", "output": "0.6", "cache_read": "0.075"}
    assert await rates_at(database, "openai", "gpt-4o-mini", 0) == prices
    assert await rates_at(database, "openai", "gpt-4o-mini", NOW_US) == prices
    async with database.read() as unit:
        found = await unit.connection.execute(
            select(price_versions).where(price_versions.c.unit == "image")
        )
        row = next(row for row in found if row.model == "dall-e-3")
    assert (row.rate_usd, row.per, row.as_of) == (Decimal("0.04"), 1, "2025-12-24")
    assert "catalogue" in row.reference


SEED = """
provider = "p"

[[price]]
model = "m"
rates = { input = "1" }
source = "a list"
as_of = 2026-01-01
"""


async def test_a_corrected_catalogue_adds_a_row_and_changes_none(database: Database) -> None:
    async with database.write() as unit:
        await store.seed(unit, NOW_US, read_seed("p.toml", SEED))
    before = await all_rows(database)
    corrected = read_seed("p.toml", SEED.replace('"1"', '"2"'))
    async with database.write() as unit:
        assert await store.seed(unit, LATER_US, corrected) == 1
        assert await store.seed(unit, LATER_US, corrected) == 0
    after = await all_rows(database)
    assert before.items() <= after.items()
    assert await rates_at(database, "p", "m", 0) == {"input": "2"}


async def test_the_first_price_of_an_unknown_model_holds_for_all_time(database: Database) -> None:
    assert await apply(database, NOW_US, local(input="0.15", output="0.60")) == 2
    assert await rates_at(database, "local", "m", 0) == {"input": "0.15", "output": "0.6"}


async def test_an_unchanged_price_makes_no_new_version(database: Database) -> None:
    await apply(database, NOW_US, local(input="0.15"))
    version = await part_version(database)
    assert await apply(database, LATER_US, local(input="0.150")) == 0
    assert await part_version(database) == version
    assert len(await local_rows(database)) == 1


async def test_a_changed_price_holds_from_now_and_the_old_row_stays_as_it_was(
    database: Database,
) -> None:
    await apply(database, NOW_US, local(input="0.15", output="0.60"))
    before = await all_rows(database)
    assert await apply(database, LATER_US, local(input="0.20", output="0.60")) == 1
    assert before.items() <= (await all_rows(database)).items()
    assert await rates_at(database, "local", "m", LATER_US - 1) == {
        "input": "0.15",
        "output": "0.6",
    }
    assert await rates_at(database, "local", "m", LATER_US) == {"input": "0.2", "output": "0.6"}


async def test_a_price_over_the_catalogues_holds_from_now_until_it_is_removed(
    database: Database,
) -> None:
    await seed(database)
    listed = {"input": "2.5", "output": "10", "cache_read": "1.25"}
    negotiated = FilePrice("openai", "gpt-4o", {"input": "1", "output": "4"})
    await apply(database, NOW_US, negotiated)
    assert await apply(database, LATER_US) == 2
    assert [
        await rates_at(database, "openai", "gpt-4o", at)
        for at in (NOW_US - 1, NOW_US, LATER_US - 1, LATER_US)
    ] == [listed, {"input": "1", "output": "4"}, {"input": "1", "output": "4"}, listed]


async def test_a_removed_price_without_another_leaves_the_model_unpriced(
    database: Database,
) -> None:
    await apply(database, NOW_US, local(input="0.15"))
    assert await apply(database, LATER_US) == 1
    assert await apply(database, LATER_US + 5) == 0
    assert await rates_at(database, "local", "m", LATER_US - 1) == {"input": "0.15"}
    assert await rates_at(database, "local", "m", LATER_US) is None


async def test_a_price_declared_again_holds_from_then(database: Database) -> None:
    for now_us, prices in ((10, [local(input="1")]), (20, []), (30, [local(input="1")])):
        await apply(database, now_us, *prices)
    assert [await rates_at(database, "local", "m", at) for at in (19, 20, 29, 30)] == [
        {"input": "1"},
        None,
        None,
        {"input": "1"},
    ]


async def test_of_two_changes_in_one_moment_the_second_holds(database: Database) -> None:
    for rate in ("1", "2", "3", "2"):
        await apply(database, NOW_US, local(input=rate))
    assert await rates_at(database, "local", "m", NOW_US) == {"input": "2"}
    assert await apply(database, NOW_US, local(input="2")) == 0


async def test_prices_that_cannot_be_applied_change_nothing(database: Database) -> None:
    await apply(database, NOW_US, local(input="0.15"))
    before = await all_rows(database)
    with pytest.raises(ConfigurationError, match=r"price local/m: rates\.outptu: no such unit"):
        await apply(database, LATER_US, local(input="1", outptu="2"))
    assert await all_rows(database) == before


async def test_the_database_refuses_a_window_that_ends_before_it_begins(
    database: Database,
) -> None:
    await apply(database, NOW_US, local(input="0.15"))
    (row,) = await local_rows(database)
    names = [column.name for column in price_versions.columns]
    wrong = dict(zip(names, row, strict=True)) | {
        "price_version_id": "019b7595-6c00-7000-8000-000000000002",
        "valid_from_us": 10,
        "valid_to_us": 10,
    }

    async def write() -> None:
        async with database.write() as unit:
            await unit.connection.execute(insert(price_versions), [wrong])

    with pytest.raises(IntegrityError):
        await write()
