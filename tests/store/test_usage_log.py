"""Pages and totals of the usage log, however few of the calls are meant, and of any age."""

from collections.abc import Sequence
from datetime import UTC

import pytest
from sqlalchemy import ColumnElement, delete, insert, select, update

from tests.support.recorded import NOON_US, UTC_DAY_US, CallSpec, record
from tests.support.rerated import a_run, dearer, put, tools
from tollbridge.core.clock import SECOND_US
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.provider_names import ProviderNames
from tollbridge.core.sight import Sight
from tollbridge.insight.filter_queries import Matching, require_provider
from tollbridge.insight.log_queries import FROM_START, cost_parts, count_log, read_log
from tollbridge.insight.queries import find_call
from tollbridge.insight.scan_queries import ScanBounds, branches_of
from tollbridge.insight.usage import CallFilter, LogPage, LogStart
from tollbridge.providers.names import load_names
from tollbridge.recording.adjust import begin, rerate
from tollbridge.recording.archive_tables import call_details_archive
from tollbridge.recording.tables import call_details
from tollbridge.storage.unit import Database

NARROW = ScanBounds(
    span_rows=2, span_rows_max=4, look_rows=1, scanned_rows_max=12, sparse_calls=3, counted_max=4
)
QUARTER_US = 900 * SECOND_US


async def read(
    database: Database,
    wanted: CallFilter,
    start: LogStart = FROM_START,
    bounds: ScanBounds = NARROW,
    limit: int = 3,
) -> LogPage:
    async with database.read() as unit:
        return await read_log(unit, wanted, UTC, limit, start, bounds)


async def read_all(database: Database, wanted: CallFilter) -> list[str]:
    """Return all calls, page by page, by cursor."""
    seen: list[str] = []
    start = FROM_START
    for _ in range(200):
        page = await read(database, wanted, start)
        seen += [row.call_id for row in page.rows]
        if page.next is None:
            return seen
        start = LogStart(page.next)
    raise AssertionError("the pages have no end")


async def count(
    database: Database, wanted: CallFilter, bounds: ScanBounds = NARROW
) -> tuple[int, bool]:
    async with database.read() as unit:
        total = await count_log(unit, wanted, UTC, bounds)
    return total.calls, total.is_exact


async def archive(database: Database, chosen: ColumnElement[bool]) -> None:
    """Move the rows of some calls to the archive."""
    names = [column.name for column in call_details.c]
    async with database.write() as unit:
        await unit.connection.execute(
            insert(call_details_archive).from_select(names, select(call_details).where(chosen))
        )
        await unit.connection.execute(delete(call_details).where(chosen))


def spread(every_us: int, calls: int, rare: Sequence[int]) -> list[CallSpec]:
    """Return calls at equal distances, the oldest first; those in `rare` are another's."""
    return [
        CallSpec(
            at_us=NOON_US + place * every_us,
            user="bob" if place in rare else "ada",
            label="rare" if place in rare else "common",
            refused=place in rare,
        )
        for place in range(calls)
    ]


@pytest.mark.parametrize("every_us", [SECOND_US, QUARTER_US, UTC_DAY_US])
@pytest.mark.parametrize(
    "wanted",
    [
        CallFilter(model="rare"),
        CallFilter(user="bob"),
        CallFilter(status="FAILED"),
        CallFilter(status_class="5xx"),
        CallFilter(status_code=502),
        CallFilter(ending="all_refused"),
    ],
)
async def test_rare_calls_are_all_found_by_cursor(
    database: Database, wanted: CallFilter, every_us: int
) -> None:
    rare = [0, 1, 7, 8, 9, 29]
    made = await record(database, spread(every_us, 30, rare))
    assert await read_all(database, wanted) == [made[place] for place in reversed(rare)]


async def test_a_page_that_looked_far_enough_is_short_and_says_where_to_go_on(
    database: Database,
) -> None:
    made = await record(database, spread(SECOND_US, 30, [0]))
    # A dense day: roll-ups do not help with a status that is no class.
    wanted = CallFilter(ending="all_refused")
    page = await read(database, wanted)
    assert page.rows == ()
    assert page.next is not None
    assert await count(database, wanted) == (0, False)
    assert await read_all(database, wanted) == made[:1]


async def test_an_offset_that_would_look_too_far_is_refused(database: Database) -> None:
    await record(database, spread(SECOND_US, 30, [0]))
    with pytest.raises(InvalidRequestError, match="narrow the time"):
        await read(database, CallFilter(ending="all_refused"), LogStart(offset=1))


