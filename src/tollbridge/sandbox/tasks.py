"""What has become of a task: a film, a picture, a song that takes its time?

A task is finished when it was polled often enough and old enough (`task_polls`, `task_s`), so
that the same script always takes the same way. What it bills stands on the entry of its submit.
"""

from collections import OrderedDict
from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final, Literal

import msgspec

from tollbridge.core.clock import Clock
from tollbridge.sandbox.journal import LogEntry
from tollbridge.sandbox.refusals import RefusedError
from tollbridge.sandbox.script import Script

TASKS_MAX: Final = 100_000
FILES: Final = "/sandbox/files/"

State = Literal["queued", "running", "succeeded", "failed", "cancelled", "aborted", "expired"]
FINAL: Final = frozenset({"succeeded", "failed", "cancelled", "aborted", "expired"})
_ENDS: Final[Mapping[str, State]] = MappingProxyType(
    {"succeeds": "succeeded", "fails": "failed", "expires": "expired", "aborts": "aborted"}
)


class Order(msgspec.Struct, frozen=True, kw_only=True):
    """What a task was asked for and what it will bill when it succeeds."""

    model: str
    operation: str
    asked: dict[str, Any]
    """The request, as the dialect wants to tell it again."""
    outputs: list[str] = []
    """The addresses of what it makes."""
    units: dict[str, int] = {}
    billed_usd: Decimal | None = None
    billed_when_failed: dict[str, int] = {}
    """Units that this provider bills for a failed task, too."""


class Task(msgspec.Struct, kw_only=True):
    """One task that a provider has accepted."""

    id: str
    dialect: str
    order: Order
    script: Script
    entry: LogEntry
    created_at_us: int
    polls: int = 0
    poll_errors: int = 0
    ended_at_us: int | None = None
    forced: State | None = None
    """The end that a cancellation or a deletion has brought."""
    key: str = ""

    def state(self, now_us: int) -> State:
        """Return how it stands."""
        if self.forced is not None:
            return self.forced
        script = self.script
        old_enough = now_us - self.created_at_us >= script.task_s * 1_000_000
        if script.task == "never" or not old_enough or self.polls <= script.task_polls:
            return "queued" if self.polls <= 1 and script.task_polls > 1 else "running"
        if self.ended_at_us is None:
            self.ended_at_us = now_us
        return _ENDS[script.task]

    def said(self, state: State, words: Mapping[State, str]) -> str:
        """Return the state in a dialect's word, or what the script says instead of it."""
        if self.script.task_status is not None and state in {"queued", "running"}:
            return self.script.task_status
        return words[state]

    @property
    def outputs(self) -> list[str]:
        """What it shows as its outputs once it has succeeded."""
        match self.script.task_outputs:
            case "empty" | "removed":
                return []
            case "gone":
                return [url.replace(FILES, f"{FILES}gone/") for url in self.order.outputs]
            case _:
                return self.order.outputs

    def run_ms(self, now_us: int) -> int:
        """Return how long it has worked; an emulator takes no time, so never less than 1 s."""
        return max(1000, ((self.ended_at_us or now_us) - self.created_at_us) // 1000)


class TaskBook:
    """All tasks, by dialect and id; the oldest are forgotten beyond a limit."""

    def __init__(self, clock: Clock, *, tasks_max: int = TASKS_MAX) -> None:
        self._clock = clock
        self._tasks: OrderedDict[tuple[str, str], Task] = OrderedDict()
        self._tasks_max = tasks_max

    def __len__(self) -> int:
        return len(self._tasks)

    def all(self, dialect: str | None = None) -> list[Task]:
        """Return the tasks, oldest first."""
        return [task for task in self._tasks.values() if dialect in {None, task.dialect}]

    def add(self, task: Task) -> None:
        """Take a task; what it bills goes on its entry."""
        self._tasks[task.dialect, task.id] = task
        task.entry.task_id = task.id
        if len(self._tasks) > self._tasks_max:
            self._tasks.popitem(last=False)

    def find(self, dialect: str, name: str) -> Task:
        """Return a task. Raises RefusedError (404)."""
        task = self._tasks.get((dialect, name))
        if task is None:
            raise RefusedError("not_found", f"No such task: {name}")
        return task

    def poll(self, dialect: str, name: str) -> tuple[Task, State]:
        """Look at a task, which counts. Raises RefusedError as its script wants."""
        task = self.find(dialect, name)
        if task.poll_errors < task.script.poll_errors:
            task.poll_errors += 1
            raise RefusedError("server_error", status=task.script.poll_status)
        task.polls += 1
        return task, task.state(self._clock.now_us())

    def remove(self, task: Task) -> None:
        """Forget a task."""
        self._tasks.pop((task.dialect, task.id), None)

    def clear(self) -> None:
        """Forget all."""
        self._tasks.clear()
