"""Is there usage that is not the demo's, and how is the demo's taken out of the books again?

Postings are never changed: what was posted is posted back. Roll-ups are made anew from what is
left. All of it is one unit.
"""

from collections.abc import Sequence
from datetime import tzinfo
from typing import Any, cast

from tollbridge.cli.demo_budgets_store import forget_periods, remove_budgets
from tollbridge.cli.demo_world import DEMO
from tollbridge.core.call import new_id
from tollbridge.ledger.settle import settle
from tollbridge.recording.archive_tables import TIERS
from tollbridge.recording.rebuild import rebuild_rollups
from tollbridge.recording.statements import joined
from tollbridge.recording.tables import ROLLUPS
from tollbridge.storage.unit import Unit

_BESIDE = (
    "call_evidence",
    "call_contents",
    "intake_records",
    "rerating_marks",
    "attribution_changes",
)
"""What else is kept of a call, by its id."""
_LOCKED = ", ".join([*(tier.details.name for tier in TIERS), *ROLLUPS])


async def count_calls(unit: Unit, *, demo: bool) -> int:
    """Return how many calls are the demo's, or how many are not."""
    sign = "=" if demo else "<>"
    count = 0
    for tier in TIERS:
        sql = joined("SELECT count(*) FROM", tier.details.name, "WHERE node", sign, f"'{DEMO}'")
        [(found,)] = await _all(unit, sql)
        count += int(found)
    return count


async def remove_calls(unit: Unit, zone: tzinfo, now_us: int) -> int:
    """Take the demo's calls out of the books; return how many there were.

    `zone` is the billing time zone. Goes through all days that hold a call.
    """
    if unit.dialect == "postgresql":
        # What a drain adds meanwhile would be lost from the sums that are made anew.
        await unit.connection.exec_driver_sql(f"LOCK TABLE {_LOCKED} IN SHARE ROW EXCLUSIVE MODE")
    count = await count_calls(unit, demo=True)
    costs = await _costs(unit)
    charges = await remove_budgets(unit)
    if charges or any(costs.values()):
        back = {provider: -amount for provider, amount in costs.items()}
        await settle(unit, new_id(now_us), charges, back, now_us)
        await forget_periods(unit, charges)
    for tier in TIERS:
        ids = joined("SELECT call_id FROM", tier.details.name, f"WHERE node = '{DEMO}'")
        for table in (*_BESIDE, tier.rows.name):
            await _delete(unit, table, f"call_id IN ({ids})")
        await _delete(unit, tier.details.name, f"node = '{DEMO}'")
    for table in ("intake_batches", "intake_refusals", "intake_names", "intake_sources"):
        await _delete(unit, table, f"source = '{DEMO}'")
    await rebuild_rollups(unit, zone, replace=True)
    return count


async def _costs(unit: Unit) -> dict[str, int]:
    """Return what each provider bills for the demo's calls, with what was corrected since."""
    costs: dict[str, int] = {}
    for tier in TIERS:
        of_demo = joined(
            "JOIN", tier.details.name, f"AS d ON d.call_id = a.call_id WHERE d.node = '{DEMO}'"
        )
        for sql in (
            joined(
                "SELECT a.provider, sum(a.cost_nanousd) FROM",
                tier.attempts.name,
                "AS a",
                of_demo,
                "AND a.cost_nanousd IS NOT NULL GROUP BY a.provider",
            ),
            joined(
                "SELECT a.provider, sum(a.difference_nanousd) FROM adjustments AS a",
                of_demo,
                "GROUP BY a.provider",
            ),
        ):
            for provider, amount in await _all(unit, sql):
                costs[str(provider)] = costs.get(str(provider), 0) + int(amount)
    return costs


async def _delete(unit: Unit, table: str, where: str) -> None:
    await unit.connection.exec_driver_sql(joined("DELETE FROM", table, "WHERE", where))


async def _all(unit: Unit, sql: str) -> Sequence[Sequence[Any]]:
    found = await unit.connection.exec_driver_sql(sql)
    return cast("Sequence[Sequence[Any]]", found.all())
