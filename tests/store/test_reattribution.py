"""More is known of who served: the books follow, and no cost changes."""

import msgspec
import pytest

from tests.support.drained import rows
from tests.support.reattributed import (
    COSTS,
    SUMS,
    ReportSpec,
    disagreements,
    providers,
    put,
    report_of,
    rules,
    run,
    take_back,
    tools,
    wanted,
)
from tests.support.recorded import NOON_US, CallSpec
from tests.support.rerated import a_run, contents, dearer
from tests.support.rerated import tools as rerating_tools
from tollbridge.core.clock import SECOND_US
from tollbridge.core.errors import ConflictError, NotFoundError
from tollbridge.recording import adjust
from tollbridge.recording.reattribute import begin, preview, reattribute
from tollbridge.recording.reattribution_runs_store import Wanted
from tollbridge.recording.reconsider import Only
from tollbridge.recording.statements import joined
from tollbridge.storage.unit import Database

NOBODY = rules()
FLUX = rules(("flux", "wavespeed"))
BOTH = rules(("flux", "wavespeed"), ("gpt", "openai"))
SERVED = "SELECT actual_provider_name, attribution_rule, attribution_confidence FROM call_details"


class _KilledError(Exception):
    """The process died."""


async def test_rows_and_all_sums_follow_and_no_cost_changes(database: Database) -> None:
    """Both families, days and latencies, with what stands for several requests and fell back."""
    specs = [
        ReportSpec(at_us=NOON_US + place * 900 * SECOND_US, request_count=place + 1)
        for place in range(5)
    ]
    await put(database, [*specs, ReportSpec(model="flux-dev"), CallSpec(fails_first=True)])
    before = await contents(database, [COSTS])
    _, findings = await run(database, BOTH)
    assert (findings.calls, findings.changed, findings.reassigned) == (7, 6, 6)
    assert findings.moves == {
        "unknown → openai (word-gpt)": 5,
        "unknown → wavespeed (word-flux)": 1,
    }
    assert await providers(database) == {"openai": 16, "wavespeed": 1}
    assert await contents(database, [COSTS]) == before
    assert await disagreements(database) == []


async def test_a_row_says_by_which_rule_and_how_sure(database: Database) -> None:
    await put(database, [ReportSpec(model="flux-dev")])
    assert await rows(database, SERVED) == [("unknown", "none", "none")]
    await run(database, FLUX)
    assert await rows(database, SERVED) == [("wavespeed", "word-flux", "weak")]


async def test_a_second_run_changes_nothing(database: Database) -> None:
    await put(database, [ReportSpec(), ReportSpec(model="flux-dev")])
    await run(database, BOTH)
    queries = (*SUMS, "SELECT * FROM attribution_changes", "SELECT * FROM postings")
    before = await contents(database, queries)
    _, findings = await run(database, BOTH)
    assert (findings.calls, findings.changed) == (2, 0)
    assert await contents(database, queries) == before


async def test_a_preview_finds_the_same_and_writes_nothing(database: Database) -> None:
    ids = await put(database, [ReportSpec(), ReportSpec(), ReportSpec(model="flux-dev")])
    before = await contents(database, [*SUMS, "SELECT * FROM call_details"])
    seen: list[int] = []
    found = await preview(
        database,
        wanted(FLUX),
        tools(FLUX).again,
        end_us=2**62,
        on_progress=seen.append,
        batch_calls=2,
    )
    assert sum(seen) == 3
    assert found.samples == {"unknown → wavespeed (word-flux)": [ids[2]]}
    assert await contents(database, [*SUMS, "SELECT * FROM call_details"]) == before
    assert await rows(database, "SELECT * FROM reattribution_runs") == []
    assert (await run(database, FLUX))[1] == found


async def test_only_the_period_that_is_meant_is_touched(database: Database) -> None:
    await put(database, [ReportSpec(at_us=NOON_US + place * SECOND_US) for place in range(4)])
    _, findings = await run(
        database, BOTH, since_us=NOON_US + SECOND_US, until_us=NOON_US + 3 * SECOND_US
    )
    assert findings.calls == 2
    assert await providers(database) == {"unknown": 2, "openai": 2}
    assert await disagreements(database) == []


async def test_a_run_that_is_taken_back_leaves_the_very_same_sums(database: Database) -> None:
    """And taking that back again brings the change once more."""
    await put(database, [ReportSpec(), ReportSpec(model="flux-dev"), CallSpec()])
    before = await contents(database, [*SUMS, "SELECT * FROM call_details"])
    run_id, _ = await run(database, BOTH)
    changed = await contents(database, SUMS)
    back_id, findings = await take_back(database, run_id)
    assert (findings.calls, findings.changed, findings.left_alone) == (2, 2, 0)
    assert await contents(database, [*SUMS, "SELECT * FROM call_details"]) == before
    assert await disagreements(database) == []
    await take_back(database, back_id)
    assert await contents(database, SUMS) == changed
    assert await disagreements(database) == []


