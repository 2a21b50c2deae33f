"""What is a chat, whatever the wire format it is said in?"""

from enum import StrEnum
from typing import Any

import msgspec


class Role(StrEnum):
    """Who says a message."""

    SYSTEM = "system"
    USER = "user"
    ASSISTANT = "assistant"


class Text(msgspec.Struct, frozen=True):
    """Words."""

    text: str
    cache_control: Any = None
    """Anthropic's mark of a prefix to be cached; others need none."""


class Image(msgspec.Struct, frozen=True):
    """A picture: an address, or the thing itself."""

    url: str | None = None
    media_type: str | None = None
    data: str | None = None
    """In base64, never decoded."""
    detail: str | None = None


class Thinking(msgspec.Struct, frozen=True):
    """What a model thought; its signature is of use to its maker alone and is not carried."""

    text: str


class ToolCall(msgspec.Struct, frozen=True):
    """A model asks for a tool."""

    id: str
    name: str
    arguments: str
    """The JSON text of an object."""
    signature: str | None = None
    """Gemini's sign of the thoughts before it, wanted back with the call."""


class ToolResult(msgspec.Struct, frozen=True):
    """What a tool gave."""

    call_id: str
    content: tuple[Text | Image, ...]
    is_error: bool = False


Part = Text | Image | Thinking | ToolCall | ToolResult


class Message(msgspec.Struct, frozen=True):
    """One turn, or a piece of one. Tool results are said by the user."""

    role: Role
    parts: list[Part]


class Tool(msgspec.Struct, frozen=True):
    """A function that the model may ask for."""

    name: str
    description: str | None = None
    parameters: msgspec.Raw | None = None
    """The JSON schema of its arguments, not decoded."""
    strict: bool | None = None
    cache_control: Any = None


class ToolChoice(msgspec.Struct, frozen=True):
    """Whether tools may or must be asked for."""

    mode: str
    """`auto`, `none`, `any` (at least one), `tool` (the named one)."""
    name: str | None = None


class AnswerFormat(msgspec.Struct, frozen=True):
    """JSON is wanted, of a schema or of any."""

    name: str = "answer"
    schema: msgspec.Raw | None = None
    strict: bool | None = None
    description: str | None = None


class Chat(msgspec.Struct, frozen=True):
    """A request. None is "as the provider does by itself"."""

    messages: list[Message]
    tools: tuple[Tool, ...] = ()
    tool_choice: ToolChoice | None = None
    parallel_tool_calls: bool | None = None
    temperature: float | None = None
    top_p: float | None = None
    top_k: int | None = None
    frequency_penalty: float | None = None
    presence_penalty: float | None = None
    seed: int | None = None
    stop: tuple[str, ...] = ()
    choices: int = 1
    output_tokens_max: int | None = None
    stream: bool = False
    answer_format: AnswerFormat | None = None
    effort: str | None = None
    """`none`, `minimal`, `low`, `medium`, `high`, `xhigh`."""
    thinking_tokens: int | None = None
    """How many tokens may be thought, where the caller counts instead."""


class StopReason(StrEnum):
    """Why an answer ended."""

    END = "end"
    LENGTH = "length"
    STOP_SEQUENCE = "stop_sequence"
    TOOL_CALLS = "tool_calls"
    FILTERED = "filtered"
    PAUSED = "paused"


class Choice(msgspec.Struct, frozen=True):
    """One answer of those that were asked for."""

    parts: list[Part]
    reason: StopReason
    stop_sequence: str | None = None


class ChatAnswer(msgspec.Struct, frozen=True):
    """A whole answer, with the provider's own usage object."""

    choices: list[Choice]
    id: str | None = None
    model: str | None = None
    usage: dict[str, Any] | None = None
    aggregator_provider: str | None = None


class Tokens(msgspec.Struct, frozen=True):
    """Usage to be told to a caller: inclusive counts, as in core.usage."""

    input: int = 0
    cache_read: int = 0
    cache_write: int = 0
    cache_write_1h: int = 0
    output: int = 0
    reasoning: int = 0


# The events of a stream.


class Began(msgspec.Struct, frozen=True):
    """The first that is heard."""

    id: str | None = None
    model: str | None = None
    aggregator_provider: str | None = None


class Said(msgspec.Struct, frozen=True):
    """Words go on."""

    text: str
    choice: int = 0


class Thought(msgspec.Struct, frozen=True):
    """Thoughts go on."""

    text: str
    choice: int = 0


class Shown(msgspec.Struct, frozen=True):
    """A picture was made."""

    image: Image
    choice: int = 0


class Called(msgspec.Struct, frozen=True):
    """A tool call begins; `index` counts those of its choice from 0."""

    index: int
    id: str
    name: str
    choice: int = 0
    signature: str | None = None


class Argued(msgspec.Struct, frozen=True):
    """The arguments of a tool call go on: a piece of JSON text."""

    index: int
    arguments: str
    choice: int = 0


class Stopped(msgspec.Struct, frozen=True):
    """A choice is whole."""

    reason: StopReason
    stop_sequence: str | None = None
    choice: int = 0


class Counted(msgspec.Struct, frozen=True):
    """A usage object of the provider."""

    usage: dict[str, Any]


class Over(msgspec.Struct, frozen=True):
    """The provider says that nothing more comes."""


Event = Began | Said | Thought | Shown | Called | Argued | Stopped | Counted | Over
