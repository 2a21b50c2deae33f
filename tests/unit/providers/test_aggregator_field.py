"""Whom an aggregator names in its answer is kept, whole or streamed."""

from pathlib import Path

import pytest

from tests.support.evidence import begun
from tollbridge.metering.extract import merge_usage
from tollbridge.providers.dialects.openai import OpenAIWire
from tollbridge.providers.dialects.openai_stream import OpenAIStream

RECORDED = Path(__file__).parents[2] / "wire" / "openai"


def test_a_whole_answer_s_field_is_kept() -> None:
    assert (
        OpenAIWire()
        .read_answer((RECORDED / "openrouter_chat.json").read_bytes())
        .aggregator_provider
    )
    assert (
        OpenAIWire().read_answer((RECORDED / "chat.json").read_bytes()).aggregator_provider is None
    )


def test_a_stream_s_first_frame_names_it() -> None:
    attempt = begun(provider="openrouter")
    stream = OpenAIStream(attempt, shows_usage=True, merge_usage=merge_usage)
    stream.first((RECORDED / "openrouter_stream.sse").read_bytes())
    assert attempt.aggregator_provider


@pytest.mark.parametrize("value", [b'{"name": "x"}', b"7", b"null", b'""', b"[]"])
def test_what_is_no_name_is_not_kept(value: bytes) -> None:
    body = b'{"choices": [], "provider": %b}' % value
    assert OpenAIWire().read_answer(body).aggregator_provider is None