async def test_what_a_later_run_changed_again_is_not_taken_back(database: Database) -> None:
    await put(database, [ReportSpec(), ReportSpec(model="flux-dev")])
    run_id, _ = await run(database, BOTH)
    await run(database, rules(("gpt", "azure"), ("flux", "wavespeed")))
    _, findings = await take_back(database, run_id)
    assert (findings.changed, findings.left_alone) == (1, 1)
    assert await providers(database) == {"azure": 1, "unknown": 1}
    assert await disagreements(database) == []


async def test_every_change_is_kept_with_old_new_run_and_rules(database: Database) -> None:
    [call_id] = await put(database, [ReportSpec()])
    run_id, _ = await run(database, BOTH)
    [found] = await rows(
        database,
        "SELECT c.call_id, r.run_id, r.rules_version, m.old_provider, m.old_rule, m.new_provider, "
        "m.new_rule, m.calls FROM attribution_changes AS c "
        "JOIN attribution_moves AS m ON m.run_id = c.run_id AND m.move_id = c.move_id "
        "JOIN reattribution_runs AS r ON r.run_id = c.run_id",
    )
    assert [str(found[0]), str(found[1])] == [call_id, run_id]
    assert found[2:] == (BOTH.version, "unknown", "none", "openai", "word-gpt", 1)


async def test_an_adjusted_cost_moves_with_its_call(database: Database) -> None:
    """Sums and ledger then say of the new provider what the call costs by now."""
    await put(database, [ReportSpec(), CallSpec(fails_first=True)], by=BOTH)
    await adjust.rerate(
        database, await adjust.begin(database, a_run()), rerating_tools(dearer(1000))
    )
    assert await disagreements(database) == []
    await run(database, rules(("gpt", "azure")))
    assert await providers(database) == {"azure": 1, "openai": 1}
    assert await disagreements(database) == []


async def test_a_price_of_another_provider_is_marked_and_rated_again(database: Database) -> None:
    """Once; what a provider reported that it charged stays whoever it was."""
    await put(database, [ReportSpec(), ReportSpec(cost_usd="0.01")])
    _, findings = await run(database, BOTH)
    assert (findings.reassigned, findings.marked) == (2, 1)
    assert await rows(database, "SELECT provider FROM rerating_marks") == [("unknown",)]
    only = msgspec.structs.replace(a_run(), only=Only(marked=True))
    begun = await adjust.begin(database, only)
    found = await adjust.rerate(database, begun, rerating_tools(dearer(7)))
    assert (found.calls, found.adjustments, found.calls_priced) == (1, 1, 1)
    assert await rows(database, "SELECT * FROM rerating_marks") == []
    assert await disagreements(database) == []


async def test_a_call_that_has_no_price_by_its_new_provider_stays_marked(
    database: Database,
) -> None:
    await put(database, [ReportSpec()], by=BOTH)
    await run(database, rules(("gpt", "azure")))
    only = msgspec.structs.replace(a_run(), only=Only(marked=True))
    begun = await adjust.begin(database, only)
    found = await adjust.rerate(database, begun, rerating_tools(dearer(7, without=["azure"])))
    assert (found.calls, found.adjustments, found.price_gone) == (1, 0, 1)
    assert await rows(database, "SELECT provider FROM rerating_marks") == [("openai",)]


async def test_a_call_that_gets_its_own_provider_back_is_no_longer_marked(
    database: Database,
) -> None:
    await put(database, [ReportSpec()], by=BOTH)
    run_id, _ = await run(database, rules(("gpt", "azure")))
    assert len(await rows(database, "SELECT * FROM rerating_marks")) == 1
    await take_back(database, run_id)
    assert await rows(database, "SELECT * FROM rerating_marks") == []


