"""Films through a whole node: asked for, made by whoever can, charged once."""

import asyncio
import contextlib
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
from sqlalchemy import text

from tests.support.books import outstanding
from tests.support.calendar_time import MINUTE_S, room_in
from tests.support.node import BUDGET, KEY, Node, running_node
from tests.support.processes import served_node
from tests.support.task_provider import FILM, TaskProvider, running_task_provider, video_config
from tollbridge.storage.unit import Database

FAST: dict[str, Any] = {"job_poll_first_s": 0.05, "job_poll_max_s": 0.1}
WAIT_MAX_S = 120.0
ROOM_S = 10.0
HEADROOM = BUDGET.format(limit="100")


@pytest.fixture
async def provider() -> AsyncGenerator[TaskProvider]:
    async with running_task_provider() as found:
        yield found


async def ask(client: httpx.AsyncClient, **fields: Any) -> httpx.Response:
    order = {"model": "film", "prompt": "a paper boat", "seconds": "5", **fields}
    return await client.post("/v1/videos", json=order)


async def finished(client: httpx.AsyncClient, name: str) -> dict[str, Any]:
    async with asyncio.timeout(WAIT_MAX_S):
        while True:
            try:
                found: dict[str, Any] = (await client.get(f"/v1/videos/{name}")).json()
            except (httpx.TransportError, ValueError):
                found = {}
            if found.get("status") in {"completed", "failed"}:
                return found
            await asyncio.sleep(0.05)


async def calls_of(database_url: str) -> list[Any]:
    database = Database.open(database_url)
    try:
        async with database.read() as unit:
            found = await unit.connection.execute(
                text(
                    "SELECT call_id, charge_nanousd, cost_nanousd, actual_provider_name "
                    "FROM call_details"
                )
            )
            return list(found)
    finally:
        await database.close()


async def calls_in(node: Node) -> list[Any]:
    return await calls_of(f"sqlite:///{node.places.database}")


async def test_the_official_sdk_creates_polls_downloads_and_deletes_a_film(
    tmp_path: Path, provider: TaskProvider
) -> None:
    config = video_config(provider.url, extra=HEADROOM)
    async with (
        running_node(tmp_path, config, **FAST) as node,
        openai.AsyncOpenAI(base_url=f"{node.url}/v1", api_key=KEY, max_retries=0) as sdk,
    ):
        # The SDK calls them deprecated, since OpenAI's own films end.
        videos: Any = sdk.videos
        video = await videos.create_and_poll(
            model="film",
            prompt="a paper boat",
            seconds="4",
            poll_interval_ms=50,
        )
        assert video.status == "completed"
        assert video.model == "film"
        content = await videos.download_content(video.id)
        assert content.content == FILM
        page = await videos.list()
        assert [one.id for one in page.data] == [video.id]
        await videos.delete(video.id)
        with pytest.raises(openai.NotFoundError):
            await videos.retrieve(video.id)
        (row,) = await calls_in(node)
        assert (row.actual_provider_name, row.charge_nanousd) == ("replicate", 80_000_000)
        assert await outstanding(f"sqlite:///{node.places.database}") == 0


async def test_a_failed_provider_is_followed_by_the_next_and_billed_for_what_it_did(
    tmp_path: Path, provider: TaskProvider
) -> None:
    provider.ends["replicate"] = "failed"
    config = video_config(provider.url, extra=HEADROOM)
    async with running_node(tmp_path, config, **FAST) as node, node.client() as client:
        asked = (await ask(client)).json()
        done = await finished(client, asked["id"])
        assert (done["status"], done["provider"]) == ("completed", "xai")
        (row,) = await calls_in(node)
        # 2.5 s of Replicate's work at 0.01 and 5 s of xAI's film at 0.05.
        assert row.charge_nanousd == 25_000_000 + 250_000_000


async def test_a_film_that_nobody_makes_fails_and_costs_what_was_billed(
    tmp_path: Path, provider: TaskProvider
) -> None:
    provider.ends = {"replicate": "failed", "xai": "failed"}
    config = video_config(provider.url, extra=HEADROOM)
    async with running_node(tmp_path, config, **FAST) as node, node.client() as client:
        asked = (await ask(client)).json()
        done = await finished(client, asked["id"])
        assert done["status"] == "failed"
        assert done["error"]["message"]
        (row,) = await calls_in(node)
        assert row.charge_nanousd == 25_000_000
        assert await outstanding(f"sqlite:///{node.places.database}") == 0


async def test_a_submit_whose_answer_is_not_seen_is_not_sent_again(
    tmp_path: Path, provider: TaskProvider
) -> None:
    provider.swallows.add("replicate")
    async with (
        running_node(tmp_path, video_config(provider.url), **FAST) as node,
        node.client() as client,
    ):
        asked = (await ask(client)).json()
        done = await finished(client, asked["id"])
        assert (done["status"], done["provider"]) == ("completed", "xai")
        assert provider.submits == ["replicate", "xai"]


async def test_a_film_that_is_deleted_while_it_is_made_is_cancelled_at_its_provider(
    tmp_path: Path, provider: TaskProvider
) -> None:
    provider.ends["replicate"] = "never"
    config = video_config(provider.url, extra=HEADROOM)
    async with running_node(tmp_path, config, **FAST) as node, node.client() as client:
        asked = (await ask(client)).json()
        async with asyncio.timeout(WAIT_MAX_S):
            while not provider.tasks:
                await asyncio.sleep(0.02)
            assert (await client.delete(f"/v1/videos/{asked['id']}")).status_code == 200
            while not (rows := await calls_in(node)):
                await asyncio.sleep(0.05)
        (task,) = provider.tasks.values()
        assert task.cancelled
        assert rows[0].charge_nanousd == 25_000_000  # what it is billed for all the same
        assert await outstanding(f"sqlite:///{node.places.database}") == 0


