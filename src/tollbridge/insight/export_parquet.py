"""How do calls of the usage log leave as Parquet?

With the columns of the other forms, in the types of that format: instants in microseconds of UTC,
money as decimals of nine places, tags as lists, usage as a map. What is not known is null.

The database writes a call as one text, and the library reads the texts of a page as columns: no
value but usage, tags and flags becomes an object of this program.

pyarrow is the extra `parquet`, which costs some 60 MB where it is used: it is loaded by the first
export in this form.
"""

import importlib
import io
from collections.abc import Mapping, Sequence
from datetime import tzinfo
from importlib.util import find_spec
from typing import Any

import msgspec
from typing_extensions import override

from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.money import NANO_PLACES
from tollbridge.insight.export_lines import (
    COLUMNS,
    JSONS,
    PLAIN,
    SOURCES,
    TEXT_CELLS,
    Cell,
    Correction,
    ExportColumn,
    Months,
)

LIBRARY = "pyarrow"
GROUP_ROWS = 20_000
"""So many calls stand together in the file, each column of them for itself; memory is theirs."""
MONEY_DIGITS = 28
WHOLE_DIGITS = 19
"""Of any amount in nano-USD."""
UNKNOWN = ("", "NULL")
"""As the database writes it, without quotes."""

_CELLS_AT = 2
"""Where the text stands in a row, behind export_queries.PLACE …"""
_JSON_AT: Mapping[str, int] = {name: place for place, name in enumerate(JSONS, _CELLS_AT + 1)}
"""… and where JSON does."""
_list = msgspec.json.Decoder(list[str]).decode
_counts = msgspec.json.Decoder(dict[str, int]).decode


def require_library(library: str = LIBRARY) -> None:
    """Raise InvalidRequestError where the extra is not installed."""
    if find_spec(library) is None:
        raise InvalidRequestError(
            "Parquet needs the extra `parquet` (pip install 'tollbridge[parquet]'); csv and jsonl "
            "have the same columns",
            details={"param": "format"},
        )


class ParquetMaker:
    """Makes one file; call `close` once, after the last rows."""

    def __init__(self, zone: tzinfo, group_rows: int = GROUP_ROWS) -> None:
        """Take the billing time zone."""
        self._arrow: Any = importlib.import_module(LIBRARY)
        parquet: Any = importlib.import_module(f"{LIBRARY}.parquet")
        self._months = Months(zone)
        self._group_rows = group_rows
        self._csv: Any = importlib.import_module(f"{LIBRARY}.csv")
        self._types = _types(self._arrow)
        self._read_as = _read_as(self._arrow)
        self._schema = self._arrow.schema(
            [
                self._arrow.field(
                    name, self._types[column.cell], metadata={"description": column.description}
                )
                for name, column in COLUMNS.items()
            ]
        )
        self._sink = _Sink()
        self._writer = parquet.ParquetWriter(self._sink, self._schema, compression="zstd")
        self._waiting: list[Any] = []
        self._waiting_rows = 0

    def add(self, rows: Sequence[Any], corrections: Mapping[str, Correction]) -> bytes:
        """Take calls; return what of the file is complete, which mostly is nothing.

        A row: export_queries.PLACE, and export_line_queries.table_columns.
        """
        if rows:
            booked = self._read(rows)
            corrected = _corrected(rows, booked, corrections)
            arrays = [
                self._array(column, rows, corrected.get(name, booked.get(column.source)))
                for name, column in COLUMNS.items()
            ]
            self._waiting.append(self._arrow.record_batch(arrays, schema=self._schema))
            self._waiting_rows += len(rows)
        if self._waiting_rows >= self._group_rows:
            self._write_group()
        return self._sink.taken()

    def close(self) -> bytes:
        """Return the rest of the file."""
        if self._waiting:
            self._write_group()
        self._writer.close()
        return self._sink.taken()

    def _write_group(self) -> None:
        table = self._arrow.Table.from_batches(self._waiting, self._schema)
        self._writer.write_table(table, row_group_size=self._waiting_rows)
        self._waiting, self._waiting_rows = [], 0

    def _read(self, rows: Sequence[Any]) -> dict[str, Any]:
        """Return the columns of PLAIN, as arrays."""
        text = "\n".join([row[_CELLS_AT] for row in rows]).encode()
        csv = self._csv
        table = csv.read_csv(
            self._arrow.BufferReader(text),
            # One block: an array a column.
            csv.ReadOptions(column_names=PLAIN, use_threads=False, block_size=len(text) + 1),
            csv.ParseOptions(quote_char="'", newlines_in_values=True),
            csv.ConvertOptions(
                column_types=self._read_as,
                null_values=UNKNOWN,
                strings_can_be_null=True,
                quoted_strings_can_be_null=False,
            ),
        )
        return {name: table.column(name).combine_chunks() for name in PLAIN}

    def _array(self, column: ExportColumn, rows: Sequence[Any], booked: Any) -> Any:
        arrow, kind = self._arrow, self._types[column.cell]
        match column.cell:
            case Cell.MONTH:
                return arrow.array([self._months.text(row[0]) for row in rows], kind)
            case Cell.INSTANT:
                return booked.cast(kind)
            case Cell.MONEY:
                # Whole nano-USD are the digits of a decimal of nine places.
                digits = booked.cast(arrow.decimal128(WHOLE_DIGITS, 0))
                buffers = digits.buffers()
                return arrow.Array.from_buffers(kind, len(digits), buffers, -1, digits.offset)
            case Cell.SEVERAL:
                return arrow.array([count > 1 for count in booked.to_pylist()], kind)
            case Cell.LIST | Cell.OBJECT:
                place = _JSON_AT[column.source]
                read = self._lists if column.cell is Cell.LIST else self._maps
                return read([row[place] for row in rows])
            case _:
                return booked

    def _lists(self, texts: Sequence[str | None]) -> Any:
        ends, found = [0], list[str]()
        for text in texts:
            if text:
                found += _list(text)
            ends.append(len(found))
        arrow = self._arrow
        offsets, values = arrow.array(ends, arrow.int32()), arrow.array(found, arrow.string())
        return arrow.ListArray.from_arrays(offsets, values)

    def _maps(self, texts: Sequence[str | None]) -> Any:
        ends, names, counts = [0], list[str](), list[int]()
        for text in texts:
            if text:
                usage = _counts(text)
                names += usage
                counts += usage.values()
            ends.append(len(names))
        arrow = self._arrow
        keys, items = arrow.array(names, arrow.string()), arrow.array(counts, arrow.int64())
        return arrow.MapArray.from_arrays(arrow.array(ends, arrow.int32()), keys, items)


