"""Callers and providers of several wire formats: who is skipped, and what does each side get?"""

import json
from collections.abc import AsyncIterator
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.support.node import KEY, MODEL, Node, running_node
from tests.support.raw_provider import COMPLETION, RawProvider, answer, running_raw_provider
from tollbridge.core.call import AttemptOutcome, ErrorClass
from tollbridge.core.evidence import CallEvidence

pytestmark = pytest.mark.asyncio(loop_scope="module")

SPEECH, TRANSCRIPTS, IMAGES = "tts-1", "whisper-1", "dall-e-3"
SSE = "text/event-stream"
SOUND = bytes(range(256)) * 400
RESPONSE: dict[str, Any] = {
    "id": "resp_0a1b",
    "object": "response",
    "status": "completed",
    "model": "gpt-4o-2024-08-06",
    "output": [
        {
            "id": "msg_1",
            "type": "message",
            "role": "assistant",
            "status": "completed",
            "content": [{"type": "output_text", "text": "4", "annotations": []}],
        }
    ],
    "service_tier": "default",
    "usage": {
        "input_tokens": 15,
        "input_tokens_details": {"cached_tokens": 0},
        "output_tokens": 9,
        "output_tokens_details": {"reasoning_tokens": 0},
        "total_tokens": 24,
    },
}


def events(*frames: dict[str, Any]) -> bytes:
    """Return typed events as they are sent."""
    return b"".join(
        f"event: {frame['type']}\ndata: {json.dumps(frame)}\n\n".encode() for frame in frames
    )


RESPONSE_STREAM = events(
    {"type": "response.created", "response": {**RESPONSE, "usage": None, "output": []}},
    {"type": "response.output_text.delta", "delta": "4"},
    {"type": "response.completed", "response": RESPONSE},
)


def endpoint(name: str, url: str, **fields: Any) -> str:
    extra = "".join(f"{key} = {json.dumps(value)}\n" for key, value in fields.items())
    dialect = "" if "dialect" in fields else 'dialect = "openai"\n'
    return (
        f'[[endpoint]]\nname = "{name}"\nprovider = "{name}"\n{dialect}'
        f'base_url = "{url}"\napi_key = "secret-of-{name}"\n{extra}'
    )


def route(label: str, category: str, *endpoints: str) -> str:
    candidates = ", ".join(
        f'{{ endpoint = "{name}", model = "{label}", priority = {number} }}'
        for number, name in enumerate(endpoints, 1)
    )
    return f'[[route]]\nmodel = "{label}"\ncategory = "{category}"\ncandidates = [ {candidates} ]\n'


def config(raw: RawProvider) -> str:
    return (
        endpoint("plain", f"{raw.url}/plain/v1")
        + endpoint("stateful", f"{raw.url}/stateful/v1", quirks=["responses"])
        + endpoint("other", f"{raw.url}/other/v1", quirks=["responses"])
        + endpoint("tasks-only", f"{raw.url}/tasks", dialect="replicate")
        + endpoint("azure-new", f"{raw.url}/azure/openai/v1", dialect="azure")
        + endpoint("azure-old", f"{raw.url}/old/openai", dialect="azure", quirks=["deployments"])
        + endpoint("keyed", f"{raw.url}/keyed/v1", auth="key")
        + endpoint("open", f"{raw.url}/open/v1", auth="none")
        + route(MODEL, "text", "tasks-only", "plain")
        + route("nobody", "text", "tasks-only")
        + route("stateful", "text", "stateful", "other")
        + route("azure-new", "text", "azure-new")
        + route("azure-old", "text", "azure-old")
        + route("keyed", "text", "keyed")
        + route("open", "text", "open")
        + route(SPEECH, "audio", "plain")
        + route(TRANSCRIPTS, "audio", "plain")
        + route(IMAGES, "image", "plain")
        + '[[key]]\nname = "ci"\nkey_env = "CI_KEY"\nuser = "ana"\n'
    )


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def raw() -> AsyncIterator[RawProvider]:
    async with running_raw_provider() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory, raw: RawProvider) -> AsyncIterator[Node]:
    folder = tmp_path_factory.mktemp("node")
    async with running_node(folder, config(raw), breaker_failures_max=1000) as running:
        yield running


async def evidence_of(node: Node, call_id: str) -> CallEvidence:
    """Return the one record of a call."""
    for count in range(1, 1000):
        for one in await node.ended(count):
            if one.opened.call_id == call_id:
                return one
    raise AssertionError(call_id)


