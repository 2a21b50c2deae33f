"""Will we still know after a crash?

A worker appends what it does to a segment file of its own, one `write` a record, before it acts.
All records of a call stand in the segment it was opened in: after rotation the old segment stays
open until its last call is closed. The lock on the file says that its owner lives.
"""

import asyncio
import errno
import fcntl
import os
import threading
from collections import deque
from collections.abc import Callable
from contextlib import suppress
from pathlib import Path

import msgspec

from tollbridge.core.clock import Clock
from tollbridge.core.content import Content
from tollbridge.core.errors import OverloadedError
from tollbridge.core.evidence import AttemptStarted, Closed, Opened, Progress
from tollbridge.core.report import ReportBatch
from tollbridge.recording.records import SEGMENT_SUFFIX, RecordCodec, SegmentHeader

Reach = Callable[[str], None]
Write = Callable[[int, bytes], int]
Sync = Callable[[int], None]


def nothing_happens(point: str) -> None:
    """Pass a named point of the code; crash tests hand in a function that dies there."""


class SpoolLimits(msgspec.Struct, frozen=True):
    """The bounds of one worker's spool."""

    segment_bytes_max: int = 64 * 1024 * 1024
    reserve_bytes: int = 256 * 1024 * 1024
    """Free disk below which no new call is let in, so that open ones can still be closed."""
    fsync: str = "interval"
    """always (before dispatch, in groups), interval, or never."""
    fsync_interval_ms: int = 100
    backlog_records_max: int = 10_000
    """Closing records kept in memory while the disk refuses them."""


class Segment:
    """One append-only file, locked by its owner for as long as it may grow."""

    def __init__(self, path: Path, header: bytes, write: Write, fsync: Sync) -> None:
        self.path = path
        self._write = write
        self._fsync = fsync
        self.size = 0
        self.open_calls = 0
        self.retired = False
        self.torn = False
        self._synced_bytes = 0
        self._name_durable = False
        temporary = path.with_suffix(".new")
        self.fd = os.open(temporary, os.O_WRONLY | os.O_CREAT | os.O_APPEND | os.O_CLOEXEC, 0o600)
        # Locked before it gets its name: whoever sees the name and no lock knows the owner is gone.
        try:
            fcntl.flock(self.fd, fcntl.LOCK_EX | fcntl.LOCK_NB)
            self.write(header)
            temporary.rename(path)
        except OSError:
            os.close(self.fd)
            raise

    def write(self, line: bytes) -> None:
        """Append one line whole.

        Raises OSError where the disk took none or only a part of it; the rest of a torn line is
        made unreadable by starting the next one on a new line.
        """
        if self.torn:
            line = b"\n" + line
        written = self._write(self.fd, line)
        self.size += written
        if written != len(line):
            self.torn = True
            raise OSError(errno.ENOSPC, "the disk took only a part of the record")
        self.torn = False

    def sync(self) -> None:
        """Make everything written so far survive a power cut.

        Raises OSError where the disk cannot; the next time tries it again.
        """
        if self.fd < 0:
            return  # sealed, and synced before that
        size = self.size  # what is appended while the disk is at work waits for the next time
        if size > self._synced_bytes:
            self._fsync(self.fd)
            self._synced_bytes = size
        if not self._name_durable:
            directory = os.open(self.path.parent, os.O_RDONLY | os.O_CLOEXEC)
            try:
                self._fsync(directory)
            finally:
                os.close(directory)
            self._name_durable = True

    def seal(self) -> None:
        """End the segment: nothing is appended any more, the lock is given up."""
        if self.fd >= 0:
            with suppress(OSError):
                self.sync()
            fd, self.fd = self.fd, -1
            os.close(fd)


