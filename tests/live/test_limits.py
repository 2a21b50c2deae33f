"""Everything has a limit: floods, slow peers, idle crowds and heaps of bodies do no harm."""

import asyncio
import contextlib
import json
import resource
from collections.abc import AsyncIterator
from pathlib import Path

import httpx
import pytest
import pytest_asyncio

from tests.support.node import KEY, WAIT_MAX_S, Node, chat, config_of, running_node
from tests.support.patience import slowness
from tests.support.raw_caller import Answered, RawCaller, head, raw_caller, whole
from tests.support.sandbox_server import RunningSandbox, running_sandbox
from tollbridge.core.call import Ending
from tollbridge.core.evidence import Progress
from tollbridge.sandbox import Script

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHAT = "/v1/chat/completions"
MIB = 1024 * 1024
HEADER_BYTES_MAX = 16 * 1024
INFLIGHT_BYTES_MAX = 64 * MIB
SLOW_S = 2.0
"""A request that is whole comes faster, on any machine."""
SWEEP_S = 1.0


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def provider() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox() as sandbox:
        yield sandbox


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def node(
    tmp_path_factory: pytest.TempPathFactory, provider: RunningSandbox
) -> AsyncIterator[Node]:
    async with running_node(
        tmp_path_factory.mktemp("node"),
        config_of(provider.url),
        header_bytes_max=HEADER_BYTES_MAX,
        header_timeout_s=SLOW_S,
        body_timeout_s=SLOW_S,
        write_stall_timeout_s=SLOW_S,
    ) as running:
        yield running


async def served(node: Node) -> httpx.Response:
    async with node.client() as client:
        answered = await client.post(CHAT, json=chat())
    assert answered.status_code == 200
    return answered


FLOODS = {
    "many headers": head(*[f"x-{number}: y" for number in range(5000)]),
    "one giant header": head("x: " + "y" * 100_000),
    "a giant address": head(path="/v1/" + "x" * 100_000),
    "a header without an end": b"POST /v1/chat/completions HTTP/1.1\r\nx: " + b"y" * 1_000_000,
    "a name without an end": b"POST /v1/chat/completions HTTP/1.1\r\n" + b"y" * 1_000_000,
    "a line without an end": b"POST /" + b"x" * 1_000_000,
}


@pytest.mark.parametrize("name", FLOODS)
async def test_a_head_over_the_limit_is_a_431_and_the_end(node: Node, name: str) -> None:
    async with raw_caller(node) as caller:
        await caller.send(FLOODS[name])
        answered = await caller.response()
        assert (answered.status, answered.error["code"]) == (431, "headers_too_large")
        assert await caller.ended() == b""


async def test_an_endless_flood_is_dropped_and_not_kept(node: Node) -> None:
    async with raw_caller(node) as caller:
        await caller.send(b"POST / HTTP/1.1\r\n")
        with contextlib.suppress(ConnectionError):
            async with asyncio.timeout(WAIT_MAX_S):
                while not caller.is_closing:
                    await caller.send(b"x: " + b"y" * 65536)
        assert caller.is_closing
    await served(node)


async def test_a_head_of_just_the_limit_is_served_whatever_its_body(node: Node) -> None:
    body = json.dumps(chat("x" * 100_000)).encode()
    length = f"content-length: {len(body)}"
    size = len(head(length, "x-filler: "))
    async with raw_caller(node) as caller:
        await caller.send(head(length, "x-filler: " + "y" * (HEADER_BYTES_MAX - size)) + body)
        assert (await caller.response()).status == 200


async def test_a_slow_head_is_a_408_and_the_end(node: Node) -> None:
    async with raw_caller(node) as caller:
        for letter in b"POST /v1/chat":
            await caller.send(bytes([letter]))
        answered = await caller.response()
        assert (answered.status, answered.error["code"]) == (408, "timeout")
        assert await caller.ended() == b""


@pytest.mark.parametrize("framing", ["content-length: 100", "transfer-encoding: chunked"])
async def test_a_slow_body_is_a_408_and_the_end(node: Node, framing: str) -> None:
    async with raw_caller(node) as caller:
        await caller.send(head(framing))
        answered = await caller.response()
        assert (answered.status, answered.error["code"]) == (408, "timeout")
        assert await caller.ended() == b""


async def test_a_long_call_is_not_taken_for_a_slow_caller(
    node: Node, provider: RunningSandbox
) -> None:
    """Nor is the half of a next request that it sent meanwhile."""
    provider.script(Script(delay_first_byte_s=SLOW_S + SWEEP_S + 0.3))
    async with raw_caller(node) as caller:
        await caller.send(whole(chat()))
        await asyncio.sleep(0.1)
        request = whole(chat())
        await caller.send(request[:50])
        assert (await caller.response()).status == 200
        await caller.send(request[50:])
        assert (await caller.response()).status == 200


