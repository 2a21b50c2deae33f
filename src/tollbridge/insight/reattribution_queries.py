"""All SQL of re-attribution: which runs were there, and what has each changed?"""

from collections.abc import Iterable
from typing import Any

from sqlalchemy import and_, select

from tollbridge.insight.changes import CallChange, ChangeRow, MoveRow, RunRow
from tollbridge.recording.reattribution_tables import (
    attribution_changes,
    attribution_moves,
    reattribution_runs,
)
from tollbridge.storage.unit import Unit

MOVES_MAX = 1000
"""Most kinds of changes of one run that are shown."""


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


async def changes_of(unit: Unit, call_id: str) -> tuple[CallChange, ...]:
    """Return how one call was attributed anew, the first time first, at most 1,000 times."""
    changes, moves, runs = attribution_changes.c, attribution_moves.c, reattribution_runs.c
    found = await unit.connection.execute(
        select(
            changes.run_id,
            runs.reverts_run_id,
            runs.rules_version,
            runs.actor,
            runs.started_at_us,
            changes.call_id,
            *_MOVE[:-1],
        )
        .join_from(
            attribution_changes,
            attribution_moves,
            and_(moves.run_id == changes.run_id, moves.move_id == changes.move_id),
        )
        .join(reattribution_runs, runs.run_id == changes.run_id)
        .where(changes.call_id == call_id)
        .order_by(changes.run_id)
        .limit(MOVES_MAX)
    )
    return tuple(
        CallChange(
            str(row[0]), None if row[1] is None else str(row[1]), *row[2:5], _change(row[5:])
        )
        for row in found
    )


def _run(row: Any) -> RunRow:
    values: Iterable[tuple[str, Any]] = zip(RunRow.__struct_fields__, row, strict=True)
    fields = dict(values)
    fields["run_id"] = str(fields["run_id"])
    reverts = fields["reverts_run_id"]
    fields["reverts_run_id"] = None if reverts is None else str(reverts)
    return RunRow(**fields)


def _change(row: Any) -> ChangeRow:
    return ChangeRow(str(row[0]), *row[1:])
