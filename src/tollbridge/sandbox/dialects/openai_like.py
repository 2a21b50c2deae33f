"""In what do the providers differ whose text is OpenAI's: Groq, Mistral, DeepSeek, xAI, vLLM …?"""

from decimal import Decimal
from typing import Final

from typing_extensions import override

from tollbridge.sandbox import usage
from tollbridge.sandbox.answer import Answer
from tollbridge.sandbox.dialects import usage_objects as shown
from tollbridge.sandbox.dialects.manner import Document, Manner, Shape, amount_usd
from tollbridge.sandbox.frame import Headers
from tollbridge.sandbox.refusals import RefusedError
from tollbridge.sandbox.script import Script
from tollbridge.sandbox.usage import Form, Usage
from tollbridge.sandbox.visit import Visit
from tollbridge.sandbox.voices import uuid_of

CREDITS_PER_USD: Final = 2_000_000

_FILTERS: Final = ("hate", "self_harm", "sexual", "violence")


class AzureManner(Manner):
    """The first chunk has no choices and no usage; choices carry the results of the filter."""

    @override
    def opening(self, answer: Answer, script: Script) -> list[Document]:
        """Return the chunk with the prompt's filter results, whose other fields are empty."""
        _ = answer, script
        results = [{"prompt_index": 0, "content_filter_results": _safe()}]
        empty = {"id": "", "model": "", "created": 0, "object": ""}
        return [{"choices": [], "prompt_filter_results": results, **empty}]

    @override
    def dress_body(self, body: Document, answer: Answer, script: Script) -> None:
        """Add the filter results of prompt and choices."""
        body["prompt_filter_results"] = [{"prompt_index": 0, "content_filter_results": _safe()}]
        for choice in body["choices"]:
            choice["content_filter_results"] = _safe()

    @override
    def headers(self, visit: Visit, script: Script, used: Usage | None) -> Headers:
        """Name the deployment."""
        name = visit.params.get("deployment") or visit.call.entry.model or ""
        return [(b"x-ms-deployment-name", name.encode("latin-1", "replace"))]


class GroqManner(Manner):
    """Usage twice in the chunk with the finish reason: bare, and in `x_groq`."""

    usage_at = "finish"
    usage_unasked = True
    thoughts_key = "reasoning"

    @override
    def identify(self, answer: Answer) -> str:
        """Return a dashed id."""
        return f"chatcmpl-{uuid_of(answer.seed.hex())}"

    @override
    def tier(self, script: Script) -> str | None:
        """Return Groq's own word for the default."""
        return script.service_tier or "on_demand"

    @override
    def dress_usage(self, told: Document, script: Script) -> None:
        """Add the times, in seconds."""
        told |= {"queue_time": 0.335637089, "prompt_time": 0.000658349}
        told |= {"completion_time": 1.231022196, "total_time": 1.231680545}

    @override
    def dress_body(self, body: Document, answer: Answer, script: Script) -> None:
        """Add the request's name."""
        body["usage_breakdown"] = None
        body["x_groq"] = {"id": _groq_id(answer), "seed": answer.seed[0]}

    @override
    def dress_chunk(self, chunk: Document, answer: Answer, script: Script, at: int) -> None:
        """Put the name on the first chunk and the usage, again, on the last."""
        if at == 0:
            chunk["x_groq"] = {"id": _groq_id(answer), "seed": answer.seed[0]}
        elif chunk.get("usage") is not None:
            chunk["x_groq"] = {"id": _groq_id(answer), "usage": chunk["usage"]}


