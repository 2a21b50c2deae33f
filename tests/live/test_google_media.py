"""Vectors, pictures and films for callers of Google's format, whoever makes them.

Google's own SDK as it is pinned asks for vectors, for pictures within a talk, and looks at films
and fetches them; what its earlier versions asked (`predict` until 1, `predictLongRunning` until 2)
is sent here as these sent it.
"""

import asyncio
import base64
from collections.abc import AsyncIterator
from decimal import Decimal
from typing import Any

import httpx
import pytest
import pytest_asyncio
from google import genai
from google.genai import types

from tests.support.node import KEY, running_node
from tests.support.sandbox_server import running_sandbox
from tests.support.speakers import PICTURE
from tests.support.worlds import Door, Model, World, config_of
from tollbridge.sandbox import Script
from tollbridge.sandbox.media import png_size

pytestmark = pytest.mark.asyncio(loop_scope="module")

DOORS = (
    Door("openai"),
    Door("google", "gemini", "gemini", "/v1beta"),
    Door("cohere", "cohere"),
    Door("jina", "jina"),
    Door("stability", "stability"),
    Door("wavespeed", "wavespeed"),
)
PER_SPOKEN = {"input": "0.50", "output": "10"}
PER_PICTURE = {"image": "0.04"}
PER_TOKEN = {"input": "0", "output": "2.50", "image_output": "30"}
MODELS = (
    Model("embeds-openai", "embedding", "openai", "text-embedding-3-small", {"input": "0.02"}),
    Model("embeds-google", "embedding", "google", "gemini-embedding-001", {"input": "0.15"}),
    Model("embeds-cohere", "embedding", "cohere", "embed-v4.0", {"input": "0.12"}),
    Model("embeds-jina", "embedding", "jina", "jina-embeddings-v4", {"input": "0.05"}),
    Model("draws-openai", "image", "openai", "dall-e-3", PER_PICTURE),
    Model("edits-openai", "image", "openai", "gpt-image-1", {"input": "5", "output": "40"}),
    Model("draws-stability", "image", "stability", "stable-image-core", PER_PICTURE),
    Model("draws-wavespeed", "image", "wavespeed", "wavespeed-ai/flux-dev", PER_PICTURE),
    Model("draws-google", "image", "google", "gemini-2.5-flash-image", PER_TOKEN),
    Model("imagen", "image", "google", "imagen-4.0-generate-001", PER_PICTURE),
    Model("speaks-google", "audio", "google", "gemini-2.5-flash-preview-tts", PER_SPOKEN),
    Model("speaks-openai", "audio", "openai", "tts-1", {"character": "0.000015"}),
    Model("film-google", "video", "google", "veo-3.1", {"video_second": "0.10"}),
    Model("film-openai", "video", "openai", "sora-2", {"video_second": "0.10"}),
    Model("talks", "text", "openai", "gpt-4o-mini", {"input": "1", "output": "1"}),
)
ANYONE = """
[[route]]
model = "draws-anyhow"
category = "image"
candidates = [
  { endpoint = "openai", model = "dall-e-3", priority = 1 },
  { endpoint = "google", model = "imagen-4.0-generate-001", priority = 2 },
]
"""
TEXTS = ["a toll", "a bridge"]
WAIT_MAX_S = 60.0


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[World]:
    async with running_sandbox() as sandbox:
        config = ANYONE + config_of(sandbox, DOORS, MODELS)
        fast: dict[str, Any] = {"job_poll_first_s": 0.02, "job_poll_max_s": 0.05}
        folder = tmp_path_factory.mktemp("node")
        async with running_node(folder, config, breaker_failures_max=1000, **fast) as node:
            yield World(node, sandbox)


@pytest_asyncio.fixture(loop_scope="module", autouse=True)
async def fresh(world: World) -> None:
    """Leave alone what another test left behind."""
    world.sandbox.app.scripts.clear()
    world.forget()


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def client(world: World) -> Any:
    """Return Google's client; half of its types are unknown to a strict reader."""
    return genai.Client(api_key=KEY, http_options=types.HttpOptions(base_url=world.node.url))


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def http(world: World) -> AsyncIterator[httpx.AsyncClient]:
    async with world.node.client() as found:
        yield found


