"""The overview and the providers, as a person uses them."""

import re

import pytest
from playwright.async_api import expect

from tests.browser.conftest import OpenPage

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_legend_of_the_overview_is_the_filter(open_page: OpenPage) -> None:
    page = await open_page("/")
    legend = page.get_by_role("group", name="Providers shown")
    await legend.get_by_role("button", name="WaveSpeed").click()
    await expect(page).to_have_url(re.compile("provider=wavespeed"))
    await expect(legend.get_by_role("button", name="Anthropic")).to_be_visible()
    tops = page.get_by_role("list", name="Providers by cost")
    await expect(tops.get_by_role("listitem")).to_have_count(1)


async def test_a_name_of_the_overview_leads_to_its_calls(open_page: OpenPage) -> None:
    page = await open_page("/?range=30d")
    await page.get_by_role("list", name="Models by cost").get_by_role("link").first.click()
    await expect(page).to_have_url(re.compile(r"/logs\?.*model="))
    await expect(page).to_have_url(re.compile("range=30d"))
    await expect(page.get_by_role("row").nth(1)).to_be_visible()


async def test_a_column_of_the_chart_leads_to_its_calls(open_page: OpenPage) -> None:
    page = await open_page("/")
    parts = page.locator(".recharts-bar-rectangle path")
    await expect(parts.first).to_be_visible()
    # The largest: the first day and the last are as short as the time of day makes them.
    heights = await parts.evaluate_all("all => all.map(one => one.getBoundingClientRect().height)")
    await parts.nth(heights.index(max(heights))).click()
    await expect(page).to_have_url(re.compile(r"/logs\?.*from=.*"))
    await expect(page).to_have_url(re.compile(r"provider="))


async def test_an_endpoint_is_switched_off_and_that_is_undone(open_page: OpenPage) -> None:
    page = await open_page("/providers")
    switch = page.get_by_role("switch", name=re.compile("^sandbox is"))
    await expect(switch).to_be_checked()
    # The switch itself is covered by what is drawn for it.
    await switch.dispatch_event("click")
    await expect(switch).not_to_be_checked()
    await page.get_by_role("button", name="Undo").click()
    await expect(switch).to_be_checked()


async def test_an_endpoint_is_tried_earlier_and_that_stays(open_page: OpenPage) -> None:
    page = await open_page("/providers")
    names = page.get_by_role("button", name=re.compile("^Try .* earlier$"))
    await expect(names.first).to_be_visible()
    before = [await one.get_attribute("aria-label") for one in await names.all()]
    assert before[-1] == "Try sandbox earlier"
    await page.get_by_role("button", name="Try sandbox earlier").click()
    await expect(page.get_by_text("sandbox is now tried as number")).to_be_visible()
    await page.reload()
    await expect(names.nth(len(before) - 2)).to_have_attribute("aria-label", "Try sandbox earlier")
    await page.get_by_role("button", name="Try sandbox later").click()
    await expect(page.get_by_text("sandbox is now tried as number")).to_be_visible()
