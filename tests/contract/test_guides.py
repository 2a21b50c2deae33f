"""Is what the pages for users show still what can be written and typed?"""

import re
import shlex
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest
import typer.main

from tests.tidy.source import ROOT
from tollbridge.cli.application import application
from tollbridge.configuration import (
    budgets,
    credit_rates,
    endpoints,
    intake_sources,
    keys,
    routes,
)
from tollbridge.configuration import read as whole
from tollbridge.core.errors import TollbridgeError
from tollbridge.routing.builtin import load_known
from tollbridge.settings import Settings

PAGES = (ROOT / "README.md", ROOT / "docs/configuration.md", *(ROOT / "docs/guides").glob("*.md"))
CONFIGURATION = (ROOT / "docs/configuration.md").read_text(encoding="utf-8")
FIELDS = {
    "endpoint": endpoints.FIELDS,
    "route": routes.FIELDS,
    "price": whole.PRICE_FIELDS,
    "key": keys.FIELDS,
    "budget": budgets.FIELDS,
    "credit_rate": credit_rates.FIELDS,
    "intake_source": intake_sources.FIELDS,
}
ENVIRONMENT = dict.fromkeys(re.findall(r'_env = "([A-Z_]+)"', CONFIGURATION), "k" * 40) | {
    "OPENAI_API_KEY": "sk-openai"
}


def blocks(language: str) -> Iterator[tuple[str, str]]:
    """Yield page and text of each block of a language."""
    for page in PAGES:
        text = page.read_text(encoding="utf-8")
        for found in re.finditer(rf"^```{language}\n(.*?)^```", text, re.DOTALL | re.MULTILINE):
            yield page.name, found[1]


COMMANDS = [
    pytest.param(line, id=f"{page}: {line[:60]}")
    for page, text in blocks("sh")
    for line in text.splitlines()
    if re.match(r"(\S*/)?tollbridge ", line)
]


def test_there_is_something_to_look_at() -> None:
    assert len(COMMANDS) > 20
    assert len(list(blocks("toml"))) >= 2


@pytest.mark.parametrize(("page", "text"), list(blocks("toml")))
def test_what_a_page_shows_of_the_configuration_file_can_be_read(page: str, text: str) -> None:
    try:
        found = whole.read(text, ENVIRONMENT, load_known(), page)
    except TollbridgeError as error:
        pytest.fail(error.message)
    assert found.skipped == ()


def test_the_page_has_a_section_for_each_table() -> None:
    assert sorted(re.findall(r"^## \[\[(\w+)\]\]$", CONFIGURATION, re.MULTILINE)) == sorted(
        whole.TABLES
    )
    assert set(FIELDS) == set(whole.TABLES)


@pytest.mark.parametrize("table", whole.TABLES)
def test_the_page_tells_of_each_field_and_of_no_other(table: str) -> None:
    section = re.split(r"^## ", CONFIGURATION, flags=re.MULTILINE)
    [text] = [one for one in section if one.startswith(f"[[{table}]]")]
    assert set(re.findall(r"^\| `(\w+)` \|", text, re.MULTILINE)) == FIELDS[table]


@pytest.mark.parametrize("line", COMMANDS)
def test_a_command_that_a_page_shows_is_one(
    line: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    """With its options and arguments; it is not run."""
    monkeypatch.chdir(tmp_path)
    (tmp_path / "usage.csv").touch()
    words = shlex.split(line, comments=True)[1:]
    command: Any = typer.main.get_command(application)  # typer's own click has no types
    while words and words[0] in getattr(command, "commands", {}):
        command = command.commands[words.pop(0)]
    context = command.make_context(line, list(words))
    assert context.command is command
    assert not context.args
    assert not getattr(command, "no_args_is_help", False)


@pytest.mark.parametrize("page", PAGES, ids=lambda page: page.name)
def test_a_setting_that_a_page_names_is_one(page: Path) -> None:
    named = re.findall(r"TOLLBRIDGE_([A-Z_]+)", page.read_text(encoding="utf-8"))
    known = {name.upper() for name in Settings.model_fields} | {"KEY"}
    assert set(named) <= known
