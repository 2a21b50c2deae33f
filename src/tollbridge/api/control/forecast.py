"""What do the days ahead bring, and how long do budgets and wallets last?"""

from collections.abc import Sequence
from typing import Annotated, Literal

import msgspec
from fastapi import APIRouter
from fastapi import Query as QueryParameters
from pydantic import BaseModel, Field

from tollbridge.api.control.forecast_views import (
    AccuracyView,
    Amounts,
    LimitOutlook,
    accuracy_view,
    amount_words,
    amounts,
    day_text,
    outlook_view,
)
from tollbridge.api.control.insight_query import (
    PeriodQuery,
    Scene,
    SliceQuery,
    scene_of,
    slice_of,
    span_of,
)
from tollbridge.api.control.insight_views import Span, span_view
from tollbridge.api.control.page import NextCursor, PageQuery, decode_cursor, encode_cursor
from tollbridge.api.deps import ControlOf, ViewerOf
from tollbridge.core.clock import to_text
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.limits import LimitKind
from tollbridge.insight.axes import Axis, days_later, labels
from tollbridge.insight.forecast import DAYS_AHEAD_MAX, Forecast, day_span, total_spans
from tollbridge.insight.forecast_usage import (
    Days,
    ForecastTerms,
    Measure,
    Past,
    days_before,
    largest,
    past_of,
)
from tollbridge.insight.foretell import Forecaster, Foretold, foretell, too_short
from tollbridge.insight.outlook import budgets_of, outlooks, wallets_of
from tollbridge.insight.outlook_plans import plans_of
from tollbridge.ledger.periods import period_bounds
from tollbridge.storage.unit import Database

HORIZONS = (30, 90)
router = APIRouter(prefix="/insight", tags=["insight"])
Confidence = Annotated[
    float, Field(ge=0.5, le=0.99, description="How much the band is to hold, such as 0.9.")
]


class ForecastQuery(SliceQuery):
    """Of which usage. `from` and `to` are the time that is learnt from; else up to now."""

    group_by: Literal[
        "provider", "upstream", "bucket", "category", "operation", "model", "route",
        "project", "user", "key", "customer",
    ] | None = Field(default=None, description="A series for each; else one of all.")  # fmt: skip
    measure: Measure = Field(default=Measure.COST)
    top: int = Field(default=10, ge=1, description="So many series; the others as one.")
    days: int = Field(
        default=30, ge=1, le=DAYS_AHEAD_MAX, description="So many days ahead one by one."
    )
    confidence: Confidence = 0.9


class DayAhead(Amounts):
    """One day."""

    day: str


class Horizon(Amounts):
    """What comes from now to an end."""

    until: str = Field(description="Not included.")
    days: int = Field(description="With the one that runs.")


class MonthEnd(Amounts):
    """What the running month comes to, with what it has come to so far."""

    month: str
    so_far: str


class SeriesForecast(BaseModel):
    """One series."""

    group: str | None = Field(description="Null: there is none, or all are meant.")
    is_rest: bool = Field(description="Whether these are all the others.")
    history_days: int = Field(description="Whole days since the first use.")
    reason: str | None = Field(description="Why nothing is forecast; else null.")
    model: str | None = Field(description="seasonal_naive, or theta; null: nothing is forecast.")
    accuracy: AccuracyView | None = Field(
        description="On days it was not shown; null: there are too few to test it."
    )
    baseline_accuracy: AccuracyView | None = Field(description="Of seasonal_naive, on the same.")
    month: MonthEnd | None
    horizons: list[Horizon]
    points: list[DayAhead] = Field(description="Today is whole in it, not what is left of it.")


class ForecastView(BaseModel):
    """What the days ahead bring. Amounts are decimal text: US dollars, or whole numbers."""

    learnt_from: Span
    measure: Measure
    group_by: str | None
    confidence: float
    series: list[SeriesForecast] = Field(description="The largest so far first.")
    rest_count: int
    unpriced: int = Field(description="Attempts of that time whose cost is not known: not in it.")
    note: str | None = Field(description="Why only the baseline was asked; else null.")


@router.get("/forecast")
async def show_forecast(
    query: Annotated[ForecastQuery, QueryParameters()], viewer: ViewerOf, control: ControlOf
) -> ForecastView:
    """Forecast cost or usage to the end of the month, and 30 and 90 days ahead, with a band.

    Beside it stands how wrong the same model was on days of the past that it was not shown. A
    series that is too short has a reason instead of numbers.
    """
    services = control.services
    return await read_forecast(
        services.database, query, scene_of(viewer, control), services.forecaster
    )


class _Shown(msgspec.Struct, frozen=True):
    """One series, and what is said of it."""

    group: str | None
    history: tuple[int, ...]
    today: int
    is_rest: bool = False
    forecast: Forecast | None = None


async def read_forecast(
    database: Database, query: ForecastQuery, scene: Scene, forecaster: Forecaster
) -> ForecastView:
    """Return the forecast of some usage; no unit is open while the models think."""
    terms = forecaster.terms
    _check_top(query.top, terms, "top")
    wanted = slice_of(query, scene)
    days = _days_of(query, scene, terms)
    axis = None if query.group_by is None else Axis(query.group_by)
    async with database.read() as unit:
        past = await past_of(unit, wanted, axis, days, query.measure)
    series = _series(past, query.top)
    told = await foretell(
        forecaster, [one.history for one in series], DAYS_AHEAD_MAX, query.confidence
    )
    shown = [
        msgspec.structs.replace(one, forecast=forecast)
        for one, forecast in zip(series, told.forecasts, strict=True)
    ]
    return _forecast_view(query, days, past, shown, told)


