"""The log lines of a call."""

from typing import Any

import msgspec
from structlog.testing import CapturedCall

from tests.support.drained import CONCLUSIONS, USAGE, begun, opened_call, refused, succeeded
from tollbridge.conclude import conclude
from tollbridge.core.call import Ending
from tollbridge.core.evidence import CallEvidence, Closed
from tollbridge.recording.logs import log_calls

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
