"""What do Imagen and Veo answer, and which addresses has the Gemini API?"""

import base64
from types import MappingProxyType
from typing import Any, Final

import msgspec
from typing_extensions import override

from tollbridge.sandbox import voices
from tollbridge.sandbox.dialect import Dialect, Route
from tollbridge.sandbox.dialects import gemini
from tollbridge.sandbox.dialects.chat import Surface, model, models
from tollbridge.sandbox.dialects.manner import Document, Manner, Shape
from tollbridge.sandbox.frame import Trouble, Voice
from tollbridge.sandbox.media import Size, film, png
from tollbridge.sandbox.refusals import RefusedError
from tollbridge.sandbox.tasks import Order, State, Task
from tollbridge.sandbox.usage import Form, Usage, completion_object, count, read_chat
from tollbridge.sandbox.visit import MODELS, Visit

SAMPLES_MAX: Final = 4
_SIZES: Final = MappingProxyType(
    {
        "1:1": Size(1024, 1024),
        "16:9": Size(1408, 768),
        "9:16": Size(768, 1408),
        "4:3": Size(1280, 896),
        "3:4": Size(896, 1280),
    }
)
_FILMS: Final = MappingProxyType({"720p": Size(1280, 720), "1080p": Size(1920, 1080)})
_STATUSES: Final = MappingProxyType(
    {
        400: "INVALID_ARGUMENT",
        401: "UNAUTHENTICATED",
        403: "PERMISSION_DENIED",
        404: "NOT_FOUND",
        429: "RESOURCE_EXHAUSTED",
        499: "CANCELLED",
        503: "UNAVAILABLE",
        504: "DEADLINE_EXCEEDED",
    }
)


class PredictRequest(msgspec.Struct, frozen=True):
    """The body of predict and predictLongRunning."""

    instances: list[Document]
    parameters: Document = {}


_decoder: Final = msgspec.json.Decoder(PredictRequest)


async def imagen(visit: Visit) -> None:
    """Answer with pictures; what the filter took is not billed."""
    request, prompt = _read(visit)
    script = visit.choose(visit.params["model"], prompt)
    number = _whole(request.parameters, "sampleCount", SAMPLES_MAX, SAMPLES_MAX)
    size = _SIZES.get(request.parameters.get("aspectRatio", "1:1"))
    if size is None:
        raise RefusedError("invalid_request", "aspectRatio: unsupported value")
    if not await visit.call.prepare(script):
        return
    predictions: list[Document] = []
    for at in range(number):
        if script.filtered and at == number - 1:
            predictions.append({"raiFilteredReason": "Filtered by the safety settings."})
            continue
        data = base64.b64encode(png(size, visit.seed(prompt, str(at)))).decode()
        predictions.append({"mimeType": "image/png", "bytesBase64Encoded": data})
    visit.call.charge(units={"image": number - (1 if script.filtered else 0)})
    await visit.call.send_document({"predictions": predictions})


async def veo(visit: Visit) -> None:
    """Accept films."""
    request, prompt = _read(visit)
    script = visit.choose(visit.params["model"], prompt)
    number = _whole(request.parameters, "sampleCount", 1, SAMPLES_MAX)
    seconds = _whole(request.parameters, "durationSeconds", 8, 60)
    if seconds not in {4, 5, 6, 7, 8}:
        message = f"durationSeconds: {seconds} is out of bound, please provide 4 to 8."
        raise RefusedError("invalid_request", message)
    resolution = str(request.parameters.get("resolution", "720p"))
    if resolution not in _FILMS:
        raise RefusedError("invalid_request", f"resolution: {resolution} is not supported.")
    if not await visit.call.prepare(script):
        return
    name = f"{visit.seed(prompt).hex()[:12]}{visit.sequence:06d}"
    uris = [
        f"{visit.origin}/gemini/v1beta/files/{name}{at}:download?alt=media" for at in range(number)
    ]
    filtered = script.filtered
    order = Order(
        model=visit.params["model"],
        operation="video_generation",
        asked={"seconds": seconds, "resolution": resolution},
        outputs=[] if filtered else uris,
        units={} if filtered else {"video": number, "video_ms": number * seconds * 1000},
    )
    task = visit.start_task(name, order, script)
    for at in range(number):
        visit.world.kept.put("gemini.file", f"{name}{at}", task)
    await visit.call.send_document({"name": _name(task)})


async def list_models(visit: Visit) -> None:
    """List the models."""
    methods = ["generateContent", "countTokens", "embedContent"]
    listed = [
        {"name": f"models/{name}", "displayName": name, "supportedGenerationMethods": methods}
        for name in MODELS
    ]
    await visit.call.send_document({"models": listed})


async def show_model(visit: Visit) -> None:
    """Show one model."""
    name = visit.params["model"]
    if name not in MODELS:
        raise RefusedError("not_found", f"models/{name} is not found for API version v1beta.")
    await visit.call.send_document({"name": f"models/{name}", "displayName": name})


async def operation(visit: Visit) -> None:
    """Tell how an operation stands."""
    if not await visit.call.prepare(visit.look()):
        return
    task, state = visit.world.tasks.poll("gemini", visit.params["id"])
    await visit.call.send_document(_operation(task, state))


async def download(visit: Visit) -> None:
    """Send a film."""
    if not await visit.call.prepare(visit.look()):
        return
    task: Task | None = visit.world.kept.get("gemini.file", visit.params["id"])
    if task is None or task.script.task_outputs in {"gone", "removed"}:
        raise RefusedError("not_found", "File not found or expired.")
    if task.state(visit.now_us) != "succeeded":
        raise RefusedError("not_found", "File not found.")
    asked = task.order.asked
    data = film(asked["seconds"] * 1000, _FILMS[asked["resolution"]])
    await visit.call.send_bytes(data, "video/mp4", chunked=True)


