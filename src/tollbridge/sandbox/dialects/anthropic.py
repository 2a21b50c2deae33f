"""What does Anthropic answer to messages, whole and streamed?"""

from collections.abc import Iterator
from typing import Any, Final

import msgspec

from tollbridge.sandbox import usage, voices
from tollbridge.sandbox.answer import Answer, Choice
from tollbridge.sandbox.dialect import Dialect, Route
from tollbridge.sandbox.dialects.anthropic_prompt import MessageRequest, cached, prompt_of
from tollbridge.sandbox.frame import CONTENT, EVENTS, FINISH, ROLE, Frame, Trouble, Voice, encode
from tollbridge.sandbox.refusals import RefusedError
from tollbridge.sandbox.requests import Prompt
from tollbridge.sandbox.script import NO_FAULTS, Script
from tollbridge.sandbox.text import Ask, Tool, converse
from tollbridge.sandbox.usage import Usage, count
from tollbridge.sandbox.visit import MODELS, Visit

Document = dict[str, Any]
_STOPS: Final = (
    ("stop", "end_turn"),
    ("length", "max_tokens"),
    ("tool_calls", "tool_use"),
    ("content_filter", "refusal"),
)
_TYPES: Final = (
    ("authentication", "authentication_error"),
    ("permission", "permission_error"),
    ("not_found", "not_found_error"),
    ("body_too_large", "request_too_large"),
    ("rate_limited", "rate_limit_error"),
    ("server_error", "api_error"),
    ("timeout", "timeout_error"),
    ("overloaded", "overloaded_error"),
)


_decoder: Final = msgspec.json.Decoder(MessageRequest)


async def messages(visit: Visit) -> None:
    """Answer messages."""
    _check(visit)
    request = visit.decoded(_decoder)
    if not request.messages or request.max_tokens is None:
        field = "max_tokens" if request.max_tokens is None else "messages"
        raise RefusedError("invalid_request", f"{field}: Field required", param=field)
    prompt = prompt_of(request)
    answer, script = converse(visit, _ask(request, cached(visit, request, prompt)), "msg_01")
    if not await visit.call.prepare(script, answer.usage(0)):
        return
    if visit.call.entry.stream:
        frames = _frames(answer, script)
        await visit.call.send_stream(frames, answer.usage, EVENTS, form=FORM)
        return
    used = answer.usage(answer.tokens)
    told = usage.reported(_object(used, script), script.usage, FORM)
    document = _begun(answer, script)
    document["content"] = _blocks(answer.choices[0])
    document["stop_reason"] = _stop(answer.choices[0])
    document["usage"] = told
    if script.usage == "missing":
        del document["usage"]
    await visit.call.send_document(document, used, told, form=FORM)


async def count_tokens(visit: Visit) -> None:
    """Count the tokens of messages; it is free."""
    _check(visit)
    request = visit.decoded(_decoder)
    script = visit.choose(request.model)
    if not await visit.call.prepare(script):
        return
    await visit.call.send_document({"input_tokens": prompt_of(request).tokens})


async def models(visit: Visit) -> None:
    """List the models."""
    listed = [
        {
            "type": "model",
            "id": name,
            "display_name": name,
            "created_at": "2026-01-01T00:00:00Z",
        }
        for name in MODELS
    ]
    ends = {"has_more": False, "first_id": MODELS[0], "last_id": MODELS[-1]}
    await visit.call.send_document({"data": listed, **ends})


def refuse(trouble: Trouble) -> Any:
    """Return an error as Anthropic words it."""
    message = trouble.message
    kind = dict(_TYPES).get(trouble.error.kind, "invalid_request_error")
    if trouble.error.kind == "insufficient_quota":
        message = "Your credit balance is too low to access the Anthropic API."
        kind = "billing_error" if trouble.status == 402 else "invalid_request_error"
    error = {"type": kind, "message": message}
    if trouble.in_stream:
        return {"type": "error", "error": error}
    return {"type": "error", "error": error, "request_id": trouble.request_id}


def _check(visit: Visit) -> None:
    if not visit.header("anthropic-version"):
        raise RefusedError("invalid_request", "anthropic-version: header is required")


def _object(used: Usage, script: Script = NO_FAULTS) -> Document:
    """Return the `usage` object: what the cache gave and took is not in `input_tokens`."""
    outside = used.cached_tokens + used.cache_write_tokens
    return {
        "input_tokens": used.prompt_tokens - outside,
        "cache_creation_input_tokens": used.cache_write_tokens,
        "cache_read_input_tokens": used.cached_tokens,
        "cache_creation": {
            "ephemeral_5m_input_tokens": used.cache_write_tokens - used.cache_write_1h_tokens,
            "ephemeral_1h_input_tokens": used.cache_write_1h_tokens,
        },
        "output_tokens": used.completion_tokens,
        "output_tokens_details": {"thinking_tokens": used.reasoning_tokens},
        "server_tool_use": None,
        "service_tier": script.service_tier or "standard",
        "inference_geo": "global",
    }


def _read(told: Document) -> Usage:
    written = count(told, "cache_creation_input_tokens")
    read = count(told, "cache_read_input_tokens")
    return Usage(
        prompt_tokens=count(told, "input_tokens") + written + read,
        cached_tokens=read,
        cache_write_tokens=written,
        cache_write_1h_tokens=count(told.get("cache_creation"), "ephemeral_1h_input_tokens"),
        completion_tokens=count(told, "output_tokens"),
        reasoning_tokens=count(told.get("output_tokens_details"), "thinking_tokens"),
    )


