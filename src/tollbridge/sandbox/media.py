"""What does a picture, a sound or a film look like that nobody had to make?

Small, valid, and the same for the same order: pictures have the size that was asked for, sounds
and films the length.
"""

import struct
import zlib
from collections.abc import Mapping
from types import MappingProxyType
from typing import Final, NamedTuple

from tollbridge.sandbox.refusals import RefusedError

SIDE_PIXELS_MAX: Final = 8192
DURATION_MS_MAX: Final = 600_000
SPEECH_MS_PER_CHARACTER: Final = 60
WAV_HZ: Final = 8000
PCM_HZ: Final = 24_000

# One frame of silence: MPEG-1 layer III, 32 kbit/s, 32 kHz, mono. 144 bytes last 36 ms.
MP3_FRAME: Final = b"\xff\xfb\x18\xc0" + bytes(140)
MP3_FRAME_MS: Final = 36
_MP3_KBIT_S: Final = (0, 32, 40, 48, 56, 64, 80, 96, 112, 128, 160, 192, 224, 256, 320)

CONTENT_TYPES: Final[Mapping[str, str]] = MappingProxyType(
    {
        "png": "image/png",
        "mp3": "audio/mpeg",
        "wav": "audio/wav",
        "pcm": "audio/pcm",
        "mp4": "video/mp4",
    }
)


class Size(NamedTuple):
    """Width and height in pixels."""

    width: int
    height: int


def size_of(text: str, *, param: str = "size") -> Size:
    """Read "1024x1024" or "1024*1024". Raises RefusedError (400)."""
    width, _, height = text.replace("*", "x").partition("x")
    if width.isdecimal() and height.isdecimal():
        size = Size(int(width), int(height))
        if min(size) >= 1 and max(size) <= SIDE_PIXELS_MAX:
            return size
    raise RefusedError("invalid_request", f"Invalid value: '{text}'.", param=param)


def png(size: Size, seed: bytes = b"") -> bytes:
    """Return a striped picture of one bit a pixel; `seed` chooses the stripes."""
    row = b"\0" + bytes([seed[0] if seed else 0xAA]) * (-(-size.width // 8))
    head = struct.pack(">IIBBBBB", size.width, size.height, 1, 0, 0, 0, 0)
    label = b"Comment\0" + seed.hex().encode()
    return b"\x89PNG\r\n\x1a\n" + b"".join(
        _png_chunk(kind, data)
        for kind, data in (
            (b"IHDR", head),
            (b"tEXt", label),
            (b"IDAT", zlib.compress(row * size.height, 6)),
            (b"IEND", b""),
        )
    )


def png_size(data: bytes) -> Size | None:
    """Return the size that a PNG says it has, None where it is not one."""
    if len(data) < 24 or not data.startswith(b"\x89PNG\r\n\x1a\n"):
        return None
    return Size(*struct.unpack(">II", data[16:24]))


def sound(kind: str, duration_ms: int) -> bytes:
    """Return that much silence. Raises RefusedError (400) for a format that is not made here."""
    if kind == "mp3":
        return MP3_FRAME * max(1, -(-duration_ms // MP3_FRAME_MS))
    if kind == "wav":
        return wav(duration_ms)
    if kind == "pcm":
        return bytes(2 * PCM_HZ * duration_ms // 1000)
    message = f"sandbox: it makes mp3, wav and pcm, not {kind}"
    raise RefusedError("invalid_request", message, param="response_format")


def wav(duration_ms: int) -> bytes:
    """Return silence as RIFF: 8 kHz, 8 bit, mono."""
    data = b"\x80" * (WAV_HZ * duration_ms // 1000)
    form = struct.pack("<4sIHHIIHH", b"fmt ", 16, 1, 1, WAV_HZ, WAV_HZ, 1, 8)
    body = b"WAVE" + form + struct.pack("<4sI", b"data", len(data)) + data
    return struct.pack("<4sI", b"RIFF", len(body)) + body


def speech_ms(text: str) -> int:
    """Return how long it takes to say a text."""
    return min(DURATION_MS_MAX, max(MP3_FRAME_MS, SPEECH_MS_PER_CHARACTER * len(text)))


def sound_ms(data: bytes) -> int | None:
    """Return the length of a WAV or MP3, None where it is neither."""
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return _wav_ms(data)
    at = 0
    if data[:3] == b"ID3" and len(data) > 10:
        at = 10 + ((data[6] << 21) | (data[7] << 14) | (data[8] << 7) | data[9])
    head = data[at : at + 4]
    if len(head) < 4 or head[0] != 0xFF or head[1] & 0xFE != 0xFA:
        return None
    rate = head[2] >> 4
    if not 0 < rate < len(_MP3_KBIT_S):
        return None
    return (len(data) - at) * 8 // _MP3_KBIT_S[rate]


def film(duration_ms: int, size: Size) -> bytes:
    """Return an MP4 whose header has the length and the size, and no frame."""
    duration = min(duration_ms, DURATION_MS_MAX)
    matrix = struct.pack(">9I", 0x10000, 0, 0, 0, 0x10000, 0, 0, 0, 0x40000000)
    movie = struct.pack(">5I", 0, 0, 0, 1000, duration) + struct.pack(">IH10x", 0x10000, 0x100)
    movie += matrix + bytes(24) + struct.pack(">I", 2)
    track = struct.pack(">I", 7) + struct.pack(">5I", 0, 0, 1, 0, duration) + bytes(16)
    track += matrix + struct.pack(">II", size.width << 16, size.height << 16)
    kind = b"isom" + struct.pack(">I", 0x200) + b"isommp41"
    moov = _box(b"mvhd", movie) + _box(b"trak", _box(b"tkhd", track))
    return _box(b"ftyp", kind) + _box(b"moov", moov) + _box(b"mdat", b"")


def film_ms(data: bytes) -> int | None:
    """Return the length that an MP4 of one movie header says, None where there is none."""
    at = data.find(b"mvhd")
    if at < 0 or len(data) < at + 24:
        return None
    scale, duration = struct.unpack(">II", data[at + 16 : at + 24])
    return duration * 1000 // scale if scale else None


def _png_chunk(kind: bytes, data: bytes) -> bytes:
    body = kind + data
    return struct.pack(">I", len(data)) + body + struct.pack(">I", zlib.crc32(body))


def _box(kind: bytes, data: bytes) -> bytes:
    return struct.pack(">I", len(data) + 8) + kind + data


def _wav_ms(data: bytes) -> int | None:
    bytes_per_s = 0
    at = 12
    while at + 8 <= len(data):
        kind, length = struct.unpack("<4sI", data[at : at + 8])
        if kind == b"fmt " and at + 20 <= len(data):
            (bytes_per_s,) = struct.unpack("<I", data[at + 16 : at + 20])
        if kind == b"data":
            there = min(length, len(data) - at - 8)
            return there * 1000 // bytes_per_s if bytes_per_s else None
        at += 8 + length + (length & 1)
    return None
