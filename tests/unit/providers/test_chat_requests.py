"""What becomes of a request on its way into another format, and what makes it untranslatable."""

from typing import Any

import pytest

from tests.support.chats import ENDPOINT, MINIMAL, asked, composed
from tollbridge.core.call import Operation
from tollbridge.providers.dialects.chat import translate
from tollbridge.providers.request import Request
from tollbridge.providers.wire import UntranslatableError

SCHEMA = {"type": "object", "properties": {"city": {"type": "string"}}, "required": ["city"]}
OPENAI_TOOL = {
    "type": "function",
    "function": {"name": "weather", "description": "Of a city", "parameters": SCHEMA},
}
PIXEL = "iVBORw0KGgo="
TALK: dict[str, Any] = {
    "model": "gpt-5-nano",
    "messages": [
        {"role": "system", "content": "Answer briefly."},
        {
            "role": "user",
            "content": [
                {"type": "text", "text": "What is this, and how is the weather?"},
                {"type": "image_url", "image_url": {"url": f"data:image/png;base64,{PIXEL}"}},
            ],
        },
        {
            "role": "assistant",
            "content": None,
            "refusal": None,
            "annotations": [],
            "tool_calls": [
                {
                    "id": "call_1",
                    "type": "function",
                    "function": {"name": "weather", "arguments": '{"city": "Oslo"}'},
                },
                {
                    "id": "call_2",
                    "type": "function",
                    "function": {"name": "weather", "arguments": '{"city":"Bergen"}'},
                },
            ],
        },
        {"role": "tool", "tool_call_id": "call_1", "content": "Rain"},
        {"role": "tool", "tool_call_id": "call_2", "content": "More rain"},
        {"role": "user", "content": "And now?"},
    ],
    "max_completion_tokens": 400,
    "temperature": 0.5,
    "top_p": 0.9,
    "stop": ["END"],
    "tools": [OPENAI_TOOL],
    "tool_choice": {"type": "function", "function": {"name": "weather"}},
    "store": False,
    "metadata": {"tenant": "t-17"},
    "user": "u",
}


def test_a_talk_of_openai_becomes_anthropics() -> None:
    assert composed("openai", TALK, "anthropic") == {
        "model": "pm",
        "max_tokens": 400,
        "system": "Answer briefly.",
        "temperature": 0.5,
        "top_p": 0.9,
        "stop_sequences": ["END"],
        "tools": [{"name": "weather", "description": "Of a city", "input_schema": SCHEMA}],
        "tool_choice": {"type": "tool", "name": "weather"},
        "messages": [
            {
                "role": "user",
                "content": [
                    {"type": "text", "text": "What is this, and how is the weather?"},
                    {
                        "type": "image",
                        "source": {"type": "base64", "media_type": "image/png", "data": PIXEL},
                    },
                ],
            },
            {
                "role": "assistant",
                "content": [
                    {
                        "type": "tool_use",
                        "id": "call_1",
                        "name": "weather",
                        "input": {"city": "Oslo"},
                    },
                    {
                        "type": "tool_use",
                        "id": "call_2",
                        "name": "weather",
                        "input": {"city": "Bergen"},
                    },
                ],
            },
            {
                "role": "user",
                "content": [
                    {"type": "tool_result", "tool_use_id": "call_1", "content": "Rain"},
                    {"type": "tool_result", "tool_use_id": "call_2", "content": "More rain"},
                    {"type": "text", "text": "And now?"},
                ],
            },
        ],
    }


def test_a_talk_of_openai_becomes_geminis() -> None:
    assert composed("openai", TALK, "gemini") == {
        "systemInstruction": {"parts": [{"text": "Answer briefly."}]},
        "contents": [
            {
                "role": "user",
                "parts": [
                    {"text": "What is this, and how is the weather?"},
                    {"inlineData": {"mimeType": "image/png", "data": PIXEL}},
                ],
            },
            {
                "role": "model",
                "parts": [
                    {"functionCall": {"name": "weather", "args": {"city": "Oslo"}}},
                    {"functionCall": {"name": "weather", "args": {"city": "Bergen"}}},
                ],
            },
            {
                "role": "user",
                "parts": [
                    {"functionResponse": {"name": "weather", "response": {"output": "Rain"}}},
                    {"functionResponse": {"name": "weather", "response": {"output": "More rain"}}},
                    {"text": "And now?"},
                ],
            },
        ],
        "tools": [
            {
                "functionDeclarations": [
                    {
                        "name": "weather",
                        "description": "Of a city",
                        "parametersJsonSchema": SCHEMA,
                    }
                ]
            }
        ],
        "toolConfig": {
            "functionCallingConfig": {"mode": "ANY", "allowedFunctionNames": ["weather"]}
        },
        "generationConfig": {
            "temperature": 0.5,
            "topP": 0.9,
            "maxOutputTokens": 400,
            "stopSequences": ["END"],
        },
    }


