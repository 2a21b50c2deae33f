"""Calls in the books, as the drain would have put them there."""

from collections.abc import Mapping, Sequence
from datetime import UTC

import msgspec

from tollbridge.conclude import Conclusions, conclude
from tollbridge.core.call import (
    AttemptOutcome,
    Bucket,
    Caller,
    Category,
    Ending,
    ErrorClass,
    Hold,
    Operation,
    new_id,
)
from tollbridge.core.clock import SECOND_US
from tollbridge.core.evidence import AttemptEvidence, CallEvidence, Closed, Opened
from tollbridge.core.settlement import Settlement
from tollbridge.metering.estimate import EstimateRules
from tollbridge.rating import store as rating_store
from tollbridge.rating.book import PriceBook
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
    input_tokens: int = 2518
    output_tokens: int = 242
    fails_first: bool = False
    """Whether another provider refused before."""
    refused: bool = False
    """Whether nobody served it."""
    hold_nanousd: int = 0


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
    return Opened(
        call_id=new_id(spec.at_us),
        opened_at_us=spec.at_us - 500_000,
        received_at_us=spec.at_us - 501_000,
        caller=Caller(spec.key_id, spec.key_name, spec.user, spec.project),
        method="POST",
        path="/v1/chat/completions",
        operation=Operation.CHAT_COMPLETION,
        category=Category.TEXT,
        bucket=Bucket.OPENAI,
        label=spec.label,
        stream=False,
        request_bytes=2048,
        expected_provider=attempts[0].provider,
        planned=tuple(f"{one.endpoint}/{one.model}: {one.reason}" for one in attempts),
        holds=(Hold("lease-1", "budget-1", NOON_US, spec.hold_nanousd),)
        if spec.hold_nanousd
        else (),
        attempt=_begun(attempts[0]),
    )


def ended_call(spec: CallSpec) -> CallEvidence:
    """Return the evidence of an ended call."""
    opened = opened_call(spec)
    closed = Closed(
        call_id=opened.call_id,
        closed_at_us=spec.at_us,
        ending=Ending.ALL_REFUSED if spec.refused else Ending.COMPLETE,
        http_status=502 if spec.refused else 200,
        attempts=tuple(_attempts(spec)),
        response_bytes=900,
        error="every candidate refused" if spec.refused else None,
    )
    return CallEvidence(opened, closed)


async def record(database: Database, specs: Sequence[CallSpec]) -> list[str]:
    """Put calls into the books; return their ids in the same order."""
    evidence = [ended_call(spec) for spec in specs]
    async with database.write() as unit:
        await rating_store.seed(unit, NOON_US)
        book = PriceBook(await rating_store.load_part(unit))
        conclusions = Conclusions(book, EstimateRules())
        accounts = [conclude(one, conclusions) for one in evidence]
        sources = {
            one.opened.call_id: Source("node-1", "worker-1", "segment", 0, _raw(one))
            for one in evidence
        }
        shelf = Shelf(RecordingStore(unit.dialect), Days(UTC), 1000)
        books = UnitBooks(unit, shelf, NoLedger(), sources, NOON_US)
        await books.settle(await books.record(accounts))
    return [one.opened.call_id for one in evidence]


def _attempts(spec: CallSpec) -> list[AttemptEvidence]:
    attempts: list[AttemptEvidence] = []
    if spec.fails_first or spec.refused:
        attempts.append(
            AttemptEvidence(
                number=1,
                endpoint="aimlapi",
                provider="aimlapi",
                dialect="openai",
                model=spec.model,
                reason="priority 1",
                started_at_us=spec.at_us - 400_000,
                outcome=AttemptOutcome.FAILED,
                written=True,
                ended_at_us=spec.at_us - 300_000,
                http_status=500,
                error_class=ErrorClass.UPSTREAM_ERROR,
                message="out of order",
            )
        )
    if not spec.refused:
        attempts.append(
            AttemptEvidence(
                number=len(attempts) + 1,
                endpoint=spec.provider,
                provider=spec.provider,
                dialect="openai",
                model=spec.model,
                reason="priority 2",
                started_at_us=spec.at_us - 250_000,
                outcome=AttemptOutcome.SUCCEEDED,
                written=True,
                first_byte_at_us=spec.at_us - 100_000,
                ended_at_us=spec.at_us,
                http_status=200,
                served_model=spec.model,
                usage={
                    "prompt_tokens": spec.input_tokens,
                    "completion_tokens": spec.output_tokens,
                },
            )
        )
    return attempts


def _begun(attempt: AttemptEvidence) -> AttemptEvidence:
    """Return an attempt as it stood before its first byte left."""
    return msgspec.structs.replace(
        attempt,
        outcome=AttemptOutcome.CUT_SHORT,
        first_byte_at_us=None,
        ended_at_us=None,
        http_status=None,
        error_class=None,
        message=None,
        served_model=None,
        usage=None,
    )


def _raw(evidence: CallEvidence) -> bytes:
    encode = msgspec.json.encode
    return b'{"opened":%b,"closed":%b}' % (encode(evidence.opened), encode(evidence.closed))
