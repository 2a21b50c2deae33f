"""Whatever dies when, and however often the spool is read: one outcome per call, and true sums."""

import asyncio
import os
import random
import shutil
import tempfile
from collections import Counter
from pathlib import Path
from typing import Any
from zoneinfo import ZoneInfo

import msgspec
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.support.drained import (
    COST_NANOUSD,
    LiveCall,
    SpoolingWorker,
    begun,
    make_drain,
    opened_call,
    refused,
    rows,
)
from tollbridge.core.call import Ending
from tollbridge.core.clock import ManualClock
from tollbridge.core.evidence import AttemptStarted, Closed, Progress
from tollbridge.recording.audit import books
from tollbridge.recording.drain import Drain, DrainSettings
from tollbridge.recording.rebuild import rebuild_rollups
from tollbridge.recording.records import SEGMENT_SUFFIX
from tollbridge.storage.unit import Database

ZONE = ZoneInfo("Asia/Kathmandu")  # a quarter of an hour off
ACTIONS = (
    *("open", "open_held", "open", "close", "close", "close"),
    *("fallback", "progress", "refuse", "orphan", "close_twice"),
    *("die", "damage", "duplicate", "drain", "drain", "restart", "crash", "rewind"),
)


class _Crash(BaseException):
    """The office is killed before its commit."""


class World:
    """A node whose office and workers die at any moment; it knows what must come out."""

    def __init__(self, folder: Path, database: Database, draw: random.Random) -> None:
        self._spool = folder / "spool"
        self._database = database
        self._draw = draw
        self._clock = ManualClock()
        self._workers = [self._worker(), self._worker()]
        self._live: list[tuple[SpoolingWorker, LiveCall]] = []
        self._crash = False
        self._drain = self._office()
        self.expected: dict[str, str] = {}
        """Call id → ending."""
        self.orphans = 0
        self.held_and_closed = 0

    def _worker(self) -> SpoolingWorker:
        return SpoolingWorker(self._spool, self._clock, segment_bytes_max=1500)

    def _office(self) -> Drain:
        chosen = DrainSettings(batch_records_max=self._draw.choice((1, 2, 5, 100)), zone=ZONE)
        return make_drain(
            self._database, self._spool, self._clock, settings=chosen, reach=self._reach
        )

    def _reach(self, point: str) -> None:
        if self._crash and point == "drain.before_commit":
            self._crash = False
            raise _Crash

    async def act(self, action: str) -> None:
        """Do one thing that can happen."""
        self._clock.advance(self._draw.choice((0.001, 0.5, 700)))
        if action in {"drain", "crash", "restart", "rewind"}:
            await self._act_office(action)
        elif action in {"open", "open_held", "refuse", "damage", "die", "orphan"}:
            self._act_worker(action)
        elif action == "duplicate":
            self._copy_segment()
        elif self._live:
            self._act_call(action)

    async def _act_office(self, action: str) -> None:
        if action == "rewind":
            await self._drain.rewind()
        elif action == "restart":
            self._drain.close()
            self._drain = self._office()
        else:
            self._crash = action == "crash"
            try:
                await self._drain.step()
            except _Crash:
                self._drain.close()
                self._drain = self._office()
            self._crash = False

    def _act_worker(self, action: str) -> None:
        worker = self._draw.choice(self._workers)
        now_us = self._clock.now_us()
        if action in {"open", "open_held"}:
            call = worker.open(held=action == "open_held", stream=self._draw.random() < 0.5)
            self._live.append((worker, call))
            self.expected[call.call_id] = Ending.INTERRUPTED.value
        elif action == "refuse":
            opened = opened_call(now_us, attempt=None)
            closed = Closed(opened.call_id, now_us, Ending.OVER_BUDGET, 402, opened=opened)
            worker.spool.refused(closed)
            self.expected[opened.call_id] = Ending.OVER_BUDGET.value
        elif action == "damage":
            junk = self._draw.choice(
                (b"\n", b"}{\n", b'{"v":1,"crc":5,"record":{}}\n', b"\xff\0\n")
            )
            os.write(worker.spool._segment.fd, junk)
        elif action == "orphan":
            closed = Closed(opened_call(now_us).call_id, now_us, Ending.COMPLETE, 200)
            worker.spool.closed(self._a_segment(worker), closed)
            self.orphans += 1
        else:
            worker.die(self._draw.choice((b"", b'{"v":1,"crc":77,"rec')))
            self._workers.remove(worker)
            self._workers.append(self._worker())
            self._live = [one for one in self._live if one[0] is not worker]

    def _a_segment(self, worker: SpoolingWorker) -> Any:
        segment = worker.spool._segment
        segment.open_calls += 1  # the spool takes one off again when it writes the `closed`
        return segment

    def _act_call(self, action: str) -> None:
        place = self._draw.randrange(len(self._live))
        worker, call = self._live[place]
        now_us = self._clock.now_us()
        if action == "fallback":
            call.attempts[-1] = refused(call.attempts[-1], now_us)
            call.attempts.append(begun(len(call.attempts) + 1, now_us, "aimlapi"))
            worker.spool.append(call.segment, AttemptStarted(call.call_id, tuple(call.attempts)))
        elif action == "progress":
            current = call.attempts[-1]
            call.attempts[-1] = msgspec.structs.replace(
                current, written=True, chunks=current.chunks + 3, first_byte_at_us=now_us
            )
            worker.spool.append(call.segment, Progress(call.call_id, now_us, call.attempts[-1]))
        else:
            ending = self._draw.choice((Ending.COMPLETE, Ending.CALLER_LEFT))
            closed = worker.end(call, ending)
            if action == "close_twice":
                call.segment.open_calls += 1
                worker.spool.closed(call.segment, closed) if call.segment.fd >= 0 else None
            del self._live[place]
            self.expected[call.call_id] = ending.value
            self.held_and_closed += bool(call.opened.holds)

    def _copy_segment(self) -> None:
        """Copy a segment of somebody dead under another name, as a careless restore may."""
        found = sorted(self._spool.glob(f"*{SEGMENT_SUFFIX}"))
        alive = tuple(worker.worker for worker in self._workers)
        dead = [path for path in found if not path.name.startswith(alive)]
        if dead:
            source = self._draw.choice(dead)
            name = f"copy{self._draw.getrandbits(32)}-{source.name}"
            shutil.copyfile(source, self._spool / name)

    async def end(self) -> None:
        """Let everybody die, and the last office read what they left."""
        for worker in self._workers:
            worker.die()
        self._drain.close()
        self._drain = self._office()
        await self._drain.catch_up()

    async def read_again(self) -> None:
        """Read the whole spool once more."""
        await self._drain.rewind()
        await self._drain.catch_up()
        self._drain.close()


