"""Tasks of every provider that has them: submitted, polled, ended, stopped, and billed once."""

import asyncio
from typing import Any, NamedTuple

import pytest

from tests.support.asked import Reply, ask
from tollbridge.core.clock import ManualClock
from tollbridge.sandbox import Sandbox, Script
from tollbridge.sandbox.webhooks import sign


class Door(NamedTuple):
    """How a provider's tasks are submitted and polled; where in a body is what."""

    submit: str
    body: dict[str, Any]
    address: str
    name_at: str
    status_at: str
    output_at: str
    running: str
    done: str
    failed: str
    units: dict[str, int]

    def poll(self, submitted: Any) -> str:
        return self.address.format(at(submitted, self.name_at))

    def status(self, body: Any) -> str:
        return at(body, self.status_at)

    def output(self, body: Any) -> str | None:
        return at(body, self.output_at)


def at(body: Any, path: str) -> Any:
    """Return what stands there, None for nothing."""
    for name in path.split("."):
        if not body:
            return None
        body = body[int(name)] if name.isdecimal() else body.get(name)
    return body


DOORS = {
    "openai": Door(
        "/v1/videos",
        {"prompt": "a boat", "seconds": "4"},
        "/v1/videos/{}",
        "id",
        "status",
        "id",
        "in_progress",
        "completed",
        "failed",
        {"video": 1, "video_ms": 4000},
    ),
    "wavespeed": Door(
        "/wavespeed/api/v3/alibaba/wan-2.5/text-to-video",
        {"prompt": "a boat", "duration": 5},
        "/wavespeed/api/v3/predictions/{}/result",
        "data.id",
        "data.status",
        "data.outputs.0",
        "processing",
        "completed",
        "failed",
        {"video": 1, "video_ms": 5000},
    ),
    "replicate": Door(
        "/replicate/v1/models/black-forest-labs/flux-schnell/predictions",
        {"input": {"prompt": "a boat", "num_outputs": 2}},
        "/replicate/v1/predictions/{}",
        "id",
        "status",
        "output.0",
        "processing",
        "succeeded",
        "failed",
        {"image": 2},
    ),
    "piapi": Door(
        "/piapi/api/v1/task",
        {"model": "kling", "task_type": "video_generation", "input": {"prompt": "a boat"}},
        "/piapi/api/v1/task/{}",
        "data.task_id",
        "data.status",
        "data.output.video_url",
        "processing",
        "Completed",
        "failed",
        {"video": 1, "video_ms": 5000},
    ),
    "aimlapi": Door(
        "/aimlapi/v2/video/generations",
        {"model": "alibaba/wan2.5-t2v-preview", "prompt": "a boat", "duration": 5},
        "/aimlapi/v2/video/generations?generation_id={}",
        "id",
        "status",
        "video.url",
        "generating",
        "completed",
        "error",
        {"video": 1, "video_ms": 5000},
    ),
    "xai": Door(
        "/xai/v1/videos/generations",
        {"prompt": "a boat", "duration": 6},
        "/xai/v1/videos/{}",
        "request_id",
        "status",
        "video.url",
        "pending",
        "done",
        "failed",
        {"video": 1, "video_ms": 6000},
    ),
}
ALL = sorted(DOORS)


async def submitted(app: Sandbox, door: Door, script: dict[str, Any] | None = None) -> Reply:
    return await ask(app, door.submit, door.body, script=script)


@pytest.mark.parametrize("name", ALL)
async def test_a_task_runs_and_ends_with_a_file_that_is_there(name: str) -> None:
    app, door = Sandbox(), DOORS[name]
    first = await submitted(app, door)
    path = door.poll(first.json)
    assert door.status((await ask(app, path)).json) == door.running
    body = (await ask(app, path)).json
    assert door.status(body) == door.done
    output = door.output(body)
    assert output
    if "/sandbox/files/" in output:
        assert (await ask(app, output.removeprefix("http://sandbox.test"))).body
    assert app.log[0].units == app.tally.units == door.units
    assert app.log[0].task_id == app.tasks[0].id


