"""Prices as their sources state, contradict and take them back, on both databases."""

import asyncio
from decimal import Decimal
from itertools import pairwise
from typing import Any

import pytest
from sqlalchemy import delete, insert, select
from sqlalchemy.exc import DBAPIError, IntegrityError

from tollbridge.core.account import Rated
from tollbridge.core.errors import ConfigurationError, InvalidRequestError
from tollbridge.core.usage import Usage, UsageSource
from tollbridge.rating import store
from tollbridge.rating.book import PriceBook
from tollbridge.rating.prices import DeclaredAlias, DeclaredPrice, FilePrice, Source, Status
from tollbridge.rating.rate import rate
from tollbridge.rating.store import Recorded
from tollbridge.rating.tables import price_events, price_intervals, price_versions
from tollbridge.storage.unit import Database
from tollbridge.storage.versions import read_versions

NOW_US = 1_767_225_600_000_000
HOUR_US = 3_600_000_000
LATER_US = NOW_US + HOUR_US


def stated(rate_usd: str, unit: str = "input", **changes: Any) -> DeclaredPrice:
    known: dict[str, Any] = {"provider": "p", "model": "m", "per": 1_000_000}
    return DeclaredPrice(unit=unit, rate_usd=Decimal(rate_usd), **{**known, **changes})


async def record(
    database: Database,
    *prices: DeclaredPrice,
    source: Source = Source.SYNC,
    now_us: int = NOW_US,
    disputes: bool = False,
) -> Recorded:
    async with database.write() as unit:
        return await store.record_versions(
            unit, prices, source=source, actor="test", now_us=now_us, disputes=disputes
        )


async def book_of(database: Database) -> PriceBook:
    async with database.read() as unit:
        return PriceBook(await store.load_part(unit))


async def rates_at(database: Database, *instants_us: int, model: str = "m") -> list[Any]:
    book = await book_of(database)
    found = [book.find("p", model, at_us) for at_us in instants_us]
    return [
        None if tariff is None else {unit: one.rate_usd for unit, one in tariff.prices.items()}
        for tariff in found
    ]


async def snapshot(database: Database) -> dict[str, set[tuple[Any, ...]]]:
    async with database.read() as unit:
        return {
            table.name: {tuple(row) for row in await unit.connection.execute(select(table))}
            for table in (price_versions, price_events, price_intervals)
        }


async def statuses(database: Database) -> dict[str, str]:
    """Return by rate the status of each version of p."""
    async with database.read() as unit:
        rows = await unit.connection.execute(
            select(price_versions.c.rate_usd, price_events.c.status)
            .join(
                price_events, price_events.c.price_version_id == price_versions.c.price_version_id
            )
            .where(price_versions.c.provider == "p")
            .order_by(price_events.c.at_us)
        )
        return {"none" if text is None else str(text): status for text, status in rows}


async def id_of(database: Database, rate_usd: str) -> str:
    async with database.read() as unit:
        found = await unit.connection.execute(
            select(price_versions.c.price_version_id).where(
                price_versions.c.rate_usd == Decimal(rate_usd), price_versions.c.provider == "p"
            )
        )
        return found.scalar_one()


async def change(database: Database, rate_usd: str, status: Status, now_us: int = LATER_US) -> None:
    version_id = await id_of(database, rate_usd)
    async with database.write() as unit:
        await store.change_status(
            unit, version_id, status, actor="finance", reason="checked", now_us=now_us
        )


async def test_the_same_statement_again_adds_nothing(database: Database) -> None:
    prices = [
        stated("1", valid_to_us=NOW_US),
        stated("2", valid_from_us=NOW_US),
        stated("1", conditions={"service_tier": "flex"}),
        stated("3", "output"),
    ]
    assert await record(database, *prices) == Recorded(added=4, unchanged=0, proposed=0)
    before = await snapshot(database)
    again = await record(database, *prices, now_us=LATER_US)
    assert again == Recorded(added=0, unchanged=4, proposed=0)
    assert await snapshot(database) == before


