"""How do the books say who really served, once more is known than when a call was closed?

Calls of a period are attributed again, the oldest first, in batches of one unit each: rows, what
they said before, both families of sums and the place that the run has reached move together. A
run that is cut short goes on from there; one that is begun anew finds nothing to change in what
is changed already. What a call cost stays.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from contextlib import aclosing
from typing import NamedTuple

import msgspec

from tollbridge.core.call import new_id
from tollbridge.recording import reattribution_pages_store as pages
from tollbridge.recording import reattribution_runs_store as runs
from tollbridge.recording.adjust import AdjustingLedger, Progress, nobody_looks
from tollbridge.recording.archive_tables import TIERS, Tier
from tollbridge.recording.reassign import (
    AttributeAgain,
    Findings,
    Memory,
    Move,
    count_changes,
    make_move,
)
from tollbridge.recording.reattribution_runs_store import Run, RunPlace, Wanted
from tollbridge.recording.reattribution_store import Applied, Moving, apply, load_moving
from tollbridge.recording.rollups import Days
from tollbridge.recording.spool import Reach, nothing_happens
from tollbridge.storage.unit import Database, Unit

BATCH_CALLS = 5000
BEFORE_ALL_US = -(2**62)
NO_CALL = "00000000-0000-0000-0000-000000000000"


class Tools(msgspec.Struct, frozen=True):
    """What recording is handed to attribute again."""

    again: AttributeAgain
    ledger: AdjustingLedger
    days: Days
    batch_calls: int = BATCH_CALLS
    reach: Reach = nothing_happens


class _Looked(NamedTuple):
    """The next calls of a tier."""

    changes: Mapping[str, Move]
    moving: Moving
    seen: int
    reached: RunPlace
    is_last: bool


async def begin(database: Database, wanted: Wanted) -> Run:
    """Return the run to work on: the one about the same, where it was cut short, or a new one.

    Raises NotFoundError or ConflictError for a run that cannot be taken back.
    """
    async with database.write() as unit:
        return await runs.begin_run(unit, wanted)


async def count_calls(database: Database, run: Run) -> int:
    """Return about how many calls a run has still to look at."""
    async with database.read() as unit:
        return await runs.count_calls(unit, run)


async def preview(
    database: Database,
    wanted: Wanted,
    again: AttributeAgain,
    *,
    end_us: int,
    on_progress: Progress = nobody_looks,
    batch_calls: int = BATCH_CALLS,
    calls_max: int | None = None,
) -> Findings:
    """Return what a run would come to from the beginning; nothing is written.

    Looks no further once it has seen `calls_max` calls.
    """
    findings = Findings()
    memory = Memory(again)
    run = Run(run_id="", wanted=wanted, end_us=end_us)
    for number in range(len(TIERS)):
        place = _start(run, number)
        async with aclosing(_pages(database, run, place, memory, batch_calls)) as found:
            async for page in found:
                findings.add(count_changes(page.seen, page.changes))
                on_progress(page.seen)
                if calls_max is not None and findings.calls >= calls_max:
                    return findings
    return findings


async def reattribute(
    database: Database, run: Run, tools: Tools, *, on_progress: Progress = nobody_looks
) -> Findings:
    """Change what a run of `begin` has not seen yet; return what this came to.

    Raises ConflictError where another process continues the same run.
    """
    findings = Findings()
    memory = Memory(tools.again)
    stands = run.place
    first = 0 if stands is None else stands[0]
    for number in range(first, len(TIERS)):
        resumed = stands is not None and number == stands[0]
        place = stands if stands is not None and resumed else _start(run, number)
        pages_ = _pages(database, run, place, memory, tools.batch_calls)
        async with aclosing(pages_) as found:
            async for page in found:
                findings.add(await _write(database, run, stands, page, tools))
                stands = page.reached
                on_progress(page.seen)
    await _end(database, run, stands)
    return findings


async def revert(
    database: Database, run: Run, tools: Tools, *, on_progress: Progress = nobody_looks
) -> Findings:
    """Take back what another run changed, as far as no later one has changed it again.

    That is a run of its own, and can be taken back like any other.
    """
    findings = Findings()
    stands = run.place
    reverted = run.wanted.reverts_run_id or ""
    while True:
        after = NO_CALL if stands is None else stands[2]
        async with database.read() as unit:
            page = await pages.load_changes(unit, reverted, after, tools.batch_calls)
        if not page:
            break
        # A call that was changed only in words of its evidence is in no run's changes.
        moves = {call_id: make_move(new, old, None) for call_id, old, new in page}
        wanted = {call_id: move for call_id, move in moves.items() if move is not None}
        reached = (0, 0, page[-1][0])
        async with database.write() as unit:
            await runs.take_turn(unit, run, stands)
            found = Findings(calls=len(page))
            for tier in TIERS:
                moving = await load_moving(unit, tier, wanted)
                done = await _change(unit, run, tier, wanted, moving, tools)
                found.add(count_changes(0, done.changed))
                found.marked += done.marked
                wanted = {one: move for one, move in wanted.items() if one not in done.changed}
            found.left_alone = len(wanted)
            await runs.advance_run(unit, run, reached, found)
            tools.reach("before commit")
        tools.reach("after commit")
        stands = reached
        findings.add(found)
        on_progress(len(page))
    await _end(database, run, stands)
    return findings


async def _pages(
    database: Database, run: Run, place: RunPlace, memory: Memory, limit: int
) -> AsyncGenerator[_Looked]:
    """Look at the calls of a tier from a place on, page by page.

    Each is read while the one before is written: no call stands in both.
    """
    looking = asyncio.create_task(_look(database, run, place, memory, limit))
    try:
        while True:
            page = await looking
            if page.is_last:
                yield page
                return
            looking = asyncio.create_task(_look(database, run, page.reached, memory, limit))
            yield page
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def _write(
    database: Database, run: Run, stands: RunPlace | None, page: _Looked, tools: Tools
) -> Findings:
    """Change what is to be changed of one page, in one unit; return what this came to."""
    async with database.write() as unit:
        await runs.take_turn(unit, run, stands)
        tier = TIERS[page.reached[0]]
        done = await _change(unit, run, tier, page.changes, page.moving, tools)
        found = count_changes(page.seen, done.changed)
        found.marked = done.marked
        await runs.advance_run(unit, run, page.reached, found)
        tools.reach("before commit")
    tools.reach("after commit")
    return found


async def _look(
    database: Database, run: Run, place: RunPlace, memory: Memory, limit: int
) -> _Looked:
    """Return what changes of the next calls, how many they are, and where to go on."""
    number, tier = place[0], TIERS[place[0]]
    since_us = BEFORE_ALL_US if run.wanted.since_us is None else run.wanted.since_us
    async with database.read() as unit:
        rows = await pages.load_page(unit, tier, (since_us, run.end_us), place[1:], limit)
        page = await pages.as_page(unit, rows, memory.again.aggregators)
        changes = memory.consider(page)
        moving = await load_moving(unit, tier, changes)
    if len(rows) < limit:
        return _Looked(changes, moving, len(rows), (number, run.end_us, NO_CALL), is_last=True)
    call_id, at_us = page.places[-1]
    return _Looked(changes, moving, len(rows), (number, at_us, call_id), is_last=False)


async def _change(
    unit: Unit,
    run: Run,
    tier: Tier,
    changes: Mapping[str, Move],
    moving: Moving,
    tools: Tools,
) -> Applied:
    """Change one batch: rows, sums, and whom the ledger says that the cost is owed to."""
    if not changes:
        return Applied({}, {}, 0)
    done = await apply(unit, tier, run.run_id, changes, moving, tools.days)
    if done.provider_costs:
        await tools.ledger.adjust(unit, new_id(await unit.now_us()), {}, done.provider_costs)
    return done


async def _end(database: Database, run: Run, stands: RunPlace | None) -> None:
    async with database.write() as unit:
        await runs.take_turn(unit, run, stands)
        await runs.end_run(unit, run)


def _start(run: Run, number: int) -> RunPlace:
    since_us = BEFORE_ALL_US if run.wanted.since_us is None else run.wanted.since_us
    return number, since_us, NO_CALL
