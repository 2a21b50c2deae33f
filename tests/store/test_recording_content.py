"""What was asked and answered comes into a table of its own, once, and goes by its age."""

import asyncio
import errno
import os
from pathlib import Path

import pytest

from tests.support.drained import SpoolingWorker, make_drain, rows
from tollbridge.core.clock import ManualClock
from tollbridge.core.content import Content, ContentKind, ContentPart
from tollbridge.core.sight import Sight
from tollbridge.insight.content_queries import find_content
from tollbridge.recording.content_store import purge_contents
from tollbridge.recording.drain import DrainSettings
from tollbridge.recording.spool import Spool, SpoolLimits
from tollbridge.storage.unit import Database

KINDS = "SELECT kind, body FROM call_contents ORDER BY call_id, kind"
DAY_S = 86_400


def content(call_id: str, at_us: int, prompt: str = "ask", answer: str = "say") -> Content:
    return Content(
        call_id,
        at_us,
        (
            ContentPart(ContentKind.PROMPT, prompt, len(prompt)),
            ContentPart(ContentKind.ANSWER, answer, 99, truncated=True),
        ),
    )


def one_call(worker: SpoolingWorker, clock: ManualClock, **texts: str) -> str:
    """Make a call whose content is kept."""
    call = worker.open()
    worker.end(call)
    worker.spool.content(content(call.call_id, clock.now_us(), **texts))
    return call.call_id


async def test_content_is_kept_once_however_often_it_is_read(
    database: Database, spool: Path, clock: ManualClock
) -> None:
    worker = SpoolingWorker(spool, clock)
    call_id = one_call(worker, clock)
    drain = make_drain(database, spool, clock)
    await drain.catch_up()
    await drain.rewind()
    await drain.catch_up()
    assert await rows(database, KINDS) == [("answer", "say"), ("prompt", "ask")]
    async with database.read() as unit:
        found = await find_content(unit, call_id)
    assert found is not None
    assert found.at_us == clock.now_us()
    assert found.parts[ContentKind.ANSWER] == ContentPart(
        ContentKind.ANSWER, "say", 99, truncated=True
    )
    assert drain.health().unreadable_lines == 0


async def test_what_a_text_cannot_hold_does_not_hold_up_the_books(
    database: Database, spool: Path, clock: ManualClock
) -> None:
    """NUL, which PostgreSQL refuses, and an id that is none: the calls are in the books."""
    worker = SpoolingWorker(spool, clock)
    one_call(worker, clock, prompt="a\0b", answer='{"a": "\\u0000"}')
    drain = make_drain(database, spool, clock)
    await drain.catch_up()
    assert await rows(database, KINDS) == [("answer", '{"a": "\\ufffd"}'), ("prompt", "a\ufffdb")]
    if database.dialect == "postgresql":
        worker.end(worker.open())
        worker.spool.content(content("this is no id", clock.now_us()))
        await drain.catch_up()
        assert len(await rows(database, KINDS)) == 2
        assert await rows(database, "SELECT count(*) FROM call_details") == [(2,)]


async def test_content_goes_by_its_age_in_pieces_and_the_call_stays(
    database: Database, spool: Path, clock: ManualClock
) -> None:
    worker = SpoolingWorker(spool, clock)
    for _ in range(5):
        one_call(worker, clock)
    clock.advance(8 * DAY_S)
    young = one_call(worker, clock)
    settings = DrainSettings(content_keep_days=7, purge_rows_max=2)
    drain = make_drain(database, spool, clock, settings=settings)
    await drain.catch_up()
    async with database.write() as unit:
        assert await purge_contents(unit, clock.now_us(), 2) >= 2
    await drain.tidy()
    assert await rows(
        database, "SELECT DISTINCT CAST(call_id AS VARCHAR(36)) FROM call_contents"
    ) == [(young,)]
    assert await rows(database, "SELECT count(*) FROM call_details") == [(6,)]


async def test_a_call_is_shown_to_its_own_user_and_to_nobody_before_it_is_in_the_books(
    database: Database, spool: Path, clock: ManualClock
) -> None:
    worker = SpoolingWorker(spool, clock)
    call_id = one_call(worker, clock)
    call = worker.open()
    worker.spool.content(content(call.call_id, clock.now_us()))
    drain = make_drain(database, spool, clock)
    await drain.catch_up()
    async with database.read() as unit:
        assert await find_content(unit, call_id, Sight("ada")) is not None
        assert await find_content(unit, call_id) is not None
        for asked, sees in ((call_id, "bob"), (call_id, ""), (call.call_id, None), ("x", None)):
            sight = None if sees is None else Sight(sees)
            assert await find_content(unit, asked, sight) is None


async def test_the_content_of_an_archived_call_is_still_found(
    database: Database, spool: Path, clock: ManualClock
) -> None:
    worker = SpoolingWorker(spool, clock)
    call_id = one_call(worker, clock)
    await make_drain(database, spool, clock).catch_up()
    async with database.write() as unit:
        await unit.connection.exec_driver_sql(
            "INSERT INTO call_details_archive SELECT * FROM call_details"
        )
        await unit.connection.exec_driver_sql("DELETE FROM call_details")
    async with database.read() as unit:
        assert await find_content(unit, call_id, Sight("ada")) is not None


@pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
async def test_a_disk_that_refuses_costs_the_content_and_not_the_call(
    database: Database, spool: Path, clock: ManualClock
) -> None:
    """Nothing is raised, and a torn line is made good by the next one."""
    full: list[bool] = []

    def write(fd: int, line: bytes) -> int:
        if full:
            if full.pop():
                raise OSError(errno.ENOSPC, "no space left")
            return os.write(fd, line[: len(line) // 2])
        return os.write(fd, line)

    limits = SpoolLimits(fsync="never", reserve_bytes=0)
    written = Spool(spool, node="node-1", worker="w", clock=clock, limits=limits, write=write)
    for refuses in (True, False):
        full.append(refuses)
        written.content(content("019b7595-6c00-7000-8000-000000000001", clock.now_us()))
    written.content(content("019b7595-6c00-7000-8000-000000000002", clock.now_us()))
    written.has_room = False
    written.content(content("019b7595-6c00-7000-8000-000000000003", clock.now_us()))
    drain = make_drain(database, spool, clock)
    async with asyncio.timeout(10):
        await drain.catch_up()
    kept = "SELECT DISTINCT call_id FROM call_contents"
    assert await rows(database, kept) == [("019b7595-6c00-7000-8000-000000000002",)]
    written.close()
