"""Tasks as providers speak of them: bodies after their documentation, read into one language."""

from typing import Any

import msgspec
import pytest

from tollbridge.core.call import ErrorClass, Operation
from tollbridge.core.plan import Endpoint
from tollbridge.providers.dialects.tasks.asked import asked, demand_of
from tollbridge.providers.dialects.tasks.every import every_task_wire
from tollbridge.providers.request import MalformedAnswerError, Request
from tollbridge.providers.wire import TaskState, TaskStatus, TaskWire, UntranslatableError

FILM = Operation.VIDEO_GENERATION
PICTURE = Operation.IMAGE_GENERATION
SPEECH = Operation.AUDIO_SPEECH


def request_of(operation: Operation = FILM, **fields: Any) -> Request:
    name = "input" if operation is SPEECH else "prompt"
    body = msgspec.json.encode({name: "a paper boat", **fields})
    request = Request(operation, body, "film")
    return msgspec.structs.replace(request, demand=demand_of(asked(request), operation))


def endpoint_of(dialect: str, *quirks: str) -> Endpoint:
    return Endpoint(dialect, dialect, dialect, "https://p.example/v1", "secret", quirks=quirks)


def submitted(dialect: str, request: Request, model: str = "m", *quirks: str) -> tuple[str, Any]:
    outgoing = wire(dialect).submit(request, endpoint_of(dialect, *quirks), model)
    return outgoing.target, msgspec.json.decode(outgoing.body)


def polled(dialect: str, answer: Any, request: Request | None = None) -> TaskState:
    body = msgspec.json.encode(answer)
    return wire(dialect).read_polled(request or request_of(seconds="5"), "t1", {}, body)


def wire(dialect: str) -> TaskWire:
    return every_task_wire()[dialect]


def wavespeed_answer(**data: Any) -> dict[str, Any]:
    return {"code": 200, "message": "success", "data": {"id": "t1", **data}}


def test_wavespeed_is_asked_at_the_models_own_address_with_size_and_length() -> None:
    target, body = submitted(
        "wavespeed",
        request_of(seconds="5", resolution="1080p", seed=7),
        "alibaba/wan-2.5/text-to-video",
    )
    assert target == "/alibaba/wan-2.5/text-to-video"
    assert body == {"prompt": "a paper boat", "size": "1920*1080", "duration": 5, "seed": 7}


def test_wavespeeds_film_is_counted_by_what_was_asked_since_no_answer_says_it() -> None:
    answer = wavespeed_answer(
        model="alibaba/wan-2.5/text-to-video",
        status="completed",
        outputs=["https://w.example/1.mp4"],
        timings={"inference": 48213},
    )
    state = polled("wavespeed", answer, request_of(seconds="10", size="832x480"))
    assert state.status is TaskStatus.SUCCEEDED
    assert state.given is not None
    assert state.given.outputs[0].url == "https://w.example/1.mp4"
    assert state.given.counts == {"video": 1, "video_ms": 10_000}
    assert state.given.facts == {"duration_s": "10", "size": "832x480", "resolution": "480p"}
    assert state.given.answer.served_model == "alibaba/wan-2.5/text-to-video"


def test_wavespeeds_refusal_inside_a_200_is_a_refusal() -> None:
    body = msgspec.json.encode({"code": 402, "message": "insufficient balance"})
    state = wire("wavespeed").read_submitted(request_of(), {}, body)
    assert state.status is TaskStatus.FAILED
    assert state.refusal is not None
    assert state.refusal.error_class is ErrorClass.INSUFFICIENT_FUNDS


def test_a_task_that_wavespeed_could_not_wait_for_runs_on() -> None:
    answer = {"code": 5004, "message": "timeout", "data": {"id": "t1", "status": "processing"}}
    state = wire("wavespeed").read_submitted(request_of(), {}, msgspec.json.encode(answer))
    assert (state.task_id, state.status) == ("t1", TaskStatus.RUNNING)


@pytest.mark.parametrize(
    ("model", "target", "more"),
    [
        (
            "black-forest-labs/flux-schnell",
            "/models/black-forest-labs/flux-schnell/predictions",
            {},
        ),
        ("owner/name:" + "a" * 64, "/predictions", {"version": "a" * 64}),
        ("deployments/owner/name", "/deployments/owner/name/predictions", {}),
    ],
)
def test_replicate_is_asked_where_its_kind_of_model_is(
    model: str, target: str, more: dict[str, Any]
) -> None:
    found, body = submitted("replicate", request_of(PICTURE, n=2, size="1024x1024"), model)
    assert found == target
    inputs = body.pop("input")
    assert body == more
    assert inputs["prompt"] == "a paper boat"
    assert (inputs["width"], inputs["height"], inputs["num_outputs"]) == (1024, 1024, 2)


