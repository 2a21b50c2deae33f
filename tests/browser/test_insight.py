"""Insight, as a person uses it: savings with their evidence, and what it would cost elsewhere."""

import re

import pytest
from playwright.async_api import expect

from tests.browser.conftest import DESK, PHONE, OpenPage
from tests.browser.test_pages import findings, settled

pytestmark = pytest.mark.asyncio(loop_scope="session")
TABS = ("savings", "elsewhere", "fallback")


async def test_providers_are_ranked_with_the_reasons_against_them(open_page: OpenPage) -> None:
    page = await open_page("/insight?range=30d")
    table = page.get_by_role("table").last
    await expect(table.get_by_role("row").nth(1)).to_be_visible()
    await expect(table).to_contain_text(re.compile("recommended|no endpoint of it is enabled"))


async def test_the_same_usage_is_priced_elsewhere(open_page: OpenPage) -> None:
    page = await open_page("/insight?range=30d")
    await page.get_by_role("tab", name="What if").click()
    row = page.get_by_role("row", name="gpt-4o-mini").first
    await expect(row).to_contain_text(re.compile(r"\$[\d.,]+ (less|more)|the same"))
    await expect(page).to_have_url(re.compile("tab=elsewhere"))


async def test_a_category_is_chosen_and_stays_in_the_address(open_page: OpenPage) -> None:
    page = await open_page("/insight?range=30d&tab=fallback")
    await page.get_by_text("image", exact=True).click()
    await expect(page).to_have_url(re.compile("category=image"))
    await page.reload()
    await expect(page.get_by_role("radio", name="image")).to_be_checked()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("tab", TABS)
async def test_axe_finds_nothing(open_page: OpenPage, tab: str, *, dark: bool) -> None:
    page = await open_page(f"/insight?range=30d&tab={tab}", dark=dark)
    await settled(page)
    assert await findings(page) == []


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["1440", "390"])
@pytest.mark.parametrize("tab", TABS)
async def test_nothing_runs_out(open_page: OpenPage, tab: str, size: tuple[int, int]) -> None:
    page = await open_page(f"/insight?range=30d&tab={tab}", size=size)
    await settled(page)
    assert await page.evaluate("document.documentElement.scrollWidth") <= size[0]
