"""The first endpoint fails in every way: who serves then, what do the attempts say, who pays?"""

import asyncio
import json
from collections.abc import AsyncIterator
from typing import Any, NamedTuple

import httpx
import msgspec
import pytest
import pytest_asyncio
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.node import MODEL, WAIT_MAX_S, Node, chat, running_node
from tests.support.raw_provider import (
    COMPLETION,
    RawProvider,
    answer,
    closed_port,
    hang,
    reset,
    running_raw_provider,
)
from tests.support.sandbox_server import RunningSandbox, running_sandbox
from tollbridge.conclude import Conclusions, conclude
from tollbridge.core.account import CallAccount, CostOrigin
from tollbridge.core.call import AttemptOutcome, Bucket, Ending, ErrorClass
from tollbridge.core.clock import SECOND_US
from tollbridge.core.evidence import CallEvidence, Opened
from tollbridge.core.usage import UsageSource
from tollbridge.metering.estimate import EstimateRules
from tollbridge.rating.book import PriceBook
from tollbridge.rating.store import load_part
from tollbridge.sandbox import Script

pytestmark = pytest.mark.asyncio(loop_scope="module")

FAILED, UNKNOWN = AttemptOutcome.FAILED, AttemptOutcome.UNKNOWN
FIRST_BYTE_TIMEOUT_S = 1.0
CHAT = "/v1/chat/completions"
RETRY_WAIT_MAX_S = 1.0
BREAKER_OPEN_S = 3.0
"""Long enough that a busy machine makes the next call while a breaker is open."""
PAIRS = 17


class Case(NamedTuple):
    """How the first endpoint fails, and what is to be said of it."""

    fault: Script | bytes | Any
    error_class: ErrorClass
    outcome: AttemptOutcome = FAILED
    stream: bool = False


