"""The catalogue of models decides about calls, and changes of it are live."""

import asyncio
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.node import KEY, Node, running_node
from tests.support.processes import served_node
from tests.support.sandbox_server import RunningSandbox, process_sandbox, running_sandbox
from tollbridge.core.clock import SystemClock
from tollbridge.settings import Settings

CHAT = "/v1/chat/completions"
MODELS = "/api/v1/models"
# Four looks at the database are a second, which is what is promised; a busy machine gets more.
LIVE_MAX_S = 10.0


def config(url: str) -> str:
    """Return endpoints of two providers, and a route of the name of an inactive model."""
    return f"""
[[endpoint]]
name = "first"
provider = "elsewhere"
dialect = "openai"
base_url = "{url}/v1"
api_key = "secret-1"
priority = 1
default_models = {{ text = "elsewhere-small" }}
[[endpoint]]
name = "own"
provider = "openai"
dialect = "openai"
base_url = "{url}/v1"
api_key = "secret-2"
priority = 9
default_models = {{ text = "gpt-5.2" }}
[[route]]
model = "routed"
category = "text"
candidates = [ {{ endpoint = "first", model = "some-model", priority = 1 }} ]
[[key]]
name = "ci"
key_env = "CI_KEY"
user = "ana"
scopes = ["call", "read", "admin"]
"""


@pytest.fixture
async def provider() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
async def node(tmp_path: Path, provider: RunningSandbox) -> AsyncIterator[Node]:
    async with running_node(tmp_path, config(provider.url)) as running:
        yield running


@pytest.fixture
async def client(node: Node) -> AsyncIterator[httpx.AsyncClient]:
    async with node.client() as made:
        yield made


def chat(**fields: Any) -> dict[str, Any]:
    return {"messages": [{"role": "user", "content": "hello"}], **fields}


async def post(client: httpx.AsyncClient, path: str, **body: Any) -> dict[str, Any]:
    answer = await client.post(f"{MODELS}{path}", json=body)
    assert answer.status_code in {200, 201}, answer.text
    return answer.json()


def code_of(answer: httpx.Response) -> str:
    return str(answer.json()["error"]["code"])


async def until(client: httpx.AsyncClient, status: int, **fields: Any) -> httpx.Response:
    """Ask until that is the answer, for the second in which a change is live."""
    clock = SystemClock()
    end_s = clock.monotonic_s() + LIVE_MAX_S
    while True:
        answer = await client.post(CHAT, json=chat(**fields))
        if answer.status_code == status or clock.monotonic_s() > end_s:
            assert answer.status_code == status, answer.text
            return answer
        await asyncio.sleep(0.02)


async def test_a_call_without_a_model_is_served_by_the_default(
    node: Node, client: httpx.AsyncClient, provider: RunningSandbox
) -> None:
    """The provider is asked for it by name, and the books have its name, also for streams."""
    answer = await client.post(CHAT, json=chat())
    assert answer.status_code == 200, answer.text
    assert answer.json()["model"] == "gpt-4o-mini"
    streamed = await client.post(CHAT, json=chat(stream=True))
    assert streamed.text.rstrip().endswith("[DONE]")
    prompt = await client.post("/v1/completions", json={"prompt": "hello"})
    assert prompt.status_code == 200, prompt.text
    calls = await node.ended(3)
    assert [call.opened.label for call in calls] == ["gpt-4o-mini"] * 3
    assert [call.closed.attempts[-1].endpoint for call in calls] == ["own"] * 3
    assert {entry.model for entry in provider.log} == {"gpt-4o-mini"}


async def test_another_default_is_live_within_a_second(
    node: Node, client: httpx.AsyncClient
) -> None:
    await client.post(CHAT, json=chat())
    await post(client, "/actions/set-default", name="gpt-5.1")
    async with asyncio.timeout(LIVE_MAX_S):
        while (await client.post(CHAT, json=chat())).json()["model"] != "gpt-5.1":
            await asyncio.sleep(0.02)


async def test_a_call_of_a_type_without_a_default_is_refused(client: httpx.AsyncClient) -> None:
    answer = await client.post("/v1/embeddings", json={"input": "x"})
    assert answer.status_code == 400
    error = answer.json()["error"]
    assert (error["param"], error["code"]) == ("model", "invalid_request")
    assert error["message"].startswith("no model was given, and none is the default for embedding")


