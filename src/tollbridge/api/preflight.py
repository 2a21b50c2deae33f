"""What is a batch of operations that somebody wants to make, and what would each cost?

Names of providers are those that the documents show: a bucket, or huggingface (mistral), fal and
fal-ai (video). An operation's provider is asked for its price only; limits count by the bucket.
"""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, ConfigDict, Field

from tollbridge.attribution.detect import detect_actual_provider
from tollbridge.core.call import Bucket
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.money import to_usd
from tollbridge.core.provider_names import ProviderNames
from tollbridge.core.usage import Unit, Usage, UsageSource
from tollbridge.ledger.plans import COUNT_MAX, SEARCH_BUCKETS, Measure, Used
from tollbridge.ledger.preflight import LimitState, Verdict, Wanted, check_batch
from tollbridge.rating.book import PriceBook
from tollbridge.rating.rate import rate

OPERATIONS_MAX = 1000
NAME_MAX = 200
ALIASES: Mapping[str, Bucket] = MappingProxyType(
    {"huggingface": Bucket.MISTRAL, "fal": Bucket.VIDEO, "fal-ai": Bucket.VIDEO}
)
_NAMED: Mapping[str, Bucket] = {**{bucket.value: bucket for bucket in Bucket}, **ALIASES}
# What a bucket of text is priced by where no model is named.
DEFAULT_MODELS: Mapping[Bucket, str] = MappingProxyType(
    {
        Bucket.GEMINI: "gemini-2.5-flash",
        Bucket.OPENAI: "gpt-4o-mini",
        Bucket.ANTHROPIC: "claude-3.5-sonnet",
        Bucket.MISTRAL: "openai/gpt-oss-120b:groq",
        Bucket.WAVESPEED: "openai/gpt-oss-120b",
    }
)
# One picture, a film of five seconds: what an operation is taken for that does not say.
_PICTURE: Mapping[Unit, int] = {Unit.IMAGE: 1, Unit.PIXEL: 1024 * 1024}
_FILM: Mapping[Unit, int] = {Unit.VIDEO: 1, Unit.VIDEO_MS: 5000}
_SEARCH: Mapping[Unit, int] = {Unit.REQUEST: 1, Unit.SEARCH: 1}
_FACTS: Mapping[Bucket, Mapping[str, str]] = {
    Bucket.STABILITY: {"size": "1024x1024", "quality": "standard"},
    Bucket.IMAGE_EDIT: {"size": "1024x1024", "quality": "standard"},
    Bucket.VIDEO: {"resolution": "720p", "duration_s": "5"},
}


class PreflightOperation(BaseModel):
    """One operation that somebody wants to make."""

    model_config = ConfigDict(extra="forbid")

    provider: str = Field(
        min_length=1, max_length=NAME_MAX, description="A bucket, huggingface, fal or fal-ai."
    )
    model: str | None = Field(default=None, max_length=NAME_MAX)
    tokens_requested: int = Field(
        default=0, ge=0, le=COUNT_MAX, description="Tokens; of audio characters."
    )
    operation_type: str = Field(min_length=1, max_length=NAME_MAX)
    actual_provider_name: str | None = Field(
        default=None, max_length=NAME_MAX, description="For the price; no limit asks for it."
    )


class PreflightOrder(BaseModel):
    """Operations in the order in which they would be made."""

    model_config = ConfigDict(extra="forbid")

    operations: list[PreflightOperation] = Field(min_length=1, max_length=OPERATIONS_MAX)


def bucket_named(provider: str) -> Bucket | None:
    """Return the bucket that is meant, None where there is none of that name."""
    return _NAMED.get(provider.strip().lower())


class Prices:
    """What an operation would cost, by the prices in force at one instant."""

    def __init__(self, book: PriceBook, names: ProviderNames, at_us: int) -> None:
        self._book = book
        self._names = names
        self._at_us = at_us

    def wanted(self, operation: PreflightOperation, bucket: Bucket) -> Wanted:
        """Return an operation with its cost; None where nothing tells."""
        return Wanted(
            bucket=bucket.value,
            # Characters of speech are no tokens.
            tokens=0 if bucket is Bucket.AUDIO else operation.tokens_requested,
            cost_nanousd=self._cost(operation, bucket),
            is_price_needed=operation.model is not None and bool(_counts(operation, bucket)),
        )

    def _cost(self, operation: PreflightOperation, bucket: Bucket) -> int | None:
        counts = _counts(operation, bucket)
        model = operation.model or DEFAULT_MODELS.get(bucket)
        if not counts or model is None:
            return None
        usage = Usage(
            counts={unit.value: count for unit, count in counts.items()},
            source=UsageSource.ESTIMATED,
            facts=dict(_FACTS.get(bucket, {})),
        )
        provider = self._provider(operation, bucket, model)
        return rate(usage, provider, (model,), self._at_us, self._book).cost_nanousd

    def _provider(self, operation: PreflightOperation, bucket: Bucket, model: str) -> str:
        if operation.actual_provider_name:
            serving = self._names.resolve(operation.actual_provider_name)
            return operation.actual_provider_name if serving is None else serving.provider
        return detect_actual_provider(bucket, model)


