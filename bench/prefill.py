"""How does a table of calls come to millions of rows within minutes?

By copying calls that the drain has brought in, in the database itself: with ids and times of
their own, spread over the month before. The roll-ups and the evidence are left as they are:
both are only appended to, or keyed by the running quarter hour, however old the books are.
bench/fold.py makes the roll-ups of the copies.
"""

from sqlalchemy import Connection
from sqlalchemy.schema import CreateIndex, DropIndex

from tollbridge.core.clock import SECOND_US
from tollbridge.recording.statements import joined
from tollbridge.recording.tables import call_details
from tollbridge.storage.engine import EngineSettings
from tollbridge.storage.unit import Database, Unit

MONTH_US = 30 * 24 * 3600 * SECOND_US
CHUNK_ROWS = 500_000
# Neighbours in time are not neighbours among the samples.
STRIDE = 7919
TIMES = (
    "accounted_at_us",
    "received_at_us",
    "opened_at_us",
    "closed_at_us",
    "first_byte_at_us",
    "attempt_started_at_us",
    "attempt_ended_at_us",
)
_CALL_ID = {
    "sqlite": "printf('%08x-%04x-7%03x-8%03x-%012x', ms >> 16, ms & 65535, i & 4095, "
    "(i >> 12) & 4095, i)",
    "postgresql": "(lpad(to_hex(ms >> 16), 8, '0') || lpad(to_hex(ms & 65535), 4, '0') || '7' "
    "|| lpad(to_hex(i & 4095), 3, '0') || '8' || lpad(to_hex((i >> 12) & 4095), 3, '0') "
    "|| lpad(to_hex(i), 12, '0'))::uuid",
}
_NUMBERS = {
    "sqlite": "WITH RECURSIVE n(i) AS (SELECT {first} UNION ALL "
    "SELECT i + 1 FROM n WHERE i + 1 < {end})",
    "postgresql": "WITH n(i) AS (SELECT generate_series({first}::bigint, {end} - 1))",
}


async def prefill(url: str, rows: int, before_us: int, span_us: int = MONTH_US) -> None:
    """Add so many rows to `call_details`, made of those that are there, the last at `before_us`."""
    database = Database.open(url, EngineSettings(postgres_statement_timeout_s=None))
    async with database.write() as unit:
        samples = await _take_samples(unit)
        await unit.connection.run_sync(_drop_indexes)
    for first in range(0, rows, CHUNK_ROWS):
        async with database.write() as unit:
            end = min(rows, first + CHUNK_ROWS)
            sql = _insert(unit.dialect, (first, end), samples, (before_us, span_us // rows, rows))
            await unit.connection.exec_driver_sql(sql)
    async with database.write() as unit:
        await unit.connection.exec_driver_sql("DROP TABLE prefill_samples")
        await unit.connection.run_sync(_create_indexes)
    await database.checkpoint()
    await database.close()


async def _take_samples(unit: Unit) -> int:
    columns = ", ".join(call_details.c.keys())
    sql = joined(
        "CREATE TABLE prefill_samples AS SELECT row_number() OVER (ORDER BY call_id) - 1 AS place,",
        columns,
        "FROM call_details",
    )
    await unit.connection.exec_driver_sql(sql)
    await unit.connection.exec_driver_sql(
        "CREATE UNIQUE INDEX ix_prefill_samples_place ON prefill_samples (place)"
    )
    found = await unit.connection.exec_driver_sql("SELECT count(*) FROM prefill_samples")
    return int(found.scalar_one())


def _insert(dialect: str, span: tuple[int, int], samples: int, times: tuple[int, int, int]) -> str:
    before_us, step_us, rows = times
    at_us = f"({before_us} - ({rows} - i) * {step_us})"
    moved = {name: f"s.{name} + at_us - s.accounted_at_us" for name in TIMES}
    chosen = {"call_id": _CALL_ID[dialect], **moved}
    columns = call_details.c.keys()
    return joined(
        "INSERT INTO call_details (",
        ", ".join(columns),
        ")",
        _NUMBERS[dialect].format(first=span[0], end=span[1]),
        "SELECT",
        ", ".join(chosen.get(name, f"s.{name}") for name in columns),
        f"FROM (SELECT i, {at_us} AS at_us, {at_us} / 1000 AS ms, (i * {STRIDE}) % {samples} AS p",
        "FROM n) AS m JOIN prefill_samples AS s ON s.place = m.p",
    )


def _drop_indexes(connection: Connection) -> None:
    for index in call_details.indexes:
        connection.execute(DropIndex(index))


def _create_indexes(connection: Connection) -> None:
    for index in call_details.indexes:
        connection.execute(CreateIndex(index))
