"""Plans and subscriptions from a terminal."""

import json

import pytest

from tests.support.terminal import Terminal
from tollbridge.access import store as access_store
from tollbridge.access.keys import KeyTerms
from tollbridge.storage.unit import Database

pytestmark = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)


@pytest.fixture
async def ada(database: Database) -> str:
    async with database.write() as unit:
        await access_store.create_key(unit, KeyTerms("ci", "ada"), b"p" * 32)
    return "ada"


async def test_the_list_tells_unlimited_from_none(terminal: Terminal) -> None:
    """Enterprise's calls are unlimited, Free's calls to openai are 0."""
    assert "unlimited" in terminal.done("plans", "list")
    shown = terminal.done("plans", "show", "Free")
    assert [line.split() for line in shown.splitlines() if "openai_calls" in line] == [
        ["openai_calls", "0"]
    ]
    assert "limit" in terminal.done("plans", "show", "Enterprise")


async def test_a_plan_is_made_changed_and_its_history_told(terminal: Terminal) -> None:
    """An edit leaves alone what it does not name; JSON says null for unlimited."""
    terminal.done(
        "plans", "set", "Team", "--tier", "pro", "--monthly", "49", "--limit", "video_calls=5"
    )
    terminal.done(
        "plans", "set", "Team", "--limit", "audio_calls=0", "--limit", "video_calls=unlimited"
    )
    found = json.loads(terminal.done("plans", "show", "Team", "--json"))
    assert found["terms"]["price_monthly_nanousd"] == 49 * 10**9
    assert (found["terms"]["limits"]["audio_calls"], found["terms"]["limits"]["video_calls"]) == (
        0,
        None,
    )
    versions = json.loads(terminal.done("plans", "history", "Team", "--json"))
    assert [one["version"] for one in versions] == [2, 1]
    assert versions[1]["terms"]["limits"]["video_calls"] == 5


@pytest.mark.parametrize(
    "arguments",
    [
        ("Team",),
        ("Team", "--tier", "pro", "--limit", "video_calls=-1"),
        ("Team", "--tier", "pro", "--limit", "video_calls"),
        ("Team", "--tier", "pro", "--limit", "vidio_calls=1"),
        ("Team", "--tier", "pro", "--monthly", "-1"),
        ("Team", "--tier", "pro", "--monthly", "1e400"),
    ],
)
async def test_a_bad_plan_is_refused_and_not_made(
    terminal: Terminal, arguments: tuple[str, ...]
) -> None:
    terminal.refused("plans", "set", *arguments)
    assert len(json.loads(terminal.done("plans", "list", "--json"))) == 4


async def test_a_plan_is_withdrawn_offered_and_made_the_default(terminal: Terminal) -> None:
    assert "withdrawn" in terminal.done("plans", "withdraw", "Pro")
    assert "offered" in terminal.done("plans", "offer", "Pro")
    terminal.done("plans", "default", "Free")
    assert "default" in terminal.done("plans", "list")
    assert "default" in terminal.refused("plans", "withdraw", "Free")
    terminal.done("plans", "default")
    assert not any(
        one["is_default"] for one in json.loads(terminal.done("plans", "list", "--json"))
    )


async def test_a_subscription_is_given_shown_and_cancelled(terminal: Terminal, ada: str) -> None:
    assert "Pro" in terminal.done("subscriptions", "set", ada, "Pro")
    assert "Basic" in terminal.done("subscriptions", "set", ada, "Basic")
    shown = json.loads(terminal.done("subscriptions", "show", ada, "--json"))
    assert (shown["plan"], shown["next_plan"], shown["enforced"]) == ("Pro", "Basic", True)
    assert "video_calls" in terminal.done("subscriptions", "show", ada)
    assert "cancelled" in terminal.done("subscriptions", "cancel", ada)
    assert "ada" in terminal.done("subscriptions", "list")
    history = json.loads(terminal.done("subscriptions", "history", ada, "--json"))
    assert [one["kind"] for one in history] == ["cancel", "new"]
    assert history[1]["actor"].startswith("cli:")


async def test_nobody_who_is_not_known_is_given_a_plan(terminal: Terminal) -> None:
    assert "nothing is known" in terminal.refused("subscriptions", "set", "tpyo", "Pro")
    assert "no plan" in terminal.refused("plans", "show", "Gold")
