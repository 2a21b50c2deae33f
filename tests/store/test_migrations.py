"""The migrations make exactly the schema that the code declares, and each can be undone."""

import importlib
from pathlib import Path
from typing import Any

import pytest
from alembic.autogenerate import compare_metadata
from alembic.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, inspect

import tollbridge
from tollbridge.access.keys import KeyTerms
from tollbridge.access.store import create_key
from tollbridge.core.limits import LimitKind
from tollbridge.core.settlement import Settlement
from tollbridge.ledger.books import books
from tollbridge.ledger.budgets import BudgetTerms
from tollbridge.ledger.settle import settle
from tollbridge.ledger.store import create_budget
from tollbridge.rating.store import seed
from tollbridge.storage import audit, migrate
from tollbridge.storage.types import metadata
from tollbridge.storage.unit import Database

BATCH = "01890000-0000-7000-8000-000000000001"


def revisions() -> list[str]:
    """Return all revisions, newest first."""
    found = ScriptDirectory(str(migrate.scripts_path())).walk_revisions()
    return [one.revision for one in found]


def import_all_tables() -> None:
    root = Path(tollbridge.__file__).parent
    for path in root.glob("*/*tables.py"):
        importlib.import_module(f"tollbridge.{path.parent.name}.{path.stem}")
    importlib.import_module("tollbridge.storage.versions")


async def test_the_migrated_schema_is_the_declared_one(database: Database) -> None:
    import_all_tables()

    def differences(connection: Connection) -> list[Any]:
        context = MigrationContext.configure(connection, opts={"compare_type": False})
        return [
            one
            for one in compare_metadata(context, metadata)
            if not (one[0] == "remove_table" and one[1].name == "alembic_version")
        ]

    async with database.read() as unit:
        assert await unit.connection.run_sync(differences) == []


async def fill(database: Database) -> None:
    """Put rows into tables of every package."""
    async with database.write() as unit:
        now_us = await unit.now_us()
        await seed(unit, now_us)
        await create_key(unit, KeyTerms("guest", "guest"), b"p" * 32)
        await create_budget(unit, BudgetTerms("b", "key:guest", 10))
        calls = BudgetTerms("calls-a-day", "key:guest", 10, "day", kind=LimitKind.CALLS)
        counted = (await create_budget(unit, calls)).budget_id
        charges = [
            Settlement("", "gone", 0, 7),
            Settlement("", counted, 0, 3, LimitKind.CALLS),
            Settlement("", "plan:ana:text_calls", 0, 2, LimitKind.CALLS),
        ]
        await settle(unit, BATCH, charges, {"openai": 5}, now_us)
        await audit.record(unit, "cli:root", "ledger.release", "node:node-7")


@pytest.mark.parametrize("revision", revisions())
async def test_each_migration_can_be_undone_with_data_in_it_and_done_again(
    database: Database, database_url: str, revision: str
) -> None:
    await fill(database)
    steps = revisions()
    below = [*steps, "base"][steps.index(revision) + 1]
    await migrate.downgrade(database_url, below)
    if below == "base":
        async with database.read() as unit:
            names = await unit.connection.run_sync(lambda one: inspect(one).get_table_names())
        assert set(names) <= {"alembic_version"}
    await migrate.upgrade(database_url)
    if below == "base":
        await fill(database)
    async with database.read() as unit:
        assert await books(unit) == []
