"""What does a segment file say beyond where the books are?

A segment is read in whole lines from its offset on. The lock that its owner holds says whether
more may come: only where nobody holds it is the end of the file the end of its calls.
"""

import fcntl
import os
from collections.abc import Iterator
from pathlib import Path

import msgspec

from tollbridge.core.content import Content
from tollbridge.core.evidence import AttemptStarted, Closed, Opened, Progress
from tollbridge.core.report import ReportBatch
from tollbridge.recording.calls import Assembler, EndedCall, OpenCall, Unclosable
from tollbridge.recording.details import Source
from tollbridge.recording.records import (
    SEGMENT_SUFFIX,
    RecordCodec,
    SegmentHeader,
    UnreadableLineError,
    body_of,
)
from tollbridge.recording.report_calls import calls_of

UNFINISHED_SUFFIX = ".new"
READ_BYTES_MIN = 16 * 1024
LINE_BYTES_GUESSED = 1000
NUL = b"\\u0000"
NUL_REPLACED = b"\\ufffd"


class ReadLimits(msgspec.Struct, frozen=True):
    """How much is read at once."""

    read_bytes: int = 2 * 1024 * 1024
    line_bytes_max: int = 64 * 1024 * 1024
    """A longer line is no record of ours; it is skipped as unreadable."""


class Position(msgspec.Struct, frozen=True):
    """How far a segment is in the books."""

    segment: str
    node: str
    worker: str
    offset_bytes: int = 0
    lines: int = 0
    unreadable_lines: int = 0


class Batch:
    """What was read and is not yet in the books; it is retried as it is until it is."""

    def __init__(self) -> None:
        self.records = 0
        self.unreadable_lines = 0
        self.ended: list[EndedCall] = []
        self.unclosable: list[Unclosable] = []
        self.reports: list[ReportBatch] = []
        self.contents: list[Content] = []
        self.touched: dict[str, SegmentReader] = {}
        self.gone: list[str] = []
        """Calls whose row in open_calls goes."""
        self.finished: list[SegmentReader] = []


