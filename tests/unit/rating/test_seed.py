from datetime import date

import pytest

from tollbridge.core.clock import to_text
from tollbridge.core.errors import ConfigurationError
from tollbridge.rating.seed import read_seed, seed_prices


def rates_of(provider: str) -> dict[str, dict[str, str]]:
    found: dict[str, dict[str, str]] = {}
    for price in seed_prices():
        if price.provider == provider:
            found.setdefault(price.model, {})[price.unit] = str(price.rate_usd)
    return found


def test_the_catalogue_has_the_models_of_openai() -> None:
    assert rates_of("openai") == {
        "gpt-4o-mini": {"input": "0.15", "output": "0.6", "cache_read": "0.075"},
        "gpt-4o": {"input": "2.5", "output": "1E+1", "cache_read": "1.25"},
        "gpt-4.1": {"input": "2", "output": "8", "cache_read": "0.5"},
        "gpt-5.1": {"input": "1.25", "output": "1E+1", "cache_read": "0.125"},
        "gpt-5.2": {"input": "1.75", "output": "14", "cache_read": "0.175"},
        "dall-e-3": {"image": "0.04"},
        "dall-e-2": {"image": "0.02"},
        "gpt-image-1": {"image": "0.042"},
        "gpt-image-1-mini": {"image": "0.011"},
        "text-embedding-3-small": {"input": "0.02"},
        "text-embedding-3-large": {"input": "0.13"},
        "text-embedding-ada-002": {"input": "0.1"},
    }


def test_the_catalogue_prices_the_sandbox() -> None:
    assert rates_of("sandbox") == {
        "sandbox-small": {"input": "0.15", "output": "0.6", "cache_read": "0.075"},
        "sandbox-large": {
            "input": "2.5",
            "output": "1E+1",
            "cache_read": "1.25",
            "audio_input": "4E+1",
            "audio_output": "8E+1",
        },
        "sandbox-embedding": {"input": "0.02"},
        "sandbox-rerank": {"input": "0.02"},
        "sandbox-image": {"image": "0.04"},
        "sandbox-video": {"video_ms": "0.1"},
        "sandbox-speech": {"character": "0.000015"},
        "sandbox-transcription": {"audio_ms": "0.0001"},
    }


def test_each_price_of_the_catalogue_has_a_source_and_a_day_and_has_always_held() -> None:
    for price in seed_prices():
        assert price.reference
        assert price.as_of is not None
        assert price.as_of > date(2025, 1, 1)
        assert (price.valid_from_us, price.valid_to_us) == (0, None)


TABLE = """
[[price]]
model = "m"
rates = {{ input = "{rate}" }}
source = "a list"
as_of = 2026-01-01
{more}
"""


def seed_of(*tables: tuple[str, str]) -> str:
    return 'provider = "p"\n' + "".join(TABLE.format(rate=rate, more=more) for rate, more in tables)


def test_a_price_ends_where_the_next_one_begins() -> None:
    text = seed_of(("2", "valid_from = 2026-03-01"), ("1", ""), ("3", "valid_from = 2026-05-01"))
    found = [
        (
            str(price.rate_usd),
            to_text(price.valid_from_us or 0)[:10],
            price.valid_to_us and to_text(price.valid_to_us)[:10],
        )
        for price in read_seed("p.toml", text)
    ]
    assert found == [
        ("1", "1970-01-01", "2026-03-01"),
        ("2", "2026-03-01", "2026-05-01"),
        ("3", "2026-05-01", None),
    ]


@pytest.mark.parametrize(
    ("text", "message"),
    [
        (seed_of(("1", ""), ("2", "")), r"p\.toml: m: rates\.input: priced twice"),
        (seed_of(("NaN", "")), r"p\.toml: m: rates\.input: "),
        (seed_of(("1", "colour = 1")), r"p\.toml: .*colour"),
        (seed_of(("1", "")).replace("input", "tokens"), r"p\.toml: m: rates\.tokens: no such unit"),
        (seed_of(("1", "")).replace('source = "a list"', ""), r"p\.toml: .*source"),
        ("provider =", r"p\.toml: "),
    ],
)
def test_a_catalogue_file_with_a_fault_is_refused_by_name(text: str, message: str) -> None:
    with pytest.raises(ConfigurationError, match=message):
        read_seed("p.toml", text)
