"""How is a call shown? Money as decimal text, instants as ISO 8601, unknown as null."""

from collections.abc import Mapping, Sequence
from decimal import Decimal

from pydantic import BaseModel, Field

from tollbridge.api.control.attribution_views import Explanation, explanation_view
from tollbridge.api.control.log_views import Shown
from tollbridge.api.control.page import instant_text
from tollbridge.attribution.explain import Explanation as Explained
from tollbridge.core.account import CostComponent
from tollbridge.core.amounts import amount_text
from tollbridge.core.clock import to_text
from tollbridge.core.limits import LimitKind
from tollbridge.core.money import usd_text
from tollbridge.insight import usage
from tollbridge.insight.changes import CallChange
from tollbridge.insight.usage import AttemptRow, Bill, CallRow, CallWhole
from tollbridge.ledger.budgets import LimitNamed


class Call(BaseModel):
    """One call."""

    call_id: str
    received_at: str
    accounted_at: str | None = Field(description="Its end; it decides the day.")
    status: str = Field(description="PROCESSING, COMPLETED or FAILED.")
    http_status: int | None
    ending: str | None = Field(description="How it ended: complete, caller_left …")
    error_class: str | None
    error_message: str | None
    actual_provider_name: str | None = Field(description="Who answered and bills us.")
    actual_provider_display: str = Field(
        description="The name of it to show; where it is unknown, of whom today's rules find."
    )
    upstream_provider_name: str | None = Field(description="Who ran the model, where revealed.")
    expected_provider: str | None = Field(description="First in the plan.")
    bucket: str = Field(description="The generic provider name that limits count by.")
    category: str
    operation: str
    label: str = Field(description="The model that the application asked for.")
    requested_model: str | None = Field(description="What the provider was asked for.")
    served_model: str | None = Field(description="What the provider says it ran.")
    endpoint: str | None
    user: str
    key_id: str
    key_name: str
    project: str
    customer: str | None
    tags: list[str]
    method: str
    path: str
    stream: bool
    billing_period: str | None = Field(description="YYYY-MM, in the billing time zone.")
    usage: dict[str, int] = Field(description="Unit → count; an absent unit is not known.")
    input_tokens: int | None
    output_tokens: int | None
    total_tokens: int | None
    usage_source: str | None = Field(description="reported, drained, estimated or none.")
    cost_usd: str | None = Field(
        description="All attempts, as first recorded; null is not known, never zero."
    )
    adjustment_usd: str = Field(description="Sum of the corrections since; 0 where there is none.")
    cost_now_usd: str | None = Field(description="With all corrections; totals count this one.")
    cost_input_usd: str | None = Field(description="Of it for input; null is not known.")
    cost_output_usd: str | None = Field(description="Of it for output; null is not known.")
    cost_origin: str | None = Field(description="reported, computed, nothing_owed or mixed.")
    computed_usd: str | None = Field(description="What our prices give; null is not known.")
    reported_usd: str | None = Field(
        description="What the provider says it charged: then that is the cost."
    )
    unpriced_reason: str | None
    charge_usd: str | None = Field(description="What the account pays, as first recorded.")
    charge_now_usd: str | None = Field(description="What it pays with all corrections.")
    latency_ms: int | None
    first_byte_ms: int | None
    attempts: int
    retry_count: int = Field(description="Attempts beyond the first.")
    fallback: bool = Field(description="Whether more than one candidate was tried.")
    request_count: int = Field(description="How many requests the row stands for.")
    is_aggregated: bool = Field(description="Whether that is more than one.")
    flags: list[str] = Field(description="unpriced, estimated, overrun, unknown_outcome …")


class Component(BaseModel):
    """One line of a cost: quantity times rate."""

    unit: str
    quantity: int
    rate_usd: str
    per: int = Field(description="How many units the rate is for.")
    amount_usd: str
    price_version_id: str


class Adjustment(BaseModel):
    """One correction of an attempt's cost; the figures of the attempt itself stay as they were."""

    adjustment_id: str
    run_id: str = Field(description="The run of re-rating that found it.")
    recorded_at: str
    before_usd: str | None = Field(description="Null: it had no price.")
    after_usd: str
    difference_usd: str
    components: list[Component]
    rounding_usd: str
    flags: list[str] = Field(description="budgets_unknown: no budget was corrected with it.")
    reason: str
    actor: str


