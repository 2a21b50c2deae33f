"""How does Anthropic's messages answer, whole and as a stream?

Source: Anthropic's API reference on messages and on streaming them.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from tollbridge.providers.dialects.chat.codec import Rendering
from tollbridge.providers.dialects.chat.neutral import (
    Argued,
    Began,
    Called,
    ChatAnswer,
    Choice,
    Counted,
    Event,
    Over,
    Part,
    Said,
    Stopped,
    StopReason,
    Text,
    Thinking,
    Thought,
    Tokens,
    ToolCall,
)
from tollbridge.providers.dialects.chat.reading import (
    answer_as,
    answered_object,
    count_of,
    frame_as,
    made_id,
    object_of,
    text_of,
)
from tollbridge.providers.dialects.openai_stream import StreamFailedError
from tollbridge.providers.request import MalformedAnswerError, label_of

_REASONS: Mapping[str, StopReason] = MappingProxyType(
    {
        "end_turn": StopReason.END,
        "max_tokens": StopReason.LENGTH,
        "model_context_window_exceeded": StopReason.LENGTH,
        "stop_sequence": StopReason.STOP_SEQUENCE,
        "tool_use": StopReason.TOOL_CALLS,
        "pause_turn": StopReason.PAUSED,
        "refusal": StopReason.FILTERED,
    }
)
_SAID: Mapping[StopReason, str] = MappingProxyType(
    {
        StopReason.END: "end_turn",
        StopReason.LENGTH: "max_tokens",
        StopReason.STOP_SEQUENCE: "stop_sequence",
        StopReason.TOOL_CALLS: "tool_use",
        StopReason.PAUSED: "pause_turn",
        StopReason.FILTERED: "refusal",
    }
)
_NO_ARGUMENTS = msgspec.Raw(b"{}")


class _Block(msgspec.Struct):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    id: str | None = None
    name: str | None = None
    input: msgspec.Raw = _NO_ARGUMENTS


class _Delta(msgspec.Struct):
    type: str = ""
    text: str | None = None
    thinking: str | None = None
    partial_json: str | None = None
    stop_reason: str | None = None
    stop_sequence: str | None = None


class _Message(msgspec.Struct):
    content: list[_Block] | None = None
    id: Any = None
    model: Any = None
    stop_reason: str | None = None
    stop_sequence: str | None = None
    usage: dict[str, Any] | None = None


class _Frame(msgspec.Struct):
    type: str = ""
    message: _Message | None = None
    index: int = 0
    content_block: _Block | None = None
    delta: _Delta | None = None
    usage: dict[str, Any] | None = None
    error: Any = None


_DECODE = msgspec.json.Decoder(_Message).decode
_DECODE_FRAME = msgspec.json.Decoder(_Frame).decode
_ENCODE = msgspec.json.Encoder().encode


def read_answer(body: bytes) -> ChatAnswer:
    """Read a provider's whole answer. Raises MalformedAnswerError."""
    said = answer_as(_DECODE, body)
    if said.content is None:
        raise MalformedAnswerError("the answer has no content")
    parts: list[Part] = []
    for block in said.content:
        if block.type == "text" and block.text:
            parts.append(Text(block.text))
        elif block.type == "thinking" and block.thinking:
            parts.append(Thinking(block.thinking))
        elif block.type == "tool_use":
            parts.append(ToolCall(block.id or "", block.name or "", text_of(block.input)))
    reason = _REASONS.get(said.stop_reason or "", StopReason.END)
    choice = Choice(parts, reason, said.stop_sequence)
    return ChatAnswer([choice], label_of(said.id), label_of(said.model), said.usage)


def write_answer(answer: ChatAnswer, tokens: Tokens | None, rendering: Rendering) -> bytes:
    """Return the answer for a caller; thoughts without Anthropic's signature are none of it.

    Raises MalformedAnswerError where a tool call's arguments are no object.
    """
    choice = answer.choices[0]
    content: list[dict[str, Any]] = []
    for part in choice.parts:
        if isinstance(part, Text):
            content.append({"type": "text", "text": part.text})
        elif isinstance(part, ToolCall):
            arguments = answered_object(part.arguments)
            content.append(
                {"type": "tool_use", "id": part.id, "name": part.name, "input": arguments}
            )
    return _ENCODE(
        {
            **_head(answer.id, answer.model, rendering),
            "content": content,
            "stop_reason": _SAID[choice.reason],
            "stop_sequence": choice.stop_sequence,
            "usage": write_tokens(tokens or Tokens()),
        }
    )


def _head(answer_id: str | None, model: str | None, rendering: Rendering) -> dict[str, Any]:
    return {
        "id": answer_id or made_id("msg_", rendering.model, rendering.created_s),
        "type": "message",
        "role": "assistant",
        "model": model or rendering.model,
    }


def read_tokens(usage: Mapping[str, Any]) -> Tokens:
    """Return what a usage object counts: its input is without what the cache took or gave."""
    read = count_of(usage.get("cache_read_input_tokens"))
    written = count_of(usage.get("cache_creation_input_tokens"))
    created = object_of(usage.get("cache_creation"))
    return Tokens(
        input=count_of(usage.get("input_tokens")) + read + written,
        cache_read=read,
        cache_write=written,
        cache_write_1h=count_of(created.get("ephemeral_1h_input_tokens")),
        output=count_of(usage.get("output_tokens")),
        reasoning=count_of(object_of(usage.get("output_tokens_details")).get("thinking_tokens")),
    )


