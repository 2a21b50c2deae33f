"""What is kept of what was asked and answered."""

import json
from collections.abc import Callable
from typing import Any, cast

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tollbridge.core.content import Content, ContentKind, ContentPart, clipped
from tollbridge.providers.keeping import KeptContent
from tollbridge.providers.passage import HeaderLines, Reply
from tollbridge.providers.stream_text import StreamText
from tollbridge.recording.records import RecordCodec

CALL_ID = "019b7595-6c00-7000-8000-000000000001"


class SilentReply:
    """A caller who takes everything; what he got."""

    def __init__(self) -> None:
        self.call_id: str | None = "known"
        self.got = b""
        self.watched: object = None
        self.gone = self.stalled = self.cut_off = self.is_full = self.started = False

    def watch(self, on_gone: Callable[[], None] | None) -> None:
        self.watched = on_gone

    def watch_room(self, on_room: Callable[[], None] | None) -> None:
        self.watched = on_room

    async def whole(self, status: int, headers: HeaderLines, body: bytes) -> None:
        self.got += body

    async def start(self, status: int, headers: HeaderLines) -> None:
        self.started = True

    async def send(self, data: bytes) -> None:
        self.got += data

    def push(self, data: bytes) -> None:
        self.got += data

    async def drain(self) -> None:
        self.is_full = False

    async def finish(self) -> None:
        self.got += b"[end]"

    async def break_off(self, last: bytes) -> None:
        self.got += last


def frame(*choices: dict[str, Any]) -> bytes:
    return b"data: %b\n\n" % json.dumps({"choices": choices}).encode()


def said(text: str, index: int = 0) -> bytes:
    return frame({"index": index, "delta": {"content": text}})


def part_of(*frames: bytes, bytes_max: int = 1000) -> ContentPart:
    text = StreamText(bytes_max)
    for one in frames:
        text.take(one)
    return text.part()


@given(st.text(), st.integers(0, 40))
def test_a_body_is_cut_where_a_character_ends(text: str, bytes_max: int) -> None:
    """What is kept is its beginning, at most so many bytes, and says how much there was."""
    body = text.encode("utf-8", "replace")
    part = clipped(ContentKind.PROMPT, body, bytes_max)
    assert body.startswith(part.body.encode())
    assert bytes_max - 4 < len(part.body.encode()) <= bytes_max or not part.truncated
    assert part.truncated == (len(body) > bytes_max)
    assert part.body_bytes == len(body)


def test_what_is_no_text_does_not_break_a_record() -> None:
    part = clipped(ContentKind.ANSWER, b"\xff\x00ok\xf0\x9f", 100)
    assert part.body == "\ufffd\x00ok\ufffd"
    codec = RecordCodec()
    record = Content(CALL_ID, 1, (part,))
    assert codec.parse(codec.line(record)[:-1]) == record


def test_a_part_shows_its_size_and_no_word_of_it() -> None:
    """Should it ever come into an error or a log."""
    assert "hush" not in repr(Content(CALL_ID, 1, (ContentPart(ContentKind.PROMPT, "hush", 4),)))


def test_a_streams_text_is_put_together_from_its_frames() -> None:
    """Comments, event names, usage and the end mark say nothing."""
    part = part_of(
        b": hello\n\n" + said("Hel"),
        said("lo ") + said("world"),
        b"event: x\ndata: {}\n\n" + b'data: {"choices":[],"usage":{"prompt_tokens":1}}\n\n',
        b"data: [DONE]\n\n",
    )
    assert part == ContentPart(ContentKind.ANSWER, "Hello world", 11)


def test_completions_reasoning_refusals_and_tools_are_told_apart() -> None:
    tool = {"index": 0, "function": {"name": "look_up", "arguments": '{"a":'}}
    part = part_of(
        frame({"index": 0, "delta": {"reasoning_content": "hm"}}),
        frame({"index": 0, "text": "one"}, {"index": 1, "text": "two"}),
        frame({"index": 0, "delta": {"tool_calls": [tool]}}),
        frame({"index": 0, "delta": {"tool_calls": [{"function": {"arguments": "1}"}}]}}),
        frame({"index": 1, "delta": {"refusal": "no"}}),
    )
    assert part.body == (
        'one\n\n[reasoning]\nhm\n\n[tool call 0]\nlook_up {"a":1}\n\n[choice 1]\ntwo\n\n'
        "[choice 1, refusal]\nno"
    )


def events(*told: dict[str, Any]) -> bytes:
    return b"".join(
        b"event: %b\ndata: %b\n\n" % (one["type"].encode(), json.dumps(one).encode())
        for one in told
    )


