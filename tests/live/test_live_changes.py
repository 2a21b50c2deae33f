"""What is changed while four workers serve is what all of them do a second later."""

import asyncio
import contextlib
from collections import Counter
from collections.abc import AsyncGenerator, AsyncIterator
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.support.books import rows_of
from tests.support.node import BUDGET, KEY, MODEL, chat, config_of
from tests.support.patience import becomes, slowness
from tests.support.processes import WAIT_MAX_S, ServedNode, served_node
from tests.support.sandbox_server import process_sandbox
from tollbridge.configuration.read import read_file
from tollbridge.core.clock import SystemClock
from tollbridge.core.evidence import Closed
from tollbridge.core.plan import Endpoint
from tollbridge.processes.places import Places
from tollbridge.processes.secrets import load_secrets
from tollbridge.rating.store import apply_file_prices
from tollbridge.recording.records import RecordCodec
from tollbridge.routing.builtin import load_known
from tollbridge.routing.change_store import put_endpoint, put_route
from tollbridge.routing.part import CandidateEntry, DeclaredEndpoint, RouteEntry
from tollbridge.settings import Settings
from tollbridge.storage.unit import Database, Unit

WITHIN_S = 1.0
CONNECTIONS = 40
"""So many that each of the workers, who share the port by chance, has some of them."""
PASSWORD = "correct horse"
LABEL = "changing"

pytestmark = pytest.mark.asyncio(loop_scope="module")


class Changing:
    """A node with four workers, a caller on many connections, and an administrator."""

    def __init__(self, node: ServedNode, admin: httpx.AsyncClient, provider_url: str) -> None:
        self.node = node
        self.admin = admin
        self.provider_url = provider_url

    async def answers(self, key: str = KEY, model: str = MODEL) -> list[httpx.Response]:
        """Return one answer on each of many connections."""

        async def one(number: int) -> httpx.Response:
            headers = {"authorization": f"Bearer {key}"}
            async with httpx.AsyncClient(base_url=self.node.url, headers=headers) as client:
                body = chat(f"n {number}", model=model, max_tokens=20)
                return await client.post("/v1/chat/completions", json=body, timeout=WAIT_MAX_S)

        return list(await asyncio.gather(*(one(number) for number in range(CONNECTIONS))))

    async def answered(self, key: str, status: int) -> None:
        """Within a second all calls of a key are answered so."""

        async def statuses() -> set[int]:
            return {one.status_code for one in await self.answers(key)}

        await becomes(statuses, {status}, WITHIN_S)

    async def served(self, model: str, provider: str) -> None:
        """Within a second all calls of a model are served by a provider."""

        async def providers() -> set[str]:
            answers = await self.answers(model=model)
            return {one.headers.get("x-tollbridge-provider", one.text) for one in answers}

        await becomes(providers, {provider}, WITHIN_S)

    @contextlib.asynccontextmanager
    async def written(self) -> AsyncGenerator[Unit]:
        """Change the database as another process does."""
        database = Database.open(self.node.database_url)
        try:
            async with database.write() as unit:
                yield unit
        finally:
            await database.close()


@pytest_asyncio.fixture(scope="module", loop_scope="module")
async def changing(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Changing]:
    folder = tmp_path_factory.mktemp("changes")
    with process_sandbox(folder / "sandbox.log") as provider:
        config = config_of(provider.url, provider.url, extra=BUDGET.format(limit="1000"))
        async with (
            served_node(folder, config, workers=4, admin_password=PASSWORD) as node,
            httpx.AsyncClient(base_url=f"{node.url}/api/v1", timeout=20) as admin,
        ):
            credentials = {"username": "admin", "password": PASSWORD}
            token = (await admin.post("/auth/token", json=credentials)).json()["access_token"]
            admin.headers["authorization"] = f"Bearer {token}"
            async with asyncio.timeout(WAIT_MAX_S):
                while len((await node.health()).get("workers", ())) < 4:
                    await asyncio.sleep(0.1)
            yield Changing(node, admin, provider.url)


async def test_a_new_key_opens_and_a_revoked_one_does_not(changing: Changing) -> None:
    made = (await changing.admin.post("/keys", json={"name": "guest"})).json()
    await changing.answered(made["key"], 200)
    assert (await changing.admin.delete(f"/keys/{made['key_id']}")).status_code == 200
    await changing.answered(made["key"], 401)


