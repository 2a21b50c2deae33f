"""Reading segment files."""

import fcntl
import os
from pathlib import Path

import pytest

from tests.support.drained import opened_call
from tollbridge.core.call import Ending
from tollbridge.core.evidence import Closed, Opened
from tollbridge.recording.calls import UnreadableLineError, read_evidence
from tollbridge.recording.records import RecordCodec, body_of
from tollbridge.recording.segments import (
    Batch,
    Position,
    ReadLimits,
    SegmentReader,
    remove_stillborn,
    worker_of,
)


def reader_of(path: Path, limits: ReadLimits | None = None) -> SegmentReader:
    return SegmentReader(path, Position(path.name, "n", "w"), RecordCodec(), limits or ReadLimits())


def test_a_line_longer_than_one_read_is_read_whole(tmp_path: Path) -> None:
    """The read grows until it holds the line."""
    path = tmp_path / "w-000001.jsonl"
    opened = opened_call(1, label="x" * 5000)
    path.write_bytes(RecordCodec().line(opened))
    batch = Batch()
    assert reader_of(path, ReadLimits(read_bytes=64)).read(batch, 10)
    assert (batch.records, batch.unreadable_lines) == (1, 0)


def test_a_line_beyond_all_bounds_is_passed_over(tmp_path: Path) -> None:
    """It is counted once, and what follows it is read."""
    path = tmp_path / "w-000001.jsonl"
    path.write_bytes(b"x" * 5000 + b"\n" + RecordCodec().line(opened_call(1)))
    reader = reader_of(path, ReadLimits(read_bytes=64, line_bytes_max=1024))
    batch = Batch()
    for _ in range(20):
        if reader.read(batch, 10):
            break
    assert batch.unreadable_lines == 1
    assert len(reader.calls) == 1
    assert reader.offset_bytes == path.stat().st_size


def test_a_read_takes_no_more_records_than_asked(tmp_path: Path) -> None:
    """The offset stands behind the last record that was taken."""
    path = tmp_path / "w-000001.jsonl"
    lines = [RecordCodec().line(opened_call(number)) for number in range(5)]
    path.write_bytes(b"".join(lines))
    reader = reader_of(path)
    batch = Batch()
    assert not reader.read(batch, 2)
    assert reader.offset_bytes == len(lines[0]) + len(lines[1])
    assert reader.read(batch, 100)
    assert batch.records == 5


def test_the_owner_is_gone_when_nobody_holds_the_lock(tmp_path: Path) -> None:
    """Looking at the lock does not take it."""
    path = tmp_path / "w-000001.jsonl"
    owner = os.open(path, os.O_WRONLY | os.O_CREAT)
    fcntl.flock(owner, fcntl.LOCK_EX)
    reader = reader_of(path)
    assert not reader.owner_is_gone()
    os.close(owner)
    assert reader.owner_is_gone()
    other = os.open(path, os.O_WRONLY)
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)


def test_a_file_cut_below_its_offset_is_at_its_end(tmp_path: Path) -> None:
    """A power cut may take what the database has already seen."""
    path = tmp_path / "w-000001.jsonl"
    path.write_bytes(b"")
    position = Position(path.name, "n", "w", offset_bytes=1000)
    reader = SegmentReader(path, position, RecordCodec(), ReadLimits())
    batch = Batch()
    assert reader.read(batch, 10)
    assert reader.finish(batch, 10)
    assert (reader.pending_bytes(), batch.unreadable_lines) == (0, 0)


def test_only_old_unlocked_leftovers_are_removed(tmp_path: Path) -> None:
    """A segment that is being made is left alone."""
    old, young, locked = (tmp_path / f"{name}.new" for name in ("old", "young", "locked"))
    for path in (old, young, locked):
        path.touch()
    for path in (old, locked):
        os.utime(path, (1, 1))
    owner = os.open(locked, os.O_WRONLY)
    fcntl.flock(owner, fcntl.LOCK_EX)
    assert remove_stillborn(tmp_path, before_us=1_000_000_000) == 1
    os.close(owner)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["locked.new", "young.new"]


def test_a_segments_name_tells_its_worker() -> None:
    """A worker's id has dashes of its own."""
    assert worker_of("0197-aa-000012.jsonl") == "0197-aa"


def test_kept_evidence_is_read_back_as_it_was() -> None:
    """Both forms: with `opened` beside it, and inside a refused call's `closed`."""
    codec = RecordCodec()
    opened = opened_call(1, attempt=None)
    closed = Closed(opened.call_id, 2, Ending.COMPLETE, 200)
    found = read_evidence(b'{"opened":%b,"closed":%b}' % (codec.body(opened), codec.body(closed)))
    assert (found.opened, found.closed) == (opened, closed)
    refused = Closed(opened.call_id, 2, Ending.OVER_BUDGET, 402, opened=opened)
    assert read_evidence(b'{"closed":%b}' % codec.body(refused)).opened == opened
    with pytest.raises(UnreadableLineError):
        read_evidence(b'{"closed":%b}' % codec.body(closed))


@pytest.mark.parametrize("cut", [0, 1, 20, 60, -1, -2])
def test_a_torn_line_is_recognised(cut: int) -> None:
    """Wherever it is torn."""
    line = RecordCodec().line(opened_call(1))[:-1]
    with pytest.raises(UnreadableLineError):
        body_of(line[:cut])


def test_a_record_of_an_unknown_field_is_read(tmp_path: Path) -> None:
    """A newer version may say more."""
    body = RecordCodec().body(opened_call(1))
    assert isinstance(RecordCodec().record(body[:-1] + b',"later":1}'), Opened)
