"""Gemini's wire format: what is understood of requests, and what streams and answers note."""

from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.chats import CHAT, ENDPOINT, MINIMAL, asked, cut, passed
from tollbridge.core.errors import BudgetExceededError, InvalidRequestError
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.metering.extract import extract, merge_usage
from tollbridge.providers.dialects.gemini import GeminiFace, GeminiWire
from tollbridge.providers.dialects.openai_stream import StreamFailedError
from tollbridge.providers.request import MalformedAnswerError

WIRE = GeminiWire()
ANSWER = (
    b'{"candidates":[{"content":{"role":"model","parts":[{"text":"Three."}]},"finishReason":"STOP",'
    b'"index":0}],"usageMetadata":{"promptTokenCount":9,"candidatesTokenCount":28,'
    b'"thoughtsTokenCount":244,"totalTokenCount":281},"modelVersion":"gemini-3-pro-preview",'
    b'"responseId":"Un6LacrVMcjUxs0PmJfWoQc"}'
)
FIRST = (
    b'{"candidates":[{"content":{"parts":[{"text":"Thr"}],"role":"model"},"index":0}],'
    b'"usageMetadata":{"promptTokenCount":9,"totalTokenCount":9,"promptTokensDetails":'
    b'[{"modality":"TEXT","tokenCount":9}]},"modelVersion":"gemini-2.5-flash","responseId":"g1P"}'
)
LAST = (
    b'{"candidates":[{"content":{"parts":[{"text":"ee."}],"role":"model"},"finishReason":"STOP",'
    b'"index":0}],"usageMetadata":{"promptTokenCount":59,"candidatesTokenCount":2,'
    b'"totalTokenCount":93,"thoughtsTokenCount":32},"modelVersion":"gemini-2.5-flash",'
    b'"responseId":"g1P"}'
)
CHUNKS = (FIRST, LAST)
STREAM = b"".join([b"data: %b\r\n\r\n" % chunk for chunk in CHUNKS])
ERROR = b'data: {"error":{"code":503,"message":"overloaded","status":"UNAVAILABLE"}}\n\n'


def body_of(**changes: Any) -> dict[str, Any]:
    return {**MINIMAL["gemini"], **changes}


@pytest.mark.parametrize(
    ("path", "model", "stream"),
    [
        ("/v1beta/models/gemini-2.5-flash:generateContent", "gemini-2.5-flash", False),
        ("/v1beta/models/openai/gpt-4o:generateContent?key=k", "openai/gpt-4o", False),
        ("/v1beta/models/a%3Ab:generateContent", "a:b", False),
        ("/v1beta/models/m:streamGenerateContent?alt=sse", "m", True),
        ("/v1beta/models/m:streamGenerateContent?key=k&alt=sse", "m", True),
        ("/v1beta/models/m:streamGenerateContent", "m", True),
    ],
)
def test_the_address_says_what_the_body_does_not(path: str, model: str, *, stream: bool) -> None:
    request = asked("gemini", body_of(), path=path)
    assert (request.model, request.stream) == (model, stream)
    assert request.dialect == "gemini"


@pytest.mark.parametrize("path", ["/v1beta/models/m", "/v1beta/models/m:predict", "/v1beta/m:x"])
def test_an_address_without_model_and_method_is_refused(path: str) -> None:
    with pytest.raises(InvalidRequestError):
        asked("gemini", body_of(), path=path)


@pytest.mark.parametrize(
    ("config", "limit", "choices"),
    [
        ({}, None, 1),
        ({"generationConfig": {"maxOutputTokens": 300, "candidateCount": 2}}, 300, 2),
        ({"generation_config": {"max_output_tokens": 300}}, 300, 1),
        ({"generationConfig": {"max_output_tokens": 300}}, 300, 1),
        ({"generationConfig": None}, None, 1),
    ],
)
def test_limits_are_understood_in_both_ways_of_writing(
    config: dict[str, Any], limit: int | None, choices: int
) -> None:
    request = asked("gemini", body_of(**config))
    assert (request.output_tokens_max, request.choices) == (limit, choices)


def test_of_a_limit_said_twice_the_provider_gets_the_one_that_we_understood() -> None:
    body = b'{"contents":[],"generationConfig":{"maxOutputTokens":5,"maxOutputTokens":9000}}'
    request = GeminiFace().parse(CHAT, body, "/v1beta/models/m:generateContent")
    sent = WIRE.compose(request, ENDPOINT, "m", None).body
    assert sent.count(b"maxOutputTokens") == 1
    assert msgspec.json.decode(sent)["generationConfig"] == {
        "maxOutputTokens": request.output_tokens_max
    }


@pytest.mark.parametrize(
    ("part", "attachments", "has_files"),
    [
        ({"inlineData": {"mimeType": "image/png", "data": "AAAA"}}, 1, False),
        ({"inline_data": {"mime_type": "image/png", "data": "AAAA"}}, 1, False),
        ({"inlineData": {"mimeType": "application/pdf", "data": "AAAA"}}, 1, True),
        ({"fileData": {"fileUri": "https://a.example/files/x"}}, 0, True),
        ({"text": '"inlineData" and "fileData"'}, 0, False),
    ],
)
def test_what_bills_more_than_its_bytes_is_counted(
    part: dict[str, Any], attachments: int, *, has_files: bool
) -> None:
    request = asked("gemini", body_of(contents=[{"parts": [part]}]))
    assert (request.attachments, request.has_files) == (attachments, has_files)


