"""How many rows of each form does the export give out, by CPU second and by the clock?

Run `python -m bench.export --rows 200000` (`--databases sqlite,postgresql --forms csv,jsonl`). User
and system time of this process, SQLite in it; the server of PostgreSQL is not counted. Rows are
calls, of FOCUS lines of bills. The best of three runs.
"""

import argparse
import asyncio
import gc
import shutil
import tempfile
import time
from datetime import UTC
from pathlib import Path

from bench.drain import START_US, prepare
from tests.support.postgres import PostgresServer
from tollbridge.insight.export import Export, ExportForm, export
from tollbridge.insight.usage import CallFilter
from tollbridge.providers.names import load_names
from tollbridge.storage.unit import Database

KEYS = 10_000
RUNS = 3
BOUND = 100_000
FORMS = (ExportForm.CSV, ExportForm.JSONL, ExportForm.PARQUET, ExportForm.FOCUS)


async def rate(database: Database, form: ExportForm, rows: int) -> tuple[float, float]:
    """Return how many rows a CPU second gives, and a second."""
    order = Export(
        form=form,
        # The samples themselves all end at one instant.
        wanted=CallFilter(to_us=START_US),
        zone=UTC,
        names=load_names(),
        rows_max=rows,
    )
    began_s, began_cpu_s, lines = time.perf_counter(), time.process_time(), 0
    async for part in export(database, order):
        lines += part.count(b"\n")
    made = rows if form is ExportForm.PARQUET else lines
    taken_cpu_s, taken_s = time.process_time() - began_cpu_s, time.perf_counter() - began_s
    return made / taken_cpu_s, made / taken_s


async def measure(url: str, folder: Path, rows: int, forms: list[ExportForm]) -> None:
    """Fill a database and print a line for each form."""
    await prepare(url, folder, KEYS, rows)
    gc.freeze()  # as the office does when it starts
    database = Database.open(url)
    try:
        for form in forms:
            by_cpu, by_clock = max([await rate(database, form, rows) for _ in range(RUNS)])
            print(
                f"{database.dialect:<11}{form:<8}{by_cpu:>10,.0f} rows/CPU s"
                f"{by_clock:>10,.0f} rows/s  bound {BOUND:,}"
            )
    finally:
        await database.close()


def main() -> None:
    """Measure and print."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--rows", type=int, default=100_000)
    parser.add_argument("--databases", default="postgresql,sqlite")
    parser.add_argument("--forms", default=",".join(FORMS))
    chosen = parser.parse_args()
    forms = [ExportForm(form) for form in chosen.forms.split(",")]
    for kind in chosen.databases.split(","):
        folder = Path(tempfile.mkdtemp(prefix="tollbridge-export-"))
        server = PostgresServer.start(durable=True) if kind == "postgresql" else None
        try:
            url = f"sqlite:///{folder / 'books.db'}" if server is None else server.url("postgres")
            asyncio.run(measure(url, folder, chosen.rows, forms))
        finally:
            if server is not None:
                server.stop()
            shutil.rmtree(folder, ignore_errors=True)


if __name__ == "__main__":
    main()
