"""The sandbox on a real socket: each fault is seen in the bytes, each call in the log."""

import asyncio
import base64
import json
import os
import signal
import socket
import struct
import subprocess
import sys
import time
from collections.abc import AsyncIterator
from itertools import pairwise
from pathlib import Path
from typing import Any, NamedTuple

import openai
import pytest
import pytest_asyncio

from tests.support.sandbox_server import RunningSandbox, process_sandbox, running_sandbox
from tollbridge.sandbox import Script

WAIT_MAX_S = 60.0
CHAT = "/v1/chat/completions"
ASK: dict[str, Any] = {
    "model": "sandbox-small",
    "messages": [{"role": "user", "content": "Name one prime above ten."}],
}
STREAM = ASK | {"stream": True, "stream_options": {"include_usage": True}}


class Reply(NamedTuple):
    """What came over one connection until it ended."""

    head: bytes
    body: bytes
    reset: bool

    @property
    def status(self) -> int:
        return int(self.head.split(b" ", 2)[1])

    @property
    def headers(self) -> dict[str, str]:
        lines = self.head.decode().split("\r\n")[1:]
        return {name: value for name, _, value in (line.partition(": ") for line in lines)}

    @property
    def chunks(self) -> list[bytes]:
        """The HTTP chunks; the last is empty only if the body ended as it should."""
        chunks: list[bytes] = []
        rest = self.body
        while rest:
            size, _, rest = rest.partition(b"\r\n")
            length = int(size, 16)
            assert rest[length : length + 2] == b"\r\n"
            chunks.append(rest[:length])
            rest = rest[length + 2 :]
        return chunks

    @property
    def whole(self) -> bool:
        """Whether a streamed body has its terminator."""
        return self.body.endswith(b"0\r\n\r\n")

    @property
    def text(self) -> bytes:
        """The bytes of a streamed body."""
        return b"".join(self.chunks)

    @property
    def data(self) -> list[bytes]:
        """What follows `data: ` in each event."""
        return [line[6:] for line in self.text.splitlines() if line.startswith(b"data: ")]


def request(path: str, body: object, headers: dict[str, str] | None = None) -> bytes:
    """Return the bytes of a POST that asks the server to close afterwards."""
    data = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [f"POST {path} HTTP/1.1", "host: sandbox", "connection: close"]
    lines += [f"content-length: {len(data)}"]
    lines += [f"{name}: {value}" for name, value in (headers or {}).items()]
    return "\r\n".join([*lines, "", ""]).encode() + data


async def connect(sandbox: RunningSandbox) -> tuple[asyncio.StreamReader, asyncio.StreamWriter]:
    return await asyncio.open_connection("127.0.0.1", int(sandbox.url.rsplit(":", 1)[1]))


async def post(
    sandbox: RunningSandbox,
    body: object,
    *,
    path: str = CHAT,
    headers: dict[str, str] | None = None,
) -> Reply:
    """Send one request over its own connection and read until the server ends it."""
    reader, writer = await connect(sandbox)
    received = b""
    reset = False
    async with asyncio.timeout(WAIT_MAX_S):
        writer.write(request(path, body, headers))
        try:
            while part := await reader.read(65536):
                received += part
        except ConnectionResetError:
            reset = True
    writer.close()
    head, _, rest = received.partition(b"\r\n\r\n")
    return Reply(head, rest, reset)


@pytest_asyncio.fixture
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox() as running:
        yield running


# Shapes


async def test_a_chat_answer_has_the_provider_s_shape_and_headers(sandbox: RunningSandbox) -> None:
    reply = await post(sandbox, ASK | {"tools": [{"type": "function"}], "unknown": 1})
    answer = json.loads(reply.body)
    assert reply.status == 200
    assert answer["id"].startswith("chatcmpl-")
    assert len(answer["id"]) == 38
    assert answer["object"] == "chat.completion"
    assert answer["system_fingerprint"].startswith("fp_")
    (choice,) = answer["choices"]
    assert choice["message"]["role"] == "assistant"
    assert choice["finish_reason"] == "stop"
    usage = answer["usage"]
    assert usage["completion_tokens"] == len(choice["message"]["content"].split())
    assert usage["total_tokens"] == usage["prompt_tokens"] + usage["completion_tokens"]
    headers = reply.headers
    assert headers["content-type"] == "application/json"
    assert headers["x-request-id"].startswith("req_")
    assert len(headers["x-request-id"]) == 36
    assert headers["openai-processing-ms"].isdigit()
    assert headers["x-ratelimit-reset-requests"] == "120ms"


