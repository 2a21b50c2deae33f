"""Is there a test for each known defect of the systems that the brief comes from?"""

import ast
import tomllib
from pathlib import Path

import pytest

TESTS = Path(__file__).resolve().parent.parent
DEFECTS = TESTS / "data" / "defects.toml"


def _named() -> list[str]:
    groups = tomllib.loads(DEFECTS.read_text(encoding="utf-8"))
    return sorted({name for group in groups.values() for names in group.values() for name in names})


@pytest.mark.parametrize("name", _named())
def test_the_test_that_a_defect_names_is_there(name: str) -> None:
    file, _, function = name.partition("::")
    tree = ast.parse((TESTS / file).read_text(encoding="utf-8"))
    functions = {
        node.name for node in tree.body if isinstance(node, ast.FunctionDef | ast.AsyncFunctionDef)
    }
    tests = {one for one in functions if one.startswith("test_")}
    assert function in tests if function else tests


def test_every_defect_names_a_test() -> None:
    groups = tomllib.loads(DEFECTS.read_text(encoding="utf-8"))
    assert groups
    assert all(names for group in groups.values() for names in group.values())
