"""What does Stability answer: a picture's bytes, or JSON around them?"""

import base64
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Final

from tollbridge.sandbox import voices
from tollbridge.sandbox.dialect import Dialect, Route
from tollbridge.sandbox.forms import Form
from tollbridge.sandbox.frame import Headers, Trouble, Voice
from tollbridge.sandbox.media import Size, png, sound
from tollbridge.sandbox.refusals import RefusedError
from tollbridge.sandbox.tasks import Order
from tollbridge.sandbox.visit import Visit

PROMPT_CHARACTERS_MAX: Final = 10_000
_SIZES: Final[Mapping[str, Size]] = MappingProxyType(
    {
        "1:1": Size(1024, 1024),
        "16:9": Size(1344, 768),
        "9:16": Size(768, 1344),
        "3:2": Size(1216, 832),
        "2:3": Size(832, 1216),
        "21:9": Size(1536, 640),
        "9:21": Size(640, 1536),
        "4:5": Size(896, 1088),
        "5:4": Size(1088, 896),
    }
)
_NAMES: Final[Mapping[int, str]] = MappingProxyType(
    {
        400: "bad_request",
        401: "unauthorized",
        402: "payment_required",
        403: "content_moderation",
        404: "not_found",
        413: "payload_too_large",
        422: "unprocessable_entity",
        429: "rate_limit_exceeded",
    }
)


async def generate(visit: Visit) -> None:
    """Answer a generation: ultra, core or sd3."""
    form = visit.form()
    service = visit.params["service"]
    model = form.fields.get("model", "sd3.5-large") if service == "sd3" else service
    prompt = form.need("prompt")
    if len(prompt) > PROMPT_CHARACTERS_MAX:
        raise RefusedError("invalid_request", "prompt: must be at most 10000 characters")
    size = _SIZES.get(form.fields.get("aspect_ratio", "1:1"))
    if size is None:
        raise RefusedError("invalid_request", "aspect_ratio: must be one of the listed values")
    await _send(visit, form, model, prompt, size)


async def edit(visit: Visit) -> None:
    """Answer an edit, a control or an upscale of a picture."""
    form = visit.form()
    form.file("image")
    model = f"{visit.params['family']}/{visit.params['service']}"
    await _send(visit, form, model, form.fields.get("prompt", ""), Size(1024, 1024))


async def creative_upscale(visit: Visit) -> None:
    """Accept what takes longer."""
    form = visit.form()
    form.file("image")
    prompt = form.fields.get("prompt", "")
    script = visit.choose("upscale/creative", prompt)
    if not await visit.call.prepare(script):
        return
    name = (visit.seed(prompt).hex() + f"{visit.sequence:064x}")[-64:]
    order = Order(model="upscale/creative", operation="image_edit", asked={}, units={"image": 1})
    visit.start_task(name, order, script)
    await visit.call.send_document({"id": name})


async def result(visit: Visit) -> None:
    """Send what was made, or 202 while it is not yet."""
    if not await visit.call.prepare(visit.look()):
        return
    task, state = visit.world.tasks.poll("stability", visit.params["id"])
    if state in {"queued", "running"}:
        document = {"id": task.id, "status": "in-progress"}
        await visit.call.send_document(document, status=202)
        return
    if state == "expired":
        raise RefusedError("not_found")
    if state != "succeeded":
        raise RefusedError("server_error")
    await _deliver(visit, png(Size(2048, 2048)), 7, "SUCCESS")


async def audio(visit: Visit) -> None:
    """Answer with a sound of the length that is asked for."""
    form = visit.form()
    prompt = form.need("prompt")
    seconds = form.whole("duration", 20)
    if not 1 <= seconds <= 190:
        raise RefusedError("invalid_request", "duration: must be between 1 and 190")
    script = visit.choose("stable-audio-2", prompt)
    if not await visit.call.prepare(script):
        return
    kind = form.fields.get("output_format", "mp3")
    data = sound(kind, seconds * 1000)
    visit.call.charge(units={"request": 1})
    headers = _facts(7, "SUCCESS")
    await visit.call.send_bytes(data, f"audio/{kind}".replace("mp3", "mpeg"), headers=headers)


async def balance(visit: Visit) -> None:
    """Tell the credits that are left."""
    await visit.call.send_document({"credits": 187.5})


async def _send(visit: Visit, form: Form, model: str, prompt: str, size: Size) -> None:
    script = visit.choose(model, prompt)
    if not await visit.call.prepare(script):
        return
    seed = form.whole("seed", 0) or visit.seed(prompt)[0]
    visit.call.charge(units={"image": 1})
    reason = "CONTENT_FILTERED" if script.filtered else "SUCCESS"
    await _deliver(visit, png(size, visit.seed(prompt, str(seed))), seed, reason)


async def _deliver(visit: Visit, data: bytes, seed: int, reason: str) -> None:
    """Send bytes, or base64 in JSON where the caller accepts that."""
    if visit.header("accept").startswith("application/json"):
        image = base64.b64encode(data).decode()
        document = {"image": image, "finish_reason": reason, "seed": seed}
        await visit.call.send_document(document)
        return
    await visit.call.send_bytes(data, "image/png", headers=_facts(seed, reason))


def _facts(seed: int, reason: str) -> Headers:
    return [(b"seed", b"%d" % seed), (b"finish-reason", reason.encode())]


def refuse(trouble: Trouble) -> Any:
    """Return an error as Stability words it."""
    name = _NAMES.get(trouble.status, "internal_error")
    return {"id": trouble.request_id.removeprefix("req_"), "name": name,
            "errors": [trouble.message]}  # fmt: skip


DIALECT: Final = Dialect(
    name="stability",
    base="/stability",
    root="",
    routes=(
        Route("POST", "/v2beta/stable-image/generate/{service}", "image_generation", generate),
        Route("POST", "/v2beta/stable-image/upscale/creative", "image_edit", creative_upscale),
        Route("POST", "/v2beta/stable-image/{family}/{service}", "image_edit", edit),
        Route("GET", "/v2beta/results/{id}", "poll", result),
        Route("POST", "/v2beta/audio/stable-audio-2/text-to-audio", "audio_speech", audio),
        Route("GET", "/v1/user/balance", "lookup", balance),
    ),
    voice=Voice(
        voices.plain,
        refuse,
        statuses={"insufficient_quota": 402, "content_filter": 403},
        retry_header=False,
    ),
    auth=("authorization",),
)
