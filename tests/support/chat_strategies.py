"""Requests and answers that every format of chats can say, for property tests."""

import json
from typing import Any

from hypothesis import strategies as st

from tests.support.chats import told
from tollbridge.providers.dialects.chat import translate
from tollbridge.providers.dialects.chat.codec import Rendering
from tollbridge.providers.dialects.chat.neutral import (
    ChatAnswer,
    Choice,
    Over,
    StopReason,
    Text,
    ToolCall,
)

NAMES = list(translate.FORMATS)
PAIRS = [(face, wire) for face in NAMES for wire in NAMES if face != wire]
WORDS = st.text(st.characters(exclude_categories=["Cs"]), min_size=1, max_size=12)
ARGUMENTS = st.dictionaries(WORDS, st.integers(0, 9) | WORDS, max_size=3).map(
    lambda value: json.dumps(value, ensure_ascii=False)
)


def a_picture(data: str) -> dict[str, Any]:
    return {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{data}"}}


def a_text(text: str) -> dict[str, Any]:
    return {"type": "text", "text": text}


PICTURES = st.sampled_from(["AAAA", "iVBORw0KGgo=", ""]).map(a_picture)
TEXTS = WORDS.map(a_text)


@st.composite
def turns(draw: st.DrawFn) -> list[dict[str, Any]]:
    """Return a conversation: questions, answers, and calls of tools with their results."""
    messages: list[dict[str, Any]] = []
    if draw(st.booleans()):
        messages.append({"role": "system", "content": draw(WORDS)})
    calls = 0
    for _ in range(draw(st.integers(0, 4))):
        content = st.lists(TEXTS | PICTURES, min_size=1, max_size=3)
        messages.append({"role": "user", "content": draw(WORDS | content)})
        answer: dict[str, Any] = {"role": "assistant", "content": draw(WORDS)}
        asked_for = draw(st.lists(st.tuples(st.sampled_from("fgh"), ARGUMENTS), max_size=3))
        results: list[dict[str, Any]] = []
        for name, arguments in asked_for:
            calls += 1
            function = {"name": name, "arguments": arguments}
            call = {"id": f"call_{calls}", "type": "function", "function": function}
            answer.setdefault("tool_calls", []).append(call)
            results.append(
                {"role": "tool", "tool_call_id": f"call_{calls}", "content": draw(WORDS)}
            )
        messages += [answer, *results]
    return [*messages, {"role": "user", "content": draw(WORDS)}]


@st.composite
def requests(draw: st.DrawFn) -> dict[str, Any]:
    """Return a body that every format can say."""
    body: dict[str, Any] = {"model": "m", "messages": draw(turns()), "max_tokens": 4096}
    if draw(st.booleans()):
        schema = {"type": "object", "properties": {"a": {"type": "string"}}}
        body["tools"] = [
            {
                "type": "function",
                "function": {"name": name, "description": draw(WORDS), "parameters": schema},
            }
            for name in "fgh"
        ]
        named = {"type": "function", "function": {"name": "g"}}
        body["tool_choice"] = draw(st.sampled_from(["auto", "none", "required", named]))
    for field, most in (("temperature", 1.0), ("top_p", 1.0)):
        if draw(st.booleans()):
            body[field] = draw(st.floats(0, most, allow_subnormal=False))
    return body


@st.composite
def choices(draw: st.DrawFn) -> Choice:
    """Return an answer of words and tool calls, as any format gives it."""
    parts: list[Any] = [Text(draw(WORDS))] if draw(st.booleans()) else []
    names = draw(st.lists(st.sampled_from(["f", "weather"]), max_size=3))
    parts += [
        ToolCall(f"call_{number}", name, draw(ARGUMENTS)) for number, name in enumerate(names)
    ]
    if names:
        return Choice(parts, StopReason.TOOL_CALLS)
    return Choice(
        parts, draw(st.sampled_from([StopReason.END, StopReason.LENGTH, StopReason.FILTERED]))
    )


def usage_of(wire: str) -> dict[str, Any]:
    """Return a usage object of a provider: 100 in, 30 of them cached, 20 out, 5 thought."""
    counts: dict[str, dict[str, Any]] = {
        "openai": {
            "prompt_tokens": 100,
            "completion_tokens": 20,
            "total_tokens": 120,
            "prompt_tokens_details": {"cached_tokens": 30},
            "completion_tokens_details": {"reasoning_tokens": 5},
        },
        "responses": {
            "input_tokens": 100,
            "output_tokens": 20,
            "total_tokens": 120,
            "input_tokens_details": {"cached_tokens": 30},
            "output_tokens_details": {"reasoning_tokens": 5},
        },
        "anthropic": {
            "input_tokens": 70,
            "cache_read_input_tokens": 30,
            "cache_creation_input_tokens": 0,
            "output_tokens": 20,
            "output_tokens_details": {"thinking_tokens": 5},
        },
        "gemini": {
            "promptTokenCount": 100,
            "cachedContentTokenCount": 30,
            "candidatesTokenCount": 15,
            "thoughtsTokenCount": 5,
            "totalTokenCount": 120,
        },
    }
    return counts[wire]


def provided(wire: str, choice: Choice) -> tuple[bytes, bytes]:
    """Return an answer as a provider of that format gives it: whole, and as a stream."""
    codec = translate.FORMATS[wire]
    rendering = Rendering(model="served-m", created_s=5, shows_usage=True)
    tokens = codec.tokens(usage_of(wire))
    answer = ChatAnswer([choice], "answer-1", "served-m")
    whole = codec.write_answer(answer, tokens, rendering)
    encoder = codec.encoder(rendering)
    events = [event for event in told(choice) if not isinstance(event, Over)]
    return whole, b"".join([encoder.write(event) for event in events]) + encoder.end(tokens)
