"""What would a nominal call cost now? For putting providers in order, never for a bill.

A nominal call is of one size for all of a category, so that figures can be compared: 1,000 tokens
of text of which a quarter is output, one square image, five seconds of film, a thousand characters
of speech. Planning prices are figures of the same kind.
"""

from collections.abc import Callable, Mapping
from decimal import Decimal

from tollbridge.core.call import Category
from tollbridge.core.money import to_usd
from tollbridge.core.usage import Unit, Usage, UsageSource
from tollbridge.rating.book import PriceBook
from tollbridge.rating.rate import rate

SCALE = 1000
"""So many calls are priced at once: a single cheap one would be lost in the rounding."""
SIDE_PIXELS = 1024

_COUNTS: Mapping[str, Mapping[str, int]] = {
    Category.TEXT: {Unit.INPUT: 750, Unit.OUTPUT: 250},
    Category.IMAGE: {Unit.IMAGE: 1, Unit.PIXEL: SIDE_PIXELS * SIDE_PIXELS},
    Category.VIDEO: {Unit.VIDEO: 1, Unit.VIDEO_MS: 5000},
    Category.AUDIO: {Unit.CHARACTER: 1000},
    Category.EMBEDDING: {Unit.INPUT: 1000},
    Category.RERANK: {Unit.SEARCH: 1},
}
_FACTS: Mapping[str, Mapping[str, str]] = {
    Category.IMAGE: {"size": "1024x1024", "quality": "standard"},
    Category.VIDEO: {"resolution": "720p", "duration_s": "5"},
}
_NONE: Mapping[str, str] = {}


def nominal_usd(
    book: PriceBook, provider: str, model: str, category: str, at_us: int
) -> Decimal | None:
    """Return what a nominal call of a category costs in USD, None where the catalogue has no price.

    None too where the price depends on what a nominal call does not say.
    """
    counts = _COUNTS.get(category)
    if counts is None:
        return None
    usage = Usage(
        counts={str(unit): count * SCALE for unit, count in counts.items()},
        source=UsageSource.ESTIMATED,
        facts=dict(_FACTS.get(category, _NONE)),
    )
    rated = rate(usage, provider, (model,), at_us, book)
    if rated.cost_nanousd is None:
        return None
    return to_usd(rated.cost_nanousd) / SCALE


def prices_at(book: PriceBook, at_us: int) -> Callable[[str, str, str], Decimal | None]:
    """Return what says of provider, model and category what a nominal call costs at an instant."""

    def price(provider: str, model: str, category: str) -> Decimal | None:
        return nominal_usd(book, provider, model, category, at_us)

    return price
