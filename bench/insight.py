"""How long do the overview and breakdowns take, in books of many calls?

Run `python -m bench.insight --rows 1000000` (10,000,000 for the figures of the design). The
roll-ups are spread over the month: those by day over each day of two months, those by quarter hour
until they have as many rows as there are calls, the most that there can be.
"""

from collections.abc import Mapping
from datetime import UTC

from bench.drain import SAMPLES, START_US
from bench.questions import Question, Questions, run
from tollbridge.core.clock import SECOND_US
from tollbridge.core.sight import Sight
from tollbridge.insight.axes import Axis, Slice
from tollbridge.insight.cube import breakdown
from tollbridge.insight.flow_queries import fallbacks
from tollbridge.insight.overview import overview
from tollbridge.insight.provider_queries import failures, latencies
from tollbridge.recording.rollups import QUARTER_US
from tollbridge.recording.statements import joined
from tollbridge.recording.tables import ROLLUPS
from tollbridge.storage.unit import Database

RUNS = 5
DAY_US = 86_400 * SECOND_US
DAYS = 60
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
    "breakdown: key, model": _by(MONTH, Axis.KEY, Axis.MODEL),
    "breakdown: hour, a week": _by(WEEK, Axis.HOUR),
    "breakdown: customer (details)": _by(MONTH, Axis.CUSTOMER),
    "percentiles": lambda unit: latencies(unit, MONTH, (Axis.PROVIDER,), UTC),
    "error classes": lambda unit: failures(unit, MONTH),
    "fallbacks": lambda unit: fallbacks(unit, MONTH),
}


async def spread(database: Database, rows: int, start_us: int = START_US) -> None:
    """Copy the roll-ups of the samples, taken since `start_us`, to other days and quarter hours."""
    quarters = max(1, rows // SAMPLES)
    for table in ROLLUPS.values():
        start = next(iter(table.primary_key.columns)).name
        daily = start.startswith("day")
        step_us, copies = (DAY_US, DAYS) if daily else (QUARTER_US, quarters)
        if not daily:
            step_us = max(QUARTER_US, 30 * DAY_US // copies // QUARTER_US * QUARTER_US)
        names = ", ".join(column.name for column in table.c if column.name != start)
        async with database.write() as unit:
            for place in range(1, copies + 1):
                sql = joined(
                    "INSERT INTO",
                    f"{table.name} ({start}, {names})",
                    "SELECT",
                    f"{start} - {place * step_us}, {names} FROM {table.name}",
                    f"WHERE {start} >= {start_us} ON CONFLICT DO NOTHING",
                )
                await unit.connection.exec_driver_sql(sql)


def main() -> None:
    """Measure and print."""
    run(__doc__, Questions(QUESTIONS, BOUND_MS, RUNS, spread))


if __name__ == "__main__":
    main()
