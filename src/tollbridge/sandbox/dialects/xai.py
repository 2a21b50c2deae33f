"""What does xAI answer: OpenAI's text with reasoning outside, pictures and films with ticks?"""

import base64
from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

import msgspec

from tollbridge.sandbox import usage, voices
from tollbridge.sandbox.dialect import Dialect, Route
from tollbridge.sandbox.dialects.chat import Surface, model, models
from tollbridge.sandbox.dialects.openai_like import XaiManner
from tollbridge.sandbox.dialects.usage_objects import TICKS_PER_USD
from tollbridge.sandbox.frame import Trouble, Voice
from tollbridge.sandbox.media import Size, png
from tollbridge.sandbox.refusals import RefusedError
from tollbridge.sandbox.script import Script
from tollbridge.sandbox.tasks import Order, State, Task
from tollbridge.sandbox.visit import Visit
from tollbridge.sandbox.voices import uuid_of

Document = dict[str, Any]
IMAGE_USD: Final = Decimal("0.02")
VIDEO_SECOND_USD: Final = Decimal("0.05")
_STATUS: Final = MappingProxyType[State, str](
    {
        "queued": "pending",
        "running": "pending",
        "succeeded": "done",
        "failed": "failed",
        "cancelled": "failed",
        "aborted": "failed",
        "expired": "expired",
    }
)


class ImageRequest(msgspec.Struct, frozen=True):
    """The body of an image generation."""

    prompt: str
    model: str = "grok-imagine-image"
    n: int | None = None
    response_format: str | None = None


class VideoRequest(msgspec.Struct, frozen=True):
    """The body of a film."""

    prompt: str
    model: str = "grok-imagine-video"
    duration: int = 6
    resolution: str = "480p"


_image_decoder: Final = msgspec.json.Decoder(ImageRequest)
_video_decoder: Final = msgspec.json.Decoder(VideoRequest)


async def images(visit: Visit) -> None:
    """Answer with pictures and the amount in ticks."""
    request = visit.decoded(_image_decoder)
    script = visit.choose(request.model, request.prompt)
    if not await visit.call.prepare(script):
        return
    number = min(10, max(1, request.n or 1))
    cost = IMAGE_USD * number if script.cost_usd is None else script.cost_usd
    visit.call.charge(units={"image": number}, usd=cost)
    data: list[Document] = []
    for at in range(number):
        seed = visit.seed(request.prompt, str(at))
        picture: Document = {"url": visit.file(seed, "1024x1024.png")}
        if request.response_format == "b64_json":
            picture = {"b64_json": base64.b64encode(png(Size(1024, 1024), seed)).decode()}
        data.append(
            {**picture, "revised_prompt": request.prompt, "respect_moderation": not script.filtered}
        )
    document: Document = {"data": data}
    told = _ticks(script, cost)
    if script.usage != "missing":
        document["usage"] = told
    await visit.call.send_document(document, None, told)


async def video(visit: Visit) -> None:
    """Accept a film."""
    request = visit.decoded(_video_decoder)
    script = visit.choose(request.model, request.prompt)
    if not 1 <= request.duration <= 15:
        raise RefusedError("invalid_request", "duration must be between 1 and 15")
    if not await visit.call.prepare(script):
        return
    size = "1280x720" if request.resolution == "720p" else "848x480"
    name = uuid_of(visit.seed(request.prompt).hex()[:24] + f"{visit.sequence:08x}")
    cost = VIDEO_SECOND_USD * request.duration if script.cost_usd is None else script.cost_usd
    url = visit.file(visit.seed(request.prompt), f"{request.duration * 1000}-{size}.mp4")
    order = Order(
        model=request.model,
        operation="video_generation",
        asked={"duration": request.duration},
        outputs=[url],
        units={"video": 1, "video_ms": request.duration * 1000},
        billed_usd=cost,
    )
    visit.start_task(name, order, script)
    await visit.call.send_document({"request_id": name})


async def show(visit: Visit) -> None:
    """Tell how a film stands."""
    if not await visit.call.prepare(visit.look()):
        return
    task, state = visit.world.tasks.poll("xai", visit.params["id"])
    await visit.call.send_document(_video(task, state))


def _video(task: Task, state: State) -> Document:
    document: Document = {"status": task.said(state, _STATUS)}
    if state in {"queued", "running"}:
        return {**document, "progress": min(99, 40 * task.polls)}
    if state in {"failed", "cancelled", "aborted"}:
        return {**document, "error": {"code": "internal_error", "message": "Failed."}}
    if state == "expired":
        return document
    urls = task.outputs
    flagged = task.script.filtered or task.script.task_outputs == "flagged"
    duration = task.order.asked["duration"]
    film = {"url": urls[0] if urls else None, "duration": duration}
    document |= {"model": task.order.model, "progress": 100}
    document["video"] = {**film, "respect_moderation": not flagged}
    if task.script.usage != "missing":
        document["usage"] = _ticks(task.script, task.order.billed_usd or Decimal(0))
    return document


def _ticks(script: Script, cost: Decimal) -> Document | None:
    honest = {"cost_in_usd_ticks": int(cost * TICKS_PER_USD)}
    return usage.reported(honest, script.usage, usage.PLAIN)


def refuse(trouble: Trouble) -> Any:
    """Return an error as xAI words it: two sentences."""
    if trouble.error.kind == "insufficient_quota":
        message = (
            "Your team has either used all available credits or reached its monthly spending limit."
        )
        return {"code": "Some resource has been exhausted", "error": message}
    return {"code": "Client specified an invalid argument", "error": trouble.message}


_SURFACE = Surface(XaiManner())

DIALECT: Final = Dialect(
    name="xai",
    base="/xai",
    root="/v1",
    routes=(
        Route("POST", "/v1/chat/completions", "chat_completion", _SURFACE.chat),
        Route("POST", "/v1/embeddings", "embedding", _SURFACE.embeddings),
        Route("GET", "/v1/models", "models", models),
        Route("GET", "/v1/models/{model}", "models", model),
        Route("POST", "/v1/images/generations", "image_generation", images),
        Route("POST", "/v1/videos/generations", "video_generation", video),
        Route("GET", "/v1/videos/{id}", "poll", show),
    ),
    voice=Voice(voices.plain, refuse),
    auth=("authorization",),
)
