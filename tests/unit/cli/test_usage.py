"""The same filters at the command line as in the API."""

import json

import pytest

from tests.support.recorded import NOON_US, UTC_DAY_US, CallSpec, record
from tests.support.terminal import Terminal
from tollbridge.api.control.log_filter import LogFilterQuery
from tollbridge.cli.usage_filter import NAMES
from tollbridge.storage.unit import Database

on_sqlite = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)


def test_there_are_the_filters_of_the_api_and_no_others() -> None:
    fields = LogFilterQuery.model_fields
    there = {field.alias or name for name, field in fields.items()}
    assert set(NAMES) == there - {"offset", "user_id"}


@on_sqlite
async def test_filters_are_joined_and_the_number_of_calls_is_told(
    terminal: Terminal, database: Database
) -> None:
    await record(
        database,
        [
            CallSpec(fails_first=True),
            CallSpec(at_us=NOON_US + UTC_DAY_US, provider="openrouter", user="bob"),
            CallSpec(refused=True, label="alias"),
        ],
    )
    for arguments, calls in (
        (["--where", "fallback=true"], 1),
        (["--where", "status_code=5xx", "--model", "alias"], 1),
        (["--user", "bob", "--where", "billing_period=2026-01"], 1),
        (["--where", "billing_period=2026-02"], 0),
        (["--where", "from=2026-01-02"], 1),
        (["--where", "to=2026-01-02", "--where", "bucket=openai"], 2),
        (["--where", "unpriced=true"], 1),
        (["--where", "actual_provider=OpenRouter"], 1),
        (["--provider", "openai", "--where", "provider=openai"], 3),
    ):
        done = terminal.run("usage", "--json", *arguments)
        assert done.status == 0, done.err
        assert len(json.loads(done.out)) == calls, arguments
    assert "1 shown, of 3 calls" in terminal.run("usage", "--limit", "1").err


@on_sqlite
@pytest.mark.parametrize(
    ("where", "says"),
    [
        ("bucket=nothing", "image_edit"),
        ("colour=red", "usage_source"),
        ("unpriced=maybe", "true, false"),
        ("status_code=abc", "4xx"),
        ("from=soon", "ISO 8601"),
        ("provider=wavespede", "wavespeed"),
        ("fallback", "NAME=VALUE"),
        (f"model={'x' * 10_240}", "model"),
    ],
)
def test_what_cannot_be_meant_is_refused_with_what_can(
    terminal: Terminal, where: str, says: str
) -> None:
    assert says in terminal.refused("usage", "--where", where)


@on_sqlite
def test_an_option_and_a_filter_that_differ_are_refused(terminal: Terminal) -> None:
    assert "differ" in terminal.refused("usage", "--user", "ada", "--where", "user=bob")
