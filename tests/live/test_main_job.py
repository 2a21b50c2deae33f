"""The main job as a new user does it: start with the sandbox, run the printed line, look."""

import asyncio
import contextlib
import json
import os
import signal
import subprocess
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio
from openai import AsyncOpenAI

from tests.support.processes import COMMAND, WAIT_MAX_S, ServedNode

MODEL = "sandbox-small"


class SandboxNode(ServedNode):
    """`tollbridge serve --sandbox` in a folder of its own, with nothing configured."""

    def environment(self, more: Mapping[str, Any]) -> dict[str, str]:
        environment = super().environment({"sandbox": True, **more})
        del environment["TOLLBRIDGE_CONFIG"], environment["CI_KEY"]
        return environment

    def printed(self) -> str:
        return self.log_path.read_text()

    def key(self) -> str:
        return self.printed().partition("(replaced at each start): ")[2].split()[0]

    def to_try(self) -> tuple[str, str]:
        """Return what the person who started us is told to try: a call, and a look at it."""
        lines = self.printed().partition("  try it:\n")[2].strip().splitlines()
        return "\n".join(lines[:-1]), lines[-1]


@pytest_asyncio.fixture(scope="module", loop_scope="module", name="node")
async def running(tmp_path_factory: pytest.TempPathFactory) -> AsyncIterator[SandboxNode]:
    folder = tmp_path_factory.mktemp("main-job")
    (folder / ".env").write_text("OPENAI_API_KEY=sk-not-a-real-one\nXAI_API_KEY=\n")
    node = SandboxNode(folder, "", None, {})
    await node.start()
    try:
        async with asyncio.timeout(WAIT_MAX_S):
            while "tollbridge usage --data-dir" not in node.printed():
                await asyncio.sleep(0.05)
        yield node
    finally:
        with contextlib.suppress(subprocess.TimeoutExpired):
            node.stop()


pytestmark = pytest.mark.asyncio(loop_scope="module")


def as_printed(line: str, node: SandboxNode) -> str:
    """Return what a printed line prints, in a shell at the place where the node was started."""
    return subprocess.run(
        ["bash", "-c", line],
        cwd=node.folder,
        capture_output=True,
        text=True,
        check=True,
        timeout=WAIT_MAX_S,
    ).stdout


async def test_the_printed_lines_work_as_printed(node: SandboxNode) -> None:
    call, look = node.to_try()
    answer = json.loads(as_printed(call, node))
    assert answer["model"] == MODEL
    assert answer["usage"]["total_tokens"] > 0
    async with asyncio.timeout(WAIT_MAX_S):
        while MODEL not in (shown := as_printed(look, node)):
            await asyncio.sleep(0.1)
    assert "COMPLETED 200" in shown


async def test_a_key_in_the_env_file_makes_its_provider_live_and_an_empty_one_is_said(
    node: SandboxNode,
) -> None:
    live = next(line for line in node.printed().splitlines() if line.startswith("  live: "))
    assert "openai" in live
    assert "xai: XAI_API_KEY is not set" in " ".join(node.printed().split())
    assert "sk-not-a-real-one" not in node.printed()


async def test_the_official_sdk_works_unchanged_and_the_usage_shows_each_call(
    node: SandboxNode,
) -> None:
    client: Any = AsyncOpenAI(base_url=f"{node.url}/v1", api_key=node.key(), max_retries=0)
    messages = [{"role": "user", "content": "hello"}]
    whole = await client.chat.completions.create(model=MODEL, messages=messages)
    stream = await client.chat.completions.create(model=MODEL, messages=messages, stream=True)
    said = "".join([part.choices[0].delta.content or "" async for part in stream])
    assert said == whole.choices[0].message.content
    vectors = await client.embeddings.create(model="sandbox-embedding", input=["a", "b"])
    assert len(vectors.data) == 2
    await node.drained()
    async with httpx.AsyncClient(headers={"authorization": f"Bearer {node.key()}"}) as reader:
        page = (await reader.get(f"{node.url}/api/v1/usage-logs", params={"limit": 3})).json()
    assert [one["operation"] for one in page["calls"]] == [
        "embedding",
        "chat_completion",
        "chat_completion",
    ]
    assert {one["actual_provider_name"] for one in page["calls"]} == {"sandbox"}
    assert page["calls"][1]["cost_usd"] == page["calls"][2]["cost_usd"]
    shown = subprocess.run(
        [COMMAND, "usage", "--json", "--limit", "3"],
        env=node.environment({}),
        capture_output=True,
        text=True,
        check=True,
        timeout=WAIT_MAX_S,
    )
    assert page["calls"][0]["call_id"] in shown.stdout


async def test_the_printed_key_outlives_the_office(node: SandboxNode) -> None:
    dead = node.pids("office")
    os.kill(dead[0], signal.SIGKILL)
    async with asyncio.timeout(WAIT_MAX_S):
        while (await node.health()).get("office") != "ok" or node.pids("office") == dead:
            await asyncio.sleep(0.1)
    body = {"model": MODEL, "messages": [{"role": "user", "content": "still there?"}]}
    async with httpx.AsyncClient(headers={"authorization": f"Bearer {node.key()}"}) as client:
        answer = await client.post(f"{node.url}/v1/chat/completions", json=body)
    assert answer.status_code == 200


async def test_the_books_of_all_this_balance(node: SandboxNode) -> None:
    await node.drained()
    checked = subprocess.run(
        [COMMAND, "doctor", "--books"],
        env=node.environment({}),
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_MAX_S,
    )
    assert checked.returncode == 0, checked.stdout + checked.stderr


async def test_a_second_node_on_the_same_port_is_refused_with_a_reason(
    node: SandboxNode, tmp_path: Path
) -> None:
    environment = {**node.environment({}), "TOLLBRIDGE_DATA_DIR": str(tmp_path / "other")}
    ended = subprocess.run(
        [COMMAND, "serve"],
        env=environment,
        capture_output=True,
        text=True,
        check=False,
        timeout=WAIT_MAX_S,
    )
    assert ended.returncode != 0
    assert "cannot listen on" in ended.stderr
    assert "Traceback" not in ended.stderr
