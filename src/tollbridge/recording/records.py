"""How does a record stand in a spool segment?

One JSON line each, `{"v":1,"crc":<crc32 of the record's bytes>,"record":{…}}`, so that a torn or
damaged line is recognised and a segment can be read with any tool.
"""

import zlib

import msgspec

from tollbridge.core.content import Content
from tollbridge.core.evidence import AttemptStarted, Closed, Opened, Progress
from tollbridge.core.report import ReportBatch

VERSION = 1
SEGMENT_SUFFIX = ".jsonl"
_PREFIX = b'{"v":1,"crc":'
_MIDDLE = b',"record":'
_SUFFIX = b"}"


class SegmentHeader(msgspec.Struct, frozen=True, tag_field="kind", tag="segment"):
    """The first record of a segment: whose it is."""

    node: str
    worker: str
    """The worker's instance: one process from its start to its end."""
    sequence: int
    started_at_us: int


SpoolRecord = SegmentHeader | Opened | AttemptStarted | Progress | Closed | ReportBatch | Content


class UnreadableLineError(ValueError):
    """A line that is no record: torn, damaged, or of an unknown version or kind."""


class RecordCodec:
    """Encodes records to lines and back; one per process, since it keeps compiled codecs."""

    def __init__(self) -> None:
        self.body = msgspec.json.Encoder().encode
        self._decode = msgspec.json.Decoder(SpoolRecord).decode

    def line(self, record: SpoolRecord) -> bytes:
        """Return a record as one line with its checksum and newline."""
        body = self.body(record)
        return b'{"v":1,"crc":%d,"record":%b}\n' % (zlib.crc32(body), body)

    def parse(self, line: bytes) -> SpoolRecord:
        """Read a line without its newline.

        Raises UnreadableLineError where the line is not whole or not known.
        """
        return self.record(body_of(line))

    def record(self, body: bytes) -> SpoolRecord:
        """Read a record's own JSON.

        Raises UnreadableLineError where it is not known.
        """
        try:
            return self._decode(body)
        except (msgspec.MsgspecError, UnicodeDecodeError) as error:
            raise UnreadableLineError(f"the record is of no known form: {error}") from error


def body_of(line: bytes) -> bytes:
    """Return the record's own JSON out of a line, its checksum verified.

    Raises UnreadableLineError where the line is torn, damaged or of another version.
    """
    middle = line.find(_MIDDLE, len(_PREFIX), len(_PREFIX) + 24)
    if middle < 0 or not line.startswith(_PREFIX) or not line.endswith(_SUFFIX):
        raise UnreadableLineError("the line is not whole, or not of this version")
    body = line[middle + len(_MIDDLE) : -1]
    stated = line[len(_PREFIX) : middle]
    if not stated.isdigit() or int(stated) != zlib.crc32(body):
        raise UnreadableLineError("the checksum does not fit")
    return body
