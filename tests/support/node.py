"""A whole node in the test's own event loop: office, worker, SQLite, and a sandbox to call."""

import asyncio
import contextlib
import json
from collections.abc import AsyncGenerator, Mapping
from pathlib import Path
from typing import Any

import httpx

from tests.support.databases import put_migrated
from tollbridge.core.clock import SystemClock
from tollbridge.core.evidence import CallEvidence, Closed, Opened
from tollbridge.processes.broadcast import SOURCES
from tollbridge.processes.office import Office
from tollbridge.processes.places import Places
from tollbridge.processes.prepare import prepare
from tollbridge.processes.secrets import load_secrets
from tollbridge.processes.worker import Worker
from tollbridge.recording.records import RecordCodec
from tollbridge.settings import Settings
from tollbridge.storage.unit import Database
from tollbridge.storage.versions import read_versions

WAIT_MAX_S = 60.0
"""How long anything may take on a machine that has other work; nothing waits so long in vain."""
LOOP_TURNS = 20
"""So often the event loop goes round until what the office has sent is with the worker."""
KEY = "test-key-0123456789-0123456789-0123456789"
MODEL = "gpt-4o-mini"


def config_of(*urls: str, extra: str = "", key_extra: str = "") -> str:
    """Return a configuration whose route tries an endpoint at each URL, in order."""
    endpoints = "".join(
        f'[[endpoint]]\nname = "e{number}"\nprovider = "p{number}"\ndialect = "openai"\n'
        f'base_url = "{url}/v1"\napi_key = "secret-{number}"\n'
        f'[[price]]\nprovider = "p{number}"\nmodel = "{MODEL}"\n'
        'rates = { input = "0.15", output = "0.60", cache_read = "0.075" }\n'
        for number, url in enumerate(urls, 1)
    )
    candidates = ", ".join(
        f'{{ endpoint = "e{number}", model = "{MODEL}", priority = {number} }}'
        for number in range(1, len(urls) + 1)
    )
    return (
        f'{endpoints}[[route]]\nmodel = "{MODEL}"\ncategory = "text"\n'
        f"candidates = [ {candidates} ]\n"
        f'[[key]]\nname = "ci"\nkey_env = "CI_KEY"\nuser = "ana"\n{key_extra}\n{extra}'
    )


BUDGET = """
[[budget]]
name = "ci-month"
subject = "key:ci"
limit_usd = "{limit}"
period = "month"
hard = true
"""


class Node:
    """One running node."""

    def __init__(
        self,
        worker: Worker,
        office: Office,
        database: Database,
        places: Places,
        pepper: bytes = b"",
    ) -> None:
        self.worker = worker
        self.office = office
        self.database = database
        self.places = places
        self.pepper = pepper
        self.url = f"http://127.0.0.1:{worker.port}"

    def client(self, **options: Any) -> httpx.AsyncClient:
        """Return a client that sends the test's key."""
        headers = {"authorization": f"Bearer {KEY}"}
        return httpx.AsyncClient(base_url=self.url, headers=headers, timeout=15, **options)

    def records(self) -> list[Any]:
        """Return all records of all segments, headers too."""
        codec = RecordCodec()
        return [
            codec.parse(line)
            for path in sorted(self.places.spool.glob("*.jsonl"))
            for line in path.read_bytes().splitlines()
        ]

    def calls(self) -> list[CallEvidence]:
        """Return the ended calls as the spool tells of them, in the order of their ends."""
        opened = {one.call_id: one for one in self.records() if isinstance(one, Opened)}
        return [
            CallEvidence(one.opened or opened[one.call_id], one)
            for one in self.records()
            if isinstance(one, Closed)
        ]

    async def caught_up(self) -> None:
        """Wait until the worker goes by what the database says now."""
        broadcast = self.office._broadcast
        async with self.database.read() as unit:
            now = await read_versions(unit)
        wanted = {
            part: tuple(now.get(source, 0) for source in sources)
            for part, sources in SOURCES.items()
        }
        async with asyncio.timeout(WAIT_MAX_S):
            while any(
                any(seen < want for seen, want in zip(broadcast._seen[part], versions, strict=True))
                for part, versions in wanted.items()
            ):
                await asyncio.sleep(0.005)
        for _ in range(LOOP_TURNS):
            await asyncio.sleep(0.002)

    async def ended(self, count: int) -> list[CallEvidence]:
        """Wait until `count` calls have ended."""
        async with asyncio.timeout(WAIT_MAX_S):
            while len(calls := self.calls()) < count:
                await asyncio.sleep(0.005)
        return calls


@contextlib.asynccontextmanager
async def running_node(
    folder: Path, config: str, *, environment: Mapping[str, str] | None = None, **overrides: Any
) -> AsyncGenerator[Node]:
    """Run office and worker in this loop, on a free port."""
    (folder / "tollbridge.toml").write_text(config)
    settings = Settings(
        port=0,
        data_dir=folder / "data",
        config=folder / "tollbridge.toml",
        spool_reserve_mb=1,
        shutdown_grace_s=1,
        **overrides,
    )
    settings.data_dir.mkdir()
    places = Places(settings.data_dir)
    await put_migrated(places.database)
    database = Database.open(f"sqlite:///{places.database}")
    secrets = load_secrets(settings, places)
    known = {"CI_KEY": KEY, **(environment or {})}
    prepared = await prepare(database, settings, secrets, SystemClock(), known, None)
    office = Office(settings, database, secrets, known)
    office_task = asyncio.create_task(office.run(prepared, None))
    worker = Worker(settings)
    worker_task = asyncio.create_task(worker.run(None))
    try:
        async with asyncio.timeout(WAIT_MAX_S):
            while not worker.serves:
                for task in (office_task, worker_task):
                    if task.done():
                        task.result()
                await asyncio.sleep(0.005)
        yield Node(worker, office, database, places, secrets.pepper)
    finally:
        worker.end()
        await asyncio.wait_for(worker_task, WAIT_MAX_S)
        office.end()
        await asyncio.wait_for(office_task, WAIT_MAX_S)
        await database.close()


def chat(text: str = "hello", **fields: Any) -> dict[str, Any]:
    """Return the body of a chat completion."""
    return {"model": MODEL, "messages": [{"role": "user", "content": text}], **fields}


def frames(text: str) -> list[Any]:
    """Return the data of an event stream's frames; the end mark as text."""
    found = [frame.removeprefix("data: ") for frame in text.split("\n\n") if frame]
    return [one if one == "[DONE]" else json.loads(one) for one in found]
