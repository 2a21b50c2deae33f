import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.evidence import price_rows
from tollbridge.core.account import Rated
from tollbridge.core.errors import ConfigurationError
from tollbridge.core.usage import Usage, UsageSource
from tollbridge.rating.book import NAMES_MAX, PriceBook
from tollbridge.rating.matchers import can_meet, check_matcher, matches
from tollbridge.rating.prices import AliasRow, PricePart
from tollbridge.rating.rate import rate


@pytest.mark.parametrize(
    ("matcher", "name", "expected"),
    [
        ("gpt-4o", "gpt-4o", True),
        ("gpt-4o", "gpt-4o-mini", False),
        ("gpt-4o*", "gpt-4o", True),
        ("gpt-4o*", "gpt-4o-mini", True),
        ("*-mini", "gpt-4o-mini", True),
        ("*-mini", "gpt-4o-mini-tts", False),
        ("a*b*c", "axxbyyc", True),
        ("a.c*", "abc", False),
        ("[ab]*x", "[ab]1x", True),
    ],
)
def test_only_the_star_stands_for_something_else(
    matcher: str, name: str, *, expected: bool
) -> None:
    assert matches(matcher, name) is expected


@pytest.mark.parametrize("matcher", ["*", "**", "a**", "*a*b*c*d*e*f*g*h*i*"])
def test_a_matcher_that_says_nothing_or_too_much_is_refused(matcher: str) -> None:
    with pytest.raises(ConfigurationError, match=r"^price p: model: "):
        check_matcher("price p: model", matcher)


GLOB = st.text("ab*", max_size=5)


@given(one=GLOB, other=GLOB, name=st.text("ab", max_size=6))
@settings(deadline=None)
def test_two_matchers_of_one_name_are_known_to_meet(one: str, other: str, name: str) -> None:
    if matches(one, name) and matches(other, name):
        assert can_meet(one, other)
        assert can_meet(other, one)


@pytest.mark.parametrize(("one", "other"), [("a*c", "a*b"), ("x*", "y*"), ("a*b", "ab*c")])
def test_matchers_without_a_common_name_do_not_meet(one: str, other: str) -> None:
    assert not can_meet(one, other)


def a_catalogue(*models: str, aliases: tuple[tuple[str, str], ...] = ()) -> PriceBook:
    """Return a book in which a model's input costs its place in the list."""
    rows = [
        row
        for number, model in enumerate(models, 1)
        for row in price_rows("p", model, {"input": str(number)})
    ]
    return PriceBook(PricePart(rows, [AliasRow("p", alias, model) for alias, model in aliases]))


def price_of(book: PriceBook, model: str, provider: str = "p") -> str | None:
    tariff = book.find(provider, model, 5)
    return None if tariff is None else tariff.prices["input"].rate_usd


def test_a_name_beats_another_name_beats_the_longest_prefix_beats_the_sharpest_pattern() -> None:
    models = ("*-mini*x", "*4o-mini*x", "gpt-*", "gpt-4o-*", "gpt-4o-mini-x", "other")
    book = a_catalogue(*models, aliases=(("gpt-4o-mini-ax", "other"),))
    wanted = {
        "gpt-4o-mini-x": "5",
        "gpt-4o-mini-ax": "6",
        "gpt-4o-mini-2x": "4",
        "gpt-5": "3",
        "my-4o-mini-x": "2",
        "my-mini-x": "1",
        "claude": None,
    }
    assert {name: price_of(book, name) for name in wanted} == wanted


def test_a_family_of_another_provider_is_never_asked() -> None:
    assert price_of(a_catalogue("gpt-*"), "gpt-4o", provider="q") is None


def test_nobody_gets_the_price_of_a_family_by_its_pattern() -> None:
    book = a_catalogue("gpt-*", "a*b")
    assert [price_of(book, name) for name in ("gpt-*", "a*b")] == ["1", "2"]
    assert price_of(a_catalogue("gpt-4*"), "gpt-*") is None


def test_where_the_sharper_name_has_no_price_then_the_next_one_is_taken() -> None:
    rows = price_rows("p", "gpt-4o", {"input": "9"}, valid_from_us=100)
    rows += price_rows("p", "gpt-*", {"input": "1"})
    book = PriceBook(PricePart(rows))
    found = [book.find("p", "gpt-4o", at) for at in (99, 100)]
    assert [tariff and tariff.prices["input"].rate_usd for tariff in found] == ["1", "9"]


def test_other_names_are_found_in_any_case_and_models_only_as_they_are_written() -> None:
    book = a_catalogue("Qwen/Qwen3", aliases=(("qwen/qwen3-latest", "Qwen/Qwen3"),))
    assert price_of(book, "QWEN/Qwen3-Latest") == "1"
    assert price_of(book, "qwen/qwen3") is None


def test_an_alias_may_be_a_family_too() -> None:
    book = a_catalogue("m", "n", aliases=(("m-2024*", "m"), ("*:free*x", "n"), ("gone*", "nobody")))
    assert [price_of(book, name) for name in ("m-2024-07", "a:freeax", "gone-1")] == [
        "1",
        "2",
        None,
    ]


def test_two_patterns_with_the_same_claim_leave_a_model_unpriced_with_that_reason() -> None:
    book = a_catalogue("*ab*c", "*bc*c")
    usage = Usage({"input": 1}, UsageSource.REPORTED)
    assert price_of(book, "abcc") is None
    assert rate(usage, "p", ("abcc",), 5, book) == Rated(
        cost_nanousd=None, unpriced_reason="ambiguous price for p/abcc"
    )
    assert price_of(book, "xabxc") == "1"


def test_more_names_than_are_remembered_are_found_all_the_same() -> None:
    book = a_catalogue("gpt-*", "other")
    assert {price_of(book, f"gpt-{number}") for number in range(NAMES_MAX + 10)} == {"1"}
    assert price_of(book, "other") == "2"
