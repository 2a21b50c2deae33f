"""How does Replicate take predictions in and give them back?

Source: replicate.com/docs and the vendor's Python SDK. `metrics` are Replicate's own measures of
what it bills: they outrank what was asked for. A prediction that was stopped before it started
(`aborted`) is free; one that failed or was cancelled is billed for its run time.
"""

import re
from collections.abc import Mapping
from typing import Any, cast
from urllib.parse import quote

import msgspec

from tollbridge.core.call import Operation
from tollbridge.core.plan import Endpoint
from tollbridge.core.usage import Unit
from tollbridge.providers.dialects.tasks.asked import (
    AUDIO,
    DURATION_S,
    RESOLUTION,
    Asked,
    asked,
    facts_of,
)
from tollbridge.providers.dialects.tasks.base import MEDIA, JsonTasks
from tollbridge.providers.dialects.tasks.reading import (
    JsonObject,
    inner,
    links,
    made,
    milliseconds,
    refused,
    status_of,
    succeeded,
    text,
    whole,
)
from tollbridge.providers.request import Request
from tollbridge.providers.wire import Outgoing, Output, TaskState, TaskStatus, UntranslatableError

WORDS: Mapping[str, TaskStatus] = {
    "starting": TaskStatus.RUNNING,
    "processing": TaskStatus.RUNNING,
    "succeeded": TaskStatus.SUCCEEDED,
    "failed": TaskStatus.FAILED,
    "canceled": TaskStatus.CANCELLED,
    "aborted": TaskStatus.CANCELLED,
}
_VERSION = re.compile(r"[0-9a-f]{64}")
_FORMATS: Mapping[str, str] = {"png": "png", "jpg": "jpg", "jpeg": "jpg", "webp": "webp"}
_LENGTHS = (
    ("predict_time", Unit.COMPUTE_MS.value),
    ("video_output_duration_seconds", Unit.VIDEO_MS.value),
    ("audio_output_duration_seconds", Unit.AUDIO_MS.value),
)
_COUNTS = (
    ("image_output_count", Unit.IMAGE.value),
    ("video_output_count", Unit.VIDEO.value),
    ("video_output_total_pixel_count", Unit.PIXEL_FRAME.value),
    ("character_input_count", Unit.CHARACTER.value),
    ("token_input_count", Unit.INPUT.value),
    ("input_token_count", Unit.INPUT.value),
    ("token_output_count", Unit.OUTPUT.value),
    ("output_token_count", Unit.OUTPUT.value),
)
OFFICIAL = "hidden"
"""The version of models that are billed by what they made: where that is nothing, by nothing."""
WAIT_S = 30
"""How long a submit is held open for what is usually done soon."""


class ReplicateTasks(JsonTasks):
    """Replicate's predictions."""

    name = "replicate"
    makes = MEDIA

    def submit(self, request: Request, endpoint: Endpoint, model: str) -> Outgoing:
        """Return the request that begins the prediction."""
        del endpoint
        inputs = _inputs(asked(request), request.operation)
        target, body = _address(model)
        headers: tuple[tuple[bytes, bytes], ...] = ()
        if request.operation is not Operation.VIDEO_GENERATION:
            headers = ((b"prefer", b"wait=%d" % WAIT_S),)
        return Outgoing(target, msgspec.json.encode({**body, "input": inputs}), headers=headers)

    def poll(self, task_id: str) -> Outgoing:
        """Return the request that asks after the prediction."""
        return Outgoing(f"/predictions/{quote(task_id, safe='')}", method=b"GET")

    def cancel(self, task_id: str) -> Outgoing | None:
        """Return the request that cancels the prediction."""
        return Outgoing(f"/predictions/{quote(task_id, safe='')}/cancel")

    def state(self, request: Request, identity: str, answer: JsonObject) -> TaskState:
        """Return how a task stands. Raises MalformedAnswerError."""
        status = status_of(answer.get("status"), WORDS)
        if status is TaskStatus.RUNNING:
            return TaskState(identity, status)
        metrics = inner(answer, "metrics")
        usage = metrics or None
        counts = _counts(metrics)
        if status is not TaskStatus.SUCCEEDED:
            refusal = refused(text(answer, "error")) if status is TaskStatus.FAILED else None
            if answer.get("status") == "aborted" or answer.get("version") == OFFICIAL:
                return TaskState(identity, status, refusal=refusal)
            return TaskState(identity, status, refusal=refusal, usage=usage, counts=counts)
        if answer.get("data_removed") is True:
            said = refused("the prediction is done, and its output has been deleted already")
            return TaskState(identity, TaskStatus.FAILED, refusal=said, usage=usage, counts=counts)
        outputs = _outputs(answer.get("output"))
        wanted = asked(request)
        facts = facts_of(wanted) | _facts(metrics)
        if wanted.duration_s is not None:
            facts[DURATION_S] = f"{wanted.duration_s:g}"
        counts = made(wanted, request.operation, len(outputs)) | counts
        if (
            request.operation is Operation.VIDEO_GENERATION
            and wanted.duration_s is not None
            and Unit.VIDEO_MS.value not in counts
        ):
            counts[Unit.VIDEO_MS.value] = round(wanted.duration_s * 1000)
        served = text(answer, "model")
        return succeeded(
            identity, outputs, counts=counts, facts=facts, usage=usage, served_model=served
        )


