"""The database goes away under calls and reports: both are taken on, and all come into the books.

`pytest -m long` has it away for the minute that is promised; it takes two.
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
from tests.support.processes import load, served_node
from tests.support.sandbox_server import process_sandbox

SHORT_S, LONG_S = 4.0, 60.0
PAUSE_S = 0.05
KEY_EXTRA = 'scopes = ["call", "intake", "read"]'
BEFORE_S = 3.0


@pytest.fixture(name="server")
def own_server() -> Iterator[PostgresServer]:
    server = PostgresServer.start()
    yield server
    server.stop()


@pytest.mark.parametrize("away_s", [SHORT_S, pytest.param(LONG_S, marks=pytest.mark.long)])
async def test_with_the_database_away_workers_serve_on_and_nothing_is_lost_or_doubled(
    tmp_path: Path, server: PostgresServer, away_s: float
) -> None:
    asyncpg: Any = importlib.import_module("asyncpg")  # it ships no types
    connection = await asyncpg.connect(server.url("postgres"))
    await connection.execute("CREATE DATABASE books")
    await connection.close()
    # What piles up in a minute is to come into the books within one too.
    drained_s = 30.0 + away_s
    with process_sandbox(tmp_path / "sandbox.log") as provider:
        budget = BUDGET.format(limit="1000")
        config = config_of(provider.url, extra=budget, key_extra=KEY_EXTRA)
        async with served_node(tmp_path, config, server.url("books"), workers=2) as node:
            until = asyncio.Event()
            callers = 6 if away_s == SHORT_S else 2
            calls = asyncio.create_task(load(node, callers=callers, until=until))
            gateway = Gateway(node, PAUSE_S)
            reports = asyncio.create_task(gateway.report(until, "g"))
            await asyncio.sleep(BEFORE_S)
            offices = node.pids("office")
            before = len(gateway.accepted)
            server.halt()
            await asyncio.sleep(away_s)
            health = await node.health()
            assert health["status"] == "degraded"
            assert len(gateway.accepted) > before  # taken while the database was away
            server.resume()
            await asyncio.sleep(1)
            until.set()
            seen = await calls
            await reports
            assert set(seen) == {"200"}, seen
            health = await node.drained(drained_s)
            assert health["database"] == "ok"
            assert node.pids("office") == offices
            await compare(node.database_url, provider.log(), in_flight_max=0)
            await all_count_once(node, gateway)
