"""A second candidate is asked beside a slow first: who answers, and what becomes of the other?

And several keys of one endpoint: which is used, and who is told when one is refused?
"""

import asyncio
import json
import re
from collections.abc import AsyncIterator, Awaitable, Callable
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.live.test_fallback import CHAT, account_of, endpoint, leave, post
from tests.support.node import BUDGET, MODEL, WAIT_MAX_S, Node, chat, frames, running_node
from tests.support.raw_provider import (
    COMPLETION,
    USAGE,
    RawProvider,
    answer,
    running_raw_provider,
)
from tollbridge.core.call import AttemptOutcome, Ending, ErrorClass
from tollbridge.core.evidence import AttemptStarted, CallEvidence
from tollbridge.core.usage import UsageSource

pytestmark = [pytest.mark.alone, pytest.mark.asyncio(loop_scope="module")]

HEDGE_AFTER_MS, HEDGE_LATE_MS = 80, 1500
SLOW_S = 0.6
KEYED = ("turns", "limited", "refused", "out", "told")
"""Endpoints with two keys, one for each test: what a key was refused for is not forgotten soon."""
NAMES = ("a", "b", "c", "one", "down", *KEYED)
Act = Callable[[asyncio.StreamWriter], Awaitable[None]]

UP = answer(COMPLETION)
DOWN = answer({"error": {"message": "no"}}, 500)
LIMITED = answer({"error": {"message": "slow down", "code": "rate_limit_exceeded"}}, 429)
REFUSED = answer({"error": {"message": "no", "code": "invalid_api_key"}}, 401)


def after(seconds: float, told: bytes = UP) -> Act:
    """Return what answers after a while."""

    async def act(writer: asyncio.StreamWriter) -> None:
        await asyncio.sleep(seconds)
        writer.write(told)
        await writer.drain()

    return act


def stream(words: str) -> bytes:
    """Return a whole stream of chunks."""
    said: list[Any] = [{"choices": [{"index": 0, "delta": {"content": word}}]} for word in words]
    said += [{"choices": [{"index": 0, "delta": {}, "finish_reason": "stop"}]}]
    said += [{"choices": [], "usage": USAGE}]
    lines = [f"data: {json.dumps(one)}\n\n" for one in said]
    return answer("".join([*lines, "data: [DONE]\n\n"]).encode(), content_type="text/event-stream")


def config(raw: RawProvider) -> str:
    doors = "".join(endpoint(name, f"{raw.url}/{name}/v1", "good", "k") for name in "abc")
    doors += endpoint("one", f"{raw.url}/one/v1", "good", "k")
    doors += endpoint("down", f"{raw.url}/down/v1", "good", "k")
    for name in KEYED:
        doors += (
            f'[[endpoint]]\nname = "{name}"\nprovider = "good"\n'
            f'base_url = "{raw.url}/{name}/v1"\napi_keys_env = ["KEY_1", "KEY_2"]\n'
            f'[[route]]\nmodel = "{name}"\n'
            f'candidates = [ {{ endpoint = "{name}", model = "{MODEL}" }} ]\n'
        )
    candidates = ", ".join(f'{{ endpoint = "{name}", model = "{MODEL}" }}' for name in "abc")
    return (
        f'{doors}[[route]]\nmodel = "hedged"\nhedge_after_ms = {HEDGE_AFTER_MS}\n'
        f"candidates = [ {candidates} ]\n"
        f'[[route]]\nmodel = "hedged-late"\nhedge_after_ms = {HEDGE_LATE_MS}\n'
        f"candidates = [ {candidates} ]\n"
        '[[route]]\nmodel = "probed"\ncandidates = [ '
        f'{{ endpoint = "down", model = "{MODEL}" }}, {{ endpoint = "one", model = "{MODEL}" }} ]\n'
        f'[[price]]\nprovider = "good"\nmodel = "{MODEL}"\n'
        'rates = { input = "0.15", output = "0.60" }\n'
        '[[key]]\nname = "ci"\nkey_env = "CI_KEY"\nuser = "ana"\nscopes = ["call", "admin"]\n'
        f"{BUDGET.format(limit='1000')}"
    )


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def raw() -> AsyncIterator[RawProvider]:
    async with running_raw_provider() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def node(tmp_path_factory: pytest.TempPathFactory, raw: RawProvider) -> AsyncIterator[Node]:
    async with running_node(
        tmp_path_factory.mktemp("hedge"),
        config(raw),
        environment={"KEY_1": "secret-1", "KEY_2": "secret-2"},
        first_byte_timeout_s=2,
        total_timeout_s=3,
        drain_timeout_s=0.5,
        retry_rounds_max=0,
        breaker_open_s=60,
        probe_interval_s=0.2,
    ) as running:
        yield running


