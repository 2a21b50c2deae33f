"""A whole node as its users run it: `tollbridge serve` and its children, to be killed at will."""

import asyncio
import contextlib
import functools
import itertools
import os
import random
import signal
import socket
import subprocess
import sys
from collections.abc import AsyncGenerator, Generator, Iterator, Mapping
from pathlib import Path
from typing import Any

import httpx

from tests.support.bytecode import compiled_once
from tests.support.node import KEY

START_MAX_S = 180.0
"""A start is seconds of work, and there may be others at work."""
STOP_MAX_S = 60.0
WAIT_MAX_S = 120.0
PORTS_FROM, PORTS_EACH, PORT_SLOTS = 20_000, 1000, 12
"""Below those that Linux hands out by itself."""
COMMAND = str(Path(sys.executable).with_name("tollbridge"))


@functools.cache
def _ports() -> Iterator[int]:
    """Return the ports of this process of the test run, in turn."""
    place = int(os.environ.get("PYTEST_XDIST_WORKER", "gw0").removeprefix("gw"))
    first = PORTS_FROM + place % PORT_SLOTS * PORTS_EACH
    ports = range(first, first + PORTS_EACH)
    return itertools.cycle(random.sample(ports, len(ports)))


def free_port() -> int:
    """Return a port that nobody listens on now, nor is given before the node listens on it.

    The system gives its own to whoever asks for any, and to whoever connects: seconds later, when
    the node is there or is there again, one of those may be taken.
    """
    for port in itertools.islice(_ports(), PORTS_EACH):
        with contextlib.suppress(OSError), socket.create_server(("127.0.0.1", port)):
            return port
    raise AssertionError("every port is taken")


class ServedNode:
    """One `tollbridge serve`: started, killed, started again over the same data directory."""

    def __init__(
        self, folder: Path, config: str, database_url: str | None, settings: Mapping[str, Any]
    ) -> None:
        self.folder = folder
        self.data_dir = folder / "data"
        self.port = free_port()
        self.url = f"http://127.0.0.1:{self.port}"
        self.database_url = database_url or f"sqlite:///{self.data_dir / 'tollbridge.db'}"
        self._config = folder / "tollbridge.toml"
        self._config.write_text(config)
        self._settings = dict(settings)
        if database_url is not None:
            self._settings["database_url"] = database_url
        self.process: subprocess.Popen[bytes] | None = None
        self.log_path = folder / "serve.log"

    def environment(self, more: Mapping[str, Any]) -> dict[str, str]:
        """Return the environment that the node and its command line run in."""
        given = {
            "port": self.port,
            "data_dir": self.data_dir,
            "config": self._config,
            "spool_reserve_mb": 1,
            "shutdown_grace_s": 2,
            **self._settings,
            **more,
        }
        names = {f"TOLLBRIDGE_{name.upper()}": str(value) for name, value in given.items()}
        return {**os.environ, **compiled_once(), "CI_KEY": KEY, **names}

    async def start(self, *, open_files: int | None = None, **more: Any) -> None:
        """Start it and wait until it serves; `open_files` is the soft limit it is given."""
        limit = [] if open_files is None else ["prlimit", f"--nofile={open_files}:"]
        with self.log_path.open("ab") as log:
            self.process = subprocess.Popen(
                [*limit, COMMAND, "serve"],
                env=self.environment(more),
                cwd=self.folder,
                stdout=log,
                stderr=log,
            )
        try:
            async with asyncio.timeout(START_MAX_S), httpx.AsyncClient() as client:
                await self._serves(client)
        except BaseException:
            self.process.kill()  # nobody else will: its children see it and end
            raise

    async def _serves(self, client: httpx.AsyncClient) -> None:
        """Wait until it serves; raise AssertionError with what it said where it has ended."""
        while True:
            if self.process is None or self.process.poll() is not None:
                raise AssertionError(self.log_path.read_text()[-4000:])
            with contextlib.suppress(httpx.TransportError):
                if (await client.get(f"{self.url}/readyz")).status_code == 200:
                    return
            await asyncio.sleep(0.02)

    def children(self) -> dict[int, str]:
        """Return the running children by process id: office, worker or another word."""
        assert self.process is not None
        found: dict[int, str] = {}
        for path in Path("/proc").iterdir():
            if not path.name.isdigit():
                continue
            with contextlib.suppress(OSError, IndexError):
                stat = (path / "stat").read_text().rpartition(")")[2].split()
                if int(stat[1]) != self.process.pid or stat[0] == "Z":
                    continue
                words = (path / "cmdline").read_text().split("\0")
                found[int(path.name)] = words[2].rpartition(".")[2]
        return found

    def pids(self, role: str) -> list[int]:
        """Return the process ids of all workers, or of the office."""
        return [pid for pid, word in self.children().items() if word == role]

    def kill(self, role: str, count: int = 1) -> None:
        """Kill that many of the workers, or the office; whoever is gone already is passed by."""
        for pid in self.pids(role)[:count]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)

    @contextlib.contextmanager
    def held(self) -> Generator[None]:
        """Hold the supervisor: what dies meanwhile is started again only afterwards."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        try:
            yield
        finally:
            self.process.send_signal(signal.SIGCONT)

    def kill_all(self) -> None:
        """Kill the supervisor and every child at once, as a power switch would."""
        assert self.process is not None
        for pid in [self.process.pid, *self.children()]:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGKILL)
        self.process.wait()

    def stop(self) -> int:
        """End it in good order; return the exit status."""
        if self.process is None or self.process.poll() is not None:
            return -1
        self.process.send_signal(signal.SIGTERM)
        return self.process.wait(timeout=STOP_MAX_S)

    def command(
        self, *arguments: str, status: int = 0, **more: Any
    ) -> "subprocess.CompletedProcess[str]":
        """Run `tollbridge ARGUMENTS` in the node's environment; it must end with `status`."""
        ended = subprocess.run(
            [COMMAND, *arguments],
            env=self.environment(more),
            cwd=self.folder,
            capture_output=True,
            text=True,
            timeout=WAIT_MAX_S,
            check=False,
        )
        assert ended.returncode == status, ended.stdout + ended.stderr
        return ended

    async def health(self) -> dict[str, Any]:
        """Return what /healthz says; {} where nobody answers."""
        async with httpx.AsyncClient() as client:
            with contextlib.suppress(httpx.TransportError):
                return (await client.get(f"{self.url}/healthz")).json()
        return {}

    async def drained(self, wait_max_s: float = WAIT_MAX_S) -> dict[str, Any]:
        """Wait until everything in the spool is in the books."""
        async with asyncio.timeout(wait_max_s):
            while True:
                health = await self.health()
                if health.get("spool_pending_records") == 0 and health.get("open_calls", 0) == 0:
                    return health
                await asyncio.sleep(0.05)


