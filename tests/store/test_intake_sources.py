"""Sources of reports: what the configuration file declares, and which budgets pay."""

from pathlib import Path
from typing import Any

import pytest

from tests.support.reported import SOURCE, Reported, reported
from tests.support.rerated import a_run, dearer, tools
from tollbridge.core.errors import ConflictError, PermissionDeniedError
from tollbridge.ledger.books import books as ledger_books
from tollbridge.ledger.budgets import BudgetTerms
from tollbridge.ledger.store import create_budget, get_budget, period_state
from tollbridge.recording.adjust import begin, rerate
from tollbridge.recording.intake_registry import (
    Kind,
    RegisteredName,
    SourceNames,
    SourceTerms,
    names_of,
)
from tollbridge.recording.intake_registry_store import (
    SourceRow,
    apply,
    detach_source,
    list_names,
    list_sources,
    load_registry,
    put_names,
    put_source,
)
from tollbridge.storage.unit import Database
from tollbridge.storage.versions import read_versions

ANA = RegisteredName(kind=Kind.USER, id="7", name="ana")
FILE = names_of(SOURCE, SourceTerms(keys=("ci",)), (ANA,))
CHARGED = names_of(SOURCE, SourceTerms(charges=True), (ANA,))
RECORD: dict[str, Any] = {
    "model": "gpt-4o-mini",
    "completed": True,
    "input_token": 1000,
    "user_id": "7",
    "actual_provider": "openai",
}


async def declare(database: Database, *sources: SourceNames) -> None:
    """Apply a configuration file."""
    async with database.write() as unit:
        await apply(unit, sources, actor="file", now_us=5)


async def standing(database: Database) -> dict[str, SourceRow]:
    async with database.read() as unit:
        return {row.source: row for row in await list_sources(unit)}


async def spent(database: Database, name: str) -> int:
    async with database.read() as unit:
        return (await period_state(unit, await get_budget(unit, name))).spent


async def version_of_the_registry(database: Database) -> int:
    async with database.read() as unit:
        return (await read_versions(unit))["intake"]


async def test_the_file_declares_a_source_whole_and_twice_is_once(database: Database) -> None:
    await declare(database, FILE)
    async with database.read() as unit:
        assert (await load_registry(unit))[SOURCE] == FILE
    version = await version_of_the_registry(database)
    await declare(database, FILE)
    assert await version_of_the_registry(database) == version
    await declare(database, names_of(SOURCE, SourceTerms()))
    async with database.read() as unit:
        assert await list_names(unit, SOURCE) == []


async def test_what_the_file_declares_is_read_only_until_it_is_detached(
    database: Database,
) -> None:
    await declare(database, FILE)
    with pytest.raises(ConflictError, match="configuration file"):
        async with database.write() as unit:
            await put_source(unit, SOURCE, SourceTerms(), actor="ada", now_us=6)
    with pytest.raises(ConflictError, match="configuration file"):
        async with database.write() as unit:
            await put_names(unit, SOURCE, [ANA], actor="ada")
    async with database.write() as unit:
        await detach_source(unit, SOURCE, actor="ada")
        await put_source(unit, SOURCE, SourceTerms(keys=("mine",)), actor="ada", now_us=6)
    await declare(database, FILE)
    assert (await standing(database))[SOURCE].terms.keys == ("mine",)


async def test_a_source_that_left_the_file_is_disabled_and_its_reports_are_refused(
    database: Database, tmp_path: Path
) -> None:
    async with reported(database, tmp_path) as node:
        await declare(database, FILE)
        await node.counted(RECORD)
        await declare(database)
        row = (await standing(database))[SOURCE]
        assert (row.terms.enabled, row.origin) == (False, "file")
        with pytest.raises(PermissionDeniedError, match="disabled"):
            await node.take(RECORD)
        await declare(database, FILE)
        assert (await node.counted(RECORD)).accepted == 1


async def test_budgets_of_the_named_caller_pay_only_if_the_source_says_so(
    database: Database, tmp_path: Path
) -> None:
    async with reported(database, tmp_path) as node:
        await budgets(node, 10**9)
        await declare(database, FILE)
        await node.counted(RECORD)
        assert await spent(database, "ana") == 0
        await declare(database, CHARGED)
        await node.counted(RECORD, RECORD)
        [(cost, charge, flags)] = await node.rows(
            "SELECT cost_nanousd, charge_nanousd, flags FROM call_details "
            "WHERE charge_nanousd > 0 GROUP BY 1, 2, 3"
            if database.dialect == "sqlite"
            else "SELECT cost_nanousd, charge_nanousd, CAST(flags AS TEXT) FROM call_details "
            "WHERE charge_nanousd > 0 GROUP BY 1, 2, 3"
        )
        assert cost == charge > 0
        assert "charged" in flags
        assert "overrun" not in flags
        assert await spent(database, "ana") == await spent(database, "all") == 2 * cost
        assert await spent(database, "bob") == 0
        await books_are_right(database)


async def test_a_report_is_never_refused_and_what_goes_over_a_limit_is_flagged(
    database: Database, tmp_path: Path
) -> None:
    async with reported(database, tmp_path) as node:
        await declare(database, CHARGED)
        await node.counted(RECORD)
        [(cost,)] = await node.rows("SELECT cost_nanousd FROM call_details")
        await budgets(node, cost)
        await node.counted(RECORD, RECORD)  # the first of them fills the budget
        await node.counted(RECORD)
        found = await node.rows("SELECT CAST(flags AS TEXT) FROM call_details")
        # The first was before there were budgets, the second filled them.
        over = ["overrun" in (flags or "") for (flags,) in found]
        assert sorted(over) == [False, False, True, True]
        assert await spent(database, "ana") == 3 * cost
        await books_are_right(database)


async def test_rating_a_charged_report_again_corrects_the_budgets_that_paid(
    database: Database, tmp_path: Path
) -> None:
    async with reported(database, tmp_path) as node:
        await budgets(node, 10**9)
        await declare(database, CHARGED)
        await node.counted(RECORD)
        before = await spent(database, "ana")
        begun = await begin(database, a_run())
        found = await rerate(database, begun, tools(dearer(1000)))
        assert found.adjustments == 1
        assert found.charge_difference_nanousd == 1_000_000 - before
        assert await spent(database, "ana") == 1_000_000
        await books_are_right(database)


async def budgets(node: Reported, limit_nanousd: int) -> None:
    """Give ana, bob and the organisation a budget each."""
    async with node.database.write() as unit:
        for name, subject in (
            ("ana", "user:ana"),
            ("bob", "user:bob"),
            ("all", "organisation:default"),
        ):
            await create_budget(unit, BudgetTerms(name, subject, limit_nanousd))


async def books_are_right(database: Database) -> None:
    async with database.read() as unit:
        assert await ledger_books(unit) == []
