"""What does PiAPI answer to a task: points frozen, then consumed?"""

from decimal import Decimal
from types import MappingProxyType
from typing import Any, Final

import msgspec

from tollbridge.sandbox import voices, webhooks
from tollbridge.sandbox.dialect import Dialect, Route
from tollbridge.sandbox.dialects.chat import Surface, models
from tollbridge.sandbox.dialects.manner import Manner
from tollbridge.sandbox.frame import Trouble, Voice
from tollbridge.sandbox.media import Size, size_of
from tollbridge.sandbox.refusals import RefusedError
from tollbridge.sandbox.tasks import Order, State, Task
from tollbridge.sandbox.visit import Visit
from tollbridge.sandbox.voices import uuid_of

Document = dict[str, Any]
POINTS_PER_USD: Final = 10_000_000
DURATIONS: Final = (5, 10)
_STATUS: Final = MappingProxyType[State, str](
    {
        "queued": "Pending",
        "running": "processing",
        "succeeded": "Completed",
        "failed": "failed",
        "cancelled": "Failed",
        "aborted": "Failed",
        "expired": "Failed",
    }
)


class TaskRequest(msgspec.Struct, frozen=True):
    """The body of a submit."""

    model: str
    task_type: str
    input: Document = {}
    config: Document = {}


_decoder: Final = msgspec.json.Decoder(TaskRequest)


async def submit(visit: Visit) -> None:
    """Accept a task and freeze its points."""
    request = visit.decoded(_decoder)
    prompt = str(request.input.get("prompt") or request.input.get("gpt_description_prompt") or "")
    visit.call.entry.operation = _operation(request)
    script = visit.choose(request.model, prompt)
    if not prompt:
        raise RefusedError("invalid_request", "prompt is required")
    order = _order(visit, request, prompt)
    if not await visit.call.prepare(script):
        return
    hexes = visit.seed(prompt).hex()[:24] + f"{visit.sequence:08x}"
    task = visit.start_task(uuid_of(hexes), order, script)
    config: Document = request.config.get("webhook_config") or {}
    webhook = str(config.get("endpoint") or "")
    if webhook and script.webhook == "before_answer":
        await _call_back(visit, task, webhook, str(config.get("secret") or ""))
    await visit.call.send_document(_envelope(task, "queued"))
    if webhook and script.webhook not in {"off", "before_answer"}:
        await _call_back(visit, task, webhook, str(config.get("secret") or ""))


async def show(visit: Visit) -> None:
    """Tell how a task stands."""
    if not await visit.call.prepare(visit.look()):
        return
    task, state = visit.world.tasks.poll("piapi", visit.params["id"])
    await visit.call.send_document(_envelope(task, state))


async def cancel(visit: Visit) -> None:
    """Drop a task that has not begun; its points come back."""
    if not await visit.call.prepare(visit.look()):
        return
    task = visit.world.tasks.find("piapi", visit.params["id"])
    if task.polls > 1 or not visit.stop_task(task):
        raise RefusedError("invalid_request", "only pending tasks can be cancelled")
    await visit.call.send_document(_envelope(task, "cancelled"))


def _operation(request: TaskRequest) -> str:
    kind = request.task_type
    if "video" in kind or request.model in {"kling", "luma", "hailuo", "veo3", "seedance"}:
        return "video_generation"
    if "music" in kind or "tts" in request.model or "music" in request.model:
        return "audio_speech"
    return "image_edit" if "img2img" in kind or "edit" in kind else "image_generation"


