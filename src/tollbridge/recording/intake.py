"""How does what other gateways report come into the spool, each of it once?

A batch is checked against a snapshot of its source's registry, appended to a segment of the
office's own as one record, and accepted once that is on the disk. The drain brings it into the
books and has the last word on duplicates; with the database up they are found here already.
"""

import asyncio
from collections import OrderedDict
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Final

import msgspec

from tollbridge.core.call import new_id
from tollbridge.core.clock import Clock
from tollbridge.core.errors import InvalidRequestError, OverloadedError, PermissionDeniedError
from tollbridge.core.report import Refusal, Report, ReportBatch, Via
from tollbridge.recording.intake_check import Arrival, Vendor, check
from tollbridge.recording.intake_registry import SourceNames, names_of
from tollbridge.recording.intake_registry_store import PART, load_registry
from tollbridge.recording.intake_store import DUPLICATE, known_claims
from tollbridge.recording.spool import Reach, Spool, SpoolLimits, nothing_happens
from tollbridge.storage.unit import Database, Unit
from tollbridge.storage.versions import read_versions

RETRY_AFTER_S: Final = 5.0


class IntakeLimits(msgspec.Struct, frozen=True, kw_only=True):
    """The bounds of the intake, with their units."""

    records_max: int = 5000
    """Of one request."""
    pending_bytes_max: int = 1024 * 1024 * 1024
    """Of the node's spool that is not in the books; beyond it nothing is accepted."""
    future_max_s: float = 300.0
    """How far a reporter's clock may be ahead."""
    database_wait_s: float = 1.0
    """How long the database is asked for duplicates, before the drain alone decides."""
    claims_kept_max: int = 100_000
    """Claims of late that are looked up without the database."""


class IntakeHooks(msgspec.Struct, frozen=True, kw_only=True):
    """Whom the intake asks."""

    vendor_of: Vendor
    pending_bytes: Callable[[], int]
    """How much of the node's spool is not in the books."""
    reach: Reach = nothing_happens


class Reporter(msgspec.Struct, frozen=True):
    """Who reports, for which source."""

    source: str
    project: str


class Receipt(msgspec.Struct, frozen=True):
    """What became of a batch so far."""

    batch_id: str
    accepted: int
    duplicates: int
    refusals: tuple[Refusal, ...]
    """Without the duplicates."""


class Registry:
    """The sources as they were last seen; kept while the database is away."""

    def __init__(self) -> None:
        self._version = -1
        self._sources: Mapping[str, SourceNames] | None = None

    @property
    def last(self) -> Mapping[str, SourceNames] | None:
        """The sources as they were last read, None before that."""
        return self._sources

    async def current(self, unit: Unit) -> Mapping[str, SourceNames]:
        """Return the sources as they stand in this unit."""
        version = (await read_versions(unit)).get(PART, 0)
        if self._sources is None or version != self._version:
            self._sources, self._version = await load_registry(unit), version
        return self._sources


