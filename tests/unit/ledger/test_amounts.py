"""What a call counts in each limit follows from its evidence and its holds alone."""

import msgspec
import pytest

from tollbridge.core.call import (
    AttemptOutcome,
    Bucket,
    Caller,
    Category,
    CreditTerms,
    Ending,
    Hold,
    Operation,
)
from tollbridge.core.demand import Demand
from tollbridge.core.evidence import AttemptEvidence, CallEvidence, Closed, Opened
from tollbridge.core.limits import LimitKind
from tollbridge.core.usage import Usage, UsageSource
from tollbridge.ledger.amounts import AttemptUse, amounts_of, counts_as_call, credits_at_most

MICRO = 1_000_000
TEXT = CreditTerms(tokens=150, minimum=10 * MICRO)
IMAGES = CreditTerms(image=5 * MICRO)


def call(
    http_status: int = 200,
    attempts: tuple[AttemptEvidence, ...] = (),
    images: int | None = None,
    operation: Operation = Operation.CHAT_COMPLETION,
) -> CallEvidence:
    opened = Opened(
        call_id="01890000-0000-7000-8000-000000000001",
        opened_at_us=0,
        received_at_us=0,
        caller=Caller("k", "ci", "ana", "web"),
        method="POST",
        path="/v1",
        operation=operation,
        category=Category.TEXT,
        bucket=Bucket.OPENAI,
        label="m",
        stream=False,
        request_bytes=10,
        expected_provider="openai",
        demand=Demand({} if images is None else {"image": images}),
    )
    return CallEvidence(opened, Closed("id", 1, Ending.COMPLETE, http_status, attempts))


def attempt(
    provider: str = "openai", outcome: AttemptOutcome = AttemptOutcome.SUCCEEDED
) -> AttemptEvidence:
    return AttemptEvidence(1, "e", provider, "openai", "m", "r", 0, outcome=outcome, written=True)


def use(
    counts: dict[str, int], cost_nanousd: int = 0, *, one: AttemptEvidence | None = None
) -> AttemptUse:
    usage = Usage(counts, UsageSource.REPORTED)
    return AttemptUse(one or attempt(), usage, cost_nanousd)


def hold(kind: LimitKind, provider: str = "", terms: CreditTerms | None = None) -> Hold:
    return Hold("l", "b", 0, 10, kind, provider, terms)


@pytest.mark.parametrize(
    ("wanted", "expected"),
    [
        (hold(LimitKind.MONEY), 700),
        (hold(LimitKind.TOKENS), 2760),
        (hold(LimitKind.CALLS), 1),
        (hold(LimitKind.MONEY, "groq"), 200),
        (hold(LimitKind.TOKENS, "groq"), 30),
        (hold(LimitKind.CALLS, "groq"), 0),
        (hold(LimitKind.CALLS, "openai"), 1),
        (hold(LimitKind.MONEY, "mistral"), 0),
        # The brief's: 2760 tokens at 150 per credit, at least 10.
        (hold(LimitKind.CREDITS, terms=TEXT), 19 * MICRO),
    ],
)
def test_each_kind_counts_what_it_is_of_and_a_providers_limit_its_attempts_alone(
    wanted: Hold, expected: int
) -> None:
    failed = attempt("groq", AttemptOutcome.FAILED)
    served = attempt()
    uses = [
        use({"input": 10, "output": 20}, 200, one=failed),
        use({"input": 2518, "output": 242}, 500, one=served),
    ]
    assert amounts_of([wanted], call(attempts=(failed, served)), uses, 700) == (expected,)


@pytest.mark.parametrize(("tokens", "expected"), [(1, 10), (1500, 10), (1501, 11), (2760, 19)])
def test_text_takes_whole_credits_and_at_least_the_minimum(tokens: int, expected: int) -> None:
    uses = [use({"input": tokens, "output": 0})]
    found = amounts_of([hold(LimitKind.CREDITS, terms=TEXT)], call(), uses, 0)
    assert found == (expected * MICRO,)


def test_three_images_at_five_take_fifteen_and_one_that_failed_is_given_back() -> None:
    wanted = hold(LimitKind.CREDITS, terms=IMAGES)
    asked = call(images=3, operation=Operation.IMAGE_GENERATION)
    assert credits_at_most(IMAGES, 0, 3) == 15 * MICRO
    assert amounts_of([wanted], asked, [use({"image": 3})], 0) == (15 * MICRO,)
    assert amounts_of([wanted], asked, [use({"image": 2})], 0) == (10 * MICRO,)
    assert amounts_of([hold(LimitKind.IMAGES)], asked, [use({"image": 2})], 0) == (2,)


@pytest.mark.parametrize(
    ("http_status", "outcome", "expected"),
    [
        (200, AttemptOutcome.SUCCEEDED, True),
        (502, AttemptOutcome.FAILED, False),
        (402, AttemptOutcome.FAILED, False),
        (499, AttemptOutcome.ABANDONED, True),
        (499, AttemptOutcome.FAILED, False),
    ],
)
def test_a_call_counts_where_it_was_answered_or_its_caller_left_a_provider_at_work(
    http_status: int, outcome: AttemptOutcome, *, expected: bool
) -> None:
    one = attempt(outcome=outcome)
    ended = call(http_status, (one,))
    assert counts_as_call(ended) is expected
    found = amounts_of([hold(LimitKind.CALLS)], ended, [use({}, one=one)], 0)
    assert found == (int(expected),)


def test_holds_that_were_written_before_limits_had_kinds_are_read_as_money() -> None:
    old = b'{"lease_id":"l","budget_id":"b","period_start_us":1,"amount_nanousd":7}'
    assert msgspec.json.decode(old, type=Hold) == Hold("l", "b", 1, 7)
    assert msgspec.json.encode(Hold("l", "b", 1, 7)) == old


def test_a_hold_says_all_that_it_counts() -> None:
    every = Hold("", "b", 1, 0, LimitKind.CREDITS, "groq", TEXT)
    assert msgspec.json.decode(msgspec.json.encode(every), type=Hold) == every
