"""What is a price, and which ones are refused?"""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec

from tollbridge.core.errors import ConfigurationError
from tollbridge.core.money import parse_usd
from tollbridge.core.usage import PARENT_OF, Unit

IMAGE = "image"
TOKENS_PER = 1_000_000
RATE_USD_MAX = Decimal(1_000_000)
"""A rate above this is a slip of the pen. Per 1M tokens or per piece."""
RATE_USD_STEP = Decimal("1e-12")
"""A rate is a multiple of this; with the million below it, a price is exact to 1e-18 USD."""
COST_USD_MAX = Decimal(1_000_000_000)
"""Nothing costs more; it also keeps nano-USD within the 64 bits of a database's integer."""
RATE_TEXT_MAX = 40
NAME_MAX = 200
REFERENCE_MAX = 300
AS_OF_LENGTH = len("2026-11-01")
FOREVER_AGO_US = 0
"""Prices of the catalogue hold from 1970 on, so that old calls can be priced."""

# Token rates are per million, everything else per piece.
PER_OF: Mapping[str, int] = {
    **{unit.value: TOKENS_PER for unit in Unit if unit is not Unit.REQUEST},
    Unit.REQUEST.value: 1,
    IMAGE: 1,
}
FILE_UNITS = frozenset(unit.value for unit in Unit)
"""What the configuration file may price; images come with the calls that make them."""
PARENT: Mapping[str, str] = {child.value: parent.value for child, parent in PARENT_OF.items()}


class Source(StrEnum):
    """Who stated a price. Of several for one model the last of these is used, whole."""

    SEED = "seed"  # the catalogue that comes with the program
    FILE = "file"  # a [[price]] of the operator's configuration


class Status(StrEnum):
    """Whether a version gives a price or takes one back."""

    ACTIVE = "active"
    WITHDRAWN = "withdrawn"


class PriceRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """One price version: from `valid_from_us` until before `valid_to_us` (None: open)."""

    id: str
    provider: str
    model: str
    unit: str
    rate_usd: str | None
    """Decimal text, for `per` units; None where the version withdraws the price."""
    per: int
    valid_from_us: int
    valid_to_us: int | None
    recorded_at_us: int
    source: str
    status: str = Status.ACTIVE.value


class PricePart(msgspec.Struct, frozen=True):
    """All price versions: the part of a worker's snapshot that `PriceBook` is built from."""

    rows: list[PriceRow]


class DeclaredPrice(msgspec.Struct, frozen=True, kw_only=True):
    """One price as a file states it."""

    provider: str
    model: str
    unit: str
    rate_usd: Decimal
    per: int
    valid_from_us: int | None = None
    """None: from the moment it is applied."""
    valid_to_us: int | None = None
    reference: str | None = None
    """Where the figure was read."""
    as_of: date | None = None
    """When that place said so."""


class FilePrice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[price]]` of the configuration file."""

    provider: str
    model: str
    rates: dict[str, Any]
    """Unit → US dollars, as text."""


def read_rate(field: str, value: object) -> Decimal:
    """Return a rate in US dollars.

    Raises ConfigurationError, naming `field`, for what is no finite number, is negative, is above
    RATE_USD_MAX or finer than RATE_USD_STEP. A float is refused: it is not what was written.
    """
    if isinstance(value, float):
        raise ConfigurationError(f'{field}: write the rate as text, "{value}"')
    if isinstance(value, bool) or not isinstance(value, str | int | Decimal):
        raise ConfigurationError(f"{field}: a rate is decimal text, not {type(value).__name__}")
    text = str(value)
    if len(text) > RATE_TEXT_MAX:
        raise ConfigurationError(f"{field}: a rate of {len(text)} characters is refused")
    try:
        rate = parse_usd(text)
    except ValueError as error:
        raise ConfigurationError(f"{field}: {error}") from error
    if rate < 0:
        raise ConfigurationError(f"{field}: {text} is negative")
    if rate > RATE_USD_MAX:
        raise ConfigurationError(f"{field}: {text} is above {RATE_USD_MAX} USD")
    stepped = rate.quantize(RATE_USD_STEP)
    if stepped != rate:
        raise ConfigurationError(f"{field}: {text} is finer than {RATE_USD_STEP} USD")
    return stepped.copy_abs().normalize()


def read_rates(
    where: str, rates: Mapping[str, object], units: frozenset[str]
) -> dict[str, Decimal]:
    """Return the rates of one table, by unit.

    Raises ConfigurationError for an empty table, and for an unknown unit or a bad rate as
    "WHERE.UNIT: why".
    """
    if not rates:
        raise ConfigurationError(f"{where}: no rate is given")
    for unit in rates:
        if unit not in units:
            known = ", ".join(sorted(units))
            raise ConfigurationError(f"{where}.{unit}: no such unit; known are {known}")
    return {unit: read_rate(f"{where}.{unit}", value) for unit, value in rates.items()}


def read_file_prices(prices: Iterable[FilePrice]) -> list[DeclaredPrice]:
    """Return the prices that the configuration file declares, one per unit.

    Raises ConfigurationError, naming table and field, for what cannot be applied.
    """
    declared: list[DeclaredPrice] = []
    seen: set[tuple[str, str]] = set()
    for price in prices:
        where = f"price {price.provider}/{price.model}"
        for field, name in (("provider", price.provider), ("model", price.model)):
            if not 0 < len(name) <= NAME_MAX:
                raise ConfigurationError(f"{where}: {field} needs 1 to {NAME_MAX} characters")
        if (price.provider, price.model) in seen:
            raise ConfigurationError(f"{where}: declared twice")
        seen.add((price.provider, price.model))
        rates = read_rates(f"{where}: rates", price.rates, FILE_UNITS)
        declared.extend(
            DeclaredPrice(
                provider=price.provider,
                model=price.model,
                unit=unit,
                rate_usd=rate,
                per=PER_OF[unit],
            )
            for unit, rate in rates.items()
        )
    return declared