class MistralManner(Manner):
    """Takes no `stream_options`; usage comes with the finish reason."""

    usage_at = "finish"
    usage_unasked = True

    @override
    def identify(self, answer: Answer) -> str:
        """Return 32 digits without a prefix."""
        return answer.seed.hex()[:32]

    @override
    def fingerprint(self, answer: Answer) -> str | None:
        """Return none."""
        return None

    @override
    def form(self, shape: Shape) -> Form:
        """Return a usage whose cached tokens are a plain field."""
        return Form(shown.mistral_object, shown.read_mistral, usage.total_chat)

    @override
    def check(self, visit: Visit) -> None:
        """Refuse `stream_options` with 422 and the place of the offence."""
        if b'"stream_options"' in visit.body:
            message = "Extra inputs are not permitted"
            raise RefusedError("invalid_request", message, status=422, param="stream_options")


class DeepSeekManner(Manner):
    """Cache hits and misses add up to the prompt; thoughts are told."""

    usage_at = "finish"
    usage_unasked = True
    thoughts_key = "reasoning_content"

    @override
    def identify(self, answer: Answer) -> str:
        """Return a UUID."""
        return uuid_of(answer.seed.hex())

    @override
    def fingerprint(self, answer: Answer) -> str | None:
        """Return one that names the build."""
        return f"fp_{answer.seed.hex()[:10]}_prod0820_fp8_kvcache"

    @override
    def form(self, shape: Shape) -> Form:
        """Return the usage with hit and miss."""
        return Form(shown.deepseek_object, shown.read_deepseek, shown.total_deepseek)


class TogetherManner(Manner):
    """Usage with the last content; seeds beyond 2^53; cached tokens at the top."""

    usage_at = "content"
    usage_unasked = True

    @override
    def identify(self, answer: Answer) -> str:
        """Return three parts, the last of which is the edge's."""
        digits = answer.seed.hex()
        return f"o{digits[:7]}-{digits[7:13]}-{digits[13:29]}"

    @override
    def fingerprint(self, answer: Answer) -> str | None:
        """Return none."""
        return None

    @override
    def form(self, shape: Shape) -> Form:
        """Return a usage whose cached tokens are a plain field."""
        return Form(shown.together_object, shown.read_together, usage.total_chat)

    @override
    def dress_body(self, body: Document, answer: Answer, script: Script) -> None:
        """Add an empty prompt and seeds that no double can hold."""
        body["prompt"] = []
        for choice in body["choices"]:
            choice["seed"] = 5_844_196_810_245_229_001 + choice["index"]

    @override
    def dress_chunk(self, chunk: Document, answer: Answer, script: Script, at: int) -> None:
        """Add a number to each token."""
        for choice in chunk["choices"]:
            if "delta" in choice:
                choice["delta"]["token_id"] = at
        chunk.setdefault("usage", None)


class VllmManner(Manner):
    """OpenAI's usage without details; ids without dashes; fields that are null."""

    thoughts_key = "reasoning_content"

    @override
    def identify(self, answer: Answer) -> str:
        """Return 32 digits after the prefix."""
        return f"chatcmpl-{answer.seed.hex()[:32]}"

    @override
    def fingerprint(self, answer: Answer) -> str | None:
        """Name the server's version."""
        return f"vllm-0.11.0-{answer.seed.hex()[:8]}"

    @override
    def form(self, shape: Shape) -> Form:
        """Return the usage of a server without `--enable-prompt-tokens-details`."""
        return Form(shown.vllm_object, usage.read_chat, usage.total_chat)

    @override
    def dress_body(self, body: Document, answer: Answer, script: Script) -> None:
        """Add what is null."""
        body |= {"service_tier": None, "prompt_logprobs": None, "kv_transfer_params": None}
        for choice in body["choices"]:
            choice["stop_reason"] = None


