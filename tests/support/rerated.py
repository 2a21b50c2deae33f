"""Calls in the books and in the ledger, to be rated again by other prices."""

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

from sqlalchemy import insert

from tests.support.drained import SpyLedger, rows
from tests.support.recorded import NOON_US, CallSpec, ended_call, raw_of
from tollbridge.conclude import Conclusions, conclude
from tollbridge.core.account import CostComponent, CostOrigin, Rated
from tollbridge.core.call import new_id
from tollbridge.core.money import to_nanousd, to_usd
from tollbridge.core.usage import UsageSource
from tollbridge.insight.resource_queries import posted_provider_costs
from tollbridge.ledger.adjust import ZonedLedger
from tollbridge.ledger.books import books as ledger_books
from tollbridge.ledger.tables import budgets
from tollbridge.metering.estimate import EstimateRules
from tollbridge.rating.book import PriceBook
from tollbridge.rating.prices import PricePart, PriceRow
from tollbridge.recording import audit
from tollbridge.recording.adjust import Tools
from tollbridge.recording.adjustment_store import Run, Window
from tollbridge.recording.details import Source
from tollbridge.recording.rebuild import rebuild_rollups
from tollbridge.recording.reconsider import Only, RateAgain, StoredAttempt
from tollbridge.recording.record import Shelf, UnitBooks
from tollbridge.recording.rollups import Days
from tollbridge.recording.store import RecordingStore
from tollbridge.storage.unit import Database

BOOK = PriceBook(
    PricePart(
        rows=[
            PriceRow(
                id=new_id(0),
                provider="openai",
                model="gpt-4o-mini",
                unit=unit,
                rate_usd=rate,
                per=1_000_000,
                valid_from_us=0,
                valid_to_us=None,
                source="seed",
            )
            for unit, rate in (("input", "0.15"), ("output", "0.60"))
        ]
    )
)
"""What calls cost at first, at openai; nobody else has a price."""
HELD_BUDGET = "budget-1"
"""What `CallSpec.hold_nanousd` is held of."""
ORIGINALS = (
    "SELECT * FROM call_details",
    "SELECT * FROM call_attempts",
    "SELECT * FROM call_evidence",
)
DAY = Window(NOON_US - 43_200_000_000, NOON_US + 43_200_000_000)


def a_run(window: Window = DAY, provider: str = "", model: str = "", version: int = 1) -> Run:
    """Return a run as a person asks for it."""
    return Run(
        run_id="",
        window=window,
        only=Only(provider, model),
        prices_version=version,
        actor="ada",
        reason="the list was wrong",
    )


def dearer(times: int, without: Sequence[str] = ()) -> RateAgain:
    """Return prices: so many nano-USD a token of input; `without` are providers without one."""

    def rate_again(attempt: StoredAttempt) -> Rated:
        tokens = attempt.usage.get("input")
        if attempt.provider in without or attempt.usage.source is UsageSource.NONE:
            return Rated(cost_nanousd=None, unpriced_reason="no price")
        cost = (tokens or 0) * times
        amount = str(to_usd(cost))
        line = CostComponent("input", tokens or 0, str(to_usd(times)), 1, amount, "v-new")
        return Rated(to_nanousd(to_usd(cost)), CostOrigin.COMPUTED, cost, None, (line,))

    return rate_again


def tools(rate_again: RateAgain) -> Tools:
    """Return what a run is handed, with the real ledger."""
    return Tools(rate_again, ZonedLedger(UTC), Days(UTC))


async def put(database: Database, specs: Sequence[CallSpec]) -> list[str]:
    """Put calls into books and ledger by the prices of BOOK; return their ids."""
    evidence = [ended_call(spec) for spec in specs]
    accounts = [conclude(one, Conclusions(BOOK, EstimateRules())) for one in evidence]
    sources = {
        one.opened.call_id: Source("node-1", "worker-1", "segment", 0, raw_of(one))
        for one in evidence
    }
    async with database.write() as unit:
        shelf = Shelf(RecordingStore(unit.dialect), Days(UTC), 1000)
        books = UnitBooks(unit, shelf, SpyLedger(), sources, NOON_US)
        await books.settle(await books.record(accounts))
    return [one.opened.call_id for one in evidence]


async def add_budget(database: Database, limit_nanousd: int, period: str = "month") -> None:
    """Add the budget that calls hold from."""
    async with database.write() as unit:
        await unit.connection.execute(
            insert(budgets).values(
                budget_id=HELD_BUDGET,
                name="month",
                subject="key:ci",
                limit_amount=limit_nanousd,
                period=period,
                hard=True,
                enabled=True,
                source="api",
                created_at_us=0,
                updated_at_us=0,
            )
        )


async def originals(database: Database) -> Mapping[str, Sequence[Any]]:
    """Return every row that was written when the calls were closed, value by value."""
    return await contents(database, ORIGINALS)


async def contents(database: Database, queries: Sequence[str]) -> Mapping[str, Sequence[Any]]:
    """Return what some queries find, in a fixed order."""
    return {sql: sorted(await rows(database, sql), key=str) for sql in queries}


async def disagreements(database: Database) -> list[Any]:
    """Return every place where details, adjustments, roll-ups and ledger contradict each other."""
    async with database.read() as unit:
        found: list[Any] = [*await audit.books(unit), *await ledger_books(unit)]
        found += await rebuild_rollups(unit, UTC)
        billed, posted = await audit.provider_costs(unit), await posted_provider_costs(unit)
    posted = {provider: amount for provider, amount in posted.items() if amount}
    if billed != posted:
        found.append((billed, posted))
    return found
