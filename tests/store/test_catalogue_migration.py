"""Prices of a database of the first schema keep what they said, and go back again."""

from typing import Any

import pytest
from sqlalchemy import Column, MetaData, Table, delete, insert, select

from tollbridge.rating import store
from tollbridge.rating.book import PriceBook
from tollbridge.rating.prices import FilePrice
from tollbridge.storage import migrate
from tollbridge.storage.types import CallId
from tollbridge.storage.unit import Database

OLD = "0001"
NAMES = (
    *("price_version_id", "provider", "model", "unit", "rate_usd", "per"),
    *("valid_from_us", "valid_to_us", "recorded_at_us"),
    *("source", "status", "reference", "as_of"),
)
OLD_TABLE = Table(
    "price_versions",
    MetaData(),
    Column("price_version_id", CallId()),
    *(Column[Any](name) for name in NAMES[1:]),
)
# Of one unit: a list price, its correction, a negotiated price, and the end of that.
ROWS: list[tuple[Any, ...]] = [
    ("1", "p", "m", "input", "3", 10**6, 0, None, 5, "seed", "active", "a list", "2026-01-01"),
    ("2", "p", "m", "input", "2", 10**6, 0, None, 6, "seed", "active", None, None),
    ("3", "p", "m", "input", "1", 10**6, 100, None, 7, "file", "active", None, None),
    ("4", "p", "m", "input", None, 10**6, 200, None, 8, "file", "withdrawn", None, None),
    ("5", "p", "m", "output", "9", 10**6, 0, 150, 5, "seed", "active", None, None),
]


def id_of(number: str) -> str:
    return f"019b7595-6c00-7000-8000-00000000000{number}"


async def old_rows(database: Database) -> list[tuple[Any, ...]]:
    async with database.read() as unit:
        found = await unit.connection.execute(select(OLD_TABLE).where(OLD_TABLE.c.provider == "p"))
        return sorted((str(row[0])[-1], *row[1:]) for row in found)


async def rates_at(database: Database, at_us: int) -> dict[str, str]:
    async with database.read() as unit:
        tariff = PriceBook(await store.load_part(unit)).find("p", "m", at_us)
    return {} if tariff is None else {u: one.rate_usd for u, one in tariff.prices.items()}


@pytest.fixture
async def old_database(database: Database, database_url: str) -> Database:
    await migrate.downgrade(database_url, OLD)
    async with database.write() as unit:
        await unit.connection.execute(delete(OLD_TABLE))
        rows: list[dict[str, Any]] = [
            dict(zip(NAMES, (id_of(row[0]), *row[1:]), strict=True)) for row in ROWS
        ]
        await unit.connection.execute(insert(OLD_TABLE), rows)
    return database


async def test_what_held_at_any_time_still_holds(old_database: Database, database_url: str) -> None:
    await migrate.upgrade(database_url)
    assert [await rates_at(old_database, at) for at in (0, 99, 100, 149, 150, 199, 200)] == [
        *({"input": "2", "output": "9"},) * 2,
        *({"input": "1"},) * 4,
        {"input": "2"},
    ]
    async with old_database.write() as unit:
        assert await store.rebuild_intervals(unit, 10**15) == 0
        # The file that was applied before is applied again: it says nothing of the model.
        assert await store.apply_file_prices(unit, [], 300) == 0
        assert await store.apply_file_prices(unit, [FilePrice("p", "m", {"input": "1"})], 300) == 1
    assert await rates_at(old_database, 300) == {"input": "1"}


async def test_the_rows_go_back_as_they_were(old_database: Database, database_url: str) -> None:
    before = await old_rows(old_database)
    await migrate.upgrade(database_url)
    await migrate.downgrade(database_url, OLD)
    assert await old_rows(old_database) == before
