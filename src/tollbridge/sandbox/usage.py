"""What was used, what is billed for it, and what does the answer say of it?

A prompt token is four bytes of UTF-8 begun; a completion token is one word. That is no provider's
tokenizer, but it is exact, cheap, and different for each request.
"""

from collections.abc import Callable
from typing import Any, Final, NamedTuple, cast

import msgspec

PROMPT_BYTES_PER_TOKEN = 4
REQUEST_TOKENS = 3
MESSAGE_TOKENS = 4
IMAGE_TOKENS = 85
AUDIO_TOKENS = 50
FILE_TOKENS = 100


class Usage(msgspec.Struct, frozen=True, kw_only=True):
    """Token counts; the details are parts of the two totals, as OpenAI counts them.

    It is the same for all dialects: an emulator tells it in its provider's own words.
    """

    prompt_tokens: int = 0
    completion_tokens: int = 0
    cached_tokens: int = 0
    prompt_audio_tokens: int = 0
    reasoning_tokens: int = 0
    completion_audio_tokens: int = 0
    cache_write_tokens: int = 0
    cache_write_1h_tokens: int = 0
    """Of `cache_write_tokens`."""
    prompt_image_tokens: int = 0
    completion_image_tokens: int = 0


Object = dict[str, Any]


class Form(NamedTuple):
    """How a dialect tells usage: as its own object, back from it, and what follows from parts."""

    tell: Callable[[Usage], Object]
    read: Callable[[Object], Usage]
    total: Callable[[Object], Object]
    """The fields that follow from the others, where a script has not set them."""


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


def reported(honest: Object, setting: str | Object, form: Form | None = None) -> Object | None:
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
            told[name] = cast("Object", part) | cast("Object", given)
    follows = (form or CHAT).total(told)
    return told | {name: value for name, value in follows.items() if name not in setting}


def billed(honest: Usage, setting: str | Object, *, whole: bool, form: Form | None = None) -> Usage:
    """Return what the provider bills.

    An object in the script is taken as the truth of that call. Of an answer that was not sent
    whole, only the completion that was sent (`honest`) is billed.
    """
    if isinstance(setting, str):
        return honest
    form = form or CHAT
    told = form.read(reported(form.tell(honest), setting, form) or {})
    completion = told.completion_tokens if whole else honest.completion_tokens
    return msgspec.structs.replace(
        told,
        completion_tokens=completion,
        reasoning_tokens=min(completion, told.reasoning_tokens),
        completion_audio_tokens=min(completion, told.completion_audio_tokens),
        completion_image_tokens=min(completion, told.completion_image_tokens),
    )


def count(counts: Any, name: str) -> int:
    """Read a count that a script may have made anything but a number."""
    value = cast("Object", counts).get(name) if isinstance(counts, dict) else None
    return value if isinstance(value, int) and not isinstance(value, bool) else 0


def read_chat(told: Object) -> Usage:
    """Read OpenAI's `usage` object of chat: details are inside the totals."""
    prompt: Any = told.get("prompt_tokens_details")
    completion: Any = told.get("completion_tokens_details")
    return Usage(
        prompt_tokens=count(told, "prompt_tokens"),
        completion_tokens=count(told, "completion_tokens"),
        cached_tokens=count(prompt, "cached_tokens"),
        cache_write_tokens=count(prompt, "cache_write_tokens"),
        prompt_audio_tokens=count(prompt, "audio_tokens"),
        reasoning_tokens=count(completion, "reasoning_tokens"),
        completion_audio_tokens=count(completion, "audio_tokens"),
    )


def total_chat(told: Object) -> Object:
    """Return OpenAI's total: prompt + completion; no kind of token stands outside of both."""
    return {"total_tokens": count(told, "prompt_tokens") + count(told, "completion_tokens")}


def follows_nothing(_: Object) -> Object:
    """Return that no field of this dialect's usage follows from the others."""
    return {}


def follows_no_count(_: Usage) -> Object:
    """Return nothing: what is told is made elsewhere."""
    return {}


CHAT: Final = Form(chat_object, read_chat, total_chat)
COMPLETION: Final = Form(completion_object, read_chat, total_chat)
PLAIN: Final = Form(follows_no_count, read_chat, follows_nothing)
"""An object that is told as it is made; it says nothing of tokens."""
EMBEDDING: Final = Form(embedding_object, read_chat, total_chat)


def _zeros(counts: Object) -> Object:
    """Return the same object with nothing counted; what is no count stays."""
    return {name: _zero(value) for name, value in counts.items()}


def _zero(value: Any) -> Any:
    if isinstance(value, dict):
        return _zeros(cast("Object", value))
    if isinstance(value, list):
        return [_zero(part) for part in cast("list[Any]", value)]
    if value is None or isinstance(value, str | bool):
        return value
    return 0
