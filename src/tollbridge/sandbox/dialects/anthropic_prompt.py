"""What do messages to Anthropic ask for, how long are they, and what of them does a cache hold?"""

from typing import Any, Final, Literal, cast

import msgspec

from tollbridge.sandbox import usage
from tollbridge.sandbox.answer import digest
from tollbridge.sandbox.frame import encode
from tollbridge.sandbox.refusals import RefusedError
from tollbridge.sandbox.requests import Prompt, Tokens
from tollbridge.sandbox.usage import text_tokens
from tollbridge.sandbox.visit import Visit

Document = dict[str, Any]
PREFIX: Final = "anthropic.prefix"


class Message(msgspec.Struct, frozen=True):
    """One message: a text or blocks."""

    role: Literal["user", "assistant", "system"]
    content: str | list[Document]


class MessageRequest(msgspec.Struct, frozen=True):
    """The body of `POST /v1/messages`."""

    model: str
    messages: list[Message]
    max_tokens: Tokens | None = None
    system: str | list[Document] = ""
    stream: bool = False
    tools: list[Document] = []
    tool_choice: Document | None = None
    thinking: Document | None = None
    service_tier: str | None = None


class _Counted(msgspec.Struct):
    """A prompt while it is read; `marks` are the tokens up to each cache mark."""

    texts: list[str] = []
    tokens: int = usage.REQUEST_TOKENS
    last_text: str = ""
    images: int = 0
    marks: list[tuple[int, str, str]] = []


def prompt_of(request: MessageRequest) -> Prompt:
    """Count the prompt of messages."""
    return _finished(_counted(request))


def _finished(read: _Counted) -> Prompt:
    return Prompt(read.texts, read.tokens, 0, read.last_text, read.images)


def _counted(request: MessageRequest) -> _Counted:
    """Count tools, system and messages in the order in which the cache sees them."""
    read = _Counted(texts=[], marks=[])
    for tool in request.tools:
        read.tokens += text_tokens(encode(tool).decode())
        _mark(read, tool)
    system = request.system
    for block in [{"text": system}] if isinstance(system, str) else system:
        text = str(block.get("text", ""))
        if text:
            read.texts.append(text)
            read.tokens += text_tokens(text)
        _mark(read, block)
    for message in request.messages:
        read.tokens += usage.MESSAGE_TOKENS
        content = message.content
        blocks = [{"type": "text", "text": content}] if isinstance(content, str) else content
        for block in blocks:
            _count_block(read, block, is_user=message.role == "user")
            _mark(read, block)
    return read


def _count_block(read: _Counted, block: Document, *, is_user: bool) -> None:
    match block.get("type"):
        case "text":
            text = str(block.get("text", ""))
            read.texts.append(text)
            read.tokens += text_tokens(text)
            if is_user:
                read.last_text = text
        case "image":
            read.tokens += usage.IMAGE_TOKENS
            read.images += usage.IMAGE_TOKENS
        case "tool_use":
            read.tokens += text_tokens(encode(block.get("input")).decode())
        case "tool_result":
            inner = block.get("content", "")
            text = inner if isinstance(inner, str) else _joined(inner)
            read.texts.append(text)
            read.tokens += text_tokens(text)
        case "document":
            read.tokens += usage.FILE_TOKENS
        case "thinking" | "redacted_thinking":
            read.tokens += text_tokens(str(block.get("thinking", "")))
        case kind:
            raise RefusedError("invalid_request", f"messages: unknown block type {kind!r}")


def _joined(blocks: Any) -> str:
    return " ".join(str(block.get("text", "")) for block in cast("list[Document]", blocks))


def _mark(read: _Counted, block: Document) -> None:
    control = block.get("cache_control")
    if isinstance(control, dict):
        seen = digest("", read.texts).hex()
        ttl = str(cast("Document", control).get("ttl", "5m"))
        read.marks.append((read.tokens, seen, ttl))


def cached(visit: Visit, request: MessageRequest, prompt: Prompt) -> Prompt:
    """Say how much of the prompt the cache had, and how much it has now."""
    hit = 0
    written = 0
    hour = 0
    for tokens, seen, ttl in _counted(request).marks:
        name = f"{visit.key}/{request.model}/{seen}"
        if visit.world.kept.get(PREFIX, name) is not None:
            hit = tokens
            continue
        visit.world.kept.put(PREFIX, name, tokens)
        part = tokens - hit - written
        written += part
        hour += part if ttl == "1h" else 0
    return msgspec.structs.replace(
        prompt, cached_tokens=hit, cache_write_tokens=written, cache_write_1h_tokens=hour
    )
