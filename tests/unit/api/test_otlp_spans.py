"""Whose span a call belongs to, which calls have spans, and what these hold."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.support.collectors import said
from tests.support.evidence import NOW_US, a_book, a_closed, an_attempt, an_opened, begun
from tollbridge.api.otlp_spans import Parent, parent_of, spans_of, spans_payload, trace_of
from tollbridge.conclude import Conclusions, conclude
from tollbridge.core.account import CallAccount
from tollbridge.core.call import Ending, ErrorClass, new_id
from tollbridge.core.evidence import AttemptEvidence, CallEvidence
from tollbridge.metering.estimate import EstimateRules

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
SPAN = "00f067aa0ba902b7"
CALLS = 4_000
RATES = {"input": "0.15", "output": "0.60"}
CONCLUSIONS = Conclusions(a_book("openai", "gpt-4o-mini", RATES), EstimateRules())


def an_account(*attempts: AttemptEvidence, ended: Any = None, **opened: Any) -> CallAccount:
    """Return a call's account."""
    closed = a_closed(attempts=attempts, **(ended or {}))
    return conclude(CallEvidence(an_opened(**opened), closed), CONCLUSIONS)


def spans(account: CallAccount) -> list[dict[str, Any]]:
    """Return a call's spans as a collector reads them."""
    made = spans_of(account, (TRACE, SPAN), lambda name: ("host", 443) if name == "main" else None)
    document = msgspec.json.decode(spans_payload([made], "node-1", "0.1"))
    return document["resourceSpans"][0]["scopeSpans"][0]["spans"]


@pytest.mark.parametrize(
    ("text", "is_sampled"),
    [
        (f"00-{TRACE}-{SPAN}-01", True),
        (f"00-{TRACE}-{SPAN}-00", False),
        (f"00-{TRACE}-{SPAN}-03", True),
        (f"cc-{TRACE}-{SPAN}-01-more", True),
    ],
)
def test_a_valid_header_names_the_parent(text: str, *, is_sampled: bool) -> None:
    assert parent_of(text) == Parent(TRACE, SPAN, is_sampled)


@pytest.mark.parametrize(
    "text",
    [
        None,
        "",
        "00",
        f"ff-{TRACE}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-01-more",
        f"00-{'0' * 32}-{SPAN}-01",
        f"00-{TRACE}-{'0' * 16}-01",
        f"00-{TRACE.upper()}-{SPAN}-01",
        f"00-{TRACE[1:]}-{SPAN}-01",
        f"00-{TRACE}-{SPAN}-0g",
    ],
)
def test_a_header_that_is_not_valid_names_none(text: str | None) -> None:
    assert parent_of(text) is None


@given(st.text(st.characters(max_codepoint=255), max_size=60))
def test_no_header_is_an_error(text: str) -> None:
    parent = parent_of(text)
    assert parent is None or text.startswith(f"{text[:2]}-{parent.trace_id}-{parent.span_id}-")


@pytest.mark.parametrize("ratio", [0.0, 0.25, 1.0])
def test_about_the_share_of_calls_that_was_asked_for_has_spans(ratio: float) -> None:
    account = an_account()
    made = 0
    for number in range(CALLS):
        opened = msgspec.structs.replace(account.evidence.opened, call_id=new_id(NOW_US + number))
        evidence = msgspec.structs.replace(account.evidence, opened=opened)
        trace = trace_of(msgspec.structs.replace(account, evidence=evidence), ratio)
        assert trace in {None, (opened.call_id.replace("-", ""), "")}
        made += trace is not None
    # Six standard deviations: as good as never by chance.
    assert abs(made - ratio * CALLS) <= 6 * (ratio * (1 - ratio) * CALLS) ** 0.5


@pytest.mark.parametrize(("flag", "expected"), [("01", (TRACE, SPAN)), ("00", None)])
@pytest.mark.parametrize("ratio", [0.0, 1.0])
def test_a_callers_own_decision_holds(
    flag: str, expected: tuple[str, str] | None, ratio: float
) -> None:
    account = an_account(trace=f"00-{TRACE}-{SPAN}-{flag}")
    assert trace_of(account, ratio) == expected


def test_what_is_not_known_has_no_attribute_and_money_is_exact() -> None:
    usage = {"prompt_tokens": 7, "completion_tokens": 3, "total_tokens": 10}
    attempt = an_attempt(usage=usage, served_model="gpt-4o-mini-x", ended_at_us=NOW_US + 5)
    call, below = (said(one) for one in spans(an_account(attempt)))
    assert call["tollbridge.cost_usd"] == below["tollbridge.cost_usd"] == "0.00000285"
    assert (call["gen_ai.usage.input_tokens"], below["gen_ai.usage.output_tokens"]) == (7, 3)
    assert below["gen_ai.response.model"] == "gpt-4o-mini-x"
    assert (below["server.address"], below["server.port"]) == ("host", 443)
    assert not {"error.type", "gen_ai.response.id", "gen_ai.usage.cache_read.input_tokens"} & set(
        call
    )
    unpriced = an_attempt(model="unheard-of", usage=usage)
    assert "tollbridge.cost_usd" not in said(spans(an_account(unpriced))[0])


def test_a_call_that_failed_says_so_and_a_providers_words_are_not_told() -> None:
    attempt = begun(
        http_status=429, error_class=ErrorClass.RATE_LIMITED, message="the provider's own words"
    )
    ended = {"ending": Ending.ALL_REFUSED, "http_status": 502}
    made = spans(an_account(attempt, ended=ended))
    assert [one["status"] for one in made] == [{"code": 2}, {"code": 2}]
    assert {said(one)["error.type"] for one in made} == {"rate_limited"}
    assert b"own words" not in msgspec.json.encode(made)


def test_a_call_that_nobody_tried_is_one_span() -> None:
    ended = {"ending": Ending.OVER_BUDGET, "http_status": 402}
    [call] = spans(an_account(ended=ended))
    assert said(call)["error.type"] == "over_budget"
    assert said(call)["http.response.status_code"] == 402


def test_the_same_call_has_the_same_spans_again() -> None:
    account = an_account(an_attempt())
    assert spans(account) == spans(account)
    other = an_account(an_attempt(), call_id="01940000-0000-7000-8000-000000000001")
    assert not {one["spanId"] for one in spans(account)} & {one["spanId"] for one in spans(other)}
