"""kill -9 of the office, or a database that goes away, while another gateway reports."""

import asyncio
import importlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.gateways import ADDRESS, PER_BATCH, Gateway, all_count_once
from tests.support.node import KEY
from tests.support.patience import becomes
from tests.support.postgres import PostgresServer
from tests.support.processes import ServedNode, served_node

CONFIG = """
[[key]]
name = "gw"
key_env = "CI_KEY"
user = "gw"
scopes = ["intake", "read"]
"""
MORE = 100
WAIT_MAX_S = 120.0


async def gateways_under(node: ServedNode, seconds: float, what: Any = None) -> Gateway:
    gateway = Gateway(node)
    until = asyncio.Event()
    reports = [asyncio.create_task(gateway.report(until, f"g{one}")) for one in range(3)]
    await asyncio.sleep(seconds)
    if what is not None:
        await what
    until.set()
    await asyncio.gather(*reports)
    return gateway


@pytest.mark.parametrize(
    "point", ["intake.after_append", "intake.after_sync", "drain.before_commit"]
)
async def test_an_office_that_dies_under_reports_loses_and_doubles_nothing(
    tmp_path: Path, point: str
) -> None:
    async with served_node(tmp_path, CONFIG, crash_at=f"{point}:15") as node:
        [before] = node.pids("office")

        async def die() -> None:
            async with asyncio.timeout(WAIT_MAX_S):
                while before in node.pids("office"):
                    await asyncio.sleep(0.02)

        gateway = await gateways_under(node, 0.0, die())
        assert len(gateway.accepted) > PER_BATCH
        await all_count_once(node, gateway)


async def test_an_office_that_is_killed_at_random_loses_and_doubles_nothing(
    tmp_path: Path, postgresql_url: str
) -> None:
    async with served_node(tmp_path, CONFIG, postgresql_url) as node:

        async def kill() -> None:
            node.kill("office")
            await asyncio.sleep(1.5)
            node.kill("office")
            await asyncio.sleep(1.5)

        await all_count_once(node, await gateways_under(node, 1.0, kill()))


@pytest.fixture(name="server")
def own_server() -> Iterator[PostgresServer]:
    server = PostgresServer.start()
    yield server
    server.stop()


async def until_degraded(node: ServedNode) -> None:
    """Wait until the node has noticed that its database is away."""
    async with asyncio.timeout(WAIT_MAX_S):
        while (await node.health()).get("status") != "degraded":
            await asyncio.sleep(0.05)


async def test_with_the_database_away_reports_are_taken_and_all_of_them_count(
    tmp_path: Path, server: PostgresServer
) -> None:
    asyncpg: Any = importlib.import_module("asyncpg")  # it ships no types
    connection = await asyncpg.connect(server.url("postgres"))
    await connection.execute("CREATE DATABASE books")
    await connection.close()
    async with served_node(tmp_path, CONFIG, server.url("books")) as node:
        gateway = Gateway(node)

        until = asyncio.Event()
        reports = [asyncio.create_task(gateway.report(until, f"g{one}")) for one in range(3)]
        # Which sources there are it has to know before: it asks at the first report.
        async with asyncio.timeout(WAIT_MAX_S):
            while not gateway.accepted:
                await asyncio.sleep(0.02)
        offices = node.pids("office")
        server.halt()
        await until_degraded(node)
        before = len(gateway.accepted)
        async with asyncio.timeout(WAIT_MAX_S):  # taken without a database
            while len(gateway.accepted) <= before + MORE:
                await asyncio.sleep(0.05)
        assert (await node.health())["status"] == "degraded"
        server.resume()
        await asyncio.sleep(1)
        until.set()
        await asyncio.gather(*reports)
        assert node.pids("office") == offices
        await all_count_once(node, gateway)
        assert (await node.health())["database"] == "ok"


async def test_a_report_is_in_the_usage_within_a_second(tmp_path: Path) -> None:
    async with served_node(tmp_path, CONFIG) as node:
        headers = {"authorization": f"Bearer {KEY}"}
        async with httpx.AsyncClient(base_url=node.url, headers=headers, timeout=10) as client:
            record = {"model": "gpt-4o-mini", "input_token": 7, "completed": True}
            taken = (await client.post(ADDRESS, json=record)).json()
            assert taken["accepted"] == 1

            async def recorded() -> int:
                shown = await client.get(f"/v2/usage/intake/{taken['batch']}")
                return shown.json()["recorded"] if shown.status_code == 200 else 0

            await becomes(recorded, 1, within_s=1.0)
