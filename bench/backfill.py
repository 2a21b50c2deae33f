"""How fast are calls in the books attributed again?

`python -m bench.backfill` by itself (`--databases postgresql` or `sqlite` for one of them, `--rows`
for others than 2,000,000). Reports of another gateway, at first of an unknown provider, get one by
the rules of today: every row changes, and both families of sums with it. Then once more, where
nothing changes; then all of it is taken back, and all sums are proven. CPU is ours and the
server's. What is done shows on the standard error, ten lines for each of the three.

Files are in a folder of their own below TMPDIR and are removed at the end: of 2,000,000 calls up
to 6 GB with SQLite, 20 GB with PostgreSQL, one after the other.
"""

import argparse
import asyncio
import gc
import shutil
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable
from datetime import UTC
from pathlib import Path
from typing import NamedTuple

from bench.drain import START_US, ServerWatch, drain, write_spool
from bench.prefill import MONTH_US, prefill
from bench.samples import Figure
from tests.support.databases import make_schema
from tests.support.postgres import PostgresServer
from tollbridge.providers.names import load_names
from tollbridge.reattribution import make_detector, make_tools
from tollbridge.recording.reassign import Findings
from tollbridge.recording.reattribute import begin, reattribute, revert
from tollbridge.recording.reattribution_runs_store import Wanted
from tollbridge.recording.rebuild import rebuild_rollups
from tollbridge.storage.engine import EngineSettings
from tollbridge.storage.unit import Database

ROWS = 2_000_000
QUICK_ROWS = 100_000
SAMPLES = 20_000
KEYS = 20
RATE_BOUND = 20_000
MODELS = (
    "wan-2.5/text-to-video",
    "qwen-image",
    "flux-dev",
    "black-forest-labs/FLUX.1-Krea-dev",
    "ideogram-v3",
    "speech-02-hd",
    "hunyuan-video",
    "stable-diffusion-xl",
    "claude-sonnet-4",
    "gpt-4o",
    "veo-3",
    "eleven_multilingual_v2",
)
_AS_REPORTS = """
UPDATE call_details SET dialect = 'import', endpoint = 'other-gateway',
    actual_provider_name = 'unknown', attribution_rule = 'none', attribution_confidence = 'none',
    attribution_evidence = 'nothing says who served', requested_model = CASE {cases} END,
    label = CASE {cases} END, served_model = NULL
"""


