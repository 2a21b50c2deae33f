"""Users, alerts and changes from a terminal."""

import json

import pytest

from tests.support.alerting import add_budget, spend, watch_of
from tests.support.terminal import Terminal
from tollbridge.access import session_store
from tollbridge.access.sessions import Origin, SessionTerms
from tollbridge.access.user_store import get_user
from tollbridge.core.clock import SystemClock
from tollbridge.storage.unit import Database

pytestmark = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)


async def test_a_user_is_added_changed_disabled_and_it_is_written_down(
    terminal: Terminal,
) -> None:
    terminal.done("users", "create", "root", "--role", "admin")
    terminal.done("users", "create", "ana")
    terminal.done("users", "set", "ana", "--role", "manager", "--project", "shop")
    terminal.done("users", "disable", "ana")
    [ana, root] = json.loads(terminal.done("users", "list", "--json"))
    assert (ana["role"], ana["projects"], root["role"]) == ("manager", ["shop"], "admin")
    assert ana["disabled_at_us"] is not None
    terminal.done("users", "enable", "ana")
    log = json.loads(terminal.done("audit", "--subject", "user:ana", "--json"))
    assert [one["action"] for one in log] == [*["users.change"] * 3, "users.create"]
    assert log[2]["details"]["to"] == {"role": "manager", "projects": ["shop"]}
    assert log[0]["actor"].startswith("cli:")


async def test_the_only_admin_stays_one(terminal: Terminal) -> None:
    terminal.done("users", "create", "root", "--role", "admin")
    assert "only admin" in terminal.refused("users", "disable", "root")


async def test_a_link_is_an_address_of_this_installation(terminal: Terminal) -> None:
    terminal.done("users", "create", "ana")
    link = terminal.done("users", "link", "ana").strip()
    assert link.startswith("http://127.0.0.1:8000/sign-in#token=")
    assert "no user" in terminal.refused("users", "link", "nobody")


async def test_the_sessions_of_a_user_are_listed_and_ended(
    terminal: Terminal, database: Database
) -> None:
    terminal.done("users", "create", "ana")
    async with database.write() as unit:
        await session_store.open_session(
            unit,
            await get_user(unit, "ana"),
            "link",
            pepper=b"p" * 32,
            terms=SessionTerms(),
            now_us=SystemClock().now_us(),
            origin=Origin("192.0.2.7", "Firefox"),
        )
    assert "192.0.2.7" in terminal.done("users", "sessions", "ana")
    assert "1 sessions" in terminal.done("users", "end-sessions", "ana")
    assert json.loads(terminal.done("users", "sessions", "ana", "--json")) == []
    [said] = json.loads(terminal.done("audit", "--action", "users.end_sessions", "--json"))
    assert said["details"] == {"sessions": 1}
    assert "no user" in terminal.refused("users", "sessions", "nobody")


async def test_a_key_is_rotated_and_it_is_written_down(terminal: Terminal) -> None:
    first = terminal.done("keys", "create", "app").strip()
    second = terminal.done("keys", "rotate", "app").strip()
    assert first != second
    [row] = json.loads(terminal.done("keys", "list", "--json"))
    assert row["last4"] == second[-4:]
    assert row["last_used_at_us"] is None
    [said] = json.loads(terminal.done("audit", "--action", "keys.rotate", "--json"))
    assert said["details"] == {"last4": {"from": first[-4:], "to": second[-4:]}}


async def test_alerts_are_listed_and_thresholds_set(terminal: Terminal, database: Database) -> None:
    budget = await add_budget(database, "b", "user:ana", 1000)
    assert "10 %" in terminal.done("alerts", "thresholds", "b", "10", "95")
    await spend(database, budget, 200)
    assert [one.threshold for one in await watch_of(database).sweep()] == [10]
    [shown] = json.loads(terminal.done("alerts", "list", "--unread", "--json"))
    assert shown["alert"]["title"] == "Budget b: 10 % used"
    assert "as all others" in terminal.done("alerts", "thresholds", "b", "--default")
    assert "thresholds" in terminal.refused("alerts", "thresholds", "b", "0")
    assert json.loads(terminal.done("alerts", "webhooks", "--json")) == []
