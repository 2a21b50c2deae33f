"""Everything that can be asked for as a job, by whichever way its provider makes it."""

import asyncio
import base64
import json
from collections.abc import AsyncGenerator
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.books import outstanding
from tests.support.node import BUDGET, KEY, Node, config_of, running_node
from tests.support.processes import served_node
from tests.support.raw_provider import RawProvider, answer, reset, running_raw_provider
from tests.support.sandbox_server import running_sandbox
from tests.support.task_provider import TaskProvider, running_task_provider, video_config
from tollbridge.sandbox import Script

FAST: dict[str, Any] = {"job_poll_first_s": 0.05, "job_poll_max_s": 0.1}
WAIT_MAX_S = 60.0
LONG_S = 300.0
READS = 'scopes = ["call", "read"]\n'
PICTURE = base64.b64encode(b"\x89PNG\r\n\x1a\n" + bytes(40)).decode()
MEDIA = (
    '[[route]]\nmodel = "picture"\ncategory = "image"\n'
    'candidates = [ { endpoint = "e1", model = "dall-e-3" }, '
    '{ endpoint = "e2", model = "dall-e-3", priority = 2 } ]\n'
    '[[route]]\nmodel = "voice"\ncategory = "audio"\n'
    'candidates = [ { endpoint = "e1", model = "tts-1" } ]\n'
)


@pytest.fixture
async def raw() -> AsyncGenerator[RawProvider]:
    async with running_raw_provider() as found:
        yield found


@pytest.fixture
async def provider() -> AsyncGenerator[TaskProvider]:
    async with running_task_provider() as found:
        yield found


async def job(client: httpx.AsyncClient, category: str, **fields: Any) -> dict[str, Any]:
    order = {"category": category, "prompt": "a paper boat", "mode": "job", **fields}
    asked = await client.post("/api/v1/generate", json=order)
    assert asked.status_code == 202, asked.text
    return asked.json()


async def ended(client: httpx.AsyncClient, told: dict[str, Any]) -> dict[str, Any]:
    async with asyncio.timeout(WAIT_MAX_S):
        while told.get("status") not in {"COMPLETED", "FAILED"}:
            await asyncio.sleep(0.05)
            try:
                told = (await client.get(f"/api/v1/jobs/{told['job']}")).json()
            except (httpx.TransportError, ValueError):
                continue
    return told


async def attempts_in(node: Node) -> list[tuple[str, str]]:
    async with node.database.read() as unit:
        found = await unit.connection.exec_driver_sql(
            "SELECT endpoint, outcome FROM call_attempts ORDER BY number"
        )
        return [(row.endpoint, row.outcome) for row in found]


@pytest.mark.parametrize("way", ["text", "image", "audio"])
async def test_what_is_answered_at_once_can_be_asked_for_as_a_job(
    tmp_path: Path, raw: RawProvider, way: str
) -> None:
    answers = {
        "image": answer({"created": 1, "data": [{"b64_json": PICTURE}]}),
        "audio": answer(b"ID3 a song", content_type="audio/mpeg"),
    }
    models = {"text": "gpt-4o-mini", "image": "picture", "audio": "voice"}
    results = {
        "text": {"text": "hi"},
        "image": {"imageUrl": f"data:image/png;base64,{PICTURE}"},
        "audio": {"audioUrl": f"data:audio/mpeg;base64,{base64.b64encode(b'ID3 a song').decode()}"},
    }
    if way in answers:
        raw.answers["v1"] = answers[way]
    config = config_of(raw.url, raw.url, extra=MEDIA)
    async with running_node(tmp_path, config, **FAST) as node, node.client() as client:
        told = await ended(client, await job(client, way.upper(), model=models[way]))
        assert (told["status"], told["provider"]) == ("COMPLETED", "p1")
        assert told["result"] == results[way]
        assert await attempts_in(node) == [("e1", "succeeded")]
        page = (await client.get("/api/v1/jobs")).json()
        assert [one["job"] for one in page["jobs"]] == [told["job"]]


async def test_a_job_of_text_is_held_for_and_charged_as_a_call_is(
    tmp_path: Path, raw: RawProvider
) -> None:
    config = config_of(raw.url, extra=BUDGET.format(limit="1"))
    async with running_node(tmp_path, config, **FAST) as node, node.client() as client:
        told = await ended(client, await job(client, "TEXT", model="gpt-4o-mini"))
        assert told["result"] == {"text": "hi"}
        # 10 tokens of input at 0.15 and 3 of output at 0.60 a million.
        async with node.database.read() as unit:
            found = await unit.connection.exec_driver_sql("SELECT charge_nanousd FROM call_details")
            assert found.scalar_one() == 3_300
        assert await outstanding(f"sqlite:///{node.places.database}") == 0
        assert 4096 in json.loads(raw.bodies[0]).values()  # capped by what is held


