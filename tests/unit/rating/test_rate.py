from decimal import Decimal

import pytest

from tests.support.evidence import a_book, price_rows
from tollbridge.core.account import CostComponent, CostOrigin, Rated
from tollbridge.core.usage import NO_USAGE, Usage, UsageSource
from tollbridge.rating.book import PriceBook
from tollbridge.rating.prices import PricePart
from tollbridge.rating.rate import cost_of, rate

MINI = {"input": "0.15", "output": "0.60"}


def rated(
    counts: dict[str, int],
    rates: dict[str, str] = MINI,
    *,
    models: tuple[str, ...] = ("m",),
    charge: str | None = None,
    source: UsageSource = UsageSource.REPORTED,
) -> Rated:
    usage = Usage(counts, source, (), charge)
    return rate(usage, "p", models, 5, a_book("p", "m", rates))


@pytest.mark.parametrize(
    ("counts", "rates", "cost"),
    [
        ({"input": 2518, "output": 242}, MINI, 522_900),
        ({"input": 1000, "output": 500}, MINI, 450_000),
        (
            {"input": 2006, "cache_read": 1920, "output": 300},
            {"input": "2.50", "cache_read": "1.25", "output": "10"},
            5_615_000,
        ),
        (
            {"input": 8, "output": 377, "reasoning": 320},
            {"input": "0.05", "output": "0.4"},
            151_200,
        ),
        ({"input": 78, "output": 37}, {"input": "0.05", "output": "0.20"}, 11_300),
        (
            {"input": 10_000, "cache_read": 9000, "output": 500},
            {"input": "0.28", "cache_read": "0.028", "output": "0.42"},
            742_000,
        ),
    ],
)
def test_these_calls_cost_exactly_this(
    counts: dict[str, int], rates: dict[str, str], cost: int
) -> None:
    assert rated(counts, rates).cost_nanousd == cost


def test_a_rating_shows_its_lines_and_where_the_prices_come_from() -> None:
    assert rated({"input": 2518, "output": 242}) == Rated(
        cost_nanousd=522_900,
        origin=CostOrigin.COMPUTED,
        computed_nanousd=522_900,
        components=(
            CostComponent("input", 2518, "0.15", 1_000_000, "0.00037770", "p/m/input"),
            CostComponent("output", 242, "0.60", 1_000_000, "0.0001452", "p/m/output"),
        ),
        source="seed",
    )


def test_a_cached_token_without_a_price_of_its_own_is_billed_as_input() -> None:
    assert rated({"input": 10, "cache_read": 9, "output": 0}).cost_nanousd == 1500


def test_reasoning_with_a_price_of_its_own_is_taken_out_of_the_output() -> None:
    counts = {"input": 0, "output": 10, "reasoning": 4}
    assert rated(counts, {**MINI, "reasoning": "1"}).cost_nanousd == 6 * 600 + 4 * 1000


def test_zero_tokens_cost_zero_and_make_no_line() -> None:
    found = rated({"input": 0, "output": 0})
    assert (found.cost_nanousd, found.origin, found.components) == (0, CostOrigin.COMPUTED, ())


def test_a_count_of_zero_needs_no_price() -> None:
    assert rated({"input": 10, "output": 0}, {"input": "0.15"}).cost_nanousd == 1500


@pytest.mark.parametrize(
    ("counts", "rates", "reason"),
    [
        ({"input": 1, "output": 1}, {"input": "1"}, "no price for output (p/m)"),
        ({"image": 1}, MINI, "no price for image (p/m)"),
        (
            {"input": 5, "cache_read": 6, "output": 1},
            {**MINI, "cache_read": "0.1"},
            "negative part: input -1 (p/m)",
        ),
        (
            {"cache_read": 6, "output": 1},
            {**MINI, "cache_read": "0.1"},
            "cache_read without input (p/m)",
        ),
        ({"reasoning": 6, "input": 1}, MINI, "reasoning without output (p/m)"),
        (
            {"input": 10**12, "output": 10**12},
            {"input": "1000000", "output": "1000000"},
            "absurd cost: over 1000000000 USD (p/m)",
        ),
    ],
)
def test_what_cannot_be_priced_costs_nobody_knows_what_and_says_why(
    counts: dict[str, int], rates: dict[str, str], reason: str
) -> None:
    assert rated(counts, rates) == Rated(cost_nanousd=None, unpriced_reason=reason)
    usage = Usage(counts, UsageSource.REPORTED)
    assert cost_of(usage, "p", ("m",), 5, a_book("p", "m", rates)) is None


