"""Would each rule notice? Every one is shown code that breaks it and code that does not."""

from collections.abc import Callable

import pytest

from tests.tidy import bans, libraries, limits, ratchet, whole_tree
from tests.tidy.source import Rule, Source

LEDGER = "src/tollbridge/ledger/purse.py"
PLAIN = "src/tollbridge/routing/plan.py"
TEST = "tests/unit/test_plan.py"

LONG_BODY = "    pass\n" * 70
NOQA = "# no" + "qa"
PYRIGHT = "# py" + "right: ignore"
TYPE = "# ty" + "pe: ignore"
RUFF_FILE = "# ru" + "ff: noqa"

BROKEN: tuple[tuple[Rule, str, str], ...] = (
    (limits.function_length, PLAIN, f"def long():\n{LONG_BODY}"),
    (limits.function_length, PLAIN, f"class A:\n  async def long(self):\n{LONG_BODY}"),
    (limits.parameter_count, PLAIN, "def many(a, b, c, d, e, f, g, h, i): ..."),
    (limits.parameter_count, PLAIN, "def many(a, b, c, d, *e, f, g, h, **i): ..."),
    (limits.file_length, PLAIN, "x = 1\n" * 401),
    (limits.module_docstring, PLAIN, "x = 1\n"),
    (limits.module_docstring, PLAIN, '"""Helpers."""\n'),
    (limits.module_docstring, "src/tollbridge/core/__init__.py", "x = 1\n"),
    (bans.no_catch_all, PLAIN, "try: f()\nexcept Exception: log()"),
    (bans.no_catch_all, PLAIN, "try: f()\nexcept (OSError, BaseException): log()"),
    (bans.no_catch_all, PLAIN, "try: f()\nexcept: pass"),
    (bans.no_catch_all, PLAIN, "try: f()\nexcept Exception:\n  if a: raise\n  log()"),
    (bans.no_catch_all, PLAIN, "import contextlib\nwith contextlib.suppress(Exception): f()"),
    (bans.no_catch_all, PLAIN, "from contextlib import suppress\nwith suppress(Exception): f()"),
    (bans.no_global, PLAIN, "def f():\n  global counter\n  counter = 1"),
    (bans.no_mutable_module_state, PLAIN, "cache = {}"),
    (bans.no_mutable_module_state, PLAIN, "NAMES: list[str] = []"),
    (bans.no_mutable_module_state, PLAIN, "from typing import Final\nNAMES: Final = {1}"),
    (bans.no_mutable_module_state, PLAIN, "BY_NAME: dict[str, int] = {'a': 1}"),
    (bans.no_mutable_module_state, PLAIN, "from collections import defaultdict as d\nx = d(int)"),
    (bans.no_mutable_module_state, PLAIN, "if True:\n  seen = set()"),
    (bans.no_inner_import, PLAIN, "def f():\n  import json"),
    (bans.no_inner_import, PLAIN, "def f():\n  if a:\n    from json import loads"),
    (bans.clock_only, PLAIN, "import time\nnow = time.time()"),
    (bans.clock_only, PLAIN, "from time import time_ns as now\nx = now()"),
    (bans.clock_only, PLAIN, "from datetime import datetime\nx = datetime.now(UTC)"),
    (bans.clock_only, PLAIN, "import datetime as dt\nx = dt.datetime.utcnow"),
    (bans.clock_only, PLAIN, "from datetime import date\nx = date.today()"),
    (bans.no_float_money, LEDGER, "rate = 0.5"),
    (bans.no_float_money, LEDGER, "amount = float(text)"),
    (bans.no_float_money, "src/tollbridge/core/money.py", "NANO = 1e-9"),
    (bans.one_commit, LEDGER, "await connection.commit()"),
    (bans.one_commit, LEDGER, "connection.execute('COMMIT')"),
    (bans.one_commit, LEDGER, "from sqlalchemy import Engine\nwith engine.begin() as c: ..."),
    (libraries.at_home, LEDGER, "import sqlalchemy as sa"),
    (libraries.at_home, LEDGER, "from sqlalchemy.ext.asyncio import AsyncEngine"),
    (libraries.at_home, "src/tollbridge/cli.py", "from sqlalchemy import select"),
    (libraries.at_home, "src/tollbridge/processes/worker.py", "import fastapi"),
    (libraries.at_home, LEDGER, "from starlette.requests import Request"),
    (libraries.at_home, PLAIN, "import uvicorn"),
    (libraries.at_home, "src/tollbridge/recording/spool.py", "import httptools"),
    (bans.no_own_patching, TEST, "monkeypatch.setattr('tollbridge.core.clock.time', fake)"),
    (
        bans.no_own_patching,
        TEST,
        "from tollbridge.core import clock\nmonkeypatch.setattr(clock, 'time', fake)",
    ),
    (
        bans.no_own_patching,
        TEST,
        "from unittest import mock\nwith mock.patch('tollbridge.core.clock.time'): ...",
    ),
    (
        bans.no_own_patching,
        TEST,
        "from unittest.mock import patch\nfrom tollbridge import x\npatch.object(x, 'now_us')",
    ),
    (bans.reasoned_ignores, PLAIN, f"x = 1  {NOQA}"),
    (bans.reasoned_ignores, PLAIN, f"x = 1  {NOQA}: E501"),
    (bans.reasoned_ignores, PLAIN, f"x = 1  {PYRIGHT}"),
    (bans.reasoned_ignores, PLAIN, f"x = 1  {PYRIGHT}[reportUnknownMemberType]"),
    (bans.reasoned_ignores, PLAIN, f"x = 1  {TYPE}[arg-type]  # the stub is wrong"),
    (bans.reasoned_ignores, PLAIN, f"{RUFF_FILE}\nx = 1"),
)

