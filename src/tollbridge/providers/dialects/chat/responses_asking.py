"""How is a chat asked for in OpenAI's responses?

Source: OpenAI's API reference for responses.
"""

from typing import Any

import msgspec

from tollbridge.providers.dialects.chat.codec import Target, refuse
from tollbridge.providers.dialects.chat.neutral import (
    AnswerFormat,
    Chat,
    Image,
    Message,
    Role,
    Text,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from tollbridge.providers.dialects.chat.writing import ends_with_answer, said_effort, set_fields


def write_request(chat: Chat, target: Target) -> bytes:
    """Return the request for a provider. Raises UntranslatableError."""
    refuse("more than one choice", chat.choices > 1)
    refuse("frequency_penalty", chat.frequency_penalty)
    refuse("presence_penalty", chat.presence_penalty)
    refuse("seed", chat.seed is not None)
    refuse("stop sequences", chat.stop)
    refuse("top_k", chat.top_k)
    refuse("an answer that goes on from its beginning", ends_with_answer(chat))
    items = [item for message in chat.messages for item in _write_message(message)]
    effort = said_effort(chat)
    body: dict[str, Any] = {"model": target.model, "input": items, "store": False}
    set_fields(
        body,
        {
            "max_output_tokens": chat.output_tokens_max,
            "temperature": chat.temperature,
            "top_p": chat.top_p,
            "stream": chat.stream or None,
            "tools": [_write_tool(tool) for tool in chat.tools] or None,
            "tool_choice": _write_choice(chat.tool_choice),
            "parallel_tool_calls": chat.parallel_tool_calls if chat.tools else None,
            "text": _write_format(chat.answer_format),
            "reasoning": None if effort is None else {"effort": effort},
        },
    )
    return msgspec.json.encode(body)


def _write_message(message: Message) -> list[dict[str, Any]]:
    items: list[dict[str, Any]] = []
    content: list[dict[str, Any]] = []
    for part in message.parts:
        if isinstance(part, ToolCall):
            items.append(
                {
                    "type": "function_call",
                    "call_id": part.id,
                    "name": part.name,
                    "arguments": part.arguments or "{}",
                }
            )
        elif isinstance(part, ToolResult):
            said = [_write_part(inner, Role.USER) for inner in part.content]
            single = len(said) == 1 and said[0]["type"] == "input_text"
            output: Any = said[0]["text"] if single else said or ""
            items.append(
                {"type": "function_call_output", "call_id": part.call_id, "output": output}
            )
        elif isinstance(part, Text | Image):
            content.append(_write_part(part, message.role))
    if not content:
        return items
    said = {"type": "message", "role": message.role.value, "content": content}
    # What the assistant said goes before its calls, the user's words after the tools' results.
    return [said, *items] if message.role is Role.ASSISTANT else [*items, said]


def _write_part(part: Text | Image, role: Role) -> dict[str, Any]:
    if isinstance(part, Text):
        kind = "output_text" if role is Role.ASSISTANT else "input_text"
        return {"type": kind, "text": part.text}
    url = part.url or f"data:{part.media_type};base64,{part.data}"
    return {"type": "input_image", "image_url": url, "detail": part.detail or "auto"}


def _write_tool(tool: Tool) -> dict[str, Any]:
    # Here `strict` is true by itself, elsewhere false.
    written: dict[str, Any] = {"type": "function", "name": tool.name, "strict": bool(tool.strict)}
    written["parameters"] = tool.parameters
    set_fields(written, {"description": tool.description})
    return written


def _write_choice(choice: ToolChoice | None) -> Any:
    if choice is None:
        return None
    if choice.mode == "tool":
        return {"type": "function", "name": choice.name}
    return "required" if choice.mode == "any" else choice.mode


def _write_format(wanted: AnswerFormat | None) -> dict[str, Any] | None:
    if wanted is None:
        return None
    if wanted.schema is None:
        return {"format": {"type": "json_object"}}
    schema: dict[str, Any] = {"type": "json_schema", "name": wanted.name, "schema": wanted.schema}
    set_fields(schema, {"strict": wanted.strict, "description": wanted.description})
    return {"format": schema}