async def test_a_version_is_live_by_the_parts_version_and_an_unchanged_one_is_not(
    database: Database,
) -> None:
    async def version() -> int:
        async with database.read() as unit:
            return (await read_versions(unit)).get("prices", 0)

    before = await version()
    await record(database, stated("1"))
    await record(database, stated("1"), now_us=LATER_US)
    assert await version() == before + 1


async def test_a_changed_price_without_a_date_holds_from_then_and_the_past_as_it_was(
    database: Database,
) -> None:
    await record(database, stated("1"), stated("9", "output"))
    await record(database, stated("2"), stated("9", "output"), now_us=LATER_US)
    assert await rates_at(database, 0, LATER_US - 1, LATER_US) == [
        {"input": "1", "output": "9"},
        {"input": "1", "output": "9"},
        {"input": "2", "output": "9"},
    ]


async def test_a_price_that_goes_back_to_an_old_figure_is_a_new_version(database: Database) -> None:
    for number, figure in enumerate(("1", "2", "1")):
        found = await record(database, stated(figure), now_us=NOW_US + number * HOUR_US)
        assert found.added == 1
    instants = [NOW_US + number * HOUR_US for number in range(3)]
    assert await rates_at(database, *instants) == [{"input": one} for one in ("1", "2", "1")]


async def test_a_version_of_which_nothing_is_left_is_superseded(database: Database) -> None:
    await record(database, stated("1", valid_from_us=0))
    await record(database, stated("2", valid_from_us=0), now_us=LATER_US)
    assert await statuses(database) == {"1": "superseded", "2": "active"}


async def test_edits_of_the_catalogue_leave_what_was_rated_before_as_it_was(
    database: Database,
) -> None:
    await record(database, stated("1"), stated("4", "output"), source=Source.SEED)
    usage = Usage({"input": 2518, "output": 242}, UsageSource.REPORTED)

    async def rated() -> list[Rated]:
        book = await book_of(database)
        return [rate(usage, "p", ("m",), at, book) for at in (0, NOW_US, LATER_US - 1)]

    before, versions = await rated(), (await snapshot(database))["price_versions"]
    await record(database, stated("3"), source=Source.OPERATOR, now_us=LATER_US)
    await record(database, stated("2"), stated("5", "output"), now_us=LATER_US)
    async with database.write() as unit:
        prices = [FilePrice("p", "m", {"input": "0.5"})]
        await store.apply_file_prices(unit, prices, LATER_US + 5)
        await store.withdraw(unit, "p", "m", "output", {}, LATER_US + 9, "test", now_us=LATER_US)
    assert await rated() == before
    assert versions <= (await snapshot(database))["price_versions"]
    assert await rates_at(database, LATER_US + 20) == [{"input": "3"}]


async def test_who_contradicts_another_source_by_more_than_a_hundredth_is_only_proposed(
    database: Database,
) -> None:
    await record(database, stated("1"), stated("2", "output"), source=Source.IMPORT)
    found = await record(database, stated("1.01"), stated("2.03", "output"), disputes=True)
    assert found == Recorded(added=1, unchanged=0, proposed=1)
    assert await rates_at(database, NOW_US) == [{"input": "1.01", "output": "2"}]
    again = await record(database, stated("1.01"), stated("2.03", "output"), disputes=True)
    assert again == Recorded(added=0, unchanged=2, proposed=0)


async def test_what_the_configuration_agreed_upon_contradicts_nobody(database: Database) -> None:
    async with database.write() as unit:
        await store.apply_file_prices(unit, [FilePrice("p", "m", {"input": "0.5"})], NOW_US)
    assert (await record(database, stated("1"), disputes=True)).proposed == 0
    assert await rates_at(database, NOW_US) == [{"input": "0.5"}]


async def test_two_rows_of_one_source_that_disagree_are_both_proposed(database: Database) -> None:
    found = await record(database, stated("1"), stated("2"), stated("3", "output"), disputes=True)
    assert found == Recorded(added=1, unchanged=0, proposed=2)
    assert await rates_at(database, NOW_US) == [{"output": "3"}]
    assert await statuses(database) == {"1": "proposed", "2": "proposed", "3": "active"}


