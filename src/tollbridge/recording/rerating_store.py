"""Which runs of re-rating were begun, and how far has each come?"""

import msgspec
from sqlalchemy import insert, select, update

from tollbridge.core.call import new_id
from tollbridge.recording.adjustment_store import Run
from tollbridge.recording.adjustment_tables import rerating_runs
from tollbridge.recording.reconsider import Findings, Place
from tollbridge.storage import audit
from tollbridge.storage.unit import Unit

RUNNING = "running"
DONE = "done"


async def find_unfinished(unit: Unit, wanted: Run) -> Run | None:
    """Return the run about the same calls and prices that was not ended, the last one begun."""
    columns = rerating_runs.c
    found = await unit.connection.execute(
        select(rerating_runs)
        .where(
            columns.state == RUNNING,
            columns.from_us == wanted.window.from_us,
            columns.to_us == wanted.window.to_us,
            columns.provider == wanted.only.provider,
            columns.model == wanted.only.model,
            columns.marked.is_(wanted.only.marked),
            columns.prices_version == wanted.prices_version,
        )
        .order_by(columns.run_id.desc())
        .limit(1)
    )
    row = found.first()
    if row is None:
        return None
    begun = row.place_at_us is not None
    return msgspec.structs.replace(
        wanted,
        run_id=str(row.run_id),
        place=(row.place_at_us, str(row.place_call_id)) if begun else None,
    )


async def begin_run(unit: Unit, wanted: Run) -> Run:
    """Add a run; it gets an id."""
    now_us = await unit.now_us()
    run = msgspec.structs.replace(wanted, run_id=new_id(now_us), place=None)
    await unit.connection.execute(
        insert(rerating_runs).values(
            run_id=run.run_id,
            from_us=run.window.from_us,
            to_us=run.window.to_us,
            provider=run.only.provider,
            model=run.only.model,
            marked=run.only.marked,
            prices_version=run.prices_version,
            actor=run.actor,
            reason=run.reason,
            state=RUNNING,
            adjustments=0,
            difference_nanousd=0,
            started_at_us=now_us,
        )
    )
    await audit.record(unit, run.actor, "rerating.begin", f"rerating:{run.run_id}")
    return run


async def advance_run(unit: Unit, run: Run, place: Place, findings: Findings) -> None:
    """Note how far a run has come; whoever continues the same run at this moment waits."""
    columns = rerating_runs.c
    await unit.connection.execute(
        update(rerating_runs)
        .where(columns.run_id == run.run_id)
        .values(
            place_at_us=place[0],
            place_call_id=place[1],
            adjustments=columns.adjustments + findings.adjustments,
            difference_nanousd=columns.difference_nanousd + findings.difference_nanousd,
        )
    )


async def lock_run(unit: Unit, run: Run) -> None:
    """Let nobody else continue the same run until this unit ends."""
    await unit.connection.execute(
        select(rerating_runs.c.run_id).where(rerating_runs.c.run_id == run.run_id).with_for_update()
    )


async def end_run(unit: Unit, run: Run) -> None:
    """Note that a run has seen all its calls."""
    await unit.connection.execute(
        update(rerating_runs)
        .where(rerating_runs.c.run_id == run.run_id)
        .values(state=DONE, ended_at_us=await unit.now_us())
    )
