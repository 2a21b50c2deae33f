"""The hard cases that the README lists: each is there when its script asks for it."""

import asyncio
import json
from email.utils import parsedate_to_datetime
from typing import Any

import pytest

from tests.support.asked import ask
from tollbridge.core.clock import ManualClock
from tollbridge.sandbox import Sandbox, Script
from tollbridge.sandbox.refusals import RefusedError
from tollbridge.sandbox.webhooks import sign_plain

CHAT = "/v1/chat/completions"
ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Name a prime."}]}
STREAM = ASK | {"stream": True, "stream_options": {"include_usage": True}}
CLAUDE: dict[str, Any] = ASK | {"max_tokens": 9}


async def test_another_chunk_may_follow_the_usage() -> None:
    reply = await ask(Sandbox(), CHAT, STREAM, script={"usage_then_extra_chunk": True})
    assert reply.data[-2]["usage"]["total_tokens"] > 0
    assert reply.data[-1]["moderation"] == {"flagged": False}
    assert reply.events[-1] == (None, "[DONE]")


async def test_usage_may_be_null_in_every_chunk() -> None:
    reply = await ask(Sandbox(), CHAT, STREAM, script={"usage": "null"})
    assert {one["usage"] for one in reply.data} == {None}
    assert reply.entry.usage is not None


@pytest.mark.parametrize("dialect", ["openrouter", "groq", "xai", "aimlapi"])
async def test_an_error_may_stand_in_a_stream_of_200(dialect: str) -> None:
    path = {"openrouter": "/api/v1", "groq": "/openai/v1"}.get(dialect, "/v1")
    script = {"error_frame_after_chunks": 1, "error": "server_error"}
    reply = await ask(Sandbox(), f"/{dialect}{path}/chat/completions", ASK | {"stream": True},
                      script=script)  # fmt: skip
    name, data = reply.events[-1]
    assert reply.status == 200
    assert "error" in data
    assert name == ("error" if dialect == "groq" else None)


async def test_an_error_may_stand_among_the_events_of_a_response() -> None:
    body = {"model": "m", "input": "Hi", "stream": True}
    reply = await ask(Sandbox(), "/v1/responses", body, script={"error_frame_after_chunks": 1})
    assert reply.events[-1][0] == reply.data[-1]["type"] == "error"


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/openrouter/api/v1/chat/completions", ASK),
        ("/wavespeed/api/v3/wavespeed-ai/qwen-image/text-to-image", {"prompt": "a boat"}),
    ],
)
async def test_an_error_may_stand_in_a_body_of_200(path: str, body: dict[str, Any]) -> None:
    script = {"error": "server_error", "error_in_200": True}
    reply = await ask(Sandbox(), path, body, script=script)
    assert reply.status == 200
    assert reply.json.get("code", reply.json.get("error", {}).get("code")) == 500
    assert reply.entry.usage is None
    assert reply.entry.units == {}


async def test_retry_after_may_be_a_date_milliseconds_or_on_a_success() -> None:
    clock = ManualClock()
    script = {"status": 429, "retry_after_s": 60, "retry_after_as": "date"}
    dated = await ask(Sandbox(clock=clock), CHAT, ASK, script=script)
    at = parsedate_to_datetime(dated.headers["retry-after"]).timestamp()
    assert at == clock.now_us() // 1_000_000 + 60
    script = {"status": 429, "retry_after_s": 0.25, "retry_after_as": "ms"}
    short = await ask(Sandbox(), CHAT, ASK, script=script)
    assert "retry-after" not in short.headers
    assert short.headers["retry-after-ms"] == "250"
    fine = await ask(Sandbox(), CHAT, ASK, script={"retry_after_s": 30})
    assert (fine.status, fine.headers["retry-after"]) == (200, "30")


async def test_an_event_may_have_two_data_lines_and_trailing_spaces() -> None:
    script = {"data_lines": 2, "trailing_spaces": True, "crlf": True, "comments": True}
    reply = await ask(Sandbox(), "/anthropic/v1/messages", CLAUDE | {"stream": True}, script=script)
    assert b"data: {\r\ndata: " in reply.body
    assert b"   \r\n" in reply.body
    assert reply.data[-1] == {"type": "message_stop"}


