"""A thousand callers send ten megabytes each, at once: some are served, no memory is lost."""

import asyncio
import contextlib
import json
import resource
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import httpx
import pytest

from tests.support.node import KEY, chat, config_of
from tests.support.processes import ServedNode, served_node
from tests.support.raw_caller import Answered, RawCaller, head
from tests.support.sandbox_server import process_sandbox
from tollbridge.settings import MIB, Settings

CALLERS = 1000
BODY_BYTES = 10_000_000
CHUNK = b"x" * 65_536
READ_BYTES = 256 * 1024
"""What the event loop reads of a connection before anybody can refuse it."""
OPEN_FILES_CUSTOMARY = 1024
AT_MOST_S = 300.0
HELD_S = 1.0
"""How long the provider keeps a call, so that its body is held."""


def pieces() -> Iterator[bytes]:
    """Yield the pieces of a body, that share their memory."""
    before, after = json.dumps(chat("|", max_tokens=20)).encode().split(b"|")
    yield before
    left = BODY_BYTES - len(before) - len(after)
    while left > 0:
        yield CHUNK[:left]
        left -= len(CHUNK)
    yield after


async def send(caller: RawCaller, *, chunked: bool) -> None:
    """Send a whole body, with a stated length or in chunks."""
    framing = "transfer-encoding: chunked" if chunked else f"content-length: {BODY_BYTES}"
    await caller.send(head(framing))
    for piece in pieces():
        if chunked:
            await caller.send(b"%x\r\n" % len(piece))
        await caller.send(piece)
        if chunked:
            await caller.send(b"\r\n")
    if chunked:
        await caller.send(b"0\r\n\r\n")


async def call(node: ServedNode, number: int, start: asyncio.Event) -> Answered:
    """Connect, wait for the others, send as a client does: until it is answered."""
    reader, writer = await asyncio.open_connection("127.0.0.1", node.port, limit=1 << 22)
    caller = RawCaller(reader, writer, wait_max_s=AT_MOST_S)
    try:
        await start.wait()
        sending = asyncio.create_task(send(caller, chunked=number % 2 == 0))
        try:
            return await caller.response()
        finally:
            sending.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await sending
    finally:
        caller.close()


def peak_bytes(pid: int) -> int:
    """Return the most memory that a process ever had."""
    for line in Path(f"/proc/{pid}/status").read_text().splitlines():
        if line.startswith("VmHWM:"):
            return int(line.split()[1]) * 1024
    raise AssertionError("the system does not say")


@pytest.mark.alone
async def test_a_thousand_bodies_of_ten_megabytes_at_once_do_no_harm(tmp_path: Path) -> None:
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(hard, 8192), hard))
    room_bytes = Settings.model_fields["inflight_body_bytes_max"].default
    with process_sandbox(tmp_path / "sandbox.log") as provider:
        async with served_node(
            tmp_path, config_of(provider.url), open_files=OPEN_FILES_CUSTOMARY
        ) as node:
            async with httpx.AsyncClient() as control:
                slow = {"default": {"delay_first_byte_s": HELD_S}}
                await control.post(f"{provider.url}/sandbox/script", json=slow)
            workers = node.pids("worker")
            before_bytes = peak_bytes(workers[0])
            start = asyncio.Event()
            calls = [asyncio.create_task(call(node, n, start)) for n in range(CALLERS)]
            await asyncio.sleep(1)
            start.set()
            async with asyncio.timeout(AT_MOST_S):
                answers = await asyncio.gather(*calls)
            grown_bytes = peak_bytes(workers[0]) - before_bytes

            statuses = Counter(one.status for one in answers)
            assert set(statuses) == {200, 503}
            assert statuses[200] >= 5
            refused = [one for one in answers if one.status == 503]
            assert {one.error["code"] for one in refused} == {"overloaded"}
            assert {one.headers["retry-after"] for one in refused} == {"1"}
            assert grown_bytes < room_bytes + CALLERS * READ_BYTES + 32 * MIB

            assert node.pids("worker") == workers
            async with httpx.AsyncClient(headers={"authorization": f"Bearer {KEY}"}) as client:
                url = f"{node.url}/v1/chat/completions"
                assert (await client.post(url, json=chat())).status_code == 200
            await node.drained()
            assert len(provider.log()) == statuses[200] + 1
    resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))
