"""Which runs of re-attribution were begun, and how far has each come?"""

from typing import Any

import msgspec
from sqlalchemy import Row, func, insert, select, update

from tollbridge.core.call import new_id
from tollbridge.core.errors import ConflictError, NotFoundError
from tollbridge.recording.archive_tables import TIERS
from tollbridge.recording.reassign import Findings
from tollbridge.recording.reattribution_tables import attribution_changes, reattribution_runs
from tollbridge.storage import audit
from tollbridge.storage.unit import Unit

RUNNING = "running"
DONE = "done"

RunPlace = tuple[int, int, str]
"""Which of the tiers, instant, call id: the last call that a run has seen."""
_COLUMNS = reattribution_runs.c


class Wanted(msgspec.Struct, frozen=True, kw_only=True):
    """What a run is about, as it is asked for. None is no bound."""

    rules_version: str = ""
    since_us: int | None = None
    until_us: int | None = None
    reverts_run_id: str | None = None
    actor: str


class Run(msgspec.Struct, frozen=True, kw_only=True):
    """A run that was begun, and where it stands."""

    run_id: str
    wanted: Wanted
    end_us: int
    """Calls accounted from here on are not looked at."""
    place: RunPlace | None = None


async def count_calls(unit: Unit, run: Run) -> int:
    """Return about how many calls a run has still to look at."""
    if run.wanted.reverts_run_id is not None:
        changes = attribution_changes.c
        query = select(func.count()).where(changes.run_id == run.wanted.reverts_run_id)
        if run.place is not None:
            query = query.where(changes.call_id > run.place[2])
        return (await unit.connection.execute(query)).scalar_one()
    total = 0
    tier_now, at_us, _ = run.place or (0, run.wanted.since_us, "")
    for number, tier in enumerate(TIERS):
        if number < tier_now:
            continue
        from_us = at_us if number == tier_now else run.wanted.since_us
        column = tier.details.c.accounted_at_us
        query = select(func.count()).select_from(tier.details).where(column < run.end_us)
        if from_us is not None:
            query = query.where(column >= from_us)
        total += (await unit.connection.execute(query)).scalar_one()
    return total


async def begin_run(unit: Unit, wanted: Wanted) -> Run:
    """Return the run about just this that was not ended, or a new one.

    Raises NotFoundError where the run to be taken back is not known, ConflictError where it has
    not ended: it would go on behind the back of the one that takes it back.
    """
    if wanted.reverts_run_id is not None:
        await _require_ended(unit, wanted.reverts_run_id)
    found = await unit.connection.execute(
        select(reattribution_runs)
        .where(
            _COLUMNS.state == RUNNING,
            _COLUMNS.rules_version == wanted.rules_version,
            *(
                getattr(_COLUMNS, name).is_not_distinct_from(getattr(wanted, name))
                for name in ("since_us", "until_us", "reverts_run_id")
            ),
        )
        .order_by(_COLUMNS.run_id.desc())
        .limit(1)
    )
    row = found.first()
    if row is not None:
        return _run(row, wanted)
    now_us = await unit.now_us()
    end_us = now_us if wanted.until_us is None else wanted.until_us
    run = Run(run_id=new_id(now_us), wanted=wanted, end_us=end_us)
    await unit.connection.execute(
        insert(reattribution_runs).values(
            run_id=run.run_id,
            **msgspec.structs.asdict(wanted),
            end_us=end_us,
            state=RUNNING,
            calls=0,
            changed=0,
            reassigned=0,
            marked=0,
            left_alone=0,
            started_at_us=now_us,
        )
    )
    details = {"reverts_run_id": wanted.reverts_run_id, "rules_version": wanted.rules_version}
    await audit.record(unit, wanted.actor, "backfill.begin", f"backfill:{run.run_id}", details)
    return run


async def take_turn(unit: Unit, run: Run, place: RunPlace | None) -> None:
    """Make sure that the run stands where we have left it, and let nobody else continue it.

    Raises ConflictError where another process is at it.
    """
    query = select(
        _COLUMNS.state, _COLUMNS.place_tier, _COLUMNS.place_at_us, _COLUMNS.place_call_id
    )
    found = await unit.connection.execute(
        query.where(_COLUMNS.run_id == run.run_id).with_for_update()
    )
    row = found.one()
    stands = None if row.place_tier is None else (row[1], row[2], str(row[3]))
    if stands != place or row.state != RUNNING:
        raise ConflictError(f"another process continues the run {run.run_id}; let it")


async def advance_run(unit: Unit, run: Run, place: RunPlace, found: Findings) -> None:
    """Note how far a run has come, and what that came to."""
    await unit.connection.execute(
        update(reattribution_runs)
        .where(_COLUMNS.run_id == run.run_id)
        .values(
            place_tier=place[0],
            place_at_us=place[1],
            place_call_id=place[2],
            **{
                name: getattr(_COLUMNS, name) + getattr(found, name)
                for name in ("calls", "changed", "reassigned", "marked", "left_alone")
            },
        )
    )


async def end_run(unit: Unit, run: Run) -> None:
    """Note that a run has seen all its calls."""
    await unit.connection.execute(
        update(reattribution_runs)
        .where(_COLUMNS.run_id == run.run_id)
        .values(state=DONE, ended_at_us=await unit.now_us())
    )


async def _require_ended(unit: Unit, run_id: str) -> None:
    found = await unit.connection.execute(select(_COLUMNS.state).where(_COLUMNS.run_id == run_id))
    state = found.scalar()
    if state is None:
        raise NotFoundError(f"there is no run {run_id!r}")
    if state != DONE:
        raise ConflictError(f"the run {run_id} has not ended: continue it first, then take it back")


def _run(row: Row[Any], wanted: Wanted) -> Run:
    place = None
    if row.place_tier is not None:
        place = (row.place_tier, row.place_at_us, str(row.place_call_id))
    return Run(run_id=str(row.run_id), wanted=wanted, end_us=row.end_us, place=place)
