"""What providers do that breaks gateways: each case made by an emulator, carried, and concluded.

The relay, the wire formats and the pure stages as in a worker, over loopback, without a node. The
numbers are those of the list of hard cases that the emulators were written after.
"""

from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import msgspec
import pytest
import pytest_asyncio

from tests.support.carrier import Carried
from tests.support.chats import MINIMAL
from tests.support.chats import asked as asked_chat
from tests.support.emulated import Asked, Lane, running_lane
from tests.support.evidence import NOW_US, price_rows
from tollbridge.core.account import AttemptAccount, CallAccount
from tollbridge.core.call import AttemptOutcome, Ending, ErrorClass, Operation
from tollbridge.core.money import to_nanousd, to_usd
from tollbridge.core.usage import UsageSource
from tollbridge.providers.dialects.registry import wires
from tollbridge.rating.book import PriceBook
from tollbridge.rating.prices import PricePart
from tollbridge.sandbox import Script

pytestmark = pytest.mark.asyncio(loop_scope="module")

OPENAI, ANTHROPIC, GOOGLE = Asked("openai"), Asked("anthropic"), Asked("google")
OPENROUTER = Asked("openrouter")
IMAGE = Operation.IMAGE_GENERATION
TASKS = {
    "replicate": Asked("replicate", IMAGE, {"image": "0.003"}),
    "wavespeed": Asked("wavespeed", IMAGE, {"image": "0.02"}),
    "piapi-tasks": Asked("piapi-tasks", IMAGE, {"image": "0.015"}),
    "runware": Asked("runware", IMAGE, {"image": "0.0019"}),
}
STABILITY = Asked("stability", IMAGE, {"image": "0.03"})
ELEVENLABS = Asked("elevenlabs", Operation.AUDIO_SPEECH, {"character": "100"})
FACES = ["openai", "responses", "anthropic", "gemini"]
OWN_FACE = {"openai": "openai", "anthropic": "anthropic", "google": "gemini"}


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def lane() -> AsyncIterator[Lane]:
    async with running_lane() as running:
        yield running


def words_of(face: str, got: bytes) -> str:
    """Return the text of a stream in a caller's format."""
    chunks: list[Any] = []
    for event in got.decode().replace("\r\n", "\n").split("\n\n"):
        data = [line[5:] for line in event.split("\n") if line.startswith("data:")]
        if data and data != [" [DONE]"]:
            chunks.append(msgspec.json.decode("\n".join(data)))
    if face == "openai":
        return "".join(
            choice["delta"].get("content") or "" for one in chunks for choice in one["choices"]
        )
    if face == "responses":
        return "".join(
            one["delta"] for one in chunks if one["type"] == "response.output_text.delta"
        )
    if face == "anthropic":
        deltas = [one["delta"] for one in chunks if one["type"] == "content_block_delta"]
        return "".join(delta.get("text", "") for delta in deltas)
    return "".join(
        part.get("text", "")
        for one in chunks
        for candidate in one.get("candidates", ())
        for part in candidate.get("content", {}).get("parts", ())
    )


def assert_served(carried: Carried) -> None:
    assert carried.error is None
    assert (carried.evidence.closed.ending, carried.taker.ended) == (Ending.COMPLETE, "whole")
    assert carried.last.outcome is AttemptOutcome.SUCCEEDED


async def assert_exact(
    lane: Lane, asked: Asked, carried: Carried, *flags: str
) -> tuple[CallAccount, AttemptAccount]:
    """Assert that a chat was served, and costs what the emulator's books say."""
    assert_served(carried)
    used = (await lane.billed()).usage
    assert used is not None
    account = lane.account(asked, carried)
    [attempt] = account.attempts
    counts = attempt.usage.counts
    assert (counts["input"], counts["output"]) == (used.prompt_tokens, used.completion_tokens)
    assert account.flags == flags
    assert attempt.usage.source is UsageSource.REPORTED
    return account, attempt


# 1 to 8: usage where nobody expects it, or not where it is expected.


