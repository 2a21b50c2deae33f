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
from tests.support.postgres import PostgresServer
from tests.support.processes import ServedNode, served_node

CONFIG = """
[[key]]
name = "gw"
key_env = "CI_KEY"
user = "gw"
scopes = ["intake", "read"]
"""
AWAY_S = 4.0
WAIT_MAX_S = 30.0


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


async def test_with_the_database_away_reports_are_taken_and_all_of_them_count(
    tmp_path: Path, server: PostgresServer
) -> None:
    asyncpg: Any = importlib.import_module("asyncpg")  # it ships no types
    connection = await asyncpg.connect(server.url("postgres"))
    await connection.execute("CREATE DATABASE books")
    await connection.close()
    async with served_node(tmp_path, CONFIG, server.url("books")) as node:
        taken: list[int] = []
        gateway = Gateway(node)

        until = asyncio.Event()
        reports = [asyncio.create_task(gateway.report(until, f"g{one}")) for one in range(3)]
        # Which sources there are it has to know before: it asks at the first report.
        async with asyncio.timeout(WAIT_MAX_S):
            while not gateway.accepted:
                await asyncio.sleep(0.02)
        offices = node.pids("office")
        server.halt()
        await asyncio.sleep(AWAY_S / 2)
        taken.append(len(gateway.accepted))
        await asyncio.sleep(AWAY_S / 2)
        taken.append(len(gateway.accepted))
        health = await node.health()
        assert health["status"] == "degraded"
        server.resume()
        await asyncio.sleep(1)
        until.set()
        await asyncio.gather(*reports)
        assert taken[1] > taken[0] + 100, (taken, gateway.answers)  # taken without a database
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
            async with asyncio.timeout(1.0):
                while True:
                    shown = await client.get(f"/v2/usage/intake/{taken['batch']}")
                    if shown.status_code == 200 and shown.json()["recorded"] == 1:
                        break
                    await asyncio.sleep(0.02)
