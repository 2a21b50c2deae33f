"""What does a caller of OpenAI's chat completions ask for?

Source: OpenAI's API reference; `cache_control` as OpenRouter has it, `extra_content` as Google's
OpenAI surface does.
"""

from typing import Any

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
    Tool,
    ToolCall,
    ToolChoice,
    ToolResult,
)
from tollbridge.providers.dialects.chat.reading import (
    NULL,
    object_of,
    request_as,
    split_data_url,
    unless_null,
)


class _Address(msgspec.Struct, forbid_unknown_fields=True):
    url: str
    detail: str | None = None


class _TextPart(msgspec.Struct, tag="text", forbid_unknown_fields=True):
    text: str
    cache_control: Any = None


class _ImagePart(msgspec.Struct, tag="image_url", forbid_unknown_fields=True):
    image_url: _Address
    cache_control: Any = None


class _RefusalPart(msgspec.Struct, tag="refusal", forbid_unknown_fields=True):
    refusal: str


class _Asked(msgspec.Struct):
    name: str
    arguments: str


class _Call(msgspec.Struct):
    id: str
    function: _Asked
    extra_content: Any = None


class _System(msgspec.Struct, tag_field="role", tag="system", forbid_unknown_fields=True):
    content: str | list[_TextPart]


class _Developer(msgspec.Struct, tag_field="role", tag="developer", forbid_unknown_fields=True):
    content: str | list[_TextPart]


class _User(msgspec.Struct, tag_field="role", tag="user", forbid_unknown_fields=True):
    content: str | list[_TextPart | _ImagePart]


class _Assistant(msgspec.Struct, tag_field="role", tag="assistant"):
    """What else a provider put into its answer, and the caller says again, is its own affair."""

    content: str | list[_TextPart | _RefusalPart] | None = None
    refusal: str | None = None
    tool_calls: list[_Call] | None = None
    audio: Any = None
    function_call: Any = None
    name: str | None = None


class _ToolAnswer(msgspec.Struct, tag_field="role", tag="tool", forbid_unknown_fields=True):
    tool_call_id: str
    content: str | list[_TextPart | _ImagePart]


class _Function(msgspec.Struct, forbid_unknown_fields=True):
    name: str
    description: str | None = None
    parameters: msgspec.Raw = NULL
    strict: bool | None = None


class _Tool(msgspec.Struct, tag="function", forbid_unknown_fields=True):
    function: _Function
    cache_control: Any = None


class _Named(msgspec.Struct, forbid_unknown_fields=True):
    name: str


class _NamedChoice(msgspec.Struct, tag="function", forbid_unknown_fields=True):
    function: _Named


class _Schema(msgspec.Struct, forbid_unknown_fields=True):
    name: str = "answer"
    schema: msgspec.Raw = NULL
    strict: bool | None = None
    description: str | None = None


class _PlainText(msgspec.Struct, tag="text", forbid_unknown_fields=True):
    pass


class _JsonObject(msgspec.Struct, tag="json_object", forbid_unknown_fields=True):
    pass


class _JsonSchema(msgspec.Struct, tag="json_schema", forbid_unknown_fields=True):
    json_schema: _Schema


class _Request(msgspec.Struct, forbid_unknown_fields=True):
    messages: list[_System | _Developer | _User | _Assistant | _ToolAnswer]
    model: str = ""
    stream: bool | None = None
    max_tokens: int | None = None
    max_completion_tokens: int | None = None
    n: int | None = None
    temperature: float | None = None
    top_p: float | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    stop: str | list[str] | None = None
    tools: list[_Tool] | None = None
    tool_choice: str | _NamedChoice | None = None
    parallel_tool_calls: bool | None = None
    response_format: _PlainText | _JsonObject | _JsonSchema | None = None
    reasoning_effort: str | None = None
    verbosity: str | None = None
    modalities: list[str] | None = None
    # What no other format says.
    logprobs: Any = None
    top_logprobs: Any = None
    logit_bias: Any = None
    audio: Any = None
    web_search_options: Any = None
    functions: Any = None
    function_call: Any = None
    # What changes nothing in the answer: who asks, how it is kept, how fast it comes.
    stream_options: Any = None
    user: Any = None
    safety_identifier: Any = None
    metadata: Any = None
    store: Any = None
    service_tier: Any = None
    prediction: Any = None
    prompt_cache_key: Any = None
    prompt_cache_retention: Any = None


