"""Another gateway that reports its usage to a node, whatever happens to the node."""

import asyncio
import contextlib
from typing import Any

import httpx

from tests.support.books import discrepancies
from tests.support.node import KEY
from tests.support.processes import WAIT_MAX_S, ServedNode
from tollbridge.storage.unit import Database

PER_BATCH = 20
ADDRESS = "/v2/usage/gateway-metrics"


class Gateway:
    """Another gateway: it reports, and reports again what it got no answer for."""

    def __init__(self, node: ServedNode, pause_s: float = 0.0) -> None:
        """Report to a node, with a pause between two batches."""
        self._node = node
        self._pause_s = pause_s
        self.sent: set[str] = set()
        self.accepted: set[str] = set()
        self.answers: dict[int, int] = {}

    async def report(self, until: asyncio.Event, name: str) -> None:
        """Report batches until told to stop; then until the last one is accepted."""
        number = 0
        headers = {"authorization": f"Bearer {KEY}"}
        async with httpx.AsyncClient(
            base_url=self._node.url, headers=headers, timeout=15
        ) as client:
            while not until.is_set():
                number += 1
                ids = [f"{name}-{number}-{place}" for place in range(PER_BATCH)]
                self.sent.update(ids)
                records = [
                    {"id": one, "model": "gpt-4o-mini", "input_token": 7, "completed": True}
                    for one in ids
                ]
                await self._until_taken(client, records)
                self.accepted.update(ids)
                await asyncio.sleep(self._pause_s)

    async def _until_taken(self, client: httpx.AsyncClient, records: list[Any]) -> None:
        async with asyncio.timeout(WAIT_MAX_S):
            while True:
                with contextlib.suppress(httpx.TransportError):
                    answer = await client.post(ADDRESS, json=records)
                    self.answers[answer.status_code] = self.answers.get(answer.status_code, 0) + 1
                    if answer.status_code == 200:
                        told = answer.json()
                        assert told["rejected"] == []
                        assert told["accepted"] + told["duplicates"] == len(records)
                        return
                    assert answer.status_code == 503
                await asyncio.sleep(0.1)


async def all_count_once(
    node: ServedNode, gateway: Gateway, wait_max_s: float = WAIT_MAX_S
) -> None:
    """Assert that each accepted record is in the books, once, and that the books agree."""
    await node.drained(wait_max_s)
    database = Database.open(node.database_url)
    try:
        async with database.read() as unit:
            found = await unit.connection.exec_driver_sql(
                "SELECT r.record_id FROM intake_records AS r "
                "JOIN call_details AS d ON d.call_id = r.call_id"
            )
            ids = [row[0] for row in found]
    finally:
        await database.close()
    assert len(ids) == len(set(ids))
    assert set(ids) == gateway.accepted == gateway.sent
    assert await discrepancies(node.database_url) == []
