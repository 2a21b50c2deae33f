"""A whole node: somebody signs in by the link that it prints, and hears of what is used up."""

import asyncio
import base64
import hashlib
import hmac
import json
import re
from collections.abc import AsyncGenerator, AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path
from typing import Any

import httpx
import pytest
import pytest_asyncio

from tests.support.node import WAIT_MAX_S, Node, chat, config_of, running_node
from tests.support.patience import slowness
from tests.support.raw_provider import RawProvider, answer, running_raw_provider
from tests.support.sandbox_server import RunningSandbox, running_sandbox

SOFT = """
[[budget]]
name = "soft"
subject = "user:ana"
limit_usd = "0.000001"
period = "month"
hard = false
"""
TOLD_MAX_S = 3.0
"""The promise is a second; the test itself has work to do in between."""


@pytest_asyncio.fixture
async def provider() -> AsyncIterator[RunningSandbox]:
    async with running_sandbox() as sandbox:
        yield sandbox


@pytest_asyncio.fixture
async def receiver() -> AsyncIterator[RawProvider]:
    async with running_raw_provider() as server:
        server.answers["hook"] = answer({})
        yield server


@pytest_asyncio.fixture
async def node(tmp_path: Path, provider: RunningSandbox) -> AsyncIterator[Node]:
    settings: dict[str, Any] = {
        "alert_interval_ms": 100,
        "alert_webhook_wait_s": 0.05,
        "fetch_private_hosts": "127.0.0.1",
    }
    config = config_of(provider.url, extra=SOFT)
    async with running_node(tmp_path, config, **settings) as running:
        yield running


@asynccontextmanager
async def signed_in(
    node: Node, capfd: pytest.CaptureFixture[str]
) -> AsyncGenerator[httpx.AsyncClient]:
    """Yield a browser that has followed the printed link: cookie, and header for changes."""
    printed = ""
    async with asyncio.timeout(WAIT_MAX_S):
        while (found := re.search(r"/sign-in#token=(\S+)", printed)) is None:
            await asyncio.sleep(0.02)
            printed += capfd.readouterr().out
    async with httpx.AsyncClient(base_url=node.url, timeout=15) as browser:
        opened = await browser.post("/api/v1/auth/session", json={"link_token": found[1]})
        assert opened.status_code == 200, opened.text
        browser.headers["x-csrf-token"] = opened.json()["csrf_token"]
        again = await browser.post("/api/v1/auth/session", json={"link_token": found[1]})
        assert again.status_code == 401
        yield browser


async def until(browser: httpx.AsyncClient, path: str, name: str) -> list[dict[str, Any]]:
    """Wait until a list has something in it."""
    async with asyncio.timeout(WAIT_MAX_S):
        while True:
            found = (await browser.get(path)).json()[name]
            if found:
                return found
            await asyncio.sleep(0.02)


def assert_signed(request: bytes, secret: str) -> dict[str, Any]:
    """The signature is that of the Standard Webhooks specification; return the body."""
    head, _, body = request.partition(b"\r\n\r\n")
    pairs = [line.partition(b": ") for line in head.split(b"\r\n")[1:]]
    headers = {name.decode().lower(): value.decode() for name, _, value in pairs}
    signed = f"{headers['webhook-id']}.{headers['webhook-timestamp']}.".encode() + body
    key = base64.b64decode(secret.removeprefix("whsec_"))
    expected = base64.b64encode(hmac.new(key, signed, hashlib.sha256).digest()).decode()
    assert headers["webhook-signature"] == f"v1,{expected}"
    return json.loads(body)


async def test_what_is_used_up_is_told_within_a_second_in_the_inbox_and_by_webhook(
    node: Node, receiver: RawProvider, capfd: pytest.CaptureFixture[str]
) -> None:
    receiver.answers["hook"] = answer({}, status=500)
    async with signed_in(node, capfd) as browser, node.client() as caller:
        order = {"name": "ops", "url": f"{receiver.url}/hook"}
        made = await browser.post("/api/v1/alert-webhooks", json=order)
        assert made.status_code == 201, made.text
        assert (await caller.post("/v1/chat/completions", json=chat())).status_code == 200
        began_s = asyncio.get_running_loop().time()
        [alert] = await until(browser, "/api/v1/alerts", "alerts")
        assert asyncio.get_running_loop().time() - began_s < TOLD_MAX_S * slowness()
        assert (alert["limit"], alert["threshold_percent"]) == ("soft", 100)
        assert (alert["severity"], alert["subject"]) == ("error", "user:ana")
        async with asyncio.timeout(WAIT_MAX_S):
            while len(receiver.received) < 2:
                await asyncio.sleep(0.01)
        receiver.answers["hook"] = answer({})
        path = "/api/v1/alert-webhooks/ops/deliveries"
        async with asyncio.timeout(WAIT_MAX_S):
            while (log := (await browser.get(path)).json()["deliveries"])[0]["state"] == "due":
                await asyncio.sleep(0.05)
        [delivery] = log
        assert delivery["state"] == "delivered"
        assert [one["status"] for one in delivery["tries"][:2]] == [500, 500]
        assert delivery["tries"][-1]["status"] == 200
        told = [assert_signed(one, made.json()["secret"]) for one in receiver.received]
        assert {one["data"]["alert_id"] for one in told} == {alert["alert_id"]}
        ids = {one.split(b"webhook-id: ")[1].split(b"\r\n")[0] for one in receiver.received}
        assert ids == {delivery["delivery_id"].encode()}
        await caller.post("/v1/chat/completions", json=chat())
        read = await browser.post(f"/api/v1/alerts/{alert['alert_id']}/read")
        assert read.json()["read_at"]
        assert (await browser.get("/api/v1/alerts")).json()["unread"] == 0
        log_of = (await browser.get("/api/v1/audit", params={"action": "alert_webhooks"})).json()
        assert [one["action"] for one in log_of["changes"]] == ["alert_webhooks.create"]
        assert "/hook" not in json.dumps(log_of)


async def test_a_webhook_to_a_private_address_is_refused(
    tmp_path: Path, provider: RunningSandbox, capfd: pytest.CaptureFixture[str]
) -> None:
    async with (
        running_node(tmp_path, config_of(provider.url)) as node,
        signed_in(node, capfd) as browser,
    ):
        for url in ("http://127.0.0.1/x", "http://169.254.169.254/latest", "http://10.1.2.3/x"):
            order = {"name": "ops", "url": url}
            refused = await browser.post("/api/v1/alert-webhooks", json=order)
            assert refused.status_code == 400, url


async def test_a_session_outlives_the_office_and_a_disabled_users_key_does_not_call(
    node: Node, capfd: pytest.CaptureFixture[str]
) -> None:
    async with signed_in(node, capfd) as browser, node.client() as caller:
        assert (await browser.get("/api/subscription/plans")).status_code == 200
        order = {"name": "ana", "role": "member"}
        assert (await browser.post("/api/v1/users", json=order)).status_code == 201
        assert (await caller.post("/v1/chat/completions", json=chat())).status_code == 200
        for disabled, status in ((True, 401), (False, 200)):
            changed = await browser.patch("/api/v1/users/ana", json={"disabled": disabled})
            assert changed.status_code == 200
            async with asyncio.timeout(WAIT_MAX_S):
                while True:
                    called = await caller.post("/v1/chat/completions", json=chat())
                    if called.status_code == status:
                        break
                    await asyncio.sleep(0.05)
