"""The Gemini API: thoughts beside the candidates, arrays beside events, operations."""

import base64
import json
from typing import Any

import pytest

from tests.support.asked import Reply, ask
from tollbridge.sandbox import Sandbox, Script
from tollbridge.sandbox.media import film_ms, png_size

ASK: dict[str, Any] = {"contents": [{"role": "user", "parts": [{"text": "Count the r."}]}]}
THINKS = {"generationConfig": {"thinkingConfig": {"thinkingBudget": 512}}}
MODEL = "/gemini/v1beta/models/gemini-2.5-flash"


async def post(method: str, body: Any, script: dict[str, Any] | None = None) -> Reply:
    return await ask(Sandbox(), f"{MODEL}:{method}", body, script=script)


async def test_the_total_is_prompt_and_candidates_and_thoughts() -> None:
    reply = await post("generateContent", ASK | THINKS)
    told = reply.json["usageMetadata"]
    assert told["thoughtsTokenCount"] == 12
    parts = ("promptTokenCount", "candidatesTokenCount", "thoughtsTokenCount")
    assert told["totalTokenCount"] == sum(told[name] for name in parts)
    assert reply.entry.usage is not None
    assert reply.entry.usage.completion_tokens == told["candidatesTokenCount"] + 12


async def test_events_and_the_array_say_the_same_as_the_whole() -> None:
    whole = (await post("generateContent", ASK | THINKS)).json
    events = await post("streamGenerateContent?alt=sse", ASK | THINKS)
    array = await post("streamGenerateContent", ASK | THINKS)
    assert array.json == events.data
    assert b"[DONE]" not in events.body
    said = "".join(one["candidates"][0]["content"]["parts"][0]["text"] for one in array.json)
    assert said == whole["candidates"][0]["content"]["parts"][0]["text"]
    assert array.json[-1]["usageMetadata"] == whole["usageMetadata"]
    totals = [one["usageMetadata"]["totalTokenCount"] for one in array.json]
    assert totals == sorted(totals)


async def test_the_recorded_usage_is_billed_to_the_token() -> None:
    given = {"promptTokenCount": 9, "candidatesTokenCount": 28, "thoughtsTokenCount": 244}
    reply = await post("generateContent", ASK, {"usage": given})
    assert reply.json["usageMetadata"]["totalTokenCount"] == 281
    assert reply.entry.usage is not None
    assert (reply.entry.usage.prompt_tokens, reply.entry.usage.completion_tokens) == (9, 272)


async def test_without_a_visible_word_the_candidates_count_is_missing() -> None:
    reply = await post("generateContent", ASK, {"chunks": 0, "thoughts": 5})
    assert "candidatesTokenCount" not in reply.json["usageMetadata"]
    assert reply.json["usageMetadata"]["thoughtsTokenCount"] == 5


async def test_a_blocked_prompt_has_no_candidates_and_is_billed() -> None:
    reply = await post("generateContent", ASK, {"filtered": True})
    assert reply.json["promptFeedback"]["blockReason"]
    assert "candidates" not in reply.json
    assert reply.entry.usage is not None
    assert reply.entry.usage.completion_tokens == 0 < reply.entry.usage.prompt_tokens


async def test_a_function_is_called() -> None:
    function: Any = {"name": "get_weather", "parameters": {"type": "OBJECT", "properties": {}}}
    body = ASK | {"tools": [{"functionDeclarations": [function]}]}
    reply = await post("generateContent", body, {"tool_calls": "get_weather"})
    call = reply.json["candidates"][0]["content"]["parts"][0]["functionCall"]
    assert call == {"name": "get_weather", "args": {}}


async def test_a_picture_comes_inline_with_its_tokens() -> None:
    body = ASK | {"generationConfig": {"responseModalities": ["TEXT", "IMAGE"]}}
    reply = await post("generateContent", body)
    data = reply.json["candidates"][0]["content"]["parts"][-1]["inlineData"]["data"]
    assert png_size(base64.b64decode(data)) == (1024, 1024)
    details = reply.json["usageMetadata"]["candidatesTokensDetails"]
    assert {"modality": "IMAGE", "tokenCount": 1290} in details
    assert reply.entry.usage is not None
    assert reply.entry.usage.completion_image_tokens == 1290
    assert reply.entry.units == {"image": 1}


