"""Insight, as a person uses it: savings, what it would cost elsewhere, and experiments."""

import re
from typing import Any

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.conftest import DESK, PHONE, OpenPage
from tests.browser.experiment import (
    CHEAPER,
    ROUTE,
    asked_first,
    put_route,
    report,
    start,
    stop_all,
)
from tests.browser.test_pages import findings, settled
from tests.browser.world import PASSWORD, World

pytestmark = pytest.mark.asyncio(loop_scope="session")
TABS = ("savings", "elsewhere", "fallback", "experiments")


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def found(world: World) -> str:
    """Return the name of a running experiment that has found something."""
    await put_route(world)
    await start(world, "seen-enough")
    await report(world, "seen-enough")
    return "seen-enough"


async def open_experiment(open_page: OpenPage, name: str, **more: Any) -> Page:
    page = await open_page(f"/insight?tab=experiments&experiment={name}", **more)
    await expect(page.get_by_role("heading", name=f"What {name} has found")).to_be_visible()
    return page


async def test_providers_are_ranked_with_the_reasons_against_them(open_page: OpenPage) -> None:
    page = await open_page("/insight?range=30d")
    table = page.get_by_role("table").last
    await expect(table.get_by_role("row").nth(1)).to_be_visible()
    await expect(table).to_contain_text(re.compile("recommended|no endpoint of it is enabled"))


async def test_the_same_usage_is_priced_elsewhere(open_page: OpenPage) -> None:
    page = await open_page("/insight?range=30d")
    await page.get_by_role("tab", name="What if").click()
    row = page.get_by_role("row", name="gpt-4o-mini").first
    await expect(row).to_contain_text(re.compile(r"\$[\d.,]+ (less|more)|the same"))
    await expect(page).to_have_url(re.compile("tab=elsewhere"))


async def test_a_category_is_chosen_and_stays_in_the_address(open_page: OpenPage) -> None:
    page = await open_page("/insight?range=30d&tab=fallback")
    await page.get_by_text("image", exact=True).click()
    await expect(page).to_have_url(re.compile("category=image"))
    await page.reload()
    await expect(page.get_by_role("radio", name="image")).to_be_checked()


async def test_an_experiment_is_started_and_says_that_nothing_is_sure_yet(
    open_page: OpenPage, world: World
) -> None:
    await put_route(world)
    await stop_all(world)
    page = await open_page("/insight?tab=experiments")
    await page.get_by_role("button", name="New experiment").first.click()
    dialog = page.get_by_role("dialog", name="New experiment")
    await dialog.get_by_role("textbox", name="Name", exact=True).fill("by-hand")
    await dialog.get_by_role("combobox", name="Route").click()
    await page.get_by_role("option", name=f"{ROUTE} (text)").click()
    await dialog.get_by_label("Weight of the arm openai/gpt-4o").fill("3")
    await dialog.get_by_label("Stop where more fail than, in %").fill("20")
    await dialog.get_by_role("button", name="Start the experiment").click()
    await expect(dialog).to_be_hidden()
    await expect(page).to_have_url(re.compile("experiment=by-hand"))
    row = page.get_by_role("row", name="by-hand")
    await expect(row).to_contain_text("running")
    await expect(row).to_contain_text("openai 75 % · anthropic 25 %")
    await expect(page.get_by_text("Nothing is sure yet")).to_be_visible()
    await expect(page.get_by_text(re.compile(r"more than 20\s% of an arm's"))).to_be_visible()


async def test_what_the_server_refuses_of_an_experiment_is_said_and_nothing_is_lost(
    open_page: OpenPage, world: World
) -> None:
    await put_route(world)
    await stop_all(world)
    page = await open_page("/insight?tab=experiments")
    await page.get_by_role("button", name="New experiment").first.click()
    dialog = page.get_by_role("dialog", name="New experiment")
    await dialog.get_by_role("textbox", name="Name", exact=True).fill("no blanks allowed")
    await dialog.get_by_role("combobox", name="Route").click()
    await page.get_by_role("option", name=f"{ROUTE} (text)").click()
    await dialog.get_by_role("button", name="Start the experiment").click()
    await expect(dialog.get_by_role("alert")).to_contain_text("none of them a comma, blank")
    await expect(dialog.get_by_role("textbox", name="Name", exact=True)).to_have_value(
        "no blanks allowed"
    )
    open_page.complaints.clear()  # a refusal was due


