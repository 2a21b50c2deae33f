"""The official SDKs through a node, to providers of every wire format: answer, who, usage, cost.

One node and one sandbox, which plays all providers; its books say what each answer bills.
"""

import base64
import itertools
from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import anthropic
import httpx
import openai
import pytest
import pytest_asyncio
from google import genai
from google.genai import types

from tests.support.media import wav
from tests.support.node import KEY, running_node
from tests.support.sandbox_server import running_sandbox
from tests.support.speakers import (
    PICTURE,
    RESULT,
    SPEAKERS,
    TOOL,
    AnthropicSpeaker,
    GoogleSpeaker,
    OpenAISpeaker,
)
from tests.support.worlds import Door, Model, World, config_of, cost_usd
from tollbridge.sandbox import LogEntry, Script
from tollbridge.sandbox.media import png_size, sound_ms

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOORS = (
    Door("openai", quirks=("responses", "max_completion_tokens")),
    Door("anthropic", "anthropic"),
    Door("google", "gemini", "gemini", "/v1beta"),
)
PROVIDERS = tuple(door.name for door in DOORS)
UPSTREAM = "m"
"""One name at all providers: the emulators then say the same words."""
RATES = {
    "openai": {"input": "0.15", "output": "0.60"},
    "anthropic": {"input": "3", "output": "15"},
    "google": {"input": "0.30", "output": "2.50"},
}
MODELS = (
    *[Model(f"by-{name}", "text", name, UPSTREAM, RATES[name]) for name in PROVIDERS],
    Model("embeds", "embedding", "openai", "text-embedding-3-small", {"input": "0.02"}),
    Model("embeds-too", "embedding", "google", "gemini-embedding-2", {"input": "0.15"}),
    Model("draws", "image", "openai", "dall-e-3", {"image": "0.04"}),
    Model(
        "edits",
        "image",
        "openai",
        "gpt-image-1",
        {"input": "5", "image_input": "10", "output": "40"},
    ),
    Model("speaks", "audio", "openai", "tts-1", {"character": "0.000015"}),
    Model("hears", "audio", "openai", "whisper-1", {"audio_second": "0.0001"}),
)
QUESTION = "What is a toll bridge, and who pays there?"
PAIRS = list(itertools.product(SPEAKERS, PROVIDERS))


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with running_sandbox() as sandbox:
        config = config_of(sandbox, DOORS, MODELS)
        folder = tmp_path_factory.mktemp("node")
        async with running_node(folder, config, breaker_failures_max=1000) as node:
            yield World(node, sandbox)


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def fresh(world: World) -> None:
    """Leave alone what another test left behind."""
    world.sandbox.app.scripts.clear()
    world.forget()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def words(world: World) -> str:
    """Return what the emulators answer to the question."""
    async with httpx.AsyncClient(base_url=world.sandbox.url) as client:
        body = {"model": UPSTREAM, "messages": [{"role": "user", "content": QUESTION}]}
        headers = {"authorization": "Bearer k"}
        answered = await client.post("/v1/chat/completions", json=body, headers=headers)
    await world.billed()
    return answered.json()["choices"][0]["message"]["content"]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def sdk(world: World) -> AsyncIterator[Any]:
    """Return OpenAI's client."""
    url = f"{world.node.url}/v1"
    async with openai.AsyncOpenAI(base_url=url, api_key=KEY, max_retries=0, timeout=15) as client:
        yield client


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def google(world: World) -> Any:
    """Return Google's client; half of its types are unknown to a strict reader."""
    options = types.HttpOptions(base_url=world.node.url)
    return genai.Client(api_key=KEY, http_options=options).aio


def assert_booked(entry: LogEntry, row: dict[str, Any], provider: str, *, stream: bool) -> None:
    """Assert that a chat's row says who served, how much, and exactly what it cost."""
    assert entry.usage is not None
    used = entry.usage
    assert {
        name: row[name]
        for name in (
            "actual_provider_name",
            "status",
            "usage_source",
            "input_tokens",
            "output_tokens",
            "requested_model",
            "served_model",
            "stream",
            "flags",
        )
    } == {
        "actual_provider_name": provider,
        "status": "COMPLETED",
        "usage_source": "reported",
        "input_tokens": used.prompt_tokens,
        "output_tokens": used.completion_tokens,
        "requested_model": UPSTREAM,
        "served_model": UPSTREAM,
        "stream": stream,
        "flags": [],
    }
    assert Decimal(row["cost_usd"]) == cost_usd(used, RATES[provider]) > 0
    assert row["cost_origin"] == "computed"


# Each SDK with each provider.


