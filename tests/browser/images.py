"""Pictures of every page for docs/images, in both lights and on both screens: `make images`.

Not a test: it changes the tree.
"""

import asyncio
import tempfile
from pathlib import Path

from playwright.async_api import Browser, Page, async_playwright, expect

from tests.browser.conftest import CHROMIUM, DESK, FLAGS, PHONE, OpenPage
from tests.browser.experiment import put_route, report, start
from tests.browser.png import packed
from tests.browser.world import World
from tests.support.sandbox_server import process_sandbox
from tests.tidy.source import ROOT

IMAGES = ROOT / "docs" / "images"
REPORTS = 3000
PICTURE_BYTES_MAX = 153_600
BUDGETS = (
    ("everything", "organisation:default", "0.20", False),
    ("ana-month", "user:ana", "0.05", False),
    ("default-month", "project:default", "0.25", True),
)
PAGES = (
    "overview",
    "logs",
    "providers",
    "models",
    "playground",
    "budgets",
    "alerts",
    "credits",
    "insight",
    "attribution",
    "settings",
)
EXPERIMENT = "cheaper-assistant"


async def main() -> None:
    """Fill a node and take the pictures."""
    IMAGES.mkdir(exist_ok=True)
    with (
        tempfile.TemporaryDirectory() as folder,
        process_sandbox(Path(folder) / "sandbox.jsonl") as sandbox,
    ):
        world = World(Path(folder), sandbox)
        try:
            await world.node.start()
            await limit(world)
            await world.fill(REPORTS)
            await put_route(world)
            await start(world, EXPERIMENT)
            await report(world, EXPERIMENT)
            async with async_playwright() as playwright:
                browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=FLAGS)
                await take_all(world, browser)
                await browser.close()
        finally:
            world.node.stop()


async def limit(world: World) -> None:
    """Set limits that the reports then use up in part, and put credits into a wallet."""
    async with world.client() as client:
        for name, subject, limit_usd, hard in BUDGETS:
            order = {"name": name, "subject": subject, "limit_usd": limit_usd, "hard": hard}
            made = await client.post("/api/v1/budgets", json=order)
            made.raise_for_status()
        order = {"name": "web-team", "subject": "project:web"}
        (await client.post("/api/v1/wallets", json=order)).raise_for_status()
        bought = await client.post(
            "/api/v1/wallets/web-team/purchases",
            json={"amount": "2500", "price_usd": "20"},
            headers={"idempotency-key": "picture"},
        )
        bought.raise_for_status()


async def take_all(world: World, browser: Browser) -> None:
    """Take every picture."""
    open_page = OpenPage(world, browser)
    for dark in (False, True):
        for size in (DESK, PHONE):
            page = await open_page("/", dark=dark, size=size)
            look = f"{'dark' if dark else 'light'}-{size[0]}"
            for name in PAGES:
                await page.goto("/" if name == "overview" else f"/{name}")
                await take(page, f"{name}-{look}")
            await page.goto("/insight?tab=experiments")
            await take(page, f"experiments-{look}")
            await page.goto("/logs?provider=wavespeed")
            await page.get_by_role("row").filter(has_text="qwen-image").first.click()
            await expect(page.get_by_text("settle", exact=True)).to_be_visible()
            await take(page, f"call-{look}")
            await page.context.close()


async def take(page: Page, name: str) -> None:
    """Take one picture, when what is asked for has come."""
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await page.wait_for_load_state("networkidle")
    await expect(page.locator("[aria-busy=true]")).to_have_count(0)
    picture = packed(await page.screenshot())
    assert len(picture) < PICTURE_BYTES_MAX, f"{name}: {len(picture)} bytes"
    (IMAGES / f"{name}.png").write_bytes(picture)


if __name__ == "__main__":
    asyncio.run(main())
