"""By which prices and ratios are calls concluded: in workers, office and replay alike?"""

from tollbridge.attribution.ruling import Rules
from tollbridge.conclude import Conclusions
from tollbridge.metering.estimate import EstimateRules
from tollbridge.rating.book import PriceBook
from tollbridge.rating.prices import PricePart
from tollbridge.settings import Settings


def make_conclusions(
    settings: Settings, prices: PricePart, attribution: Rules | None = None
) -> Conclusions:
    """Return what stages 6 to 8 work by: these prices, and the operator's ratios of estimates.

    A worker only charges, and needs no rules of attribution.
    """
    rules = EstimateRules(
        bytes_per_token=settings.estimate_bytes_per_token,
        tokens_per_chunk=settings.estimate_tokens_per_chunk,
    )
    return Conclusions(PriceBook(prices), rules, attribution)
