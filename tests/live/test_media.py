"""Pictures, sounds, scores and vectors through a node: every provider emulated, every cost told."""

from collections.abc import AsyncIterator
from decimal import Decimal
from pathlib import Path
from typing import Any

import httpx
import openai
import pytest
import pytest_asyncio

from tests.support.media import png, seed_book, wav
from tests.support.node import KEY, Node, running_node
from tests.support.sandbox_server import RunningSandbox, running_sandbox
from tollbridge.conclude import Conclusions, conclude
from tollbridge.core.account import CallAccount
from tollbridge.core.call import AttemptOutcome, ErrorClass
from tollbridge.core.money import to_usd
from tollbridge.metering.estimate import EstimateRules

pytestmark = pytest.mark.asyncio(loop_scope="module")

# Each model with its category, and the endpoints that are asked for it, in order.
ROUTES = (
    ("dall-e-3", "image", "openai"),
    ("gpt-image-1", "image", "openai"),
    ("stable-image-core", "image", "stability"),
    ("edit/inpaint", "image", "stability"),
    ("grok-imagine-image", "image", "xai"),
    ("flux/schnell", "image", "aimlapi"),
    ("gemini-2.5-flash-image", "image", "google"),
    ("imagen-4.0-fast-generate-001", "image", "google"),
    ("tts-1", "audio", "openai"),
    ("gpt-4o-mini-tts", "audio", "openai"),
    ("whisper-1", "audio", "openai"),
    ("eleven_multilingual_v2", "audio", "elevenlabs"),
    ("eleven_flash_v2_5", "audio", "elevenlabs"),
    ("scribe_v1", "audio", "elevenlabs"),
    ("rerank-v3.5", "rerank", "cohere"),
    ("jina-reranker-v2-base-multilingual", "rerank", "jina"),
    ("Salesforce/Llama-Rank-V1", "rerank", "together"),
    ("embed-v4.0", "embedding", "cohere"),
    ("gemini-embedding-001", "embedding", "google"),
)
UNPRICED = "no list that comes with the program has the price of its input"
DIALECTS = {"google": "gemini", "together": "openai"}
QUIRKS = {"together": '["images_by_sides"]'}
FALLBACK = (
    '[[route]]\nmodel = "boats"\ncategory = "image"\ncandidates = [\n'
    '{ endpoint = "stability", model = "stable-image-core", priority = 1 },\n'
    '{ endpoint = "openai", model = "dall-e-2", priority = 2 } ]\n'
)


def config(sandbox: RunningSandbox) -> str:
    told: list[str] = []
    for name in sorted({route[2] for route in ROUTES}):
        base = sandbox.base_url(DIALECTS[name] if name == "google" else name)
        base += "/v1beta" if name == "google" else ""
        told.append(
            f'[[endpoint]]\nname = "{name}"\nprovider = "{name}"\nbase_url = "{base}"\n'
            f'dialect = "{DIALECTS.get(name, name)}"\napi_key = "secret"\n'
            f"quirks = {QUIRKS.get(name, '[]')}\n"
        )
    told += [
        f'[[route]]\nmodel = "{model}"\ncategory = "{category}"\n'
        f'candidates = [ {{ endpoint = "{name}", model = "{model}", priority = 1 }} ]\n'
        for model, category, name in ROUTES
    ]
    return "".join(told) + FALLBACK + '[[key]]\nname = "ci"\nkey_env = "CI_KEY"\nuser = "ana"\n'


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def sandbox() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox() as running:
        yield running


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def node(
    tmp_path_factory: pytest.TempPathFactory, sandbox: RunningSandbox
) -> AsyncIterator[Node]:
    folder = tmp_path_factory.mktemp("node")
    overrides: dict[str, Any] = {
        "breaker_failures_max": 1000,
        "fetch_private_hosts": sandbox.url.removeprefix("http://"),
    }
    async with running_node(folder, config(sandbox), **overrides) as running:
        yield running


async def account_of(node: Node, call_id: str) -> CallAccount:
    """Return what one call comes to, at the prices that come with the program."""
    for count in range(1, 1000):
        for one in await node.ended(count):
            if one.opened.call_id == call_id:
                return conclude(one, Conclusions(seed_book(), EstimateRules()))
    raise AssertionError(call_id)


