"""How does xAI take films in and give them back?

Source: the vendor's Python SDK. What it charges stands in the answer, in ticks.
"""

from collections.abc import Mapping
from urllib.parse import quote

import msgspec

from tollbridge.core.plan import Endpoint
from tollbridge.providers.dialects.tasks.asked import asked
from tollbridge.providers.dialects.tasks.base import JsonTasks
from tollbridge.providers.dialects.tasks.reading import (
    JsonObject,
    failed,
    film,
    inner,
    links,
    percent,
    seconds_of,
    status_of,
    succeeded,
    text,
)
from tollbridge.providers.request import Request
from tollbridge.providers.wire import Outgoing, TaskState, TaskStatus, UntranslatableError

WORDS: Mapping[str, TaskStatus] = {
    "pending": TaskStatus.RUNNING,
    "done": TaskStatus.SUCCEEDED,
    "failed": TaskStatus.FAILED,
    "expired": TaskStatus.FAILED,
}
SECONDS_DEFAULT = 6
SECONDS = (1, 15)
RESOLUTION_DEFAULT = "480p"
RESOLUTIONS = frozenset({"480p", "720p", "1080p"})


class XaiTasks(JsonTasks):
    """xAI's video generations."""

    name = "xai"
    id_fields = ("request_id", "id")

    def submit(self, request: Request, endpoint: Endpoint, model: str) -> Outgoing:
        """Return the request that begins the film."""
        del endpoint
        wanted = asked(request)
        if wanted.count > 1:
            raise UntranslatableError("it makes one film a task")
        if wanted.negative_prompt is not None:
            raise UntranslatableError("it takes no negative prompt")
        resolution = wanted.resolution or RESOLUTION_DEFAULT
        if resolution not in RESOLUTIONS or (wanted.size and wanted.resolution is None):
            raise UntranslatableError(f"it makes {', '.join(sorted(RESOLUTIONS))} only")
        body: JsonObject = {
            "model": model,
            "prompt": wanted.prompt,
            "duration": wanted.seconds(SECONDS_DEFAULT, SECONDS),
            "resolution": resolution,
        }
        shape = wanted.shape()
        if shape is not None:
            body["aspect_ratio"] = shape
        if wanted.image is not None:
            body["image"] = {"url": wanted.image}
        return Outgoing("/videos/generations", msgspec.json.encode(body | wanted.more))

    def poll(self, task_id: str) -> Outgoing:
        """Return the request that asks after the film."""
        return Outgoing(f"/videos/{quote(task_id, safe='')}", method=b"GET")

    def state(self, request: Request, identity: str, answer: JsonObject) -> TaskState:
        """Return how a task stands. Raises MalformedAnswerError."""
        status = status_of(answer.get("status"), WORDS)
        if status is TaskStatus.RUNNING:
            return TaskState(identity, status, progress_percent=percent(answer.get("progress")))
        usage = inner(answer, "usage") or None
        if status is TaskStatus.FAILED:
            error = answer.get("error")
            said = error if isinstance(error, str) else text(inner(answer, "error"), "message")
            state = failed(identity, said or f"the film is {answer.get('status')}")
            return msgspec.structs.replace(state, usage=usage)
        video = inner(answer, "video")
        wanted = asked(request)
        seconds = seconds_of(video.get("duration")) or wanted.seconds(SECONDS_DEFAULT, SECONDS)
        resolution = wanted.resolution or RESOLUTION_DEFAULT
        counts, facts = film(wanted, seconds, resolution=resolution)
        if video.get("respect_moderation") is False and not text(video, "url"):
            state = failed(identity, "the film was held back", "content_moderation")
            return msgspec.structs.replace(state, usage=usage)
        return succeeded(
            identity,
            links([video]),
            counts=counts,
            facts=facts,
            usage=usage,
            served_model=text(answer, "model"),
        )
