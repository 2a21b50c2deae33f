"""How do rows leave for a spreadsheet?"""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import cast

# Spreadsheets read what begins so as a formula, and run it.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
BYTE_ORDER_MARK = "\ufeff"
"""Tells spreadsheets that the file is UTF-8."""


def csv_of(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """Return rows as CSV: UTF-8 with its mark, unknown as nothing, no text a formula."""
    return csv_head(columns) + csv_lines([_cell(value) for value in row] for row in rows)


def csv_head(columns: Sequence[str]) -> str:
    """Return how CSV begins: the mark of UTF-8, and the columns' names."""
    return BYTE_ORDER_MARK + csv_lines([columns])


def csv_lines(rows: Iterable[Iterable[str | int | None]]) -> str:
    """Return lines of CSV of cells as they are: texts of others must be `guarded` before."""
    file = io.StringIO()
    csv.writer(file, lineterminator="\r\n").writerows(rows)
    return file.getvalue()


def _cell(value: object) -> str:
    if value is None:
        return ""
    if isinstance(value, bool):
        return str(value).lower()
    if isinstance(value, list):
        return guarded(" ".join(str(one) for one in cast("list[object]", value)))
    return guarded(value) if isinstance(value, str) else str(value)


def guarded(text: str) -> str:
    """Return a text that no spreadsheet takes for a formula."""
    return f"'{text}" if text.startswith(FORMULA_STARTS) else text
