"""What the commands do and print, each run as a person would, on a real database."""

import json
import sqlite3
import subprocess
import sys
from pathlib import Path

import msgspec
import pytest
from sqlalchemy import insert, select

from tests.support.recorded import CallSpec, ended_call, record
from tests.support.terminal import Terminal
from tollbridge.access.keys import DeclaredKey, KeyTerms
from tollbridge.access.store import apply as apply_keys
from tollbridge.cli.keys import expiry_us
from tollbridge.core.clock import SECOND_US
from tollbridge.core.errors import InvalidRequestError
from tollbridge.ledger import store as ledger_store
from tollbridge.ledger.budgets import BudgetTerms
from tollbridge.ledger.tables import budget_periods, leases
from tollbridge.recording.tables import quarantine
from tollbridge.storage.audit import audit_entries
from tollbridge.storage.unit import Database

on_sqlite = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
DAY_US = 86_400 * SECOND_US


@on_sqlite
async def test_usage_shows_who_served_and_what_it_cost(
    terminal: Terminal, database: Database
) -> None:
    await record(
        database, [CallSpec(fails_first=True), CallSpec(provider="nowhere", label="alias")]
    )
    table = terminal.done("usage")
    priced = next(line for line in table.splitlines() if "$" in line)
    assert priced.split() == [
        "2026-01-01",
        "12:00:00",
        "openai",
        "gpt-4o-mini",
        "2518",
        "242",
        "$0.0005229",
        "501",
        "ms",
        "2",
        "COMPLETED",
        "200",
    ]
    unpriced = next(line for line in table.splitlines() if "nowhere (openai)" in line)
    assert "alias → gpt-4o-mini" in unpriced
    assert "$" not in unpriced


@on_sqlite
async def test_usage_filters_and_prints_json(terminal: Terminal, database: Database) -> None:
    await record(database, [CallSpec(), CallSpec(provider="openrouter"), CallSpec()])
    rows = json.loads(terminal.done("usage", "--json", "--provider", "openrouter"))
    assert [row["actual_provider_name"] for row in rows] == ["openrouter"]
    assert len(json.loads(terminal.done("usage", "--json", "--limit", "2"))) == 2
    assert json.loads(terminal.done("usage", "--json", "--key", "nobody")) == []


@on_sqlite
def test_a_key_is_minted_listed_and_revoked(terminal: Terminal) -> None:
    """The key alone goes to standard output, so that a script can take it."""
    minted = terminal.run("keys", "create", "ci", "--scope", "call", "--scope", "read")
    assert minted.status == 0, minted.err
    key = minted.out.strip()
    assert key.startswith("tb_")
    listed = terminal.done("keys", "list")
    assert "call,read" in listed
    assert key not in listed
    assert "revoked" in terminal.done("keys", "revoke", "ci")
    (row,) = json.loads(terminal.done("keys", "list", "--json"))
    assert row["revoked_at_us"] is not None
    assert "already" in terminal.refused("keys", "create", "ci")


@on_sqlite
async def test_a_key_of_the_file_is_detached_and_then_revoked(
    terminal: Terminal, database: Database
) -> None:
    async with database.write() as unit:
        declared = [DeclaredKey(KeyTerms(name="filed", user="ada"))]
        await apply_keys(unit, declared, b"p" * 32)
    assert "configuration file" in terminal.refused("keys", "revoke", "filed")
    assert "no longer the file's" in terminal.done("keys", "detach", "filed")
    assert "revoked" in terminal.done("keys", "revoke", "filed")
    actions = [one["action"] for one in json.loads(terminal.done("audit", "--json"))]
    assert actions == ["keys.revoke", "keys.detach"]
    assert "no key" in terminal.refused("keys", "detach", "nobody")


@on_sqlite
def test_a_key_is_minted_with_its_limits_and_whether_content_is_kept(terminal: Terminal) -> None:
    limits = ("--limit", "calls_per_minute=60", "--limit", "concurrent_calls=4")
    terminal.done("keys", "create", "ci", *limits, "--keep-content")
    terminal.done("keys", "create", "plain")
    kept, plain = (row["terms"] for row in json.loads(terminal.done("keys", "list", "--json")))
    assert (kept["calls_per_minute"], kept["concurrent_calls"]) == (60, 4)
    assert (plain["calls_per_minute"], plain["concurrent_calls"]) == (None, None)
    assert (kept["keep_content"], plain["keep_content"]) == (True, False)


