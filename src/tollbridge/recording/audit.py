"""Do the books agree with themselves?

Of all calls, archived or not: Σ details + Σ adjustments = Σ roll-ups by call = Σ daily ones, to
the last nano-USD; likewise of all attempts. Of each call: Σ of what its attempts cost = what it
cost. Of each attempt: its adjustments lead, one after the other, from what it cost first to what
it costs now.
"""

from collections.abc import Mapping, Sequence
from typing import Any, cast

from tollbridge.core.settlement import Discrepancy
from tollbridge.recording.archive_tables import TIERS
from tollbridge.recording.statements import joined
from tollbridge.recording.tables import ATTEMPT_MEASURES, CALL_MEASURES
from tollbridge.storage.unit import Unit

DISCREPANCIES_MAX = 1000

# What one call, or one attempt, adds to each measure.
CALL_ADDS: Mapping[str, str] = {
    "calls": "d.request_count",
    "completed": "CASE WHEN d.status = 'COMPLETED' THEN d.request_count ELSE 0 END",
    "failed": "CASE WHEN d.status = 'COMPLETED' THEN 0 ELSE d.request_count END",
    "unpriced": "CASE WHEN d.unpriced THEN d.request_count ELSE 0 END",
    "estimated": "CASE WHEN d.usage_source = 'estimated' THEN d.request_count ELSE 0 END",
    "input_tokens": "coalesce(d.input_tokens, 0)",
    "output_tokens": "coalesce(d.output_tokens, 0)",
    "cache_read_tokens": "coalesce(d.cache_read_tokens, 0)",
    "cache_write_tokens": "coalesce(d.cache_write_tokens, 0)",
    "reasoning_tokens": "coalesce(d.reasoning_tokens, 0)",
    "cost_nanousd": "d.known_cost_nanousd",
    "charge_nanousd": "d.charge_nanousd",
    "latency_ms_sum": "d.latency_ms",
}
ATTEMPT_ADDS: Mapping[str, str] = {
    "attempts": "d.request_count",
    "failures": "CASE WHEN a.outcome IN ('failed', 'broke') THEN d.request_count ELSE 0 END",
    "unknown": "CASE WHEN a.outcome IN ('unknown', 'cut_short') THEN d.request_count ELSE 0 END",
    "unpriced": "CASE WHEN a.cost_nanousd IS NULL THEN d.request_count ELSE 0 END",
    "estimated": "CASE WHEN a.usage_source = 'estimated' THEN d.request_count ELSE 0 END",
    "input_tokens": "coalesce(a.input_tokens, 0)",
    "output_tokens": "coalesce(a.output_tokens, 0)",
    "cache_read_tokens": "coalesce(a.cache_read_tokens, 0)",
    "cache_write_tokens": "coalesce(a.cache_write_tokens, 0)",
    "reasoning_tokens": "coalesce(a.reasoning_tokens, 0)",
    "cost_nanousd": "coalesce(a.cost_nanousd, 0)",
    "latency_ms_sum": "coalesce(a.latency_ms, 0)",
    "latency_count": "CASE WHEN a.latency_ms IS NULL THEN 0 ELSE 1 END",
    "first_byte_ms_sum": "coalesce(a.first_byte_ms, 0)",
    "first_byte_count": "CASE WHEN a.first_byte_ms IS NULL THEN 0 ELSE 1 END",
}
CALL_SUMS = ", ".join(f"sum({adds}) AS {measure}" for measure, adds in CALL_ADDS.items())
ATTEMPT_SUMS = ", ".join(f"sum({adds}) AS {measure}" for measure, adds in ATTEMPT_ADDS.items())
# What adjustments change of the measures; the rows of a call's first figures never change.
CALL_ADJUSTMENTS: Mapping[str, str] = {
    "unpriced": "sum(CASE WHEN j.call_priced THEN -d.request_count ELSE 0 END)",
    "cost_nanousd": "sum(j.difference_nanousd)",
    "charge_nanousd": "sum(j.charge_difference_nanousd)",
}
ATTEMPT_ADJUSTMENTS: Mapping[str, str] = {
    "unpriced": "sum(CASE WHEN j.before_nanousd IS NULL THEN -d.request_count ELSE 0 END)",
    "cost_nanousd": "sum(j.difference_nanousd)",
}
_ADJUSTMENTS = "FROM adjustments AS j JOIN {details} AS d ON d.call_id = j.call_id"
_FAMILIES: Sequence[tuple[str, str, Mapping[str, str], tuple[str, ...], tuple[str, ...]]] = (
    (
        CALL_SUMS,
        "{details} AS d",
        CALL_ADJUSTMENTS,
        CALL_MEASURES,
        (
            "rollups_by_call",
            "rollups_by_call_quarterly",
            "rollups_by_call_daily",
            "rollups_by_caller_daily",
        ),
    ),
    (
        ATTEMPT_SUMS,
        "{attempts} AS a JOIN {details} AS d ON d.call_id = a.call_id",
        ATTEMPT_ADJUSTMENTS,
        ATTEMPT_MEASURES,
        (
            "rollups_by_attempt",
            "rollups_by_attempt_quarterly",
            "rollups_by_attempt_daily",
            "rollups_by_caller_attempt_daily",
        ),
    ),
)
_SELECT_CALLS = """
SELECT CAST(d.call_id AS VARCHAR(36)) AS subject, coalesce(s.total, 0) AS expected,
       d.known_cost_nanousd AS found
FROM {details} AS d LEFT JOIN (
    SELECT call_id, sum(cost_nanousd) AS total, count(*) AS attempts, count(cost_nanousd) AS priced
    FROM {attempts} GROUP BY call_id
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
# Of each place by itself: a call stands in one, with all of its attempts.
_TIER_CHECKS: Mapping[str, str] = {
    **{kind: f"{_SELECT_CALLS} {where}" for kind, where in _CALL_CHECKS.items()},
    "attempts without their call": """
        SELECT CAST(a.call_id AS VARCHAR(36)) AS subject, 0 AS expected, 1 AS found
        FROM {attempts} AS a
        WHERE NOT EXISTS (SELECT 1 FROM {details} AS d WHERE d.call_id = a.call_id)
    """,
    "adjustment that does not follow the one before": """
        SELECT CAST(j.adjustment_id AS VARCHAR(36)) AS subject,
               coalesce(p.after_nanousd, a.cost_nanousd, -1) AS expected,
               coalesce(j.before_nanousd, -1) AS found
        FROM adjustments AS j
        JOIN {attempts} AS a ON a.call_id = j.call_id AND a.number = j.attempt
        LEFT JOIN adjustments AS p ON p.call_id = j.call_id AND p.attempt = j.attempt
            AND p.sequence = j.sequence - 1
        WHERE coalesce(p.after_nanousd, a.cost_nanousd, -1) <> coalesce(j.before_nanousd, -1)
            OR (j.sequence > 1 AND p.adjustment_id IS NULL)
    """,
    "call both open and in the books": """
        SELECT CAST(o.call_id AS VARCHAR(36)) AS subject, 0 AS expected, 1 AS found
        FROM open_calls AS o
        WHERE EXISTS (SELECT 1 FROM {details} AS d WHERE d.call_id = o.call_id)
    """,
}
_ROW_CHECKS: Mapping[str, str] = {
    "call both archived and not": """
        SELECT CAST(d.call_id AS VARCHAR(36)) AS subject, 1 AS expected, 2 AS found
        FROM call_details_archive AS d
        WHERE EXISTS (SELECT 1 FROM call_details AS h WHERE h.call_id = d.call_id)
    """,
    "adjustments without their attempt": """
        SELECT CAST(j.call_id AS VARCHAR(36)) AS subject, 0 AS expected, 1 AS found
        FROM adjustments AS j
        WHERE NOT EXISTS (
            SELECT 1 FROM call_attempts AS a
            WHERE a.call_id = j.call_id AND a.number = j.attempt
        ) AND NOT EXISTS (
            SELECT 1 FROM archived_call_attempts AS a
            WHERE a.call_id = j.call_id AND a.number = j.attempt
        )
    """,
    "difference of an adjustment": """
        SELECT CAST(j.adjustment_id AS VARCHAR(36)) AS subject,
               j.after_nanousd - coalesce(j.before_nanousd, 0) AS expected,
               j.difference_nanousd AS found
        FROM adjustments AS j
        WHERE j.difference_nanousd <> j.after_nanousd - coalesce(j.before_nanousd, 0)
    """,
    "roll-up without its dimension": """
        SELECT CAST(r.dimension_id AS VARCHAR(20)) AS subject, 1 AS expected, 0 AS found
        FROM (
            SELECT dimension_id FROM rollups_by_call
            UNION SELECT dimension_id FROM rollups_by_call_quarterly
            UNION SELECT dimension_id FROM rollups_by_call_daily
            UNION SELECT dimension_id FROM rollups_by_attempt
            UNION SELECT dimension_id FROM rollups_by_attempt_quarterly
            UNION SELECT dimension_id FROM rollups_by_attempt_daily
            UNION SELECT dimension_id FROM rollups_by_caller_daily
            UNION SELECT dimension_id FROM rollups_by_caller_attempt_daily
            UNION SELECT dimension_id FROM rollup_latency
            UNION SELECT dimension_id FROM rollup_latency_daily
        ) AS r
        WHERE NOT EXISTS (SELECT 1 FROM dimensions AS d WHERE d.dimension_id = r.dimension_id)
    """,
    "latency histogram": """
        SELECT 'all' AS subject, a.total AS expected, l.total AS found
        FROM (SELECT coalesce(sum(latency_count), 0) AS total FROM rollups_by_attempt) AS a,
             (SELECT coalesce(sum(count), 0) AS total FROM rollup_latency
              UNION ALL SELECT coalesce(sum(count), 0) FROM rollup_latency_daily) AS l
        WHERE a.total <> l.total
    """,
    "first-byte histogram": """
        SELECT 'all' AS subject, a.total AS expected, l.total AS found
        FROM (SELECT coalesce(sum(first_byte_count), 0) AS total FROM rollups_by_attempt) AS a,
             (SELECT coalesce(sum(first_byte_count), 0) AS total FROM rollup_latency
              UNION ALL SELECT coalesce(sum(first_byte_count), 0) FROM rollup_latency_daily) AS l
        WHERE a.total <> l.total
    """,
}


async def books(unit: Unit) -> list[Discrepancy]:
    """Return where details, attempts and roll-ups contradict each other, at most 1,000 of a kind.

    Reads everything: seconds per million calls.
    """
    found: list[Discrepancy] = []
    for sums, table, corrections, measures, rollups in _FAMILIES:
        expected = await _sum(unit, joined("SELECT", sums, "FROM", table))
        differences = ", ".join(corrections.values())
        corrected = await _sum(unit, joined("SELECT", differences, _ADJUSTMENTS))
        for measure, difference in zip(corrections, corrected, strict=True):
            expected[measures.index(measure)] += difference
        for name in rollups:
            columns = ", ".join(f"sum({measure})" for measure in measures)
            stored = await _one(unit, joined("SELECT", columns, "FROM", name))
            found += [
                Discrepancy(name, measure, one, other)
                for measure, one, other in zip(measures, expected, stored, strict=True)
                if one != other
            ]
    checks = [(kind, of) for kind, sql in _TIER_CHECKS.items() for of in _of_each_tier(sql)]
    for kind, sql in (*checks, *_ROW_CHECKS.items()):
        rows = await _all(unit, f"{sql} LIMIT {DISCREPANCIES_MAX}")
        found += [Discrepancy(kind, str(row[0]), int(row[1]), int(row[2])) for row in rows]
    return found


async def provider_costs(unit: Unit) -> dict[str, int]:
    """Return what each provider bills for all attempts in the books, in nano-USD, as it is now.

    The ledger's accounts `provider:<name>` say the same.
    """
    rows = await _all(
        unit,
        """
        SELECT provider, sum(amount) FROM (
            SELECT provider, sum(cost_nanousd) AS amount FROM call_attempts
            WHERE cost_nanousd <> 0 GROUP BY provider
            UNION ALL
            SELECT provider, sum(cost_nanousd) FROM archived_call_attempts
            WHERE cost_nanousd <> 0 GROUP BY provider
            UNION ALL
            SELECT a.provider, sum(j.difference_nanousd) FROM adjustments AS j
            JOIN call_attempts AS a ON a.call_id = j.call_id AND a.number = j.attempt
            GROUP BY a.provider
            UNION ALL
            SELECT a.provider, sum(j.difference_nanousd) FROM adjustments AS j
            JOIN archived_call_attempts AS a ON a.call_id = j.call_id AND a.number = j.attempt
            GROUP BY a.provider
        ) AS sides GROUP BY provider HAVING sum(amount) <> 0 ORDER BY provider
        """,
    )
    return {str(row[0]): int(row[1]) for row in rows}


def _of_each_tier(sql: str) -> list[str]:
    """Return a statement about the calls of each place."""
    return [sql.format(details=one.details.name, attempts=one.attempts.name) for one in TIERS]


async def _sum(unit: Unit, sql: str) -> list[int]:
    """Return the sums over the calls of all places."""
    each = [await _one(unit, of) for of in _of_each_tier(sql)]
    return [sum(parts) for parts in zip(*each, strict=True)]


async def _one(unit: Unit, sql: str) -> list[int]:
    """Return the only row, its missing sums as zero."""
    [row] = await _all(unit, sql)
    return [int(value or 0) for value in row]


async def _all(unit: Unit, sql: str) -> Sequence[Sequence[Any]]:
    found = await unit.connection.exec_driver_sql(sql)
    return cast("Sequence[Sequence[Any]]", found.all())
