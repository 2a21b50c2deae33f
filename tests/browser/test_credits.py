"""Credits, as a person uses them: a wallet is made, given something, and tells every line."""

import csv
from pathlib import Path

import httpx
import pytest
from playwright.async_api import Page, expect

from tests.browser.conftest import PHONE, OpenPage
from tests.browser.test_pages import findings, settled
from tests.browser.world import World

pytestmark = pytest.mark.asyncio(loop_scope="session")
WALLET = "team-wallet"


async def make_wallet(world: World, name: str) -> None:
    """Make a wallet with 100 credits in it."""
    async with world.client() as client:
        made = await client.post("/api/v1/wallets", json={"name": name, "subject": f"user:{name}"})
        assert made.status_code == httpx.codes.CREATED, made.text
        bought = await client.post(
            f"/api/v1/wallets/{name}/purchases",
            json={"amount": "100", "price_usd": "9.50"},
            headers={"idempotency-key": name},
        )
        assert bought.status_code == httpx.codes.CREATED, bought.text


async def give(page: Page, button: str, amount: str, **fields: str) -> None:
    """Fill in one of a wallet's forms and send it."""
    drawer = page.get_by_role("dialog", name=f"Wallet {WALLET}")
    await drawer.get_by_role("button", name=button, exact=True).click()
    form = page.get_by_role("dialog", name=f": {WALLET}")
    await form.get_by_label("Amount in credits").fill(amount)
    for label, text in fields.items():
        await form.get_by_label(label.replace("_", " ")).fill(text)
    await form.locator("button[type=submit]").click()
    await expect(form).to_have_count(0)


async def test_a_wallet_is_made_and_its_statement_runs(open_page: OpenPage) -> None:
    """Purchase, grant and correction, each line with what was left after it."""
    page = await open_page("/credits")
    await page.get_by_role("button", name="New wallet").first.click()
    form = page.get_by_role("dialog", name="New wallet")
    await form.get_by_role("textbox", name="Name", exact=True).fill(WALLET)
    await form.get_by_label("Its name").fill("team")
    await form.get_by_role("button", name="Make it").click()
    drawer = page.get_by_role("dialog", name=f"Wallet {WALLET}")
    await expect(drawer.get_by_text("Nothing was put into it yet.")).to_be_visible()

    await give(page, "Purchase", "1000")
    await give(page, "Grant", "250.5", Expires_on="2030-01-31", Note="welcome")
    await give(page, "Adjust", "-50", Note="counted twice")
    lines = drawer.get_by_role("row")
    await expect(lines.nth(1)).to_contain_text("1,200.5")
    await expect(lines.nth(1)).to_contain_text("\u221250")
    await expect(lines.nth(2)).to_contain_text("welcome")
    await expect(lines.nth(3)).to_contain_text("+1,000")
    await expect(drawer.get_by_text("expires 31 Jan 2030")).to_be_visible()

    await drawer.get_by_role("combobox", name="Kind of line").click()
    await page.get_by_role("option", name="adjustment").click()
    await expect(lines).to_have_count(2)
    assert await findings(page) == []


async def test_what_is_not_there_is_not_taken(open_page: OpenPage, world: World) -> None:
    await make_wallet(world, "poor")
    page = await open_page("/credits?wallet=poor")
    drawer = page.get_by_role("dialog", name="Wallet poor")
    await drawer.get_by_role("button", name="Adjust", exact=True).click()
    form = page.get_by_role("dialog", name=": poor")
    await form.get_by_label("Amount in credits").fill("-99999")
    await form.get_by_label("Note").fill("too much")
    await form.locator("button[type=submit]").click()
    await expect(form.get_by_role("alert")).to_be_visible()
    await expect(form.get_by_label("Note")).to_have_value("too much")
    # That the server refuses it is what is tried here.
    open_page.complaints.clear()


async def test_a_rate_says_what_an_operation_takes(open_page: OpenPage) -> None:
    page = await open_page("/credits?tab=rates")
    await page.get_by_role("button", name="Add a rate").first.click()
    form = page.get_by_role("dialog", name="Add a rate")
    await form.get_by_label("Model").fill("sandbox-small")
    await form.get_by_label("Tokens for a credit").fill("200")
    await form.get_by_label("At least, in credits").fill("2")
    await form.get_by_role("button", name="Save").click()
    row = page.get_by_role("row", name="sandbox-small")
    await expect(row).to_contain_text("1 credit per 200 tokens, at least 2")


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
async def test_axe_finds_nothing(open_page: OpenPage, *, dark: bool) -> None:
    for tab in ("wallets", "rates"):
        page = await open_page(f"/credits?tab={tab}", dark=dark)
        await settled(page)
        assert await findings(page) == []


async def test_a_wallet_fits_a_phone(open_page: OpenPage, world: World) -> None:
    await make_wallet(world, "small")
    page = await open_page("/credits?wallet=small", size=PHONE)
    await expect(page.get_by_role("dialog", name="Wallet small")).to_contain_text("100 of 100")
    await settled(page)
    assert await page.evaluate("document.documentElement.scrollWidth") <= PHONE[0]


async def test_credits_are_taken_away_as_focus_rows(
    open_page: OpenPage, world: World, tmp_path: Path
) -> None:
    await make_wallet(world, "to-export")
    page = await open_page("/credits")
    async with page.expect_download() as started:
        await page.get_by_role("link", name="Export").click()
    kept = tmp_path / "credits.csv"
    await (await started.value).save_as(kept)
    rows = list(csv.DictReader(kept.open(encoding="utf-8-sig", newline="")))
    bought = [row for row in rows if row["ChargeCategory"] == "Purchase"]
    assert "to-export" in {row["BillingAccountName"] for row in bought}
