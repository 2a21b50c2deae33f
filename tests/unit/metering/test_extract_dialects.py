"""What the usage objects of each wire format come to, as providers publish or were seen to."""

from typing import Any

import pytest

from tollbridge.metering.charge import reported_charge
from tollbridge.metering.extract import extract, facts_of, merge_usage, usage_of_answer

VECTORS = [
    pytest.param(
        "openai",
        {
            "prompt_tokens": 2006,
            "completion_tokens": 300,
            "total_tokens": 2306,
            "prompt_tokens_details": {"cached_tokens": 1920},
        },
        {"input": 2006, "cache_read": 1920, "output": 300},
        id="1-openai-cached",
    ),
    pytest.param(
        "openai",
        {
            "prompt_tokens": 8,
            "completion_tokens": 377,
            "total_tokens": 385,
            "completion_tokens_details": {"reasoning_tokens": 320},
        },
        {"input": 8, "output": 377, "reasoning": 320},
        id="2-openai-reasoning-inside",
    ),
    pytest.param(
        "anthropic",
        {
            "input_tokens": 12,
            "cache_creation_input_tokens": 2048,
            "cache_read_input_tokens": 0,
            "cache_creation": {
                "ephemeral_5m_input_tokens": 0,
                "ephemeral_1h_input_tokens": 2048,
            },
            "output_tokens": 64,
            "output_tokens_details": {"thinking_tokens": 41},
            "server_tool_use": {"web_search_requests": 0, "web_fetch_requests": 0},
            "service_tier": "standard",
        },
        {
            "input": 2060,
            "cache_read": 0,
            "cache_write": 2048,
            "cache_write_1h": 2048,
            "output": 64,
            "reasoning": 41,
            "web_search": 0,
        },
        id="3-anthropic-written-for-an-hour",
    ),
    pytest.param(
        "gemini",
        {
            "promptTokenCount": 9,
            "candidatesTokenCount": 28,
            "thoughtsTokenCount": 244,
            "totalTokenCount": 281,
            "promptTokensDetails": [{"modality": "TEXT", "tokenCount": 9}],
        },
        {"input": 9, "output": 272, "reasoning": 244},
        id="6-gemini-thoughts-outside",
    ),
    pytest.param(
        "xai",
        {
            "prompt_tokens": 12,
            "completion_tokens": 1,
            "total_tokens": 241,
            "prompt_tokens_details": {"text_tokens": 12, "cached_tokens": 2},
            "completion_tokens_details": {"reasoning_tokens": 228},
        },
        {"input": 12, "cache_read": 2, "output": 229, "reasoning": 228},
        id="8-xai-reasoning-outside",
    ),
    pytest.param(
        "xai",
        {
            "prompt_tokens": 12,
            "completion_tokens": 1,
            "total_tokens": 303,
            "prompt_tokens_details": {"cached_tokens": 11},
            "completion_tokens_details": {"reasoning_tokens": 290},
        },
        {"input": 12, "cache_read": 11, "output": 291, "reasoning": 290},
        id="9-xai-cached",
    ),
    pytest.param(
        "openai",
        {"prompt_tokens": 78, "completion_tokens": 37, "total_tokens": 115, "cost": 0.0000113},
        {"input": 78, "output": 37},
        id="10-openrouter",
    ),
    pytest.param(
        "openai",
        {
            "input_tokens": 4020,
            "output_tokens": 5,
            "total_tokens": 4025,
            "input_tokens_details": {"cached_tokens": 0, "cache_write_tokens": 4012},
        },
        {"input": 4020, "cache_read": 0, "cache_write": 4012, "output": 5},
        id="11-openrouter-cache-write-inside",
    ),
    pytest.param(
        "openai",
        {
            "prompt_tokens": 10_000,
            "completion_tokens": 500,
            "total_tokens": 10_500,
            "prompt_cache_hit_tokens": 9000,
            "prompt_cache_miss_tokens": 1000,
        },
        {"input": 10_000, "cache_read": 9000, "output": 500},
        id="12-deepseek-hit-and-miss",
    ),
    pytest.param(
        "cohere",
        {
            "billed_units": {"input_tokens": 1, "output_tokens": 9},
            "tokens": {"input_tokens": 496, "output_tokens": 11},
        },
        {"input": 1, "output": 9},
        id="13-cohere-bills-its-units",
    ),
    pytest.param(
        "cohere", {"billed_units": {"search_units": 1}}, {"search": 1}, id="14-cohere-rerank"
    ),
    pytest.param(
        "openai",
        {
            "prompt_tokens": 64,
            "completion_tokens": 6,
            "total_tokens": 70,
            "num_cached_tokens": 32,
        },
        {"input": 64, "output": 6, "cache_read": 32},
        id="mistral",
    ),
    pytest.param(
        "openai",
        {"prompt_tokens": 16, "completion_tokens": 216, "total_tokens": 232, "cached_tokens": 0},
        {"input": 16, "output": 216, "cache_read": 0},
        id="together",
    ),
]