class SegmentReader:
    """One segment file, from the offset in the books on."""

    def __init__(
        self,
        path: Path,
        position: Position,
        codec: RecordCodec,
        limits: ReadLimits,
    ) -> None:
        self.path = path
        self.name = position.segment
        self.node = position.node
        self.worker = position.worker
        self.offset_bytes = position.offset_bytes
        self.lines = position.lines
        self.unreadable_lines = position.unreadable_lines
        self.committed_bytes = position.offset_bytes
        self.calls: dict[str, OpenCall] = {}
        self.changed: set[str] = set()
        """Calls still open whose row in open_calls is not what is known of them."""
        self._record = codec.record
        self._limits = limits
        self._assembler = Assembler(codec)
        self._fd = _open(path)

    def read(self, batch: Batch, records_max: int) -> bool:
        """Read at most so many records into the batch; return whether that was all there is.

        An unfinished last line does not count: it waits.
        """
        lines, consumed, has_nul = self._take_lines(records_max)
        if not consumed:
            return True
        batch.touched[self.name] = self
        # One place for the whole read: for a person who looks for a line, about where is enough.
        place = Source(self.node, self.worker, self.name, self.offset_bytes, b"")
        for line in lines:
            if line:
                try:
                    body = body_of(line)
                    if has_nul:
                        # PostgreSQL keeps no NUL in a text; the record must not suffer for it.
                        body = body.replace(NUL, NUL_REPLACED)
                    self._take(body, batch, place)
                except UnreadableLineError:
                    self._count_unreadable(batch)
        batch.records += len(lines)
        self.offset_bytes += consumed
        self.lines += len(lines)
        return self.unread_bytes() == 0

    def unread_bytes(self) -> int:
        """Return how many bytes the file has beyond what was read, an unfinished line included."""
        return max(0, self._size() - self.offset_bytes)

    def pending_bytes(self) -> int:
        """Return how many bytes the file has beyond what is in the books."""
        return max(0, self._size() - self.committed_bytes)

    def owner_is_gone(self) -> bool:
        """Return whether nobody holds the lock, so that the file will never grow again."""
        if self._fd < 0:
            return True
        try:
            fcntl.flock(self._fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            return False
        fcntl.flock(self._fd, fcntl.LOCK_UN)
        return True

    def finish(self, batch: Batch, calls_max: int) -> bool:
        """End what is open in a segment that was read to its end; return whether that is all.

        The unfinished line at its end, if there is one, is counted and skipped.
        """
        batch.touched[self.name] = self
        source = Source(self.node, self.worker, self.name, self.offset_bytes, b"")
        for call_id in list(self.calls)[:calls_max]:
            call = self.calls.pop(call_id)
            self._forget(call, batch)
            batch.records += 1
            self._put(self._assembler.interrupted(call, source), batch)
        if self.calls:
            return False
        tail_bytes = self.unread_bytes()
        if tail_bytes:
            self._count_unreadable(batch)
        self.offset_bytes += tail_bytes
        batch.finished.append(self)
        return True

    def remember(self, call: OpenCall) -> None:
        """Take back an open call that the database kept."""
        self.calls[call.call_id] = call

    def committed(self) -> None:
        """Note that what was read is in the books."""
        self.committed_bytes = self.offset_bytes
        for call_id in self.changed:
            self.calls[call_id].stored = True
        self.changed.clear()

    def position(self) -> Position:
        """Return how far the file was read."""
        return Position(
            self.name,
            self.node,
            self.worker,
            self.offset_bytes,
            self.lines,
            self.unreadable_lines,
        )

    def close(self) -> None:
        """Let go of the file."""
        if self._fd >= 0:
            os.close(self._fd)
            self._fd = -1

    def _size(self) -> int:
        return os.fstat(self._fd).st_size if self._fd >= 0 else 0

    def _take_lines(self, records_max: int) -> tuple[list[bytes], int, bool]:
        """Return whole lines, the bytes that they take in the file, and whether NULs are said."""
        if self._fd < 0 or records_max < 1:
            return [], 0, False
        wanted = min(self._limits.read_bytes, records_max * self._line_bytes() + READ_BYTES_MIN)
        while True:
            data = os.pread(self._fd, wanted, self.offset_bytes)
            end = data.rfind(b"\n")
            if end >= 0:
                break
            if len(data) < wanted:
                return [], 0, False  # the last line is not finished, or there is none
            if wanted >= self._limits.line_bytes_max:
                return [], len(data), False  # too long; its end will be met as an unreadable line
            wanted = min(wanted * 2, self._limits.line_bytes_max)
        lines = data[: end + 1].split(b"\n", records_max)
        consumed = end + 1 - len(lines.pop())  # what is left over was not asked for
        return lines, consumed, NUL in data

    def _line_bytes(self) -> int:
        return self.offset_bytes // self.lines if self.lines else LINE_BYTES_GUESSED

    def _take(self, body: bytes, batch: Batch, place: Source) -> None:
        """Take in one record. Raises UnreadableLineError where it is of no known form."""
        record = self._record(body)
        if isinstance(record, Closed):
            call_id = record.call_id
            call = self.calls.pop(call_id, None)
            if call is not None:
                self._forget(call, batch)
            self._put(self._assembler.closed(call, record, body, place), batch)
        elif isinstance(record, SegmentHeader):
            self.node, self.worker = record.node, record.worker
        elif isinstance(record, Content):
            batch.contents.append(record)
        elif isinstance(record, ReportBatch):
            batch.reports.append(record)
            batch.ended += calls_of(record, place)
            batch.records += len(record.reports)
        else:
            self._note(record, body)

    def _note(self, record: Opened | AttemptStarted | Progress, body: bytes) -> None:
        call_id = record.call_id
        call = self.calls.get(call_id)
        if call is None:
            call = self.calls[call_id] = OpenCall(call_id)
        call.note(record, body)
        self.changed.add(call_id)

    def _forget(self, call: OpenCall, batch: Batch) -> None:
        self.changed.discard(call.call_id)
        if call.stored:
            batch.gone.append(call.call_id)

    def _put(self, ended: EndedCall | Unclosable, batch: Batch) -> None:
        if isinstance(ended, EndedCall):
            batch.ended.append(ended)
        else:
            batch.unclosable.append(ended)

    def _count_unreadable(self, batch: Batch) -> None:
        self.unreadable_lines += 1
        batch.unreadable_lines += 1


def list_segments(directory: Path) -> Iterator[os.DirEntry[str]]:
    """Yield the segment files of a directory, oldest worker first."""
    with os.scandir(directory) as entries:
        found = [entry for entry in entries if entry.name.endswith(SEGMENT_SUFFIX)]
    yield from sorted(found, key=lambda entry: entry.name)


def worker_of(name: str) -> str:
    """Return the worker's instance that a segment's name tells."""
    return name.removesuffix(SEGMENT_SUFFIX).rpartition("-")[0]


def remove_stillborn(directory: Path, before_us: int) -> int:
    """Remove segments whose owner died before they got their name; return how many.

    Only those last written before an instant: a young one may be about to be locked.
    """
    removed = 0
    for path in directory.glob(f"*{UNFINISHED_SUFFIX}"):
        fd = _open(path)
        if fd < 0:
            continue
        try:
            if os.fstat(fd).st_mtime_ns // 1000 < before_us:
                fcntl.flock(fd, fcntl.LOCK_SH | fcntl.LOCK_NB)
                path.unlink(missing_ok=True)
                removed += 1
        except BlockingIOError:
            continue
        finally:
            os.close(fd)
    return removed


def _open(path: Path) -> int:
    """Return a descriptor of a file to read, -1 where there is none any more."""
    try:
        return os.open(path, os.O_RDONLY | os.O_CLOEXEC)
    except FileNotFoundError:
        return -1
