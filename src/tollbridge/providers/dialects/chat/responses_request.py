"""What does a caller of OpenAI's responses ask for?

Source: OpenAI's API reference for responses.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, Literal

import msgspec

from tollbridge.providers.dialects.chat.codec import refuse
from tollbridge.providers.dialects.chat.neutral import (
    AnswerFormat,
    Chat,
    Image,
    Message,
    Part,
    Role,
    Text,
    Thinking,
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from tollbridge.providers.dialects.chat.reading import NULL, request_as, split_data_url, unless_null
from tollbridge.providers.wire import UntranslatableError


class _Input(msgspec.Struct, tag="input_text", forbid_unknown_fields=True):
    text: str


class _Output(msgspec.Struct, tag="output_text", forbid_unknown_fields=True):
    text: str
    annotations: Any = None
    logprobs: Any = None


class _Picture(msgspec.Struct, tag="input_image", forbid_unknown_fields=True):
    image_url: str
    detail: str | None = None
    file_id: None = None


class _Refusal(msgspec.Struct, tag="refusal", forbid_unknown_fields=True):
    refusal: str


_Content = _Input | _Output | _Picture | _Refusal


class _Item(msgspec.Struct, forbid_unknown_fields=True):
    """An item of any type: messages need not say theirs."""

    type: str = "message"
    role: str | None = None
    content: str | list[_Content] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None
    output: str | list[_Content] | None = None
    id: Any = None
    status: Any = None
    summary: Any = None
    encrypted_content: Any = None
    phase: Any = None


class _Tool(msgspec.Struct, forbid_unknown_fields=True):
    type: Literal["function"]
    name: str
    description: str | None = None
    parameters: msgspec.Raw = NULL
    strict: bool | None = None


class _NamedChoice(msgspec.Struct, tag="function", forbid_unknown_fields=True):
    name: str


class _Format(msgspec.Struct, forbid_unknown_fields=True):
    type: Literal["text", "json_object", "json_schema"] = "text"
    name: str = "answer"
    schema: msgspec.Raw = NULL
    strict: bool | None = None
    description: str | None = None


class _TextConfig(msgspec.Struct, forbid_unknown_fields=True):
    format: _Format | None = None
    verbosity: str | None = None


class _Reasoning(msgspec.Struct, forbid_unknown_fields=True):
    effort: str | None = None
    summary: Any = None
    generate_summary: Any = None


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    input: str | list[_Item] = ""
    model: str = ""
    instructions: str | None = None
    max_output_tokens: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    stream: bool | None = None
    tools: list[_Tool] | None = None
    tool_choice: str | _NamedChoice | None = None
    parallel_tool_calls: bool | None = None
    text: _TextConfig | None = None
    reasoning: _Reasoning | None = None
    truncation: str | None = None
    include: list[str] | None = None
    # What stays with one provider, and what no other format says.
    previous_response_id: Any = None
    conversation: Any = None
    prompt: Any = None
    background: Any = None
    max_tool_calls: Any = None
    top_logprobs: Any = None
    context_management: Any = None
    # What changes nothing in the answer.
    stream_options: Any = None
    user: Any = None
    safety_identifier: Any = None
    metadata: Any = None
    store: Any = None
    service_tier: Any = None
    prompt_cache_key: Any = None
    prompt_cache_retention: Any = None


_DECODE = msgspec.json.Decoder(_Request).decode
_REFUSED = (
    "previous_response_id",
    "conversation",
    "prompt",
    "background",
    "max_tool_calls",
    "top_logprobs",
    "context_management",
)
_ROLES: Mapping[str, Role] = MappingProxyType(
    {"user": Role.USER, "system": Role.SYSTEM, "developer": Role.SYSTEM}
)


def read_request(body: bytes) -> Chat:
    """Read a caller's request. Raises UntranslatableError."""
    said = request_as(_DECODE, body)
    for field in _REFUSED:
        refuse(field, getattr(said, field))
    refuse("truncation", said.truncation not in {None, "disabled"})
    refuse("include", set(said.include or ()) - {"reasoning.encrypted_content"})
    text = said.text or _TextConfig()
    refuse(f"verbosity {text.verbosity}", text.verbosity not in {None, "medium"})
    messages: list[Message] = []
    if said.instructions:
        messages.append(Message(Role.SYSTEM, [Text(said.instructions)]))
    if isinstance(said.input, str):
        messages.append(Message(Role.USER, [Text(said.input)]))
    else:
        _read_items(said.input, messages)
    return Chat(
        messages=messages,
        tools=tuple(
            Tool(tool.name, tool.description, unless_null(tool.parameters), tool.strict)
            for tool in said.tools or ()
        ),
        tool_choice=_read_choice(said.tool_choice),
        parallel_tool_calls=said.parallel_tool_calls,
        temperature=said.temperature,
        top_p=said.top_p,
        output_tokens_max=said.max_output_tokens,
        stream=bool(said.stream),
        answer_format=_read_format(text.format),
        effort=said.reasoning.effort if said.reasoning is not None else None,
    )


def _read_items(items: list[_Item], messages: list[Message]) -> None:
    """Read items; what the assistant said and what it called stand apart here, and are one turn."""
    mine: list[Part] | None = None
    for item in items:
        role, parts = _read_item(item)
        if role is not Role.ASSISTANT:
            messages.append(Message(role, parts))
            mine = None
        elif mine is None:
            mine = parts
            messages.append(Message(role, mine))
        else:
            mine += parts


def _read_item(item: _Item) -> tuple[Role, list[Part]]:
    if item.type == "message":
        role = Role.ASSISTANT if item.role == "assistant" else _ROLES.get(item.role or "")
        if role is None:
            raise UntranslatableError(f"a message of the role {item.role}")
        return role, [*_read_content(item.content)]
    if item.type == "function_call":
        call = ToolCall(item.call_id or "", item.name or "", item.arguments or "")
        return Role.ASSISTANT, [call]
    if item.type == "function_call_output":
        content = tuple(_read_content(item.output))
        return Role.USER, [ToolResult(item.call_id or "", content)]
    refuse(f"an item of the type {item.type}", item.type != "reasoning")
    return Role.ASSISTANT, [Thinking("")]


def _read_content(content: str | list[_Content] | None) -> list[Text | Image]:
    if content is None or isinstance(content, str):
        return [Text(content or "")]
    parts: list[Text | Image] = []
    for part in content:
        if isinstance(part, _Picture):
            data = split_data_url(part.image_url)
            detail = None if part.detail == "auto" else part.detail
            if data is None:
                parts.append(Image(url=part.image_url, detail=detail))
            else:
                parts.append(Image(media_type=data[0], data=data[1], detail=detail))
        else:
            parts.append(Text(part.refusal if isinstance(part, _Refusal) else part.text))
    return parts


def _read_choice(said: str | _NamedChoice | None) -> ToolChoice | None:
    if said is None:
        return None
    if isinstance(said, _NamedChoice):
        return ToolChoice("tool", said.name)
    refuse(f"tool_choice {said}", said not in {"auto", "none", "required"})
    return ToolChoice("any" if said == "required" else said)


def _read_format(said: _Format | None) -> AnswerFormat | None:
    if said is None or said.type == "text":
        return None
    if said.type == "json_object":
        return AnswerFormat()
    return AnswerFormat(said.name, unless_null(said.schema), said.strict, said.description)
