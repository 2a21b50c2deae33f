"""What becomes of a film, as OpenAI tells it?"""

from types import MappingProxyType
from typing import Any, Final

import msgspec

from tollbridge.sandbox.media import film, png, size_of
from tollbridge.sandbox.refusals import RefusedError
from tollbridge.sandbox.tasks import Order, State, Task
from tollbridge.sandbox.visit import Visit, whole

SECONDS: Final = ("4", "8", "12")
SIZES: Final = ("720x1280", "1280x720", "1024x1792", "1792x1024")
LIST_MAX: Final = 100
EXPIRES_S: Final = 3600


class VideoRequest(msgspec.Struct, frozen=True):
    """The JSON body of a submit; a form has the same fields."""

    prompt: str
    model: str = "sora-2"
    seconds: str | int = "4"
    size: str = "720x1280"


_decoder: Final = msgspec.json.Decoder(VideoRequest)
_STATUS: Final = MappingProxyType(
    {
        "queued": "queued",
        "running": "in_progress",
        "succeeded": "completed",
        "expired": "completed",
    }
)


async def create(visit: Visit) -> None:
    """Accept a film; the form may bring a picture to begin with."""
    request = _read(visit)
    script = visit.choose(request.model, request.prompt)
    seconds = str(request.seconds)
    if seconds not in SECONDS:
        message = f"Invalid value: '{seconds}'. Supported values are: '4', '8', and '12'."
        raise RefusedError("invalid_request", message, param="seconds")
    if request.size not in SIZES:
        message = f"Invalid value: '{request.size}'."
        raise RefusedError("invalid_request", message, param="size")
    if not await visit.call.prepare(script):
        return
    order = Order(
        model=request.model,
        operation="video_generation",
        asked={"prompt": request.prompt, "seconds": seconds, "size": request.size},
        units={"video": 1, "video_ms": int(seconds) * 1000},
    )
    name = f"video_{visit.seed(request.prompt).hex()[:16]}{visit.sequence:08d}"
    task = visit.start_task(name, order, script)
    await visit.call.send_document(_video(task, "queued"))


async def retrieve(visit: Visit) -> None:
    """Tell how a film stands."""
    script = visit.look()
    if not await visit.call.prepare(script):
        return
    task, state = visit.world.tasks.poll("openai", visit.params["id"])
    await visit.call.send_document(_video(task, state))


async def content(visit: Visit) -> None:
    """Send the film, or a picture of it."""
    script = visit.look()
    if not await visit.call.prepare(script):
        return
    task = visit.world.tasks.find("openai", visit.params["id"])
    state = task.state(visit.now_us)
    gone = task.script.task_outputs in {"removed", "gone", "empty"} or state == "expired"
    if state not in {"succeeded", "expired"} or gone:
        message = "Video has expired" if gone else "Video is not ready yet, use GET /v1/videos"
        raise RefusedError("invalid_request", message, status=404)
    asked = task.order.asked
    if visit.query.get("variant", "video") == "video":
        data = film(int(asked["seconds"]) * 1000, size_of(asked["size"]))
        await visit.call.send_bytes(data, "video/mp4", chunked=True)
        return
    await visit.call.send_bytes(png(size_of(asked["size"])), "image/png")


async def listing(visit: Visit) -> None:
    """List the films, the newest first."""
    limit = min(LIST_MAX, whole(visit.query.get("limit"), 20, "limit"))
    tasks = [task for task in visit.world.tasks.all("openai") if task.key == visit.key]
    if visit.query.get("order", "desc") == "desc":
        tasks.reverse()
    names = [task.id for task in tasks]
    after = visit.query.get("after")
    start = names.index(after) + 1 if after in names else 0
    shown = [_video(task, task.state(visit.now_us)) for task in tasks[start : start + limit]]
    await visit.call.send_document(
        {
            "object": "list",
            "data": shown,
            "first_id": shown[0]["id"] if shown else None,
            "last_id": shown[-1]["id"] if shown else None,
            "has_more": len(tasks) > start + limit,
        }
    )


async def delete(visit: Visit) -> None:
    """Forget a film; one that is still being made cannot be stopped."""
    task = visit.world.tasks.find("openai", visit.params["id"])
    visit.world.tasks.remove(task)
    await visit.call.send_document({"id": task.id, "object": "video.deleted", "deleted": True})


def _read(visit: Visit) -> VideoRequest:
    if visit.header("content-type").startswith("multipart/"):
        fields = visit.form().fields
        prompt = fields.get("prompt")
        if not prompt:
            message = "Missing required parameter: 'prompt'."
            raise RefusedError("invalid_request", message, param="prompt")
        return VideoRequest(
            prompt=prompt,
            model=fields.get("model", "sora-2"),
            seconds=fields.get("seconds", "4"),
            size=fields.get("size", "720x1280"),
        )
    return visit.decoded(_decoder)


def _video(task: Task, state: State) -> dict[str, Any]:
    done = state in {"succeeded", "expired"}
    created = task.created_at_us // 1_000_000
    ended = None if task.ended_at_us is None else task.ended_at_us // 1_000_000
    error: dict[str, str] | None = None
    if state in {"failed", "aborted", "cancelled"}:
        code = "moderation_blocked" if task.script.filtered else "video_generation_failed"
        error = {"code": code, "message": "Video generation failed."}
    status = _STATUS.get(state, "failed")
    if task.script.task_status is not None and state in {"queued", "running"}:
        status = task.script.task_status
    return {
        "id": task.id,
        "object": "video",
        "created_at": created,
        "completed_at": ended if done else None,
        "expires_at": ended + EXPIRES_S if done and ended is not None else None,
        "status": status,
        "progress": 100 if done else min(99, task.polls * 40),
        "model": task.order.model,
        "remixed_from_video_id": None,
        "error": error,
        **task.order.asked,
    }
