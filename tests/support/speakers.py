"""The official SDKs behind one face: each says something, streamed or not, and runs a tool."""

import base64
import json
from collections.abc import Callable
from typing import Any, NamedTuple, Protocol

import anthropic
import openai
from google import genai
from google.genai import types

from tests.support.media import png

PICTURE = png(64, 64)
LINK = "data:image/png;base64," + base64.b64encode(PICTURE).decode()
TOOL = "get_weather"
ASKS_FOR_TOOL = f"{TOOL} for Paris"
RESULT = "20 C and dry"
WEATHER: dict[str, Any] = {
    "type": "object",
    "properties": {"city": {"type": "string"}},
    "required": ["city"],
}
OUTPUT_TOKENS_MAX = 200


class Said(NamedTuple):
    """What a caller hears: the words, and how many tokens they are said to be."""

    text: str
    input_tokens: int
    output_tokens: int


class Ran(NamedTuple):
    """A call of a tool, and what is said to its result."""

    tool: str
    city: str
    said: Said


class Speaker(Protocol):
    """One SDK, pointed at a gateway."""

    async def say(self, model: str, text: str, *, picture: bool, stream: bool) -> Said:
        """Ask, with a picture or without."""
        ...

    async def run_tool(self, model: str, *, stream: bool) -> Ran:
        """Ask for what needs a tool, run it, and ask again with its result."""
        ...


class OpenAISpeaker:
    """The chat completions of the openai SDK."""

    def __init__(self, url: str, key: str) -> None:
        self.sdk = openai.AsyncOpenAI(base_url=f"{url}/v1", api_key=key, max_retries=0, timeout=15)

    async def say(self, model: str, text: str, *, picture: bool, stream: bool) -> Said:
        """Ask, with a picture or without."""
        content: Any = text
        if picture:
            content = [
                {"type": "text", "text": text},
                {"type": "image_url", "image_url": {"url": LINK}},
            ]
        return _of_completion(
            await self._ask(model, [{"role": "user", "content": content}], stream=stream)
        )

    async def run_tool(self, model: str, *, stream: bool) -> Ran:
        """Ask for what needs a tool, run it, and ask again with its result."""
        function = {"name": TOOL, "parameters": WEATHER}
        tools = [{"type": "function", "function": function}]
        messages: list[Any] = [{"role": "user", "content": ASKS_FOR_TOOL}]
        first = await self._ask(model, messages, stream=stream, tools=tools)
        assert first.choices[0].finish_reason == "tool_calls"
        message = first.choices[0].message
        [call] = message.tool_calls
        result = {"role": "tool", "tool_call_id": call.id, "content": RESULT}
        named = {"name": call.function.name, "arguments": call.function.arguments}
        asked = {"id": call.id, "type": "function", "function": named}
        messages += [{"role": "assistant", "content": None, "tool_calls": [asked]}, result]
        second = await self._ask(model, messages, stream=stream, tools=tools)
        city = json.loads(call.function.arguments)["city"]
        return Ran(call.function.name, city, _of_completion(second))

    async def _ask(self, model: str, messages: Any, *, stream: bool, **more: Any) -> Any:
        ask: dict[str, Any] = {"model": model, "messages": messages, **more}
        helper: Any = self.sdk.chat.completions
        if not stream:
            return await helper.create(**ask)
        async with helper.stream(**ask, stream_options={"include_usage": True}) as events:
            return await events.get_final_completion()


class ResponsesSpeaker(OpenAISpeaker):
    """The responses of the openai SDK."""

    async def say(self, model: str, text: str, *, picture: bool, stream: bool) -> Said:
        """Ask, with a picture or without."""
        asked: Any = text
        if picture:
            parts = [
                {"type": "input_text", "text": text},
                {"type": "input_image", "image_url": LINK, "detail": "auto"},
            ]
            asked = [{"role": "user", "content": parts}]
        return _of_response(await self._respond(model, asked, stream=stream))

    async def run_tool(self, model: str, *, stream: bool) -> Ran:
        """Ask for what needs a tool, run it, and ask again with its result."""
        tools = [{"type": "function", "name": TOOL, "parameters": WEATHER, "strict": False}]
        asked: list[Any] = [{"role": "user", "content": ASKS_FOR_TOOL}]
        first = await self._respond(model, asked, stream=stream, tools=tools)
        [call] = [item for item in first.output if item.type == "function_call"]
        asked += [
            {
                "type": "function_call",
                "call_id": call.call_id,
                "name": call.name,
                "arguments": call.arguments,
            },
            {"type": "function_call_output", "call_id": call.call_id, "output": RESULT},
        ]
        second = await self._respond(model, asked, stream=stream, tools=tools)
        return Ran(call.name, json.loads(call.arguments)["city"], _of_response(second))

    async def _respond(self, model: str, asked: Any, *, stream: bool, **more: Any) -> Any:
        ask: dict[str, Any] = {"model": model, "input": asked, "store": False, **more}
        helper: Any = self.sdk.responses
        if not stream:
            return await helper.create(**ask)
        async with helper.stream(**ask) as events:
            return await events.get_final_response()