async def test_an_accepted_proposal_holds_over_lower_ranks_and_a_rejected_one_never(
    database: Database,
) -> None:
    await record(database, stated("1"), stated("1", "output"), source=Source.IMPORT)
    await record(database, stated("2"), stated("3", "output"), disputes=True)
    await change(database, "2", Status.ACTIVE)
    await change(database, "3", Status.REJECTED)
    assert await rates_at(database, NOW_US) == [{"input": "2", "output": "1"}]
    again = await record(database, stated("2"), stated("3", "output"), disputes=True)
    assert again == Recorded(added=0, unchanged=2, proposed=0)
    assert await statuses(database) == {"1": "active", "2": "active", "3": "rejected"}


async def test_an_accepted_proposal_holds_for_its_time_over_lists_of_a_higher_rank(
    database: Database,
) -> None:
    """Somebody has decided: that it came from a lower list cannot leave the other in force."""
    await record(database, stated("2"))
    later = stated("3", valid_from_us=LATER_US, valid_to_us=LATER_US + HOUR_US)
    await record(database, later, source=Source.SEED, disputes=True)
    await change(database, "3", Status.ACTIVE)
    rates = await rates_at(database, LATER_US - 1, LATER_US, LATER_US + HOUR_US)
    assert [one["input"] for one in rates] == ["2", "3", "2"]
    again = await record(database, stated("2"), now_us=LATER_US, disputes=True)
    assert again == Recorded(added=0, unchanged=1, proposed=0)


async def test_an_accepted_proposal_leaves_the_file_its_word(database: Database) -> None:
    await record(database, stated("2"))
    async with database.write() as unit:
        await store.apply_file_prices(unit, [FilePrice("p", "m", {"input": "7"})], NOW_US)
    await record(database, stated("3"), source=Source.SEED, disputes=True)
    await change(database, "3", Status.ACTIVE)
    assert (await rates_at(database, LATER_US))[0]["input"] == "7"


async def test_a_withdrawn_price_leaves_a_gap_that_no_lower_source_fills(
    database: Database,
) -> None:
    await record(database, stated("1"), source=Source.SEED)
    await record(database, stated("2"))
    await change(database, "2", Status.WITHDRAWN)
    assert await rates_at(database, NOW_US) == [None]
    # Neither source brings it back by saying again what it said before.
    async with database.write() as unit:
        assert await store.seed(unit, LATER_US, [stated("1", valid_from_us=0)]) == 0
    assert (await record(database, stated("2"), now_us=LATER_US)).unchanged == 1
    assert await rates_at(database, NOW_US, LATER_US * 2) == [None, None]
    await record(database, stated("2"), source=Source.OPERATOR, now_us=LATER_US)
    assert await rates_at(database, LATER_US) == [{"input": "2"}]


async def test_a_price_is_taken_back_from_an_instant_on_whoever_stated_it(
    database: Database,
) -> None:
    await record(database, stated("1"), stated("5", "output"), source=Source.SEED)
    await record(database, stated("2", valid_to_us=LATER_US + HOUR_US))
    async with database.write() as unit:
        await store.apply_file_prices(unit, [FilePrice("p", "n", {"input": "7"})], NOW_US)
        count = await store.withdraw(
            unit, "p", "m", "input", {}, LATER_US, "finance", now_us=LATER_US
        )
        taken = await store.withdraw(unit, "p", "n", "input", {}, NOW_US, "x", now_us=NOW_US)
        nothing = await store.withdraw(unit, "p", "m", "image", {}, 0, "x", now_us=NOW_US)
    assert (count, taken, nothing) == (2, 1, 0)
    assert await rates_at(database, LATER_US - 1, LATER_US, LATER_US * 2) == [
        {"input": "2", "output": "5"},
        {"output": "5"},
        {"output": "5"},
    ]
    assert await rates_at(database, LATER_US, model="n") == [None]
    async with database.write() as unit:  # an unchanged file does not bring it back
        await store.apply_file_prices(unit, [FilePrice("p", "n", {"input": "7"})], LATER_US)
    assert await rates_at(database, LATER_US, model="n") == [None]


