"""An attempt is told the same, whether its call's row says it or a row of its own does."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec
import pytest
from sqlalchemy import select

from tests.support.drained import CONCLUSIONS, SpoolingWorker, begun, make_drain, refused, rows
from tollbridge.conclude import conclude
from tollbridge.core.call import Ending
from tollbridge.core.clock import ManualClock
from tollbridge.core.evidence import AttemptStarted
from tollbridge.recording.attempts import attempt_row
from tollbridge.recording.audit import books
from tollbridge.recording.calls import read_evidence
from tollbridge.recording.details import counted
from tollbridge.recording.tables import call_attempt_rows, call_attempts, call_evidence
from tollbridge.storage import migrate
from tollbridge.storage.unit import Database

BELOW = "0005_lease_ends"
JSON_COLUMNS = ("usage", "flags", "facts")


@pytest.fixture
async def filled(database: Database, tmp_path: Path) -> Database:
    """Return a database with attempts of several kinds."""
    clock = ManualClock()
    worker = SpoolingWorker(tmp_path / "spool", clock)
    plain = worker.open()
    plain.attempts[0] = msgspec.structs.replace(plain.attempts[0], response_id="chatcmpl-1")
    clock.advance(0.25)
    worker.end(plain)
    worker.end(worker.open(), Ending.CALLER_LEFT)
    worker.end(worker.open(), http_status=499)
    fallback = worker.open(attempt=begun(1, clock.now_us(), "aimlapi"))
    fallback.attempts = [refused(fallback.attempts[0], clock.now_us()), begun(2, clock.now_us())]
    worker.spool.append(
        fallback.segment, AttemptStarted(fallback.call_id, tuple(fallback.attempts))
    )
    clock.advance(0.3)
    worker.end(fallback)
    worker.open()
    worker.die()
    await make_drain(database, tmp_path / "spool", clock).catch_up()
    return database


async def told(database: Database) -> list[tuple[Any, ...]]:
    """Return all attempts as `call_attempts` tells them."""
    columns = call_attempts.c
    async with database.read() as unit:
        found = await unit.connection.execute(
            select(call_attempts).order_by(columns.call_id, columns.number)
        )
        return [tuple(row) for row in found]


async def expected(database: Database) -> list[tuple[Any, ...]]:
    """Return the rows that all attempts would have, made anew from the evidence."""
    async with database.read() as unit:
        found = await unit.connection.execute(
            select(call_evidence.c.call_id, call_evidence.c.raw).order_by(call_evidence.c.call_id)
        )
        evidence = [(str(call_id), read_evidence(raw.encode())) for call_id, raw in found]
    return [
        plain(attempt_row(call_id, attempt, counted(attempt.usage)))
        for call_id, one in evidence
        for attempt in conclude(one, CONCLUSIONS).attempts
    ]


def plain(row: Sequence[Any]) -> tuple[Any, ...]:
    """Return a row for the driver as a reader gets it: JSON decoded."""
    return tuple(
        msgspec.json.decode(value) if name in JSON_COLUMNS and value is not None else value
        for name, value in zip(call_attempt_rows.c.keys(), row, strict=True)
    )


async def test_each_attempt_is_told_as_a_row_of_its_own_would(filled: Database) -> None:
    """Every column of the view, whichever way the attempt is kept."""
    assert await told(filled) == await expected(filled)


async def test_an_attempt_that_went_well_has_no_row_of_its_own(filled: Database) -> None:
    """Rows are those of the two-attempt call, of another status, and of the call cut off."""
    assert await rows(filled, "SELECT count(*) FROM call_attempts") == [(6,)]
    kept = await rows(filled, "SELECT outcome FROM call_attempt_rows")
    assert sorted(kept) == [("cut_short",), ("failed",), ("succeeded",), ("succeeded",)]


async def test_attempts_are_the_same_before_and_after_a_migration(
    filled: Database, database_url: str
) -> None:
    """Undone, each attempt has its row again; done again, the rows stay and the books agree."""
    before = await told(filled)
    for step in (
        lambda: migrate.downgrade(database_url, BELOW),
        lambda: migrate.upgrade(database_url),
    ):
        await step()
        # Another connection: this one has prepared its statements for the schema before.
        database = Database.open(database_url)
        assert await told(database) == before
        await database.close()
    database = Database.open(database_url)
    assert await rows(database, "SELECT count(*) FROM call_attempt_rows") == [(6,)]
    async with database.read() as unit:
        assert await books(unit) == []
    await database.close()