@contextlib.asynccontextmanager
async def served_node(
    folder: Path,
    config: str,
    database_url: str | None = None,
    *,
    open_files: int | None = None,
    **settings: Any,
) -> AsyncGenerator[ServedNode]:
    """Start a node; whatever is left of it is ended afterwards."""
    node = ServedNode(folder, config, database_url, settings)
    try:
        await node.start(open_files=open_files)  # inside: a start that takes too long ends too
        yield node
    finally:
        if node.process is not None and node.process.poll() is None:
            pids = [node.process.pid, *node.children()]
            try:
                node.stop()
            except subprocess.TimeoutExpired:
                for pid in pids:
                    with contextlib.suppress(ProcessLookupError):
                        os.kill(pid, signal.SIGKILL)
                node.process.wait()


async def load(
    node: ServedNode,
    *,
    callers: int,
    until: asyncio.Event,
    stream_every: int = 3,
    pause_s: float = 0.0,
    seen: dict[str, int] | None = None,
) -> dict[str, int]:
    """Call as fast as possible, but for a pause of each caller, until told to stop.

    Returns how often each thing happened; `seen` is that, to be looked at before the end.
    """
    seen = {} if seen is None else seen
    number = 0

    async def caller(client: httpx.AsyncClient) -> None:
        nonlocal number
        while not until.is_set():
            number += 1
            stream = number % stream_every == 0
            body = {
                "model": "gpt-4o-mini",
                "messages": [{"role": "user", "content": f"call {number}"}],
                "max_tokens": 20,
                "stream": stream,
            }
            try:
                answer = await client.post("/v1/chat/completions", json=body)
                what = str(answer.status_code)
            except httpx.TransportError as error:
                what = type(error).__name__
                await asyncio.sleep(0.01)
            seen[what] = seen.get(what, 0) + 1
            await asyncio.sleep(pause_s)

    limits = httpx.Limits(max_connections=callers, max_keepalive_connections=callers)
    headers = {"authorization": f"Bearer {KEY}"}
    async with httpx.AsyncClient(
        base_url=node.url, headers=headers, timeout=20, limits=limits
    ) as client:
        await asyncio.gather(*(caller(client) for _ in range(callers)))
    return seen
