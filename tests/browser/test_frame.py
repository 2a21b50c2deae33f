"""What stands around the pages: signing in, moving about, and what happens when things go wrong."""

import re

import pytest
from playwright.async_api import expect

from tests.browser.conftest import PHONE, OpenPage
from tests.browser.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")


async def test_the_printed_link_signs_in_once(open_page: OpenPage, world: World) -> None:
    printed = world.node.log_path.read_text()
    found = re.search(r"http://\S+(/sign-in#token=\S+)", printed)
    assert found is not None
    page = await open_page(found[1], is_in=False)
    await expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    assert "token" not in page.url
    second = await open_page(found[1], is_in=False)
    await expect(second.get_by_role("alert")).to_contain_text("A link works once")
    open_page.complaints.clear()  # a 401 was due


async def test_time_and_filters_stay_when_one_goes_elsewhere(open_page: OpenPage) -> None:
    page = await open_page("/?range=30d")
    await page.get_by_role("link", name="Usage logs").click()
    await expect(page).to_have_url(re.compile(r"/logs\?.*range=30d"))
    await page.get_by_role("button", name="Time: last 30 days").click()
    await page.get_by_role("menuitem", name="last 24 hours").click()
    await expect(page).to_have_url(re.compile(r"range=24h"))


async def test_the_palette_leads_to_pages_and_calls(open_page: OpenPage) -> None:
    page = await open_page("/")
    await expect(page.get_by_text("Spend").first).to_be_visible()
    await page.keyboard.press("Control+k")
    await page.get_by_role("textbox", name="Go to").fill("providers")
    await page.keyboard.press("Enter")
    await expect(page).to_have_url(re.compile("/providers"))


async def test_the_slash_goes_to_the_search_field(open_page: OpenPage) -> None:
    page = await open_page("/logs")
    await expect(page.get_by_role("row").nth(1)).to_be_visible()
    await page.keyboard.press("/")
    await expect(page.get_by_role("combobox", name="Model")).to_be_focused()


async def test_a_server_that_is_gone_is_said_and_recovered_from(
    open_page: OpenPage, world: World
) -> None:
    page = await open_page("/logs?live=true")
    await expect(page.get_by_role("row").nth(1)).to_be_visible()
    banner = page.get_by_role("alert").filter(has_text="The server does not answer")
    with world.node.held():  # or it is back before the page asks again
        world.node.kill("office")
        await expect(banner).to_be_visible()
        await expect(page.get_by_role("row").nth(1)).to_be_visible()
    await expect(banner).to_be_hidden(timeout=60_000)
    open_page.complaints.clear()  # it was away


async def test_on_a_phone_the_navigation_is_a_drawer(open_page: OpenPage) -> None:
    page = await open_page("/", size=PHONE)
    link = page.get_by_role("link", name="Providers", exact=True)
    await expect(link).to_be_hidden()
    await page.get_by_role("button", name="Navigation", exact=True).click()
    await link.click()
    await expect(page).to_have_url(re.compile("/providers"))
    await expect(link).to_be_hidden()


async def test_an_address_that_is_no_page_says_so(open_page: OpenPage) -> None:
    page = await open_page("/nowhere")
    await expect(page.get_by_text("There is no page at this address.")).to_be_visible()


CONTRAST = """one => {
  const style = getComputedStyle(one);
  const light = color => {
    const [red, green, blue] = color.match(/[\\d.]+/g).map(value => {
      const part = Number(value) / 255;
      return part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4;
    });
    return 0.2126 * red + 0.7152 * green + 0.0722 * blue;
  };
  const [word, ground] = [light(style.color), light(style.backgroundColor)];
  return (Math.max(word, ground) + 0.05) / (Math.min(word, ground) + 0.05);
}"""
CONTRAST_MIN = 4.5


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_a_button_stays_legible_below_the_pointer(open_page: OpenPage, *, dark: bool) -> None:
    page = await open_page("/budgets", dark=dark)
    button = page.get_by_role("button", name="New budget").first
    assert await button.evaluate(CONTRAST) >= CONTRAST_MIN
    await button.hover()
    assert await button.evaluate(CONTRAST) >= CONTRAST_MIN
