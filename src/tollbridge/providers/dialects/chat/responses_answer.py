"""How does OpenAI's responses answer?

Source: OpenAI's API reference for responses.
"""

from collections.abc import Callable, Mapping
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
from tollbridge.providers.dialects.chat.reading import answer_as, frame_as, made_id
from tollbridge.providers.dialects.openai_stream import StreamFailedError, with_tier
from tollbridge.providers.request import MalformedAnswerError, label_of

FILTERED = "content_filter"


class _Content(msgspec.Struct):
    type: str = ""
    text: str | None = None
    refusal: str | None = None


class _Item(msgspec.Struct):
    type: str = ""
    id: str | None = None
    content: list[_Content] | None = None
    summary: list[_Content] | None = None
    call_id: str | None = None
    name: str | None = None
    arguments: str | None = None


class _Incomplete(msgspec.Struct):
    reason: str | None = None


class _Response(msgspec.Struct):
    id: Any = None
    model: Any = None
    status: str | None = None
    output: list[_Item] | None = None
    usage: dict[str, Any] | None = None
    service_tier: Any = None
    error: Any = None
    incomplete_details: _Incomplete | None = None
    provider: Any = None


class _Frame(msgspec.Struct):
    type: str = ""
    response: _Response | None = None
    item: _Item | None = None
    output_index: int = 0
    delta: Any = None
    arguments: str | None = None
    error: Any = None


_DECODE = msgspec.json.Decoder(_Response).decode
_DECODE_FRAME = msgspec.json.Decoder(_Frame).decode
_ENCODE = msgspec.json.Encoder().encode


def read_answer(body: bytes) -> ChatAnswer:
    """Read a provider's whole answer. Raises MalformedAnswerError."""
    said = answer_as(_DECODE, body)
    if said.error is not None or said.status == "failed":
        raise MalformedAnswerError("an error in a 200")
    if said.output is None:
        raise MalformedAnswerError("the answer has no output")
    parts: list[Part] = []
    refused = False
    for item in said.output:
        if item.type == "function_call":
            parts.append(ToolCall(item.call_id or "", item.name or "", item.arguments or ""))
        elif item.type == "reasoning":
            thought = "".join([summary.text or "" for summary in item.summary or ()])
            if thought:
                parts.append(Thinking(thought))
        for content in item.content or ():
            if item.type == "message" and (content.text or content.refusal):
                parts.append(Text(content.text or content.refusal or ""))
                refused = refused or content.refusal is not None
    choice = Choice(parts, _reason(said, refused=refused))
    return ChatAnswer(
        [choice], label_of(said.id), label_of(said.model), _usage(said), label_of(said.provider)
    )


def _usage(said: _Response) -> dict[str, Any] | None:
    return None if said.usage is None else with_tier(said.usage, said.service_tier)


def _reason(said: _Response, *, refused: bool) -> StopReason:
    if said.status == "incomplete":
        reason = said.incomplete_details.reason if said.incomplete_details is not None else None
        return StopReason.FILTERED if reason == FILTERED else StopReason.LENGTH
    return StopReason.FILTERED if refused else StopReason.END


class ResponsesDecoder:
    """Reads a provider's events."""

    def __init__(self) -> None:
        self._calls: dict[int, int] = {}  # an item's number → its tool call's
        self._argued: set[int] = set()
        self._refused = False
        self._readers: Mapping[str, Callable[[_Frame], list[Event]]] = {
            "response.created": _read_began,
            "response.output_item.added": self._read_item,
            "response.output_text.delta": self._read_text,
            "response.refusal.delta": self._read_text,
            "response.reasoning_summary_text.delta": _read_thought,
            "response.function_call_arguments.delta": self._read_arguments,
            "response.function_call_arguments.done": self._read_arguments,
            "response.completed": self._read_end,
            "response.incomplete": self._read_end,
        }

    def read(self, frame: bytes, data: bytes) -> list[Event]:
        """Return what one event says."""
        if data == b"[DONE]":  # OpenRouter
            return [Over()]
        said = frame_as(_DECODE_FRAME, data)
        reader = self._readers.get(said.type)
        if reader is not None:
            return reader(said)
        if said.type in {"error", "response.failed"} or said.error is not None:
            inner = said.response.error if said.response is not None else None
            raise StreamFailedError(frame, data, said.error or inner or said.type)
        return []

    def _read_text(self, said: _Frame) -> list[Event]:
        self._refused = self._refused or said.type == "response.refusal.delta"
        return [Said(said.delta)] if isinstance(said.delta, str) and said.delta else []

    def _read_item(self, said: _Frame) -> list[Event]:
        item = said.item or _Item()
        if item.type != "function_call":
            return []
        call = self._calls[said.output_index] = len(self._calls)
        return [Called(call, item.call_id or "", item.name or "")]

    def _read_arguments(self, said: _Frame) -> list[Event]:
        call = self._calls.get(said.output_index)
        text = said.delta if said.type.endswith("delta") else said.arguments
        if call is None or not isinstance(text, str) or not text:
            return []
        if said.type.endswith("done") and call in self._argued:
            return []
        self._argued.add(call)
        return [Argued(call, text)]

    def _read_end(self, said: _Frame) -> list[Event]:
        response = said.response or _Response()
        events: list[Event] = [Stopped(_reason(response, refused=self._refused))]
        usage = _usage(response)
        if usage is not None:
            events.append(Counted(usage))
        return [*events, Over()]


