"""Calls in the books, as the drain would have put them there."""

from collections.abc import Mapping, Sequence
from datetime import UTC, tzinfo

import msgspec

from tests.support.evidence import a_closed, an_attempt, an_opened, begun
from tollbridge import pipeline
from tollbridge.conclude import Conclusions, conclude
from tollbridge.core.account import CallAccount
from tollbridge.core.call import (
    CATEGORY_OF,
    AttemptOutcome,
    Bucket,
    Caller,
    Ending,
    ErrorClass,
    Hold,
    Operation,
    new_id,
)
from tollbridge.core.clock import SECOND_US
from tollbridge.core.evidence import AttemptEvidence, CallEvidence, Opened
from tollbridge.core.settlement import Settlement
from tollbridge.metering.estimate import EstimateRules
from tollbridge.rating import store as rating_store
from tollbridge.rating.book import PriceBook
from tollbridge.recording.calls import EndedCall
from tollbridge.recording.closing import Close, Closer
from tollbridge.recording.details import Source
from tollbridge.recording.record import Shelf, UnitBooks
from tollbridge.recording.rollups import Days
from tollbridge.recording.store import RecordingStore
from tollbridge.storage.unit import Database, Unit

NOON_US = 1_767_268_800_000_000
"""2026-01-01T12:00:00Z."""
UTC_DAY_US = 86_400 * SECOND_US


class CallSpec(msgspec.Struct, frozen=True, kw_only=True):
    """A call as a test describes it; what is not said is ordinary."""

    at_us: int = NOON_US
    provider: str = "openai"
    model: str = "gpt-4o-mini"
    label: str = "gpt-4o-mini"
    user: str = "ada"
    key_id: str = "01940000-0000-7000-8000-000000000001"
    key_name: str = "ci"
    project: str = "default"
    bucket: Bucket = Bucket.OPENAI
    input_tokens: int = 2518
    output_tokens: int = 242
    fails_first: bool = False
    """Whether another provider refused before."""
    refused: bool = False
    """Whether nobody served it."""
    hold_nanousd: int = 0
    latency_ms: int = 250
    """Of the attempt that served."""
    operation: Operation = Operation.CHAT_COMPLETION
    customer: str | None = None
    tags: tuple[str, ...] = ()
    first_bills: bool = False
    """Whether the provider that failed first broke off its answer, and bills it."""


class NoLedger:
    """A ledger that takes everything and keeps nothing."""

    async def settle(
        self,
        unit: Unit,
        batch_id: str,
        charges: Sequence[Settlement],
        provider_costs: Mapping[str, int],
        posted_at_us: int,
    ) -> None:
        """Post nothing."""

    async def return_remainder(self, unit: Unit, worker: str, keep: Mapping[str, int]) -> object:
        """Free nothing."""


def opened_call(spec: CallSpec) -> Opened:
    """Return the record that lets a call in."""
    attempts = _attempts(spec)
    first = attempts[0]
    return an_opened(
        call_id=new_id(spec.at_us),
        opened_at_us=spec.at_us - max(500_000, spec.latency_ms * 1000 + 250_000),
        received_at_us=spec.at_us - max(501_000, spec.latency_ms * 1000 + 251_000),
        caller=Caller(spec.key_id, spec.key_name, spec.user, spec.project),
        label=spec.label,
        bucket=spec.bucket,
        operation=spec.operation,
        category=CATEGORY_OF[spec.operation],
        customer=spec.customer,
        tags=spec.tags,
        request_bytes=2048,
        expected_provider=first.provider,
        planned=tuple(f"{one.endpoint}/{one.model}: {one.reason}" for one in attempts),
        holds=(Hold("lease-1", "budget-1", NOON_US, spec.hold_nanousd),)
        if spec.hold_nanousd
        else (),
        attempt=begun(
            endpoint=first.endpoint,
            provider=first.provider,
            model=first.model,
            reason=first.reason,
            started_at_us=first.started_at_us,
        ),
    )


