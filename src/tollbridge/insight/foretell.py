"""What do the days ahead bring, by the best model that is there now?

Reading the past is over by then: no transaction is open while another process thinks.
"""

from collections.abc import Sequence

import msgspec

from tollbridge.insight.forecast import Forecast, conclude, jobs_of, plan_of
from tollbridge.insight.forecast_child import MODEL
from tollbridge.insight.forecast_process import ForecastModels, ModelsAwayError
from tollbridge.insight.forecast_usage import ForecastTerms


class Forecaster(msgspec.Struct, frozen=True):
    """What forecasting needs of the process it runs in."""

    terms: ForecastTerms = ForecastTerms()
    models: ForecastModels | None = None
    """None: the baseline alone."""


class Foretold(msgspec.Struct, frozen=True):
    """The forecast of each history, None where it is too short."""

    forecasts: tuple[Forecast | None, ...]
    note: str | None
    """Why there was the baseline alone; None where there was more."""


async def foretell(
    forecaster: Forecaster,
    histories: Sequence[Sequence[float]],
    days: int,
    confidence: float,
) -> Foretold:
    """Return the forecast of each history, so many days ahead."""
    plan = plan_of(histories, days, forecaster.terms.days_min)
    jobs = jobs_of(plan)
    if forecaster.models is None:
        note = "the baseline alone is asked for"
        return Foretold(tuple(conclude(plan, confidence)), note)
    if not jobs:
        return Foretold(tuple(conclude(plan, confidence)), None)
    try:
        paths = await forecaster.models.paths(jobs)
    except ModelsAwayError as error:
        return Foretold(tuple(conclude(plan, confidence)), f"the baseline alone: {error}")
    return Foretold(tuple(conclude(plan, confidence, MODEL, paths)), None)


def too_short(history: Sequence[float]) -> str:
    """Return why nothing is said of a history."""
    if not history:
        return "nothing was used on a whole day yet"
    return f"only {len(history)} whole days since the first use: too few for a forecast"