class AnthropicSpeaker:
    """The messages of the anthropic SDK."""

    def __init__(self, url: str, key: str) -> None:
        self.sdk = anthropic.AsyncAnthropic(base_url=url, api_key=key, max_retries=0, timeout=15)

    async def say(self, model: str, text: str, *, picture: bool, stream: bool) -> Said:
        """Ask, with a picture or without."""
        content: Any = text
        if picture:
            data = base64.b64encode(PICTURE).decode()
            source = {"type": "base64", "media_type": "image/png", "data": data}
            content = [{"type": "text", "text": text}, {"type": "image", "source": source}]
        messages = [{"role": "user", "content": content}]
        return _of_message(await self._ask(model, messages, stream=stream))

    async def run_tool(self, model: str, *, stream: bool) -> Ran:
        """Ask for what needs a tool, run it, and ask again with its result."""
        tools = [{"name": TOOL, "input_schema": WEATHER}]
        messages: list[Any] = [{"role": "user", "content": ASKS_FOR_TOOL}]
        first = await self._ask(model, messages, stream=stream, tools=tools)
        assert first.stop_reason == "tool_use"
        [use] = [block for block in first.content if block.type == "tool_use"]
        result = {"type": "tool_result", "tool_use_id": use.id, "content": RESULT}
        messages += [
            {"role": "assistant", "content": first.content},
            {"role": "user", "content": [result]},
        ]
        second = await self._ask(model, messages, stream=stream, tools=tools)
        return Ran(use.name, use.input["city"], _of_message(second))

    async def _ask(self, model: str, messages: Any, *, stream: bool, **more: Any) -> Any:
        ask: dict[str, Any] = {
            "model": model,
            "max_tokens": OUTPUT_TOKENS_MAX,
            "messages": messages,
            **more,
        }
        helper: Any = self.sdk.messages
        if not stream:
            return await helper.create(**ask)
        async with helper.stream(**ask) as events:
            return await events.get_final_message()


class GoogleSpeaker:
    """What the google-genai SDK generates."""

    def __init__(self, url: str, key: str) -> None:
        client: Any = genai.Client(api_key=key, http_options=types.HttpOptions(base_url=url))
        self.models: Any = client.aio.models

    async def say(self, model: str, text: str, *, picture: bool, stream: bool) -> Said:
        """Ask, with a picture or without."""
        contents: list[Any] = [text]
        if picture:
            contents.append(types.Part.from_bytes(data=PICTURE, mime_type="image/png"))
        return _of_chunks(await self._ask(model, contents, stream=stream))

    async def run_tool(self, model: str, *, stream: bool) -> Ran:
        """Ask for what needs a tool, run it, and ask again with its result."""
        declared: Any = [{"name": TOOL, "description": "The weather.", "parameters": WEATHER}]
        declared[0]["parameters"] = {
            "type": "OBJECT",
            "properties": {"city": {"type": "STRING"}},
            "required": ["city"],
        }
        tools = [types.Tool(function_declarations=declared)]
        asked: Any = types.Content(role="user", parts=[types.Part(text=ASKS_FOR_TOOL)])
        first = await self._ask(model, [asked], stream=stream, tools=tools)
        [call] = [call for chunk in first for call in chunk.function_calls or ()]
        turn = next(chunk.candidates[0].content for chunk in first if chunk.function_calls)
        response = types.FunctionResponse(name=call.name, id=call.id, response={"result": RESULT})
        result = types.Content(role="user", parts=[types.Part(function_response=response)])
        second = await self._ask(model, [asked, turn, result], stream=stream, tools=tools)
        return Ran(call.name, call.args["city"], _of_chunks(second))

    async def _ask(self, model: str, contents: Any, *, stream: bool, **more: Any) -> list[Any]:
        config = types.GenerateContentConfig(max_output_tokens=OUTPUT_TOKENS_MAX, **more)
        ask: dict[str, Any] = {"model": model, "contents": contents, "config": config}
        if not stream:
            return [await self.models.generate_content(**ask)]
        return [chunk async for chunk in await self.models.generate_content_stream(**ask)]


SPEAKERS: dict[str, Callable[[str, str], Speaker]] = {
    "openai": OpenAISpeaker,
    "responses": ResponsesSpeaker,
    "anthropic": AnthropicSpeaker,
    "google": GoogleSpeaker,
}


def _of_completion(answered: Any) -> Said:
    [choice] = answered.choices
    usage = answered.usage
    return Said(choice.message.content, usage.prompt_tokens, usage.completion_tokens)


def _of_response(answered: Any) -> Said:
    assert answered.status == "completed"
    usage = answered.usage
    return Said(answered.output_text, usage.input_tokens, usage.output_tokens)


def _of_message(answered: Any) -> Said:
    text = "".join(block.text for block in answered.content if block.type == "text")
    return Said(text, answered.usage.input_tokens, answered.usage.output_tokens)


def _of_chunks(chunks: list[Any]) -> Said:
    text = "".join(chunk.text or "" for chunk in chunks)
    usage = chunks[-1].usage_metadata
    return Said(text, usage.prompt_token_count, usage.candidates_token_count)