async def test_a_stream_has_role_content_finish_usage_and_done(sandbox: RunningSandbox) -> None:
    reply = await post(sandbox, STREAM | {"max_tokens": 3})
    assert reply.headers["content-type"].startswith("text/event-stream")
    assert reply.whole
    *frames, done = reply.data
    chunks = [json.loads(frame) for frame in frames]
    assert done == b"[DONE]"
    assert chunks[0]["choices"][0]["delta"]["role"] == "assistant"
    assert [chunk["choices"][0]["finish_reason"] for chunk in chunks[:-1]] == [
        *[None] * 4,
        "length",
    ]
    assert [chunk["usage"] for chunk in chunks[:-1]] == [None] * 5
    assert chunks[-1]["choices"] == []
    assert chunks[-1]["usage"]["completion_tokens"] == 3


async def test_without_include_usage_a_stream_tells_none(sandbox: RunningSandbox) -> None:
    reply = await post(sandbox, ASK | {"stream": True})
    assert b"usage" not in reply.text
    assert sandbox.log[0].usage_reported is None
    assert sandbox.log[0].usage is not None


async def test_legacy_completions_answer_each_prompt(sandbox: RunningSandbox) -> None:
    body = {"model": "m", "prompt": ["one", "two"], "n": 2, "max_tokens": 4}
    answer = json.loads((await post(sandbox, body, path="/v1/completions")).body)
    assert answer["object"] == "text_completion"
    assert [choice["index"] for choice in answer["choices"]] == [0, 1, 2, 3]
    assert answer["usage"] == {"prompt_tokens": 2, "completion_tokens": 16, "total_tokens": 18}


@pytest.mark.parametrize(
    ("body", "param"),
    [
        (b"{", None),
        (b'{"model":"\xff"}', None),
        (b"[]", None),
        (b'{"model":"m"}', None),
        (json.dumps(ASK | {"stream": "yes"}).encode(), "stream"),
        (json.dumps(ASK | {"max_tokens": 0}).encode(), "max_tokens"),
        (json.dumps(ASK | {"messages": [{"role": 7}]}).encode(), "messages[0].role"),
    ],
)
async def test_a_bad_body_is_refused_and_bills_nothing(
    sandbox: RunningSandbox, body: bytes, param: str | None
) -> None:
    reply = await post(sandbox, body)
    error = json.loads(reply.body)["error"]
    assert (reply.status, error["type"], error["param"]) == (400, "invalid_request_error", param)
    (entry,) = sandbox.log
    assert (entry.outcome, entry.usage) == ("error:400", None)


async def test_an_unknown_address_is_a_404(sandbox: RunningSandbox) -> None:
    assert (await post(sandbox, {}, path="/v1/files")).status == 404
    assert sandbox.log[0].outcome == "error:404"


async def test_a_strict_sandbox_does_not_know_other_models() -> None:
    async with running_sandbox(strict=True) as sandbox:
        reply = await post(sandbox, ASK | {"model": "gpt-9"})
        assert reply.status == 404
        assert json.loads(reply.body)["error"]["code"] == "model_not_found"
        assert (await post(sandbox, ASK)).status == 200


async def test_a_body_over_the_limit_is_a_413() -> None:
    async with running_sandbox(body_bytes_max=50) as sandbox:
        assert (await post(sandbox, ASK)).status == 413


# The official SDK


@pytest_asyncio.fixture
async def sdk(sandbox: RunningSandbox) -> AsyncIterator[openai.AsyncOpenAI]:
    async with openai.AsyncOpenAI(
        base_url=f"{sandbox.url}/v1", api_key="sk-sandbox-1234", max_retries=0, timeout=WAIT_MAX_S
    ) as client:
        yield client


async def test_the_sdk_gets_the_same_text_streamed_and_unstreamed(
    sandbox: RunningSandbox, sdk: openai.AsyncOpenAI
) -> None:
    plain = await sdk.chat.completions.create(model=ASK["model"], messages=ASK["messages"])
    stream = await sdk.chat.completions.create(
        model=ASK["model"],
        messages=ASK["messages"],
        stream=True,
        stream_options={"include_usage": True},
    )
    text = ""
    usage = None
    async for chunk in stream:
        usage = chunk.usage or usage
        text += "".join(choice.delta.content or "" for choice in chunk.choices)
    assert text == plain.choices[0].message.content
    assert usage == plain.usage
    assert [entry.key_suffix for entry in sandbox.log] == ["1234", "1234"]
    assert sandbox.log[0].usage == sandbox.log[1].usage