@pytest.mark.parametrize(
    ("kind", "status", "name"),
    [
        ("rate_limited", 429, "RESOURCE_EXHAUSTED"),
        ("authentication", 400, "INVALID_ARGUMENT"),
        ("overloaded", 503, "UNAVAILABLE"),
        ("not_found", 404, "NOT_FOUND"),
        ("server_error", 500, "INTERNAL"),
    ],
)
async def test_a_refusal_has_google_s_status(kind: str, status: int, name: str) -> None:
    reply = await post("generateContent", ASK, {"error": kind, "retry_after_s": 34.4})
    assert (reply.status, reply.json["error"]["status"]) == (status, name)
    assert "retry-after" not in reply.headers
    if kind == "rate_limited":
        assert reply.json["error"]["details"][1]["retryDelay"] == "34.4s"


async def test_the_openai_surface_wraps_errors_in_a_list_and_hides_thoughts() -> None:
    path = "/gemini/v1beta/openai/chat/completions"
    body = {"model": "gemini-2.5-flash", "messages": [{"role": "user", "content": "Hi"}]}
    reply = await ask(Sandbox(), path, body, script={"thoughts": 62})
    told = reply.json["usage"]
    assert told["total_tokens"] - told["prompt_tokens"] - told["completion_tokens"] == 62
    refused = await ask(Sandbox(), path, body, script={"status": 400})
    assert refused.json[0]["error"]["code"] == 400


async def test_embeddings_of_several_texts() -> None:
    one = {"model": "models/m", "content": {"parts": [{"text": "abcd"}]}}
    body = {"requests": [one, one | {"outputDimensionality": 8}]}
    reply = await ask(Sandbox(), "/gemini/v1beta/models/m:batchEmbedContents", body)
    assert [len(vector["values"]) for vector in reply.json["embeddings"]] == [64, 8]
    assert reply.json["usageMetadata"]["promptTokenCount"] == 2


async def test_of_imagen_only_pictures_with_bytes_are_billed() -> None:
    body = {"instances": [{"prompt": "a boat"}], "parameters": {"sampleCount": 3}}
    path = "/gemini/v1beta/models/imagen-4.0-generate-001:predict"
    reply = await ask(Sandbox(), path, body, script={"filtered": True})
    made = [one for one in reply.json["predictions"] if "bytesBase64Encoded" in one]
    assert (len(made), len(reply.json["predictions"])) == (2, 3)
    assert reply.entry.units == {"image": 2}


async def test_a_film_is_an_operation_and_then_a_file() -> None:
    app = Sandbox()
    parameters = {"durationSeconds": 6, "resolution": "1080p"}
    body = {"instances": [{"prompt": "a boat"}], "parameters": parameters}
    path = "/gemini/v1beta/models/veo-3.1-generate-preview:predictLongRunning"
    name = (await ask(app, path, body)).json["name"]
    assert "done" not in (await ask(app, f"/gemini/v1beta/{name}")).json
    done = (await ask(app, f"/gemini/v1beta/{name}")).json
    uri = done["response"]["generateVideoResponse"]["generatedSamples"][0]["video"]["uri"]
    file = await ask(app, uri.removeprefix("http://sandbox.test"))
    assert film_ms(file.body) == 6000
    assert app.log[0].units == {"video": 1, "video_ms": 6000}
    assert app.tally.units == {"video": 1, "video_ms": 6000}


async def test_a_failed_operation_is_done_with_an_error_and_bills_nothing() -> None:
    app = Sandbox()
    app.scripts.push([Script(task="fails", task_polls=0)])
    body = {"instances": [{"prompt": "a boat"}]}
    path = "/gemini/v1beta/models/veo-3.1-generate-preview:predictLongRunning"
    name = (await ask(app, path, body)).json["name"]
    done = (await ask(app, f"/gemini/v1beta/{name}")).json
    assert done["done"] is True
    assert done["error"]["code"] == 13
    assert app.tally.units == {}


async def test_a_stream_that_is_cut_bills_what_was_sent() -> None:
    reply = await post("streamGenerateContent", ASK, {"cut_after_chunks": 2})
    assert not reply.whole
    with pytest.raises(json.JSONDecodeError):
        json.loads(reply.body)
    assert reply.entry.usage is not None
    assert reply.entry.usage.completion_tokens == 2
