"""How does the API show what insight found?"""

from collections.abc import Iterable, Sequence
from decimal import Decimal
from typing import Any

from pydantic import BaseModel, Field

from tollbridge.api.control.call_views import plain_usd
from tollbridge.core.clock import to_text
from tollbridge.core.money import usd_text
from tollbridge.insight.axes import Axis, Group, Sums
from tollbridge.insight.statistics import share


class Span(BaseModel):
    """A time, as it was moved to quarter hours."""

    from_: str = Field(serialization_alias="from")
    to: str = Field(description="Not included.")


class InsightSums(BaseModel):
    """Sums. Where providers or models are told apart, tokens and cost are those of attempts."""

    calls: int = Field(description="By the provider that served.")
    completed: int
    failed: int
    success_rate: float | None = Field(description="Of calls, 0 to 1; null without calls.")
    attempts: int | None = Field(
        description="By the provider that was tried; null where users are told apart."
    )
    attempts_failed: int | None = Field(
        description="Refused, broken off, or never answered; null likewise."
    )
    input_tokens: int
    output_tokens: int
    total_tokens: int
    cache_read_tokens: int
    cache_write_tokens: int
    reasoning_tokens: int
    cost_usd: str | None = Field(
        description="Of what is known (`unpriced` are not whole in it); null where nothing is."
    )
    charge_usd: str
    unpriced: int = Field(description="How many have a cost that is not known.")
    estimated: int = Field(description="How many have usage that was estimated.")
    latency_ms_mean: int | None = Field(description="Of attempts.")
    first_byte_ms_mean: int | None = Field(description="Of attempts.")


def sums_view(sums: Sums, *, attempts: bool = True) -> InsightSums:
    """Return sums as the API shows them."""
    return InsightSums(**sums_fields(sums, attempts=attempts))


def sums_fields(sums: Sums, *, attempts: bool = True) -> dict[str, Any]:
    """Return the fields of InsightSums; `attempts`: whether what only attempts have is known."""
    return {
        "calls": sums.calls,
        "completed": sums.completed,
        "failed": sums.failed,
        "success_rate": share(sums.completed, sums.calls),
        "attempts": sums.attempts if attempts else None,
        "attempts_failed": sums.attempts - sums.successes if attempts else None,
        "input_tokens": sums.input_tokens,
        "output_tokens": sums.output_tokens,
        "total_tokens": sums.total_tokens,
        "cache_read_tokens": sums.cache_read_tokens,
        "cache_write_tokens": sums.cache_write_tokens,
        "reasoning_tokens": sums.reasoning_tokens,
        "cost_usd": known_cost(sums),
        "charge_usd": usd_text(sums.charge_nanousd),
        "unpriced": sums.unpriced,
        "estimated": sums.estimated,
        "latency_ms_mean": mean(sums.latency_ms_sum, sums.latency_count),
        "first_byte_ms_mean": mean(sums.first_byte_ms_sum, sums.first_byte_count),
    }


def known_cost(sums: Sums) -> str | None:
    """Return the sum of what is known as text; None where there is usage and nothing is."""
    return None if sums.unpriced and not sums.cost_nanousd else usd_text(sums.cost_nanousd)


def mean(total: int, count: int) -> int | None:
    """Return a mean in whole numbers, half up; None of nothing."""
    return None if count <= 0 else (2 * total + count) // (2 * count)


def money(amount_usd: Decimal | None) -> str | None:
    """Return an exact amount as plain text; None stays None."""
    return None if amount_usd is None else plain_usd(amount_usd)


def span_view(from_us: int, to_us: int) -> Span:
    """Return a time as the API shows it."""
    return Span(from_=to_text(from_us), to=to_text(to_us))


def named(axes: Sequence[Axis], group: Group) -> dict[str, str | None]:
    """Return a group as axis → value; none is null."""
    return {axis.value: value or None for axis, value in zip(axes, group, strict=True)}


class InsightChange(BaseModel):
    """Against the time before; each null where that was nothing."""

    cost: float | None = Field(description="0.25 is a quarter more.")
    calls: float | None
    tokens: float | None
    success_rate: float | None = Field(description="Difference of the shares.")


def change_view(now: Sums, before: Sums) -> InsightChange:
    """Return how much more there is than before."""
    rate, rate_before = share(now.completed, now.calls), share(before.completed, before.calls)
    both = rate is not None and rate_before is not None
    return InsightChange(
        cost=_more(now.cost_nanousd, before.cost_nanousd),
        calls=_more(now.calls, before.calls),
        tokens=_more(now.total_tokens, before.total_tokens),
        success_rate=round((rate or 0) - (rate_before or 0), 6) if both else None,
    )


def _more(now: int, before: int) -> float | None:
    return None if before <= 0 else round((now - before) / before, 6)


class NamedSums(InsightSums):
    """The sums of one name."""

    name: str | None = Field(description="Null: there is none.")


class TopList(BaseModel):
    """The dearest, and what the others come to."""

    top: list[NamedSums]
    rest: InsightSums
    rest_count: int = Field(description="How many are in the rest.")


def top_view(
    groups: Iterable[tuple[str, Sums]], rest: Sums, rest_count: int, *, attempts: bool = True
) -> TopList:
    """Return the dearest of one kind as the API shows them."""
    return TopList(
        top=[
            NamedSums(name=name or None, **sums_fields(sums, attempts=attempts))
            for name, sums in groups
        ],
        rest=sums_view(rest, attempts=attempts),
        rest_count=rest_count,
    )
