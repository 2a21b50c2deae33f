"""How does Gemini's generateContent answer, whole and as a stream?

Source: Google's API reference for generateContent and streamGenerateContent.
"""

from collections.abc import Mapping
from types import MappingProxyType
from typing import Any

import msgspec

from tollbridge.core.errors import BugError
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
from tollbridge.providers.dialects.chat.reading import (
    answer_as,
    answered_object,
    count_of,
    frame_as,
    made_id,
    text_of,
)
from tollbridge.providers.dialects.openai_stream import StreamFailedError
from tollbridge.providers.request import MalformedAnswerError, label_of

_FILTERED = frozenset(
    {
        "SAFETY",
        "RECITATION",
        "BLOCKLIST",
        "PROHIBITED_CONTENT",
        "SPII",
        "LANGUAGE",
        "IMAGE_SAFETY",
        "IMAGE_PROHIBITED_CONTENT",
        "IMAGE_RECITATION",
    }
)
_SAID: Mapping[StopReason, str] = MappingProxyType(
    {
        StopReason.END: "STOP",
        StopReason.LENGTH: "MAX_TOKENS",
        StopReason.STOP_SEQUENCE: "STOP",
        StopReason.TOOL_CALLS: "STOP",
        StopReason.FILTERED: "SAFETY",
        StopReason.PAUSED: "OTHER",
    }
)


class _Blob(msgspec.Struct, rename="camel"):
    mime_type: str = ""
    data: str = ""


class _Called(msgspec.Struct):
    name: str = ""
    args: msgspec.Raw = msgspec.Raw(b"{}")
    id: str | None = None


class _Part(msgspec.Struct, rename="camel"):
    text: str | None = None
    thought: bool | None = None
    inline_data: _Blob | None = None
    function_call: _Called | None = None
    thought_signature: str | None = None


class _Content(msgspec.Struct):
    parts: list[_Part] | None = None


class _Candidate(msgspec.Struct, rename="camel"):
    content: _Content | None = None
    finish_reason: str | None = None
    index: int = 0


class _Feedback(msgspec.Struct, rename="camel"):
    block_reason: str | None = None


class _Answer(msgspec.Struct, rename="camel"):
    candidates: list[_Candidate] | None = None
    prompt_feedback: _Feedback | None = None
    usage_metadata: dict[str, Any] | None = None
    model_version: Any = None
    response_id: Any = None
    error: Any = None


_DECODE = msgspec.json.Decoder(_Answer).decode
_ENCODE = msgspec.json.Encoder().encode


def read_answer(body: bytes) -> ChatAnswer:
    """Read a provider's whole answer. Raises MalformedAnswerError."""
    said = answer_as(_DECODE, body)
    if said.error is not None:
        raise MalformedAnswerError("an error in a 200")
    answer_id = str(said.response_id)
    choices = [_read_candidate(candidate, answer_id) for candidate in said.candidates or ()]
    if not choices:
        if said.prompt_feedback is None or said.prompt_feedback.block_reason is None:
            raise MalformedAnswerError("the answer has no candidates")
        choices = [Choice([], StopReason.FILTERED)]
    return ChatAnswer(
        choices, label_of(said.response_id), label_of(said.model_version), said.usage_metadata
    )


def _read_candidate(said: _Candidate, answer_id: str) -> Choice:
    parts: list[Part] = []
    calls = 0
    for part in _parts(said):
        if part.function_call is not None:
            call = part.function_call
            identity = call.id or made_id("call_", answer_id, said.index, calls, call.name)
            calls += 1
            signature = part.thought_signature
            parts.append(ToolCall(identity, call.name, text_of(call.args), signature))
        elif part.inline_data is not None:
            parts.append(Image(media_type=part.inline_data.mime_type, data=part.inline_data.data))
        elif part.text:
            parts.append(Thinking(part.text) if part.thought else Text(part.text))
    return Choice(parts, _reason(said.finish_reason))


def _parts(candidate: _Candidate) -> list[_Part]:
    return (candidate.content.parts if candidate.content is not None else None) or []


def _reason(said: str | None) -> StopReason:
    if said == "MAX_TOKENS":
        return StopReason.LENGTH
    return StopReason.FILTERED if said in _FILTERED else StopReason.END


def write_answer(answer: ChatAnswer, tokens: Tokens | None, rendering: Rendering) -> bytes:
    """Return the answer for a caller.

    Raises MalformedAnswerError where a tool call's arguments are no object.
    """
    body: dict[str, Any] = {
        "candidates": [
            {
                "content": {"role": "model", "parts": [_write_part(part) for part in choice.parts]},
                "finishReason": _SAID[choice.reason],
                "index": index,
            }
            for index, choice in enumerate(answer.choices)
        ]
    }
    if tokens is not None:
        body["usageMetadata"] = write_tokens(tokens)
    body["modelVersion"] = answer.model or rendering.model
    body["responseId"] = answer.id or made_id("", rendering.model, rendering.created_s)
    return _ENCODE(body)


def _write_part(part: Part) -> dict[str, Any]:
    if isinstance(part, Text):
        return {"text": part.text}
    if isinstance(part, Thinking):
        return {"text": part.text, "thought": True}
    if isinstance(part, Image):
        return {"inlineData": {"mimeType": part.media_type, "data": part.data}}
    if isinstance(part, ToolCall):
        return _write_call(part)
    raise BugError("no model answers with a tool's result")


def _write_call(call: ToolCall) -> dict[str, Any]:
    arguments = answered_object(call.arguments)
    return {"functionCall": {"id": call.id, "name": call.name, "args": arguments}}


