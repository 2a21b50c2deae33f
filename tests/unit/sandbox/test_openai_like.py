"""Each provider that speaks OpenAI's format: what it does in a way of its own."""

from decimal import Decimal
from typing import Any

import pytest

from tests.support.asked import Reply, ask
from tollbridge.sandbox import Sandbox, base_urls

ASK: dict[str, Any] = {"model": "m", "messages": [{"role": "user", "content": "Name a prime."}]}
STREAM = ASK | {"stream": True}
TOOLS: list[dict[str, Any]] = [
    {
        "type": "function",
        "function": {
            "name": "get_weather",
            "parameters": {
                "type": "object",
                "properties": {"city": {"type": "string"}, "unit": {"enum": ["C", "F"]}},
            },
        },
    }
]
THINKS = {"thoughts": 7}
DIALECTS = [
    "openai", "openrouter", "xai", "groq", "mistral", "deepseek", "together", "vllm",
    "huggingface", "aimlapi",
]  # fmt: skip


async def chat(
    dialect: str, body: dict[str, Any], script: dict[str, Any] | None = None, app: Any = None
) -> Reply:
    path = base_urls("")[dialect] + "/chat/completions"
    return await ask(app or Sandbox(), path, body, script=script)


def last_usage(reply: Reply) -> tuple[int, dict[str, Any]]:
    """Return the index of the last chunk with a usage, and that usage."""
    found = [(at, one["usage"]) for at, one in enumerate(reply.data) if one.get("usage")]
    return found[-1]


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_text_is_the_same_streamed_and_not(dialect: str) -> None:
    whole = await chat(dialect, ASK, THINKS)
    streamed = await chat(dialect, STREAM | _asked(dialect), THINKS)
    content = whole.json["choices"][0]["message"]["content"]
    said = [choice["delta"].get("content") or "" for one in streamed.data
            for choice in one["choices"]]  # fmt: skip
    assert "".join(said) == content
    assert streamed.body.endswith(b"data: [DONE]\n\n")
    assert whole.entry.usage == streamed.entry.usage
    counts = {key: value for key, value in whole.json["usage"].items() if "time" not in key}
    _, told = last_usage(streamed)
    assert {key: told[key] for key in counts} == counts


def _asked(dialect: str) -> dict[str, Any]:
    return {} if dialect == "mistral" else {"stream_options": {"include_usage": True}}


@pytest.mark.parametrize("dialect", DIALECTS)
async def test_a_tool_is_called_when_the_prompt_names_it(dialect: str) -> None:
    body = ASK | {"tools": TOOLS, "messages": [{"role": "user", "content": "get_weather, now"}]}
    reply = await chat(dialect, body)
    choice = reply.json["choices"][0]
    call = choice["message"]["tool_calls"][0]
    assert choice["finish_reason"] == "tool_calls"
    assert call["function"]["name"] == "get_weather"
    assert '"unit":"C"' in call["function"]["arguments"]
    streamed = await chat(dialect, body | {"stream": True})
    fragments = [
        part
        for one in streamed.data
        for choice in one["choices"]
        for part in choice["delta"].get("tool_calls", [])
    ]
    assert (
        "".join(part["function"]["arguments"] for part in fragments)
        == (call["function"]["arguments"])
    )
    assert [part.get("id") for part in fragments] == [call["id"], None, None]
    assert streamed.entry.usage == reply.entry.usage


async def test_after_a_tool_s_result_comes_text() -> None:
    messages = [
        {"role": "user", "content": "get_weather"},
        {"role": "assistant", "content": None},
        {"role": "tool", "content": "20 C"},
    ]
    reply = await chat("openai", {"model": "m", "tools": TOOLS, "messages": messages})
    assert reply.json["choices"][0]["message"]["content"]


async def test_a_forced_tool_is_called_and_an_unknown_one_refused() -> None:
    forced: dict[str, Any] = {"type": "function", "function": {"name": "get_weather"}}
    reply = await chat("openai", ASK | {"tools": TOOLS, "tool_choice": forced})
    assert reply.json["choices"][0]["message"]["tool_calls"]
    forced["function"]["name"] = "other"
    refused = await chat("openai", ASK | {"tools": TOOLS, "tool_choice": forced})
    assert refused.status == 400


async def test_a_schema_is_kept() -> None:
    schema = {"type": "object", "properties": {"n": {"type": "integer"}}}
    form = {"type": "json_schema", "json_schema": {"name": "x", "schema": schema}}
    reply = await chat("openai", ASK | {"response_format": form})
    assert reply.json["choices"][0]["message"]["content"].startswith('{"n":')