async def accounted(node: Node, answered: httpx.Response) -> CallAccount:
    assert answered.status_code == 200, answered.text
    return await account_of(node, answered.headers["x-tollbridge-call-id"])


async def post(node: Node, path: str, **options: Any) -> httpx.Response:
    async with node.client() as client:
        return await client.post(path, **options)


def sdk(node: Node) -> Any:
    """Return OpenAI's client; what it answers is looked at as a caller would."""
    return openai.AsyncOpenAI(base_url=f"{node.url}/v1", api_key=KEY, max_retries=0, timeout=15)


def cost_usd(account: CallAccount) -> Decimal | None:
    return None if account.cost_nanousd is None else to_usd(account.cost_nanousd)


@pytest.mark.parametrize(
    ("model", "fields", "usd"),
    [
        ("dall-e-3", {"size": "1024x1792", "quality": "hd"}, "0.12"),
        ("stable-image-core", {"size": "1024x1024"}, "0.03"),
        ("grok-imagine-image", {"size": "1024x1024"}, None),
        ("flux/schnell", {}, None),
        ("gemini-2.5-flash-image", {"size": "1024x1024"}, UNPRICED),
        ("imagen-4.0-fast-generate-001", {"n": 2}, "0.04"),
    ],
)
async def test_the_openai_sdk_gets_pictures_of_every_provider(
    node: Node, sandbox: RunningSandbox, model: str, fields: dict[str, Any], usd: str | None
) -> None:
    async with sdk(node) as client:
        raw = await client.images.with_raw_response.generate(
            model=model, prompt="a paper boat", **fields
        )
    made = raw.parse()
    assert made.data is not None
    assert len(made.data) == fields.get("n", 1)
    assert all(one.url or one.b64_json for one in made.data)
    account = await account_of(node, raw.headers["x-tollbridge-call-id"])
    assert account.usage.source.value == "reported"
    assert account.usage.counts["image"] == sandbox.log[-1].units["image"]
    cost, charged = cost_usd(account), sandbox.log[-1].billed_usd
    if usd == UNPRICED:
        assert cost is None
        return
    assert cost is not None
    assert cost > 0
    if usd is not None:
        assert cost == Decimal(usd)
    elif charged is not None:
        assert cost == charged


@pytest.mark.parametrize("model", ["gpt-image-1", "edit/inpaint"])
async def test_the_openai_sdk_edits_pictures(node: Node, model: str) -> None:
    async with sdk(node) as client:
        raw = await client.images.with_raw_response.edit(
            model=model, prompt="a paper boat", image=("a.png", png(64, 64), "image/png")
        )
    made = raw.parse()
    assert made.data is not None
    assert made.data[0].b64_json or made.data[0].url
    account = await account_of(node, raw.headers["x-tollbridge-call-id"])
    assert cost_usd(account)


async def test_a_stream_of_pictures_is_counted_as_it_ends(node: Node) -> None:
    async with sdk(node) as client:
        stream = await client.images.generate(
            model="gpt-image-1", prompt="a paper boat", stream=True, partial_images=1
        )
        types = [event.type async for event in stream]
    assert types[-1] == "image_generation.completed"
    (attempt,) = (await node.ended(1))[-1].closed.attempts
    assert attempt.counts["image"] == 1
    assert attempt.usage


@pytest.mark.parametrize(
    ("model", "usd"),
    [
        ("tts-1", "0.000195"),
        ("eleven_multilingual_v2", "0.0013"),
        ("eleven_flash_v2_5", "0.00065"),
    ],
)
async def test_the_openai_sdk_gets_speech(
    node: Node, sandbox: RunningSandbox, model: str, usd: str
) -> None:
    async with sdk(node) as client:
        raw = await client.audio.speech.with_raw_response.create(
            model=model, voice="alloy", input="Hello, hello."
        )
    assert len(raw.content) > 100
    assert raw.headers["content-type"].startswith("audio/")
    account = await account_of(node, raw.headers["x-tollbridge-call-id"])
    assert account.usage.counts == {"character": 13}
    assert sandbox.log[-1].units["character"] == 13
    assert cost_usd(account) == Decimal(usd)


