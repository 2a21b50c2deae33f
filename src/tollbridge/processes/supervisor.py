"""Who starts the processes, and what happens when one of them dies?

The office first, since workers know only what it tells them; then the workers, sharing one port.
A process that dies is started again. Told to end, the workers finish their calls, and the office,
which writes down what they did, goes last. All of them end when the supervisor is gone.
"""

import asyncio
import contextlib
import fcntl
import os
import resource
import signal
import socket
import sys
from collections.abc import Callable, Generator
from pathlib import Path
from typing import Any

import msgspec
import structlog

from tollbridge.core.clock import SystemClock
from tollbridge.core.errors import ConfigurationError
from tollbridge.processes.logs import set_up_logs
from tollbridge.processes.places import Places
from tollbridge.settings import Settings

RESTART_FIRST_S = 0.2
RESTART_MAX_S = 10.0
STEADY_S = 30.0
"""A process that lived so long is started again at once."""
EXIT_CONFIGURATION = 78
"""What a child ends with when starting it again would not help (EX_CONFIG)."""
OFFICE_END_S = 30.0
SLOW_START_S = 3.0
"""After so long without an office the person who waits is told what for."""
SLOW_START = (
    "tollbridge: the office is not ready yet: it connects to the database, brings it up to date, "
    "or waits for another process that has it locked\n"
)
OPEN_FILES_MAX = 65_536
"""What a node's processes may open at most, where the system allows it: each caller is a file."""
FIRST = "first"
"""Tells the office that the node starts: it prepares the database then, and only then."""

log: Any = structlog.get_logger()


class Ends(msgspec.Struct, frozen=True):
    """Both ends of the pipe by which children notice that the supervisor is gone."""

    read: int
    write: int


class Child:
    """One process that is kept running."""

    def __init__(
        self, name: str, arguments: list[str], alive: Ends, *, quiet: bool = False
    ) -> None:
        self.name = name
        self._stdout = asyncio.subprocess.DEVNULL if quiet else None
        self.process: asyncio.subprocess.Process | None = None
        self.arguments = arguments
        self._alive = alive
        self._ending = False
        self._clock = SystemClock()

    async def start(self) -> asyncio.subprocess.Process:
        """Start it once."""
        self.process = await asyncio.create_subprocess_exec(
            sys.executable,
            "-m",
            *self.arguments,
            pass_fds=(self._alive.read,),
            stdout=self._stdout,
        )
        return self.process

    async def keep(self, on_fatal: Callable[[int], None]) -> None:
        """Wait for its end and start it again, until it is told to end."""
        wait_s = RESTART_FIRST_S
        while not self._ending:
            process = self.process or await self.start()
            started_s = self._clock.monotonic_s()
            status = await process.wait()
            if self._ending:
                return
            log.warning("child_died", action="supervise", child=self.name, status=status)
            if status == EXIT_CONFIGURATION:
                on_fatal(status)
                return
            steady = self._clock.monotonic_s() - started_s > STEADY_S
            wait_s = RESTART_FIRST_S if steady else min(wait_s * 2, RESTART_MAX_S)
            await asyncio.sleep(wait_s)
            if not self._ending:
                await self.start()

    def let_go(self) -> None:
        """Start it no more when it ends."""
        self._ending = True

    async def end(self, patience_s: float) -> None:
        """Tell it to end, and make it end if it does not in time."""
        self.let_go()
        process = self.process
        if process is None or process.returncode is not None:
            return
        with contextlib.suppress(ProcessLookupError):
            process.send_signal(signal.SIGTERM)
            try:
                await asyncio.wait_for(process.wait(), patience_s)
            except TimeoutError:
                process.kill()
                await process.wait()