async def test_the_sdk_gets_the_same_vectors_as_floats_and_as_base64(
    sandbox: RunningSandbox, sdk: openai.AsyncOpenAI
) -> None:
    reply = await sdk.embeddings.create(
        model="sandbox-embedding", input=["abcd", "efgh"], dimensions=5
    )
    body = {"model": "sandbox-embedding", "input": ["abcd", "efgh"], "dimensions": 5}
    body |= {"encoding_format": "base64"}
    raw = json.loads((await post(sandbox, body, path="/v1/embeddings")).body)
    packed = [base64.b64decode(row["embedding"]) for row in raw["data"]]
    assert [row.embedding for row in reply.data] == [list(struct.unpack("<5f", p)) for p in packed]
    assert reply.usage.prompt_tokens == 2


async def test_the_sdk_lists_the_models(sdk: openai.AsyncOpenAI) -> None:
    listed = [model.id async for model in sdk.models.list()]
    assert listed[:3] == ["sandbox-small", "sandbox-large", "sandbox-embedding"]
    assert {"sandbox-image", "sandbox-speech", "sandbox-video"} <= set(listed)
    assert (await sdk.models.retrieve("sandbox-large")).owned_by == "sandbox"


async def test_the_sdk_raises_a_rate_limit_for_a_scripted_429(
    sandbox: RunningSandbox, sdk: openai.AsyncOpenAI
) -> None:
    sandbox.script(Script(error="insufficient_quota"))
    with pytest.raises(openai.RateLimitError, match="exceeded your current quota"):
        await sdk.chat.completions.create(model=ASK["model"], messages=ASK["messages"])


async def test_the_sdk_raises_for_an_error_frame_inside_a_stream(
    sandbox: RunningSandbox, sdk: openai.AsyncOpenAI
) -> None:
    sandbox.script(Script(error_frame_after_chunks=1))
    stream = await sdk.chat.completions.create(
        model=ASK["model"], messages=ASK["messages"], stream=True
    )
    with pytest.raises(openai.APIError):
        async for _ in stream:
            pass


# Where scripts come from


async def test_a_script_is_taken_from_the_header(sandbox: RunningSandbox) -> None:
    reply = await post(sandbox, ASK, headers={"x-sandbox-script": '{"status": 503}'})
    assert reply.status == 503


@pytest.mark.parametrize(
    ("path", "field"), [("/v1/completions", "prompt"), ("/v1/embeddings", "input")]
)
async def test_a_script_is_taken_from_the_input(
    sandbox: RunningSandbox, path: str, field: str
) -> None:
    reply = await post(sandbox, {"model": "m", field: '{"sandbox": {"status": 500}}'}, path=path)
    assert reply.status == 500


async def test_a_script_is_taken_from_the_last_user_message(sandbox: RunningSandbox) -> None:
    messages = [
        {"role": "user", "content": '{"sandbox": {"error": "context_length"}}'},
        {"role": "assistant", "content": "."},
    ]
    reply = await post(sandbox, ASK | {"messages": messages})
    assert json.loads(reply.body)["error"]["code"] == "context_length_exceeded"


async def test_scripts_are_queued_and_forgotten_over_http(sandbox: RunningSandbox) -> None:
    order = {"queue": [{"status": 500}, {"status": 429}], "default": {"status": 503}}
    await post(sandbox, order, path="/sandbox/script")
    assert [(await post(sandbox, ASK)).status for _ in range(3)] == [500, 429, 503]
    await post(sandbox, {}, path="/sandbox/reset")
    assert sandbox.log == []
    assert (await post(sandbox, ASK)).status == 200


async def test_a_misspelt_script_is_a_400_that_names_the_field(sandbox: RunningSandbox) -> None:
    replies = [
        await post(sandbox, ASK, headers={"x-sandbox-script": '{"statsu": 500}'}),
        await post(sandbox, {"queue": [{"statsu": 500}]}, path="/sandbox/script"),
    ]
    assert [reply.status for reply in replies] == [400, 400]
    assert all(b"statsu" in reply.body for reply in replies)


# Faults before the head


