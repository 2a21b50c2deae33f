"""Keys, users, endpoints and the audit log, as an admin and as a member meets them."""

import asyncio
import re
from contextlib import suppress

import httpx
import pytest
from playwright.async_api import Browser, Route, expect
from playwright.async_api import Error as PlaywrightError

from tests.browser.conftest import PHONE, OpenPage
from tests.browser.test_pages import findings, settled
from tests.browser.world import PASSWORD, World

pytestmark = pytest.mark.asyncio(loop_scope="session")

BODY = {"model": "sandbox-small", "messages": [{"role": "user", "content": "Who serves me?"}]}


async def served(world: World, key: str) -> int:
    """Return the status of a call with a key."""
    headers = {"authorization": f"Bearer {key}"}
    async with httpx.AsyncClient(base_url=world.url, headers=headers) as client:
        return (await client.post("/v1/chat/completions", json=BODY)).status_code


async def test_a_key_is_made_shown_once_used_and_revoked(open_page: OpenPage, world: World) -> None:
    page = await open_page("/settings")
    await page.get_by_role("button", name="New key").click()
    form = page.get_by_role("dialog", name="New key")
    await form.get_by_role("textbox", name="Name", exact=True).fill("browser-made")
    await form.get_by_label("Calls a minute, at most").fill("120")
    await form.get_by_role("button", name="Create the key").click()
    made = page.get_by_role("dialog", name="The key browser-made")
    key = await made.get_by_role("textbox", name="Key", exact=True).input_value()
    curl = await made.get_by_role("textbox", name="Try it").input_value()
    assert f"Authorization: Bearer {key}" in curl
    assert await findings(page) == []
    assert await served(world, key) == httpx.codes.OK
    await made.get_by_role("button", name="I have it").click()
    row = page.get_by_role("row", name=re.compile("^browser-made"))
    await expect(row).to_contain_text("120 calls a minute")
    assert key not in await page.content()

    await row.get_by_role("button", name="Revoke browser-made").click()
    sure = page.get_by_role("dialog", name="Revoke the key browser-made?")
    await expect(sure.get_by_role("button", name="Revoke for good")).to_be_disabled()
    await sure.get_by_role("textbox").fill("browser-made")
    await sure.get_by_role("button", name="Revoke for good").click()
    await expect(page.get_by_text("browser-made is revoked")).to_be_visible()
    await expect(row).to_have_count(0)
    await page.wait_for_timeout(1500)
    assert await served(world, key) == httpx.codes.UNAUTHORIZED


async def test_a_user_is_added_and_given_another_role_which_is_undone(
    open_page: OpenPage,
) -> None:
    page = await open_page("/settings?tab=users")
    await page.get_by_role("button", name="New user").click()
    form = page.get_by_role("dialog", name="New user")
    await form.get_by_role("textbox", name="Name", exact=True).fill("browser-bo")
    await form.get_by_role("button", name="Add").click()
    await expect(page.get_by_text("browser-bo may sign in.")).to_be_visible()
    role = page.get_by_role("combobox", name="Role of browser-bo")
    await role.click()
    await page.get_by_role("option", name="manager").click()
    await expect(page.get_by_text("browser-bo is manager now.")).to_be_visible()
    await page.get_by_role("button", name="Undo").click()
    await expect(role).to_have_value("member")


async def test_a_sign_in_link_signs_in_a_member_who_sees_no_users(
    open_page: OpenPage, browser: Browser
) -> None:
    page = await open_page("/settings?tab=users")
    await page.get_by_role("button", name="New user").click()
    form = page.get_by_role("dialog", name="New user")
    await form.get_by_role("textbox", name="Name", exact=True).fill("browser-lee")
    await form.get_by_role("button", name="Add").click()
    await page.get_by_role("button", name="Change browser-lee").click()
    await page.get_by_role("menuitem", name="Sign-in link …").click()
    link = await page.get_by_role("textbox", name="Link").input_value()
    context = await browser.new_context()
    try:
        theirs = await context.new_page()
        await theirs.goto(link)
        await expect(theirs.get_by_role("heading", name="Overview")).to_be_visible()
        await theirs.goto(link.partition("/sign-in")[0] + "/settings?tab=users")
        await expect(theirs.get_by_role("tab", name="Keys")).to_be_visible()
        await expect(theirs.get_by_role("tab", name="Users")).to_have_count(0)
        await expect(theirs.get_by_role("button", name="New key")).to_have_count(0)
    finally:
        await context.close()


async def test_that_nobody_was_signed_in_is_not_believed_after_a_sign_in(
    open_page: OpenPage, world: World
) -> None:
    page = await open_page("/", is_in=False)
    await expect(page.get_by_role("button", name="Sign in", exact=True)).to_be_visible()
    asked, signed_in = asyncio.Event(), asyncio.Event()

    async def late(route: Route) -> None:
        if route.request.method != "GET" or asked.is_set():
            await route.fallback()
            return
        answer = await route.fetch()  # "nobody", and it arrives after the sign-in
        asked.set()
        await signed_in.wait()
        with suppress(PlaywrightError):  # the page may have given it up
            await route.fulfill(response=answer)

    await page.route("**/api/v1/auth/session", late)
    await page.reload()
    await page.get_by_role("textbox", name="User name").fill("admin")
    await page.get_by_role("textbox", name="Password").fill(PASSWORD)
    async with asyncio.timeout(10):
        await asked.wait()
    async with page.expect_response(lambda answer: answer.request.method == "POST"):
        await page.get_by_role("button", name="Sign in", exact=True).click()
    signed_in.set()
    await expect(page.get_by_role("heading", name="Overview")).to_be_visible()
    await expect(page.get_by_role("button", name="Sign in", exact=True)).to_have_count(0)


async def test_a_missing_key_is_named(open_page: OpenPage) -> None:
    page = await open_page("/settings?tab=endpoints")
    known = page.get_by_role("table", name="Known endpoints that are not used")
    await expect(known.get_by_role("row", name=re.compile("Mistral"))).to_contain_text(
        "MISTRAL_API_KEY"
    )


async def test_the_audit_log_says_who_changed_what(open_page: OpenPage) -> None:
    page = await open_page("/settings?tab=users")
    await page.get_by_role("button", name="New user").click()
    form = page.get_by_role("dialog", name="New user")
    await form.get_by_role("textbox", name="Name", exact=True).fill("browser-kim")
    await form.get_by_role("button", name="Add").click()
    await expect(page.get_by_text("browser-kim may sign in.")).to_be_visible()
    await page.get_by_role("tab", name="Audit log").click()
    await page.get_by_role("textbox", name="What", exact=True).fill("user:browser-kim")
    row = page.get_by_role("row", name=re.compile("users.create"))
    await expect(row).to_have_count(1)
    await expect(row).to_contain_text("admin")
    await expect(page).to_have_url(re.compile("subject=user"))


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("tab", ["users", "endpoints", "audit", "sessions"])
async def test_axe_finds_nothing(open_page: OpenPage, tab: str, *, dark: bool) -> None:
    page = await open_page(f"/settings?tab={tab}", dark=dark)
    await settled(page)
    assert await findings(page) == []


@pytest.mark.parametrize("tab", ["keys", "users", "endpoints", "audit"])
async def test_nothing_runs_out_of_a_phone(open_page: OpenPage, tab: str) -> None:
    page = await open_page(f"/settings?tab={tab}", size=PHONE)
    await settled(page)
    width = await page.evaluate("() => document.documentElement.scrollWidth")
    assert width <= PHONE[0]
