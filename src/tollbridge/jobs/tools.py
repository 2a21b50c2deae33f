"""What does it take to drive a job?"""

from collections.abc import Callable, Mapping
from typing import Protocol

import msgspec

from tollbridge.core.call import ErrorClass
from tollbridge.core.clock import Clock
from tollbridge.core.plan import Endpoint
from tollbridge.jobs.at_once import AtOnce
from tollbridge.jobs.books import JobBooks
from tollbridge.jobs.holds import JobHolds
from tollbridge.jobs.hooks import Hooks
from tollbridge.providers.keys import KeyRing
from tollbridge.providers.tasks import Ask, TaskLimits
from tollbridge.providers.wire import TaskWire
from tollbridge.storage.unit import Database

Reach = Callable[[str], None]


class Breakers(Protocol):
    """Who is told how endpoints serve."""

    def began(self, endpoint: str) -> None:
        """Note that an attempt begins."""
        ...

    def succeeded(self, endpoint: str) -> None:
        """Note that an endpoint took work in."""
        ...

    def failed(
        self, endpoint: str, error_class: ErrorClass, retry_after_s: float | None = None
    ) -> None:
        """Note that an endpoint failed, and why."""
        ...


class DriveLimits(msgspec.Struct, frozen=True, kw_only=True):
    """How long a job's tasks may take."""

    attempt_timeout_s: float = 1800.0
    attempts_max: int = 8
    tasks: TaskLimits = TaskLimits(poll_first_s=1.0, poll_max_s=15.0)


class Tools(msgspec.Struct, frozen=True, kw_only=True):
    """What driving a job needs."""

    database: Database
    clock: Clock
    ask: Ask
    wires: Mapping[str, TaskWire]
    at_once: AtOnce
    """Asks providers that answer at once."""
    endpoint_of: Callable[[str], Endpoint | None]
    """An endpoint as it is now, by name; None for one that is gone or switched off."""
    keys: KeyRing
    """Whose turn it is of an endpoint's keys."""
    breakers: Breakers
    books: JobBooks
    holds: JobHolds
    hooks: Hooks
    """Lets providers call back."""
    limits: DriveLimits
    reach: Reach
    """A place where a test may kill the process."""
