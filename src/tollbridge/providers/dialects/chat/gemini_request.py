"""What does a caller of Gemini's generateContent ask for?

Source: Google's API reference for generateContent, and the parameters of the google-genai SDK.
Google takes the names of fields with small letters and underscores too.
"""

import re
from collections import deque
from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

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
from tollbridge.providers.dialects.chat.reading import (
    NULL,
    made_id,
    object_of,
    request_as,
    text_of,
    unless_null,
)

_JSON = "application/json"


class _Strict(msgspec.Struct, forbid_unknown_fields=True, rename="camel"):
    """What is not known is refused."""


class _Blob(_Strict):
    data: str
    mime_type: str = ""
    display_name: Any = None


class _Called(_Strict):
    name: str
    args: msgspec.Raw = msgspec.Raw(b"{}")
    id: str | None = None


class _Response(_Strict):
    name: str
    response: msgspec.Raw = msgspec.Raw(b"{}")
    id: str | None = None


class _Part(_Strict):
    text: str | None = None
    inline_data: _Blob | None = None
    function_call: _Called | None = None
    function_response: _Response | None = None
    thought: bool | None = None
    thought_signature: str | None = None


class _Content(_Strict):
    parts: list[_Part] = []
    role: str | None = None


class _Declaration(_Strict):
    name: str
    description: str | None = None
    parameters: msgspec.Raw = NULL
    parameters_json_schema: msgspec.Raw = NULL
    response: Any = None
    response_json_schema: Any = None


class _Tool(_Strict):
    function_declarations: list[_Declaration]


class _CallingConfig(_Strict):
    mode: str | None = None
    allowed_function_names: list[str] | None = None


class _ToolConfig(_Strict):
    function_calling_config: _CallingConfig | None = None


class _ThinkingConfig(_Strict):
    thinking_budget: int | None = None
    thinking_level: str | None = None
    include_thoughts: Any = None


class _Config(_Strict):
    temperature: float | None = None
    top_p: float | None = None
    top_k: float | None = None
    candidate_count: int | None = None
    max_output_tokens: int | None = None
    stop_sequences: list[str] | None = None
    presence_penalty: float | None = None
    frequency_penalty: float | None = None
    seed: int | None = None
    response_mime_type: str | None = None
    response_schema: msgspec.Raw = NULL
    response_json_schema: msgspec.Raw = NULL
    thinking_config: _ThinkingConfig | None = None
    response_modalities: list[str] | None = None
    response_logprobs: Any = None


class _Request(_Strict):
    contents: list[_Content] | _Content
    system_instruction: _Content | None = None
    generation_config: _Config | None = None
    tools: list[_Tool] | None = None
    tool_config: _ToolConfig | None = None
    # What changes nothing in the answer: what Google's filters let through is Google's affair.
    safety_settings: Any = None
    service_tier: Any = None
    model: Any = None
    labels: Any = None


_DECODE = msgspec.json.Decoder(_Request).decode
_UNDERSCORED = re.compile(
    rb'"(?:system_instruction|generation_config|tool_config|safety_settings|inline_data|mime_type'
    rb"|function_call|function_response|function_declarations|max_output_tokens|top_p|top_k"
    rb'|stop_sequences|response_\w+|thinking_\w+|candidate_count|function_calling_config)"\s*:'
)
# Whose insides are the caller's own names.
_CALLERS_OWN = frozenset(
    {
        "args",
        "response",
        "parameters",
        "parametersJsonSchema",
        "responseSchema",
        "responseJsonSchema",
    }
)
_COUNTS = frozenset(
    {"minItems", "maxItems", "minLength", "maxLength", "minProperties", "maxProperties"}
)


_ROLES: Mapping[str | None, Role] = MappingProxyType(
    {None: Role.USER, "user": Role.USER, "function": Role.USER, "model": Role.ASSISTANT}
)


def read_request(body: bytes) -> Chat:
    """Read a caller's request. Raises UntranslatableError."""
    if b"_" in body and _UNDERSCORED.search(body) is not None:
        body = msgspec.json.encode(in_camel_case(msgspec.json.decode(body)))
    said = request_as(_DECODE, body)
    config = said.generation_config or _Config()
    thinking = config.thinking_config or _ThinkingConfig()
    refuse("logprobs", config.response_logprobs)
    asked = {modality.upper() for modality in config.response_modalities or ()}
    refuse("an answer that is not text", asked - {"TEXT"})
    level = thinking.thinking_level.lower() if thinking.thinking_level else None
    budget = thinking.thinking_budget
    return Chat(
        messages=_read_turns(said),
        tools=tuple(
            _read_tool(declared)
            for tool in said.tools or ()
            for declared in tool.function_declarations
        ),
        tool_choice=_read_choice(said.tool_config),
        temperature=config.temperature,
        top_p=config.top_p,
        top_k=None if config.top_k is None else int(config.top_k),
        frequency_penalty=config.frequency_penalty,
        presence_penalty=config.presence_penalty,
        seed=config.seed,
        stop=tuple(config.stop_sequences or ()),
        choices=config.candidate_count or 1,
        output_tokens_max=config.max_output_tokens,
        answer_format=_read_format(config),
        effort=level if level != "thinking_level_unspecified" else None,
        thinking_tokens=None if budget is None or budget < 0 else budget,  # -1: as it likes
    )