@pytest.mark.parametrize(
    ("path", "body"),
    [
        ("/anthropic/v1/messages", CLAUDE | {"stream": True}),
        ("/gemini/v1beta/models/m:streamGenerateContent?alt=sse",
         {"contents": [{"parts": [{"text": "Hi"}]}]}),
        ("/xai/v1/chat/completions", ASK | {"stream": True}),
        ("/v1/responses", {"model": "m", "input": "Hi", "stream": True}),
    ],
)  # fmt: skip
async def test_a_stream_may_break_off_before_its_usage(path: str, body: dict[str, Any]) -> None:
    reply = await ask(Sandbox(), path, body, script={"cut_after_chunks": 2, "chunks": 9})
    assert (reply.whole, reply.entry.outcome) == (False, "cut")
    assert reply.entry.usage is not None
    assert reply.entry.usage.completion_tokens == 2


@pytest.mark.parametrize("fault", [{"malformed_json": True}, {"malformed_sse": True}])
async def test_a_stream_may_be_malformed(fault: dict[str, Any]) -> None:
    script = fault | {"malformed_after_chunks": 2}
    reply = await ask(Sandbox(), "/anthropic/v1/messages", CLAUDE | {"stream": True}, script=script)
    with pytest.raises((json.JSONDecodeError, AssertionError)):
        assert reply.data[-1] == {"type": "message_stop"}
    assert reply.entry.usage_reported is None


async def test_a_stream_may_have_no_end_mark() -> None:
    body = CLAUDE | {"stream": True}
    reply = await ask(Sandbox(), "/anthropic/v1/messages", body, script={"no_done": True})
    assert reply.data[-1]["type"] == "message_delta"


async def test_a_webhook_may_come_before_the_answer_and_may_be_old() -> None:
    got: list[tuple[dict[str, str], bytes, int]] = []
    app = Sandbox()

    async def hook(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:]
        headers = dict(line.split(": ", 1) for line in head if line)
        body = await reader.readexactly(int(headers["content-length"]))
        got.append((headers, body, app.tally.finished))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    async with await asyncio.start_server(hook, "127.0.0.1", 0) as server:
        address = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}/"
        path = f"/wavespeed/api/v3/wavespeed-ai/qwen-image?webhook={address}"
        for manner in ("before_answer", "old_timestamp"):
            await ask(app, path, {"prompt": "a boat"}, script={"webhook": manner})
    (_, early, finished), (old, data, _) = got
    assert (json.loads(early)["status"], finished) == ("completed", 0)
    stamp = int(old["webhook-timestamp"])
    assert old["webhook-signature"] == sign_plain(old["webhook-id"], stamp, data)
    assert app.log[1].started_at_us // 1_000_000 - stamp >= 3600


async def test_tier_and_model_may_come_back_otherwise() -> None:
    script = {"service_tier": "priority", "model_returned": "m-2026-01-01"}
    reply = await ask(Sandbox(), CHAT, ASK | {"service_tier": "auto"}, script=script)
    assert (reply.json["service_tier"], reply.json["model"]) == ("priority", "m-2026-01-01")
    assert reply.entry.model == "m"


async def test_an_error_of_json_may_have_a_wrong_type() -> None:
    script = {"status": 400, "extra_headers": {"content-type": "application/octet-stream"}}
    reply = await ask(Sandbox(), "/deepseek/v1/chat/completions", ASK, script=script)
    assert reply.headers["content-type"] == "application/octet-stream"
    assert reply.json["error"]


async def test_an_error_stands_where_sound_was_expected() -> None:
    body = {"model": "tts-1", "input": "Hi", "voice": "alloy"}
    reply = await ask(Sandbox(), "/v1/audio/speech", body, script={"status": 500})
    assert reply.headers["content-type"] == "application/json"
    assert reply.json["error"]


async def test_a_script_can_be_for_one_provider_only() -> None:
    app = Sandbox()
    app.scripts.push([Script(status=503, dialect="xai")])
    assert (await ask(app, CHAT, ASK)).status == 200
    assert (await ask(app, "/xai/v1/chat/completions", ASK)).status == 503


async def test_a_default_for_one_operation_leaves_the_others_whole() -> None:
    app = Sandbox()
    app.scripts.default = Script(status=503, operation="image_generation")
    assert (await ask(app, CHAT, ASK)).status == 200
    assert (await ask(app, "/v1/images/generations", {"prompt": "a boat"})).status == 503


def test_a_refusal_says_whether_its_status_was_asked_for() -> None:
    assert not RefusedError("overloaded").is_given
    assert RefusedError("overloaded", status=500).is_given
