"""In which shapes do the documents show a user's usage, plan and prices?

Money is a number of US dollars, what is unlimited is null, and so is what nobody knows.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import tzinfo
from decimal import Decimal
from typing import Any

from tollbridge.api.control.plan_views import percentage
from tollbridge.core.call import Bucket
from tollbridge.core.clock import to_datetime, to_text
from tollbridge.core.money import to_usd
from tollbridge.insight.plan_queries import BucketUse, PeriodUse
from tollbridge.insight.usage import Total
from tollbridge.ledger.plans import MONTHLY_COST, RULES, TEXT_CALLS, PlanRow, Used
from tollbridge.rating.prices import PriceRow

CENT = Decimal("0.01")
WARNING_PERCENT = 80
TEXT_CALLS_SHOWN = "ai_text_generation_calls"
TOKEN_BUCKETS = (Bucket.GEMINI, Bucket.OPENAI, Bucket.ANTHROPIC, Bucket.MISTRAL)
NO_USE = BucketUse()
# Unit of a price → what the documents call it; all other units are told in `description`.
COST_OF: Mapping[str, str] = {
    "input": "cost_per_input_token",
    "output": "cost_per_output_token",
    "request": "cost_per_request",
    "search": "cost_per_search",
    "image": "cost_per_image",
    "page": "cost_per_page",
}


def limits_of(limits: Mapping[str, int]) -> dict[str, Any]:
    """Return a plan's limits by the documents' names, with what each means.

    Null is unlimited, 0 allows none: `_zero_means` says disabled, unlimited or limited of each.
    """
    shown: dict[str, Any] = {TEXT_CALLS_SHOWN: limits.get(TEXT_CALLS)}
    shown |= {f"{one.value}_calls": limits.get(f"{one.value}_calls") for one in Bucket}
    shown |= {f"{one.value}_tokens": limits.get(f"{one.value}_tokens") for one in TOKEN_BUCKETS}
    cost = limits.get(MONTHLY_COST)
    shown["monthly_cost"] = None if cost is None else to_usd(cost)
    shown["_zero_means"] = {name: _meaning(value) for name, value in shown.items()}
    return shown


def plan_of(row: PlanRow) -> dict[str, Any]:
    """Return a plan as the list of plans shows it."""
    terms = row.terms
    return {
        "id": row.plan_id,
        "name": terms.name,
        "tier": terms.tier.value,
        "price_monthly": to_usd(terms.price_monthly_nanousd),
        "price_yearly": to_usd(terms.price_yearly_nanousd),
        "description": terms.description,
        "features": list(terms.features),
        "limits": limits_of(terms.limits),
    }


def status_of_usage(limits: Mapping[str, int], used: Used) -> str:
    """Return active, warning from 80 % of any limit on, limit_reached from 100 % on.

    A limit that allows nothing is not reached by whoever does not try.
    """
    worst = 0.0
    for name, limit in limits.items():
        count = used.of(RULES[name])
        if limit or count:
            worst = max(worst, percentage(count, limit) or 0.0)
    if worst >= 100:
        return "limit_reached"
    return "warning" if worst >= WARNING_PERCENT else "active"


def percentages_of(limits: Mapping[str, int], used: Used) -> dict[str, float | None]:
    """Return how much of each limit of calls and of the cost is used; null is unlimited."""
    shown = {TEXT_CALLS_SHOWN: percentage(used.of(RULES[TEXT_CALLS]), limits.get(TEXT_CALLS))}
    for bucket in Bucket:
        name = f"{bucket.value}_calls"
        shown[name] = percentage(used.of(RULES[name]), limits.get(name))
    shown["cost"] = percentage(used.of(RULES[MONTHLY_COST]), limits.get(MONTHLY_COST))
    return shown


def usage_stats(
    period: str,
    use: PeriodUse,
    of_limits: tuple[PlanRow | None, Used],
    providers: Iterable[tuple[str, Total]],
    now_us: int,
) -> dict[str, Any]:
    """Return a user's usage of a period. `of_limits`: the plan, and what counts against it."""
    plan, used = of_limits
    limits = {} if plan is None else plan.terms.limits
    total = use.total
    return {
        "billing_period": period,
        "usage_status": status_of_usage(limits, used),
        "total_calls": total.calls,
        "total_tokens": total.tokens,
        "total_cost": cents(total.cost_nanousd),
        "avg_response_time": _mean_s(total),
        "error_rate": _share(total.failed, total.calls),
        "limits": {
            "plan_name": None if plan is None else plan.terms.name,
            "tier": None if plan is None else plan.terms.tier.value,
            "limits": limits_of(limits),
            "features": [] if plan is None else list(plan.terms.features),
        },
        "provider_breakdown": {
            name: {
                "calls": one.calls,
                "tokens": one.input_tokens + one.output_tokens,
                "cost": to_usd(one.cost_nanousd),
            }
            for name, one in providers
        },
        "usage_percentages": percentages_of(limits, used),
        "last_updated": to_text(now_us),
    }