def in_camel_case(value: Any) -> Any:
    """Return JSON with Google's own names as its SDK writes them."""
    if isinstance(value, list):
        return [in_camel_case(inner) for inner in cast("list[Any]", value)]
    if not isinstance(value, dict):
        return value
    written: dict[str, Any] = {}
    for name, inner in cast("dict[str, Any]", value).items():
        first, *others = name.split("_")
        camel = first + "".join(other.capitalize() for other in others) if first else name
        written[camel] = inner if camel in _CALLERS_OWN else in_camel_case(inner)
    return written


def _read_turns(said: _Request) -> list[Message]:
    messages: list[Message] = []
    if said.system_instruction is not None:
        told = said.system_instruction.parts
        refuse("a system prompt that is no text", any(part.inline_data for part in told))
        prompts = [part.text or "" for part in told]
        messages.append(Message(Role.SYSTEM, [Text(prompt) for prompt in prompts]))
    contents = said.contents if isinstance(said.contents, list) else [said.contents]
    waiting: dict[str, deque[str]] = {}  # a function's name → its calls without an answer
    for number, content in enumerate(contents):
        role = _ROLES.get(content.role)
        if role is None:  # the words for it are not made up for each turn
            refuse(f"the role {content.role}", asked=True)
        parts: list[Part] = [
            _read_part(part, (number, index), waiting) for index, part in enumerate(content.parts)
        ]
        messages.append(Message(role or Role.USER, parts))
    return messages


def _read_part(part: _Part, place: tuple[int, int], waiting: dict[str, deque[str]]) -> Part:
    """Read a part; calls have no ids on Google's wire, their answers follow in the same order."""
    said = part.text
    if (
        said is not None
        and part.function_call is None
        and part.function_response is None
        and part.inline_data is None
    ):
        return Thinking(said) if part.thought else Text(said)
    if part.function_call is not None:
        call = part.function_call
        identity = call.id or made_id("call_", *place)
        waiting.setdefault(call.name, deque()).append(identity)
        return ToolCall(identity, call.name, text_of(call.args), part.thought_signature)
    if part.function_response is not None:
        answer = part.function_response
        open_calls = waiting.get(answer.name)
        identity = answer.id or (open_calls.popleft() if open_calls else None)
        refuse("the answer of a function that was not called", identity is None)
        return _read_response(identity or "", answer.response)
    if part.inline_data is not None:
        blob = part.inline_data
        refuse(f"{blob.mime_type} in a message", not blob.mime_type.startswith("image/"))
        return Image(media_type=blob.mime_type, data=blob.data)
    refuse("a part without text", asked=True)
    return Text("")


def _read_response(identity: str, response: msgspec.Raw) -> ToolResult:
    """Read what a function gave: Google asks for `output` or `error`, and takes any object."""
    found = object_of(msgspec.json.decode(response))
    for field in ("output", "error"):
        if len(found) == 1 and isinstance(found.get(field), str):
            return ToolResult(identity, (Text(found[field]),), is_error=field == "error")
    return ToolResult(identity, (Text(text_of(response)),))


def _read_tool(declared: _Declaration) -> Tool:
    schema = unless_null(declared.parameters_json_schema) or _json_schema(declared.parameters)
    return Tool(declared.name, declared.description, schema)


def _read_choice(said: _ToolConfig | None) -> ToolChoice | None:
    config = said.function_calling_config if said is not None else None
    if config is None or config.mode is None:
        return None
    names = config.allowed_function_names or []
    refuse("a choice of several functions", len(names) > 1)
    mode = config.mode.upper()
    refuse(f"the function calling mode {mode}", mode not in {"AUTO", "ANY", "NONE"})
    if mode == "ANY" and names:
        return ToolChoice("tool", names[0])
    return ToolChoice(mode.lower())


def _read_format(config: _Config) -> AnswerFormat | None:
    schema = unless_null(config.response_json_schema) or _json_schema(config.response_schema)
    if schema is not None:
        return AnswerFormat(schema=schema)
    kind = config.response_mime_type
    refuse(f"an answer of the type {kind}", kind not in {None, "text/plain", _JSON})
    return AnswerFormat() if kind == _JSON else None


def _json_schema(schema: msgspec.Raw) -> msgspec.Raw | None:
    """Return Google's own kind of schema as JSON schema: types in capitals, `nullable`."""
    if unless_null(schema) is None:
        return None
    return msgspec.Raw(msgspec.json.encode(_as_json_schema(msgspec.json.decode(schema))))


def _as_json_schema(schema: Any) -> Any:
    written: dict[str, Any] = {}
    for name, value in object_of(schema).items():
        if name == "type" and isinstance(value, str):
            written[name] = value.lower()
        elif name in {"properties", "$defs", "defs"}:
            written[name] = {key: _as_json_schema(v) for key, v in object_of(value).items()}
        elif name in {"items", "additionalProperties"} and isinstance(value, dict):
            written[name] = _as_json_schema(value)
        elif name in {"anyOf", "any_of", "prefixItems"} and isinstance(value, list):
            known = "anyOf" if name == "any_of" else name
            written[known] = [_as_json_schema(inner) for inner in cast("list[Any]", value)]
        elif name in _COUNTS and isinstance(value, str) and value.isdigit():
            written[name] = int(value)  # Google writes long integers as text
        elif name not in {"nullable", "propertyOrdering", "property_ordering"}:
            written[name] = value
    if object_of(schema).get("nullable") is True and isinstance(written.get("type"), str):
        written["type"] = [written["type"], "null"]
    return written