@pytest.mark.parametrize(
    ("dialect", "place"), [("openai", "own"), ("azure", "own"), ("vllm", "own"), ("xai", "own"),
                           ("groq", "finish"), ("mistral", "finish"), ("deepseek", "finish"),
                           ("openrouter", "after"), ("together", "content")]
)  # fmt: skip
async def test_each_tells_its_usage_where_it_does(dialect: str, place: str) -> None:
    body = STREAM | _asked(dialect)
    path = base_urls("")[dialect] + "/chat/completions"
    if dialect == "azure":
        path = "/azure/openai/deployments/m/chat/completions?api-version=2024-10-21"
    reply = await ask(Sandbox(), path, body)
    at, _ = last_usage(reply)
    choices = reply.data[at]["choices"]
    match place:
        case "own":
            assert choices == []
        case "finish":
            assert choices[0]["finish_reason"] == "stop"
            assert len([one for one in reply.data if one["choices"][0]["finish_reason"]]) == 1
        case "after":
            assert choices[0]["finish_reason"] == "stop"
            assert reply.data[at - 1]["choices"][0]["finish_reason"] == "stop"
        case _:
            assert choices[0]["delta"]["content"]
            assert at == len(reply.data) - 2


async def test_azure_begins_with_a_chunk_without_choices_and_without_usage() -> None:
    path = "/azure/openai/deployments/gpt/chat/completions"
    body = {"messages": ASK["messages"], "stream": True}
    reply = await ask(Sandbox(), path, body)
    assert reply.data[0]["choices"] == []
    assert "usage" not in reply.data[0]
    assert reply.headers["x-ms-deployment-name"] == reply.entry.model == "gpt"


async def test_xai_counts_reasoning_outside_and_tells_ticks() -> None:
    told = (await chat("xai", ASK, THINKS)).json["usage"]
    details = told["completion_tokens_details"]
    assert details["reasoning_tokens"] == 7
    assert told["total_tokens"] == told["prompt_tokens"] + told["completion_tokens"] + 7


async def test_the_recorded_usage_of_xai_is_billed_to_the_token() -> None:
    given = {
        "prompt_tokens": 12,
        "completion_tokens": 1,
        "prompt_tokens_details": {"cached_tokens": 2},
        "completion_tokens_details": {"reasoning_tokens": 228},
    }
    reply = await chat("xai", ASK, {"usage": given, "cost_usd": "0.00011765"})
    assert reply.json["usage"]["total_tokens"] == 241
    assert reply.json["usage"]["cost_in_usd_ticks"] == 1_176_500
    used = reply.entry.usage
    assert used is not None
    assert (used.prompt_tokens, used.completion_tokens, used.cached_tokens) == (12, 229, 2)
    assert reply.entry.billed_usd == Decimal("0.00011765")


async def test_deepseek_s_hits_and_misses_are_the_prompt() -> None:
    given = {"prompt_cache_hit_tokens": 9000, "prompt_cache_miss_tokens": 1000}
    reply = await chat("deepseek", ASK, {"usage": given})
    told = reply.json["usage"]
    assert told["prompt_tokens"] == 10_000
    assert told["prompt_tokens_details"] == {"cached_tokens": 9000}
    assert reply.entry.usage is not None
    assert reply.entry.usage.cached_tokens == 9000


async def test_mistral_refuses_stream_options() -> None:
    reply = await chat("mistral", STREAM | {"stream_options": {"include_usage": True}})
    assert reply.status == 422
    assert reply.json["detail"][0]["loc"] == ["body", "stream_options"]


async def test_groq_tells_its_usage_twice_in_one_chunk() -> None:
    reply = await chat("groq", STREAM)
    at, told = last_usage(reply)
    assert reply.data[at]["x_groq"]["usage"] == told
    assert "usage" not in reply.data[0]["x_groq"]


async def test_together_s_seed_is_beyond_what_a_double_holds() -> None:
    seed = (await chat("together", ASK)).json["choices"][0]["seed"]
    assert seed > 2**53
    assert int(float(seed)) != seed


async def test_vllm_tells_cumulative_usage_where_it_is_asked_to() -> None:
    options = {"include_usage": True, "continuous_usage_stats": True}
    reply = await chat("vllm", STREAM | {"stream_options": options})
    counts = [one["usage"]["completion_tokens"] for one in reply.data]
    assert counts == sorted(counts)
    assert counts[0] == 0
    assert all(one["usage"]["prompt_tokens_details"] is None for one in reply.data)


async def test_the_hub_names_who_served_in_a_header_and_drops_the_pin() -> None:
    reply = await chat("huggingface", ASK | {"model": "openai/gpt-oss-120b:cerebras"})
    assert reply.headers["x-inference-provider"] == "cerebras"
    assert reply.json["model"] == "openai/gpt-oss-120b"
    assert reply.headers["retry-after"] == "30"


