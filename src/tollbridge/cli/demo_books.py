"""How does the demo's usage come into the books, and by which budgets is it paid?

The way that imported usage takes: the same checks and the same closing as for a gateway's own.
"""

from collections.abc import Callable, Sequence
from datetime import tzinfo
from zoneinfo import ZoneInfo

import msgspec

from tollbridge.cli.demo_budgets_store import fill_wallet, holds_of, make_budgets
from tollbridge.cli.demo_experiment_store import start_experiment
from tollbridge.cli.demo_usage import ForeignCall, Plan, pieces, trial_of
from tollbridge.cli.demo_world import DEMO
from tollbridge.cli.replay import make_closer
from tollbridge.core.call import new_id
from tollbridge.core.errors import BugError
from tollbridge.core.evidence import CallEvidence
from tollbridge.core.report import Report, ReportBatch, Via
from tollbridge.ledger.budgets import BudgetRow
from tollbridge.recording.calls import EndedCall, RawEvidence
from tollbridge.recording.closing import Closer
from tollbridge.recording.details import Source
from tollbridge.recording.intake_check import Arrival, check
from tollbridge.recording.intake_registry import SourceTerms, names_of
from tollbridge.recording.intake_registry_store import put_source
from tollbridge.recording.intake_store import keep_batches
from tollbridge.recording.report_calls import calls_of
from tollbridge.routing.vendor import vendor_of
from tollbridge.settings import Settings
from tollbridge.storage.unit import Database

PIECE_CALLS = 1000
PROJECT = "shared"
"""Of what another gateway reports, which names no project."""

_encode = msgspec.json.Encoder().encode


class DemoBooks:
    """Brings a plan's calls into the books, a piece in one unit."""

    def __init__(
        self,
        database: Database,
        closer: Closer,
        plan: Plan,
        rows: Sequence[BudgetRow],
        zone: tzinfo,
    ) -> None:
        self._database = database
        self._closer = closer
        self._names = names_of(DEMO, SourceTerms())
        self._plan = plan
        self._budgets = rows
        self._zone = zone

    @classmethod
    async def open(
        cls, database: Database, settings: Settings, plan: Plan, *, actor: str
    ) -> "DemoBooks":
        """Register the source, make its budgets, wallet and experiment, and return its books."""
        async with database.write() as unit:
            await put_source(unit, DEMO, SourceTerms(), actor=actor, now_us=plan.end_us)
            rows = await make_budgets(unit)
            await fill_wallet(unit, plan.end_us, actor=actor)
            await start_experiment(unit, trial_of(plan, actor))
        closer = await make_closer(database, settings)
        return cls(database, closer, plan, rows, ZoneInfo(settings.billing_time_zone))

    async def fill(self, tell: Callable[[int], None]) -> int:
        """Write all calls; return how many there are. `tell` gets how many more are in."""
        counted = 0
        for piece in pieces(self._plan, PIECE_CALLS):
            counted += await self._write(piece)
            tell(len(piece))
        return counted

    async def _write(self, piece: Sequence[CallEvidence | ForeignCall]) -> int:
        batch = self._batch([one for one in piece if isinstance(one, ForeignCall)])
        place = Source(DEMO, DEMO, batch.batch_id, 0, b"")
        ended = [self._ended(one) for one in piece if isinstance(one, CallEvidence)]
        ended += calls_of(batch, place)
        async with self._database.write() as unit:
            await keep_batches(unit, [batch])
            books = await self._closer.together(unit, ended, self._plan.end_us)
        books.committed()
        return len(books.added)

    def _batch(self, calls: Sequence[ForeignCall]) -> ReportBatch:
        now_us = self._plan.end_us
        arrival = Arrival(
            batch_id=new_id(now_us),
            names=self._names,
            project=PROJECT,
            received_at_us=now_us,
            future_max_s=0.0,
            vendor_of=vendor_of,
        )
        checked = [check(one.record, number, arrival) for number, one in enumerate(calls)]
        reports = [one for one in checked if isinstance(one, Report)]
        if len(reports) < len(checked):
            refused = next(one for one in checked if not isinstance(one, Report))
            raise BugError(f"the demo's own record is refused: {refused.message}")
        return ReportBatch(
            batch_id=arrival.batch_id,
            source=DEMO,
            via=Via.INTAKE,
            received_at_us=now_us,
            reports=tuple(reports),
        )

    def _ended(self, evidence: CallEvidence) -> EndedCall:
        """Return a call as the drain would, with the budgets that it counts in."""
        holds = holds_of(evidence.opened, self._budgets, self._zone)
        opened = msgspec.structs.replace(evidence.opened, holds=holds)
        closed = msgspec.structs.replace(evidence.closed, opened=opened)
        raw = _encode(RawEvidence(closed))
        return EndedCall(CallEvidence(opened, closed), Source(DEMO, DEMO, DEMO, 0, raw))