class Intake:
    """Takes what others report. One per node, in the office."""

    def __init__(
        self,
        directory: Path,
        database: Database,
        clock: Clock,
        hooks: IntakeHooks,
        *,
        node: str,
        spool: SpoolLimits | None = None,
        limits: IntakeLimits | None = None,
    ) -> None:
        self._directory = directory
        self._database = database
        self._clock = clock
        self._node = node
        self._vendor_of = hooks.vendor_of
        self._pending_bytes = hooks.pending_bytes
        # Accepted is what is on the disk, whatever calls wait for.
        self._spool_limits = msgspec.structs.replace(spool or SpoolLimits(), fsync="always")
        self._limits = limits or IntakeLimits()
        self._reach = hooks.reach
        self._spool: Spool | None = None
        self._claims: OrderedDict[str, None] = OrderedDict()
        self.registry = Registry()

    async def take(
        self, body: bytes, reporter: Reporter, idempotency_key: str | None, *, ask_database: bool
    ) -> Receipt:
        """Accept a batch: one record as JSON, or a list of them.

        Raises InvalidRequestError for a body that is neither, OverloadedError where the spool has
        no room, PermissionDeniedError for a source that is disabled; then nothing of it was taken.
        """
        raws = split(body, self._limits.records_max)
        if self._pending_bytes() > self._limits.pending_bytes_max:
            raise OverloadedError(
                "too much waits to come into the books", retry_after_s=RETRY_AFTER_S
            )
        names, up = await self._names(reporter.source, ask=ask_database)
        if not names.terms.enabled:
            raise PermissionDeniedError(f"the source {reporter.source!r} is disabled")
        now_us = self._clock.now_us()
        arrival = Arrival(
            batch_id=new_id(now_us),
            names=names,
            project=reporter.project,
            received_at_us=now_us,
            future_max_s=self._limits.future_max_s,
            vendor_of=self._vendor_of,
            idempotency_key=idempotency_key,
        )
        checked = [check(bytes(raw), index, arrival) for index, raw in enumerate(raws)]
        reports = [one for one in checked if isinstance(one, Report)]
        known = await self._known(reports) if up else set[str]()
        # From here to the append nothing is awaited: no other request can claim the same.
        batch = self._batch(arrival, reporter.source, checked, known)
        self._append(batch)
        await self._durable(batch)
        refusals = tuple(one for one in batch.refusals if one.reason != DUPLICATE)
        duplicates = len(batch.refusals) - len(refusals)
        return Receipt(batch.batch_id, len(batch.reports), duplicates, refusals)

    def close(self) -> None:
        """Seal the segment; what is in it comes into the books at the next start at the latest."""
        if self._spool is not None:
            self._spool.close()
            self._spool = None

    async def _names(self, source: str, *, ask: bool) -> tuple[SourceNames, bool]:
        """Return the source's registry, and whether the database has answered."""
        up = False
        if ask:
            try:
                async with (
                    asyncio.timeout(self._limits.database_wait_s),
                    self._database.read() as unit,
                ):
                    await self.registry.current(unit)
                up = True
            except (OverloadedError, TimeoutError):
                up = False
        sources = self.registry.last
        if sources is None:
            # Started without a database: nobody could say what may be counted.
            raise OverloadedError("the registry is not known yet", retry_after_s=RETRY_AFTER_S)
        return sources.get(source) or names_of(source), up

    async def _known(self, reports: list[Report]) -> set[str]:
        claims = [one.claim for one in reports if one.claim is not None]
        if not claims:
            return set()
        try:
            async with (
                asyncio.timeout(self._limits.database_wait_s),
                self._database.read() as unit,
            ):
                return await known_claims(unit, claims)
        except (OverloadedError, TimeoutError):
            return set()

    def _batch(
        self, arrival: Arrival, source: str, checked: list[Report | Refusal], known: set[str]
    ) -> ReportBatch:
        reports: list[Report] = []
        refusals: list[Refusal] = []
        seen: set[str] = set()
        for one in checked:
            if isinstance(one, Refusal):
                refusals.append(one)
            elif one.claim is not None and (
                one.claim in known or one.claim in seen or one.claim in self._claims
            ):
                refusals.append(Refusal(one.index, DUPLICATE, "it counts already"))
            else:
                reports.append(one)
                if one.claim is not None:
                    seen.add(one.claim)
        return ReportBatch(
            batch_id=arrival.batch_id,
            source=source,
            via=Via.INTAKE,
            received_at_us=arrival.received_at_us,
            reports=tuple(reports),
            refusals=tuple(refusals),
            idempotency_key=arrival.idempotency_key,
        )

    def _append(self, batch: ReportBatch) -> None:
        if self._spool is None:
            self._spool = Spool(
                self._directory,
                node=self._node,
                worker=f"intake-{new_id(self._clock.now_us())}",
                clock=self._clock,
                limits=self._spool_limits,
                reach=self._reach,
            )
        self._spool.check_room()
        self._spool.reported(batch)
        self._reach("intake.after_append")
        for one in batch.reports:
            if one.claim is not None:
                self._claims[one.claim] = None
        while len(self._claims) > self._limits.claims_kept_max:
            self._claims.popitem(last=False)

    async def _durable(self, batch: ReportBatch) -> None:
        if self._spool is None:
            raise OverloadedError("the node is ending", retry_after_s=RETRY_AFTER_S)
        try:
            await self._spool.durable()
        except OverloadedError:
            # Nobody is told that these are accepted; should they be read after all, then once.
            for one in batch.reports:
                self._claims.pop(one.claim or "", None)
            raise
        self._reach("intake.after_sync")


def split(body: bytes, records_max: int) -> list[msgspec.Raw]:
    """Return the records of a body. Raises InvalidRequestError where it has none, or too many."""
    try:
        if body.lstrip()[:1] == b"{":
            return [msgspec.json.decode(body, type=msgspec.Raw)]
        raws = msgspec.json.decode(body, type=list[msgspec.Raw])
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise InvalidRequestError(
            "the body is one record as a JSON object, or a list of them"
        ) from error
    if not raws:
        raise InvalidRequestError("there is no record")
    if len(raws) > records_max:
        raise InvalidRequestError(f"at most {records_max} records are taken at once")
    return raws