def _series(past: Past, top: int) -> list[_Shown]:
    names, rest, rest_today = largest(past, top)
    found = [_Shown(name or None, past.days[name], past.today[name]) for name in names]
    if len(past.days) > len(names):
        found.append(_Shown(None, rest, rest_today, is_rest=True))
    return found or [_Shown(None, (), 0)]


def _check_top(count: int, terms: ForecastTerms, parameter: str) -> None:
    if count > terms.series_max:
        raise InvalidRequestError(
            f"at most {terms.series_max} series at once (TOLLBRIDGE_FORECAST_SERIES_MAX)",
            details={"param": parameter},
        )


def _days_of(query: PeriodQuery, scene: Scene, terms: ForecastTerms) -> Days:
    """Return the days that are learnt from: those asked for, else the last ones until now."""
    now_us, month = scene.now_us, query.billing_period
    from_us, to_us = span_of(query, scene)
    if month is not None or query.to is not None:
        now_us = min(now_us, to_us)
    days = days_before(now_us, terms.history_days, scene.zone)
    if month is None and query.from_ is None:
        return days
    # Of whole days alone something is learnt.
    first_us = days_later(from_us - 1, 1, scene.zone)
    return msgspec.structs.replace(days, from_us=min(first_us, days.today_us))


def _forecast_view(
    query: ForecastQuery, days: Days, past: Past, shown: Sequence[_Shown], told: Foretold
) -> ForecastView:
    rest = next((len(past.days) - place for place, one in enumerate(shown) if one.is_rest), 0)
    return ForecastView(
        learnt_from=span_view(days.from_us, days.today_us),
        measure=query.measure,
        group_by=query.group_by,
        confidence=query.confidence,
        series=[_series_view(query, days, one) for one in shown],
        rest_count=rest,
        unpriced=past.unpriced,
        note=told.note,
    )


def _series_view(query: ForecastQuery, days: Days, one: _Shown) -> SeriesForecast:
    forecast = one.forecast
    view = SeriesForecast(
        group=one.group,
        is_rest=one.is_rest,
        history_days=len(one.history),
        reason=None,
        model=None,
        accuracy=None,
        baseline_accuracy=None,
        month=None,
        horizons=[],
        points=[],
    )
    kind = LimitKind.MONEY if query.measure.is_money else LimitKind.CALLS
    if forecast is None:
        view.reason = too_short(one.history)
        return view
    totals = total_spans(forecast.path, DAYS_AHEAD_MAX, days.left_of_today, query.confidence)
    month_start_us, month_end_us = period_bounds("month", days.now_us, days.zone)
    view.model = forecast.model
    view.accuracy = accuracy_view(kind, forecast.accuracy)
    view.baseline_accuracy = accuracy_view(kind, forecast.baseline_accuracy)
    view.points = [
        DayAhead(
            day=day_text(days, day),
            **amounts(kind, day_span(forecast.path, day, query.confidence)),
        )
        for day in range(query.days)
    ]
    view.horizons = [
        Horizon(until=to_text(days.start_us(ahead)), days=ahead, **amounts(kind, totals[ahead - 1]))
        for ahead in HORIZONS
    ]
    gone = days_between(month_start_us, days)
    if days.from_us <= month_start_us:
        so_far = sum(one.history[len(one.history) - min(gone, len(one.history)) :]) + one.today
        ahead = days.until(month_end_us)
        view.month = MonthEnd(
            month=day_text(days, 0)[:7],
            so_far=amount_words(kind, so_far),
            **amounts(kind, totals[ahead - 1], so_far),
        )
    return view


def days_between(start_us: int, days: Days) -> int:
    """Return how many whole days there were from an instant until today."""
    return len(labels(Axis.DAY, start_us, days.today_us, days.zone))


class OutlookQuery(PageQuery):
    """Of budgets, of wallets, or of the limits of plans."""

    what: Literal["budget", "wallet", "plan"] = "budget"
    confidence: Confidence = 0.9


class OutlookPage(BaseModel):
    """A page of budgets or wallets by name, or of the limits of plans by user."""

    confidence: float
    outlooks: list[LimitOutlook]
    note: str | None = Field(description="Why only the baseline was asked; else null.")
    next_cursor: NextCursor


@router.get("/outlook")
async def show_outlook(
    query: Annotated[OutlookQuery, QueryParameters()], viewer: ViewerOf, control: ControlOf
) -> OutlookPage:
    """Tell on which day each budget is used up, or each wallet empty, if it goes on as expected.

    Likewise each limit of a plan: of all who are subscribed, or one's own. Budgets and limits
    within their running period, wallets within 90 days, with the grants that expire on the
    way and without those that are still to come.
    """
    services = control.services
    return await read_outlook(
        services.database, query, scene_of(viewer, control), services.forecaster
    )


async def read_outlook(
    database: Database, query: OutlookQuery, scene: Scene, forecaster: Forecaster
) -> OutlookPage:
    """Return how long some limits last; no unit is open while the models think."""
    _check_top(query.limit, forecaster.terms, "limit")
    after = "" if query.cursor is None else decode_cursor(query.cursor, tuple[str])[0]
    days = days_before(scene.now_us, forecaster.terms.history_days, scene.zone)
    read = {"budget": budgets_of, "wallet": wallets_of, "plan": plans_of}[query.what]
    async with database.read() as unit:
        page = await read(unit, scene.sight, after, query.limit, days)
    found = await outlooks(forecaster, page.limited, days, query.confidence)
    return OutlookPage(
        confidence=query.confidence,
        outlooks=[outlook_view(one, days) for one in found.outlooks],
        note=found.note,
        next_cursor=None if page.after is None else encode_cursor((page.after,)),
    )
