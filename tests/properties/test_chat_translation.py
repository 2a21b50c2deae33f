"""Whatever two formats can both say survives the way from one to the other and back."""

import json
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.chat_strategies import NAMES, PAIRS, WORDS, choices, provided, requests
from tests.support.chats import (
    ENDPOINT,
    MINIMAL,
    asked,
    cut,
    folded,
    heard,
    translated,
)
from tollbridge.providers.dialects.chat import translate
from tollbridge.providers.dialects.chat.codec import Target
from tollbridge.providers.dialects.chat.neutral import (
    Chat,
    ChatAnswer,
    Choice,
    Counted,
    Image,
    Message,
    Role,
    StopReason,
    Text,
    Thinking,
    Tokens,
    ToolCall,
    ToolResult,
)


def comparable(chat: Chat) -> dict[str, Any]:
    """Return a chat as everybody would say it: neighbours of one role are one turn."""
    merged: list[tuple[Role, list[Any]]] = []
    ids: dict[str, int] = {}
    for message in chat.messages:
        parts = [plain(part, ids) for part in message.parts]
        if merged and merged[-1][0] is message.role:
            merged[-1][1].extend(parts)
        else:
            merged.append((message.role, parts))
    fields = msgspec.structs.asdict(chat)
    tools = [
        (tool.name, tool.description, msgspec.json.decode(tool.parameters or b"{}"))
        for tool in chat.tools
    ]
    return {**fields, "messages": merged, "tools": tools}


def plain(part: Any, ids: dict[str, int]) -> Any:
    """Return a part without what is only its format's: ids by their order, JSON by its meaning."""
    if isinstance(part, ToolCall):
        number = ids.setdefault(part.id, len(ids))
        return ("call", number, part.name, json.loads(part.arguments))
    if isinstance(part, ToolResult):
        said = "".join(inner.text for inner in part.content if isinstance(inner, Text))
        return ("result", ids[part.call_id], said)
    assert isinstance(part, Text | Image)
    return part


@pytest.mark.parametrize("wire", [name for name in NAMES if name != "openai"])
@settings(max_examples=60, deadline=None)
@given(body=requests())
def test_a_request_survives_the_way_there_and_back(wire: str, body: dict[str, Any]) -> None:
    first = asked("openai", body)
    there = translate.compose(first, wire, ENDPOINT, "m", None)
    second = asked(wire, msgspec.json.decode(there))
    back = asked(
        "openai", msgspec.json.decode(translate.compose(second, "openai", ENDPOINT, "m", None))
    )
    codec = translate.FORMATS["openai"]
    assert comparable(codec.read_request(back)) == comparable(codec.read_request(first))


def collapsed(choice: Choice) -> Choice:
    """Return a choice with arguments by their meaning."""
    parts = [
        ToolCall(part.id, part.name, json.dumps(json.loads(part.arguments)))
        if isinstance(part, ToolCall)
        else part
        for part in choice.parts
        if part != Text("")
    ]
    return Choice(parts, choice.reason)


@pytest.mark.parametrize(("face", "wire"), PAIRS)
@settings(max_examples=25, deadline=None)
@given(choice=choices(), at=st.lists(st.integers(0, 1 << 20), max_size=10))
def test_a_streamed_answer_says_what_the_whole_one_says_in_any_cuts(
    face: str, wire: str, choice: Choice, at: list[int]
) -> None:
    whole, stream = provided(wire, choice)
    codec = translate.FORMATS[face]
    request = asked(face, MINIMAL[face], stream=True)
    given_whole = translate.read(asked(face, MINIMAL[face]), wire, whole)
    unstreamed = codec.read_answer(given_whole.body)
    uncut, attempt = translated(request, wire, [stream])
    pieces, noted = translated(request, wire, cut(stream, at))
    assert (pieces, noted) == (uncut, attempt)
    events = heard(face, uncut)
    streamed = folded(events)
    settled = translate._settled(ChatAnswer([streamed])).choices[0]
    whole_choice = translate._settled(unstreamed).choices[0]
    assert collapsed(settled) == collapsed(whole_choice) == collapsed(choice)
    usages = [event.usage for event in events if isinstance(event, Counted)]
    assert unstreamed.usage is not None
    assert codec.tokens(usages[-1]) == codec.tokens(unstreamed.usage)
    assert attempt.usage == given_whole.answer.usage
    assert (attempt.response_id, attempt.served_model) == ("answer-1", "served-m")
    assert (unstreamed.id, unstreamed.model) == ("answer-1", "served-m")


@pytest.mark.parametrize(("face", "wire"), PAIRS)
def test_usage_is_told_in_the_callers_own_arithmetic(face: str, wire: str) -> None:
    """100 tokens in, 30 of them from a cache, and 20 out are that in every format."""
    whole, _ = provided(wire, Choice([Text("x")], StopReason.END))
    told_whole = translate.read(asked(face, MINIMAL[face]), wire, whole)
    usage = translate.FORMATS[face].read_answer(told_whole.body).usage
    assert usage is not None
    tokens = translate.FORMATS[face].tokens(usage)
    assert tokens == Tokens(input=100, cache_read=30, output=20, reasoning=5)


@pytest.mark.parametrize("wire", ["anthropic", "gemini", "responses"])
@settings(max_examples=20, deadline=None)
@given(thought=WORDS, text=WORDS)
def test_thoughts_reach_callers_of_chat_completions_alone_or_not(
    wire: str, thought: str, text: str
) -> None:
    said: dict[str, list[dict[str, Any]]] = {
        "anthropic": [
            {"type": "message_start", "message": {"id": "a", "model": "m", "usage": {}}},
            {
                "type": "content_block_delta",
                "index": 0,
                "delta": {"type": "thinking_delta", "thinking": thought},
            },
            {
                "type": "content_block_delta",
                "index": 1,
                "delta": {"type": "text_delta", "text": text},
            },
            {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
            {"type": "message_stop"},
        ],
        "gemini": [
            {
                "candidates": [
                    {
                        "content": {"parts": [{"text": thought, "thought": True}, {"text": text}]},
                        "finishReason": "STOP",
                    }
                ]
            }
        ],
        "responses": [
            {"type": "response.created", "response": {"id": "a"}},
            {"type": "response.reasoning_summary_text.delta", "delta": thought},
            {"type": "response.output_text.delta", "delta": text},
            {"type": "response.completed", "response": {"status": "completed"}},
        ],
    }
    stream = b"".join([b"data: %b\n\n" % msgspec.json.encode(frame) for frame in said[wire]])
    out, _ = translated(asked("openai", MINIMAL["openai"], stream=True), wire, [stream])
    assert folded(heard("openai", out)).parts == [Thinking(thought), Text(text)]
    face = "anthropic" if wire != "anthropic" else "responses"
    out, _ = translated(asked(face, MINIMAL[face], stream=True), wire, [stream])
    assert folded(heard(face, out)).parts == [Text(text)]


def test_a_message_of_the_neutral_chat_is_its_own_copy() -> None:
    """Merging neighbours must not change what other candidates are asked."""
    chat = Chat([Message(Role.USER, [Text("a")]), Message(Role.USER, [Text("b")])])
    codec = translate.FORMATS["anthropic"]
    from_first = codec.write_request(chat, Target("m"))
    assert codec.write_request(chat, Target("m")) == from_first
