"""How many reports of other gateways does a second of CPU take, and how many come into the books?

Run `python -m bench.micro.intake [URL]`: batches of 500, all records with an id of their own and
different counts, users and keys; SQLite in a temporary directory, or an empty database at URL.
Bound: 10,000 accepted a second. The time is CPU time of this process (PostgreSQL's is not in it),
and by the wall.
"""

import asyncio
import sys
import tempfile
import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import msgspec

from tests.support.databases import make_schema
from tests.support.drained import CONCLUSIONS, NODE, SpyLedger
from tollbridge import pipeline
from tollbridge.core.account import CallAccount
from tollbridge.core.clock import SystemClock
from tollbridge.core.evidence import CallEvidence
from tollbridge.recording.drain import Drain
from tollbridge.recording.intake import Intake, IntakeHooks, Reporter
from tollbridge.routing.vendor import vendor_of
from tollbridge.storage.unit import Database

BATCHES = 200
PER_BATCH = 500


def bodies() -> list[bytes]:
    """Return the batches as another gateway sends them."""
    return [
        msgspec.json.encode(
            [
                {
                    "id": f"{batch}-{place}",
                    "model": "gpt-4o-mini",
                    "provider_type": "openai",
                    "input_token": 100 + place,
                    "output_token": 10 + batch,
                    "completed": True,
                    "started_at": 1_767_225_600_000 + place * 1000,
                    "completed_at": 1_767_225_601_000 + place * 1000,
                    "user_id": place % 50,
                    "access_key": f"key-{place % 100}",
                    "operation": "chat_completion",
                }
                for place in range(PER_BATCH)
            ]
        )
        for batch in range(BATCHES)
    ]


async def close(batch: Sequence[CallEvidence], books: pipeline.Books) -> Sequence[CallAccount]:
    """Close calls by the prices of the tests."""
    return await pipeline.close(batch, books, CONCLUSIONS)


async def run(url: str, folder: Path) -> None:
    """Take all batches, then bring them into the books; print both rates."""
    await make_schema(url)
    database = Database.open(url)
    clock = SystemClock()
    intake = Intake(
        folder,
        database,
        clock,
        IntakeHooks(vendor_of=vendor_of, pending_bytes=lambda: 0),
        node=NODE,
    )
    given = bodies()
    await measure("accepted", take(intake, given))
    drain = Drain(database, folder, close, SpyLedger(), node=NODE, clock=clock)
    await measure("into the books", drain.catch_up())
    async with database.read() as unit:
        found = await unit.connection.exec_driver_sql("SELECT count(*) FROM call_details")
        if found.scalar_one() != BATCHES * PER_BATCH:
            raise RuntimeError("not every report came into the books")
    await measure("duplicates told", take(intake, given))
    intake.close()
    drain.close()
    await database.close()


async def take(intake: Intake, given: list[bytes]) -> None:
    """Report each batch and wait for its answer."""
    for body in given:
        await intake.take(body, Reporter("gw", "default"), None, ask_database=True)


async def measure(name: str, work: Any) -> None:
    """Print how many records a second `work` gets through."""
    cpu_s, wall_s = time.process_time(), time.perf_counter()
    await work
    cpu_s, wall_s = time.process_time() - cpu_s, time.perf_counter() - wall_s
    count = BATCHES * PER_BATCH
    print(f"{name:<20}{count / cpu_s:>10,.0f} a second of CPU{count / wall_s:>10,.0f} by the wall")


def main() -> None:
    with tempfile.TemporaryDirectory() as folder:
        url = sys.argv[1] if len(sys.argv) > 1 else f"sqlite:///{folder}/books.db"
        asyncio.run(run(url, Path(folder) / "spool"))


if __name__ == "__main__":
    main()
