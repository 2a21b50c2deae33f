"""How does Gemini take films in and give them back?

Source: ai.google.dev and googleapis/python-genai. A film is a long-running operation. No answer
says what is billed: samples by seconds; what the filters held back is free.
"""

from typing import cast
from urllib.parse import quote

import msgspec

from tollbridge.core.plan import Endpoint
from tollbridge.providers.dialects.tasks.asked import AUDIO, Asked, asked
from tollbridge.providers.dialects.tasks.base import JsonTasks
from tollbridge.providers.dialects.tasks.gemini_asked import INSTANCE, PARAMETERS
from tollbridge.providers.dialects.tasks.reading import (
    JsonObject,
    failed,
    film,
    inner,
    items,
    links,
    succeeded,
    text,
)
from tollbridge.providers.request import Request
from tollbridge.providers.wire import Outgoing, TaskState, TaskStatus, UntranslatableError

SECONDS_DEFAULT = 8
SECONDS = (4, 8)
RESOLUTION_DEFAULT = "720p"
RESOLUTIONS = frozenset({"720p", "1080p", "4k"})
SHAPES = frozenset({None, "16:9", "9:16"})


class VeoTasks(JsonTasks):
    """Gemini's long-running predictions of films."""

    name = "gemini"
    id_fields = ("name",)

    def submit(self, request: Request, endpoint: Endpoint, model: str) -> Outgoing:
        """Return the request that begins the operation."""
        del endpoint
        wanted = asked(request)
        shape = wanted.shape()
        if shape not in SHAPES:
            raise UntranslatableError(f"it makes 16:9 and 9:16, not {shape}")
        resolution = _resolution(wanted)
        instance: JsonObject = {"prompt": wanted.prompt}
        if wanted.image is not None:
            instance["image"] = _image(wanted.image)
        parameters: JsonObject = {
            "durationSeconds": wanted.seconds(SECONDS_DEFAULT, SECONDS),
            "resolution": resolution,
            "sampleCount": wanted.count,
        }
        optional = {
            "aspectRatio": shape,
            "negativePrompt": wanted.negative_prompt,
            "generateAudio": wanted.audio,
            "seed": wanted.seed,
        }
        parameters |= {name: value for name, value in optional.items() if value is not None}
        own = wanted.own_words
        instance |= inner(own, INSTANCE)
        parameters |= wanted.more | inner(own, PARAMETERS)
        body = {"instances": [instance], "parameters": parameters}
        target = f"/models/{quote(model.removeprefix('models/'), safe='')}:predictLongRunning"
        return Outgoing(target, msgspec.json.encode(body))

    def poll(self, task_id: str) -> Outgoing:
        """Return the request that asks after the operation."""
        return Outgoing(f"/{quote(task_id, safe='/')}", method=b"GET")

    def state(self, request: Request, identity: str, answer: JsonObject) -> TaskState:
        """Return how a task stands. Raises MalformedAnswerError."""
        if answer.get("done") is not True:
            return TaskState(identity, TaskStatus.RUNNING)
        error = inner(answer, "error")
        if error:
            return failed(identity, text(error, "message"), text(error, "status"))
        response = inner(answer, "response")
        made = inner(response, "generateVideoResponse") or response
        samples = items(made, "generatedSamples") or items(made, "generatedVideos")
        outputs = links(
            [inner(cast("JsonObject", one), "video") for one in samples if isinstance(one, dict)]
        )
        if not outputs and made.get("raiMediaFilteredCount"):
            said = items(made, "raiMediaFilteredReasons")
            reasons = "; ".join(one for one in said if isinstance(one, str))
            return failed(identity, reasons or "held back", "content_filter")
        wanted = asked(request)
        counts, facts = film(
            wanted,
            wanted.seconds(SECONDS_DEFAULT, SECONDS),
            clips=len(outputs),
            resolution=_resolution(wanted),
        )
        if wanted.audio is None:
            facts.pop(AUDIO, None)
        return succeeded(identity, outputs, counts=counts, facts=facts)


def _resolution(wanted: Asked) -> str:
    resolution = wanted.resolution or RESOLUTION_DEFAULT
    if resolution not in RESOLUTIONS or (wanted.size and wanted.resolution is None):
        raise UntranslatableError(f"it makes {', '.join(sorted(RESOLUTIONS))} only")
    return resolution


def _image(address: str) -> JsonObject:
    head, comma, content = address.partition(",")
    kind, _, encoding = head.removeprefix("data:").partition(";")
    if not address.startswith("data:") or not comma or encoding != "base64":
        raise UntranslatableError("it takes an image's bytes, not its address")
    return {"bytesBase64Encoded": content, "mimeType": kind}
