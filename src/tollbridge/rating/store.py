"""How are prices kept, added and read? All SQL of rating."""

from collections.abc import Callable, Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import String, insert, select, type_coerce

from tollbridge.core.call import new_id
from tollbridge.core.errors import ConfigurationError
from tollbridge.rating.book import latest_recorded
from tollbridge.rating.prices import (
    FOREVER_AGO_US,
    NAME_MAX,
    REFERENCE_MAX,
    DeclaredPrice,
    FilePrice,
    PricePart,
    PriceRow,
    Source,
    Status,
    read_file_prices,
)
from tollbridge.rating.seed import seed_prices
from tollbridge.rating.tables import price_versions
from tollbridge.storage import versions
from tollbridge.storage.types import decimal_text
from tollbridge.storage.unit import Unit

PART = "prices"

ModelKey = tuple[str, str]
Added = tuple[PriceRow, DeclaredPrice | None]
"""A new row, and the statement it comes from; None for a withdrawal."""
Additions = Callable[[list[PriceRow], int], list[Added]]


async def load_part(unit: Unit) -> PricePart:
    """Return all price versions, for a `PriceBook`."""
    return PricePart(rows=await _load(unit))


async def seed(unit: Unit, now_us: int, declared: Sequence[DeclaredPrice] | None = None) -> int:
    """Add the versions of the catalogue that the database does not have yet; return how many.

    Run it before `apply_file_prices`. Without `declared` the catalogue that comes with the
    program is taken. A figure that the catalogue corrects is a later row for the same time.
    """
    prices = seed_prices() if declared is None else declared
    for price in prices:
        if len(price.model) > NAME_MAX or len(price.reference or "") > REFERENCE_MAX:
            raise ConfigurationError(f"catalogue: {price.provider}/{price.model}: text too long")

    def additions(rows: list[PriceRow], recorded_at_us: int) -> list[Added]:
        return _seed_additions(rows, prices, recorded_at_us)

    return await _add(unit, now_us, additions)


async def apply_file_prices(unit: Unit, prices: Iterable[FilePrice], now_us: int) -> int:
    """Bring the prices of the configuration file into effect; return how many versions it took.

    An unchanged price adds none. A changed one holds from `now_us` on, one that the file no
    longer declares is withdrawn from then on, and what the catalogue says holds again. The first
    price ever known of a model holds for all time. Raises ConfigurationError naming the field.
    """
    declared = read_file_prices(prices)

    def additions(rows: list[PriceRow], recorded_at_us: int) -> list[Added]:
        return _file_additions(rows, declared, now_us, recorded_at_us)

    return await _add(unit, now_us, additions)


async def _add(unit: Unit, now_us: int, additions: Additions) -> int:
    if not additions(await _load(unit), now_us):
        return 0
    # Two nodes that start at once: the part's row makes the second wait, and look again.
    await versions.bump(unit, PART)
    rows = await _load(unit)
    # Later than all that is recorded, so that the last row recorded is the last one applied.
    added = additions(rows, max([now_us, *(row.recorded_at_us + 1 for row in rows)]))
    if added:
        records = [_record(row, statement) for row, statement in added]
        await unit.connection.execute(insert(price_versions), records)
    return len(added)


async def _load(unit: Unit) -> list[PriceRow]:
    columns = price_versions.c
    found = await unit.connection.execute(
        select(
            columns.price_version_id,
            columns.provider,
            columns.model,
            columns.unit,
            type_coerce(columns.rate_usd, String),  # the text itself, to be parsed once
            columns.per,
            columns.valid_from_us,
            columns.valid_to_us,
            columns.recorded_at_us,
            columns.source,
            columns.status,
        )
    )
    return [PriceRow(*row) for row in found]


def _record(row: PriceRow, statement: DeclaredPrice | None) -> dict[str, Any]:
    record = msgspec.structs.asdict(row)
    record["price_version_id"] = record.pop("id")
    record["rate_usd"] = None if statement is None else statement.rate_usd
    record["reference"] = None if statement is None else statement.reference
    as_of = None if statement is None else statement.as_of
    record["as_of"] = None if as_of is None else as_of.isoformat()
    return record


def _seed_additions(
    rows: Sequence[PriceRow], prices: Sequence[DeclaredPrice], recorded_at_us: int
) -> list[Added]:
    """Return the catalogue's prices that differ from the last recorded row of the same start."""
    known: dict[tuple[str, str, str, int | None], PriceRow] = {}
    for row in sorted(rows, key=lambda row: (row.recorded_at_us, row.id)):
        if row.source == Source.SEED.value:
            known[row.provider, row.model, row.unit, row.valid_from_us] = row
    added: list[Added] = []
    for price in prices:
        row = known.get((price.provider, price.model, price.unit, price.valid_from_us))
        stated = (decimal_text(price.rate_usd), price.per, price.valid_to_us)
        if row is None or (row.rate_usd, row.per, row.valid_to_us) != stated:
            since_us = FOREVER_AGO_US if price.valid_from_us is None else price.valid_from_us
            added.append((_row(price, Source.SEED, since_us, recorded_at_us), price))
    return added


def _file_additions(
    rows: Sequence[PriceRow],
    declared: Sequence[DeclaredPrice],
    now_us: int,
    recorded_at_us: int,
) -> list[Added]:
    """Return the rows that lead from what the file said before to what it says now."""
    rows_of: dict[ModelKey, list[PriceRow]] = {}
    for row in rows:
        rows_of.setdefault((row.provider, row.model), []).append(row)
    current: dict[tuple[str, str, str], PriceRow] = {}
    for (provider, model), versions_of_model in rows_of.items():
        for (source, unit), row in latest_recorded(versions_of_model, now_us).items():
            if source == Source.FILE.value and row.status == Status.ACTIVE.value:
                current[provider, model, unit] = row
    added: list[Added] = []
    for price in declared:
        row = current.pop((price.provider, price.model, price.unit), None)
        if row is None or (row.rate_usd, row.per) != (decimal_text(price.rate_usd), price.per):
            known = (price.provider, price.model) in rows_of
            since_us = now_us if known else FOREVER_AGO_US
            added.append((_row(price, Source.FILE, since_us, recorded_at_us), price))
    added.extend((_withdrawal(row, now_us, recorded_at_us), None) for row in current.values())
    return added


def _withdrawal(row: PriceRow, now_us: int, recorded_at_us: int) -> PriceRow:
    return msgspec.structs.replace(
        row,
        id=new_id(recorded_at_us),
        rate_usd=None,
        valid_from_us=now_us,
        valid_to_us=None,
        recorded_at_us=recorded_at_us,
        status=Status.WITHDRAWN.value,
    )


def _row(price: DeclaredPrice, source: Source, since_us: int, recorded_at_us: int) -> PriceRow:
    return PriceRow(
        id=new_id(recorded_at_us),
        provider=price.provider,
        model=price.model,
        unit=price.unit,
        rate_usd=decimal_text(price.rate_usd),
        per=price.per,
        valid_from_us=since_us,
        valid_to_us=price.valid_to_us,
        recorded_at_us=recorded_at_us,
        source=source.value,
    )