def assert_row(row: dict[str, Any], provider: str, operation: str, **units: int) -> None:
    """Assert who served a call, and what is counted of it."""
    said = {name: row[name] for name in ("actual_provider_name", "operation", "status")}
    assert said == {
        "actual_provider_name": provider,
        "operation": operation,
        "status": "COMPLETED",
    }
    assert {unit: row["usage"].get(unit) for unit in units} == units


# Vectors.


@pytest.mark.parametrize("is_sync", [False, True], ids=["async", "sync"])
@pytest.mark.parametrize(
    ("provider", "rate"),
    [("openai", "0.02"), ("google", "0.15"), ("cohere", "0.12"), ("jina", "0.05")],
)
async def test_the_sdk_embeds_with_each_provider(
    world: World, client: Any, provider: str, rate: str, *, is_sync: bool
) -> None:
    asked: dict[str, Any] = {"model": f"embeds-{provider}", "contents": TEXTS}
    asked["config"] = {"output_dimensionality": 16}
    if is_sync:
        embedded = await asyncio.to_thread(client.models.embed_content, **asked)
    else:
        embedded = await client.aio.models.embed_content(**asked)
    assert [len(one.values) for one in embedded.embeddings] == [16, 16]
    assert embedded.embeddings[0].values != embedded.embeddings[1].values
    [(entry, row)] = await world.pairs()
    assert_row(row, provider, "embedding")
    tokens = row["usage"]["input"]
    if provider == "google":  # it tells no usage of vectors
        assert row["usage_source"] == "estimated"
    else:
        assert entry.usage is not None
        assert (row["usage_source"], tokens) == ("reported", entry.usage.prompt_tokens)
    assert Decimal(row["cost_usd"]) == Decimal(rate) * tokens / 1_000_000 > 0


async def test_what_vectors_are_for_reaches_whoever_has_a_word_for_it(
    world: World, client: Any
) -> None:
    embed = client.aio.models.embed_content
    for provider in ("google", "cohere", "jina"):
        purpose = {"task_type": "RETRIEVAL_QUERY"}
        await embed(model=f"embeds-{provider}", contents=TEXTS, config=purpose)
    assert len(await world.pairs()) == 3
    with pytest.raises(genai.errors.ClientError) as raised:
        await embed(model="embeds-openai", contents=TEXTS, config=purpose)
    assert raised.value.code == 400
    assert "taskType=RETRIEVAL_QUERY" in str(raised.value)


async def test_one_text_is_embedded_alone(world: World, http: httpx.AsyncClient) -> None:
    for version in ("v1", "v1beta"):
        path = f"/{version}/models/embeds-openai:embedContent"
        body = {"content": {"parts": [{"text": "a toll"}]}, "output_dimensionality": 8}
        answered = await http.post(path, json=body)
        assert answered.status_code == 200, answered.text
        assert len(answered.json()["embedding"]["values"]) == 8
        assert answered.json()["usageMetadata"]["promptTokenCount"] > 0
    assert len(await world.pairs()) == 2


# Pictures.


@pytest.mark.parametrize("stream", [False, True], ids=["whole", "stream"])
@pytest.mark.parametrize("provider", ["openai", "stability", "wavespeed", "google"])
async def test_the_sdk_gets_a_picture_in_a_talk_from_each_provider(
    world: World, client: Any, provider: str, *, stream: bool
) -> None:
    """With and without a word in the settings: the model is one of pictures."""
    settings = types.GenerateContentConfig(
        response_modalities=["IMAGE"], image_config=types.ImageConfig(aspect_ratio="1:1")
    )
    asked: dict[str, Any] = {"model": f"draws-{provider}", "contents": "a paper boat"}
    if not stream:
        answered = await client.aio.models.generate_content(config=settings, **asked)
    else:
        chunks = [one async for one in await client.aio.models.generate_content_stream(**asked)]
        answered = chunks[0]
        assert len(chunks) == 1
    [part] = [one for one in answered.parts if one.inline_data is not None]
    assert part.inline_data.mime_type.startswith("image/")
    assert png_size(part.inline_data.data) is not None
    [(_, row)] = [pair for pair in await world.pairs() if pair[0].operation != "poll"]
    assert_row(row, provider, "image_generation", image=1)
    expected = Decimal("0.04") if provider != "google" else Decimal("0.0387")
    assert Decimal(row["cost_usd"]) == expected