@pytest.mark.parametrize("name", ALL)
async def test_polling_again_and_again_bills_nothing_more(name: str) -> None:
    app, door = Sandbox(), DOORS[name]
    path = door.poll((await submitted(app, door)).json)
    for _ in range(4):
        await ask(app, path)
    assert app.tally.units == door.units


@pytest.mark.parametrize("name", ALL)
async def test_a_task_that_fails_says_so_and_bills_nothing(name: str) -> None:
    app, door = Sandbox(), DOORS[name]
    path = door.poll((await submitted(app, door, {"task": "fails", "task_polls": 0})).json)
    assert door.status((await ask(app, path)).json) == door.failed
    assert app.tally.units == {}


@pytest.mark.parametrize("name", ALL)
async def test_a_task_that_never_ends_runs_on(name: str) -> None:
    app, door = Sandbox(), DOORS[name]
    path = door.poll((await submitted(app, door, {"task": "never"})).json)
    states = {door.status((await ask(app, path)).json) for _ in range(5)}
    assert states == {door.running}


@pytest.mark.parametrize("name", ALL)
async def test_a_running_task_may_say_a_word_that_nobody_knows(name: str) -> None:
    app, door = Sandbox(), DOORS[name]
    path = door.poll((await submitted(app, door, {"task_status": "Warming_Up"})).json)
    assert door.status((await ask(app, path)).json) == "Warming_Up"
    assert door.status((await ask(app, path)).json) == door.done


@pytest.mark.parametrize("name", ALL)
async def test_the_first_polls_may_be_refused(name: str) -> None:
    app, door = Sandbox(), DOORS[name]
    script = {"poll_errors": 2, "poll_status": 502, "task_polls": 0}
    path = door.poll((await submitted(app, door, script)).json)
    assert [(await ask(app, path)).status for _ in range(3)] == [502, 502, 200]


@pytest.mark.parametrize("name", ALL)
async def test_a_task_whose_answer_is_lost_was_accepted_and_is_billed(name: str) -> None:
    app, door = Sandbox(), DOORS[name]
    lost = await submitted(app, door, {"answer_lost": True})
    assert (lost.status, lost.entry.outcome) == (0, "cut")
    assert len(app.tasks) == 1
    assert app.tally.units == door.units


@pytest.mark.parametrize("name", ALL)
async def test_a_task_may_end_with_nothing_to_show(name: str) -> None:
    app, door = Sandbox(), DOORS[name]
    script = {"task_outputs": "empty", "task_polls": 0}
    path = door.poll((await submitted(app, door, script)).json)
    body = (await ask(app, path)).json
    assert door.status(body) == door.done
    if name != "openai":
        assert not door.output(body)
    else:
        assert (await ask(app, f"{path}/content")).status == 404


@pytest.mark.parametrize("name", [name for name in ALL if name != "openai"])
async def test_the_address_of_an_output_may_have_expired(name: str) -> None:
    app, door = Sandbox(), DOORS[name]
    path = door.poll((await submitted(app, door, {"task_outputs": "gone", "task_polls": 0})).json)
    url = door.output((await ask(app, path)).json) or ""
    assert (await ask(app, url.removeprefix("http://sandbox.test"))).status == 404


@pytest.mark.parametrize("name", ALL)
async def test_an_unknown_task_is_a_404(name: str) -> None:
    app, door = Sandbox(), DOORS[name]
    path = door.poll((await submitted(app, door)).json)
    app.reset()
    reply = await ask(app, path)
    assert reply.status == 404
    assert app.tally.units == {}


async def test_a_task_takes_the_seconds_that_its_script_says() -> None:
    clock = ManualClock()
    app, door = Sandbox(clock=clock), DOORS["wavespeed"]
    path = door.poll((await submitted(app, door, {"task_s": 30, "task_polls": 0})).json)
    assert door.status((await ask(app, path)).json) == "processing"
    clock.advance(30)
    assert door.status((await ask(app, path)).json) == "completed"


async def test_a_queued_fault_meets_no_poll_unless_it_is_for_polls() -> None:
    app, door = Sandbox(), DOORS["xai"]
    path = door.poll((await submitted(app, door)).json)
    app.scripts.push([Script(status=500), Script(status=504, operation="poll")])
    assert (await ask(app, path)).status == 504
    assert (await ask(app, path)).status == 200
    assert (await submitted(app, door)).status == 500


