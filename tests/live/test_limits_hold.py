"""No hard limit is ever exceeded: 4 workers, 64 connections, on both databases, with a death."""

import asyncio
from collections import Counter
from collections.abc import Sequence
from pathlib import Path
from typing import Any

import httpx
import pytest
from sqlalchemy import text

from tests.support.books import discrepancies, rows_of
from tests.support.node import KEY, chat, config_of
from tests.support.patience import becomes, slowness
from tests.support.processes import WAIT_MAX_S, ServedNode, served_node
from tests.support.sandbox_server import process_sandbox
from tollbridge.core.clock import SystemClock
from tollbridge.storage.unit import Database

HEADERS = {"authorization": f"Bearer {KEY}"}
CALLERS = 64
FREED_S, REFUSED_S = 5.0, 2.0
DOLLAR = 10**9
CALLS = '[[budget]]\nname = "b"\nsubject = "user:ana"\nlimit_calls = 100\nperiod = "total"\n'
MONEY = '[[budget]]\nname = "b"\nsubject = "key:ci"\nlimit_usd = "1.00"\nperiod = "total"\n'
COUNTED = """
SELECT p.spent, p.leased FROM budget_periods AS p JOIN budgets AS b ON b.budget_id = p.budget_id
"""
LEFT_BEHIND = """
SELECT count(*) FROM leases WHERE state = 'ended' AND granted - settled - returned > 0
"""


async def query(url: str, sql: str) -> list[Any]:
    database = Database.open(url)
    try:
        async with database.read() as unit:
            return list((await unit.connection.execute(text(sql))).all())
    finally:
        await database.close()


async def spend(node: ServedNode, refused: int, statuses: "Counter[int]") -> None:
    """Call from 64 connections until each has been refused for two seconds."""
    clock, refused_s = SystemClock(), REFUSED_S * slowness()

    async def caller(number: int) -> None:
        first_s: float | None = None
        async with httpx.AsyncClient(
            base_url=node.url, headers=HEADERS, timeout=WAIT_MAX_S
        ) as client:
            while first_s is None or clock.monotonic_s() < first_s + refused_s:
                try:
                    body = chat(f"caller {number}", max_tokens=20)
                    answer = await client.post("/v1/chat/completions", json=body)
                except httpx.TransportError:
                    continue  # its worker was killed
                statuses[answer.status_code] += 1
                if answer.status_code == refused:
                    first_s = first_s or clock.monotonic_s()
                    await asyncio.sleep(0.1)

    await asyncio.gather(*(caller(number) for number in range(CALLERS)))


def dear(config: str) -> str:
    """Return a configuration in which a call costs about a cent."""
    return config.replace('input = "0.15", output = "0.60"', 'input = "150", output = "600"')


async def spend_with_a_death(
    node: ServedNode, refused: int, *, kills: bool
) -> tuple["Counter[int]", Sequence[Any]]:
    statuses: Counter[int] = Counter()
    spending = asyncio.create_task(spend(node, refused, statuses))
    if kills:
        async with asyncio.timeout(WAIT_MAX_S):
            while statuses[200] < 20:
                await asyncio.sleep(0.005)
        node.kill("worker")
    await spending
    await node.drained()
    return statuses, await rows_of(node.database_url)


kinds = pytest.mark.parametrize(
    ("budget", "refused", "limit"), [(CALLS, 429, 100), (MONEY, 402, DOLLAR)], ids=["calls", "usd"]
)
deaths = pytest.mark.parametrize("kills", [False, True], ids=["all live", "a worker dies"])


@deaths
@kinds
async def test_four_workers_and_64_connections_never_exceed_a_hard_budget(
    tmp_path: Path, budget: str, refused: int, limit: int, *, kills: bool
) -> None:
    """What a dead worker held is free again in time, and what is spent is spent once."""
    await hold(tmp_path, None, (budget, refused, limit), kills=kills)


@deaths
@kinds
async def test_on_postgresql_too(
    tmp_path: Path, postgresql_url: str, budget: str, refused: int, limit: int, *, kills: bool
) -> None:
    await hold(tmp_path, postgresql_url, (budget, refused, limit), kills=kills)


async def hold(folder: Path, url: str | None, case: tuple[str, int, int], *, kills: bool) -> None:
    budget, refused, limit = case
    with process_sandbox(folder / "sandbox.log") as provider:
        config = dear(config_of(provider.url, extra=budget))
        async with served_node(folder, config, url, workers=4) as node:
            statuses, rows = await spend_with_a_death(node, refused, kills=kills)

            async def left_behind() -> int:
                return (await query(node.database_url, LEFT_BEHIND))[0][0]

            await becomes(left_behind, 0, within_s=FREED_S)
            ((spent, leased),) = await query(node.database_url, COUNTED)
            assert await discrepancies(node.database_url) == []
            assert spent + leased <= limit
            served = [row for row in rows if row.ending == "complete"]
            if budget is CALLS:
                # The answers of a killed worker may have been lost on their way.
                assert len(served) == spent <= limit
                assert kills or statuses[200] == limit
                assert len({entry.client_request_id for entry in provider.log()}) <= (
                    limit if not kills else limit + CALLERS
                )
            else:
                assert sum(row.charge_nanousd for row in rows) == spent
                assert limit - spent < limit // 10