class XaiManner(Manner):
    """Reasoning stands outside of the completion; the amount is told in ticks."""

    usage_unasked = True
    thoughts_key = "reasoning_content"

    @override
    def identify(self, answer: Answer) -> str:
        """Return a UUID."""
        return uuid_of(answer.seed.hex())

    @override
    def form(self, shape: Shape) -> Form:
        """Return the usage whose total is prompt + completion + reasoning."""
        return Form(shown.xai_object, shown.read_xai, shown.total_xai)

    @override
    def dress_usage(self, told: Document, script: Script) -> None:
        """Say another amount, where the script does."""
        if script.cost_usd is not None:
            told["cost_in_usd_ticks"] = int(script.cost_usd * shown.TICKS_PER_USD)

    @override
    def cost_usd(self, used: Usage, script: Script) -> Decimal | None:
        """Return the amount."""
        return amount_usd(used) if script.cost_usd is None else script.cost_usd


class HuggingFaceManner(Manner):
    """Another provider's body, here a vLLM's; who served is in a header."""

    thoughts_key = "reasoning_content"

    @override
    def identify(self, answer: Answer) -> str:
        """Return the id of the one behind."""
        return f"chatcmpl-{answer.seed.hex()[:32]}"

    @override
    def form(self, shape: Shape) -> Form:
        """Return the usage of the one behind."""
        return Form(shown.vllm_object, usage.read_chat, usage.total_chat)

    @override
    def dress_body(self, body: Document, answer: Answer, script: Script) -> None:
        """Drop the suffix that pins a provider."""
        body["model"] = answer.model.partition(":")[0]

    @override
    def dress_chunk(self, chunk: Document, answer: Answer, script: Script, at: int) -> None:
        """Drop the suffix that pins a provider."""
        chunk["model"] = answer.model.partition(":")[0]

    @override
    def headers(self, visit: Visit, script: Script, used: Usage | None) -> Headers:
        """Say who served: the pinned one, unless the script knows better."""
        pinned = (visit.call.entry.model or "").partition(":")[2]
        if pinned in {"", "fastest", "cheapest", "preferred"}:
            pinned = "groq"
        return [(b"x-inference-provider", (script.provider or pinned).encode())]


class AimlapiManner(Manner):
    """The amount is in `meta.usage` and, of what is not streamed, in headers."""

    usage_unasked = True

    @override
    def dress_body(self, body: Document, answer: Answer, script: Script) -> None:
        """Say what it cost."""
        body["meta"] = {"usage": _spent(self.cost_usd(answer.usage(answer.tokens), script))}

    @override
    def dress_chunk(self, chunk: Document, answer: Answer, script: Script, at: int) -> None:
        """Say what it cost in the chunk with the usage."""
        told = chunk.get("usage")
        if told is not None:
            chunk["meta"] = {"usage": _spent(self.cost_usd(usage.read_chat(told), script))}

    @override
    def cost_usd(self, used: Usage, script: Script) -> Decimal:
        """Return the amount, in whole credits."""
        cost = amount_usd(used) if script.cost_usd is None else script.cost_usd
        return Decimal(round(cost * CREDITS_PER_USD)) / CREDITS_PER_USD

    @override
    def headers(self, visit: Visit, script: Script, used: Usage | None) -> Headers:
        """Name the inference and, where it is known by now, the amount."""
        name = uuid_of(visit.call.request_id.removeprefix("req_"))
        headers: Headers = [(b"x-inference-id", name.encode())]
        if used is not None:
            headers += spent_headers(self.cost_usd(used, script))
        return headers


def spent_headers(cost: Decimal) -> Headers:
    """Return AIMLAPI's headers of an amount: whole credits, and dollars as a decimal string."""
    return [
        (b"x-aimlapi-credits-used", b"%d" % round(cost * CREDITS_PER_USD)),
        (b"x-aimlapi-usd-spent", f"{cost:.9f}".encode()),
    ]


def _spent(cost: Decimal) -> Document:
    return {"credits_used": round(cost * CREDITS_PER_USD), "usd_spent": float(cost)}


def _safe() -> Document:
    return {name: {"filtered": False, "severity": "safe"} for name in _FILTERS}


def _groq_id(answer: Answer) -> str:
    return f"req_01{answer.seed.hex()[:24]}"
