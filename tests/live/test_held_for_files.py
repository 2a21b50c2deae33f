"""A hard budget holds although nobody can see what an attached file will cost."""

from collections.abc import AsyncIterator
from pathlib import Path

import pytest

from tests.support.node import BUDGET, Node, chat, config_of, running_node
from tests.support.sandbox_server import running_sandbox

FILE = {"type": "file", "file": {"file_id": "file-of-a-thousand-pages"}}
CHAT = "/v1/chat/completions"


@pytest.fixture
async def node(tmp_path: Path) -> AsyncIterator[Node]:
    async with running_sandbox() as provider:
        config = config_of(provider.url, extra=BUDGET.format(limit="0.10"))
        async with running_node(tmp_path, config, reserve_file_tokens=700_000) as running:
            yield running


async def test_a_file_that_may_cost_more_than_is_left_is_refused(node: Node) -> None:
    """700,000 tokens at 0.15 USD a million are 0.105 USD; the words beside it are far below."""
    messages = [{"role": "user", "content": [{"type": "text", "text": "sum it up"}, FILE]}]
    async with node.client() as client:
        assert (await client.post(CHAT, json=chat())).status_code == 200
        refused = await client.post(CHAT, json=chat() | {"messages": messages})
    assert (refused.status_code, refused.json()["error"]["code"]) == (402, "budget_exceeded")