@pytest.mark.parametrize("face", FACES)
async def test_1_a_chunk_after_the_usage_changes_nothing(lane: Lane, face: str) -> None:
    asked = OPENAI._replace(face=face, name="groq")
    carried = await lane.carry(asked, Script(usage_then_extra_chunk=True), stream=True)
    await assert_exact(lane, asked, carried)
    openai_s = Asked("vllm", model="m", face=face)
    carried = await lane.carry(openai_s, Script(usage_then_extra_chunk=True), stream=True)
    await assert_exact(lane, openai_s, carried)


@pytest.mark.parametrize("face", FACES)
async def test_2_a_first_chunk_without_choices_hides_neither_model_nor_words(
    lane: Lane, face: str
) -> None:
    asked = Asked("azure", face=face)
    carried = await lane.carry(asked, Script(chunks=4), stream=True)
    await assert_exact(lane, asked, carried)
    assert carried.last.served_model == "gpt-4o"
    assert carried.last.response_id
    assert len(words_of(face, carried.taker.got).split()) == 4


@pytest.mark.parametrize("lie", ["null", "missing"])
@pytest.mark.parametrize("name", ["openai", "anthropic", "google"])
async def test_3_usage_that_is_never_said_is_estimated_and_says_so(
    lane: Lane, name: str, lie: Any
) -> None:
    for face in {"openai", OWN_FACE[name]}:
        asked = Asked(name, face=face)
        for stream in (False, True):
            carried = await lane.carry(asked, Script(chunks=9, usage=lie), stream=stream)
            assert_served(carried)
            account = lane.account(asked, carried)
            assert account.usage.source is UsageSource.ESTIMATED
            assert "estimated" in account.flags
            assert (account.cost_nanousd or 0) > 0


@pytest.mark.parametrize("name", ["vllm", "xai", "google", "openai"])
async def test_4_cumulative_usage_in_each_chunk_is_not_added_up(lane: Lane, name: str) -> None:
    for face in FACES:
        asked = Asked(name, face=face, model="m" if name == "vllm" else "")
        script = Script(chunks=12, usage_in_every_chunk=True)
        await assert_exact(lane, asked, await lane.carry(asked, script, stream=True))


@pytest.mark.parametrize("face", FACES)
async def test_5_input_that_rises_at_the_end_is_billed_at_its_end(lane: Lane, face: str) -> None:
    asked = ANTHROPIC._replace(face=face)
    script = Script(usage_at_start={"input_tokens": 1})
    await assert_exact(lane, asked, await lane.carry(asked, script, stream=True))
    asked = GOOGLE._replace(face=face)
    script = Script(usage_at_start={"promptTokenCount": 1, "totalTokenCount": 2})
    await assert_exact(lane, asked, await lane.carry(asked, script, stream=True))


@pytest.mark.parametrize("face", FACES)
async def test_6_usage_twice_in_one_chunk_counts_once(lane: Lane, face: str) -> None:
    asked = Asked("groq", face=face)
    await assert_exact(lane, asked, await lane.carry(asked, Script(), stream=True))


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("face", ["anthropic", "openai"])
async def test_7_a_second_model_inside_usage_is_flagged(
    lane: Lane, face: str, *, stream: bool
) -> None:
    advisor = {"type": "advisor_message", "model": "claude-opus-4-1", "input_tokens": 900}
    asked = ANTHROPIC._replace(face=face)
    script = Script(usage={"iterations": [{"type": "message"}, advisor]})
    carried = await lane.carry(asked, script, stream=stream)
    await assert_exact(lane, asked, carried, "other_model")


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("face", ["gemini", "openai"])
async def test_8_a_missing_count_of_candidates_is_none_of_them(
    lane: Lane, face: str, *, stream: bool
) -> None:
    asked = GOOGLE._replace(face=face)
    carried = await lane.carry(asked, Script(chunks=0), stream=stream)
    _, attempt = await assert_exact(lane, asked, carried)
    assert attempt.usage.counts["output"] == 0


