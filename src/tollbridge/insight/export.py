"""How does the usage log leave whole, however long it is?

Page by page, the newest call first, each page in a unit of its own that is over before anybody
waits for who reads: no reader keeps the database from tidying up. While lines are made of one page
the next is read: memory is that of two. All pages are of the same time: what ends after the export
has begun is not in it.
"""

import asyncio
from collections.abc import AsyncGenerator, AsyncIterator, Iterable, Iterator, Mapping, Sequence
from datetime import tzinfo
from enum import StrEnum
from typing import Any, NamedTuple, Protocol

import msgspec

from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.provider_names import ProviderNames
from tollbridge.core.sight import Sight
from tollbridge.insight import export_focus
from tollbridge.insight.export_focus import FocusMaker, focus_head
from tollbridge.insight.export_focus_credits import CreditsMaker, credits_head
from tollbridge.insight.export_line_queries import csv_runs, json_runs, table_columns
from tollbridge.insight.export_lines import BOOKED, CSV, JSON, Correction, LineMaker
from tollbridge.insight.export_parquet import ParquetMaker, require_library
from tollbridge.insight.export_queries import (
    Columns,
    ExportPage,
    adjustments_in,
    attempts_in,
    corrections_of,
    read_page,
)
from tollbridge.insight.log_queries import count_log
from tollbridge.insight.usage import CallFilter, CallPlace
from tollbridge.insight.wallet_queries import StatementFilter, credit_moves
from tollbridge.storage.unit import Database, DialectName, Unit

PAGE_ROWS = 4_000
PART_ROWS = 250
"""Memory that is small enough to be used again at once is a good deal faster."""
CREDITS_PAGE_ROWS = 500


class ExportForm(StrEnum):
    """As what calls leave."""

    CSV = "csv"
    JSONL = "jsonl"
    FOCUS = "focus"
    PARQUET = "parquet"
    FOCUS_CREDITS = "focus_credits"


MEDIA_TYPES: Mapping[ExportForm, str] = {
    ExportForm.CSV: "text/csv; charset=utf-8",
    ExportForm.JSONL: "application/jsonl",
    ExportForm.FOCUS: "text/csv; charset=utf-8",
    ExportForm.PARQUET: "application/vnd.apache.parquet",
    ExportForm.FOCUS_CREDITS: "text/csv; charset=utf-8",
}
FILE_NAMES: Mapping[ExportForm, str] = {
    ExportForm.CSV: "usage.csv",
    ExportForm.JSONL: "usage.jsonl",
    ExportForm.FOCUS: "focus.csv",
    ExportForm.PARQUET: "usage.parquet",
    ExportForm.FOCUS_CREDITS: "focus-credits.csv",
}


class Export(msgspec.Struct, frozen=True, kw_only=True):
    """What is exported."""

    form: ExportForm
    wanted: CallFilter
    """With its end: see `bounded`."""
    zone: tzinfo
    """The billing time zone."""
    names: ProviderNames
    rows_max: int
    """Most calls of one export."""
    page_rows: int = PAGE_ROWS


def bounded(wanted: CallFilter, now_us: int) -> CallFilter:
    """Return a filter that lets by no call that ends from now on."""
    end_us = now_us if wanted.to_us is None else min(wanted.to_us, now_us)
    return msgspec.structs.replace(wanted, to_us=end_us)


def check_form(form: ExportForm) -> None:
    """Raise InvalidRequestError where what a form needs is not installed."""
    if form is ExportForm.PARQUET:
        require_library()


async def check_size(unit: Unit, order: Export) -> None:
    """Raise InvalidRequestError where it is known before that there are too many calls.

    A row of the log counts for the requests that it stands for.
    """
    if order.form is ExportForm.FOCUS_CREDITS:
        statement_of(order.wanted)
        return
    total = await count_log(unit, order.wanted, order.zone)
    if total.calls > order.rows_max:
        raise _too_many(order)


async def export(database: Database, order: Export) -> AsyncGenerator[bytes]:
    """Yield what an export is made of.

    Raises InvalidRequestError where there turn out to be too many calls: what has been given by
    then must not be taken for the whole.
    """
    if order.form is ExportForm.FOCUS_CREDITS:
        async for part in _credits(database, order):
            yield part
        return
    writer = _writer(order, database.dialect)
    if writer.head:
        yield writer.head
    rows = 0
    reading = asyncio.create_task(_read(database, order, writer, None))
    try:
        while True:
            page = await reading
            rows += page.rows
            if rows > order.rows_max:
                raise _too_many(order)
            if page.next is not None:
                reading = asyncio.create_task(_read(database, order, writer, page.next))
            async for part in page.parts:
                yield part
            if page.next is None:
                break
            del page
    finally:
        reading.cancel()
        await asyncio.gather(reading, return_exceptions=True)
    end = await writer.end()
    if end:
        yield end


async def _read(
    database: Database, order: Export, writer: "_Writer", after: CallPlace | None
) -> "_Page":
    async with database.read() as unit:
        page = await read_page(
            unit, order.wanted, order.zone, after, order.page_rows, writer.columns
        )
        return _Page(len(page.rows), page.next, await writer.parts(unit, page))