class Supervisor:
    """Runs one node until it is told to end."""

    def __init__(self, settings: Settings) -> None:
        self._settings = settings
        self._places = Places(settings.data_dir)
        read, write = os.pipe()
        self._alive = Ends(read, write)
        ends = str(read)
        self._office = Child("office", ["tollbridge.processes.office", ends, FIRST], self._alive)
        self._workers = [
            Child(f"worker-{number}", ["tollbridge.processes.worker", ends], self._alive)
            for number in range(1, settings.workers + 1)
        ]
        self._sandbox = self._make_sandbox() if settings.sandbox else None
        self._told = asyncio.Event()
        self._status = 0

    async def run(self) -> int:
        """Run until a signal or a fault that a restart cannot mend; return the exit status."""
        loop = asyncio.get_running_loop()
        for number in (signal.SIGTERM, signal.SIGINT):
            loop.add_signal_handler(number, self._told.set)
        self._places.link_socket.unlink(missing_ok=True)
        keepers: list[asyncio.Task[None]] = []
        if self._sandbox is not None:
            await self._sandbox.start()
            keepers.append(asyncio.create_task(self._sandbox.keep(self._end_with)))
        await self._office.start()
        keepers.append(asyncio.create_task(self._office.keep(self._end_with)))
        if await self._office_is_there():
            self._office.arguments.remove(FIRST)  # what is done once a start is done
            for worker in self._workers:
                await worker.start()
                keepers.append(asyncio.create_task(worker.keep(self._end_with)))
            await self._told.wait()
        grace_s = self._settings.shutdown_grace_s + 5.0
        for child in (self._office, *self._workers, *([self._sandbox] if self._sandbox else [])):
            child.let_go()
        await asyncio.gather(*(worker.end(grace_s) for worker in self._workers))
        await self._office.end(OFFICE_END_S)
        if self._sandbox is not None:
            await self._sandbox.end(grace_s)
        for keeper in keepers:
            keeper.cancel()
        return self._status

    def _make_sandbox(self) -> Child:
        """Return the sandbox provider, on a free port that the office is told of."""
        with socket.create_server(("127.0.0.1", 0)) as probe:
            port = probe.getsockname()[1]
        os.environ["TOLLBRIDGE_SANDBOX_URL"] = f"http://127.0.0.1:{port}/v1"
        arguments = ["tollbridge.sandbox", "--port", str(port), "--exit-with-parent"]
        return Child("sandbox", arguments, self._alive, quiet=True)

    def _end_with(self, status: int) -> None:
        self._status = status
        self._told.set()

    async def _office_is_there(self) -> bool:
        clock = SystemClock()
        began_s, told = clock.monotonic_s(), False
        while not self._told.is_set():
            if self._places.link_socket.exists():
                return True
            if not told and clock.monotonic_s() - began_s > SLOW_START_S:
                told = True
                sys.stderr.write(SLOW_START)
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._told.wait(), 0.02)
        return False


def run(settings: Settings) -> int:
    """Run Tollbridge with these settings; return the exit status.

    Raises ConfigurationError where the data directory is in use already.
    """
    settings.data_dir.mkdir(parents=True, exist_ok=True, mode=0o700)
    _check_port(settings)
    set_up_logs()
    _raise_open_files()
    with _only_one(Places(settings.data_dir).data_dir / "serve.lock"):
        os.environ.update(to_environment(settings))
        return asyncio.run(_run(settings))


def to_environment(settings: Settings) -> dict[str, str]:
    """Return the settings that were given, as the environment that tells them to a child."""
    given: dict[str, str] = {}
    for name in settings.model_fields_set:
        value: Any = getattr(settings, name)
        if value is None:
            continue
        if hasattr(value, "get_secret_value"):
            value = value.get_secret_value()
        given[f"TOLLBRIDGE_{name.upper()}"] = str(value)
    return given


async def _run(settings: Settings) -> int:
    return await Supervisor(settings).run()


def _raise_open_files() -> None:
    """Let us and our children open more files than the 1,024 that are customary."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    wanted = OPEN_FILES_MAX if hard == resource.RLIM_INFINITY else min(OPEN_FILES_MAX, hard)
    if soft < wanted:
        resource.setrlimit(resource.RLIMIT_NOFILE, (wanted, hard))


def _check_port(settings: Settings) -> None:
    """Raise ConfigurationError where the port is taken.

    Workers share their port, and would share it with another node's too, without a word.
    """
    family = socket.AF_INET6 if ":" in settings.host else socket.AF_INET
    with socket.socket(family, socket.SOCK_STREAM) as probe:
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((settings.host, settings.port))
        except OSError as error:
            where = f"{settings.host}:{settings.port}"
            raise ConfigurationError(f"cannot listen on {where}: {error.strerror}") from error


@contextlib.contextmanager
def _only_one(path: Path) -> Generator[None]:
    fd = os.open(path, os.O_RDWR | os.O_CREAT | os.O_CLOEXEC, 0o600)
    try:
        try:
            fcntl.flock(fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            raise ConfigurationError(f"{path.parent} is in use by another tollbridge") from error
        yield
    finally:
        os.close(fd)