@pytest.mark.parametrize("picture", [False, True], ids=["text", "picture"])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("speaker", "provider"), PAIRS)
async def test_what_is_said_arrives_and_is_in_the_books(
    world: World, words: str, speaker: str, provider: str, *, stream: bool, picture: bool
) -> None:
    speaking = SPEAKERS[speaker](world.node.url, KEY)
    said = await speaking.say(f"by-{provider}", QUESTION, picture=picture, stream=stream)
    [(entry, row)] = await world.pairs()
    assert_booked(entry, row, provider, stream=stream)
    used = entry.usage
    assert used is not None
    assert (said.text, said.input_tokens, said.output_tokens) == (
        words,
        used.prompt_tokens,
        used.completion_tokens,
    )
    assert entry.dialect == {"google": "gemini"}.get(provider, provider)
    assert (used.prompt_tokens > 80) == picture


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(("speaker", "provider"), PAIRS)
async def test_a_tool_is_called_and_its_result_is_answered(
    world: World, speaker: str, provider: str, *, stream: bool
) -> None:
    speaking = SPEAKERS[speaker](world.node.url, KEY)
    ran = await speaking.run_tool(f"by-{provider}", stream=stream)
    (called, called_row), (answered, answered_row) = await world.pairs()
    assert (ran.tool, bool(ran.city), bool(ran.said.text)) == (TOOL, True, True)
    assert_booked(called, called_row, provider, stream=stream)
    assert_booked(answered, answered_row, provider, stream=stream)
    assert called.usage is not None
    assert answered.usage is not None
    assert answered.usage.prompt_tokens >= called.usage.prompt_tokens + len(RESULT) // 4
    assert ran.said.input_tokens == answered.usage.prompt_tokens


# What only one of them has: OpenAI's.


async def test_openai_s_sdk_goes_on_from_a_stored_response(world: World, sdk: Any) -> None:
    first = await sdk.responses.create(model="by-openai", input=QUESTION)
    again = await sdk.responses.retrieve(first.id)
    assert (again.id, again.output_text) == (first.id, first.output_text)
    second = await sdk.responses.create(
        model="by-openai", input="And why?", previous_response_id=first.id
    )
    assert second.previous_response_id == first.id
    deltas = ""
    async with sdk.responses.stream(
        model="by-openai", input="And then?", previous_response_id=second.id
    ) as stream:
        async for event in stream:
            if event.type == "response.output_text.delta":
                deltas += event.delta
        third = await stream.get_final_response()
    assert third.output_text == deltas != ""
    assert (await sdk.responses.retrieve(third.id)).output_text == deltas
    entries = [one for one in await world.billed() if one.usage is not None]
    assert len(entries) == 3
    rows = await world.logged([one.client_request_id or "" for one in entries])
    for entry, row, stream in zip(entries, rows, [False, False, True], strict=True):
        assert_booked(entry, row, "openai", stream=stream)


@pytest.mark.parametrize(
    ("model", "provider", "rate"),
    [("embeds", "openai", "0.02"), ("embeds-too", "google", "0.15")],
)
async def test_openai_s_sdk_embeds(
    world: World, sdk: Any, model: str, provider: str, rate: str
) -> None:
    embedded = await sdk.embeddings.create(model=model, input=["a toll", "a bridge"])
    assert len(embedded.data) == 2
    assert all(len(one.embedding) > 10 for one in embedded.data)
    [(entry, row)] = await world.pairs()
    assert entry.usage is not None
    tokens = entry.usage.prompt_tokens
    assert (row["actual_provider_name"], row["input_tokens"]) == (provider, tokens)
    assert Decimal(row["cost_usd"]) == Decimal(rate) * tokens / 1_000_000 > 0


async def test_openai_s_sdk_makes_a_picture(world: World, sdk: Any) -> None:
    made = await sdk.images.generate(model="draws", prompt="a bridge", size="1024x1024")
    assert made.data[0].url.endswith(".png")
    [(_, row)] = await world.pairs()
    assert (row["actual_provider_name"], row["usage"]) == ("openai", {"image": 1})
    assert Decimal(row["cost_usd"]) == Decimal("0.04")


async def test_openai_s_sdk_edits_pictures(world: World, sdk: Any) -> None:
    edited = await sdk.images.edit(
        model="edits", image=[("a.png", PICTURE), ("b.png", PICTURE)], prompt="make it red"
    )
    assert png_size(base64.b64decode(edited.data[0].b64_json)) is not None
    [(entry, row)] = await world.pairs()
    used = entry.usage
    assert used is not None
    text = used.prompt_tokens - used.prompt_image_tokens
    exact = 5 * text + 10 * used.prompt_image_tokens + 40 * used.completion_tokens
    assert used.prompt_image_tokens > 0
    assert Decimal(row["cost_usd"]) == Decimal(exact) / 1_000_000 > 0
    assert row["operation"] == "image_edit"


async def test_openai_s_sdk_speaks_into_a_file(world: World, sdk: Any, tmp_path: Path) -> None:
    path = tmp_path / "spoken.wav"
    speaking = sdk.audio.speech.with_streaming_response.create(
        model="speaks", voice="alloy", input="Hello there", response_format="wav"
    )
    async with speaking as answered:
        await answered.stream_to_file(path)
    assert sound_ms(path.read_bytes()) == 660
    [(entry, row)] = await world.pairs()
    assert row["usage"] == entry.units == {"character": 11}
    assert Decimal(row["cost_usd"]) == Decimal("0.000165")