@pytest.mark.parametrize("face", ["anthropic", "responses", "gemini"])
def test_streams_of_other_formats_are_put_together_too(face: str) -> None:
    """Reasoning and tools are told apart from the words, as in OpenAI's."""

    def block(index: int, **delta: str) -> dict[str, Any]:
        return {"type": "content_block_delta", "index": index, "delta": delta}

    def response(kind: str, delta: str, place: int) -> dict[str, Any]:
        return {"type": f"response.{kind}.delta", "output_index": place, "delta": delta}

    def parts(*told: dict[str, Any]) -> bytes:
        chunk = {"candidates": [{"index": 0, "content": {"role": "model", "parts": list(told)}}]}
        return b"data: %b\r\n\r\n" % json.dumps(chunk).encode()

    streams = {
        "anthropic": events(
            {"type": "message_start", "message": {"content": []}},
            block(0, type="thinking_delta", thinking="hm"),
            block(0, type="signature_delta", signature="c2ln"),
            block(1, type="text_delta", text="Hel"),
            block(1, type="text_delta", text="lo"),
            {
                "type": "content_block_start",
                "index": 2,
                "content_block": {"type": "tool_use", "name": "look_up", "input": {}},
            },
            block(2, type="input_json_delta", partial_json='{"a":'),
            block(2, type="input_json_delta", partial_json="1}"),
            {"type": "message_stop"},
        ),
        "responses": events(
            {"type": "response.created", "response": {"output": []}},
            response("reasoning_summary_text", "hm", 0),
            response("output_text", "Hel", 1),
            response("output_text", "lo", 1),
            {
                "type": "response.output_item.added",
                "output_index": 2,
                "item": {"type": "function_call", "name": "look_up"},
            },
            response("function_call_arguments", '{"a":1}', 2),
            {"type": "response.output_text.done", "output_index": 1, "text": "Hello"},
            {"type": "response.completed", "response": {"output": []}},
        ),
        "gemini": parts({"text": "hm", "thought": True}, {"text": "Hel"})
        + parts({"text": "lo"}, {"functionCall": {"name": "look_up", "args": {"a": 1}}}),
    }
    name = "tool calls" if face == "gemini" else "tool call 2"
    body = part_of(streams[face]).body.replace('"a": 1', '"a":1').rstrip("\n")
    assert body == f'Hello\n\n[reasoning]\nhm\n\n[{name}]\nlook_up {{"a":1}}'


@pytest.mark.parametrize(
    "data",
    [
        b"data: {\n\n",
        b'data: {"choices": 3}\n\n',
        b'data: {"choices":[{"index":"x","delta":{"content":[1]}}]}\n\n',
        b'data: {"choices":[{"delta":{"tool_calls":[{"function":null}]}}]}\n\n',
        b"data: \xff\n\n",
        b"",
        b"\n\n",
    ],
)
def test_a_frame_of_another_form_is_passed_over(data: bytes) -> None:
    assert part_of(said("a"), data, said("b")).body == "ab"


@pytest.mark.parametrize("bytes_max", [0, 1, 3, 5])
def test_no_more_is_held_than_is_kept(bytes_max: int) -> None:
    """However much the provider says; how much that was is counted on."""
    text = StreamText(bytes_max)
    for _ in range(1000):
        text.take(said("ä"))
    part = text.part()
    assert part.body == "ä" * (bytes_max // 2)
    assert (part.body_bytes, part.truncated) == (2000, True)
    assert sum(map(len, text._pieces.values())) <= bytes_max


def test_a_stream_that_just_fits_is_not_cut() -> None:
    assert part_of(said("abc"), bytes_max=3) == ContentPart(ContentKind.ANSWER, "abc", 3)


async def test_the_caller_gets_the_same_whether_it_is_kept_or_not() -> None:
    """Whole answers and streams; and what the reply knows is known through it."""
    caller = SilentReply()
    kept = KeptContent(b"ask", 100)
    heard = kept.watching(cast("Reply", caller))
    assert heard.call_id == "known"
    assert not heard.gone
    caller.gone = caller.is_full = caller.cut_off = caller.stalled = True
    assert heard.gone
    assert heard.is_full
    assert heard.cut_off
    assert heard.stalled
    heard.watch(print)
    assert caller.watched is print
    heard.watch_room(None)
    assert caller.watched is None
    await heard.start(200, b"")
    assert heard.started
    await heard.send(said("a"))
    heard.push(said("b"))
    await heard.drain()
    await heard.finish()
    await heard.break_off(b"[broken]")
    assert caller.got == said("a") + said("b") + b"[end][broken]"
    prompt, answer = kept.record(CALL_ID, 7).parts
    assert (prompt.kind, prompt.body) == (ContentKind.PROMPT, "ask")
    assert (answer.kind, answer.body) == (ContentKind.ANSWER, "ab")


async def test_a_whole_answer_is_kept_as_it_is_and_none_where_there_was_none() -> None:
    kept = KeptContent(b"ask", 5)
    assert [one.kind for one in kept.record(CALL_ID, 7).parts] == [ContentKind.PROMPT]
    await kept.watching(cast("Reply", SilentReply())).whole(200, b"", b"0123456789")
    assert kept.record(CALL_ID, 7).parts[1] == ContentPart(
        ContentKind.ANSWER, "01234", 10, truncated=True
    )
