"""How do reports come into the books without an office: imported, or tried again?

The same records, checks and closing as for those that another gateway sends; safe to repeat and
while the node runs.
"""

from collections.abc import Sequence

import msgspec

from tollbridge.cli.replay import make_closer
from tollbridge.core.call import new_id
from tollbridge.core.clock import Clock
from tollbridge.core.errors import OverloadedError
from tollbridge.core.report import Refusal, Report, ReportBatch, Via
from tollbridge.recording.closing import Closer, error_of
from tollbridge.recording.details import Source
from tollbridge.recording.intake_check import Arrival, check
from tollbridge.recording.intake_registry import SourceNames, names_of
from tollbridge.recording.intake_registry_store import load_registry
from tollbridge.recording.intake_store import keep_batches, known_claims
from tollbridge.recording.report_calls import calls_of
from tollbridge.recording.store import put_aside
from tollbridge.routing.vendor import vendor_of
from tollbridge.settings import Settings
from tollbridge.storage.unit import Database

PROJECT = "default"


class Taken(msgspec.Struct, frozen=True):
    """What became of a piece."""

    counted: int
    duplicates: int
    refusals: tuple[Refusal, ...]


class DirectBooks:
    """Brings pieces of reports into the books at once."""

    def __init__(
        self,
        database: Database,
        closer: Closer,
        names: SourceNames,
        settings: Settings,
        clock: Clock,
    ) -> None:
        self._database = database
        self._closer = closer
        self._names = names
        self._settings = settings
        self._clock = clock

    @classmethod
    async def open(
        cls, database: Database, settings: Settings, source: str, clock: Clock
    ) -> "DirectBooks":
        """Return the books for one source, by its registry as it is now."""
        async with database.read() as unit:
            sources = await load_registry(unit)
        closer = await make_closer(database, settings)
        return cls(database, closer, sources.get(source) or names_of(source), settings, clock)

    def check(
        self, lines: Sequence[tuple[int, bytes]], idempotency_key: str | None
    ) -> tuple[str, int, list[Report | Refusal]]:
        """Return the batch's id, when it arrived, and what each line says or why it does not count.

        A line without an id of its own counts once under the key and its number.
        """
        now_us = self._clock.now_us()
        arrival = Arrival(
            batch_id=new_id(now_us),
            names=self._names,
            project=PROJECT,
            received_at_us=now_us,
            future_max_s=self._settings.intake_future_max_s,
            vendor_of=vendor_of,
            idempotency_key=idempotency_key,
        )
        return arrival.batch_id, now_us, [check(raw, number, arrival) for number, raw in lines]

    async def preview(
        self, lines: Sequence[tuple[int, bytes]], idempotency_key: str | None, seen: set[str]
    ) -> Taken:
        """Return what would become of lines; `seen` remembers the claims of those before."""
        _, _, checked = self.check(lines, idempotency_key)
        reports = [one for one in checked if isinstance(one, Report)]
        async with self._database.read() as unit:
            known = await known_claims(unit, [one.claim for one in reports if one.claim])
        duplicates = 0
        for one in reports:
            if one.claim is not None:
                duplicates += one.claim in known or one.claim in seen
                seen.add(one.claim)
        refusals = tuple(one for one in checked if isinstance(one, Refusal))
        return Taken(len(reports) - duplicates, duplicates, refusals)

    async def take(
        self, lines: Sequence[tuple[int, bytes]], idempotency_key: str | None, via: Via
    ) -> Taken:
        """Count lines, in one unit; again, it changes nothing."""
        batch_id, now_us, checked = self.check(lines, idempotency_key)
        reports = [one for one in checked if isinstance(one, Report)]
        # A file that is read again has no rows of its duplicates.
        async with self._database.read() as unit:
            known = await known_claims(unit, [one.claim for one in reports if one.claim])
        fresh = tuple(one for one in reports if one.claim not in known)
        batch = ReportBatch(
            batch_id=batch_id,
            source=self._names.source,
            via=via,
            received_at_us=now_us,
            reports=fresh,
            refusals=tuple(one for one in checked if isinstance(one, Refusal)),
            idempotency_key=idempotency_key,
        )
        if not fresh and not batch.refusals:
            return Taken(0, len(reports), ())
        found: list[int] = []
        error = await error_of(self._write(batch, found, one_by_one=False))
        if error is not None:
            # What is the database's fault comes out of a unit as this.
            if isinstance(error, OverloadedError):
                raise error
            await self._write(batch, found, one_by_one=True)
        [counted] = found
        return Taken(counted, len(reports) - counted, batch.refusals)

    async def _write(self, batch: ReportBatch, found: list[int], *, one_by_one: bool) -> None:
        place = Source(self._settings.node, batch.via.value, batch.batch_id, 0, b"")
        ended = calls_of(batch, place)
        async with self._database.write() as unit:
            await keep_batches(unit, [batch])
            if one_by_one:
                books, culprits = await self._closer.one_by_one(unit, ended, batch.received_at_us)
                await put_aside(unit, culprits, batch.received_at_us)
            else:
                books = await self._closer.together(unit, ended, batch.received_at_us)
        books.committed()
        found.append(len(books.added))