# 9 to 11: errors in disguise.


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("name", ["openrouter", "groq", "anthropic", "google", "openai"])
async def test_9_an_error_that_begins_a_stream_is_served_by_the_next(
    lane: Lane, name: str, face: str
) -> None:
    asked, other = Asked(name, face=face), Asked("deepseek", face=face)
    script = Script(error="overloaded", error_frame_first=True)
    carried = await lane.carry(asked, script, stream=True, then=[other])
    assert_served(carried)
    failed, served = carried.evidence.closed.attempts
    assert (failed.outcome, served.provider) == (AttemptOutcome.FAILED, "deepseek")
    assert failed.error_class in {ErrorClass.OVERLOADED, ErrorClass.UPSTREAM_ERROR}
    assert failed.usage is None


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("name", ["openrouter", "groq", "anthropic", "google", "openai"])
async def test_9_an_error_in_the_midst_of_a_stream_never_looks_like_its_end(
    lane: Lane, name: str, face: str
) -> None:
    asked = Asked(name, face=face)
    script = Script(
        chunks=6, error="overloaded", error_frame_after_chunks=3, delay_per_chunk_s=0.005
    )
    carried = await lane.carry(asked, script, stream=True)
    assert (carried.evidence.closed.ending, carried.taker.ended) == (
        Ending.PROVIDER_BROKE,
        "broken",
    )
    assert carried.last.outcome is AttemptOutcome.BROKE
    assert b"error" in carried.taker.got
    assert b"[DONE]" not in carried.taker.got
    account = lane.account(asked, carried)
    assert {"unknown_outcome"} <= set(account.flags)
    assert (account.cost_nanousd or 0) > 0


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize(
    ("asked", "error", "error_class"),
    [
        (OPENROUTER, "rate_limited", ErrorClass.RATE_LIMITED),
        (OPENROUTER, "server_error", ErrorClass.UPSTREAM_ERROR),
        (OPENROUTER._replace(face="anthropic"), "rate_limited", ErrorClass.RATE_LIMITED),
        (ANTHROPIC, "overloaded", ErrorClass.OVERLOADED),
        (ANTHROPIC._replace(face="anthropic"), "overloaded", ErrorClass.OVERLOADED),
        (GOOGLE, "rate_limited", ErrorClass.RATE_LIMITED),
        (GOOGLE._replace(face="gemini"), "rate_limited", ErrorClass.RATE_LIMITED),
        (OPENAI, "insufficient_quota", ErrorClass.INSUFFICIENT_FUNDS),
        (OPENAI._replace(face="responses"), "rate_limited", ErrorClass.RATE_LIMITED),
    ],
)
async def test_10_an_error_in_a_200_is_an_error(
    lane: Lane, asked: Asked, error: str, error_class: ErrorClass, *, stream: bool
) -> None:
    script = Script(error=error, error_in_200=True)
    carried = await lane.carry(asked, script, stream=stream)
    assert carried.error is not None
    assert carried.last.http_status == 200
    assert (carried.last.outcome, carried.last.error_class) == (AttemptOutcome.FAILED, error_class)
    assert lane.account(asked, carried).cost_nanousd == 0


async def test_10_another_code_inside_a_200_of_a_task_is_an_error(lane: Lane) -> None:
    for name in ("wavespeed", "piapi-tasks"):
        script = Script(error="rate_limited", error_in_200=True)
        carried = await lane.carry(TASKS[name], script)
        assert carried.last.error_class is ErrorClass.RATE_LIMITED
        assert lane.account(TASKS[name], carried).cost_nanousd == 0


@pytest.mark.parametrize(
    ("asked", "status"),
    [
        (OPENAI, 429),
        (Asked("xai"), 429),
        (Asked("aimlapi"), 403),
        (OPENROUTER, 402),
        (ANTHROPIC, 400),
        (Asked("deepseek"), 402),
        (Asked("huggingface"), 402),
        (ELEVENLABS, 401),
        (TASKS["replicate"], 402),
        (STABILITY, 402),
    ],
    ids=lambda one: one.name if isinstance(one, Asked) else str(one),
)
async def test_11_an_empty_account_is_told_from_a_rate_limit_whatever_the_status(
    lane: Lane, asked: Asked, status: int
) -> None:
    carried = await lane.carry(asked, Script(error="insufficient_quota"))
    assert (carried.last.http_status, carried.last.error_class) == (
        status,
        ErrorClass.INSUFFICIENT_FUNDS,
    )
    carried = await lane.carry(asked, Script(error="rate_limited"))
    assert (carried.last.http_status, carried.last.error_class) == (429, ErrorClass.RATE_LIMITED)