KEPT: tuple[tuple[Rule, str, str], ...] = (
    (limits.function_length, PLAIN, f"def fits():\n{LONG_BODY[:-9]}"),
    (limits.parameter_count, PLAIN, "class A:\n  def f(self, a, b, c, d, e, f, g, h): ..."),
    (limits.file_length, PLAIN, "x = 1\n" * 400),
    (limits.module_docstring, PLAIN, '"""Which providers, in which order?"""\n'),
    (bans.no_catch_all, PLAIN, "try: f()\nexcept Exception:\n  close()\n  raise"),
    (bans.no_catch_all, PLAIN, "try: f()\nexcept OSError: pass"),
    (bans.no_catch_all, PLAIN, "try: f()\nexcept Exception:  # process edge: one call\n  log()"),
    (bans.no_catch_all, "src/tollbridge/processes/office.py", "try: f()\nexcept Exception: log()"),
    (
        bans.no_mutable_module_state,
        PLAIN,
        "from typing import Final\nA: Final[Mapping[str, int]] = {}",
    ),
    (bans.no_mutable_module_state, PLAIN, "A: Mapping[str, int] = {'a': 1}"),
    (bans.no_mutable_module_state, PLAIN, "A = (1, 2)\nB = frozenset({1})\n__all__ = ['A']"),
    (bans.no_inner_import, PLAIN, "import json\ndef f(): ..."),
    (bans.clock_only, "src/tollbridge/core/clock.py", "import time\nx = time.time_ns()"),
    (bans.clock_only, PLAIN, "import time\nx = time.monotonic()"),
    (bans.no_float_money, PLAIN, "timeout_s = 0.5"),
    (bans.one_commit, "src/tollbridge/storage/unit.py", "await connection.commit()"),
    (libraries.at_home, "src/tollbridge/ledger/store.py", "from sqlalchemy import select"),
    (libraries.at_home, "src/tollbridge/storage/engine.py", "import sqlalchemy"),
    (libraries.at_home, "src/tollbridge/api/control/keys.py", "from fastapi import APIRouter"),
    (libraries.at_home, LEDGER, "import msgspec"),
    (bans.no_own_patching, TEST, "monkeypatch.setenv('OPENAI_API_KEY', 'x')"),
    (bans.no_own_patching, TEST, "import os\nmonkeypatch.setattr(os, 'fsync', fake)"),
    (bans.reasoned_ignores, PLAIN, f"x = 1  {NOQA}: E501 - the URL cannot be cut"),
    (bans.reasoned_ignores, PLAIN, f"# The stub is wrong here.\nx = 1  {PYRIGHT}[reportCallIssue]"),
    (bans.reasoned_ignores, PLAIN, f"x = '{NOQA}'"),
)


