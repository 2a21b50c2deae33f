"""What is asked of the books about calls, and what do they answer? Frozen values, no SQL."""

from decimal import Decimal
from enum import StrEnum

import msgspec

from tollbridge.core.account import CostComponent
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.core.limits import LimitKind
from tollbridge.core.report import Report
from tollbridge.core.sight import Sight
from tollbridge.insight.changes import CallChange


class CallFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls; None is any."""

    provider: str | None = None
    """The actual provider, or the bucket."""
    actual_provider: str | None = None
    upstream_provider: str | None = None
    """Who ran the model behind the actual provider."""
    bucket: str | None = None
    category: str | None = None
    model: str | None = None
    """The label that was asked for, or the model that its provider was asked for."""
    served_model: str | None = None
    """What the provider says it ran."""
    status: str | None = None
    status_code: int | None = None
    status_class: str | None = None
    """2xx, 4xx …"""
    ending: str | None = None
    user: str | None = None
    key: str | None = None
    """The key's name or id."""
    project: str | None = None
    customer: str | None = None
    tag: str | None = None
    """One of the tags that it bears."""
    usage_source: str | None = None
    unpriced: bool | None = None
    """Whether it has no price by now: one that came later counts."""
    fallback: bool | None = None
    """Whether more than one candidate was tried."""
    from_us: int | None = None
    to_us: int | None = None
    """Half-open: from `from_us` until before `to_us`, by `accounted_at_us`."""
    sight: Sight | None = None
    """Beyond which nothing is seen; a user's own alone are a filter by `user`."""


class CallPlace(msgspec.Struct, frozen=True, array_like=True):
    """Where a call stands among the newest first."""

    accounted_at_us: int
    call_id: str


class LogStart(msgspec.Struct, frozen=True):
    """Where a page begins: behind a call, or after so many."""

    after: CallPlace | None = None
    offset: int = 0


class CallRow(msgspec.Struct, frozen=True, kw_only=True):
    """One call, ended or still open. None is unknown, or not there yet; never zero."""

    call_id: str
    received_at_us: int
    accounted_at_us: int | None
    """Its end; None while it is open."""
    actual_provider_name: str | None
    upstream_provider_name: str | None
    expected_provider: str | None
    bucket: str
    category: str
    operation: str
    label: str
    requested_model: str | None
    served_model: str | None
    endpoint: str | None
    user: str
    key_id: str
    key_name: str
    project: str
    customer: str | None
    tags: tuple[str, ...]
    method: str
    path: str
    stream: bool
    status: str
    http_status: int | None
    ending: str | None
    error_class: str | None
    error_message: str | None
    attempt_count: int
    usage: dict[str, int]
    """Unit → count; an absent unit is unknown."""
    total_tokens: int | None
    usage_source: str | None
    cost_nanousd: int | None
    cost_origin: str | None
    computed_nanousd: int | None = None
    """What our prices give, whatever the provider says."""
    reported_nanousd: int | None = None
    """What the provider says it charged; None where it says nothing."""
    unpriced_reason: str | None
    charge_nanousd: int | None
    latency_ms: int | None
    first_byte_ms: int | None
    flags: tuple[str, ...]
    request_bytes: int
    response_bytes: int | None
    rule_id: str | None
    confidence: str | None
    evidence: str | None
    known_cost_nanousd: int | None
    """Σ of the attempts' costs that are known."""
    request_count: int = 1
    """How many requests the row stands for: an import may bring sums."""
    cost_now_nanousd: int | None = None
    """With all corrections since: what the call costs by what is known today."""
    charge_now_nanousd: int | None = None
    adjustment_nanousd: int = 0
    """Σ of the corrections; cost_nanousd stays what it was."""

    @property
    def place(self) -> CallPlace:
        """Where it stands among ended calls."""
        return CallPlace(self.accounted_at_us or 0, self.call_id)


class LogPage(msgspec.Struct, frozen=True):
    """Calls, the newest first."""

    rows: tuple[CallRow, ...]
    next: CallPlace | None
    """Behind which to go on; None at the end. A page may have fewer rows than were asked for."""


