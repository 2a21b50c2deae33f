"""Providers that call back: who is told where, who is heard, and what being heard does."""

import asyncio
import base64
import contextlib
import hashlib
import hmac
import time
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.node import KEY, running_node
from tests.support.sandbox_server import running_sandbox
from tests.support.task_provider import HOOK_KEY, running_task_provider, video_config
from tollbridge.sandbox import Script

WAIT_MAX_S = 60.0
SLOW: dict[str, Any] = {"job_poll_first_s": 60, "job_poll_max_s": 60}
MODELS = {
    "replicate": "kwaivgi/kling-v2.1",
    "wavespeed": "alibaba/wan-2.5/text-to-video",
    "piapi": "kling video_generation",
}


class Front:
    """The address by which the outside reaches a node: it hands call-backs on, and keeps them."""

    def __init__(self) -> None:
        self.url = ""
        self.node_url = ""
        self.heard: list[tuple[str, int, str]] = []
        """Path, status and body of each answer."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        line, *lines = head.split("\r\n")
        path = line.split(" ")[1]
        headers = {
            name.lower(): value.strip()
            for name, _, value in (one.partition(":") for one in lines if one)
        }
        body = await reader.readexactly(int(headers["content-length"]))
        kept = {name: value for name, value in headers.items() if name != "host"}
        async with httpx.AsyncClient(timeout=15) as client:
            answer = await client.post(self.node_url + path, content=body, headers=kept)
        self.heard.append((path, answer.status_code, answer.text))
        writer.write(f"HTTP/1.1 {answer.status_code} X\r\ncontent-length: 0\r\n\r\n".encode())
        await writer.drain()
        writer.close()


@contextlib.asynccontextmanager
async def running_front() -> AsyncGenerator[Front]:
    front = Front()
    server = await asyncio.start_server(front.serve, "127.0.0.1", 0)
    async with server:
        front.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield front


def film_config(dialect: str, base_url: str) -> str:
    return (
        f'[[endpoint]]\nname = "films"\nprovider = "{dialect}"\ndialect = "{dialect}"\n'
        f'base_url = "{base_url}"\napi_key = "sk-test"\n'
        '[[route]]\nmodel = "film"\ncategory = "video"\n'
        f'candidates = [ {{ endpoint = "films", model = "{MODELS[dialect]}" }} ]\n'
        '[[key]]\nname = "ci"\nkey_env = "CI_KEY"\nuser = "ana"\n'
    )


@pytest.mark.parametrize(
    ("dialect", "manner", "answers"),
    [
        ("replicate", "twice", [(202, True), (202, False)]),
        ("replicate", "before_answer", [(202, True)]),
        ("replicate", "bad_signature", [(401, None)]),
        ("replicate", "old_timestamp", [(401, None)]),
        ("wavespeed", "twice", [(202, True), (202, False)]),
        ("wavespeed", "old_timestamp", [(401, None)]),
        # How it signs is not documented to the last byte: what does not fit only wakes us.
        ("wavespeed", "bad_signature", [(202, True)]),
        ("piapi", "twice", [(202, True), (202, False)]),
        ("piapi", "bad_signature", [(401, None)]),
    ],
)
async def test_a_provider_is_told_where_to_call_and_heard_if_it_proves_itself(
    tmp_path: Path, dialect: str, manner: Any, answers: list[tuple[int, bool | None]]
) -> None:
    async with running_sandbox() as sandbox, running_front() as front:
        sandbox.script(default=Script(webhook=manner))
        config = film_config(dialect, sandbox.base_url(dialect))
        async with (
            running_node(tmp_path, config, public_url=front.url, **SLOW) as node,
            node.client() as client,
        ):
            front.node_url = node.url
            order = {"category": "VIDEO", "prompt": "a boat", "model": "film", "mode": "job"}
            told = (await client.post("/api/v1/generate", json=order)).json()
            async with asyncio.timeout(WAIT_MAX_S):
                while len(front.heard) < len(answers):
                    await asyncio.sleep(0.02)
                assert [
                    (status, None if status == 401 else '"heard":true' in text)
                    for _, status, text in front.heard
                ] == answers
                assert {path.split("/")[2] for path, _, _ in front.heard} == {"films"}
                while (told := (await client.get(told["status_url"])).json())["result"] is None:
                    assert told["status"] != "FAILED"
                    await asyncio.sleep(0.02)


def signed(body: bytes, identity: str, at_s: float, key: bytes = HOOK_KEY) -> dict[str, str]:
    stamp = str(int(at_s))
    proof = hmac.digest(key, f"{identity}.{stamp}.".encode() + body, hashlib.sha256)
    return {
        "webhook-id": identity,
        "webhook-timestamp": stamp,
        "webhook-signature": f"v1,{base64.b64encode(proof).decode()}",
    }


async def test_a_providers_call_back_only_wakes_the_look_at_its_task(tmp_path: Path) -> None:
    async with running_task_provider() as provider:
        provider.polls_until_end = 2
        config = video_config(provider.url)
        async with running_node(tmp_path, config, **SLOW) as node, node.client() as client:
            order = {"category": "VIDEO", "prompt": "a boat", "model": "film", "mode": "job"}
            asked = (await client.post("/api/v1/generate", json=order)).json()
            async with asyncio.timeout(WAIT_MAX_S):
                while not provider.tasks or not provider.tasks["task-0"].polls:
                    await asyncio.sleep(0.02)
            async with node.database.read() as unit:
                found = await unit.connection.exec_driver_sql("SELECT token FROM media_jobs")
                token = found.scalar_one()
            said = b'{"id": "task-0", "status": "failed"}'
            now_s = time.time()
            hook = f"/hooks/replicate-films/{token}"
            for path, headers, status in (
                ("/hooks/replicate-films/nobody", signed(said, "m", now_s), 404),
                (f"/hooks/xai-films/{token}", signed(said, "m", now_s), 404),
                (hook, {}, 401),
                (hook, signed(said, "m", now_s - 400), 401),
                (hook, signed(said, "m", now_s, b"another key"), 401),
            ):
                refused = await client.post(path, content=said, headers=headers)
                assert refused.status_code == status
            assert provider.tasks["task-0"].polls == 1
            heard = await client.post(hook, content=said, headers=signed(said, "m", now_s))
            assert (heard.status_code, heard.json()) == (202, {"heard": True})
            async with asyncio.timeout(WAIT_MAX_S):
                while True:
                    told = (await client.get(asked["status_url"])).json()
                    if told["status"] == "COMPLETED":
                        break
                    await asyncio.sleep(0.05)
            assert told["provider"] == "replicate"
            again = await client.post(hook, content=said, headers=signed(said, "m", now_s))
            assert again.json() == {"heard": False}
            assert KEY not in str(provider.seen_keys)