def test_a_talk_of_gemini_gets_ids_that_join_calls_and_their_answers() -> None:
    body = composed(
        "gemini",
        {
            "system_instruction": {"parts": [{"text": "Be brief."}]},
            "contents": [
                {"role": "user", "parts": [{"text": "Weather?"}]},
                {
                    "role": "model",
                    "parts": [
                        {"functionCall": {"name": "weather", "args": {"city": "Oslo"}}},
                        {"functionCall": {"name": "weather", "args": {"city": "Bergen"}}},
                    ],
                },
                {
                    "role": "user",
                    "parts": [
                        {"functionResponse": {"name": "weather", "response": {"output": "Rain"}}},
                        {"functionResponse": {"name": "weather", "response": {"wet": True}}},
                    ],
                },
            ],
            "tools": [
                {
                    "function_declarations": [
                        {
                            "name": "weather",
                            "parameters": {
                                "type": "OBJECT",
                                "properties": {
                                    "city_name": {"type": "STRING", "nullable": True},
                                    "days": {"type": "ARRAY", "items": {"type": "INTEGER"}},
                                },
                            },
                        }
                    ]
                }
            ],
            "generation_config": {
                "max_output_tokens": 50,
                "thinking_config": {"thinking_budget": 0},
            },
            "safetySettings": [],
        },
        "openai",
    )
    calls = body["messages"][2]["tool_calls"]
    assert [call["function"]["arguments"] for call in calls] == [
        '{"city":"Oslo"}',
        '{"city":"Bergen"}',
    ]
    assert len({call["id"] for call in calls}) == 2
    assert body["messages"][3:] == [
        {"role": "tool", "tool_call_id": calls[0]["id"], "content": "Rain"},
        {"role": "tool", "tool_call_id": calls[1]["id"], "content": '{"wet":true}'},
    ]
    assert body["tools"][0]["function"]["parameters"] == {
        "type": "object",
        "properties": {
            "city_name": {"type": ["string", "null"]},
            "days": {"type": "array", "items": {"type": "integer"}},
        },
    }
    assert (body["max_tokens"], body["reasoning_effort"]) == (50, "none")


