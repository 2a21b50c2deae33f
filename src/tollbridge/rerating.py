"""What do calls of the past cost by the prices that are known now?

The three stages that re-rating takes: rating says what an attempt costs, recording writes down
what differs, the ledger posts it.
"""

from datetime import tzinfo

import msgspec

from tollbridge.core.account import Rated
from tollbridge.ledger.adjust import ZonedLedger
from tollbridge.rating.book import PriceBook
from tollbridge.rating.rate import rate
from tollbridge.rating.store import PART, load_part
from tollbridge.recording.adjust import Tools
from tollbridge.recording.reconsider import RateAgain, StoredAttempt
from tollbridge.recording.rollups import Days
from tollbridge.storage.unit import Database
from tollbridge.storage.versions import read_versions


class PricesNow(msgspec.Struct, frozen=True):
    """All prices at one moment, and the version of their part that says which moment."""

    book: PriceBook
    version: int


async def prices_now(database: Database) -> PricesNow:
    """Return the prices that are known now."""
    async with database.read() as unit:
        part = await load_part(unit)
        version = (await read_versions(unit)).get(PART, 0)
    return PricesNow(PriceBook(part), version)


def rate_again_by(book: PriceBook) -> RateAgain:
    """Return how an attempt in the books is rated: as it was first, with these prices."""

    def rate_again(attempt: StoredAttempt) -> Rated:
        served, model = attempt.served_model, attempt.model
        models = (model,) if served is None else (served, model)
        return rate(attempt.usage, attempt.provider, models, attempt.started_at_us, book)

    return rate_again


def make_tools(prices: PricesNow, zone: tzinfo) -> Tools:
    """Return what `recording.adjust.rerate` is handed; `zone` is the billing time zone."""
    return Tools(rate_again_by(prices.book), ZonedLedger(zone), Days(zone))