async def test_results_are_said_in_words_with_their_intervals_and_lead_to_the_calls(
    open_page: OpenPage, world: World
) -> None:
    await put_route(world)
    await start(world, "in-words")
    await report(world, "in-words")
    page = await open_experiment(open_page, "in-words")
    await expect(
        page.get_by_text(f"{CHEAPER} is surely better than openai by cost")
    ).to_be_visible()
    arm = page.get_by_role("list", name="Arms").get_by_role("listitem").filter(has_text=CHEAPER)
    await expect(arm).to_contain_text(re.compile(r"50(\.0)?\s% less; between"))
    await expect(arm).to_contain_text("surely better")
    await arm.get_by_role("link").click()
    await expect(page).to_have_url(re.compile("/logs.*tag=experiment"))


async def test_an_experiment_is_ended_by_typing_its_name(open_page: OpenPage, world: World) -> None:
    await put_route(world)
    await start(world, "to-be-ended")
    page = await open_experiment(open_page, "to-be-ended")
    await page.get_by_role("button", name="End it").click()
    dialog = page.get_by_role("dialog", name="End the experiment")
    end = dialog.get_by_role("button", name="End it")
    await expect(end).to_be_disabled()
    await dialog.get_by_label("Why").fill("seen enough of it")
    await dialog.get_by_label(re.compile("^To be sure")).fill("to-be-ended")
    await end.click()
    await expect(dialog).to_be_hidden()
    await expect(page.get_by_role("row", name="to-be-ended")).to_contain_text("ended")
    await expect(page.get_by_text("Seen enough of it")).to_be_visible()
    await expect(page.get_by_role("button", name="End it")).to_have_count(0)


async def test_the_better_arm_is_applied_to_the_route_and_taken_back(
    open_page: OpenPage, world: World
) -> None:
    await put_route(world)
    await start(world, "to-be-applied")
    await report(world, "to-be-applied")
    page = await open_experiment(open_page, "to-be-applied")
    await page.get_by_role("button", name=f"Apply {CHEAPER}").click()
    dialog = page.get_by_role("dialog", name=f"Put {CHEAPER} first")
    await dialog.get_by_label(re.compile("^To be sure")).fill("to-be-applied")
    await dialog.get_by_role("button", name="Apply and end it").click()
    await expect(dialog).to_be_hidden()
    await expect(page.get_by_text(f"{CHEAPER} was put first on the route")).to_be_visible()
    assert await asked_first(world) == CHEAPER
    async with page.expect_response(re.compile("/api/v1/routes$")) as put_back:
        await page.get_by_role("button", name="Undo").click()
    assert (await put_back.value).ok
    assert await asked_first(world) == "openai"


async def test_a_member_sees_that_there_are_experiments_and_no_button(
    open_page: OpenPage, world: World, found: str
) -> None:
    async with world.client() as client:
        order = {"name": "looks-only", "role": "member", "password": PASSWORD}
        (await client.post("/api/v1/users", json=order)).raise_for_status()
    page = await open_experiment(open_page, found, user="looks-only")
    await expect(page.get_by_text("administrators see them")).to_be_visible()
    for name in ("New experiment", "End it", f"Apply {CHEAPER}"):
        await expect(page.get_by_role("button", name=name)).to_have_count(0)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_axe_finds_nothing_in_the_form_of_an_experiment(
    open_page: OpenPage, world: World, *, dark: bool
) -> None:
    await put_route(world)
    page = await open_page("/insight?tab=experiments", dark=dark)
    await page.get_by_role("button", name="New experiment").first.click()
    await expect(page.get_by_role("dialog", name="New experiment")).to_be_visible()
    await settled(page)
    assert await findings(page) == []


@pytest.mark.usefixtures("found")
@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
@pytest.mark.parametrize("tab", TABS)
async def test_axe_finds_nothing(open_page: OpenPage, tab: str, *, dark: bool) -> None:
    page = await open_page(f"/insight?range=30d&tab={tab}", dark=dark)
    await settled(page)
    assert await findings(page) == []


@pytest.mark.usefixtures("found")
@pytest.mark.parametrize("size", [DESK, PHONE], ids=["1440", "390"])
@pytest.mark.parametrize("tab", TABS)
async def test_nothing_runs_out(open_page: OpenPage, tab: str, size: tuple[int, int]) -> None:
    page = await open_page(f"/insight?range=30d&tab={tab}", size=size)
    await settled(page)
    assert await page.evaluate("document.documentElement.scrollWidth") <= size[0]
