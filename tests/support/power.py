"""What a disk still has after the power went: files as they were last synced, or cut in between."""

import asyncio
import contextlib
import os
import shutil
import signal
import struct
from collections.abc import AsyncGenerator, Iterator
from pathlib import Path

from tests.support.processes import ServedNode
from tollbridge.core.content import Content
from tollbridge.core.evidence import AttemptStarted, Closed, Opened, Progress
from tollbridge.core.report import ReportBatch
from tollbridge.recording.records import RecordCodec, SegmentHeader, SpoolRecord

WAL_HEAD_BYTES = 32
FRAME_HEAD_BYTES = 24
STOP_MAX_S = 60.0


def cut_back(spool: Path, until_us: int) -> int:
    """Cut every segment where the first record since `until_us` begins, leaving half of it.

    Returns how many records are gone.
    """
    codec = RecordCodec()
    lost = 0
    for path in spool.glob("*.jsonl"):
        data = path.read_bytes()
        kept = 0
        for line in data.splitlines(keepends=True):
            if not line.endswith(b"\n") or _written_at_us(codec.parse(line[:-1])) >= until_us:
                lost += data.count(b"\n", kept)
                kept += len(line) // 2
                break
            kept += len(line)
        with path.open("r+b") as file:
            file.truncate(kept)
    return lost


def _written_at_us(record: SpoolRecord) -> int:
    match record:
        case SegmentHeader():
            return record.started_at_us
        case Opened():
            return record.opened_at_us
        case AttemptStarted():
            return record.attempts[-1].started_at_us
        case Progress() | Content():
            return record.at_us
        case Closed():
            return record.closed_at_us
        case ReportBatch():
            return record.received_at_us


@contextlib.asynccontextmanager
async def frozen(node: ServedNode) -> AsyncGenerator[None]:
    """Let the whole node stand still: whatever its files hold now, they held at one instant."""
    assert node.process is not None
    pids = [node.process.pid, *node.children()]
    for pid in pids:
        os.kill(pid, signal.SIGSTOP)
    try:
        async with asyncio.timeout(STOP_MAX_S):
            while not all(_stands_still(pid) for pid in pids):
                await asyncio.sleep(0.001)
        yield
    finally:
        for pid in pids:
            with contextlib.suppress(ProcessLookupError):
                os.kill(pid, signal.SIGCONT)


def _stands_still(pid: int) -> bool:
    """Return whether every thread of a process has stopped; one may have been in a system call."""
    states = [
        (thread / "stat").read_text().rpartition(")")[2].split()[0]
        for thread in Path(f"/proc/{pid}/task").iterdir()
    ]
    return set(states) <= {"T", "Z"}


class SqliteCopy:
    """A copy of a SQLite database's files in WAL mode, taken while nobody wrote."""

    def __init__(self, database: Path, folder: Path) -> None:
        folder.mkdir()
        self._database = database
        self.file = folder / database.name
        self.log = folder / f"{database.name}-wal"
        shutil.copyfile(database, self.file)
        shutil.copyfile(_log_of(database), self.log)

    @property
    def log_is_still_the_same(self) -> bool:
        """Return whether the write-ahead log has not been begun anew since."""
        with _log_of(self._database).open("rb") as log:
            return log.read(WAL_HEAD_BYTES) == self.log.read_bytes()[:WAL_HEAD_BYTES]

    def restore(self) -> None:
        """Put both files back; what lay in memory only is gone."""
        forget(self._database)
        shutil.copyfile(self.file, self._database)
        shutil.copyfile(self.log, _log_of(self._database))


def forget(database: Path) -> None:
    """Remove a SQLite database."""
    for suffix in ("", "-wal", "-shm"):
        database.with_name(database.name + suffix).unlink(missing_ok=True)


def lose_unsynced(database: Path, before: SqliteCopy) -> int:
    """Leave of a database, whose writers are dead, what is certain to be on the disk.

    The pages that were written back into the file since `before` are not; nor is the last
    transaction of the log: half of it stands there. Returns how many bytes of the log are lost.
    """
    assert before.log_is_still_the_same, "else the pages written back were synced before"
    shutil.copyfile(before.file, database)
    database.with_name(database.name + "-shm").unlink(missing_ok=True)
    log = _log_of(database)
    data = log.read_bytes()
    *_, last_but_one, last = [WAL_HEAD_BYTES, *_ends_of_transactions(data)]
    kept = (last_but_one + last) // 2
    with log.open("r+b") as file:
        file.truncate(kept)
    return last - kept


def _ends_of_transactions(log: bytes) -> Iterator[int]:
    """Yield where in a write-ahead log each transaction ends, as SQLite's file format has it."""
    page_bytes = struct.unpack_from(">I", log, 8)[0]
    salts = log[16:24]
    frame_bytes = FRAME_HEAD_BYTES + page_bytes
    for at in range(WAL_HEAD_BYTES, len(log) - frame_bytes + 1, frame_bytes):
        if log[at + 8 : at + 16] != salts:
            return  # left over from before the log was begun anew
        if struct.unpack_from(">I", log, at + 4)[0]:
            yield at + frame_bytes


def _log_of(database: Path) -> Path:
    return database.with_name(database.name + "-wal")