async def post(node: Node, path: str, **options: Any) -> httpx.Response:
    async with node.client() as client:
        return await client.post(path, **options)


def head_of(request: bytes) -> str:
    return request.partition(b"\r\n\r\n")[0].decode().lower()


def chat(model: str) -> dict[str, Any]:
    return {"model": model, "messages": [{"role": "user", "content": "hi"}]}


async def test_a_candidate_that_cannot_serve_is_skipped_and_says_why(
    node: Node, raw: RawProvider
) -> None:
    answered = await post(node, "/v1/chat/completions", json=chat(MODEL))
    assert answered.status_code == 200
    assert answered.headers["x-tollbridge-attempts"] == "2"
    evidence = await evidence_of(node, answered.headers["x-tollbridge-call-id"])
    skipped, served = evidence.closed.attempts
    assert (skipped.outcome, skipped.error_class, skipped.written) == (
        AttemptOutcome.FAILED,
        ErrorClass.UNSUPPORTED_PARAMETER,
        False,
    )
    assert skipped.message
    assert served.outcome is AttemptOutcome.SUCCEEDED
    assert not any(b"/tasks/" in one for one in raw.received)


async def test_where_nobody_can_serve_the_error_lists_each_attempt(node: Node) -> None:
    answered = await post(node, "/v1/chat/completions", json=chat("nobody"))
    error = answered.json()["error"]
    assert (answered.status_code, error["code"]) == (400, "unsupported_parameter")
    assert [one["endpoint"] for one in error["details"]["attempts"]] == ["tasks-only"]


@pytest.mark.parametrize(
    ("model", "header", "path"),
    [
        ("azure-new", "api-key: secret-of-azure-new", "/azure/openai/v1/chat/completions"),
        (
            "azure-old",
            "api-key: secret-of-azure-old",
            "/old/openai/deployments/azure-old/chat/completions?api-version=",
        ),
        ("keyed", "authorization: key secret-of-keyed", "/keyed/v1/chat/completions"),
        ("open", "accept: application/json", "/open/v1/chat/completions"),
    ],
)
async def test_each_endpoint_gets_its_key_as_it_wants_it(
    node: Node, raw: RawProvider, model: str, header: str, path: str
) -> None:
    assert (await post(node, "/v1/chat/completions", json=chat(model))).status_code == 200
    sent = head_of(raw.received[-1])
    assert header in sent
    assert sent.startswith(f"post {path}")
    assert sent.count("secret-of") == (0 if model == "open" else 1)
    assert KEY.lower() not in sent


@pytest.mark.parametrize(
    "headers",
    [
        {"authorization": f"Bearer {KEY}"},
        {"x-api-key": KEY},
        {"x-goog-api-key": KEY},
        {"x-api-key": KEY, "anthropic-version": "2023-06-01"},
    ],
)
async def test_a_key_is_found_in_each_header_that_an_sdk_puts_it_in(
    node: Node, headers: dict[str, str]
) -> None:
    async with httpx.AsyncClient(base_url=node.url, headers=headers) as client:
        assert (await client.get("/v1/models")).status_code == 200


async def test_a_key_is_found_in_the_query(node: Node) -> None:
    async with httpx.AsyncClient(base_url=node.url) as client:
        assert (await client.get("/v1beta/models", params={"key": KEY})).status_code == 200
        assert (await client.get("/v1beta/models", params={"key": "x"})).status_code == 401


async def test_models_are_listed_as_the_caller_knows_lists(node: Node) -> None:
    async with node.client() as client:
        openai = (await client.get("/v1/models")).json()
        anthropic = (
            await client.get("/v1/models", headers={"anthropic-version": "2023-06-01"})
        ).json()
        gemini = (await client.get("/v1beta/models")).json()
        one = (await client.get(f"/v1beta/models/{MODEL}")).json()
    assert openai["object"] == "list"
    assert {"id": MODEL, "object": "model", "created": 0, "owned_by": "tasks-only"} in openai[
        "data"
    ]
    assert MODEL in [model["id"] for model in anthropic["data"]]
    assert (anthropic["data"][0]["type"], anthropic["has_more"]) == ("model", False)
    assert f"models/{MODEL}" in [model["name"] for model in gemini["models"]]
    assert one["name"] == f"models/{MODEL}"


# The responses API.


