"""How many calls a second does the drain bring into the books, and where does the CPU go?

Run `python -m bench.drain` (`--calls 200000 --keys 1,10000 --databases sqlite,postgresql`): some
minutes. With `--rows 10000000` there are that many calls in the books before: many minutes, and
about 20 GB for a time.

Segments are written by the real Spool, then drained with the real pipeline, ledger and prices by
one process; nothing else runs. No two calls have the same usage. With 10,000 keys nearly every call
has roll-up rows of its own, which is the worst case.

CPU is user + system of this process and, for PostgreSQL, of its server. `ours` is the thread of
the event loop; `database` is SQLite's thread (which also makes the rows) or the server.
"""

import argparse
import asyncio
import gc
import os
import random
import shutil
import tempfile
import threading
import time
from collections.abc import Mapping, Sequence
from datetime import UTC
from pathlib import Path
from typing import Any, cast

import msgspec
import psutil
import structlog

from bench.prefill import prefill
from bench.samples import Figure
from tests.support.databases import make_schema
from tests.support.postgres import PostgresServer
from tollbridge import pipeline
from tollbridge.conclude import Conclusions
from tollbridge.core.call import (
    AttemptOutcome,
    Bucket,
    Caller,
    Category,
    Ending,
    Hold,
    Operation,
    new_id,
)
from tollbridge.core.clock import SECOND_US, ManualClock
from tollbridge.core.evidence import AttemptEvidence, Closed, Opened
from tollbridge.core.settlement import Settlement
from tollbridge.ledger.settle import settle
from tollbridge.ledger.store import return_remainder
from tollbridge.metering.estimate import EstimateRules
from tollbridge.rating.book import PriceBook
from tollbridge.rating.prices import PricePart, PriceRow
from tollbridge.recording.drain import Drain, DrainHooks, DrainSettings
from tollbridge.recording.spool import Spool, SpoolLimits
from tollbridge.storage.unit import Database, Unit

CALLS = 200_000
START_US = 1_767_225_600 * SECOND_US
RATE_BOUND = 15_000
CPU_BOUND_US = 40
UNITS = (("input", "0.15"), ("cache_read", "0.075"), ("output", "0.6"))
RATE_BOUND_LARGE = 10_000
SAMPLES = 20_000
"""Calls that the rows of `--rows` are copies of."""
CONCURRENT = 64
LOGGED = 20_000


class BenchLedger:
    """The real ledger, as the office hands it to the drain."""

    async def settle(
        self,
        unit: Unit,
        batch_id: str,
        charges: Sequence[Settlement],
        provider_costs: Mapping[str, int],
        posted_at_us: int,
    ) -> None:
        """Post a batch."""
        await settle(unit, batch_id, charges, provider_costs, posted_at_us)

    async def worker_gone(self, worker: str) -> None:
        """Do nothing: there is no granter."""

    async def return_remainder(self, unit: Unit, worker: str, keep: Mapping[str, int]) -> object:
        """Free what the worker was granted."""
        return await return_remainder(unit, worker, keep)


def write_spool(
    directory: Path,
    calls: int,
    keys: int,
    worker: str = "bench-worker",
    start_us: int = START_US,
) -> int:
    """Write segments as a worker with 64 calls under way does; return their bytes."""
    clock = ManualClock(start_us)
    limits = SpoolLimits(fsync="never", reserve_bytes=0)
    spool = Spool(directory, node="bench", worker=worker, clock=clock, limits=limits)
    draw = random.Random(1)
    callers = [
        Caller(
            f"{number:08x}-0000-7000-8000-{number:012x}",
            f"key-{number}",
            f"user-{number}",
            f"project-{number % 50}",
        )
        for number in range(keys)
    ]
    hold = Hold("lease-1", "budget-1", START_US, 3_000_000)
    under_way: list[tuple[Any, Opened]] = []
    for _ in range(calls):
        clock.advance(0.0002)
        opened = _opened(clock.now_us(), draw, callers[draw.randrange(keys)], hold)
        under_way.append((spool.opened(opened), opened))
        if len(under_way) > CONCURRENT:
            segment, first = under_way.pop(0)
            spool.closed(segment, _closed(clock.now_us(), draw, first))
    for segment, first in under_way:
        spool.closed(segment, _closed(clock.now_us(), draw, first))
    spool.close()
    return sum(path.stat().st_size for path in directory.iterdir())