@pytest.mark.parametrize("wanted", [CallFilter(), CallFilter(model="common"), CallFilter(key="ci")])
async def test_offsets_and_cursors_give_the_same_pages(
    database: Database, wanted: CallFilter
) -> None:
    made = await record(database, spread(QUARTER_US, 10, [4]))
    expected = [one for place, one in enumerate(made) if wanted.model is None or place != 4]
    by_offset: list[str] = []
    for offset in range(0, 12, 3):
        page = await read(database, wanted, LogStart(offset=offset), ScanBounds())
        by_offset += [row.call_id for row in page.rows]
    assert by_offset == expected[::-1] == await read_all(database, wanted)


@pytest.mark.parametrize("every_us", [SECOND_US, 0])
@pytest.mark.parametrize("archived", [0, 4])
async def test_an_offset_that_is_leapt_over_gives_the_same_pages(
    database: Database, every_us: int, archived: int
) -> None:
    """With three calls at each instant, or all at one; the newest of all may be archived."""
    specs = [CallSpec(at_us=NOON_US + place // 3 * every_us) for place in range(24)]
    made = await record(database, specs)
    if archived:
        await archive(database, call_details.c.call_id.in_(made[-archived:]))
    expected = await read_all(database, CallFilter())
    assert len(expected) == 24
    leaping = ScanBounds(leap_min=4, ties_max=4)
    for offset in range(4, 24, 3):
        page = await read(database, CallFilter(), LogStart(offset=offset), leaping)
        assert [row.call_id for row in page.rows] == expected[offset : offset + 3]


async def test_calls_of_one_instant_are_more_than_a_look_and_still_all_found(
    database: Database,
) -> None:
    made = await record(database, spread(0, 30, range(20)))
    assert sorted(await read_all(database, CallFilter(model="rare"))) == sorted(made[:20])


async def test_totals_by_roll_ups_are_exact_beyond_the_bound(database: Database) -> None:
    await record(database, spread(QUARTER_US, 30, range(10)))
    for wanted, calls in (
        (CallFilter(), 30),
        (CallFilter(model="rare"), 10),
        (CallFilter(user="ada"), 20),
        (CallFilter(key="ci", user="bob"), 10),
        (CallFilter(status="COMPLETED"), 20),
        (CallFilter(status_class="5xx", bucket="openai"), 10),
        (CallFilter(provider="openai"), 30),
        (CallFilter(unpriced=False), 30),
        (CallFilter(from_us=NOON_US + 1, to_us=NOON_US + 20 * QUARTER_US + 1), 20),
        (CallFilter(model="nothing"), 0),
        (CallFilter(user="nobody"), 0),
    ):
        assert await count(database, wanted) == (calls, True), wanted


async def test_totals_that_no_roll_up_knows_are_bounded_and_say_so(database: Database) -> None:
    await record(database, spread(SECOND_US, 30, range(10)))
    assert await count(database, CallFilter(fallback=False)) == (4, False)
    assert await count(database, CallFilter(fallback=False), ScanBounds()) == (30, True)
    assert await count(database, CallFilter(status_code=502), ScanBounds()) == (10, True)


async def test_calls_are_found_by_customer_and_by_one_of_their_tags(database: Database) -> None:
    """A tag is meant whole: neither a part of one, nor two of them together."""
    tagged = CallSpec(customer="acme", tags=("team:web", 'odd "tag"'))
    made = await record(database, [CallSpec(), tagged, CallSpec(tags=("team",))])
    for wanted, expected in (
        (CallFilter(customer="acme"), made[1:2]),
        (CallFilter(tag="team:web"), made[1:2]),
        (CallFilter(tag='odd "tag"'), made[1:2]),
        (CallFilter(tag="team"), made[2:]),
        (CallFilter(tag="web"), []),
        (CallFilter(tag="team", customer="acme"), []),
    ):
        assert await read_all(database, wanted) == expected, wanted
        assert await count(database, wanted, ScanBounds()) == (len(expected), True)


@pytest.mark.parametrize("fallback", [True, False])
async def test_fallback_is_a_call_for_which_more_than_one_was_tried(
    database: Database, *, fallback: bool
) -> None:
    made = await record(database, [CallSpec(), CallSpec(fails_first=True)])
    page = await read(database, CallFilter(fallback=fallback))
    assert [row.call_id for row in page.rows] == [made[fallback]]


async def test_fallbacks_are_found_page_by_page_of_any_age_and_with_other_conditions(
    database: Database,
) -> None:
    specs = [
        CallSpec(at_us=NOON_US + day * UTC_DAY_US, fails_first=day % 3 == 0, user=user)
        for day, user in enumerate(["ada", "bob"] * 12)
    ]
    made = await record(database, specs)
    await archive(database, call_details.c.accounted_at_us < NOON_US + 10 * UTC_DAY_US)
    fell_back = made[::3]
    assert await read_all(database, CallFilter(fallback=True)) == fell_back[::-1]
    assert await read_all(database, CallFilter(fallback=True, user="bob")) == fell_back[1::2][::-1]
    assert await read_all(database, CallFilter(fallback=True, status="FAILED")) == []
    assert await count(database, CallFilter(fallback=True), ScanBounds()) == (8, True)


async def test_that_there_is_no_fallback_is_told_by_an_index(database: Database) -> None:
    """However many other calls there are: nothing else is looked through."""
    await record(database, [CallSpec()])
    for branch in branches_of(Matching(CallFilter(fallback=True))):
        query = branch.calls((NOON_US, NOON_US + 1), branch.columns.call_id)
        sql = str(query.compile(database.engine, compile_kwargs={"literal_binds": True}))
        async with database.write() as unit:
            if database.dialect == "postgresql":
                await unit.connection.exec_driver_sql("SET LOCAL enable_seqscan = off")
            explain = "EXPLAIN " if database.dialect == "postgresql" else "EXPLAIN QUERY PLAN "
            plan = (await unit.connection.exec_driver_sql(explain + sql)).all()
        assert any(f"ix_{branch.columns.call_id.table.name}_fallbacks" in str(row) for row in plan)


async def test_what_was_priced_since_is_not_unpriced_any_more(database: Database) -> None:
    made = await put(database, [CallSpec(), CallSpec(provider="nowhere", at_us=NOON_US + 1)])
    for wanted, places in ((True, [1]), (False, [0])):
        page = await read(database, CallFilter(unpriced=wanted))
        assert [row.call_id for row in page.rows] == [made[place] for place in places]
        assert await count(database, CallFilter(unpriced=wanted)) == (1, True)
    await rerate(database, await begin(database, a_run()), tools(dearer(1000)))
    assert await count(database, CallFilter(unpriced=True)) == (0, True)
    assert (await read(database, CallFilter(unpriced=True))).rows == ()
    assert await read_all(database, CallFilter(unpriced=False)) == made[::-1]


async def test_the_parts_of_a_cost_follow_its_corrections(database: Database) -> None:
    await put(database, [CallSpec(), CallSpec(provider="nowhere")])

    async def parts() -> list[tuple[str, str]]:
        async with database.read() as unit:
            page = await read_log(unit, CallFilter(), UTC, 10)
            found = (await cost_parts(unit, page.rows)).values()
        return sorted((f"{one.input_usd:f}", f"{one.output_usd:f}") for one in found)

    [(of_input, of_output)] = await parts()
    assert (float(of_input), float(of_output)) == (0.0003777, 0.0001452)
    await rerate(database, await begin(database, a_run()), tools(dearer(1000)))
    assert [(float(one), float(two)) for one, two in await parts()] == [(0.002518, 0.0)] * 2


async def test_archived_calls_are_listed_counted_and_shown(database: Database) -> None:
    made = await record(database, spread(UTC_DAY_US, 8, [2]))
    await archive(database, call_details.c.accounted_at_us < NOON_US + 5 * UTC_DAY_US)
    assert await read_all(database, CallFilter()) == made[::-1]
    assert await read_all(database, CallFilter(user="bob")) == [made[2]]
    assert await count(database, CallFilter()) == (8, True)
    assert await count(database, CallFilter(actual_provider="openai")) == (7, True)
    async with database.read() as unit:
        assert await find_call(unit, made[0], Sight("ada")) is not None
        assert await find_call(unit, made[0], Sight("bob")) is None


async def test_a_row_counts_for_as_many_requests_as_it_stands_for(database: Database) -> None:
    await record(database, [CallSpec(), CallSpec()])
    async with database.write() as unit:
        await unit.connection.execute(update(call_details).values(request_count=5))
    assert await count(database, CallFilter(fallback=False)) == (10, True)


async def test_a_users_calls_are_found_by_many_keys(database: Database) -> None:
    """Beyond what is read key by key, they are looked for by time."""
    specs = [
        CallSpec(at_us=NOON_US + place, key_id=f"key-{place}", key_name=f"key-{place}")
        for place in range(25)
    ]
    made = await record(database, specs)
    assert await read_all(database, CallFilter(user="ada")) == made[::-1]
    assert await read_all(database, CallFilter(key="key-3")) == [made[3]]


@pytest.mark.parametrize("provider", ["openai", "video", "huggingface", "x-ai", "our-own"])
async def test_a_provider_that_something_here_has_is_known(
    database: Database, provider: str
) -> None:
    await record(database, [CallSpec(provider="our-own")])
    async with database.read() as unit:
        await require_provider(unit, load_names(), provider)


async def test_an_unknown_provider_is_refused_with_the_right_names(database: Database) -> None:
    async with database.read() as unit:
        with pytest.raises(InvalidRequestError, match="image_edit") as caught:
            await require_provider(unit, ProviderNames([]), "wavespede")
    assert caught.value.details["param"] == "provider"
