"""A terminal for tests: runs `tollbridge` as a person would.

Fixtures (loaded by tests/conftest.py): `elsewhere`, in an empty directory with nothing set, and
`terminal`, whose database is the test's.
"""

import io
import os
import sys
from concurrent.futures import ThreadPoolExecutor
from contextlib import redirect_stderr, redirect_stdout
from pathlib import Path

import msgspec
import pytest

from tollbridge.cli.application import main


class Done(msgspec.Struct, frozen=True):
    """How a command ended, and what it printed."""

    status: int
    out: str
    err: str


class Terminal(msgspec.Struct):
    """Runs `tollbridge` in an environment of its own."""

    data_dir: Path

    def run(self, *arguments: str, given: str = "") -> Done:
        """Run one command to its end, in a thread: the test may have an event loop running."""
        out, err = io.StringIO(), io.StringIO()
        before = sys.stdin
        sys.stdin = io.StringIO(given)
        try:
            with redirect_stdout(out), redirect_stderr(err), ThreadPoolExecutor(1) as threads:
                error = threads.submit(main, arguments).exception(timeout=60)
        finally:
            sys.stdin = before
        assert isinstance(error, SystemExit), error
        return Done(int(error.code or 0), out.getvalue(), err.getvalue())

    def done(self, *arguments: str) -> str:
        """Run one command that must succeed; return what it printed."""
        done = self.run(*arguments)
        assert done.status == 0, done.err
        return done.out

    def refused(self, *arguments: str) -> str:
        """Run one command that must fail in good order; return why."""
        done = self.run(*arguments)
        assert done.status == 2, done.out + done.err
        assert "Traceback" not in done.err
        return done.err


@pytest.fixture
def elsewhere(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Return a terminal in an empty directory, with nothing set."""
    for name in [name for name in os.environ if name.startswith("TOLLBRIDGE_")]:
        monkeypatch.delenv(name)
    monkeypatch.setenv("TOLLBRIDGE_DATA_DIR", str(tmp_path))
    monkeypatch.chdir(tmp_path)
    return Terminal(tmp_path)


@pytest.fixture
def terminal(elsewhere: Terminal, database_url: str, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """Return a terminal whose database is the test's."""
    monkeypatch.setenv("TOLLBRIDGE_DATABASE_URL", database_url)
    (elsewhere.data_dir / "secrets").mkdir()
    return elsewhere
