"""What does AIMLAPI answer: OpenAI's text with an amount, and tasks of its own for media?"""

from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

import msgspec

from tollbridge.sandbox import voices
from tollbridge.sandbox.dialect import Dialect, Route
from tollbridge.sandbox.dialects.audio import heard_ms
from tollbridge.sandbox.dialects.chat import Surface, model, models
from tollbridge.sandbox.dialects.openai_like import (
    CREDITS_PER_USD,
    AimlapiManner,
    spent_headers,
)
from tollbridge.sandbox.frame import Headers, Trouble, Voice, openai_error
from tollbridge.sandbox.media import size_of, speech_ms
from tollbridge.sandbox.refusals import RefusedError
from tollbridge.sandbox.script import Script
from tollbridge.sandbox.tasks import Order, State, Task
from tollbridge.sandbox.visit import Visit, whole
from tollbridge.sandbox.voices import uuid_of

Document = dict[str, Any]
IMAGE_USD: Final = Decimal("0.0455")
VIDEO_SECOND_USD: Final = Decimal("0.105")
CHARACTER_USD: Final = Decimal("0.00002")
AUDIO_USD: Final = Decimal("0.06")
_STATUS: Final = MappingProxyType[State, str](
    {
        "queued": "queued",
        "running": "generating",
        "succeeded": "completed",
        "failed": "error",
        "cancelled": "error",
        "aborted": "error",
        "expired": "error",
    }
)


class ImageRequest(msgspec.Struct, frozen=True):
    """The body of an image generation."""

    model: str
    prompt: str
    n: int | None = None
    image_size: Any = None
    size: str | None = None


class TaskRequest(msgspec.Struct, frozen=True):
    """The body of a task: a film, or a piece of music."""

    model: str
    prompt: str
    duration: int | str | None = None
    resolution: str = "720p"


class SpeechRequest(msgspec.Struct, frozen=True):
    """The body of a speech."""

    model: str
    text: str
    voice: str | None = None


_image_decoder: Final = msgspec.json.Decoder(ImageRequest)
_task_decoder: Final = msgspec.json.Decoder(TaskRequest)
_speech_decoder: Final = msgspec.json.Decoder(SpeechRequest)


async def images(visit: Visit) -> None:
    """Answer with pictures and the amount."""
    request = visit.decoded(_image_decoder)
    script = visit.choose(request.model, request.prompt)
    size = size_of(request.size or "1024x1024")
    if not await visit.call.prepare(script):
        return
    number = min(4, max(1, request.n or 1))
    cost = _amount(script, IMAGE_USD * number)
    visit.call.charge(units={"image": number}, usd=cost)
    name = f"{size.width}x{size.height}.png"
    seeds = [visit.seed(request.prompt, str(at)) for at in range(number)]
    data = [{"url": visit.file(seed, name)} for seed in seeds]
    document: Document = {"data": data, "meta": _meta(cost)}
    await visit.call.send_document(document, headers=_headers(visit, script, cost))


async def video(visit: Visit) -> None:
    """Accept a film; what it costs is said at once, and charged when it is there."""
    request = visit.decoded(_task_decoder)
    script = visit.choose(request.model, request.prompt)
    seconds = whole(request.duration, 5, "duration")
    if not 1 <= seconds <= 60:
        raise RefusedError("invalid_request", "duration: must be between 1 and 60")
    if not await visit.call.prepare(script):
        return
    cost = _amount(script, VIDEO_SECOND_USD * seconds)
    size = "1920x1080" if request.resolution == "1080p" else "1280x720"
    await _submit(
        visit,
        script,
        Order(
            model=request.model,
            operation="video_generation",
            asked={"kind": "video"},
            outputs=[visit.file(visit.seed(request.prompt), f"{seconds * 1000}-{size}.mp4")],
            units={"video": 1, "video_ms": seconds * 1000},
            billed_usd=cost,
        ),
    )


async def music(visit: Visit) -> None:
    """Accept a piece of music."""
    request = visit.decoded(_task_decoder)
    script = visit.choose(request.model, request.prompt)
    if not await visit.call.prepare(script):
        return
    await _submit(
        visit,
        script,
        Order(
            model=request.model,
            operation="audio_speech",
            asked={"kind": "audio_file"},
            outputs=[visit.file(visit.seed(request.prompt), "10000.mp3")],
            units={"request": 1},
            billed_usd=_amount(script, AUDIO_USD),
        ),
    )