async def test_a_refusal_carries_the_retry_hint_and_extra_headers(sandbox: RunningSandbox) -> None:
    sandbox.script(Script(status=429, retry_after_s=2, extra_headers={"x-should-retry": "false"}))
    reply = await post(sandbox, ASK)
    assert reply.status == 429
    assert reply.headers["retry-after"] == "2"
    assert reply.headers["x-should-retry"] == "false"
    assert sandbox.log[0].usage is None


async def test_a_refusal_can_be_no_json_at_all(sandbox: RunningSandbox) -> None:
    sandbox.script(
        Script(status=502, body="<html>bad</html>", extra_headers={"Content-Type": "text/html"})
    )
    reply = await post(sandbox, ASK)
    assert (reply.status, reply.body) == (502, b"<html>bad</html>")
    assert reply.headers["content-type"] == "text/html"


@pytest.mark.parametrize("delay_s", [0.06, 0.25])
async def test_the_first_byte_waits(sandbox: RunningSandbox, delay_s: float) -> None:
    sandbox.script(Script(delay_first_byte_s=delay_s))
    before_s = time.monotonic()
    assert (await post(sandbox, ASK)).status == 200
    assert time.monotonic() - before_s >= delay_s


async def test_a_connection_closed_before_the_head_sends_not_one_byte(
    sandbox: RunningSandbox,
) -> None:
    sandbox.script(Script(close_before_head=True))
    reply = await post(sandbox, ASK)
    assert (reply.head, reply.reset) == (b"", False)
    (entry,) = await sandbox.finished(1)
    assert (entry.outcome, entry.usage, entry.status) == ("cut", None, None)


async def test_a_reset_is_a_reset(sandbox: RunningSandbox) -> None:
    sandbox.script(Script(close_before_head=True, cut_by="reset"))
    assert (await post(sandbox, ASK)).reset


async def test_a_hanging_answer_ends_when_the_caller_leaves(sandbox: RunningSandbox) -> None:
    sandbox.script(Script(hang=True))
    reader, writer = await connect(sandbox)
    writer.write(request(CHAT, ASK))
    async with asyncio.timeout(WAIT_MAX_S):
        while not sandbox.log:
            await asyncio.sleep(0.002)
    with pytest.raises(TimeoutError):
        async with asyncio.timeout(0.1):
            await reader.read(1)
    assert sandbox.log[0].outcome == "open"
    writer.close()
    (entry,) = await sandbox.finished(1)
    assert (entry.outcome, entry.usage) == ("aborted_by_client", None)


async def test_a_slow_reader_makes_a_large_body_wait(sandbox: RunningSandbox) -> None:
    body = ASK | {"messages": [{"role": "user", "content": "x" * 4_000_000}]}
    sandbox.script(Script(read_delay_s=0.03))
    before_s = time.monotonic()
    assert (await post(sandbox, body)).status == 200
    assert time.monotonic() - before_s > 0.3  # many reads: the server holds the sender back


async def test_a_request_that_breaks_off_is_logged_as_aborted(sandbox: RunningSandbox) -> None:
    _, writer = await connect(sandbox)
    writer.write(request(CHAT, ASK, {"x-client-request-id": "abc"})[:-10])
    writer.close()
    (entry,) = await sandbox.finished(1)
    assert (entry.outcome, entry.client_request_id) == ("aborted_by_client", "abc")
    assert (entry.model, entry.usage) == (None, None)


# Faults in a plain body


async def test_a_plain_body_is_cut_at_the_byte(sandbox: RunningSandbox) -> None:
    sandbox.script(Script(cut_body_at_bytes=100))
    reply = await post(sandbox, ASK)
    assert len(reply.body) == 100
    assert int(reply.headers["content-length"]) > 100
    (entry,) = await sandbox.finished(1)
    assert (entry.outcome, entry.usage_reported) == ("cut", None)
    assert entry.usage is not None
    assert entry.usage.completion_tokens > 0


async def test_a_plain_body_is_never_whole_when_it_is_cut(sandbox: RunningSandbox) -> None:
    sandbox.script(Script(cut_body_at_bytes=10_000_000))
    reply = await post(sandbox, ASK)
    assert len(reply.body) == int(reply.headers["content-length"]) - 1


async def test_malformed_json_comes_with_a_correct_length(sandbox: RunningSandbox) -> None:
    sandbox.script(Script(malformed_json=True))
    reply = await post(sandbox, ASK)
    assert len(reply.body) == int(reply.headers["content-length"])
    with pytest.raises(json.JSONDecodeError):
        json.loads(reply.body)