def test_replicates_own_measures_outrank_what_was_asked() -> None:
    answer = {
        "id": "t1",
        "model": "kwaivgi/kling-v2",
        "status": "succeeded",
        "output": "https://r.example/out.mp4",
        "metrics": {
            "predict_time": 120.5,
            "video_output_count": 1,
            "video_output_duration_seconds": 5.04,
            "resolution_target": "720P",
            "with_audio": False,
        },
    }
    state = polled("replicate", answer, request_of(seconds="5"))
    assert state.given is not None
    assert state.given.counts == {"video": 1, "video_ms": 5040, "compute_ms": 120_500}
    assert state.given.facts == {"duration_s": "5", "resolution": "720p", "audio": "false"}
    assert state.given.answer.usage == answer["metrics"]


@pytest.mark.parametrize(
    ("status", "version", "counts"),
    [
        ("failed", "a" * 64, {"compute_ms": 2500}),
        ("canceled", "a" * 64, {"compute_ms": 2500}),
        ("aborted", "a" * 64, {}),
        ("failed", "hidden", {}),
    ],
)
def test_replicate_bills_the_time_of_what_failed_but_not_of_its_official_models(
    status: str, version: str, counts: dict[str, int]
) -> None:
    answer = {
        "id": "t1",
        "status": status,
        "version": version,
        "error": "out of memory",
        "metrics": {"predict_time": 2.5},
    }
    state = polled("replicate", answer)
    assert state.status in {TaskStatus.FAILED, TaskStatus.CANCELLED}
    assert state.counts == counts


def test_what_replicate_has_deleted_already_was_made_and_is_lost() -> None:
    answer = {"id": "t1", "status": "succeeded", "output": None, "data_removed": True}
    assert polled("replicate", answer).status is TaskStatus.FAILED


def piapi_answer(**data: Any) -> dict[str, Any]:
    return {"code": 200, "message": "success", "data": {"task_id": "t1", **data}}


def test_piapi_is_asked_by_model_and_kind_of_task() -> None:
    target, body = submitted("piapi", request_of(seconds="10", size="1280x720"), "kling")
    assert target == "/api/v1/task"
    assert (body["model"], body["task_type"]) == ("kling", "video_generation")
    assert body["input"] == {
        "prompt": "a paper boat",
        "duration": 10,
        "aspect_ratio": "16:9",
        "resolution": "720p",
    }
    _, body = submitted("piapi", request_of(PICTURE), "Qubico/flux1-schnell")
    assert body["task_type"] == "txt2img"
    _, body = submitted("piapi", request_of(), "luma extend_video")
    assert (body["model"], body["task_type"]) == ("luma", "extend_video")


@pytest.mark.parametrize(
    "output",
    [
        {"works": [{"video": {"resource_without_watermark": "https://k.example/1.mp4"}}]},
        {"video_url": "https://k.example/1.mp4"},
        {"video_raw": {"url": "https://k.example/1.mp4"}},
        {"video": "https://k.example/1.mp4"},
        {"image_url": "https://k.example/1.mp4", "image_urls": None},
        {"image_urls": ["https://k.example/1.mp4"]},
    ],
)
def test_piapis_output_is_found_wherever_its_models_put_it(output: dict[str, Any]) -> None:
    answer = piapi_answer(
        status="COMPLETED",
        output=output,
        meta={"usage": {"type": "point", "frozen": 20000, "consume": 20000}},
    )
    state = polled("piapi", answer)
    assert state.given is not None
    assert [one.url for one in state.given.outputs] == ["https://k.example/1.mp4"]
    assert state.given.answer.usage == {"type": "point", "frozen": 20000, "consume": 20000}


def test_a_task_that_failed_at_piapi_gives_back_what_was_frozen() -> None:
    answer = piapi_answer(
        status="Failed",
        error={"code": 10000, "message": "content moderation", "raw_message": ""},
        meta={"usage": {"frozen": 20000, "consume": 0}},
    )
    state = polled("piapi", answer)
    assert state.status is TaskStatus.FAILED
    assert (state.usage, state.counts) == (None, {})


def test_aimlapi_is_asked_above_its_v1_and_says_its_charge_from_the_start() -> None:
    outgoing = wire("aimlapi").submit(request_of(seconds="5"), endpoint_of("aimlapi"), "wan")
    assert (outgoing.target, outgoing.above) == ("/v2/video/generations", 1)
    body = {"id": "u:wan", "status": "queued", "meta": {"usage": {"credits_used": 1_050_000}}}
    state = wire("aimlapi").read_submitted(request_of(), {}, msgspec.json.encode(body))
    assert (state.task_id, state.status) == ("u:wan", TaskStatus.RUNNING)
    assert wire("aimlapi").poll("u:wan").target == ("/v2/video/generations?generation_id=u%3Awan")
    done = {**body, "status": "completed", "video": {"url": "https://a.example/1.mp4"}}
    state = polled("aimlapi", done)
    assert state.given is not None
    assert state.given.answer.usage == {"credits_used": 1_050_000}
    assert state.given.counts == {"video": 1, "video_ms": 5000}