@pytest.mark.parametrize("tool", ["googleSearch", "google_search", "urlContext"])
def test_what_the_providers_own_tools_fetch_may_bill_as_input(tool: str) -> None:
    assert asked("gemini", body_of(tools=[{tool: {}}])).has_files


def test_the_callers_own_bytes_pass_to_the_models_address() -> None:
    request = asked("gemini", body_of(), stream=True)
    outgoing = WIRE.compose(request, ENDPOINT, "models/gemini-2.5-flash", None)
    assert outgoing.body is request.body
    assert outgoing.target == "/models/gemini-2.5-flash:streamGenerateContent?alt=sse"
    whole = WIRE.compose(asked("gemini", body_of()), ENDPOINT, "a/b c", None)
    assert whole.target == "/models/a%2Fb%20c:generateContent"


@pytest.mark.parametrize("name", ["generationConfig", "generation_config"])
def test_a_cap_is_set_where_the_caller_gave_none(name: str) -> None:
    request = asked("gemini", body_of(**{name: {"temperature": 0.5}}))
    body = msgspec.json.decode(WIRE.compose(request, ENDPOINT, "m", 100).body)
    assert body[name] == {"temperature": 0.5, "maxOutputTokens": 100}
    bare = msgspec.json.decode(WIRE.compose(asked("gemini", body_of()), ENDPOINT, "m", 7).body)
    assert bare["generationConfig"] == {"maxOutputTokens": 7}


def test_a_whole_answer_passes_and_its_names_and_usage_are_noted() -> None:
    answered = WIRE.read(asked("gemini", body_of()), {}, ANSWER)
    assert answered.body is ANSWER
    assert answered.answer.served_model == "gemini-3-pro-preview"
    assert answered.answer.response_id == "Un6LacrVMcjUxs0PmJfWoQc"
    assert answered.answer.usage is not None
    counts, flags = extract("gemini", answered.answer.usage, has_output=True)
    assert (counts, flags) == ({"input": 9, "output": 272, "reasoning": 244}, [])


def test_a_blocked_prompt_is_an_answer_that_costs_its_prompt() -> None:
    body = (
        b'{"promptFeedback":{"blockReason":"SAFETY"},'
        b'"usageMetadata":{"promptTokenCount":9,"totalTokenCount":9}}'
    )
    usage = WIRE.read(asked("gemini", body_of()), {}, body).answer.usage
    assert usage is not None
    assert extract("gemini", usage, has_output=True) == ({"input": 9, "output": 0}, [])


@pytest.mark.parametrize("body", [b"{}", b"[]", b"x", ERROR[6:].strip()])
def test_what_is_no_answer_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedAnswerError):
        WIRE.read(asked("gemini", body_of()), {}, body)


@settings(max_examples=60, deadline=None)
@given(st.lists(st.integers(0, 1 << 12), max_size=12))
def test_a_stream_passes_and_its_last_usage_wins_in_any_cuts(at: list[int]) -> None:
    out, attempt = passed(WIRE, asked("gemini", body_of(), stream=True), cut(STREAM, at))
    assert out == STREAM
    assert attempt.usage is not None
    counts, _ = extract("gemini", attempt.usage, has_output=True)
    assert counts == {"input": 59, "output": 34, "reasoning": 32}
    assert (attempt.served_model, attempt.response_id) == ("gemini-2.5-flash", "g1P")
    assert attempt.chunks == 2


def reader_of(path: str = "") -> Any:
    request = asked("gemini", body_of(), stream=True, path=path)
    return WIRE.stream(request, AttemptEvidence(1, "e", "p", "gemini", "m", "", 0), merge_usage)


def test_a_stream_that_begins_with_an_error_commits_to_nothing() -> None:
    with pytest.raises(StreamFailedError):
        reader_of().first(ERROR)


def test_an_error_amid_the_stream_ends_it_after_what_came_before() -> None:
    reader = reader_of()
    reader.first(STREAM[: STREAM.index(b"\r\n\r\n") + 4])
    assert reader.pass_on(ERROR) == b""
    assert isinstance(reader.failure, StreamFailedError)
    assert reader.failure.frame == ERROR
    assert not reader.finished


def test_a_stream_of_a_blocked_prompt_is_whole() -> None:
    reader = reader_of()
    frame = b'data: {"promptFeedback":{"blockReason":"PROHIBITED_CONTENT"}}\n\n'
    assert reader.first(frame) == frame
    assert reader.finished


def test_errors_are_told_as_google_tells_them() -> None:
    told = msgspec.json.decode(GeminiFace().render_error(BudgetExceededError("no money")))
    assert told["error"]["code"] == 402
    assert (told["error"]["status"], told["error"]["message"]) == ("RESOURCE_EXHAUSTED", "no money")
    assert told["error"]["details"][0]["reason"] == "budget_exceeded"
