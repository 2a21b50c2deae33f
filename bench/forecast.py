"""How long do the forecasts of many series take?

Run `python -m bench.forecast --series 200`: of a year by day each, 90 days ahead, with the models
of the extra `forecast` in their process, first with its start and then without.
"""

import argparse
import asyncio
import random
import time
from collections import Counter

from tollbridge.insight.forecast_process import ForecastModels
from tollbridge.insight.forecast_usage import ForecastTerms
from tollbridge.insight.foretell import Forecaster, foretell

DAYS = 365
AHEAD_DAYS = 90
LEVEL = 0.8
BOUND_S = 10.0
TIMEOUT_S = 120.0
IDLE_S = 60.0


def history(seed: int) -> tuple[float, ...]:
    """Return what somebody may use in each day of a year: it drifts, and rests at weekends."""
    draw = random.Random(seed)
    base, made = draw.uniform(10, 1e9), list[float]()
    for day in range(DAYS):
        base *= draw.uniform(0.98, 1.025)
        made.append(base * (0.4 if day % 7 in {5, 6} else 1.0) * draw.uniform(0.7, 1.3))
    return tuple(made)


async def measure(count: int) -> None:
    """Print a line with the start of the models' process, and one without."""
    models = ForecastModels(TIMEOUT_S, IDLE_S)
    forecaster = Forecaster(ForecastTerms(), models)
    histories = [history(seed) for seed in range(count)]
    try:
        for what in ("with its start", "without"):
            began_s = time.perf_counter()
            told = await foretell(forecaster, histories, AHEAD_DAYS, LEVEL)
            taken_s = time.perf_counter() - began_s
            by_model = dict(Counter(one.model for one in told.forecasts if one is not None))
            print(f"{count} series, {what}: {taken_s:.1f} s  bound {BOUND_S:.0f}  {by_model}")
    finally:
        await models.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--series", type=int, default=200)
    asyncio.run(measure(parser.parse_args().series))


if __name__ == "__main__":
    main()