# 12 to 13: how long to wait, and how bytes are cut.


@pytest.mark.parametrize("way", ["seconds", "date", "ms", "both"])
async def test_12_the_wait_is_read_in_each_way_of_saying_it(lane: Lane, way: Any) -> None:
    script = Script(error="rate_limited", retry_after_s=20, retry_after_as=way)
    carried = await lane.carry(OPENAI, script)
    assert carried.last.retry_after_s == pytest.approx(20, abs=2)


@pytest.mark.parametrize("name", ["google", "groq", "replicate"])
async def test_12_the_wait_is_read_in_the_body(lane: Lane, name: str) -> None:
    asked = TASKS.get(name) or Asked(name)
    carried = await lane.carry(asked, Script(error="rate_limited", retry_after_s=20))
    assert carried.last.retry_after_s == pytest.approx(20, abs=2)


async def test_12_a_wait_beside_a_good_answer_says_nothing(lane: Lane) -> None:
    asked = Asked("huggingface")
    carried = await lane.carry(asked, Script(retry_after_s=30))
    await assert_exact(lane, asked, carried)
    assert carried.last.retry_after_s is None


CUTS: dict[str, dict[str, Any]] = {
    "comments": {"comments": True},
    "crlf": {"crlf": True},
    "data lines": {"data_lines": 2},
    "bytes": {"split": 1},
    "pieces": {"split": 7},
    "spaces": {"trailing_spaces": True},
    "all": {"comments": True, "crlf": True, "data_lines": 2, "split": 3},
}


@pytest.mark.parametrize("how", CUTS)
@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("name", ["openai", "anthropic", "google"])
async def test_13_a_stream_says_the_same_however_it_is_written_and_cut(
    lane: Lane, name: str, face: str, how: str
) -> None:
    asked = Asked(name, face=face)
    plain = await lane.carry(asked, Script(chunks=5), stream=True)
    carried = await lane.carry(asked, Script(chunks=5, **CUTS[how]), stream=True)
    await assert_exact(lane, asked, carried)
    assert words_of(face, carried.taker.got) == words_of(face, plain.taker.got) != ""
    assert carried.last.chunks == plain.last.chunks


# 14 to 15: broken off, and tasks.


@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("name", ["openai", "anthropic", "google"])
async def test_14_a_stream_that_breaks_before_its_usage_is_estimated(
    lane: Lane, name: str, face: str
) -> None:
    for by in ("close", "reset"):
        asked = Asked(name, face=face)
        script = Script(chunks=8, cut_after_chunks=4, cut_by=by)
        carried = await lane.carry(asked, script, stream=True)
        assert carried.evidence.closed.ending is Ending.PROVIDER_BROKE
        assert carried.taker.ended == "broken"
        account = lane.account(asked, carried)
        assert "unknown_outcome" in account.flags
        assert (account.cost_nanousd or 0) > 0


@pytest.mark.parametrize("name", TASKS)
async def test_14_a_submit_without_an_answer_is_unknown_and_never_repeated(
    lane: Lane, name: str
) -> None:
    before = len(lane.sandbox.tasks)
    carried = await lane.carry(TASKS[name], Script(answer_lost=True))
    assert carried.last.outcome is AttemptOutcome.UNKNOWN
    assert len(lane.sandbox.tasks) <= before + 1
    account = lane.account(TASKS[name], carried)
    assert {"estimated", "unknown_outcome"} <= set(account.flags)
    assert account.cost_nanousd == to_nanousd(Decimal(TASKS[name].rates["image"]))


@pytest.mark.parametrize("said", ["PROCESSING", "In_Progress", "dreaming"])
@pytest.mark.parametrize("name", ["replicate", "wavespeed", "piapi-tasks"])
async def test_15_a_status_in_any_case_or_unheard_of_means_that_it_runs(
    lane: Lane, name: str, said: str
) -> None:
    carried = await lane.carry(TASKS[name], Script(task_polls=1, task_status=said))
    assert_served(carried)