@pytest.mark.parametrize(("dialect", "raw", "counts"), VECTORS)
def test_a_usage_object_of_text_comes_to_exactly_these_counts(
    dialect: str, raw: dict[str, Any], counts: dict[str, int]
) -> None:
    assert extract(dialect, raw, has_output=dialect != "rerank" and "search" not in counts) == (
        counts,
        [],
    )


def test_vector_4_the_last_of_a_streams_usage_wins_and_nothing_is_added() -> None:
    start = {
        "input_tokens": 2068,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "cache_creation": {"ephemeral_5m_input_tokens": 0, "ephemeral_1h_input_tokens": 0},
        "output_tokens": 8,
        "service_tier": "standard",
    }
    end = {
        "input_tokens": 22397,
        "cache_creation_input_tokens": 0,
        "cache_read_input_tokens": 0,
        "output_tokens": 637,
        "server_tool_use": {"web_search_requests": 2, "web_fetch_requests": 0},
    }
    counts, flags = extract("anthropic", merge_usage(start, end), has_output=True)
    assert (counts["input"], counts["output"], counts["web_search"]) == (22397, 637, 2)
    assert flags == []


def test_an_older_answer_keeps_the_input_of_its_start() -> None:
    merged = merge_usage({"input_tokens": 25, "output_tokens": 1}, {"output_tokens": 15})
    assert extract("anthropic", merged, has_output=True) == ({"input": 25, "output": 15}, [])


def test_vector_7_what_geminis_openai_surface_hides_is_output() -> None:
    raw = {"prompt_tokens": 35, "completion_tokens": 12, "total_tokens": 109}
    assert extract("openai", raw, has_output=True) == (
        {"input": 35, "output": 74},
        ["unclassified_output"],
    )


def test_another_model_in_the_iterations_is_flagged() -> None:
    raw = {
        "input_tokens": 10,
        "output_tokens": 5,
        "iterations": [
            {"type": "message", "input_tokens": 10, "output_tokens": 5},
            {
                "type": "advisor_message",
                "model": "claude-opus-4-8",
                "input_tokens": 2543,
                "output_tokens": 18,
            },
        ],
    }
    assert extract("anthropic", raw, has_output=True) == (
        {"input": 10, "output": 5},
        ["other_model"],
    )
    raw["iterations"] = [{"type": "message", "input_tokens": 10, "output_tokens": 5}]
    assert extract("anthropic", raw, has_output=True)[1] == []


def test_a_cached_part_without_its_whole_is_no_input() -> None:
    raw = {"cache_read_input_tokens": 5, "output_tokens": 1}
    assert extract("anthropic", raw, has_output=True)[0] == {"cache_read": 5, "output": 1}


def test_a_refused_cache_count_is_not_added() -> None:
    raw = {"input_tokens": 5, "cache_read_input_tokens": -1, "output_tokens": 1}
    assert extract("anthropic", raw, has_output=True) == (
        {"input": 5, "output": 1},
        ["count_refused:cache_read_input_tokens"],
    )