async def test_the_sdk_changes_a_picture(world: World, client: Any) -> None:
    picture = types.Part.from_bytes(data=PICTURE, mime_type="image/png")
    answered = await asyncio.to_thread(
        client.models.generate_content, model="edits-openai", contents=["make it red", picture]
    )
    assert png_size(answered.parts[0].inline_data.data) is not None
    [(entry, row)] = await world.pairs()
    assert_row(row, "openai", "image_edit", image=1)
    assert entry.usage is not None
    assert entry.usage.prompt_image_tokens > 0


async def test_a_model_of_pictures_may_answer_with_words(world: World, client: Any) -> None:
    """Google's does where it is asked something: a caller of its own format gets that."""
    settings = types.GenerateContentConfig(response_modalities=["TEXT"])
    answered = await client.aio.models.generate_content(
        model="draws-google", contents="Which bridge?", config=settings
    )
    assert answered.text
    [(entry, row)] = await world.pairs()
    assert entry.usage is not None
    tokens = entry.usage.completion_tokens
    assert_row(row, "google", "image_generation", image=0, image_output=0, output=tokens)
    assert Decimal(row["cost_usd"]) == Decimal("2.50") * tokens / 1_000_000


async def test_a_model_that_talks_still_talks(world: World, client: Any) -> None:
    answered = await client.aio.models.generate_content(model="talks", contents="Hi")
    assert answered.text
    [(_, row)] = await world.pairs()
    assert row["operation"] == "chat_completion"


async def test_an_array_of_one_picture_is_whole(world: World, http: httpx.AsyncClient) -> None:
    body = {"contents": [{"parts": [{"text": "a boat"}]}]}
    answered = await http.post("/v1beta/models/draws-openai:streamGenerateContent", json=body)
    assert answered.headers["content-type"] == "application/json"
    [element] = answered.json()
    assert element["candidates"][0]["finishReason"] == "STOP"
    await world.pairs()


@pytest.mark.parametrize(
    ("model", "provider", "many"),
    [
        ("imagen", "google", 2),
        ("edits-openai", "openai", 2),
        ("draws-openai", "openai", 1),
        ("draws-stability", "stability", 1),
        ("draws-google", "google", 1),
    ],
)
async def test_predictions_are_pictures_of_whoever_makes_them(
    world: World, http: httpx.AsyncClient, model: str, provider: str, many: int
) -> None:
    parameters = {"sampleCount": many, "aspectRatio": "1:1", "includeRaiReason": True}
    body = {"instances": [{"prompt": "a paper boat"}], "parameters": parameters}
    answered = await http.post(f"/v1beta/models/{model}:predict", json=body)
    assert answered.status_code == 200, answered.text
    pictures = answered.json()["predictions"]
    assert [one["mimeType"] for one in pictures] == ["image/png"] * many
    for one in pictures:
        assert png_size(base64.b64decode(one["bytesBase64Encoded"])) is not None
    [(_, row)] = await world.pairs()
    assert_row(row, provider, "image_generation", image=many)
    assert Decimal(row["cost_usd"]) > 0


async def test_a_picture_that_would_lose_something_is_asked_of_the_next(
    world: World, http: httpx.AsyncClient
) -> None:
    parameters = {"sampleCount": 1, "personGeneration": "dont_allow"}
    body = {"instances": [{"prompt": "a paper boat"}], "parameters": parameters}
    answered = await http.post("/v1beta/models/draws-anyhow:predict", json=body)
    assert answered.status_code == 200, answered.text
    assert answered.headers["x-tollbridge-provider"] == "google"
    [(_, row)] = await world.pairs()
    assert_row(row, "google", "image_generation", image=1)
    whole = (await http.get(f"/api/v1/usage-logs/{row['call_id']}")).json()
    passed_over = whole["attempt_list"][0]
    assert passed_over["endpoint"] == "openai"
    assert "personGeneration=dont_allow" in passed_over["message"]


async def test_a_filter_s_no_is_an_error_of_google_s(world: World, http: httpx.AsyncClient) -> None:
    world.sandbox.script(Script(filtered=True))
    body = {"instances": [{"prompt": "a boat"}], "parameters": {"sampleCount": 1}}
    answered = await http.post("/v1beta/models/imagen:predict", json=body)
    assert answered.status_code == 400
    assert answered.json()["error"]["status"] == "INVALID_ARGUMENT"
    [(_, row)] = await world.pairs()
    assert (row["status"], row["error_class"]) == ("FAILED", "content_filtered")


# Speech.


