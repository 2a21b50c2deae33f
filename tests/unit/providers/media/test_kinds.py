import struct

import pytest

from tests.support.media import png, wav
from tollbridge.providers.dialects.media.durations import duration_ms
from tollbridge.providers.dialects.media.kinds import audio_kind, image_kind, image_size

JPEG = (
    b"\xff\xd8\xff\xe0\x00\x10JFIF\0\x01\x01\0\0\x01\0\x01\0\0"
    b"\xff\xc0\x00\x11\x08\x04\x00\x07\x00\x03" + bytes(9)
)
WEBP = b"RIFF\0\0\0\0WEBPVP8X\x0a\0\0\0\0\0\0\0" + b"\xff\x03\x00" + b"\xff\x05\x00" + bytes(8)
GIF = b"GIF89a\x0a\x00\x14\x00" + bytes(8)


@pytest.mark.parametrize(
    ("data", "kind", "size"),
    [
        (png(640, 480), "png", "640x480"),
        (JPEG, "jpeg", "1792x1024"),
        (WEBP, "webp", "1024x1536"),
        (GIF, "gif", "10x20"),
        (b"\x89PNG\r\n\x1a\n", "png", None),
        (b"\xff\xd8\xff", "jpeg", None),
        (b"%PDF-1.7", None, None),
        (b"", None, None),
    ],
)
def test_a_picture_is_known_by_its_first_bytes(
    data: bytes, kind: str | None, size: str | None
) -> None:
    assert image_kind(data) == kind
    assert image_size(data) == size


def flac(samples: int, rate: int) -> bytes:
    bits = rate << 44 | 0 << 41 | 15 << 36 | samples
    return b"fLaC\x00\x00\x00\x22" + bytes(10) + struct.pack(">Q", bits) + bytes(16)


def opus(samples: int) -> bytes:
    head = b"OggS\0\2" + bytes(20) + b"\1\x13" + b"OpusHead\x01\x01" + struct.pack("<H", 312)
    return head + bytes(7) + b"OggS\0\4" + struct.pack("<q", samples + 312) + bytes(14)


def mp4(length: int, scale: int) -> bytes:
    def box(kind: bytes, data: bytes) -> bytes:
        return struct.pack(">I4s", 8 + len(data), kind) + data

    mvhd = bytes(12) + struct.pack(">II", scale, length) + bytes(80)
    return box(b"ftyp", b"M4A \0\0\0\0") + box(b"free", b"") + box(b"moov", box(b"mvhd", mvhd))


# MPEG 1 layer 3, 128 kbit/s, 44.1 kHz.
MP3_FRAME = b"\xff\xfb\x90\x00"


def mp3_by_rate(size: int) -> bytes:
    return b"ID3\4\0\0\0\0\0\x0a" + bytes(10) + MP3_FRAME + bytes(size - 4)


def mp3_by_frames(frames: int) -> bytes:
    return MP3_FRAME + bytes(32) + b"Xing" + struct.pack(">II", 1, frames) + bytes(400)


def webm(length: float) -> bytes:
    scale = b"\x2a\xd7\xb1\x83" + (1_000_000).to_bytes(3, "big")
    return b"\x1a\x45\xdf\xa3" + bytes(20) + scale + b"\x44\x89\x88" + struct.pack(">d", length)


@pytest.mark.parametrize(
    ("data", "kind", "length_ms"),
    [
        (wav(36_710), "wav", 36_710),
        (flac(441_000, 44_100), "flac", 10_000),
        (opus(48_000 * 3), "ogg", 3000),
        (mp4(90_500, 1000), "mp4", 90_500),
        (mp3_by_rate(16_000), "mp3", 1000),
        (mp3_by_frames(1000), "mp3", 26_123),
        (webm(1234.0), "webm", 1234),
        (b"\xff\xf1\x50\x80" + bytes(20), "aac", None),
        (b"RIFF\0\0\0\0WAVE", "wav", None),
        (b"fLaC", "flac", None),
        (b"OggS", "ogg", None),
        (b"ID3", "mp3", None),
        (b"\0\0\0\x08ftyp", "mp4", None),
        (b"hello", None, None),
        (png(), None, None),
    ],
)
def test_a_sound_is_known_by_its_first_bytes_and_its_length_by_its_headers(
    data: bytes, kind: str | None, length_ms: int | None
) -> None:
    assert audio_kind(data) == kind
    assert duration_ms(data) == length_ms


def test_a_wav_that_was_streamed_is_as_long_as_what_came() -> None:
    sound = bytearray(wav(2000))
    at = sound.index(b"data") + 4
    sound[at : at + 4] = b"\xff\xff\xff\xff"
    assert duration_ms(bytes(sound)) == 2000


@pytest.mark.parametrize("cut", range(0, 120, 7))
def test_no_cut_of_a_file_is_a_fault_of_ours(cut: int) -> None:
    for data in (wav(10), flac(9, 9), opus(5), mp4(5, 5), mp3_by_frames(2), webm(3), JPEG, WEBP):
        duration_ms(data[:cut])
        image_size(data[:cut])


def test_a_length_of_more_than_a_week_is_not_believed() -> None:
    assert duration_ms(flac(2**35, 1)) is None