async def test_a_caller_who_does_not_take_a_large_answer_is_dropped(
    node: Node, provider: RunningSandbox
) -> None:
    provider.script(Script(chunks=100, chunk_bytes=200_000))
    async with raw_caller(node) as caller:
        await caller.send(whole(chat()))
        calls = await node.ended(len(node.calls()) + 1)
        assert calls[-1].closed.ending is Ending.CALLER_STOPPED_READING
        assert calls[-1].closed.attempts[0].usage is not None


async def test_a_caller_who_leaves_in_a_large_answer_has_left(
    node: Node, provider: RunningSandbox
) -> None:
    provider.script(Script(chunks=100, chunk_bytes=200_000))
    count = len(node.calls())
    async with raw_caller(node) as caller:
        await caller.send(whole(chat()))
        await caller.some()
    calls = await node.ended(count + 1)
    assert calls[-1].closed.ending is Ending.CALLER_LEFT


async def test_a_large_answer_that_is_taken_slowly_is_complete(
    node: Node, provider: RunningSandbox
) -> None:
    provider.script(Script(chunks=40, chunk_bytes=200_000))
    count = len(node.calls())
    async with raw_caller(node) as caller:
        await caller.send(whole(chat(), "connection: close"))
        await asyncio.sleep(0.2)
        answered = await caller.response()
        assert len(answered.body) > 8_000_000
    calls = await node.ended(count + 1)
    assert calls[-1].closed.ending is Ending.COMPLETE


def progress_in(node: Node) -> list[Progress]:
    """Return what was journaled of open streams: once a second, where more has come."""
    return [one for one in node.records() if isinstance(one, Progress)]


async def test_a_stream_that_is_taken_slowly_is_whole_and_the_provider_is_held_back_meanwhile(
    tmp_path: Path, provider: RunningSandbox
) -> None:
    provider.script(Script(chunks=400, chunk_bytes=100_000))
    async with (
        running_node(tmp_path, config_of(provider.url)) as node,
        raw_caller(node) as caller,
    ):
        await caller.send(whole(chat(stream=True)))
        async with asyncio.timeout(WAIT_MAX_S):  # the caller takes a few megabytes and no more
            while not (written := progress_in(node)):
                await asyncio.sleep(0.05)
        answered = await caller.response()
        assert answered.body.endswith(b"data: [DONE]\n\n")
        call = (await node.ended(1))[0]
        assert call.closed.ending is Ending.COMPLETE
        assert call.closed.response_bytes == len(answered.body)
        read_bytes = written[-1].attempt.output_bytes
        assert read_bytes < 0.8 * call.closed.attempts[0].output_bytes, "the rest was left unread"


async def test_an_idle_connection_is_closed_and_one_with_a_call_under_way_is_not(
    tmp_path: Path, provider: RunningSandbox
) -> None:
    async with running_node(tmp_path, config_of(provider.url), keep_alive_timeout_s=1) as node:
        async with raw_caller(node) as caller:
            await caller.send(whole(chat()))
            assert (await caller.response()).status == 200
            began_s = asyncio.get_running_loop().time()
            assert await caller.ended() == b""
            idle_s = asyncio.get_running_loop().time() - began_s
            assert 1.0 <= idle_s < (1.0 + SWEEP_S + 1.0) * slowness()
        provider.script(Script(delay_first_byte_s=1.0 + SWEEP_S + 0.5))
        async with raw_caller(node) as caller:
            await caller.send(whole(chat()))
            assert (await caller.response()).status == 200


@pytest.mark.alone
async def test_a_thousand_idle_connections_do_not_slow_a_call_down(node: Node) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    async with contextlib.AsyncExitStack() as stack:
        for _ in range(1000):
            await stack.enter_async_context(raw_caller(node))
        await served(node)
        started_s = asyncio.get_running_loop().time()
        await served(node)
        assert asyncio.get_running_loop().time() - started_s < slowness()
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


def peak_bytes() -> int:
    """Return the most memory that this process ever held."""
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


@pytest_asyncio.fixture(loop_scope="module")
async def roomy(tmp_path: Path, provider: RunningSandbox) -> AsyncIterator[Node]:
    config = config_of(provider.url)
    async with running_node(
        tmp_path, config, inflight_body_bytes_max=INFLIGHT_BYTES_MAX
    ) as running:
        yield running