async def test_a_model_that_is_switched_off_is_refused_with_the_list_of_active_ones(
    node: Node, client: httpx.AsyncClient, provider: RunningSandbox
) -> None:
    """In the caller's dialect, before a provider is asked; and it is left out of the list."""
    assert (await client.post(CHAT, json=chat(model="gpt-4o"))).status_code == 200
    await post(client, "/actions/deactivate", names=["gpt-4o"])
    refused = await until(client, 404, model="gpt-4o")
    asked = provider.app.tally.received
    error = refused.json()["error"]
    assert (error["type"], error["code"], error["param"]) == (
        "invalid_request_error",
        "model_inactive",
        "model",
    )
    active = ["gpt-4.1", "gpt-4o-mini", "gpt-5.1", "gpt-5.2"]
    assert error["details"]["active"] == active
    assert error["message"] == f"the model 'gpt-4o' is inactive; active are {', '.join(active)}"
    assert (await client.post(CHAT, json=chat(model="gpt-4o"))).status_code == 404
    assert provider.app.tally.received == asked
    listed = {one["id"] for one in (await client.get("/v1/models")).json()["data"]}
    assert "gpt-4o" not in listed
    assert {"gpt-4o-mini", "routed"} <= listed
    await post(client, "/actions/activate", names=["gpt-4o"])
    await until(client, 200, model="gpt-4o")


async def test_a_route_with_candidates_is_served_though_its_name_is_an_inactive_model(
    node: Node, client: httpx.AsyncClient
) -> None:
    await post(client, "", model_name="routed", model_type="text", provider="p", is_active=False)
    await post(client, "", model_name="unrouted", model_type="text", provider="p", is_active=False)
    async with asyncio.timeout(LIVE_MAX_S):
        while code_of(await client.post(CHAT, json=chat(model="unrouted"))) != "model_inactive":
            await asyncio.sleep(0.02)
    answer = await client.post(CHAT, json=chat(model="routed"))
    assert (answer.status_code, answer.json()["model"]) == (200, "some-model")


async def test_an_active_model_without_a_route_is_asked_of_its_provider_then_of_the_others(
    node: Node, client: httpx.AsyncClient
) -> None:
    answer = await client.post(CHAT, json=chat(model="gpt-4.1"))
    assert answer.json()["model"] == "gpt-4.1"
    (call,) = await node.ended(1)
    assert [one.partition(":")[0] for one in call.opened.planned] == [
        "own/gpt-4.1",
        "first/elsewhere-small",
    ]


async def test_a_new_model_with_slashes_is_served_within_a_second(
    client: httpx.AsyncClient,
) -> None:
    name = "org/new/model"
    await post(client, "", model_name=name, model_type="text", provider="openai")
    answer = await until(client, 200, model=name)
    assert answer.json()["model"] == name
    shown = await client.get(f"/v1/models/{name}")
    assert shown.json()["owned_by"] == "openai"


async def test_a_price_that_is_edited_holds_for_the_calls_after_it(
    node: Node, client: httpx.AsyncClient
) -> None:
    """What was called before costs what it cost then."""

    async def costs() -> list[str]:
        """Return what each call cost, the newest first, once both sides know all of them."""
        page = (await client.get("/api/v1/usage-logs")).json()
        return [one["cost_usd"] for one in page["calls"]]

    await client.post(CHAT, json=chat(model="gpt-4.1"))
    async with asyncio.timeout(10):
        while len(first := await costs()) < 1:
            await asyncio.sleep(0.05)
    model = (await client.get(f"{MODELS}/gpt-4.1")).json()
    edited = await client.patch(
        f"{MODELS}/gpt-4.1",
        json={"version": model["version"], "input_cost_per_1m": "20", "output_cost_per_1m": "80"},
    )
    assert edited.status_code == 200, edited.text
    dearer = f"{Decimal(first[0]) * 10:f}".rstrip("0")
    count = 1
    async with asyncio.timeout(LIVE_MAX_S + 10):
        while (now := await costs())[0] != dearer:
            if len(now) == count:  # all that was called is rated, and by the price of before
                await client.post(CHAT, json=chat(model="gpt-4.1"))
                count += 1
            await asyncio.sleep(0.1)
    assert now[-1] == first[0]


async def test_a_change_is_live_on_all_workers_within_a_second(tmp_path: Path) -> None:
    """Many new connections at once: every worker refuses, and later every one serves."""
    assert Settings(data_dir=tmp_path).version_poll_ms * 2 <= 1000
    with process_sandbox(tmp_path / "sandbox.log") as provider:
        async with served_node(tmp_path, config(provider.url), workers=2) as node:
            headers = {"authorization": f"Bearer {KEY}"}

            async def answers(count: int) -> set[int]:
                async def one() -> int:
                    async with httpx.AsyncClient(
                        base_url=node.url, headers=headers, timeout=20
                    ) as client:
                        answer = await client.post(CHAT, json=chat(model="gpt-4o"))
                        return answer.status_code

                return set(await asyncio.gather(*(one() for _ in range(count))))

            async def all_answer(status: int) -> None:
                async with asyncio.timeout(LIVE_MAX_S):
                    while await answers(20) != {status}:
                        await asyncio.sleep(0.05)

            assert await answers(10) == {200}
            async with httpx.AsyncClient(base_url=node.url, headers=headers, timeout=20) as client:
                await post(client, "/actions/deactivate", names=["gpt-4o"])
                await all_answer(404)
                await post(client, "/actions/activate", names=["gpt-4o"])
                await all_answer(200)
