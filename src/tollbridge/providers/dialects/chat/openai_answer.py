"""How does OpenAI's chat completions answer, whole and as a stream?

Source: OpenAI's API reference; `reasoning_content` as DeepSeek and vLLM say it, `reasoning` as
Groq and OpenRouter do, lists of content as Mistral's reasoning models do; usage as in
providers' own reports (xAI counts reasoning outside of the completion: the total tells).
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any, cast

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
    Image,
    Over,
    Part,
    Said,
    Shown,
    Stopped,
    StopReason,
    Text,
    Thinking,
    Thought,
    Tokens,
    ToolCall,
)
from tollbridge.providers.dialects.chat.openai_asking import write_call
from tollbridge.providers.dialects.chat.reading import (
    answer_as,
    count_of,
    frame_as,
    made_id,
    object_of,
)
from tollbridge.providers.dialects.openai_stream import StreamFailedError, with_charge, with_tier
from tollbridge.providers.request import MalformedAnswerError, label_of

DONE = b"[DONE]"
_REASONS: Mapping[str, StopReason] = MappingProxyType(
    {
        "stop": StopReason.END,
        "length": StopReason.LENGTH,
        "tool_calls": StopReason.TOOL_CALLS,
        "function_call": StopReason.TOOL_CALLS,
        "content_filter": StopReason.FILTERED,
        "insufficient_system_resource": StopReason.LENGTH,  # DeepSeek ran out of room
    }
)
_SAID: Mapping[StopReason, str] = MappingProxyType(
    {
        StopReason.END: "stop",
        StopReason.LENGTH: "length",
        StopReason.STOP_SEQUENCE: "stop",
        StopReason.TOOL_CALLS: "tool_calls",
        StopReason.FILTERED: "content_filter",
        StopReason.PAUSED: "stop",
    }
)


class _Asked(msgspec.Struct):
    name: str | None = None
    arguments: Any = None


class _Call(msgspec.Struct):
    id: str | None = None
    function: _Asked | None = None
    index: int | None = None
    extra_content: Any = None


class _Message(msgspec.Struct):
    content: Any = None
    refusal: str | None = None
    reasoning_content: str | None = None
    reasoning: Any = None
    tool_calls: list[_Call] | None = None


class _Choice(msgspec.Struct):
    message: _Message = msgspec.field(default_factory=_Message)
    delta: _Message = msgspec.field(default_factory=_Message)
    finish_reason: str | None = None
    index: int | None = None


class _Group(msgspec.Struct):
    usage: dict[str, Any] | None = None


class _Answer(msgspec.Struct):
    choices: list[_Choice] | None = None
    id: Any = None
    model: Any = None
    usage: dict[str, Any] | None = None
    x_groq: _Group | None = None
    service_tier: Any = None
    provider: Any = None
    error: Any = None
    meta: Any = None


_DECODE = msgspec.json.Decoder(_Answer).decode
_ENCODE = msgspec.json.Encoder().encode


def read_answer(body: bytes) -> ChatAnswer:
    """Read a provider's whole answer. Raises MalformedAnswerError."""
    said = answer_as(_DECODE, body)
    if said.error and not said.choices:
        raise MalformedAnswerError("an error in a 200")
    if not said.choices:
        raise MalformedAnswerError("the answer has no choices")
    return ChatAnswer(
        [_read_choice(choice, str(said.id)) for choice in said.choices],
        label_of(said.id),
        label_of(said.model),
        _usage_of(said),
        label_of(said.provider),
    )


def _usage_of(said: _Answer) -> dict[str, Any] | None:
    usage = said.usage or (said.x_groq.usage if said.x_groq is not None else None)
    if said.meta is not None:  # what AIMLAPI charged
        usage = with_charge(usage, said.meta)
    return None if usage is None else with_tier(usage, said.service_tier)


def _read_choice(said: _Choice, answer_id: str) -> Choice:
    message = said.message
    parts: list[Part] = []
    thought, text = _words(message)
    if thought:
        parts.append(Thinking(thought))
    if text:
        parts.append(Text(text))
    for number, call in enumerate(message.tool_calls or ()):
        asked = call.function or _Asked()
        identity = call.id or made_id("call_", answer_id, number, asked.name)
        arguments = _arguments(asked.arguments)
        parts.append(ToolCall(identity, asked.name or "", arguments, _signature(call)))
    return Choice(parts, _reason(said.finish_reason, refused=bool(message.refusal)))


