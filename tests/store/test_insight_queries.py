"""The usage log and the totals, on SQLite and PostgreSQL."""

from datetime import UTC
from zoneinfo import ZoneInfo

import msgspec
import pytest
from sqlalchemy import insert

from tests.support.recorded import (
    NOON_US,
    UTC_DAY_US,
    CallSpec,
    opened_call,
    record,
)
from tollbridge.access import store as access_store
from tollbridge.access.keys import KeyTerms
from tollbridge.core.clock import SECOND_US
from tollbridge.core.evidence import Progress
from tollbridge.core.sight import Sight
from tollbridge.insight.log_queries import read_log
from tollbridge.insight.queries import find_call
from tollbridge.insight.total_queries import floor_quarter, totals
from tollbridge.insight.usage import CallFilter, Grouping, LogStart, TotalsFilter
from tollbridge.recording.tables import open_calls
from tollbridge.storage.unit import Database

PRICE_NANOUSD = 522_900


async def ids(database: Database, wanted: CallFilter) -> list[str]:
    async with database.read() as unit:
        return [row.call_id for row in (await read_log(unit, wanted, UTC, 100)).rows]


async def test_the_newest_call_comes_first_and_pages_leave_none_out(database: Database) -> None:
    """Five calls, three of them at the same instant, come in pages of two, each once."""
    ends = [0, 1, 1, 1, 2]
    made = await record(database, [CallSpec(at_us=NOON_US + end * SECOND_US) for end in ends])
    seen: list[tuple[int | None, str]] = []
    after = None
    for _ in range(3):
        async with database.read() as unit:
            page = await read_log(unit, CallFilter(), UTC, 2, LogStart(after))
        seen += [(row.accounted_at_us, row.call_id) for row in page.rows]
        after = page.next
    assert after is None
    assert {call_id for _, call_id in seen} == set(made)
    assert seen == sorted(seen, reverse=True)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (CallFilter(provider="openrouter"), [1]),
        (CallFilter(provider="openai"), [0, 1, 2]),
        (CallFilter(actual_provider="openai"), [0]),
        (CallFilter(bucket="openai", status="FAILED"), [2]),
        (CallFilter(status_code=502), [2]),
        (CallFilter(ending="all_refused"), [2]),
        (CallFilter(user="bob"), [1]),
        (CallFilter(model="alias"), [1]),
        (CallFilter(project="night"), [2]),
        (CallFilter(key="ci"), [0, 2]),
        (CallFilter(category="image"), []),
        (CallFilter(from_us=NOON_US + SECOND_US, to_us=NOON_US + 2 * SECOND_US), [1]),
    ],
)
async def test_each_filter_lets_by_what_it_names(
    database: Database, wanted: CallFilter, expected: list[int]
) -> None:
    made = await record(
        database,
        [
            CallSpec(at_us=NOON_US),
            CallSpec(
                at_us=NOON_US + SECOND_US,
                provider="openrouter",
                label="alias",
                user="bob",
                key_name="other",
                key_id="other-id",
            ),
            CallSpec(at_us=NOON_US + 2 * SECOND_US, refused=True, project="night"),
        ],
    )
    assert set(await ids(database, wanted)) == {made[place] for place in expected}


async def test_a_key_is_found_by_its_name_through_its_id(database: Database) -> None:
    """A key that is in the table is looked up by id, which is what the index has."""
    async with database.write() as unit:
        minted = await access_store.create_key(unit, KeyTerms(name="ci", user="ada"), b"p" * 32)
    made = await record(database, [CallSpec(key_id=minted.row.key_id), CallSpec(key_id="gone")])
    assert await ids(database, CallFilter(key="ci")) == made[:1]
    assert await ids(database, CallFilter(key="gone")) == made[1:]


async def test_a_call_is_shown_with_attempts_bill_plan_and_hold(database: Database) -> None:
    """gpt-4o-mini 2518 in and 242 out is 522,900 nano-USD, and its lines sum to just that."""
    (call_id,) = await record(database, [CallSpec(fails_first=True, hold_nanousd=1_000_000)])
    async with database.read() as unit:
        found = await find_call(unit, call_id)
    assert found is not None
    call = found.call
    assert call.cost_nanousd == PRICE_NANOUSD
    assert (call.actual_provider_name, call.expected_provider) == ("openai", "aimlapi")
    assert [(one.provider, one.outcome, one.cost_nanousd) for one in found.attempts] == [
        ("aimlapi", "failed", 0),
        ("openai", "succeeded", PRICE_NANOUSD),
    ]
    (bill,) = found.bills
    assert bill.attempt == 2
    assert {one.unit: one.quantity for one in bill.components} == {"input": 2518, "output": 242}
    assert all(one.price_version_id for one in bill.components)
    assert found.planned is not None
    assert found.planned[0] == "aimlapi/gpt-4o-mini: priority 1"
    assert found.holds is not None
    assert found.holds[0].amount == 1_000_000


async def test_a_call_is_hidden_from_other_users(database: Database) -> None:
    (call_id,) = await record(database, [CallSpec(user="ada")])
    async with database.read() as unit:
        assert await find_call(unit, call_id, Sight("ada")) is not None
        assert await find_call(unit, call_id, Sight("bob")) is None


