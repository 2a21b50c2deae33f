"""How does PiAPI take tasks in and give them back?

Source: the vendor's MCP server and API pages. One envelope for every model; what stands in `output`
differs by model. A model is named as "MODEL" or as "MODEL TASK_TYPE" ("kling video_generation").
Points are billed (`meta.usage.consume`); what a point is worth in dollars is not confirmed, so that
they stand in the usage and are not turned into money.
"""

from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import quote

import msgspec

from tollbridge.core.call import Operation
from tollbridge.core.plan import Endpoint
from tollbridge.core.usage import Unit
from tollbridge.providers.dialects.tasks.asked import Asked, asked, facts_of
from tollbridge.providers.dialects.tasks.base import MEDIA, EnvelopedTasks
from tollbridge.providers.dialects.tasks.reading import (
    JsonObject,
    film,
    inner,
    items,
    links,
    made,
    refused,
    status_of,
    succeeded,
    text,
)
from tollbridge.providers.request import Request
from tollbridge.providers.wire import Outgoing, Output, TaskState, TaskStatus, UntranslatableError

WORDS: Mapping[str, TaskStatus] = {
    "pending": TaskStatus.RUNNING,
    "staged": TaskStatus.RUNNING,
    "processing": TaskStatus.RUNNING,
    "completed": TaskStatus.SUCCEEDED,
    "failed": TaskStatus.FAILED,
    "deleted": TaskStatus.CANCELLED,
    "cancelled": TaskStatus.CANCELLED,
}
OWN_MODELS = "Qubico/"
SECONDS_DEFAULT = 5
SECONDS = frozenset({5, 10})
TASKS = "/api/v1/task"


class PiapiTasks(EnvelopedTasks):
    """PiAPI's tasks."""

    name = "piapi"
    makes = MEDIA
    id_fields = ("task_id",)
    codes = frozenset({None, 0, 200})

    def submit(self, request: Request, endpoint: Endpoint, model: str) -> Outgoing:
        """Return the request that begins the task."""
        del endpoint
        wanted = asked(request)
        name, _, task_type = model.partition(" ")
        is_own = name.startswith(OWN_MODELS)
        inputs: JsonObject = {"prompt": wanted.prompt}
        if request.operation is Operation.VIDEO_GENERATION:
            task_type = task_type or ("txt2video" if is_own else "video_generation")
            inputs |= _film_inputs(wanted)
        elif request.operation is Operation.IMAGE_GENERATION:
            task_type = task_type or "txt2img"
            inputs |= {
                "width": wanted.width or 1024,
                "height": wanted.height or 1024,
                "batch_size": wanted.count,
            }
        else:
            task_type = task_type or "generate_music"
            inputs["gpt_description_prompt"] = wanted.prompt
        if wanted.negative_prompt is not None:
            inputs["negative_prompt"] = wanted.negative_prompt
        if wanted.seed is not None:
            inputs["seed"] = wanted.seed
        body: JsonObject = {
            "model": name,
            "task_type": task_type,
            "input": inputs | wanted.more,
            "config": {"service_mode": "public"},
        }
        return Outgoing(TASKS, msgspec.json.encode(body))

    def poll(self, task_id: str) -> Outgoing:
        """Return the request that asks after the task."""
        return Outgoing(f"{TASKS}/{quote(task_id, safe='')}", method=b"GET")

    def cancel(self, task_id: str) -> Outgoing | None:
        """Return the request that cancels the task; it helps only while the task waits."""
        return Outgoing(f"{TASKS}/{quote(task_id, safe='')}", method=b"DELETE")

    def state(self, request: Request, identity: str, answer: JsonObject) -> TaskState:
        """Return how a task stands. Raises MalformedAnswerError."""
        status = status_of(answer.get("status"), WORDS)
        if status is TaskStatus.RUNNING:
            return TaskState(identity, status)
        usage = inner(answer, "meta", "usage") or None
        if status is not TaskStatus.SUCCEEDED:
            # What was frozen of a failed task is given back.
            error = inner(answer, "error")
            said = text(error, "message", "raw_message")
            refusal = None if status is TaskStatus.CANCELLED else refused(said)
            return TaskState(identity, status, refusal=refusal)
        outputs = _outputs(inner(answer, "output"))
        wanted = asked(request)
        if request.operation is Operation.VIDEO_GENERATION:
            seconds = wanted.seconds(SECONDS_DEFAULT, SECONDS)
            counts, facts = film(wanted, seconds, resolution=wanted.resolution)
        elif request.operation is Operation.AUDIO_SPEECH:
            counts, facts = {Unit.REQUEST.value: 1}, facts_of(wanted)
        else:
            counts, facts = made(wanted, request.operation, len(outputs)), facts_of(wanted)
        return succeeded(
            identity,
            outputs,
            counts=counts,
            facts=facts,
            usage=usage,
            served_model=text(answer, "model"),
        )


def _film_inputs(wanted: Asked) -> JsonObject:
    if wanted.count > 1:
        raise UntranslatableError("it makes one film a task")
    inputs: JsonObject = {"duration": wanted.seconds(SECONDS_DEFAULT, SECONDS)}
    shape = wanted.shape()
    if shape is not None:
        inputs["aspect_ratio"] = shape
    if wanted.resolution is not None:
        inputs["resolution"] = wanted.resolution
    if wanted.audio is not None:
        inputs["enable_audio"] = wanted.audio
    if wanted.image is not None:
        inputs["image_url"] = wanted.image
    return inputs


def _outputs(output: JsonObject) -> tuple[Output, ...]:
    """Return what was made: by the names that the models give it."""
    found: list[Any] = []
    for work in items(output, "works"):
        video = inner(cast("JsonObject", work), "video") if isinstance(work, dict) else {}
        found.append(text(video, "resource_without_watermark", "resource"))
    songs = [cast("JsonObject", one) for one in items(output, "songs") if isinstance(one, dict)]
    found += [text(song, "song_path") for song in songs]
    found += items(output, "image_urls")
    if not any(found):
        video_raw = text(inner(output, "video_raw"), "url")
        found = [video_raw or text(output, "video_url", "video", "image_url", "audio_url")]
        if found == [None]:
            found = [text(inner(output, "video"), "url")]
    return links([one for one in found if one])
