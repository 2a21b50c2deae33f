"""A whole node behind a reverse proxy: from where somebody is said to sign in."""

from pathlib import Path
from typing import Any

import httpx
import pytest

from tests.support.node import running_node

PASSWORD = "a-long-enough-password"
OUTSIDE, MADE_UP = "192.0.2.7", "198.51.100.1"
PROXIED = {"x-forwarded-for": f"{MADE_UP}, {OUTSIDE}"}


async def signed_in_from(url: str) -> str:
    """Sign in as a browser behind a proxy does; return what the session says of where."""
    async with httpx.AsyncClient(base_url=url, headers=PROXIED, timeout=15) as browser:
        order = {"username": "admin", "password": PASSWORD}
        opened = await browser.post("/api/v1/auth/session", json=order)
        assert opened.status_code == httpx.codes.OK, opened.text
        listed: dict[str, Any] = (await browser.get("/api/v1/auth/sessions")).json()
        [session] = listed["sessions"]
        return session["address"]


@pytest.mark.parametrize(
    ("trusted", "said", "figures"),
    [
        ("", "127.0.0.1", httpx.codes.OK),
        ("10.0.0.0/8", "127.0.0.1", httpx.codes.OK),
        ("10.0.0.0/8 127.0.0.1", OUTSIDE, httpx.codes.FORBIDDEN),
    ],
)
async def test_only_a_proxy_that_is_trusted_says_from_where_somebody_signs_in(
    tmp_path: Path, trusted: str, said: str, figures: int
) -> None:
    """Whom such a proxy asks for from outside is not shown this machine's figures either."""
    settings: dict[str, Any] = {"admin_password": PASSWORD, "trusted_proxies": trusted}
    async with running_node(tmp_path, "", **settings) as node:
        assert await signed_in_from(node.url) == said
        async with httpx.AsyncClient(base_url=node.url, headers=PROXIED) as caller:
            assert (await caller.get("/metrics")).status_code == figures
