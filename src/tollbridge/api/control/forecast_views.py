"""How are forecasts shown?"""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType
from typing import Any

from pydantic import BaseModel, Field

from tollbridge.api.control.call_views import plain_usd
from tollbridge.core.amounts import amount_text
from tollbridge.core.clock import to_datetime, to_text
from tollbridge.core.limits import LimitKind
from tollbridge.insight.forecast import Accuracy, Span
from tollbridge.insight.forecast_limits import UsedUp
from tollbridge.insight.forecast_usage import Days
from tollbridge.insight.outlook import Outlook

PLACES: Mapping[LimitKind, int] = MappingProxyType({LimitKind.MONEY: 9, LimitKind.CREDITS: 6})
EXPECTED_PLACES = Decimal("0.000001")
"""An expectation is told no finer."""


class Amounts(BaseModel):
    """What is expected, as decimal text."""

    expected: str
    low: str | None = Field(description="Lower end of the band; null: there is none.")
    high: str | None = Field(description="Upper end; null likewise.")


class AccuracyView(BaseModel):
    """How wrong a model was on days of the past that it was not shown."""

    folds: int = Field(description="How many forecasts were made and compared.")
    days: int = Field(description="How far each of them looked ahead.")
    mean_absolute_error: str = Field(description="Of a day, as decimal text.")
    relative_error: float | None = Field(
        description="Σ of the days' absolute errors by Σ of what came; null: nothing came."
    )
    total_relative_error: float | None = Field(description="The same of the sums; null likewise.")
    coverage: float = Field(description="Share of the days that lay within the band.")


class UsedUpView(BaseModel):
    """When nothing is left; a null day: not within the days looked at."""

    already: bool
    expected: str | None = Field(description="Day in the billing time zone.")
    earliest: str | None = Field(description="If as much is used as the band says at most.")
    latest: str | None = Field(description="If as little.")


class LimitOutlook(BaseModel):
    """One budget or wallet. Amounts are decimal text in the unit of its kind."""

    what: str = Field(description="budget, wallet or plan.")
    name: str = Field(description="Of a plan its name and the limit's, such as Pro/openai_calls.")
    subject: str
    kind: str = Field(description="money, credits, calls, tokens, videos, audio or images.")
    limit: str | None = Field(description="Null of a wallet.")
    used: str | None = Field(description="In the running period; null of a wallet.")
    left: str = Field(description="Of a wallet with its overdraft; below nothing after an overrun.")
    period: str | None
    period_end: str | None = Field(description="Null: within a year it does not end.")
    days: int = Field(description="So many days ahead were looked at, with the one that runs.")
    reason: str | None = Field(description="Why nothing is said; else null.")
    model: str | None = Field(
        description="seasonal_naive or theta; pace: as much each day as in the period so far."
    )
    accuracy: AccuracyView | None
    to_come: Amounts | None = Field(description="What is used of it in these days.")
    used_up: UsedUpView | None


def amount_words(kind: LimitKind, amount: float) -> str:
    """Return an expected amount as decimal text: to a millionth, or as a whole number."""
    places = PLACES.get(kind)
    if places is None:
        return str(round(amount))
    return plain_usd(Decimal(amount).scaleb(-places).quantize(EXPECTED_PLACES))


def amounts(kind: LimitKind, span: Span, more: int = 0, *, has_band: bool = True) -> dict[str, Any]:
    """Return the fields of Amounts; `more` is added to each."""
    return {
        "expected": amount_words(kind, span.expected + more),
        "low": amount_words(kind, span.low + more) if has_band else None,
        "high": amount_words(kind, span.high + more) if has_band else None,
    }


def accuracy_view(kind: LimitKind, found: Accuracy | None) -> AccuracyView | None:
    """Return how wrong a model was, as the API shows it."""
    if found is None:
        return None
    return AccuracyView(
        folds=found.folds,
        days=found.days,
        mean_absolute_error=amount_words(kind, found.mean_absolute_error),
        relative_error=_rounded(found.relative_error),
        total_relative_error=_rounded(found.total_relative_error),
        coverage=round(found.coverage, 6),
    )


def day_text(days: Days, day: int) -> str:
    """Return a day ahead, in the billing time zone; 0 is today."""
    return to_datetime(days.start_us(day)).astimezone(days.zone).date().isoformat()


def outlook_view(one: Outlook, days: Days) -> LimitOutlook:
    """Return how long a budget or wallet lasts, as the API shows it."""
    limited = one.limited
    kind = limited.kind
    end_us = limited.period_end_us
    return LimitOutlook(
        what=limited.what,
        name=limited.name,
        subject=limited.subject,
        kind=kind.value,
        limit=None if limited.limit is None else amount_text(kind, limited.limit),
        used=None if limited.used is None else amount_text(kind, limited.used),
        left=amount_text(kind, limited.left),
        period=limited.period,
        period_end=None if end_us is None else to_text(end_us),
        days=limited.ahead_days,
        reason=one.reason,
        model=one.model,
        accuracy=accuracy_view(kind, one.accuracy),
        to_come=None
        if one.ahead is None
        else Amounts(**amounts(kind, one.ahead, has_band=one.has_band)),
        used_up=None if one.used_up is None else _used_up_view(one.used_up, days),
    )


def _used_up_view(when: UsedUp, days: Days) -> UsedUpView:
    def day(ahead: int | None) -> str | None:
        return None if ahead is None else day_text(days, ahead)

    return UsedUpView(
        already=when.already,
        expected=day(when.expected),
        earliest=day(when.earliest),
        latest=day(when.latest),
    )


def _rounded(part: float | None) -> float | None:
    return None if part is None else round(part, 6)