def _corrected(
    rows: Sequence[Any], booked: Mapping[str, Any], corrections: Mapping[str, Correction]
) -> Mapping[str, Any]:
    """Return the columns that are not in the books as they are."""
    costs, charges = booked["cost_nanousd"], booked["charge_nanousd"]
    kind = costs.type
    adjustments: list[int | None] = [0] * len(rows)
    if corrections:
        known = booked["known_cost_nanousd"].to_pylist()
        costs_now, charges_now = costs.to_pylist(), charges.to_pylist()
        for place, row in enumerate(rows):
            one = corrections.get(row[1])
            if one is None:
                continue
            adjustments[place] = one.difference_nanousd
            if costs_now[place] is not None or one.is_priced:
                costs_now[place] = known[place] + one.difference_nanousd
            charges_now[place] += one.charge_difference_nanousd
        costs, charges = (_like(kind, values) for values in (costs_now, charges_now))
    return {
        "adjustment_usd": _like(kind, adjustments),
        "cost_now_usd": costs,
        "charge_now_usd": charges,
    }


def _like(kind: Any, values: Sequence[int | None]) -> Any:
    return importlib.import_module(LIBRARY).array(values, kind)


def _types(arrow: Any) -> Mapping[Cell, Any]:
    text, whole = arrow.string(), arrow.int64()
    return {
        Cell.CALL: text,
        Cell.INSTANT: arrow.timestamp("us", tz="UTC"),
        Cell.MONTH: text,
        Cell.MONEY: arrow.decimal128(MONEY_DIGITS, -NANO_PLACES),
        Cell.TEXT: text,
        Cell.NUMBER: whole,
        Cell.TRUTH: arrow.bool_(),
        Cell.SEVERAL: arrow.bool_(),
        Cell.LIST: arrow.list_(text),
        Cell.OBJECT: arrow.map_(text, whole),
    }


def _read_as(arrow: Any) -> Mapping[str, Any]:
    """Return of what type the columns are as they are read."""
    return {
        name: arrow.string()
        if SOURCES[name] in TEXT_CELLS
        else arrow.bool_()
        if SOURCES[name] is Cell.TRUTH
        else arrow.int64()
        for name in PLAIN
    }


class _Sink(io.RawIOBase):
    """What the library writes to; what is taken is no longer kept."""

    def __init__(self) -> None:
        self._parts: list[bytes] = []
        self._size_bytes = 0

    def taken(self) -> bytes:
        parts, self._parts = self._parts, []
        return b"".join(parts)

    @override
    def writable(self) -> bool:
        return True

    @override
    def tell(self) -> int:
        return self._size_bytes

    @override
    def write(self, data: Any, /) -> int:
        part = bytes(data)
        self._parts.append(part)
        self._size_bytes += len(part)
        return len(part)
