from typing import Any

import pytest

from tests.support.evidence import a_closed, an_attempt, an_opened
from tollbridge.core.call import AttemptOutcome, Ending, Operation
from tollbridge.core.demand import Demand
from tollbridge.core.evidence import AttemptEvidence, Opened
from tollbridge.core.usage import NO_USAGE, Usage, UsageSource
from tollbridge.metering.estimate import EstimateRules
from tollbridge.metering.meter import meter, owes_nothing


def opened(operation: Operation, **changes: Any) -> Opened:
    known: dict[str, Any] = {"demand": Demand({"image": 3}, {"size": "1x1", "quality": "hd"})}
    return an_opened(operation=operation, **{**known, **changes})


def metered(attempt: AttemptEvidence, asked: Opened, **closed: Any) -> Usage:
    return meter(attempt, asked, a_closed(**closed), EstimateRules())


PICTURES = opened(Operation.IMAGE_GENERATION)


def test_what_the_answer_shows_is_reported_and_not_what_was_asked_for() -> None:
    attempt = an_attempt(counts={"image": 2}, facts={"size": "2x2"}, output_bytes=4_000_000)
    usage = metered(attempt, PICTURES)
    assert usage == Usage(
        {"image": 2}, UsageSource.REPORTED, facts={"size": "2x2", "quality": "hd"}
    )


def test_the_provider_s_own_figures_outrank_what_was_counted() -> None:
    attempt = an_attempt(
        usage={"input_tokens": 5, "output_tokens": 7}, counts={"input": 9, "image": 1}
    )
    usage = metered(attempt, PICTURES)
    assert usage.counts == {"input": 5, "output": 7, "image_output": 7, "image": 1}
    assert usage.flags == ("image_output_derived",)


@pytest.mark.parametrize("outcome", [AttemptOutcome.SUCCEEDED, AttemptOutcome.UNKNOWN])
def test_an_answer_that_says_nothing_is_estimated_by_what_was_asked_for(
    outcome: AttemptOutcome,
) -> None:
    usage = metered(an_attempt(outcome=outcome, output_bytes=99), PICTURES)
    assert usage.counts == {"image": 3}
    assert usage.source is UsageSource.ESTIMATED
    assert usage.facts == {"size": "1x1", "quality": "hd"}


def test_media_are_never_estimated_from_bytes() -> None:
    asked = opened(Operation.AUDIO_TRANSCRIPTION, demand=Demand())
    usage = metered(an_attempt(output_bytes=4096), asked)
    assert usage == Usage({}, UsageSource.NONE)


def test_a_failed_attempt_used_nothing() -> None:
    attempt = an_attempt(outcome=AttemptOutcome.FAILED, counts={"image": 1})
    assert metered(attempt, PICTURES) == NO_USAGE
    assert owes_nothing(attempt, a_closed())


def test_what_was_never_written_used_nothing() -> None:
    attempt = an_attempt(outcome=AttemptOutcome.UNKNOWN, written=False)
    assert metered(attempt, PICTURES).source is UsageSource.NONE
    assert owes_nothing(attempt, a_closed())


def test_of_a_call_whose_process_died_it_is_estimated_and_said() -> None:
    attempt = an_attempt(outcome=AttemptOutcome.CUT_SHORT, written=False)
    usage = metered(attempt, PICTURES, ending=Ending.INTERRUPTED)
    assert (usage.counts, usage.flags) == ({"image": 3}, ("write_unknown",))
    assert usage.source is UsageSource.ESTIMATED


def test_what_was_counted_before_an_answer_broke_off_is_billed_and_flagged() -> None:
    attempt = an_attempt(outcome=AttemptOutcome.BROKE, counts={"character": 12})
    usage = metered(attempt, opened(Operation.AUDIO_SPEECH, demand=Demand({"character": 12})))
    assert usage == Usage({"character": 12}, UsageSource.REPORTED, ("partial_answer",))


def test_what_came_after_the_caller_had_left_is_drained() -> None:
    attempt = an_attempt(counts={"image": 3})
    assert metered(attempt, PICTURES, drained=True).source is UsageSource.DRAINED


def test_scores_are_estimated_by_as_many_bytes_a_token_as_the_operator_says() -> None:
    asked = opened(Operation.RERANK, demand=Demand({"input": 1000, "search": 1}))
    usage = metered(an_attempt(), asked)
    assert usage.counts == {"input": 500, "search": 1}


def test_counts_beside_a_chat_s_usage_are_added_to_it() -> None:
    attempt = an_attempt(
        usage={"prompt_tokens": 7, "completion_tokens": 3}, counts={"web_search": 2, "input": 99}
    )
    usage = metered(attempt, an_opened())
    assert usage.counts == {"input": 7, "output": 3, "web_search": 2}


def test_a_dialect_of_which_only_the_relay_knows_the_counts_is_not_unreadable() -> None:
    attempt = an_attempt(dialect="wavespeed", usage={"x": 1}, counts={"image": 1})
    assert metered(attempt, PICTURES).flags == ()