def _read_began(said: _Frame) -> list[Event]:
    response = said.response or _Response()
    names = label_of(response.id), label_of(response.model), label_of(response.provider)
    return [Began(*names)]


def _read_thought(said: _Frame) -> list[Event]:
    return [Thought(said.delta)] if isinstance(said.delta, str) and said.delta else []


def write_answer(answer: ChatAnswer, tokens: Tokens | None, rendering: Rendering) -> bytes:
    """Return the answer for a caller."""
    answer_id = answer.id or made_id("resp_", rendering.model, rendering.created_s)
    choice = answer.choices[0]
    items: list[dict[str, Any]] = []
    for part in choice.parts:
        if isinstance(part, Text):
            items.append(message_item(answer_id, len(items), part.text))
        elif isinstance(part, ToolCall):
            items.append(call_item(answer_id, len(items), part))
    model = answer.model or rendering.model
    return _ENCODE(
        response_object(
            answer_id, model, rendering, items=items, reason=choice.reason, tokens=tokens
        )
    )


def message_item(answer_id: str, number: int, text: str) -> dict[str, Any]:
    """Return what was said as a whole output item."""
    content: dict[str, Any] = {
        "type": "output_text",
        "text": text,
        "annotations": [],
        "logprobs": [],
    }
    return {
        "id": made_id("msg_", answer_id, number),
        "type": "message",
        "status": "completed",
        "role": "assistant",
        "content": [content],
    }


def call_item(answer_id: str, number: int, call: ToolCall) -> dict[str, Any]:
    """Return a tool call as a whole output item."""
    return {
        "id": made_id("fc_", answer_id, number),
        "type": "function_call",
        "status": "completed",
        "call_id": call.id,
        "name": call.name,
        "arguments": call.arguments or "{}",
    }


def response_object(
    answer_id: str,
    model: str,
    rendering: Rendering,
    *,
    items: list[dict[str, Any]],
    reason: StopReason | None,
    tokens: Tokens | None,
) -> dict[str, Any]:
    """Return the response itself; without a reason it is still in progress."""
    status, incomplete = "completed", None
    if reason is None:
        status = "in_progress"
    elif reason in {StopReason.LENGTH, StopReason.FILTERED}:
        said = "max_output_tokens" if reason is StopReason.LENGTH else FILTERED
        status, incomplete = "incomplete", {"reason": said}
    return {
        "id": answer_id,
        "object": "response",
        "created_at": rendering.created_s,
        "status": status,
        "error": None,
        "incomplete_details": incomplete,
        "instructions": None,
        "metadata": {},
        "model": model,
        "output": items,
        "parallel_tool_calls": True,
        "temperature": None,
        "tool_choice": "auto",
        "tools": [],
        "top_p": None,
        "store": False,
        "usage": None if tokens is None else write_tokens(tokens),
    }


def write_tokens(tokens: Tokens) -> dict[str, Any]:
    """Return usage as responses have it: everything inclusive."""
    return {
        "input_tokens": tokens.input,
        "input_tokens_details": {"cached_tokens": tokens.cache_read},
        "output_tokens": tokens.output,
        "output_tokens_details": {"reasoning_tokens": tokens.reasoning},
        "total_tokens": tokens.input + tokens.output,
    }
