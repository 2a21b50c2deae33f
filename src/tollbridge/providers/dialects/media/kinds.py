"""What kind of picture or sound do these bytes begin like, and how large is the picture?

A name and a content type are what somebody says; the first bytes are what it is.
"""

from collections.abc import Callable, Mapping
from types import MappingProxyType

IMAGE_TYPES: Mapping[str, str] = MappingProxyType(
    {"png": "image/png", "jpeg": "image/jpeg", "webp": "image/webp", "gif": "image/gif"}
)
AUDIO_TYPES: Mapping[str, str] = MappingProxyType(
    {
        "mp3": "audio/mpeg",
        "wav": "audio/wav",
        "flac": "audio/flac",
        "ogg": "audio/ogg",
        "mp4": "audio/mp4",
        "webm": "audio/webm",
        "aac": "audio/aac",
    }
)
JPEG_SEGMENTS_MAX = 1000
# Start of frame: its segment has the size. C4, C8 and CC are no frames.
_JPEG_FRAMES = frozenset({*range(0xC0, 0xD0)} - {0xC4, 0xC8, 0xCC})


def image_kind(data: bytes) -> str | None:
    """Return png, jpeg, webp or gif; None for what is no picture that we know."""
    if data.startswith(b"\x89PNG\r\n\x1a\n"):
        return "png"
    if data.startswith(b"\xff\xd8\xff"):
        return "jpeg"
    if data[:4] == b"RIFF" and data[8:12] == b"WEBP":
        return "webp"
    if data.startswith((b"GIF87a", b"GIF89a")):
        return "gif"
    return None


def audio_kind(data: bytes) -> str | None:
    """Return mp3, wav, flac, ogg, mp4, webm or aac; None for what is no sound that we know."""
    if data[:4] == b"RIFF" and data[8:12] == b"WAVE":
        return "wav"
    for magic, kind in ((b"fLaC", "flac"), (b"OggS", "ogg"), (b"ID3", "mp3")):
        if data.startswith(magic):
            return kind
    if data[4:8] == b"ftyp":
        return "mp4"
    if data.startswith(b"\x1a\x45\xdf\xa3"):
        return "webm"
    if len(data) >= 4 and data[0] == 0xFF and data[1] & 0xE0 == 0xE0:
        # Layer 00 of the same sync word is ADTS: AAC.
        return "mp3" if data[1] & 0x06 else "aac" if data[1] & 0xF6 == 0xF0 else None
    return None


def image_size(data: bytes) -> str | None:
    """Return a picture's size in pixels as 1024x768, None where it cannot be read."""
    read = _SIZES.get(image_kind(data) or "")
    size = read(data) if read is not None else None
    return None if size is None or not all(size) else f"{size[0]}x{size[1]}"


def _png(data: bytes) -> tuple[int, int] | None:
    if data[12:16] != b"IHDR" or len(data) < 24:
        return None
    return int.from_bytes(data[16:20], "big"), int.from_bytes(data[20:24], "big")


def _gif(data: bytes) -> tuple[int, int] | None:
    if len(data) < 10:
        return None
    return int.from_bytes(data[6:8], "little"), int.from_bytes(data[8:10], "little")


def _webp(data: bytes) -> tuple[int, int] | None:
    if len(data) < 30:
        return None
    kind = data[12:16]
    if kind == b"VP8 ":
        width, height = data[26:28], data[28:30]
        return _little(width) & 0x3FFF, _little(height) & 0x3FFF
    if kind == b"VP8L":
        bits = _little(data[21:25])
        return (bits & 0x3FFF) + 1, (bits >> 14 & 0x3FFF) + 1
    if kind == b"VP8X":
        return _little(data[24:27]) + 1, _little(data[27:30]) + 1
    return None


def _jpeg(data: bytes) -> tuple[int, int] | None:
    at = 2
    for _ in range(JPEG_SEGMENTS_MAX):
        if at + 9 > len(data) or data[at] != 0xFF:
            return None
        marker = data[at + 1]
        if marker in _JPEG_FRAMES:
            return int.from_bytes(data[at + 7 : at + 9], "big"), int.from_bytes(
                data[at + 5 : at + 7], "big"
            )
        at += 1 if marker == 0xFF else 2 + int.from_bytes(data[at + 2 : at + 4], "big")
    return None


def _little(data: bytes) -> int:
    return int.from_bytes(data, "little")


_SIZES: Mapping[str, Callable[[bytes], tuple[int, int] | None]] = MappingProxyType(
    {"png": _png, "gif": _gif, "webp": _webp, "jpeg": _jpeg}
)
