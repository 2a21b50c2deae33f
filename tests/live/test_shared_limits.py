"""Limits and changes over several worker processes of one node."""

import asyncio
import subprocess
from collections import Counter
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.books import discrepancies, rows_of
from tests.support.calendar_time import MINUTE_S, room_in
from tests.support.node import BUDGET, KEY, MODEL, chat, config_of
from tests.support.patience import becomes, slowness
from tests.support.processes import COMMAND, WAIT_MAX_S, ServedNode, served_node
from tests.support.sandbox_server import process_sandbox
from tollbridge.core.clock import SystemClock

ROOM_S = 15.0
FALSE_REFUSAL_S, REFUSED_S = 2.5, 3.0
HEADERS = {"authorization": f"Bearer {KEY}"}


async def call_on_new_connections(node: ServedNode, count: int, **fields: Any) -> list[int]:
    """Make `count` calls, each on a connection of its own, so that all workers get some."""

    async def one(number: int) -> int:
        async with httpx.AsyncClient(
            base_url=node.url, headers=HEADERS, timeout=WAIT_MAX_S
        ) as client:
            answer = await client.post("/v1/chat/completions", json=chat(f"n {number}", **fields))
            return answer.status_code

    return list(await asyncio.gather(*(one(number) for number in range(count))))


async def test_four_workers_and_ten_calls_a_minute_serve_exactly_ten(tmp_path: Path) -> None:
    with process_sandbox(tmp_path / "sandbox.log") as provider:
        config = config_of(provider.url, key_extra="calls_per_minute = 10")
        async with served_node(tmp_path, config, workers=4) as node:
            await room_in(MINUTE_S, ROOM_S)
            statuses = Counter(await call_on_new_connections(node, 60))
            assert statuses == {200: 10, 429: 50}


async def test_a_hard_budget_holds_over_two_workers_and_false_refusals_pass(
    tmp_path: Path,
) -> None:
    limit_nanousd = 3_000_000
    with process_sandbox(tmp_path / "sandbox.log") as provider:
        limit = str(Decimal(limit_nanousd) / 10**9)
        config = config_of(provider.url, extra=BUDGET.format(limit=limit))
        async with served_node(tmp_path, config, workers=2) as node:
            stop = asyncio.Event()
            refused_first_s: list[float] = []
            served: list[float] = []
            clock, factor = SystemClock(), slowness()

            async def caller(number: int) -> None:
                async with httpx.AsyncClient(
                    base_url=node.url, headers=HEADERS, timeout=WAIT_MAX_S
                ) as client:
                    while not stop.is_set():
                        body = chat(f"caller {number}", max_tokens=20)
                        answer = await client.post("/v1/chat/completions", json=body)
                        if answer.status_code == 200:
                            served.append(clock.monotonic_s())
                        else:
                            assert answer.status_code == 402, answer.text
                            refused_first_s.append(clock.monotonic_s())
                            await asyncio.sleep(0.05)
                            if clock.monotonic_s() - refused_first_s[0] > REFUSED_S * factor:
                                return

            await asyncio.gather(*(caller(number) for number in range(64)))
            await node.drained()
            rows = await rows_of(node.database_url)
            spent = sum(row.charge_nanousd for row in rows)
            assert not any("overrun" in str(row.flags) for row in rows)
            assert spent <= limit_nanousd
            # What is left is less than one call may cost: nothing was refused for good
            # while there was room.
            assert limit_nanousd - spent < 20_000
            factor = max(factor, slowness())
            assert max(served) < refused_first_s[0] + FALSE_REFUSAL_S * factor
            assert await discrepancies(node.database_url) == []


async def test_a_revoked_key_is_refused_by_all_workers_within_a_second(tmp_path: Path) -> None:
    with process_sandbox(tmp_path / "sandbox.log") as provider:
        async with served_node(tmp_path, config_of(provider.url), workers=3) as node:
            environment = node.environment({})
            made = subprocess.run(
                [COMMAND, "keys", "create", "guest", "--user", "guest"],
                env=environment,
                capture_output=True,
                text=True,
                check=True,
            )
            key = next(word for word in made.stdout.split() if word.startswith("tb_"))
            headers = {"authorization": f"Bearer {key}"}

            async def statuses() -> set[int]:
                return set(await statuses_with(node, headers))

            await becomes(statuses, {200}, within_s=1.0)
            subprocess.run(
                [COMMAND, "keys", "revoke", "guest"],
                env=environment,
                capture_output=True,
                check=True,
            )
            await becomes(statuses, {401}, within_s=1.0)


async def statuses_with(node: ServedNode, headers: dict[str, str]) -> list[int]:
    async def one() -> int:
        async with httpx.AsyncClient(
            base_url=node.url, headers=headers, timeout=WAIT_MAX_S
        ) as client:
            return (await client.post("/v1/chat/completions", json=chat())).status_code

    return list(await asyncio.gather(*(one() for _ in range(20))))


@pytest.mark.parametrize(
    ("config", "words"),
    [
        ("[[budgets]]\nname = 1", "budgets"),
        (f'[[route]]\nmodel = "{MODEL}"\ncategory = "text"\ncandidate = 1', "candidate"),
    ],
)
def test_a_configuration_that_cannot_be_applied_is_said_and_ends_the_start(
    tmp_path: Path, config: str, words: str
) -> None:
    node = ServedNode(tmp_path, config, None, {})
    ended = subprocess.run(
        [COMMAND, "serve"],
        env=node.environment({}),
        capture_output=True,
        text=True,
        timeout=WAIT_MAX_S,
        check=False,
    )
    assert ended.returncode == 78
    assert words in ended.stderr
    assert "Traceback" not in ended.stderr
