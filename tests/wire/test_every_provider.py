"""Each provider of endpoints.toml, as its emulator plays it: answers, streams, errors → who → cost.

The whole way of a call without a node: the wire format composes and reads, the relay carries, the
pure stages conclude. What must come out is what the emulator's own books bill.
"""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import NamedTuple

import msgspec
import pytest
import pytest_asyncio

from tests.support.carrier import Carried
from tests.support.emulated import KNOWN, Asked, Lane, running_lane
from tollbridge.core.account import CostOrigin
from tollbridge.core.call import AttemptOutcome, Ending, ErrorClass, Operation
from tollbridge.core.money import to_nanousd
from tollbridge.core.usage import UsageSource
from tollbridge.rating.unit_names import PER_OF
from tollbridge.sandbox import LogEntry, Script

pytestmark = pytest.mark.asyncio(loop_scope="module")

CHAT, IMAGE = Operation.CHAT_COMPLETION, Operation.IMAGE_GENERATION


class Row(NamedTuple):
    """One provider, and what its answers say of themselves."""

    asked: Asked
    states_charge: bool = False
    """Whether it says what it charged: then that is the cost."""
    upstream: str | None = None
    """Whom its answers reveal as the one who ran the model."""
    is_task: bool = False
    says_wait: bool = True
    """Whether a rate limit says how long to wait."""


ROWS = (
    Row(Asked("aimlapi"), states_charge=True),
    Row(Asked("piapi")),
    Row(Asked("openrouter"), states_charge=True, upstream="groq"),
    Row(Asked("openai")),
    Row(Asked("anthropic")),
    Row(Asked("xai"), states_charge=True),
    Row(Asked("azure")),
    Row(Asked("google")),
    Row(Asked("huggingface", model="openai/gpt-oss-120b:groq"), upstream="groq"),
    Row(Asked("mistral")),
    Row(Asked("groq")),
    Row(Asked("together")),
    Row(Asked("deepseek")),
    Row(Asked("vllm", model="m")),
    Row(Asked("llamacpp")),
    Row(Asked("ollama", model="m")),
    Row(Asked("sandbox")),
    Row(Asked("stability", IMAGE, {"image": "0.03"}), says_wait=False),
    Row(Asked("replicate", IMAGE, {"image": "0.003"}), is_task=True),
    Row(Asked("wavespeed", IMAGE, {"image": "0.02"}), is_task=True),
    Row(Asked("piapi-tasks", IMAGE, {"image": "0.015"}), is_task=True),
    Row(Asked("runware", IMAGE, {"image": "0.0019"}), states_charge=True, is_task=True),
    Row(Asked("elevenlabs", Operation.AUDIO_SPEECH, {"character": "100"}), says_wait=False),
    Row(Asked("cohere", Operation.RERANK, {"search": "0.002"})),
    Row(Asked("jina", Operation.RERANK, {"input": "0.02"})),
)
BY_NAME = {row.asked.name: row for row in ROWS}
CHATS = [row.asked.name for row in ROWS if row.asked.operation is CHAT]
EITHER_WAY = [(name, False) for name in BY_NAME] + [(name, True) for name in CHATS]


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def lane() -> AsyncIterator[Lane]:
    async with running_lane() as running:
        yield running


async def test_every_provider_that_is_known_is_in_the_table() -> None:
    assert set(BY_NAME) == set(KNOWN)


def expected_nanousd(row: Row, entry: LogEntry) -> int:
    """Return what the emulator's books say, at the rates of the table."""
    if row.states_charge:
        assert entry.billed_usd is not None
        return to_nanousd(entry.billed_usd)
    counts = dict(entry.units)
    if entry.usage is not None:
        counts["input"] = entry.usage.prompt_tokens
        counts["output"] = entry.usage.completion_tokens
    rates = row.asked.rates
    exact = [Decimal(rate) * counts[unit] / PER_OF[unit] for unit, rate in rates.items()]
    return to_nanousd(sum(exact, Decimal(0)))


