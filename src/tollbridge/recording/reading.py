"""What is there to read in the spool's directory, and in which order?"""

from collections.abc import Iterable
from collections.abc import Set as AbstractSet
from pathlib import Path

from tollbridge.recording.calls import Assembler
from tollbridge.recording.records import RecordCodec
from tollbridge.recording.segments import (
    Batch,
    Position,
    ReadLimits,
    SegmentReader,
    list_segments,
    worker_of,
)
from tollbridge.recording.store import Standing

RECORD_BYTES_GUESSED = 600


class SpoolReading:
    """All segments of one directory that are not wholly in the books."""

    def __init__(self, directory: Path, node: str, limits: ReadLimits) -> None:
        self._directory = directory
        self._node = node
        self._limits = limits
        self._codec = RecordCodec()
        self._readers: dict[str, SegmentReader] = {}
        self._finished: set[str] = set()
        self._turn = 0
        directory.mkdir(parents=True, exist_ok=True)

    def start(self, standing: Standing) -> None:
        """Go on from where the books stand."""
        self.stop()
        self._finished = set(standing.finished)
        for position in standing.positions:
            path = self._directory / position.segment
            if path.exists():
                self._add(path, position)
        assembler = Assembler(self._codec)
        for row in standing.calls:
            reader = self._readers.get(row.segment)
            if reader is not None:
                reader.remember(
                    assembler.reread(str(row.call_id), row.opened, row.attempts, row.progress)
                )

    def stop(self) -> None:
        """Let go of all files."""
        for reader in self._readers.values():
            reader.close()
        self._readers.clear()
        self._finished.clear()

    def gather(self, records_max: int, only: AbstractSet[str] | None = None) -> Batch:
        """Read the next batch, of at most so many records, from each segment in turn.

        `only` names the segments to read; None is all of them.
        """
        self.discover()
        batch = Batch()
        readers = [reader for name, reader in self._readers.items() if only is None or name in only]
        if not readers:
            return batch
        self._turn = (self._turn + 1) % len(readers)
        for reader in readers[self._turn :] + readers[: self._turn]:
            left = records_max - batch.records
            if left <= 0:
                break
            if reader.read(batch, left) and reader.owner_is_gone():
                self._end(reader, batch, records_max)
        return batch

    def discover(self) -> None:
        """Take up segments that were not there before."""
        for entry in list_segments(self._directory):
            name = entry.name
            if name not in self._readers and name not in self._finished:
                self._add(Path(entry.path), Position(name, self._node, worker_of(name)))

    def unfinished(self) -> AbstractSet[str]:
        """Return the segments that are not wholly in the books."""
        return self._readers.keys()

    def ownerless(self) -> set[str]:
        """Return the unfinished segments whose owner is gone, so that they are all they will be."""
        self.discover()
        return {name for name, reader in self._readers.items() if reader.owner_is_gone()}

    def committed(self, batch: Batch) -> None:
        """Note that a batch is in the books."""
        for reader in batch.touched.values():
            reader.committed()
        for reader in batch.finished:
            reader.close()
            del self._readers[reader.name]
            self._finished.add(reader.name)

    def workers_gone(self, batch: Batch) -> set[str]:
        """Return the workers of which the batch holds the last record."""
        ending = {reader.name for reader in batch.finished}
        alive = {one.worker for one in self._readers.values() if one.name not in ending}
        return {reader.worker for reader in batch.finished} - alive

    def forget(self, names: Iterable[str]) -> None:
        """Drop finished segments whose files are deleted."""
        self._finished.difference_update(names)

    def pending(self) -> tuple[int, int]:
        """Return the bytes and about the records that are not in the books; 0 means none at all."""
        self.discover()
        readers = self._readers.values()
        pending_bytes = sum(reader.pending_bytes() for reader in readers)
        if not pending_bytes:
            return 0, 0
        lines = sum(reader.lines for reader in readers)
        read_bytes = sum(reader.offset_bytes for reader in readers)
        record_bytes = read_bytes // lines if lines else RECORD_BYTES_GUESSED
        return pending_bytes, max(1, pending_bytes // max(1, record_bytes))

    def open_calls(self) -> int:
        """Return how many calls have no end yet."""
        return sum(len(reader.calls) for reader in self._readers.values())

    def names(self) -> list[str]:
        """Return the segments that have files, in the books or not."""
        return [entry.name for entry in list_segments(self._directory)]

    def _add(self, path: Path, position: Position) -> None:
        self._readers[position.segment] = SegmentReader(path, position, self._codec, self._limits)

    def _end(self, reader: SegmentReader, batch: Batch, records_max: int) -> None:
        """Finish a segment whose owner is gone, unless it was not read to the end after all."""
        left = records_max - batch.records
        # What it wrote between the last read and its end; and only now is the end its end.
        if left <= 0 or not reader.read(batch, left):
            return
        # A segment that the same worker began before it gave up this one has its name by now.
        self.discover()
        reader.finish(batch, max(1, records_max - batch.records))