class Attempt(BaseModel):
    """One try of one endpoint."""

    number: int
    endpoint: str
    provider: str
    upstream_provider_name: str | None
    model: str
    served_model: str | None
    reason: str = Field(description="Why it stood at its place in the plan.")
    outcome: str
    error_class: str | None
    http_status: int | None
    message: str | None
    started_at: str
    latency_ms: int | None
    first_byte_ms: int | None
    usage: dict[str, int]
    usage_source: str | None
    cost_usd: str | None
    cost_origin: str | None
    unpriced_reason: str | None
    components: list[Component]
    rounding_usd: str | None = Field(description="Cost minus the exact sum of the components.")
    price_source: str | None = Field(
        description="database, or seed: a price that came with the program. Null: not known."
    )
    adjustments: list[Adjustment] = Field(description="The last one's `after_usd` is its cost now.")
    flags: list[str]
    response_id: str | None


class Attribution(BaseModel):
    """Who served, by which rule, and how sure that is."""

    provider: str | None
    upstream_provider: str | None
    rule_id: str | None
    confidence: str | None
    evidence: str | None


class Reattribution(BaseModel):
    """One time that the call was attributed anew: what it said before, and since."""

    run_id: str
    reverts_run_id: str | None = Field(description="The run that was taken back by it.")
    rules_version: str | None = Field(description="Null where a run was taken back.")
    actor: str
    run_started_at: str
    old: Attribution
    new: Attribution


class Held(BaseModel):
    """What was set aside of one limit; nothing of one that is only counted."""

    budget_id: str
    budget_name: str | None = Field(
        description="Of a plan's limit whose and which, of a wallet its; null: it is no more."
    )
    lease_id: str
    period_start: str
    kind: str = Field(description="money, credits, calls, tokens, images, videos or audio.")
    amount: str = Field(description="In the kind's unit, as decimal text.")
    amount_usd: str | None = Field(description="`amount`, of money.")


class CallInFull(Call):
    """One call with all that is known of it."""

    request_bytes: int
    response_bytes: int | None
    attribution: Attribution = Field(description="As it was recorded.")
    explanation: Explanation = Field(description="By the rules in force now.")
    reattributions: list[Reattribution] = Field(description="The first one first; most have none.")
    attempt_list: list[Attempt]
    planned: list[str] | None = Field(description="Null once the evidence is purged.")
    holds: list[Held] | None = Field(description="Null once the evidence is purged.")


def in_short(row: CallRow, shown: Shown) -> Call:
    """Return a call as the log lists it."""
    return Call.model_validate(_fields(row, shown))


def in_full(
    whole: CallWhole, explained: Explained, shown: Shown, limits: Mapping[str, LimitNamed]
) -> CallInFull:
    """Return a call with its attempts, components, holds, and why it was attributed so.

    `limits` has each limit of its holds by id.
    """
    row = whole.call
    bills = {bill.attempt: bill for bill in whole.bills}
    holds = whole.holds
    return CallInFull.model_validate(
        {
            **_fields(row, shown),
            "request_bytes": row.request_bytes,
            "response_bytes": row.response_bytes,
            "attribution": Attribution(
                provider=row.actual_provider_name,
                upstream_provider=row.upstream_provider_name,
                rule_id=row.rule_id,
                confidence=row.confidence,
                evidence=row.evidence,
            ),
            "explanation": explanation_view(explained),
            "reattributions": [_reattribution(one) for one in whole.changes],
            "attempt_list": [
                _attempt(
                    one,
                    bills.get(one.number),
                    [each for each in whole.adjustments if each.attempt == one.number],
                )
                for one in whole.attempts
            ],
            "planned": None if whole.planned is None else list(whole.planned),
            "holds": None
            if holds is None
            else [
                Held(
                    budget_id=one.budget_id,
                    budget_name=limits[one.budget_id].name,
                    lease_id=one.lease_id,
                    period_start=to_text(one.period_start_us),
                    kind=one.kind.value,
                    amount=amount_text(one.kind, one.amount),
                    amount_usd=usd_text(one.amount) if one.kind is LimitKind.MONEY else None,
                )
                for one in holds
            ],
        }
    )


def _reattribution(one: CallChange) -> Reattribution:
    move = one.change
    return Reattribution(
        run_id=one.run_id,
        reverts_run_id=one.reverts_run_id,
        rules_version=one.rules_version or None,
        actor=one.actor,
        run_started_at=to_text(one.started_at_us),
        old=Attribution(
            provider=move.old_provider,
            upstream_provider=move.old_upstream or None,
            rule_id=move.old_rule,
            confidence=move.old_confidence,
            evidence=move.old_evidence,
        ),
        new=Attribution(
            provider=move.new_provider,
            upstream_provider=move.new_upstream or None,
            rule_id=move.new_rule,
            confidence=move.new_confidence,
            evidence=move.new_evidence,
        ),
    )


