"""What does Replicate answer: a prediction, its metrics, and what a cancelled one still costs?"""

from datetime import timedelta
from types import MappingProxyType
from typing import Any, Final

import msgspec

from tollbridge.core.clock import EPOCH
from tollbridge.sandbox import voices, webhooks
from tollbridge.sandbox.answer import digest
from tollbridge.sandbox.dialect import Dialect, Route
from tollbridge.sandbox.frame import Trouble, Voice
from tollbridge.sandbox.refusals import RefusedError
from tollbridge.sandbox.tasks import FINAL, Order, State, Task
from tollbridge.sandbox.visit import Visit, whole

Document = dict[str, Any]
WAIT_S_MAX: Final = 60
PREDICT_MS: Final = 1210
_STATUS: Final = MappingProxyType[State, str](
    {
        "queued": "starting",
        "running": "processing",
        "succeeded": "succeeded",
        "failed": "failed",
        "cancelled": "canceled",
        "aborted": "aborted",
        "expired": "succeeded",
    }
)


class PredictionRequest(msgspec.Struct, frozen=True):
    """The body of a create."""

    input: Document
    version: str | None = None
    model: str | None = None
    webhook: str | None = None
    webhook_events_filter: list[str] | None = None


_decoder: Final = msgspec.json.Decoder(PredictionRequest)


async def create(visit: Visit) -> None:
    """Accept a prediction; `Prefer: wait` holds the answer until it has ended."""
    request = visit.decoded(_decoder)
    model = visit.params.get("model") or request.model or request.version
    if model is None:
        raise RefusedError("invalid_request", "version is required", status=422, param="version")
    prompt = str(request.input.get("prompt") or request.input.get("text") or "")
    visit.call.entry.operation = _operation(model)
    script = visit.choose(model, prompt)
    if not await visit.call.prepare(script):
        return
    name = digest(model, [prompt, str(visit.sequence)]).hex()[:26]
    task = visit.start_task(name, _order(visit, request, model, prompt), script)
    waits = visit.header("prefer").startswith("wait") and script.task != "never"
    if waits and script.task_s <= WAIT_S_MAX:
        task.polls = script.task_polls + 1
    if script.webhook == "before_answer" and request.webhook:
        await _call_back(visit, task, request.webhook)
    state = task.state(visit.now_us)
    status = 202 if visit.header("prefer") and state not in FINAL else 201
    await visit.call.send_document(_prediction(visit, task, state), status=status)
    if script.webhook not in {"off", "before_answer"} and request.webhook:
        await _call_back(visit, task, request.webhook)


async def show(visit: Visit) -> None:
    """Tell how a prediction stands."""
    if not await visit.call.prepare(visit.look()):
        return
    task, state = visit.world.tasks.poll("replicate", visit.params["id"])
    await visit.call.send_document(_prediction(visit, task, state))


async def cancel(visit: Visit) -> None:
    """Stop a prediction: one that has begun costs the time it took."""
    if not await visit.call.prepare(visit.look()):
        return
    task = visit.world.tasks.find("replicate", visit.params["id"])
    begun = task.polls > 0
    taken = {"compute_ms": task.run_ms(visit.now_us)} if begun else {}
    if visit.stop_task(task, taken) and not begun:
        task.forced = "aborted"
    await visit.call.send_document(_prediction(visit, task, task.state(visit.now_us)))


async def listing(visit: Visit) -> None:
    """List the predictions, the newest first."""
    tasks = [task for task in visit.world.tasks.all("replicate") if task.key == visit.key]
    tasks.reverse()
    results = [_prediction(visit, task, task.state(visit.now_us)) for task in tasks[:100]]
    await visit.call.send_document({"previous": None, "next": None, "results": results})


async def webhook_secret(visit: Visit) -> None:
    """Tell the key that webhooks are signed with."""
    await visit.call.send_document({"key": webhooks.SECRET})


def _operation(model: str) -> str:
    """Say what a model makes: films and sounds are known by their name, else pictures."""
    if any(word in model for word in ("video", "veo", "kling", "luma", "ray")):
        return "video_generation"
    audio = any(word in model for word in ("bark", "speech", "tts", "music"))
    return "audio_speech" if audio else "image_generation"


