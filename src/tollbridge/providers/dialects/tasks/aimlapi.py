"""How does AIMLAPI take films in and give them back?

Source: docs.aimlapi.com. The charge stands in the answer to the submit, in credits of which two
million are a dollar; it is booked when the film is done, and a failed one is free.
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
    items,
    links,
    status_of,
    succeeded,
    text,
)
from tollbridge.providers.request import Request
from tollbridge.providers.wire import Outgoing, TaskState, TaskStatus, UntranslatableError

WORDS: Mapping[str, TaskStatus] = {
    "queued": TaskStatus.RUNNING,
    "waiting": TaskStatus.RUNNING,
    "active": TaskStatus.RUNNING,
    "generating": TaskStatus.RUNNING,
    "completed": TaskStatus.SUCCEEDED,
    "error": TaskStatus.FAILED,
    "failed": TaskStatus.FAILED,
}
SECONDS_DEFAULT = 5
SECONDS = (1, 60)
FILMS = "/v2/video/generations"
ABOVE_V1 = 1
"""The endpoint's base URL ends with /v1, for everything else."""


class AimlapiTasks(JsonTasks):
    """AIMLAPI's video generations."""

    name = "aimlapi"
    id_fields = ("id", "generation_id")

    def submit(self, request: Request, endpoint: Endpoint, model: str) -> Outgoing:
        """Return the request that begins the film."""
        del endpoint
        wanted = asked(request)
        if wanted.count > 1:
            raise UntranslatableError("it makes one film a task")
        body: JsonObject = {
            "model": model,
            "prompt": wanted.prompt,
            "duration": wanted.seconds(SECONDS_DEFAULT, SECONDS),
        }
        optional = {
            "resolution": wanted.resolution,
            "aspect_ratio": wanted.shape(),
            "negative_prompt": wanted.negative_prompt,
            "image_url": wanted.image,
            "generate_audio": wanted.audio,
            "seed": wanted.seed,
        }
        body |= {name: value for name, value in optional.items() if value is not None}
        return Outgoing(FILMS, msgspec.json.encode(body | wanted.more), above=ABOVE_V1)

    def poll(self, task_id: str) -> Outgoing:
        """Return the request that asks after the film."""
        target = f"{FILMS}?generation_id={quote(task_id, safe='')}"
        return Outgoing(target, method=b"GET", above=ABOVE_V1)

    def state(self, request: Request, identity: str, answer: JsonObject) -> TaskState:
        """Return how a task stands. Raises MalformedAnswerError."""
        status = status_of(answer.get("status"), WORDS)
        usage = inner(answer, "meta", "usage") or None
        if status is TaskStatus.RUNNING:
            return TaskState(identity, status, usage=usage)
        if status is TaskStatus.FAILED:
            error = answer.get("error")
            said = error if isinstance(error, str) else text(inner(answer, "error"), "message")
            return failed(identity, said)
        wanted = asked(request)
        films = items(answer, "video") or [answer.get("video")]
        counts, facts = film(wanted, wanted.seconds(SECONDS_DEFAULT, SECONDS))
        return succeeded(
            identity,
            links(films),
            counts=counts,
            facts=facts,
            usage=usage,
            served_model=text(answer, "model"),
        )
