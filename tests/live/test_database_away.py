"""The database goes away under load: calls are served on, and all of them come into the books."""

import asyncio
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.support.books import compare
from tests.support.node import BUDGET, config_of
from tests.support.postgres import PostgresServer
from tests.support.processes import load, served_node
from tests.support.sandbox_server import process_sandbox

AWAY_S = 4.0


@pytest.fixture(name="server")
def own_server() -> Iterator[PostgresServer]:
    server = PostgresServer.start()
    yield server
    server.stop()


async def test_with_the_database_away_workers_serve_on_and_nothing_is_lost_or_doubled(
    tmp_path: Path, server: PostgresServer
) -> None:
    asyncpg: Any = importlib.import_module("asyncpg")  # it ships no types
    connection = await asyncpg.connect(server.url("postgres"))
    await connection.execute("CREATE DATABASE books")
    await connection.close()
    with process_sandbox(tmp_path / "sandbox.log") as provider:
        config = config_of(provider.url, extra=BUDGET.format(limit="1000"))
        async with served_node(tmp_path, config, server.url("books"), workers=2) as node:
            until = asyncio.Event()
            calls = asyncio.create_task(load(node, callers=6, until=until))
            await asyncio.sleep(3)
            offices = node.pids("office")
            server.halt()
            await asyncio.sleep(AWAY_S)
            health = await node.health()
            assert health["status"] == "degraded"
            server.resume()
            await asyncio.sleep(1)
            until.set()
            seen = await calls
            assert set(seen) == {"200"}, seen
            health = await node.drained()
            assert health["database"] == "ok"
            assert node.pids("office") == offices
            await compare(node.database_url, provider.log(), in_flight_max=0)
