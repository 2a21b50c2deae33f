"""What a [[credit_rate]] of the configuration file declares."""

import pytest

from tollbridge.configuration.read import read
from tollbridge.core.amounts import MICRO
from tollbridge.core.errors import ConfigurationError
from tollbridge.ledger.credits import CreditRate
from tollbridge.routing.builtin import Known


def rates(text: str) -> tuple[CreditRate, ...]:
    return read(text, {}, Known({}, {})).credit_rates


def test_a_rate_counts_by_tokens_by_image_or_by_call() -> None:
    declared = rates(
        """
        [[credit_rate]]
        operation = "chat_completion"
        tokens_per_credit = 150
        min_credits = "10"
        price_per_credit_usd = "0.01"
        [[credit_rate]]
        operation = "image_generation"
        model = "dall-e-3"
        credits_per_image = "5"
        [[credit_rate]]
        operation = "video_generation"
        credits_per_call = "0.5"
        """
    )
    assert declared == (
        CreditRate(
            "chat_completion",
            tokens_per_credit=150,
            min_microcredits=10 * MICRO,
            price_per_credit_nanousd=10**7,
        ),
        CreditRate("image_generation", "dall-e-3", microcredits_per_image=5 * MICRO),
        CreditRate("video_generation", microcredits_per_call=MICRO // 2),
    )


@pytest.mark.parametrize(
    ("lines", "words"),
    [
        ('operation = "x"', "a rate has one of"),
        ('operation = "x"\ntokens_per_credit = 0', "tokens_per_credit"),
        ('operation = "x"\ncredits_per_call = 1', "in quotes"),
        ('operation = "x"\ncredits_per_call = "-1"', "negative"),
        ('operation = "x"\ncredits_per_call = "1e999999999"', "over"),
        ('operation = "x"\ncredits_per_image = "1"\nmin_credits = "1"', "min_credits"),
        ("tokens_per_credit = 1", "operation"),
        ('operation = "x"\ntokens = 1', "unknown field tokens"),
    ],
)
def test_a_rate_that_makes_no_sense_is_an_error_that_names_it(lines: str, words: str) -> None:
    with pytest.raises(ConfigurationError, match=words):
        rates(f"[[credit_rate]]\n{lines}")


def test_a_rate_declared_twice_is_an_error() -> None:
    one = '[[credit_rate]]\noperation = "x"\ncredits_per_call = "1"\n'
    with pytest.raises(ConfigurationError, match="credit_rate"):
        rates(one + one)
