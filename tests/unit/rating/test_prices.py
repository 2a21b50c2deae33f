from decimal import Decimal
from typing import Any

import pytest

from tollbridge.core.errors import ConfigurationError
from tollbridge.rating.prices import FilePrice, read_file_prices, read_rate


@pytest.mark.parametrize(
    ("text", "rate"),
    [
        ("0.15", "0.15"),
        ("0.60", "0.6"),
        (" 2.50 ", "2.5"),
        ("0", "0"),
        ("0e5000000", "0"),
        ("1e-12", "0.000000000001"),
        ("1000000", "1000000"),
        (3, "3"),
        (Decimal("0.075"), "0.075"),
    ],
)
def test_a_rate_is_read_exactly(text: object, rate: str) -> None:
    assert f"{read_rate('rates.input', text):f}" == rate


@pytest.mark.parametrize(
    "value",
    [
        "NaN",
        "sNaN",
        "Infinity",
        "-Infinity",
        "-0.01",
        "1000000.01",
        "1e400",
        "1e-13",
        "1e-5000000",
        "0.15 USD",
        "",
        "1" * 41,
        0.15,
        True,
        None,
        ["0.15"],
    ],
)
def test_what_is_no_rate_is_refused_with_the_name_of_its_field(value: object) -> None:
    with pytest.raises(ConfigurationError, match=r"^price local/m: rates\.input: "):
        read_rate("price local/m: rates.input", value)


def declared(*prices: tuple[str, str, dict[str, Any]]) -> list[tuple[str, str, str, int]]:
    found = read_file_prices(FilePrice(*price) for price in prices)
    return [(price.model, price.unit, str(price.rate_usd), price.per) for price in found]


def test_a_price_of_the_file_is_per_million_tokens_and_per_request() -> None:
    rates = {"input": "0.15", "cache_read": "0.075", "request": "0.002"}
    assert declared(("local", "m", rates)) == [
        ("m", "input", "0.15", 1_000_000),
        ("m", "cache_read", "0.075", 1_000_000),
        ("m", "request", "0.002", 1),
    ]


def test_a_price_of_the_file_is_per_image_per_second_per_character() -> None:
    rates = {
        "image": "0.04",
        "video_second": "0.1",
        "audio_minute": "0.006",
        "character": "0.00001",
    }
    assert declared(("local", "m", rates)) == [
        ("m", "image", "0.04", 1),
        ("m", "video_ms", "0.1", 1000),
        ("m", "audio_ms", "0.006", 60_000),
        ("m", "character", "0.00001", 1),
    ]


def test_one_unit_under_two_names_is_refused() -> None:
    with pytest.raises(
        ConfigurationError, match=r"rates\.audio_hour: the same unit as audio_second"
    ):
        declared(("local", "m", {"audio_second": "1", "audio_hour": "3600"}))


@pytest.mark.parametrize("unit", ["inputs", "INPUT", "video_ms", "1M_input_tokens"])
def test_an_unknown_unit_is_named(unit: str) -> None:
    with pytest.raises(ConfigurationError, match=rf"price local/m: rates\.{unit}: no such unit"):
        declared(("local", "m", {unit: "1"}))


def test_a_bad_rate_of_the_file_is_named() -> None:
    with pytest.raises(ConfigurationError, match=r"price local/m: rates\.output: -1 is negative"):
        declared(("local", "m", {"input": "1", "output": "-1"}))


def test_a_model_priced_twice_or_not_at_all_is_refused() -> None:
    with pytest.raises(ConfigurationError, match="price local/m: declared twice"):
        declared(("local", "m", {"input": "1"}), ("local", "m", {"output": "1"}))
    with pytest.raises(ConfigurationError, match="price local/m: rates: no rate"):
        declared(("local", "m", {}))


@pytest.mark.parametrize(("provider", "model"), [("", "m"), ("local", ""), ("local", "m" * 201)])
def test_names_that_cannot_be_kept_are_refused(provider: str, model: str) -> None:
    with pytest.raises(ConfigurationError, match="1 to 200 characters"):
        declared((provider, model, {"input": "1"}))
