"""How do the providers that speak OpenAI's format tell usage, each in its own words?"""

from typing import Any, Final

import msgspec

from tollbridge.sandbox import usage
from tollbridge.sandbox.dialects.manner import Document, amount_usd
from tollbridge.sandbox.usage import Usage, count

TICKS_PER_USD: Final = 10_000_000_000


def mistral_object(used: Usage) -> Document:
    """Return it in this provider's words, or read it back."""
    return {**usage.completion_object(used), "num_cached_tokens": used.cached_tokens}


def read_mistral(told: Document) -> Usage:
    """Return it in this provider's words, or read it back."""
    cached = count(told, "num_cached_tokens")
    return msgspec.structs.replace(usage.read_chat(told), cached_tokens=cached)


def together_object(used: Usage) -> Document:
    """Return it in this provider's words, or read it back."""
    return {**usage.completion_object(used), "cached_tokens": used.cached_tokens}


def read_together(told: Document) -> Usage:
    """Return it in this provider's words, or read it back."""
    cached = count(told, "cached_tokens")
    return msgspec.structs.replace(usage.read_chat(told), cached_tokens=cached)


def vllm_object(used: Usage) -> Document:
    """Return it in this provider's words, or read it back."""
    return {**usage.completion_object(used), "prompt_tokens_details": None}


def deepseek_object(used: Usage) -> Document:
    """Return it in this provider's words, or read it back."""
    return {
        **usage.completion_object(used),
        "prompt_tokens_details": {"cached_tokens": used.cached_tokens},
        "completion_tokens_details": {"reasoning_tokens": used.reasoning_tokens},
        "prompt_cache_hit_tokens": used.cached_tokens,
        "prompt_cache_miss_tokens": used.prompt_tokens - used.cached_tokens,
    }


def read_deepseek(told: Document) -> Usage:
    """Return it in this provider's words, or read it back."""
    hit = count(told, "prompt_cache_hit_tokens")
    miss = count(told, "prompt_cache_miss_tokens")
    return msgspec.structs.replace(
        usage.read_chat(told), prompt_tokens=hit + miss, cached_tokens=hit
    )


def total_deepseek(told: Document) -> Document:
    """Return it in this provider's words, or read it back."""
    hit = count(told, "prompt_cache_hit_tokens")
    miss = count(told, "prompt_cache_miss_tokens")
    details = {"cached_tokens": hit}
    total = hit + miss + count(told, "completion_tokens")
    return {"prompt_tokens": hit + miss, "total_tokens": total, "prompt_tokens_details": details}


def xai_object(used: Usage) -> Document:
    """Return it in this provider's words, or read it back."""
    visible = used.completion_tokens - used.reasoning_tokens
    told: dict[str, Any] = {
        "prompt_tokens": used.prompt_tokens,
        "completion_tokens": visible,
        "total_tokens": used.prompt_tokens + used.completion_tokens,
        "prompt_tokens_details": {
            "text_tokens": used.prompt_tokens,
            "audio_tokens": 0,
            "image_tokens": 0,
            "cached_tokens": used.cached_tokens,
        },
        "completion_tokens_details": {
            "reasoning_tokens": used.reasoning_tokens,
            "audio_tokens": 0,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
        "num_sources_used": 0,
    }
    told["cost_in_usd_ticks"] = int(amount_usd(used) * TICKS_PER_USD)
    return told


def read_xai(told: Document) -> Usage:
    """Return it in this provider's words, or read it back."""
    inside = usage.read_chat(told)
    whole = inside.completion_tokens + inside.reasoning_tokens
    return msgspec.structs.replace(inside, completion_tokens=whole)


def total_xai(told: Document) -> Document:
    """Return it in this provider's words, or read it back."""
    used = read_xai(told)
    ticks = int(amount_usd(used) * TICKS_PER_USD)
    return {
        "total_tokens": used.prompt_tokens + used.completion_tokens,
        "cost_in_usd_ticks": ticks,
    }
