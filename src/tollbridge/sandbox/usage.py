"""What was used, what is billed for it, and what does the answer say of it?

A prompt token is four bytes of UTF-8 begun; a completion token is one word. That is no provider's
tokenizer, but it is exact, cheap, and different for each request.
"""

from typing import Any, cast

import msgspec

PROMPT_BYTES_PER_TOKEN = 4
REQUEST_TOKENS = 3
MESSAGE_TOKENS = 4
IMAGE_TOKENS = 85
AUDIO_TOKENS = 50
FILE_TOKENS = 100


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Token counts; the four details are parts of the two totals, as OpenAI counts them."""

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    prompt_audio_tokens: int = 0
    reasoning_tokens: int = 0
    completion_audio_tokens: int = 0


def text_tokens(text: str) -> int:
    """Return the prompt tokens of a text: its UTF-8 bytes divided by four, rounded up."""
    bytes_ = len(text) if text.isascii() else len(text.encode("utf-8", "surrogatepass"))
    return -(-bytes_ // PROMPT_BYTES_PER_TOKEN)


def chat_object(usage: Usage) -> dict[str, Any]:
    """Return the `usage` object of a chat answer."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
        "prompt_tokens_details": {
            "cached_tokens": usage.cached_tokens,
            "audio_tokens": usage.prompt_audio_tokens,
        },
        "completion_tokens_details": {
            "reasoning_tokens": usage.reasoning_tokens,
            "audio_tokens": usage.completion_audio_tokens,
            "accepted_prediction_tokens": 0,
            "rejected_prediction_tokens": 0,
        },
    }


def completion_object(usage: Usage) -> dict[str, Any]:
    """Return the `usage` object of a legacy completion."""
    return {
        "prompt_tokens": usage.prompt_tokens,
        "completion_tokens": usage.completion_tokens,
        "total_tokens": usage.prompt_tokens + usage.completion_tokens,
    }


def embedding_object(usage: Usage) -> dict[str, Any]:
    """Return the `usage` object of embeddings: no completion."""
    return {"prompt_tokens": usage.prompt_tokens, "total_tokens": usage.prompt_tokens}


def reported(honest: dict[str, Any], setting: str | dict[str, Any]) -> dict[str, Any] | None:
    """Return the `usage` object as the script wants it told; None stands for missing and null."""
    if setting == "normal":
        return honest
    if setting == "zero":
        return _zeros(honest)
    if isinstance(setting, str):
        return None
    told = honest | setting
    for name, part in honest.items():
        given = setting.get(name)
        if isinstance(part, dict) and isinstance(given, dict):
            told[name] = cast("dict[str, Any]", part) | cast("dict[str, Any]", given)
    if "total_tokens" not in setting:
        told["total_tokens"] = _count(told, "prompt_tokens") + _count(told, "completion_tokens")
    return told


def billed(honest: Usage, setting: str | dict[str, Any], *, whole: bool) -> Usage:
    """Return what the provider bills.

    An object in the script is taken as the truth of that call. Of an answer that was not sent
    whole, only the completion that was sent (`honest`) is billed.
    """
    if isinstance(setting, str):
        return honest
    told = reported(chat_object(honest), setting) or {}
    completion = _count(told, "completion_tokens") if whole else honest.completion_tokens
    prompt_details: dict[str, Any] = told["prompt_tokens_details"]
    completion_details: dict[str, Any] = told["completion_tokens_details"]
    return Usage(
        prompt_tokens=_count(told, "prompt_tokens"),
        completion_tokens=completion,
        cached_tokens=_count(prompt_details, "cached_tokens"),
        prompt_audio_tokens=_count(prompt_details, "audio_tokens"),
        reasoning_tokens=min(completion, _count(completion_details, "reasoning_tokens")),
        completion_audio_tokens=min(completion, _count(completion_details, "audio_tokens")),
    )


def _count(counts: Any, name: str) -> int:
    """Read a count that a script may have made anything but a number."""
    value = cast("dict[str, Any]", counts).get(name) if isinstance(counts, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def _zeros(counts: dict[str, Any]) -> dict[str, Any]:
    return {
        name: _zeros(cast("dict[str, Any]", value)) if isinstance(value, dict) else 0
        for name, value in counts.items()
    }
