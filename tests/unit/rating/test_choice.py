"""Which of several prices of a unit is a call's: facts, tiers, brackets, hours of the day."""

from datetime import datetime
from decimal import Decimal
from zoneinfo import ZoneInfo

import pytest

from tests.support.evidence import price_rows
from tollbridge.core.account import Rated
from tollbridge.core.clock import to_us
from tollbridge.core.usage import Usage, UsageSource
from tollbridge.rating.book import PriceBook
from tollbridge.rating.conditions import canonical
from tollbridge.rating.prices import PricePart, PriceRow
from tollbridge.rating.rate import rate

NOON_US = to_us(datetime.fromisoformat("2026-03-01T12:00:00+00:00"))


def rows(rates: dict[str, str], **conditions: str | int) -> list[PriceRow]:
    return price_rows("p", "m", rates, conditions=canonical("p", conditions))


def rated(
    book: list[PriceRow],
    counts: dict[str, int],
    facts: dict[str, str] | None = None,
    at_us: int = NOON_US,
) -> Rated:
    usage = Usage(counts, UsageSource.REPORTED, facts=facts or {})
    return rate(usage, "p", ("m",), at_us, PriceBook(PricePart(book)))


def lines(found: Rated) -> list[tuple[str, int, str]]:
    return [(line.unit, line.quantity, line.rate_usd) for line in found.components]


IMAGES = [
    *rows({"image": "0.04"}),
    *rows({"image": "0.08"}, size="1792x1024"),
    *rows({"image": "0.08"}, quality="hd"),
    *rows({"image": "0.12"}, size="1792x1024", quality="hd"),
]


@pytest.mark.parametrize(
    ("facts", "usd"),
    [
        ({}, "0.04"),
        ({"size": "1024x1024", "quality": "standard"}, "0.04"),
        ({"size": "1792x1024"}, "0.08"),
        ({"size": "1024x1024", "quality": "hd"}, "0.08"),
        ({"size": "1792x1024", "quality": "hd"}, "0.12"),
    ],
)
def test_the_price_that_matches_most_facts_is_taken(facts: dict[str, str], usd: str) -> None:
    assert lines(rated(IMAGES, {"image": 2}, facts)) == [("image", 2, usd)]


def test_of_two_that_match_equally_the_first_in_the_alphabet_is_taken() -> None:
    book = [*rows({"image": "1"}, size="s"), *rows({"image": "2"}, quality="q")]
    for order in (book, book[::-1]):
        assert lines(rated(order, {"image": 1}, {"size": "s", "quality": "q"})) == [
            ("image", 1, "2")
        ]


def test_a_model_that_has_only_conditional_prices_is_unpriced_without_the_facts() -> None:
    book = rows({"image": "0.167"}, size="1024x1024", quality="high")
    assert rated(book, {"image": 1}).unpriced_reason == "no price for image (p/m)"


def test_the_tier_that_served_is_priced_and_an_unknown_one_as_the_default() -> None:
    book = [
        *rows({"input": "2", "output": "8"}),
        *rows({"input": "1", "output": "4"}, service_tier="flex"),
        *rows({"input": "4"}, service_tier="priority"),
    ]
    counts = {"input": 1_000_000, "output": 1_000_000}
    costs = [
        rated(book, counts, {"service_tier": tier}).cost_nanousd
        for tier in ("flex", "priority", "default", "scale")
    ]
    assert costs == [5 * 10**9, 12 * 10**9, 10 * 10**9, 10 * 10**9]


CLIFF = [
    *rows({"input": "1.25", "cache_read": "0.125", "output": "10"}),
    *rows({"input": "2.5", "output": "15"}, input_above=200_000),
    *rows({"input": "5"}, input_above=500_000),
]


@pytest.mark.parametrize(
    ("tokens", "input_rate", "output_rate"),
    [
        (199_999, "1.25", "10"),
        (200_000, "1.25", "10"),
        (200_001, "2.5", "15"),
        (500_000, "2.5", "15"),
        (500_001, "5", "15"),
    ],
)
def test_past_a_cliff_all_tokens_of_the_call_have_its_rate(
    tokens: int, input_rate: str, output_rate: str
) -> None:
    found = rated(CLIFF, {"input": tokens, "output": 10})
    assert lines(found) == [("input", tokens, input_rate), ("output", 10, output_rate)]


def test_the_cliff_counts_cached_tokens_and_they_keep_their_own_price() -> None:
    found = rated(CLIFF, {"input": 200_001, "cache_read": 200_000, "output": 0})
    assert lines(found) == [("input", 1, "2.5"), ("cache_read", 200_000, "0.125")]


GRADED = [
    *rows({"input": "3"}),
    *rows({"input": "2"}, graduated_above=1000),
    *rows({"input": "1"}, graduated_above=5000),
]


