"""In each category: the first serves; it is killed, the second serves; all are dead, one error."""

from collections.abc import AsyncIterator, Mapping
from contextlib import AsyncExitStack
from typing import Any, NamedTuple

import httpx
import pytest
import pytest_asyncio

from tests.support.media import wav
from tests.support.node import Node, chat, running_node
from tests.support.sandbox_server import RunningSandbox, running_sandbox
from tests.support.worlds import World

pytestmark = pytest.mark.asyncio(loop_scope="module")

IMAGE, SPEECH = "/v1/images/generations", "/v1/audio/speech"
SOUND = {"file": ("a.wav", wav(500), "audio/wav")}


class Kind(NamedTuple):
    """One kind of work: how it is asked for, and of whom in order, with their default models."""

    path: str
    options: Mapping[str, Any]
    label: str
    first: tuple[str, str]
    second: tuple[str, str]

    def asked(self, place: int) -> str:
        """Return which provider stands at the first or the second place."""
        return self.first[0] if place == 1 else self.second[0]


KINDS: dict[str, Kind] = {
    "text": Kind(
        "/v1/chat/completions",
        {"json": chat() | {"model": "text"}},
        "text",
        ("openai", "gpt-4o"),
        ("anthropic", "claude-haiku-4-5"),
    ),
    "image": Kind(
        IMAGE,
        {"json": {"model": "image", "prompt": "a paper boat"}},
        "image",
        ("openai", "dall-e-3"),
        ("stability", "stable-image-core"),
    ),
    "speech": Kind(
        SPEECH,
        {"json": {"model": "audio", "voice": "alloy", "input": "Hello"}},
        "audio",
        ("openai", "gpt-4o-mini-tts"),
        ("elevenlabs", "eleven_multilingual_v2"),
    ),
    "transcription": Kind(
        "/v1/audio/transcriptions",
        {"data": {"model": "audio"}, "files": SOUND},
        "audio",
        ("openai", "whisper-1"),
        ("elevenlabs", "scribe_v1"),
    ),
    "embedding": Kind(
        "/v1/embeddings",
        {"json": {"model": "embedding", "input": "a paper boat"}},
        "embedding",
        ("openai", "text-embedding-3-small"),
        ("google", "gemini-embedding-001"),
    ),
    "rerank": Kind(
        "/v1/rerank",
        {"json": {"model": "rerank", "query": "boats", "documents": ["a boat", "a car"]}},
        "rerank",
        ("cohere", "rerank-v3.5"),
        ("jina", "jina-reranker-v2-base-multilingual"),
    ),
}
BASES = {"google": ("gemini", "/v1beta")}
CATEGORIES = ("text", "image", "audio", "embedding", "rerank")


def config(first: RunningSandbox, second: RunningSandbox) -> str:
    told = ""
    for place, sandbox in enumerate((first, second), 1):
        for name in sorted({kind.asked(place) for kind in KINDS.values()}):
            does = {kind.label for kind in KINDS.values() if kind.asked(place) == name}
            emulated, below = BASES.get(name, (name, ""))
            base = sandbox.base_url(emulated).removesuffix(below) + below
            enabled = ", ".join(f"{one} = {str(one in does).lower()}" for one in CATEGORIES)
            priority = ", ".join(f"{one} = {place}" for one in CATEGORIES)
            told += (
                f'[[endpoint]]\nname = "{name}"\nbase_url = "{base}"\napi_key = "secret"\n'
                f"enabled = {{ {enabled} }}\npriority = {{ {priority} }}\n"
            )
    key = '[[key]]\nname = "ci"\nkey_env = "CI_KEY"\nuser = "ana"\nscopes = ["call", "read"]\n'
    return told + key


