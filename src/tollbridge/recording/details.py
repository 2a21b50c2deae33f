"""Which detail row follows from a call's account?

A tuple in the order of the columns of `call_details`, in the driver's own values: thousands are
made a second, so there is no dict and no object in between.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from tollbridge.core.account import AttemptAccount, CallAccount, CostComponent, CostOrigin
from tollbridge.core.call import Status
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.core.usage import Usage
from tollbridge.recording.tables import PROVIDER_LENGTH_MAX

LABEL_LENGTH_MAX = 255
"""Of what a caller may choose freely: customer and tags."""
MIXED = "mixed"

Tokens = tuple[int | None, int | None, int | None, int | None, int | None]
Counted = tuple[Tokens, str | None]
"""Of one usage: its tokens, and all its units as JSON text."""

_encode = msgspec.json.Encoder().encode


class Source(msgspec.Struct, frozen=True):
    """Where a call's records come from, and what they said."""

    node: str
    worker: str
    segment: str
    offset_bytes: int
    raw: bytes
    """JSON: {"opened": …, "closed": …}."""


class Bill(msgspec.Struct, frozen=True):
    """The lines of one attempt's cost."""

    attempt: int
    components: tuple[CostComponent, ...]
    rounding_usd: str


def milliseconds(start_us: int, end_us: int | None) -> int | None:
    """Return a duration in whole milliseconds, never below zero; None where it has no end."""
    return None if end_us is None else max(0, (end_us - start_us + 500) // 1000)


def json_of(value: object) -> str | None:
    """Return the text of a JSON column; what is empty is NULL."""
    return _encode(value).decode() if value else None


def tokens_of(usage: Usage) -> Tokens:
    """Return input, output, cache-read, cache-write and reasoning tokens; None is unknown."""
    get = usage.counts.get
    return get("input"), get("output"), get("cache_read"), get("cache_write"), get("reasoning")


def known_cost_of(account: CallAccount) -> int:
    """Return the sum of what is known of the attempts' costs, in nano-USD."""
    if account.cost_nanousd is not None:
        return account.cost_nanousd
    return sum([attempt.rated.cost_nanousd or 0 for attempt in account.attempts])


def counted(usage: Usage) -> Counted:
    """Return what both the detail row and the attempt's row say of a usage."""
    return tokens_of(usage), json_of(usage.counts)


def detail_row(account: CallAccount, source: Source, serving_counted: Counted) -> tuple[Any, ...]:
    """Return the values of `call_details` in the order of its columns.

    An enum's plain text is `str(member)`: `.value` takes four times as long.
    """
    opened, closed = account.evidence.opened, account.evidence.closed
    attempts = account.attempts
    serving = attempts[-1].evidence if attempts else None
    usage, tokens, usage_text = account.usage, *serving_counted
    read, written = tokens[0], tokens[1]
    unpriced = account.cost_nanousd is None
    return (
        *_who(account, serving),
        str(account.status),
        closed.http_status,
        str(closed.ending),
        *_error(account, serving),
        len(attempts),
        opened.stream,
        *tokens,
        None if read is None and written is None else (read or 0) + (written or 0),
        usage_text,
        str(usage.source),
        account.cost_nanousd,
        known_cost_of(account),
        *_figures(attempts),
        unpriced,
        _reason(attempts) if unpriced else None,
        account.charge_nanousd,
        _bills(attempts),
        json_of(account.flags),
        opened.request_bytes,
        closed.response_bytes,
        closed.on_caller_left and str(closed.on_caller_left),
        closed.drained,
        source.node,
        source.worker,
        1,
    )


def _who(account: CallAccount, serving: AttemptEvidence | None) -> tuple[Any, ...]:
    """Return the first columns: when, what, by whom, for whom."""
    opened, closed = account.evidence.opened, account.evidence.closed
    caller, attribution = opened.caller, account.attribution
    first_byte_at_us = None if serving is None else serving.first_byte_at_us
    upstream = attribution.upstream_provider
    return (
        opened.call_id,
        account.accounted_at_us,
        opened.received_at_us,
        opened.opened_at_us,
        closed.closed_at_us,
        first_byte_at_us,
        milliseconds(opened.received_at_us, closed.closed_at_us),
        milliseconds(opened.received_at_us, first_byte_at_us),
        str(opened.category),
        str(opened.operation),
        str(opened.bucket),
        opened.label,
        None if serving is None else serving.model,
        None if serving is None else serving.served_model,
        opened.expected_provider and opened.expected_provider[:PROVIDER_LENGTH_MAX],
        attribution.provider[:PROVIDER_LENGTH_MAX],
        upstream and upstream[:PROVIDER_LENGTH_MAX],
        None if serving is None else serving.endpoint,
        None if serving is None else serving.dialect,
        attribution.rule_id,
        str(attribution.confidence),
        attribution.evidence,
        caller.key_id,
        caller.key_name,
        caller.user,
        caller.project,
        opened.customer and opened.customer[:LABEL_LENGTH_MAX],
        json_of([tag[:LABEL_LENGTH_MAX] for tag in opened.tags]) if opened.tags else None,
        opened.method,
        opened.path,
    )


def _error(account: CallAccount, serving: AttemptEvidence | None) -> tuple[str | None, str | None]:
    """Return the class and the message of what went wrong."""
    message = account.evidence.closed.error
    if account.status is Status.COMPLETED or serving is None:
        return None, message
    error_class = serving.error_class
    return (
        None if error_class is None else str(error_class),
        serving.message if message is None else message,
    )


def _figures(attempts: Sequence[AttemptAccount]) -> tuple[str | None, int | None, int | None]:
    """Return the origin of the cost, what our prices give, and what providers reported."""
    if len(attempts) == 1:
        rated = attempts[0].rated
        origin = rated.origin
        return origin and str(origin), rated.computed_nanousd, rated.reported_nanousd
    billing = [one.rated for one in attempts if one.rated.origin is not CostOrigin.NOTHING_OWED]
    if not billing:
        return CostOrigin.NOTHING_OWED.value, None, None
    origins = {rated.origin for rated in billing}
    origin = origins.pop() if len(origins) == 1 else MIXED
    return (
        None if origin is None else str(origin),
        _sum([rated.computed_nanousd for rated in billing]),
        _sum([rated.reported_nanousd for rated in billing]),
    )


def _sum(amounts: Sequence[int | None]) -> int | None:
    """Return a sum that is unknown where a part of it is."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if len(known) == len(amounts) else None


def _reason(attempts: Sequence[AttemptAccount]) -> str | None:
    for attempt in attempts:
        if attempt.rated.cost_nanousd is None:
            return attempt.rated.unpriced_reason
    return None


def _bills(attempts: Sequence[AttemptAccount]) -> str | None:
    return json_of(
        [
            Bill(one.evidence.number, one.rated.components, one.rated.rounding_usd)
            for one in attempts
            if one.rated.components
        ]
    )
