"""How does usage come into the books that is written in a file?"""

import asyncio
import sys
from collections import Counter
from collections.abc import Iterator, Mapping
from contextlib import ExitStack
from itertools import islice
from pathlib import Path
from typing import IO, Annotated

import msgspec
import typer

from tollbridge.cli.environment import AsJson, DataDir, load_settings
from tollbridge.cli.import_files import Format, ImportFile, Keep, Line
from tollbridge.cli.opening import opened
from tollbridge.cli.output import note, print_json, print_line, print_table
from tollbridge.cli.reports import DirectBooks
from tollbridge.core.clock import SystemClock
from tollbridge.core.errors import ConfigurationError
from tollbridge.core.report import Via
from tollbridge.settings import Settings

NOT_IN_ORDER = 1
PIECE_LINES = 1000
PROGRESS_EVERY_S = 2.0
FORMAT_OF: Mapping[str, Format] = {
    ".csv": Format.CSV,
    ".jsonl": Format.JSONL,
    ".ndjson": Format.JSONL,
}


class Imported(msgspec.Struct):
    """How far an import has come."""

    lines: int = 0
    counted: int = 0
    duplicates: int = 0
    rejected: Counter[str] = Counter()


def import_usage(
    path: Annotated[Path, typer.Argument(metavar="FILE", help="The file.", show_default=False)],
    *,
    kind: Annotated[
        Format | None,
        typer.Option("--format", help="csv, jsonl, or alwrity: a SQLite database of ALwrity."),
    ] = None,
    source: Annotated[
        str, typer.Option(help="Whose usage it is; its registry checks the records.")
    ] = "import",
    dry_run: Annotated[
        bool, typer.Option("--dry-run", help="Check everything and write nothing.")
    ] = False,
    rejected: Annotated[
        Path | None,
        typer.Option(help="Write the rejected lines here, as JSON lines.", show_default=False),
    ] = None,
    keep: Annotated[
        list[Keep] | None,
        typer.Option(
            help="What is taken as the file has it, and not found anew: costs (the default), "
            "providers that ALwrity's rows name, or nothing; again for more.",
            show_default=False,
        ),
    ] = None,
    as_json: AsJson = False,
    data_dir: DataDir = None,
) -> None:
    """Bring usage from a file into the books. Exit status 1 where lines were rejected.

    Doing it again changes nothing: a record counts once by its id, else by the file's content and
    the line. Rejected lines are kept; `tollbridge intake replay` tries them again.
    """
    chosen = kind or FORMAT_OF.get(path.suffix.lower())
    if chosen is None:
        raise ConfigurationError(f"say what {path} is: --format csv, jsonl or alwrity")
    if not path.is_file():
        raise ConfigurationError(f"there is no file {path}")
    kept = frozenset(keep or [Keep.COSTS])
    file = ImportFile(
        path, chosen, trust_providers=Keep.PROVIDERS in kept, keep_costs=Keep.COSTS in kept
    )
    settings = load_settings(data_dir=data_dir)
    with ExitStack() as stack:
        out = None if rejected is None else stack.enter_context(rejected.open("wb"))
        found = asyncio.run(_import(settings, file, source, out, dry_run=dry_run))
    _show(found, dry_run=dry_run, as_json=as_json)
    if found.rejected:
        raise typer.Exit(NOT_IN_ORDER)


async def _import(
    settings: Settings, file: ImportFile, source: str, out: IO[bytes] | None, *, dry_run: bool
) -> Imported:
    clock = SystemClock()
    found = Imported(rejected=Counter())
    key = f"file:{file.digest()}"
    total = file.count()
    seen: set[str] = set()
    told_s = clock.monotonic_s()
    async with opened(settings) as database:
        books = await DirectBooks.open(database, settings, source, clock)
        lines = file.lines()
        while piece := _piece(lines):
            if dry_run:
                taken = await books.preview(piece, key, seen)
            else:
                taken = await books.take(piece, key, Via.IMPORT)
            found.lines += len(piece)
            found.counted += taken.counted
            found.duplicates += taken.duplicates
            for one in taken.refusals:
                found.rejected[one.reason] += 1
                if out is not None:
                    told = {"line": one.index, "reason": one.reason, "message": one.message}
                    out.write(msgspec.json.encode({**told, "raw": one.raw}) + b"\n")
            now_s = clock.monotonic_s()
            if now_s - told_s >= PROGRESS_EVERY_S or sys.stderr.isatty():
                told_s = now_s
                note(f"{found.lines} of about {total} lines")
    return found


def _piece(lines: Iterator[Line]) -> list[Line]:
    return list(islice(lines, PIECE_LINES))


def _show(found: Imported, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        print_json({**msgspec.structs.asdict(found), "dry_run": dry_run})
        return
    verb = "would count" if dry_run else "count now"
    print_line(
        f"{found.lines} lines: {found.counted} {verb}, {found.duplicates} did already, "
        f"{found.rejected.total()} are rejected"
    )
    if found.rejected:
        rows = [(reason, str(count)) for reason, count in found.rejected.most_common()]
        print_table(("reason", "lines"), rows, right=("lines",))