def name_of(value: object) -> str:
    return value.__name__ if isinstance(value, Callable) else ""


@pytest.mark.parametrize(("rule", "path", "text"), BROKEN, ids=name_of)
def test_broken_code_is_noticed(rule: Rule, path: str, text: str) -> None:
    assert list(rule(Source(path, text)))


@pytest.mark.parametrize(("rule", "path", "text"), KEPT, ids=name_of)
def test_good_code_is_left_alone(rule: Rule, path: str, text: str) -> None:
    assert list(rule(Source(path, text))) == []


@pytest.mark.parametrize(
    "text", [None, "Owns: a. Does not own: b.", "owns, does not own, invariants\n" * 41]
)
def test_a_poor_readme_is_noticed(text: str | None) -> None:
    assert list(limits.package_readme("src/tollbridge/core/README.md", text))


def test_a_good_readme_is_left_alone() -> None:
    text = "# core\n\n## Owns\n\n## Does not own\n\n## Invariants\n"
    assert list(limits.package_readme("src/tollbridge/core/README.md", text)) == []


def module(name: str, text: str) -> Source:
    return Source(f"src/tollbridge/{name}.py", text)


def test_a_dead_module_is_noticed() -> None:
    """A module that only itself and no other file names is dead."""
    sources = (
        module("cli", "from tollbridge.core import money"),
        module("core/__init__", ""),
        module("core/money", "x = 'tollbridge.core.money'"),
        module("core/dead", "x = 'tollbridge.core.dead'"),
    )
    found = whole_tree.dead_modules(sources, (), {"tollbridge.cli"})
    assert [violation.path for violation in found] == ["src/tollbridge/core/dead.py"]


@pytest.mark.parametrize(
    "text",
    ["import tollbridge.core.late", "from .core import late", "run('tollbridge.core.late')"],
)
def test_a_module_named_in_any_way_is_alive(text: str) -> None:
    sources = (module("cli", text), module("core/late", ""))
    assert list(whole_tree.dead_modules(sources, (), {"tollbridge.cli"})) == []


def test_a_dead_data_file_is_noticed() -> None:
    paths = ["src/tollbridge/providers/endpoints.toml", "src/tollbridge/rating/old.toml"]
    found = whole_tree.dead_data(paths, ['read("endpoints.toml")'])
    assert [violation.path for violation in found] == ["src/tollbridge/rating/old.toml"]


@pytest.mark.parametrize(
    "text",
    [
        "see /" + "work/main/x.py",
        "at /" + "home/ana/tollbridge",
        "https://py" + "pi.org/simple",
        "https://files.python" + "hosted.org/x",
        "https://files.py" + "thonhosted.org/x",
        "https://registry.np" + "mjs.org/x",
    ],
)
def test_a_leak_is_noticed(text: str) -> None:
    assert list(whole_tree.leaks({"a.md": text}))


def test_an_address_of_ours_is_no_leak() -> None:
    text = "GET /api/v1/usage-logs, /v1/models, ./data/home/x, https://example.com/root/x"
    assert list(whole_tree.leaks({"a.md": text})) == []


@pytest.mark.parametrize(
    ("now", "recorded"),
    [({"a": 2}, {"a": 1}), ({"a": 0}, {"a": 1}), ({}, {"a": 1}), ({"a": 1}, {})],
)
def test_a_slipping_ratchet_is_noticed(now: dict[str, int], recorded: dict[str, int]) -> None:
    assert list(ratchet.slips(now, recorded))


def test_the_ratchet_counts_comments_and_not_texts() -> None:
    sources = (Source(PLAIN, f"x = 1  {NOQA}: E501 - a reason\ny = '{NOQA}'\n"),)
    assert ratchet.comments_with(sources, "noqa") == 1
