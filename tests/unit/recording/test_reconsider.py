"""Which calls are corrected, and by how much?"""

from collections.abc import Mapping

import pytest

from tollbridge.core.account import CostOrigin, Rated
from tollbridge.core.usage import Usage, UsageSource
from tollbridge.recording.reconsider import Only, RateAgain, StoredAttempt, StoredCall, reconsider

DIMENSION = ("",) * 13


def attempt(
    number: int = 1,
    cost_nanousd: int | None = 100,
    origin: CostOrigin | None = CostOrigin.COMPUTED,
    provider: str = "p",
    served_model: str | None = None,
) -> StoredAttempt:
    return StoredAttempt(
        number=number,
        provider=provider,
        model="m",
        served_model=served_model,
        started_at_us=5,
        usage=Usage({"input": 3}, UsageSource.REPORTED),
        cost_origin=origin,
        cost_nanousd=cost_nanousd,
        sequence=0,
        dimension=DIMENSION,
    )


def call(*attempts: StoredAttempt) -> StoredCall:
    return StoredCall(call_id="c", accounted_at_us=9, dimension=DIMENSION, attempts=attempts)


def costs(by_number: Mapping[int, int | None]) -> RateAgain:
    return lambda one: Rated(cost_nanousd=by_number[one.number])


def test_a_call_that_becomes_priced_is_charged_whole() -> None:
    """What was known of it was not charged as long as the rest was not known."""
    found = call(attempt(1, 100), attempt(2, None, None))
    [correction], findings = reconsider([found], Only(), costs({1: 100, 2: 50}))
    assert correction.difference_nanousd == 50
    assert correction.charge_difference_nanousd == 150
    assert correction.becomes_priced
    assert findings.calls_priced == 1


def test_a_call_that_stays_unpriced_is_charged_nothing() -> None:
    found = call(attempt(1, 100), attempt(2, None, None))
    [correction], findings = reconsider([found], Only(), costs({1: 300, 2: None}))
    assert (correction.difference_nanousd, correction.charge_difference_nanousd) == (200, 0)
    assert not correction.becomes_priced
    assert findings.unpriced == 1


@pytest.mark.parametrize("origin", [CostOrigin.REPORTED, CostOrigin.NOTHING_OWED])
def test_what_a_provider_reported_and_what_it_cannot_bill_stays(origin: CostOrigin) -> None:
    corrections, _ = reconsider([call(attempt(1, 100, origin))], Only(), costs({1: 7}))
    assert corrections == []


@pytest.mark.parametrize(
    ("only", "expected"),
    [
        (Only(), [1, 2]),
        (Only(provider="q"), [2]),
        (Only(model="m"), [1, 2]),
        (Only(model="m-2024"), [2]),
        (Only(provider="p", model="m-2024"), []),
    ],
)
def test_only_the_attempts_that_are_meant_are_rated(only: Only, expected: list[int]) -> None:
    found = call(attempt(1), attempt(2, 100, provider="q", served_model="m-2024"))
    corrections, _ = reconsider([found], only, costs({1: 7, 2: 7}))
    assert [each.attempt.number for one in corrections for each in one.attempts] == expected


def test_a_free_call_costs_zero_and_an_unpriced_one_nothing_known() -> None:
    """Zero is a price: from unknown to zero is a correction, though it moves no money."""
    [correction], findings = reconsider([call(attempt(1, None, None))], Only(), costs({1: 0}))
    assert correction.becomes_priced
    assert (findings.adjustments, findings.difference_nanousd) == (1, 0)
    assert findings.by_provider == {}
