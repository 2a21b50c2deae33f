"""Prompts and answers are kept where a key or a route asks for it, and nowhere else."""

import asyncio
import sqlite3
from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.node import KEY, MODEL, WAIT_MAX_S, Node, chat, config_of, frames, running_node
from tests.support.sandbox_server import running_sandbox
from tollbridge.core.content import Content
from tollbridge.recording.statements import joined

SECRET = "the goose flies at midnight"
ADMIN = 'scopes = ["call", "read", "admin"]\n'


async def call(client: httpx.AsyncClient, text: str = SECRET, **fields: Any) -> httpx.Response:
    body = chat(text, max_tokens=20, **fields)
    answer = await client.post("/v1/chat/completions", json=body)
    assert answer.status_code == 200, answer.text
    return answer


async def content_of(client: httpx.AsyncClient, answer: httpx.Response) -> dict[str, Any]:
    """Return what is kept of a call, as soon as there is something."""
    call_id = answer.headers["x-tollbridge-call-id"]
    async with asyncio.timeout(WAIT_MAX_S):
        while True:
            found = await client.get(f"/api/v1/usage-logs/{call_id}/content")
            if found.status_code == 200:
                return found.json()
            assert found.status_code == 404, found.text
            await asyncio.sleep(0.02)


async def in_the_books(client: httpx.AsyncClient, answer: httpx.Response) -> None:
    call_id = answer.headers["x-tollbridge-call-id"]
    async with asyncio.timeout(WAIT_MAX_S):
        address = f"/api/v1/usage-logs/{call_id}"
        while (await client.get(address)).json().get("status") != "COMPLETED":
            await asyncio.sleep(0.02)


def tables_with(node: Node, text: str) -> set[str]:
    """Return the tables in which a text stands."""
    with sqlite3.connect(node.places.database) as connection:
        named = "SELECT name FROM sqlite_master WHERE type = 'table'"
        names = [row[0] for row in connection.execute(named)]
        return {
            name
            for name in names
            if text in str(connection.execute(joined("SELECT * FROM", name)).fetchall())
        }


async def test_nothing_is_kept_where_nobody_asks_for_it(tmp_path: Path) -> None:
    async with running_sandbox() as sandbox:
        config = config_of(sandbox.url, key_extra=ADMIN)
        async with running_node(tmp_path, config) as node, node.client() as client:
            answers = [await call(client), await call(client, stream=True)]
            for answer in answers:
                await in_the_books(client, answer)
                call_id = answer.headers["x-tollbridge-call-id"]
                found = await client.get(f"/api/v1/usage-logs/{call_id}/content")
                assert found.status_code == 404
                assert found.json()["error"]["code"] == "not_found"
            assert tables_with(node, SECRET) == set()
            assert SECRET not in str(node.records())


@pytest.mark.parametrize("asks", ["key", "route"])
async def test_prompt_and_answer_are_kept_and_stand_in_one_table_alone(
    tmp_path: Path, asks: str, capfd: pytest.CaptureFixture[str]
) -> None:
    """Whole and streamed; not in usage rows, evidence, other records or logs."""
    async with running_sandbox() as sandbox:
        config = config_of(
            sandbox.url, key_extra=f"{ADMIN}keep_content = {'true' if asks == 'key' else 'false'}"
        )
        if asks == "route":
            config = config.replace(
                'category = "text"\n', 'category = "text"\nkeep_content = true\n'
            )
        async with running_node(tmp_path, config) as node, node.client() as client:
            whole, streamed = await call(client), await call(client, stream=True)
            kept = await content_of(client, whole)
            assert kept["prompt"]["body"] == whole.request.content.decode()
            assert kept["answer"] == {
                "body": whole.text,
                "body_bytes": len(whole.content),
                "truncated": False,
            }
            kept = await content_of(client, streamed)
            texts = [
                one["choices"][0]["delta"].get("content") or ""
                for one in frames(streamed.text)
                if one != "[DONE]" and one["choices"]
            ]
            assert kept["answer"]["body"] == "".join(texts) != ""
            await in_the_books(client, streamed)
            assert tables_with(node, SECRET) == {"call_contents"}
            assert tables_with(node, "".join(texts)) == {"call_contents"}
            others = [one for one in node.records() if not isinstance(one, Content)]
            assert SECRET not in str(others)
    seen = capfd.readouterr()
    assert SECRET not in seen.out + seen.err


