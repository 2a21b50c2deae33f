"""How do the books say who really served, once more is known than when a call was closed?

Calls of a period are attributed again, the oldest first, in batches of one unit each: rows, what
they said before, both families of sums and the place that the run has reached move together. A
run that is cut short goes on from there; one that is begun anew finds nothing to change in what
is changed already. What a call cost stays.

While the sums of one batch move, the rows of the next may change already, and the one after is
read: they have no call in common, and are committed in turn.
"""

import asyncio
from collections import deque
from collections.abc import AsyncGenerator, Callable, Coroutine, Mapping
from contextlib import aclosing
from typing import NamedTuple

import msgspec

from tollbridge.core.call import new_id
from tollbridge.recording import reattribution_pages_store as pages
from tollbridge.recording import reattribution_runs_store as runs
from tollbridge.recording.adjust import AdjustingLedger, Progress, nobody_looks
from tollbridge.recording.archive_tables import HOT, TIERS
from tollbridge.recording.moving_store import Moving, load_moving
from tollbridge.recording.reassign import (
    AttributeAgain,
    Findings,
    Memory,
    Move,
    count_changes,
    make_move,
)
from tollbridge.recording.reattribution_runs_store import Run, RunPlace, Wanted
from tollbridge.recording.reattribution_store import Applied, apply, move_sums
from tollbridge.recording.rollups import Days
from tollbridge.recording.spool import Reach, nothing_happens
from tollbridge.storage.unit import Database, Unit

BATCH_CALLS = 5000
BEFORE_ALL_US = -(2**62)
NO_CALL = "00000000-0000-0000-0000-000000000000"
WRITERS: Mapping[str, int] = {"sqlite": 1, "postgresql": 2}
"""Batches in work at once."""


class Tools(msgspec.Struct, frozen=True):
    """What recording is handed to attribute again."""

    again: AttributeAgain
    ledger: AdjustingLedger
    days: Days
    batch_calls: int = BATCH_CALLS
    reach: Reach = nothing_happens


class _Looked(NamedTuple):
    """The next calls that a run looks at."""

    changes: Mapping[str, Move]
    moving: Moving
    seen: int
    reached: RunPlace
    is_last: bool


_Look = Callable[[RunPlace], Coroutine[None, None, _Looked]]
_Pages = AsyncGenerator[_Looked]
_Written = asyncio.Task[Findings]


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

    async def look(place: RunPlace) -> _Looked:
        return await _look(database, run, place, memory, batch_calls)

    for number in range(len(TIERS)):
        async with aclosing(_ahead(look, _start(run, number))) as found:
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
    memory = Memory(tools.again)

    async def look(place: RunPlace) -> _Looked:
        return await _look(database, run, place, memory, tools.batch_calls, moves=True)

    async def look_at_all() -> _Pages:
        place = run.place or _start(run, 0)
        while True:
            async with aclosing(_ahead(look, place)) as found:
                async for page in found:
                    yield page
            number = place[0] + 1
            if number == len(TIERS):
                return
            place = _start(run, number)

    return await _write_all(_Writing(database, run, tools), look_at_all(), on_progress)


async def revert(
    database: Database, run: Run, tools: Tools, *, on_progress: Progress = nobody_looks
) -> Findings:
    """Take back what another run changed, as far as no later one has changed it again.

    That is a run of its own, and can be taken back like any other.
    """
    reverted = run.wanted.reverts_run_id or ""

    async def look(place: RunPlace) -> _Looked:
        async with database.read() as unit:
            page = await pages.load_changes(unit, reverted, place[2], tools.batch_calls)
            # A call that was changed only in words of its evidence is in no run's changes.
            moves = {call_id: make_move(new, old, None) for call_id, old, new in page}
            changes = {call_id: move for call_id, move in moves.items() if move is not None}
            moving = await load_moving(unit, HOT, changes)
        reached = (0, 0, page[-1][0]) if page else place
        return _Looked(changes, moving, len(page), reached, not page)

    found = _ahead(look, run.place or (0, 0, NO_CALL))
    return await _write_all(_Writing(database, run, tools), found, on_progress)


