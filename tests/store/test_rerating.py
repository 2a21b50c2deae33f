"""Prices are corrected: the books follow, and no past row changes."""

from datetime import UTC

import pytest
from sqlalchemy.exc import DBAPIError

from tests.support.drained import rows
from tests.support.recorded import NOON_US, CallSpec
from tests.support.rerated import (
    DAY,
    HELD_BUDGET,
    a_run,
    add_budget,
    contents,
    dearer,
    disagreements,
    originals,
    put,
    tools,
)
from tollbridge.core.clock import SECOND_US
from tollbridge.core.errors import ConflictError
from tollbridge.insight.log_queries import read_log
from tollbridge.insight.queries import find_call
from tollbridge.insight.resource_queries import list_budgets
from tollbridge.insight.usage import CallFilter
from tollbridge.ledger.postings import budget_account
from tollbridge.recording import adjustment_store as store
from tollbridge.recording.adjust import begin, preview, rerate
from tollbridge.recording.adjustment_store import Run, Window
from tollbridge.recording.reconsider import Findings, RateAgain, reconsider
from tollbridge.storage.unit import Database

COST_NANOUSD = 522_900
TOKENS = 2518


async def run(database: Database, rate_again: RateAgain, wanted: Run | None = None) -> Findings:
    """Rate everything again, or what is wanted."""
    begun = await begin(database, wanted or a_run())
    return await rerate(database, begun, tools(rate_again), batch_calls=2)


async def test_adjustments_sum_to_the_difference_and_past_rows_stay_as_they_are(
    database: Database,
) -> None:
    """Details, attempts and evidence are value for value what they were; the sums follow."""
    specs = [CallSpec(at_us=NOON_US + place * 900 * SECOND_US) for place in range(5)]
    await put(database, [*specs, CallSpec(refused=True)])
    before = await originals(database)
    findings = await run(database, dearer(1000))
    difference = 5 * (TOKENS * 1000 - COST_NANOUSD)
    assert (findings.calls, findings.adjustments) == (6, 5)
    assert findings.difference_nanousd == findings.charge_difference_nanousd == difference
    assert findings.by_provider == {"openai": difference}
    assert await originals(database) == before
    written = await rows(database, "SELECT difference_nanousd FROM adjustments")
    assert sum(one[0] for one in written) == difference
    assert await disagreements(database) == []


async def test_a_second_run_changes_nothing(database: Database) -> None:
    await put(database, [CallSpec(), CallSpec(provider="nowhere")])
    await run(database, dearer(1000, without=["nowhere"]))
    queries = (
        "SELECT * FROM adjustments",
        "SELECT * FROM postings",
        "SELECT * FROM rollups_by_call",
        "SELECT * FROM rollups_by_attempt",
    )
    before = await contents(database, queries)
    findings = await run(database, dearer(1000, without=["nowhere"]))
    assert findings.adjustments == 0
    assert await contents(database, queries) == before


async def test_a_price_that_goes_back_brings_the_first_cost_back(database: Database) -> None:
    """Each correction follows the one before, and together they come to zero."""
    await put(database, [CallSpec()])
    for times in (1000, 10, 1000):
        await run(database, dearer(times))
        assert await disagreements(database) == []
    written = await rows(
        database,
        "SELECT sequence, before_nanousd, after_nanousd FROM adjustments ORDER BY sequence",
    )
    dear, cheap = TOKENS * 1000, TOKENS * 10
    assert written == [(1, COST_NANOUSD, dear), (2, dear, cheap), (3, cheap, dear)]


async def test_an_unpriced_call_becomes_priced_and_is_no_longer_counted_as_unpriced(
    database: Database,
) -> None:
    await put(database, [CallSpec(provider="nowhere"), CallSpec()])
    findings = await run(database, dearer(7), a_run(provider="nowhere"))
    assert (findings.calls, findings.calls_priced, findings.adjustments) == (1, 1, 1)
    assert await rows(database, "SELECT before_nanousd, after_nanousd FROM adjustments") == [
        (None, TOKENS * 7)
    ]
    for sql in (
        "SELECT max(unpriced) FROM rollups_by_call",
        "SELECT max(unpriced) FROM rollups_by_attempt_daily",
    ):
        assert await rows(database, sql) == [(0,)]
    assert await disagreements(database) == []


async def test_a_price_that_is_gone_leaves_what_a_call_cost(database: Database) -> None:
    """Nothing becomes unknown by a correction: what has no price any more is only counted."""
    await put(database, [CallSpec()])
    findings = await run(database, dearer(1, without=["openai"]))
    assert (findings.adjustments, findings.price_gone) == (0, 1)
    assert await rows(database, "SELECT * FROM adjustments") == []