def _opened(now_us: int, draw: random.Random, caller: Caller, hold: Hold) -> Opened:
    return Opened(
        call_id=new_id(now_us),
        opened_at_us=now_us,
        received_at_us=now_us - 150,
        caller=caller,
        method="POST",
        path="/v1/chat/completions",
        operation=Operation.CHAT_COMPLETION,
        category=Category.TEXT,
        bucket=Bucket.OPENAI,
        label="gpt-4o-mini",
        stream=False,
        request_bytes=draw.randrange(500, 4000),
        expected_provider="openai",
        planned=("openai/gpt-4o-mini: priority 1", "azure/gpt-4o-mini: priority 2"),
        customer=f"customer-{draw.randrange(1000)}",
        holds=(hold,),
        attempt=AttemptEvidence(
            1, "openai", "openai", "openai", "gpt-4o-mini", "priority 1", now_us
        ),
    )


def _closed(now_us: int, draw: random.Random, opened: Opened) -> Closed:
    prompt, completion = draw.randrange(10, 9000), draw.randrange(1, 3000)
    attempt = cast("AttemptEvidence", opened.attempt)
    attempt.outcome = AttemptOutcome.SUCCEEDED
    attempt.written = True
    attempt.first_byte_at_us = now_us - draw.randrange(1000)
    attempt.ended_at_us = now_us
    attempt.http_status = 200
    attempt.served_model = "gpt-4o-mini-2024-07-18"
    attempt.response_id = f"chatcmpl-{draw.getrandbits(96):x}"
    attempt.headers = {"x-request-id": f"req_{draw.getrandbits(128):x}"}
    attempt.output_bytes = completion * 5
    attempt.usage = {
        "prompt_tokens": prompt,
        "completion_tokens": completion,
        "total_tokens": prompt + completion,
        "prompt_tokens_details": {"cached_tokens": draw.randrange(prompt // 2), "audio_tokens": 0},
        "completion_tokens_details": {
            "reasoning_tokens": draw.randrange(completion),
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }
    return Closed(
        call_id=opened.call_id,
        closed_at_us=now_us,
        ending=Ending.COMPLETE,
        http_status=200,
        attempts=(attempt,),
        response_bytes=completion * 5 + 400,
    )


def conclusions() -> Conclusions:
    rows = [
        PriceRow(
            id=new_id(0),
            provider="openai",
            model="gpt-4o-mini",
            unit=unit,
            rate_usd=rate,
            per=1_000_000,
            valid_from_us=0,
            valid_to_us=None,
            source="seed",
        )
        for unit, rate in UNITS
    ]
    return Conclusions(PriceBook(PricePart(rows=rows)), EstimateRules())


async def drain(url: str, directory: Path, calls: int, logger: Any | None) -> dict[str, float]:
    """Drain a directory; return seconds and CPU seconds."""
    database = Database.open(url)
    known = conclusions()
    worker = Drain(
        database,
        directory,
        lambda batch, books: pipeline.close(batch, books, known),
        BenchLedger(),
        node="bench",
        settings=DrainSettings(zone=UTC),
        hooks=DrainHooks(call_logger=logger),
    )
    process, thread_s, began_s = time.process_time(), time.thread_time(), time.perf_counter()
    await worker.catch_up()
    figures = {
        "wall_s": time.perf_counter() - began_s,
        "process_s": time.process_time() - process,
        "loop_s": time.thread_time() - thread_s,
    }
    async with database.read() as unit:
        sql = "SELECT count(cost_nanousd) FROM call_details"
        found = (await unit.connection.exec_driver_sql(sql)).scalar_one()
        sums = await unit.connection.exec_driver_sql("SELECT count(*) FROM rollups_by_call")
        figures["rollup_rows"] = sums.scalar_one()
    if found < calls:
        raise RuntimeError(f"{found} of {calls} calls are in the books")
    await database.close()
    return figures


def _server_cpu_s(pids: Mapping[int, float]) -> dict[int, float]:
    """Return the CPU seconds of each process of a PostgreSQL server of ours, by process id."""
    found = dict(pids)
    for process in psutil.Process(os.getpid()).children(recursive=True):
        try:
            times = process.cpu_times()
        except psutil.NoSuchProcess:
            continue
        found[process.pid] = times.user + times.system
    return found


class ServerWatch(threading.Thread):
    """Looks at the server's processes, so that one that ends is still counted."""

    def __init__(self) -> None:
        super().__init__(daemon=True)
        self.began = _server_cpu_s({})
        self.seen = dict(self.began)
        self._end = threading.Event()

    def run(self) -> None:
        """Look until told to stop."""
        while not self._end.wait(0.25):
            self.seen = _server_cpu_s(self.seen)

    def stop(self) -> float:
        """Return the CPU seconds of the server since the start."""
        self._end.set()
        self.join()
        self.seen = _server_cpu_s(self.seen)
        return sum(self.seen.values()) - sum(self.began.values())


async def prepare(url: str, folder: Path, keys: int, rows: int) -> None:
    """Give a fresh database its schema and so many calls."""
    await make_schema(url)
    if rows:
        write_spool(folder / "samples", SAMPLES, keys, "bench-samples")
        await drain(url, folder / "samples", SAMPLES, None)
        await prefill(url, rows, START_US)


def measure_one(
    kind: str, calls: int, keys: int, logger: Any | None = None, rows: int = 0
) -> dict[str, float]:
    """Drain `calls` calls into a database that has `rows` of them; return the figures per call."""
    folder = Path(tempfile.mkdtemp(prefix="tollbridge-drain-"))
    server = PostgresServer.start(durable=True) if kind == "postgresql" else None
    try:
        spool_bytes = write_spool(folder / "spool", calls, keys)
        url = f"sqlite:///{folder / 'books.db'}" if server is None else server.url("postgres")
        asyncio.run(prepare(url, folder, keys, rows))
        gc.freeze()  # as the office does when it starts
        watch = ServerWatch()
        if server is not None:
            watch.start()
        found = asyncio.run(drain(url, folder / "spool", calls, logger))
        server_s = watch.stop() if server is not None else 0.0
    finally:
        if server is not None:
            server.stop()
        shutil.rmtree(folder, ignore_errors=True)
    other_s = server_s if server is not None else found["process_s"] - found["loop_s"]
    return {
        "calls_per_s": calls / found["wall_s"],
        "ours_us": (found["process_s"] - (0 if server else other_s)) / calls * 1e6,
        "database_us": other_s / calls * 1e6,
        "cpu_us": (found["process_s"] + server_s) / calls * 1e6,
        "spool_bytes": spool_bytes / calls,
        "rollup_rows": found["rollup_rows"],
    }


def logging_us(calls: int = LOGGED) -> float:
    """Return the CPU that the log lines of a call cost, rendered as JSON into nothing."""
    with Path(os.devnull).open("wb") as nothing:
        logger = structlog.wrap_logger(
            structlog.BytesLogger(nothing),
            processors=[
                structlog.processors.add_log_level,
                structlog.processors.TimeStamper(fmt="iso", utc=True),
                structlog.processors.JSONRenderer(serializer=_encode),
            ],
            wrapper_class=structlog.make_filtering_bound_logger(20),
            cache_logger_on_first_use=True,
        )
        with_lines = measure_one("sqlite", calls, 1, logger)["ours_us"]
    return with_lines - measure_one("sqlite", calls, 1)["ours_us"]


def _encode(value: object, **_: object) -> bytes:
    return msgspec.json.encode(value)


def measure(*, quick: bool, rows: int = 0) -> list[Figure]:
    """Return the figures of the drain lane; with `rows` once more where that many are there."""
    calls = 20_000 if quick else CALLS
    figures: list[Figure] = []
    for kind in ("sqlite", "postgresql"):
        for keys in (1, 10_000):
            found = measure_one(kind, calls, keys)
            name = f"{kind}, {keys} keys"
            rate, cpu = found["calls_per_s"], found["cpu_us"]
            figures += [
                Figure("drain", f"{name}: rate", rate, "calls/s", RATE_BOUND, at_least=True),
                Figure("drain", f"{name}: CPU", cpu, "µs/call", CPU_BOUND_US),
            ]
        if rows:
            found = measure_one(kind, calls, 10_000, rows=rows)
            name = f"{kind}, 10000 keys, {rows:,} rows before"
            rate, cpu = found["calls_per_s"], found["cpu_us"]
            figures += [
                Figure("drain", f"{name}: rate", rate, "calls/s", RATE_BOUND_LARGE, at_least=True),
                Figure("drain", f"{name}: CPU", cpu, "µs/call"),
            ]
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--calls", type=int, default=CALLS)
    parser.add_argument("--keys", default="1,10000")
    parser.add_argument("--databases", default="sqlite,postgresql")
    parser.add_argument("--rows", type=int, default=0, help="calls in the books before")
    parser.add_argument("--logging", action="store_true", help="what the log lines cost, too")
    chosen = parser.parse_args()
    for kind in chosen.databases.split(","):
        for keys in map(int, chosen.keys.split(",")):
            found = measure_one(kind, chosen.calls, keys, rows=chosen.rows)
            print(
                f"{kind:<11}{keys:>6} keys  {found['calls_per_s']:8.0f} calls/s"
                f"  CPU {found['cpu_us']:5.1f} µs a call"
                f"  (ours {found['ours_us']:.1f}, database {found['database_us']:.1f};"
                f" bound {CPU_BOUND_US})  {found['rollup_rows']:.0f} roll-up rows by call,"
                f" {found['spool_bytes']:.0f} spool bytes a call"
            )
    if chosen.logging:
        print(f"log lines: {logging_us():.1f} µs a call")


if __name__ == "__main__":
    main()
