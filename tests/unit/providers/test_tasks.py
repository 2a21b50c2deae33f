"""A task within one attempt: submitted once, asked after until it is over."""

from collections.abc import Mapping
from typing import Any

import msgspec
import pytest

from tollbridge.core.call import AttemptOutcome, ErrorClass, Operation
from tollbridge.core.clock import SystemClock
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.core.plan import Candidate, Endpoint
from tollbridge.providers.dialects.tasks.replicate import ReplicateTasks
from tollbridge.providers.failures import BrokenConnectionError, ConnectError, TransportError
from tollbridge.providers.passage import Passage
from tollbridge.providers.request import Request
from tollbridge.providers.tasks import Reaction, TaskFailedError, TaskLimits, Tasks
from tollbridge.providers.wire import Given, Outgoing

ENDPOINT = Endpoint("r", "replicate", "replicate", "https://r.example/v1", "secret")
CANDIDATE = Candidate(ENDPOINT, "owner/name", "priority 1")
REQUEST = Request(Operation.IMAGE_GENERATION, b'{"prompt":"a boat"}', "m")
STARTING: dict[str, Any] = {"id": "t1", "status": "starting"}
DONE: dict[str, Any] = {
    "id": "t1",
    "status": "succeeded",
    "output": ["https://r.example/1.webp"],
    "metrics": {"predict_time": 1.5, "image_output_count": 1},
}
FAILED: dict[str, Any] = {
    "id": "t1",
    "status": "failed",
    "error": "it broke",
    "metrics": {"predict_time": 1.5},
}
LIMITS = TaskLimits(poll_first_s=0.001, poll_max_s=0.002, poll_refusals_max=3)

Said = Mapping[str, Any] | TransportError | int


class Script:
    """A provider that gives one answer after the other, and says what it was asked."""

    def __init__(self, *said: Said) -> None:
        self.said = list(said)
        self.asked: list[str] = []

    async def __call__(
        self,
        endpoint: Endpoint,
        outgoing: Outgoing,
        call_id: str,
        deadline_s: float,
        key: str | None = None,
    ) -> Reaction:
        self.asked.append(f"{outgoing.method.decode()} {outgoing.target}")
        said = self.said.pop(0) if len(self.said) > 1 else self.said[0]
        if isinstance(said, TransportError):
            raise said
        if isinstance(said, int):
            return Reaction(said, {}, b'{"detail":"no"}')
        return Reaction(200, {}, msgspec.json.encode(said))


def attempt_of() -> AttemptEvidence:
    return AttemptEvidence(1, "r", "replicate", "replicate", "owner/name", "priority 1", 1)


async def run(script: Script, attempt: AttemptEvidence, timeout_s: float = 5.0) -> Given:
    clock = SystemClock()
    passage = Passage("call-1", attempt, clock.monotonic_s() + timeout_s, None)
    tasks = Tasks(script, clock, LIMITS)
    return await tasks.run(ReplicateTasks(), passage, attempt, CANDIDATE, REQUEST)


async def test_a_task_is_submitted_once_and_asked_after_until_it_is_done() -> None:
    script, attempt = Script(STARTING, STARTING, STARTING, DONE), attempt_of()
    given = await run(script, attempt)
    assert [one.url for one in given.outputs] == ["https://r.example/1.webp"]
    assert [one for one in script.asked if one.startswith("POST")] == [
        "POST /models/owner/name/predictions"
    ]
    assert len(script.asked) == 4
    assert attempt.response_id == "t1"
    assert attempt.counts == {"image": 1, "compute_ms": 1500}
    assert attempt.written


async def test_a_task_that_is_done_at_once_is_not_asked_after() -> None:
    script = Script(DONE)
    await run(script, attempt_of())
    assert len(script.asked) == 1


async def test_a_look_that_fails_for_the_moment_is_repeated() -> None:
    broken = BrokenConnectionError("gone", written=True)
    script = Script(STARTING, 503, broken, 429, 502, DONE)
    assert (await run(script, attempt_of())).outputs


async def test_a_failed_task_is_billed_for_what_it_did() -> None:
    attempt = attempt_of()
    with pytest.raises(TaskFailedError) as caught:
        await run(Script(STARTING, FAILED), attempt)
    assert caught.value.outcome is AttemptOutcome.BROKE
    assert attempt.counts == {"compute_ms": 1500}


@pytest.mark.parametrize(
    ("said", "outcome", "written"),
    [
        (ConnectError("refused"), AttemptOutcome.FAILED, False),
        (BrokenConnectionError("gone", written=True), AttemptOutcome.UNKNOWN, True),
        (429, AttemptOutcome.FAILED, True),
        (422, AttemptOutcome.FAILED, True),
        (500, AttemptOutcome.UNKNOWN, True),
        (503, AttemptOutcome.FAILED, True),
    ],
)
async def test_a_submit_is_never_repeated_and_says_what_is_known_of_it(
    said: Said, outcome: AttemptOutcome, *, written: bool
) -> None:
    script, attempt = Script(said), attempt_of()
    with pytest.raises(TaskFailedError) as caught:
        await run(script, attempt)
    assert caught.value.outcome is outcome
    assert attempt.written is written
    assert len(script.asked) == 1


async def test_a_task_that_takes_too_long_is_cancelled_and_its_outcome_is_unknown() -> None:
    script = Script(STARTING)
    with pytest.raises(TaskFailedError) as caught:
        await run(script, attempt_of(), timeout_s=0.03)
    assert caught.value.outcome is AttemptOutcome.UNKNOWN
    assert caught.value.error_class is ErrorClass.TIMEOUT
    assert script.asked[-1] == "POST /predictions/t1/cancel"


async def test_a_task_that_nobody_knows_any_more_is_given_up() -> None:
    with pytest.raises(TaskFailedError) as caught:
        await run(Script(STARTING, 404), attempt_of())
    assert caught.value.outcome is AttemptOutcome.UNKNOWN
