"""What is a price, and which ones are refused?"""

from collections.abc import Iterable, Mapping
from datetime import date
from decimal import Decimal
from enum import StrEnum
from typing import Any

import msgspec

from tollbridge.core.errors import ConfigurationError
from tollbridge.core.money import parse_usd
from tollbridge.core.usage import Unit
from tollbridge.rating import conditions as rules
from tollbridge.rating.matchers import check_matcher
from tollbridge.rating.unit_names import FILE_NAMES, Priced

RATE_USD_MAX = Decimal(1_000_000)
"""A rate above this is a slip of the pen. Per 1M tokens or per piece."""
RATE_USD_STEP = Decimal("1e-12")
"""A rate is a multiple of this; with the million below it, a price is exact to 1e-18 USD."""
COST_USD_MAX = Decimal(1_000_000_000)
"""Nothing costs more; it also keeps nano-USD within the 64 bits of a database's integer."""
PER_MAX = 100_000_000
EXACT_PERS = frozenset(10**places for places in range(7))
"""By these a rate is divided exactly; by another one each line is rounded to 1e-18 USD."""
QUANTITY_MAX = 10**12
RATE_TEXT_MAX = 40
NAME_MAX = 200
REFERENCE_MAX = 300
COMMENT_MAX = 2000
AS_OF_LENGTH = len("2026-11-01")
HASH_LENGTH = 64
FOREVER_AGO_US = 0
"""Prices of the catalogue hold from 1970 on, so that old calls can be priced."""
UNITS = frozenset(unit.value for unit in Unit)


class Source(StrEnum):
    """Who stated a price, lowest rank first. `file` replaces the tariff of a model whole."""

    SEED = "seed"  # the catalogue that comes with the program
    IMPORT = "import"  # a file that somebody imported
    SYNC = "sync"  # a list that is fetched
    FILE = "file"  # a [[price]] of the operator's configuration
    OPERATOR = "operator"  # somebody, by hand


class Status(StrEnum):
    """What became of a version: its last event."""

    PROPOSED = "proposed"  # stated, but contradicts what holds; waits for somebody
    ACTIVE = "active"
    DISPUTED = "disputed"  # holds, and is doubted
    SUPERSEDED = "superseded"  # nothing is left of its time
    REJECTED = "rejected"
    WITHDRAWN = "withdrawn"  # in its time there is no price


class PriceRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """What one version says of one interval, from `valid_from_us` until before `valid_to_us`."""

    id: str
    provider: str
    model: str
    """A matcher: a name, or with * a prefix or a pattern."""
    unit: str
    rate_usd: str | None
    """Decimal text, for `per` units; None: there is no price, whatever lower sources say."""
    per: int
    valid_from_us: int
    valid_to_us: int | None
    source: str
    conditions: str = ""
    quantity_min: int | None = None
    quantity_step: int | None = None


class AliasRow(msgspec.Struct, frozen=True, array_like=True, gc=False):
    """Another name (a matcher too) of a priced model."""

    provider: str
    alias: str
    model: str


class PricePart(msgspec.Struct, frozen=True):
    """All that holds: the part of a worker's snapshot that `PriceBook` is built from."""

    rows: list[PriceRow]
    aliases: list[AliasRow] = []


class DeclaredPrice(msgspec.Struct, frozen=True, kw_only=True):
    """One price as somebody states it. `checked` says what is refused."""

    provider: str
    model: str
    unit: str
    rate_usd: Decimal
    per: int
    conditions: dict[str, str] = {}
    quantity_min: int | None = None
    """At least so many units are billed, of any that are used at all."""
    quantity_step: int | None = None
    """The billed quantity is a multiple of this, rounded up."""
    valid_from_us: int | None = None
    """None: from the moment it is applied, or always, if nothing was known of the model."""
    valid_to_us: int | None = None
    reference: str | None = None
    """Where the figure was read."""
    as_of: date | None = None
    """When that place said so."""
    source_detail: str | None = None
    """Which edition of the source: "genai-prices 0.2.3", a file's name."""
    content_hash: str | None = None
    """The SHA-256 of the source's own statement, in hexadecimal."""
    comment: str | None = None


class DeclaredAlias(msgspec.Struct, frozen=True):
    """Another name of a priced model, as somebody states it."""

    provider: str
    alias: str
    model: str


