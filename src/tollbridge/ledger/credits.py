"""How many credits does a call take? Pure.

Amounts are micro-credits, 1 credit = 1,000,000. A rate belongs to an operation, and may be
overridden for one model (the label that the application asks for). It counts in one of three ways:

    by tokens   after the call: max(min, ceil(tokens / tokens_per_credit)), in whole credits
    by image    before the call: images x per image; what failed is given back
    by call     the same for each call: films, speech, search

Where nothing says what a call takes, the answer is None, never 0.
"""

from collections.abc import Iterable

import msgspec

from tollbridge.core.amounts import MICRO
from tollbridge.core.call import CreditTerms
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.limits import MODEL_LENGTH_MAX

TOKENS_PER_CREDIT_MAX = 10**12
RATE_MICROCREDITS_MAX = 10**12
"""A million credits: the most that one image, one call or a minimum may be."""
PRICE_NANOUSD_MAX = 10**15
"""A million dollars: the most that a credit may cost."""
CALL_MICROCREDITS_MAX = 10**18
"""The most that a call is taken to cost: what is more is no count but nonsense."""
OPERATION_LENGTH_MAX = 64
ANY_MODEL = ""
"""The model of a rate that holds for every model without its own."""


class CreditRate(msgspec.Struct, frozen=True, omit_defaults=True):
    """What one operation takes, of every model or of one; exactly one way of counting is set."""

    operation: str
    model: str = ANY_MODEL
    tokens_per_credit: int | None = None
    min_microcredits: int = 0
    """The least that a call counted by tokens takes."""
    microcredits_per_image: int | None = None
    microcredits_per_call: int | None = None
    price_per_credit_nanousd: int | None = None
    """What a credit is sold for; None is not known. No call's credits depend on it."""

    @property
    def terms(self) -> CreditTerms:
        """How a call counts by it, as it travels with the call."""
        return CreditTerms(
            tokens=self.tokens_per_credit or 0,
            minimum=self.min_microcredits,
            image=self.microcredits_per_image or 0,
            call=self.microcredits_per_call or 0,
        )


class CreditRates(msgspec.Struct, frozen=True):
    """All rates: operation, then model (`ANY_MODEL` for all others)."""

    by_operation: dict[str, dict[str, CreditRate]] = {}

    def find(self, operation: str, label: str) -> CreditRate | None:
        """Return the rate of a model's operation, else that of all models, else None."""
        by_model = self.by_operation.get(operation)
        if by_model is None:
            return None
        return by_model.get(label) or by_model.get(ANY_MODEL)


def rates_of(rates: Iterable[CreditRate]) -> CreditRates:
    """Return rates in the order in which they are looked up; of two for the same, the last."""
    by_operation: dict[str, dict[str, CreditRate]] = {}
    for rate in rates:
        by_operation.setdefault(rate.operation, {})[rate.model] = rate
    return CreditRates(by_operation)


def credits_of(
    rates: CreditRates,
    operation: str,
    label: str,
    tokens: int | None,
    images_asked: int,
    images_failed: int,
) -> int | None:
    """Return what a call that was served takes, in micro-credits.

    None where there is no rate, or where it counts tokens and those are not known.
    """
    rate = rates.find(operation, label)
    if rate is None:
        return None
    if rate.tokens_per_credit is not None and tokens is None:
        return None
    return taken_by(rate.terms, tokens or 0, max(0, images_asked - images_failed))


def taken_by(terms: CreditTerms, tokens: int, images: int) -> int:
    """Return what a call of so many tokens and images takes, in micro-credits."""
    if terms.tokens:
        # Rounded up: -(-a // b) without leaving whole numbers.
        amount = max(terms.minimum, -(-tokens // terms.tokens) * MICRO)
    elif terms.image:
        amount = images * terms.image
    else:
        amount = terms.call
    return min(amount, CALL_MICROCREDITS_MAX)


def check_rate(rate: CreditRate) -> None:
    """Raise InvalidRequestError, naming the field, where a rate cannot be kept."""
    ways = (rate.tokens_per_credit, rate.microcredits_per_image, rate.microcredits_per_call)
    if sum(way is not None for way in ways) != 1:
        raise _wrong(
            "tokens_per_credit",
            "a rate has one of tokens_per_credit, credits_per_image and credits_per_call",
        )
    if rate.min_microcredits and rate.tokens_per_credit is None:
        raise _wrong("min_credits", "min_credits is for what is counted by tokens")
    bounds = (
        ("tokens_per_credit", rate.tokens_per_credit, 1, TOKENS_PER_CREDIT_MAX),
        ("min_credits", rate.min_microcredits, 0, RATE_MICROCREDITS_MAX),
        ("credits_per_image", rate.microcredits_per_image, 0, RATE_MICROCREDITS_MAX),
        ("credits_per_call", rate.microcredits_per_call, 0, RATE_MICROCREDITS_MAX),
        ("price_per_credit", rate.price_per_credit_nanousd, 0, PRICE_NANOUSD_MAX),
    )
    for param, value, least, most in bounds:
        if value is not None and not least <= value <= most:
            what = "a whole number of tokens" if least else "not negative, and at most a million"
            raise _wrong(param, f"{param} is {what}")
    for param, text, least, most in (
        ("operation", rate.operation, 1, OPERATION_LENGTH_MAX),
        ("model", rate.model, 0, MODEL_LENGTH_MAX),
    ):
        if not least <= len(text) <= most or text != text.strip() or not text.isprintable():
            raise _wrong(param, f"{param}: {least} to {most} characters, no spaces around them")


def _wrong(param: str, message: str) -> InvalidRequestError:
    return InvalidRequestError(message, details={"param": param})
