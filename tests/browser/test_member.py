"""A member meets their own on every page, nothing of others, and no button that is refused."""

import json
import re
from typing import Any, cast

import httpx
import pytest
import pytest_asyncio
from playwright.async_api import Page, Request, expect

from tests.browser.conftest import OpenPage
from tests.browser.test_pages import ADDRESSES, settled
from tests.browser.world import PASSWORD, World

pytestmark = pytest.mark.asyncio(loop_scope="session")

MEMBER, OTHER = "ben", "ana"
OTHERS_KEY = "ci"
PLACES = (
    *ADDRESSES,
    *(f"/budgets?tab={tab}" for tab in ("plans", "subscriptions")),
    *(f"/models?tab={tab}" for tab in ("unpriced", "disputes")),
    *(f"/settings?tab={tab}" for tab in ("endpoints", "account")),
    *("/alerts?tab=thresholds", "/credits?tab=rates", "/attribution?tab=backfill"),
    "/playground?category=image",
)
ADMINS_BUTTONS = re.compile(
    r"^(New (budget|wallet|model|key|plan|user|webhook)|Add a (rate|rule|price|key)|Add the .*"
    r"|Grant|Purchase|Adjust|Give it|Rate again.*|Start .*|Take .* back|Detach.*"
    r"|Ask .* first|Move .*|Edit .*|Change .*|Delete.*)$"
)
REFUSED = (
    "/api/v1/users",
    "/api/v1/audit",
    "/api/v1/alert-webhooks",
    "/api/v1/attribution/backfill",
)


@pytest_asyncio.fixture(scope="module", loop_scope="session")
async def member(world: World) -> str:
    """Let the member sign in."""
    order = {"name": MEMBER, "role": "member", "password": PASSWORD}
    async with world.client() as client:
        made = await client.post("/api/v1/users", json=order)
        assert made.status_code == httpx.codes.CREATED, made.text
    return MEMBER


def words_of(found: Any) -> set[str]:
    """Return every text in an answer."""
    if isinstance(found, dict):
        inner = list(cast("dict[str, Any]", found).values())
    elif isinstance(found, list):
        inner = cast("list[Any]", found)
    else:
        inner = []
    if inner:
        return {text for one in inner for text in words_of(one)}
    return {found} if isinstance(found, str) else set()


async def answers_of(page: Page, address: str) -> list[tuple[str, Any]]:
    """Open an address and return what the API answered to it."""
    heard: list[Request] = []

    def hear(request: Request) -> None:
        if "/api/v1/" in request.url:
            heard.append(request)

    page.on("requestfinished", hear)
    await page.goto(address)
    await settled(page)
    page.remove_listener("requestfinished", hear)
    answers = [await one.response() for one in heard]
    return [(one.url, json.loads(await one.text() or "null")) for one in answers if one and one.ok]


@pytest.mark.parametrize("address", PLACES)
async def test_a_page_shows_a_member_their_own_and_no_button_of_admins(
    open_page: OpenPage, member: str, address: str
) -> None:
    """Also: it asks for nothing that is refused, which the browser would complain of."""
    page = await open_page("/nowhere", user=member)
    answers = await answers_of(page, address)
    assert answers
    for url, answer in answers:
        assert not {OTHER, OTHERS_KEY, f"user:{OTHER}", f"key:{OTHERS_KEY}"} & words_of(answer), url
    buttons = page.get_by_role("main").get_by_role("button", name=ADMINS_BUTTONS, disabled=False)
    assert await buttons.all_text_contents() == []


async def test_a_members_log_has_their_calls_alone(
    open_page: OpenPage, member: str, world: World
) -> None:
    page = await open_page("/logs", user=member)
    rows = page.get_by_role("grid").get_by_role("row").filter(has=page.get_by_role("gridcell"))
    await expect(rows.first).to_contain_text("batch")
    assert await rows.filter(has_not_text="batch").count() == 0
    async with world.client() as client:
        query = {"key": OTHERS_KEY, "limit": 1}
        [theirs] = (await client.get("/api/v1/usage-logs", params=query)).json()["calls"]
    answer = await page.request.get(f"/api/v1/usage-logs/{theirs['call_id']}")
    assert answer.status == httpx.codes.NOT_FOUND
    await page.goto(f"/logs?call={theirs['call_id']}")
    await expect(page.get_by_role("dialog")).to_contain_text("There is no such call")
    open_page.complaints.clear()  # that it is not found is what is tried here


async def test_what_is_for_admins_is_refused_behind_the_page_too(
    open_page: OpenPage, member: str
) -> None:
    page = await open_page("/", user=member)
    for address in REFUSED:
        assert (await page.request.get(address)).status == httpx.codes.FORBIDDEN, address
    token = (await (await page.request.get("/api/v1/auth/session")).json())["csrf_token"]
    for address, body in (
        ("/api/v1/keys", {"name": "sneaked"}),
        ("/api/v1/budgets", {"name": "sneaked", "subject": "user:ben", "limit_usd": "9"}),
        ("/api/v1/playground/pass", {"key": OTHERS_KEY}),
        ("/api/v1/keys", {"name": "sneaked", "user": OTHER}),
    ):
        answer = await page.request.post(address, data=body, headers={"x-csrf-token": token})
        assert answer.status in {httpx.codes.FORBIDDEN, httpx.codes.NOT_FOUND}, address


async def test_a_member_rotates_their_own_key_and_makes_none(
    open_page: OpenPage, member: str, world: World
) -> None:
    async with world.client() as client:
        order = {"name": "bens-own", "user": member}
        first = (await client.post("/api/v1/keys", json=order)).json()["key"]
    page = await open_page("/settings?tab=account", user=member)
    table = page.get_by_role("table", name="Your keys")
    await expect(table.get_by_role("row", name=re.compile("^batch"))).not_to_contain_text("Revoke")
    await table.get_by_role("button", name="Rotate bens-own").click()
    await page.get_by_role("dialog").get_by_role("button", name="Rotate").click()
    made = page.get_by_role("dialog", name="The key bens-own")
    second = await made.get_by_role("textbox", name="Key", exact=True).input_value()
    assert second != first
    await made.get_by_role("button", name="I have it").click()
    await table.get_by_role("button", name="Revoke bens-own").click()
    sure = page.get_by_role("dialog", name="Revoke the key bens-own?")
    await sure.get_by_role("textbox").fill("bens-own")
    await sure.get_by_role("button", name="Revoke for good").click()
    await expect(table.get_by_role("row", name=re.compile("^bens-own"))).to_have_count(0)
    await expect(page.get_by_role("button", name="New key")).to_have_count(0)


async def test_a_member_calls_from_the_playground_as_their_own_key(
    open_page: OpenPage, member: str
) -> None:
    page = await open_page("/playground", user=member)
    await expect(page.get_by_text("of ben, project default")).to_be_visible()
    await page.get_by_role("textbox", name="Prompt").fill("Name a bridge.")
    await page.get_by_role("button", name="Send").click()
    answer = page.get_by_role("region", name="Answer")
    await expect(answer).to_contain_text(re.compile(r"Cost\s*[$≈]"))
    open_page.complaints[:] = [
        one for one in open_page.complaints if "/api/v1/usage-logs/" not in one
    ]