# Faults in a stream


@pytest.mark.parametrize("chunks", [0, 2, 5])
async def test_a_stream_is_cut_after_so_many_chunks_without_terminator(
    sandbox: RunningSandbox, chunks: int
) -> None:
    sandbox.script(Script(chunks=5, cut_after_chunks=chunks))
    reply = await post(sandbox, STREAM)
    assert not reply.whole
    assert reply.text.count(b'"content":"') == chunks + 1  # the role frame has an empty one
    (entry,) = await sandbox.finished(1)
    assert (entry.outcome, entry.chunks_sent, entry.usage_reported) == ("cut", chunks, None)
    assert entry.usage is not None
    assert entry.usage.completion_tokens == chunks


async def test_a_stream_can_end_in_a_reset(sandbox: RunningSandbox) -> None:
    sandbox.script(Script(cut_after_chunks=2, cut_by="reset", delay_per_chunk_s=0.02))
    assert (await post(sandbox, STREAM)).reset


async def test_chunks_come_at_their_pace(sandbox: RunningSandbox) -> None:
    sandbox.script(Script(chunks=4, delay_per_chunk_s=0.2))
    reader, writer = await connect(sandbox)
    writer.write(request(CHAT, STREAM))
    arrivals: list[float] = []
    async with asyncio.timeout(WAIT_MAX_S):
        while line := await reader.readline():
            if b'"delta":{"content"' in line:
                arrivals.append(time.monotonic())
    writer.close()
    gaps = [later - earlier for earlier, later in pairwise(arrivals)]
    assert len(gaps) == 3
    # Three pauses; the first chunk may have waited for its reader.
    assert sum(gaps) >= 0.3


@pytest.mark.parametrize("pace_s", [0.02, 0.3])
async def test_a_caller_who_leaves_pays_for_what_was_sent(
    sandbox: RunningSandbox, pace_s: float
) -> None:
    sandbox.script(Script(chunks=10_000, delay_per_chunk_s=pace_s))
    reader, writer = await connect(sandbox)
    writer.write(request(CHAT, STREAM))
    async with asyncio.timeout(WAIT_MAX_S):
        await reader.readuntil(b'"delta":{"content":')
    writer.close()
    (entry,) = await sandbox.finished(1)
    assert entry.outcome == "aborted_by_client"
    assert entry.usage is not None
    assert 1 <= entry.usage.completion_tokens == entry.chunks_sent < 20
    assert entry.usage.prompt_tokens > 0


async def test_an_error_frame_can_be_all_there_is(sandbox: RunningSandbox) -> None:
    sandbox.script(Script(error_frame_first=True, error="overloaded"))
    reply = await post(sandbox, STREAM)
    (frame,) = reply.data
    assert (reply.status, reply.whole) == (200, True)
    assert "overloaded" in json.loads(frame)["error"]["message"]
    assert (sandbox.log[0].outcome, sandbox.log[0].usage) == ("error:200", None)


async def test_an_error_frame_can_end_a_stream(sandbox: RunningSandbox) -> None:
    sandbox.script(Script(error_frame_after_chunks=2))
    reply = await post(sandbox, STREAM)
    assert [b'"error"' in frame for frame in reply.data] == [False] * 3 + [True]
    entry = sandbox.log[0]
    assert entry.outcome == "error:200"
    assert entry.usage is not None
    assert entry.usage.completion_tokens == 2


async def test_an_empty_stream_is_a_clean_200_without_frames(sandbox: RunningSandbox) -> None:
    sandbox.script(Script(empty_stream=True))
    reply = await post(sandbox, STREAM)
    assert (reply.status, reply.text, reply.whole) == (200, b"", True)
    assert sandbox.log[0].usage is None


async def test_a_stream_can_lack_its_done(sandbox: RunningSandbox) -> None:
    sandbox.script(Script(no_done=True))
    reply = await post(sandbox, STREAM)
    assert reply.whole
    assert json.loads(reply.data[-1])["usage"]["total_tokens"] > 0


async def test_malformed_json_in_a_stream_begins_where_it_is_told(sandbox: RunningSandbox) -> None:
    sandbox.script(Script(malformed_json=True, malformed_after_chunks=2, chunks=5))
    frames = (await post(sandbox, STREAM)).data
    for frame in frames[:3]:
        json.loads(frame)
    with pytest.raises(json.JSONDecodeError):
        json.loads(frames[3])
    assert sandbox.log[0].usage_reported is None


