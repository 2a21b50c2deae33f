"""Which addresses has OpenAI, and Azure, and whoever speaks as they do?"""

from typing import Any, Final

from tollbridge.sandbox import voices
from tollbridge.sandbox.dialect import Dialect, Route
from tollbridge.sandbox.dialects import audio, images, responses, videos
from tollbridge.sandbox.dialects.chat import Surface, model, models
from tollbridge.sandbox.dialects.hub import text_to_image
from tollbridge.sandbox.dialects.manner import OpenAIManner
from tollbridge.sandbox.dialects.openai_like import (
    AzureManner,
    DeepSeekManner,
    GroqManner,
    HuggingFaceManner,
    MistralManner,
    TogetherManner,
    VllmManner,
)
from tollbridge.sandbox.dialects.rerank import together_rerank, token_rerank
from tollbridge.sandbox.frame import Trouble, Voice, openai_error

_OPENAI = Surface(OpenAIManner())
_AZURE = Surface(AzureManner())
_DEPLOYMENT = "/openai/deployments/{deployment}"


def _text_routes(surface: Surface, prefix: str) -> tuple[Route, ...]:
    return (
        Route("POST", f"{prefix}/chat/completions", "chat_completion", surface.chat),
        Route("POST", f"{prefix}/completions", "completion", surface.completion),
        Route("POST", f"{prefix}/embeddings", "embedding", surface.embeddings),
        Route("GET", f"{prefix}/models", "models", models),
        Route("GET", f"{prefix}/models/{{model}}", "models", model),
    )


def _media_routes(prefix: str) -> tuple[Route, ...]:
    return (
        Route("POST", f"{prefix}/images/generations", "image_generation", images.generations),
        Route("POST", f"{prefix}/images/edits", "image_edit", images.edits),
        Route("POST", f"{prefix}/audio/speech", "audio_speech", audio.speech),
        Route("POST", f"{prefix}/audio/transcriptions", "audio_transcription",
              audio.transcriptions),
        Route("POST", f"{prefix}/audio/translations", "audio_transcription", audio.translations),
    )  # fmt: skip


def openai_refuse(trouble: Trouble) -> Any:
    """Return an error; among the events of a response it is one of its own."""
    if trouble.in_stream and trouble.path.endswith("/responses"):
        error = trouble.error.error
        numbered = {"param": error["param"], "sequence_number": 99}
        return {"type": "error", "code": error["code"], "message": trouble.message, **numbered}
    return openai_error(trouble)


def azure_refuse(trouble: Trouble) -> Any:
    """Return an error as Azure words it."""
    match trouble.error.kind:
        case "content_filter":
            inner: dict[str, Any] = {
                "code": "ResponsibleAIPolicyViolation",
                "content_filter_result": {},
            }
            error = {"code": "content_filter", "param": "prompt", "type": None, "status": 400}
            return {"error": {**error, "message": trouble.message, "innererror": inner}}
        case "not_found":
            return {"error": {"code": "DeploymentNotFound", "message": trouble.message}}
        case "rate_limited":
            message = f"Rate limit is exceeded. Please retry after {trouble.wait(7)[:-1]} seconds."
            return {"error": {"code": "429", "message": message}}
        case "authentication":
            message = "Access denied due to invalid subscription key or wrong API endpoint."
            return {"error": {"code": "401", "message": message}}
        case _:
            return openai_error(trouble)


def mistral_refuse(trouble: Trouble) -> Any:
    """Return an error as Mistral words it: what is wrong with a field is a list."""
    if trouble.in_stream:
        return openai_error(trouble)
    if trouble.status == 422:
        location = ["body", *str(trouble.error.error["param"] or "messages").split(".")]
        detail = {"type": "extra_forbidden", "loc": location, "msg": trouble.message}
        return {"detail": [detail]}
    if trouble.status == 401:
        return {"detail": "Unauthorized"}
    error = trouble.error.error
    kind = {"type": error["type"], "param": error["param"], "code": "1500"}
    return {"object": "error", "message": trouble.message, **kind}


def groq_refuse(trouble: Trouble) -> Any:
    """Return an error; how long to wait stands in a sentence."""
    error = dict(trouble.error.error)
    if trouble.error.kind == "rate_limited":
        error["type"] = "tokens"
        error["message"] = (
            "Rate limit reached for model in organization `org_sandbox` service tier `on_demand` "
            "on tokens per minute (TPM): Limit 15000, Used 11972, Requested 4351. "
            f"Please try again in {trouble.wait(5.289)}."
        )
    if trouble.in_stream:
        error["status_code"] = trouble.error.status
    return {"error": error}


def together_refuse(trouble: Trouble) -> Any:
    """Return an error with an id."""
    return {"id": trouble.request_id, **openai_error(trouble)}