@pytest.fixture(autouse=True)
def everybody_up(raw: RawProvider) -> None:
    for name in NAMES:
        raw.answers[name] = UP
    raw.received.clear()


async def evidence_of(node: Node, answered: httpx.Response) -> CallEvidence:
    """Return the one record of the call that was answered so, once the loser is gone too."""
    call_id = answered.headers["x-tollbridge-call-id"]
    async with asyncio.timeout(WAIT_MAX_S):
        while not (found := [one for one in node.calls() if one.opened.call_id == call_id]):
            await asyncio.sleep(0.005)
    (call,) = found
    return call


def outcomes(call: CallEvidence) -> list[tuple[int, str, AttemptOutcome]]:
    return [(one.number, one.endpoint, one.outcome) for one in call.closed.attempts]


async def test_a_fast_first_is_asked_alone(node: Node) -> None:
    answered = await post(node, "hedged")
    assert answered.status_code == 200
    call = await evidence_of(node, answered)
    assert outcomes(call) == [(1, "a", AttemptOutcome.SUCCEEDED)]


async def test_the_second_answers_for_a_slow_first_whose_cost_stands_on_its_attempt(
    node: Node, raw: RawProvider
) -> None:
    raw.answers["a"] = after(SLOW_S)
    answered = await post(node, "hedged")
    assert answered.json() == COMPLETION
    assert answered.elapsed.total_seconds() < SLOW_S
    call = await evidence_of(node, answered)
    assert outcomes(call) == [
        (1, "a", AttemptOutcome.UNKNOWN),
        (2, "b", AttemptOutcome.SUCCEEDED),
    ]
    assert call.closed.attempts[0].written
    account = await account_of(node, call)
    lost, won = account.attempts
    assert lost.usage.source is UsageSource.ESTIMATED
    assert lost.rated.cost_nanousd
    assert account.cost_nanousd == lost.rated.cost_nanousd + (won.rated.cost_nanousd or 0)
    assert "unknown_outcome" in account.flags


async def test_a_hedged_call_holds_what_two_candidates_can_cost(node: Node) -> None:
    (hedged,) = (await evidence_of(node, await post(node, "hedged"))).opened.holds
    (single,) = (await evidence_of(node, await post(node, "probed"))).opened.holds
    assert hedged.amount == 2 * single.amount > 0


async def test_both_attempts_are_journaled_before_their_bytes_leave(
    node: Node, raw: RawProvider
) -> None:
    seen: list[int] = []

    async def second(writer: asyncio.StreamWriter) -> None:
        begun = [one for one in node.records() if isinstance(one, AttemptStarted)]
        seen.append(len(begun[-1].attempts))
        writer.write(UP)

    raw.answers |= {"a": after(SLOW_S), "b": second}
    answered = await post(node, "hedged")
    assert answered.status_code == 200
    assert seen == [2]


async def test_the_first_may_still_win_and_then_stands_last(node: Node, raw: RawProvider) -> None:
    raw.answers |= {"a": after(0.2), "b": after(SLOW_S)}
    answered = await post(node, "hedged")
    call = await evidence_of(node, answered)
    assert outcomes(call) == [
        (2, "b", AttemptOutcome.UNKNOWN),
        (1, "a", AttemptOutcome.SUCCEEDED),
    ]
    assert (await account_of(node, call)).attribution.provider == "good"


