"""What the doctor looks at when nobody asks for the books."""

import json

import pytest
from sqlalchemy import insert

from tests.support.terminal import Terminal
from tollbridge.ledger.tables import budget_periods
from tollbridge.processes.places import Places
from tollbridge.processes.secrets import load_secrets
from tollbridge.recording.tables import quarantine
from tollbridge.routing import store
from tollbridge.routing.builtin import builtin_here
from tollbridge.routing.part import Source
from tollbridge.settings import Settings
from tollbridge.storage.unit import Database

on_sqlite = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
KEY = {"OPENAI_API_KEY": "sk-made-up-for-tests"}


def seen(terminal: Terminal) -> tuple[int, dict[str, str], set[str]]:
    """Return the exit status, what each thing says, and which ones are not in order."""
    done = terminal.run("doctor", "--json")
    found = json.loads(done.out)
    wrong = {one["what"] for one in found if not one["in_order"]}
    return done.status, {one["what"]: one["says"] for one in found}, wrong


@pytest.fixture
async def installed(
    terminal: Terminal, database: Database, monkeypatch: pytest.MonkeyPatch
) -> Terminal:
    """Return the terminal of an installation that was started once, with one provider's key."""
    monkeypatch.setenv("TOLLBRIDGE_SPOOL_RESERVE_MB", "1")
    monkeypatch.setenv("OPENAI_API_KEY", KEY["OPENAI_API_KEY"])
    secrets = load_secrets(Settings(), Places(terminal.data_dir))
    live = list(builtin_here(None, KEY).values())
    async with database.write() as unit:
        await store.apply(unit, live, (), secrets.master, source=Source.BUILTIN)
    return terminal


@on_sqlite
async def test_all_is_in_order_after_a_start(installed: Terminal) -> None:
    status, says, wrong = seen(installed)
    assert (status, wrong) == (0, set())
    assert says["endpoints"] == "usable: openai"
    assert says["database"] == "sqlite, opens"
    assert "in order" in installed.run("doctor").err
    assert KEY["OPENAI_API_KEY"] not in installed.run("doctor").out


@on_sqlite
async def test_an_endpoint_whose_key_is_not_here_is_named(
    installed: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("OPENAI_API_KEY")
    status, says, wrong = seen(installed)
    assert (status, wrong) == (1, {"endpoints"})
    assert "openai is skipped here: OPENAI_API_KEY is not set" in says["endpoints"]


@on_sqlite
async def test_secrets_that_others_may_read_are_named(installed: Terminal) -> None:
    (installed.data_dir / "master.key").chmod(0o644)
    status, says, wrong = seen(installed)
    assert (status, wrong) == (1, {"secrets"})
    assert "master.key" in says["secrets"]


@on_sqlite
async def test_a_configuration_file_that_cannot_be_read_is_named(
    installed: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    file = installed.data_dir / "tollbridge.toml"
    monkeypatch.setenv("TOLLBRIDGE_CONFIG", str(file))
    file.write_text("[[nonsense]]\n")
    status, says, wrong = seen(installed)
    assert (status, wrong) == (1, {"configuration"})
    assert "nonsense" in says["configuration"]
    file.write_text('[[endpoint]]\nname = "xai"\napi_key_env = "NOT_SET_HERE"\n')
    status, says, wrong = seen(installed)
    assert (status, wrong) == (0, set())
    assert "endpoint xai is skipped: NOT_SET_HERE is not set" in says["configuration"]


@on_sqlite
async def test_what_waits_in_quarantine_is_not_in_order(
    installed: Terminal, database: Database
) -> None:
    row = {"segment": "s", "offset_bytes": 0, "node": "n", "worker": "w", "raw": "x"}
    async with database.write() as unit:
        values = {**row, "error": "e", "created_at_us": 0, "state": "open"}
        await unit.connection.execute(insert(quarantine).values(values))
    status, says, wrong = seen(installed)
    assert (status, wrong) == (1, {"spool"})
    assert "1 records in quarantine" in says["spool"]


@on_sqlite
async def test_too_little_disk_is_not_in_order(
    installed: Terminal, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TOLLBRIDGE_SPOOL_RESERVE_MB", str(2**40))
    assert seen(installed)[2] == {"data directory"}


@on_sqlite
async def test_the_books_are_looked_at_only_when_asked_for(
    installed: Terminal, database: Database
) -> None:
    row = {"budget_id": "b", "period_start_us": 0, "spent": 7, "leased": 0}
    async with database.write() as unit:
        await unit.connection.execute(insert(budget_periods).values(row))
    assert installed.run("doctor").status == 0
    assert installed.run("doctor", "--books").status == 1


def test_where_nothing_was_ever_started_nothing_is_made(elsewhere: Terminal) -> None:
    status, says, wrong = seen(elsewhere)
    assert (status, wrong) == (1, {"secrets", "database"})
    assert "no database" in says["database"]
    assert list(elsewhere.data_dir.iterdir()) == []
