"""Attribution, as a person uses it: what is not sure, why, and what a backfill would change."""

import re

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import DESK, PHONE, OpenPage
from tests.browser.test_pages import findings, settled

pytestmark = pytest.mark.asyncio(loop_scope="session")
UNKNOWN = "a-model-nobody-knows"
TABS = ("confidence", "tester&bucket=video&model=wan-2.2", "rules", "backfill")


async def test_what_nobody_knows_stands_first_and_leads_to_the_tester(open_page: OpenPage) -> None:
    page = await open_page("/attribution?range=30d")
    row = page.get_by_role("row").nth(1)
    await expect(row).to_contain_text("unknown")
    await page.get_by_role("row", name=UNKNOWN).get_by_role("link", name="Test it").click()
    await expect(page).to_have_url(re.compile(f"tab=tester.*model={UNKNOWN}|model={UNKNOWN}.*"))
    await expect(page.get_by_role("textbox", name="Model", exact=True)).to_have_value(UNKNOWN)


async def test_a_name_is_tested_and_the_answer_says_on_which_words(open_page: OpenPage) -> None:
    page = await open_page("/attribution?tab=tester")
    await page.get_by_role("textbox", name="Model", exact=True).fill(
        "alibaba/wan-2.5/text-to-video"
    )
    await page.get_by_role("combobox", name="Bucket").click()
    await page.get_by_role("option", name="video", exact=True).click()
    matches = page.get_by_role("table", name="Rules that match")
    await expect(matches.get_by_role("row").nth(1)).to_contain_text("WaveSpeed")
    await expect(matches).to_contain_text('the model\'s name has "alibaba"')
    await expect(matches).to_contain_text("weak")
    await expect(page).to_have_url(re.compile("bucket=video"))


async def add_rule(page: Page, name: str) -> None:
    """Say that what has no other rule was served by somebody."""
    await page.get_by_role("button", name="Add a rule").click()
    form = page.get_by_role("dialog")
    await form.get_by_label("Name of the rule").fill(name)
    words = form.get_by_label("Words of the name")
    await words.fill("nobody")
    await words.press("Enter")
    await form.get_by_label("Then it was served by").fill("replicate")
    await form.get_by_role("button", name="Add the rule").click()


async def test_a_rule_is_added_previewed_and_removed(open_page: OpenPage) -> None:
    """What it would change of the past is counted and sampled before anything is written."""
    page = await open_page("/attribution?tab=rules")
    await add_rule(page, "our-own")
    await expect(page.get_by_text("Rule our-own is in force.")).to_be_visible()

    await page.get_by_role("tab", name="Backfill").click()
    await page.get_by_role("button", name="Preview").click()
    moves = page.get_by_role("table", name="What would change")
    await expect(moves.get_by_role("row").nth(1)).to_contain_text("unknown → replicate (our-own)")
    await expect(moves.get_by_role("link").first).to_be_visible()

    await page.get_by_role("tab", name="Rules").click()
    await page.get_by_label("Find a rule").fill("our-own")
    await page.get_by_role("button", name="Remove our-own").click()
    await page.get_by_role("button", name="Remove", exact=True).click()
    await expect(page.get_by_text("No rule fits this search.")).to_be_visible()


async def test_a_backfill_is_run_from_the_page_and_taken_back(open_page: OpenPage) -> None:
    page = await open_page("/attribution?tab=rules")
    await add_rule(page, "for-a-while")
    await page.get_by_role("tab", name="Backfill").click()
    await page.get_by_role("button", name="Preview").click()
    await expect(page.get_by_role("table", name="What would change")).to_be_visible()
    await page.get_by_role("button", name="Start for these calls").click()
    sure = page.get_by_role("dialog", name="Attribute these calls again?")
    await expect(sure).to_contain_text("by the preview")
    await sure.get_by_role("button", name="Start", exact=True).click()
    await expect(page.get_by_text(re.compile("^Done: .* to another provider"))).to_be_visible()
    run = page.get_by_role("row").filter(has_text="done").first
    await run.get_by_role("button", name="What changed").click()
    await expect(page.get_by_role("table", name="What the run changed")).to_contain_text(
        "Replicate"
    )
    await page.get_by_role("button", name="Take this run back").click()
    await page.get_by_role("button", name="Take it back", exact=True).click()
    await expect(page.get_by_role("row").filter(has_text="taken back").first).to_be_visible()
    await page.get_by_role("tab", name="Rules").click()
    await page.get_by_label("Find a rule").fill("for-a-while")
    await page.get_by_role("button", name="Remove for-a-while").click()
    await page.get_by_role("button", name="Remove", exact=True).click()
    await expect(page.get_by_text("No rule fits this search.")).to_be_visible()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("tab", TABS)
async def test_axe_finds_nothing(open_page: OpenPage, tab: str, *, dark: bool) -> None:
    page = await open_page(f"/attribution?range=30d&tab={tab}", dark=dark)
    await settled(page)
    assert await findings(page) == []


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["1440", "390"])
@pytest.mark.parametrize("tab", TABS)
async def test_nothing_runs_out(open_page: OpenPage, tab: str, size: tuple[int, int]) -> None:
    page = await open_page(f"/attribution?range=30d&tab={tab}", size=size)
    await settled(page)
    assert await page.evaluate("document.documentElement.scrollWidth") <= size[0]
