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
from tollbridge.providers.dialects.tasks.reading import (
    JsonObject,
    decoded,
    failed,
    film,
    inner,
    items,
    links,
    made,
    status_of,
    succeeded,
    task_id,
    text,
)
from tollbridge.providers.refusals import understand
from tollbridge.providers.request import MalformedAnswerError, Request
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


class WaveSpeedTasks:
    """WaveSpeed's predictions."""

    name = "wavespeed"

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

    def read_submitted(
        self, request: Request, headers: Mapping[bytes, bytes], body: bytes
    ) -> TaskState:
        """Read the answer to it. Raises MalformedAnswerError."""
        del headers
        answer = decoded(body)
        data = inner(answer, "data")
        code = answer.get("code")
        if code not in {None, 200, SYNC_TIMEOUT} and not text(data, "id"):
            said = understand(body, dialect=self.name)  # the code is a status
            return TaskState("", TaskStatus.FAILED, refusal=said)
        return _state(request, task_id(data, "id"), data)

    def poll(self, task_id: str) -> Outgoing:
        """Return the request that asks after the task."""
        return Outgoing(f"/predictions/{quote(task_id, safe='')}/result", method=b"GET")

    def read_polled(
        self, request: Request, task_id: str, headers: Mapping[bytes, bytes], body: bytes
    ) -> TaskState:
        """Read the answer to it. Raises MalformedAnswerError."""
        del headers
        data = inner(decoded(body), "data")
        if not data:
            raise MalformedAnswerError("the answer has no data")
        return _state(request, task_id, data)

    def cancel(self, task_id: str) -> Outgoing | None:
        """Return None: a task cannot be cancelled."""
        del task_id
        return None

    def operations(self) -> frozenset[Operation]:
        """Return what can be asked of it."""
        return frozenset(
            {Operation.VIDEO_GENERATION, Operation.IMAGE_GENERATION, Operation.AUDIO_SPEECH}
        )


def _size(wanted: Asked, operation: Operation) -> str:
    if operation is Operation.VIDEO_GENERATION:
        width, height = wanted.pixels(RESOLUTION_DEFAULT)
    else:
        width, height = wanted.width or 1024, wanted.height or 1024
    return f"{width}*{height}"


def _state(request: Request, identity: str, data: JsonObject) -> TaskState:
    status = status_of(data.get("status"), WORDS)
    if status is TaskStatus.RUNNING:
        return TaskState(identity, status)
    if status is TaskStatus.FAILED:
        return failed(identity, text(data, "error"))  # refunded by itself within hours
    if status is TaskStatus.CANCELLED:
        return TaskState(identity, status)
    outputs = links(items(data, "outputs"))
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
    model = text(data, "model")
    return succeeded(identity, outputs, counts=counts, facts=facts, served_model=model)
