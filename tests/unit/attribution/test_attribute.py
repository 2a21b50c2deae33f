import pytest

from tests.support.evidence import an_attempt
from tollbridge.attribution.attribute import UNKNOWN, attribute
from tollbridge.core.account import Attribution, Confidence
from tollbridge.core.call import AttemptOutcome, ErrorClass


@pytest.mark.parametrize("status", [200, 429, 500])
def test_the_provider_of_an_endpoint_that_answered_was_observed(status: int) -> None:
    assert attribute(an_attempt(endpoint="eu", provider="azure", http_status=status)) == (
        Attribution("azure", "endpoint-answered", Confidence.OBSERVED, f"eu answered {status}")
    )


def test_the_provider_of_an_endpoint_that_did_not_answer_is_assumed() -> None:
    attempt = an_attempt(
        http_status=None, outcome=AttemptOutcome.UNKNOWN, error_class=ErrorClass.TIMEOUT
    )
    assert attribute(attempt) == Attribution(
        "openai",
        "endpoint-asked",
        Confidence.ASSUMED,
        "main was asked and did not answer: timeout",
    )


def test_an_attempt_cut_short_before_its_first_byte_is_assumed() -> None:
    attempt = an_attempt(http_status=None, outcome=AttemptOutcome.CUT_SHORT)
    assert attribute(attempt).confidence is Confidence.ASSUMED


def test_a_call_without_attempts_was_served_by_nobody_known() -> None:
    assert attribute(None) == UNKNOWN
    assert (UNKNOWN.provider, UNKNOWN.rule_id, UNKNOWN.confidence) == (
        "unknown",
        "none",
        Confidence.NONE,
    )