def write_tokens(tokens: Tokens) -> dict[str, Any]:
    """Return usage as messages have it: the input without its cached parts."""
    written: dict[str, Any] = {
        "input_tokens": max(0, tokens.input - tokens.cache_read - tokens.cache_write),
        "cache_creation_input_tokens": tokens.cache_write,
        "cache_read_input_tokens": tokens.cache_read,
        "output_tokens": tokens.output,
    }
    if tokens.reasoning:
        written["output_tokens_details"] = {"thinking_tokens": tokens.reasoning}
    return written


class AnthropicDecoder:
    """Reads a provider's events."""

    def __init__(self) -> None:
        self._calls: dict[int, int] = {}  # a block's number → its tool call's
        self._argued: set[int] = set()
        self._readers: Mapping[str, Callable[[_Frame], list[Event]]] = {
            "message_start": _read_began,
            "content_block_start": self._read_start,
            "content_block_delta": self._read_delta,
            "content_block_stop": self._read_stop,
            "message_delta": _read_end,
            "message_stop": _read_over,
        }

    def read(self, frame: bytes, data: bytes) -> list[Event]:
        """Return what one event says."""
        said = frame_as(_DECODE_FRAME, data)
        if said.type == "error" or said.error is not None:
            raise StreamFailedError(frame, data, said.error)
        reader = self._readers.get(said.type)
        return [] if reader is None else reader(said)

    def _read_start(self, said: _Frame) -> list[Event]:
        block = said.content_block or _Block()
        if block.type == "text":
            return [Said(block.text)] if block.text else []
        if block.type == "thinking":
            return [Thought(block.thinking)] if block.thinking else []
        if block.type != "tool_use":
            return []
        call = self._calls[said.index] = len(self._calls)
        began = Called(call, block.id or "", block.name or "")
        if object_of(msgspec.json.decode(block.input)):
            self._argued.add(call)
            return [began, Argued(call, text_of(block.input))]
        return [began]

    def _read_delta(self, said: _Frame) -> list[Event]:
        delta = said.delta or _Delta()
        if delta.text:
            return [Said(delta.text)]
        if delta.thinking:
            return [Thought(delta.thinking)]
        call = self._calls.get(said.index)
        if delta.partial_json and call is not None:
            self._argued.add(call)
            return [Argued(call, delta.partial_json)]
        return []

    def _read_stop(self, said: _Frame) -> list[Event]:
        call = self._calls.get(said.index)
        # A tool without parameters streams no arguments at all.
        return [] if call is None or call in self._argued else [Argued(call, "{}")]


def _read_began(said: _Frame) -> list[Event]:
    message = said.message or _Message()
    began = Began(label_of(message.id), label_of(message.model))
    return [began] if message.usage is None else [began, Counted(message.usage)]


def _read_end(said: _Frame) -> list[Event]:
    events: list[Event] = [] if said.usage is None else [Counted(said.usage)]
    if said.delta is not None and said.delta.stop_reason is not None:
        reason = _REASONS.get(said.delta.stop_reason, StopReason.END)
        events.append(Stopped(reason, said.delta.stop_sequence))
    return events


def _read_over(said: _Frame) -> list[Event]:
    del said
    return [Over()]


class AnthropicEncoder:
    """Writes a caller's events: numbered blocks, one after the other."""

    def __init__(self, rendering: Rendering) -> None:
        self._rendering = rendering
        self._blocks = 0
        self._open: int | None = None
        self._text_is_open = False
        self._calls: dict[int, int] = {}  # a tool call's number → its block's
        self._stopped = Stopped(StopReason.END)

    def write(self, event: Event) -> bytes:
        """Return the events that tell the caller of it."""
        if isinstance(event, Said):
            opening = b"" if self._text_is_open else self._begin({"type": "text", "text": ""})
            self._text_is_open = True
            delta = {"type": "text_delta", "text": event.text}
            return opening + self._delta(self._blocks - 1, delta)
        if isinstance(event, Called):
            block = {"type": "tool_use", "id": event.id, "name": event.name}
            begun = self._begin({**block, "input": _NO_ARGUMENTS})
            self._calls[event.index] = self._blocks - 1
            return begun
        if isinstance(event, Argued):
            delta = {"type": "input_json_delta", "partial_json": event.arguments}
            return self._delta(self._calls.get(event.index, self._blocks), delta)
        if isinstance(event, Began):
            message: dict[str, Any] = {
                **_head(event.id, event.model, self._rendering),
                "content": [],
                "stop_reason": None,
                "stop_sequence": None,
                "usage": {"input_tokens": 0, "output_tokens": 0},  # known at the end
            }
            return _event("message_start", {"message": message})
        if isinstance(event, Stopped):
            self._stopped = event
        return b""

    def end(self, tokens: Tokens | None) -> bytes:
        """Return the events that end the message, with its usage."""
        stopped = self._stopped
        delta = {"stop_reason": _SAID[stopped.reason], "stop_sequence": stopped.stop_sequence}
        usage = write_tokens(tokens or Tokens())
        ending = _event("message_delta", {"delta": delta, "usage": usage})
        return self._close() + ending + _event("message_stop", {})

    def _begin(self, block: dict[str, Any]) -> bytes:
        closing = self._close()
        self._open = self._blocks
        self._blocks += 1
        started = {"index": self._open, "content_block": block}
        return closing + _event("content_block_start", started)

    def _close(self) -> bytes:
        number, self._open, self._text_is_open = self._open, None, False
        return b"" if number is None else _event("content_block_stop", {"index": number})

    @staticmethod
    def _delta(block: int, delta: dict[str, str]) -> bytes:
        return _event("content_block_delta", {"index": block, "delta": delta})


def _event(name: str, fields: dict[str, Any]) -> bytes:
    return b"event: %b\ndata: %b\n\n" % (name.encode(), _ENCODE({"type": name, **fields}))
