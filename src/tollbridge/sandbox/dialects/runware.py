"""What does Runware's REST interface answer to a list of tasks?"""

from collections.abc import Mapping
from decimal import Decimal
from typing import Any, Final

import msgspec

from tollbridge.sandbox import voices
from tollbridge.sandbox.dialect import Dialect, Route
from tollbridge.sandbox.frame import Trouble, Voice
from tollbridge.sandbox.media import size_of
from tollbridge.sandbox.refusals import RefusedError
from tollbridge.sandbox.script import Script
from tollbridge.sandbox.tasks import Order, State, Task
from tollbridge.sandbox.visit import Visit

Document = dict[str, Any]
TASKS_MAX: Final = 16
IMAGE_USD: Final = Decimal("0.0006")
VIDEO_SECOND_USD: Final = Decimal("0.04")
_decoder: Final = msgspec.json.Decoder(list[dict[str, Any]])


async def run(visit: Visit) -> None:
    """Answer a list of tasks: pictures at once, films when they are asked for again."""
    tasks = [one for one in visit.decoded(_decoder) if one.get("taskType") != "authentication"]
    if not 1 <= len(tasks) <= TASKS_MAX:
        raise RefusedError("invalid_request", f"between 1 and {TASKS_MAX} tasks, please")
    if tasks[0].get("taskType") == "getResponse":
        await _show(visit, tasks)
        return
    first = tasks[0]
    if first.get("taskType") == "videoInference":
        visit.call.entry.operation = "video_generation"
    script = visit.choose(str(first.get("model", "")), str(first.get("positivePrompt", "")))
    if not await visit.call.prepare(script):
        return
    data: list[Document] = []
    units: dict[str, int] = {}
    total = Decimal(0)
    for one in tasks:
        match one.get("taskType"):
            case "imageInference":
                made, cost = _pictures(visit, script, one)
                data += made
                units["image"] = units.get("image", 0) + len(made)
                total += cost
            case "videoInference":
                data.append(_film(visit, script, one))
            case kind:
                raise RefusedError("invalid_request", f"Unknown task type {kind}", param="taskType")
    if units:
        visit.call.charge(units={**visit.call.entry.units, **units}, usd=total)
    await visit.call.send_document({"data": data})


async def _show(visit: Visit, asked: list[Document]) -> None:
    visit.call.entry.operation = "poll"
    if not await visit.call.prepare(visit.look()):
        return
    data: list[Document] = []
    errors: list[Document] = []
    for one in asked:
        task, state = visit.world.tasks.poll("runware", str(one.get("taskUUID", "")))
        if state in {"failed", "expired", "aborted"}:
            error = {"code": "generationFailed", "message": "The task failed.", "status": "error"}
            errors.append({**error, "taskUUID": task.id})
        else:
            data.append(_told(task, state))
    document: Document = {"data": data}
    if errors:
        document["errors"] = errors
    await visit.call.send_document(document)


def _pictures(visit: Visit, script: Script, one: Document) -> tuple[list[Document], Decimal]:
    number = one.get("numberResults", 1)
    number = number if isinstance(number, int) and 1 <= number <= 20 else 1
    size = size_of(f"{one.get('width', 1024)}x{one.get('height', 1024)}", param="width")
    prompt = str(one.get("positivePrompt", ""))
    each = IMAGE_USD if script.cost_usd is None else script.cost_usd / number
    made: list[Document] = []
    for at in range(number):
        seed = visit.seed(prompt, str(at))
        picture: Document = {
            "taskType": "imageInference",
            "taskUUID": one.get("taskUUID"),
            "imageUUID": seed.hex()[:32],
            "imageURL": visit.file(seed, f"{size.width}x{size.height}.png"),
        }
        if one.get("includeCost"):
            picture["cost"] = float(each)
        made.append(picture)
    return made, each * number


def _film(visit: Visit, script: Script, one: Document) -> Document:
    name = str(one.get("taskUUID") or f"{visit.sequence:032x}")
    seconds = one.get("duration", 5)
    if not isinstance(seconds, int) or not 1 <= seconds <= 30:
        raise RefusedError("invalid_request", "duration: between 1 and 30", param="duration")
    size = size_of(f"{one.get('width', 1280)}x{one.get('height', 720)}", param="width")
    url = visit.file(visit.seed(name), f"{seconds * 1000}-{size.width}x{size.height}.mp4")
    cost = VIDEO_SECOND_USD * seconds if script.cost_usd is None else script.cost_usd
    order = Order(
        model=str(one.get("model", "")),
        operation="video_generation",
        asked={"includeCost": one.get("includeCost") is True},
        outputs=[url],
        units={"video": 1, "video_ms": seconds * 1000},
        billed_usd=cost,
    )
    visit.start_task(name, order, script)
    return {"taskType": "videoInference", "taskUUID": name}


def _told(task: Task, state: State) -> Document:
    words: Mapping[State, str] = {"succeeded": "success"}
    status = "processing" if state in {"queued", "running"} else words.get(state, "error")
    if task.script.task_status is not None and status == "processing":
        status = task.script.task_status
    told: Document = {"taskType": "videoInference", "taskUUID": task.id, "status": status}
    if state == "succeeded":
        urls = task.outputs
        told |= {"videoUUID": task.id, "videoURL": urls[0] if urls else None}
        if task.order.asked["includeCost"]:
            told["cost"] = float(task.order.billed_usd or 0)
    return told


def refuse(trouble: Trouble) -> Any:
    """Return a list of errors."""
    error = trouble.error.error
    code = {"authentication": "invalidApiKey", "insufficient_quota": "insufficientCredits"}
    named = code.get(trouble.error.kind, str(error["code"]))
    problem = {"code": named, "message": trouble.message, "parameter": error["param"]}
    return {"errors": [problem]}


DIALECT: Final = Dialect(
    name="runware",
    base="/runware",
    root="/v1",
    routes=(Route("POST", "/v1", "image_generation", run),),
    voice=Voice(voices.plain, refuse, statuses={"insufficient_quota": 402}),
    auth=("authorization",),
)
