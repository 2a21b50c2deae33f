"""What do thousands of calls have in common, so that it is worked out once?

A shape is all that a detail row says besides its own times, counts and amounts: who asked for
what, who served it, how it ended. Of a thousand calls in a batch few have a shape of their own.
"""

from typing import Any

import msgspec

from tollbridge.core.account import AttemptAccount, CallAccount
from tollbridge.core.call import AttemptOutcome, Status
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.core.usage import UsageSource
from tollbridge.recording.details import (
    VARYING,
    Source,
    error_class_of,
    json_of,
    origin_of,
    reason_of,
)
from tollbridge.recording.rollups import (
    FAILURES,
    UNKNOWN,
    Dimension,
    Fold,
    Ids,
    Measures,
    request_count_of,
    status_class,
)
from tollbridge.recording.tables import PROVIDER_LENGTH_MAX

SHAPED = (
    "category",
    "operation",
    "bucket",
    "label",
    "requested_model",
    "served_model",
    "expected_provider",
    "actual_provider_name",
    "upstream_provider_name",
    "endpoint",
    "dialect",
    "attribution_rule",
    "attribution_confidence",
    "attribution_evidence",
    "key_id",
    "key_name",
    "user_name",
    "project",
    "method",
    "path",
    "status",
    "http_status",
    "ending",
    "error_class",
    "attempt_count",
    "stream",
    "usage_source",
    "cost_origin",
    "unpriced",
    "unpriced_reason",
    "flags",
    "on_caller_left",
    "drained",
    "node",
    "worker",
    "request_count",
    "attempt_reason",
    "attempt_facts",
)
"""The columns of `call_details` that a shape gives, in the order of `Shape.values`."""

_TOKENS = slice(VARYING.index("input_tokens"), VARYING.index("input_tokens") + 5)
_COST = VARYING.index("known_cost_nanousd")
_CHARGE = VARYING.index("charge_nanousd")
_LATENCY = VARYING.index("latency_ms")

Key = tuple[Any, ...]


class Shape(msgspec.Struct, gc=False):
    """What many calls have in common."""

    values: tuple[Any, ...]
    ids: Ids
    counts: tuple[int, ...]
    """What such a call adds to the first of CALL_MEASURES."""
    counts_once: bool
    """Whether its only attempt counts in the roll-ups by attempt under the same dimension."""
    folds: bool
    """Whether the detail row says all of its only attempt, where that one `is_plain`."""