@pytest.mark.parametrize(
    ("model", "audio_format", "source", "usd"),
    [
        ("whisper-1", "json", "reported", "0.0037"),
        ("whisper-1", "text", "estimated", "0.0037"),
        ("scribe_v1", "json", "estimated", None),
        ("scribe_v1", "vtt", "estimated", None),
    ],
)
async def test_a_transcript_is_billed_by_the_length_of_its_sound(
    node: Node, model: str, audio_format: str, source: str, usd: str | None
) -> None:
    answered = await post(
        node,
        "/v1/audio/transcriptions",
        data={"model": model, "response_format": audio_format},
        files={"file": ("a.wav", wav(36_710), "audio/wav")},
    )
    account = await accounted(node, answered)
    assert answered.text.strip()
    assert account.usage.source.value == source
    assert 36_710 <= account.usage.counts["audio_ms"] <= 37_000
    expected = Decimal(usd) if usd else to_usd(round(Decimal("0.22") / 3600 * 36_710 * 10**6))
    assert cost_usd(account) == expected


async def test_a_stream_of_a_transcript_that_comes_at_once_is_served_as_one(node: Node) -> None:
    """whisper-1 does not heed `stream`: the SDK gets the events all the same."""
    async with sdk(node) as client:
        stream = await client.audio.transcriptions.create(
            model="whisper-1", file=("a.wav", wav(2500), "audio/wav"), stream=True
        )
        heard = [event async for event in stream]
    assert [event.type for event in heard] == ["transcript.text.delta", "transcript.text.done"]
    assert heard[0].delta == heard[1].text
    account = conclude((await node.ended(1))[-1], Conclusions(seed_book(), EstimateRules()))
    assert account.usage.counts["audio_ms"] == 3000
    assert account.usage.source.value == "reported"
    assert cost_usd(account) == Decimal("0.0003")


async def test_speech_that_is_billed_by_tokens_which_no_answer_counts_is_estimated(
    node: Node,
) -> None:
    """A minute's worth of characters: 0.015 USD of sound as OpenAI says, and the text."""
    body = {"model": "gpt-4o-mini-tts", "voice": "alloy", "input": "a" * 900}
    account = await accounted(node, await post(node, "/v1/audio/speech", json=body))
    assert account.usage.source.value == "estimated"
    assert {"estimated", "speech_estimated"} <= set(account.flags)
    assert account.usage.counts["audio_output"] == 1250
    assert cost_usd(account) == Decimal("0.015") + 225 * Decimal("0.0000006")


@pytest.mark.parametrize(
    "model",
    ["rerank-v3.5", "jina-reranker-v2-base-multilingual", "Salesforce/Llama-Rank-V1"],
)
async def test_scores_come_in_one_shape_and_are_billed_as_each_provider_does(
    node: Node, sandbox: RunningSandbox, model: str
) -> None:
    documents = ["a paper boat", "a car", "boats of paper"]
    body = {"model": model, "query": "paper boats", "documents": documents, "top_n": 2}
    answered = await post(node, "/v1/rerank", json=body)
    account = await accounted(node, answered)
    results = answered.json()["results"]
    assert len(results) == 2
    assert results[0]["relevance_score"] >= results[1]["relevance_score"]
    assert account.usage.source.value == "reported"
    entry = sandbox.log[-1]
    if entry.units:
        assert account.usage.counts == entry.units
    else:
        assert entry.usage is not None
        assert account.usage.counts["input"] == entry.usage.prompt_tokens
    assert cost_usd(account)


@pytest.mark.parametrize("model", ["embed-v4.0", "gemini-embedding-001"])
async def test_the_openai_sdk_gets_vectors_of_other_formats(node: Node, model: str) -> None:
    async with sdk(node) as client:
        raw = await client.embeddings.with_raw_response.create(model=model, input=["a", "b"])
    made = raw.parse()
    assert len(made.data) == 2
    assert all(isinstance(number, float) for number in made.data[0].embedding)
    assert made.data[0].embedding != made.data[1].embedding
    assert cost_usd(await account_of(node, raw.headers["x-tollbridge-call-id"]))


