"""The usage log, as a person uses it."""

import asyncio
import re

import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import PHONE, WAIT_MS, OpenPage
from tests.browser.world import PASSWORD, World

pytestmark = pytest.mark.asyncio(loop_scope="session")

STAGES = ("authenticate", "plan", "reserve", "relay", "meter", "attribute", "rate", "settle")


async def only_wavespeed(page: Page) -> None:
    await page.get_by_role("combobox", name="Provider").click()
    await page.get_by_role("combobox", name="Provider").fill("wave")
    await page.get_by_role("option", name="WaveSpeed").click()
    await expect(page).to_have_url(re.compile(r"[?&]provider=wavespeed"))


async def test_somebody_signs_in_filters_by_wavespeed_and_opens_a_call(
    open_page: OpenPage,
) -> None:
    page = await open_page("/logs", is_in=False)
    await expect(page).to_have_url(re.compile("/sign-in"))
    await page.get_by_label("User name").fill("admin")
    await page.get_by_label("Password", exact=True).fill(PASSWORD)
    await page.get_by_role("button", name="Sign in").click()
    await expect(page).to_have_url(re.compile("/logs"))
    await only_wavespeed(page)
    await expect(page.get_by_role("row").filter(has_text="OpenAI")).to_have_count(0)
    rows = page.get_by_role("grid").get_by_role("row").filter(has_text="WaveSpeed")
    await expect(rows.first).to_be_visible()
    await rows.first.get_by_role("gridcell").nth(2).click()
    call = page.get_by_role("dialog", name="One call")
    for stage in STAGES:
        await expect(call.get_by_text(stage, exact=True)).to_be_visible()
    await expect(call.get_by_text("WaveSpeed").first).to_be_visible()
    await page.keyboard.press("Escape")
    await expect(call).to_be_hidden()


async def test_calls_are_narrowed_by_customer_and_tag_and_the_address_keeps_it(
    open_page: OpenPage,
) -> None:
    page = await open_page("/logs")
    for name, text in (("Customer", "customer-7"), ("Tag", "team:web")):
        await page.get_by_role("button", name="Filter", exact=True).click()
        await page.get_by_role("menuitem", name=name, exact=True).click()
        await page.get_by_role("textbox", name=name, exact=True).fill(text)
    await expect(page).to_have_url(re.compile(r"customer=customer-7.*tag=team%3Aweb"))
    rows = page.get_by_role("grid").get_by_role("row").filter(has=page.get_by_role("gridcell"))
    await expect(rows).to_have_count(2)
    await expect(rows.filter(has_text="customer-7")).to_have_count(2)
    await page.reload()
    await expect(page.get_by_role("textbox", name="Tag", exact=True)).to_have_value("team:web")
    await expect(rows).to_have_count(2)
    await page.get_by_role("button", name="Clear", exact=True).click()
    await expect(rows.filter(has_text="WaveSpeed").first).to_be_visible()


async def test_calls_are_narrowed_by_who_ran_the_model_behind_the_provider(
    open_page: OpenPage,
) -> None:
    page = await open_page("/logs?upstream=groq")
    rows = page.get_by_role("grid").get_by_role("row").filter(has=page.get_by_role("gridcell"))
    await expect(rows.first).to_contain_text("via groq")
    others = rows.filter(has_not_text="via groq")
    await expect(others).to_have_count(0)


async def test_a_key_that_no_list_has_may_be_typed(open_page: OpenPage) -> None:
    page = await open_page("/logs")
    key = page.get_by_role("combobox", name="Key")
    await key.fill("bat")
    await expect(page.get_by_role("option", name="batch")).to_be_visible()
    await key.fill("nobody-has-this")
    await key.press("Enter")
    await expect(page).to_have_url(re.compile("key=nobody-has-this"))
    await expect(page.get_by_text("No call matches these filters")).to_be_visible()


async def test_names_are_asked_for_when_somebody_comes_to_choose(open_page: OpenPage) -> None:
    page = await open_page("/logs")
    await expect(page.get_by_role("grid").get_by_role("row").nth(1)).to_be_visible()
    await page.wait_for_load_state("networkidle")
    asked: list[str] = []
    page.on("request", lambda request: asked.append(request.url))
    await page.get_by_role("button", name=re.compile("^Time:")).click()
    async with page.expect_response(re.compile("/api/v1/usage-logs")) as answered:
        await page.get_by_role("menuitem", name="last 30 days").click()
    assert (await (await answered.value).json())["total"] is None
    await page.wait_for_load_state("networkidle")
    assert not [url for url in asked if "/api/v1/usage?" in url]
    async with page.expect_response(re.compile(r"/api/v1/usage\?.*group_by=user")):
        await page.get_by_role("combobox", name="User").focus()


async def test_a_figure_says_more_on_focus_and_goes_with_escape(open_page: OpenPage) -> None:
    page = await open_page("/logs?provider=wavespeed&category=video")
    row = page.get_by_role("grid").get_by_role("row").nth(1)
    await row.focus()
    await page.keyboard.press("Tab")
    tip = page.get_by_role("tooltip")
    await expect(tip).to_contain_text("UTC")
    told = page.locator("[aria-describedby]:focus")
    await expect(told).to_have_accessible_description(re.compile("UTC"))
    await page.keyboard.press("Escape")
    await expect(tip).to_have_count(0)


async def test_the_actual_provider_is_bold_and_the_bucket_small_below_it(
    open_page: OpenPage,
) -> None:
    page = await open_page("/logs?provider=wavespeed&category=video")
    cell = page.get_by_role("row").filter(has_text="WaveSpeed").first.get_by_role("gridcell").nth(1)
    name, bucket = cell.get_by_text("WaveSpeed"), cell.get_by_text("video", exact=True)
    weight = "node => Number(getComputedStyle(node).fontWeight)"
    size = "node => parseFloat(getComputedStyle(node).fontSize)"
    assert await name.evaluate(weight) >= 700
    assert await bucket.evaluate(size) < await name.evaluate(size)
    above, below = await name.bounding_box(), await bucket.bounding_box()
    assert above is not None
    assert below is not None
    assert below["y"] > above["y"]


