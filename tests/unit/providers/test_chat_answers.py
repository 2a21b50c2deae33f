"""What callers of one format get of a provider's answer in another, whole and streamed."""

from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.support.chats import MINIMAL, asked, folded, heard, translated
from tollbridge.metering.extract import extract
from tollbridge.providers.dialects.chat import translate
from tollbridge.providers.dialects.chat.neutral import StopReason, Text, ToolCall
from tollbridge.providers.dialects.openai_stream import StreamFailedError
from tollbridge.providers.frames import data_of, split_frames
from tollbridge.providers.request import MalformedAnswerError, Request

CLAUDE: dict[str, Any] = {
    "id": "msg_01AbCdEfGhIjKlMnOpQrStUv",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5-20250929",
    "content": [
        {"type": "thinking", "thinking": "Hm.", "signature": "s"},
        {"type": "text", "text": "Hello."},
        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": [1, "b"]}},
    ],
    "stop_reason": "tool_use",
    "stop_sequence": None,
    "usage": {
        "input_tokens": 12,
        "cache_creation_input_tokens": 2048,
        "cache_read_input_tokens": 100,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 2048},
        "output_tokens": 64,
        "output_tokens_details": {"thinking_tokens": 41},
        "service_tier": "standard",
    },
}
GPT: dict[str, Any] = {
    "id": "chatcmpl-C0ffee",
    "object": "chat.completion",
    "created": 1789000000,
    "model": "gpt-5-nano-2025-08-07",
    "choices": [
        {
            "index": 0,
            "message": {"role": "assistant", "content": "Eleven.", "refusal": None},
            "logprobs": None,
            "finish_reason": "stop",
        }
    ],
    "usage": {
        "prompt_tokens": 2006,
        "completion_tokens": 377,
        "total_tokens": 2383,
        "prompt_tokens_details": {"cached_tokens": 1920},
        "completion_tokens_details": {"reasoning_tokens": 320},
    },
    "service_tier": "default",
}
RECORDED = Path(__file__).parents[2] / "wire" / "chat"
# Groq's way: usage at the end, twice; calls in pieces, two of them, and yet "stop".
GROQ_STREAM = (RECORDED / "groq_two_calls.sse").read_bytes()


def read(face: str, wire: str, answer: dict[str, Any]) -> Any:
    """Return the body that a caller gets."""
    request = asked(face, MINIMAL[face])
    return msgspec.json.decode(translate.read(request, wire, msgspec.json.encode(answer)).body)


def streaming(face: str) -> Request:
    return asked(face, MINIMAL[face], stream=True)


def frames_of(stream: bytes) -> list[Any]:
    """Return the JSON of a stream's frames."""
    found = [data_of(frame) for frame in split_frames(stream)]
    return [msgspec.json.decode(data) for data in found if data != b"[DONE]"]


def test_claude_answers_a_caller_of_openai() -> None:
    body = read("openai", "anthropic", CLAUDE)
    assert (body["id"], body["model"]) == (CLAUDE["id"], CLAUDE["model"])
    assert body["object"] == "chat.completion"
    assert body["choices"] == [
        {
            "index": 0,
            "message": {
                "role": "assistant",
                "content": "Hello.",
                "refusal": None,
                "reasoning_content": "Hm.",
                "tool_calls": [
                    {
                        "id": "toolu_1",
                        "type": "function",
                        "function": {"name": "f", "arguments": '{"a":[1,"b"]}'},
                    }
                ],
            },
            "logprobs": None,
            "finish_reason": "tool_calls",
        }
    ]
    assert body["usage"] == {
        "prompt_tokens": 2160,
        "completion_tokens": 64,
        "total_tokens": 2224,
        "prompt_tokens_details": {"cached_tokens": 100, "cache_write_tokens": 2048},
        "completion_tokens_details": {"reasoning_tokens": 41},
    }


def test_what_is_metered_is_the_providers_own_usage() -> None:
    request = asked("openai", MINIMAL["openai"])
    answered = translate.read(request, "anthropic", msgspec.json.encode(CLAUDE))
    assert answered.answer.usage == CLAUDE["usage"]
    counts, _ = extract("anthropic", CLAUDE["usage"], has_output=True)
    assert (counts["input"], counts["output"]) == (2160, 64)


def test_gpt_answers_a_caller_of_anthropic() -> None:
    assert read("anthropic", "openai", GPT) == {
        "id": "chatcmpl-C0ffee",
        "type": "message",
        "role": "assistant",
        "model": "gpt-5-nano-2025-08-07",
        "content": [{"type": "text", "text": "Eleven."}],
        "stop_reason": "end_turn",
        "stop_sequence": None,
        "usage": {
            "input_tokens": 86,
            "cache_creation_input_tokens": 0,
            "cache_read_input_tokens": 1920,
            "output_tokens": 377,
            "output_tokens_details": {"thinking_tokens": 320},
        },
    }