SSE = "text/event-stream"
GARBAGE = answer(b"<html>it works</html>")
HALF_FRAME = answer(b'data: {"choices":[{"delta":{"content":"ha', content_type=SSE)
CASES: dict[str, Case] = {
    "status-500": Case(Script(status=500), ErrorClass.UPSTREAM_ERROR),
    "status-500-stream": Case(Script(status=500), ErrorClass.UPSTREAM_ERROR, stream=True),
    "rate-limited": Case(Script(status=429, retry_after_s=30), ErrorClass.RATE_LIMITED),
    "overloaded": Case(Script(status=503), ErrorClass.OVERLOADED),
    "redirect": Case(answer(b"", 302), ErrorClass.UPSTREAM_ERROR),
    "no-content": Case(b"HTTP/1.1 204 No Content\r\n\r\n", ErrorClass.UPSTREAM_ERROR),
    "first-byte": Case(Script(hang=True), ErrorClass.TIMEOUT, UNKNOWN, stream=True),
    "first-frame": Case(hang, ErrorClass.TIMEOUT, UNKNOWN, stream=True),
    "refused": Case(None, ErrorClass.CONNECT),
    "reset": Case(reset, ErrorClass.BROKEN_CONNECTION, UNKNOWN),
    "reset-stream": Case(reset, ErrorClass.BROKEN_CONNECTION, UNKNOWN, stream=True),
    "closed": Case(Script(close_before_head=True), ErrorClass.BROKEN_CONNECTION, UNKNOWN),
    "not-http": Case(b"220 smtp ready\r\n\r\n", ErrorClass.MALFORMED_ANSWER, UNKNOWN),
    "malformed-json": Case(Script(malformed_json=True), ErrorClass.MALFORMED_ANSWER, UNKNOWN),
    "html": Case(GARBAGE, ErrorClass.MALFORMED_ANSWER, UNKNOWN),
    "html-stream": Case(
        answer(b"<html>it works</html>", content_type="text/html"),
        ErrorClass.MALFORMED_ANSWER,
        UNKNOWN,
        stream=True,
    ),
    "no-choices": Case(answer({"id": "x"}), ErrorClass.MALFORMED_ANSWER, UNKNOWN),
    "null": Case(answer(b"null"), ErrorClass.MALFORMED_ANSWER, UNKNOWN),
    "truncated": Case(Script(cut_body_at_bytes=40), ErrorClass.BROKEN_CONNECTION, UNKNOWN),
    "malformed-sse": Case(
        Script(malformed_sse=True), ErrorClass.MALFORMED_ANSWER, UNKNOWN, stream=True
    ),
    "malformed-frame": Case(
        answer(b"data: {oops\n\n", content_type=SSE),
        ErrorClass.MALFORMED_ANSWER,
        UNKNOWN,
        stream=True,
    ),
    "half-frame": Case(HALF_FRAME, ErrorClass.MALFORMED_ANSWER, UNKNOWN, stream=True),
    "error-frame": Case(
        Script(error_frame_first=True), ErrorClass.UPSTREAM_ERROR, FAILED, stream=True
    ),
    "error-frame-overloaded": Case(
        Script(error_frame_first=True, error="overloaded"),
        ErrorClass.UPSTREAM_ERROR,
        FAILED,
        stream=True,
    ),
    "empty-stream": Case(
        Script(empty_stream=True), ErrorClass.MALFORMED_ANSWER, FAILED, stream=True
    ),
    "only-done": Case(
        answer(b"data: [DONE]\n\n", content_type=SSE),
        ErrorClass.MALFORMED_ANSWER,
        UNKNOWN,
        stream=True,
    ),
    "error-in-200": Case(
        answer({"error": {"message": "no", "code": 429}}), ErrorClass.RATE_LIMITED
    ),
    "error-in-200-stream": Case(
        answer({"error": {"message": "no", "type": "server_error"}}),
        ErrorClass.UPSTREAM_ERROR,
        stream=True,
    ),
    "our-key": Case(Script(status=401), ErrorClass.AUTHENTICATION),
    "our-country": Case(Script(status=403), ErrorClass.PERMISSION),
    "our-money": Case(Script(status=402), ErrorClass.INSUFFICIENT_FUNDS),
    "quota": Case(Script(error="insufficient_quota"), ErrorClass.INSUFFICIENT_FUNDS),
    "context-length": Case(Script(error="context_length"), ErrorClass.CONTEXT_LENGTH),
    "parameter": Case(Script(error="unsupported_parameter"), ErrorClass.UNSUPPORTED_PARAMETER),
    "no-such-model": Case(Script(error="not_found"), ErrorClass.NOT_FOUND),
}
# The request itself is at fault: nobody else is asked.
STOPS = {
    "content-filter": (Script(error="content_filter"), 400, "content_filtered"),
    "invalid": (Script(error="invalid_request"), 400, "invalid_request"),
}


def endpoint(name: str, url: str, provider: str, key: str) -> str:
    return (
        f'[[endpoint]]\nname = "{name}"\nprovider = "{provider}"\ndialect = "openai"\n'
        f'base_url = "{url}"\napi_key = "{key}"\n'
    )


def route(label: str, *endpoints: str) -> str:
    candidates = ", ".join(
        f'{{ endpoint = "{name}", model = "{MODEL}", priority = {number} }}'
        for number, name in enumerate(endpoints, 1)
    )
    return f'[[route]]\nmodel = "{label}"\ncategory = "text"\ncandidates = [ {candidates} ]\n'