async def test_a_first_that_fails_is_followed_at_once(node: Node, raw: RawProvider) -> None:
    raw.answers["a"] = DOWN
    answered = await post(node, "hedged-late")
    assert answered.elapsed.total_seconds() < HEDGE_LATE_MS / 1000
    call = await evidence_of(node, answered)
    assert outcomes(call)[1] == (2, "b", AttemptOutcome.SUCCEEDED)


async def test_where_both_fail_the_third_serves(node: Node, raw: RawProvider) -> None:
    raw.answers |= {"a": after(0.2, DOWN), "b": after(0.1, DOWN)}
    answered = await post(node, "hedged")
    assert answered.status_code == 200
    assert [one[1] for one in outcomes(await evidence_of(node, answered))] == ["a", "b", "c"]


async def test_where_all_fail_there_is_one_error_that_lists_them(
    node: Node, raw: RawProvider
) -> None:
    raw.answers |= {"a": after(0.15, DOWN), "b": DOWN, "c": DOWN}
    answered = await post(node, "hedged")
    assert answered.status_code == 502
    attempts = answered.json()["error"]["details"]["attempts"]
    assert sorted(one["endpoint"] for one in attempts) == ["a", "b", "c"]


async def test_a_stream_is_hedged_until_its_first_byte_and_comes_whole_from_one(
    node: Node, raw: RawProvider
) -> None:
    raw.answers |= {"a": after(SLOW_S, stream("slow")), "b": stream("fast")}
    answered = await post(node, "hedged", stream=True)
    said = [one for one in frames(answered.text) if one != "[DONE]"]
    text = "".join(one["choices"][0]["delta"].get("content", "") for one in said if one["choices"])
    assert text == "fast"
    call = await evidence_of(node, answered)
    assert outcomes(call) == [
        (1, "a", AttemptOutcome.UNKNOWN),
        (2, "b", AttemptOutcome.SUCCEEDED),
    ]
    assert call.closed.attempts[-1].usage == USAGE


async def test_a_caller_who_leaves_ends_both_in_the_end(node: Node, raw: RawProvider) -> None:
    raw.answers |= {"a": after(SLOW_S), "b": after(SLOW_S)}
    call = await leave(node, "hedged", 0.2)
    assert call.closed.ending is Ending.CALLER_LEFT_BEFORE_FIRST_BYTE
    assert {one.outcome for one in call.closed.attempts} <= {
        AttemptOutcome.UNKNOWN,
        AttemptOutcome.SUCCEEDED,
    }
    assert len(call.closed.attempts) == 2


async def test_ten_hedged_calls_at_once_get_one_answer_each(node: Node, raw: RawProvider) -> None:
    raw.answers |= {"a": after(0.1), "b": after(0.02)}
    answers = await asyncio.gather(*(post(node, "hedged") for _ in range(10)))
    assert [one.json() for one in answers] == [COMPLETION] * 10


def keys_of(raw: RawProvider) -> list[str]:
    """Return with which keys providers were asked, in order."""
    found = [re.search(rb"Bearer (secret-\d)", head) for head in raw.received]
    return [one[1].decode() for one in found if one is not None]


async def test_keys_take_turns_and_the_attempt_names_the_one(node: Node, raw: RawProvider) -> None:
    used: list[str | None] = []
    for _ in range(4):
        call = await evidence_of(node, await post(node, "turns"))
        used.append(call.closed.attempts[0].key)
    assert used == ["KEY_1", "KEY_2", "KEY_1", "KEY_2"]
    assert keys_of(raw) == ["secret-1", "secret-2", "secret-1", "secret-2"]


