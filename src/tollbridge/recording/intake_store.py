"""What do the drain and the intake read and write of reports?

A claim can be made once, whoever makes it and whenever: the second report under it is a duplicate,
and its row among the refusals says so.
"""

import sqlite3
from collections.abc import Sequence
from typing import Any, cast

import msgspec
from sqlalchemy import Select, func, select, update
from sqlalchemy.dialects.postgresql import insert as insert_postgresql
from sqlalchemy.dialects.sqlite import insert as insert_sqlite

from tollbridge.core.evidence import AttemptEvidence
from tollbridge.core.report import Report, ReportBatch
from tollbridge.recording.calls import EndedCall
from tollbridge.recording.intake_tables import (
    intake_batches,
    intake_records,
    intake_refusals,
)
from tollbridge.recording.statements import arrays, joined
from tollbridge.recording.tables import quarantine
from tollbridge.storage.unit import Unit

DUPLICATE = "duplicate"
OPEN, REPLAYED, FINAL = "open", "replayed", "final"
REFUSALS_SHOWN_MAX = 10_000

_COLUMNS = (
    "call_id",
    "claim",
    "batch_id",
    "record_index",
    "source",
    "record_id",
    "completed",
    "started_at_us",
    "completed_at_us",
    "names",
)
_INTO = joined("INSERT INTO intake_records (", ", ".join(_COLUMNS), ")")
_ADD_SQLITE = joined(_INTO, "VALUES (", ", ".join("?" * len(_COLUMNS)), ") ON CONFLICT DO NOTHING")
_TYPES = ("uuid", "text", "uuid", "int", "text", "text", "boolean", "bigint", "bigint", "jsonb")
_ARRAYS = ", ".join(f"${place}::{name}[]" for place, name in enumerate(_TYPES, 1))
_ADD_POSTGRESQL = joined(_INTO, "SELECT * FROM unnest(", _ARRAYS, ") ON CONFLICT DO NOTHING")
_CLAIMS_SQLITE = """
SELECT claim, call_id FROM intake_records WHERE claim IN (SELECT value FROM json_each(?))
"""
# One by one through the index: of a plan made while the table was small, ANY reads all of it.
_CLAIMS_POSTGRESQL = """
SELECT asked.claim, held.call_id::text FROM unnest($1::text[]) AS asked (claim)
CROSS JOIN LATERAL (SELECT call_id FROM intake_records WHERE claim = asked.claim LIMIT 1) AS held
"""


class BatchStanding(msgspec.Struct, frozen=True):
    """What became of one batch."""

    batch_id: str
    source: str
    received_at_us: int
    accepted: int
    """Reports that the spool took."""
    recorded: int
    pending: int
    """Accepted reports that are on their way into the books."""
    refusals: tuple["RefusalRow", ...]


class RefusalRow(msgspec.Struct, frozen=True):
    """A record that does not count, and why."""

    batch_id: str
    record_index: int
    source: str
    via: str
    received_at_us: int
    reason: str
    message: str
    raw: str | None
    idempotency_key: str | None
    state: str


_REFUSAL = tuple(intake_refusals.c[name] for name in RefusalRow.__struct_fields__)


async def claimed(unit: Unit, ended: Sequence[EndedCall]) -> Sequence[EndedCall]:
    """Return the calls without those that somebody else reported before under the same claim.

    Calls that we carried ourselves pass. Doing it again changes nothing: a claim stays with the
    call that made it.
    """
    reports = {
        one.evidence.opened.call_id: (report, one.evidence.closed.attempts[0])
        for one in ended
        if (report := one.evidence.opened.report) is not None
    }
    if not reports:
        return ended
    holders = await _claim(
        unit, [_row(report, attempt.endpoint) for report, attempt in reports.values()]
    )
    late = {
        call_id: holders[report.claim]
        for call_id, (report, _) in reports.items()
        if report.claim is not None and holders[report.claim] != call_id
    }
    if not late:
        return ended
    await _refuse(unit, [_duplicate(*reports[call_id], first) for call_id, first in late.items()])
    return [one for one in ended if one.evidence.opened.call_id not in late]


async def keep_batches(unit: Unit, batches: Sequence[ReportBatch]) -> None:
    """Write down batches and what they refused at once; again, it changes nothing."""
    if not batches:
        return
    table = insert_sqlite if unit.dialect == "sqlite" else insert_postgresql
    rows = [
        {
            "batch_id": one.batch_id,
            "source": one.source,
            "via": one.via.value,
            "received_at_us": one.received_at_us,
            "accepted": len(one.reports),
            "refused": len(one.refusals),
            "idempotency_key": one.idempotency_key,
        }
        for one in batches
    ]
    await unit.connection.execute(table(intake_batches).on_conflict_do_nothing(), rows)
    await _refuse(
        unit,
        [
            {
                "batch_id": batch.batch_id,
                "record_index": one.index,
                "source": batch.source,
                "via": batch.via.value,
                "received_at_us": batch.received_at_us,
                "reason": one.reason,
                "message": one.message,
                "raw": one.raw,
                "idempotency_key": batch.idempotency_key,
                "state": FINAL if one.reason == DUPLICATE else OPEN,
            }
            for batch in batches
            for one in batch.refusals
        ],
    )