def config(raw: RawProvider, sandbox: RunningSandbox) -> str:
    """Return a route for each case: its own first endpoint, and one that serves."""
    written = ""
    for name in [*CASES, *STOPS]:
        fault = CASES[name].fault if name in CASES else STOPS[name][0]
        if isinstance(fault, Script):
            url = f"{sandbox.url}/v1"
        elif fault is None:
            url = f"http://127.0.0.1:{closed_port()}/v1"
        else:
            raw.answers[name] = fault
            url = f"{raw.url}/{name}/v1"
        written += endpoint(name, url, "broken", f"secret-{name}") + route(name, name, "good")
    candidates = ", ".join(
        f'{{ endpoint = "{name}", model = "{MODEL}" }}' for name in ("pair-17-x", "pair-17-y")
    )
    written += (
        '[[route]]\nmodel = "past-filters"\nbucket = "wavespeed"\n'
        f'on_content_filtered = "fallback"\ncandidates = [ {candidates} ]\n'
    )
    for name in "abc":
        written += endpoint(name, f"{raw.url}/{name}/v1", "good", "k")
    for number in range(1, PAIRS + 1):
        for which in "xy":
            key = f"secret-{number}-{which}"
            written += endpoint(f"pair-{number}-{which}", f"{sandbox.url}/v1", "good", key)
        written += route(f"pair-{number}", f"pair-{number}-x", f"pair-{number}-y")
    written += endpoint("single", f"{sandbox.url}/v1", "good", "single") + route("single", "single")
    written += endpoint("echo", f"{raw.url}/echo/v1", "good", "secret-echo") + route("echo", "echo")
    prices = "".join(
        f'[[price]]\nprovider = "{provider}"\nmodel = "{MODEL}"\n'
        'rates = { input = "0.15", output = "0.60" }\n'
        for provider in ("broken", "good")
    )
    return (
        f"{written}{endpoint('good', f'{sandbox.url}/v1', 'good', 'good-key')}{prices}"
        f"{route('any', 'a', 'b', 'c')}"
        '[[key]]\nname = "ci"\nkey_env = "CI_KEY"\nuser = "ana"\n'
    )


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def raw() -> AsyncIterator[RawProvider]:
    async with running_raw_provider() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def node(
    tmp_path_factory: pytest.TempPathFactory, raw: RawProvider, sandbox: RunningSandbox
) -> AsyncIterator[Node]:
    async with running_node(
        tmp_path_factory.mktemp("node"),
        config(raw, sandbox),
        first_byte_timeout_s=FIRST_BYTE_TIMEOUT_S,
        total_timeout_s=3,
        drain_timeout_s=0.5,
        stream_idle_timeout_s=0.3,
        retry_backoff_s=0.02,
        retry_wait_max_s=RETRY_WAIT_MAX_S,
        breaker_open_s=BREAKER_OPEN_S,
    ) as running:
        yield running


async def evidence_of(node: Node, answered: httpx.Response) -> CallEvidence:
    """Return the one record of the call that was answered so."""
    call_id = answered.headers["x-tollbridge-call-id"]
    found = [call for call in node.calls() if call.opened.call_id == call_id]
    assert len(found) == 1
    return found[0]


async def account_of(node: Node, evidence: CallEvidence) -> CallAccount:
    async with node.database.read() as unit:
        book = PriceBook(await load_part(unit))
    return conclude(evidence, Conclusions(book, EstimateRules()))


async def post(node: Node, label: str = MODEL, **fields: Any) -> httpx.Response:
    async with node.client() as client:
        return await client.post(CHAT, json=chat(**fields) | {"model": label})


def keyed_by(script: Script, key: str) -> Script:
    return msgspec.structs.replace(script, key=key)


def forget(sandbox: RunningSandbox) -> None:
    """Drop the scripts that no request has met."""
    sandbox.app.scripts.clear()