def trends_of(months: Sequence[tuple[str, PeriodUse]]) -> dict[str, Any]:
    """Return usage by month, the oldest first, in sum and by bucket."""
    totals = [use.total for _, use in months]
    buckets = sorted({bucket for _, use in months for bucket in use.by_bucket})
    return {
        "periods": [name for name, _ in months],
        "total_calls": [one.calls for one in totals],
        "total_cost": [to_usd(one.cost_nanousd) for one in totals],
        "total_tokens": [one.tokens for one in totals],
        "provider_trends": {
            bucket: _trend([use.by_bucket.get(bucket, NO_USE) for _, use in months])
            for bucket in buckets
        },
    }


def history_of(months: Sequence[tuple[str, PeriodUse]]) -> list[dict[str, Any]]:
    """Return usage by month, the newest first, of months in which there was any."""
    return [
        {
            "billing_period": name,
            "total_calls": use.total.calls,
            "total_tokens": use.total.tokens,
            "total_cost": cents(use.total.cost_nanousd),
        }
        for name, use in reversed(months)
        if use.by_bucket
    ]


def price_of(provider: str, model: str, rows: Sequence[PriceRow]) -> dict[str, Any]:
    """Return a model's prices: those without conditions, each for one of its unit."""
    plain = {row.unit: row for row in rows if not row.conditions}
    shown: dict[str, Any] = {"provider": provider, "model_name": model}
    for unit, name in COST_OF.items():
        row = plain.get(unit)
        shown[name] = None if row is None else _each(row)
    others = [
        f"{row.unit} {row.rate_usd} per {row.per}{' in some cases' if row.conditions else ''}"
        for row in rows
        if row.conditions or row.unit not in COST_OF
    ]
    shown["description"] = f"USD: {'; '.join(others)}" if others else None
    shown["effective_date"] = to_text(max(row.valid_from_us for row in rows))
    return shown


def cents(amount_nanousd: int) -> Decimal:
    """Return an amount in US dollars, rounded to 2 decimals, as the documents show sums."""
    return to_usd(amount_nanousd).quantize(CENT)


def month_name(at_us: int, zone: tzinfo) -> str:
    """Return the month of an instant in the billing time zone, as YYYY-MM."""
    return f"{to_datetime(at_us).astimezone(zone):%Y-%m}"


def _each(row: PriceRow) -> Decimal | None:
    return None if row.rate_usd is None else Decimal(row.rate_usd) / row.per


def _trend(uses: Sequence[BucketUse]) -> dict[str, Any]:
    return {
        "calls": [one.calls for one in uses],
        "cost": [to_usd(one.cost_nanousd) for one in uses],
        "tokens": [one.tokens for one in uses],
    }


def _meaning(value: object) -> str:
    if value is None:
        return "unlimited"
    return "limited" if value else "disabled"


def _mean_s(total: BucketUse) -> Decimal | None:
    if not total.calls:
        return None
    return (Decimal(total.latency_ms_sum) / total.calls / 1000).quantize(Decimal("0.001"))


def _share(part: int, whole: int) -> Decimal:
    """Return a share in percent, to 2 places; 0 of nothing is 0."""
    return (Decimal(part * 100) / whole).quantize(CENT) if whole else Decimal(0)