def ended_call(spec: CallSpec) -> CallEvidence:
    """Return the evidence of an ended call."""
    opened = opened_call(spec)
    closed = a_closed(
        call_id=opened.call_id,
        closed_at_us=spec.at_us,
        ending=Ending.ALL_REFUSED if spec.refused else Ending.COMPLETE,
        http_status=502 if spec.refused else 200,
        attempts=tuple(_attempts(spec)),
        response_bytes=900,
        error="every candidate refused" if spec.refused else None,
    )
    return CallEvidence(opened, closed)


def ended_calls(specs: Sequence[CallSpec]) -> list[EndedCall]:
    """Return ended calls as the drain hands them to a closer."""
    evidence = [ended_call(spec) for spec in specs]
    return [EndedCall(one, _source(one)) for one in evidence]


async def a_close(database: Database) -> Close:
    """Return how calls are closed, by the seed's prices."""
    async with database.write() as unit:
        await rating_store.seed(unit, NOON_US)
        book = PriceBook(await rating_store.load_part(unit))
    conclusions = Conclusions(book, EstimateRules())

    async def close(batch: Sequence[CallEvidence], books: UnitBooks) -> Sequence[CallAccount]:
        return await pipeline.close(batch, books, conclusions)

    return close


def a_closer(database: Database, close: Close) -> Closer:
    """Return a closer whose ledger keeps nothing."""
    shelf = Shelf(RecordingStore(database.dialect), Days(UTC), 1000)
    return Closer(shelf, close, NoLedger())


async def record(database: Database, specs: Sequence[CallSpec], zone: tzinfo = UTC) -> list[str]:
    """Put calls into the books, with days of a zone; return their ids in the same order."""
    evidence = [ended_call(spec) for spec in specs]
    async with database.write() as unit:
        await rating_store.seed(unit, NOON_US)
        book = PriceBook(await rating_store.load_part(unit))
        conclusions = Conclusions(book, EstimateRules())
        accounts = [conclude(one, conclusions) for one in evidence]
        sources = {one.opened.call_id: _source(one) for one in evidence}
        shelf = Shelf(RecordingStore(unit.dialect), Days(zone), 1000)
        books = UnitBooks(unit, shelf, NoLedger(), sources, NOON_US)
        await books.settle(await books.record(accounts))
    return [one.opened.call_id for one in evidence]


def _source(evidence: CallEvidence) -> Source:
    return Source("node-1", "worker-1", "segment", 0, raw_of(evidence))


def _attempts(spec: CallSpec) -> list[AttemptEvidence]:
    attempts: list[AttemptEvidence] = []
    if spec.fails_first or spec.refused:
        failed = an_attempt(
            endpoint="aimlapi",
            provider="aimlapi",
            model=spec.model,
            started_at_us=spec.at_us - 400_000,
            outcome=AttemptOutcome.FAILED,
            ended_at_us=spec.at_us - 300_000,
            http_status=500,
            error_class=ErrorClass.UPSTREAM_ERROR,
            message="out of order",
        )
        if spec.first_bills:
            failed = msgspec.structs.replace(
                failed,
                outcome=AttemptOutcome.BROKE,
                http_status=200,
                provider="openai",
                endpoint="openai",
                usage={
                    "prompt_tokens": spec.input_tokens,
                    "completion_tokens": min(7, spec.output_tokens),
                },
            )
        attempts.append(failed)
    if not spec.refused:
        served = an_attempt(
            number=len(attempts) + 1,
            endpoint=spec.provider,
            provider=spec.provider,
            model=spec.model,
            reason="priority 2",
            started_at_us=spec.at_us - spec.latency_ms * 1000,
            first_byte_at_us=spec.at_us - spec.latency_ms * 400,
            ended_at_us=spec.at_us,
            served_model=spec.model,
            usage={"prompt_tokens": spec.input_tokens, "completion_tokens": spec.output_tokens},
        )
        attempts.append(served)
    return attempts


def raw_of(evidence: CallEvidence) -> bytes:
    """Return evidence as the drain keeps it."""
    encode = msgspec.json.encode
    return b'{"opened":%b,"closed":%b}' % (encode(evidence.opened), encode(evidence.closed))