@pytest.mark.parametrize("name", CASES)
async def test_the_second_serves_and_the_first_attempt_says_why_it_did_not(
    node: Node, sandbox: RunningSandbox, name: str
) -> None:
    """Nothing is owed for what failed; what may have been served is estimated, and flagged."""
    case = CASES[name]
    if isinstance(case.fault, Script):
        sandbox.script(keyed_by(case.fault, f"secret-{name}"))
    answered = await post(node, name, stream=case.stream)
    assert answered.status_code == 200
    assert answered.headers["x-tollbridge-provider"] == "good"
    assert answered.headers["x-tollbridge-attempts"] == "2"
    evidence = await evidence_of(node, answered)
    assert evidence.closed.ending is Ending.COMPLETE
    first, second = evidence.closed.attempts
    assert (first.error_class, first.outcome) == (case.error_class, case.outcome)
    assert first.message
    assert f"secret-{name}" not in first.message
    assert first.ended_at_us is not None
    assert first.ended_at_us <= second.started_at_us
    account = await account_of(node, evidence)
    assert account.attribution.provider == "good"
    asked = account.attempts[0]
    if case.outcome is FAILED:
        assert asked.rated.origin is CostOrigin.NOTHING_OWED
        assert asked.rated.cost_nanousd == 0
        assert account.flags == ()
    else:
        assert asked.usage.source is UsageSource.ESTIMATED
        assert asked.rated.cost_nanousd
        assert set(account.flags) == {"estimated", "unknown_outcome"}


@pytest.mark.parametrize("name", STOPS)
async def test_what_no_other_could_serve_stops_at_once(
    node: Node, sandbox: RunningSandbox, name: str
) -> None:
    script, status, code = STOPS[name]
    sandbox.script(Script(error=script.error, key=f"secret-{name}"))
    answered = await post(node, name)
    assert answered.status_code == status
    assert answered.json()["error"]["code"] == code
    assert answered.headers["x-should-retry"] == "false"
    evidence = await evidence_of(node, answered)
    assert len(evidence.closed.attempts) == 1
    assert evidence.closed.ending is Ending.ALL_REFUSED
    assert evidence.closed.http_status == status


async def test_a_route_may_let_the_next_be_asked_what_a_filter_refused(
    node: Node, sandbox: RunningSandbox
) -> None:
    """Only where it says so; a malformed request stays final, and all filters agree to a 400."""
    sandbox.script(Script(error="content_filter", key="secret-17-x"))
    answered = await post(node, "past-filters")
    assert (answered.status_code, await asked(node, answered)) == (200, "xy")
    evidence = await evidence_of(node, answered)
    assert evidence.closed.attempts[0].error_class is ErrorClass.CONTENT_FILTERED
    assert evidence.opened.bucket is Bucket.WAVESPEED
    sandbox.script(Script(error="content_filter", key="secret-17-x"))
    sandbox.script(Script(error="content_filter", key="secret-17-y"))
    answered = await post(node, "past-filters")
    assert (answered.status_code, await asked(node, answered)) == (400, "xy")
    assert answered.json()["error"]["code"] == "content_filtered"
    sandbox.script(Script(error="invalid_request", key="secret-17-x"))
    answered = await post(node, "past-filters")
    assert (answered.status_code, await asked(node, answered)) == (400, "x")


UP = answer(COMPLETION)
DOWN: dict[str, Any] = {
    "500": answer({"error": {"message": "no"}}, 500),
    "429": answer({"error": {"message": "no"}}, 429),
    "401": answer({"error": {"message": "no"}}, 401),
    "reset": reset,
    "garbage": GARBAGE,
}


@settings(max_examples=40, deadline=None)
@given(st.tuples(*[st.sampled_from(["up", *DOWN])] * 3))
async def test_a_call_succeeds_if_and_only_if_an_allowed_candidate_is_up(
    node: Node, raw: RawProvider, states: tuple[str, ...]
) -> None:
    """Whatever the breakers think of them after the calls before."""
    for name, state in zip("abc", states, strict=True):
        raw.answers[name] = UP if state == "up" else DOWN[state]
    answered = await post(node, "any")
    assert (answered.status_code == 200) == ("up" in states)
    if "up" not in states:
        attempts = (await evidence_of(node, answered)).closed.attempts
        assert {attempt.endpoint for attempt in attempts} == set("abc")


