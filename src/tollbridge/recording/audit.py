"""Do the books agree with themselves?

Of all calls: Σ details = Σ roll-ups by call = Σ daily ones, to the last nano-USD; likewise of all
attempts. Of each call: Σ of what its attempts cost = what it cost.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from tollbridge.core.settlement import Discrepancy
from tollbridge.recording.statements import joined
from tollbridge.recording.tables import ATTEMPT_MEASURES, CALL_MEASURES
from tollbridge.storage.unit import Unit

DISCREPANCIES_MAX = 1000

CALL_SUMS = """
    sum(d.request_count) AS calls,
    sum(CASE WHEN d.status = 'COMPLETED' THEN 1 ELSE 0 END) AS completed,
    sum(CASE WHEN d.status = 'COMPLETED' THEN 0 ELSE 1 END) AS failed,
    sum(CASE WHEN d.unpriced THEN 1 ELSE 0 END) AS unpriced,
    sum(CASE WHEN d.usage_source = 'estimated' THEN 1 ELSE 0 END) AS estimated,
    sum(coalesce(d.input_tokens, 0)) AS input_tokens,
    sum(coalesce(d.output_tokens, 0)) AS output_tokens,
    sum(coalesce(d.cache_read_tokens, 0)) AS cache_read_tokens,
    sum(coalesce(d.cache_write_tokens, 0)) AS cache_write_tokens,
    sum(coalesce(d.reasoning_tokens, 0)) AS reasoning_tokens,
    sum(d.known_cost_nanousd) AS cost_nanousd,
    sum(d.charge_nanousd) AS charge_nanousd,
    sum(d.latency_ms) AS latency_ms_sum
"""
ATTEMPT_SUMS = """
    count(*) AS attempts,
    sum(CASE WHEN a.outcome IN ('failed', 'broke') THEN 1 ELSE 0 END) AS failures,
    sum(CASE WHEN a.outcome IN ('unknown', 'cut_short') THEN 1 ELSE 0 END) AS unknown,
    sum(CASE WHEN a.cost_nanousd IS NULL THEN 1 ELSE 0 END) AS unpriced,
    sum(CASE WHEN a.usage_source = 'estimated' THEN 1 ELSE 0 END) AS estimated,
    sum(coalesce(a.input_tokens, 0)) AS input_tokens,
    sum(coalesce(a.output_tokens, 0)) AS output_tokens,
    sum(coalesce(a.cache_read_tokens, 0)) AS cache_read_tokens,
    sum(coalesce(a.cache_write_tokens, 0)) AS cache_write_tokens,
    sum(coalesce(a.reasoning_tokens, 0)) AS reasoning_tokens,
    sum(coalesce(a.cost_nanousd, 0)) AS cost_nanousd,
    sum(coalesce(a.latency_ms, 0)) AS latency_ms_sum,
    count(a.latency_ms) AS latency_count,
    sum(coalesce(a.first_byte_ms, 0)) AS first_byte_ms_sum,
    count(a.first_byte_ms) AS first_byte_count
"""
_FAMILIES: Sequence[tuple[str, str, tuple[str, ...], tuple[str, ...]]] = (
    (
        CALL_SUMS,
        "call_details AS d",
        CALL_MEASURES,
        ("rollups_by_call", "rollups_by_call_daily"),
    ),
    (
        ATTEMPT_SUMS,
        "call_attempts AS a",
        ATTEMPT_MEASURES,
        ("rollups_by_attempt", "rollups_by_attempt_daily"),
    ),
)
_SELECT_CALLS = """
SELECT CAST(d.call_id AS VARCHAR(36)) AS subject, coalesce(s.total, 0) AS expected,
       d.known_cost_nanousd AS found
