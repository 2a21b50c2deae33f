"""Attempts of our own: the door tells who served, and an aggregator's answer who ran the model."""

import pytest

from tests.support.evidence import an_attempt
from tollbridge.attribution.attribute import NO_ATTEMPT, attribute_attempt
from tollbridge.attribution.rules import builtin
from tollbridge.attribution.ruling import Rules
from tollbridge.core.account import Attribution, Confidence
from tollbridge.core.call import AttemptOutcome, ErrorClass
from tollbridge.providers.names import load_names

RULES = Rules(builtin(), load_names().resolve)


@pytest.mark.parametrize("status", [200, 429, 500])
def test_the_provider_of_an_endpoint_that_answered_was_observed(status: int) -> None:
    attempt = an_attempt(endpoint="eu", provider="azure", http_status=status)
    assert attribute_attempt(attempt, RULES) == (
        Attribution("azure", "endpoint-answered", Confidence.OBSERVED, f"eu answered {status}")
    )


@pytest.mark.parametrize("provider", ["openai", "huggingface"])
def test_the_provider_of_an_endpoint_that_did_not_answer_is_assumed(provider: str) -> None:
    attempt = an_attempt(
        provider=provider,
        http_status=None,
        outcome=AttemptOutcome.UNKNOWN,
        error_class=ErrorClass.TIMEOUT,
    )
    assert attribute_attempt(attempt, RULES) == Attribution(
        provider,
        "endpoint-asked",
        Confidence.ASSUMED,
        "main was asked and did not answer: timeout",
    )


def test_an_attempt_cut_short_before_its_first_byte_is_assumed() -> None:
    attempt = an_attempt(http_status=None, outcome=AttemptOutcome.CUT_SHORT)
    assert attribute_attempt(attempt, RULES).confidence is Confidence.ASSUMED


def test_a_call_without_attempts_was_served_by_nobody_known() -> None:
    assert attribute_attempt(None, RULES) == NO_ATTEMPT
    assert (NO_ATTEMPT.provider, NO_ATTEMPT.rule_id, NO_ATTEMPT.confidence) == (
        "unknown",
        "none",
        Confidence.NONE,
    )


def test_neither_headers_nor_names_change_whose_door_it_was() -> None:
    """The operator said whose door it is, and the books price by it."""
    attempt = an_attempt(
        provider="local", model="claude-sonnet-4-5", headers={"x-ms-region": "East US"}
    )
    assert attribute_attempt(attempt, RULES).provider == "local"


def test_openrouter_s_field_names_who_ran_the_model() -> None:
    attempt = an_attempt(provider="openrouter", aggregator_provider="Groq")
    found = attribute_attempt(attempt, RULES)
    assert (found.provider, found.upstream_provider) == ("openrouter", "groq")
    assert found.evidence == "main answered 200; its answer names groq"


def test_a_router_s_header_is_believed_before_the_suffix_that_was_asked_for() -> None:
    model = "openai/gpt-oss-120b:groq"
    asked = attribute_attempt(an_attempt(provider="huggingface", model=model), RULES)
    assert (asked.provider, asked.upstream_provider) == ("huggingface", "groq")
    headers = {"x-inference-provider": "cerebras"}
    told = attribute_attempt(
        an_attempt(provider="huggingface", model=model, headers=headers), RULES
    )
    assert (told.provider, told.upstream_provider) == ("huggingface", "cerebras")


def test_what_an_aggregator_is_asked_does_not_make_a_provider_of_everyone() -> None:
    """A field of that name in anybody else's answer says nothing."""
    found = attribute_attempt(an_attempt(provider="together", aggregator_provider="Groq"), RULES)
    assert (found.provider, found.upstream_provider) == ("together", None)


def test_an_answer_from_a_cache_was_run_by_nobody() -> None:
    headers = {"x-openrouter-cache-status": "HIT", "x-provider-name": "Groq"}
    found = attribute_attempt(an_attempt(provider="openrouter", headers=headers), RULES)
    assert (found.provider, found.upstream_provider) == ("openrouter", None)
    assert "nobody ran the model" in found.evidence