async def test_a_single_endpoint_is_asked_again_when_it_says_it_may_be(
    node: Node, sandbox: RunningSandbox
) -> None:
    sandbox.script(Script(status=429, retry_after_s=0.2, key="single"))
    answered = await post(node, "single")
    assert answered.status_code == 200
    one, two = (await evidence_of(node, answered)).closed.attempts
    assert (one.error_class, two.outcome) == (ErrorClass.RATE_LIMITED, AttemptOutcome.SUCCEEDED)
    assert one.ended_at_us is not None
    assert two.started_at_us - one.ended_at_us >= 195_000


async def test_an_overloaded_endpoint_is_asked_again_after_a_moment(
    node: Node, sandbox: RunningSandbox
) -> None:
    sandbox.script(Script(status=503, key="single"))
    assert (await post(node, "single")).headers["x-tollbridge-attempts"] == "2"


@pytest.mark.parametrize(("wait_s", "helps"), [(2, "true"), (3600, "false")])
async def test_a_long_wait_is_the_callers_and_is_told(
    node: Node, sandbox: RunningSandbox, wait_s: int, helps: str
) -> None:
    """The SDK is told to retry by itself only where that is a matter of a minute."""
    sandbox.script(Script(status=429, retry_after_s=wait_s, key="single"))
    answered = await post(node, "single")
    assert answered.status_code == 429
    assert answered.json()["error"]["code"] == "rate_limited"
    assert answered.headers["retry-after"] == str(wait_s)
    assert answered.headers["x-should-retry"] == helps
    assert len((await evidence_of(node, answered)).closed.attempts) == 1


async def asked(node: Node, answered: httpx.Response) -> str:
    """Return the last letters of the endpoints that were tried, in order."""
    attempts = (await evidence_of(node, answered)).closed.attempts
    return "".join(attempt.endpoint[-1] for attempt in attempts)


async def test_each_is_asked_again_at_its_own_time(node: Node, sandbox: RunningSandbox) -> None:
    """The first wanted to be left alone for longer than a call may wait."""
    sandbox.script(Script(status=429, retry_after_s=20, key="1-x"), Script(status=503, key="1-y"))
    answered = await post(node, "pair-1")
    assert answered.status_code == 200
    assert await asked(node, answered) == "xyy"


async def test_an_outright_no_ends_the_rounds_too(node: Node, sandbox: RunningSandbox) -> None:
    sandbox.script(Script(status=503, key="2-x"), Script(error="invalid_request", key="2-y"))
    answered = await post(node, "pair-2")
    assert answered.status_code == 400
    assert await asked(node, answered) == "xy"


async def test_mixed_failures_are_a_502_that_lists_the_attempts(
    node: Node, sandbox: RunningSandbox
) -> None:
    sandbox.script(Script(status=401, key="3-x"), Script(error="context_length", key="3-y"))
    answered = await post(node, "pair-3")
    assert answered.status_code == 502
    error = answered.json()["error"]
    assert (error["type"], error["code"]) == ("server_error", "upstream_failed")
    said = [(one["endpoint"], one["error_class"]) for one in error["details"]["attempts"]]
    assert said == [("pair-3-x", "authentication"), ("pair-3-y", "context_length")]
    assert answered.headers["x-should-retry"] == "false"
    evidence = await evidence_of(node, answered)
    assert evidence.closed.http_status == 502
    assert (await account_of(node, evidence)).cost_nanousd == 0


@pytest.mark.parametrize(
    ("pair", "script", "status", "code"),
    [
        (4, Script(status=503), 503, "overloaded"),
        (5, Script(error="context_length"), 400, "context_length_exceeded"),
        (6, Script(error="not_found"), 404, "model_not_found"),
        (7, Script(status=500), 502, "upstream_failed"),
        (8, Script(status=401), 502, "upstream_failed"),
    ],
)
async def test_all_alike_is_said_as_they_said_it_but_for_faults_of_our_own(
    node: Node, sandbox: RunningSandbox, pair: int, script: Script, status: int, code: str
) -> None:
    keyed = [keyed_by(script, f"{pair}-{which}") for which in "xxyy"]
    sandbox.script(*keyed)
    answered = await post(node, f"pair-{pair}", stream=True)
    assert (answered.status_code, answered.json()["error"]["code"]) == (status, code)
    forget(sandbox)