class Providers:
    """A node whose providers are all played, until they are killed."""

    def __init__(self, node: Node, second: RunningSandbox, kill: Any) -> None:
        self.node = node
        self.world = World(node, second)
        self.kill = kill

    async def ask_all(self) -> dict[str, httpx.Response]:
        """Ask for each kind of work once."""
        async with self.node.client() as client:
            return {
                name: await client.post(kind.path, **kind.options) for name, kind in KINDS.items()
            }

    async def booked(self, answers: dict[str, httpx.Response]) -> dict[str, dict[str, Any]]:
        """Return all that the books have of these calls."""
        ids = {name: one.headers["x-tollbridge-call-id"] for name, one in answers.items()}
        await self.world.logged(list(ids.values()))
        async with self.node.client() as client:
            return {
                name: (await client.get(f"/api/v1/usage-logs/{call_id}")).json()
                for name, call_id in ids.items()
            }


@pytest_asyncio.fixture(loop_scope="module", scope="module")
async def providers(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[Providers]:
    folder = tmp_path_factory.mktemp("node")
    async with AsyncExitStack() as one, AsyncExitStack() as two:
        first = await one.enter_async_context(running_sandbox())
        second = await two.enter_async_context(running_sandbox())
        async with running_node(
            folder,
            config(first, second),
            breaker_failures_max=1000,
            retry_rounds_max=0,
            fetch_private_hosts="127.0.0.1",
        ) as node:
            yield Providers(node, second, [one.aclose, two.aclose])


async def test_the_names_that_can_be_asked_for_are_listed_in_all_three_shapes(
    providers: Providers,
) -> None:
    """The categories are among them, and models of the catalogue that nobody wrote a route for."""
    async with providers.node.client() as client:
        openai = (await client.get("/v1/models")).json()
        anthropic = await client.get("/v1/models", headers={"anthropic-version": "2023-06-01"})
        gemini = (await client.get("/v1beta/models")).json()
    names = [one["id"] for one in openai["data"]]
    assert {*CATEGORIES, "gpt-4o-mini", "dall-e-3"} <= set(names)
    assert all(one["object"] == "model" for one in openai["data"])
    texts = {"text", "gpt-4o-mini", "claude-haiku-4-5"}
    assert texts <= {one["id"] for one in anthropic.json()["data"]}
    assert {f"models/{one}" for one in texts} <= {one["name"] for one in gemini["models"]}


async def test_with_the_first_killed_the_second_serves_and_with_all_dead_one_error_lists_them(
    providers: Providers,
) -> None:
    """The label stays what was asked for; the row says who was expected, and who it was."""
    kill_first, kill_second = providers.kill
    answers = await providers.ask_all()
    assert {name: one.status_code for name, one in answers.items()} == dict.fromkeys(KINDS, 200)
    for name, row in (await providers.booked(answers)).items():
        kind = KINDS[name]
        assert (row["actual_provider_name"], row["requested_model"]) == kind.first, name
        assert (row["label"], row["fallback"]) == (kind.label, False), name

    await kill_first()
    answers = await providers.ask_all()
    assert {name: one.status_code for name, one in answers.items()} == dict.fromkeys(KINDS, 200)
    for name, row in (await providers.booked(answers)).items():
        kind = KINDS[name]
        assert answers[name].headers["x-tollbridge-provider"] == kind.second[0]
        assert (row["actual_provider_name"], row["requested_model"]) == kind.second, name
        assert (row["expected_provider"], row["label"]) == (kind.first[0], kind.label), name
        assert (row["fallback"], row["retry_count"], row["status"]) == (True, 1, "COMPLETED"), name
        failed, served = row["attempt_list"]
        assert (failed["provider"], failed["model"]) == kind.first, name
        assert (failed["error_class"], failed["cost_usd"]) == ("connect", "0"), name
        assert (served["provider"], served["outcome"]) == (kind.second[0], "succeeded"), name

    await kill_second()
    answers = await providers.ask_all()
    assert {name: one.status_code for name, one in answers.items()} == dict.fromkeys(KINDS, 502)
    for name, row in (await providers.booked(answers)).items():
        kind, attempts = KINDS[name], answers[name].json()["error"]["details"]["attempts"]
        listed = [(one["provider"], one["model"]) for one in attempts]
        assert listed == [kind.first, kind.second], name
        assert {one["error_class"] for one in attempts} == {"connect"}
        assert (row["status"], row["cost_usd"]) == ("FAILED", "0"), name