async def test_only_the_period_and_the_provider_that_are_meant_are_touched(
    database: Database,
) -> None:
    ids = await put(
        database,
        [CallSpec(at_us=NOON_US), CallSpec(at_us=NOON_US + SECOND_US), CallSpec(provider="other")],
    )
    window = Window(NOON_US, NOON_US + SECOND_US)
    await run(database, dearer(9), a_run(window, "openai", "gpt-4o-mini"))
    written = await rows(database, "SELECT call_id FROM adjustments")
    assert [str(one[0]) for one in written] == [ids[0]]
    assert await disagreements(database) == []


async def test_budgets_pay_the_difference_in_the_period_that_is_open_now(
    database: Database,
) -> None:
    """The call was months ago; its own period stays, and the correction is marked as one."""
    await add_budget(database, limit_nanousd=10**12)
    await put(database, [CallSpec(hold_nanousd=1_000_000)])
    await run(database, dearer(1000))
    difference = TOKENS * 1000 - COST_NANOUSD
    spent = dict(await rows(database, "SELECT period_start_us, spent FROM budget_periods"))
    assert spent.pop(NOON_US) == COST_NANOUSD
    [(start_us, amount)] = spent.items()
    assert start_us > NOON_US
    assert amount == difference
    assert await rows(
        database,
        "SELECT period_start_us, difference_nanousd, spent_after_nanousd, flag "
        "FROM budget_adjustments",
    ) == [(start_us, difference, difference, None)]
    posted = dict(await rows(database, "SELECT account, amount FROM postings"))
    assert posted[budget_account(HELD_BUDGET, start_us)] == difference
    assert await disagreements(database) == []


async def test_a_budget_s_list_says_how_much_of_it_is_corrections(database: Database) -> None:
    await add_budget(database, limit_nanousd=10**12)
    await put(database, [CallSpec(hold_nanousd=1_000_000)])
    await run(database, dearer(1000))
    await run(database, dearer(2000), a_run(version=2))
    async with database.read() as unit:
        (now,) = await list_budgets(unit, UTC, None, "", 10)
    assert now.corrected_nanousd == now.state.spent == TOKENS * 2000 - COST_NANOUSD


@pytest.mark.parametrize(
    ("times", "limit_nanousd", "flag"),
    [(0, 10**12, "negative"), (1000, 1_000_000, "over_limit"), (1000, 10**12, None)],
)
async def test_a_budget_that_leaves_its_bounds_by_a_correction_is_flagged(
    database: Database, times: int, limit_nanousd: int, flag: str | None
) -> None:
    await add_budget(database, limit_nanousd)
    await put(database, [CallSpec(hold_nanousd=1_000_000)])
    await run(database, dearer(times))
    assert await rows(database, "SELECT flag FROM budget_adjustments") == [(flag,)]
    assert await disagreements(database) == []


async def test_a_call_whose_evidence_is_purged_says_that_no_budget_was_corrected(
    database: Database,
) -> None:
    await add_budget(database, limit_nanousd=10**12)
    await put(database, [CallSpec(hold_nanousd=1_000_000)])
    async with database.write() as unit:
        await unit.connection.exec_driver_sql("DELETE FROM call_evidence")
    findings = await run(database, dearer(1000))
    assert findings.budgets_unknown == 1
    assert await rows(database, "SELECT batch_id FROM budget_adjustments") == []
    async with database.read() as unit:
        [row] = (await read_log(unit, CallFilter(), UTC, 1)).rows
        whole = await find_call(unit, row.call_id)
    assert whole is not None
    assert whole.adjustments[0].flags == ("budgets_unknown",)
    assert await disagreements(database) == []


async def test_a_preview_finds_the_same_and_writes_nothing(database: Database) -> None:
    await put(database, [CallSpec(), CallSpec(), CallSpec(provider="nowhere")])
    seen: list[int] = []
    found = await preview(database, a_run(), dearer(1000), on_progress=seen.append, batch_calls=2)
    assert seen == [2, 1]
    assert await rows(database, "SELECT * FROM adjustments") == []
    assert await rows(database, "SELECT * FROM rerating_runs") == []
    assert await run(database, dearer(1000)) == found


async def test_a_run_that_was_cut_short_goes_on_where_it_was(database: Database) -> None:
    """Under the same prices; the calls that it has seen are not read again."""
    await put(database, [CallSpec(at_us=NOON_US + place) for place in range(6)])

    def die(_calls: int) -> None:
        raise KeyboardInterrupt

    begun = await begin(database, a_run())
    with pytest.raises(KeyboardInterrupt):
        await rerate(database, begun, tools(dearer(5)), on_progress=die, batch_calls=2)
    again = await begin(database, a_run())
    assert again.run_id == begun.run_id
    assert again.place is not None
    findings = await rerate(database, again, tools(dearer(5)), batch_calls=2)
    assert (findings.calls, findings.adjustments) == (4, 4)
    assert (await begin(database, a_run())).run_id != begun.run_id
    assert (await begin(database, a_run(version=2))).place is None
    assert await disagreements(database) == []