async def test_no_call_outlives_its_total_time(node: Node, sandbox: RunningSandbox) -> None:
    sandbox.script(Script(hang=True, key="9-x"))
    answered = await post(node, "pair-9")
    assert answered.status_code == 504
    evidence = await evidence_of(node, answered)
    (attempt,) = evidence.closed.attempts
    assert (attempt.outcome, attempt.error_class) == (UNKNOWN, ErrorClass.TIMEOUT)
    assert "unknown_outcome" in (await account_of(node, evidence)).flags


async def test_a_breaker_opens_after_five_failures_and_closes_after_a_probe(
    node: Node, sandbox: RunningSandbox
) -> None:
    sandbox.script(*[Script(status=500, key="10-x")] * 5)
    for _ in range(5):
        assert await asked(node, await post(node, "pair-10")) == "xy"
    answered = await post(node, "pair-10")
    assert await asked(node, answered) == "y"
    assert "breaker open" in (await evidence_of(node, answered)).opened.planned[1]
    await asyncio.sleep(BREAKER_OPEN_S + 0.05)
    assert await asked(node, await post(node, "pair-10")) == "x"
    sandbox.script(Script(status=500, key="10-x"))
    assert await asked(node, await post(node, "pair-10")) == "xy"
    assert await asked(node, await post(node, "pair-10")) == "x", "one failure opens nothing"


async def test_a_failed_probe_keeps_the_breaker_open(node: Node, sandbox: RunningSandbox) -> None:
    sandbox.script(Script(status=401, key="11-x"), Script(status=500, key="11-x"))
    assert await asked(node, await post(node, "pair-11")) == "xy"
    await asyncio.sleep(BREAKER_OPEN_S + 0.05)
    assert await asked(node, await post(node, "pair-11")) == "xy"
    assert await asked(node, await post(node, "pair-11")) == "y"


async def test_an_empty_account_opens_its_breaker_at_once_and_is_asked_if_nothing_else_is_left(
    node: Node, sandbox: RunningSandbox
) -> None:
    sandbox.script(Script(error="insufficient_quota", key="12-x"))
    assert await asked(node, await post(node, "pair-12")) == "xy"
    assert await asked(node, await post(node, "pair-12")) == "y"
    sandbox.script(Script(status=500, key="12-y"))
    answered = await post(node, "pair-12")
    assert answered.status_code == 200
    assert await asked(node, answered) == "yx"


async def leave(node: Node, label: str, after_s: float, **fields: Any) -> CallEvidence:
    """Make a call, leave it so long after it was let in, and return what is recorded of it."""
    count, begun = len(node.calls()), opened_in(node)
    async with asyncio.timeout(WAIT_MAX_S):
        async with node.client() as client:
            body = chat(**fields) | {"model": label}
            asking = asyncio.create_task(client.post(CHAT, json=body))
            while opened_in(node) == begun:
                await asyncio.sleep(0.005)
            await asyncio.sleep(after_s)
            assert not asking.done()
            asking.cancel()
            await asyncio.wait({asking})
        return (await node.ended(count + 1))[-1]


def opened_in(node: Node) -> int:
    """Return how many calls were let in."""
    return sum(isinstance(one, Opened) for one in node.records())