FORM: Final = usage.Form(_object, _read, usage.follows_nothing)


def _begun(answer: Answer, script: Script) -> Document:
    _ = script
    return {
        "id": answer.id,
        "type": "message",
        "role": "assistant",
        "model": answer.model,
        "content": [],
        "stop_reason": None,
        "stop_sequence": None,
        "stop_details": None,
    }


def _blocks(choice: Choice) -> list[Document]:
    blocks: list[Document] = []
    if choice.thoughts:
        thinking = "".join(choice.thoughts).strip()
        blocks.append({"type": "thinking", "thinking": thinking, "signature": "c2FuZGJveA=="})
    call = choice.tool_call
    if call is None:
        blocks.append({"type": "text", "text": choice.text})
    else:
        given: Any = msgspec.json.decode(call.arguments)
        blocks.append(
            {"type": "tool_use", "id": f"toolu_01{call.id}", "name": call.name, "input": given}
        )
    return blocks


def _stop(choice: Choice) -> str:
    return dict(_STOPS).get(choice.finish_reason, choice.finish_reason)


def _frames(answer: Answer, script: Script) -> Iterator[Frame]:
    """Yield the events: usage at the start, and again, cumulative, with the stop reason."""
    choice = answer.choices[0]
    begun = _begun(answer, script)
    if script.usage != "missing":
        opening = usage.reported(_object(answer.usage(1), script), script.usage, FORM)
        if opening is not None:
            opening = opening | {"output_tokens": min(1, choice.tokens)} | script.usage_at_start
        begun["usage"] = opening
    yield _frame(ROLE, "message_start", {"message": begun})
    for at, (block, deltas) in enumerate(_parts(choice)):
        opened = {"index": at, "content_block": block}
        yield _frame(ROLE, "content_block_start", opened)
        if at == 0:
            yield _frame(ROLE, "ping", {})
        for delta, tokens in deltas:
            said = {"index": at, "delta": delta}
            yield _frame(CONTENT, "content_block_delta", said, tokens)
        yield _frame(FINISH, "content_block_stop", {"index": at})
    told: Document | None = None
    delta = {"stop_reason": _stop(choice), "stop_sequence": None}
    body: Document = {"delta": delta}
    if script.usage != "missing":
        told = usage.reported(_object(answer.usage(answer.tokens), script), script.usage, FORM)
        body["usage"] = told
    yield _frame(FINISH, "message_delta", body, 0, told)
    if not script.no_done:
        yield _frame(FINISH, "message_stop", {})


def _parts(choice: Choice) -> Iterator[tuple[Document, list[tuple[Document, int]]]]:
    """Yield each block as it begins, and its deltas with their tokens."""
    if choice.thoughts:
        deltas: list[tuple[Document, int]] = [
            ({"type": "thinking_delta", "thinking": thought}, 1) for thought in choice.thoughts
        ]
        deltas.append(({"type": "signature_delta", "signature": "c2FuZGJveA=="}, 0))
        yield {"type": "thinking", "thinking": "", "signature": ""}, deltas
    call = choice.tool_call
    if call is not None:
        middle = len(call.arguments) // 2
        halves = (call.arguments[:middle], call.arguments[middle:])
        block: Document = {
            "type": "tool_use",
            "id": f"toolu_01{call.id}",
            "name": call.name,
            "input": {},
        }
        yield (
            block,
            [
                ({"type": "input_json_delta", "partial_json": half}, tokens)
                for half, tokens in zip(halves, (0, choice.tool_tokens), strict=True)
            ],
        )
        return
    yield (
        {"type": "text", "text": ""},
        [
            ({"type": "text_delta", "text": piece}, tokens)
            for piece, tokens in zip(choice.pieces, choice.counts, strict=True)
        ],
    )


def _frame(
    kind: int, event: str, body: Document, tokens: int = 0, told: Document | None = None
) -> Frame:
    return Frame(kind, encode({"type": event, **body}), tokens, told, event)


def _ask(request: MessageRequest, prompt: Prompt) -> Ask:
    choice = request.tool_choice or {}
    forced: str | None = None
    if choice.get("type") == "tool":
        forced = choice.get("name")
    elif choice.get("type") == "any":
        forced = ""
    last = request.messages[-1]
    blocks = last.content if isinstance(last.content, list) else []
    thinking = request.thinking or {}
    return Ask(
        model=request.model,
        prompt=prompt,
        stream=request.stream,
        tokens_max=request.max_tokens,
        tools=[
            Tool(tool["name"], tool.get("input_schema") or {})
            for tool in request.tools
            if isinstance(tool.get("name"), str)
        ],
        forced=forced,
        answered=any(block.get("type") == "tool_result" for block in blocks),
        thinks=thinking.get("type") in {"enabled", "adaptive"},
    )


DIALECT: Final = Dialect(
    name="anthropic",
    base="/anthropic",
    root="",
    routes=(
        Route("POST", "/v1/messages", "chat_completion", messages),
        Route("POST", "/v1/messages/count_tokens", "count_tokens", count_tokens),
        Route("GET", "/v1/models", "models", models),
    ),
    voice=Voice(
        voices.anthropic,
        refuse,
        statuses={"overloaded": 529, "timeout": 504, "insufficient_quota": 400},
        error_event="error",
    ),
    auth=("x-api-key", "authorization"),
)