async def show(visit: Visit) -> None:
    """Tell how a task stands."""
    if not await visit.call.prepare(visit.look()):
        return
    task, state = visit.world.tasks.poll("aimlapi", visit.query.get("generation_id", ""))
    document: Document = {"id": task.id, "status": task.said(state, _STATUS)}
    if state == "succeeded":
        urls = task.outputs
        document[task.order.asked["kind"]] = {"url": urls[0]} if urls else None
    elif document["status"] == "error":
        document["error"] = {"name": "generation_failed", "message": "The generation failed."}
    document["meta"] = _meta(task.order.billed_usd or Decimal(0))
    await visit.call.send_document(document, headers=_headers(visit, task.script, None))


async def speech(visit: Visit) -> None:
    """Answer with the address of a sound."""
    request = visit.decoded(_speech_decoder)
    script = visit.choose(request.model, request.text)
    if not await visit.call.prepare(script):
        return
    cost = _amount(script, CHARACTER_USD * len(request.text))
    visit.call.charge(units={"character": len(request.text)}, usd=cost)
    url = visit.file(visit.seed(request.text), f"{speech_ms(request.text)}.mp3")
    document = {"audio": {"url": url}, "meta": _meta(cost)}
    await visit.call.send_document(document, headers=_headers(visit, script, cost))


async def transcribe(visit: Visit) -> None:
    """Accept a sound to be written down."""
    form = visit.form()
    script = visit.choose(form.need("model"))
    length_ms = heard_ms(form, "audio")
    if not await visit.call.prepare(script):
        return
    order = Order(
        model=form.need("model"),
        operation="audio_transcription",
        asked={"kind": "result"},
        units={"audio_ms": length_ms},
        billed_usd=_amount(script, Decimal("0.0001") * length_ms / 1000),
    )
    name = uuid_of(visit.call.request_id.removeprefix("req_"))
    visit.start_task(name, order, script)
    await visit.call.send_document({"generation_id": name})


async def transcription(visit: Visit) -> None:
    """Tell how a transcription stands."""
    if not await visit.call.prepare(visit.look()):
        return
    task, state = visit.world.tasks.poll("aimlapi", visit.params["id"])
    document: Document = {"generation_id": task.id, "status": task.said(state, _STATUS)}
    if state == "succeeded":
        document["result"] = {"text": "ba ra", "metadata": {"duration": 1.0}}
    await visit.call.send_document(document)


async def _submit(visit: Visit, script: Script, order: Order) -> None:
    hexes = visit.call.request_id.removeprefix("req_")
    name = f"{uuid_of(hexes)}:{order.model}"
    task: Task = visit.start_task(name, order, script)
    document = {"id": name, "status": "queued", "meta": _meta(order.billed_usd or Decimal(0))}
    await visit.call.send_document(document, headers=_headers(visit, task.script, None))


def _amount(script: Script, honest: Decimal) -> Decimal:
    return honest if script.cost_usd is None else script.cost_usd


def _meta(cost: Decimal) -> Document:
    return {"usage": {"credits_used": round(cost * CREDITS_PER_USD), "usd_spent": float(cost)}}


def _headers(visit: Visit, script: Script, cost: Decimal | None) -> Headers:
    headers: Headers = [
        (b"x-inference-id", uuid_of(visit.call.request_id.removeprefix("req_")).encode())
    ]
    if cost is not None and script.usage != "missing":
        headers += spent_headers(cost)
    return headers


def refuse(trouble: Trouble) -> Any:
    """Return an error as AIMLAPI words it; inside a stream as OpenAI does."""
    if trouble.in_stream:
        return openai_error(trouble)
    return {
        "message": trouble.message,
        "path": trouble.path.removeprefix("/aimlapi"),
        "requestId": trouble.request_id,
        "statusCode": trouble.status,
        "timestamp": "2026-01-01T00:00:00.000Z",
    }


_SURFACE = Surface(AimlapiManner())

DIALECT: Final = Dialect(
    name="aimlapi",
    base="/aimlapi",
    root="/v1",
    routes=(
        Route("POST", "/v1/chat/completions", "chat_completion", _SURFACE.chat),
        Route("POST", "/v1/embeddings", "embedding", _SURFACE.embeddings),
        Route("GET", "/v1/models", "models", models),
        Route("GET", "/v1/models/{model}", "models", model),
        Route("POST", "/v1/images/generations", "image_generation", images),
        Route("POST", "/v1/tts", "audio_speech", speech),
        Route("POST", "/v1/stt/create", "audio_transcription", transcribe),
        Route("GET", "/v1/stt/{id}", "poll", transcription),
        Route("POST", "/v2/video/generations", "video_generation", video),
        Route("GET", "/v2/video/generations", "poll", show),
        Route("POST", "/v2/generate/audio", "audio_speech", music),
        Route("GET", "/v2/generate/audio", "poll", show),
    ),
    voice=Voice(voices.plain, refuse, statuses={"insufficient_quota": 403}),
    auth=("authorization",),
)