async def test_the_sdk_lets_google_speak(world: World, client: Any) -> None:
    voice = types.PrebuiltVoiceConfig(voice_name="Kore")
    settings = types.GenerateContentConfig(
        response_modalities=["AUDIO"],
        speech_config=types.SpeechConfig(
            voice_config=types.VoiceConfig(prebuilt_voice_config=voice)
        ),
    )
    asked: dict[str, Any] = {"contents": "Good morning", "config": settings}
    spoken = await client.aio.models.generate_content(model="speaks-google", **asked)
    assert spoken.parts[0].inline_data.mime_type.startswith("audio/L16")
    assert len(spoken.parts[0].inline_data.data) > 1000
    [(entry, row)] = await world.pairs()
    used = entry.usage
    assert used is not None
    assert_row(row, "google", "audio_speech", output=used.completion_tokens)
    exact = Decimal("0.50") * used.prompt_tokens + 10 * used.completion_tokens
    assert Decimal(row["cost_usd"]) == exact / 1_000_000 > 0
    with pytest.raises(genai.errors.ClientError, match="speech within a talk"):
        await client.aio.models.generate_content(model="speaks-openai", **asked)


# Films.


async def film(http: httpx.AsyncClient, model: str, **parameters: Any) -> str:
    """Ask for a film as versions 1 and 2 of the SDK do, and return its operation's name."""
    told = {"durationSeconds": 4, "aspectRatio": "16:9", "resolution": "720p", **parameters}
    body = {"instances": [{"prompt": "a paper boat"}], "parameters": told}
    answered = await http.post(f"/v1beta/models/{model}:predictLongRunning", json=body)
    assert answered.status_code == 200, answered.text
    return answered.json()["name"]


@pytest.mark.parametrize("is_sync", [False, True], ids=["async", "sync"])
@pytest.mark.parametrize("provider", ["google", "openai"])
async def test_the_sdk_looks_at_a_film_and_fetches_it(
    world: World, client: Any, http: httpx.AsyncClient, provider: str, *, is_sync: bool
) -> None:
    name = await film(http, f"film-{provider}")
    operation: Any = types.GenerateVideosOperation.model_validate({"name": name})
    async with asyncio.timeout(WAIT_MAX_S):
        while not operation.done:
            await asyncio.sleep(0.02)
            if is_sync:
                operation = await asyncio.to_thread(client.operations.get, operation)
            else:
                operation = await client.aio.operations.get(operation)
    assert operation.error is None
    assert operation.response is not None
    [made] = operation.response.generated_videos
    download = client.files.download if is_sync else client.aio.files.download
    data = await (asyncio.to_thread(download, file=made) if is_sync else download(file=made))
    assert data[4:8] == b"ftyp"
    [row] = await world.logged([call_of(name)])
    assert_row(row, provider, "video_generation", video=1, video_ms=4000)
    assert Decimal(row["cost_usd"]) == Decimal("0.40")


def call_of(operation: str) -> str:
    """Return the id of the call that an operation is."""
    digits = operation.rpartition("/")[2]
    parts = digits[:8], digits[8:12], digits[12:16], digits[16:20], digits[20:]
    return "-".join(parts)


async def ended(http: httpx.AsyncClient, name: str) -> dict[str, Any]:
    async with asyncio.timeout(WAIT_MAX_S):
        while not (told := (await http.get(f"/v1/{name}")).json()).get("done"):
            await asyncio.sleep(0.02)
    return told


async def test_each_sample_of_a_film_is_a_file(world: World, http: httpx.AsyncClient) -> None:
    name = await film(http, "film-google", sampleCount=2)
    told = await ended(http, name)
    samples = told["response"]["generateVideoResponse"]["generatedSamples"]
    uris = [one["video"]["uri"] for one in samples]
    assert len(set(uris)) == 2
    for uri in uris:
        fetched = await http.get(f"/v1beta/{uri}:download", params={"alt": "media"})
        assert (fetched.status_code, fetched.content[4:8]) == (200, b"ftyp")
    [row] = await world.logged([call_of(name)])
    assert_row(row, "google", "video_generation", video=2, video_ms=8000)
    assert Decimal(row["cost_usd"]) == Decimal("0.80")
    missing = await http.get(f"/v1beta/{uris[0]}2:download")
    assert missing.status_code == 404