@pytest.mark.parametrize(
    ("fields", "word"),
    [
        ({"seconds": "999"}, "seconds"),
        ({"seconds": "soon"}, "seconds"),
        ({"size": "huge"}, "size"),
        ({"prompt": ""}, "prompt"),
    ],
)
async def test_what_cannot_be_made_is_refused_before_anybody_is_paid(
    tmp_path: Path, provider: TaskProvider, fields: dict[str, Any], word: str
) -> None:
    async with (
        running_node(tmp_path, video_config(provider.url), **FAST) as node,
        node.client() as client,
    ):
        refused = await ask(client, **fields)
        assert refused.status_code == 400
        assert word in refused.json()["error"]["message"]
        assert provider.submits == []


async def test_a_film_over_the_budget_is_refused_and_holds_nothing(
    tmp_path: Path, provider: TaskProvider
) -> None:
    extra = BUDGET.format(limit="0.10")
    config = video_config(provider.url, first="xai", second="", extra=extra)
    async with running_node(tmp_path, config, **FAST) as node, node.client() as client:
        refused = await ask(client, seconds="5")
        assert refused.status_code == 402
        assert provider.submits == []
        assert await outstanding(f"sqlite:///{node.places.database}") == 0


@pytest.mark.parametrize("limit", ["calls_per_minute", "concurrent_calls"])
async def test_a_keys_limits_hold_for_films_too(
    tmp_path: Path, provider: TaskProvider, limit: str
) -> None:
    provider.ends["replicate"] = "never"
    config = video_config(provider.url, extra=f"{limit} = 1\n")
    async with running_node(tmp_path, config, **FAST) as node, node.client() as client:
        await room_in(MINUTE_S, ROOM_S)
        asked = await ask(client)
        assert asked.status_code == 200
        assert (await ask(client)).status_code == 429
        if limit == "concurrent_calls":  # its place is free again with its end
            await client.delete(f"/v1/videos/{asked.json()['id']}")
            async with asyncio.timeout(WAIT_MAX_S):
                while (await ask(client)).status_code == 429:
                    await asyncio.sleep(0.1)


async def test_an_office_that_dies_alone_goes_on_with_its_films(
    tmp_path: Path, provider: TaskProvider
) -> None:
    provider.polls_until_end = 40
    async with served_node(
        tmp_path, video_config(provider.url, extra=HEADROOM), workers=1, **FAST
    ) as node:
        headers = {"authorization": f"Bearer {KEY}"}
        async with httpx.AsyncClient(base_url=node.url, headers=headers, timeout=15) as client:
            asked = (await ask(client)).json()
            async with asyncio.timeout(WAIT_MAX_S):
                while not provider.tasks:
                    await asyncio.sleep(0.02)
            node.kill("office")
            done = await finished(client, asked["id"])
        assert done["status"] == "completed"
        assert provider.submits == ["replicate"]
        assert len(await calls_of(node.database_url)) == 1
        assert await outstanding(node.database_url) == 0


async def test_one_key_does_not_see_the_films_of_another_user(
    tmp_path: Path, provider: TaskProvider
) -> None:
    other = "other-key-0123456789-0123456789-0123456789"
    extra = '[[key]]\nname = "other"\nkey_env = "OTHER_KEY"\nuser = "bob"\n'
    config = video_config(provider.url, extra=extra)
    async with (
        running_node(tmp_path, config, environment={"OTHER_KEY": other}, **FAST) as node,
        node.client() as client,
    ):
        asked = (await ask(client)).json()
        headers = {"authorization": f"Bearer {other}"}
        found = await client.get(f"/v1/videos/{asked['id']}", headers=headers)
        assert found.status_code == 404


POINTS = (
    "job.before_submit",
    "job.after_submit",
    "job.after_running",
    "job.before_end",
    "job.after_end",
)


@pytest.mark.parametrize("when", POINTS)
async def test_a_film_survives_the_death_of_all_processes_and_is_charged_once(
    tmp_path: Path, provider: TaskProvider, when: str
) -> None:
    await _die_at(when, tmp_path, provider, None)


@pytest.mark.parametrize("when", POINTS)
async def test_the_same_holds_on_postgresql(
    tmp_path: Path, provider: TaskProvider, postgresql_url: str, when: str
) -> None:
    await _die_at(when, tmp_path, provider, postgresql_url)


async def _die_at(
    when: str, folder: Path, provider: TaskProvider, database_url: str | None
) -> None:
    config = video_config(provider.url, extra=HEADROOM)
    async with served_node(
        folder, config, database_url, workers=1, crash_at=f"{when}:1", **FAST
    ) as node:
        headers = {"authorization": f"Bearer {KEY}"}
        async with httpx.AsyncClient(base_url=node.url, headers=headers, timeout=15) as client:
            office = node.pids("office")
            with contextlib.suppress(httpx.TransportError):  # it may die before it has answered
                await ask(client)
            async with asyncio.timeout(WAIT_MAX_S):
                while node.pids("office") == office:  # until it dies there
                    await asyncio.sleep(0.02)
            node.kill_all()
            await node.start(crash_at="")
            (asked,) = (await client.get("/v1/videos")).json()["data"]
            done = await finished(client, asked["id"])
        assert done["status"] == "completed"
        # A submit that may have left is never sent again to the same provider.
        assert provider.submits.count("replicate") <= 1
        rows = await calls_of(node.database_url)
        assert len(rows) == 1
        assert rows[0].charge_nanousd
        assert node.stop() == 0
        assert await outstanding(node.database_url) == 0