def _fields(row: CallRow, shown: Shown) -> dict[str, object]:
    return {
        "call_id": row.call_id,
        "received_at": to_text(row.received_at_us),
        "accounted_at": instant_text(row.accounted_at_us),
        "status": row.status,
        "http_status": row.http_status,
        "ending": row.ending,
        "error_class": row.error_class,
        "error_message": row.error_message,
        "actual_provider_name": row.actual_provider_name,
        "actual_provider_display": shown.provider_name,
        "upstream_provider_name": row.upstream_provider_name,
        "expected_provider": row.expected_provider,
        "bucket": row.bucket,
        "category": row.category,
        "operation": row.operation,
        "label": row.label,
        "requested_model": row.requested_model,
        "served_model": row.served_model,
        "endpoint": row.endpoint,
        "user": row.user,
        "key_id": row.key_id,
        "key_name": row.key_name,
        "project": row.project,
        "customer": row.customer,
        "tags": list(row.tags),
        "method": row.method,
        "path": row.path,
        "stream": row.stream,
        "billing_period": shown.billing_period,
        "usage": row.usage,
        "input_tokens": row.usage.get("input"),
        "output_tokens": row.usage.get("output"),
        "total_tokens": row.total_tokens,
        "usage_source": row.usage_source,
        "cost_usd": _usd(row.cost_nanousd),
        "adjustment_usd": usd_text(row.adjustment_nanousd),
        "cost_now_usd": _usd(row.cost_now_nanousd),
        "cost_input_usd": None if shown.cost is None else plain_usd(shown.cost.input_usd),
        "cost_output_usd": None if shown.cost is None else plain_usd(shown.cost.output_usd),
        "cost_origin": row.cost_origin,
        "computed_usd": _usd(row.computed_nanousd),
        "reported_usd": _usd(row.reported_nanousd),
        "unpriced_reason": row.unpriced_reason,
        "charge_usd": _usd(row.charge_nanousd),
        "charge_now_usd": _usd(row.charge_now_nanousd),
        "latency_ms": row.latency_ms,
        "first_byte_ms": row.first_byte_ms,
        "attempts": row.attempt_count,
        "retry_count": max(0, row.attempt_count - 1),
        "fallback": row.attempt_count > 1,
        "request_count": row.request_count,
        "is_aggregated": row.request_count > 1,
        "flags": list(row.flags),
    }


def _attempt(
    row: AttemptRow, bill: Bill | None, adjustments: Sequence[usage.Adjustment]
) -> Attempt:
    return Attempt(
        number=row.number,
        endpoint=row.endpoint,
        provider=row.provider,
        upstream_provider_name=row.upstream_provider_name,
        model=row.model,
        served_model=row.served_model,
        reason=row.reason,
        outcome=row.outcome,
        error_class=row.error_class,
        http_status=row.http_status,
        message=row.message,
        started_at=to_text(row.started_at_us),
        latency_ms=row.latency_ms,
        first_byte_ms=row.first_byte_ms,
        usage=row.usage,
        usage_source=row.usage_source,
        cost_usd=_usd(row.cost_nanousd),
        cost_origin=row.cost_origin,
        unpriced_reason=row.unpriced_reason,
        components=[] if bill is None else [_component(one) for one in bill.components],
        rounding_usd=None if bill is None else bill.rounding_usd,
        price_source=None if bill is None else bill.source,
        adjustments=[_adjustment(one) for one in adjustments],
        flags=list(row.flags),
        response_id=row.response_id,
    )


def _adjustment(one: usage.Adjustment) -> Adjustment:
    return Adjustment(
        adjustment_id=one.adjustment_id,
        run_id=one.run_id,
        recorded_at=to_text(one.recorded_at_us),
        before_usd=_usd(one.before_nanousd),
        after_usd=usd_text(one.after_nanousd),
        difference_usd=usd_text(one.difference_nanousd),
        components=[_component(line) for line in one.bill.components],
        rounding_usd=one.bill.rounding_usd,
        flags=list(one.flags),
        reason=one.reason,
        actor=one.actor,
    )


def _component(one: CostComponent) -> Component:
    return Component(
        unit=one.unit,
        quantity=one.quantity,
        rate_usd=one.rate_usd,
        per=one.per,
        amount_usd=one.amount_usd,
        price_version_id=one.price_version_id,
    )


def plain_usd(amount_usd: Decimal) -> str:
    """Return an exact amount as plain decimal text."""
    text = f"{amount_usd:f}"
    return text.rstrip("0").rstrip(".") if "." in text else text


def _usd(amount_nanousd: int | None) -> str | None:
    return None if amount_nanousd is None else usd_text(amount_nanousd)