def test_without_usage_the_cost_is_unknown() -> None:
    found = rate(NO_USAGE, "p", ("m",), 5, a_book("p", "m", MINI))
    assert found == Rated(cost_nanousd=None, unpriced_reason="no usage")


def test_without_a_price_the_cost_is_unknown_never_zero() -> None:
    found = rated({"input": 0, "output": 0}, models=("m-2024", "n"))
    assert found == Rated(cost_nanousd=None, unpriced_reason="no price for p/m-2024 or p/n")


def test_before_its_first_window_a_model_has_no_price() -> None:
    book = PriceBook(PricePart(rows=price_rows("p", "m", MINI, valid_from_us=10)))
    usage = Usage({"input": 1, "output": 1}, UsageSource.REPORTED)
    assert rate(usage, "p", ("m",), 9, book).cost_nanousd is None
    assert rate(usage, "p", ("m",), 10, book).cost_nanousd == 750


def test_a_dated_snapshot_without_a_price_costs_what_was_asked_for() -> None:
    counts = {"input": 2518, "output": 242}
    assert rated(counts, models=("m-2024-07-18", "m")).cost_nanousd == 522_900


def test_the_served_model_is_priced_before_the_requested_one() -> None:
    rows = price_rows("p", "big", {"input": "9", "output": "9"}) + price_rows("p", "small", MINI)
    usage = Usage({"input": 1000, "output": 500}, UsageSource.REPORTED)
    found = rate(usage, "p", ("small", "big"), 5, PriceBook(PricePart(rows=rows)))
    assert found.cost_nanousd == 450_000


def test_an_attempt_that_owes_nothing_costs_zero_even_without_a_price() -> None:
    found = rate(NO_USAGE, "p", (), 5, PriceBook(PricePart(rows=[])), nothing_owed=True)
    assert found == Rated(cost_nanousd=0, origin=CostOrigin.NOTHING_OWED)


def test_a_request_has_a_price_of_its_own_once() -> None:
    found = rated({"input": 1000, "output": 0}, {**MINI, "request": "0.002"})
    assert found.cost_nanousd == 150_000 + 2_000_000


@pytest.mark.parametrize(
    ("tokens", "cost", "rounding"),
    [
        (1, 0, "-0.00000000015"),
        (10, 2, "0.0000000005"),  # 1.5 is as near to 1 as to 2: to the even one
        (30, 4, "-0.0000000005"),  # 4.5 likewise
        (20, 3, "0"),
    ],
)
def test_a_cost_is_rounded_once_half_to_even_and_the_rounding_is_a_line(
    tokens: int, cost: int, rounding: str
) -> None:
    found = rated({"input": tokens, "output": 0}, {"input": "0.00015", "output": "1"})
    assert found.cost_nanousd == cost
    assert Decimal(found.rounding_usd) == Decimal(rounding)


def test_parts_of_a_nano_dollar_are_added_before_they_are_rounded() -> None:
    rates = {"input": "0.0004", "output": "0.0004"}
    assert rated({"input": 1, "output": 1}, rates).cost_nanousd == 1


def test_what_the_provider_charged_is_the_cost_and_our_figure_is_kept() -> None:
    found = rated({"input": 2518, "output": 242}, charge="0.0006000001")
    assert (found.cost_nanousd, found.reported_nanousd) == (600_000, 600_000)
    assert (found.computed_nanousd, found.origin) == (522_900, CostOrigin.REPORTED)
    assert found.components[-1] == CostComponent(
        "reported_difference", 1, "0.0000771001", 1, "0.0000771001", ""
    )
    assert Decimal(found.rounding_usd) == Decimal("-1e-10")


def test_a_charge_without_a_price_of_ours_is_still_the_cost() -> None:
    found = rated({"input": 5}, {"output": "1"}, charge="0.25")
    assert (found.cost_nanousd, found.computed_nanousd) == (250_000_000, None)
    assert found.unpriced_reason is None
    assert [component.amount_usd for component in found.components] == ["0.25"]


def test_a_charge_of_zero_is_zero() -> None:
    found = rated({}, charge="0", source=UsageSource.NONE)
    assert (found.cost_nanousd, found.origin, found.components) == (0, CostOrigin.REPORTED, ())