@pytest.mark.parametrize("call_id", ["", "nonsense", "01940000-0000-7000-8000-00000000dead"])
async def test_an_unknown_call_is_none(database: Database, call_id: str) -> None:
    async with database.read() as unit:
        assert await find_call(unit, call_id) is None


async def test_an_open_call_is_processing_with_its_attempt_as_last_seen(
    database: Database,
) -> None:
    opened = opened_call(CallSpec(user="ada"))
    assert opened.attempt is not None
    first_byte_at_us = opened.received_at_us + 200_000
    current = msgspec.structs.replace(opened.attempt, first_byte_at_us=first_byte_at_us)
    progress = Progress(opened.call_id, NOON_US, current)
    async with database.write() as unit:
        await unit.connection.execute(
            insert(open_calls).values(
                call_id=opened.call_id,
                segment="s",
                last_at_us=NOON_US,
                opened=msgspec.json.encode(opened).decode(),
                progress=msgspec.json.encode(progress).decode(),
            )
        )
    async with database.read() as unit:
        found = await find_call(unit, opened.call_id, Sight("ada"))
        assert await find_call(unit, opened.call_id, Sight("bob")) is None
    assert found is not None
    call = found.call
    assert (call.status, call.cost_nanousd, call.actual_provider_name) == ("PROCESSING", None, None)
    assert call.first_byte_ms == 200
    assert [one.outcome for one in found.attempts] == ["cut_short"]


async def test_totals_by_provider_have_the_cost_of_attempts_and_the_calls_served(
    database: Database,
) -> None:
    await record(
        database,
        [
            CallSpec(fails_first=True),
            CallSpec(),
            CallSpec(provider="nowhere"),
            CallSpec(refused=True),
        ],
    )
    async with database.read() as unit:
        found = await totals(unit, Grouping.PROVIDER, TotalsFilter(), UTC, 100)
    groups = dict(found.groups)
    assert found.groups[0][0] == "openai"
    assert (groups["openai"].calls, groups["openai"].cost_nanousd) == (2, 2 * PRICE_NANOUSD)
    assert (groups["aimlapi"].calls, groups["aimlapi"].attempts) == (1, 2)
    assert (groups["nowhere"].unpriced, groups["nowhere"].cost_nanousd) == (1, 0)
    assert found.total.calls == 4
    assert found.total.cost_nanousd == sum(one.cost_nanousd for one in groups.values())


@pytest.mark.parametrize("grouping", [Grouping.USER, Grouping.KEY, Grouping.MODEL, Grouping.DAY])
async def test_the_groups_sum_to_the_total(database: Database, grouping: Grouping) -> None:
    await record(
        database,
        [
            CallSpec(user="ada", key_name="a"),
            CallSpec(user="bob", key_name="b", model="gpt-4o", at_us=NOON_US + UTC_DAY_US),
            CallSpec(user="bob", key_name="c"),
        ],
    )
    async with database.read() as unit:
        found = await totals(unit, grouping, TotalsFilter(), UTC, 100)
    assert len(found.groups) == {"user": 2, "key": 3, "model": 2, "day": 2}[grouping]
    for measure in ("calls", "cost_nanousd", "input_tokens", "output_tokens"):
        parts = [getattr(one, measure) for _, one in found.groups]
        assert sum(parts) == getattr(found.total, measure) > 0


async def test_a_day_begins_where_the_billing_zone_says(database: Database) -> None:
    """23:30 UTC on the 1st is the 2nd in Berlin, of a user and of all."""
    late_us = NOON_US + int(11.5 * 3600) * SECOND_US
    zone = ZoneInfo("Europe/Berlin")
    await record(database, [CallSpec(at_us=late_us)], zone)
    for wanted in (TotalsFilter(user="ada"), TotalsFilter()):
        async with database.read() as unit:
            found = await totals(unit, Grouping.DAY, wanted, zone, 100)
        assert [name for name, _ in found.groups] == ["2026-01-01T23:00:00.000000Z"]


async def test_groups_beyond_the_limit_are_left_out_and_said_to_be(database: Database) -> None:
    await record(database, [CallSpec(user=name) for name in ("ada", "bob", "eve")])
    async with database.read() as unit:
        found = await totals(unit, Grouping.USER, TotalsFilter(), UTC, 2)
    assert (len(found.groups), found.more, found.total.calls) == (2, True, 3)


async def test_totals_of_a_span_are_half_open(database: Database) -> None:
    start_us = floor_quarter(NOON_US)
    quarter_us = 15 * 60 * SECOND_US
    await record(
        database, [CallSpec(at_us=start_us + place * quarter_us) for place in (-1, 0, 1, 2)]
    )
    wanted = TotalsFilter(from_us=start_us, to_us=start_us + 2 * quarter_us)
    async with database.read() as unit:
        found = await totals(unit, Grouping.PROVIDER, wanted, UTC, 100)
    assert found.total.calls == 2


async def test_no_calls_sum_to_zero(database: Database) -> None:
    async with database.read() as unit:
        found = await totals(unit, Grouping.DAY, TotalsFilter(), UTC, 100)
    assert (found.total.calls, found.groups) == (0, ())
