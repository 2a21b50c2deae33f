"""A provider on loopback whose work is submitted first and fetched later.

It speaks of tasks as Replicate does (below /replicate/v1) and as xAI does (below /xai/v1), counts
every submit, and outlives whatever is killed around it.
"""

import asyncio
import base64
import contextlib
import json
from collections.abc import AsyncGenerator
from typing import Any, Literal

FILM = b"a film, frame by frame"
HOOK_KEY = b"a key that signs call-backs, 32 b"
HOOK_SECRET = f"whsec_{base64.b64encode(HOOK_KEY).decode()}"
End = Literal["succeeded", "failed", "canceled", "never"]


class Task:
    """One task, and what was asked of it."""

    def __init__(self, name: str, surface: str, asked: dict[str, Any]) -> None:
        self.name = name
        self.surface = surface
        self.asked = asked
        self.polls = 0
        self.cancelled = False


class TaskProvider:
    """What it was told to do, and what was asked of it."""

    def __init__(self) -> None:
        self.url = ""
        self.tasks: dict[str, Task] = {}
        self.submits: list[str] = []
        """The surface of each submit that arrived whole."""
        self.ends: dict[str, End] = {}
        """Surface → how its tasks end; they succeed where nothing is said."""
        self.polls_until_end = 1
        self.refuses: dict[str, int] = {}
        """Surface → the status of every submit's refusal."""
        self.swallows: set[str] = set()
        """Surfaces that take a submit in and hang up without a word."""
        self.seen_keys: set[str] = set()
        self.keys_of: dict[str, list[str]] = {}
        """Task → the credentials of its submit and of each look at it, in order."""
        self.refused_keys: dict[str, int] = {}
        """Credentials → the status with which their submits are refused."""

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        """Serve one connection."""
        with contextlib.suppress(OSError, asyncio.IncompleteReadError):
            while True:
                head = (await reader.readuntil(b"\r\n\r\n")).decode()
                line, *lines = head.split("\r\n")
                method, target, _ = line.split(" ")
                headers = {
                    name.lower(): value.strip()
                    for name, _, value in (one.partition(":") for one in lines)
                }
                body = await reader.readexactly(int(headers.get("content-length", "0")))
                key = headers.get("authorization", "")
                self.seen_keys.add(key)
                if not await self._answer(writer, method, target, body, key):
                    break
        writer.close()

    async def _answer(
        self, writer: asyncio.StreamWriter, method: str, target: str, body: bytes, key: str
    ) -> bool:
        _, surface, *rest = target.split("?", maxsplit=1)[0].split("/")
        if rest[-1] == "secret":
            _send(writer, 200, {"key": HOOK_SECRET})
            return True
        if surface == "film":
            _send(writer, 200, FILM, "video/mp4")
            return True
        if method == "POST" and rest[-1] == "cancel":
            task = self.tasks[rest[-2]]
            task.cancelled = True
            _send(writer, 200, self._shown(task))
            return True
        if method == "POST":
            return self._take_in(writer, surface, body, key)
        task = self.tasks[rest[-1]]
        task.polls += 1
        self.keys_of[task.name].append(key)
        _send(writer, 200, self._shown(task))
        return True

    def _take_in(self, writer: asyncio.StreamWriter, surface: str, body: bytes, key: str) -> bool:
        self.submits.append(surface)
        if surface in self.swallows:
            return False
        if surface in self.refuses:
            _send(writer, self.refuses[surface], {"detail": "not now"})
            return True
        if key in self.refused_keys:
            _send(writer, self.refused_keys[key], {"detail": "not with this key"})
            return True
        task = Task(f"task-{len(self.tasks)}", surface, json.loads(body))
        self.keys_of[task.name] = [key]
        self.tasks[task.name] = task
        _send(writer, 201, self._shown(task))
        return True

    def _shown(self, task: Task) -> dict[str, Any]:
        end: str = self.ends.get(task.surface, "succeeded")
        if task.cancelled:
            end = "canceled"
        elif end == "never" or task.polls < self.polls_until_end:
            end = "processing"
        film = f"{self.url}/film/{task.name}.mp4"
        if task.surface == "replicate":
            metrics = {"predict_time": 2.5} if end != "processing" else {}
            output = film if end == "succeeded" else None
            error = "out of memory" if end == "failed" else None
            return {
                "id": task.name,
                "status": end,
                "output": output,
                "error": error,
                "metrics": metrics,
            }
        if end == "succeeded":
            video = {"url": film, "duration": task.asked["duration"]}
            return {"request_id": task.name, "status": "done", "video": video}
        if end == "failed":
            return {"request_id": task.name, "status": "failed", "error": "it broke"}
        return {"request_id": task.name, "status": "pending", "progress": 40}


def _send(
    writer: asyncio.StreamWriter,
    status: int,
    content: bytes | dict[str, Any],
    kind: str = "application/json",
) -> None:
    data = content if isinstance(content, bytes) else json.dumps(content).encode()
    head = f"HTTP/1.1 {status} X\r\ncontent-type: {kind}\r\ncontent-length: {len(data)}\r\n\r\n"
    writer.write(head.encode() + data)


@contextlib.asynccontextmanager
async def running_task_provider() -> AsyncGenerator[TaskProvider]:
    """Serve on a free loopback port."""
    provider = TaskProvider()
    server = await asyncio.start_server(provider.serve, "127.0.0.1", 0, limit=1 << 20)
    try:
        provider.url = f"http://127.0.0.1:{server.sockets[0].getsockname()[1]}"
        yield provider
    finally:
        server.close()


def video_config(
    url: str, *, first: str = "replicate", second: str = "xai", extra: str = ""
) -> str:
    """Return a configuration whose films are made by one surface, else by the other."""
    surfaces = {"replicate": "owner/film", "xai": "grok-film"}
    endpoints = "".join(
        f'[[endpoint]]\nname = "{name}-films"\nprovider = "{name}"\ndialect = "{name}"\n'
        f'base_url = "{url}/{name}/v1"\napi_key = "secret-{name}"\n'
        for name in surfaces
    )
    # Films by the second; what Replicate did in vain by the second of its work.
    prices = (
        '[[price]]\nprovider = "replicate"\nmodel = "owner/film"\n'
        'rates = { video_second = "0.02", compute_second = "0.01" }\n'
        '[[price]]\nprovider = "xai"\nmodel = "grok-film"\n'
        'rates = { video_second = "0.05" }\n'
    )
    candidates = ", ".join(
        f'{{ endpoint = "{name}-films", model = "{surfaces[name]}", priority = {number} }}'
        for number, name in enumerate((first, second), 1)
        if name
    )
    return (
        f'{endpoints}{prices}[[route]]\nmodel = "film"\ncategory = "video"\n'
        f"candidates = [ {candidates} ]\n"
        f'[[key]]\nname = "ci"\nkey_env = "CI_KEY"\nuser = "ana"\n{extra}'
    )
