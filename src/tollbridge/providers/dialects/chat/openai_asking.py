"""How is a chat asked for in OpenAI's chat completions?

Source: OpenAI's API reference; `extra_content` as Google's OpenAI surface has it.
"""

from typing import Any

import msgspec

from tollbridge.providers.dialects.chat.codec import (
    MAX_COMPLETION_TOKENS,
    NO_STREAM_OPTIONS,
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
    ToolChoice,
    ToolResult,
)
from tollbridge.providers.dialects.chat.writing import ends_with_answer, said_effort, set_fields
from tollbridge.providers.wire import UntranslatableError


def write_request(chat: Chat, target: Target) -> bytes:
    """Return the request for a provider. Raises UntranslatableError."""
    refuse("top_k", chat.top_k)
    refuse("an answer that goes on from its beginning", ends_with_answer(chat))
    body: dict[str, Any] = {"model": target.model, "messages": _write_messages(chat.messages)}
    modern = MAX_COMPLETION_TOKENS in target.quirks
    set_fields(
        body,
        {
            "max_completion_tokens" if modern else "max_tokens": chat.output_tokens_max,
            "n": chat.choices if chat.choices > 1 else None,
            "temperature": chat.temperature,
            "top_p": chat.top_p,
            "frequency_penalty": chat.frequency_penalty,
            "presence_penalty": chat.presence_penalty,
            "seed": chat.seed,
            "stop": list(chat.stop) or None,
            "tools": [_write_tool(tool) for tool in chat.tools] or None,
            "tool_choice": _write_choice(chat.tool_choice),
            "parallel_tool_calls": chat.parallel_tool_calls if chat.tools else None,
            "response_format": _write_format(chat.answer_format),
            "reasoning_effort": said_effort(chat),
        },
    )
    if chat.stream:
        body["stream"] = True
        if NO_STREAM_OPTIONS not in target.quirks:
            body["stream_options"] = {"include_usage": True}
    return msgspec.json.encode(body)


def _write_messages(messages: list[Message]) -> list[dict[str, Any]]:
    written: list[dict[str, Any]] = []
    for message in messages:
        if message.role is Role.ASSISTANT:
            written.append(_write_assistant(message))
            continue
        rest: list[Part] = []
        for part in message.parts:
            if isinstance(part, ToolResult):
                written.append(_write_result(part))
            else:
                rest.append(part)
        if rest:
            written.append({"role": message.role.value, "content": _write_content(rest)})
    return written


def _write_result(result: ToolResult) -> dict[str, Any]:
    refuse("an image that a tool gave", any(isinstance(part, Image) for part in result.content))
    content = _write_content(result.content) if result.content else ""
    return {"role": "tool", "tool_call_id": result.call_id, "content": content}


def _write_content(parts: list[Part] | tuple[Text | Image, ...]) -> str | list[dict[str, Any]]:
    if len(parts) == 1 and isinstance(parts[0], Text):
        return parts[0].text
    content: list[dict[str, Any]] = []
    for part in parts:
        if isinstance(part, Text):
            content.append({"type": "text", "text": part.text})
        elif isinstance(part, Image):
            content.append({"type": "image_url", "image_url": _write_address(part)})
        else:
            raise UntranslatableError("a part of a message that its role does not say")
    return content


def _write_address(image: Image) -> dict[str, str]:
    url = image.url or f"data:{image.media_type};base64,{image.data}"
    return {"url": url} if image.detail is None else {"url": url, "detail": image.detail}


def _write_assistant(message: Message) -> dict[str, Any]:
    texts: list[str] = []
    calls: list[dict[str, Any]] = []
    for part in message.parts:
        if isinstance(part, Text):
            texts.append(part.text)
        elif isinstance(part, ToolCall):
            calls.append(write_call(part))
        else:
            refuse("an image of the assistant's", isinstance(part, Image))
    written: dict[str, Any] = {"role": "assistant", "content": "".join(texts) if texts else None}
    if calls:
        written["tool_calls"] = calls
    elif not texts:
        written["content"] = ""
    return written


def write_call(call: ToolCall) -> dict[str, Any]:
    """Return a tool call as messages and answers have it."""
    function = {"name": call.name, "arguments": call.arguments or "{}"}
    written: dict[str, Any] = {"id": call.id, "type": "function", "function": function}
    if call.signature is not None:
        written["extra_content"] = {"google": {"thought_signature": call.signature}}
    return written


def _write_tool(tool: Tool) -> dict[str, Any]:
    function: dict[str, Any] = {"name": tool.name}
    set_fields(
        function,
        {"description": tool.description, "parameters": tool.parameters, "strict": tool.strict},
    )
    return {"type": "function", "function": function}


def _write_choice(choice: ToolChoice | None) -> Any:
    if choice is None:
        return None
    if choice.mode == "tool":
        return {"type": "function", "function": {"name": choice.name}}
    return "required" if choice.mode == "any" else choice.mode


def _write_format(wanted: AnswerFormat | None) -> dict[str, Any] | None:
    if wanted is None:
        return None
    if wanted.schema is None:
        return {"type": "json_object"}
    schema: dict[str, Any] = {"name": wanted.name, "schema": wanted.schema}
    set_fields(schema, {"strict": wanted.strict, "description": wanted.description})
    return {"type": "json_schema", "json_schema": schema}