def _order(visit: Visit, request: TaskRequest, prompt: str) -> Order:
    given = request.input
    seed = visit.seed(prompt)
    operation = _operation(request)
    if operation == "video_generation":
        seconds = given.get("duration", 5)
        if seconds not in DURATIONS:
            raise RefusedError("invalid_request", f"duration must be 5 or 10, not {seconds}")
        names, units = [f"{seconds * 1000}-1280x720.mp4"], {"video": 1, "video_ms": seconds * 1000}
        cost = Decimal("0.04") * seconds
    elif operation == "audio_speech":
        names, units, cost = ["5000.mp3"], {"request": 1}, Decimal("0.05")
    else:
        size = _size(given)
        number = given.get("batch_size", 1)
        number = number if isinstance(number, int) and 1 <= number <= 4 else 1
        names = [f"{size.width}x{size.height}.png"] * number
        units, cost = {"image": number}, Decimal("0.002") * number
    outputs = [visit.file(seed + bytes([at]), name) for at, name in enumerate(names)]
    asked = {"task_type": request.task_type, "input": given}
    return Order(
        model=request.model,
        operation=operation,
        asked=asked,
        outputs=outputs,
        units=units,
        billed_usd=cost,
    )


def _size(given: Document) -> Size:
    return size_of(f"{given.get('width', 1024)}x{given.get('height', 1024)}")


def _envelope(task: Task, state: State) -> Document:
    script = task.script
    cost = task.order.billed_usd if script.cost_usd is None else script.cost_usd
    points = int((cost or Decimal(0)) * POINTS_PER_USD)
    done = state == "succeeded"
    failed = state in {"failed", "cancelled", "aborted", "expired"}
    usage: Document = {
        "type": "point",
        "frozen": 0 if failed else points,
        "consume": points if done else 0,
    }
    error = {"code": 10_000 if failed else 0, "raw_message": "", "detail": None}
    return {
        "code": 200,
        "message": "success",
        "data": {
            "task_id": task.id,
            "model": task.order.model,
            "task_type": task.order.asked["task_type"],
            "status": task.said(state, _STATUS),
            "config": {"service_mode": "public"},
            "input": task.order.asked["input"],
            "output": _output(task) if done else None,
            "meta": {
                "created_at": "2026-01-01T00:00:00Z",
                **({} if script.usage == "missing" else {"usage": usage}),
                "is_using_private_pool": False,
                "failover_triggered": bool(script.tried),
            },
            "detail": None,
            "logs": [],
            "error": {**error, "message": "task failed" if failed else ""},
        },
    }


def _output(task: Task) -> Document:
    """Return the outputs, which every model puts somewhere else."""
    urls = task.outputs
    if not urls:
        return {}
    match task.order.model, task.order.operation:
        case "kling", _:
            video = {"resource_without_watermark": urls[0], "resource": urls[0]}
            return {"works": [{"video": video}], "video_url": urls[0]}
        case "luma", _:
            return {"video_raw": {"url": urls[0]}, "video": urls[0]}
        case _, "video_generation":
            return {"video_url": urls[0]}
        case _, "audio_speech":
            return {"songs": [{"song_path": urls[0]}], "audio_url": urls[0]}
        case _:
            return {"image_url": urls[0], "image_urls": urls if len(urls) > 1 else None}


async def _call_back(visit: Visit, task: Task, address: str, secret: str) -> None:
    task.polls = max(task.polls, task.script.task_polls + 1)
    data = _envelope(task, task.state(visit.now_us))["data"]
    document = {"timestamp": visit.created, "data": data}
    await webhooks.deliver(task, address, document, visit.now_us, shared=secret)


def refuse(trouble: Trouble) -> Any:
    """Return an error in the envelope; of text, as OpenAI's."""
    if "/chat/" in trouble.path:
        return {"error": trouble.error.error}
    return {"code": trouble.status, "message": trouble.message, "data": None}


_SURFACE = Surface(Manner())

DIALECT: Final = Dialect(
    name="piapi",
    base="/piapi",
    root="",
    routes=(
        Route("POST", "/v1/chat/completions", "chat_completion", _SURFACE.chat),
        Route("GET", "/v1/models", "models", models),
        Route("POST", "/api/v1/task", "image_generation", submit),
        Route("GET", "/api/v1/task/{id}", "poll", show),
        Route("DELETE", "/api/v1/task/{id}", "cancel", cancel),
    ),
    voice=Voice(voices.plain, refuse, statuses={"insufficient_quota": 402}),
    auth=("x-api-key", "authorization"),
)