async def test_a_response_passes_through_and_its_usage_is_noted(
    node: Node, raw: RawProvider
) -> None:
    raw.answers["stateful"] = answer(RESPONSE)
    body = b'{"model": "stateful",  "input": "2 + 2?", "store": true}'
    answered = await post(node, "/v1/responses", content=body)
    assert answered.status_code == 200
    assert raw.bodies[-1] == body
    given = answered.json()
    assert given["output"] == RESPONSE["output"]
    evidence = await evidence_of(node, answered.headers["x-tollbridge-call-id"])
    attempt = evidence.closed.attempts[-1]
    assert attempt.usage == {**RESPONSE["usage"], "service_tier": "default"}
    assert (attempt.response_id, attempt.served_model) == ("resp_0a1b", RESPONSE["model"])


async def test_a_streamed_response_ends_without_done_and_has_its_usage(
    node: Node, raw: RawProvider
) -> None:
    raw.answers["stateful"] = answer(RESPONSE_STREAM, content_type=SSE)
    answered = await post(
        node, "/v1/responses", json={"model": "stateful", "input": "2 + 2?", "stream": True}
    )
    assert answered.headers["content-type"].startswith(SSE)
    types = [line for line in answered.text.splitlines() if line.startswith("event: ")]
    assert types[-1] == "event: response.completed"
    evidence = await evidence_of(node, answered.headers["x-tollbridge-call-id"])
    attempt = evidence.closed.attempts[-1]
    assert attempt.outcome is AttemptOutcome.SUCCEEDED
    assert attempt.usage == {**RESPONSE["usage"], "service_tier": "default"}
    assert attempt.chunks == 1
    ids = {
        json.loads(line[6:])["response"]["id"]
        for line in answered.text.splitlines()
        if line.startswith("data: ") and "response.delta" not in line and '"response"' in line
    }
    assert len(ids) == 1
    assert ids.pop().startswith("resp_0a1b_tb")


async def test_a_stream_that_fails_at_once_is_served_by_the_next(
    node: Node, raw: RawProvider
) -> None:
    failed = {
        **RESPONSE,
        "status": "failed",
        "usage": None,
        "error": {"code": "server_error", "message": "no"},
    }
    raw.answers["stateful"] = answer(
        events(
            {"type": "response.created", "response": {**RESPONSE, "usage": None}},
            {"type": "response.failed", "response": failed},
        ),
        content_type=SSE,
    )
    raw.answers["other"] = answer(RESPONSE_STREAM, content_type=SSE)
    answered = await post(
        node, "/v1/responses", json={"model": "stateful", "input": "hi", "stream": True}
    )
    assert answered.headers["x-tollbridge-provider"] == "other"
    assert "response.failed" not in answered.text


async def test_what_goes_on_from_a_response_goes_to_the_endpoint_that_has_it(
    node: Node, raw: RawProvider
) -> None:
    raw.answers["stateful"] = answer(b"{}", 500)
    raw.answers["other"] = answer(RESPONSE)
    first = await post(node, "/v1/responses", json={"model": "stateful", "input": "a"})
    given_id = first.json()["id"]
    raw.answers["stateful"] = answer(RESPONSE)
    raw.answers["other"] = answer({**RESPONSE, "previous_response_id": "resp_0a1b", "id": "resp_2"})
    second = await post(
        node,
        "/v1/responses",
        json={"model": "stateful", "input": "b", "previous_response_id": given_id},
    )
    assert second.headers["x-tollbridge-provider"] == "other"
    assert json.loads(raw.bodies[-1])["previous_response_id"] == "resp_0a1b"
    assert second.json()["previous_response_id"] == given_id
    assert second.json()["id"].startswith("resp_2_tb")


async def test_a_stored_response_is_fetched_and_deleted_where_it_lies(
    node: Node, raw: RawProvider
) -> None:
    raw.answers["stateful"] = answer(RESPONSE)
    made = await post(node, "/v1/responses", json={"model": "stateful", "input": "a"})
    given_id = made.json()["id"]
    calls = len(node.calls())
    async with node.client() as client:
        fetched = await client.get(f"/v1/responses/{given_id}")
        sent = head_of(raw.received[-1])
        deleted = await client.delete(f"/v1/responses/{given_id}")
    assert fetched.json()["id"] == given_id
    assert sent.startswith("get /stateful/v1/responses/resp_0a1b http/1.1")
    assert "authorization: bearer secret-of-stateful" in sent
    assert head_of(raw.received[-1]).startswith("delete /stateful/v1/responses/resp_0a1b ")
    assert deleted.status_code == 200
    assert len(node.calls()) == calls


