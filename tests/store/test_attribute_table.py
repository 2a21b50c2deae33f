"""Somebody else's table learns who really served, however often that is cut short."""

from collections.abc import AsyncIterator
from typing import Any

import pytest

from tests.support.drained import rows
from tollbridge.attribution.foreign_store import (
    add_column,
    count_missing,
    fill,
    find_table,
    preview,
)
from tollbridge.core.errors import InvalidRequestError, NotFoundError
from tollbridge.recording.statements import joined
from tollbridge.storage.engine import EngineSettings
from tollbridge.storage.unit import Database

LOGS = "foreign logs"  # quoted, or it would be two words
MADE = (
    f'CREATE TABLE "{LOGS}" (id INTEGER PRIMARY KEY, provider VARCHAR(20) NOT NULL, '
    "model_used VARCHAR(100), endpoint VARCHAR(200) NOT NULL)"
)
# Provider (ALwrity stores the value; others the name), model, endpoint → who served.
CASES = (
    ("video", "alibaba/wan-2.5/text-to-video", "/video-generation/wavespeed", "wavespeed"),
    ("VIDEO", "sora-2", "/video-generation", "openai"),
    ("audio", "tts-1", "/audio-generation/openai", "openai"),
    ("stability", "stable-diffusion-xl", "/image-generation", "stability"),
    ("mistral", "openai/gpt-oss-120b:groq", "/api/llm", "huggingface"),
    ("gemini", None, "/api/llm", "google"),
    ("video", None, "", "unknown"),
)


@pytest.fixture
async def foreign(empty_database_url: str) -> AsyncIterator[Database]:
    """Yield a database of somebody else with a table of usage."""
    database = Database.open(empty_database_url, EngineSettings(sqlite_wal=False))
    await write(database, MADE)
    for number, (provider, model, endpoint, _) in enumerate(CASES):
        said = "NULL" if model is None else f"'{model}'"
        await write(
            database,
            joined(
                f'INSERT INTO "{LOGS}" VALUES', f"({number}, '{provider}', {said}, '{endpoint}')"
            ),
        )
    yield database
    await database.close()


async def write(database: Database, sql: str) -> None:
    async with database.write() as unit:
        await unit.connection.exec_driver_sql(sql)


async def filled(database: Database, name: str = LOGS, **more: Any) -> dict[str, int]:
    """Do all of it, as the command does."""
    await add_column(database, name)
    async with database.read() as unit:
        table = await find_table(unit, name)
    return await fill(database, table, lambda _rows: None, **more)


async def served(database: Database, name: str = f'"{LOGS}"') -> list[Any]:
    found = await rows(database, joined("SELECT actual_provider_name FROM", name, "ORDER BY id"))
    return [one[0] for one in found]


EXPECTED = [case[-1] for case in CASES]


async def test_the_column_is_added_and_every_row_filled(foreign: Database) -> None:
    assert await filled(foreign, batch_rows=2) == {
        "wavespeed": 1,
        "openai": 2,
        "stability": 1,
        "huggingface": 1,
        "google": 1,
        "unknown": 1,
    }
    assert await served(foreign) == EXPECTED


async def test_what_is_filled_stays_and_a_second_time_finds_nothing(foreign: Database) -> None:
    await add_column(foreign, LOGS)
    await write(
        foreign, joined(f'UPDATE "{LOGS}"', "SET actual_provider_name = 'own' WHERE id = 0")
    )
    await filled(foreign)
    assert await served(foreign) == ["own", *EXPECTED[1:]]
    assert await filled(foreign) == {}


@pytest.mark.parametrize("dies_after", [0, 1, 2, 3])
async def test_any_interruption_is_made_up_for(foreign: Database, dies_after: int) -> None:
    """Also right after the column was added, where the original never filled it."""
    await add_column(foreign, LOGS)
    async with foreign.read() as unit:
        table = await find_table(unit, LOGS)
    left = dies_after

    def die(_rows: int) -> None:
        nonlocal left
        left -= 1
        if left <= 0:
            raise KeyboardInterrupt

    if dies_after:
        with pytest.raises(KeyboardInterrupt):
            await fill(foreign, table, die, batch_rows=2)
    await filled(foreign, batch_rows=2)
    assert await served(foreign) == EXPECTED


async def test_a_preview_says_the_same_and_writes_nothing(foreign: Database) -> None:
    async with foreign.read() as unit:
        table = await find_table(unit, LOGS)
    assert not table.has_column
    assert await count_missing(foreign, table) == len(CASES)
    found = await preview(foreign, table, lambda _rows: None, batch_rows=2)
    async with foreign.read() as unit:
        assert not (await find_table(unit, LOGS)).has_column
    assert found == await filled(foreign)


@pytest.mark.parametrize("database_dialect", ["postgresql"], indirect=True)
async def test_a_table_of_another_schema_with_a_key_of_two_columns(foreign: Database) -> None:
    await write(foreign, "CREATE SCHEMA books")
    await write(
        foreign,
        "CREATE TABLE books.logs (id UUID DEFAULT gen_random_uuid(), part SMALLINT, provider TEXT, "
        "model_used TEXT, endpoint TEXT, PRIMARY KEY (part, id))",
    )
    await write(
        foreign,
        "INSERT INTO books.logs (part, provider, model_used, endpoint) "
        "SELECT n % 3, 'video', 'veo-3', '' FROM generate_series(1, 10) AS n",
    )
    assert await filled(foreign, "books.logs", batch_rows=3) == {"google": 10}
    assert await served(foreign, "books.logs") == ["google"] * 10


@pytest.mark.parametrize(
    ("made", "name", "error"),
    [
        (None, "nowhere", NotFoundError),
        (None, "no.where", NotFoundError),
        ("CREATE TABLE bare (id INTEGER PRIMARY KEY)", "bare", InvalidRequestError),
        ("CREATE VIEW seen AS SELECT 1 AS id", "seen", InvalidRequestError),
        (
            "CREATE TABLE keyless (provider TEXT, model_used TEXT, endpoint TEXT)",
            "keyless",
            InvalidRequestError,
        ),
        (None, 'x"; DROP TABLE y; --', NotFoundError),
    ],
)
async def test_what_is_no_such_table_is_refused(
    foreign: Database, made: str | None, name: str, error: type[Exception]
) -> None:
    if made is not None:
        await write(foreign, made)
    with pytest.raises(error):
        await filled(foreign, name)


@pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
async def test_somebody_elses_file_keeps_its_way_of_journalling(foreign: Database) -> None:
    await filled(foreign)
    assert await rows(foreign, "PRAGMA journal_mode") == [("delete",)]