def test_gpt_answers_a_caller_of_gemini() -> None:
    assert read("gemini", "openai", GPT) == {
        "candidates": [
            {
                "content": {"role": "model", "parts": [{"text": "Eleven."}]},
                "finishReason": "STOP",
                "index": 0,
            }
        ],
        "usageMetadata": {
            "promptTokenCount": 2006,
            "cachedContentTokenCount": 1920,
            "candidatesTokenCount": 57,
            "thoughtsTokenCount": 320,
            "totalTokenCount": 2383,
        },
        "modelVersion": "gpt-5-nano-2025-08-07",
        "responseId": "chatcmpl-C0ffee",
    }


def test_reasoning_that_xai_counts_outside_is_told_as_output() -> None:
    usage = {
        "prompt_tokens": 12,
        "completion_tokens": 1,
        "total_tokens": 241,
        "completion_tokens_details": {"reasoning_tokens": 228},
    }
    assert read("anthropic", "openai", {**GPT, "usage": usage})["usage"]["output_tokens"] == 229


def test_a_call_of_gemini_gets_the_same_id_whole_and_streamed() -> None:
    part = {"functionCall": {"name": "f", "args": {"a": 1}}, "thoughtSignature": "sig=="}
    again = {"functionCall": {"name": "f", "args": {"a": 1}}}
    answer = {
        "candidates": [
            {"content": {"role": "model", "parts": [part, again]}, "finishReason": "STOP"}
        ],
        "responseId": "r1",
        "modelVersion": "gemini-3-pro",
    }
    choice = read("openai", "gemini", answer)["choices"][0]
    calls = choice["message"]["tool_calls"]
    assert choice["finish_reason"] == "tool_calls"
    assert len({call["id"] for call in calls}) == 2
    assert calls[0]["extra_content"] == {"google": {"thought_signature": "sig=="}}
    stream = b"data: %b\n\n" % msgspec.json.encode(answer)
    out, _ = translated(streaming("openai"), "gemini", [stream])
    streamed = [part for part in folded(heard("openai", out)).parts if isinstance(part, ToolCall)]
    assert [call.id for call in streamed] == [call["id"] for call in calls]


@pytest.mark.parametrize(
    ("said", "openai", "anthropic"),
    [
        ("STOP", "stop", "end_turn"),
        ("MAX_TOKENS", "length", "max_tokens"),
        ("SAFETY", "content_filter", "refusal"),
        ("PROHIBITED_CONTENT", "content_filter", "refusal"),
        ("A_NEW_ONE", "stop", "end_turn"),
    ],
)
def test_why_gemini_stopped_is_told_in_the_callers_words(
    said: str, openai: str, anthropic: str
) -> None:
    answer = {"candidates": [{"content": {"parts": [{"text": "x"}]}, "finishReason": said}]}
    assert read("openai", "gemini", answer)["choices"][0]["finish_reason"] == openai
    assert read("anthropic", "gemini", answer)["stop_reason"] == anthropic


def test_a_prompt_that_gemini_blocked_is_a_filtered_answer() -> None:
    answer = {"promptFeedback": {"blockReason": "SAFETY"}, "usageMetadata": {"promptTokenCount": 9}}
    choice = read("openai", "gemini", answer)["choices"][0]
    assert (choice["finish_reason"], choice["message"]["content"]) == ("content_filter", "")
    stream = b"data: %b\n\n" % msgspec.json.encode(answer)
    out, attempt = translated(streaming("openai"), "gemini", [stream])
    assert frames_of(out)[1]["choices"][0]["finish_reason"] == "content_filter"
    assert attempt.usage == {"promptTokenCount": 9}


def test_a_picture_of_gemini_reaches_callers_of_openai() -> None:
    part = {"inlineData": {"mimeType": "image/png", "data": "AAAA"}}
    answer = {"candidates": [{"content": {"parts": [part]}, "finishReason": "STOP"}]}
    picture = {"type": "image_url", "image_url": {"url": "data:image/png;base64,AAAA"}}
    assert read("openai", "gemini", answer)["choices"][0]["message"]["images"] == [picture]
    stream = b"data: %b\n\n" % msgspec.json.encode(answer)
    out, _ = translated(streaming("openai"), "gemini", [stream])
    assert frames_of(out)[1]["choices"][0]["delta"] == {"images": [picture]}


