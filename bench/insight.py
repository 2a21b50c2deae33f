"""How long do the overview and breakdowns take, in books of many calls?

Run `python -m bench.insight --rows 1000000` (10,000,000 for the figures of the design). Calls are
those of bench/prefill.py: 10,000 keys, a month. The roll-ups are spread over the month as well:
those by day over each day of two months, those by quarter hour until they have as many rows as
there are calls, the most that there can be. Wall-clock in this process, median and slowest of
some runs after one to warm up.
"""

import argparse
import asyncio
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from datetime import UTC
from pathlib import Path

from bench.drain import SAMPLES, START_US, prepare
from bench.samples import Figure
from tests.support.postgres import PostgresServer
from tollbridge.core.clock import SECOND_US
from tollbridge.core.errors import TollbridgeError
from tollbridge.core.sight import Sight
from tollbridge.insight.axes import Axis, Slice
from tollbridge.insight.cube import breakdown
from tollbridge.insight.flow_queries import fallbacks
from tollbridge.insight.overview import overview
from tollbridge.insight.provider_queries import failures, latencies
from tollbridge.recording.rollups import QUARTER_US
from tollbridge.recording.statements import joined
from tollbridge.recording.tables import ROLLUPS
from tollbridge.storage.engine import EngineSettings
from tollbridge.storage.unit import Database, Unit

RUNS = 5
KEYS = 10_000
DAY_US = 86_400 * SECOND_US
DAYS = 60
BOUND_MS: Mapping[str, float] = {"postgresql": 150, "sqlite": 300}
MONTH = Slice(from_us=START_US - 29 * DAY_US, to_us=START_US + DAY_US)
OWN = Slice(from_us=MONTH.from_us, to_us=MONTH.to_us, sight=Sight("user-77"))
WEEK = Slice(from_us=START_US - 6 * DAY_US, to_us=START_US + DAY_US)
Question = Callable[[Unit], Awaitable[object]]


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


async def _spread(database: Database, rows: int) -> None:
    """Copy the roll-ups of the samples to other days and quarter hours."""
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
                    f"WHERE {start} >= {START_US} ON CONFLICT DO NOTHING",
                )
                await unit.connection.exec_driver_sql(sql)


async def _ask(database: Database) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in QUESTIONS}
    for name, question in QUESTIONS.items():
        for run in range(RUNS + 1):
            began_s = time.perf_counter()
            try:
                async with database.read() as unit:
                    await question(unit)
            except TollbridgeError as error:  # refused as too much: shown beside the figures
                print(f"{name}: {error}", flush=True)
                break
            if run:
                found[name].append((time.perf_counter() - began_s) * 1000)
    return {name: ms for name, ms in found.items() if ms}


async def _measure(url: str, folder: Path, rows: int) -> dict[str, list[float]]:
    await prepare(url, folder, KEYS, rows)
    long = EngineSettings(postgres_statement_timeout_s=None)
    filling = Database.open(url, long)
    await _spread(filling, rows)
    if filling.dialect == "postgresql":
        async with filling.write() as unit:
            await unit.connection.exec_driver_sql("ANALYZE")
    await filling.checkpoint()
    await filling.close()
    database = Database.open(url)
    try:
        return await _ask(database)
    finally:
        await database.close()


def measure_one(kind: str, rows: int) -> dict[str, list[float]]:
    """Return milliseconds by question, in books of so many calls."""
    folder = Path(tempfile.mkdtemp(prefix="tollbridge-insight-"))
    server = PostgresServer.start(durable=True) if kind == "postgresql" else None
    try:
        url = f"sqlite:///{folder / 'books.db'}" if server is None else server.url("postgres")
        return asyncio.run(_measure(url, folder, rows))
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def measure(rows: int) -> list[Figure]:
    """Return the figures of insight."""
    return [
        Figure("insight", f"{kind}, {rows:,} calls: {name}", statistics.median(ms), "ms", bound)
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
