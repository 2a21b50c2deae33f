"""How do rows leave for a spreadsheet?"""

import csv
import io
from collections.abc import Iterable, Sequence
from typing import cast

# Spreadsheets read what begins so as a formula, and run it.
FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")
BYTE_ORDER_MARK = "\ufeff"
"""Tells spreadsheets that the file is UTF-8."""
LINE_END = "\r\n"
MARK = "\x1e"
"""Stands for a cell in quotes while the others are looked through."""


def csv_of(columns: Sequence[str], rows: Iterable[Iterable[object]]) -> str:
    """Return rows as CSV: UTF-8 with its mark, unknown as nothing, no text a formula."""
    return csv_head(columns) + csv_lines([_cell(value) for value in row] for row in rows)


def csv_head(columns: Sequence[str]) -> str:
    """Return how CSV begins: the mark of UTF-8, and the columns' names."""
    return BYTE_ORDER_MARK + csv_lines([columns])


def csv_lines(rows: Iterable[Iterable[str | int | None]], json_places: Sequence[int] = ()) -> str:
    """Return lines of CSV of cells as they are: texts of others must be `guarded` before.

    `json_places`: where cells are JSON, in their order: they have quotes nearly always.
    """
    lines: list[str] = []
    for row in rows:
        cells = [cell if type(cell) is str else "" if cell is None else str(cell) for cell in row]
        lines.append(_line(cells, [place for place in json_places if '"' in cells[place]]))
    lines.append("")
    return LINE_END.join(lines)


def _line(cells: list[str], in_quotes: Sequence[int]) -> str:
    """Return what csv.writer makes of cells, in a third of its time where few need quotes."""
    quoted = [cells[place] for place in in_quotes]
    for place in in_quotes:
        cells[place] = MARK
    text = ",".join(cells)
    if (
        not text
        or '"' in text
        or "\n" in text
        or "\r" in text
        or text.count(",") >= len(cells)
        or text.count(MARK) > len(quoted)
    ):
        for place, cell in zip(in_quotes, quoted, strict=True):
            cells[place] = cell
        file = io.StringIO()
        csv.writer(file, lineterminator=LINE_END).writerow(cells)
        return file.getvalue().removesuffix(LINE_END)
    if not quoted:
        return text
    parts = text.split(MARK)
    for place, cell in enumerate(quoted):
        parts[place] += f'"{cell.replace(chr(34), chr(34) * 2)}"'
    return "".join(parts)


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
