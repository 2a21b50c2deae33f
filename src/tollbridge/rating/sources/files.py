"""Which prices does a file of somebody's state?

CSV with a heading, a JSON array, or JSON lines; read row by row, so that its size does not count.
Columns: provider, model, unit (as in `[[price]]`, media_prices.csv or genai-prices), rate (or
rate_usd) in US dollars, and where wanted per (the rate is for so many of the unit, which may then
be one of ours too), conditions (JSON, or `size=1024x1024; quality=hd`), quantity_min,
quantity_step, valid_from, valid_to (a day, or an instant with its zone), reference, as_of, comment.
"""

import codecs
import csv
import json
from collections.abc import Iterator, Mapping
from datetime import UTC, date, datetime
from decimal import Decimal
from pathlib import PurePath
from typing import Any, BinaryIO, cast

from tollbridge.core.clock import to_us
from tollbridge.core.errors import ConfigurationError
from tollbridge.core.usage import UPSTREAM
from tollbridge.rating.by_hand import priced_unit
from tollbridge.rating.prices import DeclaredPrice, checked, read_rate
from tollbridge.rating.sources.reading import Resolve, content_hash
from tollbridge.rating.unit_names import Priced, find, why_skipped

NEEDED = ("provider", "model", "unit", "rate")
RATE_USD = "rate_usd"
"""What the pricing table calls the rate."""
OPTIONAL = (
    "per",
    "conditions",
    "quantity_min",
    "quantity_step",
    "valid_from",
    "valid_to",
    "reference",
    "as_of",
    "comment",
)
COLUMNS = frozenset((*NEEDED, *OPTIONAL))
ROW_BYTES_MAX = 1_000_000
PIECE_BYTES = 1 << 16
JSON_BLANKS = " \t\r\n"

Row = tuple[int, Mapping[str, Any]]
"""The line on which it ends, and its columns."""


def read_prices(file: BinaryIO, name: str, resolve: Resolve) -> Iterator[DeclaredPrice]:
    """Yield the prices of an open file; its format is told by the ending of its name.

    Raises ConfigurationError, as "NAME line N: why", for the first row that cannot be read.
    """
    ending = PurePath(name).suffix.lower()
    readers = {".csv": _csv_rows, ".json": _json_rows, ".jsonl": _line_rows, ".ndjson": _line_rows}
    reader = readers.get(ending)
    if reader is None:
        raise ConfigurationError(f"{name}: a price file ends in {', '.join(readers)}")
    for line, row in reader(file, name):
        yield _price(f"{name} line {line}", row, name, resolve)


def _price(where: str, row: Mapping[str, Any], name: str, resolve: Resolve) -> DeclaredPrice:
    if RATE_USD in row and "rate" not in row:
        row = {("rate" if key == RATE_USD else key): value for key, value in row.items()}
    unknown = row.keys() - COLUMNS
    if unknown:
        raise ConfigurationError(f"{where}: no such column: {min(map(str, unknown))}")
    filled = {key: value for key, value in row.items() if value is not None and value != ""}
    for column in NEEDED:
        if column not in filled:
            raise ConfigurationError(f"{where}: {column} is missing")
    texts = {column: _text(where, column, filled) for column in (*NEEDED, *OPTIONAL)}
    priced = _priced(where, texts["unit"] or "", _whole(where, "per", texts))
    conditions = _conditions(where, filled.get("conditions"))
    # A provider that nobody lists may be the operator's own: it keeps its name.
    provider = texts["provider"] or ""
    serving = resolve(provider)
    if serving is not None:
        provider = serving.provider
        if serving.upstream is not None:
            conditions[UPSTREAM] = serving.upstream
    return checked(
        DeclaredPrice(
            provider=provider,
            model=texts["model"] or "",
            unit=priced.unit,
            rate_usd=read_rate(f"{where}: rate", filled["rate"]),
            per=priced.per,
            conditions=conditions,
            quantity_min=_whole(where, "quantity_min", texts),
            quantity_step=_whole(where, "quantity_step", texts),
            valid_from_us=_instant(where, "valid_from", texts),
            valid_to_us=_instant(where, "valid_to", texts),
            reference=texts["reference"],
            as_of=_day(where, texts["as_of"]),
            source_detail=PurePath(name).name,
            content_hash=content_hash(*sorted(texts.items())),
            comment=texts["comment"],
        ),
        where,
    )


def _priced(where: str, name: str, per: int | None) -> Priced:
    """Return the unit that a name means, and for how many of it a rate is."""
    if per is not None:
        try:
            return priced_unit(name, per)
        except ConfigurationError as error:
            raise ConfigurationError(f"{where}: {error.message}") from error
    found = find(name)
    if found is None:
        why = why_skipped(name) or "no such unit"
        raise ConfigurationError(f"{where}: unit: {name!r}: {why}")
    return found


def _text(where: str, column: str, row: Mapping[str, Any]) -> str | None:
    """Return one column as text, None where it is empty. A conditions mapping becomes JSON."""
    value = row.get(column)
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, int | Decimal) and not isinstance(value, bool):
        return str(value)
    if column == "conditions" and isinstance(value, dict):
        return json.dumps(value, sort_keys=True, default=str)
    raise ConfigurationError(f"{where}: {column} is text, not {type(value).__name__}")


def _conditions(where: str, value: object) -> dict[str, Any]:
    if value is None:
        return {}
    if isinstance(value, str) and value.lstrip().startswith("{"):
        try:
            value = json.loads(value)
        except ValueError as error:
            raise ConfigurationError(f"{where}: conditions: {error}") from error
    if isinstance(value, dict):
        return _mapping(where, cast("object", value))
    found: dict[str, Any] = {}
    for part in str(value).split(";"):
        key, equals, text = part.partition("=")
        if not equals:
            raise ConfigurationError(f"{where}: conditions: {part.strip()!r} is no key=value")
        found[key.strip()] = text.strip()
    return found


