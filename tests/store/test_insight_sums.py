"""Sums by any groupings on both databases: days of a zone, corrections, and bounds."""

import random
from datetime import UTC
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
import pytest

from tests.store.test_brief_sql import COST_ANALYSIS, FALLBACK_FREQUENCY, SUCCESS_RATES, run
from tests.support.control import control_plane
from tests.support.insight import Books, a_spec, every_call, get
from tests.support.insight_checks import check_all, check_cube
from tests.support.recorded import NOON_US, CallSpec, record
from tests.support.rerated import a_run, dearer, put, tools
from tollbridge.core.errors import InvalidRequestError
from tollbridge.insight.axes import Axis, Slice
from tollbridge.insight.cube_detail_queries import sums_of_details
from tollbridge.insight.cube_queries import sums
from tollbridge.recording.adjust import begin, rerate
from tollbridge.storage.unit import Database

BERLIN = ZoneInfo("Europe/Berlin")
DAY_US = 86_400_000_000
TO_SPRING_US = 87 * DAY_US
"""From the first of January to the end of March, when Berlin's clocks are moved."""


@pytest.mark.parametrize("seed", [7])
async def test_every_number_of_insight_is_that_of_the_details(
    database: Database, seed: int
) -> None:
    await check_all(database, random.Random(seed), UTC)


async def test_days_weeks_and_hours_are_those_of_the_billing_zone(database: Database) -> None:
    """Also of a day with 23 hours, whichever roll-up is read."""
    draw = random.Random(3)
    specs = [a_spec(draw) for _ in range(40)]
    moved = [msgspec.structs.replace(one, at_us=one.at_us + TO_SPRING_US) for one in specs]
    await record(database, moved, BERLIN)
    books = Books(await every_call(database), BERLIN)
    for _ in range(12):
        await check_cube(database, books, draw, BERLIN, shift_us=TO_SPRING_US)


async def test_what_was_corrected_is_in_the_sums_wherever_they_are_read(
    database: Database,
) -> None:
    await put(database, [CallSpec(user="ada"), CallSpec(user="bob"), CallSpec(refused=True)])
    await rerate(database, await begin(database, a_run()), tools(dearer(1000)))
    wanted = Slice(from_us=NOON_US - NOON_US % DAY_US, to_us=NOON_US - NOON_US % DAY_US + DAY_US)
    for axes in ([Axis.PROVIDER], [Axis.USER], [Axis.HOUR], [Axis.KEY, Axis.DAY], []):
        async with database.read() as unit:
            by_sums = await sums(unit, wanted, axes, UTC)
            by_calls = await sums_of_details(unit, wanted, axes, UTC)
        assert by_sums.groups == by_calls.groups
        assert by_sums.total.cost_nanousd == 2 * 2518 * 1000


async def test_of_more_calls_than_the_bound_the_newest_are_told_of_and_since_when(
    database: Database,
) -> None:
    await record(database, [CallSpec(at_us=NOON_US + place, tags=("a",)) for place in range(6)])
    wanted = Slice(from_us=NOON_US, to_us=NOON_US + DAY_US)
    async with database.read() as unit:
        found = await sums_of_details(unit, wanted, [Axis.TAG], UTC, calls_max=4)
    assert found.total.calls == found.groups[("a",)].calls == 4
    assert found.complete_from_us == NOON_US + 3


async def test_too_many_quarter_hours_are_refused_before_they_are_read(
    database: Database,
) -> None:
    await record(database, [CallSpec(at_us=NOON_US + place) for place in range(3)])
    start_us = NOON_US - NOON_US % DAY_US
    whole = Slice(from_us=start_us, to_us=start_us + DAY_US)
    async with database.read() as unit:
        assert (await sums(unit, whole, [Axis.PROVIDER], UTC, rows_max=2)).total.calls == 3
        with pytest.raises(InvalidRequestError, match="too many rows"):
            await sums(unit, whole, [Axis.HOUR], UTC, rows_max=2)


async def test_the_addresses_answer_what_the_documents_sql_answers_on_the_views(
    database: Database,
) -> None:
    """Success rate by provider, and the models that users see against who served them."""
    specs = [
        CallSpec(),
        CallSpec(fails_first=True),
        CallSpec(provider="openrouter"),
        CallSpec(refused=True),
        CallSpec(label="my-alias", provider="groq"),
    ]
    await record(database, specs)
    rates = {row["actual_provider"]: row for row in await run(database, SUCCESS_RATES)}
    models = {
        (row["user_model"], row["expected_provider"], row["actual_provider"]): row["requests"]
        for row in await run(database, COST_ANALYSIS)
    }
    frequency = {
        (row["user_selected_provider"], row["actual_provider"]): row["times_used"]
        for row in await run(database, FALLBACK_FREQUENCY)
    }
    async with control_plane(database) as plane:
        plane.clock.advance(2 * 86_400)
        admin = await plane.key("root", "admin")
        by_provider: Any = await get(plane, admin, "/api/v1/insight/breakdown")
        found: Any = await get(plane, admin, "/api/v1/insight/model-providers")
    for one in by_provider["groups"]:
        row = rates[one["group"]["provider"]]
        assert (one["calls"], one["completed"]) == (row["total_requests"], row["successful"])
        assert one["success_rate"] * 100 == pytest.approx(float(row["success_rate_pct"]), abs=0.01)
    names = {row["slug"]: row["name"] for row in await run(database, "SELECT * FROM ai_models")}
    shown: dict[tuple[str, str], int] = {}
    for one in found["rows"]:
        expected, actual = one["expected_provider"], one["provider"]
        if one["calls"]:
            assert models[names[one["model"]], expected, actual] == one["calls"]
            shown[expected, actual] = shown.get((expected, actual), 0) + one["calls"]
        assert one["credits"] == "0"
    assert shown == frequency