@pytest.mark.parametrize(
    ("tokens", "expected"),
    [
        (1000, [("input", 1000, "3")]),
        (1001, [("input", 1000, "3"), ("input", 1, "2")]),
        (5000, [("input", 1000, "3"), ("input", 4000, "2")]),
        (7000, [("input", 1000, "3"), ("input", 4000, "2"), ("input", 2000, "1")]),
    ],
)
def test_in_graduated_brackets_each_token_has_the_rate_of_its_own(
    tokens: int, expected: list[tuple[str, int, str]]
) -> None:
    found = rated(GRADED, {"input": tokens})
    assert lines(found) == expected
    total = sum(Decimal(line.amount_usd) for line in found.components)
    assert total + Decimal(found.rounding_usd) == Decimal(found.cost_nanousd or 0).scaleb(-9)


def test_brackets_that_do_not_begin_at_the_first_token_leave_it_unpriced() -> None:
    book = rows({"input": "1"}, graduated_above=1000)
    assert rated(book, {"input": 7}).unpriced_reason == (
        "no price for the first 1000 of input (p/m)"
    )


DEEPSEEK = [
    *rows({"input": "0.27", "output": "1.10"}),
    *rows({"input": "0.135", "output": "0.55"}, hours="16:30-00:30"),
]


@pytest.mark.parametrize(
    ("time", "input_rate"),
    [
        ("2025-03-01T16:29:59.999999", "0.27"),
        ("2025-03-01T16:30:00", "0.135"),
        ("2025-03-01T23:59:59.999999", "0.135"),
        ("2025-03-02T00:00:00", "0.135"),
        ("2025-03-02T00:29:59.999999", "0.135"),
        ("2025-03-02T00:30:00", "0.27"),
        ("2025-03-02T12:00:00", "0.27"),
    ],
)
def test_a_price_of_the_night_holds_across_midnight(time: str, input_rate: str) -> None:
    at_us = to_us(datetime.fromisoformat(f"{time}+00:00"))
    assert lines(rated(DEEPSEEK, {"input": 1}, at_us=at_us)) == [("input", 1, input_rate)]


BERLIN = ZoneInfo("Europe/Berlin")


@pytest.mark.parametrize(
    ("utc", "is_cheap"),
    [
        # 29 March 2026: 01:59 CET is followed by 03:00 CEST.
        ("2026-03-28T21:00", True),  # 22:00 CET
        ("2026-03-29T00:59", True),  # 01:59 CET
        ("2026-03-29T01:00", True),  # 03:00 CEST
        ("2026-03-29T03:59", True),  # 05:59 CEST
        ("2026-03-29T04:00", False),  # 06:00 CEST; in winter it would be 05:00
        ("2026-03-29T19:59", False),  # 21:59 CEST
        ("2026-03-29T20:00", True),  # 22:00 CEST
        # 25 October 2026: 02:59 CEST is followed by 02:00 CET.
        ("2026-10-25T00:30", True),  # 02:30 CEST
        ("2026-10-25T01:30", True),  # 02:30 CET
        ("2026-10-25T04:59", True),  # 05:59 CET
        ("2026-10-25T05:00", False),  # 06:00 CET
    ],
)
def test_hours_are_those_of_the_zones_clocks_in_summer_and_winter(
    utc: str, *, is_cheap: bool
) -> None:
    book = [
        *rows({"input": "2"}),
        *rows({"input": "1"}, hours="22:00-06:00", zone="Europe/Berlin"),
    ]
    at_us = to_us(datetime.fromisoformat(f"{utc}+00:00"))
    assert lines(rated(book, {"input": 1}, at_us=at_us)) == [("input", 1, "1" if is_cheap else "2")]


def test_in_a_group_the_hour_goes_before_the_tier() -> None:
    book = [
        *rows({"input": "4"}, input_above=10),
        *rows({"input": "1"}, hours="11:00-13:00"),
        *rows({"input": "2"}, hours="11:00-13:00", input_above=100),
    ]
    assert lines(rated(book, {"input": 50})) == [("input", 50, "1")]
    assert lines(rated(book, {"input": 101})) == [("input", 101, "2")]
    assert lines(rated(book, {"input": 50}, at_us=NOON_US + 3_600_000_000)) == [("input", 50, "4")]


def test_a_group_of_which_nothing_holds_now_gives_way_to_the_next() -> None:
    book = [*rows({"input": "2"}), *rows({"input": "1"}, service_tier="flex", input_above=100)]
    assert lines(rated(book, {"input": 5}, {"service_tier": "flex"})) == [("input", 5, "2")]


def test_a_part_that_is_priced_only_for_some_calls_is_billed_in_its_whole_for_the_others() -> None:
    book = [*rows({"input": "2"}), *rows({"cache_read": "1"}, service_tier="flex")]
    counts = {"input": 10, "cache_read": 4}
    assert lines(rated(book, counts)) == [("input", 10, "2")]
    assert lines(rated(book, counts, {"service_tier": "flex"})) == [
        ("input", 6, "2"),
        ("cache_read", 4, "1"),
    ]


def test_the_rating_says_where_its_prices_are_from_and_the_seed_if_any_of_them_is() -> None:
    listed = price_rows("p", "m", {"input": "1"}, source="sync")
    book = [*listed, *price_rows("p", "m", {"output": "1"})]
    assert rated(book, {"input": 1}).source == "database"
    assert rated(book, {"input": 1, "output": 1}).source == "seed"
    assert rated(listed, {"input": 1}).source == "database"