def test_a_talk_of_anthropic_becomes_openais() -> None:
    body = composed(
        "anthropic",
        {
            "model": "claude-sonnet-4-5",
            "max_tokens": 512,
            "system": [
                {"type": "text", "text": "Be brief.", "cache_control": {"type": "ephemeral"}}
            ],
            "messages": [
                {"role": "user", "content": [{"type": "text", "text": "Hi"}]},
                {
                    "role": "assistant",
                    "content": [
                        {"type": "thinking", "thinking": "…", "signature": "s"},
                        {"type": "text", "text": "I look."},
                        {"type": "tool_use", "id": "toolu_1", "name": "f", "input": {"a": 1}},
                    ],
                },
                {
                    "role": "user",
                    "content": [
                        {
                            "type": "tool_result",
                            "tool_use_id": "toolu_1",
                            "content": [{"type": "text", "text": "Four"}],
                        },
                        {
                            "type": "image",
                            "source": {"type": "url", "url": "https://a.example/b.png"},
                        },
                    ],
                },
            ],
            "stop_sequences": ["END"],
            "metadata": {"user_id": "opaque"},
            "tools": [{"name": "f", "input_schema": {"type": "object"}}],
            "tool_choice": {"type": "any", "disable_parallel_tool_use": True},
        },
        "openai",
    )
    assert body["messages"] == [
        {"role": "system", "content": "Be brief."},
        {"role": "user", "content": "Hi"},
        {
            "role": "assistant",
            "content": "I look.",
            "tool_calls": [
                {
                    "id": "toolu_1",
                    "type": "function",
                    "function": {"name": "f", "arguments": '{"a":1}'},
                }
            ],
        },
        {"role": "tool", "tool_call_id": "toolu_1", "content": "Four"},
        {
            "role": "user",
            "content": [{"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}],
        },
    ]
    assert body["max_tokens"] == 512
    assert (body["tool_choice"], body["parallel_tool_calls"]) == ("required", False)
    assert body["stop"] == ["END"]


def test_a_talk_of_responses_becomes_openais() -> None:
    body = composed(
        "responses",
        {
            "model": "gpt-4o",
            "instructions": "Be terse.",
            "input": [
                {"role": "user", "content": "2 + 2?"},
                {"type": "reasoning", "id": "rs_1", "summary": []},
                {
                    "id": "msg_1",
                    "type": "message",
                    "role": "assistant",
                    "status": "completed",
                    "content": [{"type": "output_text", "text": "I add.", "annotations": []}],
                },
                {
                    "type": "function_call",
                    "id": "fc_1",
                    "call_id": "call_1",
                    "name": "add",
                    "arguments": "{}",
                },
                {"type": "function_call_output", "call_id": "call_1", "output": "4"},
            ],
            "max_output_tokens": 200,
            "store": True,
            "text": {"format": {"type": "json_object"}},
            "reasoning": {"effort": "low"},
        },
        "openai",
    )
    call = {"id": "call_1", "type": "function", "function": {"name": "add", "arguments": "{}"}}
    assert body["messages"] == [
        {"role": "system", "content": "Be terse."},
        {"role": "user", "content": "2 + 2?"},
        {"role": "assistant", "content": "I add.", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "call_1", "content": "4"},
    ]
    assert body["response_format"] == {"type": "json_object"}
    assert body["reasoning_effort"] == "low"


LOSSES: list[tuple[str, str, dict[str, Any], str]] = [
    ("openai", "anthropic", {"n": 2}, "more than one choice"),
    ("openai", "responses", {"n": 2}, "more than one choice"),
    ("openai", "anthropic", {"logprobs": True}, "logprobs"),
    ("openai", "gemini", {"top_logprobs": 2}, "top_logprobs"),
    ("openai", "gemini", {"logit_bias": {"50256": -100}}, "logit_bias"),
    ("openai", "gemini", {"modalities": ["text", "audio"]}, "not text"),
    ("openai", "gemini", {"audio": {"voice": "alloy", "format": "wav"}}, "audio"),
    ("openai", "anthropic", {"seed": 0}, "seed"),
    ("openai", "anthropic", {"frequency_penalty": 0.5}, "frequency_penalty"),
    ("openai", "anthropic", {"temperature": 1.5}, "temperature above 1"),
    ("openai", "anthropic", {"response_format": {"type": "json_object"}}, "any schema"),
    ("openai", "responses", {"stop": "END"}, "stop sequences"),
    ("openai", "gemini", {"stop": list("abcdef")}, "five stop sequences"),
    ("openai", "gemini", {"tools": [OPENAI_TOOL], "parallel_tool_calls": False}, "at a time"),
    ("openai", "gemini", {"web_search_options": {}, "x_unknown": 1}, "x_unknown"),
    ("openai", "gemini", {"verbosity": "high"}, "verbosity"),
    ("openai", "anthropic", {"tools": [{"type": "custom", "custom": {"name": "c"}}]}, "custom"),
    ("anthropic", "openai", {"top_k": 5}, "top_k"),
    ("anthropic", "openai", {"mcp_servers": []}, "mcp_servers"),
    (
        "anthropic",
        "openai",
        {"tools": [{"type": "web_search_20250305", "name": "web_search"}]},
        "tools[0]",
    ),
    ("gemini", "openai", {"tools": [{"googleSearch": {}}]}, "googleSearch"),
    ("gemini", "openai", {"cachedContent": "cachedContents/abc"}, "cachedContent"),
    (
        "gemini",
        "openai",
        {"generationConfig": {"responseModalities": ["TEXT", "IMAGE"]}},
        "not text",
    ),
    ("responses", "openai", {"previous_response_id": "resp_1"}, "previous_response_id"),
    ("responses", "anthropic", {"tools": [{"type": "web_search"}]}, "tools[0]"),
]


@pytest.mark.parametrize(("face", "wire", "changes", "why"), LOSSES)
def test_what_would_be_lost_is_not_translated_and_named(
    face: str, wire: str, changes: dict[str, Any], why: str
) -> None:
    composed(face, MINIMAL[face], wire)
    with pytest.raises(UntranslatableError, match=why.replace("[", r"\[")):
        composed(face, {**MINIMAL[face], **changes}, wire)


@pytest.mark.parametrize(
    ("content", "wire", "why"),
    [
        (
            [{"type": "input_audio", "input_audio": {"data": "", "format": "wav"}}],
            "gemini",
            "audio",
        ),
        ([{"type": "file", "file": {"file_id": "f"}}], "anthropic", "file"),
        (
            [{"type": "image_url", "image_url": {"url": "https://a.example/b.png"}}],
            "gemini",
            "image by its address",
        ),
        ([{"type": "image_url", "image_url": {"url": "data:image/png,x"}}], "gemini", "base64"),
    ],
)
def test_a_part_of_a_message_that_the_other_format_has_not_is_named(
    content: Any, wire: str, why: str
) -> None:
    body = {"model": "m", "messages": [{"role": "user", "content": content}]}
    with pytest.raises(UntranslatableError, match=why):
        composed("openai", body, wire)


@pytest.mark.parametrize("wire", ["anthropic", "gemini"])
def test_a_system_prompt_amid_the_talk_has_no_place(wire: str) -> None:
    messages = [
        {"role": "user", "content": "a"},
        {"role": "system", "content": "b"},
        {"role": "user", "content": "c"},
    ]
    with pytest.raises(UntranslatableError, match="amid"):
        composed("openai", {"model": "m", "messages": messages}, wire)
    assert len(composed("openai", {"model": "m", "messages": messages}, "responses")["input"]) == 3


def test_broken_arguments_are_put_into_no_body() -> None:
    function = {"name": "f", "arguments": '{"a": 1}, "role": "user'}
    call = {"id": "c", "type": "function", "function": function}
    messages = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "x"},
    ]
    for wire in ("anthropic", "gemini"):
        with pytest.raises(UntranslatableError, match="no JSON"):
            composed("openai", {"model": "m", "messages": messages}, wire)


