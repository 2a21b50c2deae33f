from collections.abc import Sequence

import msgspec
import pytest

from tests.support.evidence import price_rows
from tollbridge.core.errors import ConfigurationError
from tollbridge.rating.book import PriceBook
from tollbridge.rating.prices import PricePart, PriceRow


def book_of(*groups: Sequence[PriceRow]) -> PriceBook:
    return PriceBook(PricePart(rows=[row for rows in groups for row in rows]))


def rates_at(book: PriceBook, at_us: int) -> dict[str, str] | None:
    tariff = book.find("p", "m", at_us)
    return None if tariff is None else {u: price.rate_usd for u, price in tariff.prices.items()}


def test_the_window_of_a_price_is_half_open() -> None:
    book = book_of(price_rows("p", "m", {"input": "1"}, valid_from_us=100, valid_to_us=200))
    assert [rates_at(book, at) for at in (99, 100, 199, 200)] == [
        None,
        {"input": "1"},
        {"input": "1"},
        None,
    ]


def test_at_the_border_of_two_prices_exactly_the_later_one_holds() -> None:
    book = book_of(
        price_rows("p", "m", {"input": "1"}, valid_to_us=100),
        price_rows("p", "m", {"input": "2"}, valid_from_us=100),
    )
    assert [rates_at(book, at) for at in (0, 99, 100, 10**18)] == [
        {"input": "1"},
        {"input": "1"},
        {"input": "2"},
        {"input": "2"},
    ]


def test_a_name_is_not_a_part_of_another_and_no_other_provider_is_asked() -> None:
    book = book_of(price_rows("p", "m", {"input": "1"}))
    for provider, model in (("p", "M"), ("p", "m-2024"), ("q", "m"), ("p", ""), ("p.m", "")):
        assert book.find(provider, model, 5) is None


def test_none_of_a_higher_source_is_no_price_whatever_a_lower_one_says() -> None:
    rows = price_rows("p", "m", {"input": "1", "output": "2"})
    gone = msgspec.structs.replace(rows[0], rate_usd=None, valid_from_us=50, source="import")
    book = book_of(rows, [gone])
    assert rates_at(book, 49) == {"input": "1", "output": "2"}
    assert rates_at(book, 50) == {"output": "2"}


def test_of_one_unit_the_highest_source_has_the_word_and_the_rest_is_filled_from_lower_ones() -> (
    None
):
    book = book_of(
        price_rows("p", "m", {"input": "1", "output": "1", "cache_read": "1"}),
        price_rows("p", "m", {"input": "2", "output": "2"}, source="import"),
        price_rows("p", "m", {"input": "3"}, source="sync"),
    )
    assert rates_at(book, 5) == {"input": "3", "output": "2", "cache_read": "1"}


def test_a_price_by_hand_goes_over_the_configuration_and_the_rest_of_it_stays() -> None:
    book = book_of(
        price_rows("p", "m", {"cache_read": "1"}, source="sync"),
        price_rows("p", "m", {"input": "2", "output": "2"}, source="file"),
        price_rows("p", "m", {"input": "3"}, source="operator"),
    )
    assert rates_at(book, 5) == {"input": "3", "output": "2"}


def test_the_configuration_outranks_the_catalogue_whole_until_it_is_withdrawn() -> None:
    listed = price_rows("p", "m", {"input": "2", "cache_read": "1"})
    negotiated = price_rows(
        "p", "m", {"input": "0.5"}, source="file", valid_from_us=10, valid_to_us=20
    )
    book = book_of(listed, negotiated)
    assert [rates_at(book, at) for at in (9, 10, 20)] == [
        {"input": "2", "cache_read": "1"},
        {"input": "0.5"},
        {"input": "2", "cache_read": "1"},
    ]


def test_sources_are_not_mixed_when_they_begin_together() -> None:
    listed = price_rows("p", "m", {"cache_read": "1", "output": "4"})
    negotiated = price_rows("p", "m", {"input": "0.5"}, source="file")
    assert rates_at(book_of(listed, negotiated), 10) == {"input": "0.5"}


def test_an_unknown_source_of_a_newer_version_ranks_below_the_catalogue() -> None:
    book = book_of(
        price_rows("p", "m", {"input": "1"}),
        price_rows("p", "m", {"input": "2"}, source="crystal ball"),
    )
    assert rates_at(book, 10) == {"input": "1"}


@pytest.mark.parametrize("rate", ["NaN", "-1", "", "1e9"])
def test_a_row_without_a_usable_rate_is_refused_by_name(rate: str) -> None:
    rows = price_rows("p", "m", {"input": "1"})
    with pytest.raises(ConfigurationError, match="price version p/m/input of p/m: input"):
        book_of([msgspec.structs.replace(rows[0], rate_usd=rate)])


@pytest.mark.parametrize("per", [0, -1, 10**9])
def test_a_rate_for_an_impossible_number_is_refused(per: int) -> None:
    rows = price_rows("p", "m", {"input": "1"})
    with pytest.raises(ConfigurationError, match="is not carried"):
        book_of([msgspec.structs.replace(rows[0], per=per)])


def test_the_book_of_what_travelled_is_the_same_book() -> None:
    part = PricePart(rows=price_rows("p", "m", {"input": "0.15", "output": "0.6"}))
    travelled = msgspec.json.decode(msgspec.json.encode(part), type=PricePart)
    assert travelled == part
    assert rates_at(PriceBook(travelled), 5) == {"input": "0.15", "output": "0.6"}
    assert len(PriceBook(travelled)) == 1