async def test_nobody_is_asked_after_the_caller_has_left(
    node: Node, sandbox: RunningSandbox
) -> None:
    sandbox.script(Script(status=500, delay_first_byte_s=0.3, key="13-x"))
    call = await leave(node, "pair-13", 0.1)
    assert call.closed.ending is Ending.CALLER_LEFT_BEFORE_FIRST_BYTE
    assert [attempt.endpoint for attempt in call.closed.attempts] == ["pair-13-x"]
    assert (await account_of(node, call)).cost_nanousd == 0


async def test_a_caller_who_leaves_between_two_rounds_ends_the_call_at_once_and_owes_nothing(
    node: Node, sandbox: RunningSandbox
) -> None:
    sandbox.script(Script(status=429, retry_after_s=RETRY_WAIT_MAX_S, key="single"))
    call = await leave(node, "single", 0.15)
    took_us = call.closed.closed_at_us - call.opened.opened_at_us
    assert took_us < RETRY_WAIT_MAX_S * SECOND_US
    assert call.closed.ending is Ending.CALLER_LEFT_BEFORE_FIRST_BYTE
    assert [attempt.outcome for attempt in call.closed.attempts] == [FAILED]
    assert (await account_of(node, call)).cost_nanousd == 0


async def test_a_stream_whose_caller_left_before_its_first_byte_is_drained_for_a_while_only(
    node: Node, sandbox: RunningSandbox
) -> None:
    slow = Script(delay_first_byte_s=0.15, chunks=1000, delay_per_chunk_s=0.05, key="14-x")
    sandbox.script(slow)
    call = await leave(node, "pair-14", 0.05, stream=True)
    assert call.closed.ending is Ending.CALLER_LEFT_BEFORE_FIRST_BYTE
    assert not call.closed.drained
    assert call.closed.attempts[0].outcome is AttemptOutcome.ABANDONED


async def broken_stream(node: Node, label: str) -> tuple[bytes, CallEvidence]:
    """Return what came of a stream that is broken off, and its record."""
    received = bytearray()
    count = len(node.calls())

    async def take_all() -> None:
        body = chat(stream=True) | {"model": label}
        async with node.client() as client, client.stream("POST", CHAT, json=body) as streamed:
            async for part in streamed.aiter_raw():
                received.extend(part)

    with pytest.raises(httpx.RemoteProtocolError):
        await take_all()
    return bytes(received), (await node.ended(count + 1))[-1]


async def test_fallback_ends_at_the_first_byte(node: Node, sandbox: RunningSandbox) -> None:
    sandbox.script(Script(chunks=8, error_frame_after_chunks=2, key="15-x"))
    received, call = await broken_stream(node, "pair-15")
    assert received.count(b'"content":') >= 2, "what came before the error is not lost"
    assert "error" in json.loads(received.split(b"data: ")[-1])
    assert call.closed.ending is Ending.PROVIDER_BROKE
    assert [attempt.endpoint for attempt in call.closed.attempts] == ["pair-15-x"]


async def test_a_stream_that_gives_nothing_for_too_long_is_ended_visibly(
    node: Node, sandbox: RunningSandbox
) -> None:
    sandbox.script(Script(chunks=3, delay_per_chunk_s=60, key="16-x"))
    received, call = await broken_stream(node, "pair-16")
    assert json.loads(received.split(b"data: ")[-1])["error"]["code"] == "broken"
    (attempt,) = call.closed.attempts
    assert call.closed.ending is Ending.PROVIDER_BROKE
    assert (attempt.outcome, attempt.error_class) == (AttemptOutcome.BROKE, ErrorClass.TIMEOUT)


async def test_a_provider_that_repeats_our_key_does_not_get_it_into_records_or_answers(
    node: Node, raw: RawProvider
) -> None:
    told = {"error": {"message": "invalid value for secret-echo", "code": "invalid_value"}}
    raw.answers["echo"] = answer(told, 400)
    answered = await post(node, "echo")
    assert answered.status_code == 400
    assert "[key]" in answered.json()["error"]["message"]
    assert "secret-echo" not in str(await evidence_of(node, answered))
