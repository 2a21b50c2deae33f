"""How are the office, its database, its spool and its workers?"""

from enum import StrEnum

import msgspec

from tollbridge.jobs.job import JobFigures
from tollbridge.providers.keys import KeyReport
from tollbridge.recording.metrics import CallCounts
from tollbridge.routing.health import BreakerReport

DRAIN_LAG_S_MAX = 10.0


class HealthStatus(StrEnum):
    """Whether everything is as it should be."""

    OK = "ok"
    DEGRADED = "degraded"


class WorkerFigures(msgspec.Struct, frozen=True, kw_only=True):
    """One worker, as its last pulse told."""

    worker: str
    pid: int
    calls_under_way: int = 0
    drains_under_way: int = 0
    faults: int = 0
    not_carried: int = 0
    spool_has_room: bool = True
    breakers: dict[str, str] = {}
    """Endpoint → open or half_open; closed ones may be left out."""
    breaker_reports: tuple[BreakerReport, ...] = ()
    """The breakers of endpoints that failed since they last served."""
    key_reports: tuple[KeyReport, ...] = ()
    """The provider keys that rest."""


class LimitFigures(msgspec.Struct, frozen=True):
    """A budget in its running period: US dollars, credits, or a count."""

    name: str
    kind: str
    limit: float
    spent: float
    leased: float


class SpanFigures(msgspec.Struct, frozen=True):
    """What became of the spans of calls since the office began; each counts calls."""

    sent: int = 0
    waiting: int = 0
    dropped_full: int = 0
    """Too many waited."""
    dropped_refused: int = 0
    """The collector does not want them."""


class OfficeFigures(msgspec.Struct, frozen=True, kw_only=True):
    """What the office knows of its node, from memory."""

    database_is_up: bool
    """Whether its last transaction succeeded."""
    workers_expected: int
    workers: tuple[WorkerFigures, ...] = ()
    spool_pending_records: int = 0
    """Records in segments that are not drained yet."""
    spool_pending_bytes: int = 0
    drain_lag_s: float = 0.0
    """Age of the oldest record that is not drained; 0 where there is none."""
    open_calls: int = 0
    """Calls that the drain knows to have begun and not yet ended."""
    quarantined: int = 0
    unreadable_lines: int = 0
    faults: int = 0
    """Errors of ours in the office since its start."""
    office: WorkerFigures | None = None
    """What the office itself thinks of endpoints and keys, by the jobs that it drives."""
    jobs: JobFigures = JobFigures()
    calls: CallCounts | None = None
    """What the calls have come to since the office began."""
    limits: tuple[LimitFigures, ...] = ()
    """The enabled budgets, as they were when last looked at."""
    spans: SpanFigures | None = None
    """None where none are made."""

    def seen(self) -> tuple[WorkerFigures, ...]:
        """Return all who have an opinion of endpoints: the workers, and the office."""
        return self.workers if self.office is None else (*self.workers, self.office)

    def problems(self) -> list[str]:
        """Return what is not as it should be, in words."""
        found: list[str] = []
        if not self.database_is_up:
            found.append("the database does not answer; calls are kept in the spool")
        if len(self.workers) < self.workers_expected:
            found.append(f"{len(self.workers)} of {self.workers_expected} workers are linked")
        if any(not worker.spool_has_room for worker in self.workers):
            found.append("the spool's disk has no room; new calls are refused")
        if self.drain_lag_s > DRAIN_LAG_S_MAX:
            found.append(f"the drain is {self.drain_lag_s:.0f} s behind")
        if self.jobs.stuck:
            found.append(f"{self.jobs.stuck} of {self.jobs.under_way} jobs are stuck")
        return found