class LogTotal(msgspec.Struct, frozen=True):
    """How many calls a filter lets by, each row as many as it stands for."""

    calls: int
    is_exact: bool
    """False: there are at least so many."""


class CostParts(msgspec.Struct, frozen=True):
    """What of a call's cost, by today's prices, is for what went in and what came out."""

    input_usd: Decimal
    output_usd: Decimal


class AttemptRow(msgspec.Struct, frozen=True, kw_only=True):
    """One try of one endpoint."""

    number: int
    endpoint: str
    provider: str
    upstream_provider_name: str | None = None
    model: str
    served_model: str | None = None
    reason: str
    outcome: str
    error_class: str | None = None
    http_status: int | None = None
    message: str | None = None
    started_at_us: int
    latency_ms: int | None = None
    first_byte_ms: int | None = None
    usage: dict[str, int] = {}
    usage_source: str | None = None
    cost_nanousd: int | None = None
    cost_origin: str | None = None
    unpriced_reason: str | None = None
    flags: tuple[str, ...] = ()
    response_id: str | None = None


class Bill(msgspec.Struct, frozen=True):
    """The lines of one attempt's cost."""

    attempt: int
    components: tuple[CostComponent, ...] = ()
    rounding_usd: str = "0"
    source: str | None = None
    """database or seed: where the prices came from; None in rows that do not say."""


class Adjustment(msgspec.Struct, frozen=True):
    """One correction of what an attempt cost, after a price was put right."""

    adjustment_id: str
    run_id: str
    attempt: int
    recorded_at_us: int
    before_nanousd: int | None
    """None: it had no price."""
    after_nanousd: int
    difference_nanousd: int
    bill: Bill
    """The lines of what it costs since."""
    flags: tuple[str, ...]
    reason: str
    actor: str


class HeldAmount(msgspec.Struct, frozen=True):
    """What was set aside of one limit before the call was let in; 0 where it is only counted."""

    lease_id: str
    budget_id: str
    period_start_us: int
    amount: int
    """In the unit of the kind."""
    kind: LimitKind = LimitKind.MONEY
    provider: str = ""


class CallWhole(msgspec.Struct, frozen=True):
    """One call with all that is known of it."""

    call: CallRow
    attempts: tuple[AttemptRow, ...]
    bills: tuple[Bill, ...] = ()
    adjustments: tuple[Adjustment, ...] = ()
    planned: tuple[str, ...] | None = None
    """Each candidate with its reason; None once the evidence is purged."""
    holds: tuple[HeldAmount, ...] | None = None
    """None once the evidence is purged."""
    serving: AttemptEvidence | None = None
    """The last attempt as it was seen; None where there is none, or once it is purged."""
    changes: tuple[CallChange, ...] = ()
    """How it was attributed anew since, the first time first."""
    report: Report | None = None
    """What somebody else reported, where we did not carry the call; None once it is purged."""


class Grouping(StrEnum):
    """By what totals are told apart."""

    PROVIDER = "provider"
    MODEL = "model"
    USER = "user"
    KEY = "key"
    DAY = "day"


class TotalsFilter(msgspec.Struct, frozen=True, kw_only=True):
    """Which calls are summed up; None is any. Instants are starts of quarter hours."""

    provider: str | None = None
    bucket: str | None = None
    category: str | None = None
    project: str | None = None
    user: str | None = None
    key: str | None = None
    from_us: int | None = None
    to_us: int | None = None
    sight: Sight | None = None


class Total(msgspec.Struct, frozen=True, kw_only=True):
    """Sums of one group."""

    calls: int = 0
    completed: int = 0
    failed: int = 0
    attempts: int | None = None
    input_tokens: int = 0
    output_tokens: int = 0
    cache_read_tokens: int = 0
    cache_write_tokens: int = 0
    reasoning_tokens: int = 0
    cost_nanousd: int = 0
    """Of what is known; `unpriced` says how many are not whole in it."""
    charge_nanousd: int = 0
    unpriced: int = 0
    estimated: int = 0


class Totals(msgspec.Struct, frozen=True):
    """Totals of each group and of all."""

    total: Total
    groups: tuple[tuple[str, Total], ...]
    """Dearest first, days in their order; a day is its start as ISO 8601."""
    more: bool
    """Whether groups were left out."""