async def known_claims(unit: Unit, claims: Sequence[str]) -> set[str]:
    """Return which of the claims are made already."""
    if not claims:
        return set()
    if unit.dialect == "sqlite":
        text = msgspec.json.encode(claims).decode()
        found = await unit.run_script_sync(
            lambda raw: raw.execute(_CLAIMS_SQLITE, (text,)).fetchall()
        )
        return {cast("str", row[0]) for row in found}
    driver = await unit.postgres_driver()
    return {row[0] for row in await driver.fetch(_CLAIMS_POSTGRESQL, list(claims))}


async def find_batch(unit: Unit, batch_id: str) -> BatchStanding | None:
    """Return what became of a batch; None where it is not in the books (yet)."""
    columns = intake_batches.c
    found = await unit.connection.execute(
        select(columns.source, columns.received_at_us, columns.accepted, columns.refused).where(
            columns.batch_id == batch_id
        )
    )
    head = found.first()
    if head is None:
        return None
    ids = intake_records.c
    held = await unit.connection.execute(
        select(ids.record_index, quarantine.c.error)
        .join(quarantine, quarantine.c.call_id == ids.call_id)
        .where(ids.batch_id == batch_id, quarantine.c.state == OPEN)
    )
    in_quarantine = tuple(
        RefusalRow(
            batch_id, row.record_index, head.source, "", head.received_at_us,
            "quarantined", row.error, None, None, OPEN,
        )
        for row in held
    )  # fmt: skip
    counted = await unit.connection.execute(
        select(func.count()).select_from(intake_records).where(ids.batch_id == batch_id)
    )
    recorded = counted.scalar_one() - len(in_quarantine)
    refused = await list_refusals(unit, batch_id=batch_id, limit=REFUSALS_SHOWN_MAX)
    late = len(refused) - head.refused + len(in_quarantine)
    return BatchStanding(
        batch_id, head.source, head.received_at_us, head.accepted, recorded,
        max(0, head.accepted - recorded - late), (*refused, *in_quarantine),
    )  # fmt: skip


async def list_refusals(
    unit: Unit,
    *,
    batch_id: str | None = None,
    source: str | None = None,
    state: str | None = None,
    after: tuple[str, int] | None = None,
    limit: int = 100,
) -> list[RefusalRow]:
    """Return refused records in their order, behind a place (batch id, index)."""
    columns = intake_refusals.c
    query: Select[Any] = select(*_REFUSAL).order_by(columns.batch_id, columns.record_index)
    for column, value in (
        (columns.batch_id, batch_id),
        (columns.source, source),
        (columns.state, state),
    ):
        if value is not None:
            query = query.where(column == value)
    if after is not None:
        query = query.where(
            (columns.batch_id > after[0])
            | ((columns.batch_id == after[0]) & (columns.record_index > after[1]))
        )
    found = await unit.connection.execute(query.limit(limit))
    return [RefusalRow(*row) for row in found]


async def resolve_refusal(unit: Unit, row: RefusalRow, state: str, now_us: int) -> None:
    """Note that a refused record counts now, or never will."""
    columns = intake_refusals.c
    await unit.connection.execute(
        update(intake_refusals)
        .where(columns.batch_id == row.batch_id, columns.record_index == row.record_index)
        .values(state=state, resolved_at_us=now_us)
    )


async def _claim(unit: Unit, rows: list[tuple[Any, ...]]) -> dict[str, str]:
    """Make claims where nobody has; return whose they are."""
    claims = [row[1] for row in rows if row[1] is not None]
    if unit.dialect == "sqlite":
        text = msgspec.json.encode(claims).decode()

        def run(raw: sqlite3.Connection) -> list[Any]:
            raw.executemany(_ADD_SQLITE, rows)
            return raw.execute(_CLAIMS_SQLITE, (text,)).fetchall()

        return dict(await unit.run_script_sync(run))
    driver = await unit.postgres_driver()
    # In one order everywhere, so that two nodes never wait for each other.
    rows.sort(key=lambda row: (row[1] or "", row[0]))
    await driver.execute(_ADD_POSTGRESQL, *arrays(rows))
    if not claims:
        return {}
    return {row[0]: row[1] for row in await driver.fetch(_CLAIMS_POSTGRESQL, claims)}


def _row(report: Report, source: str) -> tuple[Any, ...]:
    return (
        report.call_id,
        report.claim,
        report.batch_id,
        report.index,
        source,
        report.record_id,
        report.completed,
        report.started_at_us,
        report.completed_at_us,
        msgspec.json.encode(report.names).decode() if report.names else None,
    )


def _duplicate(report: Report, attempt: AttemptEvidence, first: str) -> dict[str, Any]:
    return {
        "batch_id": report.batch_id,
        "record_index": report.index,
        "source": attempt.endpoint,
        "via": attempt.dialect,
        "received_at_us": report.accounted_at_us,
        "reason": DUPLICATE,
        "message": f"it counts already, as {first}",
        "raw": None,
        "idempotency_key": None,
        "state": FINAL,
    }


async def _refuse(unit: Unit, rows: list[dict[str, Any]]) -> None:
    if rows:
        table = insert_sqlite if unit.dialect == "sqlite" else insert_postgresql
        await unit.connection.execute(table(intake_refusals).on_conflict_do_nothing(), rows)
