"""A price changes while calls are made: does the next call have it, and the past its own?"""

import asyncio
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx

from tests.support.drained import rows
from tests.support.node import BUDGET, KEY, MODEL, chat, config_of
from tests.support.patience import slowness
from tests.support.processes import WAIT_MAX_S, ServedNode, served_node
from tests.support.rerated import disagreements, originals
from tests.support.sandbox_server import process_sandbox
from tollbridge.core.evidence import Closed
from tollbridge.recording.records import RecordCodec
from tollbridge.storage.unit import Database

PASSWORD = "correct horse battery"
NEW = {"input": "15", "output": "60", "cache_read": "7.5"}
"""A hundred times what the configuration says."""


async def call(node: ServedNode, count: int) -> list[str]:
    """Make calls, each on a connection of its own so that both workers get some."""
    headers = {"authorization": f"Bearer {KEY}"}

    async def one(number: int) -> str:
        async with httpx.AsyncClient(
            base_url=node.url, headers=headers, timeout=WAIT_MAX_S
        ) as client:
            answer = await client.post("/v1/chat/completions", json=chat(f"call {number}"))
        assert answer.status_code == 200, answer.text
        return answer.headers["x-tollbridge-call-id"]

    return list(await asyncio.gather(*(one(number) for number in range(count))))


async def state(node: ServedNode, **more: Any) -> None:
    """State new prices by the API."""
    async with httpx.AsyncClient(base_url=node.url, timeout=WAIT_MAX_S) as client:
        signed_in = await client.post(
            "/api/v1/auth/token", json={"username": "admin", "password": PASSWORD}
        )
        headers = {"authorization": f"Bearer {signed_in.json()['access_token']}"}
        for unit, rate in NEW.items():
            order = {"provider": "p1", "model": MODEL, "unit": unit, "rate_usd": rate, **more}
            answer = await client.post("/api/v1/prices", json=order, headers=headers)
            assert answer.status_code == 201, answer.text


def charged(node: ServedNode) -> Mapping[str, tuple[str, int | None]]:
    """Return by call which worker carried it, and what that one took from its purse."""
    codec = RecordCodec()
    found: dict[str, tuple[str, int | None]] = {}
    for path in (node.data_dir / "spool").glob("*.jsonl"):
        for line in path.read_bytes().splitlines():
            record = codec.parse(line)
            if isinstance(record, Closed):
                found[record.call_id] = (path.name, record.charge_nanousd)
    return found


async def costs(database: Database, call_ids: Sequence[str]) -> dict[str, tuple[int, int]]:
    """Return by call what it cost first, and what it would cost by NEW."""
    found = await rows(
        database, "SELECT call_id, cost_nanousd, input_tokens, output_tokens FROM call_details"
    )
    each = {
        str(row[0]): (row[1], int(1000 * (Decimal(15) * row[2] + Decimal(60) * row[3])))
        for row in found
    }
    return {call_id: each[call_id] for call_id in call_ids}


async def test_a_changed_price_is_that_of_the_next_call_and_of_no_earlier_one(
    tmp_path: Path,
) -> None:
    """On both workers within a second; a correction of the past adds rows and changes none."""
    with process_sandbox(tmp_path / "sandbox.log") as provider:
        config = config_of(provider.url, extra=BUDGET.format(limit="1000"))
        async with served_node(tmp_path, config, workers=2, admin_password=PASSWORD) as node:
            database = Database.open(node.database_url)
            before = await call(node, 8)
            await node.drained()
            first = await originals(database)
            await state(node)
            await asyncio.sleep(slowness())
            after = await call(node, 24)
            await node.drained()
            taken = charged(node)
            dear = await costs(database, after)
            assert all(cost == new for cost, new in dear.values())
            assert {taken[one][1] for one in after} == {new for _, new in dear.values()}
            assert len({taken[one][0] for one in after}) == 2
            cheap = await costs(database, before)
            assert all(cost * 100 == new for cost, new in cheap.values())
            for table, found in (await originals(database)).items():
                assert all(row in found for row in first[table])

            rerate = ("prices", "rerate", "--from", "2020-01-01", "--json")
            assert json.loads(node.command(*rerate).stdout)["adjustments"] == 0
            whole = await originals(database)
            await state(node, valid_from="2020-01-01T00:00:00Z")
            done = json.loads(node.command(*rerate).stdout)
            assert done["adjustments"] == len(before)
            assert done["difference_nanousd"] == sum(new - cost for cost, new in cheap.values())
            assert json.loads(node.command(*rerate).stdout)["adjustments"] == 0
            assert await originals(database) == whole
            assert await disagreements(database) == []
            node.command("doctor", "--books", "--deep")
            await database.close()
