"""Would each import contract notice? A skeleton is linted with one import too many."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.tidy.source import ROOT

STAGES = (
    "access",
    "routing",
    "providers",
    "metering",
    "attribution",
    "rating",
    "ledger",
    "recording",
)
MODULES = (
    *(f"{package}/__init__.py" for package in ("core", "storage", "api", "processes", "sandbox")),
    *(f"{stage}/__init__.py" for stage in STAGES),
    "__init__.py",
    "cli.py",
    "attribution/attribute.py",
    "core/money.py",
    "ledger/postings.py",
    "ledger/purse.py",
    "ledger/store.py",
    "metering/meter.py",
    "pipeline.py",
    "processes/office.py",
    "processes/worker.py",
    "rating/ceiling.py",
    "rating/rate.py",
    "settings.py",
)
# The way of a call, as far as imports show it: all of this is allowed.
ALLOWED = {
    "cli.py": "from tollbridge import processes, sandbox, settings",
    "processes/worker.py": "from tollbridge import api, settings",
    "processes/office.py": "from tollbridge import storage\nfrom tollbridge.ledger import store",
    "api/__init__.py": "from tollbridge import pipeline",
    "pipeline.py": "\n".join(f"from tollbridge import {stage}" for stage in STAGES),
    "ledger/store.py": "import sqlalchemy\nfrom tollbridge import core, storage",
    "storage/__init__.py": "import sqlalchemy\nfrom tollbridge import core",
}

DIRECTION = "Each layer knows only those below it"
PURE = "What computes money and usage"
WORKER = "A worker is lean"
SANDBOX = "The sandbox shares no code"


def lint(folder: Path, extra: dict[str, str]) -> subprocess.CompletedProcess[str]:
    """Lint a skeleton of the package, with further lines in some of its files."""
    for name in MODULES:
        path = folder / "tollbridge" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(f"{ALLOWED.get(name, '')}\n{extra.get(name, '')}\n", encoding="utf-8")
    for name in extra.keys() - set(MODULES):
        path = folder / "tollbridge" / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(extra[name], encoding="utf-8")
    script = Path(sys.executable).with_name("lint-imports")
    command = [str(script), "--no-logo", "--no-cache", "--config", str(ROOT / ".importlinter")]
    return subprocess.run(
        command,
        cwd=folder,
        env={**os.environ, "PYTHONPATH": str(folder)},
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_way_of_a_call_keeps_every_contract(tmp_path: Path) -> None:
    done = lint(tmp_path, {})
    assert done.returncode == 0, done.stdout
    assert "4 kept, 0 broken" in done.stdout


@pytest.mark.parametrize(
    ("name", "line", "contract"),
    [
        ("rating/rate.py", "from tollbridge import ledger", DIRECTION),
        ("core/money.py", "from tollbridge import storage", DIRECTION),
        ("storage/__init__.py", "from tollbridge import recording", DIRECTION),
        ("ledger/store.py", "from tollbridge import settings", DIRECTION),
        ("api/__init__.py", "from tollbridge import settings", DIRECTION),
        ("processes/office.py", "from tollbridge import sandbox", DIRECTION),
        ("stranger/__init__.py", "x = 1", DIRECTION),
        ("metering/meter.py", "import asyncio", PURE),
        ("attribution/attribute.py", "import sqlalchemy", PURE),
        ("rating/rate.py", "from asyncio import sleep", PURE),
        ("rating/ceiling.py", "from tollbridge import storage", PURE),
        ("ledger/purse.py", "from tollbridge.ledger import store", PURE),
        ("ledger/postings.py", "import httptools", PURE),
        ("processes/worker.py", "from tollbridge.ledger import store", WORKER),
        ("api/__init__.py", "import fastapi", WORKER),
        ("pipeline.py", "from tollbridge import storage", WORKER),
        ("sandbox/__init__.py", "from tollbridge import metering", SANDBOX),
    ],
)
def test_one_import_too_many_is_noticed(
    tmp_path: Path, name: str, line: str, contract: str
) -> None:
    done = lint(tmp_path, {name: line})
    broken = [text for text in done.stdout.splitlines() if text.endswith("BROKEN")]
    assert done.returncode == 1, done.stdout + done.stderr
    assert any(text.startswith(contract) for text in broken), done.stdout
