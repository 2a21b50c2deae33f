"""One way to ask for anything: /api/v1/generate, its jobs, its webhooks, and the Python client."""

import asyncio
import base64
import hashlib
import hmac
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.node import KEY, config_of, running_node
from tests.support.raw_provider import RawProvider, answer, running_raw_provider
from tests.support.task_provider import FILM, TaskProvider, running_task_provider, video_config
from tollbridge import Client, GenerateError

FAST: dict[str, Any] = {"job_poll_first_s": 0.05, "job_poll_max_s": 0.1}
WAIT_MAX_S = 60.0
PICTURE = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(40)).decode()


@pytest.fixture
async def provider() -> AsyncGenerator[TaskProvider]:
    async with running_task_provider() as found:
        yield found


@pytest.fixture
async def raw() -> AsyncGenerator[RawProvider]:
    async with running_raw_provider() as found:
        yield found


async def generate(client: httpx.AsyncClient, category: str, **fields: Any) -> httpx.Response:
    order = {"category": category, "prompt": "a paper boat", **fields}
    return await client.post("/api/v1/generate", json=order)


async def test_a_film_is_waited_for_and_given_as_a_link(
    tmp_path: Path, provider: TaskProvider
) -> None:
    async with (
        running_node(tmp_path, video_config(provider.url), **FAST) as node,
        node.client() as client,
    ):
        made = await generate(client, "VIDEO", model="film", options={"seconds": 5})
        assert made.status_code == 200
        told = made.json()
        assert told["provider"] == "replicate"
        assert told["result"] == {"videoUrl": f"{provider.url}/film/task-0.mp4"}


async def test_a_film_that_takes_long_goes_on_as_a_job(
    tmp_path: Path, provider: TaskProvider
) -> None:
    provider.polls_until_end = 10
    async with (
        running_node(tmp_path, video_config(provider.url), generate_wait_s=0.1, **FAST) as node,
        node.client() as client,
    ):
        asked = await generate(client, "VIDEO", model="film")
        assert asked.status_code == 202
        told = asked.json()
        async with asyncio.timeout(WAIT_MAX_S):
            while told["status"] != "COMPLETED":
                assert told["result"] is None
                await asyncio.sleep(0.05)
                told = (await client.get(told["status_url"])).json()
        assert told["result"]["videoUrl"]


async def test_a_job_that_is_cancelled_ends_as_failed(
    tmp_path: Path, provider: TaskProvider
) -> None:
    provider.ends["replicate"] = "never"
    async with (
        running_node(tmp_path, video_config(provider.url), **FAST) as node,
        node.client() as client,
    ):
        asked = (await generate(client, "VIDEO", model="film", mode="job")).json()
        await client.delete(asked["status_url"])
        async with asyncio.timeout(WAIT_MAX_S):
            while (told := (await client.get(asked["status_url"])).json())["status"] != "FAILED":
                await asyncio.sleep(0.05)
        assert told["error"]["code"] == "cancelled"


class Listener:
    """A caller's server that hears webhooks."""

    def __init__(self) -> None:
        self.heard: list[tuple[dict[str, str], bytes]] = []

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode()
        headers = {
            name.lower(): value.strip()
            for name, _, value in (line.partition(":") for line in head.split("\r\n")[1:])
        }
        body = await reader.readexactly(int(headers["content-length"]))
        self.heard.append((headers, body))
        writer.write(b"HTTP/1.1 204 X\r\n\r\n")
        await writer.drain()
        writer.close()