@pytest.mark.parametrize("outputs", ["empty", "removed"])
@pytest.mark.parametrize("name", ["replicate", "wavespeed", "piapi-tasks"])
async def test_15_a_task_that_ends_without_a_thing_is_no_success(
    lane: Lane, name: str, outputs: Any
) -> None:
    if name != "replicate" and outputs == "removed":
        outputs = "empty"  # only Replicate removes what it has made
    carried = await lane.carry(TASKS[name], Script(task_polls=0, task_outputs=outputs))
    assert carried.error is not None
    assert carried.last.outcome is not AttemptOutcome.SUCCEEDED


# 16 to 21: who really served, and what it really cost.


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("face", FACES)
async def test_16_who_served_behind_a_router_is_whom_the_answer_names(
    lane: Lane, face: str, *, stream: bool
) -> None:
    asked = OPENROUTER._replace(face=face)
    script = Script(provider="Together", tried=["Groq"])
    carried = await lane.carry(asked, script, stream=stream)
    account, _ = await assert_exact(lane, asked, carried)
    assert account.attribution.upstream_provider == "together"
    pinned = Asked("huggingface", model="openai/gpt-oss-120b:groq", face=face)
    carried = await lane.carry(pinned, Script(provider="together"), stream=stream)
    account, _ = await assert_exact(lane, pinned, carried)
    assert account.attribution.upstream_provider == "together"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_17_a_hit_of_the_router_s_cache_costs_nothing_and_is_no_unknown(
    lane: Lane, *, stream: bool
) -> None:
    carried = await lane.carry(OPENROUTER, Script(cache_hit=True), stream=stream)
    assert_served(carried)
    account = lane.account(OPENROUTER, carried)
    assert account.cost_nanousd == 0
    assert account.usage.source is UsageSource.REPORTED
    assert (account.usage.counts["input"], account.usage.counts["output"]) == (0, 0)


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("face", FACES)
@pytest.mark.parametrize("name", ["openai", "anthropic"])
async def test_18_the_tier_and_the_model_are_those_of_the_answer(
    lane: Lane, name: str, face: str, *, stream: bool
) -> None:
    asked = Asked(name, face=face)
    script = Script(service_tier="priority", model_returned="gpt-4o-2024-08-06")
    carried = await lane.carry(asked, script, stream=stream)
    _, attempt = await assert_exact(lane, asked, carried)
    assert attempt.usage.facts["service_tier"] == "priority"
    assert carried.last.served_model == "gpt-4o-2024-08-06"


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("name", ["openrouter", "xai", "aimlapi"])
async def test_19_a_stated_charge_that_disagrees_is_kept_beside_the_computed_one(
    lane: Lane, name: str, *, stream: bool
) -> None:
    asked = Asked(name)
    carried = await lane.carry(asked, Script(cost_usd=Decimal("0.5")), stream=stream)
    assert_served(carried)
    [attempt] = lane.account(asked, carried).attempts
    rated = attempt.rated
    assert rated.cost_nanousd == rated.reported_nanousd == 500_000_000
    assert rated.computed_nanousd is not None
    assert 0 < rated.computed_nanousd < 1_000_000
    assert rated.components[-1].unit == "reported_difference"


async def test_20_a_long_job_costs_what_held_when_it_began(lane: Lane) -> None:
    asked = TASKS["replicate"]
    carried = await lane.carry(asked, Script(task_polls=1))
    assert_served(carried)
    provider, model = "replicate", lane.door(asked)[1]
    old = price_rows(provider, model, {"image": "0.003"}, valid_to_us=NOW_US + 1)
    new = price_rows(provider, model, {"image": "9"}, valid_from_us=NOW_US + 1)
    [attempt] = carried.account(PriceBook(PricePart(rows=[*old, *new]))).attempts
    assert (attempt.evidence.ended_at_us or 0) > NOW_US + 1
    assert attempt.rated.cost_nanousd == 3_000_000


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_21_with_a_key_of_one_s_own_the_fee_is_not_the_cost(
    lane: Lane, *, stream: bool
) -> None:
    script = Script(byok=True, cost_usd=Decimal("0.4"))
    carried = await lane.carry(OPENROUTER, script, stream=stream)
    assert_served(carried)
    account = lane.account(OPENROUTER, carried)
    assert account.cost_nanousd is not None
    assert to_usd(account.cost_nanousd) == Decimal("0.42")