async def test_two_runs_at_once_never_correct_a_call_twice(database: Database) -> None:
    """The later one sees that its calls were corrected meanwhile, and gives up."""
    await put(database, [CallSpec()])
    first, second = await begin(database, a_run()), await begin(database, a_run(version=2))
    async with database.read() as unit:
        calls = await store.load_page(unit, DAY, first.only, None, 10)
    corrections, _ = reconsider(calls, first.only, dearer(1000))
    for number, one in enumerate((first, second)):
        batch_id = f"01890000-0000-7000-8000-00000000000{number}"
        if number == 0:
            async with database.write() as unit:
                await store.write_corrections(unit, one, batch_id, corrections, frozenset())
            continue
        with pytest.raises(ConflictError):
            async with database.write() as unit:
                await store.write_corrections(unit, one, batch_id, corrections, frozenset())
    assert len(await rows(database, "SELECT * FROM adjustments")) == 1


async def test_a_call_shows_what_it_cost_first_and_what_it_costs_now(database: Database) -> None:
    [call_id] = await put(database, [CallSpec()])
    await run(database, dearer(1000))
    async with database.read() as unit:
        [row] = (await read_log(unit, CallFilter(), UTC, 10)).rows
        whole = await find_call(unit, call_id)
    assert row.cost_nanousd == COST_NANOUSD
    assert row.cost_now_nanousd == row.charge_now_nanousd == TOKENS * 1000
    assert row.adjustment_nanousd == TOKENS * 1000 - COST_NANOUSD
    assert whole is not None
    assert whole.call == row
    [adjustment] = whole.adjustments
    assert (adjustment.before_nanousd, adjustment.after_nanousd) == (COST_NANOUSD, TOKENS * 1000)
    assert [line.price_version_id for line in adjustment.bill.components] == ["v-new"]
    assert (adjustment.actor, adjustment.reason) == ("ada", "the list was wrong")


async def test_what_prices_depend_on_is_kept_with_the_attempt(database: Database) -> None:
    """Facts that the answer had are there again when it is rated again."""
    await put(database, [CallSpec()])
    async with database.write() as unit:
        await unit.connection.exec_driver_sql(
            'UPDATE call_details SET attempt_facts = \'{"service_tier": "flex"}\''
        )
    async with database.read() as unit:
        [call] = await store.load_page(unit, DAY, a_run().only, None, 10)
    assert call.attempts[0].usage.facts == {"service_tier": "flex"}


TRIGGERS = {
    "sqlite": ("adjustments_no_update", "adjustments_no_delete"),
    "postgresql": ("adjustments_no_change ON adjustments",),
}


@pytest.mark.parametrize("change", ["UPDATE {} SET posted_at_us = 5", "DELETE FROM {}"])
@pytest.mark.parametrize("table", ["adjustments", "budget_adjustments"])
async def test_the_database_itself_refuses_to_change_an_adjustment(
    database: Database, table: str, change: str
) -> None:
    await add_budget(database, 10**9)
    if table == "adjustments":
        change = change.replace("posted_at_us", "recorded_at_us")
    await put(database, [CallSpec(hold_nanousd=5)])
    await run(database, dearer(1000))
    with pytest.raises(DBAPIError, match="are never changed"):
        async with database.write() as unit:
            await unit.connection.exec_driver_sql(change.format(table))


@pytest.mark.parametrize(
    ("change", "kind"),
    [
        ("UPDATE adjustments SET difference_nanousd = 5", "difference of an adjustment"),
        (
            "UPDATE adjustments SET before_nanousd = 5",
            "adjustment that does not follow the one before",
        ),
        ("UPDATE adjustments SET attempt = 9", "adjustments without their attempt"),
        ("UPDATE adjustments SET charge_difference_nanousd = 5", "rollups_by_call"),
        ("DELETE FROM adjustments", "rollups_by_attempt"),
    ],
)
async def test_a_wrong_adjustment_is_found(database: Database, change: str, kind: str) -> None:
    await put(database, [CallSpec()])
    await run(database, dearer(1000))
    async with database.write() as unit:
        for trigger in TRIGGERS[database.dialect]:
            await unit.connection.exec_driver_sql(f"DROP TRIGGER {trigger}")
        await unit.connection.exec_driver_sql(change)
    assert kind in {getattr(one, "kind", "") for one in await disagreements(database)}