async def test_openrouter_names_who_served_and_charges() -> None:
    app = Sandbox()
    script = {"provider": "Cerebras", "tried": ["Groq"]}
    reply = await chat("openrouter", ASK, script, app)
    document = reply.json
    used = document["usage"]
    assert document["provider"] == reply.headers["x-provider-name"] == "Cerebras"
    assert [one["status"] for one in document["openrouter_metadata"]["attempts"]] == [429, 200]
    cost = used["prompt_tokens"] * Decimal("0.15e-6") + used["completion_tokens"] * Decimal(
        "0.6e-6"
    )
    assert Decimal(str(used["cost"])) == cost == reply.entry.billed_usd
    name = reply.headers["x-generation-id"]
    looked_up = await ask(app, f"/openrouter/api/v1/generation?id={name}")
    assert looked_up.json["data"]["provider_name"] == "Cerebras"
    assert Decimal(str(looked_up.json["data"]["total_cost"])) == cost


async def test_with_a_key_of_one_s_own_openrouter_charges_a_fee() -> None:
    reply = await chat("openrouter", ASK, {"byok": True, "cost_usd": "0.02"})
    told = reply.json["usage"]
    assert (told["cost"], told["is_byok"]) == (0.001, True)
    assert told["cost_details"]["upstream_inference_cost"] == 0.02
    assert reply.entry.billed_usd == Decimal("0.001")


async def test_a_cached_answer_of_openrouter_costs_nothing() -> None:
    reply = await chat("openrouter", ASK, {"cache_hit": True})
    assert reply.headers["x-openrouter-cache-status"] == "HIT"
    assert (reply.json["usage"]["total_tokens"], reply.entry.billed_usd) == (0, 0)


async def test_aimlapi_tells_credits_in_headers_and_in_the_last_chunk() -> None:
    whole = await chat("aimlapi", ASK, {"cost_usd": "0.00124"})
    assert whole.headers["x-aimlapi-credits-used"] == "2480"
    assert whole.headers["x-aimlapi-usd-spent"] == "0.001240000"
    streamed = await chat("aimlapi", STREAM, {"cost_usd": "0.00124"})
    assert streamed.data[-1]["meta"]["usage"] == {"credits_used": 2480, "usd_spent": 0.00124}
    assert "x-aimlapi-credits-used" not in streamed.headers
    assert whole.entry.billed_usd == streamed.entry.billed_usd == Decimal("0.00124")


@pytest.mark.parametrize(
    ("dialect", "kind", "status", "words"),
    [
        ("openai", "insufficient_quota", 429, "exceeded your current quota"),
        ("xai", "insufficient_quota", 429, "used all available credits"),
        ("aimlapi", "insufficient_quota", 403, "statusCode"),
        ("deepseek", "insufficient_quota", 402, "Insufficient Balance"),
        ("huggingface", "authentication", 401, '{"error":"'),
        ("groq", "rate_limited", 429, "Please try again in 5.289s"),
        ("groq", "overloaded", 498, "error"),
        ("vllm", "not_found", 404, '"code":404'),
        ("together", "server_error", 500, '"id":"req_'),
        ("openrouter", "rate_limited", 429, '"provider_name":"Groq"'),
        ("mistral", "authentication", 401, '{"detail":"Unauthorized"}'),
    ],
)
async def test_each_refuses_in_its_own_words(
    dialect: str, kind: str, status: int, words: str
) -> None:
    reply = await chat(dialect, ASK, {"error": kind})
    assert reply.status == status
    assert words in reply.body.decode()
    assert reply.entry.usage is None
    assert reply.entry.billed_usd is None


@pytest.mark.parametrize(
    "dialect", [name for name in base_urls("") if name not in {"openai", "vllm"}]
)
async def test_who_sends_no_key_is_refused(dialect: str) -> None:
    app = Sandbox()
    names = ("authorization", "x-api-key", "api-key", "xi-api-key", "x-goog-api-key")
    paths = {
        "azure": "/azure/openai/v1/models",
        "anthropic": "/anthropic/v1/models",
        "gemini": "/gemini/v1beta/models",
        "elevenlabs": "/elevenlabs/v1/user/subscription",
        "stability": "/stability/v1/user/balance",
        "replicate": "/replicate/v1/predictions",
        "wavespeed": "/wavespeed/api/v3/balance",
        "piapi": "/piapi/v1/models",
    }
    posts = {"cohere": "/v2/rerank", "jina": "/v1/rerank", "runware": "/v1"}
    nobody: dict[str, str] = dict.fromkeys(names, "")
    if dialect in posts:
        reply = await ask(app, f"/{dialect}{posts[dialect]}", {}, headers=nobody)
    else:
        path = paths.get(dialect, base_urls("")[dialect] + "/models")
        reply = await ask(app, path, headers=nobody)
    assert reply.status == (400 if dialect == "gemini" else 401)