_DECODE = msgspec.json.Decoder(_Request).decode
_REFUSED = (
    "logprobs",
    "top_logprobs",
    "logit_bias",
    "audio",
    "web_search_options",
    "functions",
    "function_call",
)


def read_request(body: bytes) -> Chat:
    """Read a caller's request. Raises UntranslatableError."""
    said = request_as(_DECODE, body)
    for field in _REFUSED:
        refuse(field, getattr(said, field))
    refuse(f"verbosity {said.verbosity}", said.verbosity not in {None, "medium"})
    refuse("an answer that is not text", said.modalities not in (None, [], ["text"]))
    stop = said.stop or []
    return Chat(
        messages=[_read_message(message) for message in said.messages],
        tools=tuple(
            Tool(f.name, f.description, unless_null(f.parameters), f.strict, tool.cache_control)
            for tool in said.tools or ()
            for f in (tool.function,)
        ),
        tool_choice=_read_choice(said.tool_choice),
        parallel_tool_calls=said.parallel_tool_calls,
        temperature=said.temperature,
        top_p=said.top_p,
        frequency_penalty=said.frequency_penalty,
        presence_penalty=said.presence_penalty,
        seed=said.seed,
        stop=(stop,) if isinstance(stop, str) else tuple(stop),
        choices=said.n or 1,
        output_tokens_max=said.max_completion_tokens or said.max_tokens,
        stream=bool(said.stream),
        answer_format=_read_format(said.response_format),
        effort=said.reasoning_effort,
    )


def _read_message(said: _System | _Developer | _User | _Assistant | _ToolAnswer) -> Message:
    if isinstance(said, _Assistant):
        return _read_assistant(said)
    if isinstance(said, _ToolAnswer):
        result = ToolResult(said.tool_call_id, tuple(_read_content(said.content)))
        return Message(Role.USER, [result])
    role = Role.USER if isinstance(said, _User) else Role.SYSTEM
    return Message(role, [*_read_content(said.content)])


def _read_content(
    content: str | list[_TextPart] | list[_TextPart | _ImagePart],
) -> list[Text | Image]:
    if isinstance(content, str):
        return [Text(content)]
    return [
        Text(part.text, part.cache_control) if isinstance(part, _TextPart) else _read_image(part)
        for part in content
    ]


def _read_image(part: _ImagePart) -> Image:
    address = part.image_url
    data = split_data_url(address.url)
    if data is None:
        return Image(url=address.url, detail=address.detail)
    return Image(media_type=data[0], data=data[1], detail=address.detail)


def _read_assistant(said: _Assistant) -> Message:
    refuse("an answer in sound", said.audio)
    refuse("function_call", said.function_call)
    refuse("the name of a participant", said.name)
    parts: list[Part] = []
    if isinstance(said.content, str):
        if said.content:
            parts.append(Text(said.content))
    else:
        parts += [
            Text(part.text, part.cache_control)
            if isinstance(part, _TextPart)
            else Text(part.refusal)
            for part in said.content or ()
        ]
    if said.refusal:
        parts.append(Text(said.refusal))
    for call in said.tool_calls or ():
        google = object_of(object_of(call.extra_content).get("google"))
        signature = google.get("thought_signature")
        parts.append(
            ToolCall(
                call.id,
                call.function.name,
                call.function.arguments,
                signature if isinstance(signature, str) else None,
            )
        )
    return Message(Role.ASSISTANT, parts)


def _read_choice(said: str | _NamedChoice | None) -> ToolChoice | None:
    if said is None:
        return None
    if isinstance(said, _NamedChoice):
        return ToolChoice("tool", said.function.name)
    refuse(f"tool_choice {said}", said not in {"auto", "none", "required"})
    return ToolChoice("any" if said == "required" else said)


def _read_format(said: _PlainText | _JsonObject | _JsonSchema | None) -> AnswerFormat | None:
    if said is None or isinstance(said, _PlainText):
        return None
    if isinstance(said, _JsonObject):
        return AnswerFormat()
    schema = said.json_schema
    return AnswerFormat(schema.name, unless_null(schema.schema), schema.strict, schema.description)