async def test_what_is_too_long_is_cut_at_the_limit(tmp_path: Path) -> None:
    async with running_sandbox() as sandbox:
        config = config_of(sandbox.url, key_extra=f"{ADMIN}keep_content = true")
        async with (
            running_node(tmp_path, config, content_bytes_max=100) as node,
            node.client() as client,
        ):
            answer = await call(client, "ö" * 1000)
            kept = await content_of(client, answer)
            assert kept["prompt"]["truncated"]
            assert kept["prompt"]["body_bytes"] == len(answer.request.content)
            assert 97 <= len(kept["prompt"]["body"].encode()) <= 100


async def test_a_key_begins_and_ends_to_keep_while_calls_go_on(tmp_path: Path) -> None:
    """Within a second, written down with who did it; a key of the file is the file's to change."""
    async with running_sandbox() as sandbox:
        config = config_of(sandbox.url, key_extra=ADMIN)
        async with running_node(tmp_path, config) as node, node.client() as admin:
            order = {"name": "guest", "scopes": ["call", "read"]}
            minted = (await admin.post("/api/v1/keys", json=order)).json()
            assert minted["keep_content"] is False
            headers = {"authorization": f"Bearer {minted['key']}"}
            async with httpx.AsyncClient(base_url=node.url, headers=headers) as guest:
                for keep in (True, False):
                    change = {"keep_content": keep}
                    changed = await admin.patch(f"/api/v1/keys/{minted['key_id']}", json=change)
                    assert changed.json()["keep_content"] is keep
                    await node.caught_up()
                    answer = await call(guest)
                    if keep:
                        assert (await content_of(guest, answer))["prompt"]["body"]
                        continue
                    await in_the_books(guest, answer)
                    call_id = answer.headers["x-tollbridge-call-id"]
                    found = await guest.get(f"/api/v1/usage-logs/{call_id}/content")
                    assert found.status_code == 404
            keys = (await admin.get("/api/v1/keys")).json()["keys"]
            own = next(one for one in keys if one["name"] == "ci")
            refused = await admin.patch(
                f"/api/v1/keys/{own['key_id']}", json={"keep_content": True}
            )
            assert refused.status_code == 409
            with sqlite3.connect(node.places.database) as connection:
                audited = connection.execute(
                    "SELECT subject, details FROM audit_entries WHERE action = 'keys.change'"
                ).fetchall()
            assert [one[0] for one in audited] == ["key:guest", "key:guest"]


async def test_others_are_not_shown_what_was_asked(tmp_path: Path) -> None:
    """A key's own user and admins are; whoever else asks hears that there is nothing."""
    async with running_sandbox() as sandbox:
        config = config_of(sandbox.url, key_extra=f"{ADMIN}keep_content = true")
        async with running_node(tmp_path, config) as node, node.client() as admin:
            answer = await call(admin)
            await content_of(admin, answer)
            call_id = answer.headers["x-tollbridge-call-id"]
            for user, status in (("ana", 200), ("eve", 404)):
                order = {"name": f"reader-{user}", "user": user, "scopes": ["read"]}
                minted = (await admin.post("/api/v1/keys", json=order)).json()
                headers = {"authorization": f"Bearer {minted['key']}"}
                found = await admin.get(f"/api/v1/usage-logs/{call_id}/content", headers=headers)
                assert found.status_code == status
            async with httpx.AsyncClient(base_url=node.url) as nobody:
                found = await nobody.get(f"/api/v1/usage-logs/{call_id}/content")
            assert found.status_code == 401
            assert KEY not in found.text
            assert MODEL not in found.text