@pytest.mark.parametrize("forged", ["resp_0a1b", "resp_0a1b_tbnn2gc5dfmz2wy_aaaaaaaaaaaaaaaa", "x"])
async def test_an_id_that_was_not_given_here_reaches_nobody(
    node: Node, raw: RawProvider, forged: str
) -> None:
    received = len(raw.received)
    async with node.client() as client:
        fetched = await client.get(f"/v1/responses/{forged}")
    asked = await post(
        node,
        "/v1/responses",
        json={"model": "stateful", "input": "b", "previous_response_id": forged},
    )
    assert (fetched.status_code, asked.status_code) == (400, 400)
    assert asked.json()["error"]["param"] == "previous_response_id"
    assert len(raw.received) == received


async def test_a_response_in_the_background_is_refused(node: Node) -> None:
    answered = await post(
        node, "/v1/responses", json={"model": "stateful", "input": "a", "background": True}
    )
    assert answered.status_code == 400
    assert answered.json()["error"]["param"] == "background"


async def test_a_response_of_a_provider_without_the_api_is_translated(
    node: Node, raw: RawProvider
) -> None:
    raw.answers["plain"] = answer(COMPLETION)
    answered = await post(node, "/v1/responses", json={"model": MODEL, "input": "a"})
    assert answered.status_code == 200
    assert answered.json()["object"] == "response"
    assert json.loads(raw.bodies[-1])["messages"]
    del raw.answers["plain"]


# Media.


async def test_sound_passes_as_it_comes(node: Node, raw: RawProvider) -> None:
    raw.answers["plain"] = answer(SOUND, content_type="audio/mpeg")
    spoken = {"model": SPEECH, "input": "Hello there", "voice": "alloy"}
    answered = await post(node, "/v1/audio/speech", json=spoken)
    assert (answered.status_code, answered.content) == (200, SOUND)
    assert answered.headers["content-type"] == "audio/mpeg"
    evidence = await evidence_of(node, answered.headers["x-tollbridge-call-id"])
    attempt = evidence.closed.attempts[-1]
    assert attempt.outcome is AttemptOutcome.SUCCEEDED
    assert attempt.counts["character"] == len("Hello there")
    assert (attempt.output_bytes, evidence.closed.response_bytes) == (len(SOUND), len(SOUND))


async def test_a_sound_that_breaks_off_is_no_whole_sound(node: Node, raw: RawProvider) -> None:
    cut = answer(SOUND, content_type="audio/mpeg")

    async def broken(writer: Any) -> None:
        writer.write(cut[:5000])
        await writer.drain()
        writer.close()

    raw.answers["plain"] = broken
    with pytest.raises(httpx.RemoteProtocolError):
        await post(
            node, "/v1/audio/speech", json={"model": SPEECH, "input": "Hello", "voice": "alloy"}
        )
    ended = await node.ended(len(node.calls()))
    assert ended[-1].closed.attempts[-1].outcome is AttemptOutcome.BROKE
    del raw.answers["plain"]


@pytest.mark.parametrize(
    ("content_type", "said"),
    [
        ("application/json", b'{"text": "hi", "usage": {"type": "duration", "seconds": 2}}'),
        ("text/plain; charset=utf-8", b"1\n00:00:00,000 --> 00:00:01,000\nhi\n"),
    ],
)
async def test_a_form_passes_and_its_transcript_comes_back(
    node: Node, raw: RawProvider, content_type: str, said: bytes
) -> None:
    raw.answers["plain"] = answer(said, content_type=content_type)
    rate, seconds = 8000, 2
    sound = (
        b"RIFF"
        + (36 + rate * seconds).to_bytes(4, "little")
        + b"WAVEfmt \x10\0\0\0\x01\0\x01\0"
        + rate.to_bytes(4, "little") * 2
        + b"\x01\0\x08\0data"
        + (rate * seconds).to_bytes(4, "little")
        + b"\x80" * (rate * seconds)
    )
    answered = await post(
        node,
        "/v1/audio/transcriptions",
        files={"file": ("a.wav", sound, "audio/wav")},
        data={"model": TRANSCRIPTS},
    )
    assert (answered.status_code, answered.content) == (200, said)
    assert answered.headers["content-type"] == content_type
    assert "content-type: multipart/form-data; boundary=" in head_of(raw.received[-1])
    assert sound in raw.received[-1]
    evidence = await evidence_of(node, answered.headers["x-tollbridge-call-id"])
    assert evidence.opened.demand.counts == {"audio_ms": 2000}
    counted = evidence.closed.attempts[-1].counts
    assert counted == ({"audio_ms": 2000} if content_type == "application/json" else {})
    del raw.answers["plain"]