class _Writing:
    """Writes the batches of one run."""

    def __init__(self, database: Database, run: Run, tools: Tools) -> None:
        self.database = database
        self.run = run
        self._tools = tools
        self._is_revert = run.wanted.reverts_run_id is not None

    async def write(
        self, page: _Looked, stands: RunPlace | None, before: _Written | None
    ) -> Findings:
        """Change what is to be changed of one page, in one unit; return what this came to.

        It is committed behind the page before it.
        """
        found = Findings(calls=page.seen)
        async with self.database.write() as unit:
            done = await self._change_rows(unit, page, found)
            if before is not None:
                await asyncio.wait((before,))
                before.result()
            await runs.take_turn(unit, self.run, stands)
            costs: dict[str, int] = {}
            for one in done:
                for provider, cost in (await move_sums(unit, self.run.run_id, one)).items():
                    costs[provider] = costs.get(provider, 0) + cost
            if costs:
                await self._tools.ledger.adjust(unit, new_id(await unit.now_us()), {}, costs)
            await runs.advance_run(unit, self.run, page.reached, found)
            self._tools.reach("before commit")
        self._tools.reach("after commit")
        return found

    async def _change_rows(self, unit: Unit, page: _Looked, found: Findings) -> list[Applied]:
        """Let rows say who served; count in what really changed."""
        # What a run changed may be archived since.
        numbers = range(len(TIERS)) if self._is_revert else (page.reached[0],)
        wanted, moving = page.changes, page.moving
        done: list[Applied] = []
        for number in numbers:
            if not wanted:
                break
            tier, read = TIERS[number], None if number and self._is_revert else moving
            one = await apply(unit, tier, self.run.run_id, wanted, read, self._tools.days)
            found.add(count_changes(0, one.changed))
            found.marked = sum(each.marked for each in (*done, one))
            wanted = {call: move for call, move in wanted.items() if call not in one.changed}
            done.append(one)
        found.left_alone = len(wanted) if self._is_revert else 0
        return done


async def _write_all(writing: _Writing, found: _Pages, on_progress: Progress) -> Findings:
    """Write pages, some at once and each committed in its turn; then end the run."""
    findings = Findings()
    stands = writing.run.place
    written: deque[tuple[_Written, int]] = deque()
    before: _Written | None = None

    async def finish_first() -> None:
        task, seen = written[0]
        findings.add(await task)
        written.popleft()
        on_progress(seen)

    try:
        async with aclosing(found):
            async for page in found:
                before = asyncio.create_task(writing.write(page, stands, before))
                written.append((before, page.seen))
                stands = page.reached
                if len(written) >= WRITERS[writing.database.dialect]:
                    await finish_first()
        while written:
            await finish_first()
    finally:
        for task, _ in written:
            task.cancel()
        await asyncio.gather(*(task for task, _ in written), return_exceptions=True)
    async with writing.database.write() as unit:
        await runs.take_turn(unit, writing.run, stands)
        await runs.end_run(unit, writing.run)
    return findings


async def _ahead(look: _Look, place: RunPlace) -> _Pages:
    """Look at page after page: each is read while the one before is written.

    No call stands in both.
    """
    looking = asyncio.create_task(look(place))
    try:
        while True:
            page = await looking
            if page.is_last:
                yield page
                return
            looking = asyncio.create_task(look(page.reached))
            yield page
    finally:
        looking.cancel()
        await asyncio.gather(looking, return_exceptions=True)


async def _look(
    database: Database,
    run: Run,
    place: RunPlace,
    memory: Memory,
    limit: int,
    *,
    moves: bool = False,
) -> _Looked:
    """Return what changes of the next calls, how many they are, and where to go on.

    What moves with them only where it is asked for.
    """
    number, tier = place[0], TIERS[place[0]]
    since_us = BEFORE_ALL_US if run.wanted.since_us is None else run.wanted.since_us
    async with database.read() as unit:
        rows = await pages.load_page(unit, tier, (since_us, run.end_us), place[1:], limit)
        page = await pages.as_page(unit, rows, memory.again.aggregators)
        changes = memory.consider(page)
        moving = await load_moving(unit, tier, changes) if moves else ()
    if len(rows) < limit:
        return _Looked(changes, moving, len(rows), (number, run.end_us, NO_CALL), is_last=True)
    call_id, at_us = page.places[-1]
    return _Looked(changes, moving, len(rows), (number, at_us, call_id), is_last=False)


def _start(run: Run, number: int) -> RunPlace:
    since_us = BEFORE_ALL_US if run.wanted.since_us is None else run.wanted.since_us
    return number, since_us, NO_CALL
