"""Which prices does the program bring along?

One TOML file per provider under `catalogue/`: the provider, and tables `[[price]]` with model,
rates, the source that was read and the day it said so. A price that changed gets a new table with
`valid_from`, at which the one before it ends.
"""

import tomllib
from datetime import UTC, date, datetime
from importlib import resources

import msgspec

from tollbridge.core.clock import to_us
from tollbridge.core.errors import ConfigurationError
from tollbridge.rating.conditions import canonical
from tollbridge.rating.prices import FOREVER_AGO_US, DeclaredPrice, checked, read_rates


class SeedTable(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One `[[price]]` of a catalogue file."""

    model: str
    rates: dict[str, str]
    source: str
    as_of: date
    conditions: dict[str, str] = {}
    """Of which calls it speaks: conditions.py."""
    valid_from: date | None = None
    """The first day of the price, UTC; without one it has always held."""


class SeedFile(msgspec.Struct, frozen=True, forbid_unknown_fields=True):
    """One catalogue file."""

    provider: str
    price: list[SeedTable]


def seed_prices() -> list[DeclaredPrice]:
    """Return all prices of the catalogue that comes with the program."""
    folder = resources.files("tollbridge.rating") / "catalogue"
    prices: list[DeclaredPrice] = []
    for entry in sorted(folder.iterdir(), key=lambda entry: entry.name):
        if entry.name.endswith(".toml"):
            prices.extend(read_seed(entry.name, entry.read_text(encoding="utf-8")))
    return prices


def read_seed(name: str, text: str) -> list[DeclaredPrice]:
    """Return the prices of one catalogue file; `name` is used in errors.

    Raises ConfigurationError for what is no catalogue, a bad rate, or a unit that is priced twice
    from the same day on.
    """
    try:
        file = msgspec.convert(tomllib.loads(text), SeedFile)
    except (tomllib.TOMLDecodeError, msgspec.ValidationError) as error:
        raise ConfigurationError(f"{name}: {error}") from error
    stated: dict[tuple[str, str, str], dict[int, DeclaredPrice]] = {}
    for table in file.price:
        rates = read_rates(f"{name}: {table.model}: rates", table.rates)
        since_us = FOREVER_AGO_US if table.valid_from is None else _midnight_us(table.valid_from)
        for rate_name, (priced, rate) in rates.items():
            where = f"{name}: {table.model}: rates.{rate_name}"
            price = checked(
                DeclaredPrice(
                    provider=file.provider,
                    model=table.model,
                    unit=priced.unit,
                    rate_usd=rate,
                    per=priced.per,
                    conditions=table.conditions,
                    valid_from_us=since_us,
                    reference=table.source,
                    source_detail=name,
                    as_of=table.as_of,
                ),
                where,
            )
            place = (table.model, priced.unit, canonical(where, table.conditions))
            if stated.setdefault(place, {}).setdefault(since_us, price) is not price:
                raise ConfigurationError(f"{where}: priced twice")
    return [price for by_start in stated.values() for price in _in_turn(by_start)]


def _in_turn(by_start: dict[int, DeclaredPrice]) -> list[DeclaredPrice]:
    """Return the prices of one unit in time, each ending where the next begins."""
    starts = sorted(by_start)
    ends: list[int | None] = [*starts[1:], None]
    return [
        msgspec.structs.replace(by_start[start], valid_to_us=end)
        for start, end in zip(starts, ends, strict=True)
    ]


def _midnight_us(day: date) -> int:
    return to_us(datetime(day.year, day.month, day.day, tzinfo=UTC))
