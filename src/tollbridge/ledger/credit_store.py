"""What does each operation take in credits, and who changes that?"""

from collections.abc import Sequence
from typing import Any

import msgspec
from sqlalchemy import Row, delete, select, tuple_, update
from sqlalchemy import insert as sql_insert

from tollbridge.core.errors import ConflictError, NotFoundError
from tollbridge.ledger.credit_tables import credit_rates
from tollbridge.ledger.credits import CreditRate, CreditRates, check_rate, rates_of
from tollbridge.ledger.store import PART
from tollbridge.storage import audit, versions
from tollbridge.storage.unit import Unit

RATES_MAX = 10_000
"""Most rates that are kept: all of them travel to the workers."""
ROWS_MAX = 1001
FILE, API = "file", "api"
"""Who may change a rate; "seed" is as good as "api"."""


class CreditRateRow(msgspec.Struct, frozen=True):
    """A rate as the control plane shows it."""

    rate: CreditRate
    source: str
    updated_at_us: int
    updated_by: str


async def load_rates(unit: Unit) -> CreditRates:
    """Return all rates, for the limits' part of the snapshot."""
    found = await unit.connection.execute(select(credit_rates).limit(RATES_MAX))
    return rates_of(_row(row).rate for row in found)


async def list_rates(
    unit: Unit, after: tuple[str, str] | None = None, limit: int = ROWS_MAX
) -> list[CreditRateRow]:
    """Return a page of rates by operation and model, at most 1,001, beginning behind `after`."""
    columns = credit_rates.c
    query = select(credit_rates).order_by(columns.operation, columns.model)
    if after is not None:
        query = query.where(tuple_(columns.operation, columns.model) > after)
    return [_row(row) for row in await unit.connection.execute(query.limit(min(limit, ROWS_MAX)))]


async def put_rate(unit: Unit, rate: CreditRate, *, actor: str) -> CreditRateRow:
    """Say what an operation takes from now on; calls of the past keep what they took.

    Raises InvalidRequestError, and ConflictError for a rate that the configuration file declares.
    """
    check_rate(rate)
    await _require_free(unit, rate)
    row = await _put(unit, rate, API, actor)
    await versions.bump(unit, PART)
    return row


async def remove_rate(unit: Unit, operation: str, model: str, *, actor: str) -> None:
    """Take a rate away; then that of the operation counts, or none.

    Raises NotFoundError, and ConflictError for a rate that the configuration file declares.
    """
    gone = CreditRate(operation, model)
    await _require_free(unit, gone)
    found = await unit.connection.execute(delete(credit_rates).where(_of(gone)))
    if found.rowcount == 0:
        raise NotFoundError("there is no credit rate of that operation and model")
    await audit.record(unit, actor, "credit_rates.remove", _subject(gone))
    await versions.bump(unit, PART)


async def apply(unit: Unit, declared: Sequence[CreditRate], *, actor: str) -> None:
    """Make the file's rates what the file says, take away those it no longer declares.

    Twice is once. A rate of another source that the file declares too is the file's from then on.
    """
    found = await unit.connection.execute(select(credit_rates).limit(RATES_MAX))
    rows = {(row.rate.operation, row.rate.model): row for row in (_row(one) for one in found)}
    wanted = {(rate.operation, rate.model): rate for rate in declared}
    changed = [
        rate
        for place, rate in wanted.items()
        if place not in rows or (rows[place].rate, rows[place].source) != (rate, FILE)
    ]
    gone = [row.rate for place, row in rows.items() if row.source == FILE and place not in wanted]
    for rate in changed:
        check_rate(rate)
        await _put(unit, rate, FILE, actor)
    for rate in gone:
        await unit.connection.execute(delete(credit_rates).where(_of(rate)))
        await audit.record(unit, actor, "credit_rates.remove", _subject(rate))
    if changed or gone:
        await versions.bump(unit, PART)


async def _put(unit: Unit, rate: CreditRate, source: str, actor: str) -> CreditRateRow:
    now_us = await unit.now_us()
    by = actor[: audit.ACTOR_LENGTH_MAX]
    fields = msgspec.structs.asdict(rate)
    values = {**fields, "source": source, "updated_at_us": now_us, "updated_by": by}
    changed = await unit.connection.execute(update(credit_rates).where(_of(rate)).values(**values))
    if changed.rowcount == 0:
        known = await unit.connection.execute(select(credit_rates.c.model).limit(RATES_MAX))
        if len(known.all()) >= RATES_MAX:
            raise ConflictError(f"there are {RATES_MAX} credit rates, and no more can be kept")
        await unit.connection.execute(sql_insert(credit_rates).values(**values))
    details = {
        name: str(value)
        for name, value in fields.items()
        if value is not None and name not in {"operation", "model"}
    }
    await audit.record(unit, actor, "credit_rates.set", _subject(rate), details)
    return CreditRateRow(rate, source, now_us, by)


async def _require_free(unit: Unit, rate: CreditRate) -> None:
    found = await unit.connection.execute(select(credit_rates.c.source).where(_of(rate)))
    if found.scalar() == FILE:
        raise ConflictError("this credit rate is declared in the configuration file")


def _of(rate: CreditRate) -> Any:
    columns = credit_rates.c
    return (columns.operation == rate.operation) & (columns.model == rate.model)


def _subject(rate: CreditRate) -> str:
    return f"credit_rate:{rate.operation} {rate.model}".strip()


def _row(row: Row[Any]) -> CreditRateRow:
    rate = CreditRate(**{name: getattr(row, name) for name in CreditRate.__struct_fields__})
    return CreditRateRow(rate, row.source, row.updated_at_us, row.updated_by)