def _whole(where: str, column: str, texts: Mapping[str, str | None]) -> int | None:
    text = texts[column]
    if text is None:
        return None
    if not text.isdecimal():
        raise ConfigurationError(f"{where}: {column} is a whole number, not {text[:40]!r}")
    return int(text)


def _instant(where: str, column: str, texts: Mapping[str, str | None]) -> int | None:
    text = texts[column]
    if text is None:
        return None
    try:
        if len(text) == len("2026-11-01"):
            return to_us(datetime.combine(date.fromisoformat(text), datetime.min.time(), UTC))
        return to_us(datetime.fromisoformat(text))
    except ValueError as error:
        raise ConfigurationError(f"{where}: {column}: {error}") from error


def _day(where: str, text: str | None) -> date | None:
    try:
        return None if text is None else date.fromisoformat(text)
    except ValueError as error:
        raise ConfigurationError(f"{where}: as_of: {error}") from error


def _lines(file: BinaryIO, name: str) -> Iterator[tuple[int, str]]:
    """Yield the lines of a file with their numbers."""
    number = 0
    while raw := file.readline(ROW_BYTES_MAX + 1):
        number += 1
        if len(raw) > ROW_BYTES_MAX:
            raise ConfigurationError(f"{name} line {number}: over {ROW_BYTES_MAX} bytes")
        yield number, _decoded(f"{name} line {number}", raw)


def _decoded(where: str, raw: bytes) -> str:
    try:
        return raw.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        raise ConfigurationError(f"{where}: {error}") from error


def _csv_rows(file: BinaryIO, name: str) -> Iterator[Row]:
    reader = csv.DictReader((text for _, text in _lines(file, name)), strict=True)
    read = 0
    try:
        headings = reader.fieldnames or ()
        also = {"rate"} if RATE_USD in headings else set[str]()
        missing = [column for column in NEEDED if column not in {*headings, *also}]
        if missing or len(set(headings)) < len(headings):
            raise ConfigurationError(
                f"{name} line 1: the heading lacks {', '.join(missing)}"
                if missing
                else f"{name} line 1: the heading names a column twice"
            )
        for row in reader:
            where = f"{name} line {reader.line_num}"
            if None in row or None in row.values():
                raise ConfigurationError(f"{where}: {len(headings)} columns are expected")
            read = reader.line_num
            yield read, row
    except csv.Error as error:
        # Where the row begins: an open quotation mark may have taken in all that follows.
        raise ConfigurationError(f"{name} line {max(read, 1) + 1}: {error}") from error


def _line_rows(file: BinaryIO, name: str) -> Iterator[Row]:
    decoder = _decoder()
    for number, text in _lines(file, name):
        if text.strip():
            try:
                yield number, _mapping(f"{name} line {number}", decoder.decode(text))
            except ValueError as error:
                raise ConfigurationError(f"{name} line {number}: {error}") from error


def _json_rows(file: BinaryIO, name: str) -> Iterator[Row]:
    """Yield the objects of a JSON array, holding no more of it than one of them."""
    decoder, scanner = _decoder(), _Scanner(file, name)
    if scanner.next() != "[":
        raise ConfigurationError(f"{scanner.where}: a JSON file is an array of objects")
    scanner.take(1)
    if scanner.next() == "]":
        return
    while True:
        if scanner.next() != "{":
            raise ConfigurationError(f"{scanner.where}: an object is expected")
        yield scanner.line, _mapping(scanner.where, scanner.object(decoder))
        mark = scanner.next()
        scanner.take(1)
        if mark == "]":
            return
        if mark != ",":
            raise ConfigurationError(f"{scanner.where}: a comma or the array's end is expected")


class _Scanner:
    """The unread text of a JSON file, a piece at a time."""

    def __init__(self, file: BinaryIO, name: str) -> None:
        self._file = file
        self._name = name
        self._decode = codecs.getincrementaldecoder("utf-8-sig")().decode
        self._text = ""
        self.line = 1

    @property
    def where(self) -> str:
        return f"{self._name} line {self.line}"

    def next(self) -> str:
        """Return the next character that is no blank; "" at the end."""
        while True:
            text = self._text.lstrip(JSON_BLANKS)
            self.take(len(self._text) - len(text))
            if text or not self._more():
                return text[:1]

    def take(self, length: int) -> None:
        """Leave so many characters behind."""
        self.line += self._text.count("\n", 0, length)
        self._text = self._text[length:]

    def object(self, decoder: json.JSONDecoder) -> object:
        """Return the value that begins here, reading on until it is whole."""
        while True:
            try:
                value, end = decoder.raw_decode(self._text)
            except json.JSONDecodeError as error:
                if len(self._text) > ROW_BYTES_MAX or not self._more():
                    self.line += error.lineno - 1
                    raise ConfigurationError(f"{self.where}: {error.msg}") from error
                continue
            self.take(end)
            return value

    def _more(self) -> bool:
        piece = self._file.read(PIECE_BYTES)
        try:
            self._text += self._decode(piece, not piece)
        except UnicodeDecodeError as error:
            raise ConfigurationError(f"{self.where}: {error}") from error
        return bool(piece)


def _decoder() -> json.JSONDecoder:
    # A number is read as it is written: no float comes near a rate.
    return json.JSONDecoder(parse_float=Decimal)


def _mapping(where: str, value: object) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ConfigurationError(f"{where}: an object is expected")
    return cast("dict[str, Any]", value)  # a JSON object has no other keys
