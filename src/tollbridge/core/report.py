"""What does somebody else report that was used?

A report has passed the check of its source's registry and carries the names as they were then, so
that nothing has to be looked up once it is in the spool. A batch stands there as one record: the
whole of it is accepted, or nothing.
"""

from enum import StrEnum

import msgspec

from tollbridge.core.call import Bucket, Caller, Category, Operation

REPORTS_PATH = "/v2/usage/gateway-metrics"
REPORTED_BY = "reported by "
"""With this, and the source, the reason of a reported attempt begins."""


class Via(StrEnum):
    """How a report came. Also the `dialect` of its row in the books."""

    INTAKE = "intake"  # another gateway sent it
    IMPORT = "import"  # it was read from a file


class Report(msgspec.Struct, frozen=True, omit_defaults=True, kw_only=True):
    """One use that somebody else carried. What is absent is unknown."""

    call_id: str
    """Made when it was accepted, and its own for ever: replaying it changes nothing."""
    batch_id: str
    index: int
    """Its place in the batch, from 0."""
    claim: str | None = None
    """What may be counted once only: 32 hexadecimal digits; None: each report counts."""
    record_id: str | None = None
    model: str
    label: str
    """The route that was asked for, else the model."""
    operation: Operation
    category: Category
    bucket: Bucket
    bucket_reported: bool = False
    """Whether the reporter named the bucket; else it follows from operation and model."""
    accounted_at_us: int
    """completed_at, else started_at, else when it arrived."""
    started_at_us: int | None = None
    completed_at_us: int | None = None
    completed: bool = False
    """Whether the provider's own final usage was seen."""
    request_count: int = 1
    counts: dict[str, int] = {}
    """Unit → count, as reported."""
    total_tokens: int | None = None
    request_bytes: int = 0
    chunks: int = 0
    http_status: int = 200
    error: str | None = None
    provider: str | None = None
    """Whom the reporter names."""
    path: str | None = None
    """The endpoint's path as the reporter knows it."""
    cost_usd: str | None = None
    """What the reporter says the provider charged, decimal text."""
    caller: Caller
    charges: bool = False
    """Whether the budgets of `caller` pay for it: its source says so."""
    names: dict[str, str] = {}
    """The reported ids and the names that they had, where nothing above says them."""


class Refusal(msgspec.Struct, frozen=True, omit_defaults=True):
    """A record of a batch that does not count, and why."""

    index: int
    reason: str
    """A code: unknown_model, duplicate …"""
    message: str
    raw: str | None = None
    """The record as it came; None for a duplicate."""


class ReportBatch(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="reports"):
    """What one request of another gateway, or one piece of a file, brought."""

    batch_id: str
    source: str
    via: Via
    received_at_us: int
    reports: tuple[Report, ...] = ()
    refusals: tuple[Refusal, ...] = ()
    idempotency_key: str | None = None
