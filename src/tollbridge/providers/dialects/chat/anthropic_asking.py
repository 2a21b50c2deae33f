"""How is a chat asked for in Anthropic's messages?

Source: Anthropic's API reference, and the parameters of its Python SDK.
"""

from typing import Any

import msgspec

from tollbridge.providers.dialects.chat.codec import (
    OUTPUT_TOKENS_MAX_DEFAULT,
    Target,
    refuse,
)
from tollbridge.providers.dialects.chat.neutral import (
    AnswerFormat,
    Chat,
    Image,
    Message,
    Part,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolResult,
)
from tollbridge.providers.dialects.chat.reading import object_text
from tollbridge.providers.dialects.chat.writing import (
    ends_with_answer,
    set_fields,
    split_system,
    thinking_budget,
)
from tollbridge.providers.wire import UntranslatableError

THINKING_TOKENS_MIN = 1024
"""Anthropic takes no smaller budget."""
TEMPERATURE_MAX = 1.0
_NO_PARAMETERS = msgspec.Raw(b'{"type":"object","properties":{}}')


def write_request(chat: Chat, target: Target) -> bytes:
    """Return the request for a provider. Raises UntranslatableError."""
    refuse("more than one choice", chat.choices > 1)
    refuse("frequency_penalty", chat.frequency_penalty)
    refuse("presence_penalty", chat.presence_penalty)
    refuse("seed", chat.seed is not None)
    refuse("a temperature above 1", (chat.temperature or 0) > TEMPERATURE_MAX)
    refuse("an answer that goes on from its beginning", ends_with_answer(chat))
    prompts, turns = split_system(chat)
    refuse("a chat that begins with an answer", turns and turns[0].role is Role.ASSISTANT)
    thinking, output_tokens_max = _write_thinking(chat)
    body: dict[str, Any] = {
        "model": target.model,
        "max_tokens": output_tokens_max,
        "messages": [_write_turn(turn) for turn in turns],
    }
    set_fields(
        body,
        {
            "system": _write_system(prompts),
            "temperature": chat.temperature,
            "top_p": chat.top_p,
            "top_k": chat.top_k,
            "stop_sequences": list(chat.stop) or None,
            "stream": chat.stream or None,
            "thinking": thinking,
            "tools": [_write_tool(tool) for tool in chat.tools] or None,
            "tool_choice": _write_choice(chat),
            "output_config": _write_format(chat.answer_format),
        },
    )
    return msgspec.json.encode(body)


def _write_thinking(chat: Chat) -> tuple[dict[str, Any] | None, int]:
    """Return what may be thought, and the limit of thoughts and words together."""
    budget = thinking_budget(chat)
    limit = chat.output_tokens_max
    if not budget:
        return None, limit or OUTPUT_TOKENS_MAX_DEFAULT
    budget = max(budget, THINKING_TOKENS_MIN)
    if limit is None:
        limit = budget + OUTPUT_TOKENS_MAX_DEFAULT
    elif limit <= budget:
        budget = limit // 2
        refuse(f"thinking within {limit} tokens", budget < THINKING_TOKENS_MIN)
    return {"type": "enabled", "budget_tokens": budget}, limit


def _write_system(prompts: list[Text]) -> str | list[dict[str, Any]] | None:
    said = [prompt for prompt in prompts if prompt.text]
    if not said:
        return None
    if len(said) == 1 and said[0].cache_control is None:
        return said[0].text
    return [_write_text(prompt) for prompt in said]


def _write_turn(turn: Message) -> dict[str, Any]:
    results: list[dict[str, Any]] = []
    rest: list[dict[str, Any]] = []
    for part in turn.parts:
        if isinstance(part, ToolResult):
            results.append(_write_result(part))
        else:
            rest += _write_part(part)
    refuse("a message that says nothing", not results and not rest)
    if not results and len(rest) == 1 and len(rest[0]) == 2 and rest[0]["type"] == "text":
        return {"role": turn.role.value, "content": rest[0]["text"]}
    # Results must stand first, right after the calls that they answer.
    return {"role": turn.role.value, "content": results + rest}


def _write_part(part: Part) -> list[dict[str, Any]]:
    if isinstance(part, Text):
        return [_write_text(part)] if part.text else []
    if isinstance(part, Image):
        return [_write_image(part)]
    if isinstance(part, ToolCall):
        arguments = object_text(part.arguments)
        return [{"type": "tool_use", "id": part.id, "name": part.name, "input": arguments}]
    return []  # thoughts of another provider's model


def _write_text(text: Text) -> dict[str, Any]:
    if text.cache_control is None:
        return {"type": "text", "text": text.text}
    return {"type": "text", "text": text.text, "cache_control": text.cache_control}


def _write_image(image: Image) -> dict[str, Any]:
    if image.url is not None:
        return {"type": "image", "source": {"type": "url", "url": image.url}}
    source = {"type": "base64", "media_type": image.media_type, "data": image.data}
    return {"type": "image", "source": source}


def _write_result(result: ToolResult) -> dict[str, Any]:
    written: dict[str, Any] = {"type": "tool_result", "tool_use_id": result.call_id}
    content = [written for part in result.content for written in _write_part(part)]
    if content:
        plain = len(content) == 1 and content[0]["type"] == "text"
        written["content"] = content[0]["text"] if plain else content
    if result.is_error:
        written["is_error"] = True
    return written


def _write_tool(tool: Tool) -> dict[str, Any]:
    written: dict[str, Any] = {"name": tool.name, "input_schema": tool.parameters or _NO_PARAMETERS}
    set_fields(
        written,
        {
            "description": tool.description,
            "strict": tool.strict or None,
            "cache_control": tool.cache_control,
        },
    )
    return written


def _write_choice(chat: Chat) -> dict[str, Any] | None:
    choice = chat.tool_choice
    single = chat.parallel_tool_calls is False and bool(chat.tools)
    if choice is None and not single:
        return None
    written: dict[str, Any] = {"type": "auto" if choice is None else choice.mode}
    if choice is not None and choice.name is not None:
        written["name"] = choice.name
    if single and written["type"] != "none":
        written["disable_parallel_tool_use"] = True
    return written


def _write_format(wanted: AnswerFormat | None) -> dict[str, Any] | None:
    if wanted is None:
        return None
    if wanted.schema is None:
        raise UntranslatableError("JSON of any schema cannot be asked of the provider")
    return {"format": {"type": "json_schema", "schema": wanted.schema}}