def _words(message: _Message) -> tuple[str, str]:
    """Return what was thought and what was said, also where both are in a list of content."""
    thought = message.reasoning_content or (
        message.reasoning if isinstance(message.reasoning, str) else ""
    )
    content: object = message.content
    if isinstance(content, str):
        return thought, content + (message.refusal or "")
    said: list[str] = []
    thoughts: list[str] = [thought] if thought else []
    if isinstance(content, list):
        for part in cast("list[Any]", content):
            piece = object_of(part)
            inner = piece.get("thinking")
            if isinstance(inner, list):
                thoughts += [str(object_of(t).get("text", "")) for t in cast("list[Any]", inner)]
            elif isinstance(piece.get("text"), str):
                said.append(piece["text"])
    return "".join(thoughts), "".join(said) + (message.refusal or "")


def _arguments(value: Any) -> str:
    """Return arguments as JSON text; some servers write the object itself."""
    if isinstance(value, str):
        return value
    return "" if value is None else _ENCODE(value).decode()


def _signature(call: _Call) -> str | None:
    signature = object_of(object_of(call.extra_content).get("google")).get("thought_signature")
    return signature if isinstance(signature, str) else None


def _reason(said: str | None, *, refused: bool = False) -> StopReason:
    reason = _REASONS.get(said or "", StopReason.END)
    return StopReason.FILTERED if refused and reason is StopReason.END else reason


def write_answer(answer: ChatAnswer, tokens: Tokens | None, rendering: Rendering) -> bytes:
    """Return the answer for a caller."""
    body: dict[str, Any] = {
        "id": answer.id or made_id("chatcmpl-", rendering.model, rendering.created_s),
        "object": "chat.completion",
        "created": rendering.created_s,
        "model": answer.model or rendering.model,
        "choices": [_write_choice(index, choice) for index, choice in enumerate(answer.choices)],
    }
    if tokens is not None:
        body["usage"] = write_tokens(tokens)
    return _ENCODE(body)


def _write_choice(index: int, choice: Choice) -> dict[str, Any]:
    texts = [part.text for part in choice.parts if isinstance(part, Text)]
    thoughts = [part.text for part in choice.parts if isinstance(part, Thinking)]
    calls = [write_call(part) for part in choice.parts if isinstance(part, ToolCall)]
    pictures = [part for part in choice.parts if isinstance(part, Image)]
    message: dict[str, Any] = {
        "role": "assistant",
        "content": "".join(texts) if texts or not calls else None,
        "refusal": None,
    }
    if thoughts:
        message["reasoning_content"] = "".join(thoughts)
    if calls:
        message["tool_calls"] = calls
    if pictures:
        message["images"] = [_write_picture(part) for part in pictures]
    return {
        "index": index,
        "message": message,
        "logprobs": None,
        "finish_reason": _SAID[choice.reason],
    }


def _write_picture(image: Image) -> dict[str, Any]:
    """Return a picture that a model made, as OpenRouter writes it: OpenAI's chats make none."""
    url = image.url or f"data:{image.media_type};base64,{image.data}"
    return {"type": "image_url", "image_url": {"url": url}}


def read_tokens(usage: Mapping[str, Any]) -> Tokens:
    """Return what a usage object of chat completions, or of responses, counts."""
    whole_input = count_of(usage.get("prompt_tokens", usage.get("input_tokens")))
    output = count_of(usage.get("completion_tokens", usage.get("output_tokens")))
    total = count_of(usage.get("total_tokens"))
    read = object_of(usage.get("prompt_tokens_details") or usage.get("input_tokens_details"))
    made = object_of(usage.get("completion_tokens_details") or usage.get("output_tokens_details"))
    cached = (
        read.get("cached_tokens"),
        usage.get("num_cached_tokens"),  # Mistral
        usage.get("cached_tokens"),  # Together
        usage.get("prompt_cache_hit_tokens"),  # DeepSeek
    )
    return Tokens(
        input=whole_input,
        cache_read=next((count_of(count) for count in cached if count is not None), 0),
        cache_write=count_of(read.get("cache_write_tokens")),
        # What the total has beyond both was thought, outside of the completion.
        output=max(output, total - whole_input) if total else output,
        reasoning=count_of(made.get("reasoning_tokens")),
    )


def write_tokens(tokens: Tokens) -> dict[str, Any]:
    """Return usage as chat completions have it: everything inclusive."""
    details = {"cached_tokens": tokens.cache_read}
    if tokens.cache_write:
        details["cache_write_tokens"] = tokens.cache_write
    return {
        "prompt_tokens": tokens.input,
        "completion_tokens": tokens.output,
        "total_tokens": tokens.input + tokens.output,
        "prompt_tokens_details": details,
        "completion_tokens_details": {"reasoning_tokens": tokens.reasoning},
    }


