"""No key gets into evidence, a log line or an answer by way of a provider's words."""

import json
import string

import pytest
from hypothesis import assume, given
from hypothesis import strategies as st

from tollbridge.core.call import AttemptOutcome, ErrorClass
from tollbridge.providers.attempt import AttemptFailedError
from tollbridge.providers.dialects.openai_stream import StreamFailedError
from tollbridge.providers.redact import MESSAGE_CHARACTERS_MAX, hide_keys, redact
from tollbridge.providers.refusals import understand

ALPHANUMERIC = string.ascii_letters + string.digits
BODY = st.text(ALPHANUMERIC, min_size=24, max_size=80)
PREFIXES = [
    "sk-",
    "sk-proj-",
    "sk-ant-api03-",
    "sk_live_",
    "pk-",
    "tb_",
    "gsk_",
    "hf_",
    "r8_",
    "xai-",
    "pplx-",
    "nvapi-",
    "AIzaSy",
    "AKIA",
    "eyJ",
]
LEADS = ["Bearer ", "bearer  ", "Basic ", "key=", "?api_key=", '"apiKey": "', "access_token:"]
MORE_LEADS = ["token: '", "secret=", "password = ", "Authorization: Basic ", '\\\\"key\\\\":']
WORDS = st.text(st.characters(exclude_categories=["Cs"]), max_size=700)


@given(WORDS, st.sampled_from(PREFIXES), BODY, WORDS)
def test_what_begins_like_a_key_is_hidden_wherever_it_stands(
    before: str, prefix: str, body: str, after: str
) -> None:
    assume(body not in before and body not in after)
    assert body not in redact(f"{before} {prefix}{body} {after}")


@given(WORDS, st.sampled_from(LEADS + MORE_LEADS), BODY, WORDS)
def test_what_is_called_a_key_is_hidden(before: str, lead: str, body: str, after: str) -> None:
    assume(body not in before and body not in after)
    assert body not in redact(f"{before} {lead}{body}' {after}")


@given(
    st.sampled_from(["Your API key ", "the token you sent, ", "no such credential as "]),
    st.text("0123456789abcdef", min_size=24, max_size=64) | BODY,
)
def test_a_long_run_near_the_word_key_is_hidden(words: str, body: str) -> None:
    assert body not in redact(f"{words}<{body}> is wrong")


@given(st.integers(0, 2600), BODY)
def test_no_part_of_a_key_is_left_where_the_words_are_cut(length: int, body: str) -> None:
    """However long the words before it are: eight characters of a key are too many."""
    shown = redact(f"{'x ' * (length // 2)}key={body}")
    assert len(shown) <= MESSAGE_CHARACTERS_MAX
    assert not any(body[place : place + 8] in shown for place in range(len(body) - 7))


@given(WORDS)
def test_twice_is_once(text: str) -> None:
    assert redact(redact(text)) == redact(text)


@pytest.mark.parametrize(
    "text",
    [
        "This model's maximum context length is 128000 tokens for gpt-4o-mini-2024-07-18.",
        "Rate limit reached for gpt-4o in organization org-AbCdEf on tokens per min (TPM).",
        "You can find your API key at platform.openai.com/account/api-keys.",
        "Your key has no access to /v1/chat/completions; max_tokens=4096, n: 2",
        "the server is overloaded: 123e4567-e89b-12d3-a456-426614174000",
        "a risk-averse task-force asks for a basic plan",
    ],
)
def test_what_is_no_key_stays_readable(text: str) -> None:
    assert redact(text) == text


@pytest.mark.parametrize(
    ("said", "shown"),
    [
        ("Incorrect API key provided: sk-ab***yz9. See docs", "provided: [key] See docs"),
        ("GET https://h/v1?key=AIzaSyA1234567 failed", "https://h/v1?key=[key] failed"),
        ("key dGhpcyBpcyBhIHNlY3JldCBrZXk+/w== is unknown", "key [key] is unknown"),
        ("token 123e4567-e89b-12d3-a456-426614174000 expired", "token [key] expired"),
        ("Authorization: Bearer abcdef123", "Authorization: Bearer [key]"),
    ],
)
def test_what_is_left_of_the_words(said: str, shown: str) -> None:
    assert redact(said).endswith(shown)


SAID = "no such key: sk-live-0123456789abcdef"
FRAME = b"data: " + json.dumps({"error": {"message": SAID, "api_key": "tb_0123456789"}}).encode()


def test_a_refusal_holds_none() -> None:
    body = json.dumps({"error": {"message": SAID, "type": "invalid_request_error"}}).encode()
    for refusal in (understand(body, status=401), understand(SAID.encode(), status=500)):
        assert refusal.message == "no such key: [key]"


def test_a_failed_attempt_holds_none() -> None:
    failed = AttemptFailedError(ErrorClass.UPSTREAM_ERROR, AttemptOutcome.FAILED, SAID)
    assert (failed.message, str(failed)) == ("no such key: [key]", "no such key: [key]")


def test_a_stream_that_breaks_with_an_error_frame_hides_them_and_stays_json() -> None:
    failed = StreamFailedError(FRAME, FRAME[6:], {"message": SAID})
    assert "0123456789" not in str(failed)
    assert failed.frame is not None
    assert json.loads(failed.frame[6:])["error"] == {
        "message": "no such key: [key]",
        "api_key": "[key]",
    }


def test_a_frame_that_is_too_long_to_be_looked_through_is_not_passed_on() -> None:
    assert StreamFailedError(FRAME + b"x" * 70_000, b"", "").frame is None


@given(st.dictionaries(WORDS, WORDS | BODY))
def test_json_stays_json(value: dict[str, str]) -> None:
    assert json.loads(hide_keys(json.dumps(value))).keys() or not value