async def test_a_run_that_was_cut_short_goes_on_where_it_was(database: Database) -> None:
    """Under the same rules; the calls that it has seen are not read again."""
    await put(database, [ReportSpec(at_us=NOON_US + place) for place in range(6)])

    def die(point: str) -> None:
        if point == "after commit":
            raise _KilledError

    begun = await begin(database, wanted(BOTH))
    with pytest.raises(_KilledError):
        await reattribute(database, begun, tools(BOTH, reach=die))
    again = await begin(database, wanted(BOTH))
    assert again.run_id == begun.run_id
    assert again.place is not None
    findings = await reattribute(database, again, tools(BOTH))
    assert (findings.calls, findings.changed) == (4, 4)
    [(calls, changed, state)] = await rows(
        database, "SELECT calls, changed, state FROM reattribution_runs"
    )
    assert (calls, changed, state) == (6, 6, "done")
    assert (await begin(database, wanted(BOTH))).run_id != begun.run_id
    assert await disagreements(database) == []


async def test_no_batch_is_committed_before_the_one_that_it_follows(database: Database) -> None:
    """Also where the rows of both change at once."""
    await put(database, [ReportSpec(at_us=NOON_US + place) for place in range(8)])
    reached: list[str] = []

    def die(point: str) -> None:
        reached.append(point)
        if reached.count("before commit") == 2:
            raise _KilledError

    begun = await begin(database, wanted(BOTH))
    with pytest.raises(_KilledError):
        await reattribute(database, begun, tools(BOTH, reach=die))
    assert await providers(database) == {"openai": 2, "unknown": 6}
    assert await disagreements(database) == []
    findings = await reattribute(database, await begin(database, wanted(BOTH)), tools(BOTH))
    assert (findings.calls, findings.changed) == (6, 6)
    assert await disagreements(database) == []


async def test_two_processes_never_continue_one_run_at_once(database: Database) -> None:
    await put(database, [ReportSpec(at_us=NOON_US + place) for place in range(3)])
    begun = await begin(database, wanted(BOTH))
    await reattribute(database, begun, tools(BOTH))
    with pytest.raises(ConflictError):
        await reattribute(database, begun, tools(BOTH))
    assert await disagreements(database) == []


async def test_a_run_that_is_not_known_or_not_ended_cannot_be_taken_back(
    database: Database,
) -> None:
    begun = await begin(database, wanted(BOTH))
    with pytest.raises(ConflictError):
        await begin(database, Wanted(reverts_run_id=begun.run_id, actor="ada"))
    with pytest.raises(NotFoundError):
        await begin(
            database,
            Wanted(reverts_run_id="01890000-0000-7000-8000-000000000009", actor="ada"),
        )


async def test_whom_a_reporter_names_outranks_the_models_name(database: Database) -> None:
    """Also once the raw evidence is purged: the reason that was written down tells."""
    await put(database, [ReportSpec(provider="azure")], by=BOTH)
    async with database.write() as unit:
        await unit.connection.exec_driver_sql("DELETE FROM call_evidence")
    _, findings = await run(database, rules(("gpt", "wavespeed")))
    assert findings.changed == 0
    assert await providers(database) == {"azure": 1}


async def test_a_bucket_that_nobody_reported_is_no_evidence(database: Database) -> None:
    """The bucket of a report without one is our own conclusion, with and without its evidence."""
    await put(database, [ReportSpec(model="mistral-large"), ReportSpec(model="mistral-large")])
    assert report_of(ReportSpec()).opened.report is not None
    async with database.write() as unit:
        await unit.connection.exec_driver_sql(
            "DELETE FROM call_evidence WHERE call_id = (SELECT max(call_id) FROM call_details)"
            if unit.dialect == "sqlite"
            else "DELETE FROM call_evidence WHERE call_id = "
            "(SELECT call_id FROM call_details ORDER BY call_id DESC LIMIT 1)"
        )
    _, findings = await run(database, rules(("gpt", "wavespeed")))
    assert findings.changed == 0


async def test_an_endpoint_that_answered_stays_whatever_the_models_name_says(
    database: Database,
) -> None:
    await put(database, [CallSpec(), CallSpec(fails_first=True), CallSpec(refused=True)])
    _, findings = await run(database, rules(("gpt", "wavespeed")))
    assert (findings.calls, findings.changed) == (3, 0)


async def test_archived_calls_follow_too(database: Database) -> None:
    await put(database, [ReportSpec(), ReportSpec(model="flux-dev"), CallSpec(fails_first=True)])
    async with database.write() as unit:
        for table, archive in (
            ("call_details", "call_details_archive"),
            ("call_attempt_rows", "call_attempts_archive"),
        ):
            into = joined("INSERT INTO", archive, "SELECT * FROM", table)
            for sql in (into, joined("DELETE FROM", table)):
                await unit.connection.exec_driver_sql(sql)
    run_id, findings = await run(database, BOTH)
    assert findings.changed == 2
    assert await disagreements(database) == []
    _, findings = await take_back(database, run_id)
    assert findings.changed == 2
    assert await disagreements(database) == []
