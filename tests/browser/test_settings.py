"""Keys, users, endpoints and the audit log, as an admin and as a member meets them."""

import asyncio
import re
from contextlib import suppress

import httpx
import pytest
from playwright.async_api import Browser, Route, expect
from playwright.async_api import Error as PlaywrightError

from tests.browser.conftest import PHONE, WAIT_MS, OpenPage
from tests.browser.test_pages import findings, settled
from tests.browser.world import PASSWORD, World

pytestmark = pytest.mark.asyncio(loop_scope="session")

BODY = {"model": "sandbox-small", "messages": [{"role": "user", "content": "Who serves me?"}]}


async def served(world: World, key: str, status: int) -> None:
    """Wait until a call with a key is answered so: what is changed is in force within a second."""
    headers = {"authorization": f"Bearer {key}"}
    async with (
        httpx.AsyncClient(base_url=world.url, headers=headers, timeout=30) as client,
        asyncio.timeout(WAIT_MS / 1000),
    ):
        while (await client.post("/v1/chat/completions", json=BODY)).status_code != status:
            await asyncio.sleep(0.1)


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
    await served(world, key, httpx.codes.OK)
    await made.get_by_role("button", name="I have it").click()
    row = page.get_by_role("row", name=re.compile("^browser-made"))
    await expect(row).to_contain_text("120 calls a minute")
    assert key not in await page.content()

    await row.get_by_role("button", name="Rotate browser-made").click()
    await page.get_by_role("dialog").get_by_role("button", name="Rotate").click()
    made = page.get_by_role("dialog", name="The key browser-made")
    second = await made.get_by_role("textbox", name="Key", exact=True).input_value()
    await made.get_by_role("button", name="I have it").click()
    await expect(row).to_contain_text(re.compile("just now|s ago"))
    await served(world, key, httpx.codes.UNAUTHORIZED)
    await served(world, second, httpx.codes.OK)
    key = second

    await row.get_by_role("button", name="Revoke browser-made").click()
    sure = page.get_by_role("dialog", name="Revoke the key browser-made?")
    await expect(sure.get_by_role("button", name="Revoke for good")).to_be_disabled()
    await sure.get_by_role("textbox").fill("browser-made")
    await sure.get_by_role("button", name="Revoke for good").click()
    await expect(page.get_by_text("browser-made is revoked")).to_be_visible()
    await expect(row).to_have_count(0)
    await served(world, key, httpx.codes.UNAUTHORIZED)


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


async def add_user(world: World, name: str, role: str = "member", *projects: str) -> None:
    """Let somebody sign in with PASSWORD."""
    order = {"name": name, "role": role, "projects": projects, "password": PASSWORD}
    async with world.client() as client:
        made = await client.post("/api/v1/users", json=order)
        assert made.status_code == httpx.codes.CREATED, made.text


async def test_somebody_chooses_another_password_which_ends_their_other_sessions(
    open_page: OpenPage, world: World
) -> None:
    await add_user(world, "browser-pat")
    elsewhere = await open_page("/", user="browser-pat")
    page = await open_page("/settings?tab=account", user="browser-pat")
    rows = page.get_by_role("table", name="Sessions").get_by_role("row")
    await expect(rows).to_have_count(3)
    await expect(rows.filter(has_text="this one")).to_contain_text("Chrome on Linux")
    await expect(rows.filter(has_text="this one")).to_contain_text("127.0.0.1")
    so_far = page.get_by_role("textbox", name="Password so far")
    await so_far.fill("wrong")
    await page.get_by_role("textbox", name="New password").fill("another-long-password")
    await page.get_by_role("button", name="Change the password").click()
    await expect(page.get_by_role("alert")).to_contain_text("another one")
    await expect(page.get_by_role("textbox", name="New password")).to_have_value(
        "another-long-password"
    )
    await so_far.fill(PASSWORD)
    await page.get_by_role("button", name="Change the password").click()
    await expect(page.get_by_text("1 session elsewhere ended")).to_be_visible()
    await expect(rows).to_have_count(2)
    gone = await elsewhere.request.get("/api/v1/keys")
    assert gone.status == httpx.codes.UNAUTHORIZED
    body = {"username": "browser-pat", "password": "another-long-password"}
    assert (await page.request.post("/api/v1/auth/session", data=body)).ok
    # That the wrong one is refused is what is tried here.
    open_page.complaints.clear()


async def test_sessions_elsewhere_are_ended_by_their_user_and_by_an_admin(
    open_page: OpenPage, world: World
) -> None:
    await add_user(world, "browser-sam")
    others = [await open_page("/", user="browser-sam") for _ in range(3)]
    page = await open_page("/settings?tab=account", user="browser-sam")
    rows = page.get_by_role("table", name="Sessions").get_by_role("row")
    await expect(rows).to_have_count(5)
    await page.get_by_role("button", name=re.compile("^End the session of")).first.click()
    await expect(rows).to_have_count(4)
    await page.get_by_role("button", name="End all others").click()
    await expect(page.get_by_text("2 sessions were ended.")).to_be_visible()
    await expect(rows).to_have_count(2)
    for other in others:
        assert (await other.request.get("/api/v1/keys")).status == httpx.codes.UNAUTHORIZED

    admins = await open_page("/settings?tab=users")
    await admins.get_by_role("button", name="Change browser-sam").click()
    await admins.get_by_role("menuitem", name="Sessions …").click()
    dialog = admins.get_by_role("dialog", name="Sessions of browser-sam")
    await expect(dialog.get_by_role("row")).to_have_count(2)
    assert await findings(admins) == []
    await dialog.get_by_role("button", name="End all", exact=True).click()
    await expect(dialog.get_by_text("Not signed in anywhere.")).to_be_visible()
    assert (await page.request.get("/api/v1/keys")).status == httpx.codes.UNAUTHORIZED


async def test_a_manager_makes_keys_of_their_project(open_page: OpenPage, world: World) -> None:
    await add_user(world, "browser-max", "manager", "shop")
    page = await open_page("/settings", user="browser-max")
    await page.get_by_role("button", name="New key").first.click()
    form = page.get_by_role("dialog", name="New key")
    await form.get_by_role("textbox", name="Name", exact=True).fill("browser-shop")
    await expect(form.get_by_role("combobox", name="Project")).to_have_value("shop")
    await form.get_by_role("button", name="Create the key").click()
    made = page.get_by_role("dialog", name="The key browser-shop")
    await made.get_by_role("button", name="I have it").click()
    row = page.get_by_role("row", name=re.compile("^browser-shop"))
    await expect(row).to_contain_text("shop")
    await expect(row.get_by_role("button", name="Revoke browser-shop")).to_be_enabled()


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
    async with asyncio.timeout(WAIT_MS / 1000):
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
@pytest.mark.parametrize("tab", ["users", "endpoints", "audit", "account"])
async def test_axe_finds_nothing(open_page: OpenPage, tab: str, *, dark: bool) -> None:
    page = await open_page(f"/settings?tab={tab}", dark=dark)
    await settled(page)
    assert await findings(page) == []


@pytest.mark.parametrize("tab", ["keys", "users", "endpoints", "audit", "account"])
async def test_nothing_runs_out_of_a_phone(open_page: OpenPage, tab: str) -> None:
    page = await open_page(f"/settings?tab={tab}", size=PHONE)
    await settled(page)
    width = await page.evaluate("() => document.documentElement.scrollWidth")
    assert width <= PHONE[0]
