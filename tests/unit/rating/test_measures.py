"""By which of its measures an answer is billed, and parts of wholes in the lattice."""

import pytest

from tests.support.evidence import a_book
from tollbridge.core.account import Rated
from tollbridge.core.usage import Usage, UsageSource
from tollbridge.rating.rate import rate


def rated(counts: dict[str, int], rates: dict[str, str]) -> Rated:
    return rate(Usage(counts, UsageSource.REPORTED), "p", ("m",), 5, a_book("p", "m", rates))


def lines(counts: dict[str, int], rates: dict[str, str]) -> dict[str, int]:
    found = rated(counts, rates)
    assert found.cost_nanousd is not None, found.unpriced_reason
    return {line.unit: line.quantity for line in found.components}


IMAGE_CALL = {"input": 50, "output": 4160, "image_output": 4160, "image": 1, "pixel": 1_048_576}


@pytest.mark.parametrize(
    ("rates", "billed"),
    [
        (("image",), {"image": 1}),
        (("pixel",), {"pixel": 1_048_576}),
        (("image", "pixel"), {"image": 1}),
        (("input", "image_output"), {"input": 50, "image_output": 4160}),
        (("input", "image_output", "image"), {"input": 50, "image_output": 4160}),
        (("input", "output"), {"input": 50, "output": 4160}),
        (("input", "image"), {"input": 50, "image": 1}),
    ],
)
def test_an_image_is_billed_by_its_tokens_or_by_the_piece_and_never_both(
    rates: tuple[str, ...], billed: dict[str, int]
) -> None:
    assert lines(IMAGE_CALL, dict.fromkeys(rates, "1")) == billed


def test_image_output_tokens_have_the_rate_of_images_and_the_rest_that_of_text() -> None:
    counts = {"input": 0, "output": 1300, "image_output": 1290}
    found = rated(counts, {"input": "0.30", "output": "2.50", "image_output": "30"})
    assert found.cost_nanousd == 10 * 2500 + 1290 * 30_000


def test_an_image_without_a_price_of_any_kind_is_unpriced() -> None:
    assert rated({"image": 1}, {"input": "1"}).unpriced_reason == "no price for image (p/m)"
    assert rated({"image": 1, "input": 9}, {"input": "1"}).cost_nanousd is None


def test_an_image_that_was_only_counted_costs_by_the_piece_though_tokens_are_priced() -> None:
    assert lines({"image": 2}, {"image": "1", "image_output": "1", "input": "1"}) == {"image": 2}


@pytest.mark.parametrize(
    ("rates", "billed"),
    [
        (("video_ms",), {"video_ms": 10_000}),
        (("video",), {"video": 1}),
        (("video", "video_ms"), {"video_ms": 10_000}),
        (("video", "pixel_frame"), {"pixel_frame": 5}),
        (("video_output", "video_ms"), {"video_output": 7}),
    ],
)
def test_a_video_is_billed_by_its_real_length_before_the_clip(
    rates: tuple[str, ...], billed: dict[str, int]
) -> None:
    counts = {"video": 1, "video_ms": 10_000, "pixel_frame": 5, "output": 7, "video_output": 7}
    assert lines(counts, dict.fromkeys(rates, "1")) == billed


def test_ten_seconds_of_video_cost_ten_seconds() -> None:
    assert rated({"video": 1, "video_ms": 10_000}, {"video_ms": "0.10"}).cost_nanousd == 10**9
    assert rated({"video": 1, "video_ms": 4250}, {"video_ms": "0.10"}).cost_nanousd == 425_000_000


def test_speech_is_billed_by_what_has_a_price_and_both_where_both_have_one() -> None:
    counts = {"character": 100, "audio_ms": 5000, "input": 30, "output": 200, "audio_output": 200}
    assert lines(counts, {"character": "15", "input": "1", "output": "1"}) == {
        "character": 100,
        "input": 30,
        "output": 200,
    }
    assert lines(counts, {"input": "1", "output": "1"}) == {"input": 30, "output": 200}
    only_text = {"character": 100, "audio_ms": 5000}
    assert lines(only_text, {"character": "15"}) == {"character": 100}
    assert rated(only_text, {"page": "1"}).unpriced_reason == "no price for character (p/m)"


def test_computing_time_is_billed_only_where_nothing_that_was_made_is() -> None:
    counts = {"image": 2, "compute_ms": 3000}
    assert lines(counts, {"compute_ms": "0.001"}) == {"compute_ms": 3000}
    assert lines(counts, {"compute_ms": "0.001", "image": "0.01"}) == {"image": 2}


def test_a_search_without_a_price_is_never_free() -> None:
    found = rated({"input": 5, "web_search": 1}, {"input": "1"})
    assert found.unpriced_reason == "no price for web_search (p/m)"


def test_a_write_of_an_hour_without_a_price_is_a_write() -> None:
    counts = {"input": 100, "cache_write": 80, "cache_write_1h": 30}
    assert lines(counts, {"input": "1", "cache_write": "1"}) == {"input": 20, "cache_write": 80}
    assert lines(counts, {"input": "1", "cache_write_1h": "1"}) == {
        "input": 70,
        "cache_write_1h": 30,
    }
    assert lines(counts, {"input": "1", "cache_write": "1", "cache_write_1h": "1"}) == {
        "input": 20,
        "cache_write": 50,
        "cache_write_1h": 30,
    }


def test_a_part_of_two_wholes_is_taken_from_both_once() -> None:
    counts = {"input": 100, "cache_read": 40, "audio_input": 30, "cache_audio_read": 10}
    every = dict.fromkeys((*counts,), "1")
    assert lines(counts, every) == {
        "input": 40,
        "cache_read": 30,
        "audio_input": 20,
        "cache_audio_read": 10,
    }


def test_parts_that_overlap_without_anybody_knowing_how_much_are_refused() -> None:
    counts = {"input": 100, "cache_read": 80, "audio_input": 30}
    found = rated(counts, dict.fromkeys(counts, "1"))
    assert found.unpriced_reason == "negative part: input -10 (p/m)"


def test_annotated_pages_are_a_part_of_the_pages() -> None:
    counts = {"page": 10, "annotated_page": 4}
    assert lines(counts, {"page": "1", "annotated_page": "3"}) == {"page": 6, "annotated_page": 4}


def test_a_picture_of_a_call_that_has_a_price_is_part_of_it() -> None:
    assert lines({"image": 1}, {"request": "0.05"}) == {"request": 1}
    assert lines({"image": 1, "compute_ms": 900}, {"request": "0.05"}) == {"request": 1}


@pytest.mark.parametrize(
    ("rates", "billed"),
    [
        (("search",), {"search": 2}),
        (("input",), {"input": 150}),
        (("search", "input"), {"search": 2, "input": 150}),
    ],
)
def test_scores_are_billed_by_searches_or_by_tokens(
    rates: tuple[str, ...], billed: dict[str, int]
) -> None:
    assert lines({"search": 2, "input": 150}, dict.fromkeys(rates, "1")) == billed


def test_scores_without_a_price_of_either_kind_are_unpriced() -> None:
    assert rated({"search": 2, "input": 150}, {"image": "1"}).cost_nanousd is None
