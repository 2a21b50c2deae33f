"""The official SDKs, pointed straight at the sandbox: its emulators speak as the providers do."""

import base64
import io
from collections.abc import AsyncIterator
from typing import Any

import anthropic
import openai
import pytest
import pytest_asyncio
from google import genai
from google.genai import types

from tests.support.sandbox_server import RunningSandbox, running_sandbox
from tollbridge.sandbox import Script
from tollbridge.sandbox.media import Size, film_ms, png, png_size, sound_ms, wav

KEY = "sk-sandbox-test"
PICTURE = png(Size(64, 64))
LINK = "data:image/png;base64," + base64.b64encode(PICTURE).decode()
WEATHER: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
OPENAI_LIKE = [
    "openai", "openrouter", "xai", "groq", "mistral", "deepseek", "together", "vllm",
    "huggingface", "aimlapi",
]  # fmt: skip


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox() as running:
        yield running


def of_openai(sandbox: RunningSandbox, dialect: str = "openai") -> openai.AsyncOpenAI:
    return openai.AsyncOpenAI(api_key=KEY, base_url=sandbox.base_url(dialect), max_retries=0)


def of_anthropic(sandbox: RunningSandbox) -> anthropic.AsyncAnthropic:
    url = sandbox.base_url("anthropic")
    return anthropic.AsyncAnthropic(api_key=KEY, base_url=url, max_retries=0)


def of_google(sandbox: RunningSandbox) -> Any:
    """Return Google's client; half of its types are unknown to a strict reader."""
    options = types.HttpOptions(base_url=sandbox.base_url("gemini"))
    return genai.Client(api_key=KEY, http_options=options).aio


# OpenAI


@pytest.mark.parametrize("dialect", OPENAI_LIKE)
async def test_openai_s_sdk_reads_chat_of_everyone_who_speaks_it(
    sandbox: RunningSandbox, dialect: str
) -> None:
    async with of_openai(sandbox, dialect) as sdk:
        part: Any = {"type": "image_url", "image_url": {"url": LINK}}
        content: Any = [{"type": "text", "text": "What is it?"}, part]
        answer = await sdk.chat.completions.create(
            model="m", messages=[{"role": "user", "content": content}]
        )
        stream = await sdk.chat.completions.create(
            model="m", messages=[{"role": "user", "content": content}], stream=True
        )
        said = ""
        async for chunk in stream:
            said += "".join(choice.delta.content or "" for choice in chunk.choices)
    assert said == answer.choices[0].message.content
    assert answer.usage is not None
    first, second = sandbox.log
    assert first.usage is not None
    assert first.usage == second.usage
    assert answer.usage.prompt_tokens == first.usage.prompt_tokens > 85


async def test_openai_s_sdk_runs_tools(sandbox: RunningSandbox) -> None:
    async with of_openai(sandbox) as sdk:
        messages: list[Any] = [{"role": "user", "content": "get_weather for Paris"}]
        tools: Any = [
            {"type": "function", "function": {"name": "get_weather", "parameters": WEATHER}}
        ]
        first = await sdk.chat.completions.create(model="m", messages=messages, tools=tools)
        message = first.choices[0].message
        assert message.tool_calls is not None
        messages += [message, {"role": "tool", "tool_call_id": message.tool_calls[0].id,
                               "content": "20 C"}]  # fmt: skip
        second = await sdk.chat.completions.create(model="m", messages=messages, tools=tools)
    assert second.choices[0].message.content


async def test_azure_s_sdk_finds_its_deployment(sandbox: RunningSandbox) -> None:
    sdk = openai.AsyncAzureOpenAI(
        api_key=KEY, api_version="2024-10-21", azure_endpoint=sandbox.base_url("azure")
    )
    async with sdk:
        stream = await sdk.chat.completions.create(
            model="mine",
            messages=[{"role": "user", "content": "Hi"}],
            stream=True,
            stream_options={"include_usage": True},
        )
        chunks = [chunk async for chunk in stream]
    assert chunks[0].choices == []
    assert chunks[0].usage is None
    assert chunks[-1].usage is not None
    assert sandbox.log[0].model == "mine"


async def test_openai_s_sdk_reads_responses(sandbox: RunningSandbox) -> None:
    async with of_openai(sandbox) as sdk:
        answer = await sdk.responses.create(model="m", input="Name a prime.")
        again = await sdk.responses.retrieve(answer.id)
        assert again.output_text == answer.output_text != ""
        final = ""
        deltas = ""
        async with sdk.responses.stream(model="m", input="Name a prime.") as stream:
            async for event in stream:
                if event.type == "response.output_text.delta":
                    deltas += event.delta
            final = (await stream.get_final_response()).output_text
        assert final == deltas == answer.output_text
        tool: Any = {"type": "function", "name": "get_weather", "parameters": WEATHER}
        called = await sdk.responses.create(model="m", input="get_weather", tools=[tool])
        assert called.output[0].type == "function_call"
        await sdk.responses.delete(answer.id)
        with pytest.raises(openai.NotFoundError):
            await sdk.responses.retrieve(answer.id)
    assert answer.usage is not None
    assert answer.usage.total_tokens == answer.usage.input_tokens + answer.usage.output_tokens


