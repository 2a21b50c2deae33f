"""What a nominal call costs, for putting providers in order."""

from decimal import Decimal

import pytest

from tollbridge.rating.book import PriceBook
from tollbridge.rating.nominal import nominal_usd, prices_at
from tollbridge.rating.prices import PricePart, PriceRow

NOW_US = 1_767_225_600_000_000
LATER_US = NOW_US + 1_000_000


def row(model: str, unit: str, rate_usd: str, per: int, conditions: str = "") -> PriceRow:
    name = f"{model}-{unit}-{rate_usd}"
    return PriceRow(name, "p", model, unit, rate_usd, per, 0, None, "operator", conditions)


def book(*rows: PriceRow) -> PriceBook:
    return PriceBook(PricePart(list(rows)))


@pytest.mark.parametrize(
    ("category", "rows", "price"),
    [
        (
            "text",
            (row("m", "input", "0.15", 1_000_000), row("m", "output", "0.60", 1_000_000)),
            "0.0002625",
        ),
        ("image", (row("m", "image", "0.04", 1),), "0.04"),
        ("video", (row("m", "video_ms", "0.1", 1000),), "0.5"),
        ("audio", (row("m", "character", "0.015", 1000),), "0.015"),
        ("embedding", (row("m", "input", "0.02", 1_000_000),), "0.00002"),
        ("rerank", (row("m", "search", "0.002", 1),), "0.002"),
    ],
)
def test_a_nominal_call_has_a_price_in_each_category(
    category: str, rows: tuple[PriceRow, ...], price: str
) -> None:
    assert nominal_usd(book(*rows), "p", "m", category, NOW_US) == Decimal(price)


def test_no_price_is_not_known_and_not_nothing() -> None:
    assert nominal_usd(book(), "p", "m", "text", NOW_US) is None
    only_input = book(row("m", "input", "0.15", 1_000_000))
    assert nominal_usd(only_input, "p", "m", "text", NOW_US) is None
    assert nominal_usd(only_input, "p", "m", "search", NOW_US) is None


def test_the_price_is_that_of_the_instant() -> None:
    before = PriceRow("a", "p", "m", "image", "1", 1, 0, LATER_US, "operator")
    after = PriceRow("b", "p", "m", "image", "2", 1, LATER_US, None, "operator")
    both = book(before, after)
    assert prices_at(both, NOW_US)("p", "m", "image") == 1
    assert prices_at(both, LATER_US)("p", "m", "image") == 2


def test_a_very_cheap_call_is_not_rounded_to_nothing() -> None:
    cheap = book(row("m", "input", "0.000001", 1_000_000))
    price = nominal_usd(cheap, "p", "m", "embedding", NOW_US)
    assert price is not None
    assert price > 0
