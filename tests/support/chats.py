"""Chats for tests: requests through the faces, and provider streams in any cuts."""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec

from tests.support.evidence import begun
from tollbridge.core.call import Operation
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.core.plan import Endpoint
from tollbridge.metering.extract import merge_usage
from tollbridge.providers.dialects.anthropic import AnthropicFace
from tollbridge.providers.dialects.chat import translate
from tollbridge.providers.dialects.chat.neutral import (
    Argued,
    Began,
    Called,
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
    ToolCall,
)
from tollbridge.providers.dialects.gemini import GeminiFace
from tollbridge.providers.dialects.openai import OpenAIFace
from tollbridge.providers.dialects.responses import ResponsesFace
from tollbridge.providers.frames import FrameCutter, data_of, split_frames
from tollbridge.providers.request import Request
from tollbridge.providers.wire import Face, StreamReader, Wire

CHAT = Operation.CHAT_COMPLETION
FACES: dict[str, Face] = {
    face.name: face for face in (OpenAIFace(), ResponsesFace(), AnthropicFace(), GeminiFace())
}
ADDRESSES = {
    "openai": "/v1/chat/completions",
    "responses": "/v1/responses",
    "anthropic": "/v1/messages",
    "gemini": "/v1beta/models/m:generateContent",
}
STREAMED = {"gemini": "/v1beta/models/m:streamGenerateContent?alt=sse"}
MINIMAL: dict[str, dict[str, Any]] = {
    "openai": {"model": "m", "messages": [{"role": "user", "content": "Hi"}]},
    "responses": {"model": "m", "input": "Hi"},
    "anthropic": {
        "model": "m",
        "max_tokens": 64,
        "messages": [{"role": "user", "content": "Hi"}],
    },
    "gemini": {"contents": [{"role": "user", "parts": [{"text": "Hi"}]}]},
}
ENDPOINT = Endpoint(name="e", provider="p", dialect="openai", base_url="http://p.test", api_key="k")


def asked(dialect: str, body: dict[str, Any], *, stream: bool = False, path: str = "") -> Request:
    """Return a caller's request, as the face of its format reads it."""
    address = path or (STREAMED.get(dialect) if stream else None) or ADDRESSES[dialect]
    if stream and dialect != "gemini":
        body = {**body, "stream": True}
    if stream and dialect == "openai":
        body = {**body, "stream_options": {"include_usage": True}}
    return FACES[dialect].parse(CHAT, msgspec.json.encode(body), address, b"application/json")


def composed(dialect: str, body: dict[str, Any], wire: str, cap: int | None = None) -> Any:
    """Return what a provider of another format gets of a caller's body."""
    return msgspec.json.decode(translate.compose(asked(dialect, body), wire, ENDPOINT, "pm", cap))


def cut(data: bytes, at: Sequence[int]) -> list[bytes]:
    """Return the pieces between some places of the data."""
    places = sorted({place % (len(data) + 1) for place in at} - {0, len(data)})
    return [data[a:b] for a, b in zip([0, *places], [*places, len(data)], strict=True)]


def carried(reader: StreamReader, pieces: Iterable[bytes]) -> bytes:
    """Return what a caller gets of a provider's stream that arrives in these pieces."""
    cutter = FrameCutter(1 << 20)
    out = b""
    for piece in pieces:
        whole = cutter.feed(piece)
        if whole:
            out += reader.pass_on(whole) if out else reader.first(whole)
    tail = cutter.end()
    out += reader.last(tail) if out or not tail else reader.first(tail) + reader.last(b"")
    reader.raise_failure()
    return out


def passed(
    wire: Wire, request: Request, pieces: Iterable[bytes], **known: Any
) -> tuple[bytes, AttemptEvidence]:
    """Return what the caller gets, and what was noted."""
    attempt = begun(dialect=wire.name, **known)
    out = carried(wire.stream(request, attempt, merge_usage), pieces)
    return out, attempt


def translated(
    request: Request, wire: str, pieces: Iterable[bytes]
) -> tuple[bytes, AttemptEvidence]:
    """Likewise, of a stream of another format."""
    attempt = begun(dialect=wire)
    return carried(translate.stream(request, wire, attempt, merge_usage), pieces), attempt


def heard(dialect: str, stream: bytes) -> list[Event]:
    """Return what a stream says, in the words of no format."""
    decoder = translate.FORMATS[dialect].decoder()
    frames = [(frame, data_of(frame)) for frame in split_frames(stream)]
    return [event for frame, data in frames if data for event in decoder.read(frame, data)]


def told(choice: Choice, usage: dict[str, Any] | None = None) -> list[Event]:
    """Return the events that tell a choice, its words letter by letter."""
    events: list[Event] = [Began("answer-1", "served-m")]
    calls = 0
    for part in choice.parts:
        if isinstance(part, Text):
            events += [Said(letter) for letter in part.text]
        elif isinstance(part, Thinking):
            events += [Thought(letter) for letter in part.text]
        elif isinstance(part, ToolCall):
            events.append(Called(calls, part.id, part.name))
            events += [Argued(calls, letter) for letter in part.arguments]
            calls += 1
    events.append(Stopped(choice.reason, choice.stop_sequence))
    return [*events, Counted(usage), Over()] if usage is not None else [*events, Over()]


def folded(events: Iterable[Event]) -> Choice:
    """Return the choice that events tell."""
    parts: list[Part] = []
    calls: dict[int, int] = {}
    reason, sequence = StopReason.END, None
    for event in events:
        last = parts[-1] if parts else None
        if isinstance(event, Said):
            if isinstance(last, Text):
                parts[-1] = Text(last.text + event.text)
            else:
                parts.append(Text(event.text))
        elif isinstance(event, Thought):
            if isinstance(last, Thinking):
                parts[-1] = Thinking(last.text + event.text)
            else:
                parts.append(Thinking(event.text))
        elif isinstance(event, Called):
            calls[event.index] = len(parts)
            parts.append(ToolCall(event.id, event.name, ""))
        elif isinstance(event, Argued):
            place = calls[event.index]
            call = parts[place]
            assert isinstance(call, ToolCall)
            parts[place] = ToolCall(call.id, call.name, call.arguments + event.arguments)
        elif isinstance(event, Stopped):
            reason, sequence = event.reason, event.stop_sequence
    return Choice(parts, reason, sequence)
