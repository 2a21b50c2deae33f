"""What a worker's spool promises where the disk refuses or a segment ends."""

import errno
import os
import threading
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.support.drained import begun, opened_call, succeeded
from tollbridge.core.call import Ending
from tollbridge.core.clock import ManualClock
from tollbridge.core.errors import OverloadedError
from tollbridge.core.evidence import Closed, Opened
from tollbridge.recording.records import RecordCodec
from tollbridge.recording.spool import Reach, Segment, Spool, SpoolLimits, nothing_happens

WAIT_S = 5.0


class WeakDisk:
    """A disk that can be told to refuse, and remembers which files it made durable."""

    def __init__(self) -> None:
        self.is_full = False
        self.fsync_fails = False
        self.synced = threading.Condition()
        self._inodes: list[int] = []

    def has_synced(self, path: Path) -> bool:
        """Return whether a file was made durable, or is so within some seconds."""
        inode = path.stat().st_ino
        with self.synced:
            return self.synced.wait_for(lambda: inode in self._inodes, WAIT_S / 10)

    def write(self, fd: int, line: bytes) -> int:
        if self.is_full:
            raise OSError(errno.ENOSPC, "no space left")
        return os.write(fd, line)

    def fsync(self, fd: int) -> None:
        if self.fsync_fails:
            raise OSError(errno.EIO, "the disk is broken")
        with self.synced:
            self._inodes.append(os.fstat(fd).st_ino)
            self.synced.notify_all()


MakeSpool = Callable[..., Spool]


@pytest.fixture
def disk() -> WeakDisk:
    return WeakDisk()


@pytest.fixture
def make_spool(tmp_path: Path, disk: WeakDisk) -> Iterator[MakeSpool]:
    made: list[Spool] = []

    def make(
        fsync: str = "always", segment_bytes_max: int = 1_000_000, reach: Reach = nothing_happens
    ) -> Spool:
        limits = SpoolLimits(fsync=fsync, reserve_bytes=0, segment_bytes_max=segment_bytes_max)
        clock = ManualClock()
        spool = Spool(
            tmp_path,
            node="n",
            worker="w",
            clock=clock,
            limits=limits,
            reach=reach,
            write=disk.write,
            fsync=disk.fsync,
        )
        made.append(spool)
        return spool

    yield make
    for spool in made:
        spool.close()


def opened() -> Opened:
    return opened_call(ManualClock().now_us())


def closed(call: Opened) -> Closed:
    now_us = call.opened_at_us
    attempt = succeeded(begun(1, now_us), now_us)
    return Closed(call.call_id, now_us, Ending.COMPLETE, 200, (attempt,))


def records(segment: Segment) -> list[str]:
    codec = RecordCodec()
    lines = segment.path.read_bytes().splitlines()
    return [type(codec.parse(line)).__name__ for line in lines]


async def test_what_could_not_be_made_durable_is_tried_again(
    make_spool: MakeSpool, disk: WeakDisk
) -> None:
    """A failed fsync must not pass for one that was done."""
    spool = make_spool()
    segment = spool.opened(opened())
    disk.fsync_fails = True
    for _ in range(2):
        with pytest.raises(OverloadedError):
            await spool.durable()
    disk.fsync_fails = False
    await spool.durable()
    assert disk.has_synced(segment.path)
    assert disk.has_synced(segment.path.parent)


async def test_a_call_is_durable_also_while_its_segment_gives_way_to_the_next(
    make_spool: MakeSpool, disk: WeakDisk
) -> None:
    """The thread that looks in the moment of rotation does not pass over the old segment."""
    synced: list[bool] = []

    def reach(point: str) -> None:
        if point == "spool.between_segments":
            waiting = spool.durable()
            waiting.send(None)  # the wait of the first call begins now
            synced.append(disk.has_synced(first.path))
            waiting.close()

    spool = make_spool(segment_bytes_max=1, reach=reach)
    first = spool._segment
    assert spool.opened(opened()) is not first
    assert synced == [True]


async def test_an_ended_segment_is_durable_before_it_is_let_go(
    make_spool: MakeSpool, disk: WeakDisk
) -> None:
    spool = make_spool(segment_bytes_max=1)
    call = opened()
    segment = spool.opened(call)
    disk.fsync_fails = True
    spool.opened(opened())
    spool.closed(segment, closed(call))
    with pytest.raises(OverloadedError):
        await spool.durable()
    assert segment.fd >= 0
    disk.fsync_fails = False
    await spool.durable()
    assert segment.fd < 0
    assert disk.has_synced(segment.path)


def test_the_end_of_a_call_that_the_disk_refused_is_written_when_the_spool_is_closed(
    make_spool: MakeSpool, disk: WeakDisk
) -> None:
    spool = make_spool("never")
    call = opened()
    segment = spool.opened(call)
    disk.is_full = True
    spool.closed(segment, closed(call))
    assert records(segment) == ["SegmentHeader", "Opened"]
    disk.is_full = False
    spool.close()
    assert records(segment) == ["SegmentHeader", "Opened", "Closed"]
