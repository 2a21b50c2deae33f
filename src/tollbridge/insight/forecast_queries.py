"""What was taken from each wallet on each day? SQL, read-only.

Of budgets, the days are in the roll-ups; a wallet's are in its statement.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, func, literal_column, select

from tollbridge.insight.axes import Axis, label, labels, offsets
from tollbridge.insight.cube_queries import place_of
from tollbridge.insight.forecast_usage import Days, trimmed
from tollbridge.ledger.wallet_tables import wallet_transactions
from tollbridge.ledger.wallets import Kind
from tollbridge.storage.unit import Unit

SPENT = (Kind.DEDUCTION.value, Kind.REFUND.value)


async def wallet_days(
    unit: Unit, wallet_ids: Sequence[str], days: Days
) -> Mapping[str, tuple[int, ...]]:
    """Return wallet id → what was taken from it on each whole day since the first time."""
    columns = wallet_transactions.c
    ahead = offsets(days.zone, days.from_us, days.today_us)
    place: ColumnElement[Any] = place_of(Axis.DAY, columns.posted_at_us, ahead).label("place")
    found: dict[str, dict[str, int]] = {}
    for wallet_id in wallet_ids:
        # One by one: each is a range of its index.
        rows = await unit.connection.execute(
            select(place, func.sum(-columns.amount).label("taken"))
            .where(
                columns.wallet_id == wallet_id,
                columns.posted_at_us >= days.from_us,
                columns.posted_at_us < days.today_us,
                columns.kind.in_(SPENT),
            )
            .group_by(literal_column("place"))
        )
        found[wallet_id] = {label(Axis.DAY, int(row.place)): int(row.taken) for row in rows}
    shown = labels(Axis.DAY, days.from_us, days.today_us, days.zone)
    return {
        wallet_id: trimmed([max(0, values.get(day, 0)) for day in shown])
        for wallet_id, values in found.items()
    }
