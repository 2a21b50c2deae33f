"""What `tollbridge endpoints` and `tollbridge routes` do and print, on a real database."""

import json
from typing import Any

import pytest

from tests.support.terminal import Terminal

pytestmark = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
URL = "http://127.0.0.1:9000/v1"


@pytest.fixture
def local(terminal: Terminal) -> Terminal:
    """Return a terminal in whose database is an endpoint with a key."""
    added = terminal.run(
        *("endpoints", "add", "local", "--base-url", f"{URL}/", "--default-model", "text=m"),
        "--key",
        given="sk-very-secret\n",
    )
    assert added.status == 0, added.err
    assert "secret" not in added.out + added.err
    return terminal


def shown(terminal: Terminal) -> dict[str, Any]:
    """Return what is listed of the endpoint."""
    listed = terminal.done("endpoints", "list", "--json")
    assert "secret" not in listed
    (row,) = [one for one in json.loads(listed) if one["name"] == "local"]
    return row


def test_an_endpoint_is_added_with_a_key_that_nobody_sees_again(local: Terminal) -> None:
    row = shown(local)
    assert (row["base_url"], row["provider"], row["keys"]) == (URL, "local", ["default"])
    assert row["default_models"] == {"text": "m"}
    line = next(one for one in local.done("endpoints", "list").splitlines() if "local" in one)
    assert line.split() == ["local", "local", "openai", URL, "100", "default", "api", "on"]


def test_an_endpoint_is_switched_and_moved_by_category(local: Terminal) -> None:
    local.done("endpoints", "disable", "local", "--category", "image")
    local.done("endpoints", "priority", "local", "7", "--category", "text")
    row = shown(local)
    assert (row["disabled_categories"], row["category_priority"]) == (["image"], {"text": 7})
    assert "off for image" in local.done("endpoints", "list")
    local.done("endpoints", "disable", "local")
    assert shown(local)["enabled"] is False
    local.done("endpoints", "enable", "local")
    assert shown(local).get("disabled_categories", []) == []


def test_keys_are_added_from_standard_input_and_removed_by_name(local: Terminal) -> None:
    added = local.run("endpoints", "add-key", "local", "second", given="sk-very-secret-2\n")
    assert added.status == 0, added.err
    assert shown(local)["keys"] == ["default", "second"]
    local.done("endpoints", "remove-key", "local", "default")
    assert shown(local)["keys"] == ["second"]
    empty = local.run("endpoints", "add-key", "local", "third", given="\n")
    assert (empty.status, "standard input is missing" in empty.err) == (2, True)


def test_an_endpoint_is_removed_and_what_is_not_there_is_said(local: Terminal) -> None:
    local.done("endpoints", "remove", "local")
    assert shown(local)["withdrawn_at_us"] is not None
    assert "no endpoint named 'nobody'" in local.refused("endpoints", "enable", "nobody")
    assert "--base-url is an address" in local.refused(
        "endpoints", "add", "x", "--base-url", "ftp://h"
    )


def test_a_route_is_set_listed_switched_and_removed(local: Terminal) -> None:
    local.done(
        *("routes", "set", "acme/fast", "--order", "fastest", "--hedge-after-ms", "300"),
        *("--candidate", "local=m@20240620@3", "--candidate", "local"),
    )
    (row,) = json.loads(local.done("routes", "list", "--json"))
    entry = row["entry"]
    assert (entry["order"], entry["hedge_after_ms"]) == ("fastest", 300)
    assert [(one["model"], one["priority"], one["weight"]) for one in entry["candidates"]] == [
        ("m@20240620", 1, 3),
        ("acme/fast", 2, 1),
    ]
    assert "after 300 ms" in local.done("routes", "list")
    said = ("--bucket", "audio", "--on-content-filtered", "fallback")
    assert "counts in audio" in local.done("routes", "policy", "acme/fast", *said)
    (row,) = json.loads(local.done("routes", "list", "--json"))
    assert (row["entry"]["bucket"], row["entry"]["on_content_filtered"]) == ("audio", "fallback")
    assert row["entry"]["hedge_after_ms"] == 300
    local.done("routes", "disable", "acme/fast")
    assert local.done("routes", "list").splitlines()[1].split()[-1] == "off"
    local.done("routes", "enable", "acme/fast")
    local.done("routes", "remove", "acme/fast")
    assert "withdrawn" in local.done("routes", "list")
    assert "near it: local" in local.refused("routes", "set", "m", "--candidate", "locl")
