"""What happens to records once the reason why they could not be closed is gone?

`replay_quarantine` closes what was put aside. Segments are replayed by `Drain.rewind` and
`Drain.catch_up`: of a restored backup they bring back what it lacks, and nothing twice.
"""

from collections.abc import Sequence

import msgspec

from tollbridge.core.clock import Clock, SystemClock
from tollbridge.core.content import Content
from tollbridge.core.evidence import Closed
from tollbridge.core.report import ReportBatch
from tollbridge.recording import store
from tollbridge.recording.calls import (
    Assembler,
    EndedCall,
    OpenCall,
    Unclosable,
    read_evidence,
)
from tollbridge.recording.closing import Closer
from tollbridge.recording.details import Source
from tollbridge.recording.records import RecordCodec, SegmentHeader, UnreadableLineError
from tollbridge.recording.store import DISMISSED, REPLAYED, QuarantineRow
from tollbridge.storage.unit import Database, Unit

PAGE_ROWS = 100
RECORD_BEGINS = b'{"kind"'


class Replayed(msgspec.Struct, frozen=True):
    """What became of rows in quarantine."""

    closed: int = 0
    still_waiting: int = 0


async def replay_quarantine(
    database: Database,
    closer: Closer,
    *,
    only_id: int | None = None,
    clock: Clock | None = None,
) -> Replayed:
    """Try to close what waits in quarantine, all of it or one row; each in a unit of its own.

    Doing it again changes nothing. Raises what is the database's fault.
    """
    chosen = clock or SystemClock()
    codec = RecordCodec()
    closed = waiting = after_id = 0
    while True:
        async with database.read() as unit:
            rows = await store.list_quarantine(unit, after_id, PAGE_ROWS, only_id)
        for row in rows:
            if await _replay(database, closer, codec, row, chosen.now_us()):
                closed += 1
            else:
                waiting += 1
        if only_id is not None or len(rows) < PAGE_ROWS:
            return Replayed(closed, waiting)
        after_id = rows[-1].quarantine_id


async def dismiss(database: Database, closer: Closer, quarantine_id: int, now_us: int) -> bool:
    """Give up on a row, and let its hold fall free; return whether it was waiting.

    Its raw records stay.
    """
    async with database.write() as unit:
        rows = await store.list_quarantine(unit, only_id=quarantine_id)
        resolved = await store.resolve(unit, quarantine_id, DISMISSED, now_us)
        for row in rows:
            await _return_remainder(unit, closer, row.worker)
    return resolved


async def _replay(
    database: Database, closer: Closer, codec: RecordCodec, row: QuarantineRow, now_us: int
) -> bool:
    call = _assemble(codec, row)
    async with database.write() as unit:
        if not isinstance(call, EndedCall):
            await store.note_error(unit, row.quarantine_id, call)
            return False
        books, culprits = await closer.one_by_one(unit, [call], now_us)
        if culprits:
            await store.note_error(unit, row.quarantine_id, culprits[0].error)
            return False
        await store.resolve(unit, row.quarantine_id, REPLAYED, now_us)
        await _return_remainder(unit, closer, row.worker)
    books.committed()
    return True


async def _return_remainder(unit: Unit, closer: Closer, worker: str) -> None:
    """Free what a dead worker's call held; a live worker's purse still counts on it."""
    if not await store.has_open_segments(unit, worker):
        keep = await store.held_in_quarantine(unit, worker)
        await closer.ledger.return_remainder(unit, worker, keep)


def _assemble(codec: RecordCodec, row: QuarantineRow) -> EndedCall | str:
    """Return the ended call that a row's records make, or why they make none."""
    raw = row.raw.encode()
    source = Source(row.node, row.worker, row.segment, row.offset_bytes, raw)
    try:
        if not raw.startswith(RECORD_BEGINS):
            return EndedCall(read_evidence(raw), source)
        ended = _assemble_records(codec, raw.splitlines(), source)
    except UnreadableLineError as error:
        return str(error)
    return ended if isinstance(ended, EndedCall) else ended.error


def _assemble_records(
    codec: RecordCodec, lines: Sequence[bytes], source: Source
) -> EndedCall | Unclosable:
    assembler = Assembler(codec)
    call: OpenCall | None = None
    for line in lines:
        record = codec.record(line)
        if isinstance(record, Closed):
            return assembler.closed(call, record, line, source)
        if isinstance(record, SegmentHeader | ReportBatch | Content):
            raise UnreadableLineError("this is no record of a call")
        if call is None:
            call = OpenCall(record.call_id)
        call.note(record, line)
    if call is None:
        raise UnreadableLineError("there is no record")
    return assembler.interrupted(call, source)
