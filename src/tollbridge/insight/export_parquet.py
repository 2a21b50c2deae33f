"""How do calls of the usage log leave as Parquet?

With the columns of the other forms, in the types of that format: instants in microseconds of UTC,
money as decimals of nine places, tags as lists, usage as a map. What is not known is null.

pyarrow is the extra `parquet`, which costs some 60 MB where it is used: it is loaded by the first
export in this form.
"""

import importlib
import io
from collections.abc import Callable, Iterator, Mapping, Sequence
from datetime import tzinfo
from decimal import Decimal
from importlib.util import find_spec
from typing import Any

import msgspec
from typing_extensions import override

from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.money import NANO_PLACES
from tollbridge.insight.export_lines import COLUMNS, Cell, Correction, Months

LIBRARY = "pyarrow"
GROUP_ROWS = 20_000
"""So many calls stand together in the file, each column of them for itself; memory is theirs."""
MONEY_DIGITS = 28
WHOLE_DIGITS = 19
"""Of any amount in nano-USD."""
SOURCES = tuple(dict.fromkeys(column.source for column in COLUMNS.values()))
"""What is read of a call, behind export_queries.PLACE."""

_AT: Mapping[str, int] = {name: place for place, name in enumerate(SOURCES, 2)}
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
        self._types = _types(self._arrow)
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
        """Take calls; return what of the file is complete, which mostly is nothing."""
        if rows:
            columns = list(zip(*rows, strict=True))
            arrays = [
                self._array(column.cell, values)
                for column, values in zip(
                    COLUMNS.values(), self._values(columns, corrections), strict=True
                )
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

    def _values(
        self, columns: Sequence[Sequence[Any]], corrections: Mapping[str, Correction]
    ) -> Iterator[Sequence[Any]]:
        """Yield what stands in each column."""
        corrected = _corrected(columns, corrections)
        for name, column in COLUMNS.items():
            values = columns[_AT[column.source]]
            if name in corrected:
                yield corrected[name]
            elif column.cell is Cell.MONTH:
                yield [self._months.text(at_us) for at_us in values]
            else:
                make = _MADE.get(column.cell)
                yield values if make is None else [make(value) for value in values]

    def _array(self, cell: Cell, values: Sequence[Any]) -> Any:
        if cell is not Cell.MONEY:
            return self._arrow.array(values, type=self._types[cell])
        # Whole nano-USD, moved by nine places: no value becomes a Decimal of its own.
        compute: Any = importlib.import_module(f"{LIBRARY}.compute")
        nano = self._arrow.array(values, type=self._arrow.int64())
        whole = nano.cast(self._arrow.decimal128(WHOLE_DIGITS, 0))
        step = self._arrow.scalar(
            Decimal(1).scaleb(NANO_PLACES), self._arrow.decimal128(-NANO_PLACES, -NANO_PLACES)
        )
        return compute.multiply(whole, step).cast(self._types[Cell.MONEY])


_MADE: Mapping[Cell, Callable[[Any], Any]] = {
    Cell.CALL: str,
    Cell.SEVERAL: lambda count: count > 1,
    Cell.TRUTH: bool,
    Cell.LIST: lambda text: _list(text) if text else [],
    Cell.OBJECT: lambda text: list(_counts(text).items()) if text else [],
}


def _corrected(
    columns: Sequence[Sequence[Any]], corrections: Mapping[str, Correction]
) -> Mapping[str, Sequence[int | None]]:
    """Return the columns that are not in the books as they are."""
    costs, charges = columns[_AT["cost_nanousd"]], columns[_AT["charge_nanousd"]]
    adjustments: list[int | None] = [0] * len(costs)
    costs_now, charges_now = list(costs), list(charges)
    if corrections:
        known = columns[_AT["known_cost_nanousd"]]
        for place, call_id in enumerate(columns[_AT["call_id"]]):
            one = corrections.get(call_id)
            if one is None:
                continue
            adjustments[place] = one.difference_nanousd
            if costs[place] is not None or one.is_priced:
                costs_now[place] = known[place] + one.difference_nanousd
            charges_now[place] = charges[place] + one.charge_difference_nanousd
    return {
        "adjustment_usd": adjustments,
        "cost_now_usd": costs_now,
        "charge_now_usd": charges_now,
    }


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