def _order(visit: Visit, request: PredictionRequest, model: str, prompt: str) -> Order:
    """Read what is to be made, and what that bills."""
    given = request.input
    number = given.get("num_outputs", 1)
    number = number if isinstance(number, int) and 1 <= number <= 10 else 1
    units: dict[str, int] = {"image": number}
    names = ["1024x1024.png"] * number
    operation = _operation(model)
    if operation == "video_generation":
        seconds = whole(given.get("duration"), 5, "duration")
        units = {"video": 1, "video_ms": seconds * 1000}
        names = [f"{seconds * 1000}-1280x720.mp4"]
    elif operation == "audio_speech":
        units = {"compute_ms": PREDICT_MS}
        names = ["5000.wav"]
    if request.version is not None and "/" not in request.version:
        units = {**units, "compute_ms": PREDICT_MS}
    outputs = [visit.file(visit.seed(prompt, str(at)), name) for at, name in enumerate(names)]
    failed = {"compute_ms": PREDICT_MS} if "compute_ms" in units else {}
    return Order(
        model=model,
        operation=operation,
        asked=given,
        outputs=outputs,
        units=units,
        billed_when_failed=failed,
    )


def _prediction(visit: Visit, task: Task, state: State) -> Document:
    get = f"{visit.origin}/replicate/v1/predictions/{task.id}"
    ended = state in FINAL
    removed = task.script.task_outputs == "removed" or state == "expired"
    shown: Any = None
    if state == "succeeded" and not removed:
        shown = task.outputs
        if task.order.operation != "image_generation" and shown:
            shown = shown[0]
    is_hash = "/" not in task.order.model
    return {
        "id": task.id,
        "model": "" if is_hash else task.order.model,
        "version": task.order.model if is_hash else "hidden",
        "input": {} if removed else task.order.asked,
        "logs": "",
        "output": shown,
        "data_removed": removed,
        "error": "The model failed." if state == "failed" else None,
        "status": task.said(state, _STATUS),
        "source": "api",
        "deployment": None,
        "created_at": _instant(task.created_at_us),
        "started_at": _instant(task.created_at_us) if task.polls else None,
        "completed_at": _instant(task.ended_at_us) if ended else None,
        "metrics": _metrics(task, state, visit.now_us) if ended else {},
        "urls": {"get": get, "cancel": f"{get}/cancel"},
    }


def _metrics(task: Task, state: State, now_us: int) -> Document:
    if task.script.usage == "missing" or state == "aborted":
        return {}
    units = task.order.units
    taken_ms = units.get("compute_ms", PREDICT_MS)
    if state == "cancelled":
        taken_ms = task.run_ms(now_us)
    told: Document = {"predict_time": taken_ms / 1000, "total_time": (taken_ms + 90) / 1000}
    if state in {"succeeded", "expired"}:
        if "image" in units:
            told["image_output_count"] = units["image"]
        if "video_ms" in units:
            told["video_output_count"] = 1
            told["video_output_duration_seconds"] = units["video_ms"] / 1000
    if isinstance(task.script.usage, dict):
        told |= task.script.usage
    return told


async def _call_back(visit: Visit, task: Task, address: str) -> None:
    task.polls = max(task.polls, task.script.task_polls + 1)
    document = _prediction(visit, task, task.state(visit.now_us))
    await webhooks.deliver(task, address, document, visit.now_us)


def _instant(at_us: int | None) -> str | None:
    if at_us is None:
        return None
    at = EPOCH + timedelta(microseconds=at_us)
    return at.strftime("%Y-%m-%dT%H:%M:%S.%fZ")


def refuse(trouble: Trouble) -> Any:
    """Return a problem as Replicate words it; a limit says how long to wait in a sentence."""
    if trouble.error.kind == "rate_limited":
        wait = trouble.wait(30)
        return {"detail": f"Request was throttled. Your rate limit resets in ~{wait}."}
    title = {
        401: "Unauthenticated",
        402: "Insufficient credit",
        404: "Not found",
        422: "Input validation failed",
    }.get(trouble.status, "Error")
    problem: Document = {"title": title, "detail": trouble.message, "status": trouble.status}
    if trouble.status == 422:
        problem["invalid_fields"] = [{"field": trouble.error.error["param"]}]
    return problem


DIALECT: Final = Dialect(
    name="replicate",
    base="/replicate",
    root="/v1",
    routes=(
        Route("POST", "/v1/predictions", "image_generation", create),
        Route("GET", "/v1/predictions", "list", listing),
        Route("GET", "/v1/predictions/{id}", "poll", show),
        Route("POST", "/v1/predictions/{id}/cancel", "cancel", cancel),
        Route("GET", "/v1/webhooks/default/secret", "lookup", webhook_secret),
        Route("POST", "/v1/models/{model*}/predictions", "image_generation", create),
        Route("POST", "/v1/deployments/{model*}/predictions", "image_generation", create),
    ),
    voice=Voice(voices.plain, refuse, statuses={"insufficient_quota": 402}, retry_header=False),
    auth=("authorization",),
)
