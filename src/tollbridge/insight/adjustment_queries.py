"""All SQL of corrections: what do calls cost now, and why is that not what they cost first?"""

from collections.abc import Iterable, Sequence
from typing import Any

import msgspec
from sqlalchemy import case, func, select

from tollbridge.insight.usage import Adjustment, Bill, CallRow
from tollbridge.recording.adjustment_tables import adjustments
from tollbridge.recording.archive_tables import TIERS
from tollbridge.storage.unit import Unit

ADJUSTMENTS_MAX = 1000
"""Most adjustments of one call that are shown."""


async def with_corrections(unit: Unit, rows: Sequence[CallRow]) -> list[CallRow]:
    """Return calls with what they cost now, at most a page of them."""
    columns = adjustments.c
    found = await unit.connection.execute(
        select(
            columns.call_id,
            func.sum(columns.difference_nanousd),
            func.sum(columns.charge_difference_nanousd),
            func.max(case((columns.call_priced, 1), else_=0)),
        )
        .where(columns.call_id.in_([row.call_id for row in rows]))
        .group_by(columns.call_id)
    )
    # PostgreSQL sums whole numbers to a decimal.
    sums = {str(one[0]): (int(one[1]), int(one[2]), int(one[3])) for one in found}
    return [_corrected(row, *sums[row.call_id]) if row.call_id in sums else row for row in rows]


async def adjustments_of(unit: Unit, call_id: str) -> tuple[Adjustment, ...]:
    """Return the corrections of one call's attempts, in their order."""
    columns = adjustments.c
    found = await unit.connection.execute(
        select(
            columns.adjustment_id,
            columns.run_id,
            columns.attempt,
            columns.recorded_at_us,
            columns.before_nanousd,
            columns.after_nanousd,
            columns.difference_nanousd,
            columns.bill,
            columns.flags,
            columns.reason,
            columns.actor,
        )
        .where(columns.call_id == call_id)
        .order_by(columns.attempt, columns.sequence)
        .limit(ADJUSTMENTS_MAX)
    )
    return tuple(_adjustment(row) for row in found)


async def bills_now(unit: Unit, call_ids: Sequence[str]) -> dict[str, list[Bill]]:
    """Return by call the lines of its attempts' costs as they are by now, of at most a page."""
    bills: dict[str, dict[int, Bill]] = {}
    for tier in TIERS:
        columns = tier.details.c
        found = await unit.connection.execute(
            select(columns.call_id, columns.components).where(
                columns.call_id.in_(call_ids), columns.components.is_not(None)
            )
        )
        for call_id, components in found:
            of_call = msgspec.convert(components, tuple[Bill, ...])
            bills[str(call_id)] = {bill.attempt: bill for bill in of_call}
    columns = adjustments.c
    corrected = await unit.connection.execute(
        select(columns.call_id, columns.attempt, columns.bill)
        .where(columns.call_id.in_(call_ids))
        .order_by(columns.sequence)
    )
    for call_id, attempt, bill in corrected:
        # The last one holds.
        bills.setdefault(str(call_id), {})[attempt] = msgspec.convert(
            {**bill, "attempt": attempt}, Bill
        )
    return {call_id: list(of_call.values()) for call_id, of_call in bills.items()}


def _corrected(
    row: CallRow, difference_nanousd: int, charge_nanousd: int, times_priced: int
) -> CallRow:
    cost_now = row.cost_nanousd
    if cost_now is not None or times_priced:
        cost_now = (row.known_cost_nanousd or 0) + difference_nanousd
    return msgspec.structs.replace(
        row,
        adjustment_nanousd=difference_nanousd,
        cost_now_nanousd=cost_now,
        charge_now_nanousd=(row.charge_nanousd or 0) + charge_nanousd,
    )


def _adjustment(row: Any) -> Adjustment:
    values: Iterable[tuple[str, Any]] = zip(Adjustment.__struct_fields__, row, strict=True)
    fields = dict(values)
    fields["adjustment_id"] = str(fields["adjustment_id"])
    fields["run_id"] = str(fields["run_id"])
    fields["bill"] = msgspec.convert({**row.bill, "attempt": row.attempt}, Bill)
    fields["flags"] = tuple(row.flags or ())
    return Adjustment(**fields)
