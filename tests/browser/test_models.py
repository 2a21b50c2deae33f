"""The catalogue of models and prices, as an admin uses it."""

import asyncio
import re
from typing import Any

import httpx
import pytest
from playwright.async_api import Locator, Page, expect

from tests.browser.conftest import PHONE, WAIT_MS, OpenPage
from tests.browser.test_pages import findings, settled
from tests.browser.world import PASSWORD, World

pytestmark = pytest.mark.asyncio(loop_scope="session")

WITHIN_S = WAIT_MS / 1000
# Long, with markup, and written from right to left: a name that somebody may give.
ODD = "<script>alert('x')</script>/\u05e9\u05dc\u05d5\u05dd/" + "very-long-name-" * 6


async def call(client: httpx.AsyncClient, model: str) -> dict[str, Any]:
    """Make one call and return it as the books have it, with its attempts."""
    says = [{"role": "user", "content": "Name a bridge."}]
    answer = await client.post("/v1/chat/completions", json={"model": model, "messages": says})
    assert answer.status_code == httpx.codes.OK, answer.text
    address = f"/api/v1/usage-logs/{answer.headers['x-tollbridge-call-id']}"
    async with asyncio.timeout(WITHIN_S):
        while True:
            found = await client.get(address)
            if found.is_success and found.json()["status"] != "PROCESSING":
                return found.json()
            await asyncio.sleep(0.05)


def rates(made: dict[str, Any]) -> dict[str, str]:
    """Return by which rates the last attempt of a call was charged, by unit."""
    return {one["unit"]: one["rate_usd"] for one in made["attempt_list"][-1]["components"]}


def row(page: Page, model: str) -> Locator:
    """Return the row of a model in the list."""
    link = page.get_by_role("link", name=model, exact=True)
    return page.get_by_role("row").filter(has=link)


async def test_a_price_is_changed_and_the_next_call_costs_it(
    open_page: OpenPage, world: World
) -> None:
    page = await open_page("/models?model=gpt-4o&part=prices")
    await page.get_by_role("button", name="Change the price of input").click()
    form = page.get_by_role("dialog", name="Change the price of gpt-4o")
    await form.get_by_role("textbox", name="New price, per 1M").fill("3.75")
    await form.get_by_role("button", name="State the price").click()
    await expect(page.get_by_text("gpt-4o: input costs $3.75 from now on.")).to_be_visible()
    in_force = page.get_by_role("table", name="Prices in force")
    await expect(in_force.get_by_role("row", name=re.compile(r"^input \$3\.75"))).to_be_visible()
    async with world.client() as client, asyncio.timeout(WITHIN_S):
        while rates(await call(client, "gpt-4o"))["input"] != "3.75":
            await asyncio.sleep(0.1)


async def test_a_default_is_set_and_undone(open_page: OpenPage, world: World) -> None:
    page = await open_page("/models?model=gpt-4.1")
    await page.get_by_role("button", name="Set default").click()
    await expect(page.get_by_text("that name no model take gpt-4.1 now")).to_be_visible()
    async with world.client() as client:
        defaults = (await client.get("/api/v1/models?type=text&default=true")).json()["models"]
        assert [one["model_name"] for one in defaults] == ["gpt-4.1"]
        await page.get_by_role("button", name="Undo").click()
        await expect(page.get_by_text("★ default of text")).to_have_count(0)
        async with asyncio.timeout(WITHIN_S):
            while defaults[0]["model_name"] != "gpt-4o-mini":
                answer = await client.get("/api/v1/models?type=text&default=true")
                defaults = answer.json()["models"]


async def test_a_bulk_action_says_how_many_rows_before_and_after(open_page: OpenPage) -> None:
    page = await open_page("/models")
    for name in ("gpt-4o-mini", "gpt-5.1", "gpt-5.2"):
        await page.get_by_role("checkbox", name=f"Select {name}", exact=True).check()
    bar = page.get_by_role("region", name="Selected models")
    await expect(bar).to_contain_text("3 models selected")
    await bar.get_by_role("button", name="Deactivate 2").click()
    dialog = page.get_by_role("dialog", name="Deactivate 2 models?")
    await expect(dialog).to_contain_text("Of 3 models selected, 2 will change")
    await expect(dialog).to_contain_text("gpt-4o-mini: the default of its type, stays active")
    await dialog.get_by_role("button", name="Deactivate 2").click()
    await expect(page.get_by_text("2 models are not active now.")).to_be_visible()
    await expect(row(page, "gpt-5.1").get_by_text("not active")).to_have_count(1)
    await page.get_by_role("button", name="Undo").click()
    await expect(row(page, "gpt-5.1").get_by_text("not active")).to_have_count(0)