@pytest.mark.parametrize(
    "text", ["calls_per_minute", "calls_per_minute=0", "calls_per_minute=-1", "calls=5"]
)
@on_sqlite
def test_a_limit_that_there_is_not_is_refused(terminal: Terminal, text: str) -> None:
    assert "--limit" in terminal.refused("keys", "create", "ci", "--limit", text)
    assert json.loads(terminal.done("keys", "list", "--json")) == []


@on_sqlite
def test_a_key_is_not_minted_under_secrets_that_no_worker_knows(terminal: Terminal) -> None:
    (terminal.data_dir / "secrets").rmdir()
    assert "--data-dir" in terminal.refused("keys", "create", "ci")
    assert not (terminal.data_dir / "secrets").exists()


@pytest.mark.parametrize("text", ["soon", "2020-01-01T00:00:00Z", "2030-01-01T00:00:00", "0d"])
def test_an_expiry_that_is_no_coming_instant_is_refused(text: str) -> None:
    with pytest.raises(InvalidRequestError):
        expiry_us(text, 1_767_225_600_000_000)


def test_an_expiry_is_days_from_now_or_an_instant() -> None:
    now_us = 1_767_225_600_000_000
    assert expiry_us("90d", now_us) == now_us + 90 * DAY_US
    assert expiry_us("2026-01-02T01:00:00+01:00", now_us) == now_us + DAY_US


@on_sqlite
async def test_prices_are_listed_with_rate_and_source(
    terminal: Terminal, database: Database
) -> None:
    await record(database, [])
    table = terminal.done("prices", "list", "--provider", "openai", "--model", "gpt-4o-mini")
    assert {"0.15", "0.6", "0.075"} <= set(table.split())
    assert "seed" in table


@on_sqlite
async def test_a_released_nodes_leases_fall_free(terminal: Terminal, database: Database) -> None:
    async with database.write() as unit:
        budget = await ledger_store.create_budget(unit, BudgetTerms("m", "key:ci", 10**9, "total"))
        period = {"budget_id": budget.budget_id, "period_start_us": 0}
        await unit.connection.execute(
            insert(budget_periods).values(**period, spent=0, leased=5_000_000)
        )
        await unit.connection.execute(
            insert(leases).values(
                **period,
                lease_id="l",
                worker="w",
                node="node-7",
                granted=5_000_000,
                settled=0,
                returned=0,
                state="active",
            )
        )
    assert "$0.005" in terminal.done("ledger", "outstanding")
    assert terminal.run("ledger", "release", "node-7", given="n\n").status == 1
    assert "$0.005" in terminal.done("ledger", "release", "node-7", "--yes")
    async with database.read() as unit:
        [entry] = (await unit.connection.execute(select(audit_entries))).all()
    assert entry.actor.startswith("cli:")
    assert (entry.action, entry.subject) == ("ledger.release", "node:node-7")
    assert entry.details == {"freed_usd": "0.005", "leases": 1}
    assert json.loads(terminal.done("ledger", "outstanding", "--json")) == []
    assert "holds nothing" in terminal.refused("ledger", "release", "node-7", "--yes")


@on_sqlite
async def test_the_doctor_finds_a_figure_that_does_not_fit(
    terminal: Terminal, database: Database
) -> None:
    """Exit status 0 while the books agree, 1 with the place where they do not."""
    assert terminal.done("doctor", "--books") == ""
    async with database.write() as unit:
        await unit.connection.execute(
            insert(budget_periods).values(budget_id="b", period_start_us=0, spent=7, leased=0)
        )
    found = terminal.run("doctor", "--books", "--json")
    assert found.status == 1
    (place,) = json.loads(found.out)
    assert (place["kind"], place["subject"], place["found"]) == ("spent", "budget:b:0", 7)


@on_sqlite
async def test_the_doctor_misses_postings_that_were_never_made(
    terminal: Terminal, database: Database
) -> None:
    """The helper records calls without a ledger: that is just what must be noticed."""
    await record(database, [CallSpec()])
    found = terminal.run("doctor", "--deep", "--json")
    assert found.status == 1
    (place,) = json.loads(found.out)
    assert place == {
        "kind": "postings of a provider",
        "subject": "openai",
        "expected": 522_900,
        "found": 0,
    }