async def test_a_route_and_an_endpoint_lead_where_they_were_last_told_to(
    changing: Changing,
) -> None:
    other = Endpoint("other", "p2", "openai", f"{changing.provider_url}/v1", "secret")
    candidates = (CandidateEntry("other", MODEL, 1), CandidateEntry("e1", MODEL, 2))
    settings = Settings(data_dir=changing.node.data_dir)
    master = load_secrets(settings, Places(settings.data_dir)).master
    async with changing.written() as unit:
        await put_endpoint(unit, DeclaredEndpoint(other), master)
        await put_route(unit, RouteEntry(LABEL, "text", candidates=candidates))
    await changing.served(LABEL, "p2")

    changed = await changing.admin.patch("/endpoints/other", json={"enabled": False})
    assert changed.status_code == 200
    await changing.served(LABEL, "p1")

    changed = await changing.admin.patch("/endpoints/other", json={"enabled": True})
    assert changed.status_code == 200
    await changing.served(LABEL, "p2")
    async with changing.written() as unit:
        await put_route(unit, RouteEntry(LABEL, "text", candidates=candidates[1:]))
    await changing.served(LABEL, "p1")


async def test_endpoints_are_reordered_and_switched_off_for_a_category(
    changing: Changing,
) -> None:
    """Of what names no provider: the category's endpoints, each with its default model."""
    for name, provider, priority in (("one", "p1", 1), ("two", "p2", 2)):
        made = await changing.admin.post(
            "/endpoints",
            json={
                "name": name,
                "provider": provider,
                "dialect": "openai",
                "base_url": f"{changing.provider_url}/v1",
                "api_key": f"secret-{name}",
                "priority": priority,
                "default_models": {"text": MODEL},
            },
        )
        assert made.status_code == 201, made.text
    await changing.served("text", "p1")

    changes: tuple[tuple[dict[str, Any], str], ...] = (
        ({"priority": 3}, "p2"),
        ({"priority": {"text": 1}}, "p1"),
        ({"enabled": {"text": False}}, "p2"),
        ({"enabled": {"text": True}}, "p1"),
    )
    for wanted, served in changes:
        changed = await changing.admin.patch("/endpoints/one", json=wanted)
        assert changed.status_code == 200, changed.text
        await changing.served("text", served)


async def test_a_new_price_is_what_workers_and_office_charge(
    changing: Changing, tmp_path: Path
) -> None:
    """The prices of the file, as the next start would read it."""
    dearer = config_of(changing.provider_url, changing.provider_url)
    dearer = dearer.replace('output = "0.60"', 'output = "600"')
    (tmp_path / "dearer.toml").write_text(dearer)
    prices = read_file(tmp_path / "dearer.toml", {"CI_KEY": KEY}, load_known(None)).prices
    assert await charges(changing, await changing.answers()) == {"cheap": CONNECTIONS}
    async with changing.written() as unit:
        await apply_file_prices(unit, prices, SystemClock().now_us())
    await asyncio.sleep(WITHIN_S * slowness())
    assert await charges(changing, await changing.answers()) == {"dear": CONNECTIONS}


async def charges(changing: Changing, answers: list[httpx.Response]) -> Counter[str]:
    """Return how often each price was charged by the worker, and rated by the office alike."""
    await changing.node.drained()
    wanted = {one.headers["x-tollbridge-call-id"] for one in answers}
    charged = {
        record.call_id: record.charge_nanousd
        for record in spooled(changing.node)
        if isinstance(record, Closed) and record.call_id in wanted
    }
    rated = {
        str(row.call_id): row.charge_nanousd for row in await rows_of(changing.node.database_url)
    }
    assert {call_id: rated[call_id] for call_id in wanted} == charged
    # A call has some 20 output tokens: at 600 dollars a million a thousand times as much.
    return Counter("dear" if (amount or 0) > 1_000_000 else "cheap" for amount in charged.values())


def spooled(node: ServedNode) -> list[Any]:
    codec = RecordCodec()
    return [
        codec.parse(line)
        for path in (node.data_dir / "spool").glob("*.jsonl")
        for line in path.read_bytes().splitlines()
    ]