async def test_malformed_sse_has_neither_fields_nor_blank_lines(sandbox: RunningSandbox) -> None:
    sandbox.script(Script(malformed_sse=True, no_done=True))
    text = (await post(sandbox, STREAM)).text
    assert text.startswith(b'{"id"')
    assert b"data:" not in text
    assert b"\n\n" not in text


# Usage


@pytest.mark.parametrize("stream", [False, True])
@pytest.mark.parametrize(
    ("setting", "expected"),
    [("null", "null"), ("missing", None), ("zero", '"total_tokens":0'), ({"x": 1}, '"x":1')],
)
async def test_usage_is_told_as_scripted(
    sandbox: RunningSandbox,
    stream: bool,  # noqa: FBT001  # pytest passes parameters by name
    setting: Any,
    expected: str | None,
) -> None:
    sandbox.script(Script(usage=setting))
    reply = await post(sandbox, STREAM if stream else ASK)
    last = reply.data[-2] if stream else reply.body
    if expected is None:
        assert b"total_tokens" not in last
        assert stream or b'"usage"' not in last
    elif expected == "null":
        assert json.loads(last)["usage"] is None
    else:
        assert expected.encode() in last


async def test_cumulative_usage_grows_in_every_chunk(sandbox: RunningSandbox) -> None:
    sandbox.script(Script(usage_in_every_chunk=True, chunks=3))
    frames = [json.loads(frame) for frame in (await post(sandbox, STREAM)).data[:-1]]
    counts = [frame["usage"]["completion_tokens"] for frame in frames]
    assert counts == [0, 1, 2, 3, 3, 3]


async def test_a_chunk_can_follow_the_usage(sandbox: RunningSandbox) -> None:
    sandbox.script(Script(usage_then_extra_chunk=True))
    *_, told, extra, done = (await post(sandbox, STREAM)).data
    assert json.loads(told)["usage"]["total_tokens"] > 0
    assert json.loads(extra)["choices"] == []
    assert json.loads(extra)["usage"] is None
    assert done == b"[DONE]"


# Bytes


async def test_line_ends_can_be_crlf(sandbox: RunningSandbox) -> None:
    sandbox.script(Script(crlf=True))
    text = (await post(sandbox, STREAM)).text
    assert text.count(b"\n") == text.count(b"\r\n") > 4
    assert text.endswith(b"data: [DONE]\r\n\r\n")


async def test_comments_stand_between_frames(sandbox: RunningSandbox) -> None:
    sandbox.script(Script(comments=True))
    reply = await post(sandbox, STREAM)
    assert reply.text.count(b": sandbox comment\n\n") == len(reply.data)


@pytest.mark.parametrize("size", [1, 7, 1000])
async def test_a_stream_is_split_across_frames_and_characters(
    sandbox: RunningSandbox, size: int
) -> None:
    whole = (await post(sandbox, STREAM)).text
    sandbox.script(Script(split=size))
    reply = await post(sandbox, STREAM)
    assert {len(chunk) for chunk in reply.chunks[:-2]} == {size}
    first_id, second_id = whole[:52], reply.text[:52]
    assert reply.text.replace(second_id[6:], first_id[6:]) == whole


async def test_a_split_stream_is_cut_behind_the_same_chunk(sandbox: RunningSandbox) -> None:
    sandbox.script(Script(split=1000, chunks=5, cut_after_chunks=3))
    reply = await post(sandbox, STREAM)
    assert not reply.whole
    assert reply.text.endswith(b"\n\n")
    assert reply.text.count(b'"delta":{"content"') == 3


# Books


async def test_the_tally_is_the_sum_of_all_usage_that_was_sent(sandbox: RunningSandbox) -> None:
    async def call(number: int) -> dict[str, Any]:
        text = "word " * number
        body = (STREAM if number % 2 else ASK) | {"messages": [{"role": "user", "content": text}]}
        reply = await post(sandbox, body | {"n": 1 + number % 3})
        told: dict[str, Any] = json.loads(reply.data[-2] if number % 2 else reply.body)["usage"]
        return told

    told = await asyncio.gather(*(call(number) for number in range(40)))
    await sandbox.finished(40)
    tally = sandbox.app.tally
    assert tally.prompt_tokens == sum(usage["prompt_tokens"] for usage in told)
    assert tally.completion_tokens == sum(usage["completion_tokens"] for usage in told)
    assert len({usage["total_tokens"] for usage in told}) > 10
    assert tally.outcomes == {"complete": 40}