async def test_the_end_of_a_job_is_told_under_a_signature(
    tmp_path: Path, provider: TaskProvider
) -> None:
    listener = Listener()
    server = await asyncio.start_server(listener.serve, "127.0.0.1", 0)
    port = server.sockets[0].getsockname()[1]
    async with (
        server,
        running_node(
            tmp_path, video_config(provider.url), fetch_private_hosts="127.0.0.1", **FAST
        ) as node,
        node.client() as client,
    ):
        hook = f"http://127.0.0.1:{port}/done"
        order = await generate(client, "VIDEO", model="film", mode="job", webhook_url=hook)
        asked = order.json()
        async with asyncio.timeout(WAIT_MAX_S):
            while not listener.heard:
                await asyncio.sleep(0.05)
        headers, body = listener.heard[0]
        secret = base64.b64decode(asked["webhook_secret"].removeprefix("whsec_"))
        signed = b".".join(
            (headers["webhook-id"].encode(), headers["webhook-timestamp"].encode(), body)
        )
        proof = base64.b64encode(hmac.digest(secret, signed, hashlib.sha256)).decode()
        assert headers["webhook-signature"] == f"v1,{proof}"
        told = json.loads(body)["data"]
        assert (told["job"], told["status"]) == (asked["job"], "COMPLETED")


@pytest.mark.parametrize(
    "address",
    [
        "http://127.0.0.1:1/x",
        "http://169.254.169.254/latest/meta-data",
        "http://[::1]/x",
        "http://localhost/x",
        "ftp://example.com/x",
        "http://2130706433/x",
    ],
)
async def test_a_webhook_into_a_private_network_is_refused_before_anybody_is_paid(
    tmp_path: Path, provider: TaskProvider, address: str
) -> None:
    async with (
        running_node(tmp_path, video_config(provider.url), **FAST) as node,
        node.client() as client,
    ):
        refused = await generate(client, "VIDEO", model="film", mode="job", webhook_url=address)
        assert refused.status_code == 400
        assert provider.submits == []


async def test_the_client_waits_for_films_and_can_fetch_them(
    tmp_path: Path, provider: TaskProvider
) -> None:
    provider.polls_until_end = 5
    async with (
        running_node(tmp_path, video_config(provider.url), generate_wait_s=0, **FAST) as node,
        Client(node.url, key=KEY) as client,
    ):
        result, name = await client.generate(
            "VIDEO", "generateVideo", "a paper boat", model="film", seconds=5
        )
        assert name == "replicate"
        async with httpx.AsyncClient() as outside:
            assert (await outside.get(result["videoUrl"])).content == FILM
        with pytest.raises(GenerateError) as caught:
            await client.generate(
                "VIDEO", "generateVideo", "a paper boat", model="film", seconds=999
            )
        assert caught.value.status == 400


async def test_text_pictures_and_speech_are_given_at_once(tmp_path: Path, raw: RawProvider) -> None:
    extra = (
        '[[route]]\nmodel = "picture"\ncategory = "image"\n'
        'candidates = [ { endpoint = "e1", model = "dall-e-3" } ]\n'
        '[[route]]\nmodel = "voice"\ncategory = "audio"\n'
        'candidates = [ { endpoint = "e1", model = "tts-1" } ]\n'
    )
    raw.answers = {}
    async with (
        running_node(tmp_path, config_of(raw.url, extra=extra)) as node,
        Client(node.url, key=KEY) as client,
    ):
        result, name = await client.generate("TEXT", "generateText", "hi", model="gpt-4o-mini")
        assert (result, name) == ({"text": "hi"}, "p1")
        raw.answers["v1"] = answer({"created": 1, "data": [{"b64_json": PICTURE}]})
        result, _ = await client.generate("IMAGE", "", "a boat", model="picture")
        assert result == {"imageUrl": f"data:image/png;base64,{PICTURE}"}
        raw.answers["v1"] = answer(b"ID3 a song", content_type="audio/mpeg")
        result, _ = await client.generate("AUDIO", "", "hello", model="voice")
        assert result["audioUrl"].startswith("data:audio/mpeg;base64,")
        with pytest.raises(GenerateError) as caught:
            await client.generate("TEXT", "", "hi", model="nobody-has-this")
        assert caught.value.status == 404
