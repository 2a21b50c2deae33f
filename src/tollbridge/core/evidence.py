"""What was seen of a call, before anything is concluded from it?

These are the records that the spool carries, raw: everything later is computed from them and can
be computed again. A record names its kind; unknown fields of a newer version are ignored.
"""

from typing import Any

import msgspec

from tollbridge.core.call import (
    AttemptOutcome,
    Bucket,
    Caller,
    Category,
    Ending,
    ErrorClass,
    Hold,
    OnCallerLeft,
    Operation,
)
from tollbridge.core.demand import NO_DEMAND, Demand
from tollbridge.core.report import Report


class AttemptEvidence(msgspec.Struct, omit_defaults=True):
    """One try of one endpoint, as far as it was seen.

    It grows while the relay works, so that whatever is known at any moment can be recorded.
    `usage` is the provider's own object, merged field-wise over the frames, later wins.
    """

    number: int
    endpoint: str
    provider: str
    dialect: str
    model: str
    reason: str
    started_at_us: int
    outcome: AttemptOutcome = AttemptOutcome.CUT_SHORT
    written: bool = False
    """Whether any byte of the request was handed to the connection."""
    first_byte_at_us: int | None = None
    ended_at_us: int | None = None
    http_status: int | None = None
    error_class: ErrorClass | None = None
    message: str | None = None
    """The provider's words of an error, cut at 500 characters."""
    retry_after_s: float | None = None
    served_model: str | None = None
    response_id: str | None = None
    aggregator_provider: str | None = None
    """Whom an aggregator's answer names in a field of its own, as OpenRouter's `provider`."""
    headers: dict[str, str] = {}
    chunks: int = 0
    """Frames with content seen in a stream."""
    output_bytes: int = 0
    usage: dict[str, Any] | None = None
    key: str | None = None
    """The name of the provider key that was used, where the endpoint has several."""
    counts: dict[str, int] = {}
    """Unit → what the relay counted itself: images of the answer, characters, milliseconds."""
    facts: dict[str, str] = {}
    """What a price may depend on and no usage object says: size, quality, resolution …"""


class Opened(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="opened"):
    """A call was let in; written before the first byte of its first attempt leaves."""

    call_id: str
    opened_at_us: int
    received_at_us: int
    caller: Caller
    method: str
    path: str
    operation: Operation
    category: Category
    bucket: Bucket
    label: str
    """The model name that the application asked for."""
    stream: bool
    request_bytes: int
    expected_provider: str | None
    """The provider of the plan's first candidate."""
    planned: tuple[str, ...] = ()
    """Each candidate as "endpoint/model: reason", in order."""
    customer: str | None = None
    tags: tuple[str, ...] = ()
    holds: tuple[Hold, ...] = ()
    attempt: AttemptEvidence | None = None
    """The first attempt; None for a call that was refused before any."""
    report: Report | None = None
    """What somebody else reported, where we did not carry the call ourselves."""
    demand: Demand = NO_DEMAND
    """What of media was asked for: what an attempt used whose answer nobody saw."""
    trace: str | None = None
    """The caller's `traceparent`, as it was sent."""


class AttemptStarted(
    msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="attempt"
):
    """A further attempt begins; carries how the attempts before it ended."""

    call_id: str
    attempts: tuple[AttemptEvidence, ...]


class Progress(msgspec.Struct, frozen=True, omit_defaults=True, tag_field="kind", tag="progress"):
    """An open stream is alive: its current attempt as seen so far."""

    call_id: str
    at_us: int
    attempt: AttemptEvidence


class Closed(msgspec.Struct, omit_defaults=True, tag_field="kind", tag="closed"):
    """A call ended. Complete but for the charge, which follows from it."""

    call_id: str
    closed_at_us: int
    ending: Ending
    http_status: int
    """What the caller was answered; 499 where the caller left before an answer."""
    attempts: tuple[AttemptEvidence, ...] = ()
    on_caller_left: OnCallerLeft | None = None
    """The policy that was applied, where the caller left."""
    drained: bool = False
    """Whether the answer was read to its end after the caller had left."""
    error: str | None = None
    """Our own words of an error, never a body or a key."""
    response_bytes: int = 0
    charge_nanousd: int | None = None
    """What the worker took from its purse, where the call had a hold."""
    taken: tuple[int, ...] = ()
    """What it took for each hold, where one of them is not of all the call's money."""
    opened: Opened | None = None
    """For a call that was refused before it was opened: what `opened` would have said."""


Record = Opened | AttemptStarted | Progress | Closed


class CallEvidence(msgspec.Struct, frozen=True):
    """Everything known of one ended call: the input of the pure stages."""

    opened: Opened
    closed: Closed