async def test_a_picture_whose_answer_is_not_seen_is_unknown_and_the_next_is_asked(
    tmp_path: Path, raw: RawProvider
) -> None:
    raw.answers["v1"] = reset
    config = config_of(raw.url, raw.url, extra=MEDIA)
    async with running_node(tmp_path, config, **FAST) as node, node.client() as client:
        order = {"model": "picture", "prompt": "a boat"}
        assert (await client.post("/v1/images/generations", json=order)).status_code == 502
        (call,) = await node.ended(1)
        assert [one.outcome.value for one in call.closed.attempts] == ["unknown", "unknown"]
        told = await ended(client, await job(client, "IMAGE", model="picture"))
        assert told["status"] == "FAILED"
        assert len(raw.received) == 4  # of the call two, of the job two: each was asked once


@pytest.mark.parametrize(
    ("said", "asked"),
    [("final", [("e1", "failed")]), ("fallback", [("e1", "failed"), ("e2", "failed")])],
)
async def test_what_a_filter_refuses_is_asked_of_the_next_only_where_the_route_says_so(
    tmp_path: Path, raw: RawProvider, said: str, asked: list[tuple[str, str]]
) -> None:
    refusal = {"error": {"message": "no", "type": "x", "code": "content_policy_violation"}}
    raw.answers["v1"] = answer(refusal, status=400)
    media = MEDIA.replace('"image"\n', f'"image"\non_content_filtered = "{said}"\n')
    config = config_of(raw.url, raw.url, extra=media)
    async with running_node(tmp_path, config, **FAST) as node, node.client() as client:
        told = await ended(client, await job(client, "IMAGE", model="picture"))
        assert told["status"] == "FAILED"
        assert await attempts_in(node) == asked


async def test_a_task_whose_id_is_ours_is_found_again_though_its_submits_answer_was_lost(
    tmp_path: Path,
) -> None:
    async with running_sandbox() as sandbox:
        sandbox.script(Script(answer_lost=True))
        base_url = sandbox.base_url("runware").removesuffix("/v1")
        config = (
            '[[endpoint]]\nname = "films"\nprovider = "runware"\ndialect = "runware"\n'
            f'base_url = "{base_url}"\napi_key = "sk-test"\n'
            '[[route]]\nmodel = "film"\ncategory = "video"\n'
            'candidates = [ { endpoint = "films", model = "klingai:5@3" } ]\n'
            '[[key]]\nname = "ci"\nkey_env = "CI_KEY"\nuser = "ana"\n'
        )
        async with running_node(tmp_path, config, **FAST) as node, node.client() as client:
            told = await ended(client, await job(client, "VIDEO", model="film"))
            assert told["status"] == "COMPLETED"
            assert await attempts_in(node) == [("films", "succeeded")]
            assert len(sandbox.tasks) == 1


def keys_config(provider: TaskProvider) -> str:
    return video_config(provider.url, extra=READS).replace(
        'api_key = "secret-replicate"', 'api_keys_env = ["KEY_1", "KEY_2"]'
    )


KEYS = {"KEY_1": "first", "KEY_2": "second"}


async def test_the_key_that_began_a_task_looks_at_it(
    tmp_path: Path, provider: TaskProvider
) -> None:
    provider.polls_until_end = 3
    async with (
        running_node(tmp_path, keys_config(provider), environment=KEYS, **FAST) as node,
        node.client() as client,
    ):
        asked = [await job(client, "VIDEO", model="film") for _ in range(2)]
        assert {(await ended(client, one))["status"] for one in asked} == {"COMPLETED"}
    used = [set(keys) for keys in provider.keys_of.values()]
    assert sorted(used, key=str) == [{"Bearer first"}, {"Bearer second"}]


@pytest.mark.parametrize("status", [401, 429])
async def test_a_key_that_is_refused_rests_and_the_job_goes_on_by_another(
    tmp_path: Path, provider: TaskProvider, status: int
) -> None:
    provider.refused_keys = {"Bearer first": status}
    async with (
        running_node(tmp_path, keys_config(provider), environment=KEYS, **FAST) as node,
        node.client() as client,
    ):
        for _ in range(2):
            told = await ended(client, await job(client, "VIDEO", model="film"))
            assert (told["status"], told["provider"]) == ("COMPLETED", "replicate")
        assert provider.submits == ["replicate"] * 3  # once by the first, which then rests
        keys = (await client.get("/api/v1/endpoints/replicate-films")).json()["keys"]
        assert [one["name"] for one in keys if "office" in one["resting"]] == ["KEY_1"]


