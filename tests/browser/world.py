"""A node with something to look at: several played providers, two weeks of reports, live calls."""

import asyncio
import random
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import httpx
from typing_extensions import override

from tests.support.node import KEY
from tests.support.processes import ServedNode
from tests.support.sandbox_server import SandboxProcess
from tollbridge.core.clock import SystemClock
from tollbridge.sandbox import base_urls

PASSWORD = "a-long-enough-password"
DAYS = 14
HOUR_MS = 3_600_000
# Our names of endpoints → the sandbox's, and what belongs behind its base.
PLAYED: Mapping[str, tuple[str, str]] = {
    "openai": ("openai", ""),
    "anthropic": ("anthropic", ""),
    "google": ("gemini", "/v1beta"),
    "wavespeed": ("wavespeed", ""),
    "stability": ("stability", ""),
    "elevenlabs": ("elevenlabs", ""),
}
ROUTES = """
[[route]]
model = "gpt-4o-mini"
category = "text"
candidates = [ { endpoint = "broken", model = "gpt-4o-mini", priority = 1 },
               { endpoint = "openai", model = "gpt-4o-mini", priority = 2 } ]
[[route]]
model = "house-model"
category = "text"
candidates = [ { endpoint = "openai", model = "house-model-2" } ]
[[route]]
model = "qwen-image"
category = "image"
candidates = [ { endpoint = "wavespeed", model = "wavespeed-ai/qwen-image/text-to-image" } ]
[[endpoint]]
name = "broken"
provider = "replicate"
dialect = "openai"
base_url = "http://127.0.0.1:9/v1"
api_key = "secret"
[[budget]]
name = "batch-month"
subject = "key:batch"
limit_usd = "5.00"
period = "month"
hard = true
[[budget]]
name = "ben-day"
subject = "user:ben"
limit_usd = "2.00"
period = "day"
hard = true
"""
KEYS = """
[[key]]
name = "ci"
key_env = "CI_KEY"
user = "ana"
scopes = ["call", "read", "intake", "admin"]
[[key]]
name = "batch"
key_env = "BATCH_KEY"
user = "ben"
scopes = ["call", "read"]
"""
BATCH_KEY = "batch-key-0123456789-0123456789-0123456789"
# (model, provider, endpoint, bucket, share, cost of one)
REPORTS: tuple[tuple[str, str, str, str | None, float, float | None], ...] = (
    ("gemini-2.5-flash", "google", "/v1/chat/completions", "gemini", 5.0, None),
    ("gpt-4o", "openai", "/v1/chat/completions", "openai", 3.0, None),
    ("claude-sonnet-4-5", "anthropic", "/v1/messages", "anthropic", 2.5, None),
    ("alibaba/wan-2.5/text-to-video", "wavespeed", "/v1/videos", "video", 0.8, 0.5),
    ("openai/gpt-oss-120b:groq", "huggingface", "/v1/chat/completions", "mistral", 2.0, None),
    ("eleven_multilingual_v2", "elevenlabs", "/v1/audio/speech", "audio", 0.7, 0.031),
    ("stable-image-core", "stability", "/v1/images/generations", "stability", 0.6, 0.03),
    ("a-model-nobody-knows", "unknown", "/v1/chat/completions", None, 0.4, None),
)


def config(sandbox_url: str) -> str:
    """Return the configuration of a node whose providers are all played."""
    bases = base_urls(sandbox_url)
    told = "".join(
        f'[[endpoint]]\nname = "{name}"\n'
        f'base_url = "{bases[played].removesuffix(below)}{below}"\napi_key = "secret"\n'
        for name, (played, below) in PLAYED.items()
    )
    return told + ROUTES + KEYS


ODD_NAMES = ('<script>alert("x")</script>', "نموذج-طويل-" * 12, "a" * 200)
"""What somebody may call a model."""


def reports(count: int, now_ms: int, seed: int = 7) -> list[dict[str, Any]]:
    """Return what another gateway reports of the last days; the same for the same arguments."""
    draw = random.Random(seed)
    weights = [one[4] for one in REPORTS]
    made: list[dict[str, Any]] = []
    for place in range(count):
        model, provider, path, bucket, _, cost = draw.choices(REPORTS, weights)[0]
        failed = draw.random() < 0.03
        ended_ms = now_ms - round(draw.random() ** 1.2 * DAYS * 24 * HOUR_MS)
        took_ms = round(draw.lognormvariate(7, 0.7)) * (12 if bucket == "video" else 1)
        record: dict[str, Any] = {
            "id": f"r{seed}-{place}",
            "model": model,
            "bucket": bucket,
            "endpoint": path,
            "provider_name": provider,
            "actual_provider": None if provider == "unknown" else provider,
            "input_token": round(draw.lognormvariate(6.5, 1)),
            "output_token": round(draw.lognormvariate(5.5, 1)),
            "started_at": ended_ms - took_ms,
            "completed_at": ended_ms,
            "status_code": 503 if failed else 200,
            "error": "upstream overloaded" if failed else None,
        }
        if cost is not None:
            record |= {"cost_usd": str(cost), "input_token": None, "output_token": None}
        made.append({name: value for name, value in record.items() if value is not None})
    return made


