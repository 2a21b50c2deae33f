"""Every page, in both lights and on both screens: reachable for all, and nothing runs out of it."""

from typing import Any

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import DESK, PHONE, OpenPage
from tests.tidy.source import ROOT

pytestmark = pytest.mark.asyncio(loop_scope="session")

ADDRESSES = (
    "/",
    "/logs",
    "/providers",
    "/models",
    "/playground",
    "/budgets",
    "/alerts",
    "/credits",
    "/insight",
    "/attribution",
    "/settings",
)
AXE = ROOT / "dashboard/node_modules/axe-core/axe.min.js"
FIRST_PAGE_BYTES_MAX = 400_000
USABLE_MS_MAX = 1500


async def settled(page: Page) -> None:
    """Wait until a page has what it asked for."""
    await expect(page.get_by_role("heading", level=1)).to_be_visible()
    await page.wait_for_load_state("networkidle")
    await expect(page.locator("[aria-busy=true]")).to_have_count(0)


async def findings(page: Page) -> list[str]:
    """Return what axe finds, however small, with the first place of each."""
    await page.evaluate(AXE.read_text(encoding="utf-8"))
    found: dict[str, Any] = await page.evaluate("() => axe.run(document)")
    return [
        f"{one['id']}: {one['help']}: {one['nodes'][0]['html'][:200]} "
        f"({one['nodes'][0]['failureSummary']})"
        for one in found["violations"]
    ]


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("address", ADDRESSES)
async def test_axe_finds_nothing(open_page: OpenPage, address: str, *, dark: bool) -> None:
    page = await open_page(address, dark=dark)
    await settled(page)
    assert await findings(page) == []


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_axe_finds_nothing_in_an_open_call(open_page: OpenPage, *, dark: bool) -> None:
    page = await open_page("/logs", dark=dark)
    await page.get_by_role("row").nth(1).get_by_role("gridcell").nth(2).click()
    await expect(page.get_by_text("settle", exact=True)).to_be_visible()
    await settled(page)
    assert await findings(page) == []


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["1440", "390"])
@pytest.mark.parametrize("address", ADDRESSES)
async def test_nothing_runs_out_of_the_screen(
    open_page: OpenPage, address: str, size: tuple[int, int]
) -> None:
    page = await open_page(address, size=size)
    await settled(page)
    assert await page.evaluate("document.documentElement.scrollWidth") <= size[0]


@pytest.mark.alone
async def test_the_first_page_is_small_and_soon_usable(open_page: OpenPage) -> None:
    # The least of three: others may be busy on this machine meanwhile.
    times: list[float] = []
    size = 0
    for _ in range(3):
        page = await open_page("/")
        await expect(page.get_by_text("Cost over time")).to_be_visible()
        times.append(await page.evaluate("performance.now()"))
        await settled(page)
        size = await page.evaluate(
            "performance.getEntriesByType('resource')"
            ".filter(one => one.name.includes('/assets/'))"
            ".reduce((sum, one) => sum + one.encodedBodySize, 0)"
        )
    assert 50_000 < size <= FIRST_PAGE_BYTES_MAX
    assert min(times) <= USABLE_MS_MAX