@pytest.mark.alone
async def test_bodies_beyond_the_room_are_a_503_and_memory_stays_bounded(
    roomy: Node, provider: RunningSandbox
) -> None:
    """The room is six bodies; of thirty at once the others are told to come again."""
    provider.script(default=Script(delay_first_byte_s=0.5))
    body = json.dumps(chat("x" * 10_000_000)).encode()
    request = whole(body)
    before_bytes = peak_bytes()

    async def call() -> Answered:
        async with raw_caller(roomy) as caller:
            await caller.send(request)
            return await caller.response()

    answers = await asyncio.gather(*[call() for _ in range(30)])
    grown_bytes = peak_bytes() - before_bytes
    provider.script(default=Script())
    statuses = [one.status for one in answers]
    assert set(statuses) == {200, 503}
    assert 1 <= statuses.count(200) <= 12
    refused = next(one for one in answers if one.status == 503)
    assert refused.error["code"] == "overloaded"
    assert refused.headers["retry-after"] == "1"
    # The provider and the callers of this test live in this process too.
    assert grown_bytes < 8 * INFLIGHT_BYTES_MAX
    assert roomy.worker._data_plane._room.taken_bytes == 0
    await served(roomy)


async def test_requests_on_one_connection_are_answered_in_order(node: Node) -> None:
    async with raw_caller(node) as caller:
        for text in ("one", "two"):
            await caller.send(whole(chat(text)))
            assert (await caller.response()).status == 200
        # Pipelined: all at once, of different kinds and lengths.
        await caller.send(
            whole(chat("slow", stream=True))
            + whole({}, path="/v1/files")
            + whole(chat("x" * 200_000))
            + head(method="GET", path="/v1/models")
            + whole(b"no json")
            + whole(chat("last"))
        )
        answers = [await caller.response() for _ in range(6)]
        assert [one.status for one in answers] == [200, 404, 200, 200, 400, 200]
        assert answers[0].headers["transfer-encoding"] == "chunked"
        assert answers[0].body.endswith(b"data: [DONE]\n\n")
        ids = [one.headers.get("x-tollbridge-call-id") for one in answers]
        assert len(set(ids)) == 4, "three calls, and None"


async def test_a_caller_who_leaves_with_requests_in_its_pipeline_leaves_no_mess(
    node: Node, provider: RunningSandbox
) -> None:
    provider.script(Script(delay_first_byte_s=0.3))
    count = len(node.calls())
    async with raw_caller(node) as caller:
        await caller.send(whole(chat()) * 3)
        await asyncio.sleep(0.1)
    calls = await node.ended(count + 1)
    assert calls[-1].closed.ending is Ending.CALLER_LEFT_BEFORE_FIRST_BYTE
    await served(node)


async def test_the_old_http_is_answered_without_chunks_and_closed(node: Node) -> None:
    for body in (chat(), chat(stream=True)):
        async with raw_caller(node) as caller:
            await caller.send(whole(body, version="1.0"))
            answered = await caller.response()
            assert answered.status == 200
            assert "transfer-encoding" not in answered.headers
            assert answered.headers["connection"] == "close"
            if body.get("stream"):
                assert answered.body.endswith(b"data: [DONE]\n\n")
            assert await caller.ended() == b""


async def test_a_caller_who_asks_whether_to_go_on_is_told_to(node: Node) -> None:
    body = json.dumps(chat()).encode()
    async with raw_caller(node) as caller:
        await caller.send(head(f"content-length: {len(body)}", "expect: 100-continue"))
        assert (await caller.response()).status == 100
        await caller.send(body)
        assert (await caller.response()).status == 200


async def test_a_caller_who_asks_whether_to_go_on_and_may_not_is_not_misunderstood(
    node: Node,
) -> None:
    """Nobody knows then whether the body or another request comes next: the connection ends."""
    refused = head("content-length: 10", "expect: 100-continue").replace(KEY.encode(), b"wrong")
    async with raw_caller(node) as caller:
        await caller.send(refused)
        answered = await caller.response()
        assert answered.status == 401
        assert answered.headers["connection"] == "close"
        assert await caller.ended() == b""


async def chunked(caller: RawCaller, body: bytes, size: int) -> Answered:
    await caller.send(head("transfer-encoding: chunked"))
    for at in range(0, len(body), size):
        part = body[at : at + size]
        await caller.send(b"%x;ext=1\r\n%b\r\n" % (len(part), part))
    await caller.send(b"0\r\ntrailer: x\r\n\r\n")
    return await caller.response()


@pytest.mark.parametrize(("length", "size"), [(10, 1), (300_000, 4096)])
async def test_a_body_in_chunks_is_a_body(node: Node, length: int, size: int) -> None:
    async with raw_caller(node) as caller:
        body = json.dumps(chat("x" * length)).encode()
        for _ in range(2):
            assert (await chunked(caller, body, size)).status == 200
