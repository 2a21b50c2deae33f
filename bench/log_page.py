"""How long does a page of the usage log take, however it is filtered, in books of many calls?

Run `python -m bench.log_page --rows 1000000` (10,000,000 for the figures of the design: many
minutes and 20 GB). Calls are those of bench/prefill.py: 10,000 keys, a month. The daily roll-ups
are spread over the month, so that a filter finds its days. Wall-clock of page and total together,
in this process, median and slowest of some runs after one to warm up.
"""

import argparse
import asyncio
import shutil
import statistics
import tempfile
import time
from collections.abc import Mapping
from datetime import UTC
from pathlib import Path

from bench.drain import START_US, prepare
from bench.samples import Figure
from tests.support.postgres import PostgresServer
from tollbridge.core.clock import SECOND_US
from tollbridge.insight.log_queries import count_log, read_log
from tollbridge.insight.usage import CallFilter, LogStart
from tollbridge.recording.statements import joined
from tollbridge.recording.tables import CALL_MEASURES
from tollbridge.storage.unit import Database

RUNS = 9
KEYS = 10_000
DAY_US = 86_400 * SECOND_US
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


async def _spread_days(database: Database) -> None:
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


async def _ask(database: Database) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in QUESTIONS}
    for run in range(RUNS + 1):
        for name, (wanted, offset) in QUESTIONS.items():
            began_s = time.perf_counter()
            async with database.read() as unit:
                await read_log(unit, wanted, UTC, 50, LogStart(offset=offset))
                await count_log(unit, wanted, UTC)
            if run:
                found[name].append((time.perf_counter() - began_s) * 1000)
    return found


async def _measure(url: str, folder: Path, rows: int) -> dict[str, list[float]]:
    await prepare(url, folder, KEYS, rows)
    database = Database.open(url)
    try:
        await _spread_days(database)
        if database.dialect == "postgresql":
            async with database.write() as unit:
                await unit.connection.exec_driver_sql("ANALYZE")
        return await _ask(database)
    finally:
        await database.close()


def measure_one(kind: str, rows: int) -> dict[str, list[float]]:
    """Return milliseconds by question, in books of so many calls."""
    folder = Path(tempfile.mkdtemp(prefix="tollbridge-log-"))
    server = PostgresServer.start(durable=True) if kind == "postgresql" else None
    try:
        url = f"sqlite:///{folder / 'books.db'}" if server is None else server.url("postgres")
        return asyncio.run(_measure(url, folder, rows))
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def measure(rows: int) -> list[Figure]:
    """Return the figures of the log page."""
    return [
        Figure("log page", f"{kind}, {rows:,} calls: {name}", statistics.median(ms), "ms", bound)
        for kind, bound in BOUND_MS.items()
        for name, ms in measure_one(kind, rows).items()
    ]


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--databases", default="postgresql,sqlite")
    chosen = parser.parse_args()
    for kind in chosen.databases.split(","):
        for name, ms in measure_one(kind, chosen.rows).items():
            print(
                f"{kind:<11}{chosen.rows:>11,} calls  {name:<32}{statistics.median(ms):8.1f} ms"
                f"  slowest {max(ms):8.1f}  bound {BOUND_MS[kind]:.0f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
