"""How is an amount of a limit said, and how is it read?

Money is decimal text in US dollars, credits are decimal text; all else are whole numbers.
"""

from collections.abc import Mapping
from decimal import Decimal
from types import MappingProxyType

from tollbridge.core.limits import LimitKind
from tollbridge.core.money import parse_usd, usd_text

# 10^18: a billion dollars in nano-USD, with room to spare in 64 bits for sums.
AMOUNT_MAX = 10**18
MICRO = 1_000_000
_PLACES: Mapping[LimitKind, int] = MappingProxyType({LimitKind.MONEY: 9, LimitKind.CREDITS: 6})
UNIT_NAMES: Mapping[LimitKind, str] = MappingProxyType(
    {LimitKind.MONEY: "USD", LimitKind.AUDIO: "audio calls"}
)
"""How a kind's unit is said, where it is not the kind's own name."""


def amount_text(kind: LimitKind, amount: int) -> str:
    """Return an amount as plain decimal text: 450000 nano-USD are "0.00045"."""
    if kind is LimitKind.MONEY:
        return usd_text(amount)
    if kind is LimitKind.CREDITS:
        text = f"{Decimal(amount).scaleb(-6):f}"
        return text.rstrip("0").rstrip(".") if "." in text else text
    return str(amount)


def parse_amount(kind: LimitKind, text: str) -> int:
    """Read an amount in the unit of a kind: 0 allows none.

    Raises ValueError where it is no number, negative, too large, or finer than the unit.
    """
    places = _PLACES.get(kind, 0)
    try:
        amount = parse_usd(text)
    except ValueError:
        raise ValueError(f"{text!r} is no finite number") from None
    if amount < 0:
        raise ValueError(f"{text} is negative; 0 allows none")
    # Not scaled yet: a number of a million digits does not scale.
    if amount > Decimal(AMOUNT_MAX).scaleb(-places):
        most = amount_text(kind, AMOUNT_MAX)
        raise ValueError(f"{text} is over {most}")
    scaled = amount.scaleb(places)
    if scaled != int(scaled):
        finest = f"at most {places} decimal places" if places else "a whole number"
        raise ValueError(f"{text} is not {finest}")
    return int(scaled)
