"""Which details have been kept long enough, and how do they get into the archive?

Age is that of the call's accounting. A batch is one unit: its calls stand before it in one place
with all of theirs, and after it in the other. Sums do not move: roll-ups are of all calls, and so
are the proofs that they are right.
"""

import asyncio
from collections.abc import Callable

import msgspec

from tollbridge.core.clock import SECOND_US, Clock
from tollbridge.core.schedule import Schedule, months_before
from tollbridge.recording import archive_store as store
from tollbridge.recording.archive_store import Moved, TierCount
from tollbridge.recording.archive_tables import ARCHIVE, HOT, Tier
from tollbridge.recording.closing import error_of
from tollbridge.recording.spool import Reach, nothing_happens
from tollbridge.storage.unit import Database

RETRY_US = 300 * SECOND_US
LOOK_AGAIN_S = 60.0
"""Longest sleep before the clock is looked at again: it may have been set."""


class ArchiveSettings(msgspec.Struct, frozen=True):
    """The knobs of the archive, with their units."""

    keep_months: int = 13
    batch_rows: int = 1000


class ArchiveStatus(msgspec.Struct, frozen=True):
    """How the archive stands."""

    before_us: int
    """Calls accounted before this instant belong into the archive."""
    due: int
    """Calls that do, and are not there yet."""
    hot: TierCount
    archived: TierCount


def _ignore(_moved: Moved) -> None:
    """Tell nobody."""


class Archiver:
    """Moves details that have been kept long enough."""

    def __init__(
        self,
        database: Database,
        settings: ArchiveSettings,
        clock: Clock,
        *,
        reach: Reach = nothing_happens,
        tiers: tuple[Tier, Tier] = (HOT, ARCHIVE),
    ) -> None:
        """Come together; raises ConfigurationError where table and archive do not fit."""
        hot, archive = tiers
        for table, copy in ((hot.details, archive.details), (hot.rows, archive.rows)):
            store.check_same(table.name, copy.name, table.c.keys(), copy.c.keys())
        self._database = database
        self._settings = settings
        self._clock = clock
        self._reach = reach

    @property
    def before_us(self) -> int:
        """The instant before which calls belong into the archive now."""
        return months_before(self._clock.now_us(), self._settings.keep_months)

    async def run(self, on_batch: Callable[[Moved], None] = _ignore) -> Moved:
        """Move what is due, batch by batch, until nothing is; return how much that was.

        Others write between the batches. Cut short at any moment, it goes on the next time.
        """
        before_us, rows_max = self.before_us, self._settings.batch_rows
        total = Moved()
        while True:
            async with self._database.write() as unit:
                moved = await store.move(unit, before_us, rows_max)
                self._reach("archive.before_commit")
            self._reach("archive.after_commit")
            total += moved
            on_batch(moved)
            if not moved.calls:
                return total
            await asyncio.sleep(0)

    async def status(self) -> ArchiveStatus:
        """Return how the archive stands."""
        before_us = self.before_us
        async with self._database.read() as unit:
            return ArchiveStatus(
                before_us,
                await store.count_due(unit, before_us),
                await store.count(unit, HOT),
                await store.count(unit, ARCHIVE),
            )


async def archive_forever(
    archiver: Archiver,
    schedule: Schedule,
    clock: Clock,
    on_error: Callable[[Exception], None],
    look_again_s: float = LOOK_AGAIN_S,
) -> None:
    """Archive at once, and then whenever the schedule says.

    What goes wrong is tried again before long, and nothing else suffers for it.
    """
    due_us = clock.now_us()
    while True:
        wait_s = (due_us - clock.now_us()) / SECOND_US
        if wait_s > 0:
            await asyncio.sleep(min(look_again_s, wait_s))
            continue
        due_us = schedule.next_us(clock.now_us())
        error = await error_of(archiver.run())
        if error is not None:
            on_error(error)
            due_us = min(due_us, clock.now_us() + RETRY_US)
