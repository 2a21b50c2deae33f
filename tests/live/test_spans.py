"""A collector gets a span of each call and of each of its attempts, and nobody waits for it."""

import asyncio
import json
import socket
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.support.collectors import SPANS, Collector, running_collector, said
from tests.support.node import MODEL, Node, chat, config_of, running_node
from tests.support.sandbox_server import running_sandbox
from tollbridge.core.errors import ConfigurationError
from tollbridge.core.money import usd_text
from tollbridge.sandbox.script import Script

TRACE = "4bf92f3577b34da6a3ce929d0e0e4736"
PARENT = "00f067aa0ba902b7"
SERVER, CLIENT = 2, 3
SECRET = "a word that only the prompt has"


async def ask(node: Node, text: str = "hello", **headers: str) -> str:
    """Make a call, and return its answer."""
    async with node.client() as client:
        answer = await client.post("/v1/chat/completions", json=chat(text), headers=headers)
        assert answer.status_code == 200, answer.text
    return answer.text


async def booked(node: Node) -> list[Any]:
    """Return (call id, cost, charge) of the calls in the books, the first one first."""
    async with node.database.read() as unit:
        sql = "SELECT call_id, cost_nanousd, charge_nanousd FROM call_details ORDER BY call_id"
        return list((await unit.connection.exec_driver_sql(sql)).all())


def settings_of(collector: Collector, **more: Any) -> dict[str, Any]:
    return {
        "otlp_endpoint": collector.url,
        "otlp_spans": True,
        "otlp_spans_interval_s": 0.05,
        "otlp_interval_s": 3600,
        **more,
    }


def figures(node: Node) -> Any:
    return node.office._telemetry.spans.figures()


async def test_a_call_that_fell_back_is_a_span_with_one_below_it_for_each_attempt(
    tmp_path: Path,
) -> None:
    async with (
        running_sandbox() as first,
        running_sandbox() as second,
        running_collector() as collector,
        running_node(
            tmp_path,
            config_of(first.url, second.url),
            otlp_headers="X-Team=books",
            **settings_of(collector),
        ) as node,
    ):
        first.script(Script(status=503))
        text = await ask(node, SECRET, traceparent=f"00-{TRACE}-{PARENT}-01")
        await collector.until(lambda: len(collector.spans()) >= 3)
        call, failed, served = collector.spans()
        [(call_id, cost, charge)] = await booked(node)
        [evidence] = await node.ended(1)
    assert {one["traceId"] for one in (call, failed, served)} == {TRACE}
    assert (call["parentSpanId"], call["kind"], call["name"]) == (PARENT, SERVER, f"chat {MODEL}")
    for one in (failed, served):
        assert (one["parentSpanId"], one["kind"]) == (call["spanId"], CLIENT)
    assert len({one["spanId"] for one in (call, failed, served)}) == 3
    usage = evidence.closed.attempts[-1].usage or {}
    of_call, of_failed, of_served = said(call), said(failed), said(served)
    assert of_call["gen_ai.provider.name"] == of_served["gen_ai.provider.name"] == "p2"
    assert of_call["gen_ai.operation.name"] == "chat"
    assert of_call["gen_ai.request.model"] == MODEL
    assert of_call["gen_ai.response.model"] == evidence.closed.attempts[-1].served_model
    assert of_call["gen_ai.response.id"] == json.loads(text)["id"]
    assert of_call["gen_ai.usage.input_tokens"] == usage["prompt_tokens"]
    assert of_served["gen_ai.usage.output_tokens"] == usage["completion_tokens"]
    assert of_call["tollbridge.call_id"] == call_id
    assert of_call["tollbridge.cost_usd"] == usd_text(cost)
    assert Decimal(of_call["tollbridge.charge_usd"]).scaleb(9) == charge
    assert of_call["http.response.status_code"] == 200
    assert "status" not in call
    assert "status" not in served
    assert failed["status"] == {"code": 2}
    assert (of_failed["http.response.status_code"], of_failed["error.type"]) == (503, "overloaded")
    assert of_failed["server.port"] == int(first.url.rpartition(":")[2])
    assert (of_served["server.address"], of_served["tollbridge.attempt"]) == ("127.0.0.1", 2)
    begins, ends = (
        [int(one[f"{name}TimeUnixNano"]) for one in (call, failed, served)]
        for name in ("start", "end")
    )
    assert begins == sorted(begins)
    assert max(ends) == ends[0]
    message = next(one for one in collector.taken if one.path == SPANS)
    assert "x-team: books" in message.head.lower()
    assert SECRET not in json.dumps([one.document for one in collector.taken])
    assert json.loads(text)["choices"][0]["message"]["content"] not in json.dumps(message.document)