def vllm_refuse(trouble: Trouble) -> Any:
    """Return an error whose code is a number."""
    error = trouble.error.error
    return {"error": {**error, "code": trouble.status}}


def huggingface_refuse(trouble: Trouble) -> Any:
    """Return an error: a mere sentence where the router itself refuses."""
    if trouble.error.kind in {"authentication", "insufficient_quota"}:
        return {"error": trouble.message}
    return openai_error(trouble)


def deepseek_refuse(trouble: Trouble) -> Any:
    """Return an error."""
    if trouble.error.kind == "insufficient_quota":
        words = {"type": "unknown_error", "param": None, "code": "invalid_request_error"}
        return {"error": {"message": "Insufficient Balance", **words}}
    return openai_error(trouble)


OPENAI: Final = Dialect(
    name="openai",
    base="",
    root="/v1",
    routes=(
        *_text_routes(_OPENAI, "/v1"),
        *_media_routes("/v1"),
        Route("POST", "/v1/rerank", "rerank", token_rerank),
        Route("POST", "/v1/responses", "chat_completion", responses.create),
        Route("POST", "/v1/responses/input_tokens", "count_tokens", responses.count_tokens),
        Route("GET", "/v1/responses/{id}", "poll", responses.retrieve),
        Route("DELETE", "/v1/responses/{id}", "delete", responses.delete),
        Route("POST", "/v1/videos", "video_generation", videos.create),
        Route("GET", "/v1/videos", "list", videos.listing),
        Route("GET", "/v1/videos/{id}", "poll", videos.retrieve),
        Route("GET", "/v1/videos/{id}/content", "content", videos.content),
        Route("DELETE", "/v1/videos/{id}", "delete", videos.delete),
    ),
    voice=Voice(voices.openai, openai_refuse),
)
AZURE: Final = Dialect(
    name="azure",
    base="/azure",
    root="",
    routes=(
        Route("POST", f"{_DEPLOYMENT}/chat/completions", "chat_completion", _AZURE.chat),
        Route("POST", f"{_DEPLOYMENT}/embeddings", "embedding", _AZURE.embeddings),
        *_media_routes(_DEPLOYMENT),
        *_text_routes(_AZURE, "/openai/v1"),
        *_media_routes("/openai/v1"),
    ),
    voice=Voice(voices.azure, azure_refuse),
    auth=("api-key", "authorization"),
)
GROQ: Final = Dialect(
    name="groq",
    base="/groq",
    root="/openai/v1",
    routes=(*_text_routes(Surface(GroqManner()), "/openai/v1"), *_media_routes("/openai/v1")),
    voice=Voice(voices.groq, groq_refuse, statuses={"overloaded": 498}, error_event="error"),
    auth=("authorization",),
)
MISTRAL: Final = Dialect(
    name="mistral",
    base="/mistral",
    root="/v1",
    routes=_text_routes(Surface(MistralManner()), "/v1"),
    voice=Voice(voices.mistral, mistral_refuse, statuses={"insufficient_quota": 402}),
    auth=("authorization",),
)
DEEPSEEK: Final = Dialect(
    name="deepseek",
    base="/deepseek",
    root="/v1",
    routes=_text_routes(Surface(DeepSeekManner()), "/v1"),
    voice=Voice(voices.plain, deepseek_refuse, statuses={"insufficient_quota": 402}),
    auth=("authorization",),
)
TOGETHER: Final = Dialect(
    name="together",
    base="/together",
    root="/v1",
    routes=(
        *_text_routes(Surface(TogetherManner()), "/v1"),
        *_media_routes("/v1"),
        Route("POST", "/v1/rerank", "rerank", together_rerank),
    ),
    voice=Voice(voices.plain, together_refuse, statuses={"insufficient_quota": 402}),
    auth=("authorization",),
)
VLLM: Final = Dialect(
    name="vllm",
    base="/vllm",
    root="/v1",
    routes=(
        *_text_routes(Surface(VllmManner()), "/v1"),
        Route("POST", "/v1/rerank", "rerank", token_rerank),
        Route("POST", "/rerank", "rerank", token_rerank),
    ),
    voice=Voice(voices.plain, vllm_refuse),
)
HUGGINGFACE: Final = Dialect(
    name="huggingface",
    base="/huggingface",
    root="/v1",
    routes=(
        *_text_routes(Surface(HuggingFaceManner()), "/v1"),
        Route("POST", "/hf-inference/models/{model*}", "image_generation", text_to_image),
    ),
    voice=Voice(voices.huggingface, huggingface_refuse, statuses={"insufficient_quota": 402}),
    auth=("authorization",),
)