async def test_what_jobs_find_of_an_endpoint_is_seen_among_the_endpoints_and_in_health(
    tmp_path: Path, provider: TaskProvider
) -> None:
    provider.refuses["replicate"] = 401
    provider.ends["xai"] = "never"
    async with (
        running_node(tmp_path, video_config(provider.url, extra=READS), **FAST) as node,
        node.client() as client,
    ):
        told = await job(client, "VIDEO", model="film")
        async with asyncio.timeout(WAIT_MAX_S):
            while len(provider.submits) < 2:
                await asyncio.sleep(0.02)
        endpoint = (await client.get("/api/v1/endpoints/replicate-films")).json()
        assert endpoint["breakers"] == {"office": "open"}
        health = (await client.get("/healthz")).json()
        assert (health["jobs_under_way"], health["jobs_stuck"]) == (1, 0)
        provider.submits.clear()
        await job(client, "VIDEO", model="film")
        async with asyncio.timeout(WAIT_MAX_S):
            while not provider.submits:
                await asyncio.sleep(0.02)
        assert provider.submits[0] == "xai"  # the broken one stands at the end now
        await client.delete(told["status_url"])


async def test_work_that_is_billed_by_its_time_is_held_for_up_to_its_time_out(
    tmp_path: Path, provider: TaskProvider
) -> None:
    config = video_config(provider.url, second="", extra=BUDGET.format(limit="20")).replace(
        'rates = { video_second = "0.02", compute_second = "0.01" }',
        'rates = { compute_second = "0.01" }',
    )
    async with running_node(tmp_path, config, **FAST) as node, node.client() as client:
        told = await ended(client, await job(client, "VIDEO", model="film"))
        assert told["status"] == "COMPLETED"  # 1800 s at 0.01 were free
        async with node.database.read() as unit:
            found = await unit.connection.exec_driver_sql("SELECT charge_nanousd FROM call_details")
            assert found.scalar_one() == 25_000_000
        assert await outstanding(f"sqlite:///{node.places.database}") == 0


async def test_a_job_of_text_that_died_under_way_is_not_sent_again_to_the_same_provider(
    tmp_path: Path, raw: RawProvider
) -> None:
    config = config_of(f"{raw.url}/one", f"{raw.url}/two", extra=BUDGET.format(limit="1"))

    async def never(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(LONG_S)

    raw.answers["one"] = never
    async with served_node(tmp_path, config, workers=1, **FAST) as node:
        headers = {"authorization": f"Bearer {KEY}"}
        async with httpx.AsyncClient(base_url=node.url, headers=headers, timeout=15) as client:
            asked = await job(client, "TEXT", model="gpt-4o-mini")
            async with asyncio.timeout(WAIT_MAX_S):
                while not raw.received:
                    await asyncio.sleep(0.02)
            node.kill_all()
            await node.start()
            told = await ended(client, asked)
        assert (told["status"], told["provider"]) == ("COMPLETED", "p2")
        assert len([one for one in raw.received if b" /one/" in one[:100]]) == 1
        assert node.stop() == 0
        assert await outstanding(node.database_url) == 0


async def test_jobs_are_listed_shown_and_cancelled_from_the_command_line(
    tmp_path: Path, raw: RawProvider
) -> None:
    async def never(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(LONG_S)

    raw.answers["v1"] = never
    async with served_node(tmp_path, config_of(raw.url), workers=1, **FAST) as node:
        headers = {"authorization": f"Bearer {KEY}"}
        async with httpx.AsyncClient(base_url=node.url, headers=headers, timeout=15) as client:
            asked = await job(client, "TEXT", model="gpt-4o-mini")
            listed = json.loads(node.command("jobs", "list", "--unfinished", "--json").stdout)
            assert [one["job"] for one in listed] == [asked["job"]]
            assert "1 under way" in node.command("doctor").stdout
            assert asked["job"][:8] in node.command("jobs", "list").stdout
            assert node.command("jobs", "cancel", asked["job"]).returncode == 0
            told = await ended(client, asked)
            assert told["error"]["code"] == "cancelled"
            shown = node.command("jobs", "show", asked["job"]).stdout
            assert "cancelled" in shown
            assert "paper boat" not in shown
