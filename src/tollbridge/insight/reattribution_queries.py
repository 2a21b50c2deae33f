"""All SQL of re-attribution: which runs were there, and what has each changed?"""

from collections.abc import Iterable
from typing import Any

import msgspec
from sqlalchemy import and_, select

from tollbridge.recording.reattribution_tables import (
    attribution_changes,
    attribution_moves,
    reattribution_runs,
)
from tollbridge.storage.unit import Unit

MOVES_MAX = 1000
"""Most kinds of changes of one run that are shown."""


class RunRow(msgspec.Struct, frozen=True):
    """One run of re-attribution."""

    run_id: str
    reverts_run_id: str | None
    rules_version: str
    since_us: int | None
    until_us: int | None
    actor: str
    state: str
    calls: int
    changed: int
    reassigned: int
    marked: int
    left_alone: int
    started_at_us: int
    ended_at_us: int | None


class MoveRow(msgspec.Struct, frozen=True):
    """From what to what a run changed calls. An upstream provider "" is none."""

    old_provider: str
    old_upstream: str
    old_rule: str
    old_confidence: str
    old_evidence: str
    new_provider: str
    new_upstream: str
    new_rule: str
    new_confidence: str
    new_evidence: str
    calls: int


class ChangeRow(msgspec.Struct, frozen=True):
    """One call that a run changed."""

    call_id: str
    old_provider: str
    old_upstream: str
    old_rule: str
    old_confidence: str
    old_evidence: str
    new_provider: str
    new_upstream: str
    new_rule: str
    new_confidence: str
    new_evidence: str


_RUN = tuple(getattr(reattribution_runs.c, name) for name in RunRow.__struct_fields__)
_MOVE = tuple(getattr(attribution_moves.c, name) for name in MoveRow.__struct_fields__)


async def list_runs(unit: Unit, before: str | None, limit: int) -> list[RunRow]:
    """Return runs, the newest first, behind one of them."""
    query = select(*_RUN).order_by(reattribution_runs.c.run_id.desc()).limit(limit)
    if before is not None:
        query = query.where(reattribution_runs.c.run_id < before)
    return [_run(row) for row in await unit.connection.execute(query)]


async def find_run(unit: Unit, run_id: str) -> RunRow | None:
    """Return one run, None where there is none."""
    found = await unit.connection.execute(
        select(*_RUN).where(reattribution_runs.c.run_id == run_id)
    )
    row = found.first()
    return None if row is None else _run(row)


async def list_moves(unit: Unit, run_id: str) -> list[MoveRow]:
    """Return from what to what a run changed calls, the most frequent first."""
    columns = attribution_moves.c
    found = await unit.connection.execute(
        select(*_MOVE)
        .where(columns.run_id == run_id)
        .order_by(columns.calls.desc(), columns.move_id)
        .limit(MOVES_MAX)
    )
    return [MoveRow(*row) for row in found]


async def list_changes(unit: Unit, run_id: str, after: str | None, limit: int) -> list[ChangeRow]:
    """Return the calls that a run changed, by their ids, behind one of them."""
    changes, moves = attribution_changes.c, attribution_moves.c
    query = (
        select(changes.call_id, *_MOVE[:-1])
        .join_from(
            attribution_changes,
            attribution_moves,
            and_(moves.run_id == changes.run_id, moves.move_id == changes.move_id),
        )
        .where(changes.run_id == run_id)
        .order_by(changes.call_id)
        .limit(limit)
    )
    if after is not None:
        query = query.where(changes.call_id > after)
    return [_change(row) for row in await unit.connection.execute(query)]


def _run(row: Any) -> RunRow:
    values: Iterable[tuple[str, Any]] = zip(RunRow.__struct_fields__, row, strict=True)
    fields = dict(values)
    fields["run_id"] = str(fields["run_id"])
    reverts = fields["reverts_run_id"]
    fields["reverts_run_id"] = None if reverts is None else str(reverts)
    return RunRow(**fields)


def _change(row: Any) -> ChangeRow:
    return ChangeRow(str(row[0]), *row[1:])
