"""Does the ledger contradict itself?

Of each limit's period: leased = Σ of its leases' parts, spent = Σ of its postings. Of each batch:
Σ of its postings = 0, in each unit by itself.
"""

from collections.abc import Mapping

from tollbridge.core.settlement import Discrepancy
from tollbridge.ledger.postings import UNITS
from tollbridge.storage.unit import Unit

DISCREPANCIES_MAX = 1000

# The account without its unit, and the unit: of money there is none.
_BARE = "".join(
    f" WHEN substr(account, 1, {len(unit)}) = '{unit}' THEN substr(account, {len(unit) + 1})"
    for unit in UNITS
)
_UNIT = "".join(f" WHEN substr(account, 1, {len(unit)}) = '{unit}' THEN '{unit}'" for unit in UNITS)

_CHECKS: Mapping[str, str] = {
    "leased": """
        SELECT 'budget:' || p.budget_id || ':' || p.period_start_us AS subject,
               coalesce(s.total, 0) AS expected, p.leased AS found
        FROM budget_periods AS p LEFT JOIN (
            SELECT budget_id, period_start_us, sum(granted - settled - returned) AS total
            FROM leases WHERE granted - settled - returned > 0
            GROUP BY budget_id, period_start_us
        ) AS s ON s.budget_id = p.budget_id AND s.period_start_us = p.period_start_us
        WHERE p.leased <> coalesce(s.total, 0)
        ORDER BY 1""",
    "leased without a period": """
        SELECT 'budget:' || l.budget_id || ':' || l.period_start_us AS subject,
               sum(l.granted - l.settled - l.returned) AS expected, 0 AS found
        FROM leases AS l
        WHERE l.granted - l.settled - l.returned > 0 AND NOT EXISTS (
            SELECT 1 FROM budget_periods AS p
            WHERE p.budget_id = l.budget_id AND p.period_start_us = l.period_start_us
        )
        GROUP BY l.budget_id, l.period_start_us
        ORDER BY 1""",
    "spent": """
        SELECT account AS subject, sum(posted) AS expected, sum(spent) AS found FROM (
            SELECT account, posted, 0 AS spent FROM (
                SELECT CASE:bare ELSE account END AS account, amount AS posted FROM postings
            ) AS bare WHERE substr(account, 1, 7) = 'budget:'
            UNION ALL
            SELECT 'budget:' || budget_id || ':' || period_start_us, 0, spent
            FROM budget_periods
        ) AS sides
        GROUP BY account HAVING sum(posted) <> sum(spent)
        ORDER BY 1""",
    "batch": """
        SELECT batch_id AS subject, 0 AS expected, sum(amount) AS found FROM (
            SELECT batch_id, CASE:unit ELSE '' END AS unit, amount FROM postings
        ) AS posted
        GROUP BY batch_id, unit HAVING sum(amount) <> 0
        ORDER BY 1""",
}


async def books(unit: Unit) -> list[Discrepancy]:
    """Return where two figures differ, at most 1,000 places; [] when all is well.

    Reads the whole ledger: a check, for a reading unit.
    """
    found: list[Discrepancy] = []
    for kind, check in _CHECKS.items():
        sql = check.replace(":bare", _BARE).replace(":unit", _UNIT)
        rows = await unit.connection.exec_driver_sql(f"{sql} LIMIT {DISCREPANCIES_MAX}")
        found += [
            Discrepancy(kind, str(row.subject), int(row.expected), int(row.found)) for row in rows
        ]
    return found[:DISCREPANCIES_MAX]