async def test_openai_s_sdk_makes_and_edits_pictures(sandbox: RunningSandbox) -> None:
    async with of_openai(sandbox) as sdk:
        linked = await sdk.images.generate(model="dall-e-3", prompt="a boat", size="1792x1024")
        assert linked.data is not None
        assert linked.data[0].url is not None
        assert linked.data[0].url.endswith("1792x1024.png")
        metered = await sdk.images.generate(model="gpt-image-1", prompt="a boat", quality="high")
        assert metered.data is not None
        assert png_size(base64.b64decode(metered.data[0].b64_json or "")) == (1024, 1024)
        assert metered.usage is not None
        assert metered.usage.output_tokens == 4160
        edited = await sdk.images.edit(
            model="gpt-image-1", image=[("a.png", PICTURE), ("b.png", PICTURE)], prompt="red"
        )
        assert edited.usage is not None
        assert edited.usage.input_tokens_details.image_tokens == 2 * 194
        stream = await sdk.images.generate(
            model="gpt-image-1", prompt="a boat", stream=True, partial_images=2
        )
        kinds = [event.type async for event in stream]
        with pytest.raises(openai.BadRequestError):
            await sdk.images.generate(model="dall-e-3", prompt="a boat", size="256x256")
    partial = "image_generation.partial_image"
    assert kinds == [partial, partial, "image_generation.completed"]
    assert sandbox.app.tally.units == {"image": 4}


async def test_openai_s_sdk_speaks_and_listens(sandbox: RunningSandbox) -> None:
    async with of_openai(sandbox) as sdk:
        spoken = await sdk.audio.speech.create(
            model="tts-1", voice="alloy", input="Hello there", response_format="wav"
        )
        assert sound_ms(spoken.content) == 660
        heard = await sdk.audio.transcriptions.create(
            model="whisper-1", file=("a.wav", io.BytesIO(spoken.content))
        )
        by_token = await sdk.audio.transcriptions.create(
            model="gpt-4o-transcribe", file=("a.wav", io.BytesIO(wav(1000)))
        )
        stream = await sdk.audio.transcriptions.create(
            model="gpt-4o-transcribe", file=("a.wav", io.BytesIO(wav(1000))), stream=True
        )
        kinds = {event.type async for event in stream}
        with pytest.raises(openai.BadRequestError):
            await sdk.audio.transcriptions.create(model="whisper-1", file=("a.wav", b"no sound"))
    assert heard.usage is not None
    assert heard.usage.type == "duration"
    assert heard.usage.seconds == 1
    assert by_token.usage is not None
    assert by_token.usage.type == "tokens"
    assert by_token.usage.input_tokens == 10
    assert kinds == {"transcript.text.delta", "transcript.text.done"}
    assert sandbox.log[0].units == {"character": 11}
    assert sandbox.app.tally.units == {"character": 11, "audio_ms": 660 + 2000}


@pytest.mark.filterwarnings("ignore:The Sora API:DeprecationWarning")
async def test_openai_s_sdk_makes_a_film(sandbox: RunningSandbox) -> None:
    async with of_openai(sandbox) as sdk:
        videos: Any = sdk.videos  # deprecated by OpenAI, not by those who speak as it does
        video = await videos.create(model="sora-2", prompt="a boat", seconds="8")
        assert video.status == "queued"
        done = await videos.poll(video.id, poll_interval_ms=5)
        assert done.status == "completed"
        content = await videos.download_content(video.id)
        assert film_ms(content.content) == 8000
        assert [one.id async for one in videos.list()] == [video.id]
        await videos.delete(video.id)
        with pytest.raises(openai.NotFoundError):
            await videos.retrieve(video.id)
    assert sandbox.app.tally.units == {"video": 1, "video_ms": 8000}


# Anthropic


async def test_anthropic_s_sdk_reads_messages(sandbox: RunningSandbox) -> None:
    image: Any = {
        "type": "image",
        "source": {
            "type": "base64",
            "media_type": "image/png",
            "data": base64.b64encode(PICTURE).decode(),
        },
    }
    content: Any = [{"type": "text", "text": "What is it?"}, image]
    messages: Any = [{"role": "user", "content": content}]
    async with of_anthropic(sandbox) as sdk:
        answer = await sdk.messages.create(model="claude", max_tokens=200, messages=messages)
        async with sdk.messages.stream(model="claude", max_tokens=200, messages=messages) as stream:
            said = "".join([text async for text in stream.text_stream])
            final = await stream.get_final_message()
        counted = await sdk.messages.count_tokens(model="claude", messages=messages)
        assert [model.id async for model in sdk.models.list()]
    (block,) = answer.content
    assert block.type == "text"
    assert block.text == said
    assert final.usage.output_tokens == answer.usage.output_tokens
    assert final.usage.input_tokens == answer.usage.input_tokens == counted.input_tokens


