"""How long does a page of the usage log take, however it is filtered, in books of many calls?

Run `python -m bench.log_page --rows 1000000` (10,000,000 for the figures of the design: some
minutes and 20 GB). Page and total together; the daily roll-ups are spread over the month, so that a
filter finds its days. On PostgreSQL the calls are vacuumed, as autovacuum leaves all but the newest
10,000: an offset is walked in an index, which is trusted only for pages that are.
"""

from collections.abc import Mapping
from datetime import UTC

from bench.drain import START_US
from bench.questions import Question, Questions, run
from tollbridge.insight.axes import DAY_US
from tollbridge.insight.log_queries import count_log, read_log
from tollbridge.insight.usage import CallFilter, LogStart
from tollbridge.recording.statements import joined
from tollbridge.recording.tables import CALL_MEASURES
from tollbridge.storage.unit import Database, Unit

RUNS = 9
DAYS = 30
BOUND_MS: Mapping[str, float] = {"postgresql": 50, "sqlite": 300}
QUESTIONS: Mapping[str, tuple[CallFilter, int]] = {
    "newest": (CallFilter(), 0),
    "provider": (CallFilter(actual_provider="openai"), 0),
    "bucket": (CallFilter(provider="openai"), 0),
    "model": (CallFilter(model="gpt-4o-mini"), 0),
    "user": (CallFilter(user="user-77"), 0),
    "key": (CallFilter(key="key-77"), 0),
    "status class that is not there": (CallFilter(status_class="5xx"), 0),
    "failed": (CallFilter(status="FAILED"), 0),
    "fallback, none there": (CallFilter(fallback=True), 0),
    "a day of the month": (
        CallFilter(from_us=START_US - 10 * DAY_US, to_us=START_US - 9 * DAY_US),
        0,
    ),
    "offset 100,000": (CallFilter(), 100_000),
}


def _asking(wanted: CallFilter, offset: int) -> Question:
    async def ask(unit: Unit) -> None:
        await read_log(unit, wanted, UTC, 50, LogStart(offset=offset))
        await count_log(unit, wanted, UTC)

    return ask


async def _spread_days(database: Database) -> None:
    # A day's sums are as many, however many calls they are of.
    names = ", ".join(CALL_MEASURES)
    for day in range(1, DAYS + 1):
        async with database.write() as unit:
            sql = joined(
                "INSERT INTO rollups_by_call_daily (day_start_us, dimension_id,",
                names,
                f") SELECT day_start_us - {day * DAY_US}, dimension_id,",
                names,
                f"FROM rollups_by_call_daily WHERE day_start_us >= {START_US}",
            )
            await unit.connection.exec_driver_sql(sql)


def main() -> None:
    """Measure and print."""
    asked = {name: _asking(*wanted) for name, wanted in QUESTIONS.items()}
    run(__doc__, Questions(asked, BOUND_MS, RUNS, _spread_days))


if __name__ == "__main__":
    main()