async def test_scripted_details_are_told_logged_and_tallied_alike(sandbox: RunningSandbox) -> None:
    given = {
        "prompt_tokens": 2006,
        "completion_tokens": 300,
        "prompt_tokens_details": {"cached_tokens": 1920},
        "completion_tokens_details": {"reasoning_tokens": 280},
    }
    sandbox.script(Script(usage=given))
    told = json.loads((await post(sandbox, ASK)).body)["usage"]
    assert told["total_tokens"] == 2306
    (entry,) = sandbox.log
    assert entry.usage_reported == told
    tally = sandbox.app.tally
    assert (tally.prompt_tokens, tally.cached_tokens) == (2006, 1920)
    assert (tally.completion_tokens, tally.reasoning_tokens) == (300, 280)


async def test_log_and_tally_can_be_read_over_http(sandbox: RunningSandbox) -> None:
    async with openai.AsyncOpenAI(base_url=sandbox.url, api_key="k") as client:
        await post(sandbox, ASK, headers={"x-client-request-id": "abc"})
        log: Any = await client.get("/sandbox/log", cast_to=object)
        tally: Any = await client.get("/sandbox/tally", cast_to=object)
    assert [entry["client_request_id"] for entry in log["entries"]] == ["abc"]
    assert tally["total"]["finished"] == tally["models"]["sandbox-small"]["finished"] == 1


# A process of its own


def ask_process(url: str, data: bytes) -> socket.socket:
    connection = socket.create_connection(("127.0.0.1", int(url.rsplit(":", 1)[1])), WAIT_MAX_S)
    connection.sendall(data)
    return connection


def test_the_log_file_survives_a_kill(tmp_path: Path) -> None:
    log = tmp_path / "log.jsonl"
    slow = {"x-sandbox-script": '{"chunks": 1000, "delay_per_chunk_s": 0.05}'}
    with process_sandbox(log) as process:
        with ask_process(process.url, request(CHAT, ASK, {"x-client-request-id": "one"})) as one:
            while one.recv(65536):
                pass
        headers = {"x-client-request-id": "two"} | slow
        with ask_process(process.url, request(CHAT, STREAM, headers)) as two:
            assert two.recv(15) == b"HTTP/1.1 200 OK"
            os.kill(process.process.pid, signal.SIGKILL)
            process.process.wait(WAIT_MAX_S)
        first, second = process.log()
    assert (first.client_request_id, first.outcome) == ("one", "complete")
    assert (second.client_request_id, second.outcome) == ("two", "open")


def test_the_process_cuts_connections_too(tmp_path: Path) -> None:
    script = {"x-sandbox-script": '{"chunks": 5, "cut_after_chunks": 2}'}
    reset = {"x-sandbox-script": '{"close_before_head": true, "cut_by": "reset"}'}
    with process_sandbox(tmp_path / "log.jsonl") as process:
        received = b""
        with ask_process(process.url, request(CHAT, STREAM, script)) as connection:
            while part := connection.recv(65536):
                received += part
        assert received.count(b'"delta":{"content"') == 2
        assert not received.endswith(b"0\r\n\r\n")
        with (
            ask_process(process.url, request(CHAT, STREAM, reset)) as connection,
            pytest.raises(ConnectionResetError),
        ):
            connection.recv(1)


def test_a_process_whose_parent_died_leaves_the_port() -> None:
    """`--exit-with-parent`: nothing stays behind when whoever started it is killed."""
    parent = (
        "import subprocess, sys\n"
        "words = [sys.executable, '-m', 'tollbridge.sandbox']\n"
        "words += ['--port', '0', '--exit-with-parent']\n"
        "print(subprocess.Popen(words, stdout=subprocess.PIPE, text=True).stdout.readline())\n"
    )
    command = [sys.executable, "-c", parent]
    line = subprocess.run(command, check=True, capture_output=True, text=True).stdout.strip()
    port = int(line.rsplit(":", 1)[1])
    deadline_s = time.monotonic() + WAIT_MAX_S
    while True:
        try:
            socket.create_connection(("127.0.0.1", port), 1).close()
        except ConnectionRefusedError:
            break
        assert time.monotonic() < deadline_s, "the sandbox outlived its parent"
        time.sleep(0.05)