async def test_a_link_shows_a_colleague_the_same_screen(
    open_page: OpenPage,
) -> None:
    page = await open_page("/logs?provider=wavespeed&range=30d")
    await (
        page.get_by_role("row")
        .filter(has_text="WaveSpeed")
        .first.get_by_role("gridcell")
        .nth(2)
        .click()
    )
    await expect(page.get_by_role("dialog", name="One call")).to_be_visible()
    other = await open_page(page.url)
    await expect(other.get_by_role("dialog", name="One call")).to_be_visible()
    await expect(other.get_by_role("button", name="Time: last 30 days")).to_have_count(1)
    assert other.url == page.url


async def test_names_are_shown_as_text_whatever_is_in_them(
    open_page: OpenPage, world: World
) -> None:
    await world.report_odd_names()
    page = await open_page("/logs?range=1h")
    grid = page.get_by_role("grid")
    # Those of now stand above those that the world was filled with.
    await expect(grid.get_by_text('<script>alert("x")</script>').first).to_be_visible()
    await expect(grid.get_by_text(re.compile("^نموذج")).first).to_be_visible()
    row = grid.get_by_role("row").filter(has_text="نموذج").first
    cost = await row.get_by_role("gridcell").nth(5).bounding_box()
    model = await row.get_by_role("gridcell").nth(2).bounding_box()
    assert cost is not None
    assert model is not None
    assert model["x"] + model["width"] <= cost["x"]


async def test_what_is_typed_survives_the_end_of_the_session(open_page: OpenPage) -> None:
    page = await open_page("/logs")
    await expect(page.get_by_role("row").nth(3)).to_be_visible()
    model = page.get_by_role("combobox", name="Model")
    await model.fill("gemini-2.5-flash")
    await page.context.clear_cookies()
    await model.press("Enter")
    dialog = page.get_by_role("dialog", name="Your session has ended")
    await dialog.get_by_label("Password", exact=True).fill(PASSWORD)
    await dialog.get_by_role("button", name="Sign in").click()
    await expect(dialog).to_be_hidden()
    await expect(model).to_have_value("gemini-2.5-flash")
    await expect(page).to_have_url(re.compile("model=gemini-2.5-flash"))
    await expect(page.get_by_role("row").filter(has_text="gemini-2.5-flash").first).to_be_visible()
    await expect(page.get_by_role("row").filter(has_text="gpt-4o")).to_have_count(0)
    open_page.complaints.clear()  # a 401 was due


async def test_the_live_tail_shows_a_new_call_and_waits_while_somebody_reads(
    open_page: OpenPage, world: World
) -> None:
    page = await open_page("/logs?live=true")
    first = page.get_by_role("grid").get_by_role("row").nth(1)
    await expect(first).to_be_visible()
    says = [{"role": "user", "content": "Name a bridge."}]
    async with world.client() as client:
        call = {"model": "sandbox-small", "messages": says}
        await client.post("/v1/chat/completions", json=call)
        await expect(first).to_contain_text("sandbox-small")
        await page.get_by_role("grid").evaluate("node => node.scrollTo(0, 900)")
        await client.post("/v1/chat/completions", json=call)
    # The first of the two may have come late: then both are new.
    new = page.get_by_role("button", name=re.compile(r"^[12] new$"))
    await new.click()
    await expect(new).to_have_count(0)


async def test_the_list_goes_on_and_draws_only_what_is_seen(open_page: OpenPage) -> None:
    page = await open_page("/logs?range=90d")
    grid = page.get_by_role("grid")
    await expect(grid.get_by_role("row").nth(1)).to_be_visible()
    async with asyncio.timeout(WAIT_MS / 1000):
        while not await page.get_by_text("That is all.").is_visible():
            await grid.evaluate("node => node.scrollTo(0, node.scrollHeight)")
            await asyncio.sleep(0.1)
    last = grid.get_by_role("row").last
    place = int(await last.get_attribute("aria-rowindex") or 0)
    assert place > 500
    assert await grid.get_by_role("row").count() < 60


async def test_arrows_move_in_the_list_and_enter_opens_a_call(open_page: OpenPage) -> None:
    page = await open_page("/logs")
    rows = page.get_by_role("grid").get_by_role("row")
    await rows.nth(1).focus()
    await page.keyboard.press("ArrowDown")
    await expect(rows.nth(2)).to_be_focused()
    await page.keyboard.press("Enter")
    await expect(page.get_by_role("dialog", name="One call")).to_be_visible()


async def test_the_file_has_all_rows_and_no_formula(open_page: OpenPage) -> None:
    page = await open_page("/logs?provider=wavespeed&range=90d")
    await expect(page.get_by_role("row").nth(1)).to_be_visible()
    await page.get_by_role("button", name="Export").click()
    async with page.expect_download() as started:
        await page.get_by_role("menuitem", name="CSV").click()
    path = await (await started.value).path()
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    assert lines[0].startswith("call_id,received_at,accounted_at")
    assert len(lines) > 10
    assert all("wavespeed" in line for line in lines[1:])


async def test_on_a_phone_a_call_is_found_and_read(open_page: OpenPage) -> None:
    page = await open_page("/logs", size=PHONE)
    await page.get_by_role("row").nth(1).click()
    call = page.get_by_role("dialog", name="One call")
    await expect(call.get_by_text("settle", exact=True)).to_be_visible()
