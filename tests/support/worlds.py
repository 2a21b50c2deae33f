"""A node and a sandbox that plays all its providers: what was billed there, what is logged here."""

import asyncio
import json
from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, NamedTuple

import httpx

from tests.support.node import Node
from tests.support.sandbox_server import WAIT_MAX_S, RunningSandbox
from tollbridge.sandbox import LogEntry
from tollbridge.sandbox.usage import Usage

ROWS_MAX = 200


class Door(NamedTuple):
    """An endpoint of a configuration whose provider the sandbox plays."""

    name: str
    dialect: str = "openai"
    emulated: str = ""
    """The sandbox's name of it, where that is another."""
    below: str = ""
    """What its addresses stand below, beyond the sandbox's base URL."""
    quirks: tuple[str, ...] = ()


class Model(NamedTuple):
    """A label with its one candidate, and what that costs."""

    label: str
    category: str
    endpoint: str
    model: str
    rates: Mapping[str, str]


def config_of(sandbox: RunningSandbox, doors: Sequence[Door], models: Sequence[Model]) -> str:
    """Return the configuration; a provider is called like its endpoint."""
    told = [
        f'[[endpoint]]\nname = "{door.name}"\nprovider = "{door.name}"\n'
        f'dialect = "{door.dialect}"\napi_key = "secret-of-{door.name}"\n'
        f'base_url = "{sandbox.base_url(door.emulated or door.name)}{door.below}"\n'
        f"quirks = {json.dumps(door.quirks)}\n"
        for door in doors
    ]
    for one in models:
        rates = ", ".join(f'{unit} = "{rate}"' for unit, rate in one.rates.items())
        told.append(
            f'[[route]]\nmodel = "{one.label}"\ncategory = "{one.category}"\ncandidates = '
            f'[ {{ endpoint = "{one.endpoint}", model = "{one.model}", priority = 1 }} ]\n'
        )
        if rates:
            told.append(
                f'[[price]]\nprovider = "{one.endpoint}"\nmodel = "{one.model}"\n'
                f"rates = {{ {rates} }}\n"
            )
    key = '[[key]]\nname = "ci"\nkey_env = "CI_KEY"\nuser = "ana"\nscopes = ["call", "read"]\n'
    return "".join(told) + key


def cost_usd(used: Usage, rates: Mapping[str, str]) -> Decimal:
    """Return what a provider bills for tokens of a chat, at rates for a million."""
    exact = Decimal(rates["input"]) * used.prompt_tokens
    exact += Decimal(rates["output"]) * used.completion_tokens
    return exact / 1_000_000


class World:
    """Node and sandbox, and how far their books have been read."""

    def __init__(self, node: Node, sandbox: RunningSandbox) -> None:
        self.node = node
        self.sandbox = sandbox
        self._seen = 0

    def forget(self) -> None:
        """Leave alone what was billed so far."""
        self._seen = len(self.sandbox.log)

    async def billed(self) -> list[LogEntry]:
        """Return what the providers were asked since the last time, once all of it has ended."""
        log = await self.sandbox.finished(self._seen + 1)
        fresh, self._seen = log[self._seen :], len(log)
        return fresh

    async def logged(self, call_ids: Sequence[str]) -> list[dict[str, Any]]:
        """Return the rows of `GET /api/v1/usage-logs` of these calls, in their order."""
        async with self.node.client() as client, asyncio.timeout(WAIT_MAX_S):
            while True:
                page = await client.get("/api/v1/usage-logs", params={"limit": ROWS_MAX})
                assert page.status_code == 200, page.text
                rows = {row["call_id"]: row for row in page.json()["calls"]}
                if all(one in rows for one in call_ids):
                    return [rows[one] for one in call_ids]
                await asyncio.sleep(0.02)

    async def pairs(self) -> list[tuple[LogEntry, dict[str, Any]]]:
        """Return what was billed since the last time, each with its row."""
        entries = await self.billed()
        rows = await self.logged([one.client_request_id or "" for one in entries])
        return list(zip(entries, rows, strict=True))

    async def row(self, answered: httpx.Response) -> dict[str, Any]:
        """Return the row of one answer."""
        [row] = await self.logged([answered.headers["x-tollbridge-call-id"]])
        return row
