"""Calls in the books, carried and reported, to be attributed again by other rules."""

from collections.abc import Mapping, Sequence
from datetime import UTC
from typing import Any

import msgspec

from tests.support.drained import SpyLedger, rows
from tests.support.recorded import NOON_US, CallSpec, ended_call, raw_of
from tests.support.rerated import BOOK, disagreements
from tollbridge.attribution.rules import Rank, Rule, RuleSet
from tollbridge.attribution.ruling import Rules
from tollbridge.conclude import Conclusions, conclude
from tollbridge.core.call import Bucket, Caller, Category, Operation, new_id
from tollbridge.core.evidence import CallEvidence
from tollbridge.core.report import Report, ReportBatch, Via
from tollbridge.ledger.adjust import ZonedLedger
from tollbridge.metering.estimate import EstimateRules
from tollbridge.reattribution import Detector
from tollbridge.recording.details import Source
from tollbridge.recording.reattribute import Findings, Tools, begin, reattribute, revert
from tollbridge.recording.reattribution_runs_store import Wanted
from tollbridge.recording.record import Shelf, UnitBooks
from tollbridge.recording.report_calls import calls_of
from tollbridge.recording.rollups import Days
from tollbridge.recording.spool import nothing_happens
from tollbridge.recording.statements import joined
from tollbridge.recording.store import RecordingStore
from tollbridge.recording.tables import ROLLUPS
from tollbridge.storage.unit import Database

SUMS = tuple(joined("SELECT * FROM", name) for name in ROLLUPS)
COSTS = (
    "SELECT call_id, cost_nanousd, known_cost_nanousd, charge_nanousd, components, cost_origin "
    "FROM call_details"
)


class ReportSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A use that somebody else carried, as a test describes it."""

    at_us: int = NOON_US
    model: str = "gpt-4o-mini"
    bucket: Bucket | None = None
    provider: str | None = None
    path: str | None = None
    user: str = "ada"
    request_count: int = 1
    input_tokens: int = 2518
    cost_usd: str | None = None


def rules(*said: tuple[str, str], rank: Rank = Rank.MODEL) -> Rules:
    """Return rules: a word of the model's name → the provider."""
    made = [Rule(f"word-{word}", rank, provider, words=(word,)) for word, provider in said]
    return Rules(RuleSet(tuple(made)))


def report_of(spec: ReportSpec) -> CallEvidence:
    """Return the evidence of a report."""
    report = Report(
        call_id=new_id(spec.at_us),
        batch_id=new_id(spec.at_us),
        index=0,
        model=spec.model,
        label=spec.model,
        operation=Operation.CHAT_COMPLETION,
        category=Category.TEXT,
        bucket=spec.bucket or Bucket.MISTRAL,
        bucket_reported=spec.bucket is not None,
        accounted_at_us=spec.at_us,
        started_at_us=spec.at_us - 1_250_000,
        completed_at_us=spec.at_us,
        completed=True,
        request_count=spec.request_count,
        counts={"input": spec.input_tokens, "output": 242},
        provider=spec.provider,
        path=spec.path,
        cost_usd=spec.cost_usd,
        caller=Caller("key-1", "ci", spec.user, "default"),
    )
    batch = ReportBatch(new_id(spec.at_us), "other-gateway", Via.IMPORT, spec.at_us, (report,))
    [call] = calls_of(batch, Source("node-1", "worker-1", "segment", 0, b""))
    return call.evidence


async def put(
    database: Database, specs: Sequence[ReportSpec | CallSpec], by: Rules | None = None
) -> list[str]:
    """Put calls into books and ledger, attributed by some rules; return their ids."""
    evidence = [report_of(one) if isinstance(one, ReportSpec) else ended_call(one) for one in specs]
    known = Conclusions(BOOK, EstimateRules(), by or rules())
    accounts = [conclude(one, known) for one in evidence]
    sources = {
        one.opened.call_id: Source("node-1", "worker-1", "segment", 0, raw_of(one))
        for one in evidence
    }
    async with database.write() as unit:
        shelf = Shelf(RecordingStore(unit.dialect), Days(UTC), 1000)
        books = UnitBooks(unit, shelf, SpyLedger(), sources, NOON_US)
        await books.settle(await books.record(accounts))
    return [one.opened.call_id for one in evidence]


def tools(by: Rules, *, batch_calls: int = 2, reach: Any = nothing_happens) -> Tools:
    """Return what a run is handed, with the real ledger."""
    return Tools(Detector(by), ZonedLedger(UTC), Days(UTC), batch_calls, reach)


def wanted(by: Rules, **more: Any) -> Wanted:
    """Return a run as a person asks for it."""
    return Wanted(rules_version=by.version, actor="ada", **more)


async def run(database: Database, by: Rules, **more: Any) -> tuple[str, Findings]:
    """Attribute everything again, or what is wanted; return the run and what it came to."""
    begun = await begin(database, wanted(by, **more))
    return begun.run_id, await reattribute(database, begun, tools(by))


async def take_back(database: Database, run_id: str) -> tuple[str, Findings]:
    """Take a run back; return the run that does so and what it came to."""
    begun = await begin(database, Wanted(reverts_run_id=run_id, actor="ada"))
    return begun.run_id, await revert(database, begun, tools(rules()))


async def providers(database: Database) -> Mapping[str, int]:
    """Return provider → calls, by the rows."""
    found = await rows(
        database,
        "SELECT actual_provider_name, sum(request_count) FROM call_details "
        "GROUP BY actual_provider_name",
    )
    return {str(name): int(count) for name, count in found}


__all__ = ["COSTS", "SUMS", "disagreements", "providers", "put", "rules", "run", "take_back"]
