"""How many credits does a call take?"""

import msgspec
import pytest

from tollbridge.core.amounts import MICRO
from tollbridge.core.errors import InvalidRequestError
from tollbridge.ledger.credits import (
    CALL_MICROCREDITS_MAX,
    CreditRate,
    CreditRates,
    check_rate,
    credits_of,
    rates_of,
)

CHAT = "chat_completion"
IMAGE = "image_generation"
RATES = rates_of(
    [
        CreditRate(CHAT, tokens_per_credit=150, min_microcredits=10 * MICRO),
        CreditRate(CHAT, "gpt-4o-mini", tokens_per_credit=10_000, min_microcredits=MICRO),
        CreditRate(IMAGE, "dall-e-3", microcredits_per_image=5 * MICRO),
        CreditRate("video_generation", microcredits_per_call=40 * MICRO),
    ]
)


@pytest.mark.parametrize(
    ("tokens", "taken"),
    [(2760, 19), (2850, 19), (2851, 20), (1500, 10), (1, 10), (0, 10), (2518 + 242, 19)],
)
def test_text_takes_whole_credits_and_never_less_than_the_minimum(tokens: int, taken: int) -> None:
    """2,760 tokens at 150 for a credit are 19 credits, and no call is less than 10."""
    assert credits_of(RATES, CHAT, "any-model", tokens, 0, 0) == taken * MICRO


def test_three_images_at_five_credits_are_fifteen() -> None:
    """And no tokens have to be known for it."""
    assert credits_of(RATES, IMAGE, "dall-e-3", None, 3, 0) == 15 * MICRO


def test_an_image_that_failed_is_given_back() -> None:
    """Of three images two came: ten credits are taken of fifteen."""
    assert credits_of(RATES, IMAGE, "dall-e-3", None, 3, 1) == 10 * MICRO
    assert credits_of(RATES, IMAGE, "dall-e-3", None, 3, 3) == 0


def test_a_model_s_own_rate_comes_before_that_of_all_models() -> None:
    """The rate of the operation holds for the models without their own."""
    assert credits_of(RATES, CHAT, "gpt-4o-mini", 10_001, 0, 0) == 2 * MICRO
    assert credits_of(RATES, CHAT, "gpt-4o", 10_001, 0, 0) == 67 * MICRO


def test_what_no_rate_says_is_unknown_and_not_free() -> None:
    """No rate for the model or the operation, or no count of tokens: None."""
    assert credits_of(RATES, IMAGE, "dall-e-2", None, 3, 0) is None
    assert credits_of(RATES, "search", "exa", 0, 0, 0) is None
    assert credits_of(RATES, CHAT, "gpt-4o", None, 0, 0) is None
    assert credits_of(CreditRates(), CHAT, "gpt-4o", 10, 0, 0) is None


def test_a_film_takes_the_same_whatever_it_counts() -> None:
    """A rate by call needs no count at all."""
    assert credits_of(RATES, "video_generation", "wan-2.5", None, 0, 0) == 40 * MICRO
    assert credits_of(RATES, "video_generation", "wan-2.5", 10**9, 9, 0) == 40 * MICRO


def test_a_senseless_count_stays_within_64_bits() -> None:
    """However many tokens a provider claims, the amount can be written down."""
    assert credits_of(RATES, CHAT, "gpt-4o", 10**30, 0, 0) == CALL_MICROCREDITS_MAX


def test_rates_travel_in_a_snapshot() -> None:
    """What a worker decodes is what the office encoded."""
    encoded = msgspec.msgpack.encode(RATES)
    assert msgspec.msgpack.decode(encoded, type=CreditRates) == RATES


@pytest.mark.parametrize(
    ("rate", "param"),
    [
        (CreditRate(CHAT), "tokens_per_credit"),
        (CreditRate(CHAT, tokens_per_credit=0), "tokens_per_credit"),
        (CreditRate(CHAT, tokens_per_credit=-150), "tokens_per_credit"),
        (
            CreditRate(CHAT, tokens_per_credit=1, microcredits_per_image=1),
            "tokens_per_credit",
        ),
        (CreditRate(CHAT, tokens_per_credit=1, min_microcredits=-1), "min_credits"),
        (CreditRate(IMAGE, microcredits_per_image=1, min_microcredits=1), "min_credits"),
        (CreditRate(IMAGE, microcredits_per_image=-1), "credits_per_image"),
        (CreditRate(IMAGE, microcredits_per_image=2**64), "credits_per_image"),
        (CreditRate(CHAT, microcredits_per_call=-1), "credits_per_call"),
        (
            CreditRate(CHAT, microcredits_per_call=1, price_per_credit_nanousd=-1),
            "price_per_credit",
        ),
        (CreditRate("x" * 10_000, microcredits_per_call=1), "operation"),
        (CreditRate("", microcredits_per_call=1), "operation"),
        (CreditRate(CHAT, "m" * 10_000, microcredits_per_call=1), "model"),
        (CreditRate(CHAT, " gpt", microcredits_per_call=1), "model"),
        (CreditRate(CHAT, "gpt\x00", microcredits_per_call=1), "model"),
    ],
)
def test_a_rate_that_makes_no_sense_is_refused_by_its_field(rate: CreditRate, param: str) -> None:
    """Nothing negative, nothing beyond 64 bits, one way of counting, names of a sane length."""
    with pytest.raises(InvalidRequestError) as refusal:
        check_rate(rate)
    assert refusal.value.details == {"param": param}


def test_a_sound_rate_passes() -> None:
    """Free is a rate too: 0 credits for a call."""
    for rate in (*RATES.by_operation[CHAT].values(), CreditRate("search", microcredits_per_call=0)):
        check_rate(rate)