class Spool:
    """The journal of one worker. Not thread-safe but for the fsync thread it runs itself."""

    def __init__(
        self,
        directory: Path,
        *,
        node: str,
        worker: str,
        clock: Clock,
        limits: SpoolLimits,
        reach: Reach = nothing_happens,
        write: Write = os.write,
        fsync: Sync = os.fsync,
    ) -> None:
        self._directory = directory
        self._node = node
        self._worker = worker
        self._clock = clock
        self._limits = limits
        self._reach = reach
        self._write = write
        self._fsync = fsync
        self._line = RecordCodec().line
        self._sequence = 0
        self._retired: tuple[Segment, ...] = ()  # replaced, never changed: the thread reads it
        self._ended: deque[Segment] = deque()  # to be sealed by the thread
        self._backlog: deque[tuple[Segment, Closed]] = deque()
        self._waiting: deque[tuple[asyncio.AbstractEventLoop, asyncio.Future[None]]] = deque()
        self._wake = threading.Event()
        self._stopping = False
        self.has_room = True
        directory.mkdir(parents=True, exist_ok=True)
        self._segment = self._new_segment()
        self.check_room()
        self._thread = threading.Thread(target=self._sync_forever, name="fsync", daemon=True)
        if limits.fsync != "never":
            self._thread.start()

    @property
    def syncs_always(self) -> bool:
        """Whether a call must wait for `durable` before it is dispatched."""
        return self._limits.fsync == "always"

    def opened(self, record: Opened) -> Segment:
        """Journal that a call is let in; return the segment that all its records go to.

        Raises OverloadedError where the disk has no room; the call must not be dispatched then.
        """
        if not self.has_room:
            raise OverloadedError("the spool's disk is full", retry_after_s=5)
        self._reach("spool.before_opened")
        segment = self._segment
        if segment.size >= self._limits.segment_bytes_max:
            segment = self._rotate()
        try:
            segment.write(self._line(record))
        except OSError as error:
            self.has_room = False
            self._rotate_after_failure()
            raise OverloadedError("the spool cannot be written", retry_after_s=5) from error
        segment.open_calls += 1
        self._reach("spool.after_opened")
        return segment

    def append(self, segment: Segment, record: AttemptStarted | Progress) -> None:
        """Journal a further attempt or the progress of a call.

        Raises OverloadedError where the disk refuses: an attempt that is not journaled must not
        be made.
        """
        try:
            segment.write(self._line(record))
        except OSError as error:
            self.has_room = False
            raise OverloadedError("the spool cannot be written", retry_after_s=5) from error

    def closed(self, segment: Segment, record: Closed) -> None:
        """Journal the end of a call. Never raises: what the disk refuses is kept and retried."""
        if self._backlog:
            self._backlog.append((segment, record))
            return
        self._reach("spool.before_closed")
        try:
            segment.write(self._line(record))
        except OSError:
            self.has_room = False
            self._backlog.append((segment, record))
            return
        self._release(segment)

    def refused(self, record: Closed) -> None:
        """Journal a call that was refused before it was opened; `record.opened` tells of it."""
        if not self.has_room:
            return  # a refusal costs nobody anything; the room is for calls that do
        with suppress(OSError):
            self._segment.write(self._line(record))

    def reported(self, record: ReportBatch) -> None:
        """Journal what others report: the whole batch, or nothing of it.

        Raises OverloadedError where the disk has no room.
        """
        if not self.has_room:
            raise OverloadedError("the spool's disk is full", retry_after_s=5)
        segment = self._segment
        if segment.size >= self._limits.segment_bytes_max:
            segment = self._rotate()
        try:
            segment.write(self._line(record))
        except OSError as error:
            self.has_room = False
            self._rotate_after_failure()
            raise OverloadedError("the spool cannot be written", retry_after_s=5) from error

    def content(self, record: Content) -> None:
        """Journal what was asked and answered. Never raises: where the disk has no room, it goes.

        It stands by itself, so any segment will do.
        """
        if not self.has_room or self._backlog:
            return
        self._reach("spool.before_content")
        with suppress(OSError):
            self._segment.write(self._line(record))

    async def durable(self) -> None:
        """Wait until everything written so far survives a power cut; needs `syncs_always`."""
        loop = asyncio.get_running_loop()
        done: asyncio.Future[None] = loop.create_future()
        self._waiting.append((loop, done))
        self._wake.set()
        await done

    def check_room(self) -> None:
        """Look whether the disk still has its reserve, and retry what it refused; once a second."""
        facts = os.statvfs(self._directory)
        if not self._write_backlog():
            return
        self.has_room = facts.f_bavail * facts.f_frsize >= self._limits.reserve_bytes and (
            len(self._backlog) < self._limits.backlog_records_max
        )

    def close(self) -> None:
        """Seal every segment; open calls in them will be read as interrupted.

        What the disk refused is tried once more, so that those calls are not.
        """
        self._stopping = True
        self._wake.set()
        if self._thread.is_alive():
            self._thread.join(timeout=5)
        self._write_backlog()
        for segment in (self._segment, *self._retired, *self._ended):
            segment.seal()
        self._retired = ()
        self._ended.clear()

    def _write_backlog(self) -> bool:
        """Write what the disk refused; return whether all of it is written."""
        while self._backlog:
            segment, record = self._backlog[0]
            try:
                segment.write(self._line(record))
            except OSError:
                return False
            self._backlog.popleft()
            self._release(segment)
        return True

    def _new_segment(self) -> Segment:
        self._sequence += 1
        name = f"{self._worker}-{self._sequence:06d}{SEGMENT_SUFFIX}"
        header = SegmentHeader(
            node=self._node,
            worker=self._worker,
            sequence=self._sequence,
            started_at_us=self._clock.now_us(),
        )
        return Segment(self._directory / name, self._line(header), self._write, self._fsync)

    def _rotate(self) -> Segment:
        old = self._segment
        try:
            new = self._new_segment()
        except OSError as error:
            self.has_room = False
            raise OverloadedError("the spool cannot be extended", retry_after_s=5) from error
        # The thread looks at the current segment, the retired and the ended ones, in this order.
        # A segment enters its next place before it leaves the one before: none is passed over.
        self._retired = (*self._retired, old)
        self._segment = new
        self._reach("spool.between_segments")
        old.retired = True
        if old.open_calls == 0:
            self._end(old)
        return new

    def _rotate_after_failure(self) -> None:
        # A segment that failed takes no new call; without room for another one it stays.
        with suppress(OverloadedError):
            self._rotate()

    def _release(self, segment: Segment) -> None:
        segment.open_calls -= 1
        if segment.retired and segment.open_calls == 0:
            self._end(segment)

    def _end(self, segment: Segment) -> None:
        if self._limits.fsync == "never":
            segment.seal()
        else:
            self._ended.append(segment)  # by the thread: its fsync would block the loop
        self._retired = tuple(other for other in self._retired if other is not segment)
        self._wake.set()

    def _sync_forever(self) -> None:
        always = self._limits.fsync == "always"
        interval_s = self._limits.fsync_interval_ms / 1000
        while not self._stopping:
            self._wake.wait(timeout=None if always else interval_s)
            self._wake.clear()
            waiting = [self._waiting.popleft() for _ in range(len(self._waiting))]
            error = self._sync_all()
            for loop, done in waiting:
                loop.call_soon_threadsafe(_finish, done, error)

    def _sync_all(self) -> OSError | None:
        try:
            for segment in (self._segment, *self._retired):
                segment.sync()
            while self._ended:
                self._ended[0].sync()
                self._ended.popleft().seal()
        except OSError as error:
            self.has_room = False
            return error
        return None


def _finish(done: asyncio.Future[None], error: OSError | None) -> None:
    if done.done():
        return
    if error is None:
        done.set_result(None)
    else:
        done.set_exception(OverloadedError("the spool cannot be made durable", retry_after_s=5))
