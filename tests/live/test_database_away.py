"""The database goes away under calls and reports: both are taken on, and all come into the books.

`pytest -m long` has it away for the minute that is promised; it takes two. Under a hard budget a
worker serves on from what its purses hold: ten seconds at its pace of late, less where it gets more
calls than before the outage. What it cannot check it refuses with a 503, until the database is
back: a call is refused rather than a limit broken, and what was let in is never lost.
"""

import asyncio
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.books import compare
from tests.support.gateways import Gateway, all_count_once
from tests.support.node import BUDGET, config_of
from tests.support.postgres import PostgresServer
from tests.support.processes import WAIT_MAX_S, ServedNode, load, served_node
from tests.support.sandbox_server import process_sandbox

SHORT_S, LONG_S = 4.0, 60.0
PAUSE_S = 0.05
CALLERS = 4
KEY_EXTRA = 'scopes = ["call", "intake", "read"]'
BEFORE_S = 3.0


async def paced(
    node: ServedNode, until: asyncio.Event, seen: dict[str, int] | None = None
) -> dict[str, int]:
    """Call at a pace that the machine's other work hardly changes: purses are filled by it."""
    return await load(node, callers=CALLERS, until=until, pause_s=PAUSE_S, seen=seen)


@pytest.fixture(name="server")
def own_server() -> Iterator[PostgresServer]:
    server = PostgresServer.start()
    yield server
    server.stop()


@pytest.mark.alone
@pytest.mark.parametrize("away_s", [SHORT_S, pytest.param(LONG_S, marks=pytest.mark.long)])
async def test_with_the_database_away_workers_serve_on_and_nothing_is_lost_or_doubled(
    tmp_path: Path, server: PostgresServer, away_s: float
) -> None:
    asyncpg: Any = importlib.import_module("asyncpg")  # it ships no types
    connection = await asyncpg.connect(server.url("postgres"))
    await connection.execute("CREATE DATABASE books")
    await connection.close()
    # What piles up in a minute is to come into the books within one too.
    drained_s = WAIT_MAX_S + away_s
    with process_sandbox(tmp_path / "sandbox.log") as provider:
        budget = BUDGET.format(limit="1000")
        config = config_of(provider.url, extra=budget, key_extra=KEY_EXTRA)
        async with served_node(tmp_path, config, server.url("books"), workers=2) as node:
            gateway = Gateway(node, PAUSE_S)
            over = asyncio.Event()
            reports = asyncio.create_task(gateway.report(over, "g"))
            # Purses are filled by the pace of late: the same connections go on, since new ones
            # may meet the workers in other numbers.
            seen: dict[str, int] = {}
            calls = asyncio.create_task(paced(node, over, seen))
            await asyncio.sleep(BEFORE_S)
            assert set(seen) == {"200"}
            offices = node.pids("office")
            at_first = seen["200"]
            before = len(gateway.accepted)
            server.halt()
            await asyncio.sleep(SHORT_S)
            assert seen["200"] - at_first > 9 * seen.get("503", 0), seen
            await asyncio.sleep(away_s - SHORT_S)
            assert (await node.health())["status"] == "degraded"
            assert len(gateway.accepted) > before  # taken while the database was away
            server.resume()
            await asyncio.sleep(1)
            over.set()
            assert set(await calls) <= {"200", "503"}
            await reports
            health = await node.drained(drained_s)
            assert health["database"] == "ok"
            assert node.pids("office") == offices
            once_more = asyncio.Event()
            asyncio.get_running_loop().call_later(1.0, once_more.set)
            assert "200" in await paced(node, once_more)
            await node.drained(drained_s)
            await compare(node.database_url, provider.log(), in_flight_max=0)
            await all_count_once(node, gateway)