@pytest.mark.parametrize(
    ("raw", "counts"),
    [
        # nothing visible: blocked, or all was thought
        ({"promptTokenCount": 9, "totalTokenCount": 9}, {"input": 9, "output": 0}),
        (
            {"promptTokenCount": 9, "thoughtsTokenCount": 20, "totalTokenCount": 29},
            {"input": 9, "output": 20, "reasoning": 20},
        ),
        # what tools put into the prompt is input beside the prompt
        (
            {
                "promptTokenCount": 59,
                "toolUsePromptTokenCount": 69,
                "candidatesTokenCount": 10,
                "totalTokenCount": 138,
            },
            {"input": 128, "output": 10},
        ),
        (
            {
                "promptTokenCount": 300,
                "cachedContentTokenCount": 100,
                "candidatesTokenCount": 1290,
                "totalTokenCount": 1590,
                "promptTokensDetails": [
                    {"modality": "TEXT", "tokenCount": 20},
                    {"modality": "IMAGE", "tokenCount": 258},
                    {"modality": "AUDIO", "tokenCount": 22},
                ],
                "cacheTokensDetails": [{"modality": "IMAGE", "tokenCount": 100}],
                "candidatesTokensDetails": [{"modality": "IMAGE", "tokenCount": 1290}],
            },
            {
                "input": 300,
                "cache_read": 100,
                "image_input": 258,
                "audio_input": 22,
                "cache_image_read": 100,
                "output": 1290,
                "image_output": 1290,
            },
        ),
    ],
)
def test_geminis_counts_are_made_inclusive(raw: dict[str, Any], counts: dict[str, int]) -> None:
    assert extract("gemini", raw, has_output=True) == (counts, [])


def test_an_embedding_of_gemini_has_no_output() -> None:
    raw = {"promptTokenCount": 3, "promptTokenDetails": [{"modality": "TEXT", "tokenCount": 3}]}
    assert extract("gemini", raw, has_output=False) == ({"input": 3}, [])


def test_a_modality_that_is_no_count_is_refused() -> None:
    raw = {
        "promptTokenCount": 3,
        "candidatesTokenCount": 1,
        "promptTokensDetails": [{"modality": "AUDIO", "tokenCount": "3"}, "x", {}],
    }
    assert extract("gemini", raw, has_output=True) == (
        {"input": 3, "output": 1},
        ["count_refused:promptTokensDetails"],
    )


@pytest.mark.parametrize(
    ("dialect", "answer"),
    [
        ("anthropic", {"type": "message", "usage": {"n": 1}}),
        ("anthropic", {"type": "message_start", "message": {"usage": {"n": 1}}}),
        ("anthropic", {"type": "message_delta", "delta": {}, "usage": {"n": 1}}),
        ("gemini", {"candidates": [], "usageMetadata": {"n": 1}}),
        ("cohere", {"type": "message-end", "delta": {"usage": {"n": 1}}}),
        ("xai", {"usage": {"n": 1}}),
    ],
)
def test_each_dialect_keeps_its_usage_somewhere_else(dialect: str, answer: dict[str, Any]) -> None:
    assert usage_of_answer(dialect, answer) == {"n": 1}


def test_the_tier_that_served_is_a_fact_however_it_is_written() -> None:
    assert facts_of({"service_tier": "priority"}) == {"service_tier": "priority"}
    assert facts_of({"serviceTier": "FLEX"}) == {"service_tier": "flex"}
    assert facts_of({"serviceTier": 7}) == {}


@pytest.mark.parametrize(
    ("raw", "charge"),
    [
        ({"usd_spent": 0.00124, "credits_used": 2480}, ("0.00124", None)),
        ({"usd_spent": "0.001240000"}, ("0.001240000", None)),
        ({"credits_used": 1_050_000}, ("0.5250000", None)),
        ({"tokens_used": 2}, ("0.0000010", None)),
        ({"credits_used": "many"}, (None, "charge_refused")),
        ({"prompt_tokens": 1}, (None, None)),
    ],
)
def test_vector_26_aimlapi_says_what_it_charged_in_dollars_or_credits(
    raw: dict[str, Any], charge: tuple[str | None, str | None]
) -> None:
    assert reported_charge("aimlapi", raw) == charge