def _inputs(wanted: Asked, operation: Operation) -> JsonObject:
    optional: JsonObject = {
        "aspect_ratio": wanted.shape(),
        "negative_prompt": wanted.negative_prompt,
        "image": wanted.image,
        "seed": wanted.seed,
    }
    if operation is Operation.AUDIO_SPEECH:
        optional |= {"text": wanted.prompt, "voice_id": wanted.voice}
    elif operation is Operation.VIDEO_GENERATION:
        if wanted.count > 1:
            raise UntranslatableError("it makes one film a prediction")
        optional |= {
            "duration": None if wanted.duration_s is None else wanted.seconds(5, (1, 60)),
            "resolution": wanted.resolution,
            "generate_audio": wanted.audio,
        }
    else:
        optional |= {
            "width": wanted.width,
            "height": wanted.height,
            "num_outputs": wanted.count if wanted.count > 1 else None,
            "output_format": _FORMATS.get(wanted.output_format or ""),
        }
    given = {name: value for name, value in optional.items() if value is not None}
    return {"prompt": wanted.prompt} | given | wanted.more


def _address(model: str) -> tuple[str, JsonObject]:
    """Return where a model's predictions are made, and what the body says of it."""
    name, _, version = model.partition(":")
    if _VERSION.fullmatch(version or name):
        return "/predictions", {"version": version or name}
    if name.startswith("deployments/"):
        return f"/{quote(name, safe='/')}/predictions", {}
    return f"/models/{quote(name, safe='/')}/predictions", {}


def _outputs(output: Any) -> tuple[Output, ...]:
    """Return what was made: an address, a list of them, or an object whose values are some."""
    if isinstance(output, str):
        return links([output])
    if isinstance(output, list):
        return links(cast("list[Any]", output))
    if isinstance(output, dict):
        values = list(cast("JsonObject", output).values())
        return links([one for one in values if isinstance(one, str) and "://" in one])
    return ()


def _counts(metrics: JsonObject) -> dict[str, int]:
    counts: dict[str, int] = {}
    for field, unit in _LENGTHS:
        length_ms = milliseconds(metrics.get(field))
        if length_ms is not None:
            counts[unit] = length_ms
    for field, unit in _COUNTS:
        count = whole(metrics.get(field))
        if count is not None:
            counts.setdefault(unit, count)
    return counts


def _facts(metrics: JsonObject) -> dict[str, str]:
    facts: dict[str, str] = {}
    resolution = text(metrics, "resolution_target")
    if resolution is not None:
        facts[RESOLUTION] = resolution.lower()
    variant = text(metrics, "model_variant")
    if variant is not None:
        facts["variant"] = variant.lower()
    has_audio = metrics.get("with_audio")
    if isinstance(has_audio, bool):
        facts[AUDIO] = "true" if has_audio else "false"
    return facts