async def test_openai_s_sdk_listens(world: World, sdk: Any) -> None:
    heard = await sdk.audio.transcriptions.create(
        model="hears", file=("a.wav", wav(2000), "audio/wav")
    )
    assert heard.text
    [(_, row)] = await world.pairs()
    assert row["usage"] == {"audio_ms": 2000}
    assert Decimal(row["cost_usd"]) == Decimal("0.0002")


async def test_each_sdk_lists_the_models_that_it_can_ask_for(
    world: World, sdk: Any, google: Any
) -> None:
    labels = {f"by-{name}" for name in PROVIDERS}
    anthropic_sdk = AnthropicSpeaker(world.node.url, KEY).sdk
    assert labels < {model.id async for model in await sdk.models.list()}
    assert labels < {model.id async for model in anthropic_sdk.models.list()}
    listed: Any = await google.models.list()
    assert {f"models/{name}" for name in labels} < {model.name async for model in listed}
    assert (await sdk.models.retrieve("by-google")).owned_by == "google"
    assert (await anthropic_sdk.models.retrieve("by-google")).id == "by-google"
    assert (await google.models.get(model="by-google")).name == "models/by-google"


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_tokens_are_counted_and_a_count_is_no_call(
    world: World, google: Any, provider: str
) -> None:
    """By the provider where it counts in that format, else about."""
    before = len(world.node.calls())
    messages: Any = [{"role": "user", "content": QUESTION}]
    sdk = AnthropicSpeaker(world.node.url, KEY).sdk
    told = await sdk.messages.count_tokens(model=f"by-{provider}", messages=messages)
    counted = await google.models.count_tokens(model=f"by-{provider}", contents=QUESTION)
    assert 5 < told.input_tokens < 60
    assert 5 < counted.total_tokens < 60
    assert len(world.node.calls()) == before
    world.forget()


async def test_google_s_sdk_asks_at_either_version(world: World) -> None:
    for version in ("v1", "v1beta"):
        options = types.HttpOptions(base_url=world.node.url, api_version=version)
        client: Any = genai.Client(api_key=KEY, http_options=options).aio
        answered = await client.models.generate_content(model="by-openai", contents=QUESTION)
        assert answered.text
    assert len(await world.pairs()) == 2


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_google_s_settings_are_read_in_both_ways_of_writing(
    world: World, provider: str
) -> None:
    """The SDK mixes camelCase with snake_case in one body."""
    body = {
        "system_instruction": {"parts": [{"text": "Be brief."}]},
        "contents": [
            {
                "role": "user",
                "parts": [
                    {"text": QUESTION},
                    {"inline_data": {"mime_type": "image/png", "data": "iVBORw0KGgo="}},
                ],
            }
        ],
        "generationConfig": {"max_output_tokens": 3, "stopSequences": ["!"]},
    }
    async with world.node.client() as client:
        path = f"/v1/models/by-{provider}:generateContent"
        answered = await client.post(path, json=body)
    assert answered.status_code == 200, answered.text
    assert answered.json()["usageMetadata"]["candidatesTokenCount"] == 3
    [(entry, row)] = await world.pairs()
    assert_booked(entry, row, provider, stream=False)


async def test_what_google_s_sdk_asks_beyond_what_is_carried_is_refused(google: Any) -> None:
    with pytest.raises(genai.errors.ClientError) as raised:
        await google.files.list()
    assert raised.value.code == 404


# Errors arrive as each SDK's own.


@pytest.mark.parametrize("provider", PROVIDERS)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_a_rate_limit_is_each_sdk_s_own_error(
    world: World, provider: str, *, stream: bool
) -> None:
    limited = Script(error="rate_limited", retry_after_s=30)
    world.sandbox.script(limited, limited, limited)
    model = f"by-{provider}"
    with pytest.raises(openai.RateLimitError):
        await OpenAISpeaker(world.node.url, KEY).say(model, "Hi", picture=False, stream=stream)
    with pytest.raises(anthropic.RateLimitError):
        await AnthropicSpeaker(world.node.url, KEY).say(model, "Hi", picture=False, stream=stream)
    with pytest.raises(genai.errors.ClientError) as raised:
        await GoogleSpeaker(world.node.url, KEY).say(model, "Hi", picture=False, stream=stream)
    assert (raised.value.code, raised.value.status) == (429, "RESOURCE_EXHAUSTED")
    for _, row in await world.pairs():
        assert (row["status"], row["error_class"], row["cost_usd"]) == (
            "FAILED",
            "rate_limited",
            "0",
        )


@pytest.mark.parametrize("provider", PROVIDERS)
async def test_a_stream_that_breaks_is_each_sdk_s_own_error(world: World, provider: str) -> None:
    world.sandbox.script(*[Script(chunks=6, cut_after_chunks=2)] * 4)
    for name, errors in {
        "openai": openai.APIError,
        "responses": (openai.APIError, RuntimeError),
        "anthropic": anthropic.APIError,
        "google": (genai.errors.APIError, genai.errors.UnknownApiResponseError, ValueError),
    }.items():
        with pytest.raises(errors):
            await SPEAKERS[name](world.node.url, KEY).say(
                f"by-{provider}", "Hi", picture=False, stream=True
            )
    for _, row in await world.pairs():
        assert (row["status"], row["ending"]) == ("FAILED", "provider_broke")
