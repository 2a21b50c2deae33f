"""A sync of the whole list, and imports, on both databases."""

import time
from decimal import Decimal
from functools import cache
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from tollbridge.core.errors import ConfigurationError
from tollbridge.core.usage import Usage, UsageSource
from tollbridge.providers.names import load_names
from tollbridge.rating import model_store, store
from tollbridge.rating.book import PriceBook
from tollbridge.rating.model_tables import models
from tollbridge.rating.prices import DeclaredPrice
from tollbridge.rating.rate import rate
from tollbridge.rating.sources.sync import (
    Outcome,
    Plan,
    read_sources,
    record_import,
    record_sources,
)
from tollbridge.rating.tables import price_events, price_versions
from tollbridge.storage.unit import Database

NAMES = load_names()
NOW_US = 1_795_000_000_000_000
SYNC_CPU_S_MAX = 30.0
IMAGE = Usage(counts={"image": 1}, source=UsageSource.REPORTED)


@cache
def plan() -> Plan:
    return read_sources(NAMES.resolve, NAMES.makers)


async def sync(database: Database, now_us: int = NOW_US) -> Outcome:
    async with database.write() as unit:
        return await record_sources(
            unit, plan(), NAMES.resolve, now_us=now_us, progress=lambda _: None
        )


async def import_(database: Database, *prices: DeclaredPrice) -> Outcome:
    async with database.write() as unit:
        return await record_import(unit, prices, actor="a test", now_us=NOW_US)


async def all_of(database: Database, table: Any) -> set[tuple[Any, ...]]:
    async with database.read() as unit:
        return {tuple(map(str, row)) for row in await unit.connection.execute(select(table))}


async def book_of(database: Database) -> PriceBook:
    async with database.read() as unit:
        return PriceBook(await store.load_part(unit))


def price(rate_usd: str, model: str = "m", provider: str = "local") -> DeclaredPrice:
    return DeclaredPrice(
        provider=provider, model=model, unit="input", rate_usd=Decimal(rate_usd), per=1_000_000
    )


def totals(outcome: Outcome) -> tuple[int, int, int]:
    tallies = outcome.tallies.values()
    return (
        sum(one.added for one in tallies),
        sum(one.unchanged for one in tallies),
        sum(one.proposed for one in tallies),
    )


async def test_a_second_sync_changes_nothing_and_the_first_takes_no_half_minute(
    database: Database,
) -> None:
    before_s = time.process_time()
    first = await sync(database)
    assert time.process_time() - before_s < SYNC_CPU_S_MAX
    added, _, proposed = totals(first)
    assert added > 8_500
    assert 0 < proposed < 150
    tables = (price_versions, price_events, models)
    rows = [await all_of(database, table) for table in tables]
    second = await sync(database, NOW_US + 1)
    assert (second.changes, totals(second)[::2]) == (0, (0, 0))
    assert totals(second)[1] == added + proposed + totals(first)[1]
    assert [await all_of(database, table) for table in tables] == rows


@pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
async def test_a_sync_after_the_seed_adds_the_same_and_keeps_what_the_seed_says(
    database: Database,
) -> None:
    async with database.write() as unit:
        await store.seed(unit, NOW_US, plan().seed)
    outcome = await sync(database, NOW_US + 1)
    assert outcome.tallies["(comes with the program)"].added == 0
    book = await book_of(database)
    for model, cost in (("dall-e-3", "0.04"), ("gpt-image-1", "0.042")):
        rated = rate(IMAGE, "openai", (model,), NOW_US, book)
        assert rated.cost_nanousd == int(Decimal(cost) * 10**9)


async def test_the_nine_models_and_their_prices_stay_as_they_are(database: Database) -> None:
    """A sync never corrects them, nor does it choose a model for anybody."""
    async with database.write() as unit:
        await store.seed(unit, NOW_US, plan().seed)
    before = await all_of(database, models)
    assert len(before) == 9
    await sync(database, NOW_US + 1)
    after = await all_of(database, models)
    assert before <= after
    assert len(after) > 2_000
    async with database.read() as unit:
        found = await model_store.get_model(unit, "gpt-4o-mini", NOW_US + 2)
        brought = await model_store.get_model(unit, "claude-opus-4-5", NOW_US + 2)
    assert found.is_active
    assert (found.input_cost_per_1m, found.output_cost_per_1m) == (Decimal("0.15"), Decimal("0.6"))
    assert (brought.provider, brought.is_active, brought.origin) == ("anthropic", False, "sync")
    assert brought.input_cost_per_1m == Decimal(5)


@pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
async def test_what_contradicts_what_holds_is_proposed_and_nothing_is_laid_over(
    database: Database,
) -> None:
    await sync(database)
    held = (await book_of(database)).find("anthropic", "claude-opus-4-5", NOW_US)
    assert held is not None
    far, near = price("5.06", "claude-opus-4-5", "anthropic"), price("5.04", "claude-opus-4-5")
    near = msgspec.structs.replace(near, provider="anthropic", unit="output", rate_usd=Decimal(25))
    assert totals(await import_(database, far, near)) == (1, 0, 1)
    tariff = (await book_of(database)).find("anthropic", "claude-opus-4-5", NOW_US + 1)
    assert tariff is not None
    assert tariff.prices["input"] == held.prices["input"]


@pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
async def test_what_the_research_doubts_is_proposed_and_holds_nowhere(database: Database) -> None:
    await sync(database)
    clip = Usage(counts={"video": 1}, source=UsageSource.REPORTED)
    rated = rate(clip, "huggingface", ("HunyuanVideo",), NOW_US, await book_of(database))
    assert rated.cost_nanousd is None


@pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
async def test_what_an_aggregator_passes_on_is_priced_only_where_its_upstream_is_known(
    database: Database,
) -> None:
    await sync(database)
    book = await book_of(database)
    costs: list[int | None] = []
    for facts in ({"upstream": "groq"}, {"upstream": "novita"}, {}, {"upstream": "nobody"}):
        usage = Usage(counts={"input": 1_000_000}, source=UsageSource.REPORTED, facts=facts)
        rated = rate(usage, "huggingface", ("openai/gpt-oss-120b",), NOW_US, book)
        costs.append(rated.cost_nanousd)
    assert costs == [150_000_000, 50_000_000, None, None]


async def test_an_import_with_a_bad_price_leaves_nothing(database: Database) -> None:
    before = await all_of(database, price_versions)
    prices = [price("1", f"m{number}") for number in range(10_500)]
    with pytest.raises(ConfigurationError, match="per is from 1"):
        await import_(database, *prices, msgspec.structs.replace(price("1", "bad"), per=0))
    assert await all_of(database, price_versions) == before


async def test_an_import_is_safe_to_repeat(database: Database) -> None:
    prices = [price("1", f"m{number}") for number in range(10_500)]
    assert totals(await import_(database, *prices)) == (10_500, 0, 0)
    assert totals(await import_(database, *prices)) == (0, 10_500, 0)
