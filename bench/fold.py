"""What do the calls of bench/prefill.py come to in the roll-ups?

The same as if the drain had brought them in, made in the database day by day:
`recording.rebuild.rebuild_rollups` finds no difference. The copied calls have one attempt each, and
dimensions that their samples have brought along; days are those of UTC.
"""

from collections.abc import Iterator, Mapping, Sequence

from tollbridge.insight.axes import DAY_US
from tollbridge.insight.cube_detail_words import FOLDED, FOLDED_ADDS
from tollbridge.recording.audit import CALL_ADDS
from tollbridge.recording.rollups import BY_ATTEMPT, BY_CALL, BY_CALLER, QUARTER_US
from tollbridge.recording.statements import joined
from tollbridge.recording.tables import ATTEMPT_MEASURES, CALL_MEASURES
from tollbridge.storage.unit import Database

_QUARTER = f"d.accounted_at_us - d.accounted_at_us % {QUARTER_US}"
_OF_CALLS: Mapping[str, str] = {
    "provider": "d.actual_provider_name",
    "upstream_provider": "coalesce(d.upstream_provider_name, '')",
    "bucket": "d.bucket",
    "category": "d.category",
    "operation": "d.operation",
    "model": "coalesce(d.requested_model, '')",
    "route": "d.label",
    "project": "d.project",
    "status_class": "CAST(d.http_status / 100 AS VARCHAR(1)) || 'xx'",
    "usage_source": "d.usage_source",
}
"""What a dimension without user and key says, and how its calls say it."""
_CALLERS = ("user_name", "key_id", "key_name")
_CALLS = joined(
    "call_details AS d JOIN dimensions AS s ON",
    " AND ".join(
        [
            *(f"s.{name} = d.{name}" for name in _CALLERS),
            *(f"s.{name} = {said}" for name, said in _OF_CALLS.items()),
        ]
    ),
    "JOIN fold_coarse AS k ON k.fine_id = s.dimension_id",
)
_COARSE = (
    "DROP TABLE IF EXISTS fold_coarse",
    joined(
        "CREATE TABLE fold_coarse AS SELECT",
        "d.dimension_id AS fine_id, s.dimension_id AS coarse_id FROM dimensions AS d",
        "JOIN dimensions AS s ON s.user_name = '' AND s.key_id = '' AND s.key_name = ''",
        *(f"AND s.{name} = d.{name}" for name in _OF_CALLS),
    ),
    "CREATE UNIQUE INDEX ix_fold_coarse ON fold_coarse (fine_id)",
)
# As rollups.latency_bucket.
_SHIFT = " ".join(f"WHEN t.ms < {16 << shift} THEN {shift}" for shift in range(40))
_BUCKET = f"((CASE {_SHIFT} ELSE 40 END) << 3) + (t.ms >> (CASE {_SHIFT} ELSE 40 END))"


async def fold(database: Database, start_us: int, end_us: int) -> None:
    """Make the roll-ups of the whole days between two instants, which have none yet."""
    async with database.write() as unit:
        for sql in _COARSE:
            await unit.connection.exec_driver_sql(sql)
    for day_us in range(start_us, end_us, DAY_US):
        async with database.write() as unit:
            for sql in _of_a_day(day_us):
                await unit.connection.exec_driver_sql(sql)
    async with database.write() as unit:
        await unit.connection.exec_driver_sql("DROP TABLE fold_coarse")


def _of_a_day(day_us: int) -> Iterator[str]:
    within = f"d.accounted_at_us >= {day_us} AND d.accounted_at_us < {day_us + DAY_US}"
    sums = [
        *(f"sum({CALL_ADDS[name]}) AS c_{name}" for name in CALL_MEASURES),
        *(f"sum({FOLDED_ADDS[name]}) AS a_{name}" for name in ATTEMPT_MEASURES),
    ]
    # Summed up once, from which all sums by quarter hour and by day are made.
    yield joined(
        "CREATE TEMPORARY TABLE fold_sums AS SELECT",
        f"{_QUARTER} AS at_us, s.dimension_id AS fine_id, k.coarse_id AS coarse_id,",
        ", ".join(sums),
        f"FROM {_CALLS} WHERE {within} GROUP BY 1, 2, 3",
    )
    for family, prefix, measures in (
        (BY_CALL, "c", CALL_MEASURES),
        (BY_ATTEMPT, "a", ATTEMPT_MEASURES),
    ):
        for table, start, dimension in (
            (family, "at_us", "fine_id"),
            (f"{family}_quarterly", "at_us", "coarse_id"),
            (f"{family}_daily", str(day_us), "coarse_id"),
            (BY_CALLER[family], str(day_us), "fine_id"),
        ):
            yield _added(table, (start, dimension), prefix, measures)
    yield "DROP TABLE fold_sums"
    yield _histogram("rollup_latency", _QUARTER, within)
    yield _histogram("rollup_latency_daily", str(day_us), within)


def _added(table: str, key: tuple[str, str], prefix: str, measures: Sequence[str]) -> str:
    start, dimension = key
    name = "day_start_us" if table.endswith("_daily") else "quarter_start_us"
    return joined(
        f"INSERT INTO {table} ({name}, dimension_id,",
        ", ".join(measures),
        f") SELECT {start}, {dimension},",
        ", ".join(f"sum({prefix}_{measure})" for measure in measures),
        "FROM fold_sums GROUP BY 1, 2 ORDER BY 1, 2",
    )


def _histogram(table: str, start: str, within: str) -> str:
    name = "day_start_us" if table.endswith("_daily") else "quarter_start_us"
    parts = [
        joined(
            f"SELECT {start} AS at_us, k.coarse_id AS coarse_id, {FOLDED[took]} AS ms,",
            f"{counts} FROM {_CALLS} WHERE {within} GROUP BY 1, 2, 3",
        )
        for took, counts in (
            ("latency_ms", "count(*) AS whole, 0 AS first"),
            ("first_byte_ms", "0 AS whole, count(*) AS first"),
        )
    ]
    return joined(
        f"INSERT INTO {table} ({name}, dimension_id, bucket_index, count, first_byte_count)",
        "SELECT",
        f"t.at_us, t.coarse_id, {_BUCKET}, sum(t.whole), sum(t.first) FROM (",
        " UNION ALL ".join(parts),
        ") AS t WHERE t.ms IS NOT NULL GROUP BY 1, 2, 3 ORDER BY 1, 2, 3",
    )
