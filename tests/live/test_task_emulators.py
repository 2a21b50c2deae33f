"""Every wire format of tasks against the emulator of its provider, over real sockets."""

import msgspec
import pytest

from tests.support.sandbox_server import running_sandbox
from tollbridge.core.call import AttemptOutcome, Operation
from tollbridge.core.clock import SystemClock
from tollbridge.core.evidence import AttemptEvidence
from tollbridge.core.plan import Candidate, Endpoint
from tollbridge.providers.ask import Asking
from tollbridge.providers.dialects.tasks.every import every_task_wire
from tollbridge.providers.limits import TransportLimits
from tollbridge.providers.passage import Passage
from tollbridge.providers.request import Request
from tollbridge.providers.tasks import TaskFailedError, TaskLimits, Tasks
from tollbridge.providers.transport import Transport
from tollbridge.providers.wire import Given
from tollbridge.sandbox import Script

FILM = Operation.VIDEO_GENERATION
PICTURE = Operation.IMAGE_GENERATION
LIMITS = TaskLimits(poll_first_s=0.01, poll_max_s=0.05)
CASES = (
    ("aimlapi", FILM, "alibaba/wan2.5-t2v-preview", 5),
    ("gemini", FILM, "veo-3.1-generate-preview", 8),
    ("openai", FILM, "sora-2", 8),
    ("piapi", FILM, "kling video_generation", 5),
    ("piapi", PICTURE, "Qubico/flux1-schnell", 0),
    ("replicate", FILM, "kwaivgi/kling-v2.1", 5),
    ("replicate", PICTURE, "black-forest-labs/flux-schnell", 0),
    ("runware", FILM, "klingai:5@3", 5),
    ("runware", PICTURE, "runware:100@1", 0),
    ("wavespeed", FILM, "alibaba/wan-2.5/text-to-video", 5),
    ("wavespeed", PICTURE, "wavespeed-ai/qwen-image/text-to-image", 0),
    ("xai", FILM, "grok-imagine-video", 5),
)
FILMS = tuple(case for case in CASES if case[1] is FILM)
# OpenAI's films lie at an address that no answer names.
NAMED = tuple(case for case in FILMS if case[0] != "openai")


def base_url(dialect: str, url: str) -> str:
    """Return the base URL as endpoints.toml has it: Runware's without its only path."""
    if dialect == "gemini":
        return f"{url}/v1beta"
    return url.removesuffix("/v1") if dialect == "runware" else url


async def run(url: str, case: tuple[str, Operation, str, int], attempt: AttemptEvidence) -> Given:
    dialect, operation, model, seconds = case
    fields = {"prompt": "a paper boat"} | ({"seconds": str(seconds)} if seconds else {})
    endpoint = Endpoint(dialect, dialect, dialect, base_url(dialect, url), "sk-test")
    clock = SystemClock()
    transport = Transport(TransportLimits())
    try:
        return await Tasks(Asking(transport, clock, 1 << 20), clock, LIMITS).run(
            every_task_wire()[dialect],
            Passage("call-1", attempt, clock.monotonic_s() + 10, None),
            attempt,
            Candidate(endpoint, model, "priority 1"),
            Request(operation, msgspec.json.encode(fields), model),
        )
    finally:
        await transport.aclose()


def attempt_of(case: tuple[str, Operation, str, int]) -> AttemptEvidence:
    return AttemptEvidence(1, case[0], case[0], case[0], case[2], "priority 1", 1)


@pytest.mark.parametrize("case", CASES, ids=lambda case: f"{case[0]}-{case[1].value}")
async def test_what_is_made_is_counted_as_the_provider_counts_it(
    case: tuple[str, Operation, str, int],
) -> None:
    attempt = attempt_of(case)
    async with running_sandbox() as sandbox:
        given = await run(sandbox.base_url(case[0]), case, attempt)
        assert given.outputs
        if case[1] is FILM:
            assert attempt.counts["video_ms"] == case[3] * 1000
        else:
            assert attempt.counts["image"] == 1


@pytest.mark.parametrize("case", FILMS, ids=lambda case: case[0])
async def test_a_task_that_fails_is_told_and_a_look_that_fails_is_not_the_end(
    case: tuple[str, Operation, str, int],
) -> None:
    async with running_sandbox() as sandbox:
        sandbox.script(Script(task="fails", poll_errors=2))
        with pytest.raises(TaskFailedError) as caught:
            await run(sandbox.base_url(case[0]), case, attempt_of(case))
        assert caught.value.outcome in {AttemptOutcome.FAILED, AttemptOutcome.BROKE}


@pytest.mark.parametrize("case", NAMED, ids=lambda case: case[0])
async def test_a_task_that_is_done_and_has_made_nothing_failed(
    case: tuple[str, Operation, str, int],
) -> None:
    async with running_sandbox() as sandbox:
        sandbox.script(Script(task_outputs="empty"))
        with pytest.raises(TaskFailedError):
            await run(sandbox.base_url(case[0]), case, attempt_of(case))