@pytest.mark.parametrize("status", [Status.PROPOSED, Status.SUPERSEDED, Status.REJECTED])
async def test_an_active_version_cannot_become_what_it_is_past(
    database: Database, status: Status
) -> None:
    await record(database, stated("1"))
    with pytest.raises(InvalidRequestError, match="is active; it cannot become"):
        await change(database, "1", status)


async def test_an_unknown_version_is_named(database: Database) -> None:
    async with database.write() as unit:
        with pytest.raises(InvalidRequestError, match="no price version 'nonsense'"):
            await store.change_status(
                unit, "nonsense", Status.ACTIVE, actor="a", reason=None, now_us=NOW_US
            )


async def test_of_a_model_that_anybody_else_has_spoken_of_the_seed_says_nothing_new(
    database: Database,
) -> None:
    await record(database, stated("1"))
    async with database.write() as unit:
        seeded = [stated("9", "output", valid_from_us=0), stated("9", model="n", valid_from_us=0)]
        assert await store.seed(unit, NOW_US, seeded) == 1
    assert await rates_at(database, NOW_US) == [{"input": "1"}]


async def test_intervals_that_are_made_anew_are_those_that_were_kept(database: Database) -> None:
    await record(database, stated("1"), stated("1", "output"), source=Source.SEED)
    await record(database, stated("2"), stated("3", "output"), disputes=True)
    await change(database, "2", Status.ACTIVE)
    await record(database, stated("4", valid_from_us=NOW_US, valid_to_us=LATER_US))
    await change(database, "4", Status.DISPUTED, LATER_US + 5)
    await change(database, "4", Status.WITHDRAWN, LATER_US + 6)
    async with database.write() as unit:
        await store.apply_file_prices(unit, [FilePrice("p", "m", {"input": "7"})], LATER_US)
        await store.apply_file_prices(unit, [], LATER_US + 1)
    before = await snapshot(database)
    async with database.write() as unit:
        assert await store.rebuild_intervals(unit, LATER_US) == 0
    assert await snapshot(database) == before
    async with database.write() as unit:
        await unit.connection.execute(
            delete(price_intervals).where(price_intervals.c.provider == "p")
        )
        assert await store.rebuild_intervals(unit, LATER_US) > 0
    assert await snapshot(database) == before


async def test_the_database_itself_refuses_two_prices_of_one_key_at_one_time(
    database: Database,
) -> None:
    await record(database, stated("1", valid_from_us=100, valid_to_us=200))
    (row,) = [one for one in (await snapshot(database))["price_intervals"] if one[4] == "p"]
    names = [column.name for column in price_intervals.columns]
    other = dict(zip(names, row, strict=True))
    other["price_version_id"] = "019b7595-6c00-7000-8000-000000000009"

    async def write(since_us: int, until_us: int | None) -> None:
        async with database.write() as unit:
            window = {"valid_from_us": since_us, "valid_to_us": until_us}
            await unit.connection.execute(insert(price_intervals), [other | window])

    for window in ((150, 160), (0, 101), (199, None), (0, None), (100, 200)):
        with pytest.raises((IntegrityError, DBAPIError)):
            await write(*window)
    await write(200, None)
    await write(0, 100)


async def test_two_writers_at_once_leave_one_price_at_any_time(database_url: str) -> None:
    databases = [Database.open(database_url) for _ in range(2)]
    try:
        for turn in range(5):
            figures = [str(turn * 2 + 1), str(turn * 2 + 2)]
            await asyncio.gather(
                *(
                    record(one, stated(figure), now_us=NOW_US + turn * HOUR_US)
                    for one, figure in zip(databases, figures, strict=True)
                )
            )
        kept = [one for one in (await snapshot(databases[0]))["price_intervals"] if one[4] == "p"]
        ordered = sorted((row[1], row[2]) for row in kept)
        for (_, end_us), (start_us, _) in pairwise(ordered):
            assert end_us == start_us
        assert ordered[-1][1] is None
        async with databases[0].write() as unit:
            assert await store.rebuild_intervals(unit, LATER_US) == 0
    finally:
        for one in databases:
            await one.close()