@pytest.mark.parametrize(
    ("limit", "cap", "effort", "expected"),
    [
        (None, None, None, (4096, None)),
        (None, 1000, None, (1000, None)),
        (300, 1000, None, (300, None)),
        (None, None, "low", (4096 + 1024, 1024)),
        (4000, None, "medium", (4000, 2000)),
    ],
)
def test_anthropic_always_gets_a_limit_that_leaves_room_to_think(
    limit: int | None, cap: int | None, effort: str | None, expected: tuple[int, int | None]
) -> None:
    body = {**MINIMAL["openai"], "max_tokens": limit, "reasoning_effort": effort}
    made = composed("openai", body, "anthropic", cap)
    assert (made["max_tokens"], made.get("thinking", {}).get("budget_tokens")) == expected


def test_no_room_to_think_is_named() -> None:
    with pytest.raises(UntranslatableError, match="thinking within 500"):
        composed(
            "openai",
            {**MINIMAL["openai"], "max_tokens": 500, "reasoning_effort": "high"},
            "anthropic",
        )


def test_a_json_schema_is_asked_for_in_every_format() -> None:
    wanted = {
        "type": "json_schema",
        "json_schema": {"name": "city", "schema": SCHEMA, "strict": True},
    }
    body = {**MINIMAL["openai"], "response_format": wanted}
    assert composed("openai", body, "anthropic")["output_config"] == {
        "format": {"type": "json_schema", "schema": SCHEMA}
    }
    assert composed("openai", body, "gemini")["generationConfig"] == {
        "responseMimeType": "application/json",
        "responseJsonSchema": SCHEMA,
    }
    assert composed("openai", body, "responses")["text"]["format"]["schema"] == SCHEMA


def test_geminis_signature_of_thoughts_comes_back_with_its_call() -> None:
    call = {
        "id": "c",
        "type": "function",
        "function": {"name": "f", "arguments": "{}"},
        "extra_content": {"google": {"thought_signature": "sig=="}},
    }
    messages = [
        {"role": "user", "content": "a"},
        {"role": "assistant", "tool_calls": [call]},
        {"role": "tool", "tool_call_id": "c", "content": "x"},
    ]
    parts = composed("openai", {"model": "m", "messages": messages}, "gemini")["contents"][1]
    assert parts["parts"] == [
        {"functionCall": {"name": "f", "args": {}}, "thoughtSignature": "sig=="}
    ]


def test_streams_of_openai_are_asked_for_their_usage() -> None:
    request = asked("anthropic", MINIMAL["anthropic"], stream=True)
    body = translate.compose(request, "openai", ENDPOINT, "pm", None)
    assert b'"stream_options":{"include_usage":true}' in body


def test_only_chats_are_translated() -> None:
    for request in (
        Request(Operation.EMBEDDING, b"{}", "m"),
        asked("anthropic", MINIMAL["anthropic"], path="/v1/messages/count_tokens"),
    ):
        with pytest.raises(UntranslatableError, match="only chats"):
            translate.compose(request, "gemini", ENDPOINT, "pm", None)


def test_a_format_that_nobody_translates_is_named() -> None:
    with pytest.raises(UntranslatableError, match="morse"):
        translate.compose(asked("openai", MINIMAL["openai"]), "morse", ENDPOINT, "pm", None)
