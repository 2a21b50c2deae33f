"""How are films made by OpenAI's videos interface, and by those who speak like it?

Source: openai/openai-openapi (Sora); OpenRouter's and Together's own words for the same are read
too. No answer of OpenAI says what is billed: the seconds that were asked for, once it is done.
"""

from collections.abc import Mapping
from urllib.parse import quote

import msgspec

from tollbridge.core.plan import Endpoint
from tollbridge.providers.dialects.tasks.asked import Asked, asked
from tollbridge.providers.dialects.tasks.base import JsonTasks
from tollbridge.providers.dialects.tasks.reading import (
    JsonObject,
    failed,
    film,
    inner,
    items,
    links,
    percent,
    seconds_of,
    status_of,
    succeeded,
    text,
)
from tollbridge.providers.request import Request
from tollbridge.providers.wire import Outgoing, Output, TaskState, TaskStatus, UntranslatableError

WORDS: Mapping[str, TaskStatus] = {
    "queued": TaskStatus.RUNNING,
    "pending": TaskStatus.RUNNING,
    "in_progress": TaskStatus.RUNNING,
    "completed": TaskStatus.SUCCEEDED,
    "failed": TaskStatus.FAILED,
    "expired": TaskStatus.FAILED,
    "cancelled": TaskStatus.CANCELLED,
}
SECONDS_DEFAULT = 4
SECONDS = frozenset({4, 8, 12})
ANY_SECONDS = (1, 60)
SIZE_DEFAULT = (720, 1280)
SIZES = frozenset({"720x1280", "1280x720", "1024x1792", "1792x1024"})
ANY_FILM = "any_video"
"""The quirk of endpoints that make films of other lengths and sizes than OpenAI does."""


class OpenAIVideoTasks(JsonTasks):
    """The videos interface."""

    name = "openai"

    def submit(self, request: Request, endpoint: Endpoint, model: str) -> Outgoing:
        """Return the request that begins the film."""
        wanted = asked(request)
        if wanted.count > 1:
            raise UntranslatableError("it makes one film a task")
        body: JsonObject = {"model": model, "prompt": wanted.prompt}
        if ANY_FILM in endpoint.quirks:
            body |= _any_film(wanted)
        else:
            if wanted.negative_prompt is not None:
                raise UntranslatableError("it takes no negative prompt")
            width, height = _size(wanted)
            body["seconds"] = str(wanted.seconds(SECONDS_DEFAULT, SECONDS))
            body["size"] = f"{width}x{height}"
        if wanted.image is not None:
            body["input_reference"] = {"image_url": wanted.image}
        return Outgoing("/videos", msgspec.json.encode(body | wanted.more))

    def poll(self, task_id: str) -> Outgoing:
        """Return the request that asks after the film."""
        return Outgoing(f"/videos/{quote(task_id, safe='')}", method=b"GET")

    def state(self, request: Request, identity: str, answer: JsonObject) -> TaskState:
        """Return how a task stands. Raises MalformedAnswerError."""
        status = status_of(answer.get("status"), WORDS)
        if status is TaskStatus.RUNNING:
            return TaskState(identity, status, progress_percent=percent(answer.get("progress")))
        usage = inner(answer, "usage") or None
        if status is TaskStatus.CANCELLED:
            return TaskState(identity, status, usage=usage)
        if status is TaskStatus.FAILED:
            error = answer.get("error")
            said = error if isinstance(error, str) else text(inner(answer, "error"), "message")
            state = failed(identity, said, text(inner(answer, "error"), "code"))
            return msgspec.structs.replace(state, usage=usage)
        wanted = asked(request)
        stated = seconds_of(answer.get("seconds")) or seconds_of(answer.get("duration"))
        seconds = stated or wanted.duration_s or SECONDS_DEFAULT
        wide, _, high = (text(answer, "size") or wanted.size or "").partition("x")
        size = (int(wide), int(high)) if wide.isdigit() and high.isdigit() else None
        counts, facts = film(wanted, seconds, size=size)
        outputs = links(items(answer, "unsigned_urls"))
        direct = text(answer, "url", "video_url") or text(inner(answer, "outputs"), "video_url")
        if not outputs and direct is not None:
            outputs = links([direct])
        if not outputs:
            outputs = (Output(url=f"/videos/{quote(identity, safe='')}/content"),)
        return succeeded(
            identity,
            outputs,
            counts=counts,
            facts=facts,
            usage=usage,
            served_model=text(answer, "model"),
        )


def _size(wanted: Asked) -> tuple[int, int]:
    if wanted.size is None and wanted.resolution is None and wanted.aspect_ratio is None:
        return SIZE_DEFAULT
    width, height = wanted.pixels("720p")
    if f"{width}x{height}" not in SIZES:
        raise UntranslatableError(f"it makes {', '.join(sorted(SIZES))}, not {width}x{height}")
    return width, height


def _any_film(wanted: Asked) -> JsonObject:
    optional = {
        "duration": None
        if wanted.duration_s is None
        else wanted.seconds(SECONDS_DEFAULT, ANY_SECONDS),
        "size": wanted.size,
        "resolution": wanted.resolution if wanted.size is None else None,
        "aspect_ratio": wanted.aspect_ratio,
        "negative_prompt": wanted.negative_prompt,
        "generate_audio": wanted.audio,
        "seed": wanted.seed,
    }
    return {name: value for name, value in optional.items() if value is not None}