def test_a_film_that_failed_at_aimlapi_is_free() -> None:
    body = {
        "id": "t1",
        "status": "error",
        "error": {"message": "no"},
        "meta": {"usage": {"credits_used": 5}},
    }
    state = polled("aimlapi", body)
    assert state.status is TaskStatus.FAILED
    assert (state.usage, state.counts) == (None, {})


def test_xais_film_has_the_length_that_was_made_and_the_charge_in_ticks() -> None:
    answer = {
        "status": "done",
        "model": "grok-imagine-video",
        "video": {"url": "https://x.example/1.mp4", "duration": 6, "respect_moderation": True},
        "usage": {"cost_in_usd_ticks": 3_000_000_000},
    }
    state = polled("xai", answer, request_of(resolution="720p"))
    assert state.given is not None
    assert state.given.counts == {"video": 1, "video_ms": 6000}
    assert state.given.facts == {"duration_s": "6", "resolution": "720p"}
    assert state.given.answer.usage == {"cost_in_usd_ticks": 3_000_000_000}
    pending = polled("xai", {"status": "pending", "progress": 40})
    assert (pending.status, pending.progress_percent) == (TaskStatus.RUNNING, 40)
    assert polled("xai", {"status": "expired"}).status is TaskStatus.FAILED


def test_openai_takes_seconds_as_text_and_only_its_own_lengths_and_sizes() -> None:
    target, body = submitted("openai", request_of(seconds=8, size="1280x720"), "sora-2")
    assert target == "/videos"
    assert body == {
        "model": "sora-2",
        "prompt": "a paper boat",
        "seconds": "8",
        "size": "1280x720",
    }
    wrong: tuple[dict[str, Any], ...] = ({"seconds": "5"}, {"size": "640x480"})
    for fields in wrong:
        with pytest.raises(UntranslatableError):
            submitted("openai", request_of(**fields), "sora-2")
    _, body = submitted("openai", request_of(seconds="5"), "m", "any_video")
    assert body["duration"] == 5


def test_openais_film_lies_behind_the_key_and_is_billed_by_its_seconds() -> None:
    answer = {
        "id": "video_1",
        "object": "video",
        "status": "completed",
        "progress": 100,
        "model": "sora-2",
        "size": "1280x720",
        "seconds": "8",
        "error": None,
    }
    state = wire("openai").read_polled(
        request_of(seconds="8"), "video_1", {}, msgspec.json.encode(answer)
    )
    assert state.given is not None
    assert state.given.outputs[0].url == "/videos/video_1/content"
    assert state.given.counts == {"video": 1, "video_ms": 8000}
    assert state.given.facts["size"] == "1280x720"


def test_openais_moderation_is_told_as_such() -> None:
    answer = {
        "id": "t1",
        "status": "failed",
        "error": {"code": "content_policy_violation", "message": "no"},
    }
    state = polled("openai", answer)
    assert state.refusal is not None
    assert state.refusal.error_class is ErrorClass.CONTENT_FILTERED


def test_openrouters_words_for_the_same_are_read_too() -> None:
    answer = {
        "id": "job-1",
        "status": "completed",
        "unsigned_urls": ["https://o.example/1.mp4"],
        "usage": {"cost": 0.5, "is_byok": False},
    }
    state = polled("openai", answer)
    assert state.given is not None
    assert state.given.outputs[0].url == "https://o.example/1.mp4"
    assert state.given.answer.usage == {"cost": 0.5, "is_byok": False}


def test_veo_is_a_long_running_operation() -> None:
    target, body = submitted(
        "gemini", request_of(seconds="8", aspect_ratio="9:16"), "veo-3.1-generate-preview"
    )
    assert target == "/models/veo-3.1-generate-preview:predictLongRunning"
    assert body["parameters"] == {
        "durationSeconds": 8,
        "resolution": "720p",
        "sampleCount": 1,
        "aspectRatio": "9:16",
    }
    name = "models/veo-3.1-generate-preview/operations/abc"
    assert wire("gemini").poll(name).target == f"/{name}"
    state = wire("gemini").read_submitted(request_of(), {}, msgspec.json.encode({"name": name}))
    assert (state.task_id, state.status) == (name, TaskStatus.RUNNING)


