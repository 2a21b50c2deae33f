"""What a node shows whose members may make keys, and one of whose providers gives links."""

import asyncio
import re
from collections.abc import AsyncGenerator
from contextlib import suppress
from pathlib import Path
from subprocess import TimeoutExpired

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Locator, Page, expect

from tests.browser.conftest import WAIT_MS, OpenPage
from tests.browser.test_pages import findings
from tests.browser.test_settings import served
from tests.browser.world import PASSWORD, ShownNode, World, config
from tests.support.raw_provider import RawProvider, answer, running_raw_provider
from tests.support.sandbox_server import process_sandbox
from tollbridge.sandbox.media import Size, png

pytestmark = pytest.mark.asyncio(loop_scope="session")

MEMBER, BOUND = "pia", "ben"
"""Somebody without a key, and somebody whose key a budget stands on."""
LINKED = """
[[endpoint]]
name = "linked"
provider = "linked"
dialect = "openai"
base_url = "{url}/v1"
api_key = "secret"
[[route]]
model = "linked-boat"
category = "image"
candidates = [ {{ endpoint = "linked", model = "boat" }} ]
"""


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def maker() -> AsyncGenerator[RawProvider]:
    """Let all calls for pictures be answered with a link to what another server has."""
    async with running_raw_provider() as provider, running_raw_provider() as shelf:
        shelf.answers["boat.png"] = answer(png(Size(64, 48)), content_type="image/png")
        provider.answers["v1"] = answer({"created": 1, "data": [{"url": f"{shelf.url}/boat.png"}]})
        yield provider


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def world(
    tmp_path_factory: pytest.TempPathFactory, maker: RawProvider
) -> AsyncGenerator[World]:
    """Serve a node of this file's own."""
    folder: Path = tmp_path_factory.mktemp("own-world")
    with process_sandbox(folder / "sandbox.jsonl") as sandbox:
        found = World(folder, sandbox)
        settings = {
            "sandbox": True,
            "admin_password": PASSWORD,
            "fetch_private_hosts": "127.0.0.1",
            "members_may_mint_keys": True,
        }
        whole = config(sandbox.url) + LINKED.format(url=maker.url)
        found.node = ShownNode(folder, whole, None, settings)
        try:
            await found.node.start()
            async with found.client() as client:
                for name in (MEMBER, BOUND):
                    order = {"name": name, "role": "member", "password": PASSWORD}
                    made = await client.post("/api/v1/users", json=order)
                    assert made.status_code == httpx.codes.CREATED, made.text
            yield found
        finally:
            with suppress(TimeoutExpired):
                found.node.stop()


async def key_form(page: Page) -> Locator:
    """Open the form for a key of one's own."""
    await page.get_by_role("button", name="New key").click()
    return page.get_by_role("dialog", name="New key")


async def test_a_member_makes_themselves_a_key_that_calls(
    open_page: OpenPage, world: World
) -> None:
    page = await open_page("/settings?tab=account", user=MEMBER)
    await expect(page.get_by_text("You have no key in force.")).to_be_visible()
    form = await key_form(page)
    await form.get_by_role("textbox", name="Name", exact=True).fill("pias-own")
    await expect(form.get_by_role("textbox", name="User")).to_have_value(MEMBER)
    await expect(form.get_by_role("textbox", name="User")).not_to_be_editable()
    await expect(form.get_by_role("combobox", name="Project")).to_have_value("default")
    await form.get_by_role("combobox", name="May").press("ArrowDown")
    offered = page.get_by_role("option", name=re.compile("^(call|read|intake|admin):"))
    await expect(offered).to_have_text([re.compile("^call:"), re.compile("^read:")])
    await page.keyboard.press("Tab")
    assert await findings(page) == []
    await form.get_by_role("button", name="Create the key").click()
    made = page.get_by_role("dialog", name="The key pias-own")
    key = await made.get_by_role("textbox", name="Key", exact=True).input_value()
    await made.get_by_role("button", name="I have it").click()
    row = page.get_by_role("table", name="Your keys").get_by_role("row", name=re.compile("^pias"))
    await expect(row).to_contain_text("valid")
    await served(world, key, httpx.codes.OK)


async def test_a_member_whose_key_a_budget_binds_is_told_why_they_get_no_other(
    open_page: OpenPage,
) -> None:
    page = await open_page("/settings?tab=account", user=BOUND)
    form = await key_form(page)
    name = form.get_by_role("textbox", name="Name", exact=True)
    await name.fill("around-it")
    await form.get_by_role("button", name="Create the key").click()
    told = form.get_by_role("alert")
    await expect(told).to_contain_text("No key was made")
    await expect(told).to_contain_text("limits of its own")
    await expect(name).to_have_value("around-it")
    # The browser itself writes down what was refused.
    open_page.complaints[:] = [one for one in open_page.complaints if "/api/v1/keys" not in one]


async def test_a_picture_that_a_provider_gives_by_its_address_is_shown(
    open_page: OpenPage,
) -> None:
    page = await open_page("/playground?category=image&model=linked-boat&key=ci")
    await page.get_by_role("textbox", name="Prompt").fill("a boat by link")
    await page.get_by_role("button", name="Send").click()
    picture = page.get_by_role("img", name="a boat by link")
    await expect(picture).to_have_attribute("src", re.compile("^data:image/png;base64,"))
    await expect(picture).to_have_js_property("naturalWidth", 64)
    # It is asked for before the books have heard of it.
    asked = "/api/v1/usage-logs/"
    open_page.complaints[:] = [one for one in open_page.complaints if asked not in one]


async def test_the_drawer_of_a_subscription_says_which_worker_holds_what_of_the_plan(
    open_page: OpenPage, world: World
) -> None:
    async with world.client() as client:
        order = {"name": "kims", "user": "kim"}
        key = (await client.post("/api/v1/keys", json=order)).json()["key"]
        given = await client.put("/api/v1/subscriptions/kim", json={"plan": "Pro"})
        assert given.is_success, given.text
        async with asyncio.timeout(WAIT_MS / 1000):
            # The worker hears of both a moment later; only then it is granted something.
            while not (await client.get("/api/v1/subscriptions/kim/leases")).json()["leases"]:
                await served(world, key, httpx.codes.OK)
    page = await open_page("/budgets?tab=subscriptions&user=kim")
    leases = page.get_by_role("dialog").get_by_role("table", name="Leases now")
    row = leases.get_by_role("row").filter(has_text="All text, calls")
    await expect(row).to_contain_text(re.compile(r"[0-9]+ calls"))
    assert await findings(page) == []
