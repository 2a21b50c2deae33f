"""An intake and a drain in one process, for tests: what is reported comes into real books."""

from collections.abc import AsyncGenerator, Sequence
from contextlib import asynccontextmanager
from datetime import UTC, tzinfo
from pathlib import Path
from typing import Any

import msgspec

from tests.support import drained
from tollbridge import pipeline
from tollbridge.core.account import CallAccount
from tollbridge.core.clock import ManualClock
from tollbridge.core.evidence import CallEvidence
from tollbridge.metering.estimate import EstimateRules
from tollbridge.processes.reports import holds_of_reports
from tollbridge.recording.audit import books
from tollbridge.recording.drain import Drain, DrainHooks, DrainSettings
from tollbridge.recording.intake import Intake, IntakeHooks, IntakeLimits, Receipt, Reporter
from tollbridge.recording.intake_registry import RegisteredName, SourceTerms
from tollbridge.recording.intake_registry_store import put_names, put_source
from tollbridge.recording.intake_store import BatchStanding, find_batch
from tollbridge.recording.rebuild import rebuild_rollups
from tollbridge.recording.spool import SpoolLimits
from tollbridge.routing.vendor import vendor_of
from tollbridge.storage.unit import Database

SOURCE = "gw"
REPORTER = Reporter(SOURCE, "default")
NOW_MS = 1_767_225_600_000


class Reported:
    """A node that takes reports."""

    def __init__(
        self,
        database: Database,
        folder: Path,
        *,
        estimates: EstimateRules | None = None,
        zone: tzinfo = UTC,
        limits: IntakeLimits | None = None,
    ) -> None:
        self.database = database
        self.folder = folder
        self.clock = ManualClock()
        self.zone = zone
        self._limits = limits
        conclusions = drained.CONCLUSIONS
        if estimates is not None:
            conclusions = msgspec.structs.replace(conclusions, estimates=estimates)

        async def close(
            batch: Sequence[CallEvidence], into: pipeline.Books
        ) -> Sequence[CallAccount]:
            if any(one.opened.label == self.poison for one in batch):
                raise ValueError("this model cannot be closed")
            return await pipeline.close(batch, into, conclusions)

        self._close = close
        self.pending_bytes = 0
        self.poison: str | None = None
        """A model whose reports cannot be closed."""
        self.intake = self.new_intake()

    def new_intake(self) -> Intake:
        """Return an intake as after a restart: with a segment of its own, and without memory."""
        return Intake(
            self.folder,
            self.database,
            self.clock,
            IntakeHooks(vendor_of=vendor_of, pending_bytes=lambda: self.pending_bytes),
            node=drained.NODE,
            spool=SpoolLimits(reserve_bytes=0),
            limits=self._limits,
        )

    def drain(self, **settings: Any) -> Drain:
        """Return a drain of this node's spool."""
        return Drain(
            self.database,
            self.folder,
            self._close,
            drained.SpyLedger(),
            node=drained.NODE,
            settings=DrainSettings(zone=self.zone, **settings),
            hooks=DrainHooks(holds_of=holds_of_reports(self.zone)),
            clock=self.clock,
        )

    async def take(
        self, *records: dict[str, Any], key: str | None = None, up: bool = True
    ) -> Receipt:
        """Report records in one batch."""
        body = msgspec.json.encode(list(records))
        # The registry is read once with the database, as a node does that was started with it.
        async with self.database.read() as unit:
            await self.intake.registry.current(unit)
        return await self.intake.take(body, REPORTER, key, ask_database=up)

    async def caught_up(self) -> None:
        """Bring what was accepted into the books."""
        drain = self.drain()
        await drain.catch_up()
        drain.close()

    async def counted(self, *records: dict[str, Any], key: str | None = None) -> Receipt:
        """Report records and bring them into the books."""
        receipt = await self.take(*records, key=key)
        await self.caught_up()
        return receipt

    async def standing(self, batch_id: str) -> BatchStanding:
        """Return what became of a batch."""
        async with self.database.read() as unit:
            found = await find_batch(unit, batch_id)
        assert found is not None
        return found

    async def register(self, *names: RegisteredName) -> None:
        """Register names of SOURCE."""
        async with self.database.write() as unit:
            await put_source(unit, SOURCE, SourceTerms(), actor="test", now_us=self.clock.now_us())
            await put_names(unit, SOURCE, names, actor="test")

    async def rows(self, sql: str) -> list[tuple[Any, ...]]:
        """Return what a query finds."""
        return await drained.rows(self.database, sql)

    async def prove(self) -> None:
        """Prove that details, attempts and roll-ups say the same."""
        async with self.database.write() as unit:
            assert await books(unit) == []
            assert await rebuild_rollups(unit, self.zone) == []


@asynccontextmanager
async def reported(database: Database, folder: Path, **options: Any) -> AsyncGenerator[Reported]:
    """Yield a node that takes reports; what it has counted is proved at the end."""
    node = Reported(database, folder, **options)
    try:
        yield node
        await node.prove()
    finally:
        node.intake.close()
