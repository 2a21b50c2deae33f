"""The priced vectors that providers publish or that were recorded from them.

Counts are given as the meter normalises them: inclusive, whole, milliseconds. Rates are US dollars
for the number that the vendor names.
"""

from decimal import Decimal
from typing import Any

import pytest

from tests.support.evidence import price_rows
from tollbridge.core.account import CostOrigin, Rated
from tollbridge.core.money import to_usd
from tollbridge.core.usage import Usage, UsageSource
from tollbridge.metering.charge import reported_charge
from tollbridge.metering.extract import extract
from tollbridge.rating.book import PriceBook
from tollbridge.rating.prices import PricePart, PriceRow
from tollbridge.rating.rate import rate
from tollbridge.rating.unit_names import find


def a_named_book(rates: dict[str, str], **changes: Any) -> PriceBook:
    """Return a book of one model, its rates by the names of the configuration or of a list."""
    rows: list[PriceRow] = []
    for name, text in rates.items():
        priced = find(name)
        assert priced is not None
        rows += price_rows("p", "m", {priced.unit: text}, per=priced.per, **changes)
    return PriceBook(PricePart(rows))


def rated(
    counts: dict[str, int], rates: dict[str, str], charge: str | None = None, **changes: Any
) -> Rated:
    usage = Usage(counts, UsageSource.REPORTED, (), charge)
    return rate(usage, "p", ("m",), 5, a_named_book(rates, **changes))


VECTORS = [
    pytest.param(
        {"input": 2006, "cache_read": 1920, "output": 300},
        {"input": "2.50", "cache_read": "1.25", "output": "10"},
        "0.005615",
        id="1-openai-gpt-4o-cached",
    ),
    pytest.param(
        {"input": 8, "output": 377, "reasoning": 320},
        {"input": "0.05", "cache_read": "0.005", "output": "0.40"},
        "0.0001512",
        id="2-openai-gpt-5-nano-reasoning",
    ),
    pytest.param(
        {"input": 2060, "cache_write": 2048, "cache_write_1h": 2048, "cache_read": 0, "output": 64},
        {
            "input": "3",
            "cache_write": "3.75",
            "cache_write_1h": "6",
            "cache_read": "0.30",
            "output": "15",
        },
        "0.013284",
        id="3-anthropic-cache-write-of-an-hour",
    ),
    pytest.param(
        {"input": 22397, "output": 637, "web_search": 2},
        {"input": "3", "output": "15", "web_searches_kcount": "10"},
        "0.096746",
        id="4-anthropic-web-searches",
    ),
    pytest.param(
        {"input": 9, "output": 272, "reasoning": 244},
        {"input": "2", "output": "12"},
        "0.003282",
        id="6-gemini-thoughts",
    ),
    pytest.param(
        {"input": 35, "output": 74},
        {"input": "0.30", "output": "2.50"},
        "0.0001955",
        id="7-gemini-hidden-thinking",
    ),
    pytest.param(
        {"input": 12, "cache_read": 2, "output": 229, "reasoning": 228},
        {"input": "0.30", "cache_read": "0.075", "output": "0.50"},
        "0.00011765",
        id="8-xai-grok-3-mini",
    ),
    pytest.param(
        {"input": 12, "cache_read": 11, "output": 291, "reasoning": 290},
        {"input": "0.30", "cache_read": "0.075", "output": "0.50"},
        "0.000146625",
        id="9-xai-grok-3-mini-cached",
    ),
    pytest.param(
        {"input": 78, "output": 37},
        {"input": "0.05", "output": "0.20"},
        "0.0000113",
        id="10-openrouter-gpt-oss-20b",
    ),
    pytest.param(
        {"input": 4020, "cache_write": 4012, "output": 5},
        {"input": "5", "cache_write": "6.25", "output": "30"},
        "0.025265",
        id="11-openrouter-cache-write",
    ),
    pytest.param(
        {"input": 10_000, "cache_read": 9000, "output": 500},
        {"input": "0.28", "cache_read": "0.028", "output": "0.42"},
        "0.000742",
        id="12-deepseek-hit-and-miss",
    ),
    pytest.param(
        {"input": 1, "output": 9},
        {"input": "2.5", "output": "10"},
        "0.0000925",
        id="13-cohere-billed-units",
    ),
    pytest.param({"search": 1}, {"1K_searches": "2.00"}, "0.002", id="14-cohere-rerank"),
    pytest.param(
        {"input": 50, "output": 4160, "image_output": 4160, "image": 1},
        {"1M_input_tokens": "5", "1M_output_image_tokens": "40"},
        "0.16665",
        id="15-gpt-image-1-high",
    ),
    pytest.param({"audio_ms": 37_000}, {"audio_minute": "0.006"}, "0.0037", id="16-whisper-1"),
    pytest.param({"character": 1234}, {"1M_characters": "15"}, "0.01851", id="17-tts-1"),
    pytest.param({"video_ms": 8000, "video": 1}, {"video_second": "0.50"}, "4", id="18-sora-2-pro"),
    pytest.param({"video_ms": 8000}, {"video_second": "0.12"}, "0.96", id="19-veo-3.1-fast"),
    pytest.param({"video_ms": 5000}, {"video_second": "0.10"}, "0.5", id="20-wavespeed-wan-2.5"),
    pytest.param({"character": 2500}, {"1K_characters": "0.05"}, "0.125", id="21-wavespeed-speech"),
    pytest.param({"image": 1}, {"image": "0.08"}, "0.08", id="22-stability-ultra"),
    pytest.param(
        {"image": 4, "compute_ms": 900}, {"image": "0.003"}, "0.012", id="23-flux-schnell"
    ),
    pytest.param(
        {"compute_ms": 12_500}, {"compute_second": "0.000975"}, "0.0121875", id="24-replicate-l40s"
    ),
    pytest.param({"character": 420}, {"1K_characters": "0.10"}, "0.042", id="25-elevenlabs"),
    pytest.param({"audio_ms": 90_000}, {"audio_hour": "0.04"}, "0.001", id="27-groq-whisper"),
]