async def test_a_provider_that_makes_one_picture_is_skipped_for_two(node: Node) -> None:
    body = {"model": "boats", "prompt": "a paper boat", "n": 2, "size": "1024x1024"}
    account = await accounted(node, await post(node, "/v1/images/generations", json=body))
    skipped, served = account.evidence.closed.attempts
    assert (skipped.outcome, skipped.written) == (AttemptOutcome.FAILED, False)
    assert skipped.error_class is ErrorClass.UNSUPPORTED_PARAMETER
    assert "at most 1" in (skipped.message or "")
    assert (served.endpoint, served.counts) == ("openai", {"image": 2})
    assert cost_usd(account) == Decimal("0.04")


def form(name: str, data: bytes, **fields: str) -> dict[str, Any]:
    return {"data": fields, "files": {name: ("a.bin", data, "application/octet-stream")}}


BAD: tuple[tuple[str, dict[str, Any], str], ...] = (
    (
        "/v1/images/generations",
        {"json": {"model": "dall-e-3", "prompt": "p", "size": "999x999"}},
        "size",
    ),
    ("/v1/images/generations", {"json": {"model": "dall-e-3", "prompt": "p", "n": 99}}, "n"),
    (
        "/v1/images/edits",
        form("image", b"%PDF-1.7", model="gpt-image-1", prompt="p"),
        "image",
    ),
    (
        "/v1/images/edits",
        form("image", png() + bytes(21 * 1024 * 1024), model="gpt-image-1", prompt="p"),
        "image",
    ),
    (
        "/v1/images/edits",
        {
            "json": {
                "model": "gpt-image-1",
                "prompt": "p",
                "image": "http://169.254.169.254/latest/meta-data",
            }
        },
        "image",
    ),
    (
        "/v1/images/edits",
        {"json": {"model": "gpt-image-1", "prompt": "p", "image": "http://127.0.0.1:1/a.png"}},
        "image",
    ),
    ("/v1/audio/transcriptions", form("file", b"<html>", model="whisper-1"), "file"),
    ("/v1/audio/speech", {"json": {"model": "tts-1", "voice": "alloy", "input": ""}}, "input"),
    ("/v1/rerank", {"json": {"model": "rerank-v3.5", "query": "q", "documents": []}}, "documents"),
)


@pytest.mark.parametrize(("path", "options", "parameter"), BAD)
async def test_what_is_wrong_is_said_before_any_provider_is_asked(
    node: Node, sandbox: RunningSandbox, path: str, options: dict[str, Any], parameter: str
) -> None:
    before = len(sandbox.log)
    answered = await post(node, path, **options)
    assert answered.status_code == 400
    error = answered.json()["error"]
    assert error["param"] == parameter
    assert error["type"] == "invalid_request_error"
    assert len(sandbox.log) == before


async def test_a_voice_that_nobody_has_is_said_before_any_provider_is_asked(
    node: Node, sandbox: RunningSandbox
) -> None:
    before = len(sandbox.log)
    body = {"model": "tts-1", "voice": "gandalf", "input": "Hello"}
    answered = await post(node, "/v1/audio/speech", json=body)
    assert answered.status_code == 400
    assert "it has alloy" in answered.json()["error"]["message"]
    assert len(sandbox.log) == before


BUDGET = (
    '[[budget]]\nname = "ci-month"\nsubject = "key:ci"\nlimit_usd = "0.10"\n'
    'period = "month"\nhard = true\n'
)


async def test_a_picture_under_a_hard_limit_is_held_for_what_it_can_cost(
    tmp_path: Path, sandbox: RunningSandbox
) -> None:
    """0.12 USD does not fit into 0.10; 0.04 does, and is what is charged."""
    async with running_node(tmp_path, config(sandbox) + BUDGET) as limited:
        body = {"model": "dall-e-3", "prompt": "a paper boat", "size": "1024x1792"}
        before = len(sandbox.log)
        dear = await post(limited, "/v1/images/generations", json={**body, "quality": "hd"})
        assert (dear.status_code, dear.json()["error"]["code"]) == (402, "budget_exceeded")
        assert len(sandbox.log) == before
        body = {**body, "size": "1024x1024", "quality": "standard"}
        account = await accounted(limited, await post(limited, "/v1/images/generations", json=body))
        assert [hold.amount for hold in account.evidence.opened.holds] == [40_000_000]
        assert account.evidence.closed.charge_nanousd == 40_000_000
