"""What does WaveSpeed answer: an envelope, a task, an address to ask for its result?"""

from types import MappingProxyType
from typing import Any, Final

import msgspec

from tollbridge.sandbox import voices, webhooks
from tollbridge.sandbox.answer import digest
from tollbridge.sandbox.dialect import Dialect, Route
from tollbridge.sandbox.frame import Trouble, Voice
from tollbridge.sandbox.media import size_of, speech_ms
from tollbridge.sandbox.refusals import RefusedError
from tollbridge.sandbox.tasks import Order, State, Task
from tollbridge.sandbox.visit import Visit

Document = dict[str, Any]
CHARACTERS_MAX: Final = 10_000
DURATIONS: Final = range(3, 11)
SYNC_TIMEOUT_CODE: Final = 5004
_STATUS: Final = MappingProxyType[State, str](
    {
        "queued": "created",
        "running": "processing",
        "succeeded": "completed",
        "failed": "failed",
        "cancelled": "cancelled",
        "aborted": "cancelled",
        "expired": "timeout",
    }
)
_decoder: Final = msgspec.json.Decoder(dict[str, Any])


async def submit(visit: Visit) -> None:
    """Accept a task for the model that the path names; in sync mode, wait for it."""
    given = visit.decoded(_decoder)
    model = visit.params["model"]
    text = str(given.get("prompt") or given.get("text") or "")
    visit.call.entry.operation = _operation(model)
    script = visit.choose(model, text)
    if not text:
        raise RefusedError("invalid_request", "property 'prompt' is missing")
    order = _order(visit, given, model, text)
    if not await visit.call.prepare(script):
        return
    name = digest(model, [text, str(visit.sequence)]).hex()[:32]
    task = visit.start_task(name, order, script)
    webhook = visit.query.get("webhook", "")
    if given.get("enable_sync_mode"):
        await _wait(visit, task)
        return
    if script.webhook == "before_answer" and webhook:
        await _call_back(visit, task, webhook)
    await visit.call.send_document(_envelope(visit, task, "queued"))
    if script.webhook not in {"off", "before_answer"} and webhook:
        await _call_back(visit, task, webhook)


async def result(visit: Visit) -> None:
    """Tell how a task stands."""
    if not await visit.call.prepare(visit.look()):
        return
    task, state = visit.world.tasks.poll("wavespeed", visit.params["id"])
    await visit.call.send_document(_envelope(visit, task, state))


async def balance(visit: Visit) -> None:
    """Tell what is left."""
    await visit.call.send_document(_wrapped({"balance": 12.34}))


async def webhook_secret(visit: Visit) -> None:
    """Tell the key that webhooks are signed with."""
    await visit.call.send_document(_wrapped({"secret": webhooks.SECRET}))


async def _wait(visit: Visit, task: Task) -> None:
    """Answer with the end, or say that waiting took too long while the task goes on."""
    if task.script.task == "never" or task.script.task_s:
        document = _envelope(visit, task, "running")
        document |= {"code": SYNC_TIMEOUT_CODE, "message": "sync mode timeout"}
        await visit.call.send_document(document)
        return
    task.polls = task.script.task_polls + 1
    await visit.call.send_document(_envelope(visit, task, task.state(visit.now_us)))


def _operation(model: str) -> str:
    """Say what a model makes, by the words of its path."""
    if "image-edit" in model or "image/edit" in model:
        return "image_edit"
    if any(word in model for word in ("video", "wan", "kling", "seedance")):
        return "video_generation"
    return "audio_speech" if "speech" in model or "tts" in model else "image_generation"


def _order(visit: Visit, given: Document, model: str, text: str) -> Order:
    """Read what is to be made. Raises RefusedError (400)."""
    seed = visit.seed(text)
    operation = _operation(model)
    if operation == "video_generation":
        seconds = given.get("duration", 5)
        if seconds not in DURATIONS:
            raise RefusedError("invalid_request", f"property 'duration' is invalid: {seconds}")
        size = size_of(str(given.get("size", "1280*720")))
        length_ms = seconds * 1000
        outputs = [visit.file(seed, f"{length_ms}-{size.width}x{size.height}.mp4")]
        units = {"video": 1, "video_ms": length_ms}
    elif operation == "audio_speech":
        if len(text) > CHARACTERS_MAX:
            raise RefusedError("invalid_request", "property 'text' is too long")
        outputs = [visit.file(seed, f"{speech_ms(text)}.mp3")]
        units = {"character": len(text)}
    else:
        size = size_of(str(given.get("size", "1024*1024")))
        outputs = [visit.file(seed, f"{size.width}x{size.height}.png")]
        units = {"image": 1}
    return Order(model=model, operation=operation, asked=given, outputs=outputs, units=units)


def _envelope(visit: Visit, task: Task, state: State) -> Document:
    done = state == "succeeded"
    get = f"{visit.origin}/wavespeed/api/v3/predictions/{task.id}/result"
    flagged = task.script.task_outputs == "flagged"
    taken_ms = task.run_ms(visit.now_us) if done else 0
    return _wrapped(
        {
            "id": task.id,
            "model": task.order.model,
            "outputs": task.outputs if done else [],
            "urls": {"get": get},
            "has_nsfw_contents": [flagged for _ in task.outputs] if done else [],
            "status": task.said(state, _STATUS),
            "created_at": "2026-01-01T00:00:00.000Z",
            "error": "generation failed" if state in {"failed", "expired"} else "",
            "timings": {"inference": taken_ms},
        }
    )


def _wrapped(data: Document) -> Document:
    return {"code": 200, "message": "success", "data": data}


async def _call_back(visit: Visit, task: Task, address: str) -> None:
    task.polls = max(task.polls, task.script.task_polls + 1)
    document = _envelope(visit, task, task.state(visit.now_us))["data"]
    await webhooks.deliver(task, address, document, visit.now_us, proof=webhooks.sign_plain)


def refuse(trouble: Trouble) -> Any:
    """Return an error in the envelope."""
    return {"code": trouble.status, "message": trouble.message}


DIALECT: Final = Dialect(
    name="wavespeed",
    base="/wavespeed",
    root="/api/v3",
    routes=(
        Route("GET", "/api/v3/predictions/{id}/result", "poll", result),
        Route("GET", "/api/v3/predictions/{id}", "poll", result),
        Route("GET", "/api/v3/balance", "lookup", balance),
        Route("GET", "/api/v3/webhook/secret", "lookup", webhook_secret),
        Route("POST", "/api/v3/{model*}", "video_generation", submit),
    ),
    voice=Voice(voices.plain, refuse, statuses={"insufficient_quota": 402}),
    auth=("authorization",),
)
