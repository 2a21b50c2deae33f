"""The same answers at the command line as in the API."""

import json

import pytest

from tests.support.recorded import NOON_US, CallSpec, record
from tests.support.terminal import Terminal
from tollbridge.storage.unit import Database

pytestmark = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
TIME = ("--from", "2026-01-01", "--to", "2026-01-02")


async def test_each_command_answers_as_a_table_and_as_json(
    terminal: Terminal, database: Database
) -> None:
    await record(
        database,
        [CallSpec(), CallSpec(fails_first=True), CallSpec(at_us=NOON_US - 86_400_000_000)],
    )
    found = json.loads(terminal.done("insight", "overview", "--json", *TIME))
    assert (found["total"]["calls"], found["previous"]["calls"]) == (2, 1)
    assert found["total"]["cost_usd"] == "0.0010458"
    assert "$0.0010458" in terminal.done("insight", "overview", *TIME)
    found = json.loads(terminal.done("insight", "providers", "--json", *TIME))
    attempts = {one["provider"]: one["attempts"] for one in found["providers"] if one["attempts"]}
    assert attempts == {"aimlapi": 1, "openai": 2}
    assert "100.00 %" in terminal.done("insight", "providers", *TIME)
    found = json.loads(terminal.done("insight", "compare", "--json", *TIME))
    assert ("openai", "gpt-4o-mini") in {(one["provider"], one["model"]) for one in found["offers"]}
    assert "$0.0002625" in terminal.done("insight", "compare", "--model", "gpt-4o-mini", *TIME)
    found = json.loads(terminal.done("insight", "compare", "--usage", "--json", *TIME))
    assert found["candidates"][0]["cost_usd"] == "0.0010458"
    assert "would cost" in terminal.done("insight", "compare", "--usage", *TIME)
    found = json.loads(terminal.done("insight", "recommend", "--json", "--month", "2026-01"))
    assert found["recommended"] is None
    assert "needed" in terminal.done("insight", "recommend", "--month", "2026-01")


async def test_a_wrong_time_is_refused_with_its_name(terminal: Terminal) -> None:
    for arguments, said in (
        (("overview", "--from", "2026-01-02", "--to", "2026-01-01"), "not before"),
        (("providers", "--month", "2026-13"), "billing_period"),
        (("compare", "--category", "music"), "Must be TEXT"),
    ):
        assert said in terminal.refused("insight", *arguments)