async def test_filters_and_sort_stand_in_the_address(open_page: OpenPage) -> None:
    page = await open_page("/models?type=image&sort=price&descending=true")
    links = page.locator("[data-row-link]")
    await expect(links).to_have_text(["gpt-image-1", "dall-e-3", "dall-e-2", "gpt-image-1-mini"])
    await page.get_by_label("Search models").fill("dall")
    await expect(page).to_have_url(re.compile("q=dall"))
    await expect(links).to_have_text(["dall-e-3", "dall-e-2"])
    await page.reload()
    await expect(links).to_have_text(["dall-e-3", "dall-e-2"])


async def test_nothing_typed_is_lost_when_the_session_ends_in_the_middle(
    open_page: OpenPage, world: World
) -> None:
    page = await open_page("/models?create=true")
    form = page.get_by_role("dialog", name="New model")
    await form.get_by_role("textbox", name="Name", exact=True).fill(ODD)
    await form.get_by_role("combobox", name="Provider").fill("openai")
    await form.get_by_label("Input, per 1M tokens").fill("0.0000125")
    await page.context.clear_cookies()
    await form.get_by_role("button", name="Add model").click()
    sign_in = page.get_by_role("dialog", name="Your session has ended")
    await sign_in.get_by_role("textbox", name="Password").fill(PASSWORD)
    await sign_in.get_by_role("button", name="Sign in", exact=True).click()
    # The name opens as text, markup and all, in the list and in the drawer.
    await expect(page.get_by_role("dialog", name=ODD)).to_be_visible()
    async with world.client() as client:
        found = (await client.get("/api/v1/models", params={"search": ODD})).json()["models"]
    assert [one["input_cost_per_1m"] for one in found] == ["0.0000125"]
    # The browser itself writes down the refusal that the dialog was about.
    open_page.complaints[:] = [one for one in open_page.complaints if "401" not in one]


async def test_an_earlier_state_is_restored(open_page: OpenPage) -> None:
    page = await open_page("/models?model=dall-e-2&edit=true")
    form = page.get_by_role("dialog", name="Edit dall-e-2")
    await form.get_by_label("Display name").fill("Another name")
    await form.get_by_role("button", name="Save").click()
    await expect(page.get_by_text("dall-e-2 was changed.")).to_be_visible()
    await page.get_by_role("tab", name="Changes").click()
    await expect(page.get_by_text("Another name").first).to_be_visible()
    await page.get_by_role("button", name="Restore").first.click()
    await (
        page.get_by_role("dialog", name="Bring this state back?")
        .get_by_role("button", name="Restore")
        .click()
    )
    await expect(page.get_by_text("dall-e-2 is as it was after that change.")).to_be_visible()
    await page.get_by_role("tab", name="About").click()
    await expect(page.get_by_role("definition").filter(has_text="DALL-E 2").first).to_be_visible()


async def test_models_are_compared_side_by_side(open_page: OpenPage) -> None:
    page = await open_page("/models")
    for name in ("gpt-4o", "gpt-5.2"):
        await page.get_by_role("checkbox", name=f"Select {name}", exact=True).check()
    await page.get_by_role("button", name="Compare").click()
    table = page.get_by_role("table", name="Comparison")
    await expect(table.get_by_role("columnheader")).to_have_text(["Property", "gpt-4o", "gpt-5.2"])
    await expect(page).to_have_url(re.compile(r"compare=gpt-4o(%7C|\|)gpt-5\.2"))


async def test_what_is_unpriced_gets_a_price(open_page: OpenPage) -> None:
    page = await open_page("/models?tab=unpriced")
    await page.get_by_role("button", name="Add a price for openai/gpt-oss-120b:groq").click()
    form = page.get_by_role("dialog", name="Price of openai/gpt-oss-120b:groq")
    await form.get_by_role("textbox", name="Price", exact=True).fill("0.15")
    await form.get_by_role("button", name="State the price").click()
    await expect(page.get_by_text("input costs $0.15 from now on.")).to_be_visible()
    await page.get_by_role("button", name="Rate again …").click()
    await expect(page.get_by_text(re.compile("calls seen"))).to_be_visible()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize(
    "address",
    [
        "/models?model=gpt-4o",
        "/models?model=gpt-4o&part=prices",
        "/models?model=gpt-4o&part=use&range=30d",
        "/models?model=gpt-4o&part=changes",
        "/models?model=gpt-4o&edit=true",
        "/models?compare=gpt-4o|gpt-4o-mini",
        "/models?tab=unpriced",
        "/models?tab=disputes",
    ],
)
async def test_axe_finds_nothing_in_a_model(
    open_page: OpenPage, address: str, *, dark: bool
) -> None:
    page = await open_page(address, dark=dark)
    await settled(page)
    assert await findings(page) == []


async def test_the_list_fits_a_phone(open_page: OpenPage) -> None:
    page = await open_page("/models", size=PHONE)
    await settled(page)
    await expect(row(page, "gpt-4o")).to_contain_text("per 1M")
    width = await page.evaluate("() => document.documentElement.scrollWidth")
    assert width <= PHONE[0]
