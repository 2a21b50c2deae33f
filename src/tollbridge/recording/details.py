"""What of a detail row is the call's own?

A tuple in the order of VARYING, in the driver's own values: thousands are
made a second, so there is no dict and no object in between.
"""

from collections.abc import Sequence
from typing import Any

import msgspec

from tollbridge.core.account import AttemptAccount, CallAccount, CostComponent, CostOrigin, Rated
from tollbridge.core.call import Status
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.core.usage import Usage

LABEL_LENGTH_MAX = 255
"""Of what a caller may choose freely: customer and tags."""
MIXED = "mixed"

VARYING = (
    "call_id",
    "accounted_at_us",
    "received_at_us",
    "opened_at_us",
    "closed_at_us",
    "latency_ms",
    "known_cost_nanousd",
    "charge_nanousd",
    "request_bytes",
    "response_bytes",
    "first_byte_at_us",
    "first_byte_ms",
    "input_tokens",
    "output_tokens",
    "cache_read_tokens",
    "cache_write_tokens",
    "reasoning_tokens",
    "total_tokens",
    "cost_nanousd",
    "computed_nanousd",
    "reported_nanousd",
    "attempt_started_at_us",
    "attempt_ended_at_us",
    "usage",
    "components",
    "tags",
    "customer",
    "error_message",
    "response_id",
)
"""The columns of `call_details` that are a call's own; shapes.py gives the others."""

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
    source: str | None
    """database, or seed: nobody has said anything of the price since it came with the program."""


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


def varying_row(account: CallAccount, serving_counted: Counted, *, folded: bool) -> tuple[Any, ...]:
    """Return the values of VARYING: what of a call's detail row is its own.

    `serving_counted` is of the serving attempt; `folded`: its only attempt has no other row.
    """
    opened, closed = account.evidence.opened, account.evidence.closed
    attempts = account.attempts
    tokens, usage_text = serving_counted
    read, written = tokens[0], tokens[1]
    received_at_us, closed_at_us = opened.received_at_us, closed.closed_at_us
    serving = attempts[-1].evidence if attempts else None
    first_byte_at_us = None if serving is None else serving.first_byte_at_us
    cost_nanousd = account.cost_nanousd
    if len(attempts) == 1:
        rated = attempts[0].rated
        computed_nanousd, reported_nanousd = rated.computed_nanousd, rated.reported_nanousd
    else:
        computed_nanousd, reported_nanousd = _figures(attempts)
    return (
        opened.call_id,
        account.accounted_at_us,
        received_at_us,
        opened.opened_at_us,
        closed_at_us,
        max(0, (closed_at_us - received_at_us + 500) // 1000),
        known_cost_of(account) if cost_nanousd is None else cost_nanousd,
        account.charge_nanousd,
        opened.request_bytes,
        closed.response_bytes,
        first_byte_at_us,
        milliseconds(received_at_us, first_byte_at_us),
        *tokens,
        None if read is None and written is None else (read or 0) + (written or 0),
        cost_nanousd,
        computed_nanousd,
        reported_nanousd,
        serving.started_at_us if folded and serving is not None else None,
        serving.ended_at_us if folded and serving is not None else None,
        usage_text,
        _bills(attempts),
        json_of([tag[:LABEL_LENGTH_MAX] for tag in opened.tags]) if opened.tags else None,
        opened.customer and opened.customer[:LABEL_LENGTH_MAX],
        error_message_of(account, serving),
        serving.response_id if folded and serving is not None else None,
    )


def error_class_of(account: CallAccount, serving: AttemptEvidence | None) -> str | None:
    """Return the class of what went wrong."""
    if account.status is Status.COMPLETED or serving is None or serving.error_class is None:
        return None
    return str(serving.error_class)


def error_message_of(account: CallAccount, serving: AttemptEvidence | None) -> str | None:
    """Return our words, else the provider's, of what went wrong."""
    message = account.evidence.closed.error
    if message is not None or account.status is Status.COMPLETED or serving is None:
        return message
    return serving.message


def origin_of(attempts: Sequence[AttemptAccount]) -> str | None:
    """Return whose figure the cost is, over all attempts that may be billed."""
    if len(attempts) == 1:
        return attempts[0].rated.origin
    origins = {rated.origin for rated in _billing(attempts)}
    if not origins:
        return CostOrigin.NOTHING_OWED
    return origins.pop() if len(origins) == 1 else MIXED


def reason_of(attempts: Sequence[AttemptAccount]) -> str | None:
    """Return why a cost is unknown."""
    for attempt in attempts:
        if attempt.rated.cost_nanousd is None:
            return attempt.rated.unpriced_reason
    return None


def _billing(attempts: Sequence[AttemptAccount]) -> list[Rated]:
    return [one.rated for one in attempts if one.rated.origin is not CostOrigin.NOTHING_OWED]


def _figures(attempts: Sequence[AttemptAccount]) -> tuple[int | None, int | None]:
    """Return what our prices give, and what providers reported."""
    billing = _billing(attempts)
    if not billing:
        return None, None
    return (
        _sum([rated.computed_nanousd for rated in billing]),
        _sum([rated.reported_nanousd for rated in billing]),
    )


def _sum(amounts: Sequence[int | None]) -> int | None:
    """Return a sum that is unknown where a part of it is."""
    known = [amount for amount in amounts if amount is not None]
    return sum(known) if len(known) == len(amounts) else None


def _bills(attempts: Sequence[AttemptAccount]) -> str | None:
    if len(attempts) == 1:
        rated = attempts[0].rated
        if not rated.components:
            return None
        number = attempts[0].evidence.number
        return _encode([_bill(number, rated)]).decode()
    return json_of(
        [_bill(one.evidence.number, one.rated) for one in attempts if one.rated.components]
    )


def _bill(attempt: int, rated: Rated) -> Bill:
    return Bill(attempt, rated.components, rated.rounding_usd, rated.source)
