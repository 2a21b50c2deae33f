"""Who ran the model behind an aggregator, from its answer on the wire to the usage log."""

import asyncio
from collections.abc import AsyncIterator
from typing import Any

import pytest
import pytest_asyncio

from tests.support.node import MODEL, WAIT_MAX_S, Node, chat, running_node
from tests.support.patience import becomes
from tests.support.raw_provider import COMPLETION, RawProvider, answer, running_raw_provider
from tollbridge.attribution.rules import Rank, Rule
from tollbridge.attribution.store import add_rule
from tollbridge.insight.queries import find_call
from tollbridge.insight.usage import CallWhole

pytestmark = pytest.mark.asyncio(loop_scope="module")
NAMED = "router-model"
FRAMES = (
    b'data: {"id":"gen-1700000000-a","model":"m","provider":"Amazon Bedrock",'
    b'"choices":[{"index":0,"delta":{"content":"hi"},"finish_reason":"stop"}]}\n\n'
    b'data: {"id":"gen-1700000000-a","choices":[],'
    b'"usage":{"prompt_tokens":10,"completion_tokens":3,"total_tokens":13}}\n\n'
    b"data: [DONE]\n\n"
)


def config(raw: RawProvider) -> str:
    """Return a configuration with two aggregators, each behind a route of its own."""
    written = ""
    for name, model in (("openrouter", NAMED), ("huggingface", "openai/gpt-oss-120b:groq")):
        written += (
            f'[[endpoint]]\nname = "{name}"\nprovider = "{name}"\ndialect = "openai"\n'
            f'base_url = "{raw.url}/{name}/v1"\napi_key = "secret"\n'
            f'[[route]]\nmodel = "{name}"\ncategory = "text"\n'
            f'candidates = [{{ endpoint = "{name}", model = "{model}", priority = 1 }}]\n'
        )
    return f'{written}[[key]]\nname = "ci"\nkey_env = "CI_KEY"\nuser = "ana"\n'


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def raw() -> AsyncIterator[RawProvider]:
    async with running_raw_provider() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory, raw: RawProvider) -> AsyncIterator[Node]:
    async with running_node(tmp_path_factory.mktemp("node"), config(raw)) as running:
        yield running


async def call(node: Node, model: str, **fields: Any) -> CallWhole:
    """Make a call; return it once it is in the books."""
    async with node.client() as client:
        answered = await client.post("/v1/chat/completions", json=chat(**fields) | {"model": model})
    assert answered.status_code == 200, answered.text
    call_id = answered.headers["x-tollbridge-call-id"]
    async with asyncio.timeout(WAIT_MAX_S):
        while True:
            async with node.database.read() as unit:
                found = await find_call(unit, call_id)
            if found is not None and found.call.accounted_at_us is not None:
                return found
            await asyncio.sleep(0.02)


async def test_the_field_of_a_whole_answer_names_the_upstream(node: Node, raw: RawProvider) -> None:
    raw.answers["openrouter"] = answer(COMPLETION | {"provider": "Groq"})
    found = await call(node, "openrouter")
    assert found.call.actual_provider_name == "openrouter"
    assert found.call.upstream_provider_name == "groq"
    assert found.call.confidence == "observed"
    assert found.serving is not None
    assert found.serving.aggregator_provider == "Groq"


async def test_the_field_of_a_stream_names_the_upstream(node: Node, raw: RawProvider) -> None:
    raw.answers["openrouter"] = answer(FRAMES, content_type="text/event-stream")
    found = await call(node, "openrouter", stream=True)
    assert found.call.actual_provider_name == "openrouter"
    assert found.call.upstream_provider_name == "bedrock"


async def test_a_router_s_header_names_the_upstream_else_the_suffix_that_was_asked_for(
    node: Node, raw: RawProvider
) -> None:
    plain = answer(COMPLETION)
    raw.answers["huggingface"] = plain
    assert (await call(node, "huggingface")).call.upstream_provider_name == "groq"
    raw.answers["huggingface"] = plain.replace(
        b"content-type:", b"X-Inference-Provider: cerebras\r\ncontent-type:", 1
    )
    found = await call(node, "huggingface")
    assert found.call.actual_provider_name == "huggingface"
    assert found.call.upstream_provider_name == "cerebras"


async def test_a_new_rule_is_the_drain_s_within_a_second(node: Node) -> None:
    before = node.office.attribution_version
    assert before is not None
    async with node.database.write() as unit:
        rule = Rule("acme", Rank.MODEL, "fal", words=(MODEL,))
        await add_rule(unit, rule, actor="root", now_us=1)

    async def is_known() -> bool:
        return node.office.attribution_version != before

    await becomes(is_known, wanted=True, within_s=1.0)
