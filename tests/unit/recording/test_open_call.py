"""What is known of a call that has not ended."""

from tests.support.evidence import CALL_ID, NOW_US, an_opened, begun
from tollbridge.core.evidence import AttemptStarted, Progress
from tollbridge.recording.calls import OpenCall


def test_progress_of_a_hedge_s_first_attempt_forgets_the_second_one_not() -> None:
    """Both were asked, and both may bill: the one that goes on stands last."""
    call = OpenCall(CALL_ID)
    call.note(an_opened(attempt=begun()), b"")
    call.note(AttemptStarted(CALL_ID, (begun(), begun(number=2, endpoint="other"))), b"")
    call.note(Progress(CALL_ID, NOW_US + 1, begun(chunks=3)), b"")
    assert [(one.number, one.chunks) for one in call.attempts()] == [(2, 0), (1, 3)]
