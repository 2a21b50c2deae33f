"""What the commands about the archive, and about what is kept of calls, do and print."""

import json
import signal
import subprocess
import sys
from zoneinfo import ZoneInfo

import pytest

from tests.support.drained import rows
from tests.support.recorded import UTC_DAY_US, CallSpec, record
from tests.support.terminal import Terminal
from tollbridge.core.clock import SystemClock
from tollbridge.core.content import Content, ContentKind, ContentPart
from tollbridge.core.schedule import months_before
from tollbridge.recording import audit
from tollbridge.recording.content_store import add_contents
from tollbridge.recording.rebuild import rebuild_rollups
from tollbridge.storage.audit import audit_entries
from tollbridge.storage.unit import Database

on_sqlite = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
COUNTS = "SELECT (SELECT count(*) FROM call_details), (SELECT count(*) FROM call_details_archive)"


def old_and_new(count: int) -> list[CallSpec]:
    """Return so many calls that are due, and as many that are not."""
    now_us = SystemClock().now_us()
    starts = (months_before(now_us, 13) - 2 * UTC_DAY_US, now_us - 2 * UTC_DAY_US)
    return [
        CallSpec(at_us=start_us + number, fails_first=number % 2 == 0)
        for start_us in starts
        for number in range(count)
    ]


@on_sqlite
async def test_what_is_due_is_shown_archived_and_shown_again(
    terminal: Terminal, database: Database
) -> None:
    await record(database, old_and_new(3))
    assert "3 calls from before" in terminal.done("archive", "status")
    assert json.loads(terminal.done("archive", "run", "--json")) == {"calls": 3, "attempts": 4}
    status = json.loads(terminal.done("archive", "status", "--json"))
    assert (status["due"], status["hot"]["calls"], status["archived"]["calls"]) == (0, 3, 3)
    assert status["next_us"] > SystemClock().now_us()
    assert terminal.done("archive", "run") == "0 calls were archived\n"


@on_sqlite
def test_a_schedule_that_is_none_is_refused_with_its_name(
    terminal: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOLLBRIDGE_DETAILS_ARCHIVE_CRON", "garbage")
    assert "TOLLBRIDGE_DETAILS_ARCHIVE_CRON: 'garbage'" in terminal.refused("archive", "status")
    assert "TOLLBRIDGE_DETAILS_ARCHIVE_CRON: 'garbage'" in terminal.refused("serve")


@pytest.mark.parametrize("point", ["archive.before_commit:2", "archive.after_commit:2"])
async def test_a_run_that_is_killed_in_the_middle_is_gone_on_with(
    terminal: Terminal, database: Database, monkeypatch: pytest.MonkeyPatch, point: str
) -> None:
    """Each call stands in one place, by what survives a SIGKILL, and the sums prove right."""
    await record(database, old_and_new(6))
    monkeypatch.setenv("TOLLBRIDGE_DETAILS_ARCHIVE_BATCH_ROWS", "2")
    monkeypatch.setenv("TOLLBRIDGE_CRASH_AT", point)
    command = [sys.executable, "-c", "from tollbridge.cli import main; main()", "archive", "run"]
    done = subprocess.run(command, capture_output=True, timeout=60, check=False)
    assert done.returncode == -signal.SIGKILL, done.stderr
    moved = 2 if "before" in point else 4
    assert await rows(database, COUNTS) == [(12 - moved, moved)]
    monkeypatch.delenv("TOLLBRIDGE_CRASH_AT")
    assert terminal.done("archive", "run") == f"{6 - moved} calls were archived\n"
    assert await rows(database, COUNTS) == [(6, 6)]
    async with database.read() as unit:
        assert await audit.books(unit) == []
        assert await rebuild_rollups(unit, ZoneInfo("UTC")) == []


@on_sqlite
async def test_a_call_is_shown_with_its_attempts_and_with_its_content(
    terminal: Terminal, database: Database
) -> None:
    [call_id, other_id] = await record(database, [CallSpec(fails_first=True), CallSpec()])
    parts = (
        ContentPart(ContentKind.PROMPT, "ask", 3),
        ContentPart(ContentKind.ANSWER, "sa", 9, truncated=True),
    )
    async with database.write() as unit:
        await add_contents(unit, [Content(call_id, SystemClock().now_us(), parts)])
    shown = terminal.done("usage", "show", call_id)
    assert "aimlapi" in shown
    assert "ask" not in shown
    assert (
        json.loads(terminal.done("usage", "show", call_id, "--json"))["call"]["call_id"] == call_id
    )
    kept = terminal.run("usage", "show", call_id, "--content")
    assert (kept.status, kept.out) == (0, "ask\nsa\n")
    assert "answer, 9 bytes, cut" in kept.err
    body = json.loads(terminal.done("usage", "show", call_id, "--content", "--json"))
    assert body["parts"]["prompt"]["body"] == "ask"
    assert "nothing is kept" in terminal.refused("usage", "show", other_id, "--content")
    assert "no call" in terminal.refused("usage", "show", "nobody")


@on_sqlite
async def test_a_key_begins_and_ends_to_keep(terminal: Terminal, database: Database) -> None:
    """Whoever did it is written down."""
    assert terminal.run("keys", "create", "ci").status == 0
    for off, kept in (([], True), (["--off"], False)):
        terminal.done("keys", "keep-content", "ci", *off)
        (row,) = json.loads(terminal.done("keys", "list", "--json"))
        assert row["terms"]["keep_content"] is kept
    async with database.read() as unit:
        changed = audit_entries.c.action == "keys.change"
        found = await unit.connection.execute(audit_entries.select().where(changed))
        assert [(row.subject, row.details) for row in found] == [
            ("key:ci", {"keep_content": True}),
            ("key:ci", {"keep_content": False}),
        ]
    assert "no key" in terminal.refused("keys", "keep-content", "nobody")
