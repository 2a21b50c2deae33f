"""How does WaveSpeed take work in and give it back?

Source: wavespeed.ai/docs and the vendor's Python SDK. Nothing in an answer says units or money, so
that lengths and sizes are sent in so many words and counted from there.
"""

from collections.abc import Mapping
from urllib.parse import quote

import msgspec

from tollbridge.core.call import Operation
from tollbridge.core.plan import Endpoint
from tollbridge.providers.dialects.tasks.asked import Asked, asked, facts_of
from tollbridge.providers.dialects.tasks.base import MEDIA, EnvelopedTasks
from tollbridge.providers.dialects.tasks.reading import (
    JsonObject,
    failed,
    film,
    items,
    links,
    made,
    status_of,
    succeeded,
    text,
)
from tollbridge.providers.request import Request
from tollbridge.providers.wire import Outgoing, TaskState, TaskStatus, UntranslatableError

WORDS: Mapping[str, TaskStatus] = {
    "created": TaskStatus.RUNNING,
    "processing": TaskStatus.RUNNING,
    "completed": TaskStatus.SUCCEEDED,
    "failed": TaskStatus.FAILED,
    "timeout": TaskStatus.FAILED,
    "cancelled": TaskStatus.CANCELLED,
}
SECONDS_DEFAULT = 5
SECONDS = (3, 10)
RESOLUTION_DEFAULT = "720p"
SYNC_TIMEOUT = 5004
"""The code of an answer that came before the work was done; the task runs on."""


class WaveSpeedTasks(EnvelopedTasks):
    """WaveSpeed's predictions."""

    name = "wavespeed"
    makes = MEDIA
    codes = frozenset({None, 200, SYNC_TIMEOUT})

    def submit(self, request: Request, endpoint: Endpoint, model: str) -> Outgoing:
        """Return the request that begins the task; its address is the model's name."""
        del endpoint
        wanted = asked(request)
        body: JsonObject
        if request.operation is Operation.AUDIO_SPEECH:
            body = {"text": wanted.prompt}
            if wanted.voice is not None:
                body["voice_id"] = wanted.voice
            if wanted.speed is not None:
                body["speed"] = wanted.speed
        else:
            body = {"prompt": wanted.prompt, "size": _size(wanted, request.operation)}
            if request.operation is Operation.VIDEO_GENERATION:
                body["duration"] = wanted.seconds(SECONDS_DEFAULT, SECONDS)
            elif wanted.count > 1:
                raise UntranslatableError("it makes one image a task")
            if wanted.negative_prompt is not None:
                body["negative_prompt"] = wanted.negative_prompt
            if wanted.image is not None:
                body["image"] = wanted.image
            if wanted.seed is not None:
                body["seed"] = wanted.seed
        body |= wanted.more
        return Outgoing(f"/{quote(model, safe='/')}", msgspec.json.encode(body))

    def poll(self, task_id: str) -> Outgoing:
        """Return the request that asks after the task."""
        return Outgoing(f"/predictions/{quote(task_id, safe='')}/result", method=b"GET")

    def state(self, request: Request, identity: str, answer: JsonObject) -> TaskState:
        """Return how a task stands. Raises MalformedAnswerError."""
        status = status_of(answer.get("status"), WORDS)
        if status is TaskStatus.RUNNING:
            return TaskState(identity, status)
        if status is TaskStatus.FAILED:
            return failed(identity, text(answer, "error"))  # refunded by itself within hours
        if status is TaskStatus.CANCELLED:
            return TaskState(identity, status)
        outputs = links(items(answer, "outputs"))
        wanted = asked(request)
        if request.operation is Operation.VIDEO_GENERATION:
            counts, facts = film(
                wanted,
                wanted.seconds(SECONDS_DEFAULT, SECONDS),
                clips=max(1, len(outputs)),
                size=wanted.pixels(RESOLUTION_DEFAULT),
            )
        else:
            counts, facts = made(wanted, request.operation, len(outputs)), facts_of(wanted)
        model = text(answer, "model")
        return succeeded(identity, outputs, counts=counts, facts=facts, served_model=model)


def _size(wanted: Asked, operation: Operation) -> str:
    if operation is Operation.VIDEO_GENERATION:
        width, height = wanted.pixels(RESOLUTION_DEFAULT)
    else:
        width, height = wanted.width or 1024, wanted.height or 1024
    return f"{width}*{height}"
