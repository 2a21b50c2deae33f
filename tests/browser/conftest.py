"""A browser, a node to look at, and pages that may not complain."""

import os
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path
from subprocess import TimeoutExpired

import pytest
import pytest_asyncio
from playwright.async_api import Browser, BrowserContext, Page, async_playwright, expect

from tests.browser.world import PASSWORD, World
from tests.support.sandbox_server import process_sandbox

CHROMIUM = os.environ.get("CHROMIUM", "/usr/bin/chromium")
FLAGS = [
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
]
WAIT_MS = 30_000
"""How long a page may take on a machine that has other work; nothing waits for it in vain."""
DESK = (1440, 900)
PHONE = (390, 844)


expect.set_options(timeout=WAIT_MS)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(tmp_path_factory: pytest.TempPathFactory) -> AsyncGenerator[World]:
    """Serve a node with something to look at, for the tests of one file.

    Of one file, so that what its pages show does not depend on which others ran before.
    """
    folder = tmp_path_factory.mktemp("world")
    with process_sandbox(folder / "sandbox.jsonl") as sandbox:
        found = World(folder, sandbox)
        try:
            await found.node.start()
            await found.fill()
            yield found
        finally:
            with suppress(TimeoutExpired):
                found.node.stop()


@pytest_asyncio.fixture(scope="session", loop_scope="session")
async def browser() -> AsyncGenerator[Browser]:
    """Start one Chromium for all tests; each page has a context of its own."""
    if not Path(CHROMIUM).exists():
        pytest.fail(f"there is no Chromium at {CHROMIUM}: `make chromium` installs Debian's")
    async with async_playwright() as playwright:
        started = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
        yield started
        await started.close()


def listen(page: Page, complaints: list[str]) -> None:
    """Note what the page complains of; that nobody is signed in yet is no complaint."""

    def note(message: object) -> None:
        text = str(getattr(message, "text", message))
        place: dict[str, object] = getattr(message, "location", {})
        is_question = str(place.get("url", "")).endswith("/api/v1/auth/session")
        if getattr(message, "type", "error") in {"error", "warning"} and not is_question:
            complaints.append(f"{text} ({place.get('url', '')})")

    page.on("console", note)
    page.on("pageerror", lambda error: complaints.append(str(error)))


class OpenPage:
    """Opens pages; what any of them complains of is kept."""

    def __init__(self, world: World, browser: Browser) -> None:
        self._world = world
        self._browser = browser
        self.contexts: list[BrowserContext] = []
        self.complaints: list[str] = []

    async def __call__(
        self,
        address: str = "/",
        *,
        dark: bool = False,
        size: tuple[int, int] = DESK,
        user: str = "admin",
        is_in: bool = True,
    ) -> Page:
        """Open a page, in a context of its own; the admin is signed in, if it is not said."""
        context = await self._browser.new_context(
            base_url=self._world.url,
            viewport={"width": size[0], "height": size[1]},
            color_scheme="dark" if dark else "light",
            timezone_id="UTC",
            locale="en-GB",
            reduced_motion="reduce",
        )
        self.contexts.append(context)
        context.set_default_timeout(WAIT_MS)
        if is_in:
            body = {"username": user, "password": PASSWORD}
            answer = await context.request.post("/api/v1/auth/session", data=body)
            assert answer.ok, await answer.text()
        page = await context.new_page()
        listen(page, self.complaints)
        await page.goto(address)
        return page


@pytest_asyncio.fixture(loop_scope="session")
async def open_page(world: World, browser: Browser) -> AsyncGenerator[OpenPage]:
    """Open pages; at the end none of them may have complained."""
    opener = OpenPage(world, browser)
    yield opener
    for context in opener.contexts:
        await context.close()
    assert opener.complaints == []
