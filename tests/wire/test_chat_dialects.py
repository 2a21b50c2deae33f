"""Answers of Anthropic and Gemini, as they stand in their references → usage → who → cost."""

from decimal import Decimal
from pathlib import Path
from typing import Any

import msgspec
import pytest

from tests.support.chats import MINIMAL, asked, passed, translated
from tests.support.evidence import NOW_US, a_book, a_closed, an_attempt, an_opened
from tollbridge.attribution.attribute import attribute_attempt
from tollbridge.attribution.ruling import builtin_rules
from tollbridge.core.account import Confidence
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.core.money import to_usd
from tollbridge.core.usage import UsageSource
from tollbridge.metering.estimate import EstimateRules
from tollbridge.metering.meter import meter
from tollbridge.providers.dialects.anthropic import AnthropicWire
from tollbridge.providers.dialects.gemini import GeminiWire
from tollbridge.providers.wire import Wire
from tollbridge.rating.rate import rate

FOLDER = Path(__file__).parent / "chat"
WIRES: dict[str, Wire] = {"anthropic": AnthropicWire(), "gemini": GeminiWire()}
CLAUDE = {
    "id": "msg_01",
    "type": "message",
    "role": "assistant",
    "model": "claude-sonnet-4-5-20250929",
    "content": [{"type": "text", "text": "Hello."}],
    "stop_reason": "end_turn",
    "usage": {
        "input_tokens": 12,
        "cache_creation_input_tokens": 2048,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 2048},
        "output_tokens": 64,
        "server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 0},
        "service_tier": "standard",
        "inference_geo": "global",
    },
}
GEMINI = {
    "candidates": [
        {
            "content": {"role": "model", "parts": [{"text": "Three."}]},
            "finishReason": "STOP",
            "index": 0,
        }
    ],
    "usageMetadata": {
        "promptTokenCount": 9,
        "candidatesTokenCount": 28,
        "thoughtsTokenCount": 244,
        "totalTokenCount": 281,
        "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 9}],
    },
    "modelVersion": "gemini-3-pro-preview",
    "responseId": "Un6LacrVMcjUxs0PmJfWoQc",
}
CLAUDE_RATES = {
    "input": "3",
    "cache_write": "3.75",
    "cache_write_1h": "6",
    "cache_read": "0.30",
    "output": "15",
}
WHOLE: list[tuple[str, str, dict[str, Any], dict[str, str], str]] = [
    ("anthropic", "anthropic", CLAUDE, CLAUDE_RATES, "0.013284"),
    ("gemini", "google", GEMINI, {"input": "2", "output": "12"}, "0.003282"),
]


def cost_of(attempt: AttemptEvidence, rates: dict[str, str], *, stream: bool = False) -> Decimal:
    """Return what an attempt costs, after checking that all of it was reported and is known."""
    opened = an_opened(stream=stream)
    usage = meter(attempt, opened, a_closed(), EstimateRules())
    assert (usage.source, usage.flags) == (UsageSource.REPORTED, ())
    found = attribute_attempt(attempt, builtin_rules())
    assert (found.provider, found.confidence) == (attempt.provider, Confidence.OBSERVED)
    book = a_book(attempt.provider, attempt.model, rates)
    rated = rate(usage, attempt.provider, (attempt.model,), NOW_US, book)
    assert rated.cost_nanousd is not None
    return to_usd(rated.cost_nanousd)


@pytest.mark.parametrize("face", ["openai", "anthropic", "gemini", "responses"])
@pytest.mark.parametrize(("wire", "provider", "answer", "rates", "cost_usd"), WHOLE)
def test_a_whole_answer_costs_the_same_in_whatever_format_it_was_asked(
    face: str,
    wire: str,
    provider: str,
    answer: dict[str, Any],
    rates: dict[str, str],
    cost_usd: str,
) -> None:
    answered = WIRES[wire].read(asked(face, MINIMAL[face]), {}, msgspec.json.encode(answer)).answer
    attempt = an_attempt(
        provider=provider,
        dialect=wire,
        model="m",
        usage=answered.usage,
        served_model=answered.served_model,
        response_id=answered.response_id,
    )
    assert cost_of(attempt, rates) == Decimal(cost_usd)


@pytest.mark.parametrize("face", ["openai", "anthropic", "gemini", "responses"])
def test_vector_4_a_stream_of_claude_with_two_searches_costs_its_last_usage(face: str) -> None:
    stream = (FOLDER / "claude_web_search.sse").read_bytes()
    request = asked(face, MINIMAL[face], stream=True)
    if face == "anthropic":
        _, seen = passed(WIRES["anthropic"], request, [stream])
    else:
        _, seen = translated(request, "anthropic", [stream])
    attempt = an_attempt(
        provider="anthropic", dialect="anthropic", model="m", usage=seen.usage, chunks=seen.chunks
    )
    rates = {"input": "3", "output": "15", "cache_write": "3.75", "cache_read": "0.30"}
    with_search = {**rates, "web_search": "0.01"}
    assert cost_of(attempt, with_search, stream=True) == Decimal("0.096746")


def test_a_stream_of_gemini_costs_what_its_last_chunk_says() -> None:
    early = {**GEMINI, "usageMetadata": {"promptTokenCount": 9, "totalTokenCount": 9}}
    stream = b"".join([b"data: %b\r\n\r\n" % msgspec.json.encode(one) for one in (early, GEMINI)])
    _, seen = passed(WIRES["gemini"], asked("gemini", MINIMAL["gemini"], stream=True), [stream])
    attempt = an_attempt(provider="google", dialect="gemini", model="m", usage=seen.usage)
    assert cost_of(attempt, {"input": "2", "output": "12"}, stream=True) == Decimal("0.003282")
