"""Anthropic's wire format: what is understood of requests, and what streams and answers note."""

from pathlib import Path
from typing import Any

import msgspec
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.chats import ENDPOINT, MINIMAL, asked, cut, passed
from tollbridge.core.errors import InvalidRequestError, OverloadedError, RateLimitedError
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.metering.extract import extract
from tollbridge.providers.dialects.anthropic import AnthropicFace, AnthropicWire
from tollbridge.providers.dialects.openai_stream import StreamFailedError
from tollbridge.providers.request import MalformedAnswerError

WIRE = AnthropicWire()
ANSWER = {
    "id": "msg_01AbCdEfGhIjKlMnOpQrStUv",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5-20250929",
    "content": [{"type": "text", "text": "Hello."}],
    "stop_reason": "end_turn",
    "stop_sequence": None,
    "usage": {"input_tokens": 12, "output_tokens": 64, "service_tier": "standard"},
}
RECORDED = Path(__file__).parents[2] / "wire" / "chat"
# With trailing spaces, as recorded, and input that rises when the web's results come in.
STREAM = (RECORDED / "claude_web_search.sse").read_bytes()
ERROR = b"""event: error
data: {"type":"error","error":{"type":"overloaded_error","message":"Overloaded"}}

"""


def body_of(**changes: Any) -> dict[str, Any]:
    return {**MINIMAL["anthropic"], **changes}


def test_what_is_acted_on_is_understood() -> None:
    request = asked("anthropic", body_of(stream=True, metadata={"user_id": "customer-7"}, new=1))
    assert (request.model, request.stream, request.output_tokens_max) == ("m", True, 64)
    assert (request.customer, request.dialect, request.asks_usage) == (
        "customer-7",
        "anthropic",
        True,
    )


@pytest.mark.parametrize(
    ("body", "parameter"),
    [
        ({"model": "m", "messages": []}, "max_tokens"),
        ({"model": "m", "messages": "Hi", "max_tokens": 1}, "messages"),
        ({"model": "m", "messages": [], "max_tokens": 0}, "max_tokens"),
        ({"model": 5, "messages": [], "max_tokens": 1}, "model"),
    ],
)
def test_what_is_wrong_is_named(body: dict[str, Any], parameter: str) -> None:
    with pytest.raises(InvalidRequestError) as raised:
        asked("anthropic", body)
    assert raised.value.details["param"] == parameter


def test_a_limit_given_twice_is_refused() -> None:
    body = b'{"model":"m","max_tokens":1,"messages":[],"max_tokens":9000}'
    with pytest.raises(InvalidRequestError, match="max_tokens is given twice"):
        AnthropicFace().parse(asked("openai", MINIMAL["openai"]).operation, body, "/v1/messages")


@pytest.mark.parametrize(
    ("part", "attachments", "has_files"),
    [
        ({"type": "image", "source": {"type": "url", "url": "https://a.example/b"}}, 1, False),
        ({"type": "image", "source": {"type": "file", "file_id": "f"}}, 1, False),
        ({"type": "document", "source": {"type": "url", "url": "https://a.example/b"}}, 0, True),
        ({"type": "text", "text": 'an "image" and a "document"'}, 0, False),
    ],
)
def test_what_bills_more_than_its_bytes_is_counted(
    part: dict[str, Any], attachments: int, *, has_files: bool
) -> None:
    request = asked("anthropic", body_of(messages=[{"role": "user", "content": [part]}]))
    assert (request.attachments, request.has_files) == (attachments, has_files)


def test_an_escaped_name_hides_no_attachment() -> None:
    content = b'[{"role":"user","content":[{"type":"\\u0069mage"}]}]'
    body = b'{"model":"m","max_tokens":1,"messages":%b}' % content
    operation = asked("openai", MINIMAL["openai"]).operation
    assert AnthropicFace().parse(operation, body, "/v1/messages").attachments == 1


def test_what_the_providers_own_tools_fetch_may_bill_as_input() -> None:
    tools = [{"type": "web_search_20250305", "name": "web_search", "max_uses": 3}]
    assert asked("anthropic", body_of(tools=tools)).has_files


def test_the_callers_own_bytes_pass() -> None:
    request = asked("anthropic", body_of())
    outgoing = WIRE.compose(request, ENDPOINT, "m", 5)
    assert outgoing.body is request.body
    assert outgoing.target == "/v1/messages"