class ShownNode(ServedNode):
    """A served node with a second key, which a hard budget binds."""

    @override
    def environment(self, more: Mapping[str, Any]) -> dict[str, str]:
        return {**super().environment(more), "BATCH_KEY": BATCH_KEY}


class World:
    """A served node, its played providers, and how to make them busy."""

    def __init__(self, folder: Path, sandbox: SandboxProcess) -> None:
        self._sandbox = sandbox
        self.node = ShownNode(
            folder,
            config(sandbox.url),
            None,
            {
                "sandbox": True,
                "admin_password": PASSWORD,
                "retry_rounds_max": 0,
                "fetch_private_hosts": "127.0.0.1",
            },
        )

    @property
    def url(self) -> str:
        """The address that a browser is given."""
        return self.node.url

    def client(self) -> httpx.AsyncClient:
        """Return a client with the key `ci`."""
        return httpx.AsyncClient(
            base_url=self.url, headers={"authorization": f"Bearer {KEY}"}, timeout=30
        )

    async def plays(self, **script: Any) -> None:
        """Let the providers play so from now on; without any words as they do by themselves."""
        async with httpx.AsyncClient(base_url=self._sandbox.url) as client:
            told = await client.post("/sandbox/script", json={"default": script or None})
            told.raise_for_status()

    async def fill(self, count: int = 600) -> None:
        """Report the past, and call everything once."""
        now_ms = SystemClock().now_us() // 1000
        records = reports(count, now_ms)
        async with self.client() as client:
            for start in range(0, len(records), 200):
                answer = await client.post(
                    "/v2/usage/gateway-metrics", json=records[start : start + 200]
                )
                assert answer.json()["rejected"] == [], answer.text
            await self.report_odd_names()
            await self.call_all(client)
            await self.settled(client)
            await self.node.drained()

    async def report_odd_names(self) -> None:
        """Report one call of each odd name, and wait until they stand first in the log."""
        now_ms = SystemClock().now_us() // 1000
        records = [
            {"id": f"odd-{now_ms}-{place}", "model": name, "completed_at": now_ms}
            for place, name in enumerate(ODD_NAMES)
        ]
        async with self.client() as client:
            answer = await client.post("/v2/usage/gateway-metrics", json=records)
            assert answer.json()["rejected"] == [], answer.text
        await self.node.drained()

    async def call_all(self, client: httpx.AsyncClient) -> None:
        """Call everything once, the first text with the key that a hard budget binds."""
        batch = {"authorization": f"Bearer {BATCH_KEY}"}
        for place, (path, body) in enumerate(calls()):
            headers = {"x-tollbridge-tags": "team:web", **(batch if place == 0 else {})}
            await client.post(path, json=body, headers=headers)

    async def settled(self, client: httpx.AsyncClient) -> None:
        """Wait until the newest call is in the log."""
        async with asyncio.timeout(30):
            while True:
                found = (await client.get("/api/v1/usage-logs", params={"limit": 1})).json()
                if found["calls"] and found["calls"][0]["label"] == "qwen-image":
                    return
                await asyncio.sleep(0.05)


def calls() -> list[tuple[str, dict[str, Any]]]:
    """Return one call of each kind; the last one is an image by WaveSpeed."""
    says = [{"role": "user", "content": "Name a bridge."}]
    chat = "/v1/chat/completions"
    return [
        (chat, {"model": "sandbox-small", "messages": says}),
        (chat, {"model": "gpt-4o-mini", "messages": says, "user": "customer-7"}),
        (chat, {"model": "house-model", "messages": says}),
        (chat, {"model": "text", "messages": says, "user": "customer-7"}),
        ("/v1/audio/speech", {"model": "audio", "voice": "alloy", "input": "Hello"}),
        ("/v1/images/generations", {"model": "qwen-image", "prompt": "a paper boat"}),
    ]