async def test_the_same_statement_of_two_writers_at_once_is_one_version(database_url: str) -> None:
    databases = [Database.open(database_url) for _ in range(2)]
    try:
        found = await asyncio.gather(*(record(one, stated("1")) for one in databases))
    finally:
        for one in databases:
            await one.close()
    assert sorted((one.added, one.unchanged) for one in found) == [(0, 1), (1, 0)]


@pytest.mark.parametrize(
    ("price", "message"),
    [
        (stated("-1"), "price p/m: input: -1 is negative"),
        (stated("NaN"), "price p/m: input: .*no finite"),
        (stated("1", "furlong"), "price p/m: unit: there is no unit 'furlong'"),
        (stated("1", per=0), "price p/m: input: per is from 1"),
        (stated("1", valid_from_us=9, valid_to_us=9), "input: valid_to is not after valid_from"),
        (stated("1", valid_to_us=0), "input: valid_to is not after valid_from"),
        (stated("1", valid_from_us=-1), "input: valid_from is no time"),
        (stated("1", conditions={"hours": "x"}), r"input: conditions\.hours: "),
        (stated("1", quantity_step=0), "input: quantity_step is from 1"),
        (stated("1", provider=""), "provider needs 1 to 200"),
        (stated("1", model="*"), "would match any model"),
        (stated("1", content_hash="x" * 65), "content_hash has over 64"),
    ],
)
async def test_a_price_that_is_refused_is_named_and_nothing_of_its_call_is_written(
    database: Database, price: DeclaredPrice, message: str
) -> None:
    before = await snapshot(database)
    with pytest.raises(ConfigurationError, match=message):
        await record(database, stated("1", "output"), price)
    assert await snapshot(database) == before


async def test_a_price_stated_twice_for_one_time_is_refused_where_nothing_can_be_proposed(
    database: Database,
) -> None:
    before = await snapshot(database)
    overlapping = stated("1", valid_from_us=5, valid_to_us=10), stated("1", valid_from_us=9)
    with pytest.raises(ConfigurationError, match="price p/m: input : stated twice"):
        await record(database, *overlapping)
    assert await snapshot(database) == before


async def test_two_patterns_that_could_not_be_told_apart_are_refused(database: Database) -> None:
    await record(database, stated("1", model="*-mini-*"))
    with pytest.raises(ConfigurationError, match=r"'\*-mini-\*' is as sharp a pattern"):
        await record(database, stated("1", model="*gpt-5.*"))
    await record(database, stated("1", model="gpt-*-mini"), stated("2", model="*-mini-*"))


async def test_other_names_lead_to_a_model_and_a_later_word_of_their_source_replaces_it(
    database: Database,
) -> None:
    await record(database, stated("1"), stated("2", model="n"))

    async def name(model: str) -> int:
        async with database.write() as unit:
            aliases = [DeclaredAlias("p", "m-latest", model)]
            return await store.record_aliases(unit, aliases, Source.SYNC, NOW_US)

    assert [await name("m"), await name("m")] == [1, 0]
    assert await rates_at(database, NOW_US, model="m-latest") == [{"input": "1"}]
    assert await name("n") == 1
    assert await rates_at(database, NOW_US, model="m-latest") == [{"input": "2"}]


async def test_prices_of_an_instant_are_found_as_they_are_in_rating(database: Database) -> None:
    await record(
        database,
        stated("1"),
        stated("2", conditions={"service_tier": "flex"}),
        stated("3", "output"),
    )
    await record(database, stated("4", "output"), source=Source.OPERATOR, now_us=LATER_US)
    async with database.read() as unit:
        rows = await store.price_at(unit, "p", "m", LATER_US)
    assert {(row.unit, row.rate_usd, row.conditions) for row in rows} == {
        ("input", "1", ""),
        ("input", "2", '{"service_tier":"flex"}'),
        ("output", "4", ""),
    }


async def test_no_row_of_a_version_ever_changes(database: Database) -> None:
    await record(database, stated("1"))
    before = (await snapshot(database))["price_versions"]
    await record(database, stated("2"), now_us=LATER_US)
    await change(database, "2", Status.WITHDRAWN, LATER_US + 9)
    assert before < (await snapshot(database))["price_versions"]