@settings(max_examples=60, deadline=None)
@given(st.lists(st.sampled_from(ACTIONS), max_size=60), st.integers(0, 2**32))
def test_each_call_has_one_outcome_whatever_happens(
    template: Path, actions: list[str], seed: int
) -> None:
    """Any interleaving, cut and replay gives each call its one row, and the sums of just those."""
    folder = Path(tempfile.mkdtemp())
    try:
        shutil.copyfile(template, folder / "books.db")
        asyncio.run(_check(folder, actions, seed))
    finally:
        shutil.rmtree(folder)


async def _check(folder: Path, actions: list[str], seed: int) -> None:
    database = Database.open(f"sqlite:///{folder / 'books.db'}")
    try:
        world = World(folder, database, random.Random(seed))
        for action in actions:
            await world.act(action)
        await world.end()
        first = await _outcome(database, world)
        await world.read_again()
        assert await _outcome(database, world) == first
    finally:
        await database.close()


async def _outcome(database: Database, world: World) -> list[Any]:
    endings = await rows(database, "SELECT call_id, ending FROM call_details ORDER BY call_id")
    assert dict(endings) == world.expected
    assert len(endings) == len(world.expected)
    assert await rows(database, "SELECT * FROM open_calls") == []
    assert await rows(database, "SELECT 1 FROM spool_segments WHERE state <> 'finished'") == []
    waiting = await rows(database, "SELECT call_id FROM quarantine")
    assert len(waiting) == world.orphans
    async with database.read() as unit:
        assert await books(unit) == []
        assert await rebuild_rollups(unit, ZONE) == []
    charged = dict(
        await rows(database, "SELECT 1, sum(spent) FROM budget_periods HAVING count(*) > 0")
    )
    interrupted = await rows(
        database,
        "SELECT coalesce(sum(charge_nanousd), 0) FROM call_details WHERE ending = 'interrupted' "
        "AND call_id IN (SELECT call_id FROM call_evidence WHERE raw LIKE '%lease-%')",
    )
    posted = charged.get(1, 0)
    assert posted == world.held_and_closed * COST_NANOUSD + interrupted[0][0]
    costs = await rows(database, "SELECT sum(amount) FROM postings WHERE account LIKE 'provider:%'")
    booked = await rows(database, "SELECT sum(known_cost_nanousd) FROM call_details")
    assert (costs[0][0] or 0) == (booked[0][0] or 0)
    by_ending = Counter(ending for _, ending in endings)
    return [sorted(by_ending.items()), posted, costs, booked]
