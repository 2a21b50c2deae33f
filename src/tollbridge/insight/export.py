"""How does the usage log leave whole, however long it is?

Page by page, the newest call first, each page in a unit of its own that is over before anybody
waits for who reads: memory is that of one page, and no reader keeps the database from tidying up.
All pages are of the same time: what ends after the export has begun is not in it.
"""

import asyncio
from collections.abc import AsyncGenerator, Mapping
from datetime import tzinfo
from enum import StrEnum

import msgspec

from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.provider_names import ProviderNames
from tollbridge.insight import export_focus, export_lines
from tollbridge.insight.export_focus import FocusMaker, focus_head
from tollbridge.insight.export_lines import LineMaker
from tollbridge.insight.export_queries import (
    ExportPage,
    adjustments_in,
    attempts_in,
    corrections_of,
    read_page,
)
from tollbridge.insight.log_queries import count_log
from tollbridge.insight.usage import CallFilter, CallPlace
from tollbridge.storage.unit import Database, Unit

PAGE_ROWS = 1_000


class ExportForm(StrEnum):
    """As what calls leave."""

    CSV = "csv"
    JSONL = "jsonl"
    FOCUS = "focus"


MEDIA_TYPES: Mapping[ExportForm, str] = {
    ExportForm.CSV: "text/csv; charset=utf-8",
    ExportForm.JSONL: "application/jsonl",
    ExportForm.FOCUS: "text/csv; charset=utf-8",
}
FILE_NAMES: Mapping[ExportForm, str] = {
    ExportForm.CSV: "usage.csv",
    ExportForm.JSONL: "usage.jsonl",
    ExportForm.FOCUS: "focus.csv",
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


async def check_size(unit: Unit, order: Export) -> None:
    """Raise InvalidRequestError where it is known before that there are too many calls.

    A row of the log counts for the requests that it stands for.
    """
    total = await count_log(unit, order.wanted, order.zone)
    if total.calls > order.rows_max:
        raise _too_many(order)


async def export(database: Database, order: Export) -> AsyncGenerator[bytes]:
    """Yield what an export is made of.

    Raises InvalidRequestError where there turn out to be too many calls: what has been given by
    then must not be taken for the whole.
    """
    yield _head(order.form)
    writer = _Writer(order)
    after: CallPlace | None = None
    rows = 0
    while True:
        async with database.read() as unit:
            page = await read_page(
                unit, order.wanted, order.zone, after, order.page_rows, writer.sources
            )
            lines = await writer.lines(unit, page)
        rows += len(page.rows)
        if rows > order.rows_max:
            raise _too_many(order)
        if lines:
            yield lines
        if page.next is None:
            return
        after = page.next
        # Whoever else is served by this process comes first.
        await asyncio.sleep(0)


class _Writer:
    """Makes of pages what is given out."""

    def __init__(self, order: Export) -> None:
        self._form = order.form
        self._log = LineMaker(order.zone)
        self._focus = FocusMaker(order.zone, order.names)
        is_focus = order.form is ExportForm.FOCUS
        self.sources = export_focus.SOURCES if is_focus else export_lines.SOURCES

    async def lines(self, unit: Unit, page: ExportPage) -> bytes:
        """Return the lines of a page, with what else has to be read for them."""
        rows = page.rows
        if self._form is ExportForm.FOCUS:
            several = [row[1] for row in rows if row[-1] > 1]
            attempts = await attempts_in(unit, several)
            return self._focus.csv(rows, attempts, await adjustments_in(unit, rows))
        corrections = await corrections_of(unit, rows)
        if self._form is ExportForm.CSV:
            return self._log.csv(rows, corrections)
        return self._log.json_lines(rows, corrections)


def _head(form: ExportForm) -> bytes:
    if form is ExportForm.FOCUS:
        return focus_head()
    return export_lines.log_head() if form is ExportForm.CSV else b""


def _too_many(order: Export) -> InvalidRequestError:
    return InvalidRequestError(
        f"more than {order.rows_max:,} calls: narrow the time, or export in parts; the setting "
        "TOLLBRIDGE_EXPORT_CALLS_MAX is the limit",
        details={"param": "from"},
    )