def by_key(told: dict[bytes, bytes], raw: RawProvider) -> Act:
    """Return what answers each key in its own way."""

    async def act(writer: asyncio.StreamWriter) -> None:
        head = raw.received[-1]
        writer.write(next((one for key, one in told.items() if key in head), UP))

    return act


@pytest.mark.parametrize(
    ("name", "refusal", "error_class"),
    [
        ("limited", LIMITED, ErrorClass.RATE_LIMITED),
        ("refused", REFUSED, ErrorClass.AUTHENTICATION),
    ],
)
async def test_the_other_key_serves_at_once_and_the_endpoints_breaker_stays_closed(
    node: Node, raw: RawProvider, name: str, refusal: bytes, error_class: ErrorClass
) -> None:
    raw.answers[name] = by_key({b"secret-1": refusal}, raw)
    call = await evidence_of(node, await post(node, name))
    said = [(one.key, one.error_class) for one in call.closed.attempts]
    assert said == [("KEY_1", error_class), ("KEY_2", None)]
    for _ in range(3):
        call = await evidence_of(node, await post(node, name))
        assert [one.key for one in call.closed.attempts] == ["KEY_2"]
        assert call.opened.planned == (f"{name}/{MODEL}: priority 1",)


async def test_only_when_all_keys_are_out_the_breaker_opens(node: Node, raw: RawProvider) -> None:
    raw.answers["out"] = REFUSED
    answered = await post(node, "out")
    assert answered.status_code == 502
    assert len((await evidence_of(node, answered)).closed.attempts) == 2
    assert "secret" not in answered.text
    raw.answers["out"] = UP
    answered = await post(node, "out")
    assert answered.status_code == 200
    call = await evidence_of(node, answered)
    assert "breaker open" in call.opened.planned[0]


async def test_the_control_plane_shows_breakers_keys_that_rest_and_the_latest_errors(
    node: Node, raw: RawProvider
) -> None:
    raw.answers["told"] = by_key({b"secret-1": LIMITED, b"secret-2": REFUSED}, raw)
    assert (await post(node, "told")).status_code == 502
    async with asyncio.timeout(WAIT_MAX_S), node.client() as client:
        while True:
            shown = (await client.get("/api/v1/endpoints/told")).json()
            if shown["breaker_states"] and len(shown["recent_errors"]) == 2:
                break
            await asyncio.sleep(0.1)
    (worker,) = shown["breakers"]
    assert shown["breakers"][worker] == "open"
    assert [one["name"] for one in shown["keys"]] == ["KEY_1", "KEY_2"]
    rests = [one["resting"][worker].partition(",")[0] for one in shown["keys"]]
    assert rests == ["rate_limited", "authentication"]
    state = shown["breaker_states"][0]
    assert (state["worker"], state["state"]) == (worker, "open")
    assert [one["error_class"] for one in shown["recent_errors"]] == [
        "authentication",
        "rate_limited",
    ]
    assert "secret" not in str(shown)


async def test_a_look_finds_out_that_an_endpoint_answers_again(
    node: Node, raw: RawProvider
) -> None:
    raw.answers["down"] = DOWN
    for _ in range(5):
        assert (await post(node, "probed")).status_code == 200
    call = await evidence_of(node, await post(node, "probed"))
    assert "breaker open" in call.opened.planned[1]
    raw.answers["down"] = UP
    async with asyncio.timeout(WAIT_MAX_S):
        while True:
            call = await evidence_of(node, await post(node, "probed"))
            if call.closed.attempts[-1].endpoint == "down":
                break
            await asyncio.sleep(0.1)
    assert any(b"GET /down/v1/models " in head for head in raw.received)
    assert "probing" in call.closed.attempts[-1].reason


async def test_the_calls_client_gets_who_served(node: Node, raw: RawProvider) -> None:
    raw.answers["a"] = after(SLOW_S)
    async with node.client() as client:
        answered: httpx.Response = await client.post(CHAT, json=chat() | {"model": "hedged"})
    assert answered.headers["x-tollbridge-attempts"] == "2"
