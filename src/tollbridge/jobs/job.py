"""What is known of one job?"""

from enum import StrEnum
from typing import Any

import msgspec

from tollbridge.core.call import OnContentFiltered, Operation, Status
from tollbridge.core.errors import NotFoundError
from tollbridge.core.evidence import AttemptEvidence, Opened
from tollbridge.providers.request import Request

LEASE_PREFIX = "job:"
"""Of the worker's name under which a job's lease stands in the ledger."""
VIDEO_PREFIX = "video_"
LATE_S = 120.0
"""What a job may need beyond its time to come to its end."""
_ID_DIGITS = 32


class Phase(StrEnum):
    """What a job's driver does next, or may have been doing when it died."""

    NEXT = "next"  # ask the next candidate
    SUBMITTING = "submitting"  # a submit is journaled: it may have left
    RUNNING = "running"  # a task is known, and asked after
    FINISHED = "finished"  # it is in the books


class MadeThing(msgspec.Struct, frozen=True, omit_defaults=True):
    """One thing that a job made."""

    url: str = ""
    content_type: str = ""
    text: str = ""


class JobError(msgspec.Struct, frozen=True):
    """Why a job failed."""

    code: str
    message: str


class JobFigures(msgspec.Struct, frozen=True, kw_only=True):
    """How the jobs of one office are."""

    under_way: int = 0
    oldest_s: float = 0.0
    """Age of the oldest of them; 0 where there is none."""
    stuck: int = 0
    """Those that are past their time, or meet faults of ours."""


class Shown(msgspec.Struct, frozen=True, omit_defaults=True):
    """What is told of the request again."""

    model: str
    prompt: str = ""
    seconds: str | None = None
    size: str | None = None


class Job(msgspec.Struct):
    """One row of `media_jobs`, read."""

    job_id: str
    node: str
    token: str
    opened: Opened
    body: bytes
    candidates: tuple[tuple[str, str, str], ...]
    """Each as endpoint, model, reason."""
    created_at_us: int
    deadline_at_us: int
    shown: Shown
    on_content_filtered: OnContentFiltered = OnContentFiltered.FINAL
    status: Status = Status.PENDING
    phase: Phase = Phase.NEXT
    candidate: int = 0
    attempts: tuple[AttemptEvidence, ...] = ()
    task_id: str = ""
    task_started_at_us: int | None = None
    counted: tuple[tuple[str, str, int, int], ...] = ()
    updated_at_us: int = 0
    finished_at_us: int | None = None
    progress_percent: int = 0
    asks_to_stop: bool = False
    outputs: tuple[MadeThing, ...] = ()
    output_endpoint: str | None = None
    error: JobError | None = None
    webhook_url: str | None = None
    webhook_state: str | None = None
    is_deleted: bool = False

    @property
    def is_finished(self) -> bool:
        """Whether nothing more happens to it."""
        return self.phase is Phase.FINISHED

    @property
    def lease_worker(self) -> str:
        """The name under which its hold stands in the ledger."""
        return f"{LEASE_PREFIX}{self.job_id}"

    @property
    def provider(self) -> str | None:
        """Who served it, or is at work."""
        return self.attempts[-1].provider if self.attempts else self.opened.expected_provider

    def request(self) -> Request:
        """Return the request as the wire formats take it."""
        operation = Operation(self.opened.operation)
        return Request(operation, self.body, self.shown.model, demand=self.opened.demand)


def video_id(job_id: str) -> str:
    """Return by which id a job is known to those who asked for a film."""
    return VIDEO_PREFIX + job_id.replace("-", "")


def job_id_of(text: str) -> str:
    """Return the job's id out of either of its spellings. Raises NotFoundError."""
    digits = text.removeprefix(VIDEO_PREFIX).replace("-", "").lower()
    if len(digits) != _ID_DIGITS or not set(digits) <= set("0123456789abcdef"):
        raise NotFoundError("there is no such job")
    parts = digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]
    return "-".join(parts)


def begun_at_us(job_id: str) -> int:
    """Return when a job was asked for, to the millisecond: its id is a UUIDv7."""
    return int(job_id.replace("-", "")[:12], 16) * 1000


def plain(value: Any) -> Any:
    """Return structs as plain values, for a JSON column."""
    return msgspec.to_builtins(value)
