"""By which of its measures is a picture, a film or a sound billed?

An answer may be counted in several ways at once: an image in pieces, pixels and tokens, a video
in clips and milliseconds. It is billed by one of them, and never by none.
"""

from collections.abc import Mapping
from typing import NamedTuple

from tollbridge.core.usage import Unit
from tollbridge.rating.tariff import Prices
from tollbridge.rating.unit_names import PIECES, TOKENS

MEASURED = frozenset(
    unit.value
    for unit in PIECES
    if unit not in {Unit.REQUEST, Unit.WEB_SEARCH, Unit.STORAGE_SEARCH}
)
"""Units of which one may stand for another; where none occurs there is nothing to choose."""
OUTPUT_TOKENS = frozenset(
    {
        Unit.OUTPUT.value,
        Unit.REASONING.value,
        Unit.AUDIO_OUTPUT.value,
        Unit.IMAGE_OUTPUT.value,
        Unit.VIDEO_OUTPUT.value,
        Unit.CITATION.value,
    }
)
COMPUTE_MS = Unit.COMPUTE_MS.value
REQUEST = Unit.REQUEST.value
SEARCH = Unit.SEARCH.value
INPUT = Unit.INPUT.value
OTHERWISE_BILLED = (
    Unit.CHARACTER.value,
    Unit.AUDIO_MS.value,
    Unit.MESSAGE.value,
    SEARCH,
    COMPUTE_MS,
)
"""Measures that need no price of their own where the call is billed by another one."""


class Product(NamedTuple):
    """What was made, by its tokens or else by the first of its measures that has a price."""

    tokens: tuple[str, ...]
    measures: tuple[str, ...]


PRODUCTS = (
    Product((Unit.IMAGE_OUTPUT.value, Unit.OUTPUT.value), (Unit.IMAGE.value, Unit.PIXEL.value)),
    Product(
        (Unit.VIDEO_OUTPUT.value, Unit.OUTPUT.value),
        # The real length before the clip.
        (Unit.VIDEO_MS.value, Unit.PIXEL_FRAME.value, Unit.VIDEO.value),
    ),
)


def chosen(counts: Mapping[str, int], prices: Prices) -> dict[str, int]:
    """Return the counts to bill, without those for which another one stands.

    A measure for which nothing stands stays, with or without a price.
    """
    units = prices.units
    kept = dict(counts)
    billed = [product for product in PRODUCTS if _bill_once(product, kept, prices)]
    if billed:
        kept.pop(COMPUTE_MS, None)
    if kept.get(SEARCH) and SEARCH in units and INPUT not in units:
        kept.pop(INPUT, None)  # scores are billed by searches or by tokens
    is_billed = REQUEST in units or any(
        quantity and unit in units for unit, quantity in kept.items()
    )
    if is_billed:
        for unit in OTHERWISE_BILLED:
            if unit in kept and unit not in units:
                del kept[unit]
    return kept


def _bill_once(product: Product, counts: dict[str, int], prices: Prices) -> bool:
    """Leave of a product one measure, or its tokens; return whether it is billed by a measure."""
    units = prices.units
    counted = [measure for measure in product.measures if counts.get(measure)]
    if not counted:
        return False
    best = None
    if not any(counts.get(unit) and unit in units for unit in product.tokens):
        best = next((measure for measure in counted if measure in units), None)
        by_time = counts.get(COMPUTE_MS) and COMPUTE_MS in units
        if best is None and not by_time and REQUEST not in units:
            return False  # nothing stands for it
        _forget_tokens(counts, prices)
    for measure in counted:
        if measure != best:
            del counts[measure]
    return best is not None


def _forget_tokens(counts: dict[str, int], prices: Prices) -> None:
    """Leave out the tokens of what is billed by the piece.

    Those of the prompt stay where they are priced beside the piece; where the output has a price
    by tokens too, the two are different tariffs of the same thing.
    """
    by_tokens = not OUTPUT_TOKENS.isdisjoint(prices.units)
    for unit in TOKENS.intersection(counts):
        if unit in OUTPUT_TOKENS or by_tokens or INPUT not in prices.units:
            del counts[unit]