# 22 to 24: bodies that are not what they say.


async def test_22_the_status_and_the_type_say_what_a_body_is(lane: Lane) -> None:
    refused = await lane.carry(STABILITY, Script(error="content_filter"))
    assert refused.last.error_class is ErrorClass.CONTENT_FILTERED
    refused = await lane.carry(ELEVENLABS, Script(error="server_error"))
    assert refused.last.error_class is ErrorClass.UPSTREAM_ERROR
    disguised = await lane.carry(ELEVENLABS, Script(error="server_error", error_in_200=True))
    assert disguised.error is not None
    assert disguised.last.outcome is not AttemptOutcome.SUCCEEDED
    assert disguised.taker.ended is None
    garbage = await lane.carry(OPENAI, Script(malformed_json=True))
    assert garbage.last.error_class is ErrorClass.MALFORMED_ANSWER


@pytest.mark.parametrize("kind", ["application/octet-stream", "text/html", ""])
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_23_an_error_is_understood_whatever_type_it_is_said_to_be(
    lane: Lane, kind: str, *, stream: bool
) -> None:
    script = Script(error="insufficient_quota", extra_headers={"content-type": kind})
    carried = await lane.carry(Asked("deepseek"), script, stream=stream)
    assert carried.last.error_class is ErrorClass.INSUFFICIENT_FUNDS


@pytest.mark.parametrize(
    ("body", "message"),
    [
        ('[{"error":{"code":503,"message":"Busy.","status":"UNAVAILABLE"}}]', "Busy."),
        ('{"error":"Busy."}', "Busy."),
        ('{"detail":"Busy."}', "Busy."),
        ('{"detail":{"status":"system_busy","message":"Busy."}}', "Busy."),
        ('{"detail":[{"loc":["body"],"msg":"Busy.","type":"x"}]}', "Busy."),
        ('{"code":"x","error":"Busy."}', "Busy."),
        ('{"message":"Busy.","statusCode":503}', "Busy."),
        ('{"name":"overloaded","errors":["Busy."]}', "Busy."),
        ("Busy.", "Busy."),
        ('"Busy."', "Busy."),
        ("", "HTTP 503"),
    ],
)
@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
async def test_23_an_error_of_any_shape_is_read(
    lane: Lane, body: str, message: str, *, stream: bool
) -> None:
    for asked in (OPENAI, ANTHROPIC, GOOGLE):
        carried = await lane.carry(asked, Script(status=503, body=body), stream=stream)
        assert carried.last.error_class is ErrorClass.OVERLOADED
        assert carried.last.message is not None
        assert message in carried.last.message


async def test_24_numbers_beyond_a_double_pass_as_they_are_both_ways(lane: Lane) -> None:
    seed = 5_844_196_810_245_229_001
    carried = await lane.carry(Asked("together"), Script())
    assert str(seed).encode() in carried.taker.got
    body = {**MINIMAL["openai"], "seed": seed}
    request = asked_chat("openai", body)
    endpoint, model = lane.door(OPENAI)
    for cap in (None, 7):
        sent = wires()["openai"].compose(request, endpoint, model, cap).body
        assert b'"seed":%d' % seed in sent
        assert msgspec.json.decode(sent)["model"] == model


async def test_24_a_count_that_is_no_number_is_refused_and_flagged(lane: Lane) -> None:
    script = Script(usage={"prompt_tokens": "12", "completion_tokens": 2**70})
    carried = await lane.carry(OPENAI, script)
    assert_served(carried)
    account = lane.account(OPENAI, carried)
    assert {"count_refused:prompt_tokens", "count_refused:completion_tokens"} <= set(account.flags)
    assert account.usage.source is UsageSource.ESTIMATED