@pytest.mark.parametrize(("counts", "rates", "cost_usd"), VECTORS)
def test_a_vector_costs_exactly_this(
    counts: dict[str, int], rates: dict[str, str], cost_usd: str
) -> None:
    found = rated(counts, rates)
    lines = sum(Decimal(line.amount_usd) for line in found.components)
    assert lines == Decimal(cost_usd)
    assert found.cost_nanousd is not None
    assert to_usd(found.cost_nanousd) == lines + Decimal(found.rounding_usd)


def test_vector_5_a_write_is_part_of_bedrocks_input_once() -> None:
    """Counted apart by the provider (22 + 2,492 + 13 = 2,527), inclusive with us."""
    rates = {"input": "1", "cache_write": "1", "output": "1"}
    found = rated({"input": 22 + 2492, "cache_write": 2492, "output": 13}, rates)
    assert sum(line.quantity for line in found.components) == 2527
    assert found.cost_nanousd == 2_527_000


@pytest.mark.parametrize(
    ("raw", "cost_usd"),
    [
        (
            {
                "prompt_tokens": 12,
                "completion_tokens": 1,
                "total_tokens": 241,
                "prompt_tokens_details": {"cached_tokens": 2},
                "completion_tokens_details": {"reasoning_tokens": 228},
                "cost_in_usd_ticks": 1_176_500,
            },
            "0.00011765",
        ),
        (
            {
                "prompt_tokens": 12,
                "completion_tokens": 1,
                "total_tokens": 303,
                "prompt_tokens_details": {"cached_tokens": 11},
                "completion_tokens_details": {"reasoning_tokens": 290},
                "cost_in_usd_ticks": 1_466_250,
            },
            "0.000146625",
        ),
    ],
)
def test_vectors_8_and_9_what_xai_charged_is_what_our_prices_give(
    raw: dict[str, Any], cost_usd: str
) -> None:
    counts, _ = extract("openai", raw, has_output=True)
    charge, _ = reported_charge("xai", raw)
    rates = {"input": "0.30", "cache_read": "0.075", "output": "0.50"}
    found = rated(counts, rates, charge)
    assert charge is not None
    assert Decimal(charge) == Decimal(cost_usd)
    assert found.origin is CostOrigin.REPORTED
    assert found.computed_nanousd == found.reported_nanousd
    assert "reported_difference" not in {line.unit for line in found.components}


def test_vector_16_whole_seconds_are_billed() -> None:
    """36.71 s are billed as 37, by the step of the price, not of the meter."""
    found = rated({"audio_ms": 36_710}, {"audio_minute": "0.006"}, quantity_step=1000)
    assert [(line.quantity, line.amount_usd) for line in found.components] == [(37_000, "0.0037")]


def test_vector_22_credits_are_priced_as_what_they_buy() -> None:
    """Eight credits of 0.01 USD are one image: one figure, in US dollars, per image."""
    assert rated({"image": 3}, {"image": "0.08"}).cost_nanousd == 240_000_000


def test_vector_26_what_was_charged_needs_no_price() -> None:
    """AIMLAPI bills 1,050,000 credits of 1/2,000,000 USD; the model has no price of ours."""
    charge = str(Decimal(1_050_000) / 2_000_000)
    found = rated({"video": 1}, {"input": "1"}, charge)
    assert (found.cost_nanousd, found.origin) == (525_000_000, CostOrigin.REPORTED)
    assert found.computed_nanousd is None


def test_ten_seconds_at_least_are_billed_where_the_price_says_so() -> None:
    rates = {"audio_hour": "0.04"}
    costs = [
        rated({"audio_ms": ms}, rates, quantity_min=10_000).cost_nanousd
        for ms in (1, 10_000, 20_000, 0)
    ]
    assert costs == [111_111, 111_111, 222_222, 0]


def test_an_hour_divides_into_no_decimal_and_its_line_is_rounded_to_1e_18() -> None:
    found = rated({"audio_ms": 1}, {"audio_hour": "0.04"})
    assert [line.amount_usd for line in found.components] == ["0.000000011111111111"]
    assert found.cost_nanousd == 11