async def test_anthropic_s_sdk_runs_tools_and_thinks(sandbox: RunningSandbox) -> None:
    tool: Any = {"name": "get_weather", "input_schema": WEATHER}
    messages: list[Any] = [{"role": "user", "content": "get_weather for Paris"}]
    async with of_anthropic(sandbox) as sdk:
        async with sdk.messages.stream(
            model="claude",
            max_tokens=2000,
            messages=messages,
            tools=[tool],
            thinking={"type": "enabled", "budget_tokens": 1024},
        ) as stream:
            first = await stream.get_final_message()
        thinking, use = first.content
        assert thinking.type == "thinking"
        assert use.type == "tool_use"
        assert isinstance(use.input, dict)
        assert use.input["city"]
        result: Any = {"type": "tool_result", "tool_use_id": use.id, "content": "20 C"}
        messages += [{"role": "assistant", "content": first.content},
                     {"role": "user", "content": [result]}]  # fmt: skip
        second = await sdk.messages.create(
            model="claude", max_tokens=200, messages=messages, tools=[tool]
        )
    assert first.stop_reason == "tool_use"
    assert second.stop_reason == "end_turn"


async def test_anthropic_s_sdk_raises_what_the_errors_say(sandbox: RunningSandbox) -> None:
    messages: Any = [{"role": "user", "content": "Hi"}]
    sandbox.script(
        Script(error="overloaded"),
        Script(error="rate_limited"),
        Script(error="overloaded", error_frame_after_chunks=2),
    )
    async with of_anthropic(sandbox) as sdk:
        with pytest.raises(anthropic.APIStatusError) as overloaded:
            await sdk.messages.create(model="claude", max_tokens=20, messages=messages)
        with pytest.raises(anthropic.RateLimitError):
            await sdk.messages.create(model="claude", max_tokens=20, messages=messages)
        with pytest.raises(anthropic.APIStatusError, match="overloaded_error"):
            async with sdk.messages.stream(
                model="claude", max_tokens=20, messages=messages
            ) as stream:
                await stream.get_final_message()
    assert overloaded.value.status_code == 529


# Google


async def test_google_s_sdk_generates(sandbox: RunningSandbox) -> None:
    sdk = of_google(sandbox)
    contents: Any = ["What is it?", types.Part.from_bytes(data=PICTURE, mime_type="image/png")]
    config = types.GenerateContentConfig(
        system_instruction="Be brief.", thinking_config=types.ThinkingConfig(thinking_budget=512)
    )
    answer = await sdk.models.generate_content(
        model="gemini-2.5-flash", contents=contents, config=config
    )
    stream = await sdk.models.generate_content_stream(
        model="gemini-2.5-flash", contents=contents, config=config
    )
    chunks = [chunk async for chunk in stream]
    assert "".join(chunk.text or "" for chunk in chunks) == answer.text
    assert chunks[-1].usage_metadata == answer.usage_metadata
    counted = await sdk.models.count_tokens(model="gemini-2.5-flash", contents=contents)
    assert answer.usage_metadata is not None
    assert answer.usage_metadata.thoughts_token_count == 12
    assert counted.total_tokens == (answer.usage_metadata.prompt_token_count or 0) - 3


async def test_google_s_sdk_runs_tools(sandbox: RunningSandbox) -> None:
    def get_weather(city: str) -> str:
        """Tell the weather."""
        return f"20 C in {city}"

    answer = await of_google(sandbox).models.generate_content(
        model="gemini-2.5-flash",
        contents="get_weather for Paris",
        config=types.GenerateContentConfig(tools=[get_weather]),
    )
    assert answer.text
    assert len(sandbox.log) == 2


async def test_google_s_sdk_embeds_and_draws(sandbox: RunningSandbox) -> None:
    sdk = of_google(sandbox)
    embedded = await sdk.models.embed_content(model="gemini-embedding-2", contents=["a", "b"])
    assert embedded.embeddings
    drawn = await sdk.models.generate_content(
        model="gemini-2.5-flash-image",
        contents="a boat",
        config=types.GenerateContentConfig(response_modalities=["IMAGE"]),
    )
    assert drawn.parts is not None
    (part,) = drawn.parts
    assert part.inline_data is not None
    assert png_size(part.inline_data.data or b"") == (1024, 1024)
    assert sandbox.app.tally.units == {"image": 1}


async def test_google_s_sdk_raises_what_the_errors_say(sandbox: RunningSandbox) -> None:
    sandbox.script(Script(error="rate_limited", retry_after_s=2.5))
    with pytest.raises(genai.errors.ClientError) as raised:
        await of_google(sandbox).models.generate_content(model="gemini-2.5-flash", contents="Hi")
    assert (raised.value.code, raised.value.status) == (429, "RESOURCE_EXHAUSTED")
