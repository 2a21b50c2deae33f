"""How is Tollbridge started for the benchmark: governed, in its shipped defaults?"""

import asyncio
import http.client
import json
import os
import secrets
import subprocess
import sys
import time
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from bench.gateways import Gateway
from bench.processes import BenchError, Child, command_line
from tollbridge.access.keys import KeyTerms
from tollbridge.access.store import create_key
from tollbridge.processes.places import Places
from tollbridge.processes.secrets import load_secrets
from tollbridge.settings import Settings
from tollbridge.storage import migrate
from tollbridge.storage.unit import Database

KEY_VARIABLE = "TOLLBRIDGE_BENCH_KEY"
DATABASE_VARIABLE = "TOLLBRIDGE_DATABASE_URL"
BACKLOG_FIELD = "spool_pending_records"
IDLE_POLL_S = 0.1
IDLE_TIMEOUT_S = 120.0
LOAD_TIMEOUT_S = 120.0

UNLIMITED = """\
[[endpoint]]
name = "bench"
provider = "local"
dialect = "openai"
base_url = "{upstream_url}"
api_key = "none"

[[route]]
model = "gpt-4o-mini"
category = "text"
candidates = [{{ endpoint = "bench", model = "gpt-4o-mini", priority = 1 }}]

[[key]]
name = "bench"
key_env = "{key_variable}"
user = "bench"

[[price]]
provider = "local"
model = "gpt-4o-mini"
rates = {{ input = "0.15", output = "0.60", cache_read = "0.075" }}
"""
_BUDGET = """
[[budget]]
name = "bench-month{more}"
subject = "organisation:default"
{limit}
period = "month"
hard = true
"""
CONFIG = UNLIMITED + _BUDGET.format(more="", limit='limit_usd = "1000000.00"')
THREE_LIMITS = (
    CONFIG
    + _BUDGET.format(more="-tokens", limit="limit_tokens = 1_000_000_000_000")
    + _BUDGET.format(more="-calls", limit="limit_calls = 1_000_000_000")
)
_LIMITS = {
    UNLIMITED: ("-no-limits", "no limit"),
    THREE_LIMITS: ("-three-limits", "a hard limit each of money, tokens and calls"),
}


def seed_keys(data_dir: Path, count: int) -> list[str]:
    """Mint `count` keys into a fresh data directory, as many teams would have; return them."""
    settings = Settings(data_dir=data_dir)
    places = Places(data_dir)
    pepper = load_secrets(settings, places).pepper
    return asyncio.run(_mint(f"sqlite:///{places.database}", pepper, count))


async def _mint(url: str, pepper: bytes, count: int) -> list[str]:
    await migrate.upgrade(url)
    database = Database.open(url)
    try:
        async with database.write() as unit:
            minted = [
                await create_key(unit, KeyTerms(f"key-{number}", f"user-{number % 1000}"), pepper)
                for number in range(count)
            ]
    finally:
        await database.close()
    return [one.key for one in minted]


def _load_catalogue(program: str, data_dir: Path) -> None:
    """Bring every price of genai-prices into the database, as a running installation has them."""
    for arguments in (["db", "upgrade"], ["prices", "sync"]):
        command = [program, *arguments, "--data-dir", str(data_dir)]
        done = subprocess.run(
            command, capture_output=True, text=True, timeout=LOAD_TIMEOUT_S, check=False
        )
        if done.returncode != 0:
            raise BenchError(f"{' '.join(arguments)} failed: {done.stderr[-500:]}")


class Tollbridge(Gateway):
    """The product: spool, hold, ledger and drain on, one hard budget, SQLite."""

    name = "tollbridge"

    def __init__(
        self, directory: Path, *, keys: int, workers: int | None, configuration: str = CONFIG
    ) -> None:
        super().__init__(directory)
        self._configuration = configuration
        self._key_count = keys
        self._workers = workers
        self._keys: list[str] = []
        suffix, self._limited = _LIMITS.get(configuration, ("", "hard budget"))
        self.name += suffix
        if workers is not None:
            self.name += f"-w{workers}"

    def start(self, upstream_url: str) -> None:
        """Seed a fresh data directory and start the supervisor, workers and office."""
        data_dir = self.directory / f"data-{secrets.token_hex(4)}"
        data_dir.mkdir(parents=True)
        configuration = self.directory / "tollbridge.toml"
        configuration.write_text(
            self._configuration.format(upstream_url=upstream_url, key_variable=KEY_VARIABLE)
        )
        declared = f"tb_{secrets.token_urlsafe(32)}"
        self._keys = [declared] if self._key_count == 1 else seed_keys(data_dir, self._key_count)
        program = str(Path(sys.executable).parent / "tollbridge")
        _load_catalogue(program, data_dir)
        command = [program, "serve"]
        command += ["--host", "127.0.0.1", "--port", str(self.port)]
        command += ["--data-dir", str(data_dir), "--config", str(configuration)]
        if self._workers is not None:
            command += ["--workers", str(self._workers)]
        self._child = Child(
            command,
            log=self.directory / "output",
            cwd=self.directory,
            env={KEY_VARIABLE: declared},
        )
        self._child.wait_for_port(self.port)
        self._child.wait_for(self._is_ready)

    def keys(self) -> list[str]:
        """Return the keys that were declared or seeded."""
        return self._keys

    def version(self) -> str:
        """Return the installed version."""
        try:
            return version("tollbridge")
        except PackageNotFoundError as error:
            raise BenchError("tollbridge is not installed in this environment") from error

    def state(self) -> str:
        """Return what is on and off."""
        database = "PostgreSQL" if os.environ.get(DATABASE_VARIABLE) else "SQLite"
        workers = "default workers" if self._workers is None else f"{self._workers} worker(s)"
        return (
            f"{workers}, {database}, spool and drain on, {self._limited} and ledger on, "
            f"{self._key_count} key(s), the full catalogue of genai-prices"
        )

    def wait_until_idle(self) -> None:
        """Return when the spool is drained: its work belongs to the calls that caused it."""
        deadline_s = time.monotonic() + IDLE_TIMEOUT_S
        while time.monotonic() < deadline_s:
            self.child.check_alive()
            if self._backlog_records() == 0:
                return
            time.sleep(IDLE_POLL_S)
        raise BenchError(f"the spool was not drained within {IDLE_TIMEOUT_S} s")

    def role(self, pid: int) -> str:
        """Return supervisor, worker or office."""
        if pid == self.root_pid:
            return "supervisor"
        line = command_line(pid)
        for word in ("worker", "office"):
            if word in line:
                return word
        return "other"

    def _get(self, path: str) -> tuple[int, bytes]:
        connection = http.client.HTTPConnection("127.0.0.1", self.port, timeout=5)
        try:
            connection.request("GET", path)
            answer = connection.getresponse()
            return answer.status, answer.read()
        finally:
            connection.close()

    def _is_ready(self) -> bool:
        try:
            return self._get("/readyz")[0] == 200
        except OSError:
            return False

    def _backlog_records(self) -> int:
        """Return how many spool records the drain has yet to close (GET /healthz)."""
        status, body = self._get("/healthz")
        try:
            return int(json.loads(body)[BACKLOG_FIELD])
        except (ValueError, KeyError, TypeError) as error:
            raise BenchError(
                f"/healthz ({status}) has no number {BACKLOG_FIELD!r}: {body[:200]!r}"
            ) from error