FROM call_details AS d LEFT JOIN (
    SELECT call_id, sum(cost_nanousd) AS total, count(*) AS attempts, count(cost_nanousd) AS priced
    FROM call_attempts GROUP BY call_id
) AS s ON s.call_id = d.call_id
WHERE
"""
_CALL_CHECKS: Mapping[str, str] = {
    "attempts' cost of a call": "coalesce(s.total, 0) <> d.known_cost_nanousd",
    "attempts of a call": "coalesce(s.attempts, 0) <> d.attempt_count",
    "cost of a call": "d.cost_nanousd IS NOT NULL AND d.cost_nanousd <> d.known_cost_nanousd",
    "unpriced call": "(d.cost_nanousd IS NULL) <> d.unpriced",
    "unpriced attempts of a call": (
        "(d.cost_nanousd IS NULL) <> (coalesce(s.attempts, 0) <> coalesce(s.priced, 0))"
    ),
}
_ROW_CHECKS: Mapping[str, str] = {
    "attempts without their call": """
        SELECT CAST(a.call_id AS VARCHAR(36)) AS subject, 0 AS expected, 1 AS found
        FROM call_attempts AS a
        WHERE NOT EXISTS (SELECT 1 FROM call_details AS d WHERE d.call_id = a.call_id)
    """,
    "call both open and in the books": """
        SELECT CAST(o.call_id AS VARCHAR(36)) AS subject, 0 AS expected, 1 AS found
        FROM open_calls AS o
        WHERE EXISTS (SELECT 1 FROM call_details AS d WHERE d.call_id = o.call_id)
    """,
    "roll-up without its dimension": """
        SELECT CAST(r.dimension_id AS VARCHAR(20)) AS subject, 1 AS expected, 0 AS found
        FROM (
            SELECT dimension_id FROM rollups_by_call
            UNION SELECT dimension_id FROM rollups_by_call_daily
            UNION SELECT dimension_id FROM rollups_by_attempt
            UNION SELECT dimension_id FROM rollups_by_attempt_daily
            UNION SELECT dimension_id FROM rollup_latency
        ) AS r
        WHERE NOT EXISTS (SELECT 1 FROM dimensions AS d WHERE d.dimension_id = r.dimension_id)
    """,
    "latency histogram": """
        SELECT 'all' AS subject, a.total AS expected, l.total AS found
        FROM (SELECT coalesce(sum(latency_count), 0) AS total FROM rollups_by_attempt) AS a,
             (SELECT coalesce(sum(count), 0) AS total FROM rollup_latency) AS l
        WHERE a.total <> l.total
    """,
}


async def books(unit: Unit) -> list[Discrepancy]:
    """Return where details, attempts and roll-ups contradict each other, at most 1,000 of a kind.

    Reads everything: seconds per million calls.
    """
    found: list[Discrepancy] = []
    for sums, table, measures, rollups in _FAMILIES:
        expected = await _one(unit, joined("SELECT", sums, "FROM", table))
        for name in rollups:
            columns = ", ".join(f"sum({measure})" for measure in measures)
            stored = await _one(unit, joined("SELECT", columns, "FROM", name))
            found += [
                Discrepancy(name, measure, one, other)
                for measure, one, other in zip(measures, expected, stored, strict=True)
                if one != other
            ]
    checks = {kind: f"{_SELECT_CALLS} {where}" for kind, where in _CALL_CHECKS.items()}
    for kind, sql in {**checks, **_ROW_CHECKS}.items():
        rows = await _all(unit, f"{sql} LIMIT {DISCREPANCIES_MAX}")
        found += [Discrepancy(kind, str(row[0]), int(row[1]), int(row[2])) for row in rows]
    return found


async def provider_costs(unit: Unit) -> dict[str, int]:
    """Return what each provider bills for all attempts in the books, in nano-USD.

    The ledger's accounts `provider:<name>` say the same.
    """
    rows = await _all(
        unit,
        "SELECT provider, sum(cost_nanousd) FROM call_attempts "
        "WHERE cost_nanousd <> 0 GROUP BY provider ORDER BY provider",
    )
    return {str(row[0]): int(row[1]) for row in rows}


async def _one(unit: Unit, sql: str) -> list[int]:
    """Return the only row, its missing sums as zero."""
    [row] = await _all(unit, sql)
    return [int(value or 0) for value in row]


async def _all(unit: Unit, sql: str) -> Sequence[Sequence[Any]]:
    found = await unit.connection.exec_driver_sql(sql)
    return cast("Sequence[Sequence[Any]]", found.all())
