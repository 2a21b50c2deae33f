"""The nine endings of a call: each leaves exactly one outcome, which costs the same twice."""

import asyncio
import json
import socket
from collections.abc import AsyncIterator, Callable
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.node import BUDGET, KEY, WAIT_MAX_S, Node, chat, config_of, frames, running_node
from tests.support.sandbox_server import RunningSandbox, running_sandbox
from tollbridge.conclude import Conclusions, conclude
from tollbridge.core.call import AttemptOutcome, Ending, ErrorClass, Operation
from tollbridge.core.clock import SystemClock
from tollbridge.core.evidence import CallEvidence
from tollbridge.core.usage import UsageSource
from tollbridge.metering.estimate import EstimateRules
from tollbridge.pipeline import serve
from tollbridge.providers.passage import HeaderLines
from tollbridge.rating.book import PriceBook
from tollbridge.rating.store import load_part
from tollbridge.sandbox import Script


@pytest.fixture
async def provider() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox() as sandbox:
        yield sandbox


@pytest.fixture
async def node(tmp_path: Path, provider: RunningSandbox) -> AsyncIterator[Node]:
    async with running_node(tmp_path, config_of(provider.url)) as running:
        yield running


async def account_of(node: Node, evidence: CallEvidence) -> Any:
    """Conclude a call twice and return its account; both must be equal."""
    async with node.database.read() as unit:
        book = PriceBook(await load_part(unit))
    conclusions = Conclusions(book, EstimateRules())
    once, again = conclude(evidence, conclusions), conclude(evidence, conclusions)
    assert once == again
    return once


async def only_call(node: Node) -> CallEvidence:
    """Return the one call there was; its attempts are those that the provider saw."""
    calls = await node.ended(1)
    await asyncio.sleep(0.05)
    assert len(node.calls()) == 1
    return calls[0]


def raw_request(node: Node, body: dict[str, Any]) -> socket.socket:
    """Send a call over a plain socket, so that the test decides when to read and to leave."""
    content = json.dumps(body).encode()
    connection = socket.create_connection(("127.0.0.1", node.worker.port))
    connection.sendall(
        b"POST /v1/chat/completions HTTP/1.1\r\nhost: x\r\nauthorization: Bearer %b\r\n"
        b"content-type: application/json\r\ncontent-length: %d\r\n\r\n%b"
        % (KEY.encode(), len(content), content)
    )
    return connection


async def test_a_complete_call_is_recorded_with_what_the_provider_billed(
    node: Node, provider: RunningSandbox
) -> None:
    async with node.client() as client:
        answer = await client.post("/v1/chat/completions", json=chat())
    assert answer.status_code == 200
    assert answer.headers["x-tollbridge-provider"] == "p1"
    assert answer.headers["x-tollbridge-attempts"] == "1"
    call = await only_call(node)
    assert call.closed.ending is Ending.COMPLETE
    assert answer.headers["x-tollbridge-call-id"] == call.opened.call_id
    account = await account_of(node, call)
    usage = answer.json()["usage"]
    cost = usage["prompt_tokens"] * 150 + usage["completion_tokens"] * 600
    assert account.cost_nanousd == cost
    assert provider.log[0].client_request_id == call.opened.call_id


async def test_a_complete_stream_prices_like_the_same_call_unstreamed(
    node: Node, provider: RunningSandbox
) -> None:
    async with node.client() as client:
        whole = await client.post("/v1/chat/completions", json=chat())
        streamed = await client.post("/v1/chat/completions", json=chat(stream=True))
    assert streamed.text.endswith("data: [DONE]\n\n")
    assert all(frame == "[DONE]" or frame["choices"] for frame in frames(streamed.text))
    first, second = await node.ended(2)
    assert second.closed.ending is Ending.COMPLETE
    one, two = await account_of(node, first), await account_of(node, second)
    assert two.usage.source is UsageSource.REPORTED
    assert one.cost_nanousd == two.cost_nanousd
    assert whole.json()["usage"]["completion_tokens"] == one.usage.get("output")


