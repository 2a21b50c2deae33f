"""How is a picture of a page kept small? Flat areas pack best as they are, without a filter."""

import struct
import zlib
from collections.abc import Iterator

SIGNATURE = b"\x89PNG\r\n\x1a\n"
BYTES_OF_PIXEL = {2: 3, 6: 4}
"""By colour type: RGB, and RGB with alpha, of 8 bits each."""


def packed(picture: bytes) -> bytes:
    """Return a PNG of the same pixels, packed as far as can be; as it was if that is smaller."""
    parts = list(_chunks(picture))
    head = next(body for name, body in parts if name == b"IHDR")
    width, height, bits, colour = struct.unpack(">IIBB", head[:10])
    if bits != 8 or colour not in BYTES_OF_PIXEL:
        return picture
    data = zlib.decompress(b"".join(body for name, body in parts if name == b"IDAT"))
    size = BYTES_OF_PIXEL[colour]
    rows = b"".join(b"\0" + row for row in _rows(data, width * size, size, height))
    made = (
        SIGNATURE
        + _chunk(b"IHDR", head)
        + _chunk(b"IDAT", zlib.compress(rows, 9))
        + _chunk(b"IEND", b"")
    )
    return min(picture, made, key=len)


def _chunks(picture: bytes) -> Iterator[tuple[bytes, bytes]]:
    place = len(SIGNATURE)
    while place < len(picture):
        length, name = struct.unpack(">I4s", picture[place : place + 8])
        yield name, picture[place + 8 : place + 8 + length]
        place += 12 + length


def _chunk(name: bytes, body: bytes) -> bytes:
    return struct.pack(">I", len(body)) + name + body + struct.pack(">I", zlib.crc32(name + body))


def _rows(data: bytes, stride: int, size: int, height: int) -> Iterator[bytes]:
    """Undo the filters of PNG (section 9 of its specification), row by row."""
    above = bytes(stride)
    for number in range(height):
        start = number * (stride + 1)
        row = bytearray(data[start + 1 : start + 1 + stride])
        _undo(data[start], row, above, size)
        above = bytes(row)
        yield above


def _undo(kind: int, row: bytearray, above: bytes, size: int) -> None:
    for place in range(len(row)):
        left = row[place - size] if place >= size else 0
        corner = above[place - size] if place >= size else 0
        guess = (0, left, above[place], (left + above[place]) >> 1, 0)[kind]
        if kind == 4:
            guess = _paeth(left, above[place], corner)
        row[place] = (row[place] + guess) & 255


def _paeth(left: int, up: int, corner: int) -> int:
    near = left + up - corner
    distances = (abs(near - left), abs(near - up), abs(near - corner))
    return (left, up, corner)[distances.index(min(distances))]
