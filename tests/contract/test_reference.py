"""Are the generated pages current, and does everything in them have a description?"""

import importlib.util
from collections.abc import Callable
from pathlib import Path
from typing import cast

import pytest

from tests.tidy.source import ROOT

REFERENCE = ROOT / "docs" / "reference"
NAMES = ("settings.md", "cli.md", "api.md", "errors.md")


@pytest.fixture(scope="module")
def made() -> dict[str, str]:
    path = ROOT / "docs" / "generate.py"
    spec = importlib.util.spec_from_file_location("generate", path)
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return cast("Callable[[], dict[str, str]]", module.pages)()


@pytest.mark.parametrize("name", NAMES)
def test_a_generated_page_is_current(made: dict[str, str], name: str) -> None:
    """`python docs/generate.py` makes the page as it is in the repository."""
    assert (REFERENCE / name).read_text(encoding="utf-8") == made[name]


@pytest.mark.parametrize("name", NAMES)
def test_everything_in_a_generated_page_is_described(made: dict[str, str], name: str) -> None:
    assert "(no description)" not in made[name]
    assert "do not edit" in made[name]


def test_every_generated_page_is_tested(made: dict[str, str]) -> None:
    assert set(made) == set(NAMES) == {path.name for path in Path(REFERENCE).glob("*.md")}