async def test_a_trace_of_its_own_has_the_calls_id_and_a_caller_may_want_none(
    tmp_path: Path,
) -> None:
    async with (
        running_sandbox() as sandbox,
        running_collector() as collector,
        running_node(tmp_path, config_of(sandbox.url), **settings_of(collector)) as node,
    ):
        await ask(node, traceparent=f"00-{TRACE}-{PARENT}-00")
        await ask(node, traceparent="nonsense")
        await collector.until(lambda: len(collector.spans()) >= 2)
        ids = [str(row[0]) for row in await booked(node)]
        spans = collector.spans()
    assert len(ids) == 2
    assert {one["traceId"] for one in spans} == {ids[1].replace("-", "")}
    assert "parentSpanId" not in spans[0]


@pytest.mark.parametrize("answer", ["503 Busy", "429 Slow down\r\nretry-after: 1"])
async def test_a_busy_collector_gets_the_same_spans_again(tmp_path: Path, answer: str) -> None:
    async with (
        running_sandbox() as sandbox,
        running_collector() as collector,
        running_node(tmp_path, config_of(sandbox.url), **settings_of(collector)) as node,
    ):
        collector.answers = [answer]
        await ask(node)
        await collector.until(lambda: figures(node).sent == 1)
        first, second = [one for one in collector.taken if one.path == SPANS]
        assert first.document == second.document
        assert figures(node).waiting == 0


async def test_what_a_collector_refuses_is_dropped_and_told(tmp_path: Path) -> None:
    async with (
        running_sandbox() as sandbox,
        running_collector() as collector,
        running_node(tmp_path, config_of(sandbox.url), **settings_of(collector)) as node,
    ):
        collector.answers = ["400 Bad request"]
        await ask(node)
        await collector.until(lambda: figures(node).dropped_refused == 1)
        await ask(node)
        await collector.until(lambda: figures(node).sent == 1)
        async with node.client() as client:
            told = (await client.get("/metrics")).text
    assert 'tollbridge_spans_dropped_calls_total{reason="refused"} 1.0' in told
    assert "tollbridge_spans_sent_calls_total 1.0" in told


async def test_a_silent_collector_holds_up_neither_calls_nor_books_and_its_queue_is_bounded(
    tmp_path: Path,
) -> None:
    async with (
        running_sandbox() as sandbox,
        running_collector() as collector,
        running_node(
            tmp_path,
            config_of(sandbox.url),
            **settings_of(collector, otlp_spans_queued_max=2, otlp_timeout_s=0.2),
        ) as node,
    ):
        collector.is_silent = True
        for number in range(5):
            await ask(node, f"n {number}")
        async with asyncio.timeout(30):
            while len(await booked(node)) < 5:
                await asyncio.sleep(0.02)
        await collector.until(lambda: figures(node).dropped_full == 3)
        assert figures(node).waiting == 2
        assert figures(node).sent == 0
        collector.is_silent = False
        await collector.until(lambda: figures(node).sent == 2)


async def test_a_collector_that_is_away_gets_them_once_it_is_there(tmp_path: Path) -> None:
    with socket.socket() as reserved:
        reserved.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        reserved.bind(("127.0.0.1", 0))
        port = reserved.getsockname()[1]
        away = Collector()
        away.url = f"http://127.0.0.1:{port}"
        async with (
            running_sandbox() as sandbox,
            running_node(tmp_path, config_of(sandbox.url), **settings_of(away)) as node,
        ):
            await ask(node)
            await away.until(lambda: figures(node).waiting == 1)
            await asyncio.sleep(0.1)
            assert figures(node).sent == 0
            # Whoever listens may share the address with a socket that does not.
            async with running_collector(port) as collector:
                await collector.until(lambda: figures(node).sent == 1)
                assert len(collector.spans()) == 2


async def test_no_call_has_spans_unless_they_are_asked_for(tmp_path: Path) -> None:
    async with (
        running_sandbox() as sandbox,
        running_collector() as collector,
        running_node(tmp_path, config_of(sandbox.url), otlp_endpoint=collector.url) as node,
    ):
        await ask(node, traceparent=f"00-{TRACE}-{PARENT}-01")
        async with asyncio.timeout(30):
            while not await booked(node):
                await asyncio.sleep(0.02)
        assert figures(node) is None
        async with node.client() as client:
            assert "tollbridge_spans" not in (await client.get("/metrics")).text
    assert collector.spans() == []


async def test_spans_without_a_collector_are_an_error_at_the_start(tmp_path: Path) -> None:
    with pytest.raises(ConfigurationError, match="OTLP_ENDPOINT"):
        async with running_node(tmp_path, config_of("http://127.0.0.1:9"), otlp_spans=True):
            pass
