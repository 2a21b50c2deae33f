"""Lists of more than one page: what is on a later one is found, and the first is not the whole."""

import json
import re
from typing import Any

import pytest
from playwright.async_api import Page, Route, expect

from tests.browser.conftest import OpenPage

pytestmark = pytest.mark.asyncio(loop_scope="session")
MORE = "more"


async def in_two_pages(page: Page, address: str, field: str, last: dict[str, Any]) -> None:
    """Have the server answer a list with `last` on a second page of its own."""

    async def answer(route: Route) -> None:
        if f"cursor={MORE}" in route.request.url:
            found = {field: [last], "next_cursor": None}
        else:
            found = await (await route.fetch()).json() | {"next_cursor": MORE}
        await route.fulfill(
            status=200, headers={"content-type": "application/json"}, body=json.dumps(found)
        )

    await page.route(lambda url: url.split("?")[0].endswith(address), answer)


async def one_of(page: Page, address: str, field: str) -> dict[str, Any]:
    """Return the first row of a list as the API gives it."""
    return (await (await page.request.get(address)).json())[field][0]


async def test_a_search_finds_a_budget_of_a_later_page(open_page: OpenPage) -> None:
    page = await open_page("/settings?tab=sessions")
    one = await one_of(page, "/api/v1/budgets", "budgets")
    late = one | {"budget_id": "late", "name": "late-budget"}
    await in_two_pages(page, "/api/v1/budgets", "budgets", late)
    await page.goto("/budgets?find=late-b")
    await expect(page.get_by_role("listitem").filter(has_text="late-budget")).to_be_visible()
    await expect(page.get_by_text("No budget fits this search.")).to_have_count(0)


async def test_a_search_finds_a_key_of_a_later_page(open_page: OpenPage) -> None:
    page = await open_page("/settings?tab=sessions")
    one = await one_of(page, "/api/v1/keys", "keys")
    await in_two_pages(page, "/api/v1/keys", "keys", one | {"key_id": "late", "name": "late-key"})
    await page.goto("/settings?q=late-k")
    await expect(page.get_by_role("row").filter(has_text="late-key")).to_be_visible()


async def test_rates_are_read_to_their_end_on_demand(open_page: OpenPage) -> None:
    page = await open_page("/settings?tab=sessions")
    late = {
        "operation": "embedding",
        "model": "late-model",
        "tokens_per_credit": 7,
        "min_credits": "0",
        "credits_per_image": None,
        "credits_per_call": None,
        "price_per_credit_usd": None,
    }
    await in_two_pages(page, "/api/v1/credit-rates", "rates", late)
    await page.goto("/credits?tab=rates")
    await expect(page.get_by_role("table").or_(page.get_by_text("No rate is set"))).to_be_visible()
    await page.get_by_role("button", name="More", exact=True).click()
    await expect(page.get_by_role("row", name="late-model")).to_be_visible()


async def test_a_tab_does_not_count_the_first_page_as_the_whole(open_page: OpenPage) -> None:
    page = await open_page("/settings?tab=sessions")
    one = await one_of(page, "/api/v1/prices/unpriced", "unpriced")
    late = one | {"model": "late-model"}
    await in_two_pages(page, "/api/v1/prices/unpriced", "unpriced", late)
    await page.goto("/models?tab=unpriced")
    tab = page.get_by_role("tab", name="Unpriced")
    await expect(tab).to_contain_text("+")
    await page.get_by_role("button", name="More", exact=True).click()
    await expect(page.get_by_role("row", name="late-model")).to_be_visible()
    await expect(tab).not_to_contain_text("+")


async def test_a_search_field_follows_the_address_and_keeps_what_is_typed(
    open_page: OpenPage,
) -> None:
    page = await open_page("/budgets")
    field = page.get_by_role("textbox", name="Find a budget")
    await field.press_sequentially("ben", delay=120)
    await expect(page).to_have_url(re.compile("find=ben"))
    await expect(field).to_have_value("ben")
    await expect(page.get_by_role("list", name="Budgets").get_by_role("listitem")).to_have_count(1)
    await page.get_by_role("button", name="Clear the search").click()
    await expect(page).to_have_url(re.compile(r"/budgets(\?(?!.*find=).*)?$"))
    await expect(field).to_have_value("")
