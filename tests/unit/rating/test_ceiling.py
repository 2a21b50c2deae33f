from tests.support.evidence import a_book, price_rows
from tollbridge.core.plan import Candidate, Endpoint
from tollbridge.rating.book import PriceBook
from tollbridge.rating.ceiling import ATTACHMENT_TOKENS_MAX, ceiling
from tollbridge.rating.prices import PricePart

MINI = {"input": "0.15", "output": "0.60", "cache_read": "0.075"}


def candidate(provider: str = "p", model: str = "m") -> Candidate:
    return Candidate(
        Endpoint(provider, provider, "openai", "http://127.0.0.1"), model, "priority 1"
    )


def test_the_ceiling_counts_half_the_bytes_and_all_choices() -> None:
    # 2,001 bytes are at most 1,001 tokens
    book = a_book("p", "m", MINI)
    assert ceiling([candidate()], 2001, 500, 3, 5, book) == 1001 * 150 + 1500 * 600


def test_each_token_is_taken_at_the_dearest_rate_it_could_have() -> None:
    rates = {**MINI, "cache_write": "0.1875", "audio_input": "40", "audio_output": "80"}
    book = a_book("p", "m", rates)
    assert ceiling([candidate()], 200, 10, 1, 5, book) == 100 * 40_000 + 10 * 80_000


def test_the_dearest_candidate_decides() -> None:
    rows = price_rows("p", "m", MINI) + price_rows("q", "m", {"input": "3", "output": "0.1"})
    book = PriceBook(PricePart(rows=rows))
    both = [candidate("p"), candidate("q")]
    assert ceiling(both, 200, 1, 1, 5, book) == 100 * 3000 + 100
    assert ceiling(both, 2, 1000, 1, 5, book) == 150 + 600_000


def test_one_unpriced_candidate_leaves_the_ceiling_unknown() -> None:
    book = a_book("p", "m", MINI)
    assert ceiling([candidate(), candidate("q")], 200, 1, 1, 5, book) is None
    assert ceiling([], 200, 1, 1, 5, book) is None


def test_output_without_a_price_is_unknown_unless_there_is_none() -> None:
    book = a_book("p", "m", {"input": "0.02"})
    assert ceiling([candidate()], 200, 10, 1, 5, book) is None
    assert ceiling([candidate()], 200, 0, 1, 5, book) == 2000


def test_the_price_of_a_request_is_part_of_the_ceiling() -> None:
    book = a_book("p", "m", {**MINI, "request": "0.01"})
    assert ceiling([candidate()], 0, 0, 1, 5, book) == 10_000_000


def test_the_ceiling_is_rounded_up() -> None:
    book = a_book("p", "m", {"input": "0.0001"})
    assert ceiling([candidate()], 2, 0, 1, 5, book) == 1


def test_the_price_of_that_instant_is_taken() -> None:
    rows = price_rows("p", "m", {"input": "1"}, valid_to_us=10)
    rows += price_rows("p", "m", {"input": "2"}, valid_from_us=10)
    book = PriceBook(PricePart(rows=rows))
    assert [ceiling([candidate()], 2, 0, 1, at, book) for at in (9, 10)] == [1000, 2000]


def test_however_many_tokens_are_asked_for_the_hold_fits_a_database() -> None:
    book = a_book("p", "m", MINI)
    assert ceiling([candidate()], 2, 10**40, 10**9, 5, book) == 10**18


def test_an_image_named_by_its_address_is_held_for_at_the_dearest_input_rate() -> None:
    """Its few bytes say nothing of its tokens: gpt-4o-mini takes up to 2,833 + 8 x 5,667."""
    book = a_book("p", "m", {**MINI, "cache_write": "0.1875"})
    most = ceiling([candidate()], 200, 10, 1, 5, book, attachments=2)
    # 187.5 nano-USD a token
    assert most == (100 + 2 * 48_169) * 1875 // 10 + 10 * 600
    assert ATTACHMENT_TOKENS_MAX == 2833 + 8 * 5667


def test_files_are_held_for_by_what_they_may_take_and_not_by_their_bytes() -> None:
    book = a_book("p", "m", MINI)
    most = ceiling([candidate()], 200, 10, 1, 5, book, attachments=1, file_tokens=128_000)
    assert most == (100 + 48_169 + 128_000) * 150 + 10 * 600