def answer(
    order: PreflightOrder, limits: Mapping[str, int], used: Used, prices: Prices
) -> dict[str, Any]:
    """Return the answer to a preflight check. Raises InvalidRequestError where none is valid.

    An operation of an unknown provider is refused, and with it the batch: a yes to the others
    would be a yes to it.
    """
    buckets = [bucket_named(one.provider) for one in order.operations]
    wanted = [
        prices.wanted(one, bucket)
        for one, bucket in zip(order.operations, buckets, strict=True)
        if bucket is not None
    ]
    if not wanted:
        known = ", ".join((*(bucket.value for bucket in Bucket), *ALIASES))
        raise InvalidRequestError(
            f"no operation names a provider that is known: {known}",
            details={"param": "operations"},
        )
    verdicts = check_batch(limits, used, wanted)
    known_ones = iter(zip(wanted, verdicts, strict=True))
    shown = [
        _unknown(one) if bucket is None else _shown(one, *next(known_ones))
        for one, bucket in zip(order.operations, buckets, strict=True)
    ]
    costs = [one.cost_nanousd for one in wanted]
    known_usd = to_usd(sum(cost for cost in costs if cost is not None))
    return {
        "can_proceed": all(one["allowed"] for one in shown),
        "estimated_cost": known_usd,
        "total_cost": None if None in costs or None in buckets else known_usd,
        "operations": shown,
        "usage_summary": _summary(check_batch(limits, used, wanted[:1]), limits, used, wanted),
        "cached": False,
    }


def _summary(
    first: Sequence[Verdict], limits: Mapping[str, int], used: Used, wanted: Sequence[Wanted]
) -> dict[str, Any]:
    """Return how the calls of the first operation's bucket stand, before the batch."""
    state = first[0].limit
    if state is None or state.measure is not Measure.CALLS:
        name = f"{wanted[0].bucket}_calls"
        count = used.calls.get(wanted[0].bucket, 0)
        state = LimitState(name, Measure.CALLS, count, limits.get(name))
    return {"current_calls": state.used, "limit": state.limit, "remaining": state.remaining}


def _shown(operation: PreflightOperation, wanted: Wanted, verdict: Verdict) -> dict[str, Any]:
    state, cost = verdict.limit, wanted.cost_nanousd
    info = None
    if state is not None:
        amounts = (state.used, state.limit, state.remaining)
        info = dict(
            zip(
                ("current_usage", "limit", "remaining"),
                [_amount(state, one) for one in amounts],
                strict=True,
            )
        )
    return {
        "provider": operation.provider,
        "operation_type": operation.operation_type,
        "cost": None if cost is None else to_usd(cost),
        "allowed": verdict.allowed,
        "limit_info": info,
        "message": verdict.message,
    }


def _unknown(operation: PreflightOperation) -> dict[str, Any]:
    return {
        "provider": operation.provider,
        "operation_type": operation.operation_type,
        "cost": None,
        "allowed": False,
        "limit_info": None,
        "message": f"{operation.provider!r} is no provider that is known",
    }


def _amount(state: LimitState, amount: int | None) -> int | Decimal | None:
    return to_usd(amount) if amount is not None and state.measure is Measure.COST else amount


def _counts(operation: PreflightOperation, bucket: Bucket) -> Mapping[Unit, int]:
    """Return what an operation would use; nothing where that is not known."""
    if bucket in {Bucket.STABILITY, Bucket.IMAGE_EDIT}:
        return _PICTURE
    if bucket is Bucket.VIDEO:
        return _FILM
    if bucket in SEARCH_BUCKETS:
        return _SEARCH
    unit = Unit.CHARACTER if bucket is Bucket.AUDIO else Unit.INPUT
    return {unit: operation.tokens_requested} if operation.tokens_requested else {}
