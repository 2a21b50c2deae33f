"""What does a caller of Anthropic's messages ask for?

Source: Anthropic's API reference, and the parameters of its Python SDK.
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
from tollbridge.providers.dialects.chat.reading import request_as, text_of


class _Text(msgspec.Struct, tag="text", forbid_unknown_fields=True):
    text: str
    cache_control: Any = None
    citations: Any = None


class _Base64(msgspec.Struct, tag="base64", forbid_unknown_fields=True):
    media_type: str
    data: str


class _Address(msgspec.Struct, tag="url", forbid_unknown_fields=True):
    url: str


class _Image(msgspec.Struct, tag="image", forbid_unknown_fields=True):
    source: _Base64 | _Address
    cache_control: Any = None


class _ToolUse(msgspec.Struct, tag="tool_use", forbid_unknown_fields=True):
    id: str
    name: str
    input: msgspec.Raw
    cache_control: Any = None
    caller: Any = None


class _ToolResult(msgspec.Struct, tag="tool_result", forbid_unknown_fields=True):
    tool_use_id: str
    content: str | list[_Text | _Image] | None = None
    is_error: bool | None = None
    cache_control: Any = None


class _Thinking(msgspec.Struct, tag="thinking"):
    thinking: str = ""


class _Redacted(msgspec.Struct, tag="redacted_thinking"):
    """Of use to its maker alone."""


_Block = _Text | _Image | _ToolUse | _ToolResult | _Thinking | _Redacted


class _Message(msgspec.Struct, forbid_unknown_fields=True):
    role: Literal["user", "assistant"]
    content: str | list[_Block]


class _Tool(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    input_schema: msgspec.Raw
    description: str | None = None
    type: Literal["custom"] | None = None
    strict: bool | None = None
    cache_control: Any = None
    eager_input_streaming: Any = None


class _ToolChoice(msgspec.Struct, forbid_unknown_fields=True):
    type: Literal["auto", "any", "tool", "none"]
    name: str | None = None
    disable_parallel_tool_use: bool | None = None


class _ThinkingConfig(msgspec.Struct, forbid_unknown_fields=True):
    type: Literal["enabled", "disabled", "adaptive"]
    budget_tokens: int | None = None
    display: Any = None


class _Format(msgspec.Struct, tag="json_schema", forbid_unknown_fields=True):
    schema: msgspec.Raw


class _OutputConfig(msgspec.Struct, forbid_unknown_fields=True):
    effort: str | None = None
    format: _Format | None = None


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    messages: list[_Message]
    model: str = ""
    max_tokens: int | None = None
    system: str | list[_Text] | None = None
    stop_sequences: list[str] | None = None
    stream: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    thinking: _ThinkingConfig | None = None
    tools: list[_Tool] | None = None
    tool_choice: _ToolChoice | None = None
    output_config: _OutputConfig | None = None
    # What changes nothing in the answer.
    metadata: Any = None
    service_tier: Any = None
    speed: Any = None
    cache_control: Any = None


_DECODE = msgspec.json.Decoder(_Request).decode
_EFFORTS: Mapping[str, str] = MappingProxyType(
    {"low": "low", "medium": "medium", "high": "high", "xhigh": "xhigh", "max": "xhigh"}
)


def read_request(body: bytes) -> Chat:
    """Read a caller's request. Raises UntranslatableError."""
    said = request_as(_DECODE, body)
    choice, thinking, output = said.tool_choice, said.thinking, said.output_config
    effort = output.effort if output is not None else None
    refuse(f"the effort {effort}", effort is not None and effort not in _EFFORTS)
    return Chat(
        messages=[*_read_system(said.system), *map(_read_message, said.messages)],
        tools=tuple(
            Tool(tool.name, tool.description, tool.input_schema, tool.strict, tool.cache_control)
            for tool in said.tools or ()
        ),
        tool_choice=None if choice is None else ToolChoice(choice.type, choice.name),
        parallel_tool_calls=False
        if choice is not None and choice.disable_parallel_tool_use
        else None,
        temperature=said.temperature,
        top_p=said.top_p,
        top_k=said.top_k,
        stop=tuple(said.stop_sequences or ()),
        output_tokens_max=said.max_tokens,
        stream=bool(said.stream),
        answer_format=AnswerFormat(schema=output.format.schema)
        if output is not None and output.format is not None
        else None,
        effort=None if effort is None else _EFFORTS[effort],
        thinking_tokens=None if thinking is None else thinking.budget_tokens,
    )


def _read_system(system: str | list[_Text] | None) -> list[Message]:
    if not system:
        return []
    if isinstance(system, str):
        return [Message(Role.SYSTEM, [Text(system)])]
    return [Message(Role.SYSTEM, [Text(part.text, part.cache_control) for part in system])]


def _read_message(said: _Message) -> Message:
    role = Role.USER if said.role == "user" else Role.ASSISTANT
    if isinstance(said.content, str):
        return Message(role, [Text(said.content)])
    return Message(role, [_read_block(block) for block in said.content])


def _read_block(block: _Block) -> Part:
    if isinstance(block, _Text):
        return Text(block.text, block.cache_control)
    if isinstance(block, _ToolUse):
        return ToolCall(block.id, block.name, text_of(block.input))
    if isinstance(block, _ToolResult):
        content = block.content or ""
        parts = (
            (Text(content),)
            if isinstance(content, str)
            else tuple(
                Text(part.text) if isinstance(part, _Text) else _read_image(part)
                for part in content
            )
        )
        return ToolResult(block.tool_use_id, parts, bool(block.is_error))
    if isinstance(block, _Image):
        return _read_image(block)
    return Thinking(block.thinking if isinstance(block, _Thinking) else "")


def _read_image(block: _Image) -> Image:
    source = block.source
    if isinstance(source, _Address):
        return Image(url=source.url)
    return Image(media_type=source.media_type, data=source.data)
