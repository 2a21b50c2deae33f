"""The catalogue of prices as it is shown, and what was priced by it, on SQLite and PostgreSQL."""

from decimal import Decimal

import pytest
from sqlalchemy import update

from tests.support.recorded import NOON_US, CallSpec
from tests.support.rerated import a_run, dearer, put, tools
from tollbridge.core.clock import SECOND_US
from tollbridge.core.sight import Sight
from tollbridge.insight.price_queries import (
    find_price,
    holding_price,
    list_disputes,
    list_events,
    list_prices,
)
from tollbridge.insight.prices import ChargeDifference, PriceFilter, Tolerance, Whose
from tollbridge.insight.unpriced_queries import list_differences, list_unpriced
from tollbridge.rating import store
from tollbridge.rating.prices import DeclaredPrice, Source, Status
from tollbridge.recording.adjust import begin, rerate
from tollbridge.recording.tables import call_details
from tollbridge.storage.unit import Database

ACME = PriceFilter(provider="acme")
HOUR_US = 3600 * SECOND_US
WINDOW = (NOON_US - HOUR_US, NOON_US + HOUR_US)


def price(rate_usd: str, model: str = "m", since_us: int = 0, unit: str = "input") -> DeclaredPrice:
    return DeclaredPrice(
        provider="acme",
        model=model,
        unit=unit,
        rate_usd=Decimal(rate_usd),
        per=1_000_000,
        valid_from_us=since_us,
    )


async def record(
    database: Database, *stated: DeclaredPrice, source: Source = Source.OPERATOR
) -> None:
    async with database.write() as unit:
        await store.record_versions(
            unit,
            stated,
            source=source,
            actor="ada",
            now_us=NOON_US,
            disputes=source is Source.SYNC,
        )


async def test_a_version_has_the_status_of_its_last_event(database: Database) -> None:
    await record(database, price("1"))
    async with database.write() as unit:
        [row] = await list_prices(unit, ACME, None, 10)
        assert row.status == Status.ACTIVE
        await store.change_status(
            unit, row.price_version_id, Status.DISPUTED, actor="bob", reason="why", now_us=NOON_US
        )
    async with database.read() as unit:
        [row] = await list_prices(unit, PriceFilter(provider="acme", status="disputed"), None, 10)
        assert await find_price(unit, row.price_version_id.upper()) == row
        assert await find_price(unit, "nonsense") is None
        events = await list_events(unit, "acme", "m", None, 10)
        assert [(one.status, one.actor, one.reason) for one in events] == [
            ("disputed", "bob", "why"),
            ("active", "ada", None),
        ]
        assert await list_events(unit, "acme", "m", events[0].place, 10) == events[1:]


async def test_what_holds_at_an_instant_is_the_version_of_that_time(database: Database) -> None:
    await record(database, price("1"))
    await record(database, price("2", since_us=NOON_US))
    key = ("acme", "m", "input", "")
    async with database.read() as unit:
        for at_us, expected in ((NOON_US - 1, "1"), (NOON_US, "2")):
            [row] = await list_prices(unit, PriceFilter(provider="acme", at_us=at_us), None, 10)
            assert row.rate_usd == expected
            assert await holding_price(unit, key, "operator", at_us) == row
        assert await holding_price(unit, key, "sync", NOON_US) is None


async def test_a_dispute_names_only_what_it_contradicts(database: Database) -> None:
    """Not other units, and not what held before the proposal begins."""
    await record(database, price("1"), price("7", unit="output"))
    await record(database, price("2", since_us=NOON_US))
    await record(database, price("3", since_us=NOON_US), source=Source.SYNC)
    async with database.read() as unit:
        [dispute] = await list_disputes(unit, None, 10)
        assert dispute.proposed.rate_usd == "3"
        assert [one.rate_usd for one in dispute.against] == ["2"]
        assert await list_disputes(unit, dispute.proposed.place, 10) == []
        assert await list_disputes(unit, None, 10, "other") == []


async def test_pages_of_what_has_no_price_leave_nothing_out(database: Database) -> None:
    """Three models as often as each other, and one more often."""
    specs = [CallSpec(provider="nowhere", model=f"m-{number}") for number in range(3)]
    await put(database, [*specs, *[CallSpec(provider="nowhere", model="often")] * 2])
    found: list[tuple[str, int]] = []
    after = None
    async with database.read() as unit:
        for _ in range(5):
            page = await list_unpriced(unit, Whose(), after, 1)
            if not page:
                break
            after = page[0].place
            found.append((page[0].model, page[0].count))
    assert found == [("often", 2), ("m-0", 1), ("m-1", 1), ("m-2", 1)]


@pytest.mark.parametrize("user", [None, "ada"])
async def test_what_became_priced_is_not_listed_any_more(
    database: Database, user: str | None
) -> None:
    wanted = Whose(provider="nowhere", sight=None if user is None else Sight(user))
    spec = CallSpec(provider="nowhere")
    made = await put(database, [spec, CallSpec(provider="nowhere", user="bob", model="other")])
    async with database.read() as unit:
        gaps = {one.model: one for one in await list_unpriced(unit, wanted, None, 10)}
    assert len(gaps) == (2 if user is None else 1)
    assert gaps["gpt-4o-mini"].last_call_id == made[0]
    assert gaps["gpt-4o-mini"].reason == "no price for nowhere/gpt-4o-mini"
    run = await begin(database, a_run(model="gpt-4o-mini"))
    await rerate(database, run, tools(dearer(1)))
    async with database.read() as unit:
        left = [one.model for one in await list_unpriced(unit, wanted, None, 10)]
    assert left == (["other"] if user is None else [])


async def test_calls_whose_reported_charge_is_too_far_from_our_price_are_listed(
    database: Database,
) -> None:
    """One per cent and a millionth of a dollar: both have to be passed."""
    figures = ((2_000_000, 2_000_000), (2_000_000, 1_985_000), (2_000_000, 1_975_000), (500, 0))
    made = await put(database, [CallSpec(at_us=NOON_US + place) for place in range(5)])
    async with database.write() as unit:
        for call_id, (reported, computed) in zip(made, figures, strict=False):
            await unit.connection.execute(
                update(call_details)
                .where(call_details.c.call_id == call_id)
                .values(reported_nanousd=reported, computed_nanousd=computed)
            )
    async with database.read() as unit:
        found = await list_differences(unit, Whose(), WINDOW, Tolerance(), None, 10)
        wide = Tolerance(Decimal(0), 0)
        first = await list_differences(unit, Whose(), WINDOW, wide, None, 1)
        rest = await list_differences(unit, Whose(), WINDOW, wide, first.next_place, 10)
        bobs = await list_differences(unit, Whose(sight=Sight("bob")), WINDOW, wide, None, 10)
    assert found.differences == (
        ChargeDifference(made[2], NOON_US + 2, "openai", "gpt-4o-mini", 2_000_000, 1_975_000),
    )
    assert (found.scanned, found.next_place) == (5, None)
    assert found.differences[0].difference_nanousd == 25_000
    assert [one.call_id for one in (*first.differences, *rest.differences)] == [
        made[3],
        made[2],
        made[1],
    ]
    assert bobs.scanned == 0
