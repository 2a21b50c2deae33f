"""Budgets and plans, as a person uses them: a budget is made, and it holds."""

import asyncio
import re

import httpx
import pytest
from playwright.async_api import expect

from tests.browser.conftest import DESK, PHONE, WAIT_MS, OpenPage
from tests.browser.test_pages import findings, settled
from tests.browser.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")
TABS = ("budgets", "plans", "subscriptions")
CHAT = {"model": "sandbox-small", "messages": [{"role": "user", "content": "Name a bridge."}]}
HOLDS_WITHIN_S = WAIT_MS / 1000


async def until_refused(client: httpx.AsyncClient) -> httpx.Response:
    """Return the first answer that says no: a new budget is in force within a second."""
    async with asyncio.timeout(HOLDS_WITHIN_S):
        while True:
            answer = await client.post("/v1/chat/completions", json=CHAT)
            if answer.is_error:
                return answer
            await asyncio.sleep(0.1)


async def test_a_budget_is_made_and_holds_until_it_is_switched_off(
    open_page: OpenPage, world: World
) -> None:
    page = await open_page("/budgets")
    await page.get_by_role("button", name="New budget").first.click()
    form = page.get_by_role("dialog")
    await form.get_by_role("textbox", name="Name", exact=True).fill("no-calls")
    await form.get_by_role("combobox", name="Whom it binds").click()
    await page.get_by_role("option", name="key", exact=True).click()
    await form.get_by_label("Its name").fill("ci")
    await form.get_by_role("combobox", name="It counts").click()
    await page.get_by_role("option", name="calls", exact=True).click()
    await form.get_by_label("At most").fill("0")
    await expect(form.get_by_text("0 allows none")).to_be_visible()
    await form.get_by_role("button", name="Add the budget").click()
    row = page.get_by_role("listitem").filter(has_text="no-calls")
    await expect(row).to_contain_text("none is allowed")

    async with world.client() as client:
        refused = await until_refused(client)
    assert refused.status_code == httpx.codes.TOO_MANY_REQUESTS
    assert "no-calls" in refused.text

    await row.get_by_role("switch").dispatch_event("click")
    await expect(page.get_by_text("no-calls is switched off.")).to_be_visible()
    async with world.client() as client, asyncio.timeout(HOLDS_WITHIN_S):
        while (await client.post("/v1/chat/completions", json=CHAT)).is_error:
            await asyncio.sleep(0.1)


async def test_what_the_server_does_not_take_stays_in_the_form(open_page: OpenPage) -> None:
    page = await open_page("/budgets")
    await page.get_by_role("button", name="New budget").first.click()
    form = page.get_by_role("dialog")
    await form.get_by_role("textbox", name="Name", exact=True).fill("bad")
    await form.get_by_label("Its name").fill("ana")
    await form.get_by_label("At most").fill("-5")
    await form.get_by_role("button", name="Add the budget").click()
    await expect(form.get_by_role("alert")).to_be_visible()
    await expect(form.get_by_label("At most")).to_have_value("-5")
    # That the server refuses it is what is tried here.
    open_page.complaints.clear()


async def test_a_budget_of_the_file_is_not_changed_here(open_page: OpenPage) -> None:
    page = await open_page("/budgets?find=batch-month")
    row = page.get_by_role("listitem").filter(has_text="batch-month")
    await expect(row.get_by_role("button", name="Edit batch-month")).to_be_disabled()
    await expect(row.get_by_role("switch")).to_be_disabled()


async def test_a_budget_says_what_it_allows_and_who_holds_how_much_of_it(
    open_page: OpenPage,
) -> None:
    page = await open_page("/budgets")
    await page.get_by_role("link", name="batch-month").click()
    drawer = page.get_by_role("dialog", name="Budget batch-month")
    await expect(drawer.get_by_role("row", name=re.compile("^Binds"))).to_contain_text("key:batch")
    leases = drawer.get_by_role("table", name="Leases now")
    await expect(leases.get_by_role("row").nth(1)).to_contain_text("on node-1")
    await expect(leases.get_by_role("row").nth(1)).to_contain_text("$")
    assert await findings(page) == []
    await page.keyboard.press("Escape")
    await expect(page).not_to_have_url(re.compile("budget="))


async def test_a_call_names_the_budgets_that_it_had_to_fit(
    open_page: OpenPage, world: World
) -> None:
    async with world.client() as client:
        asked = {"key": "batch", "limit": 1}
        [call] = (await client.get("/api/v1/usage-logs", params=asked)).json()["calls"]
    page = await open_page(f"/logs?call={call['call_id']}")
    stages = page.get_by_role("region", name="Stages of the call")
    await expect(stages).to_contain_text(re.compile(r"\$0\.\d+ of batch-month"))
    await expect(stages).to_contain_text("of ben-day")


async def test_unlimited_and_none_allowed_look_different(open_page: OpenPage) -> None:
    page = await open_page("/budgets?tab=plans")
    row = page.get_by_role("row", name=re.compile("^anthropic, calls"))
    await expect(row.get_by_role("cell").first).to_have_text("none")
    await expect(row.get_by_role("cell").last).to_have_text("unlimited")


async def test_a_user_is_given_a_plan_and_its_use_is_shown(open_page: OpenPage) -> None:
    page = await open_page("/budgets?tab=subscriptions")
    await page.get_by_label("User").fill("ana")
    await page.get_by_role("combobox", name="Plan").click()
    await page.get_by_role("option", name="Basic").click()
    await page.get_by_role("button", name="Give it").click()
    await page.get_by_role("row", name=re.compile("^ana")).get_by_role("button").click()
    drawer = page.get_by_role("dialog", name="Subscription of ana")
    await expect(drawer.get_by_text("All text, calls")).to_be_visible()
    await expect(drawer.get_by_text("new: Basic, monthly")).to_be_visible()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("tab", TABS)
async def test_axe_finds_nothing(open_page: OpenPage, tab: str, *, dark: bool) -> None:
    page = await open_page(f"/budgets?tab={tab}", dark=dark)
    await settled(page)
    assert await findings(page) == []


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["1440", "390"])
@pytest.mark.parametrize("tab", TABS)
async def test_nothing_runs_out(open_page: OpenPage, tab: str, size: tuple[int, int]) -> None:
    page = await open_page(f"/budgets?tab={tab}", size=size)
    await settled(page)
    assert await page.evaluate("document.documentElement.scrollWidth") <= size[0]
