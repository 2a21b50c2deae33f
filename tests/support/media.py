"""Pictures, sounds and calls for them, and the prices that come with the program."""

import struct
import zlib
from collections.abc import Iterable
from functools import cache
from typing import Any

import msgspec

from tests.support.evidence import NOW_US
from tollbridge.core.call import Operation
from tollbridge.core.plan import Endpoint
from tollbridge.providers.dialects.media.face import parse_media
from tollbridge.providers.dialects.media.forms import Part, write_form
from tollbridge.providers.names import load_names
from tollbridge.providers.request import Request
from tollbridge.rating.book import PriceBook
from tollbridge.rating.conditions import canonical
from tollbridge.rating.prices import PricePart, PriceRow
from tollbridge.rating.sources.media import seed_with_media

JSON = b"application/json"
NOVEMBER_US = NOW_US + 320 * 86_400_000_000
"""The middle of November 2026: the youngest prices of the seed hold."""


def png(width: int = 2, height: int = 2) -> bytes:
    """Return a whole grey picture."""

    def chunk(kind: bytes, data: bytes) -> bytes:
        checked = kind + data
        return struct.pack(">I", len(data)) + checked + struct.pack(">I", zlib.crc32(checked))

    head = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    pixels = zlib.compress((b"\0" + b"\x80" * width) * height)
    signature = b"\x89PNG\r\n\x1a\n"
    return signature + chunk(b"IHDR", head) + chunk(b"IDAT", pixels) + chunk(b"IEND", b"")


def wav(length_ms: int = 1000, rate: int = 8000) -> bytes:
    """Return silence of that length."""
    data = bytes(rate * 2 * length_ms // 1000)
    fmt = struct.pack("<HHIIHH", 1, 1, rate, rate * 2, 2, 16)
    body = b"WAVEfmt " + struct.pack("<I", len(fmt)) + fmt
    body += b"data" + struct.pack("<I", len(data)) + data
    return b"RIFF" + struct.pack("<I", len(body)) + body


def asked(operation: Operation, **fields: Any) -> Request:
    """Return a checked call for media, said in JSON."""
    return parse_media(operation, msgspec.json.encode(fields), JSON)


def asked_by_form(operation: Operation, fields: dict[str, str], files: Iterable[Part]) -> Request:
    """Return a checked call for media, said in a form."""
    parts = [Part(name, value.encode()) for name, value in fields.items()]
    return parse_media(operation, *write_form([*parts, *files]))


def endpoint(provider: str = "openai", *quirks: str, dialect: str = "openai") -> Endpoint:
    return Endpoint(provider, provider, dialect, "http://127.0.0.1:1/v1", quirks=quirks)


@cache
def seed_book() -> PriceBook:
    """Return all prices that come with the program."""
    rows = [
        PriceRow(
            id=str(number),
            provider=price.provider,
            model=price.model,
            unit=price.unit,
            rate_usd=f"{price.rate_usd:f}",
            per=price.per,
            valid_from_us=price.valid_from_us or 0,
            valid_to_us=price.valid_to_us,
            source="seed",
            conditions=canonical("conditions", price.conditions),
            quantity_min=price.quantity_min,
            quantity_step=price.quantity_step,
        )
        for number, price in enumerate(seed_with_media(load_names().resolve))
    ]
    return PriceBook(PricePart(rows=rows))