async def test_a_caller_who_asks_for_the_usage_frame_gets_it(node: Node) -> None:
    body = chat(stream=True, stream_options={"include_usage": True})
    async with node.client() as client:
        answer = await client.post("/v1/chat/completions", json=body)
    *_, last, done = frames(answer.text)
    assert done == "[DONE]"
    assert last["choices"] == []
    assert last["usage"]["total_tokens"] > 0


async def test_fallback_serves_from_the_second_and_tells_why_the_first_did_not(
    tmp_path: Path, provider: RunningSandbox
) -> None:
    async with running_sandbox() as broken:
        broken.script(default=Script(status=500))
        async with running_node(tmp_path, config_of(broken.url, provider.url)) as node:
            async with node.client() as client:
                answer = await client.post("/v1/chat/completions", json=chat())
            assert answer.status_code == 200
            assert answer.headers["x-tollbridge-provider"] == "p2"
            assert answer.headers["x-tollbridge-attempts"] == "2"
            call = await only_call(node)
            first, second = call.closed.attempts
            assert first.outcome is AttemptOutcome.FAILED
            assert first.error_class is ErrorClass.UPSTREAM_ERROR
            assert second.outcome is AttemptOutcome.SUCCEEDED
            account = await account_of(node, call)
            assert account.attempts[0].rated.cost_nanousd == 0
            assert account.attribution.provider == "p2"


async def test_a_stream_whose_caller_left_is_drained_and_billed_whole(
    node: Node, provider: RunningSandbox
) -> None:
    provider.script(Script(chunks=20, delay_per_chunk_s=0.02))
    async with (
        node.client() as client,
        client.stream("POST", "/v1/chat/completions", json=chat(stream=True)) as answer,
    ):
        async for _ in answer.aiter_raw():
            break
    call = await only_call(node)
    assert call.closed.ending is Ending.CALLER_LEFT
    assert call.closed.drained
    account = await account_of(node, call)
    assert account.usage.source is UsageSource.DRAINED
    billed = provider.log[0].usage
    assert billed is not None
    assert account.usage.get("output") == billed.completion_tokens


async def test_a_caller_who_left_before_the_first_byte_is_noticed_and_billed(
    node: Node, provider: RunningSandbox
) -> None:
    provider.script(Script(delay_first_byte_s=0.3))
    connection = raw_request(node, chat())
    async with asyncio.timeout(WAIT_MAX_S):
        while not provider.log:
            await asyncio.sleep(0.005)
    connection.close()
    call = await only_call(node)
    assert call.closed.ending is Ending.CALLER_LEFT_BEFORE_FIRST_BYTE
    assert call.closed.http_status == 499
    account = await account_of(node, call)
    assert account.usage.source is UsageSource.DRAINED
    assert account.cost_nanousd > 0


async def test_a_caller_who_stops_reading_is_dropped_and_the_call_ends(
    tmp_path: Path, provider: RunningSandbox
) -> None:
    provider.script(Script(chunks=3000, chunk_bytes=16384))
    config = config_of(provider.url)
    async with running_node(tmp_path, config, write_stall_timeout_s=0.5) as node:
        connection = raw_request(node, chat(stream=True))
        call = await only_call(node)
        connection.close()
        assert call.closed.ending is Ending.CALLER_STOPPED_READING


async def test_a_provider_that_breaks_mid_stream_ends_the_callers_stream_visibly(
    node: Node, provider: RunningSandbox
) -> None:
    provider.script(Script(chunks=10, cut_after_chunks=4))
    received = b""
    async with node.client() as client:
        with pytest.raises(httpx.RemoteProtocolError):  # noqa: PT012  # the stream breaks inside
            async with client.stream(
                "POST", "/v1/chat/completions", json=chat(stream=True)
            ) as answer:
                async for part in answer.aiter_raw():
                    received += part
    assert b"[DONE]" not in received
    assert json.loads(received.split(b"data: ")[-1])["error"]["type"] == "server_error"
    call = await only_call(node)
    assert call.closed.ending is Ending.PROVIDER_BROKE
    assert call.closed.attempts[0].outcome is AttemptOutcome.BROKE
    account = await account_of(node, call)
    assert account.usage.source is UsageSource.ESTIMATED
    assert account.usage.get("output") == call.closed.attempts[0].chunks