def test_a_stream_of_groq_reaches_a_caller_of_anthropic() -> None:
    out, attempt = translated(streaming("anthropic"), "openai", [GROQ_STREAM])
    names = [frame["type"] for frame in frames_of(out)]
    assert names == [
        "message_start",
        "content_block_start",
        "content_block_delta",
        "content_block_delta",
        "content_block_stop",
        "content_block_start",
        "content_block_delta",
        "content_block_stop",
        "message_delta",
        "message_stop",
    ]
    assert folded(heard("anthropic", out)).parts == [
        ToolCall("t0", "f", '{"a":1}'),
        ToolCall("t1", "g", "{}"),
    ]
    end = frames_of(out)[-2]
    assert end["delta"]["stop_reason"] == "tool_use"  # though Groq said "stop"
    assert (end["usage"]["input_tokens"], end["usage"]["output_tokens"]) == (17, 9)
    assert attempt.usage == {"prompt_tokens": 17, "completion_tokens": 9, "total_tokens": 26}
    assert attempt.served_model == "openai/gpt-oss-120b"


def test_a_stream_reaches_a_caller_of_gemini_with_whole_calls() -> None:
    out, _ = translated(streaming("gemini"), "openai", [GROQ_STREAM])
    frames = frames_of(out)
    calls = [
        part["functionCall"]
        for frame in frames
        for candidate in frame["candidates"]
        for part in candidate["content"]["parts"]
        if "functionCall" in part
    ]
    assert [(call["name"], call["args"]) for call in calls] == [("f", {"a": 1}), ("g", {})]
    assert frames[-1]["usageMetadata"]["totalTokenCount"] == 26
    assert frames[-1]["candidates"][0]["finishReason"] == "STOP"


def test_a_caller_of_responses_hears_numbered_events() -> None:
    out, _ = translated(streaming("responses"), "openai", [GROQ_STREAM])
    frames = frames_of(out)
    assert [frame["sequence_number"] for frame in frames] == list(range(len(frames)))
    assert [frame["type"] for frame in frames[:3]] == [
        "response.created",
        "response.in_progress",
        "response.output_item.added",
    ]
    whole = frames[-1]
    assert whole["type"] == "response.completed"
    assert [item["arguments"] for item in whole["response"]["output"]] == ['{"a":1}', "{}"]
    assert whole["response"]["usage"]["total_tokens"] == 26


def test_a_caller_who_did_not_ask_for_usage_gets_none() -> None:
    body = {**MINIMAL["openai"], "stream": True}
    frames: tuple[dict[str, Any], ...] = (
        {"type": "message_start", "message": {"id": "a", "model": "m", "usage": {}}},
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}, "usage": {"x": 1}},
        {"type": "message_stop"},
    )
    stream = b"".join(b"data: %b\n\n" % msgspec.json.encode(frame) for frame in frames)
    out, attempt = translated(asked("openai", body), "anthropic", [stream])
    assert b'"usage"' not in out
    assert out.endswith(b"data: [DONE]\n\n")
    assert attempt.usage == {"x": 1}


def test_a_stop_sequence_that_was_hit_is_named_where_both_can() -> None:
    stopped = {"stop_reason": "stop_sequence", "stop_sequence": "END"}
    answer: dict[str, Any] = {**CLAUDE, **stopped, "content": []}
    assert read("openai", "anthropic", answer)["choices"][0]["finish_reason"] == "stop"


def test_a_refusal_is_one_in_every_format() -> None:
    choice = {
        "index": 0,
        "message": {"role": "assistant", "content": None, "refusal": "I cannot."},
        "finish_reason": "stop",
    }
    answer = read("anthropic", "openai", {**GPT, "choices": [choice]})
    assert answer["content"] == [{"type": "text", "text": "I cannot."}]
    assert answer["stop_reason"] == "refusal"


def test_mistrals_thoughts_in_a_list_are_told_apart_from_its_words() -> None:
    content = [
        {"type": "thinking", "thinking": [{"type": "text", "text": "Hm."}]},
        {"type": "text", "text": "Eleven."},
    ]
    choice = {"index": 0, "message": {"content": content}, "finish_reason": "stop"}
    assert read("anthropic", "openai", {**GPT, "choices": [choice]})["content"] == [
        {"type": "text", "text": "Eleven."}
    ]


@pytest.mark.parametrize(
    ("wire", "body"),
    [
        ("openai", b'{"error":{"message":"x"}}'),
        ("openai", b'{"choices":[]}'),
        ("anthropic", b'{"type":"error","error":{}}'),
        ("gemini", b'{"error":{"code":429}}'),
        ("gemini", b"{}"),
        ("responses", b'{"status":"failed","error":{"code":"server_error"}}'),
        ("responses", b"<html>"),
    ],
)
def test_what_is_no_answer_is_malformed(wire: str, body: bytes) -> None:
    face = "openai" if wire != "openai" else "anthropic"
    with pytest.raises(MalformedAnswerError):
        translate.read(asked(face, MINIMAL[face]), wire, body)


