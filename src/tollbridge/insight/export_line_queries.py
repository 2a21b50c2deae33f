"""How does the database write the columns of a call that stand on a line as they are? Read-only.

As the text of SQL: it names columns that both places of details have.
"""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import ColumnElement, literal_column

from tollbridge.core.sheets import FORMULA_STARTS
from tollbridge.insight.export_lines import (
    JSONS,
    PLAIN,
    RUNS,
    SOURCES,
    TEXT_CELLS,
    Cell,
    ExportColumn,
)
from tollbridge.storage.engine import POSTGRESQL
from tollbridge.storage.unit import DialectName

Run = Mapping[str, ExportColumn]

_STARTS = "".join(sorted(FORMULA_STARTS, key="\t\r+=@-".index))
"""A hyphen stands last, where it is no range."""
_LETTERS = "A"
"""All of these starts stand before it."""
_EMPTY: Mapping[Cell, str] = {Cell.LIST: "[]", Cell.OBJECT: "{}"}


def csv_runs(dialect: DialectName) -> Sequence[ColumnElement[Any]]:
    """Return the cells of each run between commas: unknown as nothing, and no text a formula.

    All texts are in quotes: to find out which of them need these costs more than to write them.
    """
    return tuple(literal_column(_csv_run(run, dialect)) for run in RUNS)


def json_runs(dialect: DialectName) -> Sequence[ColumnElement[Any]]:
    """Return each run as a JSON object: unknown is null, and no tags are an empty list."""
    return tuple(literal_column(_json_run(run, dialect)) for run in RUNS)


def table_columns(dialect: DialectName) -> Sequence[str | ColumnElement[Any]]:
    """Return PLAIN in one text, with commas between, and JSONS.

    Texts are in single quotes, and what is not known is nothing or NULL, without quotes.
    """
    cells: list[str] = []
    for name in PLAIN:
        cell = _truth(name) if SOURCES[name] is Cell.TRUTH else name
        if dialect == POSTGRESQL and SOURCES[name] in TEXT_CELLS:
            text = f"replace(CAST({name} AS TEXT), QUOTE, QUOTE || QUOTE)"
            cell = f"QUOTE || {text} || QUOTE".replace("QUOTE", "''''")
        cells.append(cell)
    if dialect == POSTGRESQL:
        places = ",".join("%s" for _ in PLAIN)
        run = f"format('{places}', {', '.join(cells)})"
    else:
        places = ",".join("%Q" if SOURCES[name] in TEXT_CELLS else "%s" for name in PLAIN)
        run = f"printf('{places}', {', '.join(cells)})"
    return (literal_column(run), *JSONS)


def _csv_run(run: Run, dialect: DialectName) -> str:
    places, cells = zip(*(_csv_cell(column, dialect) for column in run.values()), strict=True)
    function = "format" if dialect == POSTGRESQL else "printf"
    return f"{function}('{','.join(places)}', {', '.join(cells)})"


def _csv_cell(column: ExportColumn, dialect: DialectName) -> tuple[str, str]:
    """Return the place of a cell, and what is put there."""
    condition = _condition(column)
    if condition is not None:
        return "%s", _truth(condition)
    if column.cell is Cell.NUMBER:
        return "%s", column.source
    text = column.source
    if column.cell is Cell.TEXT:
        # As sheets.guarded does.
        is_start = "~ '^[{}]'" if dialect == POSTGRESQL else "GLOB '[{}]*'"
        # Nearly every text begins with a letter, and to see that costs a third of a pattern.
        order = ' COLLATE "C"' if dialect == POSTGRESQL else ""
        guard = f"{text}{order} < '{_LETTERS}' AND {text} {is_start.format(_STARTS)}"
        text = f"CASE WHEN {guard} THEN '''' || {text} ELSE {text} END"
    if dialect == POSTGRESQL:
        return '"%s"', f"""replace(CAST({text} AS TEXT), '"', '""')"""
    # SQLite's %w doubles the quotes, and has words for NULL.
    return '"%w"', f"coalesce({text}, '')"


def _json_run(run: Run, dialect: DialectName) -> str:
    make = "json_build_object" if dialect == POSTGRESQL else "json_object"
    fields = [f"'{name}', {_json_value(column, dialect)}" for name, column in run.items()]
    text = f"{make}({', '.join(fields)})"
    return f"CAST({text} AS TEXT)" if dialect == POSTGRESQL else text


def _json_value(column: ExportColumn, dialect: DialectName) -> str:
    """Return what becomes JSON: SQLite keeps JSON as text, and truth as a number."""
    empty, condition = _EMPTY.get(column.cell), _condition(column)
    if empty is not None:
        if dialect == POSTGRESQL:
            return f"coalesce({column.source}, '{empty}'::jsonb)"
        return f"json(coalesce({column.source}, '{empty}'))"
    if condition is None:
        return column.source
    return condition if dialect == POSTGRESQL else f"json({_truth(condition)})"


def _condition(column: ExportColumn) -> str | None:
    """Return what makes a column true; None where it is not of this kind."""
    if column.cell is Cell.SEVERAL:
        return f"{column.source} > 1"
    return column.source if column.cell is Cell.TRUTH else None


def _truth(condition: str) -> str:
    return f"CASE WHEN {condition} THEN 'true' ELSE 'false' END"