async def test_when_all_refuse_alike_the_caller_hears_it_as_they_said_it(
    tmp_path: Path, provider: RunningSandbox
) -> None:
    provider.script(default=Script(status=429, retry_after_s=7))
    config = config_of(provider.url, provider.url)
    async with running_node(tmp_path, config) as node:
        async with node.client() as client:
            answer = await client.post("/v1/chat/completions", json=chat())
        assert answer.status_code == 429
        assert answer.headers["retry-after"] == "7"
        call = await only_call(node)
        assert call.closed.ending is Ending.ALL_REFUSED
        assert [one.error_class for one in call.closed.attempts] == [ErrorClass.RATE_LIMITED] * 2
        assert (await account_of(node, call)).cost_nanousd == 0


class FaultyReply:
    """A way back to the caller that breaks when it is used: a bug of ours."""

    gone = False
    stalled = False
    cut_off = False
    started = False
    is_full = False
    call_id: str | None = None

    def watch(self, on_gone: Callable[[], None] | None) -> None:
        pass

    def watch_room(self, on_room: Callable[[], None] | None) -> None:
        pass

    def push(self, data: bytes) -> None:
        raise RuntimeError("a bug while sending")

    async def drain(self) -> None:
        raise AssertionError("never reached")

    async def whole(self, status: int, headers: HeaderLines, body: bytes) -> None:
        raise RuntimeError("a bug while sending")

    async def start(self, status: int, headers: HeaderLines) -> None:
        self.started = True

    async def send(self, data: bytes) -> None:
        raise RuntimeError("a bug while sending")

    async def finish(self) -> None:
        raise AssertionError("never reached")

    async def break_off(self, last: bytes) -> None:
        raise AssertionError("never reached")


class GivenInbound:
    """A request that is here already."""

    method = "POST"
    path = address = "/v1/chat/completions"
    face = "openai"
    content_type = b"application/json"
    passed = ()
    operation = Operation.CHAT_COMPLETION
    credential = KEY
    customer = None
    tags = ()
    trace = None

    def __init__(self, body: dict[str, Any]) -> None:
        self.received_at_us = SystemClock().now_us()
        self._body = json.dumps(body).encode()

    async def body(self) -> bytes:
        return self._body


@pytest.mark.parametrize("stream", [False, True])
async def test_our_own_bug_while_sending_leaves_one_outcome_with_what_the_provider_billed(
    node: Node, *, stream: bool
) -> None:
    with pytest.raises(RuntimeError, match="a bug while sending"):
        await serve(GivenInbound(chat(stream=stream)), FaultyReply(), node.worker.gateway)
    call = await only_call(node)
    assert call.closed.ending is Ending.INTERNAL_ERROR
    assert call.closed.error == "our own fault: RuntimeError"
    account = await account_of(node, call)
    assert account.cost_nanousd > 0
    assert account.attribution.provider == "p1"


async def test_a_call_over_budget_is_refused_with_402_and_recorded(
    tmp_path: Path, provider: RunningSandbox
) -> None:
    config = config_of(provider.url, extra=BUDGET.format(limit="0.00001"))
    async with running_node(tmp_path, config) as node:
        async with node.client() as client:
            answer = await client.post("/v1/chat/completions", json=chat(max_tokens=1000))
        assert answer.status_code == 402
        assert answer.json()["error"]["code"] == "budget_exceeded"
        call = await only_call(node)
        assert call.closed.ending is Ending.OVER_BUDGET
        account = await account_of(node, call)
        assert account.cost_nanousd == 0
        assert account.attribution.provider == "unknown"
    assert provider.log == []