async def test_a_prediction_that_is_cancelled_costs_the_time_it_took() -> None:
    app, door = Sandbox(), DOORS["replicate"]
    path = door.poll((await submitted(app, door, {"task_polls": 5})).json)
    await ask(app, path)
    body = (await ask(app, f"{path}/cancel", {})).json
    assert (body["status"], body["metrics"]["predict_time"]) == ("canceled", 1.0)
    assert app.tally.units == {"image": 0, "compute_ms": 1000}
    assert app.log[0].units == {"compute_ms": 1000}


async def test_a_prediction_that_had_not_begun_is_aborted_for_nothing() -> None:
    app, door = Sandbox(), DOORS["replicate"]
    path = door.poll((await submitted(app, door)).json)
    assert (await ask(app, f"{path}/cancel", {})).json["status"] == "aborted"
    assert app.log[0].units == {}


async def test_prefer_wait_answers_with_the_end() -> None:
    door = DOORS["replicate"]
    reply = await ask(Sandbox(), door.submit, door.body, headers={"prefer": "wait=30"})
    assert (reply.status, reply.json["status"]) == (201, "succeeded")
    assert reply.json["metrics"]["image_output_count"] == 2
    script = {"task": "never"}
    late = await ask(Sandbox(), door.submit, door.body, headers={"prefer": "wait"}, script=script)
    assert late.status == 202


async def test_data_that_was_removed_is_null() -> None:
    app, door = Sandbox(), DOORS["replicate"]
    script = {"task_outputs": "removed", "task_polls": 0}
    body = (await ask(app, door.poll((await submitted(app, door, script)).json))).json
    assert (body["status"], body["data_removed"], body["output"]) == ("succeeded", True, None)


async def test_sync_mode_that_takes_too_long_goes_on_and_is_billed() -> None:
    app, door = Sandbox(), DOORS["wavespeed"]
    body = door.body | {"enable_sync_mode": True}
    reply = await ask(app, door.submit, body, script={"task_s": 60})
    assert (reply.status, reply.json["code"]) == (200, 5004)
    assert reply.json["data"]["status"] == "processing"
    assert app.tally.units == door.units


async def test_the_points_of_a_failed_task_come_back() -> None:
    app, door = Sandbox(), DOORS["piapi"]
    first = await submitted(app, door, {"task": "fails", "task_polls": 0})
    assert first.json["data"]["meta"]["usage"] == {
        "type": "point",
        "frozen": 2_000_000,
        "consume": 0,
    }
    body = (await ask(app, door.poll(first.json))).json
    assert body["data"]["meta"]["usage"]["frozen"] == 0
    assert body["data"]["error"]["code"] != 0
    assert app.tally.billed_usd == 0


async def test_a_webhook_comes_twice_and_is_signed() -> None:
    got: list[tuple[dict[str, str], bytes]] = []

    async def hook(reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        head = (await reader.readuntil(b"\r\n\r\n")).decode().split("\r\n")[1:]
        headers = dict(line.split(": ", 1) for line in head if line)
        got.append((headers, await reader.readexactly(int(headers["content-length"]))))
        writer.write(b"HTTP/1.1 204 No Content\r\n\r\n")
        writer.close()

    server = await asyncio.start_server(hook, "127.0.0.1", 0)
    async with server:
        port = server.sockets[0].getsockname()[1]
        door = DOORS["replicate"]
        body = door.body | {"webhook": f"http://127.0.0.1:{port}/hook"}
        await ask(Sandbox(), door.submit, body)
        assert got == []
        await ask(Sandbox(), door.submit, body, script={"webhook": "twice"})
        await ask(Sandbox(), door.submit, body, script={"webhook": "bad_signature"})
    good, again, bad = got
    assert good == again
    for (headers, data), genuine in ((good, True), (bad, False)):
        stamp = int(headers["webhook-timestamp"])
        signature = sign(headers["webhook-id"], stamp, data)
        assert (headers["webhook-signature"] == signature) is genuine
        assert b'"succeeded"' in data
