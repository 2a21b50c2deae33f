"""The official OpenAI SDK, pointed at us, notices nothing."""

from collections.abc import AsyncIterator

import openai
import pytest
import pytest_asyncio
from openai import AsyncOpenAI

from tests.support.node import KEY, MODEL, Node, chat, config_of, running_node
from tests.support.sandbox_server import RunningSandbox, running_sandbox
from tollbridge.core.call import Ending, Operation
from tollbridge.sandbox import Script

pytestmark = pytest.mark.asyncio(loop_scope="module")

EMBEDDING_MODEL = "text-embedding-3-small"
EMBEDDINGS = f"""
[[route]]
model = "{EMBEDDING_MODEL}"
category = "embedding"
candidates = [ {{ endpoint = "e1", model = "{EMBEDDING_MODEL}", priority = 1 }} ]
[[price]]
provider = "p1"
model = "{EMBEDDING_MODEL}"
rates = {{ input = "0.02" }}
"""
MESSAGES = chat("What is a toll bridge?")["messages"]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def provider() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox() as sandbox:
        yield sandbox


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def node(
    tmp_path_factory: pytest.TempPathFactory, provider: RunningSandbox
) -> AsyncIterator[Node]:
    config = config_of(provider.url, extra=EMBEDDINGS)
    folder = tmp_path_factory.mktemp("node")
    async with running_node(folder, config, breaker_failures_max=1000) as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def client(node: Node) -> AsyncIterator[AsyncOpenAI]:
    async with AsyncOpenAI(base_url=f"{node.url}/v1", api_key=KEY, max_retries=0) as sdk:
        yield sdk


async def test_a_chat_completion(client: AsyncOpenAI) -> None:
    answered = await client.chat.completions.create(model=MODEL, messages=MESSAGES)
    assert answered.choices[0].message.content
    assert answered.usage is not None
    assert answered.usage.total_tokens > 0


@pytest.mark.parametrize("asks_usage", [False, True])
async def test_a_streamed_chat_completion_says_the_same(
    client: AsyncOpenAI, *, asks_usage: bool
) -> None:
    whole = await client.chat.completions.create(model=MODEL, messages=MESSAGES)
    streamed = await client.chat.completions.create(
        model=MODEL,
        messages=MESSAGES,
        stream=True,
        stream_options={"include_usage": asks_usage},
    )
    text = ""
    usages: list[int] = []
    async for chunk in streamed:
        assert chunk.choices or chunk.usage
        if chunk.choices:
            text += chunk.choices[0].delta.content or ""
        if chunk.usage is not None:
            usages.append(chunk.usage.total_tokens)
    assert text == whole.choices[0].message.content
    assert whole.usage is not None
    assert usages == ([whole.usage.total_tokens] if asks_usage else [])


async def test_the_sdks_own_stream_helper(client: AsyncOpenAI) -> None:
    async with client.chat.completions.stream(model=MODEL, messages=MESSAGES) as stream:
        final = await stream.get_final_completion()
    assert final.choices[0].finish_reason == "stop"


async def test_a_completion_streamed_and_not(client: AsyncOpenAI) -> None:
    whole = await client.completions.create(model=MODEL, prompt="Once")
    streamed = await client.completions.create(model=MODEL, prompt="Once", stream=True)
    text = "".join([chunk.choices[0].text async for chunk in streamed if chunk.choices])
    assert text == whole.choices[0].text


async def test_embeddings_are_the_same_as_numbers_and_as_the_sdks_default(
    client: AsyncOpenAI, node: Node
) -> None:
    default = await client.embeddings.create(model=EMBEDDING_MODEL, input=["a", "b"])
    numbers = await client.embeddings.create(
        model=EMBEDDING_MODEL, input=["a", "b"], encoding_format="float"
    )
    assert len(default.data) == 2
    pairs = zip(default.data[0].embedding, numbers.data[0].embedding, strict=True)
    assert all(abs(one - other) < 1e-6 for one, other in pairs)
    call = node.calls()[-1]
    assert call.opened.operation is Operation.EMBEDDING
    assert call.closed.ending is Ending.COMPLETE


async def test_the_models_are_listed_and_found(client: AsyncOpenAI) -> None:
    listed = [model.id async for model in await client.models.list()]
    assert {MODEL, EMBEDDING_MODEL} <= set(listed)
    assert (await client.models.retrieve(MODEL)).id == MODEL
    with pytest.raises(openai.NotFoundError):
        await client.models.retrieve("none")


async def test_the_headers_say_who_served(client: AsyncOpenAI, node: Node) -> None:
    raw = await client.chat.completions.with_raw_response.create(model=MODEL, messages=MESSAGES)
    call = node.calls()[-1]
    assert raw.headers["x-tollbridge-call-id"] == call.opened.call_id
    assert raw.headers["x-tollbridge-provider"] == "p1"
    assert raw.headers["x-tollbridge-model"] == MODEL
    assert raw.headers["x-tollbridge-attempts"] == "1"
    completion = raw.parse()
    assert completion.choices[0].message.content


async def test_errors_are_the_sdks_own(
    client: AsyncOpenAI, node: Node, provider: RunningSandbox
) -> None:
    ask = client.chat.completions.create
    with pytest.raises(openai.AuthenticationError) as unknown:
        await client.with_options(api_key="wrong").models.list()
    assert unknown.value.code == "invalid_api_key"
    with pytest.raises(openai.NotFoundError) as missing:
        await ask(model="gpt-4o-minni", messages=MESSAGES)
    assert missing.value.code == "model_not_found"
    assert missing.value.param == "model"
    with pytest.raises(openai.BadRequestError) as bad:
        await ask(model=MODEL, messages=MESSAGES, max_tokens=0)
    assert bad.value.param == "max_tokens"
    provider.script(Script(status=429, retry_after_s=30))
    with pytest.raises(openai.RateLimitError) as limited:
        await ask(model=MODEL, messages=MESSAGES)
    assert limited.value.response.headers["retry-after"] == "30"
    assert limited.value.response.headers["x-tollbridge-call-id"] == node.calls()[-1].opened.call_id
    provider.script(Script(error="context_length"))
    with pytest.raises(openai.BadRequestError) as long:
        await ask(model=MODEL, messages=MESSAGES, stream=True)
    assert long.value.code == "context_length_exceeded"
    provider.script(Script(status=401))
    with pytest.raises(openai.InternalServerError) as ours:
        await ask(model=MODEL, messages=MESSAGES)
    assert ours.value.status_code == 502


async def test_a_stream_that_breaks_is_an_error_in_the_sdk_too(
    client: AsyncOpenAI, provider: RunningSandbox
) -> None:
    provider.script(Script(chunks=5, cut_after_chunks=2))
    streamed = await client.chat.completions.create(model=MODEL, messages=MESSAGES, stream=True)
    for _ in range(3):
        await anext(streamed)
    with pytest.raises(openai.APIError, match="broke off"):
        await anext(streamed)


async def test_the_sdk_retries_what_a_retry_can_help(
    client: AsyncOpenAI, provider: RunningSandbox
) -> None:
    patient = client.with_options(max_retries=1)
    provider.script(*[Script(status=503)] * 2)
    answered = await patient.chat.completions.create(model=MODEL, messages=MESSAGES)
    assert answered.choices
    before = len(provider.log)
    provider.script(Script(error="invalid_request"))
    with pytest.raises(openai.BadRequestError):
        await patient.chat.completions.create(model=MODEL, messages=MESSAGES)
    assert len(provider.log) == before + 1