@on_sqlite
async def test_what_waits_in_quarantine_is_replayed_or_named(
    terminal: Terminal, database: Database
) -> None:
    """One call that can be closed now goes into the books and the ledger; the other one waits."""
    await record(database, [])
    good = ended_call(CallSpec())
    whole = msgspec.structs.replace(good.closed, opened=good.opened)
    async with database.write() as unit:
        for raw in (msgspec.json.encode(whole).decode(), "nonsense"):
            await unit.connection.execute(
                insert(quarantine).values(
                    segment="s",
                    offset_bytes=0,
                    node="node-1",
                    worker="w",
                    raw=raw,
                    error="no price then",
                    created_at_us=0,
                    state="open",
                )
            )
    replayed = terminal.run("replay", "--json")
    assert replayed.status == 1, replayed.err
    found = json.loads(replayed.out)
    assert found["closed"] == 1
    assert [row["raw"] for row in found["waiting"]] == ["nonsense"]
    (call,) = json.loads(terminal.done("usage", "--json"))
    assert (call["call_id"], call["cost_nanousd"]) == (good.opened.call_id, 522_900)
    assert terminal.done("doctor", "--books", "--deep") == ""
    terminal.done("replay", "--dismiss", str(found["waiting"][0]["quarantine_id"]))
    assert "0 records" in terminal.done("replay")
    assert "no record 99" in terminal.refused("replay", "--dismiss", "99")


@on_sqlite
async def test_a_backup_is_a_whole_database_and_the_spool(
    terminal: Terminal, database: Database
) -> None:
    """Made while a writer is in the middle of its unit; secrets only when asked for."""
    await record(database, [CallSpec()])
    spool = terminal.data_dir / "spool"
    spool.mkdir()
    (spool / "worker-000001.jsonl").write_bytes(b"line\n")
    (terminal.data_dir / "secrets" / "pepper.key").write_text("secret")
    target = terminal.data_dir / "copy"
    async with database.write() as unit:
        await unit.connection.exec_driver_sql("DELETE FROM call_details")
        terminal.done("backup", str(target))
        await unit.connection.exec_driver_sql("SELECT 1")
    with sqlite3.connect(target / "tollbridge.db") as copied:
        assert copied.execute("PRAGMA integrity_check").fetchone() == ("ok",)
        assert copied.execute("SELECT count(*) FROM call_details").fetchone() == (1,)
    assert (target / "spool" / "worker-000001.jsonl").read_bytes() == b"line\n"
    assert not (target / "secrets").exists()
    assert "not empty" in terminal.refused("backup", str(target))
    terminal.done("backup", str(terminal.data_dir / "whole"), "--with-secrets")
    assert (terminal.data_dir / "whole" / "secrets" / "pepper.key").read_text() == "secret"


@pytest.mark.parametrize(
    "arguments",
    [
        ("usage",),
        ("keys", "list"),
        ("db", "current"),
        ("db", "downgrade", "base"),
        ("doctor", "--books"),
    ],
)
def test_a_database_that_is_not_there_is_not_made(
    arguments: tuple[str, ...], elsewhere: Terminal
) -> None:
    assert "no database" in elsewhere.refused(*arguments)
    assert list(elsewhere.data_dir.iterdir()) == []


def test_the_schema_is_made_told_and_taken_back(elsewhere: Terminal) -> None:
    """A command that meets a schema of another version says what to do about it."""
    elsewhere.done("db", "upgrade")
    first, _, known = elsewhere.done("db", "current").strip().partition(" ")
    assert f"(this version: {first})" == known
    assert elsewhere.done("usage", "--json") == "[]\n"
    elsewhere.done("db", "downgrade", "base")
    assert elsewhere.done("db", "current").startswith("none")
    assert "tollbridge db upgrade" in elsewhere.refused("usage")
    assert "not upgraded" in elsewhere.refused("db", "upgrade", "nonsense")


@pytest.mark.parametrize(
    ("url", "said"),
    [
        ("mysql://root:hush@host/x", "sqlite or postgresql"),
        ("postgresql://tollbridge:hush@127.0.0.1:1/x", "cannot be opened"),
    ],
)
def test_a_database_that_cannot_be_opened_is_said_without_its_password(
    url: str, said: str, elsewhere: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOLLBRIDGE_DATABASE_URL", url)
    error = elsewhere.refused("usage")
    assert said in error
    assert "hush" not in error


def test_a_setting_that_does_not_fit_is_named(elsewhere: Terminal) -> None:
    (elsewhere.data_dir / ".env").write_text("TOLLBRIDGE_PORT=many\n")
    assert "TOLLBRIDGE_PORT" in elsewhere.refused("usage")


def test_the_console_script_is_the_same_command() -> None:
    """`tollbridge --help` of the installed package lists every command."""
    script = Path(sys.executable).with_name("tollbridge")
    done = subprocess.run(
        [str(script), "--help"], capture_output=True, text=True, timeout=60, check=False
    )
    assert done.returncode == 0, done.stderr
    commands = ("serve", "usage", "keys", "prices", "db", "ledger", "replay", "doctor", "backup")
    assert [name for name in commands if name not in done.stdout] == []