def test_arguments_that_are_no_object_are_no_answer_for_those_who_need_one() -> None:
    function = {"name": "f", "arguments": '{"a": '}
    message = {"content": None, "tool_calls": [{"id": "t", "function": function}]}
    answer = {**GPT, "choices": [{"index": 0, "message": message, "finish_reason": "tool_calls"}]}
    for face in ("anthropic", "gemini"):
        with pytest.raises(MalformedAnswerError, match="no JSON"):
            read(face, "openai", answer)


OVERLOADED = b'{"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}'
SERVER_ERROR = b'{"type":"error","code":"server_error","message":"x","param":null}'
ERRORS = {
    "openai": b'data: {"error":{"message":"Provider disconnected","code":"server_error"}}\n\n',
    "anthropic": b"event: error\ndata: %b\n\n" % OVERLOADED,
    "gemini": b'data: {"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}\n\n',
    "responses": b"event: error\ndata: %b\n\n" % SERVER_ERROR,
}
BEGUN = {
    "openai": b'data: {"id":"a","choices":[{"index":0,"delta":{"content":"x"}}]}\n\n',
    "anthropic": b'data: {"type":"message_start","message":{"id":"a"}}\n\n',
    "gemini": b'data: {"candidates":[{"content":{"parts":[{"text":"x"}]}}]}\n\n',
    "responses": b'data: {"type":"response.created","response":{"id":"a"}}\n\n',
}


@pytest.mark.parametrize("wire", list(ERRORS))
def test_an_error_is_seen_before_and_amid_the_answer_and_not_told_in_a_foreign_format(
    wire: str,
) -> None:
    face = "openai" if wire != "openai" else "anthropic"
    with pytest.raises(StreamFailedError):
        translated(streaming(face), wire, [ERRORS[wire]])
    with pytest.raises(StreamFailedError) as raised:
        translated(streaming(face), wire, [BEGUN[wire], ERRORS[wire]])
    assert raised.value.frame is None
    assert raised.value.data in ERRORS[wire]


@pytest.mark.parametrize("wire", list(ERRORS))
def test_a_stream_that_breaks_off_has_no_end(wire: str) -> None:
    face = "openai" if wire != "openai" else "anthropic"
    out, _ = translated(streaming(face), wire, [BEGUN[wire]])
    assert b"[DONE]" not in out
    assert b"message_stop" not in out


@pytest.mark.parametrize("frame", [b"data: [DONE]\n\n", b"data: {oops\n\n", b"data: []\n\n"])
def test_what_is_no_stream_is_none(frame: bytes) -> None:
    with pytest.raises(ValueError, match=r"frame"):
        translated(streaming("anthropic"), "openai", [frame])


def test_a_tool_without_parameters_streams_an_empty_object() -> None:
    frames: tuple[dict[str, Any], ...] = (
        {"type": "message_start", "message": {"id": "a", "model": "m"}},
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "tool_use", "id": "t", "name": "now", "input": {}},
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "input_json_delta", "partial_json": ""},
        },
        {"type": "content_block_stop", "index": 0},
        {"type": "message_delta", "delta": {"stop_reason": "tool_use"}},
        {"type": "message_stop"},
    )
    stream = b"".join(b"data: %b\n\n" % msgspec.json.encode(frame) for frame in frames)
    out, attempt = translated(streaming("openai"), "anthropic", [stream])
    choice = folded(heard("openai", out))
    assert choice.parts == [ToolCall("t", "now", "{}")]
    assert choice.reason is StopReason.TOOL_CALLS
    assert attempt.chunks == 2


def test_search_calls_of_anthropics_own_are_no_calls_of_the_callers() -> None:
    frames: tuple[dict[str, Any], ...] = (
        {"type": "message_start", "message": {"id": "a", "model": "m"}},
        {
            "type": "content_block_start",
            "index": 0,
            "content_block": {"type": "server_tool_use", "id": "s", "name": "web_search"},
        },
        {
            "type": "content_block_delta",
            "index": 0,
            "delta": {"type": "input_json_delta", "partial_json": '{"query":"x"}'},
        },
        {
            "type": "content_block_delta",
            "index": 1,
            "delta": {"type": "text_delta", "text": "Found."},
        },
        {"type": "message_delta", "delta": {"stop_reason": "end_turn"}},
        {"type": "message_stop"},
    )
    stream = b"".join(b"data: %b\n\n" % msgspec.json.encode(frame) for frame in frames)
    out, _ = translated(streaming("openai"), "anthropic", [stream])
    assert folded(heard("openai", out)).parts == [Text("Found.")]
