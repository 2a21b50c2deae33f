"""What `tollbridge models` does and prints, on a real database."""

import csv
import io
import json

import pytest

from tests.support.terminal import Terminal

pytestmark = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)


def test_models_are_listed_with_their_prices(terminal: Terminal) -> None:
    table = terminal.done("models", "list", "--type", "text").splitlines()
    assert table[1].split()[:3] == ["gpt-4o-mini", "text", "openai"]
    assert "$0.1500/$0.6000 per 1M" in table[1]
    assert "default" in table[1]
    assert len(table) == 6
    rows = json.loads(terminal.done("models", "list", "--inactive", "--json"))
    assert [one["model_name"] for one in rows] == ["gpt-image-1", "gpt-image-1-mini"]
    assert rows[0]["pricing_display"] == "$0.0420 per image"


def test_a_list_is_filtered_by_capability_and_searched(terminal: Terminal) -> None:
    rows = json.loads(terminal.done("models", "list", "--capability", "vision", "--json"))
    assert [one["model_name"] for one in rows] == ["gpt-4o"]
    rows = json.loads(terminal.done("models", "list", "--search", "DALL", "--json"))
    assert [one["model_name"] for one in rows] == ["dall-e-3", "dall-e-2"]
    assert "json_mode, vision" in terminal.refused("models", "list", "--capability", "flying")


def test_a_model_is_shown_and_an_unknown_one_lists_the_others(terminal: Terminal) -> None:
    shown = terminal.done("models", "show", "dall-e-3")
    assert "1024x1024, 1792x1024, 1024x1792" in shown
    assert "0.0400" in shown
    assert "available models: gpt-4o-mini" in terminal.refused("models", "show", "gpt-9")


def test_a_price_is_edited_seen_in_the_history_and_taken_back(terminal: Terminal) -> None:
    edited = json.loads(
        terminal.done(
            "models",
            "edit",
            "gpt-4o",
            "--set",
            "input_cost_per_1m=3.5",
            "--set",
            "supports_vision=false",
            "--set",
            "context_window=64000",
            "--json",
        )
    )
    assert edited["input_cost_per_1m"] == "3.5000"
    assert (edited["supports_vision"], edited["context_window"]) == (False, 64000)
    history = json.loads(terminal.done("models", "history", "gpt-4o", "--json"))
    assert [one["action"] for one in history] == ["edited", "created"]
    assert "input_cost_per_1m: 2.5 → 3.5" in terminal.done("models", "history", "gpt-4o")
    restored = terminal.done("models", "restore", "gpt-4o", str(history[1]["change_id"]), "--json")
    assert json.loads(restored)["input_cost_per_1m"] == "2.5000"


def test_an_edit_of_another_version_is_refused(terminal: Terminal) -> None:
    arguments = ("models", "edit", "gpt-4o", "--version", "1", "--set")
    terminal.done(*arguments, "description=first")
    assert "changed meanwhile" in terminal.refused(*arguments, "description=second")


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ("input_cost_per_1m=-1", "negative"),
        ("input_cost_per_1m", "FIELD=VALUE"),
        ("context_window=big", "context_window is a whole number"),
        ("is_active=perhaps", "is_active is true or false"),
        ("colour=red", "colour cannot be set"),
        (f"display_name={'x' * 10_000}", "display_name needs 1 to 200"),
    ],
)
def test_a_bad_value_is_refused_by_its_field(terminal: Terminal, given: str, said: str) -> None:
    assert said in terminal.refused("models", "edit", "gpt-4o", "--set", given)


def test_a_model_is_made_with_its_sizes(terminal: Terminal) -> None:
    made = json.loads(
        terminal.done(
            "models",
            "create",
            "org/painter",
            "--type",
            "image",
            "--provider",
            "org",
            "--set",
            "valid_sizes=1x1, 2x2",
            "--set",
            "cost_per_image=0.05",
            "--json",
        )
    )
    assert (made["valid_sizes"], made["cost_per_image"]) == (["1x1", "2x2"], "0.0500")
    assert made["updated_by"].endswith("command line)") or made["updated_by"] == "command line"
    again = ("models", "create", "org/painter", "--type", "image", "--provider", "org")
    assert "already" in terminal.refused(*again)


def test_models_are_switched_and_a_default_is_set(terminal: Terminal) -> None:
    done = terminal.done("models", "deactivate", "gpt-4o", "gpt-4.1")
    assert done == "gpt-4o: inactive\ngpt-4.1: inactive\n"
    assert "default" in terminal.refused("models", "deactivate", "gpt-5.1", "gpt-4o-mini")
    assert terminal.done("models", "activate", "gpt-4o") == "gpt-4o: active\n"
    said = terminal.done("models", "set-default", "gpt-4o")
    assert said == "gpt-4o is the default for text\n"


def test_models_are_compared(terminal: Terminal) -> None:
    table = terminal.done("models", "compare", "gpt-4o", "gpt-4o-mini")
    lines = {line.split()[0]: line for line in table.splitlines()}
    assert lines["input_cost_per_1m"].split() == ["input_cost_per_1m", "*", "2.5000", "0.1500"]
    assert lines["provider"].split() == ["provider", "openai", "openai"]
    assert "two models or more" in terminal.refused("models", "compare", "gpt-4o")


def test_the_pricing_table_is_exported(terminal: Terminal) -> None:
    text = terminal.done("models", "export").removeprefix("\ufeff")
    rows = list(csv.DictReader(io.StringIO(text)))
    assert len(rows) == 9
    path = terminal.data_dir / "models.json"
    terminal.done("models", "export", "--format", "json", "--output", str(path), "--type", "image")
    exported = json.loads(path.read_bytes())["models"]
    assert [one["model_name"] for one in exported][:2] == ["dall-e-3", "dall-e-2"]
