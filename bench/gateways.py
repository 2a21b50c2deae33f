"""What does the benchmark need to know about a gateway, whoever made it?"""

import time
from abc import ABC, abstractmethod
from pathlib import Path

from bench.processes import BenchError, Child, command_line, free_port, read_tree

SETTLE_S = 0.3


class Gateway(ABC):
    """One gateway under test: a tree of processes and an address.

    `start` may be called once more after `stop`; `upstream_url` ends in /v1.
    """

    name: str
    path = "/v1/chat/completions"
    model = "gpt-4o-mini"

    def __init__(self, directory: Path) -> None:
        self.directory = directory
        self.port = free_port()
        self._child: Child | None = None

    @property
    def child(self) -> Child:
        """The root process; raises BenchError before the start."""
        if self._child is None:
            raise BenchError(f"{self.name} is not running")
        return self._child

    @property
    def root_pid(self) -> int:
        """The process whose whole tree is charged to this gateway."""
        return self.child.pid

    @property
    def url(self) -> str:
        """The address that applications would call, without the path."""
        return f"http://127.0.0.1:{self.port}"

    @abstractmethod
    def start(self, upstream_url: str) -> None:
        """Start it in front of an upstream and return when it answers."""

    @abstractmethod
    def keys(self) -> list[str]:
        """Return the bearer keys that callers may use, at least one."""

    @abstractmethod
    def version(self) -> str:
        """Return the version under test."""

    @abstractmethod
    def state(self) -> str:
        """Return one sentence for the report: what is on and off in this set-up."""

    def headers(self, number: int) -> dict[str, str]:
        """Return the headers of the caller of a call, by its number."""
        keys = self.keys()
        return {
            "content-type": "application/json",
            "authorization": f"Bearer {keys[number % len(keys)]}",
        }

    def wait_until_idle(self) -> None:
        """Return when the work that a load left behind is done; by default after a moment."""
        time.sleep(SETTLE_S)

    def memory_by_role(self) -> dict[str, float]:
        """Return the resident MB of each process of the tree, named by what it does."""
        return {
            f"{self.role(facts.pid)} {at}": facts.rss_bytes / 1e6
            for at, facts in enumerate(read_tree(self.root_pid))
        }

    def role(self, pid: int) -> str:
        """Return what a process of the tree is there for."""
        return Path(command_line(pid).split(" ")[0]).name

    def stop(self) -> None:
        """End all its processes."""
        if self._child is not None:
            self._child.stop()
            self._child = None
