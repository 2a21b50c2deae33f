"""Prices from a terminal: stated, taken back, disputed, asked for; calls rated again by them."""

import csv
import io
import json
from decimal import Decimal

import pytest

from tests.support.recorded import NOON_US, CallSpec, record
from tests.support.rerated import disagreements, put
from tests.support.terminal import Terminal
from tollbridge.cli.instants import read_instant
from tollbridge.core.clock import SECOND_US
from tollbridge.core.errors import InvalidRequestError
from tollbridge.rating import store
from tollbridge.rating.prices import DeclaredPrice, Source
from tollbridge.storage.unit import Database

on_sqlite = pytest.mark.parametrize("database_dialect", ["sqlite"], indirect=True)
DAY = ("--from", "2026-01-01", "--to", "2026-01-02")


@on_sqlite
async def test_a_price_is_added_quoted_and_withdrawn(terminal: Terminal) -> None:
    terminal.done("prices", "add", "acme", "m", "input", "2.50")
    assert "before" in terminal.done("prices", "add", "acme", "m", "input", "2.5")
    terminal.done("prices", "add", "acme", "m", "input", "1", "--if", "service_tier=flex")
    (plain, flex) = json.loads(terminal.done("prices", "list", "--provider", "acme", "--json"))
    assert (plain["rate_usd"], flex["conditions"]) == ("2.5", {"service_tier": "flex"})
    table = terminal.done("prices", "quote", "acme", "m", "input=2000")
    assert "$0.005" in table
    flexed = terminal.done(
        "prices", "quote", "acme", "m", "input=2000", "--if", "service_tier=flex", "--json"
    )
    assert json.loads(flexed)["cost_nanousd"] == 2_000_000
    terminal.done("prices", "withdraw", "acme", "m", "input")
    assert "no price" in terminal.done("prices", "quote", "acme", "m", "input=1")
    assert "no price" in terminal.refused("prices", "withdraw", "acme", "m", "input")
    history = json.loads(terminal.done("prices", "history", "--provider", "acme", "--json"))
    assert {one["status"] for one in history} >= {"active", "withdrawn"}


@on_sqlite
@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("acme", "m", "bushel", "1"), "bushel"),
        (("acme", "m", "input", "NaN"), "finite"),
        (("acme", "m", "input", "1", "--if", "hours"), "--if"),
        (("acme", "m", "input", "1", "--valid", "soon", ""), "--valid"),
        (("acme", "m", "input", "1", "--valid", "2026-02-01", "2026-01-01"), "valid_to"),
    ],
)
async def test_a_price_that_cannot_be_kept_is_refused(
    terminal: Terminal, arguments: tuple[str, ...], word: str
) -> None:
    assert word in terminal.refused("prices", "add", *arguments)


@on_sqlite
async def test_a_dispute_is_shown_and_ended(terminal: Terminal, database: Database) -> None:
    terminal.done("prices", "add", "acme", "m", "input", "1")
    price = DeclaredPrice(
        provider="acme",
        model="m",
        unit="input",
        rate_usd=Decimal(2),
        per=1_000_000,
        valid_from_us=NOON_US,
    )
    async with database.write() as unit:
        await store.record_versions(
            unit, [price], source=Source.SYNC, actor="sync", now_us=NOON_US, disputes=True
        )
    (dispute,) = json.loads(terminal.done("prices", "disputes", "--json"))
    assert [one["rate_usd"] for one in dispute["against"]] == ["1"]
    assert "against" in terminal.done("prices", "disputes")
    ident = dispute["proposed"]["price_version_id"]
    assert "--reason" in terminal.refused("prices", "reject", ident)
    terminal.done("prices", "reject", ident, "--reason", "a slip")
    assert json.loads(terminal.done("prices", "disputes", "--json")) == []
    assert "no price version" in terminal.refused("prices", "accept", "nonsense", "--reason", "x")


@on_sqlite
async def test_the_pricing_table_is_exported_without_formulas(
    terminal: Terminal, database: Database
) -> None:
    await record(database, [])
    terminal.done("prices", "add", "acme", "=1+1", "input", "1")
    text = terminal.done("prices", "export", "--provider", "acme").removeprefix("\ufeff")
    assert [row["model"] for row in csv.DictReader(io.StringIO(text))] == ["'=1+1"]
    target = terminal.data_dir / "prices.json"
    terminal.done("prices", "export", "--format", "json", "--output", str(target))
    assert len(json.loads(target.read_text())["prices"]) > 10


@on_sqlite
async def test_calls_without_a_price_are_priced_again_and_leave_the_queue(
    terminal: Terminal, database: Database
) -> None:
    """First a look at what it would come to, then the run, then nothing is left to do."""
    await put(database, [CallSpec(provider="nowhere"), CallSpec(provider="nowhere"), CallSpec()])
    (gap,) = json.loads(terminal.done("prices", "unpriced", "--json"))
    assert (gap["provider"], gap["count"]) == ("nowhere", 2)
    assert "no price for nowhere" in terminal.done("prices", "unpriced")
    for unit, rate in (("input", "1"), ("output", "2")):
        price = ("nowhere", "gpt-4o-mini", unit, rate)
        terminal.done("prices", "add", *price, "--valid", "2025-01-01", "")
    wanted = ("prices", "rerate", *DAY, "--provider", "nowhere", "--json")
    foreseen = json.loads(terminal.done(*wanted, "--dry-run"))
    [first, _] = json.loads(terminal.done("usage", "--json", "--provider", "nowhere"))
    assert first["cost_now_nanousd"] is None
    done = json.loads(terminal.done(*wanted, "--reason", "nobody knew"))
    assert done == foreseen
    assert done["calls_priced"] == 2
    assert done["difference_nanousd"] == 2 * (2518 * 1000 + 242 * 2000)
    assert json.loads(terminal.done(*wanted))["adjustments"] == 0
    [first, _] = json.loads(terminal.done("usage", "--json", "--provider", "nowhere"))
    assert (first["cost_nanousd"], first["cost_now_nanousd"]) == (None, 2518 * 1000 + 242 * 2000)
    assert json.loads(terminal.done("prices", "unpriced", "--json")) == []
    assert "0 attempts adjusted" in terminal.done("prices", "rerate", *DAY[:2], "--model", "none")
    assert terminal.done("doctor", "--books", "--deep") == ""
    assert await disagreements(database) == []


@on_sqlite
async def test_differences_are_asked_for_with_a_tolerance(terminal: Terminal) -> None:
    assert json.loads(terminal.done("prices", "differences", "--json")) == []
    refused = terminal.refused("prices", "differences", "--tolerance-percent", "some")
    assert "--tolerance-percent" in refused


@on_sqlite
@pytest.mark.parametrize(
    ("arguments", "word"),
    [
        (("--from", "2026-01-02", "--to", "2026-01-01"), "--from is not before"),
        (("--from", "yesterday"), "--from"),
        (("--from", "2026-01-01T10:00:00"), "zone"),
        (("--from", "2026-01-01", "--reason", ""), "--reason"),
    ],
)
async def test_a_period_that_is_none_is_refused(
    terminal: Terminal, arguments: tuple[str, ...], word: str
) -> None:
    assert word in terminal.refused("prices", "rerate", *arguments)


def test_an_instant_is_a_day_or_has_a_zone() -> None:
    assert read_instant("--at", "2026-01-01") == NOON_US - 12 * 3600 * SECOND_US
    assert read_instant("--at", "2026-01-01T13:00:00+01:00") == NOON_US
    with pytest.raises(InvalidRequestError):
        read_instant("--at", "2026-13-01")