def read_tokens(usage: Mapping[str, Any]) -> Tokens:
    """Return what a usage object counts: thoughts and tools' prompts are counted apart in it."""
    thoughts = count_of(usage.get("thoughtsTokenCount"))
    tools = count_of(usage.get("toolUsePromptTokenCount"))
    return Tokens(
        input=count_of(usage.get("promptTokenCount")) + tools,
        cache_read=count_of(usage.get("cachedContentTokenCount")),
        output=count_of(usage.get("candidatesTokenCount")) + thoughts,
        reasoning=thoughts,
    )


def write_tokens(tokens: Tokens) -> dict[str, Any]:
    """Return usage as generateContent has it: thoughts beside the candidates."""
    written = {
        "promptTokenCount": tokens.input,
        "candidatesTokenCount": max(0, tokens.output - tokens.reasoning),
        "totalTokenCount": tokens.input + tokens.output,
    }
    if tokens.reasoning:
        written["thoughtsTokenCount"] = tokens.reasoning
    if tokens.cache_read:
        written["cachedContentTokenCount"] = tokens.cache_read
    return written


class GeminiDecoder:
    """Reads a provider's chunks; there is no end mark."""

    def __init__(self) -> None:
        self._id: str | None = None
        self._calls: dict[int, int] = {}

    def read(self, frame: bytes, data: bytes) -> list[Event]:
        """Return what one chunk says."""
        said = frame_as(_DECODE, data)
        if said.error is not None:
            raise StreamFailedError(frame, data, said.error)
        events: list[Event] = []
        if self._id is None:
            self._id = str(said.response_id)
            events.append(Began(label_of(said.response_id), label_of(said.model_version)))
        for candidate in said.candidates or ():
            for part in _parts(candidate):
                self._read_part(part, candidate.index, events)
            if candidate.finish_reason is not None:
                reason = _reason(candidate.finish_reason)
                events.append(Stopped(reason, None, candidate.index))
        feedback = said.prompt_feedback
        if not said.candidates and feedback is not None and feedback.block_reason is not None:
            events.append(Stopped(StopReason.FILTERED))
        if said.usage_metadata is not None:
            events.append(Counted(said.usage_metadata))
        return events

    def _read_part(self, part: _Part, choice: int, events: list[Event]) -> None:
        if part.function_call is not None:
            call = part.function_call
            index = self._calls.get(choice, 0)
            self._calls[choice] = index + 1
            identity = call.id or made_id("call_", self._id, choice, index, call.name)
            events.append(Called(index, identity, call.name, choice, part.thought_signature))
            events.append(Argued(index, text_of(call.args), choice))
        elif part.inline_data is not None:
            blob = part.inline_data
            events.append(Shown(Image(media_type=blob.mime_type, data=blob.data), choice))
        elif part.text:
            said = Thought(part.text, choice) if part.thought else Said(part.text, choice)
            events.append(said)


class GeminiEncoder:
    """Writes a caller's chunks; function calls are told when their arguments are whole."""

    def __init__(self, rendering: Rendering) -> None:
        self._rendering = rendering
        self._fields: dict[str, Any] = {}
        self._calls: dict[tuple[int, int], tuple[Called, list[str]]] = {}  # those not told yet
        self._stopped: dict[int, StopReason] = {}

    def write(self, event: Event) -> bytes:
        """Return the chunks that tell the caller of it."""
        if isinstance(event, Began):
            rendering = self._rendering
            made = made_id("", rendering.model, rendering.created_s)
            self._fields = {
                "modelVersion": event.model or rendering.model,
                "responseId": event.id or made,
            }
            return b""
        if isinstance(event, Argued):
            self._calls[event.choice, event.index][1].append(event.arguments)
            return b""
        if isinstance(event, Called):
            self._calls[event.choice, event.index] = (event, [])
            return b""
        if isinstance(event, Stopped):
            self._stopped[event.choice] = event.reason
            return self._flush(event.choice)
        if isinstance(event, Said | Thought | Shown):
            before = self._flush(event.choice)
            part = _write_part(_as_part(event))
            return before + self._chunk([_candidate(event.choice, [part])])
        return b""

    def end(self, tokens: Tokens | None) -> bytes:
        """Return the last chunk, with why it ended and its usage."""
        before = b"".join([self._flush(choice) for choice in {choice for choice, _ in self._calls}])
        candidates = [
            {**_candidate(choice, [{"text": ""}]), "finishReason": _SAID[reason]}
            for choice, reason in sorted(self._stopped.items())
        ]
        usage = {} if tokens is None else {"usageMetadata": write_tokens(tokens)}
        return before + self._chunk(candidates, usage)

    def _flush(self, choice: int) -> bytes:
        keys = [key for key in self._calls if key[0] == choice]
        if not keys:
            return b""
        parts: list[dict[str, Any]] = []
        for key in keys:
            called, pieces = self._calls.pop(key)
            parts.append(_write_call(ToolCall(called.id, called.name, "".join(pieces))))
        return self._chunk([_candidate(choice, parts)])

    def _chunk(self, candidates: list[dict[str, Any]], fields: Any = None) -> bytes:
        body = _ENCODE({"candidates": candidates, **(fields or {}), **self._fields})
        return b"data: %b\n\n" % body


def _as_part(event: Said | Thought | Shown) -> Part:
    if isinstance(event, Said):
        return Text(event.text)
    return Thinking(event.text) if isinstance(event, Thought) else event.image


def _candidate(choice: int, parts: list[dict[str, Any]]) -> dict[str, Any]:
    return {"content": {"role": "model", "parts": parts}, "index": choice}