def _operation(task: Task, state: State) -> Document:
    if state in {"queued", "running"}:
        return {"name": _name(task)}
    if state != "succeeded":
        code, message = (8, "The operation has expired.") if state == "expired" else (13, "Failed.")
        return {"name": _name(task), "done": True, "error": {"code": code, "message": message}}
    kind = "type.googleapis.com/google.ai.generativelanguage.v1beta.PredictLongRunningResponse"
    made: Document = {"generatedSamples": [{"video": {"uri": uri}} for uri in task.outputs]}
    if task.script.filtered:
        made = {"raiMediaFilteredCount": 1, "raiMediaFilteredReasons": ["Filtered."]}
    response = {"@type": kind, "generateVideoResponse": made}
    return {"name": _name(task), "done": True, "response": response}


def _name(task: Task) -> str:
    return f"models/{task.order.model}/operations/{task.id}"


def _read(visit: Visit) -> tuple[PredictRequest, str]:
    request = visit.decoded(_decoder)
    prompt = request.instances[0].get("prompt") if request.instances else None
    if not isinstance(prompt, str) or not prompt:
        raise RefusedError("invalid_request", "instances[0].prompt: must not be empty")
    return request, prompt


def _whole(parameters: Document, name: str, otherwise: int, most: int) -> int:
    value: Any = parameters.get(name, otherwise)
    if isinstance(value, str) and value.isdecimal():
        value = int(value)
    if not isinstance(value, int) or not 1 <= value <= most:
        raise RefusedError("invalid_request", f"{name}: between 1 and {most}")
    return value


def refuse(trouble: Trouble) -> Any:
    """Return an error as Google words it; a limit says how long to wait in the body."""
    status = _STATUSES.get(trouble.status, "INTERNAL")
    error: Document = {"code": trouble.status, "message": trouble.message, "status": status}
    if trouble.error.kind in {"rate_limited", "insufficient_quota"}:
        day = "Day" if trouble.error.kind == "insufficient_quota" else "Minute"
        quota = f"GenerateRequestsPer{day}PerProjectPerModel-FreeTier"
        error["message"] = "You exceeded your current quota, please check your plan."
        error["details"] = [
            {
                "@type": "type.googleapis.com/google.rpc.QuotaFailure",
                "violations": [{"quotaId": quota}],
            },
            {
                "@type": "type.googleapis.com/google.rpc.RetryInfo",
                "retryDelay": trouble.wait(34.4),
            },
        ]
    if trouble.error.kind == "authentication":
        error |= {"code": trouble.status, "status": "INVALID_ARGUMENT"}
        error["message"] = "API key not valid. Please pass a valid API key."
        reason = {"reason": "API_KEY_INVALID", "domain": "googleapis.com"}
        error["details"] = [{"@type": "type.googleapis.com/google.rpc.ErrorInfo", **reason}]
    document = {"error": error}
    return [document] if "/openai/" in trouble.path and not trouble.in_stream else document


class GeminiManner(Manner):
    """Google's OpenAI surface: thoughts are only in the total."""

    usage_at = "finish"

    @override
    def form(self, shape: Shape) -> Form:
        """Return a usage with tokens that no part of it names."""
        return Form(_hidden, _read_hidden, _total_hidden)


def _hidden(used: Usage) -> Document:
    visible = used.completion_tokens - used.reasoning_tokens
    return completion_object(used) | {"completion_tokens": visible}


def _read_hidden(told: Document) -> Usage:
    used = read_chat(told)
    whole = count(told, "total_tokens") - used.prompt_tokens
    hidden = whole - used.completion_tokens
    return msgspec.structs.replace(used, completion_tokens=whole, reasoning_tokens=hidden)


def _total_hidden(told: Document) -> Document:
    return {"total_tokens": count(told, "total_tokens")}


_SURFACE = Surface(GeminiManner())
# The SDK has asked for v1 since version 3, for v1beta before.
_MODEL = "/{version}/models/{model}"

DIALECT: Final = Dialect(
    name="gemini",
    base="/gemini",
    root="",
    routes=(
        Route("POST", f"{_MODEL}:generateContent", "chat_completion", gemini.generate),
        Route("POST", f"{_MODEL}:streamGenerateContent", "chat_completion", gemini.stream),
        Route("POST", f"{_MODEL}:countTokens", "count_tokens", gemini.count_tokens),
        Route("POST", f"{_MODEL}:embedContent", "embedding", gemini.embed_one),
        Route("POST", f"{_MODEL}:batchEmbedContents", "embedding", gemini.embed_many),
        Route("POST", f"{_MODEL}:predict", "image_generation", imagen),
        Route("POST", f"{_MODEL}:predictLongRunning", "video_generation", veo),
        Route("GET", f"{_MODEL}/operations/{{id}}", "poll", operation),
        Route("GET", "/{version}/files/{id}:download", "content", download),
        Route("GET", "/{version}/models", "models", list_models),
        Route("GET", _MODEL, "models", show_model),
        Route("POST", "/v1beta/openai/chat/completions", "chat_completion", _SURFACE.chat),
        Route("POST", "/v1beta/openai/embeddings", "embedding", _SURFACE.embeddings),
        Route("GET", "/v1beta/openai/models", "models", models),
        Route("GET", "/v1beta/openai/models/{model}", "models", model),
    ),
    voice=Voice(voices.gemini, refuse, statuses={"authentication": 400}, retry_header=False),
    auth=("x-goog-api-key", "authorization", "?key"),
)
