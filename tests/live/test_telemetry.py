"""What a running node tells those who watch it is what its calls were."""

import asyncio
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families

from tests.support.collectors import running_collector
from tests.support.node import BUDGET, MODEL, WAIT_MAX_S, Node, chat, config_of, running_node
from tests.support.sandbox_server import running_sandbox
from tollbridge.core.errors import ConfigurationError
from tollbridge.processes.telemetry import headers_of

CALLS = 3
Samples = dict[tuple[str, tuple[tuple[str, str], ...]], float]


async def told(node: Node) -> Samples:
    """Return all samples by name and labels."""
    async with node.client() as client:
        text = (await client.get("/metrics")).text
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in text_string_to_metric_families(text)
        for sample in family.samples
    }


def of(samples: Samples, name: str, **labels: str) -> float:
    """Return the sum of the samples that have these labels."""
    return sum(
        value
        for (found, pairs), value in samples.items()
        if found == name and labels.items() <= dict(pairs).items()
    )


async def told_of(node: Node, calls: int) -> Samples:
    """Return the samples once that many calls are in the books, and the budgets were looked at."""
    async with asyncio.timeout(WAIT_MAX_S):
        while True:
            found = await told(node)
            spent = of(found, "tollbridge_budget_spent", budget="ci-month")
            if of(found, "tollbridge_calls_total") >= calls and spent > 0:
                return found
            await asyncio.sleep(0.05)


async def test_calls_attempts_tokens_cost_and_budgets_are_told_to_both(tmp_path: Path) -> None:
    async with (
        running_sandbox() as sandbox,
        running_collector() as collector,
        running_node(
            tmp_path,
            config_of(sandbox.url, extra=BUDGET.format(limit="1.00")),
            metrics_budgets_s=0.05,
            otlp_endpoint=collector.url,
            otlp_headers="X-Team=books",
            otlp_interval_s=1,
        ) as node,
    ):
        async with node.client() as client:
            for number in range(CALLS):
                answer = await client.post("/v1/chat/completions", json=chat(f"n {number}"))
                assert answer.status_code == 200, answer.text
        found = await told_of(node, CALLS)
        assert of(found, "tollbridge_calls_total", provider="p1", status="COMPLETED") == CALLS
        assert of(found, "tollbridge_attempts_total", outcome="succeeded") == CALLS
        usages = [one.closed.attempts[-1].usage or {} for one in await node.ended(CALLS)]
        used = sum(one["prompt_tokens"] for one in usages)
        assert of(found, "tollbridge_tokens_total", kind="input") == used
        name = "gen_ai_client_token_usage"
        labels = {"gen_ai_request_model": MODEL, "gen_ai_token_type": "input"}
        assert of(found, f"{name}_sum", **labels) == used
        assert of(found, f"{name}_count", **labels) == CALLS
        duration = "gen_ai_client_operation_duration_seconds"
        assert of(found, f"{duration}_count", gen_ai_operation_name="chat") == CALLS
        assert of(found, f"{duration}_bucket", le="+Inf") == CALLS
        cost = of(found, "tollbridge_cost_usd_total", provider="p1")
        assert 0 < cost < 0.01
        assert of(found, "tollbridge_budget_limit", budget="ci-month") == 1
        assert of(found, "tollbridge_budget_spent", budget="ci-month") == pytest.approx(cost)
        async with asyncio.timeout(WAIT_MAX_S):
            while not any(_calls_of(one.document) == CALLS for one in collector.taken):
                await asyncio.sleep(0.05)
        _, head, document = collector.taken[-1]
        assert head.startswith("POST /v1/metrics HTTP/1.1")
        assert "x-team: books" in head.lower()
        sent = _metrics_of(document)
        [tokens] = [
            point
            for point in sent["gen_ai.client.token.usage"]["histogram"]["dataPoints"]
            if {"key": "gen_ai.token.type", "value": {"stringValue": "input"}}
            in point["attributes"]
        ]
        assert (tokens["sum"], tokens["count"]) == (used, str(CALLS))
        assert sum(map(int, tokens["bucketCounts"])) == CALLS
        assert len(tokens["bucketCounts"]) == len(tokens["explicitBounds"]) + 1
        assert sent["gen_ai.client.operation.duration"]["unit"] == "s"
        assert sent["tollbridge.calls"]["sum"]["isMonotonic"]


def test_headers_that_cannot_be_read_are_an_error() -> None:
    assert headers_of(" A=b=c, d=e,") == ((b"a", b"b=c"), (b"d", b"e"))
    with pytest.raises(ConfigurationError, match="OTLP_HEADERS"):
        headers_of("nonsense")


def _metrics_of(document: Any) -> dict[str, Any]:
    [resource] = document["resourceMetrics"]
    [scope] = resource["scopeMetrics"]
    return {one["name"]: one for one in scope["metrics"]}


def _calls_of(document: Any) -> float:
    calls = _metrics_of(document).get("tollbridge.calls")
    return 0 if calls is None else sum(one["asDouble"] for one in calls["sum"]["dataPoints"])
