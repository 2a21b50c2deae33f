"""The playground: calls of each kind, made as an application makes them."""

import re
from collections.abc import AsyncIterator, Iterator

import pytest
import pytest_asyncio
from playwright.async_api import Page, expect

from tests.browser.conftest import OpenPage
from tests.browser.test_pages import findings, settled
from tests.browser.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")

TASK_S, FILM_MS = 4.0, 60_000


@pytest.fixture
def patient(open_page: OpenPage) -> Iterator[OpenPage]:
    """Open pages that may ask for a call before the books have heard of it."""
    yield open_page
    asked = "/api/v1/usage-logs/"
    open_page.complaints[:] = [one for one in open_page.complaints if asked not in one]


async def with_key(page: Page) -> None:
    """Choose a key that calls are made as."""
    await page.get_by_role("combobox", name="Calls are made as the key").click()
    await page.get_by_role("option", name="ci", exact=True).click()
    await expect(page).to_have_url(re.compile("key=ci"))


async def send(page: Page, prompt: str) -> None:
    """Send a prompt."""
    await page.get_by_role("textbox", name=re.compile("^(Prompt|What is said)$")).fill(prompt)
    await page.get_by_role("button", name="Send").click()


async def test_a_text_is_streamed_and_its_cost_is_shown(patient: OpenPage) -> None:
    page = await patient("/playground")
    await with_key(page)
    await page.get_by_role("combobox", name="Route or model").click()
    await page.get_by_role("option", name=re.compile(r"^gpt-4\.1.*per 1M")).click()
    await send(page, "Name a bridge.")
    answer = page.get_by_role("region", name="Answer")
    await expect(answer).to_contain_text("OpenAI")
    await expect(answer).to_contain_text(re.compile(r"Cost\s*\$0\.0\d+"))
    await expect(page.get_by_role("listitem").filter(has_text="Name a bridge.")).to_be_visible()
    assert await findings(page) == []
    await answer.get_by_role("link", name="Why it cost that").click()
    await expect(page).to_have_url(re.compile(r"/logs\?.*call=[0-9a-f-]{36}"))
    await expect(page.get_by_role("dialog")).to_contain_text("OpenAI")


async def test_a_picture_is_shown_with_who_made_it(patient: OpenPage) -> None:
    page = await patient("/playground?category=image&model=qwen-image")
    await with_key(page)
    await send(page, "a paper boat")
    picture = page.get_by_role("img", name="a paper boat")
    await expect(picture).to_be_visible()
    assert await picture.evaluate("image => image.naturalWidth") > 0
    await expect(page.get_by_role("region", name="Answer")).to_contain_text("WaveSpeed")


async def test_speech_can_be_heard(patient: OpenPage) -> None:
    page = await patient("/playground?category=audio")
    await with_key(page)
    await send(page, "Mind the gap.")
    await expect(page.locator("audio[src^='data:audio']")).to_be_visible()
    await expect(page.get_by_role("region", name="Answer")).to_contain_text("ElevenLabs")


@pytest_asyncio.fixture(loop_scope="session")
async def takes_its_time(world: World) -> AsyncIterator[None]:
    """Let a task last so long that a page which is looked at now and then is seen at it."""
    await world.plays(task_s=TASK_S)
    yield
    await world.plays()


@pytest.mark.usefixtures("takes_its_time")
async def test_a_film_is_made_as_a_job(patient: OpenPage) -> None:
    page = await patient("/playground?category=video")
    await with_key(page)
    await send(page, "a paper boat drifts")
    await expect(page.get_by_role("progressbar", name="Progress")).to_be_visible()
    await expect(page.locator("video[src^='blob:']")).to_be_visible(timeout=FILM_MS)


async def test_a_wrong_key_is_said_to_be_wrong_and_nobody_is_signed_out(
    open_page: OpenPage,
) -> None:
    page = await open_page("/playground")
    await page.get_by_role("button", name="Use a key that you have in hand").click()
    await page.get_by_label("Your API key").fill("tb_wrong")
    await page.get_by_role("button", name="Use it").click()
    await send(page, "Name a bridge.")
    await expect(page.get_by_role("alert")).to_contain_text("It was not served")
    await expect(page.get_by_role("dialog")).to_have_count(0)
    # The browser itself writes down what was refused.
    open_page.complaints[:] = [one for one in open_page.complaints if "401" not in one]


async def test_a_key_that_was_typed_is_gone_with_the_page(open_page: OpenPage) -> None:
    page = await open_page("/playground")
    await page.get_by_role("button", name="Use a key that you have in hand").click()
    await page.get_by_label("Your API key").fill("tb_mine")
    await page.get_by_role("button", name="Use it").click()
    await expect(page.get_by_text("The key that you gave")).to_be_visible()
    await page.reload()
    await settled(page)
    await expect(page.get_by_text("The key that you gave")).to_have_count(0)


async def test_nobody_is_charged_unasked(open_page: OpenPage) -> None:
    """A key of one's own is taken by itself; another's is chosen, and the books name it."""
    page = await open_page("/playground")
    await expect(page.get_by_text("of admin, project default")).to_be_visible()
    async with page.expect_response("**/api/v1/playground/pass") as passed:
        await with_key(page)
        await send(page, "Whose call is this?")
    assert (await (await passed.value).json())["user"] == "ana"
    answer = page.get_by_role("region", name="Answer")
    await expect(answer).to_contain_text(re.compile(r"Cost\s*[$≈]"))
    open_page.complaints[:] = [
        one for one in open_page.complaints if "/api/v1/usage-logs/" not in one
    ]
    await answer.get_by_role("link", name="Why it cost that").click()
    await expect(page.get_by_role("dialog")).to_contain_text("key ci")
