"""How does OpenRouter say who served, and what it charged?"""

from decimal import Decimal
from typing import Any, Final

from typing_extensions import override

from tollbridge.sandbox import usage, voices
from tollbridge.sandbox.answer import Answer
from tollbridge.sandbox.dialect import Dialect, Route
from tollbridge.sandbox.dialects.chat import Surface, model, models
from tollbridge.sandbox.dialects.manner import Document, Manner, Shape, amount_usd
from tollbridge.sandbox.dialects.rerank import openrouter_rerank
from tollbridge.sandbox.frame import Headers, Trouble, Voice
from tollbridge.sandbox.refusals import RefusedError
from tollbridge.sandbox.script import Script
from tollbridge.sandbox.usage import Form, Usage, count
from tollbridge.sandbox.visit import Visit

PROVIDER: Final = "Groq"
BYOK_FEE: Final = Decimal("0.05")
"""With a key of one's own, OpenRouter charges this part of what the provider would."""


class OpenRouterManner(Manner):
    """Usage with its amount in the last chunk, whose choices are not empty; `provider`."""

    usage_at = "after"
    usage_unasked = True
    thoughts_key = "reasoning"

    @override
    def identify(self, answer: Answer) -> str:
        """Return a generation's id."""
        return f"gen-{answer.created}-{answer.id[-29:-9]}"

    @override
    def form(self, shape: Shape) -> Form:
        """Return the usage with its amount."""
        return Form(_object, usage.read_chat, _follows)

    @override
    def dress_usage(self, told: Document, script: Script) -> None:
        """Say another amount, or a fee beside the amount that one's own key has paid."""
        if script.cost_usd is not None:
            told["cost"] = float(script.cost_usd)
        if script.byok:
            whole = told["cost"]
            told |= {"is_byok": True, "cost": float(Decimal(str(whole)) * BYOK_FEE)}
            told["cost_details"] = {**told["cost_details"], "upstream_inference_cost": whole}

    @override
    def dress_body(self, body: Document, answer: Answer, script: Script) -> None:
        """Say who served, and which providers were tried before."""
        body["provider"] = script.provider or PROVIDER
        for choice in body["choices"]:
            choice["native_finish_reason"] = choice["finish_reason"]
        if script.tried:
            body["openrouter_metadata"] = _trace(answer, script)

    @override
    def dress_chunk(self, chunk: Document, answer: Answer, script: Script, at: int) -> None:
        """Say who serves, in every chunk."""
        chunk["provider"] = script.provider or PROVIDER

    @override
    def cost_usd(self, used: Usage, script: Script) -> Decimal | None:
        """Return what OpenRouter itself charges."""
        if script.cache_hit:
            return Decimal(0)
        cost = amount_usd(used) if script.cost_usd is None else script.cost_usd
        return cost * BYOK_FEE if script.byok else cost

    @override
    def headers(self, visit: Visit, script: Script, used: Usage | None) -> Headers:
        """Name the generation and the provider, and keep the call for the lookup."""
        name = f"gen-{visit.created}-{visit.sequence:020d}"
        provider = script.provider or PROVIDER
        visit.world.kept.put("openrouter.generation", name, (visit.call.entry, provider))
        cached = [(b"x-openrouter-cache-status", b"HIT")] if script.cache_hit else []
        return [
            (b"x-generation-id", name.encode()),
            (b"x-provider-name", provider.encode("latin-1", "replace")),
            *cached,
        ]


async def generation(visit: Visit) -> None:
    """Tell the truth about one call; it is there once the call has ended."""
    name = visit.query.get("id", "")
    kept = visit.world.kept.get("openrouter.generation", name)
    if kept is None or kept[0].ended_at_us is None:
        raise RefusedError("not_found", f"Generation {name} not found")
    entry, provider = kept
    used = entry.usage or Usage()
    await visit.call.send_document(
        {
            "data": {
                "id": name,
                "model": entry.model,
                "provider_name": provider,
                "streamed": entry.stream,
                "cancelled": entry.outcome == "aborted_by_client",
                "tokens_prompt": used.prompt_tokens,
                "tokens_completion": used.completion_tokens,
                "native_tokens_prompt": used.prompt_tokens,
                "native_tokens_completion": used.completion_tokens,
                "native_tokens_reasoning": used.reasoning_tokens,
                "native_tokens_cached": used.cached_tokens,
                "total_cost": float(entry.billed_usd or 0),
                "is_byok": False,
                "provider_responses": None,
            }
        }
    )


def refuse(trouble: Trouble) -> Any:
    """Return an error with the provider that failed; inside a stream it is a chunk."""
    if trouble.in_stream:
        return {
            "id": "gen-0-00000000000000000000",
            "object": "chat.completion.chunk",
            "provider": PROVIDER,
            "error": {"code": "server_error", "message": trouble.message},
            "choices": [{"index": 0, "delta": {"content": ""}, "finish_reason": "error"}],
        }
    metadata = {"provider_name": PROVIDER, "raw": trouble.message}
    error = {"code": trouble.status, "message": "Provider returned error", "metadata": metadata}
    if trouble.error.kind in {"authentication", "insufficient_quota", "invalid_request"}:
        error = {"code": trouble.status, "message": trouble.message}
    return {"error": error, "user_id": "user_sandbox"}


def _object(used: Usage) -> Document:
    prompt = used.prompt_tokens * Decimal("0.00000015")
    return {
        **usage.completion_object(used),
        "cost": float(amount_usd(used)),
        "is_byok": False,
        "prompt_tokens_details": {
            "cached_tokens": used.cached_tokens,
            "cache_write_tokens": used.cache_write_tokens,
            "audio_tokens": used.prompt_audio_tokens,
            "video_tokens": 0,
        },
        "completion_tokens_details": {
            "reasoning_tokens": used.reasoning_tokens,
            "image_tokens": 0,
            "audio_tokens": used.completion_audio_tokens,
        },
        "cost_details": {
            "upstream_inference_cost": None,
            "upstream_inference_prompt_cost": float(prompt),
            "upstream_inference_completions_cost": float(amount_usd(used) - prompt),
        },
    }


def _follows(told: Document) -> Document:
    used = usage.read_chat(told)
    return {
        "total_tokens": count(told, "prompt_tokens") + count(told, "completion_tokens"),
        "cost": float(amount_usd(used)),
    }


def _trace(answer: Answer, script: Script) -> Document:
    served = script.provider or PROVIDER
    providers = [*script.tried, served]
    return {
        "requested": answer.model,
        "strategy": "direct",
        "attempt": len(providers),
        "is_byok": script.byok,
        "endpoints": {
            "total": len(providers),
            "available": [
                {"provider": name, "model": answer.model, "selected": name == served}
                for name in providers
            ],
        },
        "attempts": [
            {"provider": name, "model": answer.model, "status": 200 if name == served else 429}
            for name in providers
        ],
    }


_SURFACE: Final = Surface(OpenRouterManner())

DIALECT: Final = Dialect(
    name="openrouter",
    base="/openrouter",
    root="/api/v1",
    routes=(
        Route("POST", "/api/v1/chat/completions", "chat_completion", _SURFACE.chat),
        Route("POST", "/api/v1/embeddings", "embedding", _SURFACE.embeddings),
        Route("POST", "/api/v1/rerank", "rerank", openrouter_rerank),
        Route("GET", "/api/v1/generation", "lookup", generation),
        Route("GET", "/api/v1/models", "models", models),
        Route("GET", "/api/v1/models/{model}", "models", model),
    ),
    voice=Voice(voices.plain, refuse, statuses={"insufficient_quota": 402}),
    auth=("authorization",),
)