def test_veos_samples_are_billed_and_what_its_filters_held_back_is_not() -> None:
    film = {"video": {"uri": "https://g.example/v1beta/files/x:download?alt=media"}}
    answer = {
        "name": "o",
        "done": True,
        "response": {"generateVideoResponse": {"generatedSamples": [film]}},
    }
    state = polled("gemini", answer, request_of(resolution="1080p"))
    assert state.given is not None
    assert state.given.counts == {"video": 1, "video_ms": 8000}
    assert state.given.facts == {"duration_s": "8", "resolution": "1080p"}
    held = {"raiMediaFilteredCount": 1, "raiMediaFilteredReasons": ["a face"]}
    filtered = {"name": "o", "done": True, "response": {"generateVideoResponse": held}}
    state = polled("gemini", filtered)
    assert state.refusal is not None
    assert state.refusal.error_class is ErrorClass.CONTENT_FILTERED
    assert state.counts == {}
    broken = {"name": "o", "done": True, "error": {"code": 3, "message": "bad prompt"}}
    assert polled("gemini", broken).status is TaskStatus.FAILED


def test_veo_takes_an_images_bytes_and_not_its_address() -> None:
    _, body = submitted("gemini", request_of(image="data:image/png;base64,AAAA"), "veo")
    assert body["instances"][0]["image"] == {
        "bytesBase64Encoded": "AAAA",
        "mimeType": "image/png",
    }
    with pytest.raises(UntranslatableError):
        submitted("gemini", request_of(image="https://i.example/1.png"), "veo")


def test_runwares_task_has_an_id_of_ours_so_that_it_can_be_asked_after() -> None:
    outgoing = wire("runware").submit(
        request_of(seconds="5"), endpoint_of("runware"), "klingai:5@3"
    )
    (task,) = msgspec.json.decode(outgoing.body)
    assert task["taskUUID"] == outgoing.task_id
    assert (task["taskType"], task["deliveryMethod"]) == ("videoInference", "async")
    (asking,) = msgspec.json.decode(wire("runware").poll(outgoing.task_id).body)
    assert asking == {"taskType": "getResponse", "taskUUID": outgoing.task_id}


def test_runware_says_what_it_charges_for_each_output() -> None:
    parts = [
        {"taskUUID": "t1", "imageURL": "https://im.example/1.jpg", "cost": 0.0006},
        {"taskUUID": "t1", "imageURL": "https://im.example/2.jpg", "cost": 0.0006},
    ]
    state = wire("runware").read_submitted(
        request_of(PICTURE, n=2), {}, msgspec.json.encode({"data": parts})
    )
    assert state.given is not None
    assert state.given.counts["image"] == 2
    assert state.given.answer.usage == {"cost": "0.0012"}
    errors = {"errors": [{"code": "invalidModel", "message": "no such model"}]}
    assert polled("runware", errors).status is TaskStatus.FAILED


@pytest.mark.parametrize(
    ("dialect", "answer"),
    [
        ("wavespeed", wavespeed_answer(status="pondering")),
        ("replicate", {"id": "t1", "status": "booting"}),
        ("piapi", piapi_answer(status="REVIEWING")),
        ("aimlapi", {"id": "t1", "status": "polishing"}),
        ("xai", {"status": "moderating"}),
        ("openai", {"id": "t1", "status": "remixing"}),
        ("gemini", {"name": "o"}),
        ("runware", {"data": [{"taskUUID": "t1", "status": "queued"}]}),
    ],
)
def test_a_word_that_is_not_known_means_running(dialect: str, answer: Any) -> None:
    assert polled(dialect, answer).status is TaskStatus.RUNNING


@pytest.mark.parametrize(
    ("dialect", "answer"),
    [
        ("wavespeed", wavespeed_answer(status="completed", outputs=[])),
        ("replicate", {"id": "t1", "status": "succeeded", "output": []}),
        ("piapi", piapi_answer(status="Completed", output={})),
        ("aimlapi", {"id": "t1", "status": "completed", "video": None}),
        ("xai", {"status": "done", "video": {}}),
    ],
)
def test_what_is_done_and_made_nothing_failed(dialect: str, answer: Any) -> None:
    assert polled(dialect, answer).status is TaskStatus.FAILED


@pytest.mark.parametrize("dialect", sorted(every_task_wire()))
@pytest.mark.parametrize("body", [b"", b"null", b"[]", b"{}", b"<html>", b'{"id":7}'])
def test_an_answer_to_a_submit_that_names_no_task_is_malformed(dialect: str, body: bytes) -> None:
    with pytest.raises(MalformedAnswerError):
        wire(dialect).read_submitted(request_of(), {}, body)


@pytest.mark.parametrize("dialect", sorted(every_task_wire()))
def test_a_length_that_nobody_makes_is_refused_before_it_is_sent(dialect: str) -> None:
    with pytest.raises(UntranslatableError):
        wire(dialect).submit(request_of(seconds="5.5"), endpoint_of(dialect), "m")
