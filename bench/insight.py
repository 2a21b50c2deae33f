"""How long do the overview and breakdowns take, in books of many calls?

Run `python -m bench.insight --rows 1000000` (10,000,000 for the figures of the design: half an hour
and 30 GB for both databases). The roll-ups are those of the calls (bench/fold.py).
"""

from collections.abc import Mapping
from datetime import UTC

from bench.drain import START_US
from bench.fold import fold
from bench.questions import Question, Questions, run
from tollbridge.core.sight import Sight
from tollbridge.insight.axes import DAY_US, Axis, Slice
from tollbridge.insight.cube import breakdown
from tollbridge.insight.flow_queries import fallbacks
from tollbridge.insight.overview import overview
from tollbridge.insight.provider_queries import failures, latencies
from tollbridge.storage.unit import Database

RUNS = 5
DAYS = 30
BOUND_MS: Mapping[str, float] = {"postgresql": 150, "sqlite": 300}
MONTH = Slice(from_us=START_US - 29 * DAY_US, to_us=START_US + DAY_US)
OWN = Slice(from_us=MONTH.from_us, to_us=MONTH.to_us, sight=Sight("user-77"))
WEEK = Slice(from_us=START_US - 6 * DAY_US, to_us=START_US + DAY_US)


def _by(wanted: Slice, *axes: Axis) -> Question:
    return lambda unit: breakdown(unit, wanted, axes, UTC, top=50, compare=False)


QUESTIONS: Mapping[str, Question] = {
    "overview of a month": lambda unit: overview(unit, MONTH, UTC),
    "overview of one user's month": lambda unit: overview(unit, OWN, UTC),
    "breakdown: provider, day": _by(MONTH, Axis.PROVIDER, Axis.DAY),
    "breakdown: user": _by(MONTH, Axis.USER),
    "breakdown: user, day": _by(MONTH, Axis.USER, Axis.DAY),
    "breakdown: key, model": _by(MONTH, Axis.KEY, Axis.MODEL),
    "breakdown: hour, a week": _by(WEEK, Axis.HOUR),
    "breakdown: hour, provider, a month": _by(MONTH, Axis.HOUR, Axis.PROVIDER),
    "breakdown: customer (details)": _by(MONTH, Axis.CUSTOMER),
    "percentiles": lambda unit: latencies(unit, MONTH, (Axis.PROVIDER,), UTC),
    "error classes": lambda unit: failures(unit, MONTH),
    "fallbacks": lambda unit: fallbacks(unit, MONTH),
}


async def spread(database: Database, start_us: int = START_US) -> None:
    """Make the roll-ups of the calls that were copied into the month before `start_us`."""
    await fold(database, start_us - DAYS * DAY_US, start_us)


def main() -> None:
    """Measure and print."""
    run(__doc__, Questions(QUESTIONS, BOUND_MS, RUNS, spread))


if __name__ == "__main__":
    main()
