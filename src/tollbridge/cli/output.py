"""How does a command show what it found?"""

import sys
from collections.abc import Callable, Generator, Iterable, Sequence
from contextlib import contextmanager

import msgspec
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeRemainingColumn
from rich.table import Table

from tollbridge.core.clock import to_datetime
from tollbridge.core.money import usd_text

# Where nobody looks (a file, a pipe), lines are not cut at the width of a terminal.
UNBOUNDED_WIDTH = 400


def print_json(value: object) -> None:
    """Print a value as JSON, indented."""
    sys.stdout.write(msgspec.json.format(msgspec.json.encode(value), indent=2).decode() + "\n")


def print_line(text: str) -> None:
    """Print one line as it is."""
    sys.stdout.write(f"{text}\n")


def note(text: str) -> None:
    """Print one line to whoever looks, beside what a pipe would take."""
    sys.stderr.write(f"{text}\n")


def print_table(
    columns: Sequence[str], rows: Iterable[Sequence[str]], right: Iterable[str] = ()
) -> None:
    """Print a table; `right` names the columns that are aligned to the right."""
    table = Table(box=None, pad_edge=False, header_style="bold")
    numbers = frozenset(right)
    for column in columns:
        table.add_column(column, justify="right" if column in numbers else "left", overflow="fold")
    for row in rows:
        table.add_row(*row)
    terminal = sys.stdout.isatty()
    console = Console(
        file=sys.stdout, width=None if terminal else UNBOUNDED_WIDTH, markup=False, highlight=False
    )
    console.print(table)


@contextmanager
def progress_bar(what: str, total: int) -> Generator[Callable[[int], None]]:
    """Show how far a long work has come; yields what is told how much more is done.

    Nobody who looks at a file is shown one.
    """
    bar = Progress(
        TextColumn("{task.description}"),
        BarColumn(),
        MofNCompleteColumn(),
        TimeRemainingColumn(),
        console=Console(stderr=True),
        disable=not sys.stderr.isatty(),
    )
    task = bar.add_task(what, total=total)
    with bar:
        yield lambda done: bar.advance(task, done)


def time_text(at_us: int | None) -> str:
    """Return an instant in UTC for a table, to the second."""
    return "-" if at_us is None else f"{to_datetime(at_us):%Y-%m-%d %H:%M:%S}"


def money_text(amount_nanousd: int | None) -> str:
    """Return an amount for a table; unknown is a dash, never zero."""
    return "-" if amount_nanousd is None else f"${usd_text(amount_nanousd)}"


def count_text(count: int | None) -> str:
    """Return a count for a table; unknown is a dash, never zero."""
    return "-" if count is None else str(count)