async def _credits(database: Database, order: Export) -> AsyncGenerator[bytes]:
    """Yield what wallets in credits were given and spent: by wallet, the first move first."""
    yield credits_head()
    maker = CreditsMaker(order.zone)
    sights, wanted = statement_of(order.wanted)
    after = ("", 0)
    rows = 0
    while True:
        async with database.read() as unit:
            moves = await credit_moves(unit, sights, wanted, after, CREDITS_PAGE_ROWS)
        rows += len(moves)
        if rows > order.rows_max:
            raise _too_many(order)
        if moves:
            yield maker.csv(moves)
            last = moves[-1].transaction
            after = last.wallet_id, last.number
        if len(moves) < CREDITS_PAGE_ROWS:
            return
        await asyncio.sleep(0)


def statement_of(wanted: CallFilter) -> tuple[tuple[Sight, ...], StatementFilter]:
    """Return in whose sight, of each, the wallets are that a filter means, and when.

    Raises InvalidRequestError for a filter by what only calls have.
    """
    told = {"user", "from_us", "to_us", "sight"}
    for name in CallFilter.__struct_fields__:
        if name not in told and getattr(wanted, name) is not None:
            raise InvalidRequestError(
                f"wallets are chosen by user and time, not by {name}", details={"param": name}
            )
    sights = (wanted.sight, None if wanted.user is None else Sight(wanted.user))
    span = StatementFilter(from_us=wanted.from_us, to_us=wanted.to_us)
    return tuple(one for one in sights if one is not None), span


class _Page(NamedTuple):
    """A page that has been read."""

    rows: int
    next: CallPlace | None
    parts: AsyncIterator[bytes]
    """What is given out of it, made as it is asked for."""


class _Writer(Protocol):
    """Makes of pages what is given out."""

    columns: Columns
    """What is read of calls."""
    head: bytes
    """What is given out first."""

    async def parts(self, unit: Unit, page: ExportPage) -> AsyncIterator[bytes]:
        """Return what is given out of a page, with what else has to be read for it.

        Only what is read needs the unit: parts are made as they are asked for, page after page.
        """
        ...

    async def end(self) -> bytes:
        """Return what is given out last."""
        ...


class _LineWriter:
    """Writes the log, a line a call."""

    def __init__(self, order: Export, dialect: DialectName) -> None:
        style, runs = (
            (CSV, csv_runs(dialect)) if order.form is ExportForm.CSV else (JSON, json_runs(dialect))
        )
        self.columns: Columns = (*BOOKED, *runs)
        self.head = style.head
        self._maker = LineMaker(style, order.zone)

    async def parts(self, unit: Unit, page: ExportPage) -> AsyncIterator[bytes]:
        rows = page.rows
        corrections = await corrections_of(unit, rows)
        return _in_turn(self._maker.lines(part, corrections) for part in _cut(rows))

    async def end(self) -> bytes:
        return b""


class _FocusWriter:
    """Writes cost and usage rows."""

    def __init__(self, order: Export) -> None:
        self.columns: Columns = export_focus.SOURCES
        self.head = focus_head()
        self._maker = FocusMaker(order.zone, order.names)

    async def parts(self, unit: Unit, page: ExportPage) -> AsyncIterator[bytes]:
        rows = page.rows
        several = [row[1] for row in rows if row[-1] > 1]
        attempts = await attempts_in(unit, several)
        adjustments = await adjustments_in(unit, rows)
        return _in_turn(self._maker.csv(part, attempts, adjustments) for part in _cut(rows))

    async def end(self) -> bytes:
        return b""


class _ParquetWriter:
    """Writes the log by columns, in a thread: whoever else is served waits for none of it."""

    def __init__(self, order: Export, dialect: DialectName) -> None:
        self.columns: Columns = table_columns(dialect)
        self.head = b""
        self._zone = order.zone
        self._maker: ParquetMaker | None = None

    async def parts(self, unit: Unit, page: ExportPage) -> AsyncIterator[bytes]:
        return self._added(page.rows, await corrections_of(unit, page.rows))

    async def end(self) -> bytes:
        return await asyncio.to_thread((await self._made()).close)

    async def _added(
        self, rows: Sequence[Any], corrections: Mapping[str, Correction]
    ) -> AsyncGenerator[bytes]:
        maker = await self._made()
        part = await asyncio.to_thread(maker.add, rows, corrections)
        if part:
            yield part

    async def _made(self) -> ParquetMaker:
        if self._maker is None:
            self._maker = await asyncio.to_thread(ParquetMaker, self._zone)
        return self._maker


async def _in_turn(parts: Iterable[bytes]) -> AsyncGenerator[bytes]:
    for part in parts:
        # Whoever else is served by this process comes first, and so does the reading of a page.
        await asyncio.sleep(0)
        yield part


def _cut(rows: Sequence[Any]) -> Iterator[Sequence[Any]]:
    for start in range(0, len(rows), PART_ROWS):
        yield rows[start : start + PART_ROWS]


def _writer(order: Export, dialect: DialectName) -> _Writer:
    match order.form:
        case ExportForm.FOCUS:
            return _FocusWriter(order)
        case ExportForm.PARQUET:
            return _ParquetWriter(order, dialect)
        case _:
            return _LineWriter(order, dialect)


def _too_many(order: Export) -> InvalidRequestError:
    return InvalidRequestError(
        f"more than {order.rows_max:,} calls: narrow the time, or export in parts; the setting "
        "TOLLBRIDGE_EXPORT_CALLS_MAX is the limit",
        details={"param": "from"},
    )