class Shapes:
    """The shapes seen of late; those whose dimensions the database surely has.

    Two generations, so that what is used stays and the memory is bounded.
    """

    def __init__(self, cached_max: int) -> None:
        self._generation_max = max(1, cached_max // 2)
        self._young: dict[Key, Shape] = {}
        self._old: dict[Key, Shape] = {}

    def find(self, key: Key) -> Shape | None:
        """Return a shape that is known already."""
        found = self._young.get(key)
        if found is None:
            found = self._old.get(key)
            if found is not None:
                self._keep(key, found)
        return found

    def committed(self, fresh: dict[Key, Shape]) -> None:
        """Remember shapes whose dimensions are in the database from now on."""
        for key, shape in fresh.items():
            self._keep(key, shape)

    def _keep(self, key: Key, shape: Shape) -> None:
        if len(self._young) >= self._generation_max:
            self._old = self._young
            self._young = {}
        self._young[key] = shape


class Shaper:
    """Finds the shapes of the calls of one unit."""

    def __init__(self, known: Shapes, fold: Fold) -> None:
        self._find = known.find
        self._fold = fold
        self.fresh: dict[Key, Shape] = {}

    def shape_of(self, account: CallAccount, source: Source) -> Shape:
        """Return the shape of a call."""
        opened, closed = account.evidence.opened, account.evidence.closed
        attempts = account.attempts
        key = (
            opened.caller,
            account.attribution,
            opened.label,
            opened.path,
            opened.operation,
            opened.category,
            opened.bucket,
            opened.method,
            opened.stream,
            opened.expected_provider,
            account.status,
            account.flags,
            account.usage.source,
            closed.http_status,
            closed.ending,
            closed.on_caller_left,
            closed.drained,
            source.node,
            source.worker,
            len(attempts),
            origin_of(attempts),
            None if account.cost_nanousd is not None else reason_of(attempts),
            None if not attempts else _seen(attempts[-1].evidence),
            tuple(account.usage.facts.items()),
            request_count_of(opened),
        )
        return self._find(key) or self.fresh.get(key) or self._make(key, account, source)

    def _make(self, key: Key, account: CallAccount, source: Source) -> Shape:
        attempts = account.attempts
        serving = attempts[-1].evidence if attempts else None
        dimension = _dimension(account, serving)
        counts_once = len(attempts) == 1 and _counts_alike(attempts[0], dimension)
        folds = counts_once and _folds(attempts[0].evidence, account)
        shape = Shape(
            values=(*_values(account, source, serving), *_of_attempt(account, folds=folds)),
            ids=self._fold.ids(dimension),
            counts=_counts(account),
            counts_once=counts_once,
            folds=folds,
        )
        self.fresh[key] = shape
        return shape


def measures_of(shape: Shape, varying: tuple[Any, ...]) -> Measures:
    """Return the CALL_MEASURES of a call, given its values of VARYING."""
    tokens = varying[_TOKENS]
    return (
        *shape.counts,
        *(tokens if None not in tokens else [count or 0 for count in tokens]),
        varying[_COST],
        varying[_CHARGE],
        varying[_LATENCY],
    )


def _seen(attempt: AttemptEvidence) -> tuple[Any, ...]:
    """Return what of the serving attempt is in a shape."""
    return (
        attempt.number,
        attempt.provider,
        attempt.endpoint,
        attempt.dialect,
        attempt.model,
        attempt.served_model,
        attempt.outcome,
        attempt.http_status,
        attempt.error_class,
        attempt.reason,
    )


def _dimension(account: CallAccount, serving: AttemptEvidence | None) -> Dimension:
    opened = account.evidence.opened
    caller, attribution = opened.caller, account.attribution
    return (
        attribution.provider[:PROVIDER_LENGTH_MAX],
        (attribution.upstream_provider or "")[:PROVIDER_LENGTH_MAX],
        str(opened.bucket),
        str(opened.category),
        str(opened.operation),
        "" if serving is None else serving.model,
        opened.label,
        caller.project,
        caller.user,
        caller.key_id,
        caller.key_name,
        status_class(account.evidence.closed.http_status),
        str(account.usage.source),
    )


def _counts(account: CallAccount) -> tuple[int, ...]:
    completed = account.status is Status.COMPLETED
    count = request_count_of(account.evidence.opened)
    return (
        count,
        count if completed else 0,
        0 if completed else count,
        count if account.cost_nanousd is None else 0,
        count if account.usage.source is UsageSource.ESTIMATED else 0,
    )


def _counts_alike(attempt: AttemptAccount, dimension: Dimension) -> bool:
    seen = attempt.evidence
    return (
        seen.provider[:PROVIDER_LENGTH_MAX] == dimension[0]
        and (attempt.attribution.upstream_provider or "")[:PROVIDER_LENGTH_MAX] == dimension[1]
        and status_class(seen.http_status) == dimension[11]
        and seen.outcome not in FAILURES
        and seen.outcome not in UNKNOWN
    )


def _folds(seen: AttemptEvidence, account: CallAccount) -> bool:
    return (
        seen.number == 1
        and seen.outcome is AttemptOutcome.SUCCEEDED
        and seen.error_class is None
        and seen.http_status == account.evidence.closed.http_status
    )


def _values(
    account: CallAccount, source: Source, serving: AttemptEvidence | None
) -> tuple[Any, ...]:
    """Return the values of SHAPED, as the driver takes them: plain text, no enum."""
    opened, closed = account.evidence.opened, account.evidence.closed
    caller, attribution, attempts = opened.caller, account.attribution, account.attempts
    upstream, origin = attribution.upstream_provider, origin_of(attempts)
    return (
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
        opened.method,
        opened.path,
        str(account.status),
        closed.http_status,
        str(closed.ending),
        error_class_of(account, serving),
        len(attempts),
        opened.stream,
        str(account.usage.source),
        origin and str(origin),
        account.cost_nanousd is None,
        None if account.cost_nanousd is not None else reason_of(attempts),
        json_of(account.flags),
        closed.on_caller_left and str(closed.on_caller_left),
        closed.drained,
        source.node,
        source.worker,
        request_count_of(opened),
    )


def _of_attempt(account: CallAccount, *, folds: bool) -> tuple[str | None, str | None]:
    """Return why the attempt stood where it did and what its price depends on besides."""
    if not folds:
        return None, None
    [attempt] = account.attempts
    return attempt.evidence.reason, json_of(attempt.usage.facts)
