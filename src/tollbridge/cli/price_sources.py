"""How do prices get in from price lists and from files?"""

import asyncio
import sys
from collections.abc import Awaitable, Callable, Generator, Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, BinaryIO

import typer
from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn

from tollbridge.cli.environment import DataDir, load_settings
from tollbridge.cli.opening import opened
from tollbridge.cli.output import note, print_line, print_table
from tollbridge.cli.prices import commands
from tollbridge.core.clock import SystemClock
from tollbridge.core.errors import InvalidRequestError
from tollbridge.core.provider_names import ProviderNames
from tollbridge.providers.names import load_names
from tollbridge.rating.prices import NAME_MAX, DeclaredPrice
from tollbridge.rating.sources.files import read_prices
from tollbridge.rating.sources.sync import (
    Outcome,
    Plan,
    read_sources,
    record_import,
    record_sources,
)
from tollbridge.settings import Settings
from tollbridge.storage.unit import Unit

DryRun = Annotated[bool, typer.Option("--dry-run", help="Say what would change; change nothing.")]
SKIPPED_SHOWN_MAX = 20
IMPORTED_ROWS_MAX = 100_000
"""What is recorded in one transaction takes memory and keeps other writers waiting."""
COUNTED_AT_ONCE = 1000


class DryRunEndedError(Exception):
    """Raised to undo what a dry run wrote; it carries what was found."""

    def __init__(self, outcome: Outcome) -> None:
        super().__init__("a dry run changes nothing")
        self.outcome = outcome


@commands.command()
def sync(*, dry_run: DryRun = False, data_dir: DataDir = None) -> None:
    """Bring in the prices and models of the price lists that come with the program.

    What contradicts a price that holds is only proposed; new models are inactive until chosen.
    """
    names = load_names()
    plan = read_sources(names.resolve, names.makers)
    outcome = asyncio.run(_sync(load_settings(data_dir=data_dir), plan, names, dry_run=dry_run))
    _show(outcome, names, dry_run=dry_run)


@commands.command("import")
def import_file(
    file: Annotated[Path, typer.Argument(help="CSV, JSON or JSON lines.", show_default=False)],
    *,
    rows_max: Annotated[
        int, typer.Option(min=1, help="Refuse a file with more prices than this.")
    ] = IMPORTED_ROWS_MAX,
    dry_run: DryRun = False,
    data_dir: DataDir = None,
) -> None:
    """Import prices from a file: all of it, or with one bad line nothing."""
    names = load_names()
    settings = load_settings(data_dir=data_dir)
    outcome = asyncio.run(_import(settings, file, names, rows_max=rows_max, dry_run=dry_run))
    _show(outcome, names, dry_run=dry_run)


async def _sync(settings: Settings, plan: Plan, names: ProviderNames, *, dry_run: bool) -> Outcome:
    with _progress("recording prices", len(plan.providers)) as progress:

        async def work(unit: Unit) -> Outcome:
            return await record_sources(
                unit,
                plan,
                names.resolve,
                now_us=SystemClock().now_us(),
                progress=progress.step,
            )

        return await _written(settings, work, dry_run=dry_run)


async def _import(
    settings: Settings, file: Path, names: ProviderNames, *, rows_max: int, dry_run: bool
) -> Outcome:
    with file.open("rb") as opened_file:
        # Once for its errors, before any transaction is open; then to record it.
        with _progress("reading", None) as progress:
            rows = sum(1 for _ in _counted(opened_file, file, names, progress))
        if rows > rows_max:
            raise InvalidRequestError(
                f"{file.name} has {rows} prices, and --rows-max allows {rows_max}: "
                "import it in parts"
            )
        opened_file.seek(0)
        with _progress("recording prices", rows) as progress:

            async def work(unit: Unit) -> Outcome:
                return await record_import(
                    unit,
                    _counted(opened_file, file, names, progress),
                    actor=f"import of {file.name}"[:NAME_MAX],
                    now_us=SystemClock().now_us(),
                )

            return await _written(settings, work, dry_run=dry_run)


async def _written(
    settings: Settings, work: Callable[[Unit], Awaitable[Outcome]], *, dry_run: bool
) -> Outcome:
    """Do the work in one unit; a dry run undoes it."""
    async with opened(settings) as database:
        try:
            async with database.write() as unit:
                outcome = await work(unit)
                _end_dry_run(outcome, dry_run=dry_run)
        except DryRunEndedError as ended:
            return ended.outcome
        return outcome


def _end_dry_run(outcome: Outcome, *, dry_run: bool) -> None:
    if dry_run:
        raise DryRunEndedError(outcome)


def _counted(
    opened_file: BinaryIO, file: Path, names: ProviderNames, progress: "_Progress"
) -> Iterator[DeclaredPrice]:
    for number, price in enumerate(read_prices(opened_file, file.name, names.resolve), start=1):
        if not number % COUNTED_AT_ONCE:
            progress.step(f"row {number}", COUNTED_AT_ONCE)
        yield price


class _Progress:
    def __init__(self, bar: Progress, title: str, total: int | None) -> None:
        self._bar = bar
        self._title = title
        self._task = bar.add_task(title, total=total)

    def step(self, what: str, count: int = 1) -> None:
        """Say what has been done."""
        self._bar.update(self._task, advance=count, description=f"{self._title}: {what}")


@contextmanager
def _progress(title: str, total: int | None) -> Generator[_Progress]:
    """Show a bar to whoever looks, beside what a pipe would take."""
    columns = (TextColumn("{task.description}"), BarColumn(), MofNCompleteColumn())
    console = Console(file=sys.stderr)
    with Progress(*columns, TimeElapsedColumn(), console=console, transient=True) as bar:
        yield _Progress(bar, title, total)


def _show(outcome: Outcome, names: ProviderNames, *, dry_run: bool) -> None:
    counts = ("added", "unchanged", "proposed", "skipped")
    rows = [
        (names.display(provider), *(f"{getattr(tally, count):,}" for count in counts))
        for provider, tally in sorted(outcome.tallies.items())
    ]
    totals = (
        f"{sum(getattr(tally, count) for tally in outcome.tallies.values()):,}" for count in counts
    )
    print_table(("provider", *counts), [*rows, ("total", *totals)], right=counts)
    for line in _skipped_lines(outcome):
        note(line)
    would = "would be " if dry_run else ""
    print_line(
        f"other names {would}added: {outcome.aliases_added:,}; "
        f"models {would}added: {outcome.models_added:,}, inactive until chosen"
    )
    if dry_run:
        print_line("dry run: nothing was changed")


def _skipped_lines(outcome: Outcome) -> Iterable[str]:
    skipped = outcome.skipped
    for one in skipped[:SKIPPED_SHOWN_MAX]:
        yield f"skipped: {one.provider} {one.what}: {one.reason}"
    if len(skipped) > SKIPPED_SHOWN_MAX:
        yield f"and {len(skipped) - SKIPPED_SHOWN_MAX} more"
