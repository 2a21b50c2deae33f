"""Alerts, as a person meets them: told of a limit, read, set, and sent elsewhere."""

import asyncio
import re

import httpx
import pytest
from playwright.async_api import expect

from tests.browser.conftest import DESK, PHONE, WAIT_MS, OpenPage
from tests.browser.test_pages import findings, settled
from tests.browser.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")
CHAT = {"model": "sandbox-small", "messages": [{"role": "user", "content": "Name a bridge."}]}
TOLD_WITHIN_S = WAIT_MS / 1000


async def use_up(world: World, name: str) -> None:
    """Make a soft budget of one call and use it up, until it is told of."""
    async with world.client() as client:
        order = {"name": name, "subject": "key:ci", "limit_calls": 1, "hard": False}
        made = await client.post("/api/v1/budgets", json=order | {"period": "year"})
        assert made.status_code == httpx.codes.CREATED, made.text
        async with asyncio.timeout(TOLD_WITHIN_S):
            while True:
                await client.post("/v1/chat/completions", json=CHAT)
                found = (await client.get("/api/v1/alerts")).json()["alerts"]
                if any(one["limit"] == name for one in found):
                    return
                await asyncio.sleep(0.3)


async def test_an_alert_is_counted_read_and_leads_to_its_budget(
    open_page: OpenPage, world: World
) -> None:
    await use_up(world, "one-call")
    page = await open_page("/")
    entry = page.get_by_role("navigation", name="Pages").get_by_role("link", name="Alerts")
    await expect(entry.get_by_label(re.compile("unread"))).to_be_visible()
    await entry.click()
    row = page.get_by_role("listitem").filter(has_text="one-call")
    await row.get_by_role("button", name=re.compile("^Read:")).click()
    await expect(row.get_by_text("read", exact=True)).to_be_visible()
    await page.get_by_role("checkbox", name="Unread alone").check()
    await expect(row).to_have_count(0)
    await page.get_by_role("checkbox", name="Unread alone").uncheck()
    await row.get_by_role("link", name="one-call").click()
    await expect(page).to_have_url(re.compile("/budgets.*find=one-call"))


async def test_all_are_read_at_once(open_page: OpenPage, world: World) -> None:
    await use_up(world, "one-more-call")
    page = await open_page("/alerts")
    await page.get_by_role("button", name=re.compile("^Mark all .* as read$")).click()
    await expect(page.get_by_text("marked as read.")).to_be_visible()
    await expect(page.get_by_role("button", name=re.compile("^Read:"))).to_have_count(0)
    entry = page.get_by_role("navigation", name="Pages").get_by_role("link", name="Alerts")
    await expect(entry.get_by_label(re.compile("unread"))).to_have_count(0)


async def test_a_budget_is_given_thresholds_and_the_shared_ones_again(
    open_page: OpenPage, world: World
) -> None:
    async with world.client() as client:
        order = {"name": "watched", "subject": "user:watched", "limit_usd": "5"}
        await client.post("/api/v1/budgets", json=order)
    page = await open_page("/alerts?tab=thresholds")
    row = page.get_by_role("row").filter(has_text="user:watched")
    await expect(row).to_contain_text("as all others")
    await row.get_by_role("button").click()
    form = page.get_by_role("dialog")
    await form.get_by_text("Its own", exact=True).click()
    field = form.get_by_role("combobox", name="Thresholds, in per cent of the limit")
    await field.fill("half")
    await field.press("Enter")
    await expect(form.get_by_role("button", name="Save")).to_be_disabled()
    await field.press("Backspace")
    await field.fill("95")
    await field.press("Enter")
    await form.get_by_role("button", name="Save").click()
    await expect(row).to_contain_text(re.compile("95.%"))
    await row.get_by_role("button").click()
    await form.get_by_text("As all others", exact=True).click()
    await form.get_by_role("button", name="Save").click()
    await expect(row).to_contain_text("as all others")


async def test_a_webhook_is_made_switched_off_and_removed(open_page: OpenPage) -> None:
    page = await open_page("/alerts?tab=webhooks")
    await page.get_by_role("button", name="New webhook").click()
    form = page.get_by_role("dialog", name="New webhook")
    await form.get_by_role("textbox", name="Name", exact=True).fill("chat-room")
    await form.get_by_role("textbox", name="Address").fill("http://127.0.0.1:9/hook")
    await form.get_by_role("button", name="Add the webhook").click()
    made = page.get_by_role("dialog", name="The webhook chat-room")
    secret = await made.get_by_role("textbox", name="Secret").input_value()
    assert secret.startswith("whsec_")
    await made.get_by_role("button", name="I have it").click()
    assert secret not in await page.content()
    row = page.get_by_role("row").filter(has_text="chat-room")
    switch = row.get_by_role("switch", name="Send to chat-room")
    await switch.dispatch_event("click")
    await expect(switch).not_to_be_checked()
    await row.get_by_role("button", name="Deliveries").click()
    await expect(page.get_by_text("Nothing was sent to it yet.")).to_be_visible()
    await row.get_by_role("button", name="Remove chat-room").click()
    sure = page.get_by_role("dialog", name="Remove the webhook chat-room?")
    await sure.get_by_role("textbox").fill("chat-room")
    await sure.get_by_role("button", name="Remove for good").click()
    await expect(page.get_by_text("Alerts are sent nowhere")).to_be_visible()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_axe_finds_nothing(open_page: OpenPage, *, dark: bool) -> None:
    for tab in ("inbox", "thresholds", "webhooks"):
        page = await open_page(f"/alerts?tab={tab}", dark=dark)
        await settled(page)
        assert await findings(page) == []


@pytest.mark.parametrize("size", [DESK, PHONE], ids=["1440", "390"])
async def test_nothing_runs_out(open_page: OpenPage, size: tuple[int, int]) -> None:
    for tab in ("inbox", "thresholds", "webhooks"):
        page = await open_page(f"/alerts?tab={tab}", size=size)
        await settled(page)
        assert await page.evaluate("document.documentElement.scrollWidth") <= size[0]