async def prepare(url: str, folder: Path, rows: int) -> None:
    """Give a fresh database its schema, and reports of an unknown provider."""
    await make_schema(url)
    write_spool(folder / "samples", SAMPLES, KEYS, "bench-samples")
    await drain(url, folder / "samples", SAMPLES, None)
    database = Database.open(url, EngineSettings(postgres_statement_timeout_s=None))
    spread = f"input_tokens % {len(MODELS)}"
    cases = " ".join(f"WHEN {spread} = {at} THEN '{name}'" for at, name in enumerate(MODELS))
    async with database.write() as unit:
        await unit.connection.exec_driver_sql(_AS_REPORTS.format(cases=cases))
        await unit.connection.exec_driver_sql("DELETE FROM call_evidence")
    # As dense in time as the whole number of rows within a month.
    added = max(1, rows - SAMPLES)
    await prefill(url, added, START_US, MONTH_US * added // ROWS)
    async with database.write() as unit:
        await rebuild_rollups(unit, UTC, replace=True)
    if database.dialect == "postgresql":
        async with database.engine.connect() as connection:
            raw = await connection.execution_options(isolation_level="AUTOCOMMIT")
            await raw.exec_driver_sql("VACUUM ANALYZE")
    await database.checkpoint()
    await database.close()


class Measured(NamedTuple):
    """What one run took: seconds, CPU seconds of this process and of the server."""

    calls: int
    wall_s: float
    process_s: float
    server_s: float


class Shown:
    """Says on the standard error how far a run has come, at every tenth of it."""

    def __init__(self, name: str, total: int) -> None:
        self._name = name
        self._total = total
        self._seen = 0

    def __call__(self, calls: int) -> None:
        """Take note of so many more."""
        before = self._seen * 10 // self._total
        self._seen += calls
        tenths = self._seen * 10 // self._total
        if tenths > before:
            print(f"{self._name}: {self._seen:,} of {self._total:,}", file=sys.stderr, flush=True)


async def measure_runs(url: str, rows: int) -> dict[str, Measured]:
    """Return what each run took."""
    database = Database.open(url)
    detector = await make_detector(database, None, load_names().resolve)
    tools = make_tools(detector, UTC)
    figures: dict[str, Measured] = {}
    run_id = ""

    async def attribute(shown: Shown) -> Findings:
        nonlocal run_id
        run = await begin(database, Wanted(rules_version=detector.version, actor="bench"))
        run_id = run_id or run.run_id
        return await reattribute(database, run, tools, on_progress=shown)

    async def take_back(shown: Shown) -> Findings:
        return await revert(
            database,
            await begin(database, Wanted(reverts_run_id=run_id, actor="bench")),
            tools,
            on_progress=shown,
        )

    for name, work in (
        ("every row changes", attribute),
        ("no row changes", attribute),
        ("taken back", take_back),
    ):
        shown = Shown(f"{database.dialect}, {name}", rows)
        one = figures[name] = await _timed(work, shown, changes=name != "no row changes")
        rate = one.calls / one.wall_s
        print(f"{database.dialect}, {name}: {rate:,.0f} rows/s", file=sys.stderr, flush=True)
    print(f"{database.dialect}: all sums are made anew", file=sys.stderr, flush=True)
    async with database.read() as unit:
        wrong = await rebuild_rollups(unit, UTC)
    await database.close()
    if wrong:
        raise RuntimeError(f"the sums are wrong: {wrong[:3]}")
    return figures


async def _timed(
    work: Callable[[Shown], Awaitable[Findings]], shown: Shown, *, changes: bool
) -> Measured:
    watch = ServerWatch()
    watch.start()
    process_s, began_s = time.process_time(), time.perf_counter()
    found = await work(shown)
    wall_s, process_s = time.perf_counter() - began_s, time.process_time() - process_s
    server_s = watch.stop()
    if bool(found.changed) != changes:
        raise RuntimeError(f"{found.changed} of {found.calls} calls have changed")
    return Measured(found.calls, wall_s, process_s, server_s)


def measure_one(kind: str, rows: int) -> dict[str, Measured]:
    """Return the figures on one kind of database."""
    folder = Path(tempfile.mkdtemp(prefix="tollbridge-backfill-"))
    server = PostgresServer.start(durable=True) if kind == "postgresql" else None
    try:
        url = f"sqlite:///{folder / 'books.db'}" if server is None else server.url("postgres")
        print(f"{kind}: {rows:,} calls are made", file=sys.stderr, flush=True)
        asyncio.run(prepare(url, folder, rows))
        gc.freeze()
        return asyncio.run(measure_runs(url, rows))
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)


def measure(*, quick: bool) -> list[Figure]:
    """Return the figures of the backfill lane."""
    figures: list[Figure] = []
    for kind in ("sqlite", "postgresql"):
        for name, one in measure_one(kind, QUICK_ROWS if quick else ROWS).items():
            rate = one.calls / one.wall_s
            figures.append(
                Figure("backfill", f"{kind}, {name}", rate, "rows/s", RATE_BOUND, at_least=True)
            )
    return figures


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=ROWS)
    parser.add_argument("--databases", default="sqlite,postgresql")
    chosen = parser.parse_args()
    for kind in chosen.databases.split(","):
        for name, one in measure_one(kind, chosen.rows).items():
            print(
                f"{kind:<11} {name:<18} {one.calls:>9,} rows {one.calls / one.wall_s:9,.0f} rows/s"
                f"  CPU of this process {one.process_s / one.calls * 1e6:5.1f} µs a row"
                f"  of the server {one.server_s / one.calls * 1e6:5.1f}",
                flush=True,
            )


if __name__ == "__main__":
    main()
