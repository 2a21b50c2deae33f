"""How long do questions to the books take, however many calls are in them?

What `bench.log_page` and `bench.insight` share: calls are those of bench/prefill.py (10,000 keys, a
month); wall-clock in this process, median and slowest of some runs after one to warm up, the
questions in turn.
"""

import argparse
import asyncio
import shutil
import statistics
import tempfile
import time
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

import msgspec

from bench.drain import prepare
from tests.support.postgres import PostgresServer
from tollbridge.core.errors import TollbridgeError
from tollbridge.storage.engine import EngineSettings
from tollbridge.storage.unit import Database, Unit

KEYS = 10_000
Question = Callable[[Unit], Awaitable[object]]


class Questions(msgspec.Struct, frozen=True):
    """What is asked, how often, within which bounds; and how the roll-ups are filled for it."""

    asked: Mapping[str, Question]
    bounds_ms: Mapping[str, float]
    """By the kind of the database."""
    runs: int
    spread: Callable[[Database], Awaitable[None]]
    """Fills the roll-ups of other days, as many calls would have; the calls are there."""


async def _ask(database: Database, questions: Questions) -> dict[str, list[float]]:
    found: dict[str, list[float]] = {name: [] for name in questions.asked}
    refused: set[str] = set()
    for run in range(questions.runs + 1):
        for name, question in questions.asked.items():
            if name in refused:
                continue
            began_s = time.perf_counter()
            try:
                async with database.read() as unit:
                    await question(unit)
            except TollbridgeError as error:  # refused as too much: shown beside the figures
                print(f"{name}: {error}", flush=True)
                refused.add(name)
            else:
                if run:
                    found[name].append((time.perf_counter() - began_s) * 1000)
    return {name: ms for name, ms in found.items() if ms}


async def _measure(
    url: str, folder: Path, rows: int, questions: Questions
) -> dict[str, list[float]]:
    await prepare(url, folder, KEYS, rows)
    filling = Database.open(url, EngineSettings(postgres_statement_timeout_s=None))
    try:
        await questions.spread(filling)
        if filling.dialect == "postgresql":
            async with filling.engine.connect() as connection:
                raw = await connection.execution_options(isolation_level="AUTOCOMMIT")
                # As autovacuum leaves the calls but for the newest 10,000 (migration 0028).
                await raw.exec_driver_sql("VACUUM (ANALYZE)")
        await filling.checkpoint()
    finally:
        await filling.close()
    database = Database.open(url)
    try:
        return await _ask(database, questions)
    finally:
        await database.close()


def measure(kind: str, rows: int, questions: Questions) -> dict[str, list[float]]:
    """Return milliseconds by question, in books of so many calls."""
    folder = Path(tempfile.mkdtemp(prefix="tollbridge-questions-"))
    server = PostgresServer.start(durable=True) if kind == "postgresql" else None
    try:
        url = f"sqlite:///{folder / 'books.db'}" if server is None else server.url("postgres")
        return asyncio.run(_measure(url, folder, rows, questions))
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def run(description: str | None, questions: Questions) -> None:
    """Read the command line, measure, and print a line for each question."""
    parser = argparse.ArgumentParser(description=description)
    parser.add_argument("--rows", type=int, default=1_000_000)
    parser.add_argument("--databases", default="postgresql,sqlite")
    chosen = parser.parse_args()
    for kind in chosen.databases.split(","):
        for name, ms in measure(kind, chosen.rows, questions).items():
            print(
                f"{kind:<11}{chosen.rows:>11,} calls  {name:<32}{statistics.median(ms):8.1f} ms"
                f"  slowest {max(ms):8.1f}  bound {questions.bounds_ms[kind]:.0f}",
                flush=True,
            )