def test_only_the_model_is_written_anew() -> None:
    request = asked("anthropic", body_of(thinking={"type": "adaptive"}))
    body = msgspec.json.decode(WIRE.compose(request, ENDPOINT, "claude-x", None).body)
    assert body == {**body_of(thinking={"type": "adaptive"}), "model": "claude-x"}


def test_counting_tokens_needs_no_limit_and_asks_another_address() -> None:
    counted = {"model": "m", "messages": [{"role": "user", "content": "Hi"}]}
    request = asked("anthropic", counted, path="/v1/messages/count_tokens?beta=true")
    assert WIRE.compose(request, ENDPOINT, "m", None).target == "/v1/messages/count_tokens"


def test_a_whole_answer_passes_and_its_names_and_usage_are_noted() -> None:
    body = msgspec.json.encode(ANSWER)
    answered = WIRE.read(
        asked("anthropic", body_of()), {b"content-type": b"application/json"}, body
    )
    assert answered.body is body
    assert answered.answer.usage == ANSWER["usage"]
    assert answered.answer.served_model == "claude-sonnet-4-5-20250929"
    assert answered.answer.response_id == "msg_01AbCdEfGhIjKlMnOpQrStUv"


@pytest.mark.parametrize("body", [b"{}", b"[]", b"<html>", b'{"error":{"type":"api_error"}}'])
def test_what_is_no_message_is_malformed(body: bytes) -> None:
    with pytest.raises(MalformedAnswerError):
        WIRE.read(asked("anthropic", body_of()), {}, body)


@settings(max_examples=80, deadline=None)
@given(at=st.lists(st.integers(0, 1 << 16), max_size=12), crlf=st.booleans())
def test_a_stream_passes_and_its_last_usage_wins_in_any_cuts(at: list[int], *, crlf: bool) -> None:
    stream = STREAM.replace(b"\n", b"\r\n") if crlf else STREAM
    out, attempt = passed(WIRE, asked("anthropic", body_of(), stream=True), cut(stream, at))
    assert out == stream
    assert attempt.usage is not None
    assert extract("anthropic", attempt.usage, has_output=True) == (
        {
            "input": 22397,
            "output": 637,
            "cache_read": 0,
            "cache_write": 0,
            "cache_write_1h": 0,
            "web_search": 2,
        },
        [],
    )
    assert (attempt.served_model, attempt.response_id) == ("claude-sonnet-4-20250514", "msg_01")
    assert attempt.chunks == 1


def reader_of(attempt: AttemptEvidence | None = None) -> Any:
    request = asked("anthropic", body_of(), stream=True)
    return WIRE.stream(
        request, attempt or AttemptEvidence(1, "e", "p", "anthropic", "m", "", 0), _last
    )


def _last(before: dict[str, Any] | None, new: dict[str, Any]) -> dict[str, Any]:
    return {**(before or {}), **new}


def test_a_stream_that_begins_with_an_error_commits_to_nothing() -> None:
    with pytest.raises(StreamFailedError) as raised:
        reader_of().first(b'event: ping\ndata: {"type": "ping"}\n\n' + ERROR)
    assert b"overloaded_error" in raised.value.data


def test_pings_alone_commit_to_nothing_and_are_not_lost() -> None:
    ping = b'event: ping\ndata: {"type": "ping"}\n\n'
    reader = reader_of()
    assert reader.first(ping) == b""
    assert reader.first(STREAM).startswith(ping + b"event: message_start")


def test_an_error_amid_the_stream_ends_it_after_what_came_before() -> None:
    reader = reader_of()
    reader.first(STREAM[: STREAM.index(b"event: message_delta")])
    assert reader.pass_on(ERROR) == b""
    assert isinstance(reader.failure, StreamFailedError)
    assert reader.failure.frame == ERROR
    assert not reader.finished


def test_a_stream_that_stops_amid_its_words_is_not_finished() -> None:
    reader = reader_of()
    reader.first(STREAM[: STREAM.index(b"event: message_delta")])
    assert reader.last(b"") == b""
    assert not reader.finished


def test_errors_are_told_as_anthropic_tells_them() -> None:
    face = AnthropicFace()
    told = msgspec.json.decode(face.render_error(RateLimitedError("slow down")))
    assert told["type"] == "error"
    assert (told["error"]["type"], told["error"]["message"]) == ("rate_limit_error", "slow down")
    event = face.error_event(OverloadedError("no room"))
    assert event.startswith(b"event: error\ndata: {")
    assert b"overloaded_error" in event
    assert event.endswith(b"\n\n")
