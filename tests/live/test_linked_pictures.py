"""A provider that names a picture by its address although the picture itself was asked for."""

import base64
from collections.abc import AsyncIterator
from pathlib import Path
from typing import Any

import pytest
import pytest_asyncio

from tests.support.node import Node, running_node
from tests.support.raw_provider import RawProvider, answer, running_raw_provider
from tollbridge.sandbox.media import Size, png

PICTURE = png(Size(16, 16))
CONFIG = """
[[endpoint]]
name = "maker"
provider = "maker"
dialect = "openai"
base_url = "{url}/v1"
api_key = "secret"
[[route]]
model = "boat"
category = "image"
candidates = [ {{ endpoint = "maker", model = "boat" }} ]
[[key]]
name = "ci"
key_env = "CI_KEY"
user = "ana"
"""


@pytest_asyncio.fixture
async def maker() -> AsyncIterator[RawProvider]:
    """Let everything below /v1 be answered with a link to what another server has."""
    async with running_raw_provider() as provider, running_raw_provider() as shelf:
        shelf.answers["boat.png"] = answer(PICTURE, content_type="image/png")
        made = {"created": 1, "data": [{"url": f"{shelf.url}/boat.png", "revised_prompt": "B"}]}
        provider.answers["v1"] = answer(made)
        yield provider


@pytest_asyncio.fixture
async def node(
    maker: RawProvider, tmp_path: Path, request: pytest.FixtureRequest
) -> AsyncIterator[Node]:
    hosts = getattr(request, "param", "127.0.0.1")
    config = CONFIG.format(url=maker.url)
    async with running_node(tmp_path, config, fetch_private_hosts=hosts) as running:
        yield running


async def ask(node: Node, response_format: str) -> dict[str, Any]:
    body = {"model": "boat", "prompt": "a boat", "response_format": response_format}
    async with node.client() as caller:
        found = await caller.post("/v1/images/generations", json=body)
        assert found.status_code == 200, found.text
        [one] = found.json()["data"]
        return one


async def test_the_picture_is_fetched_for_whoever_asked_for_itself(node: Node) -> None:
    made = await ask(node, "b64_json")
    assert base64.b64decode(made["b64_json"]) == PICTURE
    assert made["revised_prompt"] == "B"
    assert "url" not in made


async def test_whoever_asked_for_a_link_gets_the_link(node: Node) -> None:
    made = await ask(node, "url")
    assert made["url"].endswith("/boat.png")


@pytest.mark.parametrize("node", ["nobody.example"], indirect=True)
async def test_what_may_not_be_fetched_is_left_as_the_provider_gave_it(node: Node) -> None:
    made = await ask(node, "b64_json")
    assert made["url"].endswith("/boat.png")
    assert "b64_json" not in made


async def test_generate_gives_it_as_data_that_a_page_may_show(node: Node) -> None:
    order = {
        "category": "IMAGE",
        "prompt": "a boat",
        "model": "boat",
        "options": {"response_format": "b64_json"},
    }
    async with node.client() as caller:
        made = (await caller.post("/api/v1/generate", json=order)).json()
    assert made["result"]["imageUrl"] == "data:image/png;base64," + (
        base64.b64encode(PICTURE).decode()
    )
