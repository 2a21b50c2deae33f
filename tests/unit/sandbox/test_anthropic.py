"""Anthropic's messages: usage that excludes the cache, and that is restated at the end."""

from typing import Any

import pytest

from tests.support.asked import Reply, ask
from tollbridge.sandbox import Sandbox

ASK: dict[str, Any] = {
    "model": "claude-sonnet-4-5",
    "max_tokens": 500,
    "messages": [{"role": "user", "content": "Name a prime."}],
}
STREAM = ASK | {"stream": True}
THINKING = {"thinking": {"type": "enabled", "budget_tokens": 1024}}
PATH = "/anthropic/v1/messages"


async def post(
    body: dict[str, Any], script: dict[str, Any] | None = None, app: Any = None
) -> Reply:
    return await ask(app or Sandbox(), PATH, body, script=script)


async def test_a_message_is_the_same_streamed_and_not() -> None:
    whole = await post(ASK | THINKING)
    streamed = await post(STREAM | THINKING)
    thinking, text = whole.json["content"]
    deltas = [one["delta"] for one in streamed.data if one["type"] == "content_block_delta"]
    assert "".join(one.get("text", "") for one in deltas) == text["text"]
    assert "".join(one.get("thinking", "") for one in deltas).strip() == thinking["thinking"]
    names = [name for name, _ in streamed.events]
    assert names[:4] == ["message_start", "content_block_start", "ping", "content_block_delta"]
    assert names[-3:] == ["content_block_stop", "message_delta", "message_stop"]
    assert streamed.data[-2]["usage"] == whole.json["usage"]
    assert streamed.data[0]["message"]["usage"]["output_tokens"] == 1
    assert whole.entry.usage == streamed.entry.usage
    assert whole.json["usage"]["output_tokens_details"]["thinking_tokens"] == 12


async def test_what_is_marked_is_written_to_the_cache_once_and_then_read() -> None:
    app = Sandbox()
    control = {"type": "ephemeral", "ttl": "1h"}
    system = [{"type": "text", "text": "Be brief. " * 100, "cache_control": control}]
    first = (await post(ASK | {"system": system}, app=app)).json["usage"]
    second = (await post(ASK | {"system": system}, app=app)).json["usage"]
    written = first["cache_creation_input_tokens"]
    assert written == first["cache_creation"]["ephemeral_1h_input_tokens"] > 200
    assert first["cache_read_input_tokens"] == second["cache_creation_input_tokens"] == 0
    assert second["cache_read_input_tokens"] == written
    assert first["input_tokens"] == second["input_tokens"]
    total = first["input_tokens"] + written
    assert [entry.usage.prompt_tokens for entry in app.log if entry.usage] == [total, total]
    assert app.tally.cached_tokens == app.tally.cache_write_1h_tokens == written


async def test_input_tokens_may_rise_in_the_final_event() -> None:
    script = {
        "usage": {"input_tokens": 22_397, "output_tokens": 637},
        "usage_at_start": {"input_tokens": 2068},
    }
    reply = await post(STREAM, script)
    assert reply.data[0]["message"]["usage"]["input_tokens"] == 2068
    assert reply.data[-2]["usage"]["input_tokens"] == 22_397
    assert reply.entry.usage is not None
    assert reply.entry.usage.prompt_tokens == 22_397


async def test_a_second_model_can_stand_in_the_usage() -> None:
    other = {"type": "advisor_message", "model": "claude-opus-4-8", "input_tokens": 2543}
    reply = await post(ASK, {"usage": {"iterations": [other]}})
    assert reply.json["usage"]["iterations"] == [other]


async def test_a_tool_is_used_and_its_input_streamed() -> None:
    schema = {"type": "object", "properties": {"city": {"type": "string"}}}
    body = ASK | {"tools": [{"name": "get_weather", "input_schema": schema}]}
    whole = await post(body, {"tool_calls": True})
    block = whole.json["content"][0]
    assert (block["type"], whole.json["stop_reason"]) == ("tool_use", "tool_use")
    streamed = await post(body | {"stream": True}, {"tool_calls": True})
    parts = [one["delta"]["partial_json"] for one in streamed.data
             if one["type"] == "content_block_delta"]  # fmt: skip
    assert '{"city":"' in "".join(parts)
    assert streamed.entry.usage == whole.entry.usage


@pytest.mark.parametrize(
    ("kind", "status", "name"),
    [
        ("overloaded", 529, "overloaded_error"),
        ("rate_limited", 429, "rate_limit_error"),
        ("insufficient_quota", 400, "invalid_request_error"),
        ("authentication", 401, "authentication_error"),
        ("server_error", 500, "api_error"),
    ],
)
async def test_a_refusal_has_its_type(kind: str, status: int, name: str) -> None:
    reply = await post(ASK, {"error": kind, "retry_after_s": 3})
    assert (reply.status, reply.json["type"]) == (status, "error")
    assert reply.json["error"]["type"] == name
    assert reply.headers["retry-after"] == "3"
    assert reply.entry.usage is None


async def test_an_error_can_stand_in_the_stream() -> None:
    reply = await post(STREAM, {"error": "overloaded", "error_frame_after_chunks": 2})
    name, data = reply.events[-1]
    assert (name, data["error"]["type"]) == ("error", "overloaded_error")
    assert reply.entry.outcome == "error:200"
    assert reply.entry.usage is not None
    assert reply.entry.usage.completion_tokens == 2


async def test_tokens_are_counted_as_they_are_billed() -> None:
    app = Sandbox()
    counted = await ask(app, f"{PATH}/count_tokens", ASK)
    billed = await post(ASK, app=app)
    assert counted.json["input_tokens"] == billed.json["usage"]["input_tokens"]
    assert counted.entry.usage is None


@pytest.mark.parametrize(
    ("change", "word"),
    [({"max_tokens": None}, "max_tokens"), ({"messages": []}, "messages")],
)
async def test_a_message_without_what_it_needs_is_refused(
    change: dict[str, Any], word: str
) -> None:
    reply = await post(ASK | change)
    assert reply.status == 400
    assert word in reply.json["error"]["message"]


async def test_the_version_is_required() -> None:
    reply = await ask(Sandbox(), PATH, ASK, headers={"anthropic-version": ""})
    assert reply.status == 400
