from decimal import Decimal
from typing import Any

import pytest

from tests.support.evidence import a_book, price_rows
from tests.support.media import NOVEMBER_US, seed_book
from tollbridge.core.call import Operation
from tollbridge.core.demand import Demand
from tollbridge.core.money import to_usd
from tollbridge.core.plan import Candidate, Endpoint
from tollbridge.rating.book import PriceBook
from tollbridge.rating.made_ceiling import IMAGE_TOKENS_MAX, OPERATIONS, Bounds, made_ceiling
from tollbridge.rating.prices import PricePart

PICTURES = Operation.IMAGE_GENERATION
SPEECH = Operation.AUDIO_SPEECH
TRANSCRIPT = Operation.AUDIO_TRANSCRIPTION


def candidate(provider: str, model: str) -> Candidate:
    return Candidate(
        Endpoint(provider, provider, "openai", "http://127.0.0.1"), model, "priority 1"
    )


def most(
    provider: str,
    model: str,
    operation: Operation,
    counts: dict[str, int],
    facts: dict[str, str] | None = None,
    **more: Any,
) -> Decimal | None:
    known: dict[str, Any] = {"request_bytes": 0, "attachments": 0, **more}
    bounds = Bounds(operation, Demand(counts, facts or {}), **known)
    found = made_ceiling([candidate(provider, model)], bounds, NOVEMBER_US, seed_book())
    return None if found is None else to_usd(found)


@pytest.mark.parametrize(
    ("facts", "usd"),
    [
        ({"size": "1024x1024", "quality": "standard"}, "0.04"),
        ({"size": "1024x1792", "quality": "hd"}, "0.12"),
        ({"size": "1024x1024"}, "0.08"),
        ({"quality": "standard"}, "0.08"),
        ({}, "0.12"),
    ],
)
def test_what_is_not_said_of_a_picture_is_as_the_dearest_would_have_it(
    facts: dict[str, str], usd: str
) -> None:
    assert most("openai", "dall-e-3", PICTURES, {"image": 1}, facts) == Decimal(usd)
    assert most("openai", "dall-e-3", PICTURES, {"image": 3}, facts) == 3 * Decimal(usd)


@pytest.mark.parametrize(
    ("provider", "model", "operation", "counts", "usd"),
    [
        ("replicate", "black-forest-labs/flux-schnell", PICTURES, {"image": 4}, "0.012"),
        ("stability", "stable-image-core", PICTURES, {"image": 1}, "0.03"),
        ("stability", "edit/inpaint", Operation.IMAGE_EDIT, {"image": 1}, "0.05"),
        ("elevenlabs", "eleven_multilingual_v2", SPEECH, {"character": 420}, "0.042"),
        ("openai", "tts-1", SPEECH, {"character": 1234}, "0.01851"),
        # The step of a whole second is added to the bound.
        ("openai", "whisper-1", TRANSCRIPT, {"audio_ms": 36_710}, "0.003771"),
        ("cohere", "rerank-v3.5", Operation.RERANK, {"search": 2, "input": 9000}, "0.004"),
        (
            "jina",
            "jina-reranker-v2-base-multilingual",
            Operation.RERANK,
            {"search": 1, "input": 815},
            "0.00004075",
        ),
    ],
)
def test_a_ceiling_is_what_is_asked_for_at_its_price(
    provider: str, model: str, operation: Operation, counts: dict[str, int], usd: str
) -> None:
    assert most(provider, model, operation, counts) == Decimal(usd)


def test_a_film_is_bounded_by_its_length_at_its_resolution() -> None:
    counts = {"video": 1, "video_ms": 5000}
    book = a_book("p", "m", {"video_ms": "0.1"})
    bounds = Bounds(Operation.VIDEO_GENERATION, Demand(counts), 100, 0)
    assert made_ceiling([candidate("p", "m")], bounds, 5, book) == 500_000_000


def test_a_sound_whose_length_nobody_knows_is_bounded_by_its_bytes() -> None:
    known = most("openai", "whisper-1", TRANSCRIPT, {"audio_ms": 1000})
    unknown = most("openai", "whisper-1", TRANSCRIPT, {}, request_bytes=1_000_000)
    assert known is not None
    assert unknown is not None
    assert unknown > 1000 * known


def test_a_model_that_is_billed_by_tokens_alone_is_bounded_by_them() -> None:
    rates = {"input": "5", "image_output": "30"}
    book = a_book("p", "m", rates)
    bounds = Bounds(PICTURES, Demand({"image": 2}), 200, 0)
    expected = 100 * 5000 + 2 * IMAGE_TOKENS_MAX * 30_000
    assert made_ceiling([candidate("p", "m")], bounds, 5, book) == expected


def test_pictures_that_are_brought_are_part_of_it() -> None:
    rates = {"input": "5", "image_output": "30"}
    book = a_book("p", "m", rates)

    def bound(attachments: int) -> int:
        bounds = Bounds(Operation.IMAGE_EDIT, Demand({"image": 1}), 10**7, attachments)
        return made_ceiling([candidate("p", "m")], bounds, 5, book) or 0

    assert bound(2) > bound(1) > 48_169 * 5000


def test_the_dearest_candidate_decides_and_one_without_a_price_leaves_it_unknown() -> None:
    rows = price_rows("p", "m", {"image": "0.04"}) + price_rows("q", "m", {"image": "0.05"})
    book = PriceBook(PricePart(rows=rows))
    bounds = Bounds(PICTURES, Demand({"image": 1}), 10, 0)
    both = [candidate("p", "m"), candidate("q", "m")]
    assert made_ceiling(both, bounds, 5, book) == 50_000_000
    assert made_ceiling([*both, candidate("r", "m")], bounds, 5, book) is None
    assert made_ceiling([], bounds, 5, book) is None


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_a_price_of_something_else_is_no_price(operation: Operation) -> None:
    book = a_book("p", "m", {"page": "0.001"})
    bounds = Bounds(operation, Demand(), 10, 0)
    assert made_ceiling([candidate("p", "m")], bounds, 5, book) is None


@pytest.mark.parametrize("operation", sorted(OPERATIONS))
def test_a_price_of_the_call_bounds_it(operation: Operation) -> None:
    book = a_book("p", "m", {"request": "0.2"})
    bounds = Bounds(operation, Demand(), 10, 0)
    assert made_ceiling([candidate("p", "m")], bounds, 5, book) == 200_000_000


@pytest.mark.parametrize("operation", [PICTURES, SPEECH, Operation.VIDEO_GENERATION])
def test_what_is_billed_by_compute_time_alone_takes_its_whole_time_out_at_most(
    operation: Operation,
) -> None:
    book = a_book("p", "m", {"compute_ms": "0.001"})
    bounds = Bounds(operation, Demand(), 10, 0, compute_ms_max=90_000)
    assert made_ceiling([candidate("p", "m")], bounds, 5, book) == 90_000_000