async def test_behind_https_a_film_s_address_is_whole(
    world: World, http: httpx.AsyncClient
) -> None:
    name = await film(http, "film-google")
    await ended(http, name)
    outside = {"x-forwarded-proto": "https", "host": "films.example"}
    told = (await http.get(f"/v1beta/{name}", headers=outside)).json()
    [sample] = told["response"]["generateVideoResponse"]["generatedSamples"]
    digits = name.rpartition("/")[2]
    assert sample["video"]["uri"] == (
        f"https://films.example/v1beta/files/{digits}:download?alt=media"
    )
    await world.logged([call_of(name)])


async def test_a_film_that_a_filter_took_says_so(world: World, http: httpx.AsyncClient) -> None:
    world.sandbox.script(Script(filtered=True))
    name = await film(http, "film-google")
    told = await ended(http, name)
    made = told["response"]["generateVideoResponse"]
    assert made["raiMediaFilteredCount"] == 1
    [row] = await world.logged([call_of(name)])
    assert (row["status"], row["cost_usd"]) == ("FAILED", "0")


async def test_a_film_that_failed_is_an_operation_s_error(
    world: World, client: Any, http: httpx.AsyncClient
) -> None:
    world.sandbox.script(Script(task="fails"))
    name = await film(http, "film-google")
    assert (await ended(http, name))["error"]["code"] == 13
    told = await client.aio.operations.get(
        types.GenerateVideosOperation.model_validate({"name": name})
    )
    assert (told.done, told.error["code"]) == (True, 13)
    await world.logged([call_of(name)])


async def test_a_film_can_be_cancelled(world: World, http: httpx.AsyncClient) -> None:
    world.sandbox.script(Script(task="never"))
    name = await film(http, "film-google")
    assert (await http.post(f"/v1beta/{name}:cancel")).json() == {}
    told = await ended(http, name)
    assert told["error"]["code"] == 1
    await world.logged([call_of(name)])


@pytest.mark.parametrize(
    ("parameters", "field"),
    [({"durationSeconds": 400}, "durationSeconds"), ({"resolution": "tiny"}, "resolution")],
)
async def test_what_is_wrong_with_a_film_is_told_in_google_s_words(
    http: httpx.AsyncClient, parameters: dict[str, Any], field: str
) -> None:
    body = {"instances": [{"prompt": "a boat"}], "parameters": parameters}
    answered = await http.post("/v1beta/models/film-google:predictLongRunning", json=body)
    error = answered.json()["error"]
    assert (answered.status_code, error["status"]) == (400, "INVALID_ARGUMENT")
    assert error["message"].startswith(f"{field}:")


async def test_a_first_frame_may_be_as_large_as_calls_are(
    world: World, http: httpx.AsyncClient
) -> None:
    frame = base64.b64encode(PICTURE + bytes(3 * 1024 * 1024)).decode()
    image = {"bytesBase64Encoded": frame, "mimeType": "image/png"}
    body: dict[str, Any] = {"instances": [{"prompt": "a boat", "image": image}]}
    answered = await http.post("/v1/models/film-google:predictLongRunning", json=body)
    assert answered.status_code == 200, answered.text
    name = answered.json()["name"]
    await ended(http, name)
    await world.logged([call_of(name)])


async def test_a_film_of_somebody_else_is_not_found(http: httpx.AsyncClient) -> None:
    nobody = "0" * 32
    for address in (
        f"/v1/models/film-google/operations/{nobody}",
        f"/v1beta/files/{nobody}:download?alt=media",
    ):
        answered = await http.get(address)
        assert (answered.status_code, answered.json()["error"]["status"]) == (404, "NOT_FOUND")
    refused = await http.get(address, headers={"authorization": "", "x-goog-api-key": "wrong"})
    assert refused.status_code == 401


# What can be asked for.


async def test_the_sdk_lists_what_can_be_asked_for_and_how(client: Any) -> None:
    listed: Any = await client.aio.models.list()
    found = {one.name: one.supported_actions async for one in listed}
    assert found["models/embeds-openai"] == ["embedContent", "batchEmbedContents"]
    assert "predict" in found["models/draws-stability"]
    assert found["models/film-google"] == ["predictLongRunning"]
    assert found["models/talks"] == ["generateContent", "streamGenerateContent", "countTokens"]
    assert (await client.aio.models.get(model="film-google")).name == "models/film-google"
    with pytest.raises(genai.errors.ClientError):
        await client.aio.models.get(model="nobody")
