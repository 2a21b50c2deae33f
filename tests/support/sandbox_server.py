"""A sandbox provider for a test: in the test's own event loop, or as a process of its own."""

import asyncio
import contextlib
import os
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator
from pathlib import Path
from typing import Any

from tests.support.bytecode import compiled_once
from tollbridge.core.clock import Clock
from tollbridge.sandbox import LogEntry, Sandbox, Script, Task, base_urls, read_log, running

WAIT_MAX_S = 60.0


class RunningSandbox:
    """A sandbox that listens in this event loop: `url` has no path, `app` is the Sandbox."""

    def __init__(self, url: str, app: Sandbox) -> None:
        self.url = url
        self.app = app

    @property
    def log(self) -> list[LogEntry]:
        """The log entries, oldest first."""
        return self.app.log

    @property
    def tasks(self) -> list[Task]:
        """The tasks of all providers, oldest first."""
        return self.app.tasks

    def base_url(self, dialect: str) -> str:
        """Return the base URL that a client of this provider is given."""
        return base_urls(self.url)[dialect]

    def script(self, *scripts: Script, default: Script | None = None) -> None:
        """Queue scripts, one per request; `default` is for all requests after them."""
        self.app.scripts.push(scripts)
        if default is not None:
            self.app.scripts.default = default

    async def finished(self, count: int) -> list[LogEntry]:
        """Wait until `count` requests have ended and none is open, and return the log."""
        async with asyncio.timeout(WAIT_MAX_S):
            while True:
                tally = self.app.tally
                if tally.finished >= count and tally.finished == tally.received:
                    return self.log
                await asyncio.sleep(0.002)


@contextlib.asynccontextmanager
async def running_sandbox(
    *,
    strict: bool = False,
    clock: Clock | None = None,
    log_path: Path | None = None,
    body_bytes_max: int = 64 << 20,
) -> AsyncGenerator[RunningSandbox]:
    """Serve a fresh sandbox on a free loopback port, in this event loop."""
    app = Sandbox(strict=strict, clock=clock, log_path=log_path, body_bytes_max=body_bytes_max)
    try:
        async with running(app) as url:
            yield RunningSandbox(url, app)
    finally:
        app.journal.shut()


class SandboxProcess:
    """A sandbox in a process of its own; `log()` reads what it has written so far."""

    def __init__(self, process: subprocess.Popen[str], url: str, log_path: Path) -> None:
        self.process = process
        self.url = url
        self.log_path = log_path

    def base_url(self, dialect: str) -> str:
        """Return the base URL that a client of this provider is given."""
        return base_urls(self.url)[dialect]

    def log(self) -> list[LogEntry]:
        """Return the log entries in the file, in order of arrival."""
        return read_log(self.log_path)


@contextlib.contextmanager
def process_sandbox(log_path: Path, *, port: int = 0) -> Generator[SandboxProcess]:
    """Start `python -m tollbridge.sandbox`, wait until it listens, and end it afterwards."""
    command: list[Any] = [sys.executable, "-m", "tollbridge.sandbox", "--exit-with-parent"]
    command += ["--port", str(port), "--log", str(log_path)]
    process = subprocess.Popen(
        command, stdout=subprocess.PIPE, text=True, env={**os.environ, **compiled_once()}
    )
    try:
        assert process.stdout is not None
        line = process.stdout.readline()
        assert line.startswith("sandbox on http://"), "the sandbox did not start"
        yield SandboxProcess(process, line.removeprefix("sandbox on ").strip(), log_path)
    finally:
        process.terminate()
        try:
            process.wait(WAIT_MAX_S)
        except subprocess.TimeoutExpired:
            process.kill()
            process.wait()
        if process.stdout is not None:
            process.stdout.close()
