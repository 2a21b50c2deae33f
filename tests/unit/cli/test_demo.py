"""Made-up usage: it takes the way of real usage, and leaves no trace when it is removed."""

import json
from itertools import pairwise
from typing import Any

import pytest

from tests.store.test_routing_store import apply, declared
from tests.support.terminal import Terminal
from tollbridge.cli.demo_budgets_store import BUDGETS, DEDUCTIONS
from tollbridge.cli.demo_trial import TERMS
from tollbridge.cli.demo_usage import DAYS, HOUR_US, ForeignCall, Plan, trial_of, usage_of
from tollbridge.core.evidence import CallEvidence
from tollbridge.recording.statements import joined
from tollbridge.recording.tables import ROLLUPS
from tollbridge.routing.trials import arm_of
from tollbridge.storage.unit import Database

END_US = 1_795_348_800_000_000
PLAN = Plan(600, 7, END_US)


async def rows(database: Database, sql: str) -> list[tuple[Any, ...]]:
    async with database.read() as unit:
        return [tuple(row) for row in await unit.connection.exec_driver_sql(sql)]


def test_the_same_seed_makes_the_same_calls_and_another_one_others() -> None:
    """Up to the last id, so that two people look at the same screen."""
    assert list(usage_of(PLAN)) == list(usage_of(PLAN))
    assert list(usage_of(PLAN)) != list(usage_of(Plan(600, 8, END_US)))


def test_calls_lie_within_thirty_days_in_order_and_grow() -> None:
    """More in the second half than in the first, and none in the future."""
    ends = [
        one.at_us if isinstance(one, ForeignCall) else one.closed.closed_at_us
        for one in usage_of(PLAN)
    ]
    assert ends == sorted(ends)
    start_us = END_US - DAYS * 24 * HOUR_US
    assert start_us <= ends[0]
    assert ends[-1] <= END_US
    middle_us = (start_us + END_US) // 2
    assert sum(end > middle_us for end in ends) > sum(end <= middle_us for end in ends)


def test_attempts_follow_each_other_and_the_last_one_decides() -> None:
    """What was served by a fallback has a failed attempt before it, which ended first."""
    fell_back = 0
    for one in usage_of(PLAN):
        if not isinstance(one, CallEvidence):
            continue
        attempts = one.closed.attempts
        assert attempts[0].provider == one.opened.expected_provider
        for before, after in pairwise(attempts):
            assert before.outcome == "failed"
            assert before.ended_at_us == after.started_at_us
            fell_back += 1
    assert fell_back


@pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
async def test_the_demo_fills_the_books_and_removing_it_empties_them(
    terminal: Terminal, database: Database
) -> None:
    """Books agree with it and without it; afterwards no sum is left, and no budget's account."""
    told = json.loads(terminal.done("demo", "--calls", "1500", "--json"))
    assert told["calls"] == 1500
    [(calls, nodes, providers, categories, users, cost)] = await rows(
        database,
        "SELECT count(*), count(DISTINCT node), count(DISTINCT actual_provider_name), "
        "count(DISTINCT category), count(DISTINCT user_name), sum(known_cost_nanousd) "
        "FROM call_details",
    )
    assert (calls, nodes) == (1500, 1)
    assert providers >= 10
    assert categories == 7
    assert users >= 5
    assert cost > 0
    [(failed, estimated, unpriced, elsewhere, unknown)] = await rows(
        database,
        "SELECT sum(status = 'FAILED'), sum(usage_source = 'estimated'), sum(unpriced), "
        "sum(expected_provider <> actual_provider_name), sum(actual_provider_name = 'unknown') "
        "FROM call_details",
    )
    assert min(failed, estimated, unpriced, elsewhere, unknown) > 0
    spent = await rows(
        database,
        "SELECT b.name, sum(p.spent) FROM budgets AS b JOIN budget_periods AS p "
        "ON p.budget_id = b.budget_id GROUP BY b.name",
    )
    assert len(spent) == len(BUDGETS)
    assert all(amount > 0 for _, amount in spent)
    [(lines,)] = await rows(database, "SELECT count(*) FROM wallet_transactions")
    assert lines > DEDUCTIONS
    terminal.done("doctor", "--deep")
    assert "already" in terminal.refused("demo")

    assert json.loads(terminal.done("demo", "--remove", "--json"))["removed"] == 1500
    terminal.done("doctor", "--deep")
    gone = ("call_details", "intake_records", "intake_sources", "budgets", "budget_periods")
    for table in (*gone, *ROLLUPS):
        assert await rows(database, joined("SELECT count(*) FROM", table)) == [(0,)]
    left = await rows(
        database, "SELECT account FROM postings GROUP BY account HAVING sum(amount) <> 0"
    )
    assert left == []
    assert json.loads(terminal.done("demo", "--remove", "--json"))["removed"] == 0
    terminal.done("demo", "--calls", "20")
    terminal.done("doctor", "--books")


def test_each_user_of_the_experiment_stays_with_one_arm() -> None:
    """As the hash says, so that what is found is told apart by it."""
    trial = trial_of(PLAN, "somebody").trial
    tagged = [
        one.opened
        for one in usage_of(PLAN)
        if isinstance(one, CallEvidence) and one.opened.label == trial.model
    ]
    assert len(tagged) > 10
    for opened in tagged:
        arm = trial.arms[arm_of(trial, opened.caller.user)]
        assert opened.tags == (f"experiment:{trial.name}={arm.name}",)
        assert opened.expected_provider == arm.endpoint


@pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
@pytest.mark.parametrize("endpoints", [(), ("openai", "google")], ids=["without", "with"])
async def test_an_experiment_runs_and_goes_again(
    terminal: Terminal, database: Database, endpoints: tuple[str, ...]
) -> None:
    """It has found something; its route is only on where somebody serves it; nothing is left."""
    await apply(database, [declared(name) for name in endpoints])
    terminal.done("demo", "--calls", "2000")
    told = json.loads(terminal.done("experiments", "results", TERMS.name, "--json"))
    assert told["experiment"]["running"]
    assert all(arm["calls"] > 10 for arm in told["arms"])
    assert await rows(database, "SELECT enabled FROM routes") == [(bool(endpoints),)]
    terminal.done("demo", "--remove")
    for table in ("experiments", "routes", "route_candidates"):
        assert await rows(database, joined("SELECT count(*) FROM", table)) == [(0,)]


@pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
async def test_real_usage_keeps_the_demo_out_and_survives_its_removal(
    terminal: Terminal, database: Database
) -> None:
    """Mixed in only where that is asked for, and taken out again without touching the rest."""
    file = terminal.data_dir / "usage.jsonl"
    file.write_text('{"model": "gpt-4o-mini", "bucket": "openai", "cost_usd": "0.25"}\n')
    terminal.done("import", str(file))
    assert "1 real calls" in terminal.refused("demo", "--calls", "50")
    terminal.done("demo", "--calls", "50", "--beside-real-usage")
    terminal.done("demo", "--remove")
    terminal.done("doctor", "--deep")
    assert await rows(database, "SELECT known_cost_nanousd FROM call_details") == [(250_000_000,)]
    [(calls, cost)] = await rows(
        database, "SELECT sum(calls), sum(cost_nanousd) FROM rollups_by_call"
    )
    assert (calls, cost) == (1, 250_000_000)
