"""What does a tree of processes use, and how does a benchmark end what it started?"""

import contextlib
import os
import signal
import socket
import subprocess
import time
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

TICKS_PER_S = os.sysconf("SC_CLK_TCK")
PAGE_BYTES = os.sysconf("SC_PAGE_SIZE")
START_TIMEOUT_S = 40.0
STOP_TIMEOUT_S = 15.0


class BenchError(Exception):
    """The benchmark cannot go on: something is missing, did not start or did not answer."""


@dataclass(frozen=True, slots=True)
class ProcessFacts:
    """One line of /proc/PID/stat: CPU in clock ticks, resident memory in bytes."""

    pid: int
    parent: int
    session: int
    cpu_ticks: int
    rss_bytes: int


def read_process(pid: int) -> ProcessFacts | None:
    """Return what /proc says about a process, None where it is gone.

    The ticks are user and system time of all its threads, and of the children it has reaped.
    """
    try:
        text = Path(f"/proc/{pid}/stat").read_text(encoding="ascii", errors="replace")
    except (FileNotFoundError, ProcessLookupError):
        return None
    fields = text[text.rindex(")") + 2 :].split()
    return ProcessFacts(
        pid=pid,
        parent=int(fields[1]),
        session=int(fields[3]),
        cpu_ticks=sum(int(field) for field in fields[11:15]),
        rss_bytes=int(fields[21]) * PAGE_BYTES,
    )


def read_tree(root: int) -> list[ProcessFacts]:
    """Return the root process, its descendants, and what else lives in its session.

    Every gateway is started as the leader of its own session, so that a process whose parent
    ended is still counted.
    """
    everyone: dict[int, ProcessFacts] = {}
    for name in os.listdir("/proc"):  # noqa: PTH208 -- names only, many times a second
        if name.isdigit() and (facts := read_process(int(name))) is not None:
            everyone[facts.pid] = facts
    members = {pid for pid, facts in everyone.items() if root in {pid, facts.session}}
    grown = True
    while grown:
        found = {pid for pid, facts in everyone.items() if facts.parent in members} - members
        members |= found
        grown = bool(found)
    return [everyone[pid] for pid in sorted(members)]


def cpu_s(root: int) -> float:
    """Return the user and system seconds a tree has used so far, its ended children included."""
    return sum(facts.cpu_ticks for facts in read_tree(root)) / TICKS_PER_S


def busy_s() -> float:
    """Return the seconds of process time that all cores have spent, and those stolen from them.

    Interrupt time is left out: on loopback it is the benchmark's own traffic, and the kernel
    charges it to no process.
    """
    fields = Path("/proc/stat").read_text().split("\n", 1)[0].split()[1:]
    user, nice, system, _idle, _waiting, _irq, _softirq, steal = (int(f) for f in fields[:8])
    return (user + nice + system + steal) / TICKS_PER_S


def command_line(pid: int) -> str:
    """Return a process's command line, empty where it is gone."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except (FileNotFoundError, ProcessLookupError):
        return ""
    return raw.replace(b"\0", b" ").decode(errors="replace").strip()


def free_port() -> int:
    """Return a loopback port that is free now."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])


def accepts_connections(port: int) -> bool:
    """Return whether somebody listens on a loopback port."""
    try:
        with socket.create_connection(("127.0.0.1", port), 1):
            return True
    except OSError:
        return False


class Child:
    """A server started by the benchmark: the leader of its own session, its output in a file."""

    def __init__(
        self,
        command: Sequence[str],
        *,
        log: Path,
        env: Mapping[str, str] | None = None,
        cwd: Path | None = None,
    ) -> None:
        self.name = Path(command[0]).name
        self.log = log
        try:
            with log.open("wb") as output:
                self._process = subprocess.Popen(
                    command,
                    stdin=subprocess.DEVNULL,
                    stdout=output,
                    stderr=subprocess.STDOUT,
                    env=None if env is None else {**os.environ, **env},
                    cwd=cwd,
                    start_new_session=True,
                )
        except OSError as error:
            raise BenchError(f"{command[0]} cannot be started: {error}") from error
        self.pid = self._process.pid

    def output(self, characters_max: int = 2000) -> str:
        """Return the end of what the server printed."""
        return self.log.read_text(errors="replace")[-characters_max:]

    def check_alive(self) -> None:
        """Raise BenchError, with the server's last words, if it has ended."""
        if self._process.poll() is not None:
            raise BenchError(f"{self.name} ended with {self._process.returncode}:\n{self.output()}")

    def wait_for(self, ready: Callable[[], bool]) -> None:
        """Wait until the server is ready; raise BenchError if it ends or takes too long."""
        deadline_s = time.monotonic() + START_TIMEOUT_S
        while time.monotonic() < deadline_s:
            self.check_alive()
            if ready():
                return
            time.sleep(0.05)
        raise BenchError(f"{self.name} was not ready in {START_TIMEOUT_S} s:\n{self.output()}")

    def wait_for_port(self, port: int) -> None:
        """Wait until the server accepts connections on a loopback port."""
        self.wait_for(lambda: accepts_connections(port))

    def stop(self) -> None:
        """End the server politely, then every process of its tree that is left, by its id."""
        members = {facts.pid for facts in read_tree(self.pid)} - {os.getpid()}
        if self._process.poll() is None:
            self._process.terminate()
            with contextlib.suppress(subprocess.TimeoutExpired):
                self._process.wait(STOP_TIMEOUT_S)
        for facts in read_tree(self.pid):
            # Only what was ours before or still names our session: process ids are reused.
            if facts.session == self.pid or facts.pid in members:
                with contextlib.suppress(ProcessLookupError):
                    os.kill(facts.pid, signal.SIGKILL)
        self._process.wait(STOP_TIMEOUT_S)
