"""How long is a sound, as far as its own headers say?

Exact for wav, flac, ogg and mp4; for mp3 exact where it counts its frames, else by its first
frame's bit rate. Nothing is decoded. None where the headers do not say.

Sources: RIFF and WAVE; RFC 9639 (FLAC); RFC 3533 and RFC 7845 (Ogg, Opus); ISO 14496-12 (mvhd);
ISO 11172-3 with the Xing header of LAME; RFC 9559 (Matroska).
"""

import struct
from collections.abc import Callable, Mapping
from types import MappingProxyType

from tollbridge.providers.dialects.media.kinds import audio_kind

SECOND_MS = 1000
DURATION_MS_MAX = 7 * 24 * 3_600_000
"""A week: a header that says more is not believed."""
CHUNKS_MAX = 1000
OPUS_RATE = 48_000
HEADERS_BYTES = 64 * 1024
"""Where the headers of a webm file stand."""
_WHOLE_32 = 0xFFFFFFFF
_BIT_RATES_1 = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)
_BIT_RATES_2 = (0, 8, 16, 24, 32, 40, 48, 56, 64, 80, 96, 112, 128, 144, 160)
_SAMPLE_RATES = (44_100, 48_000, 32_000)


def duration_ms(data: bytes) -> int | None:
    """Return how long a sound is, in milliseconds, rounded up; None where nobody can say."""
    read = _READERS.get(audio_kind(data) or "")
    if read is None:
        return None
    try:
        found = read(data)
    except (struct.error, IndexError):  # the file is shorter than its headers say
        return None
    if found is None:
        return None
    units, rate = found
    if rate <= 0 or units <= 0:
        return None
    length_ms = -(-units * SECOND_MS // rate)
    return length_ms if length_ms <= DURATION_MS_MAX else None


def _wav(data: bytes) -> tuple[int, int] | None:
    at, byte_rate = 12, 0
    for _ in range(CHUNKS_MAX):
        kind = data[at : at + 4]
        (size,) = struct.unpack_from("<I", data, at + 4)
        if kind == b"fmt ":
            (byte_rate,) = struct.unpack_from("<I", data, at + 16)
        elif kind == b"data":
            # A stream does not know its size when it writes its head.
            return min(size, len(data) - at - 8), byte_rate
        at += 8 + size + size % 2
    return None


def _flac(data: bytes) -> tuple[int, int] | None:
    if data[4] & 0x7F:  # STREAMINFO is the first block
        return None
    (bits,) = struct.unpack_from(">Q", data, 18)
    return bits & 0xFFFFFFFFF, bits >> 44


def _ogg(data: bytes) -> tuple[int, int] | None:
    first = data[28:]
    last = data.rfind(b"OggS")
    (position,) = struct.unpack_from("<q", data, last + 6)
    if first.startswith(b"OpusHead"):
        (skipped,) = struct.unpack_from("<H", first, 10)
        return position - skipped, OPUS_RATE
    if first.startswith(b"\x01vorbis"):
        (rate,) = struct.unpack_from("<I", first, 12)
        return position, rate
    return None


def _mp4(data: bytes) -> tuple[int, int] | None:
    moov = _box(data, b"moov", 0, len(data))
    mvhd = None if moov is None else _box(data, b"mvhd", *moov)
    if mvhd is None:
        return None
    at = mvhd[0]
    if data[at]:
        scale, length = struct.unpack_from(">IQ", data, at + 20)
    else:
        scale, length = struct.unpack_from(">II", data, at + 12)
    return length, scale


def _box(data: bytes, wanted: bytes, at: int, end: int) -> tuple[int, int] | None:
    """Return where the contents of a box begin and end."""
    for _ in range(CHUNKS_MAX):
        if at + 8 > end:
            return None
        size, kind = struct.unpack_from(">I4s", data, at)
        head = 8
        if size == 1:
            (size,) = struct.unpack_from(">Q", data, at + 8)
            head = 16
        if kind == wanted:
            return at + head, min(end, at + size) if size else end
        if size < head:
            return None
        at += size
    return None


def _mp3(data: bytes) -> tuple[int, int] | None:
    at = 0
    if data.startswith(b"ID3"):
        sizes = struct.unpack_from("4B", data, 6)
        at = 10 + sum(
            (one & 0x7F) << shift for one, shift in zip(sizes, (21, 14, 7, 0), strict=True)
        )
    at = data.index(b"\xff", at) if b"\xff" in data[at : at + HEADERS_BYTES] else len(data)
    second, third = data[at + 1], data[at + 2]
    version, layer = second >> 3 & 3, second >> 1 & 3
    if second & 0xE0 != 0xE0 or version == 1 or layer != 1 or third >> 2 & 3 == 3:
        return None
    is_first = version == 3
    rate = _SAMPLE_RATES[third >> 2 & 3] >> {3: 0, 2: 1, 0: 2}[version]
    bit_rate = (_BIT_RATES_1 if is_first else _BIT_RATES_2)[third >> 4] * SECOND_MS
    head = data[at : at + 200]
    for mark in (b"Xing", b"Info"):
        place = head.find(mark)
        if place >= 0 and head[place + 7] & 1:
            (frames,) = struct.unpack_from(">I", head, place + 8)
            return frames * (1152 if is_first else 576), rate
    return (len(data) - at) * 8, bit_rate


def _webm(data: bytes) -> tuple[int, int] | None:
    head = data[:HEADERS_BYTES]
    at = head.find(b"\x44\x89")
    if at < 0:
        return None
    is_double = head[at + 2] == 0x88
    (length,) = struct.unpack_from(">d" if is_double else ">f", head, at + 3)
    scale = 1_000_000  # nanoseconds
    named = head.find(b"\x2a\xd7\xb1")
    if named >= 0:
        size = head[named + 3] & 0x7F
        scale = int.from_bytes(head[named + 4 : named + 4 + size], "big")
    if not 0 < length * scale < DURATION_MS_MAX * 1e6:
        return None
    return int(length * scale), 1_000_000_000


_READERS: Mapping[str, Callable[[bytes], tuple[int, int] | None]] = MappingProxyType(
    {"wav": _wav, "flac": _flac, "ogg": _ogg, "mp4": _mp4, "mp3": _mp3, "webm": _webm}
)