async def test_pictures_are_counted_with_what_their_price_depends_on(
    node: Node, raw: RawProvider
) -> None:
    raw.answers["plain"] = answer({"created": 1, "data": [{"url": "http://x/1.png"}]})
    asked = {"model": IMAGES, "prompt": "a bridge", "size": "1792x1024", "quality": "hd"}
    answered = await post(node, "/v1/images/generations", json=asked)
    assert answered.json()["data"] == [{"url": "http://x/1.png"}]
    evidence = await evidence_of(node, answered.headers["x-tollbridge-call-id"])
    attempt = evidence.closed.attempts[-1]
    assert attempt.counts == {"image": 1}
    assert (attempt.facts["size"], attempt.facts["quality"]) == ("1792x1024", "hd")
    del raw.answers["plain"]


# Errors are told in the caller's own format.


@pytest.mark.parametrize(
    ("path", "field", "says"),
    [
        ("/v1/chat/completions", "code", "invalid_api_key"),
        ("/v1/responses", "code", "invalid_api_key"),
        ("/v1/messages", "type", "authentication_error"),
        (f"/v1beta/models/{MODEL}:generateContent", "status", "UNAUTHENTICATED"),
    ],
)
async def test_an_error_is_told_in_the_callers_format(
    node: Node, path: str, field: str, says: str
) -> None:
    async with httpx.AsyncClient(base_url=node.url) as client:
        answered = await client.post(path, json={})
    assert answered.status_code == 401
    assert answered.json()["error"][field] == says


MESSAGE = {
    "model": MODEL,
    "max_tokens": 20,
    "messages": [{"role": "user", "content": "hi"}],
}
CONTENTS = {"contents": [{"role": "user", "parts": [{"text": "hi"}]}]}
SAID: list[dict[str, Any]] = [
    {"choices": [{"index": 0, "delta": {"role": "assistant", "content": "he"}}], "usage": None},
    {"choices": [{"index": 0, "delta": {"content": "llo"}}], "usage": None},
    {"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}], "usage": None},
    {"choices": []},
]
KIND = "chat.completion.chunk"
CHUNKS = b"".join(
    [b"data: %b\n\n" % json.dumps({**COMPLETION, "object": KIND, **said}).encode() for said in SAID]
)


async def test_a_caller_of_anthropics_format_is_served_by_an_openai_endpoint(
    node: Node, raw: RawProvider
) -> None:
    raw.answers.pop("plain", None)
    answered = await post(node, "/v1/messages", json=MESSAGE)
    assert answered.json()["type"] == "message"
    assert answered.json()["content"][0]["text"] == "hi"
    assert json.loads(raw.bodies[-1])["messages"] == MESSAGE["messages"]


async def test_tokens_are_counted_as_an_estimate_where_no_provider_counts(node: Node) -> None:
    calls = len(node.calls())
    counted = await post(node, "/v1/messages/count_tokens", json=MESSAGE)
    assert counted.headers["x-tollbridge-estimated"] == "true"
    assert counted.json()["input_tokens"] > 0
    other = await post(node, f"/v1beta/models/{MODEL}:countTokens", json=CONTENTS)
    assert other.json()["totalTokens"] > 0
    assert len(node.calls()) == calls


@pytest.mark.parametrize("query", ["", "?alt=sse"])
async def test_a_gemini_stream_is_an_array_unless_events_were_asked_for(
    node: Node, raw: RawProvider, query: str
) -> None:
    raw.answers["plain"] = answer(CHUNKS + b"data: [DONE]\n\n", content_type=SSE)
    path = f"/v1beta/models/{MODEL}:streamGenerateContent{query}"
    answered = await post(node, path, json=CONTENTS)
    if query:
        assert answered.headers["content-type"].startswith(SSE)
        chunks = [
            json.loads(line[6:]) for line in answered.text.splitlines() if line.startswith("data: ")
        ]
    else:
        assert answered.headers["content-type"] == "application/json"
        chunks = answered.json()
    texts = [
        part.get("text", "")
        for chunk in chunks
        for candidate in chunk.get("candidates", [])
        for part in candidate.get("content", {}).get("parts", [])
    ]
    assert "".join(texts) == "hello"
    del raw.answers["plain"]
