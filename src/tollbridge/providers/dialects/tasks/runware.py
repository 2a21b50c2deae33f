"""How does Runware take tasks in over HTTP and give them back?

Source: runware.ai/docs. A request is a list of tasks. The task's id is ours to choose, so that a
submit whose answer was not seen can be asked after. What it charges stands in the answer.
"""

import uuid
from collections.abc import Mapping
from decimal import Decimal
from typing import cast

import msgspec

from tollbridge.core.call import Operation
from tollbridge.core.plan import Endpoint
from tollbridge.core.usage import Unit
from tollbridge.providers.dialects.tasks.asked import Asked, asked, facts_of
from tollbridge.providers.dialects.tasks.base import JsonTasks
from tollbridge.providers.dialects.tasks.reading import (
    JsonObject,
    decoded,
    film,
    items,
    links,
    made,
    refused,
    status_of,
    succeeded,
    text,
)
from tollbridge.providers.request import MalformedAnswerError, Request
from tollbridge.providers.wire import Outgoing, TaskState, TaskStatus

WORDS: Mapping[str, TaskStatus] = {
    "processing": TaskStatus.RUNNING,
    "success": TaskStatus.RUNNING,  # what is done has outputs
    "error": TaskStatus.FAILED,
}
SECONDS_DEFAULT = 5
SECONDS = (1, 60)
RESOLUTION_DEFAULT = "720p"
TASKS = "/v1"
_OUTPUTS = ("imageURL", "videoURL", "audioURL")


class RunwareTasks(JsonTasks):
    """Runware's tasks."""

    name = "runware"
    makes = frozenset({Operation.VIDEO_GENERATION, Operation.IMAGE_GENERATION})

    def submit(self, request: Request, endpoint: Endpoint, model: str) -> Outgoing:
        """Return the request that begins the task."""
        del endpoint
        wanted = asked(request)
        identity = str(uuid.uuid4())
        task: JsonObject = {
            "taskUUID": identity,
            "model": model,
            "positivePrompt": wanted.prompt,
            "numberResults": wanted.count,
            "includeCost": True,
            "outputType": "URL",
        }
        if wanted.negative_prompt is not None:
            task["negativePrompt"] = wanted.negative_prompt
        if wanted.seed is not None:
            task["seed"] = wanted.seed
        if request.operation is Operation.VIDEO_GENERATION:
            width, height = wanted.pixels(RESOLUTION_DEFAULT)
            task |= {
                "taskType": "videoInference",
                "deliveryMethod": "async",
                "duration": wanted.seconds(SECONDS_DEFAULT, SECONDS),
            }
            if wanted.image is not None:
                task["frameImages"] = [{"inputImage": wanted.image}]
        else:
            width, height = wanted.width or 1024, wanted.height or 1024
            task["taskType"] = "imageInference"
            if wanted.image is not None:
                task["seedImage"] = wanted.image
        task |= {"width": width, "height": height} | wanted.more
        return Outgoing(TASKS, msgspec.json.encode([task]), task_id=identity)

    def read_submitted(
        self, request: Request, headers: Mapping[bytes, bytes], body: bytes
    ) -> TaskState:
        """Read the answer to it. Raises MalformedAnswerError."""
        del headers
        answer = decoded(body)
        identity = next(
            (one for one in (text(part, "taskUUID") for part in _parts(answer)) if one), ""
        )
        return self.state(request, identity, answer)

    def poll(self, task_id: str) -> Outgoing:
        """Return the request that asks after the task."""
        task = {"taskType": "getResponse", "taskUUID": task_id}
        return Outgoing(TASKS, msgspec.json.encode([task]))

    def state(self, request: Request, identity: str, answer: JsonObject) -> TaskState:
        """Return how a task stands. Raises MalformedAnswerError."""
        for first in _objects(answer, "errors"):
            said = refused(text(first, "message"), text(first, "code"))
            return TaskState(identity, TaskStatus.FAILED, refusal=said)
        parts = _parts(answer)
        if not parts:
            raise MalformedAnswerError("the answer has neither data nor errors")
        if not identity:
            raise MalformedAnswerError("the answer names no task")
        outputs = links([text(part, *_OUTPUTS) for part in parts])
        if not outputs:
            word = parts[0].get("status")
            return TaskState(identity, status_of(word, WORDS))
        wanted = asked(request)
        counts, facts = _counted(wanted, request.operation, len(outputs))
        return succeeded(identity, outputs, counts=counts, facts=facts, usage=_usage(parts))


def _parts(answer: JsonObject) -> list[JsonObject]:
    return [*_objects(answer, "data"), *_objects(answer, "errors")]


def _objects(answer: JsonObject, field: str) -> list[JsonObject]:
    return [cast("JsonObject", one) for one in items(answer, field) if isinstance(one, dict)]


def _counted(
    wanted: Asked, operation: Operation, count: int
) -> tuple[dict[str, int], dict[str, str]]:
    if operation is Operation.VIDEO_GENERATION:
        size = wanted.pixels(RESOLUTION_DEFAULT)
        return film(wanted, wanted.seconds(SECONDS_DEFAULT, SECONDS), clips=count, size=size)
    counts = made(wanted, operation, count)
    counts.setdefault(Unit.PIXEL.value, 1024 * 1024 * count)
    return counts, facts_of(wanted)


def _usage(parts: list[JsonObject]) -> JsonObject | None:
    """Return what is charged for all outputs together, as decimal text in dollars."""
    costs = [part["cost"] for part in parts if isinstance(part.get("cost"), int | float)]
    if not costs:
        return None
    # The text of a JSON number, not its binary value.
    return {"cost": str(sum((Decimal(str(cost)) for cost in costs), Decimal(0)))}
