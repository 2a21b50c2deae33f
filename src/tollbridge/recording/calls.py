"""What do the records read so far say of one call?

Records of a call come in order: `opened`, further attempts, progress, `closed`. What has no end
yet is an open call; it ends by `closed`, or as interrupted once its process is gone.
"""

import msgspec

from tollbridge.core.call import Ending
from tollbridge.core.evidence import (
    AttemptEvidence,
    AttemptStarted,
    CallEvidence,
    Closed,
    Opened,
    Progress,
)
from tollbridge.recording.details import Source
from tollbridge.recording.records import RecordCodec, UnreadableLineError

INTERRUPTED_STATUS = 500
INTERRUPTED_ERROR = "the process ended while the call was open"


class EndedCall(msgspec.Struct, frozen=True):
    """A call that can go into the books."""

    evidence: CallEvidence
    source: Source


class RawEvidence(msgspec.Struct, frozen=True):
    """How evidence is kept as JSON; `opened` is absent where `closed` brings its own."""

    closed: Closed
    opened: Opened | None = None


def read_evidence(raw: bytes) -> CallEvidence:
    """Return the evidence that `Source.raw` or `call_evidence.raw` holds.

    Raises UnreadableLineError where it is none.
    """
    try:
        found = msgspec.json.decode(raw, type=RawEvidence)
    except (msgspec.MsgspecError, UnicodeDecodeError) as error:
        raise UnreadableLineError(f"this is no evidence: {error}") from error
    opened = found.opened or found.closed.opened
    if opened is None:
        raise UnreadableLineError("closed without its opened")
    return CallEvidence(opened, found.closed)


class Unclosable(msgspec.Struct, frozen=True):
    """Records that cannot go into the books, and why."""

    source: Source
    """Its `raw`: evidence, or the records' JSON, one a line."""
    call_id: str | None
    error: str
    evidence: CallEvidence | None = None


class OpenCall:
    """A call without its end, as far as it was read; `opened` is None where that line is lost."""

    __slots__ = (
        "attempts_raw",
        "call_id",
        "last_at_us",
        "opened",
        "opened_raw",
        "progress",
        "progress_raw",
        "started",
        "stored",
    )

    def __init__(self, call_id: str) -> None:
        self.call_id = call_id
        self.opened: Opened | None = None
        self.started: AttemptStarted | None = None
        self.progress: Progress | None = None
        self.opened_raw: bytes | None = None
        self.attempts_raw: bytes | None = None
        self.progress_raw: bytes | None = None
        self.last_at_us = 0
        self.stored = False
        """Whether the database has a row of it."""

    def note(self, record: Opened | AttemptStarted | Progress, body: bytes) -> None:
        """Take in the next record of the call."""
        if isinstance(record, Opened):
            self.opened, self.opened_raw = record, body
            at_us = record.opened_at_us
        elif isinstance(record, AttemptStarted):
            self.started, self.attempts_raw = record, body
            self.progress = self.progress_raw = None
            at_us = max((one.started_at_us for one in record.attempts), default=0)
        else:
            self.progress, self.progress_raw = record, body
            at_us = record.at_us
        self.last_at_us = max(self.last_at_us, at_us)

    def attempts(self) -> tuple[AttemptEvidence, ...]:
        """Return the attempts as they were last seen."""
        known: tuple[AttemptEvidence, ...] = ()
        if self.started is not None:
            known = self.started.attempts
        elif self.opened is not None and self.opened.attempt is not None:
            known = (self.opened.attempt,)
        if self.progress is None:
            return known
        current = self.progress.attempt
        # The winner of a hedge may be the first that was asked: the other one counts as well.
        return (*(one for one in known if one.number != current.number), current)

    def raw(self, closed: bytes | None = None) -> bytes:
        """Return the JSON of the records, one a line."""
        bodies = (self.opened_raw, self.attempts_raw, self.progress_raw, closed)
        return b"\n".join([body for body in bodies if body is not None])


class Assembler:
    """Makes ended calls out of records."""

    def __init__(self, codec: RecordCodec) -> None:
        self._codec = codec

    def closed(
        self, call: OpenCall | None, record: Closed, body: bytes, source: Source
    ) -> EndedCall | Unclosable:
        """Return what a `closed` makes of its call; `source.raw` is not yet known."""
        if record.opened is not None:
            raw = b'{"closed":%b}' % body
            return EndedCall(CallEvidence(record.opened, record), _with_raw(source, raw))
        if call is None or call.opened is None or call.opened_raw is None:
            raw = body if call is None else call.raw(body)
            return Unclosable(_with_raw(source, raw), record.call_id, "closed without its opened")
        raw = b'{"opened":%b,"closed":%b}' % (call.opened_raw, body)
        return EndedCall(CallEvidence(call.opened, record), _with_raw(source, raw))

    def interrupted(self, call: OpenCall, source: Source) -> EndedCall | Unclosable:
        """Return how a call ended whose process is gone: with its last record."""
        if call.opened is None or call.opened_raw is None:
            return Unclosable(
                _with_raw(source, call.raw()), call.call_id, "interrupted without its opened"
            )
        closed = Closed(
            call_id=call.call_id,
            closed_at_us=call.last_at_us,
            ending=Ending.INTERRUPTED,
            http_status=INTERRUPTED_STATUS,
            attempts=call.attempts(),
            error=INTERRUPTED_ERROR,
        )
        raw = b'{"opened":%b,"closed":%b}' % (call.opened_raw, self._codec.body(closed))
        return EndedCall(CallEvidence(call.opened, closed), _with_raw(source, raw))

    def reread(
        self, call_id: str, opened: str | None, attempts: str | None, progress: str | None
    ) -> OpenCall:
        """Return an open call out of the JSON that the database kept of it."""
        call = OpenCall(call_id)
        call.stored = True
        for text in (opened, attempts, progress):
            if text is not None:
                body = text.encode()
                record = self._codec.record(body)
                if isinstance(record, Opened | AttemptStarted | Progress):
                    call.note(record, body)
        return call


def _with_raw(place: Source, raw: bytes) -> Source:
    return Source(place.node, place.worker, place.segment, place.offset_bytes, raw)
