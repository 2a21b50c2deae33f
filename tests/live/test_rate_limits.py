"""Calls per minute and calls at once: exactly as many as allowed, and a plain refusal then."""

import asyncio
from collections import Counter
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.support.calendar_time import MINUTE_S, room_in
from tests.support.node import BUDGET, WAIT_MAX_S, Node, chat, config_of, running_node
from tests.support.sandbox_server import RunningSandbox, running_sandbox
from tollbridge.sandbox import Script

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHAT = "/v1/chat/completions"
ROOM_S, HELD_S = 10.0, 1.5
"""What such a test takes at most, and for how long calls are kept that are to be at once."""
KEYS = {
    name: f"{name}-key-0123456789-0123456789-0123456789"
    for name in ("MINUTE", "BOTH", "ATONCE", "REFUSED", "HUGE")
}
EXTRA = """
[[key]]
name = "minute"
key_env = "MINUTE"
calls_per_minute = 10
[[key]]
name = "both"
key_env = "BOTH"
calls_per_minute = 6
concurrent_calls = 2
[[key]]
name = "atonce"
key_env = "ATONCE"
concurrent_calls = 2
[[key]]
name = "refused"
key_env = "REFUSED"
calls_per_minute = 3
[[key]]
name = "huge"
key_env = "HUGE"
""" + BUDGET.format(limit="1000").replace("ci", "huge")


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def provider() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox() as sandbox:
        yield sandbox


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def node(
    tmp_path_factory: pytest.TempPathFactory, provider: RunningSandbox
) -> AsyncIterator[Node]:
    folder = tmp_path_factory.mktemp("node")
    config = config_of(provider.url, extra=EXTRA)
    async with running_node(folder, config, environment=KEYS) as running:
        yield running


async def call(node: Node, key: str, body: dict[str, Any] | None = None) -> httpx.Response:
    async with node.client() as client:
        headers = {"authorization": f"Bearer {KEYS[key]}"}
        return await client.post(CHAT, json=body or chat(), headers=headers)


async def test_exactly_as_many_calls_a_minute_as_allowed_are_served(
    node: Node, provider: RunningSandbox
) -> None:
    await room_in(MINUTE_S, ROOM_S)
    before = len(provider.log)
    answers = await asyncio.gather(*[call(node, "MINUTE") for _ in range(25)])
    assert Counter(one.status_code for one in answers) == {200: 10, 429: 15}
    assert len(provider.log) == before + 10
    assert (await call(node, "MINUTE")).status_code == 429, "and no more after that"
    refused = next(one for one in answers if one.status_code == 429)
    error = refused.json()["error"]
    assert (error["type"], error["code"]) == ("rate_limit_error", "rate_limited")
    assert error["details"]["max"] == 10
    assert 1 <= int(refused.headers["retry-after"]) <= 60
    assert refused.headers["x-should-retry"] == "true"
    assert refused.headers["x-tollbridge-call-id"]


async def test_a_call_that_was_refused_by_the_provider_counts_in_its_minute(
    node: Node, provider: RunningSandbox
) -> None:
    await room_in(MINUTE_S, ROOM_S)
    provider.script(Script(error="invalid_request"))
    statuses = [(await call(node, "REFUSED")).status_code for _ in range(4)]
    assert statuses == [400, 200, 200, 429]


async def test_a_body_that_cannot_be_understood_counts_nowhere(node: Node) -> None:
    for _ in range(5):
        assert (await call(node, "ATONCE", {"model": 5})).status_code == 400
    assert (await call(node, "ATONCE")).status_code == 200


async def test_exactly_as_many_calls_at_once_as_allowed_are_served(
    node: Node, provider: RunningSandbox
) -> None:
    provider.script(*[Script(delay_first_byte_s=HELD_S)] * 2)
    answers = await asyncio.gather(*[call(node, "ATONCE") for _ in range(8)])
    assert Counter(one.status_code for one in answers) == {200: 2, 429: 6}
    refused = next(one for one in answers if one.status_code == 429)
    assert refused.json()["error"]["code"] == "concurrency_limited"
    assert refused.headers["retry-after"] == "1"
    for _ in range(5):
        assert (await call(node, "ATONCE")).status_code == 200, "each end makes room at once"


async def test_a_stream_counts_as_long_as_it_runs_also_without_its_caller(
    node: Node, provider: RunningSandbox
) -> None:
    provider.script(*[Script(chunks=8, delay_per_chunk_s=0.3)] * 2)
    headers = {"authorization": f"Bearer {KEYS['ATONCE']}"}
    async with node.client() as client:
        for _ in range(2):
            async with client.stream(
                "POST", CHAT, json=chat(stream=True), headers=headers
            ) as streamed:
                async for _ in streamed.aiter_raw():
                    break
    assert (await call(node, "ATONCE")).status_code == 429, "both are drained"
    async with asyncio.timeout(WAIT_MAX_S):
        while (await call(node, "ATONCE")).status_code != 200:
            await asyncio.sleep(0.1)


async def test_what_one_limit_refuses_uses_up_nothing_of_the_other(
    node: Node, provider: RunningSandbox
) -> None:
    await room_in(MINUTE_S, ROOM_S)
    provider.script(*[Script(delay_first_byte_s=HELD_S)] * 2)
    answers = await asyncio.gather(*[call(node, "BOTH") for _ in range(6)])
    assert Counter(one.status_code for one in answers) == {200: 2, 429: 4}
    statuses = [(await call(node, "BOTH")).status_code for _ in range(5)]
    assert statuses == [200, 200, 200, 200, 429]


async def test_a_ceiling_beyond_all_numbers_is_a_plain_402(node: Node) -> None:
    body = chat(max_tokens=2**31 - 1, n=1024)
    answered = await call(node, "HUGE", body)
    assert answered.status_code == 402
    async with node.client() as client:
        answered = await client.post(
            "/v1/completions",
            json={
                "model": chat()["model"],
                "prompt": ["x"] * 100_000,
                "n": 1024,
                "max_tokens": 2**31 - 1,
            },
            headers={"authorization": f"Bearer {KEYS['HUGE']}"},
        )
    assert answered.status_code == 402
    assert answered.json()["error"]["code"] == "budget_exceeded"
    assert answered.headers["x-tollbridge-call-id"] == node.calls()[-1].opened.call_id
