import copy
from typing import Any

import pytest

from tests.support.evidence import a_closed, an_attempt, an_opened
from tollbridge.core.call import AttemptOutcome, Ending, Operation
from tollbridge.core.errors import ConfigurationError
from tollbridge.core.evidence import AttemptEvidence, Closed, Opened
from tollbridge.core.usage import NO_USAGE, Usage, UsageSource
from tollbridge.metering.estimate import EstimateRules
from tollbridge.metering.meter import meter, owes_nothing

REPORTED = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}


def metered(
    attempt: AttemptEvidence,
    opened: Opened | None = None,
    closed: Closed | None = None,
    rules: EstimateRules | None = None,
) -> Usage:
    return meter(attempt, opened or an_opened(), closed or a_closed(), rules or EstimateRules())


def test_what_the_provider_reported_is_reported() -> None:
    usage = metered(an_attempt(usage=REPORTED))
    assert usage == Usage({"input": 7, "output": 3}, UsageSource.REPORTED)


def test_what_was_reported_after_the_caller_left_is_drained() -> None:
    closed = a_closed(ending=Ending.CALLER_LEFT, drained=True)
    usage = metered(an_attempt(usage=REPORTED, outcome=AttemptOutcome.ABANDONED), closed=closed)
    assert usage == Usage({"input": 7, "output": 3}, UsageSource.DRAINED)


def test_cumulative_counts_of_a_cut_answer_are_reported_and_flagged() -> None:
    usage = metered(an_attempt(usage=REPORTED, outcome=AttemptOutcome.BROKE))
    assert (usage.source, usage.flags) == (UsageSource.REPORTED, ("partial_answer",))


def test_an_explicit_zero_is_never_estimated() -> None:
    zero = {"prompt_tokens": 0, "completion_tokens": 0, "total_tokens": 0}
    usage = metered(an_attempt(usage=zero, chunks=50))
    assert usage == Usage({"input": 0, "output": 0}, UsageSource.REPORTED)


def test_a_failed_attempt_used_nothing_we_know_of() -> None:
    attempt = an_attempt(outcome=AttemptOutcome.FAILED, usage=REPORTED, chunks=3)
    assert metered(attempt) == NO_USAGE
    assert owes_nothing(attempt, a_closed())


@pytest.mark.parametrize(
    "outcome",
    [
        AttemptOutcome.SUCCEEDED,
        AttemptOutcome.CUT_SHORT,
        AttemptOutcome.BROKE,
        AttemptOutcome.ABANDONED,
        AttemptOutcome.UNKNOWN,
    ],
)
@pytest.mark.parametrize("raw", [None, {}, {"prompt_tokens": None}, {"prompt_tokens": "many"}])
def test_a_written_attempt_without_counts_is_estimated(
    outcome: AttemptOutcome, raw: dict[str, Any] | None
) -> None:
    attempt = an_attempt(outcome=outcome, usage=raw, chunks=12)
    usage = metered(attempt, an_opened(stream=True, request_bytes=4099))
    assert usage.counts == {"input": 1024, "output": 12}
    assert usage.source is UsageSource.ESTIMATED
    assert not owes_nothing(attempt, a_closed())


def test_the_ratios_of_an_estimate_are_rules() -> None:
    rules = EstimateRules(bytes_per_token=2, tokens_per_chunk=3)
    usage = metered(an_attempt(chunks=4), an_opened(stream=True, request_bytes=100), rules=rules)
    assert usage.counts == {"input": 50, "output": 12}


@pytest.mark.parametrize("name", ["bytes_per_token", "tokens_per_chunk"])
def test_a_ratio_below_one_is_refused_by_name(name: str) -> None:
    with pytest.raises(ConfigurationError, match=name):
        EstimateRules(**{name: 0})


def test_an_estimate_of_the_input_is_at_least_one_token() -> None:
    assert metered(an_attempt(), an_opened(request_bytes=3)).counts["input"] == 1


def test_a_whole_answer_without_usage_is_estimated_by_its_size() -> None:
    assert metered(an_attempt(output_bytes=410)).counts["output"] == 102


def test_an_estimated_embedding_has_no_output() -> None:
    usage = metered(an_attempt(output_bytes=410), an_opened(operation=Operation.EMBEDDING))
    assert usage.counts == {"input": 1024}


@pytest.mark.parametrize(
    ("raw", "counts", "flag"),
    [
        ({"prompt_tokens": 7}, {"input": 7, "output": 5}, "output_estimated"),
        ({"completion_tokens": 9}, {"input": 1024, "output": 9}, "input_estimated"),
    ],
)
def test_a_count_that_is_missing_beside_a_reported_one_is_estimated_and_named(
    raw: dict[str, int], counts: dict[str, int], flag: str
) -> None:
    usage = metered(an_attempt(usage=raw, chunks=5), an_opened(stream=True))
    assert usage == Usage(counts, UsageSource.ESTIMATED, (flag,))


def test_an_attempt_that_was_never_written_used_and_owes_nothing() -> None:
    attempt = an_attempt(outcome=AttemptOutcome.ABANDONED, written=False, http_status=None)
    closed = a_closed(ending=Ending.CALLER_LEFT_BEFORE_FIRST_BYTE)
    assert metered(attempt, closed=closed) == NO_USAGE
    assert owes_nothing(attempt, closed)


def test_of_an_interrupted_call_it_is_not_known_whether_it_was_written() -> None:
    attempt = an_attempt(outcome=AttemptOutcome.CUT_SHORT, written=False, http_status=None)
    closed = a_closed(ending=Ending.INTERRUPTED)
    usage = metered(attempt, closed=closed)
    assert (usage.source, usage.flags) == (UsageSource.ESTIMATED, ("write_unknown",))
    assert not owes_nothing(attempt, closed)


def test_usage_that_cannot_be_read_is_flagged() -> None:
    usage = metered(an_attempt(usage={"tokens": 5}))
    assert usage.flags == ("usage_unreadable",)
    assert usage.source is UsageSource.ESTIMATED


def test_metering_twice_says_the_same_and_changes_nothing() -> None:
    attempt = an_attempt(usage={"prompt_tokens": 7, "total_tokens": 9}, chunks=2)
    before = copy.deepcopy(attempt)
    assert metered(attempt) == metered(attempt)
    assert attempt == before