class FilePrice(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[price]]` of the configuration file."""

    provider: str
    model: str
    rates: dict[str, Any]
    """Unit → US dollars, as text."""


def checked(price: DeclaredPrice, where: str | None = None) -> DeclaredPrice:
    """Return a price with its conditions in canonical order and its rate without useless digits.

    Raises ConfigurationError, naming the field, for whatever cannot be kept or would not be
    priced: names, unit, rate, per, conditions, quantities, a time that ends before it begins.
    """
    at = where or f"price {price.provider}/{price.model}"
    for field, text, length_max in (
        ("provider", price.provider, NAME_MAX),
        ("model", price.model, NAME_MAX),
    ):
        if not 0 < len(text) <= length_max or not text.isprintable():
            raise ConfigurationError(f"{at}: {field} needs 1 to {length_max} characters")
    check_matcher(f"{at}: model", price.model)
    if price.unit not in UNITS:
        raise ConfigurationError(f"{at}: unit: there is no unit {price.unit!r}")
    unit_at = f"{at}: {price.unit}"
    if not 0 < price.per <= PER_MAX:
        raise ConfigurationError(f"{unit_at}: per is from 1 to {PER_MAX}, not {price.per}")
    for field, quantity in (
        ("quantity_min", price.quantity_min),
        ("quantity_step", price.quantity_step),
    ):
        if quantity is not None and not 0 < quantity <= QUANTITY_MAX:
            raise ConfigurationError(f"{unit_at}: {field} is from 1 to {QUANTITY_MAX}")
    _check_times(unit_at, price)
    _check_texts(unit_at, price)
    stated = rules.as_mapping(rules.canonical(f"{unit_at}: conditions", price.conditions))
    if rules.GRADUATED_ABOVE in stated and (price.quantity_min or price.quantity_step):
        raise ConfigurationError(f"{unit_at}: a bracket has no quantity_min or quantity_step")
    return msgspec.structs.replace(
        price, conditions=stated, rate_usd=read_rate(unit_at, price.rate_usd)
    )


def _check_times(at: str, price: DeclaredPrice) -> None:
    since_us, until_us = price.valid_from_us, price.valid_to_us
    for field, value in (("valid_from", since_us), ("valid_to", until_us)):
        if value is not None and not 0 <= value < 2**63:
            raise ConfigurationError(f"{at}: {field} is no time since 1970")
    if until_us is not None and until_us <= (since_us or 0):
        raise ConfigurationError(f"{at}: valid_to is not after valid_from")


def _check_texts(at: str, price: DeclaredPrice) -> None:
    for field, text, length_max in (
        ("reference", price.reference, REFERENCE_MAX),
        ("source_detail", price.source_detail, NAME_MAX),
        ("content_hash", price.content_hash, HASH_LENGTH),
        ("comment", price.comment, COMMENT_MAX),
    ):
        if text is not None and len(text) > length_max:
            raise ConfigurationError(f"{at}: {field} has over {length_max} characters")


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


def read_rates(where: str, rates: Mapping[str, object]) -> dict[str, tuple[Priced, Decimal]]:
    """Return the rates of one table of unit names, by name: of which unit, for how many, how much.

    Raises ConfigurationError for an empty table, and for an unknown unit or a bad rate as
    "WHERE.UNIT: why".
    """
    if not rates:
        raise ConfigurationError(f"{where}: no rate is given")
    name_of: dict[str, str] = {}
    for name in rates:
        if name not in FILE_NAMES:
            known = ", ".join(sorted(FILE_NAMES))
            raise ConfigurationError(f"{where}.{name}: no such unit; known are {known}")
        other = name_of.setdefault(FILE_NAMES[name].unit, name)
        if other != name:
            raise ConfigurationError(f"{where}.{name}: the same unit as {other}")
    return {
        name: (FILE_NAMES[name], read_rate(f"{where}.{name}", value))
        for name, value in rates.items()
    }


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
        check_matcher(f"{where}: model", price.model)
        declared.extend(
            DeclaredPrice(
                provider=price.provider,
                model=price.model,
                unit=priced.unit,
                rate_usd=rate,
                per=priced.per,
            )
            for priced, rate in read_rates(f"{where}: rates", price.rates).values()
        )
    return declared