async def assert_booked(lane: Lane, row: Row, asked: Asked, carried: Carried) -> None:
    """Assert who served, by which evidence, how much was used and what it costs."""
    assert carried.error is None
    assert (carried.evidence.closed.ending, carried.taker.ended) == (Ending.COMPLETE, "whole")
    entry = await lane.billed()
    account = lane.account(asked, carried)
    [attempt] = account.attempts
    assert attempt.usage.source is UsageSource.REPORTED
    assert account.flags == ()
    assert account.attribution.provider == lane.door(asked)[0].provider
    assert account.attribution.upstream_provider == row.upstream
    if entry.usage is not None and asked.operation is CHAT:
        counts = attempt.usage.counts
        assert counts["input"] == entry.usage.prompt_tokens
        assert counts["output"] == entry.usage.completion_tokens
    rated = attempt.rated
    assert rated.cost_nanousd == expected_nanousd(row, entry) > 0
    assert rated.origin is (CostOrigin.REPORTED if row.states_charge else CostOrigin.COMPUTED)


@pytest.mark.parametrize("name", BY_NAME)
async def test_an_answer_is_attributed_and_costs_what_the_provider_bills(
    lane: Lane, name: str
) -> None:
    row = BY_NAME[name]
    carried = await lane.carry(row.asked, Script(task_polls=0))
    await assert_booked(lane, row, row.asked, carried)
    assert carried.last.http_status == 200
    assert carried.taker.got
    if row.asked.operation is CHAT:
        told = msgspec.json.decode(carried.taker.got)
        assert told["choices"][0]["message"]["content"]


@pytest.mark.parametrize("name", CHATS)
async def test_a_stream_is_attributed_and_costs_what_the_provider_bills(
    lane: Lane, name: str
) -> None:
    row = BY_NAME[name]
    carried = await lane.carry(row.asked, Script(chunks=7, thoughts=2), stream=True)
    await assert_booked(lane, row, row.asked, carried)
    assert carried.taker.got.rstrip().endswith(b"data: [DONE]")
    assert carried.last.served_model


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("face", ["anthropic", "gemini", "responses"])
@pytest.mark.parametrize("name", CHATS)
async def test_it_costs_the_same_for_callers_of_other_formats(
    lane: Lane, name: str, face: str, *, stream: bool
) -> None:
    row = BY_NAME[name]
    asked = row.asked._replace(face=face)
    carried = await lane.carry(asked, Script(chunks=5, thoughts=2), stream=stream)
    await assert_booked(lane, row, asked, carried)


@pytest.mark.parametrize(("name", "stream"), EITHER_WAY)
async def test_an_error_is_the_provider_s_and_costs_nothing(
    lane: Lane, name: str, *, stream: bool
) -> None:
    row = BY_NAME[name]
    carried = await lane.carry(row.asked, Script(error="server_error"), stream=stream)
    assert_refused(lane, row, carried, ErrorClass.UPSTREAM_ERROR, 502)


@pytest.mark.parametrize(("name", "stream"), EITHER_WAY)
async def test_a_rate_limit_costs_nothing_and_says_how_long_to_wait(
    lane: Lane, name: str, *, stream: bool
) -> None:
    row = BY_NAME[name]
    limited = Script(error="rate_limited", retry_after_s=7)
    carried = await lane.carry(row.asked, limited, stream=stream)
    assert_refused(lane, row, carried, ErrorClass.RATE_LIMITED, 429)
    assert carried.last.retry_after_s == (pytest.approx(7) if row.says_wait else None)


def assert_refused(
    lane: Lane, row: Row, carried: Carried, error_class: ErrorClass, status: int
) -> None:
    """Assert that nobody pays, and that all is told."""
    attempt = carried.last
    # What was submitted may have begun all the same: a fault of theirs does not say otherwise.
    unknown = row.is_task and error_class is ErrorClass.UPSTREAM_ERROR
    outcome = AttemptOutcome.UNKNOWN if unknown else AttemptOutcome.FAILED
    assert (attempt.outcome, attempt.error_class) == (outcome, error_class)
    assert attempt.message
    assert attempt.http_status is not None
    assert attempt.http_status >= 400
    assert carried.error is not None
    assert carried.error.status == status
    account = lane.account(row.asked, carried)
    assert account.attribution.provider == lane.door(row.asked)[0].provider
    if unknown:
        assert {"estimated", "unknown_outcome"} <= set(account.flags)
    else:
        assert (account.cost_nanousd, account.usage.source) == (0, UsageSource.NONE)