class OpenAIDecoder:
    """Reads a provider's chunks."""

    def __init__(self) -> None:
        self._named = False
        self._id = ""
        self._called: dict[tuple[int, int], int] = {}
        self._refused: set[int] = set()

    def read(self, frame: bytes, data: bytes) -> list[Event]:
        """Return what one chunk says."""
        if data == DONE:
            return [Over()]
        said = frame_as(_DECODE, data)
        if said.error is not None:
            raise StreamFailedError(frame, data, said.error)
        events: list[Event] = []
        if not self._named:
            model = label_of(said.model)
            self._named = model is not None or bool(said.choices)
            self._id = str(said.id)
            events.append(Began(label_of(said.id), model, label_of(said.provider)))
        for choice in said.choices or ():
            self._read_choice(choice, events)
        usage = _usage_of(said)
        if usage is not None:
            events.append(Counted(usage))
        return events

    def _read_choice(self, said: _Choice, events: list[Event]) -> None:
        number, delta = said.index or 0, said.delta
        thought, text = _words(delta)
        if thought:
            events.append(Thought(thought, number))
        if text:
            events.append(Said(text, number))
        if delta.refusal:
            self._refused.add(number)
        for call in delta.tool_calls or ():
            self._read_call(call, number, events)
        if said.finish_reason:
            reason = _reason(said.finish_reason, refused=number in self._refused)
            events.append(Stopped(reason, None, number))

    def _read_call(self, call: _Call, choice: int, events: list[Event]) -> None:
        asked = call.function or _Asked()
        key = (choice, call.index or 0)
        if call.index is None and call.id:
            key = (choice, len(self._called))  # whole calls one after the other, as Gemini's are
        index = self._called.get(key)
        if index is None:
            index = sum(1 for known, _ in self._called if known == choice)
            self._called[key] = index
            identity = call.id or made_id("call_", self._id, index, asked.name)
            name = asked.name or ""
            events.append(Called(index, identity, name, choice, _signature(call)))
        arguments = _arguments(asked.arguments)
        if arguments:
            events.append(Argued(index, arguments, choice))


class OpenAIEncoder:
    """Writes a caller's chunks."""

    def __init__(self, rendering: Rendering) -> None:
        self._rendering = rendering
        self._id = ""
        self._model = rendering.model
        self._begun: set[int] = set()

    def write(self, event: Event) -> bytes:
        """Return the chunks that tell the caller of it."""
        if isinstance(event, Began):
            self._id = event.id or made_id(
                "chatcmpl-", self._rendering.model, self._rendering.created_s
            )
            self._model = event.model or self._model
            return self._begin(0)
        if isinstance(event, Counted | Over):
            return b""
        opening = b"" if event.choice in self._begun else self._begin(event.choice)
        if isinstance(event, Stopped):
            return opening + self._chunk(event.choice, {}, _SAID[event.reason])
        return opening + self._chunk(event.choice, _delta(event))

    def end(self, tokens: Tokens | None) -> bytes:
        """Return the usage, where it is asked for and known, and the end mark."""
        usage = b""
        if tokens is not None and self._rendering.shows_usage:
            usage = self._frame({"choices": [], "usage": write_tokens(tokens)})
        return usage + b"data: [DONE]\n\n"

    def _begin(self, choice: int) -> bytes:
        self._begun.add(choice)
        return self._chunk(choice, {"role": "assistant", "content": "", "refusal": None})

    def _chunk(self, choice: int, delta: dict[str, Any], reason: str | None = None) -> bytes:
        said = {"index": choice, "delta": delta, "logprobs": None, "finish_reason": reason}
        return self._frame({"choices": [said]})

    def _frame(self, fields: dict[str, Any]) -> bytes:
        body = {
            "id": self._id,
            "object": "chat.completion.chunk",
            "created": self._rendering.created_s,
            "model": self._model,
            **fields,
        }
        return b"data: %b\n\n" % _ENCODE(body)


def _delta(event: Said | Thought | Called | Argued | Shown) -> dict[str, Any]:
    if isinstance(event, Said):
        return {"content": event.text}
    if isinstance(event, Shown):
        return {"images": [_write_picture(event.image)]}
    if isinstance(event, Thought):
        return {"reasoning_content": event.text}
    if isinstance(event, Argued):
        return {"tool_calls": [{"index": event.index, "function": {"arguments": event.arguments}}]}
    call = write_call(ToolCall(event.id, event.name, "", event.signature))
    call["function"]["arguments"] = ""
    return {"tool_calls": [{"index": event.index, **call}]}
