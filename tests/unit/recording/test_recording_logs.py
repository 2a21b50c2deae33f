"""The log lines of a call."""

from typing import Any

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import CapturedCall

from tests.support.drained import CONCLUSIONS, USAGE, begun, opened_call, refused, succeeded
from tollbridge.conclude import conclude
from tollbridge.core.call import AttemptOutcome, Ending, ErrorClass
from tollbridge.core.evidence import CallEvidence, Closed
from tollbridge.rating.book import PriceBook
from tollbridge.rating.prices import PricePart, PriceRow, Source
from tollbridge.recording.details import counted, varying_row
from tollbridge.recording.logs import CallLines, log_calls

SECRET = "sk-live-secret"


class Lines:
    """A logger that keeps what it is given."""

    def __init__(self) -> None:
        self.calls: list[CapturedCall] = []

    def info(self, event: str, **values: Any) -> None:
        self.calls.append(CapturedCall("info", (event,), values))


def test_each_attempt_and_each_call_has_a_line() -> None:
    """They say who was tried, how it ended and who served, by call id, category and provider."""
    first = refused(begun(1, 1, "aimlapi"), 2)
    second = succeeded(begun(2, 3), 4)
    opened = opened_call(1)
    closed = Closed(opened.call_id, 5, Ending.COMPLETE, 200, (first, second))
    logger = Lines()
    log_calls(logger, [conclude(CallEvidence(opened, closed), CONCLUSIONS)])
    assert [
        (call.args[0], call.kwargs["action"], call.kwargs["provider"]) for call in logger.calls
    ] == [
        ("trying aimlapi for TEXT: aimlapi failed (rate_limited)", "attempt", "aimlapi"),
        ("trying openai for TEXT: openai succeeded", "attempt", "openai"),
        (f"call {opened.call_id} served by provider openai", "call", "openai"),
    ]
    assert {call.kwargs["call_id"] for call in logger.calls} == {opened.call_id}
    assert {call.kwargs["category"] for call in logger.calls} == {"text"}


def test_no_line_has_a_key_a_body_or_a_providers_words() -> None:
    """Whatever stands in the evidence."""
    attempt = msgspec.structs.replace(
        refused(begun(1, 1), 2),
        message=SECRET,
        headers={"authorization": SECRET},
        usage={**USAGE, "note": SECRET},
    )
    opened = opened_call(1, customer=SECRET, tags=(SECRET,))
    closed = Closed(opened.call_id, 5, Ending.ALL_REFUSED, 502, (attempt,), error=SECRET)
    logger = Lines()
    log_calls(logger, [conclude(CallEvidence(opened, closed), CONCLUSIONS)])
    assert len(logger.calls) == 2
    assert SECRET not in repr(logger.calls)
    assert logger.calls[-1].args[0] == f"call {opened.call_id} not served: all_refused"


@st.composite
def ended_calls(draw: st.DrawFn) -> CallEvidence:
    """Return a call with up to three attempts that ended in any way."""
    attempts = [
        msgspec.structs.replace(
            succeeded(begun(number, 1, draw(st.sampled_from(["openai", 'od"d\\\x1a\x1a']))), 2),
            outcome=draw(st.sampled_from(AttemptOutcome)),
            error_class=draw(st.sampled_from([None, *ErrorClass])),
            http_status=draw(st.sampled_from([None, 200, 429])),
        )
        for number in range(1, draw(st.integers(1, 4)))
    ]
    call_id = str(draw(st.uuids()))
    closed = Closed(
        call_id,
        draw(st.integers(0, 10**9)),
        draw(st.sampled_from(Ending)),
        draw(st.sampled_from([200, 500])),
        tuple(attempts),
    )
    return CallEvidence(opened_call(1, call_id=call_id), closed)


@given(st.lists(ended_calls(), max_size=10), st.sampled_from([1, 1000]))
def test_rendered_lines_say_what_a_logger_would_be_told(
    calls: list[CallEvidence], kinds_max: int
) -> None:
    """The same words and values in the same order, whatever lines there were before."""
    accounts = [conclude(call, CONCLUSIONS) for call in calls]
    logger = Lines()
    log_calls(logger, accounts)
    rendered = CallLines(kinds_max).render(accounts)
    assert [msgspec.json.decode(b"{%b}" % line) for line in rendered] == [
        {"event": call.args[0], **call.kwargs} for call in logger.calls
    ]


@pytest.mark.parametrize(("source", "said"), [(Source.SEED, "seed"), (Source.FILE, "database")])
def test_row_and_line_say_whether_the_price_came_with_the_program(
    source: Source, said: str
) -> None:
    prices = [
        PriceRow(f"{source}-{unit}", "openai", "gpt*", unit, "1", 1, 0, None, source.value)
        for unit in ("input", "output")
    ]
    priced = msgspec.structs.replace(CONCLUSIONS, book=PriceBook(PricePart(rows=prices)))
    attempt = succeeded(begun(1, 1, "openai"), 2)
    opened = opened_call(1)
    closed = Closed(opened.call_id, 5, Ending.COMPLETE, 200, (attempt,))
    account = conclude(CallEvidence(opened, closed), priced)
    logger = Lines()
    log_calls(logger, [account])
    assert logger.calls[0].kwargs["price_source"] == said
    bills = [
        msgspec.json.decode(value)
        for value in varying_row(account, counted(account.usage), folded=True)
        if isinstance(value, str) and value.startswith('[{"attempt"')
    ]
    assert [bill["source"] for (bill,) in bills] == [said]
